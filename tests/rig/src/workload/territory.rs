//! Which rows belong to whom.
//!
//! | rows | who may do what |
//! |---|---|
//! | the first tenth | upserted, changed and deleted by all, never moved: an upsert must know where its row would be |
//! | the middle, and all rows made later | everything by everybody |
//! | the last tenth | a slice for each client alone: transactions that stay open, and rows whose content it knows |

use std::ops::RangeInclusive;

#[derive(Debug)]
pub(super) struct Territory {
    seeds: i64,
    slices: i64,
}

impl Territory {
    pub(super) fn of(seeds: i64, slices: usize) -> Self {
        let slices = i64::try_from(slices).expect("few clients");
        assert!(
            seeds / 10 >= slices,
            "{seeds} rows are too few for {slices} clients"
        );
        Self { seeds, slices }
    }

    pub(super) fn upserts(&self) -> RangeInclusive<i64> {
        1..=self.seeds / 10
    }

    /// From the first common row to the newest.
    pub(super) fn common(&self, newest: i64) -> impl Fn(i64) -> i64 {
        let first = self.seeds / 10 + 1;
        let last_seed = self.seeds - self.seeds / 10;
        let size = (last_seed - first + 1) + (newest - self.seeds).max(0);
        let gap = self.seeds - last_seed;
        move |random| {
            let number = first + random % size;
            if number > last_seed {
                number + gap
            } else {
                number
            }
        }
    }

    pub(super) fn private(&self, client: usize) -> RangeInclusive<i64> {
        let client = i64::try_from(client).expect("few clients");
        let first = self.seeds - self.seeds / 10 + 1;
        let width = self.seeds / 10 / self.slices;
        first + client * width..=first + (client + 1) * width - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Territory;

    #[test]
    fn zones_do_not_overlap() {
        let land = Territory::of(1_000, 4);
        let pick = land.common(1_010);
        let common: Vec<i64> = (0..810).map(pick).collect();
        assert_eq!(
            (land.upserts(), common[0], common[799], common[800]),
            (1..=100, 101, 900, 1_001)
        );
        assert_eq!(land.private(0), 901..=925);
        assert_eq!(land.private(3), 976..=1_000);
        assert!(
            common
                .iter()
                .all(|n| !land.upserts().contains(n) && !(901..=1_000).contains(n))
        );
    }
}
