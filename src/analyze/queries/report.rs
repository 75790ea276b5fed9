//! Plans the statements of a table on its partitioned twin.

use super::judge::{self, Fate, Report, Shape};
use super::twin::{self, Pattern};
use super::usage::{self, Statement, Usage};
use super::words;
use crate::analyze::facts::{ColumnFacts, ServerFacts};
use crate::error::Error;
use crate::pg::planner::{self, Stand};
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, rolled_back};
use crate::pg::{interrupts, version};
use crate::plan::blockers;
use crate::plan::bounds::Coverage;
use crate::plan::facts::{Column, Facts};
use crate::plan::interval::KeyType;
use crate::request;
use pgrx::pg_sys;
use std::rc::Rc;

/// A table, and how it is to be partitioned.
pub struct Subject<'a> {
    pub facts: &'a Facts,
    pub column: &'a Column,
    pub partition_interval: &'a str,
    /// What the statistics say of the column.
    pub found: &'a ColumnFacts,
    pub server: &'a ServerFacts,
}

/// Plans each statement on an empty twin, which is gone when this returns. The caller may act as
/// the table's owner.
pub fn report(subject: &Subject, usage: &Usage) -> Result<Report, Failure> {
    let facts = subject.facts;
    let key_type = check_possible(subject)?;
    let ends = subject.found.range().ok_or_else(|| Error::NoStatistics {
        relation: facts.name.clone(),
        column: subject.column.name.clone(),
    })?;
    let cover = Coverage {
        first: ends.0,
        last: ends.1.max(ends.0),
    };
    let spans = request::default_spans(key_type, subject.partition_interval, cover)?;
    check_room(subject, spans.len() + 1)?;
    let pattern = Pattern {
        facts,
        column: subject.column,
        key_type,
        found: subject.found,
        ends,
        spans: &spans,
    };
    let owner = pg_sys::Oid::from(facts.owner);
    let fates = rolled_back(|| {
        let stand = acting_as(owner, Restriction::SecurityRestricted, || {
            twin::make(&pattern)
        })?;
        let indexes = twin::carried(facts, subject.column).count();
        let shape = Shape {
            shares: stand
                .leaves
                .iter()
                .map(|(oid, leaf)| (oid.to_u32(), leaf.share))
                .collect(),
            indexes: indexes as i64,
            parent_indexes: version::parent_indexes_locked(indexes) as i64,
        };
        Ok(usage
            .statements
            .iter()
            .map(|statement| {
                interrupts::check();
                fate(statement, &stand, &shape)
            })
            .collect::<Vec<_>>())
    })?;
    Ok(judge::report(usage, fates))
}

fn fate(statement: &Statement, stand: &Rc<Stand>, shape: &Shape) -> Result<Fate, String> {
    let way = statement.way.as_ref().map_err(words::unplanned)?;
    match way
        .actor
        .tries(|| planner::plan(&way.parsed, stand, usage::is_trusted))
    {
        Ok(Ok(Some(planned))) => Ok(judge::fate(&planned, shape)),
        Ok(Ok(None)) => Err("It was altered meanwhile.".to_owned()),
        Ok(Err(unfit)) => Err(words::unfit(unfit)),
        Err(failure) => Err(words::failure_after(&failure)),
    }
}

/// Refuses tables of which no twin can be planned with. What else would stand in the way of a
/// conversion is none here: whoever thinks of removing it wants to know what for.
fn check_possible(subject: &Subject) -> Result<KeyType, Error> {
    let (facts, column) = (subject.facts, subject.column);
    let key_type = request::key_type(column.type_oid);
    let is_related = facts.persistence == "t" || facts.inherits || facts.is_inherited;
    match key_type {
        Some(key_type) if !is_related && column.generated.is_empty() => Ok(key_type),
        _ => {
            let mut found = blockers::find(facts, column, true);
            if key_type.is_none() {
                found.insert(0, blockers::unsupported_type(column));
            }
            Err(Error::Blocked {
                relation: facts.name.clone(),
                blockers: found,
            })
        }
    }
}

/// Each partition and each of its indexes takes a place in the lock table, which all sessions
/// share: at most half of it is taken for a look.
fn check_room(subject: &Subject, partitions: usize) -> Result<(), Error> {
    let each = 1 + twin::carried(subject.facts, subject.column).count();
    let locks = i64::try_from(partitions * each).unwrap_or(i64::MAX);
    match locks * 2 > subject.server.lock_slots {
        false => Ok(()),
        true => Err(Error::NoRoom {
            relation: subject.facts.name.clone(),
            locks,
            slots: subject.server.lock_slots,
        }),
    }
}
