//! Which ranges rows are moved to, out of a default partition: decided from keys alone.

use crate::maintain::premake::{self, Premade, Wish};
use crate::maintain::set::PartitionSet;
use crate::plan::bounds::{BoundsError, Coverage, Span, Zone};

/// So many partitions, at most, are attached under one lock.
const MOST_TOGETHER: usize = 100;

/// So many bounds of partitions are read meanwhile, at most, at 10 µs each: ATTACH reads those of all, every time. For each
/// foreign key that points at the table it takes half as much again to find a free name for its part.
const MOST_READ: usize = 10_000;

/// So many parts of foreign keys, at most, are made beforehand, at 0.2 ms each: while the partitions that they are for are
/// locked against writers.
const MOST_MADE: usize = 500;

/// Beside so many of one table it takes twice as long to find a free name for a part: PostgreSQL tries those of all others.
const NAMES_TRIED: usize = 110;

/// How many are attached under one lock, each with so many partitions of its own, where there are so many partitions,
/// foreign keys that point at the table, and partitions `elsewhere` that its own keys point at.
pub fn together(leaves: usize, partitions: usize, keys: usize, elsewhere: usize) -> usize {
    let read = partitions.saturating_mul(2 + keys) / 2;
    let made = elsewhere.saturating_add(elsewhere.saturating_mul(elsewhere) / NAMES_TRIED);
    let most = (MOST_READ / read.max(1))
        .min(MOST_TOGETHER)
        // The new default partition gets them, too.
        .min((MOST_MADE / made.max(1)).saturating_sub(1));
    (most / leaves.max(1)).max(1)
}

/// Leaves those that lie next to the partitions that there are, so that each run goes on where the one
/// before has ended, whatever the rows; tells how many are left out. Of ranges in ascending order.
pub fn keep_nearest(spans: &mut Vec<Span>, set: &PartitionSet, most: usize) -> usize {
    let first = set.leaves.iter().map(|leaf| leaf.lower).min().flatten();
    let below = first.map_or(0, |first| {
        spans.partition_point(|span| span.lower.key < first)
    });
    let above = spans.len() - below;
    let kept_above = above.min(most);
    let kept_below = below.min(most - kept_above);
    let before = spans.len();
    spans.truncate(below + kept_above);
    spans.drain(..below - kept_below);
    before - spans.len()
}

/// How far from the partitions rows are looked for: so far that no more than the most partitions
/// are wanted on a side. A stray row beyond it is nobody's.
pub fn window(set: &PartitionSet, wish: &Wish, premade: &Premade) -> (i64, i64) {
    let room = usize::try_from(wish.most).unwrap_or(usize::MAX);
    let room = room.saturating_sub(premade.spans.len());
    let width = wish.lattice.interval.least_width(set.key);
    let reach = width.saturating_mul(i64::try_from(room).unwrap_or(i64::MAX));
    let (smallest, largest) = (set.key.smallest(), set.key.largest());
    let from = lowest(set, premade).map_or(smallest, |first| first.saturating_sub(reach));
    let to = highest(set, premade).map_or(largest, |last| last.saturating_add(reach));
    (from.max(smallest), to.min(largest))
}

/// The partitions that rows of the default partition want, beside those that are made anyway: before
/// the first one, and behind the last, with those to be made ahead of the last row: more come in while
/// these are moved.
///
/// `found` are the smallest and the largest key of the default partition.
pub fn wanted(
    set: &PartitionSet,
    wish: &Wish,
    premade: &Premade,
    found: Coverage,
    keep_from: Option<i64>,
    zone: &dyn Zone,
) -> Result<Premade, BoundsError> {
    let mut wanted = Premade::default();
    let from = keep_from.map_or(found.first, |keep| keep.max(found.first));
    // Up to the partitions that there are, so that a stray row far away makes none: all ranges
    // between would be wanted. Each side by itself: one is no reason to leave the other.
    let mut side = |from: i64, to: i64, floor: i64, ceiling: Option<i64>| {
        match premake::spans(set, wish, (from, to), 0, zone) {
            Ok(mut spans) => {
                let left =
                    u32::try_from(spans.len()).map_or(0, |made| wish.most.saturating_sub(made));
                let ahead = wish.premake.min(left);
                if ceiling.is_none() && ahead > 0 {
                    spans = premake::spans(set, wish, (from, to), ahead, zone)?;
                }
                let cut = premake::cut(set, spans, floor, ceiling)?;
                wanted.spans.extend(cut);
            }
            Err(error @ BoundsError::TooMany { .. }) => wanted.skipped.push(format!(
                "rows of the default partition lie far from all others: {}",
                error.message()
            )),
            Err(error) => return Err(error),
        }
        Ok(())
    };
    if let Some(first) = lowest(set, premade)
        && from < first
    {
        side(from, first - 1, set.key.smallest(), Some(first))?;
    }
    if let Some(last) = highest(set, premade)
        && found.last >= last
    {
        side(last, found.last, last, None)?;
    }
    Ok(wanted)
}

/// Where the first partition begins, if it has a lower bound.
fn lowest(set: &PartitionSet, premade: &Premade) -> Option<i64> {
    let there = set.leaves.iter().map(|leaf| leaf.lower);
    let new = premade.spans.iter().map(|span| Some(span.lower.key));
    there.chain(new).min().flatten()
}

