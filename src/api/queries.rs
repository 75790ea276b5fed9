//! `query_pruning()`.

use super::given;
use crate::analyze::{self, Pruned};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn query_pruning(
    source: Option<pg_sys::Oid>,
    partition_column: Option<String>,
    partition_interval: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(statement, Option<String>),
            name!(calls, i64),
            name!(total_time, f64),
            name!(share_of_time, Option<f64>),
            name!(partitions_before, Option<i64>),
            name!(partitions_after, Option<i64>),
            name!(pruned, Option<String>),
            name!(locks_before, Option<i64>),
            name!(locks_after, Option<i64>),
            name!(note, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let source = given("source", source)?;
    let rounded = |number: f64| (number * 10_000.0).round() / 10_000.0;
    let report = analyze::query_pruning(source, partition_column, partition_interval)?;
    if let Some(sentence) = report.sentence() {
        notice!("{sentence}");
    }
    if let Some(sentence) = report.warning() {
        warning!("{sentence}");
    }
    Ok(TableIterator::new(report.lines.into_iter().map(
        move |line| {
            let fate = line.fate.as_ref();
            (
                line.statement,
                line.calls,
                rounded(line.time),
                line.share.map(rounded),
                fate.map(|fate| fate.partitions_before),
                fate.map(|fate| fate.partitions_after),
                fate.and_then(|fate| fate.pruned)
                    .map(|pruned| Pruned::name(pruned).to_owned()),
                fate.map(|fate| fate.locks_before),
                fate.map(|fate| fate.locks_after),
                line.note,
            )
        },
    )))
}
