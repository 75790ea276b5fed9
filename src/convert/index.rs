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

/// How many workers build indexes: as many as the server would let work on one index. Each has a
/// leaf to itself, which leaves none of them waiting for the others, as they do within one index.
pub fn builders(plan: &Plan) -> u32 {
    // SAFETY: reads settings.
    let (workers, memory) = unsafe {
        (
            pg_sys::max_parallel_maintenance_workers,
            pg_sys::maintenance_work_mem,
        )
    };
    let fitting = u32::try_from(workers.min(memory / LEAST_MEMORY)).unwrap_or(0);
    match plan.partitions.len() > fitting as usize {
        true => fitting.max(1),
        // Few leaves: the server does better within each.
        false => 1,
    }
}

/// Divides among builders what the server would give to one.
fn share_resources(job: &Job) {
    let builders = builders(&job.plan);
    if builders > 1 {
        // SAFETY: reads a setting.
        let memory = unsafe { pg_sys::maintenance_work_mem } / builders as i32;
        let memory = CString::new(format!("{memory}kB")).unwrap_or_default();
        settings::set_local(c"max_parallel_maintenance_workers", c"0");
        settings::set_local(c"maintenance_work_mem", &memory);
    }
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
    for (_, leaf) in &leaves {
        db::run(&leaf.statement, &[])?;
        failpoint("index:in_leaf")?;
    }
    // Last of all: attaching locks the parent's index until commit, against other workers.
    for (index, leaf) in leaves {
        let attach = indexes::attach(&index.twin_name, &leaf.name);
        db::run(&attach, &[])?;
    }
    Ok(())
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
