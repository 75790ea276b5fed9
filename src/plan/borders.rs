//! Bounds of ids where time passes its borders, for ids that grow with the time: the first id of each month, say.
//!
//! A row goes where its id lies, so any ascending bounds are right ones. Where ids do not quite follow the time, a partition
//! holds a few rows of its neighbours' months, and that is all. Nothing is scanned: rows are looked up by their ids.

use super::bounds::{BoundsError, Coverage, RangeBound, Span, Zone, range_spans};
use super::interval::{KeyType, PartitionInterval};
use std::collections::{BTreeMap, BinaryHeap};

#[cfg(test)]
mod tests;

/// What is looked at of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: i64,
    /// As a key value of the time's type.
    pub time: i64,
}

/// A table whose rows can be looked up by their ids.
pub trait Look {
    type Error;

    /// The first row that tells a time, of those from that id on.
    fn row_from(&mut self, id: i64) -> Result<Option<Row>, Self::Error>;

    /// The interval that holds a time.
    fn interval_of(&mut self, time: i64) -> Result<Span, Self::Error>;
}

/// Where an interval begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its first id.
    pub id: i64,
    pub interval: Span,
}

/// Rows that are looked at before borders are searched for, and after.
const SAMPLE: usize = 200;
/// Gaps among ids cost looks that find nothing.
const LOOKS_PER_ROW: usize = 4;
/// At least so many of each partition.
const SAMPLE_OF_EACH: usize = 3;

/// The first id of each interval that holds rows: ids, and intervals, ascend. Ids that `ids` does not cover are not
/// looked at. No more than one above `most` are found.
///
/// Exact where times ascend with the ids. Else rows that are out of order are not taken for a border, as far as the sample
/// shows them to be: one that slips through costs the borders next to it their places.
pub fn cuts<L: Look>(look: &mut L, ids: Coverage, most: usize) -> Result<Vec<Cut>, L::Error> {
    let sample = sample(look, ids, SAMPLE)?;
    let ascending = ascending(&sample);
    let (Some(first), Some(earliest)) = (sample.first(), ascending.first()) else {
        return Ok(Vec::new());
    };
    let mut interval = look.interval_of(earliest.time)?;
    let mut end = interval.upper.key;
    let mut cuts = vec![Cut {
        id: first.id,
        interval,
    }];
    for (before, after) in ascending.iter().zip(ascending.iter().skip(1)) {
        let mut low = before.id;
        while after.time >= end && cuts.len() <= most {
            let found = first_from(look, low, *after, end)?;
            let begun = begun(look, found, *after, end)?;
            interval = look.interval_of(begun)?;
            (low, end) = (found.id, interval.upper.key);
            cuts.push(Cut {
                id: found.id,
                interval,
            });
        }
    }
    Ok(cuts)
}

/// The time from which on rows go by `found`, the first row behind a border. Intervals without rows are left out; those that
/// only this one seems to leave out, of all before `after`, are not.
fn begun<L: Look>(look: &mut L, found: Row, after: Row, border: i64) -> Result<i64, L::Error> {
    if found.id >= after.id {
        return Ok(after.time);
    }
    let next = look.row_from(found.id + 1)?.unwrap_or(after);
    Ok(found.time.min(next.time).min(after.time).max(border))
}

/// The first row above `low` whose time is not before `border`, by halving; `after` is one.
fn first_from<L: Look>(look: &mut L, low: i64, after: Row, border: i64) -> Result<Row, L::Error> {
    let mut found = after;
    // What lies between the two is not known yet.
    let (mut low, mut high) = (i128::from(low), i128::from(after.id));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        // Between two numbers of 64 bits.
        match look.row_from(middle as i64)? {
            Some(row) if i128::from(row.id) < high && row.time < border => low = row.id.into(),
            Some(row) if i128::from(row.id) < high => {
                found = row;
                high = middle;
            }
            _ => high = middle,
        }
    }
    Ok(found)
}

/// So many rows at most, the first and the last among them: by the middle of whatever is the widest range of ids that was not
/// looked into yet, so that wide gaps among ids leave no wide gaps among rows.
fn sample<L: Look>(look: &mut L, ids: Coverage, most: usize) -> Result<Vec<Row>, L::Error> {
    let first = look.row_from(ids.first)?.filter(|row| row.id <= ids.last);
    let Some(first) = first else {
        return Ok(Vec::new());
    };
    let last = last_row(look, first, ids.last)?;
    let mut rows = BTreeMap::from([(first.id, first), (last.id, last)]);
    // Width, and the ids between which nothing is known.
    let mut unknown = BinaryHeap::new();
    let add = |unknown: &mut BinaryHeap<_>, low: i128, high: i128| {
        if high - low > 1 {
            unknown.push((high - low, low, high));
        }
    };
    add(&mut unknown, first.id.into(), last.id.into());
    for _ in 0..most * LOOKS_PER_ROW {
        let Some((_, low, high)) = unknown.pop().filter(|_| rows.len() < most) else {
            break;
        };
        let middle = low + (high - low) / 2;
        add(&mut unknown, low, middle);
        // Between two numbers of 64 bits.
        let row = look.row_from(middle as i64)?;
        if let Some(row) = row.filter(|row| i128::from(row.id) < high) {
            rows.insert(row.id, row);
            add(&mut unknown, row.id.into(), high);
        }
    }
    Ok(rows.into_values().collect())
}

