//! `convert_to_partitioned()`.

use super::given;
use crate::analyze::words;
use crate::catalog::holder::{self, Holder};
use crate::catalog::job::{self, NewJob};
use crate::catalog::table;
use crate::error::Error;
use crate::pg::role;
use crate::plan::listing::{self, Listed};
use crate::plan::lock::{self, Lock};
use crate::plan::phase::Phase;
use crate::request::{self, Arguments, Planned};
use crate::worker::start::{Assignment, Needed, Task, connecting_role, start_at_commit};
use pgrx::JsonB;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::{Value, json};

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
    plan_hash: Option<String>,
    dry_run: Option<bool>,
    unique_guard: Option<bool>,
    bounds_by: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(phase, String),
            name!(statement, String),
            name!(lock, String),
            name!(note, String),
            name!(rows_estimate, Option<i64>),
            name!(disk_bytes_estimate, Option<i64>),
            name!(wal_bytes_estimate, Option<i64>),
            name!(time_estimate, Option<Interval>),
            name!(details, JsonB),
        ),
    >,
    ErrorReport,
> {
    let planned = request::plan(&Arguments {
        source: given("source", source)?,
        partition_column,
        strategy: given("strategy", strategy)?,
        partition_interval,
        premake: given("premake", premake)?,
        default_partition: given("default_partition", default_partition)?,
        time_zone,
        range_start,
        range_end,
        copy_workers,
        undo_window_seconds: undo_window.map(|window| window.as_micros() as f64 / 1_000_000.0),
        unique_guard: given("unique_guard", unique_guard)?,
        bounds_by,
    })?;
    if let Some(seen) = plan_hash {
        planned.hash.check(&seen, &planned.facts.name)?;
    }
    let is_dry = given("dry_run", dry_run)?;
    announce(&planned, is_dry);
    let rows = rows(&planned)?;
    if !is_dry {
        start(&planned)?;
    }
    Ok(rows)
}

/// Says what was chosen, what the user would not guess, and what it will take.
fn announce(planned: &Planned, is_dry: bool) {
    let plan = &planned.plan;
    let chosen = &planned.chosen;
    if !chosen.reasons.is_empty() {
        let message = format!(
            "table \"{}\" is to be partitioned by column \"{}\" with an interval of {}",
            plan.source.name, chosen.column, chosen.interval
        );
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            message,
            pgrx::function_name!(),
        )
        .set_detail(chosen.reasons.join("\n"))
        .report(PgLogLevel::NOTICE);
    }
    for text in plan.notices.iter().chain(&planned.seen) {
        notice!("{text}");
    }
    let total = planned.estimate.total();
    let (disk, wal) = (
        words::bytes(total.disk_bytes),
        words::bytes(total.wal_bytes),
    );
    if is_dry {
        notice!(
            "estimated: {} rows, {disk} of disk, {wal} of WAL, {}",
            words::count(total.rows.unwrap_or(0.0)),
            words::seconds(total.seconds)
        );
    }
    if let Some(free) = planned
        .free_bytes
        .filter(|free| planned.estimate.needs() > *free as f64)
    {
        warning!(
            "the conversion may need {disk} of disk and {wal} of WAL, of which {} are free",
            words::bytes(free as f64)
        );
    }
}

fn start(planned: &Planned) -> Result<(), Error> {
    let connect_as = connecting_role()?;
    let id = job::insert(&NewJob {
        facts: &planned.facts,
        plan: &planned.plan,
        requested_by: role::current(),
        connect_as,
        estimate: planned.estimate.total(),
        bytes_total: planned.bytes,
    })?;
    start_at_commit(Assignment::new(Task::Move, id, connect_as), Needed::Surely);
    Ok(())
}

type Line = (
    i32,
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<Interval>,
    JsonB,
);

fn rows(planned: &Planned) -> Result<TableIterator<'static, Line>, Error> {
    let holders = holder::of(pg_sys::Oid::from(planned.facts.oid))?;
    let lines = listing::steps(&planned.plan, &planned.facts, &planned.estimate)
        .into_iter()
        .zip(1..)
        .map(|(listed, number)| line(planned, &holders, listed, number))
        .collect::<Result<Vec<Line>, Error>>()?;
    Ok(TableIterator::new(lines))
}

fn line(planned: &Planned, holders: &[Holder], listed: Listed, number: i32) -> Result<Line, Error> {
    let in_the_way = in_the_way(holders, &listed);
    let details = details(planned, &in_the_way, &listed)?;
    let Listed { step, cost, .. } = listed;
    let mut note = step.note;
    if !in_the_way.is_empty() {
        let all: Vec<String> = in_the_way.iter().map(|holder| holder.in_words()).collect();
        note = format!("{note}; in the way now: {}", all.join(", "));
    }
    let whole = |number: f64| number.round() as i64;
    Ok((
        number,
        step.phase.name().to_owned(),
        step.statement,
        lock::in_words(&step.locks),
        note,
        cost.and_then(|cost| cost.rows).map(whole),
        cost.map(|cost| whole(cost.disk_bytes)),
        cost.map(|cost| whole(cost.wal_bytes)),
        cost.map(|cost| Interval::from_micros(whole(cost.seconds * 1_000_000.0))),
        JsonB(details),
    ))
}

/// Who would hold up a step that waits for the table, if it came now.
fn in_the_way<'a>(holders: &'a [Holder], listed: &Listed) -> Vec<&'a Holder> {
    let blocks = |holder: &&Holder| match listed.step.phase {
        Phase::Capturing => holder.blocks_capture(),
        _ => true,
    };
    match listed.waits {
        true => holders.iter().filter(blocks).collect(),
        false => Vec::new(),
    }
}

/// The same as data, and what a column of the result has no room for.
fn details(planned: &Planned, in_the_way: &[&Holder], listed: &Listed) -> Result<Value, Error> {
    let step = &listed.step;
    let mut document = json!({
        "plan_hash": planned.hash.to_string(),
        "locks": step.locks.iter().map(Lock::document).collect::<Vec<_>>(),
    });
    let mut add = |key: &str, value: Value| document[key] = value;
    if let Some(partition) = step
        .partition
        .and_then(|place| planned.plan.partitions.get(place))
    {
        add("partition", json!(partition.name.to_string()));
    }
    if let Some(role) = step.run_as {
        add("run_as", json!(table::role_name(pg_sys::Oid::from(role))?));
    }
    if let Some(cost) = listed.cost {
        add("estimate", json!(cost));
        add("rates_of_runs", json!(planned.estimate.rates().runs));
    }
    if !in_the_way.is_empty() {
        let all: Vec<&Value> = in_the_way.iter().map(|holder| holder.document()).collect();
        add("in_the_way", json!(all));
    }
    Ok(document)
}
