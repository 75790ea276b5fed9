//! Statistics for the planner: a partitioned table's own are gathered by nobody else, since
//! autovacuum looks at leaves only.

use super::as_owner;
use crate::catalog::job::Job;
use crate::db;
use crate::pg::settings;
use crate::pg::transaction::{Failure, unit};
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use std::ffi::CStr;

/// Before the swap: small samples, in a fraction of a second per leaf, so that no plan is made
/// without any statistics.
pub fn gather_roughly(job: &Job) -> Result<(), Failure> {
    gather(job, &job.plan.twin, Some(c"10"))
}

/// After the swap: with the usual samples. Takes SHARE UPDATE EXCLUSIVE, which readers and
/// writers do not notice.
pub fn gather_fully(job: &Job) -> Result<(), Failure> {
    gather(job, &job.plan.source, None)
}

fn gather(job: &Job, relation: &QualifiedName, target: Option<&CStr>) -> Result<(), Failure> {
    let statement = Sql::template("ANALYZE {relation}")
        .name("relation", relation)
        .build();
    unit(|| {
        as_owner(job, || {
            if let Some(target) = target {
                settings::set_local(c"default_statistics_target", target);
            }
            db::run(&statement, &[]).map(drop)
        })
    })
}