/// The last row up to that id which tells a time: that before it, or `first`.
fn last_row<L: Look>(look: &mut L, first: Row, last: i64) -> Result<Row, L::Error> {
    let mut found = first;
    // None is behind.
    let mut high = i128::from(last) + 1;
    let mut at = last;
    while i128::from(found.id) < high - 1 {
        match look.row_from(at)?.filter(|row| row.id <= last) {
            Some(row) => found = row,
            None => high = at.into(),
        }
        let low = i128::from(found.id);
        // Between two numbers of 64 bits.
        at = (low + ((high - low) / 2).max(1)) as i64;
    }
    Ok(found)
}

/// As many of the rows as there can be with times that never fall.
fn ascending(rows: &[Row]) -> Vec<Row> {
    // For each length of such a row of rows: where the one with the earliest end has its end.
    let mut ends: Vec<(Row, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        let length = ends.partition_point(|(end, _)| end.time <= row.time);
        let previous = length.checked_sub(1).and_then(|length| ends.get(length));
        before.push(previous.map(|(_, place)| *place));
        ends.truncate(ends.len().max(length));
        match ends.get_mut(length) {
            Some(end) => *end = (*row, place),
            None => ends.push((*row, place)),
        }
    }
    let last = ends.last().map(|(_, place)| *place);
    let places = std::iter::successors(last, |place| before.get(*place).copied().flatten());
    let mut found: Vec<Row> = places
        .filter_map(|place| rows.get(place).copied())
        .collect();
    found.reverse();
    found
}

/// How far ids follow the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub looked_at: usize,
    /// Of these: rows that lie in another partition than that of their time.
    pub strayed: usize,
}

impl Order {
    /// Whether partitions are of their times by and large.
    pub fn holds(self) -> bool {
        self.strayed * 4 <= self.looked_at
    }
}

/// Looks at rows of each partition-to-be.
pub fn order<L: Look>(look: &mut L, cuts: &[Cut], ids: Coverage) -> Result<Order, L::Error> {
    let mut order = Order {
        looked_at: 0,
        strayed: 0,
    };
    let each = (SAMPLE / cuts.len().max(1)).max(SAMPLE_OF_EACH);
    for (cut, (first, last)) in cuts.iter().zip(parts(cuts, ids)) {
        let interval = cut.interval.lower.key..cut.interval.upper.key;
        let rows = sample(look, Coverage { first, last }, each)?;
        order.looked_at += rows.len();
        order.strayed += rows
            .iter()
            .filter(|row| !interval.contains(&row.time))
            .count();
    }
    Ok(order)
}

/// First and last id of each partition-to-be.
fn parts(cuts: &[Cut], ids: Coverage) -> impl Iterator<Item = (i64, i64)> {
    let lasts = cuts.iter().skip(1).map(|next| next.id - 1);
    cuts.iter()
        .map(|cut| cut.id)
        .zip(lasts.chain(std::iter::once(ids.last)))
}

/// Whole intervals that tell how many ids the next ones will take.
const LATEST: usize = 3;

/// How many ids an interval took of late, as a number that is easy to read; the first interval, and the last, may not be
/// whole. `None` where there are no two.
pub fn step(cuts: &[Cut], ids: Coverage, key: KeyType) -> Option<i64> {
    let widths: Vec<i128> = parts(cuts, ids)
        .map(|(first, last)| i128::from(last) - i128::from(first) + 1)
        .collect();
    let (first, rest) = widths.split_first()?;
    let (last, whole) = rest.split_last()?;
    let latest = whole.get(whole.len().saturating_sub(LATEST)..)?;
    let taken = match i128::try_from(latest.len()) {
        Ok(count @ 1..) => (latest.iter().sum::<i128>() + count - 1) / count,
        _ => *first.max(last),
    };
    let step = easily_read(taken).min(key.largest().into());
    i64::try_from(step).ok()
}

/// The next larger number that two digits, and zeros behind them, write.
pub fn easily_read(number: i128) -> i128 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    ((number + unit - 1) / unit).max(1) * unit
}

/// The partitions: one from each cut to the next, named after their intervals, the last one up to a multiple of the step;
/// and so many of a step each. `ids` are all there are.
pub fn spans(
    key: KeyType,
    cuts: &[Cut],
    ids: Coverage,
    step: i64,
    premake: u32,
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let (Some(last), wide) = (cuts.last(), i128::from(step)) else {
        return Ok(Vec::new());
    };
    let clamped = |id: i128| {
        let id = id.clamp(key.smallest().into(), key.largest().into());
        // The key type's ends are numbers of 64 bits.
        id as i64
    };
    let lowest = clamped(i128::from(ids.first).div_euclid(wide) * wide);
    // It is in use, and may go on for long: half a step is the least that it gets.
    let least = (i128::from(ids.last) + 1).max(i128::from(last.id) + (wide + 1) / 2);
    let end = clamped((least + wide - 1).div_euclid(wide) * wide);
    let lowers = std::iter::once(lowest).chain(cuts.iter().skip(1).map(|cut| cut.id));
    let uppers = cuts.iter().skip(1).map(|cut| cut.id).chain([end]);
    let mut spans = Vec::with_capacity(cuts.len() + premake as usize);
    for (cut, (lower, upper)) in cuts.iter().zip(lowers.zip(uppers)) {
        // The type's very largest value has no range.
        if lower < upper {
            spans.push(Span {
                lower: RangeBound::at(key, lower)?,
                upper: RangeBound::at(key, upper)?,
                label: cut.interval.label.clone(),
            });
        }
    }
    if premake > 0 && end < key.largest() {
        let cover = Coverage {
            first: end,
            last: end,
        };
        let (even, ahead) = (PartitionInterval::Width(step), premake - 1);
        spans.extend(range_spans(key, even, cover, end, ahead, premake, zone)?);
    }
    Ok(spans)
}
