//! Finding rows through an index.
#![allow(unsafe_code, reason = "drives index scans")]

use crate::error::Error;
use crate::pg::relation::Relation;
use crate::pg::tuple::Value;
use crate::pg::version;
use pgrx::pg_sys;

/// An index scan that is begun once and asked for many keys.
pub struct Probe {
    scan: pg_sys::IndexScanDesc,
    keys: Vec<pg_sys::ScanKeyData>,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Probe {
    /// Begins to probe `index` of `heap` by its first `columns` columns, seeing what `snapshot`
    /// sees.
    ///
    /// # Safety
    /// Both relations and the snapshot stay valid until [`Probe::end`]; `index` is a btree over
    /// plain columns.
    pub unsafe fn begin(
        heap: &Relation,
        index: &Relation,
        columns: usize,
        snapshot: pg_sys::Snapshot,
    ) -> Result<Probe, Error> {
        // SAFETY: the caller's promise.
        unsafe {
            let keys = (0..columns)
                .map(|column| equality(index, column))
                .collect::<Result<Vec<_>, _>>()?;
            let scan =
                version::index_beginscan(heap.as_ptr(), index.as_ptr(), snapshot, columns as i32);
            let slot = pg_sys::table_slot_create(heap.as_ptr(), std::ptr::null_mut());
            Ok(Probe { scan, keys, slot })
        }
    }

    /// The row with these key values, if it is there; valid until the next call.
    ///
    /// # Safety
    /// One live value of the right type per probed column.
    pub unsafe fn find(&mut self, values: &[Value]) -> Option<pg_sys::HeapTuple> {
        // SAFETY: the caller's promise.
        unsafe {
            self.ask(values);
            self.next()
        }
    }

    /// Asks for the rows with these key values; [`Probe::next`] gives them.
    ///
    /// # Safety
    /// As [`Probe::find`].
    pub unsafe fn ask(&mut self, values: &[Value]) {
        for (key, value) in self.keys.iter_mut().zip(values) {
            key.sk_argument = value.datum;
            key.sk_flags = match value.is_null {
                true => (pg_sys::SK_ISNULL | pg_sys::SK_SEARCHNULL) as i32,
                false => 0,
            };
        }
        // SAFETY: the scan is open; the keys are complete.
        unsafe {
            let count = self.keys.len() as i32;
            pg_sys::index_rescan(
                self.scan,
                self.keys.as_mut_ptr(),
                count,
                std::ptr::null_mut(),
                0,
            );
        }
    }

    /// The next row that was asked for; valid until the next call.
    ///
    /// # Safety
    /// [`Probe::ask`] came before.
    pub unsafe fn next(&mut self) -> Option<pg_sys::HeapTuple> {
        // SAFETY: the scan is open and has its keys. Slots of a heap hold heap tuples.
        unsafe {
            let found = pg_sys::index_getnext_slot(
                self.scan,
                pg_sys::ScanDirection::ForwardScanDirection,
                self.slot,
            );
            found.then(|| {
                let row = pg_sys::ExecFetchSlotHeapTuple(self.slot, false, std::ptr::null_mut());
                (*row).t_self = (*self.slot).tts_tid;
                row
            })
        }
    }

    /// Ends the scan. Not in `Drop`: after an ERROR the transaction's end releases it.
    pub fn end(self) {
        // SAFETY: begun by us, ended once.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::index_endscan(self.scan);
        }
    }
}

/// A scan key for equality on one column, as the index itself understands equality.
///
/// # Safety
/// `index` is an open btree with more than `column` columns.
unsafe fn equality(index: &Relation, column: usize) -> Result<pg_sys::ScanKeyData, Error> {
    // SAFETY: the caller's promise; these arrays have an element per key column.
    unsafe {
        let relation = &*index.as_ptr();
        let family = *relation.rd_opfamily.add(column);
        let input = *relation.rd_opcintype.add(column);
        let strategy = pg_sys::BTEqualStrategyNumber as i16;
        let operator = pg_sys::get_opfamily_member(family, input, input, strategy);
        if operator == pg_sys::InvalidOid {
            return Err(Error::Internal(
                "an index of the key without equality".to_owned(),
            ));
        }
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            column as i16 + 1,
            strategy as u16,
            pg_sys::InvalidOid,
            *relation.rd_indcollation.add(column),
            pg_sys::get_opcode(operator),
            pg_sys::Datum::null(),
        );
        Ok(key)
    }
}
