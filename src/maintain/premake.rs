//! Which partitions to make: pure.

use super::set::{PartitionSet, Position};
use crate::plan::bounds::{BoundsError, Coverage, RangeBound, Span, Zone, range_spans};
use crate::plan::interval::Lattice;

/// What a policy says about partitions to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub lattice: Lattice,
    /// Intervals ahead of the one that is in use.
    pub premake: u32,
    /// Most partitions made in one go.
    pub most: u32,
}

/// Partitions to be made, and what is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Premade {
    pub spans: Vec<Span>,
    /// Why some were not made, in sentences.
    pub skipped: Vec<String>,
}

/// Decides. `keep_from` is the key below which partitions are retired: what is missing there stays
/// missing.
///
/// Partitions that are there keep their bounds, regular or not; new ones fill what they leave, by
/// the calendar.
pub fn decide(
    set: &PartitionSet,
    wish: &Wish,
    position: Position,
    keep_from: Option<i64>,
    zone: &dyn Zone,
) -> Result<Premade, BoundsError> {
    let mut premade = Premade::default();
    let Some(reach) = position.reach() else {
        // Integers, and no data yet: the first range is that of zero, if there is none at all.
        if set.leaves.is_empty() {
            premade.spans = spans(set, wish, (0, 0), wish.premake, zone)?;
        }
        return Ok(premade);
    };
    let present = position.now.unwrap_or(reach);
    if set.leaves.is_empty() {
        premade.spans = spans(set, wish, (present, reach), wish.premake, zone)?;
        return Ok(premade);
    }
    // All partitions that there are lie ahead: rows of today have no place.
    if let Some(first) = set.leaves.first().and_then(|leaf| leaf.lower)
        && present < first
    {
        match spans(set, wish, (present, first - 1), 0, zone) {
            Ok(spans) => premade
                .spans
                .extend(cut(set, spans, set.key.smallest(), Some(first))?),
            Err(error @ BoundsError::TooMany { .. }) => {
                premade.skipped.push(error.message());
                let from = set.key.smallest();
                let around = around(set, wish, present, (from, first), zone)?;
                premade.spans.extend(around);
            }
            Err(error) => return Err(error),
        }
    }
    for gap in set.gaps() {
        let spans = match gap {
            (from, Some(to)) if keep_from.is_none_or(|keep| keep < to) => {
                let from = from.max(keep_from.unwrap_or(from));
                match between(set, wish, from, to, zone) {
                    Err(error @ BoundsError::TooMany { .. }) => {
                        premade.skipped.push(error.message());
                        around(set, wish, present, (from, to), zone)?
                    }
                    spans => spans?,
                }
            }
            (_, Some(_)) => continue,
            (from, None) => match tail(set, wish, from, reach, &mut premade, zone) {
                Err(error @ BoundsError::TooMany { .. }) => {
                    premade.skipped.push(error.message());
                    continue;
                }
                spans => spans?,
            },
        };
        premade.spans.extend(spans);
    }
    let most = wish.most as usize;
    if premade.spans.len() > most {
        premade.skipped.push(format!(
            "{} partitions more are wanted than are made in one go",
            premade.spans.len() - most
        ));
        // What takes rows of the present and of the time to come is needed first, then what is
        // nearest to it.
        let behind = |span: &Span| span.upper.key <= present;
        premade.spans.sort_by_key(|span| match behind(span) {
            false => (false, i128::from(span.lower.key)),
            true => (true, -i128::from(span.lower.key)),
        });
        premade.spans.truncate(most);
        premade.spans.sort_by_key(|span| span.lower.key);
    }
    Ok(premade)
}

/// The intervals that hold these keys, from the first to the last, and so many more.
pub(super) fn spans(
    set: &PartitionSet,
    wish: &Wish,
    (first, last): (i64, i64),
    more: u32,
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let cover = Coverage { first, last };
    range_spans(set.key, wish.lattice, cover, last, more, wish.most, zone)
}

/// The whole of a gap, its outermost intervals cut to it.
fn between(
    set: &PartitionSet,
    wish: &Wish,
    from: i64,
    to: i64,
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let spans = spans(set, wish, (from, to - 1), 0, zone)?;
    cut(set, spans, from, Some(to))
}

/// Of a gap that is too wide to be filled: the interval of the present, and those ahead of it.
fn around(
    set: &PartitionSet,
    wish: &Wish,
    present: i64,
    (from, to): (i64, i64),
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let ahead = wish.premake.min(wish.most.saturating_sub(1));
    let spans = spans(set, wish, (present, present), ahead, zone)?;
    cut(set, spans, from, Some(to))
}

/// Behind the last partition.
fn tail(
    set: &PartitionSet,
    wish: &Wish,
    end: i64,
    reach: i64,
    premade: &mut Premade,
    zone: &dyn Zone,
) -> Result<Vec<Span>, BoundsError> {
    let there = set.leaves.iter().filter_map(|leaf| leaf.lower);
    let to_be = premade.spans.iter().map(|span| span.lower.key);
    let ahead = there.chain(to_be).filter(|lower| *lower > reach).count();
    let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
    if end > reach {
        // The last one holds the present, or lies ahead of it.
        let Some(missing) = wish
            .premake
            .checked_sub(ahead)
            .filter(|missing| *missing > 0)
        else {
            return Ok(Vec::new());
        };
        let spans = spans(set, wish, (end, end), missing - 1, zone)?;
        return cut(set, spans, end, None);
    }
    match spans(set, wish, (end, reach), wish.premake, zone) {
        Ok(spans) => cut(set, spans, end, None),
        // A table that lay still for long: what is needed now comes first, and alone.
        Err(error @ BoundsError::TooMany { .. }) => {
            premade.skipped.push(error.message());
            let spans = spans(set, wish, (reach, reach), wish.premake, zone)?;
            cut(set, spans, end, None)
        }
        Err(error) => Err(error),
    }
}

/// Cuts spans to a range; those outside are left out.
pub(super) fn cut(
    set: &PartitionSet,
    spans: Vec<Span>,
    from: i64,
    to: Option<i64>,
) -> Result<Vec<Span>, BoundsError> {
    spans
        .into_iter()
        .filter_map(|span| {
            let lower = span.lower.key.max(from);
            let upper = to.map_or(span.upper.key, |to| span.upper.key.min(to));
            (lower < upper).then_some((span, lower, upper))
        })
        .map(|(span, lower, upper)| {
            Ok(Span {
                lower: RangeBound::at(set.key, lower)?,
                upper: RangeBound::at(set.key, upper)?,
                label: span.label,
            })
        })
        .collect()
}
