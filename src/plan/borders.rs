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

/// What is known when borders were searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The first id of each interval that holds rows: ids, and intervals, ascend.
    pub cuts: Vec<Cut>,
    /// Of the rows that were looked at first, those whose times ascend.
    pub ascending: Vec<Row>,
    pub looked_at: usize,
}

/// Rows that are looked at before borders are searched for, and after.
const SAMPLE: usize = 200;
/// Gaps among ids cost looks that find nothing.
const LOOKS_PER_ROW: usize = 4;
/// At least so many of each partition.
const SAMPLE_OF_EACH: usize = 3;

/// Searches for the borders. Ids that `ids` does not cover are not looked at. No more than one border above `most` is found.
///
/// Exact where times ascend with the ids. Else rows that are out of order are not taken for a border, as far as the sample
/// shows them to be: one that slips through costs the borders next to it their places.
pub fn find<L: Look>(look: &mut L, ids: Coverage, most: usize) -> Result<Found, L::Error> {
    let sample = sample(look, ids)?;
    let ascending = ascending(&sample);
    let (Some(first), Some(earliest)) = (sample.first(), ascending.first()) else {
        return Ok(Found::default());
    };
    let mut interval = look.interval_of(earliest.time)?;
    let mut end = interval.upper.key;
    let mut cuts = vec![Cut {
        id: first.id,
        interval,
    }];
    for (before, after) in ascending.iter().zip(ascending.iter().skip(1)) {
        let mut low = *before;
        while after.time >= end && cuts.len() <= most {
            let found = first_from(look, low, *after, end)?;
            let begun = begun(look, found, *after, end)?;
            interval = look.interval_of(begun)?;
            (low, end) = (found, interval.upper.key);
            cuts.push(Cut {
                id: found.id,
                interval,
            });
        }
    }
    Ok(Found {
        cuts,
        looked_at: sample.len(),
        ascending,
    })
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

/// Where to look next for a border, between a row that lies below it and one that does not.
#[derive(Clone, Copy)]
enum Next {
    /// Where it is if times go on evenly with the ids.
    Guess,
    /// A step above the row below it, which was a guess.
    StepUp,
    /// A step below what was found, which was one.
    StepDown,
    /// In the middle.
    Half,
    /// Right behind the row below it: it may be the last one.
    Behind,
}

/// A step away from a guess: such a part of all between the two rows.
const STEP: i128 = 16;

/// The first row above `low` whose time is not before `border`; `after` is one. By guesses as long as they are near, then by
/// halving.
fn first_from<L: Look>(look: &mut L, low: Row, after: Row, border: i64) -> Result<Row, L::Error> {
    let (mut low, mut found) = (low, after);
    // Between this and what was found there is nothing.
    let mut high = i128::from(after.id);
    let mut next = Next::Guess;
    while high - i128::from(low.id) > 1 {
        let below = i128::from(low.id);
        let width = high - below;
        let at = match next {
            Next::Guess => below + (share(low, found, border) * width as f64) as i128,
            Next::StepUp => below + width / STEP,
            Next::StepDown => high - width / STEP,
            Next::Half => below + width / 2,
            Next::Behind => below + 1,
        };
        let at = at.clamp(below + 1, high - 1);
        // Between two numbers of 64 bits.
        let row = look.row_from(at as i64)?;
        next = match row.filter(|row| i128::from(row.id) < high) {
            Some(row) if row.time < border => {
                low = row;
                match next {
                    Next::Guess => Next::StepUp,
                    Next::StepDown => Next::Guess,
                    Next::StepUp | Next::Half | Next::Behind => Next::Half,
                }
            }
            Some(row) => {
                (found, high) = (row, at);
                match next {
                    Next::Guess => Next::StepDown,
                    Next::StepUp => Next::Guess,
                    Next::StepDown | Next::Half | Next::Behind => Next::Half,
                }
            }
            None => {
                high = at;
                Next::Behind
            }
        };
    }
    Ok(found)
}

/// How far between the times of two rows a border lies.
fn share(low: Row, high: Row, border: i64) -> f64 {
    let since = |time: i64| (i128::from(time) - i128::from(low.time)) as f64;
    since(border) / since(high.time)
}

/// Rows from all over, the first and the last among them.
fn sample<L: Look>(look: &mut L, ids: Coverage) -> Result<Vec<Row>, L::Error> {
    let first = look.row_from(ids.first)?.filter(|row| row.id <= ids.last);
    let Some(first) = first else {
        return Ok(Vec::new());
    };
    let last = last_row(look, first, ids.last)?;
    let mut rows = BTreeMap::from([(first.id, first), (last.id, last)]);
    add_between(look, (first.id.into(), last.id.into()), SAMPLE, &mut rows)?;
    Ok(rows.into_values().collect())
}

/// Looks at rows between two ids until there are `most` of them: by the middle of whatever is the widest range of ids that was
/// not looked into yet, so that wide gaps among ids leave no wide gaps among rows.
fn add_between<L: Look>(
    look: &mut L,
    (low, high): (i128, i128),
    most: usize,
    rows: &mut BTreeMap<i64, Row>,
) -> Result<(), L::Error> {
    // Width, and the ids between which nothing is known.
    let mut unknown = BinaryHeap::new();
    let add = |unknown: &mut BinaryHeap<_>, low: i128, high: i128| {
        if high - low > 1 {
            unknown.push((high - low, low, high));
        }
    };
    add(&mut unknown, low, high);
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
    Ok(())
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
        let mut rows = BTreeMap::new();
        let between = (i128::from(first) - 1, i128::from(last) + 1);
        add_between(look, between, each, &mut rows)?;
        order.looked_at += rows.len();
        order.strayed += rows
            .values()
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
/// Rows of less than this part of an interval tell nothing of the whole.
const LEAST_PART: i128 = 100;

/// How many ids a partition to come is to hold, and what says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The latest whole intervals took as many.
    Taken(i64),
    /// None is whole yet: the ids between two rows, and the time between them, come to as many in a whole one.
    Begun { step: i64, first: Row, last: Row },
}

impl Step {
    pub fn ids(self) -> i64 {
        match self {
            Step::Taken(step) | Step::Begun { step, .. } => step,
        }
    }
}

/// Why nothing tells how many ids an interval takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    NoRows,
    /// As many rows of those looked at are of an earlier time than others before them.
    NoOrder(usize),
    /// Rows are of too short a time.
    TooShort,
}

