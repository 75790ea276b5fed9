//! The empty partitioned table that statements are planned on. It is made by ordinary statements, in
//! a subtransaction that its caller rolls back.

use super::judge;
use crate::analyze::facts::ColumnFacts;
use crate::db;
use crate::error::Error;
use crate::pg::planner::{Leaf, Size, Stand};
use crate::pg::settings;
use crate::plan::blockers;
use crate::plan::bounds::Span;
use crate::plan::facts::{Column, Facts, Index};
use crate::plan::indexes::{self, Reach};
use crate::plan::interval::KeyType;
use crate::plan::names::{QualifiedName, quote_ident};
use crate::plan::sql::Sql;
use crate::plan::{Partition, twin};
use pgrx::pg_sys;
use std::collections::HashMap;
use std::rc::Rc;

const COLUMNS: &str = include_str!("sql/columns.sql");
const RELATIONS: &str = include_str!("sql/relations.sql");

/// What the twin is made of.
pub struct Pattern<'a> {
    pub facts: &'a Facts,
    pub column: &'a Column,
    pub key_type: KeyType,
    pub found: &'a ColumnFacts,
    pub ends: (i64, i64),
    pub spans: &'a [Span],
}

/// Makes it, as the table's owner.
pub fn make(pattern: &Pattern) -> Result<Rc<Stand>, Error> {
    let Pattern {
        facts,
        column,
        key_type,
        found,
        ends,
        spans,
    } = pattern;
    // What event triggers have to say is nobody's concern.
    settings::set_local(c"client_min_messages", c"error");
    // What the caller's session prefers for new tables, the owner may have no right to.
    settings::set_local(c"default_tablespace", c"");
    settings::set_local(c"default_table_access_method", c"heap");
    let source = pg_sys::Oid::from(facts.oid);
    let names = Names::of(facts);
    let leaf_attnums = create(facts, column, &names.twin())?;
    let mut leaves = Vec::new();
    for (range, number) in spans.iter().map(Some).chain([None]).zip(0..) {
        let partition = Partition {
            name: names.leaf(number),
            range: range.map(|span| (span.lower.clone(), span.upper.clone())),
            value: None,
            below: None,
        };
        db::run(
            &twin::create_leaf(facts, &names.twin(), &partition).statement,
            &[],
        )?;
        leaves.push(oid_of(&partition.name)?);
    }
    for check in facts.checks.iter().filter(|check| !check.no_inherit) {
        let sql = Sql::template("ALTER TABLE {twin} ADD CONSTRAINT {name} {definition}")
            .name("twin", &names.twin())
            .ident("name", &check.name)
            .trusted("definition", &check.definition)
            .build();
        db::run(&sql, &[])?;
    }
    let twins = make_indexes(facts, column, &names)?;
    let sizes = sizes(source)?;
    let size_of = |oid: u32| sizes.get(&oid).copied().unwrap_or_default();
    let mut of_leaf: HashMap<pg_sys::Oid, HashMap<pg_sys::Oid, Size>> = HashMap::new();
    for (leaf, index, twin) in leaf_indexes(&twins)? {
        if let Some((original, _)) = twins.iter().find(|(_, made)| *made == twin) {
            of_leaf
                .entry(leaf)
                .or_default()
                .insert(index, size_of(*original));
        }
    }
    let shares = judge::shares(found.statistics.as_ref(), *ends, spans);
    Ok(Rc::new(Stand {
        source,
        twin: oid_of(&names.twin())?,
        leaves: leaves
            .into_iter()
            .zip(shares)
            .map(|(oid, share)| {
                let indexes = of_leaf.remove(&oid).unwrap_or_default();
                (oid, Leaf { share, indexes })
            })
            .collect(),
        leaf_attnums,
        constraints: constraints(&twins)?,
        size: size_of(facts.oid),
        key_type: *key_type,
        key: ends.1,
    }))
}

/// Names that no conversion would choose: nobody is to wait for this transaction.
struct Names {
    schema: String,
    stem: String,
}

impl Names {
    fn of(facts: &Facts) -> Names {
        Names {
            schema: facts.schema.clone(),
            stem: format!("partman_rs_queries_{}", std::process::id()),
        }
    }

    fn named(&self, suffix: &str) -> QualifiedName {
        QualifiedName::new(&self.schema, format!("{}{suffix}", self.stem))
    }

    fn twin(&self) -> QualifiedName {
        self.named("")
    }

    fn leaf(&self, number: usize) -> QualifiedName {
        self.named(&format!("_{number}"))
    }

    fn index(&self, number: usize) -> QualifiedName {
        self.named(&format!("_i{number}"))
    }
}

