//! Giving the guard of a key what a batch gives the twin: of each key on it, what the source holds.
//!
//! Transfer of state by the key alone, wherever its row lies: a key whose row has moved is on the log twice, and
//! it does not matter which of the two is met first, or in which batch.
#![allow(unsafe_code, reason = "moves heap tuples")]

use super::apply_keys::open_index;
use super::batch::Batch;
use super::indexed_leaf::IndexedLeaf;
use super::probe::Probe;
use crate::catalog::guard::primary_key;
use crate::catalog::job::Job;
use crate::error::Error;
use crate::pg::interrupts;
use crate::pg::relation::Relation;
use crate::pg::tuple::{self, Value};
use crate::plan::guard::Guard;
use pgrx::pg_sys;
use std::collections::HashSet;

/// Applies the keys of a batch. `found` looks up rows of the source by the key, as the batch's snapshot has them.
pub fn apply(
    job: &Job,
    plan: &Guard,
    source: &Relation,
    found: &mut Probe,
    batch: &Batch,
) -> Result<(), Error> {
    let gone = || Error::TwinAltered {
        relation: job.source_name.clone(),
        twin: plan.name.name.clone(),
    };
    let guard = job.guard.ok_or_else(gone)?;
    let index = primary_key(guard)?.ok_or_else(gone)?;
    let target = IndexedLeaf::open(guard);
    let index = open_index(index)?;
    let width = plan.attnums.len();
    // SAFETY: guard and index stay open; the special snapshot is static, and sees what this transaction has
    // deleted. Values of entries live as long as the batch; the index has the first logged columns.
    unsafe {
        let mut there = Probe::begin(
            target.relation(),
            &index,
            width,
            &raw mut pg_sys::SnapshotSelfData,
        )?;
        for (count, entry) in batch.entries.iter().enumerate() {
            if count % 1024 == 0 {
                interrupts::check();
            }
            if let Some(row) = there.find(&entry.values[..width]) {
                target.delete(row);
            }
        }
        there.end();
        // Makes the deletions visible to what follows.
        pg_sys::CommandCounterIncrement();
        let columns: Vec<i16> = (plan.attnums.iter().copied())
            .chain([job.plan.key.attnum])
            .collect();
        // Two entries can mean the same row: its place in the source tells.
        let mut inserted: HashSet<u64> = HashSet::new();
        for (count, entry) in batch.entries.iter().enumerate() {
            if count % 1024 == 0 {
                interrupts::check();
            }
            let Some(row) = found.find(&entry.values[..width]) else {
                continue;
            };
            if inserted.insert(tuple::place(row)) {
                let values: Vec<Value> = columns
                    .iter()
                    .map(|column| tuple::value(row, source.tuple_desc(), *column))
                    .collect();
                let noted = tuple::form(target.relation().tuple_desc(), &values);
                target.insert(noted);
                pg_sys::heap_freetuple(noted);
            }
        }
    }
    target.close();
    Ok(())
}