/// How many ids an interval will take, as a number that is easy to read: as many as of late; the first interval, and the last,
/// may not be whole. Where there is no other, at the rate of the rows so far.
pub fn step(found: &Found, ids: Coverage, key: KeyType) -> Result<Step, Untold> {
    let readable = |taken: i128| {
        let step = easily_read(taken).min(key.largest().into());
        // The key type's end is a number of 64 bits.
        step as i64
    };
    let widths: Vec<i128> = parts(&found.cuts, ids)
        .map(|(first, last)| i128::from(last) - i128::from(first) + 1)
        .collect();
    if let [_, whole @ .., _] = widths.as_slice()
        && let latest @ [_, ..] = &whole[whole.len().saturating_sub(LATEST)..]
    {
        let count = latest.len() as i128;
        return Ok(Step::Taken(readable(
            (latest.iter().sum::<i128>() + count - 1) / count,
        )));
    }
    let (Some(cut), Some(first), Some(last)) = (
        found.cuts.last(),
        found.ascending.first(),
        found.ascending.last(),
    ) else {
        return Err(Untold::NoRows);
    };
    // Rows of several intervals have their order looked at by these.
    if found.cuts.len() == 1 && found.ascending.len() * 2 < found.looked_at {
        return Err(Untold::NoOrder(found.looked_at - found.ascending.len()));
    }
    // Both ends count: one day has all rows of a table that knows days only.
    let from_to = |from: i64, to: i64| i128::from(to) - i128::from(from) + 1;
    let (taken, time) = (from_to(first.id, last.id), from_to(first.time, last.time));
    let interval = i128::from(cut.interval.upper.key) - i128::from(cut.interval.lower.key);
    if time.saturating_mul(LEAST_PART) < interval {
        return Err(Untold::TooShort);
    }
    let scaled = (taken as f64 / time as f64 * interval as f64).ceil() as i128;
    // What one has taken already is the least that a whole one takes.
    let least = widths.into_iter().max().unwrap_or(1);
    Ok(Step::Begun {
        step: readable(scaled.max(least)),
        first: *first,
        last: *last,
    })
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
