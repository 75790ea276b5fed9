//! Reads what the analysis rests on: catalog, statistics, counters, and the ends of indexes. No
//! table is scanned, and nobody is waited for.

use super::facts::{ColumnFacts, ServerFacts, TableFacts};
use crate::catalog::as_bookkeeper;
use crate::db;
use crate::error::Error;
use crate::pg::settings;
use crate::plan::facts::{Column, Facts};
use crate::plan::interval::KeyType;
use crate::request;
use pgrx::{JsonB, pg_sys};
use serde::de::DeserializeOwned;
use std::ffi::CStr;

const TABLES: &str = include_str!("sql/tables.sql");
const COLUMNS: &str = include_str!("sql/columns.sql");
const SERVER: &str = include_str!("sql/server.sql");

/// More dead rows than this, and looking for a live one at the end of an index could take long.
const MOST_DEAD_ROWS: i64 = 1_000_000;

/// An index is asked for its ends, or nobody is.
pub const INDEX_ONLY: [(&CStr, &CStr); 5] = [
    (c"enable_indexscan", c"on"),
    (c"enable_indexonlyscan", c"on"),
    (c"enable_seqscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
];

fn document<T: DeserializeOwned>(json: JsonB) -> Result<T, Error> {
    serde_json::from_value(json.0)
        .map_err(|error| Error::Internal(format!("facts for the analysis: {error}")))
}

/// Sizes and counters of one table, or of all that could be converted.
pub fn tables(only: Option<pg_sys::Oid>) -> Result<Vec<TableFacts>, Error> {
    let converting: Vec<pg_sys::Oid> = as_bookkeeper(|| {
        db::rows(
            "SELECT j.source FROM partman_rs.job j WHERE j.phase NOT IN ('finished', 'cancelled')",
            &[],
            |row| row.get(1),
        )
    })?;
    db::rows(
        TABLES,
        &[only.unwrap_or(pg_sys::InvalidOid).into(), converting.into()],
        |row| row.get(1),
    )?
    .into_iter()
    .map(document)
    .collect()
}

/// What the statistics say about the columns of a table.
pub fn columns(relation: pg_sys::Oid) -> Result<Vec<ColumnFacts>, Error> {
    let found: Option<JsonB> = settings::within(&settings::AS_WRITTEN, || {
        db::row_about(COLUMNS, relation, |row| row.get(1))
    })?;
    found.map_or(Ok(Vec::new()), document)
}

/// What the server has.
pub fn server() -> Result<ServerFacts, Error> {
    document(db::value(SERVER, &[])?)
}

/// Puts the exact ends of the keys beside what the statistics say, where an index has them.
///
/// Only for callers that may act as the table's owner: as such the table is read.
pub fn add_ends(
    table: &TableFacts,
    facts: &Facts,
    columns: &mut [ColumnFacts],
) -> Result<(), Error> {
    // Policies could hide every row, and all of the index be read in vain.
    let is_quick = table.dead <= MOST_DEAD_ROWS && !facts.row_security;
    if !is_quick || facts.kind != "r" || facts.persistence == "t" {
        return Ok(());
    }
    for found in columns.iter_mut().filter(|found| found.leads_index) {
        let key: Option<(&Column, KeyType)> = facts
            .column_at(found.attnum)
            .and_then(|column| Some((column, request::key_type(column.type_oid)?)));
        if let Some((column, key)) = key {
            found.ends =
                settings::within(&INDEX_ONLY, || request::data_coverage(facts, column, key))?
                    .map(|ends| (ends.first, ends.last));
        }
    }
    Ok(())
}
