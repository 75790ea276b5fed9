//! The change log of a source: which rows changed since the capture began.
//!
//! The log of table 16384 is `partman_rs.change_log_16384`. Its columns say what is logged:
//! `k<attnum>` holds that column of the source. For a table with a key these are the key and the
//! partition column (*dirty keys*: the row is read again from the source). For a table without
//! one they are all columns, beside the place and the transactions of the change (*row images*).
#![allow(unsafe_code, reason = "forms and inserts heap tuples")]

use crate::catalog::{as_bookkeeper, decoding};
use crate::db;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::relation::{self, Relation};
use crate::pg::tuple::{self, Attribute, Value};
use crate::pg::version;
use crate::plan::{Plan, capture};
use pgrx::pg_sys;
use std::ffi::CString;

/// What a log entry says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The row with this key is to be read again.
    Key,
    /// A row with this image was inserted.
    Inserted,
    /// A row with this image was deleted.
    Deleted,
    /// Likewise, and its version was marked frozen.
    DeletedFrozen,
    /// The table was truncated, or altered: what was copied counts for nothing.
    Truncated,
}

impl Event {
    /// The character in the log's column `event`.
    fn letter(self) -> u8 {
        match self {
            Event::Key => b'k',
            Event::Inserted => b'i',
            Event::Deleted => b'd',
            Event::DeletedFrozen => b'f',
            Event::Truncated => b't',
        }
    }

    fn from_letter(letter: u8) -> Option<Event> {
        [
            Event::Key,
            Event::Inserted,
            Event::Deleted,
            Event::DeletedFrozen,
            Event::Truncated,
        ]
        .into_iter()
        .find(|event| event.letter() == letter)
    }
}

/// Columns before the logged ones: `event`; for row images also `place`, `row_xmin`, `changed_by`.
const KEY_PREFIX: usize = 1;
const ROW_PREFIX: usize = 4;

/// An open change log.
pub struct ChangeLog {
    relation: Relation,
    /// Attribute numbers of the source, one per logged column.
    attnums: Vec<i16>,
    /// The same columns as attributes of the log.
    attributes: Vec<Attribute>,
    prefix: usize,
    /// How many columns the log has, dropped ones included.
    columns: usize,
}

/// Makes the log, empty. It belongs to the extension's owner: the table's owner can neither
/// read nor edit it.
pub fn create(plan: &Plan) -> Result<(), Error> {
    as_bookkeeper(|| db::run(&plan.create_log, &[]).map(drop))?;
    decoding::leave_out_own()
}

/// Drops the log, if it is there.
pub fn drop_log(source: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        crate::pg::settings::set_local(c"client_min_messages", c"warning");
        db::run(&capture::drop_log(source.to_u32()), &[]).map(drop)
    })
}

/// The OID of a table's log, if it has one.
pub fn find(source: pg_sys::Oid) -> Option<pg_sys::Oid> {
    relation::find(
        c"partman_rs",
        &CString::new(capture::log_name(source.to_u32()).name).ok()?,
    )
}

impl ChangeLog {
    /// Opens a table's log for writing; `None` where it has none.
    ///
    /// ROW EXCLUSIVE on the log: as any writer of a table. Nothing else but the capture's own
    /// installation and removal ever locks it harder.
    pub fn open(source: pg_sys::Oid) -> Option<ChangeLog> {
        let relation = Relation::try_open(find(source)?, Mode::RowExclusive)?;
        let desc = relation.tuple_desc();
        // SAFETY: the descriptor of an open relation.
        let attributes = unsafe { tuple::attributes(desc) };
        let live = attributes.len();
        let mut logged = Vec::with_capacity(live);
        for attribute in attributes {
            // SAFETY: attribute numbers count from 1.
            let name = unsafe { version::attribute(desc, attribute.number as usize - 1).name() };
            if let Some(attnum) = name
                .strip_prefix('k')
                .and_then(|number| number.parse::<i16>().ok())
            {
                logged.push((attnum, attribute));
            }
        }
        // SAFETY: as above.
        let columns = unsafe { (*desc).natts as usize };
        let prefix = live - logged.len();
        let (attnums, attributes) = logged.into_iter().unzip();
        Some(ChangeLog {
            relation,
            attnums,
            attributes,
            prefix,
            columns,
        })
    }

    /// Whether entries are whole rows, because the source has no key.
    pub fn holds_rows(&self) -> bool {
        self.prefix == ROW_PREFIX
    }

    /// The places of the columns that tell where a row lies among the logged ones: a unique index, by which rows are
    /// known, has them all, or they are logged beside it.
    pub fn places_of_key(&self, plan: &Plan) -> Result<Vec<usize>, Error> {
        let lacks = || Error::Internal("a change log without a partition column".to_owned());
        plan.key_columns()
            .map(|(attnum, _)| {
                let mut logged = self.attnums().iter();
                logged.position(|one| *one == attnum).ok_or_else(lacks)
            })
            .collect()
    }

    /// Attribute numbers of the source, one per logged column.
    pub fn attnums(&self) -> &[i16] {
        &self.attnums
    }

    /// The logged columns, as attributes of the log.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The log itself.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Whether the log is whole (DROP TYPE … CASCADE takes columns from it too), and the source
    /// still has the logged columns as they were when the log was made. Nothing but a truncation
    /// can be appended, and nothing read, where it does not.
    pub fn fits(&self, source: pg_sys::TupleDesc) -> bool {
        if self.columns != self.prefix + self.attnums.len() {
            return false;
        }
        // SAFETY: attribute numbers of a relation never exceed its row type's.
        self.attnums
            .iter()
            .zip(&self.attributes)
            .all(|(attnum, logged)| unsafe {
                let now = version::attribute(source, *attnum as usize - 1);
                !now.attisdropped && now.atttypid == logged.type_oid
            })
    }

