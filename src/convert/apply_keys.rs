//! Applying dirty keys: the twin's row with that key goes, what the source holds now comes.
//!
//! This is transfer of state, not of changes: doing it twice, or later than it could have been
//! done, or in another order, ends the same.
#![allow(unsafe_code, reason = "moves heap tuples")]

use super::apply_guard;
use super::batch::Batch;
use super::catch_up::Targets;
use super::change_log::ChangeLog;
use super::copy::no_partition;
use super::indexed_leaf::IndexedLeaf;
use super::layout::Layout;
use super::probe::Probe;
use super::routing::Routing;
use crate::catalog::job::Job;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::interrupts;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::tuple::{self, Value};
use crate::plan::Identity;
use pgrx::pg_sys;
use std::collections::{BTreeMap, HashSet};

/// Applies a batch of dirty keys to the twin.
///
/// All deletes come before all inserts, each leaf in turn: a row that moved is never there twice.
pub fn apply(
    job: &Job,
    identity: &Identity,
    source: &Relation,
    log: &ChangeLog,
    batch: &Batch,
    targets: &Targets,
    routing: &mut Routing,
) -> Result<(), Error> {
    let sorted = sort_by_leaf(job, log, batch, routing)?;
    let mut opened: Vec<(IndexedLeaf, Vec<usize>)> = Vec::with_capacity(sorted.by_leaf.len());
    for (leaf, entries) in sorted.by_leaf {
        let target = IndexedLeaf::open(targets.leaves[leaf]);
        let index = open_index(targets.identity_indexes[leaf])?;
        delete_stale(log, batch, &target, &index, &entries)?;
        opened.push((target, entries));
    }
    failpoint("catch_up:after_delete")?;
    // SAFETY: inside a transaction; makes the deletes visible to what follows.
    unsafe { pg_sys::CommandCounterIncrement() };
    let index = open_index(source_index(job, identity)?)?;
    let key_columns = identity.attnums.len();
    // SAFETY: source and index stay open, the active snapshot outlives the probe.
    let mut probe =
        unsafe { Probe::begin(source, &index, key_columns, pg_sys::GetActiveSnapshot())? };
    let current = Current {
        job,
        source,
        log,
        batch,
        key_columns,
    };
    current.insert(&mut probe, &opened)?;
    current.refuse(&mut probe, &sorted.outside)?;
    if let Some(guard) = &job.plan.guard {
        apply_guard::apply(job, guard, source, &mut probe, batch)?;
    }
    probe.end();
    opened.into_iter().for_each(|(leaf, _)| leaf.close());
    Ok(())
}

/// Entries of a batch, by what is to be done with them.
struct Sorted {
    by_leaf: BTreeMap<usize, Vec<usize>>,
    /// Entries whose key no partition takes.
    outside: Vec<usize>,
}

fn sort_by_leaf(
    job: &Job,
    log: &ChangeLog,
    batch: &Batch,
    routing: &mut Routing,
) -> Result<Sorted, Error> {
    let key_columns = log.places_of_key(&job.plan)?;
    let mut sorted = Sorted {
        by_leaf: BTreeMap::new(),
        outside: Vec::new(),
    };
    for (place, entry) in batch.entries.iter().enumerate() {
        match routing.route(|number| entry.values[key_columns[number]]) {
            Some(leaf) => sorted.by_leaf.entry(leaf).or_default().push(place),
            None => sorted.outside.push(place),
        }
    }
    Ok(sorted)
}

fn delete_stale(
    log: &ChangeLog,
    batch: &Batch,
    leaf: &IndexedLeaf,
    index: &Relation,
    entries: &[usize],
) -> Result<(), Error> {
    // SAFETY: leaf and index stay open; the special snapshot is static. The index has the logged
    // columns in the log's order: the key's, then the partition column if the key lacks it.
    unsafe {
        let mut probe = Probe::begin(
            leaf.relation(),
            index,
            log.attnums().len(),
            &raw mut pg_sys::SnapshotSelfData,
        )?;
        for (count, place) in entries.iter().enumerate() {
            if count % 1024 == 0 {
                interrupts::check();
            }
            if let Some(row) = probe.find(&batch.entries[*place].values) {
                leaf.delete(row);
            }
        }
        probe.end();
    }
    Ok(())
}

