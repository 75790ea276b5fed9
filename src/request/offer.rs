//! What to do where foreign keys point at what the partition column would have to join: the table can be
//! partitioned by what they point at.

use super::{Arguments, SessionZone, borders, data_coverage, interval, key_type};
use crate::analyze::{self, Wish};
use crate::catalog::table;
use crate::error::Error;
use crate::guc;
use crate::plan::blockers;
use crate::plan::borders::easily_read;
use crate::plan::bounds::range_spans;
use crate::plan::dependents;
use crate::plan::facts::{Column, Facts};
use crate::plan::guard;
use crate::plan::interval::KeyType;
use crate::plan::names::quote_ident;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// Adds to a refusal to partition by that column what can be done instead.
pub fn beside(error: Error, arguments: &Arguments, facts: &Facts, column: &str) -> Error {
    let Error::Blocked {
        relation,
        mut blockers,
    } = error
    else {
        return error;
    };
    let column = facts.column(column);
    let lost = column.map_or_else(Vec::new, |column| {
        dependents::refused_by_key(facts, column.attnum)
    });
    let told = lost
        .last()
        .and_then(|last| blockers.iter_mut().find(|blocker| **blocker == *last));
    if let (Some(column), Some(blocker)) = (column, told) {
        match hint(arguments, facts, column) {
            Ok(hint) => blocker.hint = Some(hint),
            Err(error) => return error,
        }
    }
    Error::Blocked { relation, blockers }
}

/// To partition by what the keys point at, or to guard that.
fn hint(arguments: &Arguments, facts: &Facts, column: &Column) -> Result<String, Error> {
    let guarded =
        (!arguments.unique_guard && guard::helps(facts, column)).then_some("unique_guard => true");
    Ok(match (by_another(arguments, facts, column)?, guarded) {
        (Some(other), Some(guarded)) => format!(
            "{other} Or keep it unique by a table of all keys, which they then point at: {guarded}."
        ),
        (Some(other), None) => other,
        (None, Some(guarded)) => {
            format!("Keep it unique by a table of all keys, which they then point at: {guarded}.")
        }
        (None, None) => {
            "Drop the foreign keys, or have them point at a key that contains the partition column."
                .to_owned()
        }
    })
}

fn by_another(
    arguments: &Arguments,
    facts: &Facts,
    column: &Column,
) -> Result<Option<String>, Error> {
    let Some((offered, offered_type)) = what_all_point_at(arguments, facts) else {
        return Ok(None);
    };
    if let Some(interval) = at_borders(arguments, facts, column, (offered, offered_type))? {
        let more = Sql::template(", bounds_by => {by}{zone}")
            .literal("by", &column.name)
            .trusted("zone", &zone_argument(arguments))
            .build();
        return Ok(Some(format!(
            "Partition by {}, which they point at, with bounds where {} passes borders of {interval}: {}.",
            quote_ident(&offered.name),
            quote_ident(&column.name),
            call(facts, offered, Some(&interval), &more)
        )));
    }
    let wished = match (&arguments.partition_interval, offered_type.is_time()) {
        (Some(text), true) => Some(text.clone()),
        (Some(text), false) => width(text, facts, column, offered, offered_type)?,
        (None, _) => None,
    };
    let interval = match wished {
        Some(interval) => Some(interval),
        None => advised(arguments, offered)?,
    };
    Ok(Some(format!(
        "Partition by {}, which they point at: {}.",
        quote_ident(&offered.name),
        call(facts, offered, interval.as_deref(), "")
    )))
}

/// The call that converts the table by that column. `more` is what else is to be passed, each argument behind a comma.
pub fn call(facts: &Facts, column: &Column, interval: Option<&str>, more: &str) -> String {
    let interval = interval.map_or_else(String::new, |interval| {
        Sql::template(", partition_interval => {interval}")
            .literal("interval", interval)
            .build()
    });
    Sql::template("convert_to_partitioned({table}, {column}{interval}{more})")
        .literal("table", &facts.qualified_name().to_string())
        .literal("column", &column.name)
        .trusted("interval", &interval)
        .trusted("more", more)
        .build()
}

