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
use super::probe::Probe;
use super::routing::Routing;
use super::scan::HeapScan;
use crate::catalog::job::Job;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::tuple::{self, Attribute, Value};
use crate::plan::horizon::{Horizon, Standing};
use pgrx::pg_sys;
use std::collections::{BTreeMap, HashMap};

/// Applies a batch of row images.
pub fn apply(
    job: &Job,
    log: &ChangeLog,
    batch: &Batch,
    targets: &Targets,
    routing: &mut Routing,
    time: Time,
) -> Result<Applied, Error> {
    let key_columns = log.places_of_key(&job.plan)?;
    let key_column = key_columns[0];
    let sorted = sort(job, &key_columns, batch, targets, routing)?;
    let open: Vec<(IndexedLeaf, &Work)> = sorted
        .iter()
        .map(|(leaf, work)| (IndexedLeaf::open(targets.leaves[*leaf]), work))
        .collect();
    if time == Time::Short
        && open
            .iter()
            .any(|(leaf, work)| is_long(leaf, work, key_column))
    {
        open.into_iter().for_each(|(leaf, _)| leaf.close());
        return Ok(Applied::Nothing);
    }
    let mut waiting = Vec::new();
    for (target, work) in open {
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
        waiting.extend(delete_equal(
            &target,
            log,
            batch,
            key_column,
            &work.deleted,
        )?);
        target.close();
    }
    Ok(Applied::AllBut(waiting))
}

/// How long applying may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// As long as it takes.
    Any,
    /// Milliseconds: others wait meanwhile.
    Short,
}

/// What became of a batch.
pub enum Applied {
    /// All was applied, but for the entries at these places, which must wait: deletions of rows
    /// whose insertion is not in the twin yet.
    AllBut(Vec<usize>),
    /// It would take too long.
    Nothing,
}

/// Blocks that are read within milliseconds.
const FEW_BLOCKS: u32 = 1024;

/// Whether deletions want a large leaf to be read from one end to the other.
fn is_long(leaf: &IndexedLeaf, work: &Work, key_column: usize) -> bool {
    !work.deleted.is_empty()
        && leaf.relation().blocks() > FEW_BLOCKS
        && leaf.narrowing_index(key_column).is_none()
}

/// Entries that concern one leaf.
#[derive(Default)]
struct Work {
    inserted: Vec<usize>,
    deleted: Vec<usize>,
}

fn sort(
    job: &Job,
    key_columns: &[usize],
    batch: &Batch,
    targets: &Targets,
    routing: &mut Routing,
) -> Result<BTreeMap<usize, Work>, Error> {
    let horizon = job
        .horizon
        .as_ref()
        .ok_or_else(|| Error::Internal("row images without a horizon".to_owned()))?;
    let mut sorted: BTreeMap<usize, Work> = BTreeMap::new();
    for (place, entry) in batch.entries.iter().enumerate() {
        if !counts(entry, horizon, targets)? {
            continue;
        }
        let leaf = routing
            .route(|number| entry.values[key_columns[number]])
            .ok_or_else(|| no_partition(job))?;
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

/// Rows that are looked at through an index before reading the whole leaf is thought cheaper, per
/// block of the leaf, and at least.
const PROBED_PER_BLOCK: usize = 20;
const PROBED_AT_LEAST: usize = 1_000;

/// Deletes one row per entry that equals its image. Returns the entries that found none.
fn delete_equal(
    leaf: &IndexedLeaf,
    log: &ChangeLog,
    batch: &Batch,
    key_column: usize,
    entries: &[usize],
) -> Result<Vec<usize>, Error> {
    let Some((index, columns)) = leaf.narrowing_index(key_column) else {
        return delete_by_scan(leaf, log, batch, entries);
    };
    let index = Relation::open(index, Mode::RowExclusive);
    let blocks = leaf.relation().blocks() as usize;
    let mut budget = blocks * PROBED_PER_BLOCK + PROBED_AT_LEAST;
    let mut missing = Vec::new();
    let mut rest = Vec::new();
    let mut groups = equal_entries(log, batch, entries);
    // SAFETY: leaf and index are open to the end; columns in front of the first expression are
    // plain. The snapshot sees what this transaction wrote, and nobody else writes here. Rows are
    // valid until the next one.
    unsafe {
        let snapshot = &raw mut pg_sys::SnapshotSelfData;
        let mut probe = Probe::begin(leaf.relation(), &index, columns.len(), snapshot)?;
        for group in &mut groups {
            if budget == 0 {
                rest.append(group);
                continue;
            }
            let wanted = &batch.entries[group[0]].values;
            let key: Vec<Value> = columns.iter().map(|column| wanted[*column]).collect();
            probe.ask(&key);
            while !group.is_empty()
                && let Some(row) = probe.next()
            {
                budget = budget.saturating_sub(1);
                if log.same(wanted, &image(leaf, log, row)) {
                    leaf.delete(row);
                    group.pop();
                }
            }
            missing.append(group);
        }
        probe.end();
    }
    missing.extend(delete_by_scan(leaf, log, batch, &rest)?);
    Ok(missing)
}

/// Entries whose images are equal, together: their rows are found by one search.
fn equal_entries(log: &ChangeLog, batch: &Batch, entries: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    for place in entries {
        let image = &batch.entries[*place].values;
        // SAFETY: the entries' values live as long as the batch.
        let alike = unsafe { by_hash.entry(image_hash(image, log.attributes())) }.or_default();
        let group = alike.iter().find(|group| {
            let first = groups[**group][0];
            // SAFETY: as above.
            unsafe { log.same(image, &batch.entries[first].values) }
        });
        match group {
            Some(group) => groups[*group].push(*place),
            None => {
                alike.push(groups.len());
                groups.push(vec![*place]);
            }
        }
    }
    groups
}

/// The values of a row of a leaf, as the log would have them.
///
/// # Safety
/// `row` is a live tuple of the leaf, which has the logged columns.
unsafe fn image(leaf: &IndexedLeaf, log: &ChangeLog, row: pg_sys::HeapTuple) -> Vec<Value> {
    let desc = leaf.relation().tuple_desc();
    let columns = 1..=log.attributes().len() as i16;
    columns
        // SAFETY: the caller's promise.
        .map(|column| unsafe { tuple::value(row, desc, column) })
        .collect()
}

/// The same, reading the whole leaf once.
fn delete_by_scan(
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
    let mut left = entries.len();
    // SAFETY: the leaf is a heap, open to the end; rows are valid until the next one. A deleted
    // row is not seen again by this scan, since it has passed it.
    unsafe {
        let mut scan = HeapScan::with_own_changes(leaf.relation());
        while left > 0 {
            let Some(row) = scan.next() else { break };
            let image = image(leaf, log, row);
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
