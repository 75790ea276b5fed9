use super::*;

const ZONES: [Tz; 9] = [
    chrono_tz::UTC,
    chrono_tz::Europe::Berlin,
    chrono_tz::America::Sao_Paulo,
    chrono_tz::America::Havana,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Asia::Kathmandu,
    chrono_tz::Pacific::Apia,
    chrono_tz::Africa::Cairo,
    chrono_tz::America::Anchorage,
];

const TIMES: [KeyType; 3] = [TimestampTz, Timestamp, Date];
const NUMBERS: [KeyType; 3] = [SmallInt, Integer, BigInt];

fn any_zone() -> impl Strategy<Value = Rules<Tz>> {
    prop::sample::select(ZONES.to_vec()).prop_map(Rules)
}

impl<T: std::fmt::Debug> std::fmt::Debug for Rules<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An interval with a key that it suits.
fn any_interval() -> impl Strategy<Value = (KeyType, PartitionInterval)> {
    let divisors: Vec<u32> = (60..86_400).filter(|n| 86_400 % n == 0).collect();
    let times = || prop::sample::select(TIMES.to_vec());
    let clocks = prop::sample::select(vec![TimestampTz, Timestamp]);
    let widths = prop::sample::select(NUMBERS.to_vec())
        .prop_flat_map(|key| (Just(key), (1..=key.largest()).prop_map(Width)));
    prop_oneof![
        (
            times(),
            prop_oneof![1..=24_u32, 1..=12_000_u32].prop_map(Months)
        ),
        (
            times(),
            prop_oneof![1..=30_u32, 1..=365_242_u32].prop_map(Days)
        ),
        (clocks, prop::sample::select(divisors).prop_map(Seconds)),
        widths,
        (Just(BigInt), (1..=100_i64).prop_map(Width)),
    ]
}

/// About how many key values an interval holds.
fn size(key: KeyType, interval: PartitionInterval) -> i64 {
    let day = if key == Date { 1 } else { DAY };
    match interval {
        Months(months) => i64::from(months) * 30 * day,
        Days(days) => i64::from(days) * day,
        Seconds(seconds) => i64::from(seconds) * 1_000_000,
        Width(width) => width,
    }
}

#[derive(Clone, Debug)]
struct Case {
    key: KeyType,
    interval: PartitionInterval,
    offset: PartitionOffset,
    cover: Coverage,
    now: i64,
    premake: u32,
}

/// An offset that suits, and as often none: three shares of what there is room for.
fn offset_for(
    key: KeyType,
    interval: PartitionInterval,
    shares: Option<(f64, f64, f64)>,
) -> PartitionOffset {
    let Some((months, days, seconds)) = shares else {
        return PartitionOffset::None;
    };
    let part = |share: f64, most: u32| (f64::from(most) * share) as u32;
    let seconds_of = |most| if key == Date { 0 } else { part(seconds, most) };
    let (months, days, seconds) = match interval {
        Width(width) => {
            let keys = (width as f64 * days) as i64;
            return match (1..width).contains(&keys) {
                true => PartitionOffset::Keys(keys),
                false => PartitionOffset::None,
            };
        }
        Months(wide) => (part(months, wide), part(days, 28), seconds_of(86_400)),
        Days(wide) => (0, part(days, wide), seconds_of(86_400)),
        Seconds(wide) => (0, 0, seconds_of(wide)),
    };
    PartitionOffset::from_calendar(months as i32, days as i32, i64::from(seconds) * 1_000_000)
        .unwrap()
}

