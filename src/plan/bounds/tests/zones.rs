//! Days and months by the clocks of places where they are unusual.

use super::*;

/// Spans between two UTC instants, as `label: lower in UTC` and the uppermost bound.
fn local(zone: Tz, interval: PartitionInterval, first: &str, last: &str) -> Vec<String> {
    let (first, last) = (at(TimestampTz, first), at(TimestampTz, last));
    let spans = spans(TimestampTz, interval, first, last, &Rules(zone)).unwrap();
    lines(&spans)
        .iter()
        .map(|line| line.replace(":00+00", ""))
        .collect()
}

#[test]
fn berlin_has_a_day_of_23_hours_and_one_of_25() {
    let zone = chrono_tz::Europe::Berlin;
    assert_eq!(
        local(zone, Days(1), "2013-03-30 22:59", "2013-03-31 22:00"),
        [
            "p2013_03_30: 2013-03-29 23:00",
            "p2013_03_31: 2013-03-30 23:00",
            "p2013_04_01: 2013-03-31 22:00",
            "2013-04-01 22:00"
        ]
    );
    assert_eq!(
        local(zone, Days(1), "2013-10-26 22:00", "2013-10-27 22:59"),
        ["p2013_10_27: 2013-10-26 22:00", "2013-10-27 23:00"]
    );
    assert_eq!(
        local(zone, Months(1), "2013-03-15 00:00", "2013-03-31 22:00"),
        [
            "p2013_03: 2013-02-28 23:00",
            "p2013_04: 2013-03-31 22:00",
            "2013-04-30 22:00"
        ]
    );
    assert_eq!(
        local(zone, Days(7), "2013-03-31 21:59", "2013-03-31 21:59"),
        ["p2013w13: 2013-03-24 23:00", "2013-03-31 22:00"]
    );
}

#[test]
fn sao_paulo_begins_a_day_at_one_o_clock() {
    let zone = chrono_tz::America::Sao_Paulo;
    // 2013-10-20 00:00 was never shown; the day begins where the clock went on, at 01:00.
    assert_eq!(
        local(zone, Days(1), "2013-10-20 02:59", "2013-10-20 03:00"),
        [
            "p2013_10_19: 2013-10-19 03:00",
            "p2013_10_20: 2013-10-20 03:00",
            "2013-10-21 02:00"
        ]
    );
    // 2013-02-17 00:00 was put back to 23:00: 25 hours of the 16th.
    assert_eq!(
        local(zone, Days(1), "2013-02-17 02:30", "2013-02-17 03:00"),
        [
            "p2013_02_16: 2013-02-16 02:00",
            "p2013_02_17: 2013-02-17 03:00",
            "2013-02-18 03:00"
        ]
    );
}

#[test]
fn lord_howe_shifts_by_half_an_hour() {
    let zone = chrono_tz::Australia::Lord_Howe;
    assert_eq!(
        local(zone, Days(1), "2013-10-05 13:30", "2013-10-06 13:00"),
        [
            "p2013_10_06: 2013-10-05 13:30",
            "p2013_10_07: 2013-10-06 13:00",
            "2013-10-07 13:00"
        ]
    );
    assert_eq!(
        local(zone, Months(1), "2013-03-31 13:00", "2013-03-31 13:00"),
        ["p2013_04: 2013-03-31 13:00", "2013-04-30 13:30"]
    );
}

#[test]
fn kathmandu_is_off_by_a_quarter_and_lost_one_at_midnight() {
    let zone = chrono_tz::Asia::Kathmandu;
    assert_eq!(
        local(zone, Months(1), "2013-01-01", "2013-01-01"),
        ["p2013_01: 2012-12-31 18:15", "2013-01-31 18:15"]
    );
    // 1986 began at 00:15.
    assert_eq!(
        local(zone, Days(1), "1985-12-31 18:29", "1985-12-31 18:30"),
        [
            "p1985_12_31: 1985-12-30 18:30",
            "p1986_01_01: 1985-12-31 18:30",
            "1986-01-01 18:15"
        ]
    );
}

