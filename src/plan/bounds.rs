//! Bounds of range partitions, as key values, as SQL literals and as parts of names.
//!
//! A key value is an `i64` in PostgreSQL's own representation, see [`KeyType`]. Bounds depend on
//! the interval, the range to cover and the job's time zone, never on the session's settings.

use serde::{Deserialize, Serialize};

use super::interval::{IntervalError, KeyType, Lattice, PartitionInterval, PartitionOffset};

mod calendar;
mod error;
mod grid;
#[cfg(test)]
mod tests;
mod text;

pub use error::BoundsError;
use grid::Grid;

/// One end of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeBound {
    /// The key value.
    pub key: i64,
    /// What goes between the quotes in `FOR VALUES FROM ('…')`. It reads the same under every
    /// `DateStyle` and time zone: ISO, and in UTC where the type has a zone.
    pub literal: String,
}

impl RangeBound {
    /// The bound at a key value; fails when the value is outside of
    /// [`KeyType::smallest`] to [`KeyType::largest`].
    pub fn at(key: KeyType, value: i64) -> Result<Self, BoundsError> {
        text::literal(key, value).map(|literal| Self {
            key: value,
            literal,
        })
    }
}

/// A partition to be: the half-open range `[lower, upper)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The smallest key value it holds.
    pub lower: RangeBound,
    /// The smallest key value above it.
    pub upper: RangeBound,
    /// The human part of the partition's name, unique within a set: `p2013_01`.
    pub label: String,
}

/// The keys that must find a partition: smallest and largest, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The smallest key value.
    pub first: i64,
    /// The largest key value.
    pub last: i64,
}

/// How the wall clock of the job's time zone and instants relate. Both are microseconds since
/// 2000-01-01 00:00:00, by that clock and in UTC.
///
/// The engine asks PostgreSQL, so that bounds follow the same zone rules as the server's queries.
pub trait Zone {
    /// What the clock shows at instants, one for each and in their order:
    /// `timestamptz AT TIME ZONE zone`.
    fn to_local(&self, utc_micros: &[i64]) -> Result<Vec<i64>, ZoneError>;

    /// The instants of wall-clock times, one for each and in their order:
    /// `timestamp AT TIME ZONE zone`, with PostgreSQL's choice for times that the clock shows
    /// twice (the later) or never (counted on with the offset from before the gap).
    fn to_utc(&self, local_micros: &[i64]) -> Result<Vec<i64>, ZoneError>;
}

/// What went wrong in a [`Zone`]; a sentence for the error's DETAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneError(pub String);

/// The partitions for `cover`, from the interval that holds its first key to the one that holds
/// the greater of its last key and `premake_from`, and `premake` intervals more.
///
/// Spans are in order, without gap or overlap. `premake_from` is the key value of now, or for
/// integers the largest key. The `zone` matters only to a timestamp with time zone: its bounds are
/// wall-clock times of the zone, of months and days and of hours and minutes alike. A time that
/// the clock shows twice is a bound the second time; one that it never shows begins with the
/// clock's jump, and so is empty but for the last such.
///
/// At the ends of what the key type can hold, the outermost bounds are cut to
/// [`KeyType::smallest`] and [`KeyType::largest`], and intervals beyond are left out. A range
/// ends below its upper bound, so the very largest value gets no partition and stays for the
/// default partition. An interval that the zone's clock skipped altogether (Samoa's 2011-12-30, an
/// hour in most places each spring) has no instants, and no partition either; it does not count as
/// premade.
///
/// Fails, before anything large is allocated, when more than `max_partitions` would be needed;
/// also when a key value is out of range, `cover` is reversed, interval or offset do not suit the
/// key type, or the zone fails.
pub fn range_spans(
    key: KeyType,
    lattice: impl Into<Lattice>,
    cover: Coverage,
    premake_from: i64,
    premake: u32,
    max_partitions: u32,
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let grid = Grid::new(key, lattice.into(), zone)?;
    let first = RangeBound::at(key, cover.first)?;
    let last = RangeBound::at(key, cover.last.max(premake_from))?;
    if cover.first > cover.last {
        let last = RangeBound::at(key, cover.last)?.literal;
        let first = first.literal;
        return Err(BoundsError::Reversed { first, last });
    }

    let start = grid.index_of(first.key)?;
    let end = (grid.index_of(last.key)? + i128::from(premake)).min(grid.last_index()?) + 1;
    let wanted = (end - start).unsigned_abs();
    if wanted > max_partitions.into() {
        return Err(BoundsError::TooMany {
            wanted,
            most: max_partitions,
            first: first.literal,
            last: last.literal,
            premake,
        });
    }

    let mut spans = grid.spans(start, end, first.key, last.key)?;
    // What the clock skipped was no partition; those that were asked for come after it.
    let mut end = end;
    loop {
        let ahead = spans
            .iter()
            .filter(|span| span.lower.key > last.key)
            .count() as u32;
        let missing = premake.saturating_sub(ahead);
        if missing == 0 || end > grid.last_index()? || spans.len() >= max_partitions as usize {
            break;
        }
        end += i128::from(missing);
        spans = grid.spans(start, end, first.key, last.key)?;
    }
    if spans.is_empty() {
        // There is nothing to cover but the type's very largest value.
        let value = first.key;
        return Err(BoundsError::OutOfRange { key, value });
    }
    Ok(spans)
}