/// Anything from one interval to some fifty, in any year or at any number. Zones are of interest
/// in the years for which there are rules.
fn any_case() -> impl Strategy<Value = Case> {
    let starts = prop_oneof![Just(0.5), 0.49..0.51_f64, 0.0..=1.0_f64];
    let recent = prop_oneof![Just(true), any::<bool>()];
    (
        any_interval(),
        starts,
        recent,
        0.0..50.0_f64,
        0.0..50.0_f64,
        0..5_u32,
        prop::option::of((0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64)),
    )
        .prop_map(
            |((key, interval), place, recent, length, now, premake, shares)| {
                let (smallest, largest) = match (key.is_time() && recent, key) {
                    (true, Date) => (at(Date, "1880-01-01"), at(Date, "2030-01-01")),
                    (true, _) => (at(key, "1880-01-01"), at(key, "2030-01-01")),
                    (false, _) => (key.smallest(), key.largest()),
                };
                let (domain_first, domain_last) = (key.smallest(), key.largest() - 1);
                let span = (i128::from(largest) - i128::from(smallest)) as f64;
                let first = smallest.saturating_add_unsigned((span * place) as u64);
                let first = first.clamp(domain_first, domain_last);
                let ahead = |intervals: f64| {
                    let values = (size(key, interval) as f64 * intervals) as i64;
                    first
                        .saturating_add(values)
                        .clamp(domain_first, domain_last)
                };
                let cover = Coverage {
                    first,
                    last: ahead(length),
                };
                Case {
                    key,
                    interval,
                    offset: offset_for(key, interval, shares),
                    cover,
                    now: ahead(now),
                    premake,
                }
            },
        )
}

impl Case {
    fn spans(&self, zone: &dyn Zone) -> Result<Vec<Span>, BoundsError> {
        let Self {
            key,
            interval,
            offset,
            cover,
            now,
            premake,
        } = self.clone();
        let lattice = Lattice { interval, offset };
        range_spans(key, lattice, cover, now, premake, 200, zone)
    }
}