#[test]
fn apia_had_no_30th_of_december_2011() {
    let zone = chrono_tz::Pacific::Apia;
    assert_eq!(
        local(zone, Days(1), "2011-12-30 09:59", "2011-12-31 10:00"),
        [
            "p2011_12_29: 2011-12-29 10:00",
            "p2011_12_31: 2011-12-30 10:00",
            "p2012_01_01: 2011-12-31 10:00",
            "2012-01-01 10:00"
        ]
    );
    assert_eq!(
        local(zone, Months(1), "2011-12-15", "2011-12-15"),
        ["p2011_12: 2011-12-01 10:00", "2011-12-31 10:00"]
    );
}

#[test]
fn havana_shows_midnight_twice_and_the_second_begins_the_day() {
    let zone = chrono_tz::America::Havana;
    // 04:30 UTC is 00:30 on 2013-11-03, half an hour before the clock goes back to 00:00.
    assert_eq!(
        local(zone, Days(1), "2013-11-03 04:30", "2013-11-03 04:30"),
        ["p2013_11_02: 2013-11-02 04:00", "2013-11-03 05:00"]
    );
    assert_eq!(
        local(zone, Days(1), "2013-11-03 05:00", "2013-11-03 05:00"),
        ["p2013_11_03: 2013-11-03 05:00", "2013-11-04 05:00"]
    );
}

#[test]
fn times_of_day_follow_the_clock_of_the_zone() {
    let berlin = chrono_tz::Europe::Berlin;
    // 02:00 to 03:00 was never shown on 2013-03-31: those hours are one.
    assert_eq!(
        local(
            berlin,
            Seconds(3600),
            "2013-03-31 00:30",
            "2013-03-31 01:30"
        ),
        [
            "p2013_03_31_0100: 2013-03-31 00:00",
            "p2013_03_31_0300: 2013-03-31 01:00",
            "2013-03-31 02:00"
        ]
    );
    assert_eq!(
        local(
            berlin,
            Seconds(6 * 3600),
            "2013-03-30 23:30",
            "2013-03-31 05:00"
        ),
        [
            "p2013_03_31_0000: 2013-03-30 23:00",
            "p2013_03_31_0600: 2013-03-31 04:00",
            "2013-03-31 10:00"
        ]
    );
    // It was shown twice on 2013-10-27: the first of them still belongs to the hour before.
    for first in ["2013-10-26 23:30", "2013-10-27 00:30"] {
        assert_eq!(
            local(berlin, Seconds(3600), first, "2013-10-27 01:30"),
            [
                "p2013_10_27_0100: 2013-10-26 23:00",
                "p2013_10_27_0200: 2013-10-27 01:00",
                "2013-10-27 02:00"
            ]
        );
    }
    // A quarter of an hour before the jump, and after it; the four in between never were.
    assert_eq!(
        local(berlin, Seconds(900), "2013-03-31 00:45", "2013-03-31 01:00"),
        [
            "p2013_03_31_0145: 2013-03-31 00:45",
            "p2013_03_31_0300: 2013-03-31 01:00",
            "2013-03-31 01:15"
        ]
    );
}

