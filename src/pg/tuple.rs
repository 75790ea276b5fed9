//! Heap tuples and the values in them.

use super::{guarded, version};
use pgrx::pg_sys;

unsafe extern "C-unwind" {
    // utils/datum.h is not part of pgrx's bindings. All may raise an ERROR (a value that cannot
    // be fetched, say), and are called only through `guarded`.
    fn datum_image_eq(
        a: pg_sys::Datum,
        b: pg_sys::Datum,
        by_value: bool,
        length: std::ffi::c_int,
    ) -> bool;
    fn datumCopy(value: pg_sys::Datum, by_value: bool, length: std::ffi::c_int) -> pg_sys::Datum;
    fn datum_image_hash(value: pg_sys::Datum, by_value: bool, length: std::ffi::c_int) -> u32;
}

/// Empties a slot, freeing the row that it holds.
///
/// # Safety
/// `slot` is a live slot.
pub unsafe fn clear_slot(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: the caller's promise; every kind of slot can be cleared.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            guarded(|| clear(slot));
        }
    }
}

/// A live column of a row type.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Attribute number, from 1.
    pub number: i16,
    pub by_value: bool,
    pub length: i16,
    pub type_oid: pg_sys::Oid,
}

/// A copy of a value, in the current memory context.
///
/// # Safety
/// The value is live, not null, and one of the attribute's type.
pub unsafe fn copy(value: pg_sys::Datum, attribute: &Attribute) -> pg_sys::Datum {
    // SAFETY: the caller's promise.
    unsafe { guarded(|| datumCopy(value, attribute.by_value, attribute.length.into())) }
}

/// The live columns of a row type, in order.
///
/// # Safety
/// `desc` is live.
pub unsafe fn attributes(desc: pg_sys::TupleDesc) -> Vec<Attribute> {
    // SAFETY: the caller's promise; indexes stay below natts.
    unsafe {
        (0..(*desc).natts as usize)
            .map(|index| version::attribute(desc, index))
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| Attribute {
                number: attribute.attnum,
                by_value: attribute.attbyval,
                length: attribute.attlen,
                type_oid: attribute.atttypid,
            })
            .collect()
    }
}

/// A value, or null.
#[derive(Clone, Copy)]
pub struct Value {
    pub datum: pg_sys::Datum,
    pub is_null: bool,
}

impl Value {
    /// SQL's null.
    pub const NULL: Value = Value {
        datum: pg_sys::Datum::null(),
        is_null: true,
    };

    /// A value that is not null.
    pub fn new(datum: pg_sys::Datum) -> Value {
        Value {
            datum,
            is_null: false,
        }
    }

    /// Whether both are the same bytes, TOAST and compression aside.
    ///
    /// # Safety
    /// Both are of the attribute's type, and their storage is live.
    pub unsafe fn same_image(self, other: Value, attribute: &Attribute) -> bool {
        match (self.is_null, other.is_null) {
            (true, true) => true,
            (false, false) if attribute.by_value => self.datum == other.datum,
            // SAFETY: the caller's promise.
            (false, false) => unsafe {
                guarded(|| {
                    datum_image_eq(self.datum, other.datum, false, i32::from(attribute.length))
                })
            },
            _ => false,
        }
    }

    /// A hash under which values of the same image are equal.
    ///
    /// # Safety
    /// It is of the attribute's type, and its storage is live.
    pub unsafe fn image_hash(self, attribute: &Attribute) -> u64 {
        if self.is_null {
            return 0x9e37_79b9_7f4a_7c15;
        }
        if attribute.by_value {
            return self.datum.value() as u64;
        }
        // SAFETY: the caller's promise.
        u64::from(unsafe {
            guarded(|| datum_image_hash(self.datum, false, i32::from(attribute.length)))
        })
    }
}

/// The value of a column; a column added after the row was written has its missing value.
///
/// # Safety
/// `tuple` is live and of the row type `desc`.
pub unsafe fn value(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc, attnum: i16) -> Value {
    let mut is_null = false;
    // SAFETY: the caller's promise.
    let datum = unsafe { pg_sys::heap_getattr(tuple, i32::from(attnum), desc, &mut is_null) };
    Value { datum, is_null }
}

/// Makes a tuple in the current memory context.
///
/// # Safety
/// `desc` is live, and there is one value of the right type for each of its attributes.
pub unsafe fn form(desc: pg_sys::TupleDesc, values: &[Value]) -> pg_sys::HeapTuple {
    let mut datums: Vec<pg_sys::Datum> = values.iter().map(|value| value.datum).collect();
    let mut nulls: Vec<bool> = values.iter().map(|value| value.is_null).collect();
    // SAFETY: the caller's promise; both arrays are as long as the row type.
    unsafe { pg_sys::heap_form_tuple(desc, datums.as_mut_ptr(), nulls.as_mut_ptr()) }
}

/// The inserting transaction as it stands in the tuple, and whether it is marked frozen.
///
/// # Safety
/// `tuple` is live.
pub unsafe fn raw_xmin(tuple: pg_sys::HeapTuple) -> (u32, bool) {
    const FROZEN: u16 = pg_sys::HEAP_XMIN_FROZEN as u16;
    // SAFETY: the caller's promise.
    unsafe {
        let header = (*tuple).t_data;
        let xmin = pg_sys::htup::HeapTupleHeaderGetRawXmin(header);
        (xmin.into_inner(), (*header).t_infomask & FROZEN == FROZEN)
    }
}

/// How many columns the tuple stores; less than the row type has when columns were added later.
///
/// # Safety
/// `tuple` is live.
pub unsafe fn stored_columns(tuple: pg_sys::HeapTuple) -> usize {
    // SAFETY: the caller's promise.
    unsafe { usize::from(pg_sys::htup::HeapTupleHeaderGetNatts((*tuple).t_data)) }
}

/// Whether any value lies in a TOAST table.
///
/// # Safety
/// `tuple` is live.
pub unsafe fn has_external(tuple: pg_sys::HeapTuple) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*(*tuple).t_data).t_infomask & pg_sys::HEAP_HASEXTERNAL as u16 != 0 }
}

/// The stored bytes: null bitmap, padding, values; without the header, which differs between
/// copies of a row.
///
/// # Safety
/// `tuple` is live for as long as the slice is used.
pub unsafe fn body<'a>(tuple: pg_sys::HeapTuple) -> &'a [u8] {
    let start = std::mem::offset_of!(pg_sys::HeapTupleHeaderData, t_bits);
    // SAFETY: the caller's promise; t_len counts from the header's first byte.
    unsafe {
        let bytes = (*tuple).t_data.cast::<u8>().add(start);
        std::slice::from_raw_parts(bytes, (*tuple).t_len as usize - start)
    }
}

/// A place in a table, as one number that orders like the place.
///
/// # Safety
/// `tuple` is live.
pub unsafe fn place(tuple: pg_sys::HeapTuple) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { pgrx::itemptr::item_pointer_to_u64((*tuple).t_self) }
}
