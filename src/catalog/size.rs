//! How large a table is, without a scan.

use crate::db;
use crate::error::Error;
use crate::plan::estimate::Sizes;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::{Json, JsonB, pg_sys};

const SIZES: &str = include_str!("sql/sizes.sql");

/// Sizes of a table and its indexes; the caller acts as the table's owner.
///
/// Rows and their width are what PostgreSQL's planner estimates, which knows how far the table has
/// grown since the last ANALYZE, and what to think where there was none.
pub fn of(relation: pg_sys::Oid, name: &QualifiedName) -> Result<Sizes, Error> {
    let unreadable = |error: serde_json::Error| Error::Internal(format!("sizes: {error}"));
    let found: JsonB = db::value(SIZES, &[relation.into()])?;
    let sizes: Sizes = serde_json::from_value(found.0).map_err(unreadable)?;
    let explain = Sql::template("EXPLAIN (FORMAT JSON) SELECT * FROM ONLY {table}")
        .name("table", name)
        .build();
    let Json(plan): Json = db::value(&explain, &[])?;
    let number = |what: &str| {
        let place = format!("/0/Plan/Plan {what}");
        plan.pointer(&place)
            .and_then(serde_json::Value::as_f64)
            .ok_or_else(|| Error::Internal(format!("no {what} in: {explain}")))
    };
    // The planner never says that there is nothing.
    let rows = match sizes.table_bytes > 0.0 {
        true => number("Rows")?,
        false => 0.0,
    };
    Ok(Sizes {
        rows,
        width: number("Width")?,
        ..sizes
    })
}
