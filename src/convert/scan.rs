//! Reading a heap.
#![allow(unsafe_code, reason = "drives heap scans")]

use crate::pg::interrupts;
use crate::pg::relation::Relation;
use pgrx::pg_sys;

/// How often a scan looks for interrupts.
const ROWS_BETWEEN_CHECKS: u32 = 4096;

/// A scan over a heap, or over some of its blocks.
pub struct HeapScan {
    scan: pg_sys::TableScanDesc,
    rows: u32,
}

impl HeapScan {
    /// Begins a scan over `blocks` (first, count; the part of them that still exists) that sees
    /// what the active snapshot sees. `None` where none of them exists.
    ///
    /// # Safety
    /// The relation is a heap and stays open until the scan has ended; a snapshot is active.
    pub unsafe fn blocks(relation: &Relation, blocks: (u32, u32)) -> Option<HeapScan> {
        // Vacuum may have cut empty blocks off the end; a scan would wrap around there. While
        // the relation is locked, that cannot happen.
        let (first, count) = blocks;
        let count = count.min(relation.blocks().saturating_sub(first));
        if count == 0 {
            return None;
        }
        // SAFETY: the caller's promise.
        Some(unsafe { Self::visible(relation, Some((first, count))) })
    }

    /// Begins a scan over all of a relation that sees what the active snapshot sees.
    ///
    /// # Safety
    /// As [`HeapScan::blocks`].
    pub unsafe fn all(relation: &Relation) -> HeapScan {
        // SAFETY: the caller's promise.
        unsafe { Self::visible(relation, None) }
    }

    unsafe fn visible(relation: &Relation, blocks: Option<(u32, u32)>) -> HeapScan {
        let flags = pg_sys::ScanOptions::SO_TYPE_SEQSCAN
            | pg_sys::ScanOptions::SO_ALLOW_STRAT
            | pg_sys::ScanOptions::SO_ALLOW_PAGEMODE;
        // SAFETY: the caller's promise. Without SO_ALLOW_SYNC, so that limits hold.
        unsafe { Self::begin(relation, pg_sys::GetActiveSnapshot(), flags, blocks) }
    }

    /// Begins a scan that also sees what this transaction itself wrote a moment ago.
    ///
    /// # Safety
    /// The relation is a heap and stays open until the scan has ended.
    pub unsafe fn with_own_changes(relation: &Relation) -> HeapScan {
        let flags = pg_sys::ScanOptions::SO_TYPE_SEQSCAN | pg_sys::ScanOptions::SO_ALLOW_STRAT;
        // SAFETY: the caller's promise. Page mode needs an MVCC snapshot, which this is not.
        unsafe { Self::begin(relation, &raw mut pg_sys::SnapshotSelfData, flags, None) }
    }

    unsafe fn begin(
        relation: &Relation,
        snapshot: pg_sys::Snapshot,
        flags: pg_sys::ScanOptions::Type,
        blocks: Option<(u32, u32)>,
    ) -> HeapScan {
        // SAFETY: the callers' promises.
        unsafe {
            let scan = pg_sys::heap_beginscan(
                relation.as_ptr(),
                snapshot,
                0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                flags,
            );
            if let Some((first, count)) = blocks {
                pg_sys::heap_setscanlimits(scan, first, count);
            }
            HeapScan { scan, rows: 0 }
        }
    }

    /// The next row, valid until the one after it is asked for.
    pub fn next(&mut self) -> Option<pg_sys::HeapTuple> {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            interrupts::check();
        }
        // SAFETY: the scan was begun and has not ended.
        let row =
            unsafe { pg_sys::heap_getnext(self.scan, pg_sys::ScanDirection::ForwardScanDirection) };
        (!row.is_null()).then_some(row)
    }

    /// Ends the scan. Not in `Drop`: after an ERROR the transaction's end releases it.
    pub fn end(self) {
        // SAFETY: begun by us, ended once.
        unsafe { pg_sys::heap_endscan(self.scan) }
    }
}
