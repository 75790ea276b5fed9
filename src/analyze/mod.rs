//! Which tables are worth partitioning, by what, and what stands in the way.
//!
//! [`read`] asks the server; all else is pure: [`facts`] are what is known, [`mod@advice`] puts
//! together what [`worth`], [`mod@column`] and [`period`] decide. The rules, and their thresholds, are
//! in `docs/internals/analysis.md`.

mod advice;
mod column;
mod disguise;
pub mod facts;
mod period;
pub mod queries;
mod read;
pub mod words;
mod worth;

pub use advice::{Advice, Wish};
pub use read::{INDEX_ONLY, columns as statistics_of, server};

use crate::catalog::table;
use crate::error::Error;
use crate::guc;
use crate::pg::transaction::Failure;
use crate::pg::{disk, lock};
use crate::plan::blockers;
use crate::plan::facts::{Column, Facts};
use crate::request;
use advice::{Closer, Types};
use facts::{ColumnFacts, ServerFacts, TableFacts, Thresholds};
use pgrx::pg_sys;
pub use queries::judge::{Pruned, Report};
use queries::{Subject, Unknown, Usage};
use serde_json::json;
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

/// Analyses one table, with what becomes of its queries where they are known.
pub fn table(source: pg_sys::Oid, wish: &Wish) -> Result<Analysed, Error> {
    let mut look = match look(source, wish)? {
        Sight::Settled(analysed) => return Ok(*analysed),
        Sight::Closer(look) => look,
    };
    if let Some(usage) = look.usage.take() {
        add_queries(
            &mut look.advice,
            &look.facts,
            &look.columns,
            &look.server,
            usage,
        )?;
    }
    Ok(Analysed {
        next_step: look.advice.next_step(&look.facts),
        table: look.found,
        advice: look.advice,
    })
}

/// What is advised about one table; what would become of its queries is left out, as telling that
/// takes longer than all else.
pub fn advice(source: pg_sys::Oid, wish: &Wish) -> Result<(TableFacts, Advice), Error> {
    Ok(match look(source, wish)? {
        Sight::Settled(analysed) => (analysed.table, analysed.advice),
        Sight::Closer(look) => (look.found, look.advice),
    })
}

enum Sight {
    /// There is nothing to look at more closely.
    Settled(Box<Analysed>),
    Closer(Box<Look>),
}

/// What was found out about a table, and is advised.
struct Look {
    found: TableFacts,
    facts: Facts,
    columns: Vec<ColumnFacts>,
    server: ServerFacts,
    /// How the table is used, where the caller may know.
    usage: Option<Result<Usage, Unknown>>,
    advice: Advice,
}

