//! The interval and the offset of partitions that are there already: pure.

use super::set::PartitionSet;
use crate::plan::bounds::{Zone, ZoneError};
use crate::plan::interval::{KeyType, Lattice, PartitionInterval, PartitionOffset};
use chrono::{DateTime, Datelike, NaiveDateTime};

/// So many of the last partitions are asked.
const ASKED: usize = 12;

/// The interval that most of the last partitions have; of several, that of the last one. The offset
/// is that of more than half of these, else none. `None` where no partition has an interval that
/// partitions can be made with.
pub fn lattice(set: &PartitionSet, zone: &dyn Zone) -> Result<Option<Lattice>, ZoneError> {
    let mut found: Vec<Lattice> = Vec::new();
    for leaf in set.leaves.iter().rev().take(ASKED) {
        if let (Some(lower), Some(upper)) = (leaf.lower, leaf.upper)
            && let Some(lattice) = of_leaf(set.key, lower, upper, zone)?
        {
            found.push(lattice);
        }
    }
    let intervals = found.iter().map(|lattice| lattice.interval);
    let Some(interval) = most_common(intervals.clone()) else {
        return Ok(None);
    };
    let voters = intervals.filter(|other| *other == interval).count();
    let offset = most_common(found.iter().map(|lattice| lattice.offset).filter(|offset| {
        let whole = Lattice {
            interval,
            offset: *offset,
        };
        found.iter().filter(|other| **other == whole).count() * 2 > voters
    }));
    Ok(Some(Lattice {
        interval,
        offset: offset.unwrap_or_default(),
    }))
}

/// Of several that are as common the first.
fn most_common<T: PartialEq>(found: impl Iterator<Item = T> + Clone) -> Option<T> {
    let votes = |one: &T| found.clone().filter(|other| other == one).count();
    found
        .clone()
        .reduce(|best, next| match votes(&next) > votes(&best) {
            true => next,
            false => best,
        })
}

fn of_leaf(
    key: KeyType,
    lower: i64,
    upper: i64,
    zone: &dyn Zone,
) -> Result<Option<Lattice>, ZoneError> {
    let found = match key {
        KeyType::SmallInt | KeyType::Integer | KeyType::BigInt => of_integers(lower, upper),
        KeyType::TimestampTz => match *zone.to_local(&[lower, upper])?.as_slice() {
            [lower, upper] => of_times(lower, upper),
            _ => None,
        },
        KeyType::Timestamp => of_times(lower, upper),
        KeyType::Date => of_times(lower.saturating_mul(DAY), upper.saturating_mul(DAY)),
    };
    Ok(found.filter(|Lattice { interval, offset }| {
        interval.check(key).is_ok() && offset.check(*interval, key).is_ok()
    }))
}

fn of_integers(lower: i64, upper: i64) -> Option<Lattice> {
    let width = upper.checked_sub(lower).filter(|width| *width > 0)?;
    Some(Lattice {
        interval: PartitionInterval::Width(width),
        offset: match lower.rem_euclid(width) {
            0 => PartitionOffset::None,
            keys => PartitionOffset::Keys(keys),
        },
    })
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Monday, 3 January 2000: the beginning of a week.
const MONDAY: i64 = 2 * DAY;

/// From one time by the wall clock to another.
fn of_times(lower: i64, upper: i64) -> Option<Lattice> {
    // Bounds are made of whole seconds; those of ids may lie a millisecond beside.
    let (lower, upper) = (
        lower - lower.rem_euclid(SECOND),
        upper - upper.rem_euclid(SECOND),
    );
    let width = upper.checked_sub(lower)?;
    let (from, to) = (moment(lower)?, moment(upper)?);
    let clock = lower.rem_euclid(DAY);
    // The same day of another month: months, unless a whole number of weeks tells otherwise.
    let is_of_months = from.day() == to.day() && from.time() == to.time();
    let is_month_start = from.day() == 1 && clock == 0;
    if is_of_months && (is_month_start || width % (7 * DAY) != 0) {
        let months = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
        let wide = u32::try_from(months(to) - months(from)).ok()?;
        let first = months(from).rem_euclid(i64::from(wide.max(1)));
        return lattice_of(
            PartitionInterval::Months(wide),
            i32::try_from(first).ok()?,
            (i64::from(from.day()) - 1) * DAY + clock,
        );
    }
    if width % DAY == 0 {
        let origin = if width % (7 * DAY) == 0 { MONDAY } else { 0 };
        let interval = PartitionInterval::Days(u32::try_from(width / DAY).ok()?);
        return lattice_of(interval, 0, (lower - origin).rem_euclid(width.max(1)));
    }
    let interval = PartitionInterval::Seconds(u32::try_from(width / SECOND).ok()?);
    lattice_of(interval, 0, lower.rem_euclid(width.max(1)))
}

/// `None` where an offset is no whole number of seconds.
fn lattice_of(interval: PartitionInterval, months: i32, later: i64) -> Option<Lattice> {
    let days = i32::try_from(later / DAY).ok()?;
    let offset = PartitionOffset::from_calendar(months, days, later % DAY).ok()?;
    Some(Lattice { interval, offset })
}

/// Of microseconds since 2000-01-01.
fn moment(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros.checked_add(946_684_800_000_000)?)
        .map(|at| at.naive_utc())
}
