//! Reads what the analysis rests on: catalog, statistics, counters, and the ends of indexes. No
//! table is scanned, and nobody is waited for.

use super::facts::{ColumnFacts, ServerFacts, TableFacts, VacuumFacts};
use crate::catalog::as_bookkeeper;
use crate::db;
use crate::error::Error;
use crate::pg::{lock, settings};
use crate::plan::facts::{Column, Facts};
use crate::plan::interval::KeyType;
use crate::request;
use pgrx::pg_sys;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::ffi::CStr;

const TABLES: &str = include_str!("sql/tables.sql");
const COLUMNS: &str = include_str!("sql/columns.sql");
const VACUUM: &str = include_str!("sql/vacuum.sql");
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

fn document<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::Internal(format!("facts for the analysis: {error}")))
}

/// Sizes and counters of relations, or of all tables that could be converted where none is given.
pub fn tables(given: &[pg_sys::Oid]) -> Result<Vec<TableFacts>, Error> {
    let converting: Vec<pg_sys::Oid> = as_bookkeeper(|| {
        db::rows(
            "SELECT j.source FROM partman_rs.job j WHERE j.phase NOT IN ('finished', 'cancelled')",
            &[],
            |row| row.get(1),
        )
    })?;
    let found: Vec<String> =
        db::kept_rows(TABLES, &[given.to_vec().into(), converting.into()], |row| {
            row.get(1)
        })?;
    found.iter().map(|text| document(text)).collect()
}

/// What the statistics say about the columns of tables, by the tables' OIDs.
pub fn columns(relations: &[pg_sys::Oid]) -> Result<HashMap<u32, Vec<ColumnFacts>>, Error> {
    of_each(COLUMNS, relations)
}

/// What vacuum has to do with tables, by their OIDs.
pub fn vacuums(relations: &[pg_sys::Oid]) -> Result<HashMap<u32, VacuumFacts>, Error> {
    of_each(VACUUM, relations)
}

/// What a statement that returns OIDs and documents says of each of these relations.
fn of_each<T: DeserializeOwned>(
    sql: &'static str,
    relations: &[pg_sys::Oid],
) -> Result<HashMap<u32, T>, Error> {
    let found: Vec<(pg_sys::Oid, String)> = settings::within(&settings::AS_WRITTEN, || {
        db::kept_rows(sql, &[relations.to_vec().into()], |row| {
            Ok((row.get(1)?, row.get(2)?))
        })
    })?;
    found
        .iter()
        .map(|(relation, text)| Ok((relation.to_u32(), document(text)?)))
        .collect()
}

/// What the server has.
pub fn server() -> Result<ServerFacts, Error> {
    let found: Vec<String> = db::kept_rows(SERVER, &[], |row| row.get(1))?;
    match found.first() {
        Some(text) => document(text),
        None => Err(Error::Internal("no facts about the server".to_owned())),
    }
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
    // The planner opens all indexes of a table.
    let held: Option<Vec<lock::Shared>> = facts
        .indexes
        .iter()
        .map(|index| lock::Shared::try_lock(pg_sys::Oid::from(index.oid)))
        .collect();
    if held.is_none() {
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