/// The parent, with columns of the same numbers. Returns those numbers of the live ones.
fn create(facts: &Facts, key: &Column, twin: &QualifiedName) -> Result<Vec<i16>, Error> {
    let columns: Vec<(String, String, bool, bool)> =
        db::rows(COLUMNS, &[pg_sys::Oid::from(facts.oid).into()], |row| {
            Ok((row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
    let written: Vec<String> = columns
        .iter()
        .map(|(name, definition, _, _)| {
            let not_null = facts.column(name).is_some_and(|column| column.not_null);
            let not_null = if not_null { " NOT NULL" } else { "" };
            format!("{} {definition}{not_null}", quote_ident(name))
        })
        .collect();
    let sql = Sql::template("CREATE TABLE {twin} ({columns}) PARTITION BY RANGE ({key})")
        .name("twin", twin)
        .trusted("columns", &written.join(", "))
        .ident("key", &key.name)
        .build();
    db::run(&sql, &[])?;
    let changes: Vec<String> = columns
        .iter()
        .filter_map(|(name, _, is_dropped, is_long)| {
            let name = quote_ident(name);
            match (is_dropped, is_long) {
                (true, _) => Some(format!("DROP COLUMN {name}")),
                (_, true) => Some(format!("ALTER COLUMN {name} SET STORAGE PLAIN")),
                _ => None,
            }
        })
        .collect();
    if !changes.is_empty() {
        let sql = Sql::template("ALTER TABLE {twin} {changes}")
            .name("twin", twin)
            .trusted("changes", &changes.join(", "))
            .build();
        db::run(&sql, &[])?;
    }
    Ok(columns
        .iter()
        .zip(1..)
        .filter(|((_, _, is_dropped, _), _)| !is_dropped)
        .map(|(_, attnum)| attnum)
        .collect())
}

/// The indexes that the conversion would make, on all partitions: each with that of the source.
fn make_indexes(
    facts: &Facts,
    key: &Column,
    names: &Names,
) -> Result<Vec<(u32, pg_sys::Oid)>, Error> {
    let twin = names.twin();
    let mut made = Vec::new();
    for (index, number) in carried(facts, key).zip(0..) {
        let name = names.index(number);
        db::run(
            &indexes::statement(facts, index, key, &twin, &name, Reach::All),
            &[],
        )?;
        made.push((index.oid, oid_of(&name)?));
    }
    Ok(made)
}

/// The indexes that a partitioned table can have.
pub fn carried<'a>(facts: &'a Facts, key: &'a Column) -> impl Iterator<Item = &'a Index> {
    facts.indexes.iter().filter(|index| {
        let is_extended = index.is_unique && blockers::lacks(index, key.attnum);
        let is_full = index.columns.len() + index.include.len() >= blockers::MAX_INDEX_COLUMNS;
        index.is_valid && !index.is_exclusion && !(is_extended && is_full)
    })
}

fn oid_of(name: &QualifiedName) -> Result<pg_sys::Oid, Error> {
    db::value(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE n.nspname = $1 AND c.relname = $2",
        &[name.schema.as_str().into(), name.name.as_str().into()],
    )
}

/// Partition, its index, and the index of the twin that this belongs to.
fn leaf_indexes(
    twins: &[(u32, pg_sys::Oid)],
) -> Result<Vec<(pg_sys::Oid, pg_sys::Oid, pg_sys::Oid)>, Error> {
    let twins: Vec<pg_sys::Oid> = twins.iter().map(|(_, twin)| *twin).collect();
    db::rows(
        "SELECT i.indrelid, h.inhrelid, h.inhparent \
           FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid \
          WHERE h.inhparent = ANY ($1)",
        &[twins.into()],
        |row| Ok((row.get(1)?, row.get(2)?, row.get(3)?)),
    )
}

/// Constraints behind the source's indexes, with those behind the twin's.
fn constraints(twins: &[(u32, pg_sys::Oid)]) -> Result<Vec<(pg_sys::Oid, pg_sys::Oid)>, Error> {
    let (sources, twins): (Vec<pg_sys::Oid>, Vec<pg_sys::Oid>) = twins
        .iter()
        .map(|(source, twin)| (pg_sys::Oid::from(*source), *twin))
        .unzip();
    db::rows(
        "SELECT s.oid, t.oid FROM unnest($1, $2) AS pair(source, twin) \
           JOIN pg_constraint s ON s.conindid = pair.source AND s.contype IN ('p', 'u') \
           JOIN pg_constraint t ON t.conindid = pair.twin AND t.contype = s.contype",
        &[sources.into(), twins.into()],
        |row| Ok((row.get(1)?, row.get(2)?)),
    )
}

fn sizes(source: pg_sys::Oid) -> Result<HashMap<u32, Size>, Error> {
    let all = db::rows(RELATIONS, &[source.into()], |row| {
        let size = Size {
            pages: row.get(2)?,
            rows: row.get(3)?,
            all_visible: row.get(4)?,
        };
        Ok((row.get::<pg_sys::Oid>(1)?.to_u32(), size))
    })?;
    Ok(all.into_iter().collect())
}
