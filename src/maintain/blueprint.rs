//! What a new partition is made like: its newest sibling, with all levels below it.

use super::levels;
use super::read::{self, Subject};
use super::set::Leaf;
use crate::catalog::policy;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::settings;
use crate::plan::bounds::Span;
use crate::plan::names::Names;
use crate::plan::sql::Sql;
use crate::request::{self, SessionZone};
use pgrx::pg_sys;

const BLUEPRINT: &str = include_str!("sql/blueprint.sql");

/// A table to be made.
#[derive(Debug, Default)]
pub struct Blueprint {
    /// Whom it takes after; `None` where it has no sibling.
    pub model: Option<pg_sys::Oid>,
    /// How it is partitioned itself, as after PARTITION BY.
    pub key: Option<String>,
    pub storage: Storage,
    /// In the order in which they are made.
    pub parts: Vec<Part>,
}

/// What a table has for itself.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    pub options: Vec<String>,
    pub access_method: Option<String>,
    pub tablespace: Option<String>,
    pub replica_identity: String,
}

/// A partition of a table to be made.
#[derive(Debug)]
pub struct Part {
    pub name: PartName,
    /// `FOR VALUES …`, or `DEFAULT`.
    pub bounds: String,
    pub table: Blueprint,
}

/// Where the name of a part comes from.
#[derive(Debug)]
pub enum PartName {
    /// A table, which is the partition of another one, and its place there.
    Like {
        part: String,
        of: String,
        number: usize,
    },
    /// What its range is called.
    Label(String),
}

impl PartName {
    /// A name for a partition of `parent`, which belongs to `table`.
    pub fn within(&self, names: &mut Names, parent: &str, table: &str) -> String {
        match self {
            PartName::Like { part, of, number } => names.part(parent, of, part, *number),
            // It says all that the parent's label says, too.
            PartName::Label(label) => names.derive(table, label),
        }
    }
}

/// What comes of looking for a blueprint.
pub enum Drawn {
    Drawn(Blueprint),
    /// Why a partition cannot be made, in a few words.
    Missing(String),
}

/// A table of the sibling's, as the catalog has it.
struct Row {
    oid: pg_sys::Oid,
    parent: Option<pg_sys::Oid>,
    name: String,
    bounds: String,
    key: Option<String>,
    strategy: Option<String>,
    /// Whether it divides by the table's own partition column.
    has_same_column: bool,
    storage: Storage,
}

/// What a partition of that range is made like: the last one that takes rows. One that is partitioned
/// itself and has no partitions yet is no model.
pub fn of_new(subject: &Subject, span: &Span) -> Result<Drawn, Error> {
    for leaf in subject.set.leaves.iter().rev() {
        let oid = pg_sys::Oid::from(leaf.oid);
        let rows = rows(&subject.column, oid)?;
        let is_model = rows.iter().any(|row| row.key.is_none());
        let Some(row) = rows.iter().find(|row| row.oid == oid && is_model) else {
            continue;
        };
        return draw(subject, &rows, row, span);
    }
    Ok(match subject.set.leaves.is_empty() {
        true => Drawn::Drawn(Blueprint::default()),
        false => Drawn::Missing(
            "its partitions are partitioned themselves, and none has partitions to be copied"
                .to_owned(),
        ),
    })
}

/// What a default partition is made like: the last partition, where that is none of partitions.
pub fn of_default(subject: &Subject) -> Result<Blueprint, Error> {
    let last = subject.set.leaves.last();
    let rows = last.map(|leaf| rows(&subject.column, pg_sys::Oid::from(leaf.oid)));
    let plain = rows
        .transpose()?
        .and_then(|rows| rows.into_iter().find(|row| row.key.is_none()));
    Ok(Blueprint {
        storage: plain.map(|row| row.storage).unwrap_or_default(),
        ..Blueprint::default()
    })
}

/// What a partition is made like that is not partitioned itself, as its sibling is not.
pub fn of_flat(sibling: Option<pg_sys::Oid>) -> Result<Blueprint, Error> {
    let Some(sibling) = sibling else {
        return Ok(Blueprint::default());
    };
    // There is no level below that could divide by any column.
    let mut rows = rows("", sibling)?;
    rows.retain(|row| row.oid == sibling);
    Ok(Blueprint {
        storage: rows.pop().map(|row| row.storage).unwrap_or_default(),
        ..Blueprint::default()
    })
}

fn rows(column: &str, partition: pg_sys::Oid) -> Result<Vec<Row>, Error> {
    settings::within(&settings::AS_WRITTEN, || {
        db::kept_rows(BLUEPRINT, &[partition.into(), column.into()], |row| {
            Ok(Row {
                oid: row.get(1)?,
                parent: row.find(2)?,
                name: row.get(3)?,
                bounds: row.get(4)?,
                key: row.find(5)?,
                strategy: row.find(6)?,
                has_same_column: row.get(7)?,
                storage: Storage {
                    options: row.find(8)?.unwrap_or_default(),
                    access_method: row.find(9)?,
                    tablespace: row.find(10)?,
                    replica_identity: row.find(11)?.unwrap_or_default(),
                },
            })
        })
    })
}