fn look(source: pg_sys::Oid, wish: &Wish) -> Result<Sight, Error> {
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
        let settled = Analysed::at_first_sight(found, advice);
        return Ok(Sight::Settled(Box::new(settled)));
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
    if let Some(name) = &wish.column {
        request::column(&facts, name)?;
    }
    found.vacuum = read::vacuums(&[source])?
        .remove(&found.oid)
        .unwrap_or_default();
    let can_read = found.may_convert && facts.owner_may_read_and_capture && !found.is_converting;
    let usage = match can_read {
        true => Some(queries::usage::find(source)?),
        false => None,
    };
    let known = usage.as_ref().and_then(|usage| usage.as_ref().ok());
    let columns = columns(&found, &facts, known, can_read)?;
    let server = read::server()?;
    let advice = decide(&found, &facts, &columns, &server, &thresholds, wish);
    Ok(Sight::Closer(Box::new(Look {
        found,
        facts,
        columns,
        server,
        usage,
        advice,
    })))
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
            let advice = decide(&found, &facts, &columns, server, thresholds, &wish);
            all.push(Analysed {
                next_step: advice.next_step(&facts),
                table: found,
                advice,
            });
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

/// Which of a table's queries would read fewer partitions, were it partitioned by this column and
/// interval; by those that are advised, where they are not given.
pub fn query_pruning(
    source: pg_sys::Oid,
    column: Option<String>,
    interval: Option<String>,
) -> Result<Report, Failure> {
    let thresholds = guc::thresholds();
    let gone = || Error::NoRelation {
        oid: source.to_u32(),
    };
    let mut found = read::tables(&[source])?.pop().ok_or_else(gone)?;
    let _held = share(&mut found);
    if found.is_locked {
        Err(Error::LockNotAvailable {
            relation: found.name.clone(),
            purpose: "a look at its queries",
        })?;
    }
    let facts = request::readable_facts(source)?;
    if let Some(name) = &column {
        request::column(&facts, name)?;
    }
    let usage = queries::usage::find(source)?.map_err(|unknown| Error::NoStatements {
        detail: queries::words::unknown(&unknown),
        hint: queries::words::way_out(&unknown).to_owned(),
    })?;
    let server = read::server()?;
    let columns = columns(&found, &facts, Some(&usage), true)?;
    let (name, interval) = match (column, interval) {
        (Some(column), Some(interval)) => (column, interval),
        (column, interval) => {
            let wish = Wish {
                column,
                retention_seconds: None,
            };
            let advice = decide(&found, &facts, &columns, &server, &thresholds, &wish);
            let choice = advice.choice.clone().ok_or_else(|| Error::NoAdvice {
                relation: facts.name.clone(),
                column: wish.column.clone(),
                reasons: advice.why_no_column(&found, &wish),
            })?;
            (
                choice.column.name,
                interval.unwrap_or(choice.period.argument),
            )
        }
    };
    let column = request::column(&facts, &name)?;
    queries::report(
        &Subject {
            facts: &facts,
            column,
            partition_interval: &interval,
            found: of_column(&columns, column)?,
            server: &server,
        },
        &usage,
    )
}

/// What the statistics, the indexes and the statements say of the columns.
fn columns(
    found: &TableFacts,
    facts: &Facts,
    usage: Option<&Usage>,
    with_ends: bool,
) -> Result<Vec<ColumnFacts>, Error> {
    let mut columns = read::columns(&[pg_sys::Oid::from(found.oid)])?
        .remove(&found.oid)
        .unwrap_or_default();
    if with_ends {
        read::add_ends(found, facts, &mut columns)?;
    }
    let shares = usage.map(Usage::shares).unwrap_or_default();
    for column in &mut columns {
        column.compared = shares.get(&column.attnum).copied().unwrap_or(0.0);
    }
    Ok(columns)
}

fn of_column<'a>(columns: &'a [ColumnFacts], column: &Column) -> Result<&'a ColumnFacts, Error> {
    let found = columns.iter().find(|found| found.attnum == column.attnum);
    found.ok_or_else(|| Error::Internal(format!("no facts of column {}", column.attnum)))
}

/// Adds what becomes of the statements to the advice, where they are known.
fn add_queries(
    advice: &mut Advice,
    facts: &Facts,
    columns: &[ColumnFacts],
    server: &ServerFacts,
    usage: Result<Usage, Unknown>,
) -> Result<(), Error> {
    let report = match (usage, &advice.choice) {
        (Err(unknown), _) => Err(queries::words::unknown(&unknown)),
        (Ok(_), None) => Err("There is no column to partition by.".to_owned()),
        (Ok(usage), Some(choice)) => queries::report(
            &Subject {
                facts,
                column: &choice.column,
                partition_interval: &choice.period.argument,
                found: of_column(columns, &choice.column)?,
                server,
            },
            &usage,
        )
        .map_err(|failure| format!("{} ({}).", failure.message, failure.sqlstate())),
    };
    advice.queries = Some(match report {
        Ok(report) => {
            advice.reasons.extend(report.sentence());
            advice.warnings.extend(report.warning());
            report.document()
        }
        Err(why) => json!({ "unknown": why }),
    });
    Ok(())
}

fn decide(
    found: &TableFacts,
    facts: &Facts,
    columns: &[ColumnFacts],
    server: &ServerFacts,
    thresholds: &Thresholds,
    wish: &Wish,
) -> Advice {
    let closer = Closer {
        facts,
        columns,
        free_bytes: disk::free_bytes(pg_sys::Oid::from(found.tablespace)),
        workers_wanted: guc::copy_workers().into(),
    };
    advice::decide(found, &closer, server, thresholds, wish, &TYPES)
}
