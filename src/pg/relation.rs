//! Open relations.

use super::lock::Mode;
use super::tuple;
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;
use std::ffi::CStr;

/// A relation in the relation cache. Closing keeps its lock until the end of the transaction.
pub struct Relation {
    pointer: pg_sys::Relation,
}

impl Relation {
    /// Opens and locks. Raises an ERROR where the relation is gone.
    pub fn open(oid: pg_sys::Oid, mode: Mode) -> Relation {
        // SAFETY: relation_open raises an ERROR rather than return NULL.
        let pointer = unsafe { pg_sys::relation_open(oid, mode.number()) };
        Relation { pointer }
    }

    /// Opens and locks, if the relation exists.
    pub fn try_open(oid: pg_sys::Oid, mode: Mode) -> Option<Relation> {
        // SAFETY: try_relation_open returns NULL where the relation is gone.
        let pointer = unsafe { pg_sys::try_relation_open(oid, mode.number()) };
        // Lazily: a Relation around NULL must not even be dropped.
        (!pointer.is_null()).then(|| Relation { pointer })
    }

    /// Looks at a relation, if it exists, and keeps no lock on it.
    pub fn look<T>(oid: pg_sys::Oid, mode: Mode, look: impl FnOnce(&Relation) -> T) -> Option<T> {
        let open = Relation::try_open(oid, mode)?;
        let seen = look(&open);
        drop(open);
        // SAFETY: gives back once what `try_open` took once.
        unsafe { pg_sys::UnlockRelationOid(oid, mode.number()) };
        Some(seen)
    }

    /// For calls into C.
    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.pointer
    }

    /// Its OID.
    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: an open relation's cache entry stays where it is.
        unsafe { (*self.pointer).rd_id }
    }

    /// Its row type.
    pub fn tuple_desc(&self) -> pg_sys::TupleDesc {
        // SAFETY: as above; the descriptor lives as long as the relation is open and locked.
        unsafe { (*self.pointer).rd_att }
    }

    /// Its name.
    pub fn name(&self) -> QualifiedName {
        // SAFETY: names in the relation cache are NUL-terminated; the namespace of an open and
        // locked relation exists, and get_namespace_name returns a palloc'ed copy.
        unsafe {
            let form = &*(*self.pointer).rd_rel;
            let text =
                |name: *const std::ffi::c_char| CStr::from_ptr(name).to_string_lossy().into_owned();
            let schema = pg_sys::get_namespace_name(form.relnamespace);
            QualifiedName::new(
                if schema.is_null() {
                    String::new()
                } else {
                    text(schema)
                },
                text(form.relname.data.as_ptr()),
            )
        }
    }

    /// Its owner.
    pub fn owner(&self) -> pg_sys::Oid {
        // SAFETY: rd_rel is never NULL on an open relation.
        unsafe { (*(*self.pointer).rd_rel).relowner }
    }

    /// Its live columns, in order.
    pub fn columns(&self) -> Vec<tuple::Attribute> {
        // SAFETY: the descriptor of an open relation.
        unsafe { tuple::attributes(self.tuple_desc()) }
    }

    /// The number of the file that holds its rows; a rewrite or truncation gives it another.
    pub fn file_number(&self) -> pg_sys::Oid {
        // SAFETY: as above.
        unsafe { (*(*self.pointer).rd_rel).relfilenode }
    }

    /// Whether it is a table that has a file of its own.
    pub fn is_plain(&self) -> bool {
        // SAFETY: rd_rel is never NULL on an open relation.
        unsafe { (*(*self.pointer).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION }
    }

    /// The current length of its file, in blocks.
    pub fn blocks(&self) -> u32 {
        // SAFETY: the relation has storage: only tables and indexes are asked.
        unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.pointer, pg_sys::ForkNumber::MAIN_FORKNUM)
        }
    }
}

impl Drop for Relation {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once; NoLock leaves the lock to the transaction.
        unsafe { pg_sys::relation_close(self.pointer, pg_sys::NoLock as pg_sys::LOCKMODE) }
    }
}

/// The relation of that name in that schema, whoever may see it.
pub fn find(schema: &CStr, name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: catalog look-ups by NUL-terminated names; both return InvalidOid where absent.
    let found = unsafe {
        let namespace = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        if namespace == pg_sys::InvalidOid {
            return None;
        }
        pg_sys::get_relname_relid(name.as_ptr(), namespace)
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// Whether a relation is a partition of another; `false` where it is gone.
pub fn is_partition(relation: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the cache of the catalog.
    unsafe { pg_sys::get_rel_relispartition(relation) }
}
