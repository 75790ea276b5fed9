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
pub use read::{INDEX_ONLY, columns, server};

use crate::catalog::table;
use crate::error::Error;
use crate::guc;
use crate::pg::{disk, role};
use crate::plan::blockers;
use crate::plan::facts::Facts;
use crate::request;
use advice::{Closer, Types};
use facts::{ServerFacts, TableFacts, Thresholds};
use pgrx::pg_sys;

/// A table, and the advice about it.
pub struct Analysed {
    pub table: TableFacts,
    pub advice: Advice,
    /// The call that shows the plan of the conversion, where it would not be refused.
    pub next_step: Option<String>,
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

/// Analyses one table.
pub fn table(source: pg_sys::Oid, wish: &Wish) -> Result<Analysed, Error> {
    let gone = || Error::NoRelation {
        oid: source.to_u32(),
    };
    let thresholds = guc::thresholds();
    let found = read::tables(Some(source))?.pop().ok_or_else(gone)?;
    // PostgreSQL locks a table to write its definitions down: that would have to wait.
    if let Err(advice) = advice::at_first_sight(&found, &thresholds)
        && found.is_locked
        && found.is_plain
    {
        return Ok(Analysed {
            table: found,
            advice,
            next_step: None,
        });
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
    closer_look(found, facts, &read::server()?, &thresholds, wish, true)
}

/// Analyses all tables: first those that are worth it, the largest first.
///
/// Most are settled at first sight. The ends of keys are taken from the statistics alone, so that
/// no lock on any table is kept.
pub fn candidates() -> Result<Vec<Analysed>, Error> {
    let (server, thresholds, wish) = (read::server()?, guc::thresholds(), Wish::default());
    let mut all = Vec::new();
    for found in read::tables(None)? {
        let analysed = match advice::at_first_sight(&found, &thresholds) {
            Err(advice) => Analysed {
                table: found,
                advice,
                next_step: None,
            },
            Ok(()) => match table::facts(pg_sys::Oid::from(found.oid))? {
                Some(facts) => closer_look(found, facts, &server, &thresholds, &wish, false)?,
                // Dropped meanwhile.
                None => continue,
            },
        };
        all.push(analysed);
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

fn closer_look(
    found: TableFacts,
    facts: Facts,
    server: &ServerFacts,
    thresholds: &Thresholds,
    wish: &Wish,
    with_ends: bool,
) -> Result<Analysed, Error> {
    let source = pg_sys::Oid::from(found.oid);
    let may_convert = table::may_act_as(role::current(), pg_sys::Oid::from(found.owner))?;
    let mut columns = read::columns(source)?;
    let can_read = may_convert && facts.owner_may_read_and_capture;
    if with_ends && can_read && !found.is_locked && !found.is_converting {
        read::add_ends(&found, &facts, &mut columns)?;
    }
    let closer = Closer {
        facts: &facts,
        columns: &columns,
        free_bytes: disk::free_bytes(pg_sys::Oid::from(found.tablespace)),
        may_convert,
        workers_wanted: guc::copy_workers().into(),
    };
    let advice = advice::decide(&found, &closer, server, thresholds, wish, &TYPES);
    let next_step = advice.next_step(&facts);
    Ok(Analysed {
        table: found,
        advice,
        next_step,
    })
}
