//! `partman_rs.run` and `partman_rs.maintenance`: what maintenance did, and when it last looked.

use super::as_bookkeeper;
use crate::clock::MOMENT;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::maintain::outcome::Outcome;
use pgrx::{JsonB, pg_sys};
use serde_json::json;
use std::time::Duration;

/// Of a notification, which has room for 8000 bytes.
const LONGEST_MESSAGE: usize = 1000;

/// Records an action that was done, or failed, and notifies who listens. In the transaction of the
/// action itself: neither is there without the other.
pub fn note(outcome: &Outcome, taken: Duration) -> Result<(), Error> {
    let failure = outcome.failure.as_ref();
    let sqlstate = failure.map(|failure| failure.sqlstate.clone());
    let error = failure.map(|failure| failure.message.clone());
    let short: Option<String> = error
        .as_ref()
        .map(|error| error.chars().take(LONGEST_MESSAGE).collect());
    let payload = JsonB(json!({
        "parent": outcome.relation,
        "action": outcome.action,
        "partition": outcome.partition,
        "outcome": outcome.kind(),
        "sqlstate": sqlstate,
        "error": short,
    }));
    as_bookkeeper(|| {
        db::kept_run(
            "INSERT INTO partman_rs.run (parent, relation_name, owner, action, partition, outcome, sqlstate, error, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() - make_interval(secs => $9))",
            &[
                outcome.parent.into(),
                outcome.relation.as_str().into(),
                outcome.owner.into(),
                outcome.action.into(),
                outcome.partition.clone().into(),
                outcome.kind().into(),
                sqlstate.into(),
                error.into(),
                taken.as_secs_f64().into(),
            ],
        )?;
        db::kept_run(
            "SELECT pg_notify('partman_rs', $1::text)",
            &[payload.into()],
        )
    })
}

/// Counts a run before it begins: one that ends its process, or the server, has failed.
pub fn began(parent: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        let sql = format!(
            "INSERT INTO partman_rs.maintenance (parent, last_run_at, failures) VALUES ($1, {MOMENT}, 1) \
             ON CONFLICT (parent) DO UPDATE SET last_run_at = excluded.last_run_at, failures = maintenance.failures + 1"
        );
        db::kept_run(&sql, &[parent.into()])
    })
}

/// Whether a run was counted when it began.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Before,
    Now,
}

/// Records that a run over a table has ended, and how.
pub fn ended(parent: pg_sys::Oid, outcomes: &[Outcome], counted: Counted) -> Result<(), Error> {
    let failure = outcomes.iter().find_map(|outcome| outcome.failure.as_ref());
    let failures = match (failure, counted) {
        (None, _) => 0,
        (Some(_), Counted::Before) => 1,
        (Some(_), Counted::Now) => 2,
    };
    as_bookkeeper(|| {
        let sql = format!(
            "INSERT INTO partman_rs.maintenance (parent, last_run_at, failures, last_error, last_sqlstate) \
             VALUES ($1, {MOMENT}, least($2, 1), $3, $4) \
             ON CONFLICT (parent) DO UPDATE \
                SET last_run_at = excluded.last_run_at, last_error = excluded.last_error, last_sqlstate = excluded.last_sqlstate, \
                    failures = CASE WHEN $2 = 0 THEN 0 ELSE maintenance.failures + $2 - 1 END"
        );
        db::kept_run(
            &sql,
            &[
                parent.into(),
                failures.into(),
                failure.map(|failure| failure.message.clone()).into(),
                failure.map(|failure| failure.sqlstate.clone()).into(),
            ],
        )
    })
}

/// Whether the partitions of a table were compared with it lately, and all was done that there was
/// to be done.
pub fn is_compared(parent: pg_sys::Oid, interval: Duration) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::kept_value(
            "SELECT EXISTS (SELECT FROM partman_rs.maintenance m \
                             WHERE m.parent = $1 AND m.compared_at <= clock_timestamp() \
                               AND m.compared_at > clock_timestamp() - make_interval(secs => $2))",
            &[parent.into(), interval.as_secs_f64().into()],
        )
    })
}

/// Records that the partitions of a table were compared with it, and nothing was left to be done.
pub fn compared(parent: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "INSERT INTO partman_rs.maintenance (parent, last_run_at, failures, compared_at) \
             VALUES ($1, clock_timestamp(), 0, clock_timestamp()) \
             ON CONFLICT (parent) DO UPDATE SET compared_at = excluded.compared_at",
            &[parent.into()],
        )
        .map(drop)
    })
}

/// The next run compares, however lately that was done.
pub fn forget_comparison(parent: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.maintenance SET compared_at = NULL WHERE parent = $1 AND compared_at IS NOT NULL",
            &[parent.into()],
        )
        .map(drop)
    })
}

/// Whether the repair of a partition has failed within the last hour: to build an index in vain is
/// costly.
pub fn has_repair_failed(parent: pg_sys::Oid, partition: &str) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT EXISTS (SELECT FROM partman_rs.run r \
                             WHERE r.parent = $1 AND r.action = 'repair' AND r.partition = $2 AND r.sqlstate IS NOT NULL \
                               AND r.ended_at > clock_timestamp() - interval '1 hour')",
            &[parent.into(), partition.into()],
        )
    })
}

/// Forgets what is about tables that are gone, and runs of long ago. What another session is just
/// writing to is left for the next time.
pub fn tidy() -> Result<(), Error> {
    as_bookkeeper(|| {
        for sql in [
            "DELETE FROM partman_rs.policy p WHERE p.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.policy g WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = g.parent) \
                   FOR UPDATE SKIP LOCKED))",
            "DELETE FROM partman_rs.pin p WHERE p.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.pin g WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = g.partition) \
                   FOR UPDATE SKIP LOCKED))",
            "DELETE FROM partman_rs.recycled r WHERE r.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.recycled g \
                 WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = g.partition AND NOT c.relispartition) \
                    OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = g.parent) \
                   FOR UPDATE SKIP LOCKED))",
            // Those of partitions that are gone are for a run over their table, which tells of them.
            "DELETE FROM partman_rs.retirement r WHERE r.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.retirement g WHERE NOT EXISTS (SELECT FROM partman_rs.policy p WHERE p.parent = g.parent) \
                   FOR UPDATE SKIP LOCKED))",
            // Those of partitions that are there are for a run over their table: keys are to be given back.
            "DELETE FROM partman_rs.leaving l WHERE l.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.leaving g WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = g.partition) \
                   FOR UPDATE SKIP LOCKED))",
            "DELETE FROM partman_rs.maintenance m WHERE m.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.maintenance g WHERE NOT EXISTS (SELECT FROM partman_rs.policy p WHERE p.parent = g.parent) \
                   FOR UPDATE SKIP LOCKED))",
        ] {
            db::kept_run(sql, &[])?;
        }
        db::kept_run(
            "DELETE FROM partman_rs.run r WHERE r.ctid = ANY (ARRAY( \
                SELECT g.ctid FROM partman_rs.run g WHERE g.ended_at < now() - make_interval(secs => $1) \
                   FOR UPDATE SKIP LOCKED))",
            &[guc::run_history().as_secs_f64().into()],
        )
    })
}