fn holders(spans: &[Span], value: i64) -> Vec<usize> {
    let holds = |span: &Span| span.lower.key <= value && value < span.upper.key;
    (0..spans.len())
        .filter(|index| holds(&spans[*index]))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(13_000))]

    #[test]
    fn spans_are_contiguous_and_ascend(case in any_case(), zone in any_zone()) {
        let spans = case.spans(&zone).unwrap();
        for span in &spans {
            prop_assert!(span.lower.key < span.upper.key);
        }
        for pair in spans.windows(2) {
            prop_assert_eq!(&pair[0].upper, &pair[1].lower);
        }
        prop_assert!(spans[0].lower.key <= case.cover.first);
        prop_assert!(case.cover.first < spans[0].upper.key);
    }

    #[test]
    fn every_value_is_in_one_span(
        case in any_case(),
        zone in any_zone(),
        places in prop::collection::vec(0.0..=1.0_f64, 8),
    ) {
        let spans = case.spans(&zone).unwrap();
        let Coverage { first, last } = case.cover;
        let between = |place: f64| first + ((last - first) as f64 * place) as i64;
        let inside = places.into_iter().map(between).filter(|value| *value <= last);
        for value in [first, last, case.now].into_iter().chain(inside) {
            prop_assert_eq!(holders(&spans, value).len(), 1);
        }
        for span in &spans {
            prop_assert_eq!(holders(&spans, span.lower.key).len(), 1);
        }
        // Nothing is made beyond the intervals asked for.
        let held = holders(&spans, last.max(case.now))[0];
        let ahead = spans.len() - held - 1;
        prop_assert!(ahead <= case.premake as usize);
        if spans.last().unwrap().upper.key < case.key.largest() {
            prop_assert_eq!(ahead, case.premake as usize);
        }
    }

    #[test]
    fn labels_and_literals_are_unique_and_fit_a_name(case in any_case(), zone in any_zone()) {
        let spans = case.spans(&zone).unwrap();
        let labels: HashSet<&str> = spans.iter().map(|span| span.label.as_str()).collect();
        let literals: HashSet<&str> =
            spans.iter().map(|span| span.lower.literal.as_str()).collect();
        prop_assert_eq!((labels.len(), literals.len()), (spans.len(), spans.len()));
        for label in labels {
            prop_assert!(label.starts_with('p') && label.len() <= 24);
            let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            prop_assert!(label.bytes().all(plain));
        }
    }

    #[test]
    fn bounds_do_not_depend_on_what_is_covered(case in any_case(), zone in any_zone()) {
        let wide = case.spans(&zone).unwrap();
        let last = case.cover.last.max(case.now);
        let cover = Coverage { first: last, last };
        let narrow = Case { cover, now: case.cover.first, premake: 0, ..case };
        let narrow = narrow.spans(&zone).unwrap();
        prop_assert_eq!(&narrow[..1], &wide[holders(&wide, last)[0]..][..1]);
    }

    #[test]
    fn a_zone_matters_only_to_instants(case in any_case(), zone in any_zone()) {
        if case.key != TimestampTz {
            prop_assert_eq!(case.spans(&zone), case.spans(&Unasked));
        } else {
            prop_assert!(case.spans(&Unasked).is_err());
        }
    }

    // What `timestamp AT TIME ZONE zone` and `timestamptz AT TIME ZONE zone` say about bounds.
    #[test]
    fn bounds_are_times_of_the_zones_clock(
        case in any_case(),
        zone in any_zone(),
        places in prop::collection::vec(0.0..=1.0_f64, 8),
    ) {
        if case.key != TimestampTz {
            return Ok(());
        }
        let shown = |instant: i64| zone.to_local(&[instant]).unwrap()[0];
        let spans = case.spans(&zone).unwrap();
        for pair in spans.windows(2) {
            let (begin, end) = (pair[1].lower.key, pair[1].upper.key);
            let clock = shown(begin);
            // A bound is where PostgreSQL puts the time that the clock shows then; for a jump,
            // its very moment: a microsecond earlier the clock shows less.
            prop_assert_eq!(zone.to_utc(&[clock]).unwrap()[0], begin);
            let jumps = shown(begin - 1) < clock - 1;
            // A jump does not lead back behind what the partition begins with.
            for place in &places {
                let inside = begin + ((end - 1 - begin) as f64 * place) as i64;
                if !jumps {
                    prop_assert!(shown(inside) >= clock);
                }
            }
            let Seconds(width) = case.interval else { continue };
            let width = i64::from(width) * 1_000_000;
            if !jumps {
                // A whole number of intervals after the zone's midnight, moved by the offset.
                let moved = match case.offset {
                    PartitionOffset::Calendar { seconds, .. } => i64::from(seconds) * 1_000_000,
                    _ => 0,
                };
                prop_assert_eq!((clock - moved).rem_euclid(DAY) % width, 0);
            }
        }
    }

    #[test]
    fn a_fixed_offset_only_shifts(case in any_case(), minutes in -720..=840_i32) {
        if case.key != TimestampTz {
            return Ok(());
        }
        let shift = i64::from(minutes) * 60_000_000;
        prop_assume!(case.cover.first > case.key.smallest() + 1000 * 366 * DAY);
        prop_assume!(case.cover.last.max(case.now) < case.key.largest() - 6000 * 366 * DAY);
        let zone = Rules(FixedOffset::east_opt(minutes * 60).unwrap());
        let shifted = Case {
            key: Timestamp,
            cover: Coverage {
                first: case.cover.first + shift,
                last: case.cover.last + shift,
            },
            now: case.now + shift,
            ..case
        };
        let (instants, clock) = (case.spans(&zone).unwrap(), shifted.spans(&Unasked).unwrap());
        prop_assert_eq!(instants.len(), clock.len());
        for (instant, clock) in instants.iter().zip(&clock) {
            prop_assert_eq!(&instant.label, &clock.label);
            prop_assert_eq!(instant.lower.key + shift, clock.lower.key);
        }
    }

    #[test]
    fn nothing_overflows(
        (key, interval) in any_interval(),
        (first, last, now) in any::<(i64, i64, i64)>(),
        premake in any::<u32>(),
        most in 0..100_u32,
    ) {
        for shift in [0, 1, 16, 48] {
            let cover = Coverage { first: first >> shift, last: last >> shift };
            match range_spans(key, interval, cover, now >> shift, premake, most, &Unasked) {
                Ok(spans) => prop_assert!(!spans.is_empty() && spans.len() <= most as usize),
                Err(error) => {
                    prop_assert!(!error.message().ends_with('.'));
                    prop_assert!(error.detail().is_some_and(|detail| detail.ends_with('.')));
                }
            }
        }
    }
}
