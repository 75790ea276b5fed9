//! The ends of what the key types can hold.

use super::*;

#[test]
fn the_outermost_spans_of_integers_are_cut() {
    assert_eq!(
        shown(SmallInt, Width(1000), i16::MAX.into(), i16::MAX.into()),
        ["p32000: 32000", "32767"]
    );
    assert_eq!(
        shown(SmallInt, Width(1000), i16::MIN.into(), i16::MIN.into()),
        ["pm32768: -32768", "-32000"]
    );
    assert_eq!(
        shown(BigInt, Width(i64::MAX), i64::MIN, i64::MAX),
        [
            "pm9223372036854775808: -9223372036854775808",
            "pm9223372036854775807: -9223372036854775807",
            "p0: 0",
            "9223372036854775807"
        ]
    );
}

#[test]
fn premade_spans_beyond_the_type_are_left_out() {
    let cover = Coverage {
        first: 32_000,
        last: 32_000,
    };
    let spans = range_spans(SmallInt, Width(500), cover, 0, 1000, 2, &Unasked).unwrap();
    assert_eq!(lines(&spans), ["p32000: 32000", "p32500: 32500", "32767"]);
}

#[test]
fn the_largest_value_by_itself_has_no_partition() {
    let error = spans(SmallInt, Width(1), 32_767, 32_767, &Unasked).unwrap_err();
    assert_eq!(
        error.message(),
        "partition key value is out of range for partitions"
    );
    assert_eq!(
        error.detail().unwrap(),
        "Partitions over a key of type smallint reach from -32768 up to, but without, 32767; \
         the value is 32767."
    );
    assert_eq!(
        shown(SmallInt, Width(1), 32_766, 32_767),
        ["p32766: 32766", "32767"]
    );
}

#[test]
fn time_begins_with_postgresql_s_calendar() {
    assert_eq!(
        shown(Date, Months(12), Date.smallest(), Date.smallest()),
        ["pbc4714: 4714-11-24 BC", "4713-01-01 BC"]
    );
    assert_eq!(
        shown(
            Timestamp,
            Days(1),
            Timestamp.smallest(),
            Timestamp.smallest()
        ),
        [
            "pbc4714_11_24: 4714-11-24 00:00:00 BC",
            "4714-11-25 00:00:00 BC"
        ]
    );
}

#[test]
fn time_ends_where_the_calendar_does() {
    assert_eq!(
        shown(Date, Months(1), Date.largest(), Date.largest()),
        ["p262142_12: 262142-12-01", "262142-12-31"]
    );
    assert_eq!(
        shown(Timestamp, Days(7), Timestamp.largest(), Timestamp.largest()),
        [
            "p262143w01: 262142-12-31 00:00:00",
            "262142-12-31 23:59:59.999999"
        ]
    );
    let cover = Coverage {
        first: Date.largest() - 40,
        last: Date.largest() - 40,
    };
    let ahead = range_spans(Date, Months(1), cover, 0, 1000, 2, &Unasked).unwrap();
    assert_eq!(
        lines(&ahead),
        [
            "p262142_11: 262142-11-01",
            "p262142_12: 262142-12-01",
            "262142-12-31"
        ]
    );
}

#[test]
fn zones_do_not_lead_out_of_the_calendar() {
    for hours in [-12, 0, 14] {
        let zone = Rules(FixedOffset::east_opt(hours * 3600).unwrap());
        for (first, last) in [
            (TimestampTz.smallest(), TimestampTz.smallest() + 3 * DAY),
            (TimestampTz.largest() - 3 * DAY, TimestampTz.largest() - DAY),
        ] {
            let spans = spans(TimestampTz, Days(1), first, last, &zone).unwrap();
            assert!(spans[0].lower.key <= first);
            assert!(spans.last().unwrap().upper.key > last);
        }
    }
}

#[test]
fn values_that_no_bound_can_hold_are_named() {
    let year_280000 = 278_000 * 31_556_952_000_000;
    for (key, value, named) in [
        (SmallInt, 40_000, "40000"),
        (Integer, i64::MIN, "-9223372036854775808"),
        (Timestamp, i64::MAX, "infinity"),
        (TimestampTz, i64::MIN, "-infinity"),
        (Date, i32::MAX.into(), "infinity"),
        (Date, i32::MIN.into(), "-infinity"),
        (Date, 2_145_031_700, "about the year 5874897"),
        (TimestampTz, year_280000, "about the year 280000"),
    ] {
        let error = RangeBound::at(key, value).unwrap_err();
        assert_eq!(error, BoundsError::OutOfRange { key, value });
        let detail = error.detail().unwrap();
        assert!(
            detail.ends_with(&format!("; the value is {named}.")),
            "{detail}"
        );
    }
    assert_eq!(
        BoundsError::OutOfRange {
            key: TimestampTz,
            value: i64::MAX
        }
        .detail()
        .unwrap(),
        "Partitions over a key of type timestamp with time zone reach from \
         4714-11-24 00:00:00+00 BC up to, but without, 262142-12-31 23:59:59.999999+00; \
         the value is infinity."
    );
}

#[test]
fn the_ends_of_the_calendar_are_where_chrono_says() {
    for key in [Timestamp, TimestampTz, Date] {
        let (smallest, largest) = (key.smallest(), key.largest());
        assert_eq!(at(key, "-4713-11-24"), smallest);
        let last_day = calendar::moment(key, largest).unwrap().date();
        assert_eq!(last_day, chrono::NaiveDate::MAX);
    }
}
