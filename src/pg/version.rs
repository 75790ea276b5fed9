//! Where the majors of PostgreSQL differ in C.

use pgrx::pg_sys;

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
    // SAFETY: as above. Since 18 attributes stand behind an array of compact ones.
    #[cfg(feature = "pg18")]
    unsafe {
        &*pg_sys::TupleDescAttr(desc, index as i32)
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
