//! Catching up: taking what waits in the change log into the twin, in rounds, until little waits.
#![allow(unsafe_code, reason = "memory contexts")]

use super::apply_rows::{self, Applied, Time};
use super::change_log::ChangeLog;
use super::copy::lost_log;
use super::definition::open_source;
use super::routing::Routing;
use super::snapshot::Snapshot;
use super::{apply_keys, as_owner, batch};
use crate::catalog::job::{self, Job};
use crate::catalog::{copy_range, leaf};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::transaction::{Failure, current_id, refresh_snapshot, unit};
use crate::plan::pace::Pace;
use pgrx::pg_sys;
use std::time::Instant;

/// Where changes are applied: looked up once, since nobody else touches the twin.
pub struct Targets {
    /// The leaves, in the order of the plan's partitions.
    pub leaves: Vec<pg_sys::Oid>,
    /// Each leaf's index of the key; empty for a table without one.
    pub identity_indexes: Vec<pg_sys::Oid>,
    /// For a table without a key: what the copy of each block range saw, by first block.
    pub copied: Vec<(u32, Snapshot)>,
}

impl Targets {
    /// Looks them up, in a transaction of its own.
    pub fn load(job: &Job) -> Result<Targets, Failure> {
        unit(|| {
            let leaves = leaf::relations(job.id)?;
            let identity_indexes = match job.plan.identity_index() {
                Some(index) => index
                    .leaves
                    .iter()
                    .map(|leaf| super::relation_oid(&leaf.name))
                    .collect::<Result<_, _>>()?,
                None => Vec::new(),
            };
            let copied = match job.plan.identity {
                Some(_) => Vec::new(),
                None => copy_range::snapshots(job.id)?
                    .into_iter()
                    .map(|(first, text)| Ok((first, Snapshot::parse(&text)?)))
                    .collect::<Result<_, Error>>()?,
            };
            Ok(Targets {
                leaves,
                identity_indexes,
                copied,
            })
        })
    }
}

/// What a round found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Round {
    /// So many entries were applied, and so many are left.
    /// `transaction` is the one that did it, if anything was to be done.
    Applied {
        entries: u64,
        left: u64,
        transaction: Option<u32>,
    },
    /// The source was truncated or rewritten in a way that makes the copy worthless.
    StartAgain,
}

/// One round, in a transaction of its own.
pub fn round(job: &Job, targets: &Targets, pace: &mut Pace) -> Result<Round, Failure> {
    let begun = Instant::now();
    let limit = pace.batch();
    let outcome = unit(|| {
        // ACCESS SHARE on the source, for one round: it keeps the file and the definition.
        let source = open_source(job, Mode::AccessShare)?;
        // Only what was committed before the lock was granted is missed by an older snapshot.
        refresh_snapshot();
        let mut routing = Routing::of(job, &targets.leaves)?;
        let applied = drain(job, &source, targets, &mut routing, limit, Time::Any)?;
        let mut transaction = None;
        if let Drained::Applied { entries, left } = applied
            && entries > 0
        {
            job::set_keys_waiting(job.id, left)?;
            transaction = Some(current_id());
        }
        failpoint("catch_up:before_commit")?;
        Ok((applied, transaction))
    })?;
    Ok(match outcome {
        (Drained::StartAgain, _) => Round::StartAgain,
        (Drained::TooSlow, _) => {
            return Err(Error::Internal("a round has all the time it needs".to_owned()).into());
        }
        (Drained::Applied { entries, left }, transaction) => {
            pace.learn(entries, begun.elapsed());
            if entries == 0 && left > 0 {
                pace.look_further();
            }
            Round::Applied {
                entries: entries as u64,
                left,
                transaction,
            }
        }
    })
}

/// What was taken off the log within a transaction.
pub enum Drained {
    Applied {
        entries: usize,
        left: u64,
    },
    /// Nothing, since it would take too long.
    TooSlow,
    StartAgain,
}

/// Applies up to `limit` entries that the active snapshot sees, and takes them off the log.
pub fn drain(
    job: &Job,
    source: &Relation,
    targets: &Targets,
    routing: &mut Routing,
    limit: usize,
    time: Time,
) -> Result<Drained, Error> {
    let log = ChangeLog::open(job.source).ok_or_else(|| lost_log(job))?;
    // Another file may hold the same rows (VACUUM FULL, CLUSTER) or others (ALTER TABLE … TYPE …
    // USING, after which the definition may even read as before): that cannot be told apart.
    if job.source_file != Some(source.file_number()) {
        return Ok(Drained::StartAgain);
    }
    if !log.fits(source.tuple_desc()) {
        return Err(lost_log(job));
    }
    in_own_memory(|| {
        let batch = batch::read(&log, limit)?;
        if batch.truncated {
            return Ok(Drained::StartAgain);
        }
        let entries = batch.len();
        let mut left = batch.left;
        // Index expressions of the table's owner run in here.
        let waiting = as_owner(job, || match &job.plan.identity {
            Some(identity) => {
                apply_keys::apply(job, identity, source, &log, &batch, targets, routing)?;
                Ok(Applied::AllBut(Vec::new()))
            }
            None => apply_rows::apply(job, &log, &batch, targets, routing, time),
        })?;
        let Applied::AllBut(waiting) = waiting else {
            return Ok(Drained::TooSlow);
        };
        left += waiting.len() as u64;
        let waiting: std::collections::HashSet<usize> = waiting.into_iter().collect();
        let done = batch
            .entries
            .iter()
            .enumerate()
            .filter(|(place, _)| !waiting.contains(place));
        batch::remove(
            &log,
            done.map(|(_, entry)| &entry.tid).chain(&batch.repeated),
        );
        Ok(Drained::Applied {
            entries: entries - waiting.len(),
            left,
        })
    })
}

/// Runs `work` in a memory context of its own, so that what a batch allocates is freed with it.
fn in_own_memory<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // SAFETY: a child of the current context, which is current again when `work` has returned;
    // after an ERROR the transaction's end frees both.
    unsafe {
        let outer = pg_sys::CurrentMemoryContext;
        let inner = pg_sys::AllocSetContextCreateInternal(
            outer,
            c"pg_partman_rs batch".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::MemoryContextSwitchTo(inner);
        let result = work();
        pg_sys::MemoryContextSwitchTo(outer);
        pg_sys::MemoryContextDelete(inner);
        result
    }
}
