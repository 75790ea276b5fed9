//! A leaf whose indexes exist: single rows come and go.
#![allow(unsafe_code, reason = "drives the executor's index maintenance")]

use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::{tuple, version};
use pgrx::pg_sys;

/// A leaf, open for changes.
///
/// Unique indexes take entries without refusing equal ones: rows of the source that exchange
/// values pass through a state that would break the rule, and the source itself has upheld it
/// whenever a round is complete.
pub struct IndexedLeaf {
    relation: Relation,
    result: *mut pg_sys::ResultRelInfo,
    estate: *mut pg_sys::EState,
    slot: *mut pg_sys::TupleTableSlot,
}

impl IndexedLeaf {
    /// Opens a leaf and its indexes.
    ///
    /// ROW EXCLUSIVE on a leaf of the twin, which nobody else uses; until commit.
    pub fn open(oid: pg_sys::Oid) -> IndexedLeaf {
        let relation = Relation::open(oid, Mode::RowExclusive);
        // SAFETY: the nodes live in the current memory context, which outlives this value.
        unsafe {
            let estate = pg_sys::CreateExecutorState();
            let result =
                pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(result, relation.as_ptr(), 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            let slot = pg_sys::MakeSingleTupleTableSlot(
                relation.tuple_desc(),
                &raw const pg_sys::TTSOpsHeapTuple,
            );
            IndexedLeaf {
                relation,
                result,
                estate,
                slot,
            }
        }
    }

    /// The leaf itself.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// The index by which equal rows are found soonest: a whole btree, over the partition column
    /// if possible, with as many columns as possible in front of its first expression. Its OID,
    /// and the places of these columns in the row.
    pub fn narrowing_index(&self, key: usize) -> Option<(pg_sys::Oid, Vec<usize>)> {
        // SAFETY: the arrays have an element per open index.
        let indexes = unsafe {
            let count = (*self.result).ri_NumIndices as usize;
            (0..count).map(|place| {
                let index = *(*self.result).ri_IndexRelationDescs.add(place);
                let info = *(*self.result).ri_IndexRelationInfo.add(place);
                (&*index, &*info)
            })
        };
        indexes
            .filter_map(|(index, info)| {
                // SAFETY: rd_rel is never NULL on an open relation.
                let method = unsafe { (*index.rd_rel).relam };
                if method != pg_sys::BTREE_AM_OID || !info.ii_Predicate.is_null() {
                    return None;
                }
                let columns: Vec<usize> = info.ii_IndexAttrNumbers
                    [..info.ii_NumIndexKeyAttrs as usize]
                    .iter()
                    .map_while(|attnum| usize::try_from(*attnum).ok()?.checked_sub(1))
                    .collect();
                (!columns.is_empty()).then_some((index.rd_id, columns))
            })
            .max_by_key(|(_, columns)| (columns.contains(&key), columns.len()))
    }

    /// Deletes a row that this transaction sees.
    ///
    /// # Safety
    /// `row` is a live tuple of this leaf, not inserted by the current command.
    pub unsafe fn delete(&self, row: pg_sys::HeapTuple) {
        // SAFETY: the caller's promise. Nobody else changes the twin.
        unsafe { pg_sys::simple_heap_delete(self.relation.as_ptr(), &raw mut (*row).t_self) }
    }

    /// Inserts a row and its index entries.
    ///
    /// # Safety
    /// `row` is a palloc'ed tuple of this leaf's row type.
    pub unsafe fn insert(&self, row: pg_sys::HeapTuple) {
        // SAFETY: the caller's promise; the slot borrows the row until it is cleared.
        unsafe {
            let command = pg_sys::GetCurrentCommandId(true);
            pg_sys::heap_insert(
                self.relation.as_ptr(),
                row,
                command,
                0,
                std::ptr::null_mut(),
            );
            pg_sys::ExecStoreHeapTuple(row, self.slot, false);
            (*self.slot).tts_tid = (*row).t_self;
            (*self.slot).tts_tableOid = self.relation.oid();
            version::insert_index_entries(self.result, self.slot, self.estate);
            tuple::clear_slot(self.slot);
            let context = (*self.estate).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }

    /// Closes the leaf. Not in `Drop`: after an ERROR the transaction's end releases all.
    pub fn close(self) {
        // SAFETY: opened by us, closed once.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::ExecCloseIndices(self.result);
            pg_sys::FreeExecutorState(self.estate);
        }
    }
}
