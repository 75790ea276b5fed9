//! Bounds in writing: SQL literals and parts of names.

use chrono::{Datelike, NaiveDate, Timelike};

use super::calendar::moment;
use super::{BoundsError, KeyType, PartitionInterval};

/// A key value as PostgreSQL writes it under `DateStyle = ISO` and `TimeZone = UTC`; fails
/// outside of the key type's range.
pub(super) fn literal(key: KeyType, value: i64) -> Result<String, BoundsError> {
    if !key.is_time() {
        return (key.smallest()..=key.largest())
            .contains(&value)
            .then(|| value.to_string())
            .ok_or(BoundsError::OutOfRange { key, value });
    }
    let at = moment(key, value)?;
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    let date = format!("{year:04}-{month:02}-{day:02}");
    let zone = match key {
        KeyType::Date => return Ok(date + era),
        KeyType::TimestampTz => "+00",
        _ => "",
    };
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let fraction = match at.nanosecond() / 1000 {
        0 => String::new(),
        micros => format!(".{micros:06}").trim_end_matches('0').to_owned(),
    };
    Ok(format!(
        "{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}{era}"
    ))
}

/// The human part of a partition's name, from the start of its interval, by the wall clock of
/// the job's zone.
pub(super) fn label(
    key: KeyType,
    interval: PartitionInterval,
    start: i64,
) -> Result<String, BoundsError> {
    let at = || moment(key, start);
    Ok(match interval {
        PartitionInterval::Width(_) => {
            let sign = if start < 0 { "m" } else { "" };
            format!("p{sign}{}", start.unsigned_abs())
        }
        PartitionInterval::Months(months) => month_label(months, at()?.date()),
        PartitionInterval::Days(days) if days.is_multiple_of(7) => {
            let week = at()?.date().iso_week();
            format!("p{}w{:02}", year_in_name(week.year()), week.week())
        }
        PartitionInterval::Days(_) => day_label(at()?.date()),
        PartitionInterval::Seconds(seconds) => {
            let at = at()?;
            let date = day_label(at.date());
            let (hour, minute, second) = (at.hour(), at.minute(), at.second());
            if seconds.is_multiple_of(60) {
                format!("{date}_{hour:02}{minute:02}")
            } else {
                format!("{date}_{hour:02}{minute:02}{second:02}")
            }
        }
    })
}

fn month_label(months: u32, date: NaiveDate) -> String {
    let year = year_in_name(date.year());
    match months {
        3 => format!("p{year}_q{}", date.quarter()),
        _ if months.is_multiple_of(12) => format!("p{year}"),
        _ => format!("p{year}_{:02}", date.month()),
    }
}

fn day_label(date: NaiveDate) -> String {
    let year = year_in_name(date.year());
    format!("p{year}_{:02}_{:02}", date.month(), date.day())
}

/// The year of chrono's count, in which 1 BC is 0.
fn year_in_name(year: i32) -> String {
    if year > 0 {
        format!("{year:04}")
    } else {
        format!("bc{:04}", 1 - year)
    }
}
