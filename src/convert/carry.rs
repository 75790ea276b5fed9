//! Carrying over to the twin what may change on the source while it is converted: privileges and
//! comments.

use super::definition::{check_twin, compare_definitions, definition_now, twin_altered};
use super::{Memory, as_owner, run_step};
use crate::catalog::job::{self, Job};
use crate::catalog::table;
use crate::error::Error;
use crate::pg::transaction::{Failure, unit};
use crate::plan::carry;
use crate::plan::facts::Facts;
use pgrx::{PgSqlErrorCode, pg_sys};

/// Carries over what has changed by now: before the lock of the swap is asked for, since it takes
/// tens of milliseconds where there are hundreds of leaves. `true`: the twin was altered, and the
/// job's row says so.
///
/// Only where no helper is at work on the leaves: two who alter one of them at a time would be in
/// each other's way.
pub fn ahead(job: &Job, memory: &mut Memory) -> Result<bool, Failure> {
    let mut brought = look_and_bring(job, memory);
    // A role that was just dropped, with what it had been granted: another look does not find it.
    if let Err(failure) = &brought
        && failure.code == PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT
    {
        brought = look_and_bring(job, memory);
    }
    let (now, is_altered) = brought?;
    memory.carried = now.or(memory.carried.take());
    Ok(is_altered)
}

/// What the source is defined as where that was carried over, and whether it changed the twin.
fn look_and_bring(job: &Job, memory: &Memory) -> Result<(Option<Facts>, bool), Failure> {
    unit(|| {
        check_twin(job)?;
        let now = definition_now(job)?;
        if memory.carried.as_ref() == Some(&now) || compare_definitions(job, &now).is_err() {
            return Ok((None, false));
        }
        let is_altered = bring(job, &now)?;
        if is_altered {
            job::set_twin_shape(job.id, &table::twin_shape(twin(job))?)?;
        }
        Ok((Some(now), is_altered))
    })
}

/// Brings the twin to what the source is by `now`, which is defined as before in all else. `false`:
/// there was nothing to be done.
fn bring(job: &Job, now: &Facts) -> Result<bool, Error> {
    let steps = carry::steps(&job.plan, now, &twin_facts(job)?);
    if steps.is_empty() {
        return Ok(false);
    }
    as_owner(job, || steps.iter().try_for_each(run_step))?;
    match carry::privileges_are_the_same(now, &twin_facts(job)?) {
        true => Ok(true),
        false => Err(Error::DefinitionChanged {
            relation: job.source_name.clone(),
            detail: "What changed: its privileges, in a way that could not be followed.".to_owned(),
        }),
    }
}

fn twin(job: &Job) -> pg_sys::Oid {
    job.twin.unwrap_or(pg_sys::InvalidOid)
}

fn twin_facts(job: &Job) -> Result<Facts, Error> {
    as_owner(job, || table::whole(twin(job)))?
        .map(|facts| job.plan.without_guard(facts))
        .ok_or_else(|| twin_altered(job))
}
