use proptest::prelude::*;

use super::KeyType::*;
use super::PartitionInterval::*;
use super::*;

const SECOND: i64 = MICROS_A_SECOND;
const HOUR: i64 = 3600 * SECOND;

/// The wording of a refusal: message, detail, hint.
fn refusal(result: Result<PartitionInterval, IntervalError>) -> [String; 3] {
    let error = result.unwrap_err();
    [Some(error.message()), error.detail(), error.hint()].map(Option::unwrap_or_default)
}

#[test]
fn accepts_one_positive_unit() {
    for (months, days, micros, expected) in [
        (1, 0, 0, Months(1)),
        (13, 0, 0, Months(13)),
        (12_000, 0, 0, Months(12_000)),
        (0, 1, 0, Days(1)),
        (0, 7, 0, Days(7)),
        (0, 365_242, 0, Days(365_242)),
        (0, 0, 60 * SECOND, Seconds(60)),
        (0, 0, 90 * SECOND, Seconds(90)),
        (0, 0, 6 * HOUR, Seconds(21_600)),
        (0, 0, 12 * HOUR, Seconds(43_200)),
    ] {
        for key in [TimestampTz, Timestamp] {
            let interval = PartitionInterval::from_calendar(months, days, micros, key);
            assert_eq!(interval, Ok(expected));
        }
    }
    let yearly = PartitionInterval::from_calendar(12, 0, 0, Date);
    assert_eq!(yearly, Ok(Months(12)));
}

#[test]
fn refuses_zero_and_negative_intervals() {
    for (fields, given) in [
        ((0, 0, 0), "0"),
        ((-1, 0, 0), "-1 months"),
        ((0, -7, 0), "-7 days"),
        ((0, 0, -HOUR), "-1 hours"),
        ((0, 0, -1), "-1 microseconds"),
        ((i32::MIN, 0, 0), "-2147483648 months"),
    ] {
        let (months, days, micros) = fields;
        assert_eq!(
            refusal(PartitionInterval::from_calendar(
                months, days, micros, Timestamp
            )),
            [
                "partition interval must be greater than zero".to_owned(),
                format!("The interval given is {given}."),
                "Use an interval such as '1 month', '1 day' or '6 hours'.".to_owned(),
            ]
        );
    }
}

#[test]
fn refuses_mixed_units() {
    for (fields, given) in [
        ((1, 1, 0), "1 month 1 day"),
        ((1, -30, 0), "1 month -30 days"),
        ((0, 1, HOUR), "1 day 1 hour"),
        ((24, 0, 1), "2 years 1 microsecond"),
    ] {
        let (months, days, micros) = fields;
        assert_eq!(
            refusal(PartitionInterval::from_calendar(months, days, micros, Date)),
            [
                "partition interval must be of a single unit".to_owned(),
                format!("The interval given is {given}."),
                "Use one unit, for example '1 month', '7 days' or '6 hours'.".to_owned(),
            ]
        );
    }
}

#[test]
fn refuses_infinite_intervals() {
    for fields in [(i32::MAX, i64::MAX), (i32::MIN, i64::MIN)] {
        let result = PartitionInterval::from_calendar(fields.0, fields.0, fields.1, TimestampTz);
        assert_eq!(result, Err(IntervalError::Infinite));
    }
}

#[test]
fn refuses_times_without_an_even_grid() {
    for (micros, key, message, detail, hint) in [
        (
            90 * SECOND + SECOND / 2,
            Timestamp,
            "partition interval must be a whole number of seconds",
            "The interval given is 90500000 microseconds.",
            "Use an interval such as '1 month', '1 day', '6 hours' or '15 minutes'.",
        ),
        (
            30 * SECOND,
            Timestamp,
            "partition interval must be at least one minute",
            "The interval given is 30 seconds.",
            "Use an interval such as '1 month', '1 day', '6 hours' or '15 minutes'.",
        ),
        (
            7 * HOUR,
            Timestamp,
            "partition interval must divide a day evenly",
            "24 hours are not a whole number of times 7 hours.",
            "Use '6 hours' or '8 hours'.",
        ),
        (
            61 * SECOND,
            Timestamp,
            "partition interval must divide a day evenly",
            "24 hours are not a whole number of times 61 seconds.",
            "Use '1 minute' or '64 seconds'.",
        ),
        (
            13 * HOUR,
            Timestamp,
            "partition interval must divide a day evenly",
            "24 hours are not a whole number of times 13 hours.",
            "Use '12 hours' or '1 day'.",
        ),
        (
            24 * HOUR,
            TimestampTz,
            "partition interval of a day or longer must be given in days or months",
            "The interval given is 24 hours; a day is not always 24 hours where clocks change.",
            "Use '1 day'.",
        ),
        (
            36 * HOUR,
            TimestampTz,
            "partition interval of a day or longer must be given in days or months",
            "The interval given is 36 hours; a day is not always 24 hours where clocks change.",
            "Use '1 day' or '2 days'.",
        ),
        (
            6 * HOUR,
            Date,
            "partition interval for a key of type date must be whole days or months",
            "The interval given is 6 hours.",
            "Use an interval such as '1 day', '7 days' or '1 month'.",
        ),
    ] {
        assert_eq!(
            refusal(PartitionInterval::from_calendar(0, 0, micros, key)),
            [message, detail, hint]
        );
    }
    let ages = PartitionInterval::from_calendar(0, 0, i64::MAX / SECOND * SECOND, Timestamp);
    assert!(matches!(ages, Err(IntervalError::DayOrLonger { .. })));
}

