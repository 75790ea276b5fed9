//! Which partitions a new partition gets, that is partitioned itself: pure.

use super::infer;
use super::premake::cut;
use super::set::{Leaf, PartitionSet};
use crate::plan::bounds::{BoundsError, Coverage, Span, Zone, range_spans};

/// Whether a range of its sibling's is of use to a new partition, where ranges are of another time than
/// the table's: it holds the present, or lies ahead.
pub fn is_ahead(leaf: &Leaf, now: i64) -> bool {
    leaf.upper.is_none_or(|upper| now < upper)
}

/// Whether rows of these times lie in a range, each of them known to be from here to there, both included.
pub fn is_wanted(leaf: &Leaf, times: &[(i64, i64)]) -> bool {
    times.iter().any(|(at_least, at_most)| {
        leaf.lower.is_none_or(|lower| lower <= *at_most)
            && leaf.upper.is_none_or(|upper| *at_least < upper)
    })
}

/// The ranges of a new partition that reaches from `lower` to `upper`, where it is divided by the same
/// column as the table: as wide as its sibling's, all of them. `None` where these have no interval in
/// common that partitions are made with.
pub fn within(
    sibling: &PartitionSet,
    (lower, upper): (i64, i64),
    most: u32,
    zone: &dyn Zone,
) -> Result<Option<Vec<Span>>, BoundsError> {
    let Some(lattice) = infer::lattice(sibling, zone).map_err(BoundsError::Zone)? else {
        return Ok(None);
    };
    let cover = Coverage {
        first: lower,
        last: upper - 1,
    };
    let spans = range_spans(sibling.key, lattice, cover, cover.last, 0, most, zone)?;
    cut(sibling, spans, lower, Some(upper)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maintain::tests::NoZone;
    use crate::plan::interval::KeyType;

    fn leaf(lower: i64, upper: Option<i64>) -> Leaf {
        Leaf {
            oid: 0,
            lower: Some(lower),
            upper,
            bytes: 0,
            rows: None,
            is_pinned: false,
            obstacle: None,
        }
    }

    #[test]
    fn what_has_passed_is_not_copied() {
        assert!(!is_ahead(&leaf(0, Some(10)), 10));
        assert!(is_ahead(&leaf(0, Some(11)), 10));
        assert!(is_ahead(&leaf(20, Some(30)), 10));
        assert!(is_ahead(&leaf(0, None), 10));
    }

    #[test]
    fn what_rows_lie_in_is_wanted() {
        let wanted = |times: &[(i64, i64)]| is_wanted(&leaf(10, Some(20)), times);
        assert!(!wanted(&[]));
        assert!(!wanted(&[(9, 9), (20, 20)]));
        assert!(wanted(&[(9, 9), (10, 10)]) && wanted(&[(19, 19)]));
        // A time that is known only about.
        assert!(wanted(&[(5, 10)]) && wanted(&[(19, 25)]) && !wanted(&[(5, 9)]));
        assert!(is_wanted(&leaf(10, None), &[(i64::MAX, i64::MAX)]));
    }

    fn days(from: i64, to: i64, step: i64) -> PartitionSet {
        let lowers = (from..to).step_by(usize::try_from(step).unwrap_or(1));
        PartitionSet {
            key: KeyType::Date,
            leaves: lowers
                .map(|lower| leaf(lower, Some((lower + step).min(to))))
                .collect(),
        }
    }

    #[test]
    fn a_range_of_the_same_column_is_divided_as_its_sibling_is() {
        // January 2000 by days gives February by days.
        let spans = within(&days(0, 31, 1), (31, 60), 100, &NoZone)
            .expect("spans")
            .expect("an interval");
        assert_eq!(spans.len(), 29);
        assert_eq!((spans[0].lower.key, spans[28].upper.key), (31, 60));
        // Ten days each: the outermost are cut to the range, and nothing is left out.
        let spans = within(&days(0, 30, 10), (35, 58), 100, &NoZone)
            .expect("spans")
            .expect("an interval");
        assert_eq!(
            (spans[0].lower.key, spans.last().map(|last| last.upper.key)),
            (35, Some(58))
        );
        assert!(
            spans
                .windows(2)
                .all(|pair| pair[0].upper.key == pair[1].lower.key)
        );
    }

    #[test]
    fn without_an_interval_nothing_is_guessed() {
        let endless = PartitionSet {
            key: KeyType::Date,
            leaves: vec![leaf(0, None)],
        };
        assert_eq!(within(&endless, (31, 60), 100, &NoZone), Ok(None));
        assert!(
            within(&days(0, 31, 1), (0, 3000), 100, &NoZone).is_err(),
            "too many"
        );
    }
}
