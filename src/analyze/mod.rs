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
pub mod queries;
mod read;
mod words;
mod worth;

pub use advice::{Advice, Wish};

use crate::catalog::table;
use crate::error::Error;
use crate::guc;
use crate::pg::transaction::Failure;
use crate::pg::{disk, role};
use crate::plan::blockers;
use crate::plan::facts::{Column, Facts};
use crate::request;
use advice::{Closer, Types};
use facts::{ColumnFacts, ServerFacts, TableFacts, Thresholds};
use pgrx::pg_sys;
pub use queries::judge::{Pruned, Report};
use queries::{Subject, Unknown, Usage};
use serde_json::json;

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
    let found = read::tables(Some(source))?.pop().ok_or_else(gone)?;
    if found.is_locked && found.is_plain {
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
            let closer = Closer {
                facts: &facts,
                columns: &columns,
                free_bytes: None,
                may_convert: true,
                workers_wanted: 0,
            };
            let advice = advice::decide(&found, &closer, &server, &thresholds, &wish, &TYPES);
            let choice = advice.choice.clone().ok_or_else(|| Error::NoAdvice {
                relation: facts.name.clone(),
                detail: refusals(&advice),
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

/// Why there is no column to partition by.
fn refusals(advice: &Advice) -> String {
    let columns: Vec<String> = advice
        .refused
        .iter()
        .map(|(name, why)| format!("Column \"{name}\" {why}."))
        .collect();
    match columns.is_empty() {
        true => advice.reasons.join("\n"),
        false => columns.join("\n"),
    }
}

/// What the statistics, the indexes and the statements say of the columns.
fn columns(
    found: &TableFacts,
    facts: &Facts,
    usage: Option<&Usage>,
    with_ends: bool,
) -> Result<Vec<ColumnFacts>, Error> {
    let mut columns = read::columns(pg_sys::Oid::from(found.oid))?;
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
    let is_free = !found.is_locked && !found.is_converting;
    let can_read = may_convert && facts.owner_may_read_and_capture && is_free;
    let usage = match with_ends && can_read {
        true => Some(queries::usage::find(source)?),
        false => None,
    };
    let known = usage.as_ref().and_then(|usage| usage.as_ref().ok());
    let columns = columns(&found, &facts, known, with_ends && can_read)?;
    let closer = Closer {
        facts: &facts,
        columns: &columns,
        free_bytes: disk::free_bytes(pg_sys::Oid::from(found.tablespace)),
        may_convert,
        workers_wanted: guc::copy_workers().into(),
    };
    let mut advice = advice::decide(&found, &closer, server, thresholds, wish, &TYPES);
    if let Some(usage) = usage {
        add_queries(&mut advice, &facts, &columns, server, usage)?;
    }
    let next_step = advice.next_step(&facts);
    Ok(Analysed {
        table: found,
        advice,
        next_step,
    })
}
