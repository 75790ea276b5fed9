//! Foreign keys that a conversion has left to be validated: in the row of its job.

use super::as_bookkeeper;
use super::job::{HAS_WORKER, JobId};
use crate::db;
use crate::error::Error;
use crate::plan::dependents::NAME_PREFIX;
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;

/// Notes which of the keys that point at the twin are to be validated: successors of valid ones.
pub fn note_successors(id: JobId, source: pg_sys::Oid, twin: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = ARRAY( \
                SELECT s.oid FROM pg_constraint k \
                  JOIN pg_constraint s ON s.conrelid = k.conrelid AND s.confrelid = $3 AND s.conparentid = 0 \
                                      AND s.contype = 'f' AND s.conname = $4 || k.oid::text \
                 WHERE k.confrelid = $2 AND k.contype = 'f' AND k.conparentid = 0 AND k.convalidated \
                 ORDER BY s.oid) \
              WHERE id = $1",
            &[id.0.into(), source.into(), twin.into(), NAME_PREFIX.into()],
        )
        .map(drop)
    })
}

/// Notes one more foreign key that is to be validated.
pub fn add(id: JobId, key: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = keys_to_validate || $2 WHERE id = $1",
            &[id.0.into(), key.into()],
        )
        .map(drop)
    })
}

/// The foreign keys that are to be validated; some of them may be gone by now.
pub fn of(id: JobId) -> Result<Vec<pg_sys::Oid>, Error> {
    as_bookkeeper(|| {
        db::rows(
            "SELECT unnest(keys_to_validate) FROM partman_rs.job WHERE id = $1",
            &[id.0.into()],
            |row| row.get(1),
        )
    })
}

/// One of them has been.
pub fn forget(id: JobId, key: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = array_remove(keys_to_validate, $2) WHERE id = $1",
            &[id.0.into(), key.into()],
        )
        .map(drop)
    })
}

/// One of them cannot be: rows violate it.
pub fn leave_not_valid(id: JobId, key: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = array_remove(keys_to_validate, $2), keys_left_not_valid = keys_left_not_valid || $2 WHERE id = $1",
            &[id.0.into(), key.into()],
        )
        .map(drop)
    })
}

/// Nobody is going to validate those that are left.
pub fn leave_all_not_valid(id: JobId) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_left_not_valid = keys_left_not_valid || keys_to_validate, keys_to_validate = '{}' WHERE id = $1",
            &[id.0.into()],
        )
        .map(drop)
    })
}

/// A foreign key that conversions have made NOT VALID, and nobody is about to validate.
pub struct NotValid {
    pub name: String,
    pub table: QualifiedName,
}

/// Those that point at a table that is a conversion's result, or belong to or point at the guard of its key, as long as they are
/// not valid.
pub fn left_not_valid(result: pg_sys::Oid) -> Result<Vec<NotValid>, Error> {
    as_bookkeeper(|| {
        db::rows(
            &format!(
                "SELECT k.conname::text, n.nspname::text, c.relname::text FROM partman_rs.job j \
               JOIN pg_constraint k ON k.contype = 'f' AND NOT k.convalidated AND k.confrelid IN ($1, j.guard) \
                AND (k.oid = ANY (j.keys_left_not_valid) OR (k.oid = ANY (j.keys_to_validate) AND NOT {HAS_WORKER})) \
               JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
              WHERE j.twin = $1 AND j.phase IN ('reversible', 'finished') \
              ORDER BY n.nspname, c.relname, k.conname"
            ),
            &[result.into()],
            |row| {
                Ok(NotValid {
                    name: row.get(1)?,
                    table: row.qualified_name(2)?,
                })
            },
        )
    })
}

/// All of them have been seen to.
pub fn forget_all(id: JobId) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = '{}' WHERE id = $1 AND keys_to_validate <> '{}'",
            &[id.0.into()],
        )
        .map(drop)
    })
}
