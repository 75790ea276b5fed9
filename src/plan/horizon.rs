//! The moment from which changes are captured, and what it says about a row version.
//!
//! When the capture trigger is installed, under a lock that no writer holds, the running
//! transactions are written down. Every version of a row is then one of three, whenever it is
//! looked at; see [`Standing`]. `docs/internals/copy.md` argues why this is complete.

use serde::{Deserialize, Serialize};

/// Which transactions had ended when the capture of changes began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    /// The oldest transaction that was still running.
    pub oldest_running: u32,
    /// The next transaction id to be given out.
    pub next: u32,
    /// Ids in between that were running, subtransactions included, ascending as plain numbers.
    /// `None`: the server could not name all subtransactions.
    pub running: Option<Vec<u32>>,
    /// [`Horizon::next`] with its epoch, to notice when ids could have come around.
    pub next_full: u64,
}

/// What a visible row version is to the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Committed before the capture began: it is copied.
    Settled,
    /// Written after the capture began: the trigger has logged it.
    Young,
    /// It cannot be told: whoever scans it logs its key, which is always safe.
    Unsure,
}

/// Ids below this one are permanent (`FirstNormalTransactionId`).
const FIRST_NORMAL: u32 = 3;

/// Whether transaction `a` came before `b`, modulo 2^32, as `TransactionIdPrecedes` has it.
/// Both must be normal ids.
fn precedes(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Horizon {
    /// Judges a row version that the scan's snapshot sees.
    ///
    /// `xmin` is the raw inserting transaction, `frozen` its hint bit, and `snapshot_next` the
    /// first id that the scan's own snapshot does not know.
    pub fn standing(&self, xmin: u32, frozen: bool, snapshot_next: u32) -> Standing {
        if xmin < FIRST_NORMAL || precedes(xmin, self.oldest_running) {
            return Standing::Settled;
        }
        // Whether frozen or not: what was given out before, and did not run then, had ended; and
        // an ancient version that happens to carry such a number had ended long before.
        if precedes(xmin, self.next)
            && self
                .running
                .as_ref()
                .is_some_and(|running| running.binary_search(&xmin).is_err())
        {
            return Standing::Settled;
        }
        if frozen {
            // VACUUM FREEZE can freeze a version that is younger than the capture; an ancient
            // one can carry any number. Ids that were never given out since are ancient.
            return match precedes(xmin, snapshot_next) {
                true => Standing::Unsure,
                false => Standing::Settled,
            };
        }
        match self.running.is_some() || !precedes(xmin, self.next) {
            true => Standing::Young,
            false => Standing::Unsure,
        }
    }

    /// Whether so many ids were given out since that comparing them modulo 2^32 is no longer
    /// safe. The copy must then begin anew.
    pub fn is_worn_out(&self, now: u64) -> bool {
        now.saturating_sub(self.next_full) > 1 << 30
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::*;
    use super::*;
    use proptest::prelude::*;

    fn horizon(running: Option<Vec<u32>>) -> Horizon {
        Horizon {
            oldest_running: 1000,
            next: 1010,
            running,
            next_full: 1010,
        }
    }

    #[test]
    fn what_ended_before_is_settled() {
        let h = horizon(Some(vec![1000, 1004]));
        assert_eq!(h.standing(2, true, 1100), Settled);
        assert_eq!(h.standing(999, false, 1100), Settled);
        assert_eq!(h.standing(999, true, 1100), Settled);
        assert_eq!(h.standing(1003, false, 1100), Settled);
    }

    #[test]
    fn what_ran_or_came_later_is_young() {
        let h = horizon(Some(vec![1000, 1004]));
        assert_eq!(h.standing(1000, false, 1100), Young);
        assert_eq!(h.standing(1004, false, 1100), Young);
        assert_eq!(h.standing(1010, false, 1100), Young);
        assert_eq!(h.standing(1099, false, 1100), Young);
    }

    #[test]
    fn unnamed_subtransactions_leave_doubt() {
        assert_eq!(horizon(None).standing(1005, false, 1100), Unsure);
    }

    #[test]
    fn a_frozen_version_is_doubtful_only_if_its_id_was_given_out_since() {
        let h = horizon(Some(vec![1000]));
        assert_eq!(h.standing(1050, true, 1100), Unsure);
        assert_eq!(h.standing(1100, true, 1100), Settled);
        assert_eq!(h.standing(0x7000_0000, true, 1100), Settled);
    }

    #[test]
    fn a_frozen_version_that_had_ended_is_settled() {
        let h = horizon(Some(vec![1000, 1004]));
        assert_eq!(h.standing(1003, true, 1100), Settled);
        assert_eq!(h.standing(1004, true, 1100), Unsure);
        assert_eq!(horizon(None).standing(1003, true, 1100), Unsure);
    }

    #[test]
    fn ids_wear_out() {
        assert!(!horizon(None).is_worn_out(1010 + (1 << 30)));
        assert!(horizon(None).is_worn_out(1011 + (1 << 30)));
    }

    proptest! {
        /// Shifting all ids by the same amount changes nothing, wherever the counter wraps.
        #[test]
        fn comparison_is_modular(shift in any::<u32>(), at in 0u32..400) {
            let plain = horizon(Some(vec![1000, 1004]));
            let moved = |id: u32| id.wrapping_add(shift);
            let mut running = vec![moved(1000), moved(1004)];
            running.sort_unstable();
            let shifted = Horizon {
                oldest_running: moved(1000), next: moved(1010), running: Some(running), next_full: 0,
            };
            let id = 800 + at;
            prop_assume!(moved(id) >= FIRST_NORMAL);
            prop_assert_eq!(
                plain.standing(id, false, 1300),
                shifted.standing(moved(id), false, moved(1300))
            );
        }
    }
}
