use std::collections::HashSet;

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::calendar::DAY;
use super::*;
use KeyType::*;
use PartitionInterval::*;

mod domain;
mod properties;
mod transitions;
mod zones;

/// Microseconds between the epochs of Unix and PostgreSQL.
const UNIX: i64 = 946_684_800_000_000;

/// A zone with PostgreSQL's rules for local times in a fold (the later reading) and in a gap
/// (on with the offset from before it).
struct Rules<T>(T);

impl<T: TimeZone> Rules<T> {
    fn offset_at(&self, local: NaiveDateTime) -> FixedOffset {
        let offset_before = |hours| {
            let earlier = local - TimeDelta::hours(hours);
            self.0.offset_from_local_datetime(&earlier).latest()
        };
        let offset = match self.0.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(offset) => offset,
            // The lesser offset gives the later instant.
            MappedLocalTime::Ambiguous(one, other) if seconds(&one) < seconds(&other) => one,
            MappedLocalTime::Ambiguous(_, other) => other,
            // Samoa's gap is a day long.
            MappedLocalTime::None => (1..=48).find_map(offset_before).unwrap(),
        };
        offset.fix()
    }
}

// In microseconds, since chrono's dates end where our range does.
impl<T: TimeZone> Zone for Rules<T> {
    fn to_local(&self, utc_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        let shown = |utc: &i64| {
            let offset = self.0.offset_from_utc_datetime(&naive(*utc));
            utc + seconds(&offset) * 1_000_000
        };
        Ok(utc_micros.iter().map(shown).collect())
    }

    fn to_utc(&self, local_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        let instant = |local: &i64| local - seconds(&self.offset_at(naive(*local))) * 1_000_000;
        Ok(local_micros.iter().map(instant).collect())
    }
}

fn seconds(offset: &impl Offset) -> i64 {
    offset.fix().local_minus_utc().into()
}

/// A zone that nobody may ask.
struct Unasked;

impl Zone for Unasked {
    fn to_local(&self, _: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Err(ZoneError("Nobody knows.".into()))
    }

    fn to_utc(&self, _: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Err(ZoneError("Nobody knows.".into()))
    }
}

fn naive(micros: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(micros + UNIX)
        .unwrap()
        .naive_utc()
}

fn micros(at: NaiveDateTime) -> i64 {
    at.and_utc().timestamp_micros() - UNIX
}

