//! How wide a range partition is, and of what type its key.
//!
//! An interval is of one unit only: a mixture such as `1 month 1 day` has no fixed grid, because
//! months are of unequal length and days are not always 24 hours.

use std::fmt;

use serde::{Deserialize, Serialize};

mod error;
mod offset;
#[cfg(test)]
mod tests;

pub use error::IntervalError;
pub use offset::{Lattice, PartitionOffset};

const SECONDS_A_DAY: u32 = 86_400;
const MICROS_A_SECOND: i64 = 1_000_000;
const SHORTEST_SECONDS: u32 = 60;
/// A thousand years. Longer is a slip of the pen, and the next bounds would leave the calendar.
const MOST_MONTHS: u32 = 12_000;
const MOST_DAYS: u32 = 365_242;

/// Types that a range partition key may have. Domains count as their base type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyType {
    /// Microseconds since 2000-01-01 00:00:00 UTC.
    TimestampTz,
    /// Microseconds since 2000-01-01 00:00:00 of an unnamed wall clock.
    Timestamp,
    /// Days since 2000-01-01.
    Date,
    /// The number itself.
    SmallInt,
    /// The number itself.
    Integer,
    /// The number itself.
    BigInt,
}

impl KeyType {
    /// Whether the key tells a time, so that its interval is one of the calendar or the clock.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::TimestampTz | Self::Timestamp | Self::Date)
    }

    /// The type's name as PostgreSQL's `format_type` writes it.
    pub const fn sql_name(self) -> &'static str {
        match self {
            Self::TimestampTz => "timestamp with time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::Date => "date",
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
        }
    }

    /// The smallest key value that a bound may have: 4714-11-24 BC for the types of time, where
    /// PostgreSQL's own calendar begins.
    pub const fn smallest(self) -> i64 {
        match self {
            Self::TimestampTz | Self::Timestamp => -211_813_488_000_000_000,
            Self::Date => -2_451_545,
            Self::SmallInt => i16::MIN as i64,
            Self::Integer => i32::MIN as i64,
            Self::BigInt => i64::MIN,
        }
    }

    /// The largest key value that a bound may have. Types of time go on to later years in
    /// PostgreSQL; we stop where chrono does, at the end of 262142.
    pub const fn largest(self) -> i64 {
        match self {
            Self::TimestampTz | Self::Timestamp => 8_209_320_191_999_999_999,
            Self::Date => 95_015_279,
            Self::SmallInt => i16::MAX as i64,
            Self::Integer => i32::MAX as i64,
            Self::BigInt => i64::MAX,
        }
    }
}

/// The width of a range partition. Built by [`PartitionInterval::from_calendar`] or
/// [`PartitionInterval::from_width`]; one that was read back from a catalog row is to be
/// [checked](PartitionInterval::check) before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PartitionInterval {
    /// Calendar months; 12 make a year.
    Months(u32),
    /// Calendar days, of 23 to 25 hours where clocks change.
    Days(u32),
    /// Seconds by the wall clock; at least a minute, a whole number of them to the day.
    Seconds(u32),
    /// Number of integer values.
    Width(i64),
}

impl PartitionInterval {
    /// Takes the three fields of PostgreSQL's own parse of an interval.
    ///
    /// Exactly one of them must be other than zero, and positive. Fails with the reason why
    /// partitions of this width cannot be made for a key of type `key`.
    pub fn from_calendar(
        months: i32,
        days: i32,
        micros: i64,
        key: KeyType,
    ) -> Result<Self, IntervalError> {
        let given = || spell(months, days, micros);
        let positive = |number: i32| {
            u32::try_from(number).map_err(|_| IntervalError::NotPositive {
                given: given(),
                key,
            })
        };
        let interval = match (months, days, micros) {
            // How PostgreSQL 17 and later hold the infinite intervals.
            (i32::MAX, i32::MAX, i64::MAX) | (i32::MIN, i32::MIN, i64::MIN) => {
                return Err(IntervalError::Infinite);
            }
            (months, 0, 0) => Self::Months(positive(months)?),
            (0, days, 0) => Self::Days(positive(days)?),
            (0, 0, micros) => Self::Seconds(whole_seconds(micros, key)?),
            _ => return Err(IntervalError::Mixed { given: given() }),
        };
        interval.check(key).map(|()| interval)
    }

    /// How many keys a partition holds at least; months have 28 days, days 23 hours.
    pub fn least_width(self, key: KeyType) -> i64 {
        let seconds = match self {
            Self::Months(months) => i64::from(months) * 28 * i64::from(SECONDS_A_DAY),
            Self::Days(days) => i64::from(days) * 23 * 3_600,
            Self::Seconds(seconds) => i64::from(seconds),
            Self::Width(width) => return width,
        };
        match key {
            KeyType::Date => (seconds / i64::from(SECONDS_A_DAY)).max(1),
            _ => seconds * MICROS_A_SECOND,
        }
    }