fn zone_argument(arguments: &Arguments) -> String {
    let zone = arguments.time_zone.as_ref();
    zone.map_or_else(String::new, |zone| {
        Sql::template(", time_zone => {zone}")
            .literal("zone", zone)
            .build()
    })
}

/// The interval at whose borders ranges of the other column can begin, where that grows with the time.
fn at_borders(
    arguments: &Arguments,
    facts: &Facts,
    column: &Column,
    (offered, offered_type): (&Column, KeyType),
) -> Result<Option<String>, Error> {
    let by = key_type(column.type_oid).filter(|by| by.is_time() && !offered_type.is_time());
    let Some(by) = by else {
        return Ok(None);
    };
    let wished = match &arguments.partition_interval {
        Some(text) => Some(text.clone()),
        None => advised(arguments, column)?,
    };
    let Some(wished) = wished else {
        return Ok(None);
    };
    let (key, by) = ((offered.clone(), offered_type), (column.clone(), by));
    match borders::draw(arguments, facts, &key, &by, &wished) {
        Ok(_) => Ok(Some(wished)),
        Err(Error::Blocked { .. } | Error::Argument { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A column by which the table can be partitioned, and which all foreign keys contain that point at it: a number
/// rather than a time, which hardly anything points at.
fn what_all_point_at<'a>(arguments: &Arguments, facts: &'a Facts) -> Option<(&'a Column, KeyType)> {
    let dependents = &facts.dependents;
    let own = dependents.self_keys.iter().map(|key| &key.referenced);
    let keys: Vec<&Vec<i16>> = (dependents.incoming_keys.iter())
        .map(|key| &key.referenced)
        .chain(own)
        .collect();
    // What is in the way whatever the column, is told already.
    let known = blockers::of_table(facts);
    let mut all: Vec<(&Column, KeyType)> = facts
        .columns
        .iter()
        .filter(|column| keys.iter().all(|key| key.contains(&column.attnum)))
        .filter(|column| {
            let found = blockers::find(facts, column, arguments.default_partition);
            found.iter().all(|blocker| known.contains(blocker))
        })
        .filter_map(|column| Some((column, key_type(column.type_oid)?)))
        .collect();
    all.sort_by_key(|(_, key_type)| key_type.is_time());
    all.first().copied()
}

/// How wide ranges of a number are so that there are as many as there would be of the wished column; `None` where
/// that would take a scan to tell, or cannot be told.
fn width(
    wished: &str,
    facts: &Facts,
    column: &Column,
    offered: &Column,
    offered_type: KeyType,
) -> Result<Option<String>, Error> {
    let Some(wished_type) = key_type(column.type_oid) else {
        return Ok(None);
    };
    let source = pg_sys::Oid::from(facts.oid);
    for column in [column, offered] {
        if !table::has_index_on(source, &column.name)? {
            return Ok(None);
        }
    }
    let (Some(times), Some(numbers)) = (
        data_coverage(facts, column, wished_type)?,
        data_coverage(facts, offered, offered_type)?,
    ) else {
        return Ok(None);
    };
    let zone = SessionZone::named(None)?;
    let wished = interval(wished, wished_type)?;
    let most = guc::max_partitions();
    let ranges = range_spans(wished_type, wished, times, times.last, 0, most, &zone)?.len();
    let numbers = i128::from(numbers.last) - i128::from(numbers.first) + 1;
    let width = easily_read(numbers / (ranges.max(1) as i128));
    Ok(Some(width.min(i128::from(i64::MAX)).to_string()))
}

/// The interval that the analysis advises for a column, if it does.
fn advised(arguments: &Arguments, column: &Column) -> Result<Option<String>, Error> {
    let wish = Wish {
        column: Some(column.name.clone()),
        retention_seconds: None,
    };
    let (_, advice) = analyze::advice(arguments.source, &wish)?;
    Ok(advice.choice.map(|choice| choice.period.argument))
}
