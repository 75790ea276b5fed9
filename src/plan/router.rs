//! Which partition a key belongs to.

use super::Partition;

/// Finds partitions by binary search over ranges of numbers.
pub struct Router {
    /// Lower and upper bounds, ascending. There may be gaps between them: other partitions of the table
    /// out of whose default partition rows are moved, or nothing.
    ranges: Vec<(i64, i64)>,
    default: Option<usize>,
    last: usize,
}

impl Router {
    /// Makes a router over a plan's partitions: ascending ranges, and perhaps a default partition
    /// behind them.
    pub fn new(partitions: &[Partition]) -> Router {
        let ranges = partitions
            .iter()
            .filter_map(|partition| partition.range.as_ref());
        Router {
            ranges: ranges
                .map(|(lower, upper)| (lower.key, upper.key))
                .collect(),
            default: partitions.iter().position(Partition::is_default),
            last: 0,
        }
    }

    /// The place of the key's partition in the plan; `None` where no partition takes it. A null
    /// key belongs to the default partition.
    pub fn route(&mut self, key: Option<i64>) -> Option<usize> {
        let Some(key) = key else { return self.default };
        // Rows arrive in runs: the partition of the row before is the best guess.
        if self.is_in(self.last, key) {
            return Some(self.last);
        }
        let after = self.ranges.partition_point(|(lower, _)| *lower <= key);
        match after.checked_sub(1) {
            Some(place) if self.is_in(place, key) => {
                self.last = place;
                Some(place)
            }
            _ => self.default,
        }
    }

    fn is_in(&self, place: usize, key: i64) -> bool {
        self.ranges
            .get(place)
            .is_some_and(|(lower, upper)| (*lower..*upper).contains(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::bounds::RangeBound;
    use crate::plan::names::QualifiedName;
    use proptest::prelude::*;

    fn partition(range: Option<(i64, i64)>) -> Partition {
        let bound = |key: i64| RangeBound {
            key,
            literal: key.to_string(),
        };
        Partition {
            name: QualifiedName::new("s", "p"),
            range: range.map(|(lower, upper)| (bound(lower), bound(upper))),
            value: None,
            below: None,
        }
    }

    #[test]
    fn bounds_are_half_open_and_the_rest_goes_to_the_default() {
        let partitions = [
            partition(Some((0, 10))),
            partition(Some((10, 20))),
            partition(None),
        ];
        let mut router = Router::new(&partitions);
        let keys = [-1, 0, 9, 10, 19, 20, i64::MIN, i64::MAX];
        let found: Vec<_> = keys
            .into_iter()
            .map(|key| router.route(Some(key)))
            .collect();
        assert_eq!(
            found,
            [
                Some(2),
                Some(0),
                Some(0),
                Some(1),
                Some(1),
                Some(2),
                Some(2),
                Some(2)
            ]
        );
        assert_eq!(router.route(None), Some(2));
    }

    #[test]
    fn gaps_are_nobodys() {
        let partitions = [
            partition(Some((0, 10))),
            partition(Some((50, 60))),
            partition(None),
        ];
        let mut router = Router::new(&partitions);
        let found = [5, 10, 49, 50, 59, 9].map(|key| router.route(Some(key)));
        assert_eq!(found.map(Option::unwrap_or_default), [0, 2, 2, 1, 1, 0]);
    }

    #[test]
    fn without_a_default_outsiders_have_no_place() {
        let mut router = Router::new(&[partition(Some((0, 10)))]);
        assert_eq!(router.route(Some(10)), None);
        assert_eq!(router.route(None), None);
    }

    proptest! {
        #[test]
        fn the_guess_changes_nothing(keys in proptest::collection::vec(-50i64..350, 1..50)) {
            let partitions: Vec<_> =
                (0..30).map(|n| partition(Some((n * 10, n * 10 + 8)))).collect();
            let mut router = Router::new(&partitions);
            for key in keys {
                let is_within = (0..300).contains(&key) && key % 10 < 8;
                let expected = is_within.then_some((key / 10) as usize);
                prop_assert_eq!(router.route(Some(key)), expected);
            }
        }
    }
}
