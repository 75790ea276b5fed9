//! Copying settled rows, range by range: each range is one short transaction, which also marks
//! the range done. Any number of workers may copy at once, in any order.
#![allow(unsafe_code, reason = "reads heap tuples")]

use super::as_owner;
use super::change_log::ChangeLog;
use super::definition::open_source;
use super::layout::Layout;
use super::leaves::LeafWriters;
use super::routing::Routing;
use super::scan::HeapScan;
use crate::catalog::copy_range::{self, BlockRange, Copied, Share};
use crate::catalog::job::Job;
use crate::catalog::leaf;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::transaction::{Failure, refresh_snapshot, unit};
use crate::pg::tuple;
use crate::pg::wal;
use crate::plan::horizon::{Horizon, Standing};
use pgrx::pg_sys;

/// What became of one attempt to copy a range.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// A range was copied.
    Copied,
    /// No range is left that nobody has in hand.
    NothingLeft,
    /// The source's file was replaced: the ranges speak of another one.
    FileReplaced,
}

/// Copies one range that is not done. `worker` is the caller's number among the job's workers.
pub fn copy_next(job: &Job, worker: u32) -> Result<Progress, Failure> {
    let progress = unit(|| {
        // ACCESS SHARE on the source, for one range: it keeps the file and the definition.
        let source = open_source(job, Mode::AccessShare)?;
        refresh_snapshot();
        if job.source_file != Some(source.file_number()) {
            return Ok(Progress::FileReplaced);
        }
        let share = Share {
            number: worker,
            of: job.plan.copy_workers.max(1),
        };
        let Some(range) = copy_range::claim(job.id, share)? else {
            return Ok(Progress::NothingLeft);
        };
        let leaves = leaf::relations(job.id)?;
        let snapshot = super::snapshot::active();
        let (rows, wal_bytes) =
            wal::measure(|| as_owner(job, || copy_range(job, &source, range, leaves)))?;
        failpoint("copy:before_mark")?;
        let copied = Copied {
            rows,
            bytes: u64::from(range.count) * u64::from(pg_sys::BLCKSZ),
            wal_bytes,
        };
        copy_range::finish(job.id, range, copied, &snapshot.to_string())?;
        failpoint("copy:before_commit")?;
        Ok(Progress::Copied)
    })?;
    if progress == Progress::Copied {
        failpoint("copy:after_commit")?;
    }
    Ok(progress)
}

/// Copies the settled rows of a range, and counts them.
fn copy_range(
    job: &Job,
    source: &Relation,
    range: BlockRange,
    leaves: Vec<pg_sys::Oid>,
) -> Result<u64, Error> {
    let horizon = job
        .horizon
        .as_ref()
        .ok_or_else(|| Error::Internal("a copy without a horizon".to_owned()))?;
    let log = ChangeLog::open(job.source).ok_or_else(|| lost_log(job))?;
    let mut routing = Routing::of(job, &leaves)?;
    let mut writers = LeafWriters::new(leaves);
    // SAFETY: the source is open to the end of this function, and the writers keep leaf 0 open.
    let layout = unsafe { Layout::new(source.tuple_desc(), writers.tuple_desc(0), &job.plan) };
    // SAFETY: a live snapshot is active in every unit.
    let snapshot_next = unsafe { (*pg_sys::GetActiveSnapshot()).xmax.into_inner() };
    let mut copied = 0;

    // SAFETY: the source is a heap, open to the end of this function.
    let Some(mut scan) = (unsafe { HeapScan::blocks(source, (range.first, range.count)) }) else {
        writers.finish();
        return Ok(copied);
    };
    while let Some(row) = scan.next() {
        // SAFETY: `row` is valid until the next turn of the loop.
        unsafe {
            let (xmin, frozen) = tuple::raw_xmin(row);
            match judge(horizon, xmin, frozen, snapshot_next, &log)? {
                Standing::Settled => {
                    let leaf = routing
                        .route(|number| layout.key(row, number))
                        .ok_or_else(|| no_partition(job))?;
                    writers.add(leaf, layout.leaf_tuple(row));
                    copied += 1;
                    if copied == 1 {
                        failpoint("copy:in_range")?;
                    }
                }
                Standing::Young => {}
                Standing::Unsure => log.append_key(&log.values(row, layout.source())),
            }
        }
    }
    scan.end();
    writers.finish();
    Ok(copied)
}

/// Judges a row version; for row images, where a doubtful one cannot simply be read again, it
/// settles the doubt, or stops.
fn judge(
    horizon: &Horizon,
    xmin: u32,
    frozen: bool,
    snapshot_next: u32,
    log: &ChangeLog,
) -> Result<Standing, Error> {
    let standing = horizon.standing(xmin, frozen, snapshot_next);
    if standing == Standing::Unsure && log.holds_rows() {
        return decide_doubt(horizon, frozen);
    }
    Ok(standing)
}

/// A frozen version whose number was given out since the capture began is a young one, unless
/// the numbers have come around in the life of this cluster: then an ancient one could carry it.
pub fn decide_doubt(horizon: &Horizon, frozen: bool) -> Result<Standing, Error> {
    if frozen && horizon.next_full < 1 << 32 {
        return Ok(Standing::Young);
    }
    Err(Error::Argument {
        message: "cannot tell whether a frozen row is older than the conversion".to_owned(),
        detail: Some(
            "The table has no key, and its rows were frozen by VACUUM while it was converted."
                .to_owned(),
        ),
        hint: Some(
            "Call cancel_conversion, then try again without VACUUM FREEZE meanwhile, or add a key."
                .to_owned(),
        ),
    })
}

/// A row that no partition takes.
pub fn no_partition(job: &Job) -> Error {
    Error::Argument {
        message: format!(
            "no partition of table \"{}\" takes a row that it holds",
            job.source_name
        ),
        detail: Some(match job.plan.branches.is_empty() {
            true => format!(
            "The value of column \"{}\" lies outside all ranges, and there is no default partition.",
            job.plan.key.column
        ),
            false => "The partition that it belongs into is partitioned itself, as its siblings are, and none of those below takes it."
                .to_owned(),
        }),
        hint: Some(match job.plan.branches.is_empty() {
            true => "Call cancel_conversion, then convert_to_partitioned with default_partition => true.",
            false => "Give the youngest sibling the partitions that are wanting, or a default partition: the next run of maintenance begins anew.",
        }.to_owned()),
    }
}

/// The change log is gone: changes may have been missed.
pub fn lost_log(job: &Job) -> Error {
    Error::SourceAltered {
        relation: job.source_name.clone(),
        detail: "Its change log was dropped.".to_owned(),
    }
}

/// Whether ids were given out so far since the capture began that the copy must begin anew.
pub fn is_worn_out(job: &Job) -> bool {
    // SAFETY: reads a shared counter under its lock.
    let now = unsafe { pg_sys::ReadNextFullTransactionId() }.value;
    job.horizon
        .as_ref()
        .is_some_and(|horizon| horizon.is_worn_out(now))
}
