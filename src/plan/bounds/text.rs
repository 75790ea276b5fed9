//! Bounds in writing: SQL literals and parts of names.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

use super::calendar::moment;
use super::{BoundsError, KeyType, Lattice, PartitionInterval, PartitionOffset};

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
/// the job's zone. Of one that the calendar has no name for, it tells when it begins.
pub(super) fn label(
    key: KeyType,
    Lattice { interval, offset }: Lattice,
    start: i64,
) -> Result<String, BoundsError> {
    let at = || moment(key, start);
    if let PartitionOffset::Calendar { days, seconds, .. } = offset {
        return Ok(match (interval, days, seconds) {
            (PartitionInterval::Months(_), 0, 0) => month_name(at()?.date()),
            (PartitionInterval::Months(_) | PartitionInterval::Days(_), _, 0) => {
                day_label(at()?.date())
            }
            (PartitionInterval::Seconds(wide), ..) => {
                time_label(at()?, wide.is_multiple_of(60) && seconds.is_multiple_of(60))
            }
            _ => time_label(at()?, seconds.is_multiple_of(60)),
        });
    }
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
        PartitionInterval::Seconds(seconds) => time_label(at()?, seconds.is_multiple_of(60)),
    })
}

fn month_label(months: u32, date: NaiveDate) -> String {
    let year = year_in_name(date.year());
    match months {
        3 => format!("p{year}_q{}", date.quarter()),
        _ if months.is_multiple_of(12) => format!("p{year}"),
        _ => month_name(date),
    }
}

fn month_name(date: NaiveDate) -> String {
    format!("p{}_{:02}", year_in_name(date.year()), date.month())
}

fn time_label(at: NaiveDateTime, is_whole_minute: bool) -> String {
    let date = day_label(at.date());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    match is_whole_minute {
        true => format!("{date}_{hour:02}{minute:02}"),
        false => format!("{date}_{hour:02}{minute:02}{second:02}"),
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
