//! The phases of a conversion and the moves between them.

use serde::{Deserialize, Serialize};

/// Phases in order. A job moves along [`Phase::may_become`] and no other way; every move is
/// committed together with the effect that it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The job row exists; nothing was made.
    Planned,
    /// The twin exists, empty.
    Prepared,
    /// Waiting for the moment in which the capture trigger can be installed.
    Capturing,
    /// Changes are captured; settled rows are being copied.
    Copying,
    /// All settled rows are copied; the twin's indexes are being built.
    Indexing,
    /// Logged keys are read again from the source, until few wait.
    CatchingUp,
    /// Source and twin are compared.
    Verifying,
    /// Waiting for the moment in which the twin can take the source's place.
    Swapping,
    /// The twin has taken the source's place; the retired source stands beside it.
    Reversible,
    /// The retired source is gone.
    Finished,
    /// Stopped by its owner; changes are still captured.
    Paused,
    /// Stopped by an error; changes are still captured.
    Failed,
    /// Being taken back.
    Cancelling,
    /// Taken back; nothing is left of it.
    Cancelled,
}

use Phase::*;

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 14] = [
        Planned, Prepared, Capturing, Copying, Indexing, CatchingUp, Verifying, Swapping,
        Reversible, Finished, Paused, Failed, Cancelling, Cancelled,
    ];

    /// The word for it in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Planned => "planned",
            Prepared => "prepared",
            Capturing => "capturing",
            Copying => "copying",
            Indexing => "indexing",
            CatchingUp => "catching_up",
            Verifying => "verifying",
            Swapping => "swapping",
            Reversible => "reversible",
            Finished => "finished",
            Paused => "paused",
            Failed => "failed",
            Cancelling => "cancelling",
            Cancelled => "cancelled",
        }
    }

    /// The phase with that name.
    pub fn from_name(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Whether a worker has something to do in this phase.
    pub const fn needs_worker(self) -> bool {
        matches!(
            self,
            Planned
                | Prepared
                | Capturing
                | Copying
                | Indexing
                | CatchingUp
                | Verifying
                | Swapping
                | Cancelling
        )
    }

    /// Whether the job is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Finished | Cancelled)
    }

    /// Whether the swap lies ahead, so that the job can still be cancelled.
    pub const fn is_before_swap(self) -> bool {
        matches!(
            self,
            Planned | Prepared | Capturing | Copying | Indexing | CatchingUp | Verifying | Swapping
        )
    }

    /// Whether changes are captured and the table must stay as it is: from the beginning of the
    /// capture to the swap, where nobody has stopped the job.
    pub const fn is_captured(self) -> bool {
        matches!(self, Copying | Indexing | CatchingUp | Verifying | Swapping)
    }

    /// The only legal moves.
    pub const fn may_become(self, next: Phase) -> bool {
        match (self, next) {
            (Planned, Prepared)
            | (Prepared, Capturing)
            | (Capturing, Copying)
            | (Copying, Indexing)
            | (Indexing, CatchingUp)
            | (CatchingUp, Verifying)
            | (Verifying, Swapping | CatchingUp)
            | (Swapping, Reversible)
            | (Reversible, Finished)
            | (Cancelling, Cancelled) => true,
            // The source's file was replaced or truncated: what was copied counts for nothing.
            (Capturing | Copying | Indexing | CatchingUp | Verifying | Swapping, Planned) => true,
            (from, Paused | Failed | Cancelling) if from.is_before_swap() => true,
            (Cancelling, Failed) => true,
            (Paused, Failed) | (Failed, Paused) => true,
            (Paused | Failed, to) => to.is_before_swap() || matches!(to, Cancelling),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_swapped_that_was_not_verified() {
        let into_swapping: Vec<Phase> = Phase::ALL
            .into_iter()
            .filter(|from| from.may_become(Swapping))
            .collect();
        assert_eq!(into_swapping, [Verifying, Paused, Failed]);
        let into_reversible: Vec<Phase> = Phase::ALL
            .into_iter()
            .filter(|from| from.may_become(Reversible))
            .collect();
        assert_eq!(into_reversible, [Swapping]);
    }

    #[test]
    fn what_is_over_stays_over() {
        for over in [Finished, Cancelled] {
            assert!(Phase::ALL.into_iter().all(|next| !over.may_become(next)));
        }
    }

    #[test]
    fn nothing_is_cancelled_after_the_swap() {
        for swapped in [Reversible, Finished] {
            assert!(!swapped.may_become(Cancelling));
            assert!(!swapped.may_become(Failed));
        }
    }

    #[test]
    fn names_are_read_back() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
        }
    }
}
