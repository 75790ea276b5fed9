//! Taking entries off the change log.
#![allow(unsafe_code, reason = "copies heap tuples")]

use super::change_log::{ChangeLog, Entry, Event};
use super::scan::HeapScan;
use crate::error::Error;
use crate::pg::tuple;
use pgrx::pg_sys;
use std::collections::HashSet;

/// What was read off the log by one snapshot.
pub struct Batch {
    /// Entries to apply: of equal ones, the first.
    pub entries: Vec<Entry>,
    /// Entries that say the same as one in `entries`.
    pub repeated: Vec<pg_sys::ItemPointerData>,
    /// About how many more the snapshot saw, beyond the limit; 0 only where there are none.
    pub left: u64,
    /// Whether the source was truncated.
    pub truncated: bool,
}

impl Batch {
    /// How many log entries the batch holds.
    pub fn len(&self) -> usize {
        self.entries.len() + self.repeated.len()
    }
}

/// Reads up to `limit` entries that the active snapshot sees. Values live in the current memory
/// context.
pub fn read(log: &ChangeLog, limit: usize) -> Result<Batch, Error> {
    let mut batch = Batch {
        entries: Vec::new(),
        repeated: Vec::new(),
        left: 0,
        truncated: false,
    };
    let mut seen: HashSet<&[u8]> = HashSet::new();
    // SAFETY: the log is a heap, open while the batch is read; a snapshot is active. Copies of
    // its tuples outlive the batch.
    unsafe {
        let mut scan = HeapScan::all(log.relation());
        while let Some(row) = scan.next() {
            if batch.len() >= limit {
                batch.left = estimate_rest(log, row, batch.len());
                break;
            }
            let copy = pg_sys::heap_copytuple(row);
            let entry = log.read(copy)?;
            match entry.event {
                Event::Truncated => batch.truncated = true,
                // Only keys repeat each other; each row image counts.
                Event::Key if !seen.insert(tuple::body(copy)) => {
                    batch.repeated.push(entry.tid);
                    pg_sys::heap_freetuple(copy);
                    continue;
                }
                _ => {}
            }
            batch.entries.push(entry);
        }
        scan.end();
    }
    Ok(batch)
}

/// About how many entries are behind the first `seen` ones, of which `next` follows: as many per
/// block as in the blocks before. At least that one.
///
/// # Safety
/// `next` is a live tuple of the log.
unsafe fn estimate_rest(log: &ChangeLog, next: pg_sys::HeapTuple, seen: usize) -> u64 {
    // SAFETY: the caller's promise.
    let block = unsafe { pgrx::itemptr::item_pointer_get_block_number(&raw const (*next).t_self) };
    let (before, behind) = (
        u64::from(block) + 1,
        u64::from(log.relation().blocks().saturating_sub(block + 1)),
    );
    (seen as u64 * behind / before).max(1)
}

/// Calls `each` with every entry that the active snapshot sees; its values live as long as the
/// call.
pub fn for_each(log: &ChangeLog, mut each: impl FnMut(&Entry)) -> Result<(), Error> {
    // SAFETY: as in `read`; rows are valid until the next one.
    unsafe {
        let mut scan = HeapScan::all(log.relation());
        while let Some(row) = scan.next() {
            each(&log.read(row)?);
        }
        scan.end();
    }
    Ok(())
}

/// Takes entries off the log: exactly those that were read.
pub fn remove<'a>(log: &ChangeLog, entries: impl Iterator<Item = &'a pg_sys::ItemPointerData>) {
    for tid in entries {
        let mut tid = *tid;
        // SAFETY: an entry that this transaction's snapshot saw; only conversions delete
        // entries, and a job has one at a time.
        unsafe { pg_sys::simple_heap_delete(log.relation().as_ptr(), &mut tid) }
    }
}
