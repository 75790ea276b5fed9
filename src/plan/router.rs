//! Which partition a key belongs to.

use super::Partition;

/// Finds partitions by binary search over contiguous ranges.
pub struct Router {
    /// Lower bounds, ascending.
    lowers: Vec<i64>,
    /// Upper bound of the last range.
    end: i64,
    default: Option<usize>,
    last: usize,
}

impl Router {
    /// Makes a router over a plan's partitions: ascending, contiguous ranges, and perhaps a
    /// default partition.
    pub fn new(partitions: &[Partition]) -> Router {
        let ranges = || {
            partitions
                .iter()
                .filter_map(|partition| partition.range.as_ref())
        };
        Router {
            lowers: ranges().map(|(lower, _)| lower.key).collect(),
            end: ranges()
                .next_back()
                .map_or(i64::MIN, |(_, upper)| upper.key),
            default: partitions
                .iter()
                .position(|partition| partition.range.is_none()),
            last: 0,
        }
    }

    /// The place of the key's partition in the plan; `None` where no partition takes it. A null
    /// key belongs to the default partition.
    pub fn route(&mut self, key: Option<i64>) -> Option<usize> {
        let Some(key) = key else { return self.default };
        if self.is_in(self.last, key) {
            return Some(self.last);
        }
        let after = self.lowers.partition_point(|lower| *lower <= key);
        if after == 0 || key >= self.end {
            return self.default;
        }
        self.last = after - 1;
        Some(self.last)
    }

    /// Rows arrive in runs: the partition of the row before is the best guess.
    fn is_in(&self, range: usize, key: i64) -> bool {
        let upper = self.lowers.get(range + 1).copied().unwrap_or(self.end);
        self.lowers.get(range).is_some_and(|lower| *lower <= key) && key < upper
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
            name: QualifiedName {
                schema: "s".into(),
                name: "p".into(),
            },
            range: range.map(|(lower, upper)| (bound(lower), bound(upper))),
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
    fn without_a_default_outsiders_have_no_place() {
        let mut router = Router::new(&[partition(Some((0, 10)))]);
        assert_eq!(router.route(Some(10)), None);
        assert_eq!(router.route(None), None);
    }

    proptest! {
        #[test]
        fn the_guess_changes_nothing(keys in proptest::collection::vec(-50i64..350, 1..50)) {
            let partitions: Vec<_> =
                (0..30).map(|n| partition(Some((n * 10, n * 10 + 10)))).collect();
            let mut router = Router::new(&partitions);
            for key in keys {
                let expected = (0..300).contains(&key).then_some((key / 10) as usize);
                prop_assert_eq!(router.route(Some(key)), expected);
            }
        }
    }
}
