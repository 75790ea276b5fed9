use super::*;
use crate::plan::bounds::ZoneError;
use crate::plan::interval::KeyType::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Utc;

impl Zone for Utc {
    fn to_local(&self, utc_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Ok(utc_micros.to_vec())
    }

    fn to_utc(&self, local_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Ok(local_micros.to_vec())
    }
}

/// Rows by id, with the days on which they were made; intervals are months.
struct Table {
    rows: BTreeMap<i64, i64>,
    looks: usize,
}

impl Table {
    fn of(rows: impl IntoIterator<Item = (i64, i64)>) -> Table {
        Table {
            rows: rows.into_iter().collect(),
            looks: 0,
        }
    }

    fn ids(&self) -> Coverage {
        Coverage {
            first: *self.rows.keys().next().unwrap(),
            last: *self.rows.keys().last().unwrap(),
        }
    }

    fn find(&mut self) -> Found {
        let ids = self.ids();
        find(self, ids, 10_000).unwrap()
    }

    /// Where intervals begin.
    fn found(&mut self) -> Vec<i64> {
        self.find().cuts.iter().map(|cut| cut.id).collect()
    }

    fn step(&mut self) -> Result<Step, Untold> {
        step(&self.find(), self.ids(), BigInt)
    }

    /// The first id of each month, in the order of ids.
    fn exact(&self) -> Vec<i64> {
        let mut seen = BTreeMap::new();
        for (id, day) in &self.rows {
            seen.entry(month(*day).lower.key).or_insert(*id);
        }
        seen.into_values().collect()
    }

    fn order(&mut self) -> Order {
        let (found, ids) = (self.find(), self.ids());
        order(self, &found.cuts, ids).unwrap()
    }
}

fn month(day: i64) -> Span {
    let cover = Coverage {
        first: day,
        last: day,
    };
    let months = PartitionInterval::Months(1);
    range_spans(Date, months, cover, day, 0, 1, &Utc)
        .unwrap()
        .remove(0)
}

impl Look for Table {
    type Error = BoundsError;

    fn row_from(&mut self, id: i64) -> Result<Option<Row>, BoundsError> {
        self.looks += 1;
        let row = self.rows.range(id..).next();
        Ok(row.map(|(id, time)| Row {
            id: *id,
            time: *time,
        }))
    }

    fn interval_of(&mut self, time: i64) -> Result<Span, BoundsError> {
        Ok(month(time))
    }
}

fn labels(spans: &[Span]) -> Vec<String> {
    spans
        .iter()
        .map(|span| {
            format!(
                "{}: {} to {}",
                span.label, span.lower.literal, span.upper.literal
            )
        })
        .collect()
}

#[test]
fn months_become_partitions_and_steps_follow() {
    // 100 ids a day, from the 20th of January 2000.
    let mut table = Table::of((1..=10_000).map(|id| (id, 19 + id / 100)));
    let (cuts, ids) = (table.find().cuts, table.ids());
    assert_eq!(table.step(), Ok(Step::Taken(3_000)));
    let spans = spans(BigInt, &cuts, ids, 3_000, 2, &Utc).unwrap();
    assert_eq!(
        labels(&spans),
        [
            "p2000_01: 0 to 1200",
            "p2000_02: 1200 to 4100",
            "p2000_03: 4100 to 7200",
            "p2000_04: 7200 to 12000",
            "p12000: 12000 to 15000",
            "p15000: 15000 to 18000",
        ]
    );
}

#[test]
fn the_last_partition_gets_half_a_step_at_least() {
    let mut table = Table::of((1..=7_201).map(|id| (id, 19 + id / 100)));
    let (cuts, ids) = (table.find().cuts, table.ids());
    let spans = spans(BigInt, &cuts, ids, 3_600, 1, &Utc).unwrap();
    assert_eq!(
        labels(&spans)[3..],
        ["p2000_04: 7200 to 10800", "p10800: 10800 to 14400"]
    );
}

#[test]
fn few_rows_have_few_borders() {
    assert_eq!(Table::of([(5, 3)]).found(), [5]);
    assert_eq!(Table::of([(-5, 3), (7, 3)]).found(), [-5]);
    assert_eq!(Table::of([(-5, 3), (7, 40)]).found(), [-5, 7]);
    let ids = Coverage { first: 5, last: 5 };
    let nothing = &mut Table::of([]);
    assert_eq!(find(nothing, ids, 10), Ok(Found::default()));
    assert_eq!(step(&Found::default(), ids, BigInt), Err(Untold::NoRows));
    assert_eq!(spans(BigInt, &[], ids, 10, 4, &Utc), Ok(Vec::new()));
}

