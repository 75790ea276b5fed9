//! Starting workers.
#![allow(unsafe_code, reason = "registers background workers")]

use crate::catalog::job::JobId;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::role;
use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::callbacks::{PgXactCallbackEvent, register_xact_callback};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// What a worker is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Takes a job from phase to phase.
    #[serde(rename = "m")]
    Move,
    /// Helps to copy, to build indexes and to verify.
    #[serde(rename = "h")]
    Help,
    /// Looks for jobs that have lost their worker.
    #[serde(rename = "l")]
    Look,
    /// Maintains a table.
    #[serde(rename = "k")]
    Maintain,
    /// Builds what indexes the partitions of a table lack.
    #[serde(rename = "b")]
    Build,
}

/// What a worker is told when it is started. It must fit into 127 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    #[serde(rename = "t")]
    pub task: Task,
    #[serde(rename = "d")]
    pub database: u32,
    /// The role to connect as; 0 is the bootstrap superuser.
    #[serde(rename = "r")]
    pub role: u32,
    #[serde(rename = "j")]
    pub job: i64,
    /// A transaction to wait for; 0 is none.
    #[serde(rename = "x")]
    pub after: u32,
    /// Which of a job's workers it is; 0 is the one that takes the job from phase to phase.
    #[serde(rename = "n")]
    pub number: u32,
}

impl Assignment {
    /// A worker for a job of this database.
    pub fn new(task: Task, job: JobId, role: pg_sys::Oid) -> Assignment {
        // SAFETY: constant in a connected process.
        let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
        Assignment {
            task,
            database,
            role: role.to_u32(),
            job: job.0,
            after: 0,
            number: 0,
        }
    }

    /// A worker for a table of this database, with the rights of the bootstrap superuser.
    pub fn of_table(task: Task, relation: pg_sys::Oid) -> Assignment {
        let number = JobId(i64::from(relation.to_u32()));
        Assignment::new(task, number, pg_sys::InvalidOid)
    }

    /// The table that it is about, in place of a job.
    pub fn relation(&self) -> u32 {
        u32::try_from(self.job).unwrap_or(0)
    }

    fn name(&self) -> String {
        match self.task {
            Task::Move => format!("pg_partman_rs conversion {}", self.job),
            Task::Help => format!("pg_partman_rs helper of conversion {}", self.job),
            Task::Build => format!("pg_partman_rs indexes of table {}", self.relation()),
            Task::Maintain => format!("pg_partman_rs maintenance of table {}", self.relation()),
            Task::Look => format!("pg_partman_rs maintenance of database {}", self.database),
        }
    }
}

/// The role that a worker of this session connects as. After SET SESSION AUTHORIZATION it may be
/// one that cannot: then nobody but the server's log would hear of it.
pub fn connecting_role() -> Result<pg_sys::Oid, Error> {
    let role = role::session();
    match table::connection_refusal(role)? {
        None => Ok(role),
        Some(detail) => Err(Error::NoLogin {
            role: table::role_name(role)?,
            detail,
        }),
    }
}

/// Starts a worker now.
pub fn start(assignment: Assignment) -> Result<(), Error> {
    let extra = serde_json::to_string(&assignment)
        .map_err(|error| Error::Internal(format!("assignment of a worker: {error}")))?;
    BackgroundWorkerBuilder::new(&assignment.name())
        .set_type("pg_partman_rs")
        .set_library("pg_partman_rs")
        .set_function("pg_partman_rs_worker")
        .set_extra(&extra)
        .enable_spi_access()
        // A job's state is in its row; whoever starts the next worker looks there first.
        .set_restart_time(None)
        .load_dynamic()
        .map(drop)
        .map_err(|_| Error::NoWorker {
            // SAFETY: reads a setting.
            slots: unsafe { pg_sys::max_worker_processes },
        })
}

/// Whether a transaction must fail when the worker that it wants cannot be started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// There is one already; another is wanted in case that one is just ending.
    Rather,
    Surely,
}

/// Starts a worker when the current transaction commits; none where it is rolled back.
///
/// The worker is registered just before the commit, where a lack of slots can still be reported
/// as an error, and waits for the end of the transaction. If that fails after all, or if the
/// call was rolled back to a savepoint, the worker finds no job, and ends.
///
/// Who asks for the same worker again before that gets it once.
pub fn start_at_commit(assignment: Assignment, needed: Needed) {
    let is_first = WANTED.with_borrow_mut(|wanted| {
        let is_first = wanted.is_empty();
        match wanted.iter_mut().find(|(same, _)| *same == assignment) {
            Some((_, how)) => *how = needed.max(*how),
            None => wanted.push((assignment, needed)),
        }
        is_first
    });
    if !is_first {
        return;
    }
    register_xact_callback(PgXactCallbackEvent::PreCommit, || {
        // SAFETY: inside a transaction.
        let after = unsafe { pg_sys::GetTopTransactionIdIfAny() }.into_inner();
        for (assignment, needed) in WANTED.take() {
            let started = start(Assignment {
                after,
                ..assignment
            });
            if needed == Needed::Surely {
                raise(started);
            }
        }
    });
    register_xact_callback(PgXactCallbackEvent::PrePrepare, || {
        raise(Err(Error::Argument {
            message: "cannot PREPARE a transaction that has asked for a conversion".to_owned(),
            detail: Some("The conversion starts at the commit of its transaction.".to_owned()),
            hint: None,
        }));
    });
    register_xact_callback(PgXactCallbackEvent::Abort, || {
        WANTED.take();
    });
}

thread_local! {
    /// What the current transaction starts when it commits.
    static WANTED: RefCell<Vec<(Assignment, Needed)>> = const { RefCell::new(Vec::new()) };
}

fn raise(result: Result<(), Error>) {
    if let Err(error) = result {
        ErrorReport::from(error).report(pgrx::PgLogLevel::ERROR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_assignment_fits() {
        let longest = Assignment {
            task: Task::Move,
            database: u32::MAX,
            role: u32::MAX,
            job: i64::MIN,
            after: u32::MAX,
            number: u32::MAX,
        };
        let text = serde_json::to_string(&longest).unwrap();
        assert!(text.len() < 128, "{text}");
        assert_eq!(serde_json::from_str::<Assignment>(&text).unwrap(), longest);
    }
}
