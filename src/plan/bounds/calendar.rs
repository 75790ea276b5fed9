//! Key values that tell a time, and the calendar.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::{BoundsError, KeyType};

/// Microseconds in 24 hours.
pub(super) const DAY: i64 = 86_400_000_000;

/// How many key values make 24 hours.
pub(super) fn values_a_day(key: KeyType) -> i64 {
    match key {
        KeyType::Date => 1,
        _ => DAY,
    }
}

/// The date and time that a key value stands for; fails outside of the key type's range.
pub(super) fn moment(key: KeyType, value: i64) -> Result<NaiveDateTime, BoundsError> {
    let after_epoch = match key {
        KeyType::Date => TimeDelta::try_days(value),
        _ => Some(TimeDelta::microseconds(value)),
    };
    (key.smallest()..=key.largest())
        .contains(&value)
        .then_some(after_epoch)
        .flatten()
        .and_then(|after_epoch| epoch()?.checked_add_signed(after_epoch))
        .ok_or(BoundsError::OutOfRange { key, value })
}

/// The key value at the beginning of a month, counted from the year 1 BC; `None` where the
/// calendar does not reach.
pub(super) fn month_start(key: KeyType, month: i128) -> Option<i64> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let month0 = u32::try_from(month.rem_euclid(12)).ok()?;
    let first_day = NaiveDate::from_ymd_opt(year, month0 + 1, 1)?;
    let days = first_day.signed_duration_since(epoch()?.date()).num_days();
    days.checked_mul(values_a_day(key))
}

/// PostgreSQL's day zero, a Saturday.
fn epoch() -> Option<NaiveDateTime> {
    Some(NaiveDate::from_ymd_opt(2000, 1, 1)?.and_time(NaiveTime::MIN))
}