#[test]
fn refuses_more_than_a_thousand_years() {
    for (months, days, given) in [(12_001, 0, "12001 months"), (0, 365_243, "365243 days")] {
        assert_eq!(
            refusal(PartitionInterval::from_calendar(months, days, 0, Date)),
            [
                "partition interval must not exceed 1000 years".to_owned(),
                format!("The interval given is {given}."),
                "Use a shorter interval, for example '1 year'.".to_owned(),
            ]
        );
    }
}

#[test]
fn refuses_the_wrong_kind_for_the_key() {
    assert_eq!(
        refusal(PartitionInterval::from_calendar(1, 0, 0, BigInt)),
        [
            "partition interval for a key of type bigint must be a whole number",
            "The interval given is 1 month.",
            "Use a whole number such as '1000000', digits only.",
        ]
    );
    assert_eq!(
        refusal(PartitionInterval::from_width("1000", Date)),
        [
            "partition interval for a key of type date must be an interval of time",
            "The interval given is 1000.",
            "Use an interval such as '1 month' or '1 day'.",
        ]
    );
}

#[test]
fn takes_widths_that_fit_the_key() {
    for (text, key, width) in [
        ("1", SmallInt, 1),
        ("32767", SmallInt, 32_767),
        (" 1000000 ", Integer, 1_000_000),
        ("+500", Integer, 500),
        ("0010", BigInt, 10),
        ("9223372036854775807", BigInt, i64::MAX),
    ] {
        assert_eq!(PartitionInterval::from_width(text, key), Ok(Width(width)));
    }
}

#[test]
fn refuses_texts_that_are_no_width() {
    for text in [
        "",
        "+",
        "-",
        "1 month",
        "1e6",
        "1.0",
        "1_000",
        "١٢",
        "1'); DROP TABLE t --",
    ] {
        assert_eq!(
            refusal(PartitionInterval::from_width(text, Integer)),
            [
                "partition interval for a key of type integer must be a whole number".to_owned(),
                format!("The text given is \"{text}\"."),
                "Use a whole number such as '1000000', digits only.".to_owned(),
            ]
        );
    }
    for text in ["0", "-1", "-99999999999999999999"] {
        assert_eq!(
            refusal(PartitionInterval::from_width(text, BigInt)),
            [
                "partition interval must be greater than zero".to_owned(),
                format!("The interval given is {text}."),
                "Use a whole number such as '1000000', digits only.".to_owned(),
            ]
        );
    }
    for (text, key) in [
        ("32768", SmallInt),
        ("2147483648", Integer),
        ("9223372036854775808", BigInt),
    ] {
        let name = key.sql_name();
        let largest = key.largest();
        let [message, detail, _] = refusal(PartitionInterval::from_width(text, key));
        assert_eq!(
            message,
            format!("partition interval is out of range for a key of type {name}")
        );
        assert_eq!(
            detail,
            format!("The width given is {text}; the largest value of type {name} is {largest}.")
        );
    }
}

#[test]
fn reads_back_from_json() {
    for interval in [Months(3), Days(7), Seconds(900), Width(1_000_000)] {
        let json = serde_json::to_string(&interval).unwrap();
        assert_eq!(
            serde_json::from_str::<PartitionInterval>(&json).unwrap(),
            interval
        );
    }
    assert_eq!(
        serde_json::to_string(&TimestampTz).unwrap(),
        "\"TimestampTz\""
    );
}

#[test]
fn displays_what_a_user_could_have_typed() {
    for (interval, text) in [
        (Months(1), "1 month"),
        (Months(18), "18 months"),
        (Months(120), "10 years"),
        (Days(1), "1 day"),
        (Days(14), "14 days"),
        (Seconds(3600), "1 hour"),
        (Seconds(5400), "90 minutes"),
        (Seconds(90), "90 seconds"),
        (Width(1_000_000), "1000000"),
    ] {
        assert_eq!(interval.to_string(), text);
    }
}

fn any_key() -> impl Strategy<Value = KeyType> {
    prop::sample::select(vec![
        TimestampTz,
        Timestamp,
        Date,
        SmallInt,
        Integer,
        BigInt,
    ])
}

