//! Building the indexes of the leaves, over plain data: each leaf is one transaction.
#![allow(unsafe_code, reason = "reads settings")]

use super::{as_owner, relation_oid};
use crate::catalog::job::Job;
use crate::catalog::leaf;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::settings;
use crate::pg::transaction::{Failure, unit};
use crate::pg::wal;
use crate::plan::{Plan, indexes};
use pgrx::pg_sys;
use std::ffi::CString;

/// Builds the indexes of one leaf that has none. `false` when none is left that nobody has in
/// hand.
pub fn build_next(job: &Job) -> Result<bool, Failure> {
    let built = unit(|| {
        let Some(ordinal) = leaf::claim_unindexed(job.id)? else {
            return Ok(false);
        };
        let ((), wal_bytes) = wal::measure(|| {
            as_owner(job, || {
                share_resources(job);
                build_leaf(job, ordinal)
            })
        })?;
        leaf::finish_indexed(job.id, ordinal, wal_bytes)?;
        failpoint("index:before_commit")?;
        Ok(true)
    })?;
    if built {
        failpoint("index:after_commit")?;
    }
    Ok(built)
}

/// Memory that a builder has at least, as the server has it for workers of CREATE INDEX, in kB.
const LEAST_MEMORY: i32 = 32 * 1024;
/// The smallest `maintenance_work_mem` that the server takes, in kB.
const SMALLEST_MEMORY: i32 = 1024;

/// How many leaves are indexed side by side: as many as workers copied, or as the server would
/// have workers on one index, whichever is more. Each builder has a leaf to itself, which leaves
/// none of them waiting for the others, as they do within one index.
pub fn builders(plan: &Plan) -> u32 {
    let leaves = u32::try_from(plan.partitions.len()).unwrap_or(u32::MAX);
    let allowed = match has_few_leaves(plan) {
        true => 1,
        false => workers_of_one_index(),
    };
    allowed.max(plan.copy_workers).clamp(1, leaves.max(1))
}

/// Whether the server's workers do better within each index than side by side.
fn has_few_leaves(plan: &Plan) -> bool {
    plan.partitions.len() <= workers_of_one_index() as usize
}

/// How many workers the server's settings let work on one index.
fn workers_of_one_index() -> u32 {
    // SAFETY: reads settings.
    let (workers, memory) = unsafe {
        (
            pg_sys::max_parallel_maintenance_workers,
            pg_sys::maintenance_work_mem,
        )
    };
    u32::try_from(workers.min(memory / LEAST_MEMORY)).unwrap_or(0)
}

/// Divides among builders what the server would give to one.
fn share_resources(job: &Job) {
    let builders = builders(&job.plan);
    if !has_few_leaves(&job.plan) {
        settings::set_local(c"max_parallel_maintenance_workers", c"0");
    }
    // SAFETY: reads a setting.
    let memory = unsafe { pg_sys::maintenance_work_mem } / builders as i32;
    let memory = memory.max(SMALLEST_MEMORY);
    let memory = CString::new(format!("{memory}kB")).unwrap_or_default();
    settings::set_local(c"maintenance_work_mem", &memory);
}

fn build_leaf(job: &Job, ordinal: usize) -> Result<(), Error> {
    let leaves = job
        .plan
        .indexes
        .iter()
        .map(|index| {
            let leaf = index.leaves.get(ordinal);
            leaf.map(|leaf| (index, leaf)).ok_or_else(|| {
                Error::Internal(format!("no leaf {ordinal} of index {}", index.name))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    for ((_, leaf), index) in leaves.iter().zip(&job.definition.indexes) {
        db::run(&leaf.statement, &[])?;
        for statement in indexes::targets(index, &leaf.name) {
            db::run(&statement, &[])?;
        }
        failpoint("index:in_leaf")?;
    }
    // Last of all: attaching locks the parent's index until commit, against other workers.
    let partition = job.plan.partitions.get(ordinal);
    for (index, leaf) in leaves {
        let above = partition.map_or(&index.twin_name, |partition| index.above(partition));
        let attach = indexes::attach(above, &leaf.name);
        db::run(&attach, &[])?;
    }
    Ok(())
}

/// Attaches the parts of indexes that branches have, from the bottom up, when all leaves have theirs: those that are
/// built side by side must not meet further up, where each would make the index valid, for which PostgreSQL locks the
/// tables.
pub fn attach_branches(job: &Job) -> Result<(), Error> {
    as_owner(job, || {
        for index in &job.plan.indexes {
            for (branch, part) in job.plan.branches.iter().zip(&index.branches).rev() {
                db::run(&indexes::attach(index.above(&branch.partition), part), &[])?;
            }
        }
        Ok(())
    })
}

/// Checks, when all leaves are done, that every index of the twin has become valid.
pub fn check_all_valid(job: &Job) -> Result<(), Error> {
    for index in &job.plan.indexes {
        let valid: bool = db::value(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = $1",
            &[relation_oid(&index.twin_name)?.into()],
        )?;
        if !valid {
            return Err(Error::Internal(format!(
                "index {} did not become valid",
                index.twin_name
            )));
        }
    }
    Ok(())
}