/// What the source holds now for the keys of a batch.
struct Current<'a> {
    job: &'a Job,
    source: &'a Relation,
    log: &'a ChangeLog,
    batch: &'a Batch,
    key_columns: usize,
}

impl Current<'_> {
    fn insert(&self, probe: &mut Probe, opened: &[(IndexedLeaf, Vec<usize>)]) -> Result<(), Error> {
        // Values that are equal to the index may differ to the byte (1.0 and 1.00): two entries
        // of a batch can mean the same row. Its place in the source tells.
        let mut inserted: HashSet<u64> = HashSet::new();
        for (leaf, entries) in opened {
            // SAFETY: both relations stay open; rows are valid until the next probe.
            unsafe {
                let leaf_desc = leaf.relation().tuple_desc();
                let layout = Layout::new(self.source.tuple_desc(), leaf_desc, &self.job.plan);
                for (count, place) in entries.iter().enumerate() {
                    if count % 1024 == 0 {
                        interrupts::check();
                    }
                    let Some(row) = self.find(probe, *place) else {
                        continue;
                    };
                    if inserted.insert(tuple::place(row)) {
                        let copy = layout.leaf_tuple(row);
                        leaf.insert(copy);
                        pg_sys::heap_freetuple(copy);
                    }
                }
            }
        }
        Ok(())
    }

    /// A key that no partition takes may be on the log, as long as its row is gone by now.
    fn refuse(&self, probe: &mut Probe, outside: &[usize]) -> Result<(), Error> {
        for place in outside {
            // SAFETY: the row is not used.
            if unsafe { self.find(probe, *place) }.is_some() {
                return Err(no_partition(self.job));
            }
        }
        Ok(())
    }

    /// The row that an entry means, if the source holds it.
    ///
    /// # Safety
    /// The row is valid until the next call.
    unsafe fn find(&self, probe: &mut Probe, place: usize) -> Option<pg_sys::HeapTuple> {
        let values = &self.batch.entries[place].values;
        // SAFETY: the caller's promise; the entry's values live as long as the batch.
        unsafe {
            let row = probe.find(&values[..self.key_columns])?;
            // The row may have moved to another partition since: then that key is on the log
            // too, and belongs to another entry.
            let moved = is_elsewhere(self.log, self.source, row, values, self.key_columns);
            (!moved).then_some(row)
        }
    }
}

/// Whether the row's partition column is not the logged one.
///
/// # Safety
/// `row` is a live tuple of the source; `values` are of an entry of the log.
unsafe fn is_elsewhere(
    log: &ChangeLog,
    source: &Relation,
    row: pg_sys::HeapTuple,
    values: &[Value],
    key_columns: usize,
) -> bool {
    (key_columns..values.len()).any(|column| {
        // SAFETY: the caller's promise.
        unsafe {
            let now = tuple::value(row, source.tuple_desc(), log.attnums()[column]);
            !now.same_image(values[column], &log.attributes()[column])
        }
    })
}

/// The index of the source's key. By name each time: REINDEX CONCURRENTLY replaces it.
fn source_index(job: &Job, identity: &Identity) -> Result<pg_sys::Oid, Error> {
    let oid: Option<pg_sys::Oid> = db::row(
        "SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
          WHERE i.indrelid = $1 AND c.relname = $2",
        &[job.source.into(), identity.index.as_str().into()],
        |row| row.get(1),
    )?;
    oid.ok_or_else(|| Error::SourceAltered {
        relation: job.source_name.clone(),
        detail: format!(
            "Index \"{}\", by which its rows are known, is gone.",
            identity.index
        ),
    })
}

/// Opens an index. ACCESS SHARE, until commit: its table is locked already.
pub fn open_index(oid: pg_sys::Oid) -> Result<Relation, Error> {
    Relation::try_open(oid, Mode::AccessShare)
        .ok_or_else(|| Error::Internal(format!("index {} is gone", oid.to_u32())))
}
