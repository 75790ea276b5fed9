//! `partman_rs.leaf`: the leaves of a twin, and which of them have their indexes.

use super::as_bookkeeper;
use super::job::JobId;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// Notes the leaves, in the order of the plan's partitions, replacing those of an earlier twin.
pub fn insert_all(job: JobId, relations: &[pg_sys::Oid]) -> Result<(), Error> {
    as_bookkeeper(|| {
        forget_rows(job)?;
        db::run(
            "INSERT INTO partman_rs.leaf (job, ordinal, relation) \
             SELECT $1, n - 1, relation FROM unnest($2) WITH ORDINALITY u(relation, n)",
            &[job.0.into(), relations.to_vec().into()],
        )
        .map(drop)
    })
}

/// Forgets the leaves of a job, and its ranges.
pub fn forget(job: JobId) -> Result<(), Error> {
    as_bookkeeper(|| forget_rows(job))
}

fn forget_rows(job: JobId) -> Result<(), Error> {
    db::run(
        "DELETE FROM partman_rs.leaf WHERE job = $1",
        &[job.0.into()],
    )?;
    db::run(
        "DELETE FROM partman_rs.copy_range WHERE job = $1",
        &[job.0.into()],
    )
    .map(drop)
}

/// The leaves, in the order of the plan's partitions.
pub fn relations(job: JobId) -> Result<Vec<pg_sys::Oid>, Error> {
    as_bookkeeper(|| {
        db::rows(
            "SELECT relation FROM partman_rs.leaf WHERE job = $1 ORDER BY ordinal",
            &[job.0.into()],
            |row| row.get(1),
        )
    })
}

/// Notes how large the leaves are. Asking for a size waits for whoever builds an index there, so
/// that it is done beforehand.
pub fn measure(job: JobId) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.leaf SET bytes = pg_relation_size(relation) WHERE job = $1",
            &[job.0.into()],
        )
        .map(drop)
    })
}

/// Takes a leaf without indexes that no other worker has in hand, the largest first, so that
/// workers end at about the same time.
pub fn claim_unindexed(job: JobId) -> Result<Option<usize>, Error> {
    as_bookkeeper(|| {
        db::row(
            "SELECT ordinal FROM partman_rs.leaf WHERE job = $1 AND NOT is_indexed \
              ORDER BY bytes DESC, ordinal LIMIT 1 FOR UPDATE SKIP LOCKED",
            &[job.0.into()],
            |row| {
                let ordinal: i32 = row.get(1)?;
                usize::try_from(ordinal)
                    .map_err(|_| Error::Internal("ordinal of a leaf".to_owned()))
            },
        )
    })
}

/// Marks a claimed leaf, in the transaction that built its indexes.
pub fn finish_indexed(job: JobId, ordinal: usize, wal_bytes: u64) -> Result<(), Error> {
    let ordinal = i32::try_from(ordinal).unwrap_or(i32::MAX);
    let wal_bytes = i64::try_from(wal_bytes).unwrap_or(i64::MAX);
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.leaf SET is_indexed = true, wal_bytes = $3 WHERE job = $1 AND ordinal = $2",
            &[job.0.into(), ordinal.into(), wal_bytes.into()],
        )
        .map(drop)
    })
}

/// How many leaves still have no indexes, those in hand included.
pub fn count_unindexed(job: JobId) -> Result<i64, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT count(*) FROM partman_rs.leaf WHERE job = $1 AND NOT is_indexed",
            &[job.0.into()],
        )
    })
}