#[test]
fn where_no_interval_is_whole_the_rate_of_the_rows_so_far_counts() {
    let reckoned = |rows: Vec<(i64, i64)>| Table::of(rows).step().map(Step::ids);
    let daily = |from: i64, days: i64, each: i64| -> Vec<(i64, i64)> {
        (0..days * each).map(|n| (n + 1, from + n / each)).collect()
    };
    // January 2000 has 31 days.
    assert_eq!(reckoned(daily(0, 31, 10)), Ok(310));
    assert_eq!(reckoned(daily(10, 10, 10)), Ok(310));
    assert_eq!(reckoned(daily(10, 1, 7)), Ok(220));
    assert_eq!(reckoned(daily(10, 1, 1)), Ok(31));
    // Of January, and of February, which goes on.
    assert_eq!(reckoned(daily(26, 10, 10)), Ok(290));
    // A partition never takes less than one has already.
    assert_eq!(reckoned(vec![(1, 0), (500, 1), (501, 80)]), Ok(500));
    let rows = daily(10, 10, 10);
    let row = |(id, time): (i64, i64)| Row { id, time };
    let (first, last) = (row(rows[0]), row(rows[99]));
    let begun = Step::Begun {
        step: 310,
        first,
        last,
    };
    assert_eq!(Table::of(rows).step(), Ok(begun));
    // Then there is one.
    assert_eq!(reckoned(daily(10, 60, 10)), Ok(290));
}

#[test]
fn no_rate_is_made_of_little_or_of_disorder() {
    let century = Span {
        lower: RangeBound::at(Date, 0).unwrap(),
        upper: RangeBound::at(Date, 36_525).unwrap(),
        label: String::new(),
    };
    let rows = |days: i64| {
        let row = |n| Row { id: n, time: n };
        Found {
            cuts: vec![Cut {
                id: 0,
                interval: century.clone(),
            }],
            ascending: (0..days).map(row).collect(),
            looked_at: days as usize,
        }
    };
    let ids = Coverage {
        first: 0,
        last: 400,
    };
    assert_eq!(step(&rows(365), ids, BigInt), Err(Untold::TooShort));
    assert_eq!(step(&rows(366), ids, BigInt).map(Step::ids), Ok(37_000));
    let mut fallen = Table::of((0..100).map(|id| (id, 30 - id * 3 / 10)));
    assert!(fallen.order().holds(), "all of one month");
    assert_eq!(fallen.step(), Err(Untold::NoOrder(96)));
}

/// A type's step never exceeds its numbers.
#[test]
fn a_rate_stays_within_the_type() {
    let table = &mut Table::of((0..30_000).map(|id| (id, id / 15_000)));
    let (found, ids) = (table.find(), table.ids());
    assert_eq!(step(&found, ids, SmallInt).map(Step::ids), Ok(32_767));
    assert_eq!(step(&found, ids, Integer).map(Step::ids), Ok(470_000));
}

#[test]
fn the_ends_of_a_type_are_kept() {
    let rows = [(i64::MIN, 0), (0, 40), (i64::MAX, 80)];
    let mut table = Table::of(rows);
    let (cuts, ids) = (table.find().cuts, table.ids());
    assert_eq!(table.found(), rows.map(|(id, _)| id));
    assert_eq!(table.step(), Ok(Step::Taken(i64::MAX)));
    let spans = spans(BigInt, &cuts, ids, i64::MAX, 4, &Utc).unwrap();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].lower.key, i64::MIN);
    assert_eq!(spans[1].upper.key, i64::MAX);
}

#[test]
fn a_gap_in_ids_costs_few_looks() {
    let near = (1..=1000).map(|id| (id, id / 10));
    let far = (1..=1000).map(|id| (1 << 60 | id, 100 + id / 10));
    let mut table = Table::of(near.chain(far));
    assert_eq!(table.found(), table.exact());
    assert!(table.looks < 1000, "{}", table.looks);
}

/// The last rows tell no time.
#[test]
fn the_last_border_is_found_whatever_comes_behind() {
    for untold in [0, 1, 5, 4_000] {
        let mut table = Table::of((0..10_000).map(|id| (id, id / 20)));
        let ids = Coverage {
            first: -untold,
            last: 9_999 + untold,
        };
        let cuts = find(&mut table, ids, 100).unwrap().cuts;
        let found: Vec<i64> = cuts.iter().map(|cut| cut.id).collect();
        assert_eq!(found, table.exact(), "{untold}");
    }
}

#[test]
fn months_without_rows_are_left_out() {
    let mut table = Table::of((0..100).map(|id| (id, id * 45)));
    assert_eq!(table.found(), table.exact());
}

#[test]
fn a_row_of_another_time_moves_no_border() {
    for (id, day) in [
        (-7, 3_000),
        (5_000, -9_000),
        (4_999, 90_000),
        (9_990, 0),
        (-1 << 50, 400),
    ] {
        let mut table = Table::of((0..10_000).map(|id| (id, id / 20)));
        let exact = table.exact();
        table.rows.insert(id, day);
        let mut found = table.found();
        found[0] = found[0].max(0);
        assert_eq!(found, exact, "{id}");
        assert!(table.order().holds());
    }
}

