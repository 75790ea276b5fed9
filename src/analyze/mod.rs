//! Which tables are worth partitioning, by what, and what stands in the way.
//!
//! [`read`] asks the server; all else is pure: [`facts`] are what is known, [`advice`] puts
//! together what [`worth`], [`mod@column`] and [`period`] decide. The rules, and their thresholds, are
//! in `docs/internals/analysis.md`.

mod advice;
mod column;
mod disguise;
pub mod facts;
mod period;
mod read;
pub mod words;
mod worth;

pub use advice::{Advice, Wish};
pub use read::{columns, server};

use crate::catalog::table;
use crate::error::Error;
use crate::guc;
use crate::pg::{disk, lock};
use crate::plan::blockers;
use crate::plan::facts::Facts;
use crate::request;
use advice::{Closer, Types};
use facts::{ColumnFacts, ServerFacts, TableFacts, Thresholds};
use pgrx::pg_sys;
use std::collections::HashMap;

/// A table, and the advice about it.
pub struct Analysed {
    pub table: TableFacts,
    pub advice: Advice,
    /// The call that shows the plan of the conversion, where it would not be refused.
    pub next_step: Option<String>,
}

impl Analysed {
    fn at_first_sight(table: TableFacts, advice: Advice) -> Self {
        Analysed {
            table,
            advice,
            next_step: None,
        }
    }
}

const TYPES: Types = Types {
    key: request::key_type,
    is_listable,
};

fn is_listable(type_oid: u32) -> bool {
    matches!(
        pg_sys::Oid::from(type_oid),
        pg_sys::TEXTOID
            | pg_sys::VARCHAROID
            | pg_sys::BPCHAROID
            | pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::UUIDOID
    )
}

/// Tables that are looked at closely together: so many are locked at once, while they are read.
const BATCH: usize = 100;

/// Analyses one table.
pub fn table(source: pg_sys::Oid, wish: &Wish) -> Result<Analysed, Error> {
    let gone = || Error::NoRelation {
        oid: source.to_u32(),
    };
    let thresholds = guc::thresholds();
    let mut found = read::tables(&[source])?.pop().ok_or_else(gone)?;
    // PostgreSQL locks a relation to write its definitions down: that would have to wait.
    let _held = share(&mut found);
    if let Err(advice) = advice::at_first_sight(&found, &thresholds)
        && found.is_locked
    {
        return Ok(Analysed::at_first_sight(found, advice));
    }
    let facts = table::facts(source)?.ok_or_else(gone)?;
    if let Some(detail) = blockers::wrong_relation(&facts) {
        return Err(Error::WrongRelation {
            relation: facts.name,
            detail,
        });
    }
    if !found.is_readable {
        return Err(Error::NotReadable {
            relation: facts.name,
        });
    }
    if let Some(column) = wish
        .column
        .as_ref()
        .filter(|name| facts.column(name).is_none())
    {
        return Err(Error::NoColumn {
            relation: facts.name,
            column: column.clone(),
        });
    }
    let mut columns = read::columns(&[source])?
        .remove(&found.oid)
        .unwrap_or_default();
    found.vacuum = read::vacuums(&[source])?
        .remove(&found.oid)
        .unwrap_or_default();
    if found.may_convert && facts.owner_may_read_and_capture && !found.is_converting {
        read::add_ends(&found, &facts, &mut columns)?;
    }
    let server = read::server()?;
    Ok(closer_look(
        found,
        &facts,
        &columns,
        &server,
        &thresholds,
        wish,
    ))
}

/// Analyses all tables: first those that are worth it, the largest first.
///
/// Most are settled at first sight. The ends of keys are taken from the statistics alone, so that
/// no lock on any table is kept.
pub fn candidates() -> Result<Vec<Analysed>, Error> {
    let (server, thresholds) = (read::server()?, guc::thresholds());
    let mut all = Vec::new();
    let mut closer = Vec::new();
    for found in read::tables(&[])? {
        match advice::at_first_sight(&found, &thresholds) {
            Err(advice) => all.push(Analysed::at_first_sight(found, advice)),
            Ok(()) => closer.push(found),
        }
    }
    while !closer.is_empty() {
        let batch = closer.split_off(closer.len().saturating_sub(BATCH));
        look_closer(batch, &server, &thresholds, &mut all)?;
    }
    all.sort_by_key(|analysed| {
        let verdict = match analysed.advice.needs_partitioning {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        };
        let size = analysed.table.total_bytes().unwrap_or(0);
        (
            verdict,
            -size,
            analysed.table.name.clone(),
            analysed.table.oid,
        )
    });
    Ok(all)
}

/// Analyses some tables together, as one statement about many is quicker than many about one.
fn look_closer(
    batch: Vec<TableFacts>,
    server: &ServerFacts,
    thresholds: &Thresholds,
    all: &mut Vec<Analysed>,
) -> Result<(), Error> {
    let mut held = Vec::with_capacity(batch.len());
    let mut readable = HashMap::with_capacity(batch.len());
    for mut found in batch {
        held.extend(share(&mut found));
        match advice::at_first_sight(&found, thresholds) {
            Err(advice) => all.push(Analysed::at_first_sight(found, advice)),
            Ok(()) => {
                readable.insert(found.oid, found);
            }
        }
    }
    let oids: Vec<pg_sys::Oid> = readable.keys().map(|oid| pg_sys::Oid::from(*oid)).collect();
    let mut columns = read::columns(&oids)?;
    let mut vacuums = read::vacuums(&oids)?;
    for facts in table::facts_of(&oids)? {
        // Those that were dropped meanwhile are not among them.
        if let Some(mut found) = readable.remove(&facts.oid) {
            found.vacuum = vacuums.remove(&facts.oid).unwrap_or_default();
            let columns = columns.remove(&facts.oid).unwrap_or_default();
            let wish = Wish::default();
            all.push(closer_look(
                found, &facts, &columns, server, thresholds, &wish,
            ));
        }
    }
    Ok(())
}

/// Locks a table for reading, or notes that somebody else has it.
fn share(found: &mut TableFacts) -> Option<lock::Shared> {
    let held = lock::Shared::try_lock(pg_sys::Oid::from(found.oid));
    found.is_locked |= held.is_none();
    held
}

fn closer_look(
    found: TableFacts,
    facts: &Facts,
    columns: &[ColumnFacts],
    server: &ServerFacts,
    thresholds: &Thresholds,
    wish: &Wish,
) -> Analysed {
    let closer = Closer {
        facts,
        columns,
        free_bytes: disk::free_bytes(pg_sys::Oid::from(found.tablespace)),
        workers_wanted: guc::copy_workers().into(),
    };
    let advice = advice::decide(&found, &closer, server, thresholds, wish, &TYPES);
    let next_step = advice.next_step(facts);
    Analysed {
        table: found,
        advice,
        next_step,
    }
}
