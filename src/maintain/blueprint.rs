//! What a new partition is made like: its newest sibling, with all levels below it.

use super::levels;
use super::list::ListTable;
use super::newcomers::Newcomers;
use super::read::{self, Subject};
use super::set::Leaf;
use crate::catalog::policy;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::partition_key::Strategy;
use crate::pg::settings;
use crate::plan::bounds::Span;
use crate::plan::branch::PartName;
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
    /// Whether rows that are to be moved into it want ranges that its model does not have.
    pub lacks_ranges: bool,
}

/// What a table has for itself.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    pub options: Vec<String>,
    pub access_method: Option<String>,
    pub is_unlogged: bool,
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

/// What comes of looking for a blueprint.
pub enum Drawn {
    Drawn(Blueprint),
    /// Why a partition cannot be made, in a few words.
    Missing(String),
}

/// A partition that is wanted, as far as the levels below it depend on that.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// Of a table that is partitioned by ranges.
    Range(&'a Subject, &'a Span),
    /// Of one that is partitioned by list, for rows that there are already.
    Value(&'a ListTable, &'a Newcomers<'a>),
    /// Of one that is partitioned by hash: rows of any time are refused as long as it is missing.
    Remainder(pg_sys::Oid),
}

impl Wanted<'_> {
    fn parent(&self) -> pg_sys::Oid {
        match self {
            Wanted::Range(subject, _) => subject.parent,
            Wanted::Value(list, _) => list.table.parent,
            Wanted::Remainder(parent) => *parent,
        }
    }

    /// The column that other partitions take other values of. By hash any value may come, whatever the
    /// column.
    fn column(&self) -> &str {
        match self {
            Wanted::Range(subject, _) => &subject.column,
            Wanted::Value(list, _) => &list.column,
            Wanted::Remainder(_) => "",
        }
    }
}

/// A table of the sibling's, as the catalog has it.
struct Row {
    oid: pg_sys::Oid,
    parent: Option<pg_sys::Oid>,
    name: String,
    bounds: String,
    key: Option<String>,
    strategy: Option<Strategy>,
    /// Whether it divides by the table's own partition column.
    has_same_column: bool,
    storage: Storage,
}

/// What a partition of that range is made like: the last one that takes rows.
pub fn of_new(subject: &Subject, span: &Span) -> Result<Drawn, Error> {
    let last_first = (subject.set.leaves.iter().rev()).map(|leaf| pg_sys::Oid::from(leaf.oid));
    let drawn = after_first(Wanted::Range(subject, span), last_first)?;
    Ok(drawn.unwrap_or_else(|| Drawn::Drawn(Blueprint::default())))
}

/// What the partition of a value is made like, which these rows are to be moved into: the youngest one
/// that takes them, else the default partition.
pub fn of_value(list: &ListTable, newcomers: &Newcomers) -> Result<Drawn, Error> {
    let youngest_first = list.siblings.iter().copied();
    Ok(
        match after_first(Wanted::Value(list, newcomers), youngest_first)? {
            Some(drawn) => drawn,
            None => Drawn::Drawn(Blueprint {
                storage: list
                    .default
                    .map_or_else(|| Ok(Storage::default()), storage)?,
                ..Blueprint::default()
            }),
        },
    )
}

/// What the partition of a remainder is made like: the first of these that takes rows.
pub fn of_remainder(
    parent: pg_sys::Oid,
    siblings: impl IntoIterator<Item = pg_sys::Oid>,
) -> Result<Drawn, Error> {
    let drawn = after_first(Wanted::Remainder(parent), siblings)?;
    Ok(drawn.unwrap_or_else(|| Drawn::Drawn(Blueprint::default())))
}

/// So many siblings are asked for ranges that rows want, and younger ones do not have.
const MOST_ASKED: usize = 20;

/// Draws after the first of these that takes rows: one that is partitioned itself and has no partitions
/// yet is no model. Where rows want ranges that it does not have, another one like it that has them goes
/// before: ranges that had passed when the younger one was made were left out. `None` where there are no
/// siblings.
fn after_first(
    wanted: Wanted,
    siblings: impl IntoIterator<Item = pg_sys::Oid>,
) -> Result<Option<Drawn>, Error> {
    let mut is_alone = true;
    let mut first: Option<Blueprint> = None;
    let mut asked = 0;
    for oid in siblings {
        is_alone = false;
        let rows = rows(wanted.column(), oid)?;
        let is_model = rows.iter().any(|row| row.key.is_none());
        let Some(row) = rows.iter().find(|row| row.oid == oid && is_model) else {
            continue;
        };
        if first.as_ref().is_some_and(|first| first.key != row.key) {
            continue;
        }
        asked += 1;
        match (draw(wanted, &rows, row)?, &first) {
            (Drawn::Drawn(blueprint), None) if blueprint.lacks_ranges => first = Some(blueprint),
            (Drawn::Drawn(blueprint), Some(_)) if blueprint.lacks_ranges => {}
            (Drawn::Missing(_), Some(_)) => {}
            (drawn, _) => return Ok(Some(drawn)),
        }
        if asked == MOST_ASKED {
            break;
        }
    }
    Ok(match first {
        Some(first) => Some(Drawn::Drawn(first)),
        None if is_alone => None,
        None => Some(Drawn::Missing(
            "its partitions are partitioned themselves, and none has partitions to be copied"
                .to_owned(),
        )),
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

/// What a partition has for itself that has none below it.
fn storage(partition: pg_sys::Oid) -> Result<Storage, Error> {
    let rows = rows("", partition)?;
    let own = rows.into_iter().find(|row| row.oid == partition);
    Ok(own.map(|row| row.storage).unwrap_or_default())
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
                strategy: row.find(6)?.map(Strategy::of_letter).transpose()?,
                has_same_column: row.get(7)?,
                storage: Storage {
                    options: row.find(8)?.unwrap_or_default(),
                    access_method: row.find(9)?,
                    tablespace: row.find(10)?,
                    replica_identity: row.find(11)?.unwrap_or_default(),
                    is_unlogged: row.get(12)?,
                },
            })
        })
    })
}

