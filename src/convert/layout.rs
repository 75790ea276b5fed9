//! How a row of the source becomes a row of a leaf.
#![allow(unsafe_code, reason = "copies heap tuples")]

use crate::pg::tuple::{self, Attribute, Value};
use crate::plan::Plan;
use pgrx::pg_sys;

/// The row types of a source and its leaves. Leaves have the source's live columns in the same
/// order; dropped ones are gone.
pub struct Layout {
    source: pg_sys::TupleDesc,
    leaf: pg_sys::TupleDesc,
    live: Vec<Attribute>,
    columns: usize,
    /// Whether stored tuples can be passed on whole.
    same: bool,
    /// [`Plan::key_columns`].
    keys: Vec<i16>,
}

impl Layout {
    /// # Safety
    /// Both row types stay live as long as the layout is used, and `leaf` has the live columns of
    /// `source`: the source was opened by `open_source`, which compares them.
    pub unsafe fn new(source: pg_sys::TupleDesc, leaf: pg_sys::TupleDesc, plan: &Plan) -> Layout {
        // SAFETY: the caller's promise.
        let (live, columns) = unsafe { (tuple::attributes(source), (*source).natts as usize) };
        Layout {
            source,
            leaf,
            same: live.len() == columns,
            live,
            columns,
            keys: plan.key_columns().map(|(attnum, _)| attnum).collect(),
        }
    }

    /// The source's row type.
    pub fn source(&self) -> pg_sys::TupleDesc {
        self.source
    }

    /// The live columns of the source.
    pub fn live(&self) -> &[Attribute] {
        &self.live
    }

    /// Whether this tuple has all columns stored, and no dropped ones: then its bytes are the
    /// leaf's bytes.
    ///
    /// # Safety
    /// `row` is a live tuple of the source.
    pub unsafe fn passes_whole(&self, row: pg_sys::HeapTuple) -> bool {
        // SAFETY: the caller's promise.
        self.same && unsafe { tuple::stored_columns(row) } == self.columns
    }

    /// A copy of the row for a leaf, in the current memory context.
    ///
    /// # Safety
    /// `row` is a live tuple of the source.
    pub unsafe fn leaf_tuple(&self, row: pg_sys::HeapTuple) -> pg_sys::HeapTuple {
        // SAFETY: the caller's promise; the leaf has exactly the live columns.
        unsafe {
            if self.passes_whole(row) {
                return pg_sys::heap_copytuple(row);
            }
            tuple::form(self.leaf, &self.values(row))
        }
    }

    /// The values of the live columns.
    ///
    /// # Safety
    /// `row` is a live tuple of the source.
    pub unsafe fn values(&self, row: pg_sys::HeapTuple) -> Vec<Value> {
        // SAFETY: the caller's promise.
        self.live
            .iter()
            .map(|column| unsafe { tuple::value(row, self.source, column.number) })
            .collect()
    }

    /// That one of the row's values that tell where it lies: of [`Plan::key_columns`].
    ///
    /// # Safety
    /// `row` is a live tuple of the source.
    pub unsafe fn key(&self, row: pg_sys::HeapTuple, number: usize) -> Value {
        // SAFETY: the caller's promise.
        unsafe { tuple::value(row, self.source, self.keys[number]) }
    }
}
