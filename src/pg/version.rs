//! Where the majors of PostgreSQL differ in C.

use super::list::members;
use pgrx::pg_sys;
use std::ffi::{CStr, c_void};

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

/// What PostgreSQL calls for each node of a tree; it returns true to end the walk.
pub type Walker = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> bool;

unsafe extern "C-unwind" {
    // Not pgrx's own, which would turn an ERROR into a panic and back at each level of a tree.
    #[cfg_attr(feature = "pg15", link_name = "query_tree_walker")]
    #[cfg_attr(not(feature = "pg15"), link_name = "query_tree_walker_impl")]
    fn walk_query(
        query: *mut pg_sys::Query,
        walker: Walker,
        context: *mut c_void,
        flags: std::ffi::c_int,
    ) -> bool;
    #[cfg_attr(feature = "pg15", link_name = "expression_tree_walker")]
    #[cfg_attr(not(feature = "pg15"), link_name = "expression_tree_walker_impl")]
    fn walk_expression(node: *mut pg_sys::Node, walker: Walker, context: *mut c_void) -> bool;
}

/// Calls `walker` for `root`. An ERROR jumps from any depth to here, and becomes a panic: the stack
/// is limited, and walkers check it.
///
/// # Safety
/// `root` is live, and `walker` takes `context`. The walker has no guard of its own, and holds
/// nothing that is to be dropped while it goes on with one of the two below.
pub unsafe fn walk(root: *mut pg_sys::Node, walker: Walker, context: *mut c_void) -> bool {
    // SAFETY: the caller's promise.
    unsafe { super::guarded(|| walker(root, context)) }
}

/// Calls `walker` for all that a query consists of, subqueries among it.
///
/// # Safety
/// Only from a walker below [`walk`]. `query` is live, and `walker` takes `context`.
pub unsafe fn query_tree_walker(
    query: *mut pg_sys::Query,
    walker: Walker,
    context: *mut c_void,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { walk_query(query, walker, context, 0) }
}

/// Calls `walker` for all that an expression consists of.
///
/// # Safety
/// Only from a walker below [`walk`]. `node` is live, and `walker` takes `context`.
pub unsafe fn expression_tree_walker(
    node: *mut pg_sys::Node,
    walker: Walker,
    context: *mut c_void,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { walk_expression(node, walker, context) }
}

/// Makes what a query asks of privileges on one relation be asked on another. Until 15 that stands
/// in the range table itself.
///
/// # Safety
/// `query` is live and ours to change.
pub unsafe fn move_permissions(query: *mut pg_sys::Query, from: pg_sys::Oid, to: pg_sys::Oid) {
    #[cfg(feature = "pg15")]
    let _ = (query, from, to);
    // SAFETY: the caller's promise; the list is of that type.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        for asked in members::<pg_sys::RTEPermissionInfo>((*query).rteperminfos) {
            if (*asked).relid == from {
                (*asked).relid = to;
            }
        }
    }
}

/// Whether an operator compares as btree indexes do: less, equal, greater.
///
/// # Safety
/// Inside a transaction.
pub unsafe fn orders(operator: pg_sys::Oid) -> bool {
    // SAFETY: the caller's promise; the list is of that type. The sixth strategy is "not equal".
    #[cfg(not(feature = "pg18"))]
    unsafe {
        let all = pg_sys::get_op_btree_interpretation(operator);
        members::<pg_sys::OpBtreeInterpretation>(all)
            .into_iter()
            .any(|one| (1..=5).contains(&(*one).strategy))
    }
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        let all = pg_sys::get_op_index_interpretation(operator);
        members::<pg_sys::OpIndexInterpretation>(all)
            .into_iter()
            .any(|one| (1..=5).contains(&(*one).cmptype))
    }
}

/// By what subplans of an Append are left out at run time; NULL where none are.
///
/// # Safety
/// `append` is a node of the plan of `statement`.
pub unsafe fn pruning_of_append(
    statement: *mut pg_sys::PlannedStmt,
    append: *mut pg_sys::Append,
) -> *mut pg_sys::PartitionPruneInfo {
    // SAFETY: the caller's promise.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        let _ = statement;
        (*append).part_prune_info
    }
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        pruning_at(statement, (*append).part_prune_index)
    }
}

/// As [`pruning_of_append`], of a MergeAppend.
///
/// # Safety
/// `append` is a node of the plan of `statement`.
pub unsafe fn pruning_of_merge_append(
    statement: *mut pg_sys::PlannedStmt,
    append: *mut pg_sys::MergeAppend,
) -> *mut pg_sys::PartitionPruneInfo {
    // SAFETY: the caller's promise.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        let _ = statement;
        (*append).part_prune_info
    }
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        pruning_at(statement, (*append).part_prune_index)
    }
}

/// # Safety
/// `statement` is live; -1 stands for nothing.
#[cfg(feature = "pg18")]
unsafe fn pruning_at(
    statement: *mut pg_sys::PlannedStmt,
    index: std::ffi::c_int,
) -> *mut pg_sys::PartitionPruneInfo {
    // SAFETY: the caller's promise.
    let all = unsafe { members((*statement).partPruneInfos) };
    let found = usize::try_from(index).ok().and_then(|index| all.get(index));
    found.copied().unwrap_or(std::ptr::null_mut())
}

/// Indexes of the partitioned table itself that are locked when a query on it is planned: since 16
/// all of them.
pub fn parent_indexes_locked(indexes: usize) -> usize {
    match cfg!(feature = "pg15") {
        true => 0,
        false => indexes,
    }
}

/// Runs a portal to its end, as a session's own statement.
///
/// # Safety
/// The portal is started; whatever its statement needs outlives transactions.
pub unsafe fn run_portal(portal: pg_sys::Portal, receiver: *mut pg_sys::DestReceiver) {
    let all = std::ffi::c_long::MAX;
    let none = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        pg_sys::PortalRun(portal, all, true, true, receiver, receiver, none);
    }
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::PortalRun(portal, all, true, receiver, receiver, none);
    }
}
