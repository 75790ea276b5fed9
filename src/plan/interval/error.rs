//! Why an interval was refused, in words.

use super::{KeyType, MICROS_A_SECOND, SECONDS_A_DAY, SHORTEST_SECONDS, spell};

/// Why partitions of the wanted width cannot be made. All are mistakes in an argument
/// (SQLSTATE 22023).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntervalError {
    /// Zero or less.
    NotPositive {
        /// The interval, in words.
        given: String,
        /// Type of the partition key.
        key: KeyType,
    },
    /// `infinity` or `-infinity`.
    Infinite,
    /// More than one of months, days and time.
    Mixed {
        /// The interval, in words.
        given: String,
    },
    /// A time that is no whole number of seconds.
    FractionalSeconds {
        /// The interval, in words.
        given: String,
    },
    /// Less than a minute.
    TooShort {
        /// The interval, in words.
        given: String,
    },
    /// A time of 24 hours or more, which is not the same as days.
    DayOrLonger {
        /// Its length.
        seconds: i64,
    },
    /// A time of which a day is no whole number.
    UnevenDay {
        /// Its length.
        seconds: u32,
    },
    /// A time, for a key of type date.
    TooFine {
        /// The interval, in words.
        given: String,
    },
    /// More than a thousand years.
    TooLong {
        /// The interval, in words.
        given: String,
    },
    /// A number for a key that tells a time, or a time for a number.
    WrongKind {
        /// The interval, in words.
        given: String,
        /// Type of the partition key.
        key: KeyType,
    },
    /// A text that is no whole number, for an integer key.
    NotWhole {
        /// The text as typed.
        given: String,
        /// Type of the partition key.
        key: KeyType,
    },
    /// A number greater than the key type can hold.
    TooWide {
        /// The number as typed.
        given: String,
        /// Type of the partition key.
        key: KeyType,
    },
    /// An offset below zero.
    OffsetNegative {
        /// The offset, in words.
        given: String,
    },
    /// An offset as long as the interval, or longer.
    OffsetTooLong {
        /// The offset, in words.
        given: String,
        /// The interval, in words.
        interval: String,
    },
    /// An offset of a unit by which such bounds cannot be moved.
    OffsetUnit {
        /// The offset, in words.
        given: String,
    },
}

impl IntervalError {
    /// The primary message: lower case, no full stop.
    pub fn message(&self) -> String {
        match self {
            Self::NotPositive { .. } => "partition interval must be greater than zero".into(),
            Self::Infinite => "partition interval must be finite".into(),
            Self::Mixed { .. } => "partition interval must be of a single unit".into(),
            Self::FractionalSeconds { .. } => {
                "partition interval must be a whole number of seconds".into()
            }
            Self::TooShort { .. } => "partition interval must be at least one minute".into(),
            Self::DayOrLonger { .. } => {
                "partition interval of a day or longer must be given in days or months".into()
            }
            Self::UnevenDay { .. } => "partition interval must divide a day evenly".into(),
            Self::TooFine { .. } => {
                "partition interval for a key of type date must be whole days or months".into()
            }
            Self::TooLong { .. } => "partition interval must not exceed 1000 years".into(),
            Self::WrongKind { key, .. } | Self::NotWhole { key, .. } => {
                let kind = if key.is_time() {
                    "an interval of time"
                } else {
                    "a whole number"
                };
                let key = key.sql_name();
                format!("partition interval for a key of type {key} must be {kind}")
            }
            Self::TooWide { key, .. } => {
                let key = key.sql_name();
                format!("partition interval is out of range for a key of type {key}")
            }
            Self::OffsetNegative { .. } => "partition offset must not be negative".into(),
            Self::OffsetTooLong { .. } => {
                "partition offset must be less than the partition interval".into()
            }
            Self::OffsetUnit { .. } => {
                "partition offset must be of units that the partition interval is made of".into()
            }
        }
    }

