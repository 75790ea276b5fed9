//! A step of a plan: what is run, under which locks.

use super::lock::{Lock, Mode};
use super::names::QualifiedName;
use super::phase::Phase;
use serde::{Deserialize, Serialize};

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub phase: Phase,
    /// As it is run; a step that is not a statement is told in a comment.
    pub statement: String,
    /// On every relation that is there before it.
    pub locks: Vec<Lock>,
    pub note: String,
    /// The partition that it makes, or builds an index of: its place in the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<usize>,
    /// Role that must run the statement where it is not the table's owner: a grantor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<u32>,
}

impl Step {
    /// A step that locks nothing.
    pub fn new(phase: Phase, statement: String) -> Self {
        Step {
            phase,
            statement,
            locks: Vec::new(),
            note: String::new(),
            partition: None,
            run_as: None,
        }
    }

    /// Also takes this lock.
    pub fn lock(mut self, lock: Lock) -> Self {
        self.locks.push(lock);
        self
    }

    /// Also locks a relation that applications use.
    pub fn locks(self, mode: Mode, relation: &QualifiedName) -> Self {
        self.lock(Lock::on(mode, relation))
    }

    /// Also locks a relation that the conversion has made.
    pub fn locks_new(self, mode: Mode, relation: &QualifiedName) -> Self {
        self.lock(Lock::on_new(mode, relation))
    }

    /// Says what the user should know about it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Is about that partition.
    pub fn of_partition(mut self, place: usize) -> Self {
        self.partition = Some(place);
        self
    }

    /// Is run by that role.
    pub fn run_as(mut self, role: u32) -> Self {
        self.run_as = Some(role);
        self
    }
}
