//! The interval of partitions that are there already: pure.

use super::set::PartitionSet;
use crate::plan::bounds::{Zone, ZoneError};
use crate::plan::interval::{KeyType, PartitionInterval};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

/// So many of the last partitions are asked.
const ASKED: usize = 12;

/// The interval that most of the last partitions have; of several, that of the last one. `None`
/// where none has one that partitions can be made with.
pub fn interval(
    set: &PartitionSet,
    zone: &dyn Zone,
) -> Result<Option<PartitionInterval>, ZoneError> {
    let mut found: Vec<PartitionInterval> = Vec::new();
    for leaf in set.leaves.iter().rev().take(ASKED) {
        if let (Some(lower), Some(upper)) = (leaf.lower, leaf.upper)
            && let Some(width) = width(set.key, lower, upper, zone)?
        {
            found.push(width);
        }
    }
    let votes = |interval: &PartitionInterval| found.iter().filter(|one| *one == interval).count();
    Ok(found.iter().copied().reduce(|best, next| {
        if votes(&next) > votes(&best) {
            next
        } else {
            best
        }
    }))
}

fn width(
    key: KeyType,
    lower: i64,
    upper: i64,
    zone: &dyn Zone,
) -> Result<Option<PartitionInterval>, ZoneError> {
    if !key.is_time() {
        let width = upper.checked_sub(lower).map(PartitionInterval::Width);
        return Ok(width.filter(|width| width.check(key).is_ok()));
    }
    let (lower, upper) = match key {
        KeyType::TimestampTz => {
            let local = zone.to_local(&[lower, upper])?;
            match *local.as_slice() {
                [lower, upper] => (lower, upper),
                _ => return Ok(None),
            }
        }
        KeyType::Date => (lower.saturating_mul(DAY), upper.saturating_mul(DAY)),
        _ => (lower, upper),
    };
    let interval = match (moment(lower), moment(upper)) {
        (Some(from), Some(to)) if is_month_start(from) && is_month_start(to) => {
            let months = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
            u32::try_from(months(to) - months(from))
                .ok()
                .map(PartitionInterval::Months)
        }
        _ => {
            let micros = upper - lower;
            match micros % DAY {
                0 => u32::try_from(micros / DAY)
                    .ok()
                    .map(PartitionInterval::Days),
                _ => u32::try_from(micros / 1_000_000)
                    .ok()
                    .map(PartitionInterval::Seconds),
            }
        }
    };
    Ok(interval.filter(|interval| interval.check(key).is_ok()))
}

const DAY: i64 = 86_400_000_000;

/// Of microseconds since 2000-01-01.
fn moment(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros.checked_add(946_684_800_000_000)?)
        .map(|at| at.naive_utc())
}

fn is_month_start(at: NaiveDateTime) -> bool {
    at.day() == 1 && at.num_seconds_from_midnight() == 0 && at.nanosecond() == 0
}
