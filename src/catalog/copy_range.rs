//! `partman_rs.copy_range`: the source in ranges of blocks, and which of them are copied.

use super::as_bookkeeper;
use super::job::JobId;
use crate::db;
use crate::error::Error;

/// A range of blocks of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRange {
    pub first: u32,
    pub count: u32,
}

/// Which of how many workers somebody is, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub number: u32,
    pub of: u32,
}

/// Cuts the source into ranges, replacing those of an earlier attempt.
pub fn lay_out(job: JobId, blocks: u32, per_range: u32) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "DELETE FROM partman_rs.copy_range WHERE job = $1",
            &[job.0.into()],
        )?;
        db::run(
            "INSERT INTO partman_rs.copy_range (job, first_block, block_count) \
             SELECT $1, b, least($3, $2 - b) FROM generate_series(0, $2 - 1, $3) b",
            &[
                job.0.into(),
                i64::from(blocks).into(),
                i64::from(per_range).into(),
            ],
        )
        .map(drop)
    })
}

/// Takes a range that is not done and that no other worker has in hand; the row lock holds it
/// until the end of the transaction.
///
/// Each worker begins at a place of its own: neighbouring ranges mostly go into the same leaf,
/// and workers that extend one file wait for each other.
pub fn claim(job: JobId, share: Share) -> Result<Option<BlockRange>, Error> {
    as_bookkeeper(|| {
        db::row(
            "SELECT first_block, block_count FROM partman_rs.copy_range \
              WHERE job = $1 AND NOT is_done \
              ORDER BY first_block < $2 * (SELECT max(m.first_block) + 1 \
                                             FROM partman_rs.copy_range m WHERE m.job = $1) / $3, \
                       first_block \
              LIMIT 1 FOR UPDATE SKIP LOCKED",
            &[
                job.0.into(),
                i64::from(share.number).into(),
                i64::from(share.of).into(),
            ],
            |row| {
                let number = |value: i64| {
                    u32::try_from(value)
                        .map_err(|_| Error::Internal(format!("block number {value} of a range")))
                };
                Ok(BlockRange {
                    first: number(row.get(1)?)?,
                    count: number(row.get(2)?)?,
                })
            },
        )
    })
}

/// What copying a range came to.
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    pub rows: u64,
    /// Read from the source.
    pub bytes: u64,
    pub wal_bytes: u64,
}

/// Marks a claimed range done, in the transaction that copied it. `snapshot` is what that
/// transaction saw.
pub fn finish(job: JobId, range: BlockRange, copied: Copied, snapshot: &str) -> Result<(), Error> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.copy_range \
                SET is_done = true, rows = $3, bytes = $4, wal_bytes = $5, snapshot = $6::pg_snapshot \
              WHERE job = $1 AND first_block = $2",
            &[
                job.0.into(),
                i64::from(range.first).into(),
                number(copied.rows).into(),
                number(copied.bytes).into(),
                number(copied.wal_bytes).into(),
                snapshot.into(),
            ],
        )
        .map(drop)
    })
}

/// How many ranges are still to be copied, those in hand included.
pub fn count_open(job: JobId) -> Result<i64, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT count(*) FROM partman_rs.copy_range WHERE job = $1 AND NOT is_done",
            &[job.0.into()],
        )
    })
}

/// Each range with what its copy saw, by first block.
pub fn snapshots(job: JobId) -> Result<Vec<(u32, String)>, Error> {
    as_bookkeeper(|| {
        db::rows(
            "SELECT first_block, snapshot::text FROM partman_rs.copy_range \
              WHERE job = $1 AND is_done ORDER BY first_block",
            &[job.0.into()],
            |row| {
                let first: i64 = row.get(1)?;
                Ok((u32::try_from(first).unwrap_or(u32::MAX), row.get(2)?))
            },
        )
    })
}
