//! What hung on the source, made again on the result under the lock of the swap, and compared.

use super::definition::twin_altered;
use super::{as_owner, run_step};
use crate::catalog::job::Job;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::matview;
use crate::pg::role::{Restriction, acting_as};
use crate::plan::dependents;
use crate::plan::facts::Facts;
use crate::plan::fidelity;
use pgrx::pg_sys;

/// Drops what must not be there, or not under its name, when the names are exchanged.
pub fn clear(job: &Job, source: &Facts) -> Result<(), Error> {
    match job.plan.default_of {
        Some(_) => Ok(()),
        None => dependents::before_renaming(&source.dependents)
            .iter()
            .try_for_each(run_step),
    }
}

/// Makes anew what names the table, or is there once only. The twin has its name by now.
pub fn rebuild(job: &Job, source: &Facts) -> Result<(), Error> {
    if job.plan.default_of.is_some() {
        return Ok(());
    }
    dependents::after_renaming(source, &job.plan.retired)
        .iter()
        .try_for_each(run_step)?;
    dependents::rebound(&source.dependents).try_for_each(|view| {
        let owner = pg_sys::Oid::from(view.owner);
        acting_as(owner, Restriction::SecurityRestricted, || {
            matview::replace_query(pg_sys::Oid::from(view.relation), &view.definition)
        })
    })?;
    dependents::at_last(&source.dependents, &job.plan.retired)
        .iter()
        .try_for_each(run_step)
}

/// Reads what the result is, and fails where it is not what the source was, but for what being
/// partitioned means: then the swap is taken back.
pub fn check(job: &Job, result: pg_sys::Oid, source: &Facts) -> Result<(), Error> {
    if job.plan.default_of.is_some() {
        return Ok(());
    }
    let Some(now) = as_owner(job, || table::whole(result))? else {
        return Err(twin_altered(job));
    };
    let now = job.plan.without_guard(now);
    match fidelity::difference(source, &now, &job.plan) {
        None => Ok(()),
        Some(detail) => Err(Error::NotFaithful {
            relation: job.source_name.clone(),
            detail,
        }),
    }
}