    /// Takes the width of a partition over integers, as the user typed it.
    ///
    /// Fails when the text is no positive whole number, or one that `key` cannot hold.
    pub fn from_width(text: &str, key: KeyType) -> Result<Self, IntervalError> {
        let width = Self::Width(from_digits(text, key)?);
        width.check(key).map(|()| width)
    }

    /// Whether partitions of this width can be made for a key of type `key`; fails with the
    /// reason why not. The constructors ask it, and so must whoever reads an interval back from
    /// the catalog.
    pub fn check(self, key: KeyType) -> Result<(), IntervalError> {
        let given = self.to_string();
        if key.is_time() == matches!(self, Self::Width(_)) {
            return Err(IntervalError::WrongKind { given, key });
        }
        match self {
            Self::Months(0) | Self::Days(0) | Self::Seconds(0) | Self::Width(..1) => {
                Err(IntervalError::NotPositive { given, key })
            }
            Self::Months(months) if months > MOST_MONTHS => Err(IntervalError::TooLong { given }),
            Self::Days(days) if days > MOST_DAYS => Err(IntervalError::TooLong { given }),
            Self::Seconds(_) if key == KeyType::Date => Err(IntervalError::TooFine { given }),
            Self::Seconds(seconds) if seconds >= SECONDS_A_DAY => Err(IntervalError::DayOrLonger {
                seconds: seconds.into(),
            }),
            Self::Seconds(..SHORTEST_SECONDS) => Err(IntervalError::TooShort { given }),
            Self::Seconds(seconds) if !SECONDS_A_DAY.is_multiple_of(seconds) => {
                Err(IntervalError::UnevenDay { seconds })
            }
            Self::Width(width) if width > key.largest() => {
                Err(IntervalError::TooWide { given, key })
            }
            Self::Months(_) | Self::Days(_) | Self::Seconds(_) | Self::Width(_) => Ok(()),
        }
    }
}

/// Text that a user could have typed, and that PostgreSQL reads back as the same interval.
impl fmt::Display for PartitionInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match *self {
            Self::Months(months) => spell(months, 0, 0),
            Self::Days(days) => spell(0, days, 0),
            Self::Seconds(seconds) => spell(0, 0, i64::from(seconds) * MICROS_A_SECOND),
            Self::Width(width) => width.to_string(),
        })
    }
}

/// A whole number, as the user typed it.
fn from_digits(text: &str, key: KeyType) -> Result<i64, IntervalError> {
    let text = text.trim();
    let given = text.to_owned();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IntervalError::NotWhole { given, key });
    }
    text.parse().map_err(|_| match text.starts_with('-') {
        // Nothing but digits, so it can only have left the range of an i64, at either end.
        true => IntervalError::NotPositive { given, key },
        false => IntervalError::TooWide { given, key },
    })
}

fn whole_seconds(micros: i64, key: KeyType) -> Result<u32, IntervalError> {
    let seconds = micros / MICROS_A_SECOND;
    match u32::try_from(seconds) {
        _ if micros < 0 => Err(IntervalError::NotPositive {
            given: spell(0, 0, micros),
            key,
        }),
        _ if micros % MICROS_A_SECOND != 0 => Err(IntervalError::FractionalSeconds {
            given: spell(0, 0, micros),
        }),
        seconds_fit => seconds_fit.map_err(|_| IntervalError::DayOrLonger { seconds }),
    }
}

/// Words for the fields of an interval, each in its largest whole unit.
fn spell(months: impl Into<i64>, days: impl Into<i64>, micros: i64) -> String {
    let fields = [
        count(months.into(), &[(12, "year"), (1, "month")]),
        count(days.into(), &[(1, "day")]),
        count(
            micros,
            &[
                (3600 * MICROS_A_SECOND, "hour"),
                (60 * MICROS_A_SECOND, "minute"),
                (MICROS_A_SECOND, "second"),
                (1, "microsecond"),
            ],
        ),
    ];
    let words: Vec<String> = fields.into_iter().flatten().collect();
    if words.is_empty() {
        return "0".to_owned();
    }
    words.join(" ")
}

/// `number` in the first of the units that measures it evenly; nothing for zero.
fn count(number: i64, units: &[(i64, &str)]) -> Option<String> {
    let (size, unit) = units
        .iter()
        .find(|(size, _)| number != 0 && number % size == 0)?;
    let number = number / size;
    let plural = if number == 1 { "" } else { "s" };
    Some(format!("{number} {unit}{plural}"))
}
