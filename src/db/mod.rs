//! SQL from Rust: the only place that calls SPI.

use crate::error::Error;
use crate::pg::{settings, transaction};
use crate::plan::names::QualifiedName;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiHeapTupleData, SpiTupleTable};
use pgrx::{FromDatum, IntoDatum};
use std::cell::RefCell;
use std::collections::HashMap;

/// Runs a statement; returns how many rows it processed.
pub fn run(sql: &str, args: &[DatumWithOid]) -> Result<u64, Error> {
    in_transaction(sql)?;
    transaction::running(sql, || {
        Spi::connect_mut(|client| Ok(client.update(sql, None, args)?.len() as u64))
    })
}

/// A worker runs code between its transactions, too: a statement there is a bug, to be told and not
/// to end the server.
fn in_transaction(sql: &str) -> Result<(), Error> {
    match transaction::is_open() {
        true => Ok(()),
        false => Err(Error::Internal(format!(
            "no transaction is open for: {sql}"
        ))),
    }
}

/// Runs a statement and decodes each row of its result.
pub fn rows<T>(
    sql: &str,
    args: &[DatumWithOid],
    mut decode: impl FnMut(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    in_transaction(sql)?;
    Spi::connect(|client| {
        query(client, sql, None, args)?
            .map(|tuple| decode(&Row(tuple)))
            .collect()
    })
}

/// With a snapshot of its own for each statement, so that what was committed before a lock was granted is
/// seen. `update()` of pgrx would do so, too, but takes a transaction id, which one who only looks does not need,
/// and of which there are none on a standby.
fn query<'conn>(
    client: &SpiClient<'conn>,
    sql: &str,
    limit: Option<i64>,
    args: &[DatumWithOid],
) -> Result<SpiTupleTable<'conn>, Error> {
    let statement = client.prepare_mut(sql, &types_of(args))?;
    Ok(client.select(statement, limit, args)?)
}

fn types_of(args: &[DatumWithOid]) -> Vec<PgOid> {
    args.iter().map(|arg| PgOid::from(arg.oid())).collect()
}

/// The first row of a query. It is planned as if all were wanted, and ended there.
pub fn first<T>(
    sql: &str,
    decode: impl FnOnce(&Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    in_transaction(sql)?;
    Spi::connect(|client| {
        let mut rows = query(client, sql, Some(1), &[])?;
        rows.next().map(|tuple| decode(&Row(tuple))).transpose()
    })
}

/// Whether a query has a row, likewise.
pub fn has_rows(sql: &str) -> Result<bool, Error> {
    first(sql, |_| Ok(())).map(|found| found.is_some())
}

/// Runs a statement and decodes its first row, if there is one.
pub fn row<T>(
    sql: &str,
    args: &[DatumWithOid],
    decode: impl FnMut(&Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    Ok(rows(sql, args, decode)?.into_iter().next())
}

/// Runs a statement whose result must be one row with one column that is not null.
pub fn value<T: FromDatum + IntoDatum>(sql: &str, args: &[DatumWithOid]) -> Result<T, Error> {
    row(sql, args, |row| row.get(1))?.ok_or_else(|| Error::Internal(format!("no row from: {sql}")))
}

/// A row of a result.
pub struct Row<'a>(SpiHeapTupleData<'a>);

impl Row<'_> {
    /// A column, counted from 1, that must not be null.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: usize) -> Result<T, Error> {
        self.find(column)?
            .ok_or_else(|| Error::Internal(format!("column {column} of a row is null")))
    }

    /// A column, counted from 1.
    pub fn find<T: FromDatum + IntoDatum>(&self, column: usize) -> Result<Option<T>, Error> {
        Ok(self.0.get::<T>(column)?)
    }

    /// A name: its schema in that column, and itself in the one behind it. Neither may be null.
    pub fn qualified_name(&self, schema_column: usize) -> Result<QualifiedName, Error> {
        Ok(QualifiedName::new(
            self.get::<String>(schema_column)?,
            self.get::<String>(schema_column + 1)?,
        ))
    }
}

thread_local! {
    /// Statements whose plans are kept for the life of this process, by their text: only fixed ones.
    static KEPT: RefCell<HashMap<String, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// As [`rows`], for a statement that is run again and again: it is parsed and planned once, which
/// takes longer than running it, and the plan fits all arguments.
///
/// Its text must be one of few, since none is ever forgotten: no names or values of users in it.
pub fn kept_rows<T>(
    sql: &str,
    args: &[DatumWithOid],
    mut decode: impl FnMut(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    in_transaction(sql)?;
    settings::within(&[(c"plan_cache_mode", c"force_generic_plan")], || {
        Spi::connect(|client| {
            let kept = KEPT.with_borrow(|kept| kept.get(sql).copied());
            let statement = match kept {
                Some(statement) => statement,
                None => {
                    // Never freed: at the end of the process there is no server left to free it.
                    let statement: &'static OwnedPreparedStatement =
                        Box::leak(Box::new(client.prepare_mut(sql, &types_of(args))?.keep()));
                    KEPT.with_borrow_mut(|kept| kept.insert(sql.to_owned(), statement));
                    statement
                }
            };
            client
                .select(statement, None, args)?
                .map(|tuple| decode(&Row(tuple)))
                .collect()
        })
    })
}

/// As [`run`], with a plan that is kept (see [`kept_rows`]).
pub fn kept_run(sql: &str, args: &[DatumWithOid]) -> Result<(), Error> {
    kept_rows(sql, args, |_| Ok(())).map(drop)
}

/// As [`row`], with a plan that is kept (see [`kept_rows`]).
pub fn kept_row<T>(
    sql: &str,
    args: &[DatumWithOid],
    decode: impl FnMut(&Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    Ok(kept_rows(sql, args, decode)?.into_iter().next())
}

/// As [`value`], with a plan that is kept (see [`kept_rows`]).
pub fn kept_value<T: FromDatum + IntoDatum>(sql: &str, args: &[DatumWithOid]) -> Result<T, Error> {
    kept_row(sql, args, |row| row.get(1))?
        .ok_or_else(|| Error::Internal(format!("no row from: {sql}")))
}
