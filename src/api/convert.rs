//! `convert_to_partitioned()`.

use super::given;
use crate::catalog::job::{self, NewJob};
use crate::error::Error;
use crate::pg::role;
use crate::plan::Plan;
use crate::request::{self, Arguments, Planned};
use crate::worker::start::{Assignment, Needed, Task, start_at_commit};
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[allow(clippy::too_many_arguments, reason = "one per SQL argument")]
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn convert_to_partitioned(
    source: Option<pg_sys::Oid>,
    partition_column: Option<String>,
    strategy: Option<String>,
    partition_interval: Option<String>,
    premake: Option<i32>,
    default_partition: Option<bool>,
    time_zone: Option<String>,
    range_start: Option<String>,
    range_end: Option<String>,
    copy_workers: Option<i32>,
    undo_window: Option<Interval>,
    dry_run: Option<bool>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(phase, String),
            name!(statement, String),
            name!(lock, String),
            name!(note, String),
        ),
    >,
    ErrorReport,
> {
    let planned = request::plan(&Arguments {
        source: given("source", source)?,
        partition_column: given("partition_column", partition_column)?,
        strategy: given("strategy", strategy)?,
        partition_interval: given("partition_interval", partition_interval)?,
        premake: given("premake", premake)?,
        default_partition: given("default_partition", default_partition)?,
        time_zone,
        range_start,
        range_end,
        copy_workers,
        undo_window_seconds: undo_window.map(|window| window.as_micros() as f64 / 1_000_000.0),
    })?;
    let dry_run = given("dry_run", dry_run)?;
    for text in &planned.plan.notices {
        notice!("{text}");
    }
    if !dry_run {
        start(&planned)?;
    }
    Ok(rows(&planned.plan, planned.bytes))
}

fn start(planned: &Planned) -> Result<(), Error> {
    let connect_as = super::role_of_workers()?;
    let id = job::insert(&NewJob {
        facts: &planned.facts,
        plan: &planned.plan,
        requested_by: role::current(),
        connect_as,
        rows_total: planned.rows,
        bytes_total: planned.bytes,
    })?;
    start_at_commit(Assignment::new(Task::Move, id, connect_as), Needed::Surely);
    Ok(())
}

type Line = (i32, String, String, String, String);

fn rows(plan: &Plan, bytes: i64) -> TableIterator<'static, Line> {
    let steps = plan.steps(u64::try_from(bytes).unwrap_or(0));
    TableIterator::new(steps.into_iter().zip(1..).map(|(step, number)| {
        (
            number,
            step.phase.name().to_owned(),
            step.statement,
            step.lock,
            step.note,
        )
    }))
}