/// The key value of a date and time, `2013-01-31 08:30` or `2013-01-31`, of any time type.
fn at(key: KeyType, text: &str) -> i64 {
    let text = if text.contains(':') {
        text.to_owned()
    } else {
        format!("{text} 00:00")
    };
    let micros = micros(NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M").unwrap());
    if key == Date {
        micros.div_euclid(DAY)
    } else {
        micros
    }
}

/// Spans without premade ones.
fn spans(
    key: KeyType,
    interval: PartitionInterval,
    first: i64,
    last: i64,
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let cover = Coverage { first, last };
    range_spans(key, interval, cover, first, 0, 10_000, zone)
}

/// The spans of a zone-less key, as `label: lower` and at last the uppermost bound.
fn shown(key: KeyType, interval: PartitionInterval, first: i64, last: i64) -> Vec<String> {
    lines(&spans(key, interval, first, last, &Unasked).unwrap())
}

fn lines(spans: &[Span]) -> Vec<String> {
    let line = |span: &Span| format!("{}: {}", span.label, span.lower.literal);
    let upper = spans.last().map(|span| span.upper.literal.clone());
    spans.iter().map(line).chain(upper).collect()
}

fn dated(key: KeyType, interval: PartitionInterval, first: &str, last: &str) -> Vec<String> {
    let utc = Rules(chrono_tz::UTC);
    lines(&spans(key, interval, at(key, first), at(key, last), &utc).unwrap())
}

#[test]
fn an_offset_moves_bounds_and_names_tell_when_they_begin() {
    let moved = |key, interval, months, days, seconds: i64, first| {
        let offset = PartitionOffset::from_calendar(months, days, seconds * 1_000_000).unwrap();
        let first = at(key, first);
        let cover = Coverage { first, last: first };
        let lattice = Lattice { interval, offset };
        lines(&range_spans(key, lattice, cover, first, 0, 10, &Unasked).unwrap())
    };
    // Quarters that begin in February; the British tax year; weeks from Wednesday; a day's shifts.
    assert_eq!(
        moved(Date, Months(3), 1, 0, 0, "2013-01-31"),
        ["p2012_11: 2012-11-01", "2013-02-01"]
    );
    assert_eq!(
        moved(Date, Months(12), 3, 5, 0, "2013-04-06"),
        ["p2013_04_06: 2013-04-06", "2014-04-06"]
    );
    assert_eq!(
        moved(Date, Months(12), 3, 5, 0, "2013-04-05"),
        ["p2012_04_06: 2012-04-06", "2013-04-06"]
    );
    assert_eq!(
        moved(Date, Days(7), 0, 2, 0, "2013-01-08"),
        ["p2013_01_02: 2013-01-02", "2013-01-09"]
    );
    assert_eq!(
        moved(Timestamp, Days(1), 0, 0, 6 * 3600, "2013-01-08 05:59"),
        [
            "p2013_01_07_0600: 2013-01-07 06:00:00",
            "2013-01-08 06:00:00"
        ]
    );
    assert_eq!(
        moved(Timestamp, Seconds(3600), 0, 0, 90, "2013-01-08 05:00"),
        [
            "p2013_01_08_040130: 2013-01-08 04:01:30",
            "2013-01-08 05:01:30"
        ]
    );
    let cover = Coverage { first: 0, last: 1 };
    let lattice = Lattice {
        interval: Width(100),
        offset: PartitionOffset::Keys(1),
    };
    assert_eq!(
        lines(&range_spans(Integer, lattice, cover, 0, 0, 10, &Unasked).unwrap()),
        ["pm99: -99", "p1: 1", "101"]
    );
}

#[test]
fn months_align_to_the_calendar() {
    assert_eq!(
        dated(Date, Months(1), "2012-12-31", "2013-01-01"),
        ["p2012_12: 2012-12-01", "p2013_01: 2013-01-01", "2013-02-01"]
    );
    assert_eq!(
        dated(Timestamp, Months(3), "2012-12-31 23:59", "2013-04-01"),
        [
            "p2012_q4: 2012-10-01 00:00:00",
            "p2013_q1: 2013-01-01 00:00:00",
            "p2013_q2: 2013-04-01 00:00:00",
            "2013-07-01 00:00:00"
        ]
    );
    assert_eq!(
        dated(Date, Months(12), "2013-05-05", "2013-05-05"),
        ["p2013: 2013-01-01", "2014-01-01"]
    );
    assert_eq!(
        dated(Date, Months(120), "2009-12-31", "2010-01-01"),
        ["p2000: 2000-01-01", "p2010: 2010-01-01", "2020-01-01"]
    );
    assert_eq!(
        dated(Date, Months(5), "1999-12-31", "2000-01-01"),
        ["p1999_08: 1999-08-01", "p2000_01: 2000-01-01", "2000-06-01"]
    );
}

#[test]
fn days_count_from_the_epoch_and_weeks_from_mondays() {
    assert_eq!(
        dated(Date, Days(1), "2012-02-28", "2012-02-29"),
        [
            "p2012_02_28: 2012-02-28",
            "p2012_02_29: 2012-02-29",
            "2012-03-01"
        ]
    );
    assert_eq!(
        dated(Date, Days(10), "1999-12-31", "2000-01-01"),
        [
            "p1999_12_22: 1999-12-22",
            "p2000_01_01: 2000-01-01",
            "2000-01-11"
        ]
    );
    // 2012-12-31 is the Monday of the first ISO week of 2013.
    assert_eq!(
        dated(Timestamp, Days(7), "2012-12-30", "2013-01-01"),
        [
            "p2012w52: 2012-12-24 00:00:00",
            "p2013w01: 2012-12-31 00:00:00",
            "2013-01-07 00:00:00"
        ]
    );
    assert_eq!(
        dated(Date, Days(14), "2000-01-03", "2000-01-03"),
        ["p2000w01: 2000-01-03", "2000-01-17"]
    );
}

#[test]
fn times_align_to_the_day() {
    assert_eq!(
        dated(
            Timestamp,
            Seconds(8 * 3600),
            "2013-01-31 08:30",
            "2013-01-31 16:00"
        ),
        [
            "p2013_01_31_0800: 2013-01-31 08:00:00",
            "p2013_01_31_1600: 2013-01-31 16:00:00",
            "2013-02-01 00:00:00"
        ]
    );
    assert_eq!(
        dated(
            TimestampTz,
            Seconds(1800),
            "1969-12-31 23:59",
            "1969-12-31 23:59"
        ),
        [
            "p1969_12_31_2330: 1969-12-31 23:30:00+00",
            "1970-01-01 00:00:00+00"
        ]
    );
    assert_eq!(
        dated(Timestamp, Seconds(90), "2000-01-01", "2000-01-01 00:02"),
        [
            "p2000_01_01_000000: 2000-01-01 00:00:00",
            "p2000_01_01_000130: 2000-01-01 00:01:30",
            "2000-01-01 00:03:00"
        ]
    );
}

#[test]
fn widths_are_multiples_and_floor_downwards() {
    assert_eq!(
        shown(BigInt, Width(1_000_000), -1, 1_000_000),
        [
            "pm1000000: -1000000",
            "p0: 0",
            "p1000000: 1000000",
            "2000000"
        ]
    );
    assert_eq!(shown(Integer, Width(7), -14, -14), ["pm14: -14", "-7"]);
}

#[test]
fn years_before_christ_and_beyond_four_digits_stay_apart() {
    for (interval, first, expected) in [
        (
            Months(1),
            "-0043-03-15",
            ["pbc0044_03: 0044-03-01 BC", "0044-04-01 BC"],
        ),
        (
            Days(1),
            "-0043-03-15",
            ["pbc0044_03_15: 0044-03-15 BC", "0044-03-16 BC"],
        ),
        (
            Months(12),
            "0000-12-31",
            ["pbc0001: 0001-01-01 BC", "0001-01-01"],
        ),
        (
            Months(1),
            "0001-01-01",
            ["p0001_01: 0001-01-01", "0001-02-01"],
        ),
    ] {
        assert_eq!(dated(Date, interval, first, first), expected);
    }
    assert_eq!(
        dated(Date, Months(12), "+12345-06-01", "+12345-06-01"),
        ["p12345: 12345-01-01", "12346-01-01"]
    );
    let first = at(TimestampTz, "-0043-03-15 10:00");
    let spans = spans(
        TimestampTz,
        Seconds(3600),
        first,
        first,
        &Rules(chrono_tz::UTC),
    );
    assert_eq!(
        lines(&spans.unwrap()),
        [
            "pbc0044_03_15_1000: 0044-03-15 10:00:00+00 BC",
            "0044-03-15 11:00:00+00 BC"
        ]
    );
}

#[test]
fn premade_partitions_follow_the_later_of_data_and_now() {
    let first = at(Date, "2013-01-15");
    let labels = |last: &str, now: &str, premake| {
        let cover = Coverage {
            first,
            last: at(Date, last),
        };
        let spans = range_spans(
            Date,
            Months(1),
            cover,
            at(Date, now),
            premake,
            100,
            &Unasked,
        );
        spans
            .unwrap()
            .into_iter()
            .map(|span| span.label)
            .collect::<Vec<_>>()
    };
    assert_eq!(labels("2013-01-20", "2012-01-01", 0), ["p2013_01"]);
    assert_eq!(
        labels("2013-01-20", "2013-02-28", 1),
        ["p2013_01", "p2013_02", "p2013_03"]
    );
    assert_eq!(
        labels("2013-02-20", "2013-01-01", 1),
        ["p2013_01", "p2013_02", "p2013_03"]
    );
}

#[test]
fn a_row_in_a_far_year_makes_no_partitions() {
    let cover = Coverage {
        first: at(TimestampTz, "2013-01-01"),
        last: at(TimestampTz, "+52217-01-01"),
    };
    let zone = Rules(chrono_tz::Europe::Berlin);
    let error = range_spans(TimestampTz, Days(1), cover, 0, 4, 10_000, &zone).unwrap_err();
    assert_eq!(
        error.message(),
        "18336639 partitions would be needed, but at most 10000 are allowed"
    );
    assert_eq!(
        error.detail().unwrap(),
        "The keys run from 2013-01-01 00:00:00+00 to 52217-01-01 00:00:00+00, \
         and 4 more are to be made ahead."
    );
    assert_eq!(
        error.hint().unwrap(),
        "Use a larger partition_interval, or pass range_start and range_end so that outliers \
         stay in the default partition."
    );
}

#[test]
fn the_limit_is_exact_and_counts_premade_partitions() {
    let cover = Coverage { first: 0, last: 99 };
    let count = |premake, most| {
        range_spans(Integer, Width(10), cover, 0, premake, most, &Unasked).map(|spans| spans.len())
    };
    assert_eq!(count(0, 10), Ok(10));
    assert_eq!(count(5, 15), Ok(15));
    for (premake, most, wanted) in [(0, 9, 10), (5, 14, 15), (4_000_000_000, 10, 214_748_365)] {
        let Err(BoundsError::TooMany { wanted: found, .. }) = count(premake, most) else {
            panic!("{premake} ahead, at most {most}");
        };
        assert_eq!(found, wanted);
    }
    let all = Coverage {
        first: i64::MIN,
        last: i64::MAX,
    };
    let error = range_spans(BigInt, Width(1), all, 0, 0, 10_000, &Unasked).unwrap_err();
    assert!(matches!(error, BoundsError::TooMany { wanted, .. } if wanted == 1 << 64));
}

#[test]
fn a_reversed_range_is_refused() {
    let error = spans(Date, Days(1), 1, 0, &Unasked).unwrap_err();
    assert_eq!(
        error.message(),
        "start of the range to partition must not be after its end"
    );
    assert_eq!(
        error.detail().unwrap(),
        "The range runs from 2000-01-02 to 2000-01-01."
    );
}

#[test]
fn an_unsuitable_interval_is_refused_and_never_divides_by_zero() {
    for (key, interval) in [
        (Date, Width(5)),
        (Date, Seconds(3600)),
        (BigInt, Months(1)),
        (BigInt, Width(0)),
        (BigInt, Width(i64::MIN)),
        (SmallInt, Width(40_000)),
        (Timestamp, Months(0)),
        (Timestamp, Days(0)),
        (Timestamp, Seconds(0)),
        (Timestamp, Months(u32::MAX)),
        (Timestamp, Seconds(u32::MAX)),
    ] {
        let error = spans(key, interval, 0, 0, &Unasked).unwrap_err();
        assert!(matches!(error, BoundsError::Interval(_)), "{error:?}");
    }
}

#[test]
fn spans_read_back_from_json() {
    let span = spans(Date, Days(1), 0, 0, &Unasked).unwrap().remove(0);
    let json = serde_json::to_string(&span).unwrap();
    assert_eq!(
        json,
        "{\"lower\":{\"key\":0,\"literal\":\"2000-01-01\"},\
         \"upper\":{\"key\":1,\"literal\":\"2000-01-02\"},\"label\":\"p2000_01_01\"}"
    );
    assert_eq!(serde_json::from_str::<Span>(&json).unwrap(), span);
}
