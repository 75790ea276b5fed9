//! How often clients do what.

use rand::{Rng, RngExt as _};

/// What a client may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Changes a row where it is.
    Touch,
    /// Moves a row to another partition.
    Shift,
    Insert,
    Delete,
    /// Deletes a row and inserts its key anew, elsewhere, in one transaction.
    Reinsert,
    Upsert,
    /// Loads rows with COPY.
    Copy,
    /// A transaction of several statements, part of which is rolled back to a savepoint.
    Savepoint,
    /// A transaction that is rolled back whole.
    Rollback,
    /// A transaction that stays open for a while between its statements.
    Linger,
    /// A prepared transaction that stays open for a while before it is committed or rolled back.
    TwoPhase,
    /// Reads a row that only this client changes: it must be there once, in its last version.
    Look,
    /// Changes such a row and reads it again: is the table writable and readable just now?
    Probe,
}

impl Kind {
    /// Whether it holds locks for long, so that clients do it at intervals and not by chance.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Self::Linger | Self::TwoPhase)
    }
}

/// Shares of the kinds.
#[derive(Debug, Clone)]
pub struct Mix(Vec<(Kind, u32)>);

impl Mix {
    /// Everything, in about the shares that `reliability.md` 4.3 asks for.
    pub fn full() -> Self {
        use Kind::*;
        Self(vec![
            (Touch, 35),
            (Shift, 5),
            (Insert, 20),
            (Delete, 9),
            (Reinsert, 5),
            (Upsert, 5),
            (Copy, 1),
            (Savepoint, 3),
            (Rollback, 1),
            (Linger, 1),
            (TwoPhase, 1),
            (Look, 15),
        ])
    }

    /// Short transactions only: nothing that keeps anybody waiting.
    pub fn brisk() -> Self {
        Self::full().without(&[Kind::Linger, Kind::TwoPhase, Kind::Copy])
    }

    /// Only these, in equal shares.
    pub fn only(kinds: &[Kind]) -> Self {
        Self(kinds.iter().map(|kind| (*kind, 1)).collect())
    }

    /// The same without some kinds.
    pub fn without(mut self, kinds: &[Kind]) -> Self {
        self.0.retain(|(kind, _)| !kinds.contains(kind));
        self
    }

    pub(super) fn pick(&self, rng: &mut impl Rng) -> Option<Kind> {
        self.pick_where(rng, |kind| !kind.is_slow())
    }

    pub(super) fn pick_slow(&self, rng: &mut impl Rng) -> Option<Kind> {
        self.pick_where(rng, Kind::is_slow)
    }

    fn pick_where(&self, rng: &mut impl Rng, wanted: impl Fn(Kind) -> bool) -> Option<Kind> {
        let choice: Vec<(Kind, u32)> = self
            .0
            .iter()
            .copied()
            .filter(|(kind, _)| wanted(*kind))
            .collect();
        let total: u32 = choice.iter().map(|(_, share)| share).sum();
        if total == 0 {
            return None;
        }
        let mut left = rng.random_range(0..total);
        choice.into_iter().find_map(|(kind, share)| {
            let hit = left < share;
            left = left.saturating_sub(share);
            hit.then_some(kind)
        })
    }
}
