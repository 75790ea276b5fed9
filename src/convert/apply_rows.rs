//! Applying row images, for a table without a key: inserted rows are inserted, and for each
//! deleted row one equal row goes. Exact as a multiset.
//!
//! A change to a settled row counts only if the copy had taken the row along: if the snapshot of
//! its block range did not see the change.
#![allow(unsafe_code, reason = "moves heap tuples")]

use super::batch::Batch;
use super::catch_up::Targets;
use super::change_log::{ChangeLog, Entry, Event, RowChange};
use super::copy::{decide_doubt, no_partition};
use super::indexed_leaf::IndexedLeaf;
use super::layout::key_of;
use super::scan::HeapScan;
use crate::catalog::job::Job;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::tuple::{self, Attribute, Value};
use crate::plan::horizon::{Horizon, Standing};
use crate::plan::router::Router;
use pgrx::pg_sys;
use std::collections::{BTreeMap, HashMap};

/// Applies a batch of row images. Returns the places of the entries that must wait: deletions
/// of rows whose insertion is not in the twin yet.
pub fn apply(
    job: &Job,
    log: &ChangeLog,
    batch: &Batch,
    targets: &Targets,
) -> Result<Vec<usize>, Error> {
    let sorted = sort(job, log, batch, targets)?;
    let mut waiting = Vec::new();
    for (leaf, work) in &sorted {
        let target = IndexedLeaf::open(targets.leaves[*leaf]);
        let desc = target.relation().tuple_desc();
        for place in &work.inserted {
            // SAFETY: the leaf has the source's live columns, which are the logged ones.
            unsafe {
                let row = tuple::form(desc, &batch.entries[*place].values);
                target.insert(row);
                pg_sys::heap_freetuple(row);
            }
        }
        failpoint("catch_up:after_delete")?;
        // SAFETY: inside a transaction; rows just inserted can be deleted by what follows.
        unsafe { pg_sys::CommandCounterIncrement() };
        waiting.extend(delete_equal(&target, log, batch, &work.deleted)?);
        target.close();
    }
    Ok(waiting)
}

/// Entries that concern one leaf.
#[derive(Default)]
struct Work {
    inserted: Vec<usize>,
    deleted: Vec<usize>,
}

fn sort(
    job: &Job,
    log: &ChangeLog,
    batch: &Batch,
    targets: &Targets,
) -> Result<BTreeMap<usize, Work>, Error> {
    let horizon = job
        .horizon
        .as_ref()
        .ok_or_else(|| Error::Internal("row images without a horizon".to_owned()))?;
    let key_column = log
        .attnums()
        .iter()
        .position(|attnum| *attnum == job.plan.key.attnum)
        .ok_or_else(|| Error::Internal("a change log without the partition column".to_owned()))?;
    let mut router = Router::new(&job.plan.partitions);
    let mut sorted: BTreeMap<usize, Work> = BTreeMap::new();
    for (place, entry) in batch.entries.iter().enumerate() {
        if !counts(entry, horizon, targets)? {
            continue;
        }
        let key = key_of(entry.values[key_column], job.plan.key.key_type);
        let leaf = router.route(key).ok_or_else(|| no_partition(job))?;
        let work = sorted.entry(leaf).or_default();
        match entry.event {
            Event::Inserted => work.inserted.push(place),
            _ => work.deleted.push(place),
        }
    }
    Ok(sorted)
}

/// Whether the twin has, or will have, the row that an entry speaks of.
fn counts(entry: &Entry, horizon: &Horizon, targets: &Targets) -> Result<bool, Error> {
    let Some(change) = entry.change else {
        return Ok(false);
    };
    match entry.event {
        Event::Inserted => Ok(true),
        Event::Deleted => Ok(was_taken(&change, horizon, false, targets)?),
        Event::DeletedFrozen => Ok(was_taken(&change, horizon, true, targets)?),
        Event::Key | Event::Truncated => Ok(false),
    }
}

fn was_taken(
    change: &RowChange,
    horizon: &Horizon,
    frozen: bool,
    targets: &Targets,
) -> Result<bool, Error> {
    // SAFETY: reads a shared counter under its lock.
    let next = unsafe { pg_sys::ReadNextFullTransactionId() }.value as u32;
    let standing = match horizon.standing(change.xmin, frozen, next) {
        Standing::Unsure => decide_doubt(horizon, frozen)?,
        sure => sure,
    };
    if standing == Standing::Young {
        return Ok(true);
    }
    let after = targets
        .copied
        .partition_point(|(first, _)| *first <= change.block);
    let range = after
        .checked_sub(1)
        .and_then(|place| targets.copied.get(place));
    let (_, snapshot) =
        range.ok_or_else(|| Error::Internal(format!("block {} was never copied", change.block)))?;
    Ok(!snapshot.sees(change.changed_by))
}

/// Deletes one row per entry that equals its image. Returns the entries that found none.
fn delete_equal(
    leaf: &IndexedLeaf,
    log: &ChangeLog,
    batch: &Batch,
    entries: &[usize],
) -> Result<Vec<usize>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted: HashMap<u64, Vec<usize>> = HashMap::new();
    for place in entries {
        // SAFETY: the entry's values live as long as the batch.
        let hash = unsafe { image_hash(&batch.entries[*place].values, log.attributes()) };
        wanted.entry(hash).or_default().push(*place);
    }
    let desc = leaf.relation().tuple_desc();
    let mut left = entries.len();
    // SAFETY: the leaf is a heap, open to the end; rows are valid until the next one. A deleted
    // row is not seen again by this scan, since it has passed it.
    unsafe {
        let mut scan = HeapScan::with_own_changes(leaf.relation());
        while left > 0 {
            let Some(row) = scan.next() else { break };
            let image: Vec<Value> = log
                .attributes()
                .iter()
                .enumerate()
                .map(|(column, _)| tuple::value(row, desc, column as i16 + 1))
                .collect();
            let Some(places) = wanted.get_mut(&image_hash(&image, log.attributes())) else {
                continue;
            };
            let equal = places
                .iter()
                .position(|place| log.same(&batch.entries[*place].values, &image));
            if let Some(equal) = equal {
                places.swap_remove(equal);
                leaf.delete(row);
                left -= 1;
            }
        }
        scan.end();
    }
    Ok(wanted.into_values().flatten().collect())
}

/// # Safety
/// One live value per attribute.
unsafe fn image_hash(image: &[Value], attributes: &[Attribute]) -> u64 {
    image
        .iter()
        .zip(attributes)
        .fold(0, |hash: u64, (value, attribute)| {
            // SAFETY: the caller's promise.
            let value = unsafe { value.image_hash(attribute) };
            (hash.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95)
        })
}
