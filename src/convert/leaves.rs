//! Bulk loading of leaves that have no indexes yet.
#![allow(unsafe_code, reason = "drives heap_multi_insert")]

use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::{tuple, wal};
use pgrx::pg_sys;

/// Rows that a leaf holds back before they are written together.
const ROWS_PER_LEAF: usize = 1000;
/// Bytes that all leaves together hold back.
const BYTES_IN_ALL: usize = 2 << 20;

/// After so many bytes the WAL writer is woken. Whoever commits waits until all WAL before is on
/// disk, ours too: there must never be much of it.
const BYTES_PER_FLUSH: usize = 256 << 10;

/// Buffers rows per leaf and writes them page by page.
pub struct LeafWriters {
    leaves: Vec<Option<LeafWriter>>,
    oids: Vec<pg_sys::Oid>,
    buffered: usize,
    since_flush: usize,
    command: pg_sys::CommandId,
}

struct LeafWriter {
    relation: Relation,
    bulk: pg_sys::BulkInsertState,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    used: usize,
}

impl LeafWriters {
    /// Writers for leaves, opened when their first row comes.
    pub fn new(oids: Vec<pg_sys::Oid>) -> LeafWriters {
        // SAFETY: inside a transaction; marks its command id as used.
        let command = unsafe { pg_sys::GetCurrentCommandId(true) };
        LeafWriters {
            leaves: oids.iter().map(|_| None).collect(),
            oids,
            buffered: 0,
            since_flush: 0,
            command,
        }
    }

    /// The row type of a leaf.
    pub fn tuple_desc(&mut self, leaf: usize) -> pg_sys::TupleDesc {
        self.writer(leaf).relation.tuple_desc()
    }

    fn writer(&mut self, leaf: usize) -> &mut LeafWriter {
        let oid = self.oids[leaf];
        self.leaves[leaf].get_or_insert_with(|| LeafWriter {
            // ROW EXCLUSIVE on a leaf of the twin, which nobody else uses; until commit.
            relation: Relation::open(oid, Mode::RowExclusive),
            // SAFETY: allocates in the current memory context, freed in `finish`.
            bulk: unsafe { pg_sys::GetBulkInsertState() },
            slots: Vec::new(),
            used: 0,
        })
    }

    /// Adds a row, which must be allocated with palloc; it is freed when it has been written.
    ///
    /// # Safety
    /// `row` is a tuple of the leaf's row type that nobody else uses.
    pub unsafe fn add(&mut self, leaf: usize, row: pg_sys::HeapTuple) {
        // SAFETY: the caller's promise.
        let length = unsafe { (*row).t_len as usize };
        let command = self.command;
        let writer = self.writer(leaf);
        // SAFETY: as above.
        unsafe { writer.hold(row) };
        if writer.used == ROWS_PER_LEAF {
            // SAFETY: the slots up to `used` hold rows.
            unsafe { writer.write(command) };
        }
        self.buffered += length;
        if self.buffered >= BYTES_IN_ALL {
            self.write_all();
        }
        self.since_flush += length;
        if self.since_flush >= BYTES_PER_FLUSH {
            self.since_flush = 0;
            wal::flush_soon();
        }
    }

    fn write_all(&mut self) {
        for writer in self.leaves.iter_mut().flatten() {
            // SAFETY: the slots up to `used` hold rows.
            unsafe { writer.write(self.command) };
        }
        self.buffered = 0;
    }

    /// Writes what is held back, and closes the leaves.
    pub fn finish(mut self) {
        self.write_all();
        for writer in self.leaves.into_iter().flatten() {
            // SAFETY: made by `writer` and `hold`, released once.
            unsafe {
                pg_sys::FreeBulkInsertState(writer.bulk);
                for slot in writer.slots {
                    pg_sys::ExecDropSingleTupleTableSlot(slot);
                }
            }
        }
    }
}

impl LeafWriter {
    /// # Safety
    /// As [`LeafWriters::add`].
    unsafe fn hold(&mut self, row: pg_sys::HeapTuple) {
        // SAFETY: a slot of the leaf's row type takes over the row, and frees it when cleared.
        unsafe {
            if self.used == self.slots.len() {
                self.slots.push(pg_sys::MakeSingleTupleTableSlot(
                    self.relation.tuple_desc(),
                    &raw const pg_sys::TTSOpsHeapTuple,
                ));
            }
            pg_sys::ExecStoreHeapTuple(row, self.slots[self.used], true);
        }
        self.used += 1;
    }

    /// # Safety
    /// The slots up to `used` hold rows.
    unsafe fn write(&mut self, command: pg_sys::CommandId) {
        if self.used == 0 {
            return;
        }
        // SAFETY: the leaf is a heap without indexes, open and locked. Values that lie in the
        // source's TOAST table are fetched and stored in the leaf's.
        unsafe {
            pg_sys::heap_multi_insert(
                self.relation.as_ptr(),
                self.slots.as_mut_ptr(),
                self.used as i32,
                command,
                0,
                self.bulk,
            );
            for slot in &self.slots[..self.used] {
                tuple::clear_slot(*slot);
            }
        }
        self.used = 0;
    }
}
