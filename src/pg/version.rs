//! Where the majors of PostgreSQL differ in C.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Settings that a worker pins, and that not every major knows. Building an index takes longer than
/// `transaction_timeout` (since 17) may allow to a session, and its end is FATAL, not an ERROR.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
pub const WORKER_SETTINGS: &[(&CStr, &CStr)] = &[(c"transaction_timeout", c"0")];
/// As above: none.
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub const WORKER_SETTINGS: &[(&CStr, &CStr)] = &[];

/// An attribute of a row type, counted from 0.
///
/// # Safety
/// `desc` is live, and `index` is below its number of attributes.
pub unsafe fn attribute<'a>(
    desc: pg_sys::TupleDesc,
    index: usize,
) -> &'a pg_sys::FormData_pg_attribute {
    // SAFETY: the caller's promise; attributes lie in the descriptor itself.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        &*(*desc).attrs.as_ptr().add(index)
    }
    // SAFETY: as above. Since 18 attributes stand behind an array of compact ones; the inline function
    // TupleDescAttr is not among the bindings that are made on a machine.
    #[cfg(feature = "pg18")]
    unsafe {
        let compact = (*desc).compact_attrs.as_ptr();
        let all = compact.add((*desc).natts as usize);
        &*all.cast::<pg_sys::FormData_pg_attribute>().add(index)
    }
}

/// Begins an index scan.
///
/// # Safety
/// As `index_beginscan`: both relations are open, the snapshot outlives the scan.
pub unsafe fn index_beginscan(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    keys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the caller's promise.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        pg_sys::index_beginscan(heap, index, snapshot, keys, 0)
    }
    // SAFETY: as above; nobody wants instrumentation.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::index_beginscan(heap, index, snapshot, std::ptr::null_mut(), keys, 0)
    }
}

/// Inserts a row's index entries. A unique index takes the entry even if it holds an equal one:
/// the check is left for later.
///
/// # Safety
/// As `ExecInsertIndexTuples`: the indexes of `relation` are open, `slot` holds the stored row.
pub unsafe fn insert_index_entries(
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    estate: *mut pg_sys::EState,
) {
    let mut conflict = false;
    let none = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    #[cfg(feature = "pg15")]
    unsafe {
        pg_sys::ExecInsertIndexTuples(relation, slot, estate, false, true, &mut conflict, none);
    }
    // SAFETY: as above.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::ExecInsertIndexTuples(
            relation,
            slot,
            estate,
            false,
            true,
            &mut conflict,
            none,
            false,
        );
    }
}
