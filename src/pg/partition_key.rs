//! How a table is partitioned, from the caches of the catalog: asked for each table in each run of maintenance.

use super::relation::Relation;
use super::version;
use crate::error::Error;
use pgrx::{FromDatum, pg_sys};
use std::ffi::CStr;

/// The columns of `pg_partitioned_table` that are read.
mod column {
    pub const STRATEGY: i16 = 2;
    pub const COUNT: i16 = 3;
    pub const ATTNUMS: i16 = 5;
    pub const CLASSES: i16 = 6;
    pub const EXPRESSIONS: i16 = 8;
}

/// The one column by which a table is partitioned.
pub struct KeyColumn {
    pub name: String,
    pub type_oid: pg_sys::Oid,
    /// Whether it is in the type's usual order.
    pub is_usual_order: bool,
}

/// How a table is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    Range,
    List,
    Hash,
}

impl Strategy {
    /// The word for it in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Range => "range",
            Strategy::List => "list",
            Strategy::Hash => "hash",
        }
    }

    /// By its letter in `pg_partitioned_table.partstrat`.
    pub fn of_letter(letter: i8) -> Result<Strategy, Error> {
        match letter as u8 {
            b'r' => Ok(Strategy::Range),
            b'l' => Ok(Strategy::List),
            b'h' => Ok(Strategy::Hash),
            other => Err(Error::Internal(format!(
                "unknown partitioning strategy {}",
                char::from(other)
            ))),
        }
    }
}

/// How a table is divided; `None` where it is not partitioned.
pub fn strategy(parent: pg_sys::Oid) -> Result<Option<Strategy>, Error> {
    let letter = with_row(parent, |row| {
        // SAFETY: a "char", not null.
        row.get(column::STRATEGY)
            .and_then(|datum| unsafe { i8::from_datum(datum, false) })
    });
    letter.flatten().map(Strategy::of_letter).transpose()
}

/// The column by which an open table is partitioned; `None` where that is by several, or by an expression, or it
/// is not partitioned.
pub fn only_column(parent: &Relation) -> Option<KeyColumn> {
    let (attnum, class) = with_row(parent.oid(), |row| {
        // SAFETY: types as in pg_partitioned_table; of a key there is one column at least. What these point at is
        // part of the cached row, which is held.
        unsafe {
            let count = i16::from_datum(row.get(column::COUNT)?, false)?;
            if count != 1 || row.get(column::EXPRESSIONS).is_some() {
                return None;
            }
            let attnums = row
                .get(column::ATTNUMS)?
                .cast_mut_ptr::<pg_sys::int2vector>();
            let classes = row
                .get(column::CLASSES)?
                .cast_mut_ptr::<pg_sys::oidvector>();
            Some((*(*attnums).values.as_ptr(), *(*classes).values.as_ptr()))
        }
    })??;
    // SAFETY: the descriptor of an open relation, which has that column; entries of the cache of types are there
    // as long as the process. An operator class that a key rests on exists.
    unsafe {
        let index = usize::try_from(attnum).ok()?.checked_sub(1)?;
        let attribute = version::attribute(parent.tuple_desc(), index);
        let usual = &*pg_sys::lookup_type_cache(
            attribute.atttypid,
            pg_sys::TYPECACHE_BTREE_OPFAMILY as i32,
        );
        Some(KeyColumn {
            name: CStr::from_ptr(attribute.attname.data.as_ptr())
                .to_string_lossy()
                .into_owned(),
            type_oid: attribute.atttypid,
            is_usual_order: pg_sys::get_opclass_family(class) == usual.btree_opf,
        })
    }
}

/// A row of `pg_partitioned_table` that the cache holds.
struct CachedRow(pg_sys::HeapTuple);

impl CachedRow {
    /// A column that is not null, of which what it points at lives as long as the row is held.
    fn get(&self, attnum: i16) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: a row of that cache, and a column of it.
        let datum = unsafe {
            pg_sys::SysCacheGetAttr(
                pg_sys::SysCacheIdentifier::PARTRELID as i32,
                self.0,
                attnum,
                &raw mut is_null,
            )
        };
        (!is_null).then_some(datum)
    }
}

impl Drop for CachedRow {
    fn drop(&mut self) {
        // SAFETY: found by us, and released once.
        unsafe { pg_sys::ReleaseSysCache(self.0) }
    }
}

fn with_row<T>(parent: pg_sys::Oid, read: impl FnOnce(&CachedRow) -> T) -> Option<T> {
    // SAFETY: looks a row up by its key; NULL where there is none.
    let row = unsafe {
        pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PARTRELID as i32,
            pg_sys::Datum::from(parent),
        )
    };
    (!row.is_null()).then(|| read(&CachedRow(row)))
}
