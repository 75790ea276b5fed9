//! How far bounds are moved from where their interval puts them: fiscal years, weeks that begin on
//! Wednesdays, days that begin at six.

use std::fmt;

use super::{
    IntervalError, KeyType, MICROS_A_SECOND, PartitionInterval, SECONDS_A_DAY, from_digits, spell,
};

/// The shortest month leaves room for so many days behind its first.
const DAYS_IN_ANY_MONTH: u64 = 28;

/// Less than the interval that it belongs to, and not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PartitionOffset {
    /// Years begin in January, weeks on Mondays, days at midnight, integers at zero.
    #[default]
    None,
    /// By the wall clock: so many months, then days, then seconds later.
    Calendar {
        months: u32,
        days: u32,
        seconds: u32,
    },
    /// So many integers higher.
    Keys(i64),
}

/// Where bounds may lie: every interval, moved by the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lattice {
    pub interval: PartitionInterval,
    pub offset: PartitionOffset,
}

impl From<PartitionInterval> for Lattice {
    fn from(interval: PartitionInterval) -> Self {
        Lattice {
            interval,
            offset: PartitionOffset::None,
        }
    }
}

impl PartitionOffset {
    /// Takes the three fields of PostgreSQL's own parse of an interval.
    pub fn from_calendar(months: i32, days: i32, micros: i64) -> Result<Self, IntervalError> {
        let given = || spell(months, days, micros);
        if micros % MICROS_A_SECOND != 0 {
            return Err(IntervalError::OffsetUnit { given: given() });
        }
        let fields = (
            u32::try_from(months),
            u32::try_from(days),
            u32::try_from(micros / MICROS_A_SECOND),
        );
        match fields {
            (Ok(0), Ok(0), Ok(0)) => Ok(Self::None),
            (Ok(months), Ok(days), Ok(seconds)) => Ok(Self::Calendar {
                months,
                days,
                seconds,
            }),
            _ if months < 0 || days < 0 || micros < 0 => {
                Err(IntervalError::OffsetNegative { given: given() })
            }
            _ => Err(IntervalError::OffsetUnit { given: given() }),
        }
    }

    /// Takes a number of integers, as the user typed it.
    pub fn from_keys(text: &str, key: KeyType) -> Result<Self, IntervalError> {
        let given = || text.trim().to_owned();
        match from_digits(text, key) {
            Ok(0) => Ok(Self::None),
            Ok(keys) if keys < 0 => Err(IntervalError::OffsetNegative { given: given() }),
            Ok(keys) => Ok(Self::Keys(keys)),
            Err(_) => Err(IntervalError::OffsetUnit { given: given() }),
        }
    }

    /// Whether bounds of that interval can be moved so; fails with the reason why not.
    pub fn check(self, interval: PartitionInterval, key: KeyType) -> Result<(), IntervalError> {
        let given = || self.to_string();
        let too_long = || IntervalError::OffsetTooLong {
            given: given(),
            interval: interval.to_string(),
        };
        let unit = || IntervalError::OffsetUnit { given: given() };
        let (months, days, seconds) = match (self, interval) {
            (Self::None, _) => return Ok(()),
            (Self::Keys(keys), PartitionInterval::Width(width)) => {
                return match (1..width).contains(&keys) {
                    true => Ok(()),
                    false => Err(too_long()),
                };
            }
            (Self::Keys(_), _) | (_, PartitionInterval::Width(_)) => {
                return Err(IntervalError::WrongKind {
                    given: given(),
                    key,
                });
            }
            (
                Self::Calendar {
                    months,
                    days,
                    seconds,
                },
                _,
            ) => (months, u64::from(days), u64::from(seconds)),
        };
        if key == KeyType::Date && seconds > 0 {
            return Err(unit());
        }
        let clock = days * u64::from(SECONDS_A_DAY) + seconds;
        let room = match interval {
            PartitionInterval::Months(wide) if months < wide => {
                DAYS_IN_ANY_MONTH * u64::from(SECONDS_A_DAY)
            }
            PartitionInterval::Months(_) => return Err(too_long()),
            _ if months > 0 => return Err(unit()),
            PartitionInterval::Days(wide) => u64::from(wide) * u64::from(SECONDS_A_DAY),
            PartitionInterval::Seconds(wide) => u64::from(wide),
            PartitionInterval::Width(_) => 0,
        };
        match clock < room {
            true => Ok(()),
            false => Err(too_long()),
        }
    }
}

/// Text that PostgreSQL reads back as the same.
impl fmt::Display for PartitionOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match *self {
            Self::None => spell(0, 0, 0),
            Self::Calendar {
                months,
                days,
                seconds,
            } => spell(months, days, i64::from(seconds) * MICROS_A_SECOND),
            Self::Keys(keys) => keys.to_string(),
        })
    }
}
