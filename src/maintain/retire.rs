//! Which partitions to retire: pure.

use super::set::{Leaf, PartitionSet, Position};

/// What a policy says about old partitions. Each limit counts by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Keys below are old.
    pub keep_from: Option<i64>,
    /// Most partitions that hold data, or could by now.
    pub most_partitions: Option<u32>,
    pub most_bytes: Option<i64>,
    /// Most partitions that one run retires.
    pub fuse: u32,
    /// Most of the table that one run retires, in percent of its bytes, and of its rows; `None` where that is
    /// no limit.
    pub fuse_percent: Option<u32>,
}

/// The key below which missing partitions stay missing: those that are old, and, where their number or
/// size is limited, those before the first one that is left, apart from those that cannot go.
pub fn fill_from(set: &PartitionSet, wish: &Wish) -> Option<i64> {
    let is_limited = wish.most_partitions.is_some() || wish.most_bytes.is_some();
    let first_left = set.leaves.iter().find(|leaf| leaf.may_go());
    let left_from = first_left.and_then(|leaf| leaf.lower);
    wish.keep_from.max(left_from.filter(|_| is_limited))
}

/// Partitions to retire, the oldest first, and those that are spared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retired<'a> {
    pub leaves: Vec<&'a Leaf>,
    /// Each with the reason, in a few words.
    pub spared: Vec<(&'a Leaf, String)>,
}

/// Decides, by nothing but the partitions' real upper bounds: however wide a partition is, it goes
/// only when all that it could hold is old. What could still be written to by the clock, or lies
/// at the end of the data, is never old.
pub fn decide<'a>(set: &'a PartitionSet, wish: &Wish, position: Position) -> Retired<'a> {
    let mut retired = Retired::default();
    let Some(present) = position.present() else {
        return retired;
    };
    let in_use = set
        .leaves
        .iter()
        .filter(|leaf| leaf.lower.is_none_or(|lower| lower <= present))
        .count();
    let surplus = wish
        .most_partitions
        .map_or(0, |most| in_use.saturating_sub(most as usize));
    let mut bytes: i64 = set.leaves.iter().map(|leaf| leaf.bytes).sum();
    let counted = Share::counted(set);
    let all = Share {
        bytes: i128::from(bytes),
        rows: set.leaves.iter().map(|leaf| rows(leaf, &counted)).sum(),
    };
    let mut gone = Share::default();
    // Once it has blown, younger ones that are smaller do not overtake.
    let mut has_blown = false;
    for (place, leaf) in set.leaves.iter().enumerate() {
        // All that it could hold lies before the present.
        let Some(upper) = leaf.upper.filter(|upper| *upper <= present) else {
            break;
        };
        let is_old = wish.keep_from.is_some_and(|keep| upper <= keep);
        let is_surplus = place < surplus;
        let is_large = wish.most_bytes.is_some_and(|most| bytes > most);
        if !(is_old || is_surplus || is_large) {
            break;
        }
        if leaf.is_pinned {
            retired.spared.push((leaf, "it is pinned".to_owned()));
            continue;
        }
        if let Some(why) = &leaf.obstacle {
            retired.spared.push((leaf, why.clone()));
            continue;
        }
        bytes -= leaf.bytes;
        if retired.leaves.len() >= wish.fuse as usize {
            let why = format!("no more than {} are retired in one run", wish.fuse);
            retired.spared.push((leaf, why));
            continue;
        }
        if let Some(percent) = wish.fuse_percent {
            let then = Share {
                bytes: gone.bytes + i128::from(leaf.bytes),
                rows: gone.rows + rows(leaf, &counted),
            };
            has_blown = has_blown || then.exceeds(&all, percent);
            if has_blown {
                let why = format!(
                    "no more than {percent} % of the table's bytes, or of its rows, are retired in one run"
                );
                retired.spared.push((leaf, why));
                continue;
            }
            gone = then;
        }
        retired.leaves.push(leaf);
    }
    retired
}

/// A part of a table, by both measures.
#[derive(Default)]
struct Share {
    bytes: i128,
    rows: i128,
}

impl Share {
    /// Of the partitions whose rows were counted.
    fn counted(set: &PartitionSet) -> Share {
        let counted = set
            .leaves
            .iter()
            .filter_map(|leaf| Some((leaf, leaf.rows?)));
        counted.fold(Share::default(), |share, (leaf, rows)| Share {
            bytes: share.bytes + i128::from(leaf.bytes),
            rows: share.rows + i128::from(rows),
        })
    }

    /// Whether it is more than so many percent of all, by either.
    fn exceeds(&self, all: &Share, percent: u32) -> bool {
        let percent = i128::from(percent);
        self.bytes * 100 > all.bytes * percent || self.rows * 100 > all.rows * percent
    }
}

/// Rows of a partition. Where they were never counted, as many as its size has in those that were; none
/// where nothing was ever counted, so that size alone counts.
fn rows(leaf: &Leaf, counted: &Share) -> i128 {
    match (leaf.rows, counted.bytes) {
        (Some(rows), _) => rows.into(),
        (None, 0) => 0,
        (None, bytes) => counted.rows * i128::from(leaf.bytes) / bytes,
    }
}
