//! `ensure_partitions()`, and the functions about policies and pins.

use super::given;
use crate::catalog::decoding;
use crate::catalog::history::{self, Counted};
use crate::catalog::policy::{self, Policy};
use crate::maintain::adopt::{self, Wish};
use crate::maintain::deed::{self, Runner};
use crate::maintain::ensure;
use crate::maintain::outcome::{self, Outcome};
use crate::maintain::{checkup, guard_check, recycle, schedule};
use crate::pg::transaction::{is_in_recovery, must_be_writable, nested};
use crate::worker::launcher;
use crate::worker::start::{self, Assignment, Needed, Task};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[allow(clippy::too_many_arguments, reason = "one per SQL argument")]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn set_partition_policy(
    parent: Option<pg_sys::Oid>,
    partition_interval: Option<String>,
    premake: Option<i32>,
    retention: Option<String>,
    retention_partitions: Option<i32>,
    retention_size: Option<String>,
    retention_action: Option<String>,
    time_zone: Option<String>,
    partition_offset: Option<String>,
    retention_schema: Option<String>,
    grace_period: Option<String>,
    repair: Option<bool>,
    key_codec: Option<String>,
    quiet_from: Option<String>,
    quiet_until: Option<String>,
    maintenance_interval: Option<String>,
    default_partition: Option<bool>,
    new_values: Option<bool>,
    default_partition_optional: Option<bool>,
) -> Result<(), ErrorReport> {
    let was_there = partition_interval.is_some();
    let policy = adopt::set(
        given("parent", parent)?,
        Wish {
            partition_interval,
            premake,
            retention,
            retention_partitions,
            retention_size,
            retention_action,
            time_zone,
            partition_offset,
            retention_schema,
            grace_period,
            repair,
            key_codec,
            quiet_from,
            quiet_until,
            maintenance_interval,
            default_partition,
            new_values,
            default_partition_optional,
        },
    )?;
    if let (false, Some(interval)) = (was_there, &policy.partition_interval) {
        let moved = match &policy.partition_offset {
            Some(offset) => format!(" and an offset of {offset}"),
            None => String::new(),
        };
        notice!(
            "partitions are made with an interval of {interval}{moved}, {} ahead",
            policy.premake
        );
    }
    Ok(())
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn drop_partition_policy(parent: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    Ok(adopt::forget(given("parent", parent)?)?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn pin_partition(
    partition: Option<pg_sys::Oid>,
    reason: Option<String>,
) -> Result<(), ErrorReport> {
    Ok(adopt::pin(
        given("partition", partition)?,
        reason.as_deref(),
        true,
    )?)
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn unpin_partition(partition: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    Ok(adopt::pin(given("partition", partition)?, None, false)?)
}

#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn check_unique_guard(
    parent: Option<pg_sys::Oid>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(key, Option<String>),
            name!(reason, String),
        ),
    >,
    ErrorReport,
> {
    let found = guard_check::check(given("parent", parent)?)?.into_iter();
    let rows = found.map(|one| (one.kind.to_owned(), one.key, one.reason));
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn restore_partition(partition: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    let restored = recycle::restore(given("partition", partition)?)?;
    notice!("{restored} is pinned: it is kept, whatever its age, until unpin_partition is called");
    Ok(())
}

#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn ensure_partitions(
    parent: Option<pg_sys::Oid>,
    dry_run: Option<bool>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(parent, pg_sys::Oid),
            name!(action, String),
            name!(partition, Option<String>),
            name!(lower_bound, Option<String>),
            name!(upper_bound, Option<String>),
            name!(outcome, String),
        ),
    >,
    ErrorReport,
> {
    let is_dry = given("dry_run", dry_run)?;
    // On a standby not even looking at all that is to be done works: estimates are EXPLAIN's.
    if !is_dry || is_in_recovery() {
        must_be_writable(c"ensure_partitions()");
    }
    if !is_dry {
        decoding::leave_out_own()?;
    }
    let mut all = Vec::new();
    let chosen = adopt::chosen(parent)?;
    // Of a table that has a policy itself, its run tells.
    if let Some(parent) = parent.filter(|parent| chosen.iter().all(|one| one.parent != *parent)) {
        all.extend(ensure::without_policy(parent)?);
    }
    for policy in chosen {
        // Locks last until the end of the transaction: while everybody waits for a table, others are
        // asked for once only.
        let tries = match all.iter().any(Outcome::is_exclusive) {
            true => 1,
            false => deed::TRIES,
        };
        all.extend(maintain(&policy, is_dry, tries)?);
    }
    if !is_dry && parent.is_none() {
        history::tidy()?;
    }
    Ok(TableIterator::new(all.into_iter().map(row)))
}

fn maintain(policy: &Policy, is_dry: bool, tries: u32) -> Result<Vec<Outcome>, ErrorReport> {
    // Until the end of this transaction, which keeps what is done to itself until then.
    if !is_dry && !policy::lock(policy.parent)?.try_alone() {
        return Ok(vec![outcome::held_by_another(policy.parent)?]);
    }
    let outcomes = ensure::table(
        policy,
        is_dry,
        tries,
        |_| true,
        |work| nested(work),
        Runner::Session,
    );
    if !is_dry {
        history::ended(policy.parent, &outcomes, Counted::Now)?;
        if outcomes.iter().any(Outcome::is_left_to_worker) {
            let worker = Assignment::of_table(Task::Maintain, policy.parent);
            start::start_at_commit(worker, Needed::Rather);
        }
    }
    Ok(outcomes)
}

type Line = (
    pg_sys::Oid,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
);

fn row(outcome: Outcome) -> Line {
    (
        outcome.parent,
        outcome.action.to_owned(),
        outcome.partition.clone(),
        outcome.lower.clone(),
        outcome.upper.clone(),
        outcome.in_words(),
    )
}

/// For the view `partman_rs.health`, which knows the rest.
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn check_policies() -> Result<
    TableIterator<
        'static,
        (
            name!(parent, pg_sys::Oid),
            name!(verdict, &'static str),
            name!(reason, Option<String>),
            name!(next_command, Option<String>),
            name!(partitions_ahead, Option<i64>),
            name!(runway_seconds, Option<f64>),
            name!(keys_left, Option<i64>),
            name!(default_has_rows, Option<bool>),
            name!(gaps, Option<i64>),
            name!(overdue, Option<i64>),
        ),
    >,
    ErrorReport,
> {
    let rows: Vec<_> = checkup::all_of_caller()?
        .into_iter()
        .map(|checkup| {
            let numbers = checkup.numbers.as_ref();
            let runway = numbers.and_then(|numbers| numbers.runway);
            (
                checkup.parent,
                checkup.verdict.name(),
                checkup.reason,
                checkup.next_command,
                numbers.and_then(|numbers| numbers.ahead).map(i64::from),
                runway.map(|micros| micros as f64 / 1_000_000.0),
                numbers.and_then(|numbers| numbers.keys_left),
                numbers.map(|numbers| numbers.default_has_rows),
                numbers.map(|numbers| numbers.gaps.into()),
                numbers.map(|numbers| numbers.overdue.into()),
            )
        })
        .collect();
    Ok(TableIterator::new(rows))
}

/// For views: seconds from a run to the next one; null where no worker will run.
#[pg_extern(parallel_safe, stable, sql = false)]
fn maintenance_delay(failures: Option<i32>, own_interval: Option<f64>) -> Option<f64> {
    let failures = u32::try_from(failures.unwrap_or(0)).unwrap_or(0);
    let interval = schedule::interval(launcher::maintenance_interval()?, own_interval);
    Some(schedule::delay(interval, failures).as_secs_f64())
}