    /// The facts, in sentences.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Infinite => None,
            Self::DayOrLonger { seconds } => Some(format!(
                "The interval given is {}; a day is not always 24 hours where clocks change.",
                words(*seconds)
            )),
            Self::UnevenDay { seconds } => Some(format!(
                "24 hours are not a whole number of times {}.",
                words((*seconds).into())
            )),
            Self::NotWhole { given, .. } => Some(format!("The text given is \"{given}\".")),
            Self::TooWide { given, key } => Some(format!(
                "The width given is {given}; the largest value of type {} is {}.",
                key.sql_name(),
                key.largest()
            )),
            Self::OffsetTooLong { given, interval } => Some(format!(
                "The offset given is {given}, the interval {interval}."
            )),
            Self::OffsetNegative { given } | Self::OffsetUnit { given } => {
                Some(format!("The offset given is {given}."))
            }
            Self::NotPositive { given, .. }
            | Self::Mixed { given }
            | Self::FractionalSeconds { given }
            | Self::TooShort { given }
            | Self::TooFine { given }
            | Self::TooLong { given }
            | Self::WrongKind { given, .. } => Some(format!("The interval given is {given}.")),
        }
    }

    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        let example = match self {
            Self::Mixed { .. } => "Use one unit, for example '1 month', '7 days' or '6 hours'.",
            Self::Infinite | Self::FractionalSeconds { .. } | Self::TooShort { .. } => {
                "Use an interval such as '1 month', '1 day', '6 hours' or '15 minutes'."
            }
            Self::OffsetNegative { .. } => {
                "Weeks that begin on Saturdays have an offset of '5 days': it counts from Mondays."
            }
            Self::OffsetTooLong { .. } => {
                "Quarters that begin in February have an offset of '1 month'; days behind months are at most 27."
            }
            Self::OffsetUnit { .. } => {
                "Months move intervals of months; days move those of days too; whole seconds move any but those of a date."
            }
            Self::TooFine { .. } => "Use an interval such as '1 day', '7 days' or '1 month'.",
            Self::TooLong { .. } => "Use a shorter interval, for example '1 year'.",
            Self::DayOrLonger { seconds } => return Some(whole_days(*seconds)),
            Self::UnevenDay { seconds } => return Some(even_neighbours(*seconds)),
            Self::NotPositive { key, .. }
            | Self::WrongKind { key, .. }
            | Self::NotWhole { key, .. }
            | Self::TooWide { key, .. } => match key {
                KeyType::TimestampTz | KeyType::Timestamp => {
                    "Use an interval such as '1 month', '1 day' or '6 hours'."
                }
                KeyType::Date => "Use an interval such as '1 month' or '1 day'.",
                KeyType::SmallInt => "Use a whole number such as '1000', digits only.",
                KeyType::Integer | KeyType::BigInt => {
                    "Use a whole number such as '1000000', digits only."
                }
            },
        };
        Some(example.to_owned())
    }
}

fn words(seconds: i64) -> String {
    spell(0, 0, seconds.saturating_mul(MICROS_A_SECOND))
}

/// The same length in days, or the nearest whole days on both sides of it.
fn whole_days(seconds: i64) -> String {
    let days = seconds / i64::from(SECONDS_A_DAY);
    let here = spell(0, days, 0);
    match seconds % i64::from(SECONDS_A_DAY) {
        0 => format!("Use '{here}'."),
        _ => format!("Use '{here}' or '{}'.", spell(0, days + 1, 0)),
    }
}

/// The nearest intervals on both sides that do divide a day.
fn even_neighbours(seconds: u32) -> String {
    let divides = |candidate: &u32| SECONDS_A_DAY.is_multiple_of(*candidate);
    let shorter = (SHORTEST_SECONDS..seconds).rev().find(divides);
    let longer = (seconds..SECONDS_A_DAY).find(divides);
    let choices: Vec<String> = [shorter, longer]
        .into_iter()
        .flatten()
        .map(|seconds| format!("'{}'", words(seconds.into())))
        .chain(longer.is_none().then(|| "'1 day'".to_owned()))
        .collect();
    format!("Use {}.", choices.join(" or "))
}
