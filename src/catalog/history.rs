//! `partman_rs.run` and `partman_rs.maintenance`: what maintenance did, and when it last looked.

use super::as_bookkeeper;
use super::policy::Policy;
use crate::db;
use crate::error::Error;
use crate::maintain::ensure::Outcome;
use pgrx::JsonB;
use serde_json::json;

/// Records a run over a table: each action that was done or failed, with a notification for it.
pub fn record(policy: &Policy, outcomes: &[Outcome]) -> Result<(), Error> {
    let failure = outcomes.iter().find(|outcome| outcome.sqlstate.is_some());
    as_bookkeeper(|| {
        for outcome in outcomes.iter().filter(|outcome| outcome.is_news()) {
            db::run(
                "INSERT INTO partman_rs.run (parent, relation_name, action, partition, outcome, sqlstate) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                &[
                    outcome.parent.into(),
                    outcome.relation.as_str().into(),
                    outcome.action.into(),
                    outcome.partition.clone().into(),
                    outcome.outcome.as_str().into(),
                    outcome.sqlstate.clone().into(),
                ],
            )?;
            let payload = JsonB(json!({
                "parent": outcome.relation,
                "action": outcome.action,
                "partition": outcome.partition,
                "outcome": outcome.outcome,
                "sqlstate": outcome.sqlstate,
            }));
            db::run(
                "SELECT pg_notify('partman_rs', left($1::text, 7900))",
                &[payload.into()],
            )?;
        }
        db::run(
            "INSERT INTO partman_rs.maintenance (parent, last_run_at, failures, last_error, last_sqlstate) \
             VALUES ($1, clock_timestamp(), ($2 IS NOT NULL)::int, $2, $3) \
             ON CONFLICT (parent) DO UPDATE \
                SET last_run_at = excluded.last_run_at, last_error = excluded.last_error, last_sqlstate = excluded.last_sqlstate, \
                    failures = CASE WHEN excluded.failures > 0 THEN maintenance.failures + 1 ELSE 0 END",
            &[
                policy.parent.into(),
                failure.map(|failure| failure.outcome.clone()).into(),
                failure.and_then(|failure| failure.sqlstate.clone()).into(),
            ],
        )
        .map(drop)
    })
}
