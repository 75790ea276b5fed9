//! Statistics for the planner: a partitioned table's own are gathered by nobody else, since
//! autovacuum looks at leaves only.

use super::as_owner;
use crate::catalog::as_bookkeeper;
use crate::catalog::job::{self, Outline, Part};
use crate::catalog::leaf;
use crate::db;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::transaction::{Failure, unit};
use crate::pg::{interrupts, settings};
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::time::{Duration, Instant};

/// What to do where another worker is gathering already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Wait,
    IfFree,
}

/// Before the swap: small samples, in a fraction of a second per leaf, so that no plan is made
/// without any statistics. Nothing is done where it has been done.
pub fn gather_roughly(job: &Outline, turn: Turn) -> Result<(), Failure> {
    unit(|| {
        let lock = job::lock(job.id, Part::Statistics)?;
        match turn {
            Turn::Wait => lock.alone(),
            Turn::IfFree if lock.try_alone() => {}
            Turn::IfFree => return Ok(()),
        }
        if job::is_analyzed(job.id)? {
            return Ok(());
        }
        as_analyst(job, || {
            settings::set_local(c"default_statistics_target", c"10");
            analyze(job, job.twin.unwrap_or(pg_sys::InvalidOid))
        })?;
        job::set_analyzed(job.id)
    })
}

/// The share of the time after the swap that gathering takes: a quarter.
const PAUSE_PER_WORK: u32 = 3;
/// Sessions that have just loaded the new table's definition load a leaf's again after its
/// statistics have changed: so not all at once, and not in the moment of the swap.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// After the swap: with the usual samples, one leaf at a time, then the whole. Takes SHARE UPDATE
/// EXCLUSIVE on the leaf, and in the end on the table and all leaves, which readers and writers
/// do not notice.
pub fn gather_fully(job: &Outline) -> Result<(), Failure> {
    let leaves = unit(|| leaf::relations(job.id))?;
    let mut pause = Duration::from_secs(1);
    for relation in leaves.into_iter().chain(job.twin) {
        interrupts::nap(pause);
        let begun = Instant::now();
        unit(|| as_analyst(job, || analyze(job, relation)))?;
        pause = (begun.elapsed() * PAUSE_PER_WORK).max(SHORTEST_PAUSE);
    }
    Ok(())
}

/// Does nothing where the relation is gone, or belongs to somebody else by now.
fn analyze(job: &Outline, relation: pg_sys::Oid) -> Result<(), Error> {
    // ACCESS SHARE, until the end of this transaction: the name stays with it.
    let Some(open) = Relation::try_open(relation, Mode::AccessShare) else {
        return Ok(());
    };
    if open.owner() != job.owner {
        return Ok(());
    }
    let statement = Sql::template("ANALYZE {relation}")
        .name("relation", &open.name())
        .build();
    drop(open);
    db::run(&statement, &[]).map(drop)
}

/// Runs ANALYZE as the table's owner, where that may do it. Since 17 it asks for a privilege,
/// MAINTAIN, which an owner can give up like the others, and without it would leave the table out
/// with nothing but a warning. Then it is run as the extension's owner: ANALYZE itself takes on
/// the role of the table's owner before it runs anybody's code.
fn as_analyst<T>(job: &Outline, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let owner_may: bool = db::value(
        "SELECT CASE WHEN current_setting('server_version_num')::int < 170000 THEN true \
                     ELSE coalesce(has_table_privilege($1, $2, 'MAINTAIN'), true) END",
        &[job.owner.into(), job.twin.into()],
    )?;
    match owner_may {
        true => as_owner(job, work),
        false => as_bookkeeper(work),
    }
}