#[test]
fn ids_without_order_are_known() {
    let noise = |id: i64| (id * 7_919 + 13) % 3_000;
    let mut any = Table::of((0..10_000).map(|id| (id, noise(id))));
    assert!(!any.order().holds(), "{:?}", any.order());
    let mut falling = Table::of((0..10_000).map(|id| (id, 3_000 - id / 3)));
    assert!(!falling.order().holds(), "{:?}", falling.order());
    let mut rising = Table::of((0..10_000).map(|id| (id, id / 3)));
    assert_eq!(rising.order().strayed, 0);
    // Made up to ten days early or late.
    let mut late = Table::of((0..10_000).map(|id| (id, id / 3 + noise(id) % 21 - 10)));
    let order = late.order();
    assert!(order.holds() && order.strayed > 0, "{order:?}");
}

#[test]
fn the_search_ends_when_there_are_too_many() {
    let mut table = Table::of((0..10_000).map(|id| (id, id * 40)));
    let ids = table.ids();
    assert_eq!(find(&mut table, ids, 5).unwrap().cuts.len(), 6);
}

/// No more than halving takes, though guesses gain nothing here: a hundred rows of a day are as if of one moment. Where there
/// are gaps among ids halving alone would take 20.
#[test]
fn borders_take_few_looks() {
    let mut noise = 1_u64;
    let mut random = move |below: u64| {
        noise = (noise.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
        ((noise >> 33) % below) as i64
    };
    // 115 months. As many rows each day, on some days more, and with gaps.
    let mut looks = |each: u64, most_more: u64, gap: u64| {
        let mut id = 0;
        let mut rows = Vec::new();
        for day in 0..3_500 {
            for _ in 0..each + random(most_more) as u64 {
                id += 1 + random(gap);
                rows.push((id, day));
            }
        }
        let mut table = Table::of(rows);
        let found = table.find();
        assert_eq!(found.cuts.len(), 115);
        let borders = (table.looks - SAMPLE) / 115;
        table.looks = 0;
        let ids = table.ids();
        let order = order(&mut table, &found.cuts, ids).unwrap();
        assert_eq!(order.looked_at, table.looks);
        borders
    };
    let each = [looks(100, 1, 1), looks(50, 100, 1), looks(100, 1, 2_000)];
    assert_eq!(each, [11, 11, 13]);
}

#[test]
fn widths_are_easy_to_read_and_wide_enough() {
    let seen = [0, 1, 99, 100, 101, 1666, 123_456_789].map(easily_read);
    assert_eq!(seen, [1, 1, 99, 100, 110, 1700, 130_000_000]);
}

prop_compose! {
    /// Ids with gaps of all sizes, and days that go on with them.
    fn in_order()(steps in prop::collection::vec((prop_oneof![1..4_i64, 1..1_000_000_i64], prop_oneof![Just(0_i64), 0..70_i64]), 1..600),
                  start in -1_000_000..1_000_000_i64) -> Vec<(i64, i64)> {
        let mut at = (start, 0);
        steps.into_iter().map(|(id, days)| { at = (at.0 + id, at.1 + days); at }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Each border is where a scan would find it.
    #[test]
    fn ordered_rows_are_cut_exactly(rows in in_order()) {
        let mut table = Table::of(rows);
        let exact = table.exact();
        prop_assert_eq!(table.found(), exact);
        prop_assert_eq!(table.order().strayed, 0);
    }

    /// Whatever the rows: bounds ascend, cover all rows, and end.
    #[test]
    fn any_rows_are_cut_in_order(
        rows in prop::collection::btree_map(prop_oneof![-500..500_i64, any::<i64>()], -50_000..50_000_i64, 1..300),
        premake in 0..5_u32,
    ) {
        let mut table = Table::of(rows);
        let (found, ids) = (table.find(), table.ids());
        let cuts = &found.cuts;
        prop_assert!(cuts.windows(2).all(|pair| pair[0].id < pair[1].id));
        prop_assert!(cuts.windows(2).all(|pair| pair[0].interval.upper.key <= pair[1].interval.lower.key));
        prop_assert!(cuts.iter().all(|cut| table.rows.contains_key(&cut.id)));
        prop_assert_eq!(cuts[0].id, ids.first);
        // Each border is halved for at most 64 times, with a look behind each that found nothing.
        prop_assert!(table.looks <= SAMPLE * LOOKS_PER_ROW + 130 * (1 + cuts.len()));
        if let Ok(step) = step(&found, ids, BigInt) {
            let spans = spans(BigInt, cuts, ids, step.ids(), premake, &Utc).unwrap();
            prop_assert!(spans.iter().all(|span| span.lower.key < span.upper.key));
            prop_assert!(spans.windows(2).all(|pair| pair[0].upper == pair[1].lower));
            prop_assert!(spans[0].lower.key <= ids.first);
            let end = spans[spans.len() - 1].upper.key;
            prop_assert!(ids.last < end || end == i64::MAX);
            prop_assert!(spans.len() <= cuts.len() + premake as usize);
        }
    }
}