fn draw(subject: &Subject, rows: &[Row], row: &Row, span: &Span) -> Result<Drawn, Error> {
    let mut blueprint = Blueprint {
        model: Some(row.oid),
        key: row.key.clone(),
        storage: row.storage.clone(),
        parts: Vec::new(),
    };
    if row.key.is_none() {
        return Ok(Drawn::Drawn(blueprint));
    }
    let level = match row.strategy.as_deref() {
        Some("r") => ranges(subject, row)?,
        _ => None,
    };
    let parts = rows.iter().filter(|part| part.parent == Some(row.oid));
    let mut left: Vec<&Row> = parts.collect();
    let mut is_left_out = false;
    match level {
        // By the same column: ranges within its own.
        Some(level) if row.has_same_column => {
            let zone = zone(subject)?;
            let ends = (span.lower.key, span.upper.key);
            let spans = levels::within(&level.set, ends, guc::max_partitions(), &zone)?;
            let newest = level.set.leaves.last();
            let newest = newest.and_then(|leaf| find(&left, leaf.oid));
            let (Some(spans), Some(newest)) = (spans, newest) else {
                return Ok(Drawn::Missing(format!(
                    "no interval can be read off the partitions of \"{}\", which are ranges of the same column",
                    row.name
                )));
            };
            for part in &spans {
                let table = match draw(subject, rows, newest, part)? {
                    Drawn::Drawn(table) => table,
                    missing => return Ok(missing),
                };
                blueprint.parts.push(Part {
                    name: PartName::Label(part.label.clone()),
                    bounds: bounds(&level, part, span, subject)?,
                    table,
                });
            }
            left.retain(|part| level.default == Some(part.oid));
        }
        // By another time: it goes on as its sibling does.
        Some(level) => {
            let now = request::now(level.set.key, &zone(subject)?)?;
            let has_passed = |leaf: &&Leaf| now.is_some_and(|now| !levels::is_ahead(leaf, now));
            let passed: Vec<u32> = (level.set.leaves.iter())
                .filter(has_passed)
                .map(|leaf| leaf.oid)
                .collect();
            left.retain(|part| !passed.contains(&part.oid.to_u32()));
            is_left_out = !passed.is_empty();
        }
        // Of hash any column will do; lists and odd ranges of the table's own are another
        // partition's.
        None if row.has_same_column && row.strategy.as_deref() != Some("h") => {
            return Ok(Drawn::Missing(format!(
                "\"{}\" is divided by the table's own partition column, in a way that is not copied",
                row.name
            )));
        }
        None => {}
    }
    for (part, number) in left.into_iter().zip(1..) {
        let table = match draw(subject, rows, part, span)? {
            Drawn::Drawn(table) => table,
            missing => return Ok(missing),
        };
        blueprint.parts.push(Part {
            name: PartName::Like {
                part: part.name.clone(),
                of: row.name.clone(),
                number,
            },
            bounds: part.bounds.clone(),
            table,
        });
    }
    Ok(match !is_left_out || blueprint.takes_rows() {
        true => Drawn::Drawn(blueprint),
        false => Drawn::Missing(format!(
            "\"{}\", which it is made like, has no partition of the present or of the time to come",
            row.name
        )),
    })
}

impl Blueprint {
    fn takes_rows(&self) -> bool {
        self.key.is_none() || self.parts.iter().any(|part| part.table.takes_rows())
    }
}

fn find<'a>(rows: &[&'a Row], oid: u32) -> Option<&'a Row> {
    rows.iter().copied().find(|row| row.oid.to_u32() == oid)
}

/// The ranges of a level, where they are of one column whose values have an order that is known.
fn ranges(subject: &Subject, row: &Row) -> Result<Option<Subject>, Error> {
    let codec = match row.has_same_column {
        true => subject.key_codec(),
        false => None,
    };
    match read::subject(row.oid, codec, false) {
        Ok(level) => Ok(Some(level)),
        Err(Error::NotManaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The zone of the table's policy: of its sibling's there need not be any.
fn zone(subject: &Subject) -> Result<SessionZone, Error> {
    let policy = policy::find(subject.parent)?;
    SessionZone::named(policy.and_then(|policy| policy.time_zone).as_deref())
}

/// The bounds of a part of a range; where it begins or ends with the range, they are the same.
fn bounds(level: &Subject, part: &Span, whole: &Span, subject: &Subject) -> Result<String, Error> {
    let lower = match part.lower.key == whole.lower.key {
        true => subject.lower_literal(part.lower.key)?,
        false => level.lower_literal(part.lower.key)?,
    };
    let upper = match part.upper.key == whole.upper.key {
        true => subject.upper_literal(part.upper.key)?,
        false => level.upper_literal(part.upper.key)?,
    };
    Ok(Sql::template("FOR VALUES FROM ({lower}) TO ({upper})")
        .literal("lower", &lower)
        .literal("upper", &upper)
        .build())
}
