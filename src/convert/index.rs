//! Building the indexes of the leaves, over plain data: each leaf is one transaction.

use super::{as_owner, relation_oid};
use crate::catalog::job::Job;
use crate::catalog::leaf;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::transaction::{Failure, unit};
use crate::plan::sql::Sql;

/// Builds the indexes of one leaf that has none. `false` when none is left that nobody has in
/// hand.
pub fn build_next(job: &Job) -> Result<bool, Failure> {
    unit(|| {
        let Some(ordinal) = leaf::claim_unindexed(job.id)? else {
            return Ok(false);
        };
        as_owner(job, || build_leaf(job, ordinal))?;
        leaf::finish_indexed(job.id, ordinal)?;
        failpoint("index:before_commit")?;
        Ok(true)
    })
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
        let attach = Sql::template("ALTER INDEX {parent} ATTACH PARTITION {leaf}")
            .name("parent", &index.twin_name)
            .name("leaf", &leaf.name)
            .build();
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
