//! Finds a relation in an analysed query, and puts another in its place.

use super::{Stand, members};
use crate::pg::version;
use pgrx::pg_sys;
use std::ffi::c_void;

/// Whether a query reads or writes a relation anywhere, below views too.
pub fn uses(query: *mut pg_sys::Query, relation: pg_sys::Oid) -> bool {
    let mut search = Search {
        relation,
        stand: None,
        put: Put::default(),
    };
    search.begin(query);
    search.put.is_used
}

/// What was found.
#[derive(Clone, Copy, Default)]
pub struct Put {
    pub is_used: bool,
    /// It is read with ONLY, which leaves partitions out.
    pub names_only: bool,
}

/// Puts the twin in the place of the source.
pub fn put(query: *mut pg_sys::Query, stand: &Stand) -> Put {
    let mut search = Search {
        relation: stand.source,
        stand: Some(stand),
        put: Put::default(),
    };
    search.begin(query);
    search.put
}

struct Search<'a> {
    relation: pg_sys::Oid,
    stand: Option<&'a Stand>,
    put: Put,
}

impl Search<'_> {
    fn begin(&mut self, query: *mut pg_sys::Query) {
        let context: *mut Search = self;
        // SAFETY: a query from the rewriter; the context lives as long as the call.
        unsafe { version::walk(query.cast(), visit, context.cast()) };
    }

    /// A row of the source as a whole is then one of the twin, which partitions convert their own to.
    ///
    /// # Safety
    /// `column` is live.
    unsafe fn retype(&self, column: *mut pg_sys::Var) {
        let Some(stand) = self.stand else { return };
        // SAFETY: the caller's promise; looks into the catalog cache.
        unsafe {
            if (*column).varattno == 0 && (*column).vartype == pg_sys::get_rel_type_id(stand.source)
            {
                (*column).vartype = pg_sys::get_rel_type_id(stand.twin);
            }
        }
    }

    /// # Safety
    /// `query` is live.
    unsafe fn look_at(&mut self, query: *mut pg_sys::Query) {
        // SAFETY: the caller's promise; a range table is a list of its entries, and counts from 1.
        unsafe {
            let inserted = match (*query).commandType {
                pg_sys::CmdType::CMD_INSERT => (*query).resultRelation,
                _ => 0,
            };
            for (entry, number) in members::<pg_sys::RangeTblEntry>((*query).rtable)
                .into_iter()
                .zip(1..)
            {
                if (*entry).rtekind != pg_sys::RTEKind::RTE_RELATION
                    || (*entry).relid != self.relation
                {
                    continue;
                }
                self.put.is_used = true;
                // The row that ON CONFLICT calls EXCLUDED is of the table's type, but no table.
                let is_table = (*entry).relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char;
                self.put.names_only |= is_table && !(*entry).inh && number != inserted;
                if let Some(stand) = self.stand {
                    (*entry).relid = stand.twin;
                    if is_table {
                        (*entry).relkind = pg_sys::RELKIND_PARTITIONED_TABLE as std::ffi::c_char;
                    }
                }
            }
            if let Some(stand) = self.stand {
                version::move_permissions(query, stand.source, stand.twin);
                let conflict = (*query).onConflict;
                if !conflict.is_null() {
                    let found = stand
                        .constraints
                        .iter()
                        .find(|(of_source, _)| *of_source == (*conflict).constraint);
                    if let Some((_, of_twin)) = found {
                        (*conflict).constraint = *of_twin;
                    }
                }
            }
        }
    }
}

/// PostgreSQL calls this for each node of a tree, below `version::walk`.
unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: nodes of a live tree; the context is the Search that began this walk, and nobody
    // else has it now.
    unsafe {
        if (*node).type_ == pg_sys::NodeTag::T_Query {
            let query = node.cast::<pg_sys::Query>();
            (*context.cast::<Search>()).look_at(query);
            return version::query_tree_walker(query, visit, context);
        }
        if (*node).type_ == pg_sys::NodeTag::T_Var {
            (*context.cast::<Search>()).retype(node.cast());
        }
        version::expression_tree_walker(node, visit, context)
    }
}