/// Where the last partition ends, if it has an upper bound.
fn highest(set: &PartitionSet, premade: &Premade) -> Option<i64> {
    if set.leaves.iter().any(|leaf| leaf.upper.is_none()) {
        return None;
    }
    let there = set.leaves.iter().filter_map(|leaf| leaf.upper);
    let new = premade.spans.iter().map(|span| span.upper.key);
    there.chain(new).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maintain::set::Leaf;
    use crate::plan::bounds::{RangeBound, ZoneError};
    use crate::plan::interval::{KeyType, PartitionInterval};

    /// Integers have none.
    struct NoZone;

    impl Zone for NoZone {
        fn to_local(&self, _: &[i64]) -> Result<Vec<i64>, ZoneError> {
            Err(ZoneError("asked".to_owned()))
        }

        fn to_utc(&self, _: &[i64]) -> Result<Vec<i64>, ZoneError> {
            Err(ZoneError("asked".to_owned()))
        }
    }

    /// One partition, from 1000 to 2000.
    fn one_partition() -> PartitionSet {
        PartitionSet {
            key: KeyType::BigInt,
            leaves: vec![Leaf {
                oid: 1,
                lower: Some(1000),
                upper: Some(2000),
                bytes: 0,
                rows: None,
                is_pinned: false,
                obstacle: None,
            }],
        }
    }

    /// Hundreds are wanted, two ahead, and no more than ten.
    fn ranges(found: (i64, i64), keep_from: Option<i64>) -> (Vec<(i64, i64)>, usize) {
        let set = one_partition();
        let wish = Wish {
            lattice: PartitionInterval::Width(100).into(),
            premake: 2,
            most: 10,
        };
        let (first, last) = found;
        let found = Coverage { first, last };
        let premade = Premade::default();
        let wanted = wanted(&set, &wish, &premade, found, keep_from, &NoZone).unwrap();
        let spans = wanted.spans.iter();
        (
            spans.map(|span| (span.lower.key, span.upper.key)).collect(),
            wanted.skipped.len(),
        )
    }

    #[test]
    fn rows_that_come_in_meanwhile_have_their_partition() {
        assert_eq!(
            ranges((850, 2050), None),
            (
                vec![
                    (800, 900),
                    (900, 1000),
                    (2000, 2100),
                    (2100, 2200),
                    (2200, 2300)
                ],
                0
            )
        );
        assert_eq!(ranges((850, 999), None), (vec![(800, 900), (900, 1000)], 0));
    }

    #[test]
    fn no_more_are_made_ahead_than_are_made_in_one_go() {
        let (ranges, skipped) = ranges((2000, 2899), None);
        assert_eq!(
            (ranges.len(), ranges.last(), skipped),
            (10, Some(&(2900, 3000)), 0)
        );
    }

    #[test]
    fn many_are_left_to_further_runs_the_far_ones_first() {
        let kept = |first: i64, count: i64| {
            let bound = |key| RangeBound::at(KeyType::BigInt, key).unwrap();
            let mut spans: Vec<Span> = (0..count)
                .map(|place| Span {
                    label: String::new(),
                    lower: bound(first + place * 10),
                    upper: bound(first + place * 10 + 10),
                })
                // Where the partition is.
                .filter(|span| span.lower.key < 1000 || span.lower.key >= 2000)
                .collect();
            let left = keep_nearest(&mut spans, &one_partition(), together(1, 1, 0, 0));
            let keys: Vec<i64> = spans.iter().map(|span| span.lower.key).collect();
            (
                keys.first().copied(),
                keys.last().copied(),
                keys.len(),
                left,
            )
        };
        assert_eq!(kept(2000, 100), (Some(2000), Some(2990), 100, 0));
        assert_eq!(kept(2000, 101), (Some(2000), Some(2990), 100, 1));
        assert_eq!(kept(-500, 150), (Some(0), Some(990), 100, 50));
        // Those above come first.
        assert_eq!(kept(0, 210), (Some(100), Some(2090), 100, 10));
    }

    #[test]
    fn the_more_there_are_the_fewer_are_attached_together() {
        assert_eq!(together(1, 0, 0, 0), 100);
        assert_eq!(together(1, 100, 0, 0), 100);
        assert_eq!(together(4, 100, 0, 0), 25);
        assert_eq!(together(1, 1000, 0, 0), 10);
        assert_eq!(together(1, 1000, 4, 0), 3);
        assert_eq!(together(200, 1, 0, 0), 1);
        assert_eq!(together(1, 100_000, 3, 0), 1);
        assert_eq!(together(1, 10, 0, 1), 100);
        assert_eq!(together(1, 10, 0, 30), 12);
        assert_eq!(together(1, 10, 0, 100), 1);
        assert_eq!(together(1, 10, 0, 300), 1);
    }

    #[test]
    fn rows_far_off_and_rows_that_are_old_stay() {
        assert_eq!(
            ranges((-5000, 2050), None),
            (vec![(2000, 2100), (2100, 2200), (2200, 2300)], 1)
        );
        assert_eq!(ranges((-5000, 950), Some(900)), (vec![(900, 1000)], 0));
    }
}
