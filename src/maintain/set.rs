//! A partitioned table and its partitions, as the catalog has them: plain data.

use crate::plan::interval::KeyType;

/// A partition of a table that is partitioned by ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub oid: u32,
    /// Inclusive; `None` where it has no lower bound.
    pub lower: Option<i64>,
    /// Exclusive; `None` where it has no upper bound.
    pub upper: Option<i64>,
    /// With indexes and TOAST.
    pub bytes: i64,
    /// As of the last VACUUM or ANALYZE; `None` where there was none.
    pub rows: Option<i64>,
    /// Whether it must be kept, whatever its age.
    pub is_pinned: bool,
    /// Why it cannot be detached, where that was found out.
    pub obstacle: Option<String>,
}

/// A table that is partitioned by ranges of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionSet {
    pub key: KeyType,
    /// Ascending, and disjoint, as PostgreSQL has seen to; without the default partition.
    pub leaves: Vec<Leaf>,
}

/// Where the data and the clock are, as keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The present moment; `None` for integers, which have no clock.
    pub now: Option<i64>,
    /// The largest key of the data: it is known to be from here to there, both included; `None`
    /// where there is no data.
    pub newest: Option<(i64, i64)>,
}

impl Position {
    /// Up to where partitions are in use: the later of the two.
    pub fn reach(self) -> Option<i64> {
        self.now.max(self.newest.map(|(_, at_most)| at_most))
    }

    /// Up to where data may be old: the earlier of the two. Without data nothing is.
    pub fn present(self) -> Option<i64> {
        match (self.now, self.newest) {
            (Some(now), Some((at_least, _))) => Some(now.min(at_least)),
            (None, Some((at_least, _))) => Some(at_least),
            (_, None) => None,
        }
    }
}

impl Leaf {
    /// Whether it may go when it is old.
    pub fn may_go(&self) -> bool {
        !self.is_pinned && self.obstacle.is_none()
    }
}

impl PartitionSet {
    /// Whether a partition takes a part of that range.
    pub fn overlaps(&self, lower: i64, upper: i64) -> bool {
        self.leaves.iter().any(|leaf| {
            leaf.lower.is_none_or(|other| other < upper)
                && leaf.upper.is_none_or(|other| lower < other)
        })
    }

    /// Ranges that no partition takes, from the first partition's lower bound on; the last one is
    /// open (`None`). Nothing where a partition without an upper bound takes all the rest.
    pub fn gaps(&self) -> Vec<(i64, Option<i64>)> {
        let between = self.leaves.windows(2).filter_map(|pair| match pair {
            [before, after] => match (before.upper, after.lower) {
                (Some(upper), Some(lower)) if upper < lower => Some((upper, Some(lower))),
                _ => None,
            },
            _ => None,
        });
        let end = self.leaves.last().and_then(|last| last.upper);
        between.chain(end.map(|end| (end, None))).collect()
    }
}
