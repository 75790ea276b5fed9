//! `partition_candidates()` and `analyze_table_for_partitioning()`.

use super::given;
use crate::analyze::{self, Analysed, Wish};
use crate::error::Error;
use pgrx::JsonB;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Longer than any data; an infinite interval, which there is since 17, is longer still.
const LONGEST_RETENTION: f64 = 10_000.0 * 12.0 * MONTH;
/// In seconds: a twelfth of a year.
const MONTH: f64 = 30.4375 * 86_400.0;

#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn partition_candidates() -> Result<
    TableIterator<
        'static,
        (
            name!(source, pg_sys::Oid),
            name!(needs_partitioning, Option<bool>),
            name!(partition_column, Option<String>),
            name!(recommended_strategy, Option<String>),
            name!(partition_interval, Option<String>),
            name!(estimated_partitions, Option<i64>),
            name!(partition_bytes, Option<i64>),
            name!(total_bytes, Option<i64>),
            name!(rows_estimate, Option<i64>),
            name!(reasons, Option<String>),
            name!(blockers, Option<String>),
            name!(warnings, Option<String>),
            name!(key_changes, Option<String>),
            name!(next_step, Option<String>),
            name!(details, JsonB),
        ),
    >,
    ErrorReport,
> {
    Ok(rows(analyze::candidates()?))
}

#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn analyze_table_for_partitioning(
    source: Option<pg_sys::Oid>,
    partition_column: Option<String>,
    retention: Option<Interval>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(source, pg_sys::Oid),
            name!(needs_partitioning, Option<bool>),
            name!(partition_column, Option<String>),
            name!(recommended_strategy, Option<String>),
            name!(partition_interval, Option<String>),
            name!(estimated_partitions, Option<i64>),
            name!(partition_bytes, Option<i64>),
            name!(total_bytes, Option<i64>),
            name!(rows_estimate, Option<i64>),
            name!(reasons, Option<String>),
            name!(blockers, Option<String>),
            name!(warnings, Option<String>),
            name!(key_changes, Option<String>),
            name!(next_step, Option<String>),
            name!(details, JsonB),
        ),
    >,
    ErrorReport,
> {
    let wish = Wish {
        column: partition_column,
        retention_seconds: retention.map(seconds).transpose()?,
    };
    let analysed = analyze::table(given("source", source)?, &wish)?;
    Ok(rows(vec![analysed]))
}

fn seconds(retention: Interval) -> Result<f64, Error> {
    let seconds = f64::from(retention.months()) * MONTH
        + f64::from(retention.days()) * 86_400.0
        + retention.micros() as f64 / 1_000_000.0;
    let refuse = |message: &str, hint: &str| {
        Err(Error::Argument {
            message: message.to_owned(),
            detail: None,
            hint: Some(hint.to_owned()),
        })
    };
    if seconds <= 0.0 {
        return refuse(
            "retention must be positive",
            "It is how long rows are to be kept, as '90 days'.",
        );
    }
    if seconds > LONGEST_RETENTION {
        return refuse(
            "retention must not exceed 10000 years",
            "Leave it out where rows are kept for ever.",
        );
    }
    Ok(seconds)
}

type Line = (
    pg_sys::Oid,
    Option<bool>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    JsonB,
);

fn rows(all: Vec<Analysed>) -> TableIterator<'static, Line> {
    TableIterator::new(all.into_iter().map(row))
}

fn row(analysed: Analysed) -> Line {
    let Analysed {
        table,
        advice,
        next_step,
    } = analysed;
    let choice = advice.choice.as_ref();
    let blockers: Vec<String> = advice
        .blockers
        .iter()
        .map(|blocker| match &blocker.hint {
            Some(hint) => format!("{} {hint}", blocker.fact),
            None => blocker.fact.clone(),
        })
        .collect();
    (
        pg_sys::Oid::from(table.oid),
        advice.needs_partitioning,
        choice.map(|choice| choice.column.name.clone()),
        choice.map(|_| "range".to_owned()),
        choice.map(|choice| choice.period.argument.clone()),
        advice.partitions(),
        choice.map(|choice| choice.period.bytes as i64),
        table.total_bytes(),
        table.rows.map(|rows| rows as i64),
        lines(&advice.reasons),
        lines(&blockers),
        lines(&advice.warnings),
        lines(&advice.key_changes),
        next_step,
        JsonB(advice.details(&table)),
    )
}

/// A sentence a line; nothing is null.
fn lines(sentences: &[String]) -> Option<String> {
    (!sentences.is_empty()).then(|| sentences.join("\n"))
}
