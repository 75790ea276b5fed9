//! The functions that an analysed query calls: planning runs those that are immutable.

use crate::pg::version;
use pgrx::pg_sys;
use std::collections::BTreeSet;
use std::ffi::c_void;

unsafe extern "C-unwind" {
    // Not pgrx's own, which would turn an ERROR into a panic inside of a walker.
    fn check_functions_in_node(
        node: *mut pg_sys::Node,
        checker: unsafe extern "C-unwind" fn(pg_sys::Oid, *mut c_void) -> bool,
        context: *mut c_void,
    ) -> bool;
}

/// Functions that did not come with PostgreSQL itself: called by name, by operators, casts, types
/// and aggregates, below views and policies too.
pub fn of_queries(queries: &[*mut pg_sys::Query]) -> Vec<pg_sys::Oid> {
    let mut found = BTreeSet::new();
    for query in queries {
        let context: *mut BTreeSet<u32> = &mut found;
        // SAFETY: queries from the rewriter; the context lives as long as the call.
        unsafe { version::walk((*query).cast(), visit, context.cast()) };
    }
    found.into_iter().map(pg_sys::Oid::from).collect()
}

/// PostgreSQL calls this for each node of a tree, below `version::walk`.
unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: nodes of a live tree; the context is the set that began this walk.
    unsafe {
        if (*node).type_ == pg_sys::NodeTag::T_Query {
            return version::query_tree_walker(node.cast(), visit, context);
        }
        check_functions_in_node(node, note, context);
        version::expression_tree_walker(node, visit, context)
    }
}

/// PostgreSQL calls this for each function of a node.
unsafe extern "C-unwind" fn note(function: pg_sys::Oid, context: *mut c_void) -> bool {
    if function.to_u32() >= pg_sys::FirstNormalObjectId {
        // SAFETY: as above; nobody else has the set now.
        unsafe { (*context.cast::<BTreeSet<u32>>()).insert(function.to_u32()) };
    }
    false
}
