//! `pause_conversion()`, `resume_conversion()`, `cancel_conversion()`, `finish_conversion()`.

use crate::catalog::job::{self, Outline};
use crate::catalog::request::{self, Action, Wish};
use crate::catalog::table;
use crate::convert::cancel;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::role;
use crate::plan::phase::Phase;
use crate::worker::start::{Assignment, Needed, Task, connecting_role, start_at_commit};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::collections::BTreeMap;

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn pause_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let Steerable { job, is_asked } = steerable(source)?;
    let goes_on = job.phase.is_before_swap() || is_asked && is_stopped(&job);
    if !goes_on {
        return Err(refusal(&job, "paused").into());
    }
    Ok(ask(&job, Action::Pause)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn resume_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let Steerable { job, is_asked } = steerable(source)?;
    let lost_worker = job.phase.needs_worker() && !job::has_worker(job.id)?;
    let rests = is_stopped(&job) || lost_worker || is_asked && job.phase.is_before_swap();
    if !rests {
        return Err(refusal(&job, "resumed").into());
    }
    if job.phase != Phase::Cancelling {
        job.check_origin()?;
    }
    Ok(ask(&job, Action::Resume)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn cancel_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let Steerable { job, .. } = steerable(source)?;
    let stopped = is_stopped(&job) || job.phase == Phase::Cancelling;
    if !stopped && !job.phase.is_before_swap() {
        return Err(refusal(&job, "cancelled").into());
    }
    Ok(ask(&job, Action::Cancel)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn finish_conversion(source: pg_sys::Oid) -> Result<(), ErrorReport> {
    let Steerable { job, .. } = steerable(source)?;
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

/// Those of the settings that go with a job which this session has set itself: what it has by default says nothing.
fn set_in_this_session() -> Result<BTreeMap<String, String>, Error> {
    let set: Vec<String> = db::rows(
        "SELECT name FROM pg_settings WHERE source = 'session'",
        &[],
        |row| row.get(1),
    )?;
    let settings = guc::of_session().into_iter();
    Ok(settings.filter(|(name, _)| set.contains(name)).collect())
}

/// Whether it rests until somebody steers it.
fn is_stopped(job: &Outline) -> bool {
    matches!(job.phase, Phase::Paused | Phase::Failed)
}

/// A job as it is, and what was wanted of it a moment before.
struct Steerable {
    job: Outline,
    /// Whether something was asked for that no worker had read yet. It may be followed by its opposite: wishes are
    /// heeded in their order.
    is_asked: bool,
}

/// The job of a table, if the caller may act as the table's owner. The table itself may be gone.
fn steerable(source: pg_sys::Oid) -> Result<Steerable, Error> {
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
        // A worker takes a wish and moves the job in one transaction. The wishes are looked at first: one that is
        // taken between the two looks was seen, or else the job where it has taken it.
        let is_asked = request::any(job.id)?;
        failpoint("steer:looked")?;
        let job = job::refresh(&job)?.unwrap_or(job);
        return Ok(Steerable { job, is_asked });
    }
    Err(Error::NotOwner {
        owner: table::role_name(job.owner)?,
        relation: job.source_name,
    })
}

/// Writes the wish down, and sees to it that somebody reads it once it is committed: a worker
/// that is there now may be about to end.
fn ask(job: &Outline, action: Action) -> Result<(), Error> {
    let settings = match action {
        Action::Resume => set_in_this_session()?,
        Action::Pause | Action::Cancel => BTreeMap::new(),
    };
    let wish = Wish {
        action,
        requested_by: role::current(),
        settings,
    };
    request::insert(job.id, &wish)?;
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
