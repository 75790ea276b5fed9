//! `ensure_partitions()`, and the functions about policies and pins.

use super::given;
use crate::catalog::history;
use crate::maintain::adopt::{self, Wish};
use crate::maintain::ensure::{self, Outcome};
use crate::pg::transaction::nested;
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
        },
    )?;
    if !was_there {
        notice!(
            "partitions are made with an interval of {}, {} ahead",
            policy.partition_interval,
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
    let mut all = Vec::new();
    for policy in adopt::chosen(parent)? {
        let outcomes = ensure::table(&policy, is_dry, |work| nested(|| work()));
        if !is_dry {
            history::record(&policy, &outcomes)?;
        }
        all.extend(outcomes);
    }
    Ok(TableIterator::new(all.into_iter().map(row)))
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
        outcome.partition,
        outcome.lower,
        outcome.upper,
        outcome.outcome,
    )
}
