//! `pause_conversion()`, `resume_conversion()`, `cancel_conversion()`, `finish_conversion()`.

use crate::catalog::job::{self, Outline};
use crate::catalog::request::{self, Action};
use crate::catalog::table;
use crate::convert::cancel;
use crate::error::Error;
use crate::pg::role;
use crate::plan::phase::Phase;
use crate::worker::start::{Assignment, Needed, Task, connecting_role, start_at_commit};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn pause_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let job = steerable(source)?;
    let is_asked = is_stopped(&job) && request::any(job.id)?;
    if !is_asked && !job.phase.is_before_swap() {
        return Err(refusal(&job, "paused").into());
    }
    Ok(ask(&job, Action::Pause)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn resume_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let job = steerable(source)?;
    let lost_worker = job.phase.needs_worker() && !job::has_worker(job.id)?;
    let is_asked = job.phase.is_before_swap() && request::any(job.id)?;
    if !is_stopped(&job) && !lost_worker && !is_asked {
        return Err(refusal(&job, "resumed").into());
    }
    if job.phase != Phase::Cancelling {
        job.check_origin()?;
    }
    Ok(ask(&job, Action::Resume)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn cancel_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let job = steerable(source)?;
    let stopped = is_stopped(&job) || job.phase == Phase::Cancelling;
    if !stopped && !job.phase.is_before_swap() {
        return Err(refusal(&job, "cancelled").into());
    }
    Ok(ask(&job, Action::Cancel)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn finish_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let job = steerable(source)?;
    if job.phase != Phase::Reversible {
        return Err(refusal(&job, "finished").into());
    }
    let not_valid = cancel::finish(&job)?;
    if !not_valid.is_empty() {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "foreign keys that point at the table are not validated yet",
            pgrx::function_name!(),
        )
        .set_detail(not_valid.join(", "))
        .set_hint("ALTER TABLE … VALIDATE CONSTRAINT …, while readers and writers go on.")
        .report(PgLogLevel::WARNING);
    }
    Ok(())
}

/// Whether it rests until somebody steers it. What was asked for already, and the worker has not
/// read yet, may be followed by its opposite: wishes are heeded in their order.
fn is_stopped(job: &Outline) -> bool {
    matches!(job.phase, Phase::Paused | Phase::Failed)
}

/// The job of a table, if the caller may act as the table's owner. The table itself may be gone.
fn steerable(source: pg_sys::Oid) -> Result<Outline, Error> {
    let Some(job) = job::find(source)? else {
        return Err(match table::name(source)? {
            Some(relation) => Error::NoConversion { relation },
            None => Error::NoRelation {
                oid: source.to_u32(),
            },
        });
    };
    if table::may_act_as(role::current(), job.owner)? {
        // From here on the swap waits for the end of this transaction, or has been made already.
        job::lock(job.id, job::Part::Steering)?.share();
        return Ok(job::refresh(&job)?.unwrap_or(job));
    }
    Err(Error::NotOwner {
        owner: table::role_name(job.owner)?,
        relation: job.source_name,
    })
}

/// Writes the wish down, and sees to it that somebody reads it once it is committed: a worker
/// that is there now may be about to end.
fn ask(job: &Outline, action: Action) -> Result<(), Error> {
    request::insert(job.id, action, role::current())?;
    let (needed, connect_as) = match job::has_worker(job.id)? {
        true => (Needed::Rather, role::session()),
        false => (Needed::Surely, connecting_role()?),
    };
    start_at_commit(Assignment::new(Task::Move, job.id, connect_as), needed);
    Ok(())
}

fn refusal(job: &Outline, action: &'static str) -> Error {
    Error::WrongPhase {
        relation: job.source_name.clone(),
        action,
        phase: job.phase,
    }
}