fn draw(wanted: Wanted, rows: &[Row], row: &Row) -> Result<Drawn, Error> {
    let mut blueprint = Blueprint {
        model: Some(row.oid),
        key: row.key.clone(),
        storage: row.storage.clone(),
        ..Blueprint::default()
    };
    if row.key.is_none() {
        return Ok(Drawn::Drawn(blueprint));
    }
    let level = match row.strategy {
        Some(Strategy::Range) => ranges(wanted, row)?,
        _ => None,
    };
    let parts = rows.iter().filter(|part| part.parent == Some(row.oid));
    let mut left: Vec<&Row> = parts.collect();
    let mut is_left_out = false;
    match (level, wanted) {
        // By the same column: ranges within its own.
        (Some(level), Wanted::Range(subject, span)) if row.has_same_column => {
            let zone = zone(&[subject.parent])?;
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
                let table = match draw(Wanted::Range(subject, part), rows, newest)? {
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
        // Of hash any column will do; lists and odd ranges of the table's own are another
        // partition's.
        _ if row.has_same_column && row.strategy != Some(Strategy::Hash) => {
            return Ok(Drawn::Missing(format!(
                "\"{}\" is divided by the table's own partition column, in a way that is not copied",
                row.name
            )));
        }
        (None, _) | (_, Wanted::Remainder(_)) => {}
        // By another time: it goes on as its sibling does.
        (Some(level), _) => {
            let times = times(wanted, row, &level)?;
            left.retain(|part| !times.passed.contains(&part.oid.to_u32()));
            is_left_out = !times.passed.is_empty();
            blueprint.lacks_ranges = times.lacks_ranges;
        }
    }
    for (part, number) in left.into_iter().zip(1..) {
        let table = match draw(wanted, rows, part)? {
            Drawn::Drawn(table) => table,
            missing => return Ok(missing),
        };
        blueprint.lacks_ranges |= table.lacks_ranges;
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
    /// How many tables it has that hold rows.
    pub fn leaves(&self) -> usize {
        match self.key {
            None => 1,
            Some(_) => self.parts.iter().map(|part| part.table.leaves()).sum(),
        }
    }

    fn takes_rows(&self) -> bool {
        self.key.is_none() || self.parts.iter().any(|part| part.table.takes_rows())
    }
}

fn find<'a>(rows: &[&'a Row], oid: u32) -> Option<&'a Row> {
    rows.iter().copied().find(|row| row.oid.to_u32() == oid)
}

/// What a level of time has for a new partition.
struct Times {
    /// Ranges that have passed, and that no row wants.
    passed: Vec<u32>,
    /// Whether a row wants one that there is not.
    lacks_ranges: bool,
}

fn times(wanted: Wanted, row: &Row, level: &Subject) -> Result<Times, Error> {
    let Some(now) = request::now(level.set.key, &zone(&[row.oid, wanted.parent()])?)? else {
        return Ok(Times {
            passed: Vec::new(),
            lacks_ranges: false,
        });
    };
    let times = match wanted {
        Wanted::Value(_, newcomers) => newcomers.times(level)?,
        Wanted::Range(..) | Wanted::Remainder(_) => Vec::new(),
    };
    let leaves = &level.set.leaves;
    let is_left_out =
        |leaf: &&Leaf| !levels::is_ahead(leaf, now) && !levels::is_wanted(leaf, &times);
    let has_range = |time: &(i64, i64)| leaves.iter().any(|leaf| levels::is_wanted(leaf, &[*time]));
    Ok(Times {
        passed: (leaves.iter().filter(is_left_out))
            .map(|leaf| leaf.oid)
            .collect(),
        lacks_ranges: level.default.is_none() && !times.iter().all(has_range),
    })
}

/// The ranges of a level, where they are of one column whose values have an order that is known.
fn ranges(wanted: Wanted, row: &Row) -> Result<Option<Subject>, Error> {
    let codec = match wanted {
        Wanted::Range(subject, _) if row.has_same_column => subject.key_codec().map(str::to_owned),
        _ => policy::find(row.oid)?.and_then(|policy| policy.key_codec),
    };
    match read::subject(row.oid, codec.as_deref(), false) {
        Ok(level) => Ok(Some(level)),
        Err(Error::NotManaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The zone of the first policy that has one: none of these tables need have any.
fn zone(tables: &[pg_sys::Oid]) -> Result<SessionZone, Error> {
    for table in tables {
        if let Some(zone) = policy::find(*table)?.and_then(|policy| policy.time_zone) {
            return SessionZone::named(Some(&zone));
        }
    }
    SessionZone::named(None)
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