#[test]
fn hours_begin_at_half_past_in_utc_where_zones_are_off_by_half_an_hour() {
    assert_eq!(
        local(
            chrono_tz::Asia::Kolkata,
            Seconds(3600),
            "2013-01-01 00:00",
            "2013-01-01 00:30"
        ),
        [
            "p2013_01_01_0500: 2012-12-31 23:30",
            "p2013_01_01_0600: 2013-01-01 00:30",
            "2013-01-01 01:30"
        ]
    );
    // 02:00 to 02:30 was never shown: the hour that begins there is half an hour long.
    assert_eq!(
        local(
            chrono_tz::Australia::Lord_Howe,
            Seconds(3600),
            "2013-10-05 15:00",
            "2013-10-05 16:00"
        ),
        [
            "p2013_10_06_0100: 2013-10-05 14:30",
            "p2013_10_06_0200: 2013-10-05 15:30",
            "p2013_10_06_0300: 2013-10-05 16:00",
            "2013-10-05 17:00"
        ]
    );
    // Twenty minutes: 02:00 and 02:20 both begin at the jump to 02:30, so only the later is kept.
    assert_eq!(
        local(
            chrono_tz::Australia::Lord_Howe,
            Seconds(1200),
            "2013-10-05 15:20",
            "2013-10-05 15:40"
        ),
        [
            "p2013_10_06_0140: 2013-10-05 15:10",
            "p2013_10_06_0220: 2013-10-05 15:30",
            "p2013_10_06_0240: 2013-10-05 15:40",
            "2013-10-05 16:00"
        ]
    );
}

#[test]
fn partitions_ahead_are_not_counted_where_the_clock_skips() {
    let zone = Rules(chrono_tz::Europe::Berlin);
    let key = at(TimestampTz, "2013-03-31 00:59");
    let cover = Coverage {
        first: key,
        last: key,
    };
    let spans = range_spans(TimestampTz, Seconds(60), cover, key, 2, 100, &zone).unwrap();
    assert_eq!(
        lines(&spans),
        [
            "p2013_03_31_0159: 2013-03-31 00:59:00+00",
            "p2013_03_31_0300: 2013-03-31 01:00:00+00",
            "p2013_03_31_0301: 2013-03-31 01:01:00+00",
            "2013-03-31 01:02:00+00"
        ]
    );
}

#[test]
fn a_zone_that_fails_is_quoted() {
    let error = spans(TimestampTz, Days(1), 0, 0, &Unasked).unwrap_err();
    assert_eq!(
        error.message(),
        "could not compute partition bounds in the time zone"
    );
    assert_eq!(error.detail().unwrap(), "Nobody knows.");
}

/// A zone that answers nonsense.
struct Nonsense(Answer);

type Answer = fn(&[i64]) -> Vec<i64>;

impl Zone for Nonsense {
    fn to_local(&self, utc_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Ok(utc_micros.to_vec())
    }

    fn to_utc(&self, local_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Ok((self.0)(local_micros))
    }
}

#[test]
fn a_zone_that_talks_nonsense_is_found_out() {
    let answers: [Answer; 4] = [
        |_| Vec::new(),
        |asked| asked.iter().map(|local| -local).collect(),
        |asked| asked.iter().map(|local| local - 90 * DAY).collect(),
        |asked| asked.iter().map(|local| local + 90 * DAY).collect(),
    ];
    for answer in answers {
        let result = spans(TimestampTz, Days(1), 5 * DAY, 9 * DAY, &Nonsense(answer));
        assert!(matches!(result, Err(BoundsError::Zone(_))), "{result:?}");
    }
}

#[test]
fn an_instant_by_itself_gets_the_span_it_has_among_all() {
    for zone in [
        chrono_tz::Europe::Berlin,
        chrono_tz::America::Sao_Paulo,
        chrono_tz::America::Havana,
        chrono_tz::Australia::Lord_Howe,
        chrono_tz::Pacific::Apia,
    ] {
        let zone = Rules(zone);
        let (first, last) = (at(TimestampTz, "2011-09-01"), at(TimestampTz, "2013-12-01"));
        let all = spans(TimestampTz, Days(1), first, last, &zone).unwrap();
        let mut after = 0;
        for instant in (first..=last).step_by(17 * 60_000_000) {
            while all[after].upper.key <= instant {
                after += 1;
            }
            let alone = spans(TimestampTz, Days(1), instant, instant, &zone).unwrap();
            assert_eq!(alone, [all[after].clone()]);
        }
    }
}