    /// The logged values of a row of the source.
    ///
    /// # Safety
    /// `row` is live and of the row type `desc`, which is the source's.
    pub unsafe fn values(&self, row: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Vec<Value> {
        // SAFETY: the caller's promise.
        self.attnums
            .iter()
            .map(|attnum| unsafe { tuple::value(row, desc, *attnum) })
            .collect()
    }

    /// Whether two rows have the same logged values, to the byte.
    ///
    /// # Safety
    /// Both are values of logged columns whose storage is live.
    pub unsafe fn same(&self, a: &[Value], b: &[Value]) -> bool {
        // SAFETY: the caller's promise.
        a.iter()
            .zip(b)
            .zip(&self.attributes)
            .all(|((a, b), attribute)| unsafe { a.same_image(*b, attribute) })
    }

    /// Appends a dirty key.
    ///
    /// # Safety
    /// `key` are values of the logged columns whose storage is live.
    pub unsafe fn append_key(&self, key: &[Value]) {
        let mut values = Vec::with_capacity(KEY_PREFIX + key.len());
        values.push(letter(Event::Key));
        values.extend_from_slice(key);
        // SAFETY: one value per column of the log.
        unsafe { self.append(&values) }
    }

    /// Appends a row image: which row version, at which place, changed by which transaction.
    ///
    /// # Safety
    /// `row` is live; `image` are its values of the logged columns.
    pub unsafe fn append_row(&self, event: Event, row: pg_sys::HeapTuple, image: &[Value]) {
        let mut values = Vec::with_capacity(ROW_PREFIX + image.len());
        // SAFETY: the row is live; its own place and inserting transaction.
        unsafe {
            let (xmin, _) = tuple::raw_xmin(row);
            let changed_by = pg_sys::GetTopFullTransactionId().value;
            values.push(letter(event));
            values.push(Value::new(pg_sys::Datum::from(&raw mut (*row).t_self)));
            values.push(Value::new(pg_sys::Datum::from(xmin)));
            values.push(Value::new(pg_sys::Datum::from(changed_by)));
            values.extend_from_slice(image);
            self.append(&values);
        }
    }

    /// Appends the note that the table was truncated, or altered.
    pub fn append_truncation(&self) {
        let mut values = vec![Value::NULL; self.columns];
        values[0] = letter(Event::Truncated);
        // SAFETY: one value per column; all but the first are null.
        unsafe { self.append(&values) }
    }

    /// # Safety
    /// One value of the right type for each column of the log, with live storage.
    unsafe fn append(&self, values: &[Value]) {
        let desc = self.relation.tuple_desc();
        // SAFETY: the caller's promise. heap_insert fetches values that lie in the source's
        // TOAST table and stores them anew, so that no entry points into the source.
        unsafe {
            let entry = tuple::form(desc, values);
            pg_sys::heap_insert(
                self.relation.as_ptr(),
                entry,
                pg_sys::GetCurrentCommandId(true),
                0,
                std::ptr::null_mut(),
            );
            pg_sys::heap_freetuple(entry);
        }
    }

    /// Reads an entry of this log.
    ///
    /// # Safety
    /// `entry` is a live tuple of this log; the values borrow its storage.
    pub unsafe fn read(&self, entry: pg_sys::HeapTuple) -> Result<Entry, Error> {
        let desc = self.relation.tuple_desc();
        // SAFETY: the caller's promise; columns are numbered as `create` lists them.
        unsafe {
            let letter = tuple::value(entry, desc, 1).datum.value() as u8;
            let event = Event::from_letter(letter)
                .ok_or_else(|| Error::Internal(format!("event {letter} in the change log")))?;
            let first = self.prefix as i16 + 1;
            let values = (0..self.attnums.len() as i16)
                .map(|column| tuple::value(entry, desc, first + column))
                .collect();
            let change = (self.holds_rows() && event != Event::Truncated).then(|| {
                let place = tuple::value(entry, desc, 2)
                    .datum
                    .cast_mut_ptr::<pg_sys::ItemPointerData>();
                RowChange {
                    block: pgrx::itemptr::item_pointer_get_block_number(place),
                    xmin: tuple::value(entry, desc, 3).datum.value() as u32,
                    changed_by: tuple::value(entry, desc, 4).datum.value() as u64,
                }
            });
            Ok(Entry {
                tid: (*entry).t_self,
                event,
                values,
                change,
            })
        }
    }
}

fn letter(event: Event) -> Value {
    Value::new(pg_sys::Datum::from(event.letter() as i8))
}

/// An entry of a change log.
pub struct Entry {
    /// Its place in the log.
    pub tid: pg_sys::ItemPointerData,
    pub event: Event,
    /// The logged columns.
    pub values: Vec<Value>,
    /// For row images: which version changed, and by whom.
    pub change: Option<RowChange>,
}

/// Which row version a row image speaks of.
#[derive(Clone, Copy, Debug)]
pub struct RowChange {
    /// The block of the source in which it lies.
    pub block: u32,
    /// The transaction that inserted it, as it stands in the tuple.
    pub xmin: u32,
    /// The top-level transaction that changed it.
    pub changed_by: u64,
}
