//! `conversion_manifest()`.

use super::given;
use crate::plan::dependents::manifest;
use crate::request;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// What hangs on a table, and what a conversion makes of each item.
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns off the return type"
)]
#[pg_extern(parallel_unsafe, volatile, sql = false)]
fn conversion_manifest(
    source: Option<pg_sys::Oid>,
    partition_column: Option<String>,
    unique_guard: Option<bool>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(object, String),
            name!(fate, String),
            name!(reason, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let facts = request::readable_facts(given("source", source)?)?;
    let key = match &partition_column {
        Some(name) => Some(request::column(&facts, name)?),
        None => None,
    };
    let is_guarded = given("unique_guard", unique_guard)?;
    let items = manifest(&facts, key, is_guarded).into_iter().map(|item| {
        let fate = item.fate.name().to_owned();
        (item.kind, item.object, fate, item.reason)
    });
    Ok(TableIterator::new(items.collect::<Vec<_>>()))
}
