//! Foreign keys of the table that point at itself: made on the twin, with its rows, ahead of the swap.
//!
//! PostgreSQL validates such a key when it is made: its rows must be without a false orphan then. They are
//! right after a round of catching up that has left nothing, for then the twin holds the rows that the
//! source held for the snapshot of that round, all of them of one moment:
//!
//! - A change that the snapshot sees has logged its key in the same transaction, so that the round saw the
//!   entry, or one before it took it off the log. No other change of that row is seen by the snapshot, and
//!   left out: its entry would be left.
//! - So a row that this round has not touched is what the round that last did made of it, from an older
//!   snapshot; the newer one sees no other change of it.
//! - What the snapshot does not see, no round has applied: none had a newer one.
//!
//! The source's key holds in each snapshot: PostgreSQL checks it, and what it cascades to is done, before a
//! transaction commits. Nobody else writes to the twin, and this worker applies nothing meanwhile: that waits
//! in the log. Rows get into the twin below SQL: the triggers of its keys do not fire until the swap.
//!
//! Where what they point at is guarded, the twin's point at the guard. Each round gives it, of each key that it meets,
//! what it gives the twin: it holds the keys of the same rows then.

use super::as_owner;
use super::definition::twin_altered;
use super::key_parts;
use crate::catalog::job::Job;
use crate::catalog::self_key;
use crate::convert::foreign_keys::drop_statement;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::settings;
use crate::pg::transaction::{Failure, unit};
use crate::plan::comments;
use crate::plan::dependents::{SelfKey, from_first_difference};
use pgrx::{PgSqlErrorCode, pg_sys};
use std::ffi::CStr;

/// So many scans of a table take as long as looking up each of its rows.
const SCANS_AT_MOST: usize = 10;

const BY_INDEX: [(&CStr, &CStr); 2] = [(c"enable_hashjoin", c"off"), (c"enable_mergejoin", c"off")];

/// Whether the twin has the keys that the source has.
pub fn are_there(job: &Job) -> Result<bool, Failure> {
    let (there, wanted) = look(job)?;
    let (dropped, made) = from_first_difference(&there, &wanted, SelfKey::is_like);
    Ok(dropped.is_empty() && made.is_empty())
}

/// Gives the twin the keys that the source has. Only right after a round that has left nothing. Each in a
/// transaction of its own, which takes as long as comparing the table with itself.
pub fn make(job: &Job) -> Result<(), Failure> {
    let (there, wanted) = look(job)?;
    let (dropped, missing) = from_first_difference(&there, &wanted, SelfKey::is_like);
    for key in dropped {
        unit(|| as_owner(job, || run(&drop_statement(&job.plan.twin, &key.name))))?;
    }
    for key in missing {
        unit(|| make_one(job, key)).map_err(|failure| explained(failure, key))?;
        failpoint("foreign_keys:of_itself")?;
    }
    Ok(())
}

fn look(job: &Job) -> Result<(Vec<SelfKey>, Vec<SelfKey>), Failure> {
    unit(|| {
        match job.plan.default_of.is_none() && self_key::any(&[twin(job), job.source], job.guard)? {
            true => Ok((of_twin(job)?, self_key::of(job.source, |facts| facts)?)),
            false => Ok((Vec::new(), Vec::new())),
        }
    })
}

/// What points at its guard points at the twin itself.
fn of_twin(job: &Job) -> Result<Vec<SelfKey>, Error> {
    self_key::of(twin(job), |facts| job.plan.without_guard(facts))
}

fn make_one(job: &Job, key: &SelfKey) -> Result<(), Error> {
    // SHARE ROW EXCLUSIVE on the twin and its leaves, and on its guard, which nobody else uses, until the end of
    // this transaction.
    as_owner(job, || {
        // Each partition is compared with the whole table by itself: where there are many, a look at an index for
        // each row takes less than as many scans of the table.
        let how: &[_] = match job.plan.partitions.len() > SCANS_AT_MOST {
            true => &BY_INDEX,
            false => &[],
        };
        settings::within(
            how,
            || run(&key.make(&job.plan.twin, job.plan.key_target())),
        )?;
        match &key.comment {
            Some(comment) => run(&comments::on_constraint(&key.name, &job.plan.twin, comment)),
            None => Ok(()),
        }
    })?;
    // The statement went by names, and no lock on a table keeps its schema from changing its name.
    match of_twin(job)?.iter().find(|made| made.name == key.name) {
        Some(made) => key_parts::call_after(
            pg_sys::Oid::from(made.oid),
            &job.plan.twin.name,
            &job.plan.source.name,
        ),
        None => Err(twin_altered(job)),
    }
}

fn run(statement: &str) -> Result<(), Error> {
    db::run(statement, &[]).map(drop)
}

/// Rows that violate a key which claims to be valid were written with its triggers out of action.
fn explained(failure: Failure, key: &SelfKey) -> Failure {
    match failure.code {
        PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION => Failure {
            hint: Some(format!(
                "Rows of the table violate its foreign key \"{}\", though it is valid. Correct them, then call resume_conversion.",
                key.name
            )),
            ..failure
        },
        _ => failure,
    }
}

fn twin(job: &Job) -> pg_sys::Oid {
    job.twin.unwrap_or(pg_sys::InvalidOid)
}
