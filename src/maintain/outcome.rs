//! What a run of maintenance tells: a row for each action.

use super::managed::Table;
use super::{leaving, repair, values};
use crate::catalog::policy::Action;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::transaction::Failure;
use pgrx::pg_sys;

/// What is told where rows were moved out of a default partition, when that is done.
pub const DRAINED: &str = "drained";

/// Nothing is done to that.
pub const IN_THE_BIN: &str = "it lies in the recycle bin";

/// What is told where there was nothing left to do.
pub const SOMEBODY_ELSE: &str = "skipped: somebody else did it";

/// What is told of what is left to a later run.
pub const QUIET: &str = "skipped: quiet hours have begun";

/// One action, and what came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub parent: pg_sys::Oid,
    pub relation: String,
    pub owner: pg_sys::Oid,
    pub action: &'static str,
    pub partition: Option<String>,
    pub lower: Option<String>,
    pub upper: Option<String>,
    /// What was done; or `skipped: ` and why.
    pub outcome: String,
    pub failure: Option<Failed>,
}

/// How an action failed.
#[derive(Clone, Debug)]
pub struct Failed {
    pub sqlstate: String,
    pub message: String,
}

impl Outcome {
    /// What came of it, in a word.
    pub fn kind(&self) -> &str {
        match self.failure {
            Some(_) => "failed",
            None => &self.outcome,
        }
    }

    /// What came of it, with the reason.
    pub fn in_words(&self) -> String {
        match &self.failure {
            Some(failed) => format!("failed: {} {}", failed.sqlstate, failed.message),
            None => self.outcome.clone(),
        }
    }

    /// Whether it was done under a lock that everybody waits for: a partition was retired, or rows were
    /// moved.
    pub fn is_exclusive(&self) -> bool {
        let retired = Action::ALL.iter().map(|action| action.done());
        (retired.chain([values::FILLED])).any(|done| done == self.kind())
    }

    /// What an action on a table came to.
    pub fn of(table: &Table, action: &'static str, told: String) -> Outcome {
        Outcome {
            relation: table.name.name.clone(),
            owner: table.owner,
            action,
            outcome: told,
            ..unread(table.parent)
        }
    }

    /// Whether a partition was mended.
    pub fn is_repaired(&self) -> bool {
        self.failure.is_none() && self.outcome.starts_with("repaired")
    }

    /// Whether an index is left for a worker to build.
    pub fn is_left_to_builder(&self) -> bool {
        self.outcome.ends_with(repair::LEFT_TO_BUILDER)
    }

    /// Whether a worker is to take keys out of the guard, before the next attempt.
    pub fn is_left_to_worker(&self) -> bool {
        self.outcome.ends_with(leaving::LEFT_TO_WORKER)
    }

    pub fn failed(self, failure: &Failure) -> Outcome {
        Outcome {
            failure: Some(Failed {
                sqlstate: failure.sqlstate(),
                message: failure.message.clone(),
            }),
            ..self
        }
    }
}

/// The outcome where another process is just about it.
pub fn held_by_another(parent: pg_sys::Oid) -> Result<Outcome, Error> {
    Ok(Outcome {
        relation: table::name(parent)?.unwrap_or_default(),
        outcome: "skipped: another process maintains it".to_owned(),
        ..unread(parent)
    })
}

/// The outcome of a look that failed; the table may be gone.
pub fn unread(parent: pg_sys::Oid) -> Outcome {
    Outcome {
        parent,
        relation: String::new(),
        owner: pg_sys::InvalidOid,
        action: "look",
        partition: None,
        lower: None,
        upper: None,
        outcome: String::new(),
        failure: None,
    }
}
