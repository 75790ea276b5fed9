//! What the clients of a load have to say at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::Kind;
use crate::latency::Latency;

/// A statement that should have succeeded.
#[derive(Debug, Clone)]
pub struct Failure {
    pub client: usize,
    pub kind: Option<Kind>,
    pub at: Instant,
    pub text: String,
}

/// The sum of what clients did.
#[derive(Debug, Default)]
pub struct Report {
    /// Finished operations of each kind; those that found no row count as well.
    pub done: BTreeMap<Kind, u64>,
    /// Operations known to be committed.
    pub committed: BTreeSet<i64>,
    /// Operations known to be rolled back.
    pub rolled_back: BTreeSet<i64>,
    pub failures: Vec<Failure>,
    /// Statements met by "moved to another partition", the one error that a conversion may bring.
    pub moved: u64,
    pub reconnects: u64,
    /// Operations whose outcome had to be looked up in the ledger.
    pub looked_up: u64,
    pub latency: Latency,
}

impl Report {
    pub fn merge(&mut self, other: Self) {
        for (kind, count) in other.done {
            *self.done.entry(kind).or_default() += count;
        }
        self.committed.extend(other.committed);
        self.rolled_back.extend(other.rolled_back);
        self.failures.extend(other.failures);
        self.moved += other.moved;
        self.reconnects += other.reconnects;
        self.looked_up += other.looked_up;
        self.latency.merge(&other.latency);
    }

    pub fn operations(&self) -> u64 {
        self.done.values().sum()
    }

    /// Fails the test where any statement failed.
    ///
    /// # Panics
    /// With the first few failures.
    pub fn assert_no_failures(&self) {
        let first: Vec<String> = self
            .failures
            .iter()
            .take(5)
            .map(|f| format!("{:?} of client {}: {}", f.kind, f.client, f.text))
            .collect();
        assert!(
            first.is_empty(),
            "{} failed statements, such as\n{}",
            self.failures.len(),
            first.join("\n")
        );
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        format!(
            "{} operations ({} committed changes, {} met a move, {} reconnects, {} looked up); {}",
            self.operations(),
            self.committed.len(),
            self.moved,
            self.reconnects,
            self.looked_up,
            self.latency.summary()
        )
    }
}
