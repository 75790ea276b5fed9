//! Foreign keys that a conversion has left to be validated: in the row of its job.

use super::as_bookkeeper;
use super::job::JobId;
use crate::db;
use crate::error::Error;
use crate::plan::dependents::NAME_PREFIX;
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

/// Notes foreign keys that are to be validated.
pub fn set(id: JobId, keys: &[pg_sys::Oid]) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = $2 WHERE id = $1",
            &[id.0.into(), keys.to_vec().into()],
        )
        .map(drop)
    })
}

/// Notes one more.
pub fn add(id: JobId, key: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = keys_to_validate || $2 WHERE id = $1",
            &[id.0.into(), key.into()],
        )
        .map(drop)
    })
}

/// Whether a foreign key is to be validated after some conversion.
pub fn holds(key: pg_sys::Oid) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT EXISTS (SELECT FROM partman_rs.job WHERE $1 = ANY (keys_to_validate))",
            &[key.into()],
        )
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

/// One of them need not be, or cannot be.
pub fn forget(id: JobId, key: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_to_validate = array_remove(keys_to_validate, $2) WHERE id = $1",
            &[id.0.into(), key.into()],
        )
        .map(drop)
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
