//! Why bounds could not be computed, in words.

use super::calendar::values_a_day;
use super::text::literal;
use super::{IntervalError, KeyType, ZoneError};

/// `infinity` and `-infinity` of type date.
const NO_END_OF_DAYS: i64 = i32::MAX as i64;
const NO_FIRST_DAY: i64 = i32::MIN as i64;

/// Why there is no set of partitions for the wanted range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundsError {
    /// The interval does not suit the key type.
    Interval(IntervalError),
    /// More partitions than allowed.
    TooMany {
        /// How many it would be.
        wanted: u128,
        /// How many are allowed.
        most: u32,
        /// The smallest key to cover, as a literal.
        first: String,
        /// The largest key to cover, or now, as a literal.
        last: String,
        /// How many were to be made ahead of `last`.
        premake: u32,
    },
    /// A key value that no range can hold: infinite, beyond the calendar, or the type's largest.
    OutOfRange {
        /// Type of the partition key.
        key: KeyType,
        /// The value.
        value: i64,
    },
    /// The range to cover ends before it begins.
    Reversed {
        /// Its beginning, as a literal.
        first: String,
        /// Its end, as a literal.
        last: String,
    },
    /// The job's time zone failed.
    Zone(ZoneError),
}

impl BoundsError {
    /// The primary message: lower case, no full stop.
    pub fn message(&self) -> String {
        match self {
            Self::Interval(error) => error.message(),
            Self::TooMany { wanted, most, .. } => {
                format!("{wanted} partitions would be needed, but at most {most} are allowed")
            }
            Self::OutOfRange { .. } => "partition key value is out of range for partitions".into(),
            Self::Reversed { .. } => {
                "start of the range to partition must not be after its end".into()
            }
            Self::Zone(_) => "could not compute partition bounds in the time zone".into(),
        }
    }

    /// The facts, in sentences.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Interval(error) => error.detail(),
            Self::TooMany {
                first,
                last,
                premake,
                ..
            } => {
                let ahead = match premake {
                    0 => String::new(),
                    count => format!(", and {count} more are to be made ahead"),
                };
                Some(format!("The keys run from {first} to {last}{ahead}."))
            }
            Self::OutOfRange { key, value } => Some(range_facts(*key, *value)),
            Self::Reversed { first, last } => {
                Some(format!("The range runs from {first} to {last}."))
            }
            Self::Zone(error) => Some(error.0.clone()),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Interval(error) => error.hint(),
            Self::TooMany { .. } => Some(
                "Use a larger partition_interval, or pass range_start and range_end so that \
                 outliers stay in the default partition."
                    .into(),
            ),
            Self::OutOfRange { .. } => Some(
                "Pass range_start and range_end so that such rows stay in the default partition."
                    .into(),
            ),
            Self::Reversed { .. } => Some("Exchange range_start and range_end.".into()),
            Self::Zone(_) => None,
        }
    }
}

fn range_facts(key: KeyType, value: i64) -> String {
    let ends = [key.smallest(), key.largest()].map(|end| words(key, end));
    format!(
        "Partitions over a key of type {} reach from {} up to, but without, {}; the value is {}.",
        key.sql_name(),
        ends[0],
        ends[1],
        words(key, value)
    )
}

/// A literal where there is one, else the nearest thing.
fn words(key: KeyType, value: i64) -> String {
    match literal(key, value) {
        Ok(literal) => literal,
        Err(_) if !key.is_time() => value.to_string(),
        // 400 years have 146097 days; near enough for a year that chrono cannot name.
        Err(_) => match (key, value) {
            (KeyType::Date, NO_END_OF_DAYS) | (_, i64::MAX) => "infinity".into(),
            (KeyType::Date, NO_FIRST_DAY) | (_, i64::MIN) => "-infinity".into(),
            _ => format!(
                "about the year {}",
                2000 + i128::from(value / values_a_day(key)) * 400 / 146_097
            ),
        },
    }
}