fn any_micros() -> impl Strategy<Value = i64> {
    let minutes = (-2000..2000_i64).prop_map(|minutes| minutes * 60 * SECOND);
    prop_oneof![Just(0), any::<i64>(), minutes]
}

proptest! {
    #[test]
    fn whatever_is_accepted_passes_the_check(
        months in prop_oneof![Just(0), any::<i32>()],
        days in prop_oneof![Just(0), any::<i32>()],
        micros in any_micros(),
        key in any_key(),
    ) {
        match PartitionInterval::from_calendar(months, days, micros, key) {
            Ok(interval) => prop_assert_eq!(interval.check(key), Ok(())),
            Err(error) => {
                prop_assert!(error.message().starts_with("partition interval"));
                prop_assert!(!error.message().ends_with('.'));
                prop_assert!(error.hint().is_some_and(|hint| hint.ends_with('.')));
            }
        }
    }

    #[test]
    fn hints_for_uneven_times_are_accepted(seconds in 61..86_400_u32) {
        let Err(error) = Seconds(seconds).check(Timestamp) else { return Ok(()) };
        let hint = error.hint().unwrap();
        for suggestion in hint.split('\'').skip(1).step_by(2) {
            let (number, unit) = suggestion.split_once(' ').unwrap();
            let number: i64 = number.parse().unwrap();
            let accepted = match unit.trim_end_matches('s') {
                "day" => PartitionInterval::from_calendar(0, number as i32, 0, Timestamp),
                "hour" => PartitionInterval::from_calendar(0, 0, number * HOUR, Timestamp),
                "minute" => PartitionInterval::from_calendar(0, 0, number * 60 * SECOND, Timestamp),
                _ => PartitionInterval::from_calendar(0, 0, number * SECOND, Timestamp),
            };
            prop_assert!(accepted.is_ok(), "{}", hint);
        }
    }

    #[test]
    fn any_text_is_a_width_or_refused(text in ".{0,30}|[-+]?[0-9]{1,25}", key in any_key()) {
        match PartitionInterval::from_width(&text, key) {
            Ok(Width(width)) => prop_assert!((1..=key.largest()).contains(&width)),
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(error) => prop_assert!(error.detail().is_some() && error.hint().is_some()),
        }
    }
}

#[test]
fn an_offset_is_less_than_its_interval_and_of_its_units() {
    let check = |months, days, micros, interval, key| {
        PartitionOffset::from_calendar(months, days, micros)
            .and_then(|offset| offset.check(interval, key).map(|()| offset.to_string()))
            .map_err(|error| error.message())
    };
    use KeyType::*;
    use PartitionInterval::*;
    const HOUR: i64 = 3_600_000_000;
    for (months, days, micros, interval, key, words) in [
        (1, 0, 0, Months(3), Date, "1 month"),
        (
            11,
            27,
            23 * HOUR,
            Months(12),
            Timestamp,
            "11 months 27 days 23 hours",
        ),
        (0, 6, 0, Days(7), Date, "6 days"),
        (0, 0, 6 * HOUR, Days(1), TimestampTz, "6 hours"),
        (0, 0, 0, Days(1), Date, "0"),
        (0, 0, HOUR / 60, Seconds(3600), Timestamp, "1 minute"),
    ] {
        assert_eq!(
            check(months, days, micros, interval, key),
            Ok(words.to_owned())
        );
    }
    let too_long = "partition offset must be less than the partition interval";
    let unit = "partition offset must be of units that the partition interval is made of";
    let negative = "partition offset must not be negative";
    for (months, days, micros, interval, key, message) in [
        (3, 0, 0, Months(3), Date, too_long),
        (0, 28, 0, Months(3), Date, too_long),
        (0, 7, 0, Days(7), Date, too_long),
        (0, 0, 24 * HOUR, Days(1), Timestamp, too_long),
        (0, 0, HOUR, Seconds(3600), Timestamp, too_long),
        (1, 0, 0, Days(90), Date, unit),
        (0, 0, HOUR, Days(1), Date, unit),
        (0, 0, 1, Days(1), Timestamp, unit),
        (0, -1, 0, Days(7), Date, negative),
        (0, 0, -1_000_000, Days(7), Timestamp, negative),
    ] {
        assert_eq!(
            check(months, days, micros, interval, key),
            Err(message.to_owned())
        );
    }
    let keys = |text| {
        PartitionOffset::from_keys(text, BigInt)
            .and_then(|offset| offset.check(Width(100), BigInt).map(|()| offset))
    };
    assert_eq!(keys("1"), Ok(PartitionOffset::Keys(1)));
    assert_eq!(keys("0"), Ok(PartitionOffset::None));
    for text in ["100", "-1", "x", "1 day", "99999999999999999999"] {
        assert!(keys(text).is_err(), "{text}");
    }
}
