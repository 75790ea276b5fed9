//! Who would see an incomplete twin: sessions with a snapshot from before the last batch, and
//! serializable transactions whose reads of the source are still tracked.
//!
//! Which snapshots are older than a batch, their numbers do not tell: as long as any transaction
//! is older than both, a prepared one say, every new snapshot looks as old. So they are noted once
//! after the batch, and only those are waited for, as CREATE INDEX CONCURRENTLY does. Who takes a
//! snapshot later sees the batch.

use crate::catalog::as_bookkeeper;
use crate::catalog::job::Job;
use crate::db;
use crate::error::Error;
use crate::pg::transaction::{Failure, unit};
use std::time::Instant;

/// Onlookers noted at one moment, less those that have gone since.
pub struct Onlookers {
    /// A transaction that was older than all that is applied, and is not now.
    last_batch: u32,
    present: Vec<Onlooker>,
    noted_at: Instant,
}

struct Onlooker {
    /// The process, its transaction, and what it holds.
    key: String,
    description: String,
}

impl Onlookers {
    /// Notes those of this moment; `last_batch` is a transaction that has committed.
    pub fn note(job: &Job, last_batch: u32) -> Result<Onlookers, Failure> {
        Ok(Onlookers {
            last_batch,
            present: unit(|| find(job, last_batch))?,
            noted_at: Instant::now(),
        })
    }

    /// Strikes out those that have gone.
    pub fn look_again(&mut self, job: &Job) -> Result<(), Failure> {
        if self.present.is_empty() {
            return Ok(());
        }
        let now = unit(|| find(job, self.last_batch))?;
        self.present
            .retain(|noted| now.iter().any(|found| found.key == noted.key));
        Ok(())
    }

    /// Those still there, each in words.
    pub fn descriptions(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .present
            .iter()
            .map(|onlooker| onlooker.description.clone())
            .collect();
        all.dedup();
        all
    }

    /// When they were noted.
    pub fn noted_at(&self) -> Instant {
        self.noted_at
    }
}

/// A session that has given its snapshot back between two statements is not found, and need not
/// be found again: its next snapshot sees the batch. Our own workers read no source but their own.
fn find(job: &Job, last_batch: u32) -> Result<Vec<Onlooker>, Error> {
    as_bookkeeper(|| {
        db::rows(
            "SELECT format('%s %s snapshot', a.pid, l.virtualtransaction), \
                    format('process %s (%s, transaction open since %s)', a.pid, a.application_name, a.xact_start) \
               FROM pg_stat_activity a \
               JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'virtualxid' \
                              AND l.virtualxid = l.virtualtransaction \
              WHERE a.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
                AND a.backend_type NOT IN ('autovacuum worker', 'walsender', 'parallel worker', 'pg_partman_rs') \
                AND a.pid <> pg_backend_pid() \
                AND age(a.backend_xmin) >= age($1::text::xid) \
             UNION ALL \
             SELECT DISTINCT format('%s %s reads', l.pid, l.virtualtransaction), \
                    format('process %s (serializable reads of the table)', l.pid) \
               FROM pg_locks l \
              WHERE l.mode = 'SIReadLock' \
                AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
                AND (l.relation = $2 OR l.relation IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = $2))",
            &[last_batch.to_string().into(), job.source.into()],
            |row| {
                Ok(Onlooker {
                    key: row.get(1)?,
                    description: row.get(2)?,
                })
            },
        )
    })
}
