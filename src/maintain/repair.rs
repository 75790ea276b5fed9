//! Mends what has drifted: each in a moment, as the table's owner, who may do no more than before.

use super::drift::{self, Difference, Drift, Remedy};
use super::managed::Table;
use super::{act, family, parts};
use crate::catalog::{policy, table};
use crate::convert::run_step;
use crate::db;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::plan::facts::Facts;
use crate::plan::grants;
use crate::plan::indexes;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use crate::worker::launcher;
use pgrx::pg_sys;

const DRIFT: &str = include_str!("sql/drift.sql");

/// What an attempt to mend came to.
pub enum Mended {
    Done,
    /// Why it was not tried.
    NotTried(String),
    /// It is no partition of the table any more, or has another name: the next comparison tells.
    Gone,
}

/// Told of an index that a session leaves to a worker, which can build it beside writers.
pub const LEFT_TO_BUILDER: &str = "the worker builds it CONCURRENTLY";

/// Compares all partitions of a table with it, and those of its partitions with these, level by level; one
/// query for each table that is partitioned. Those with a policy of their own are compared by their own runs.
pub fn drifts(table: pg_sys::Oid) -> Result<Vec<Drift>, Error> {
    let mut found = Vec::new();
    for (parent, has_same_owner) in policy::kept_with(table)? {
        let mut differences = differences(parent)?;
        if !has_same_owner {
            // All is done as the owner of the table itself.
            let obstacle = "what it is a partition of belongs to another role than the table";
            for difference in &mut differences {
                let obstacle = || Some(obstacle.to_owned());
                difference.obstacle = difference.obstacle.take().or_else(obstacle);
            }
        }
        found.extend(drift::find(&differences));
    }
    Ok(found)
}

fn differences(parent: pg_sys::Oid) -> Result<Vec<Difference>, Error> {
    db::kept_rows(DRIFT, &[parent.into()], |row| {
        Ok(Difference {
            parent: parent.to_u32(),
            kind: row.get(1)?,
            partition: row.get::<pg_sys::Oid>(2)?.to_u32(),
            name: row.qualified_name(3)?,
            has: row.find(5)?,
            wanted: row.find(6)?,
            object: row.find(7)?,
            number: row.find::<pg_sys::Oid>(8)?.map(|oid| oid.to_u32()),
            obstacle: row.find(9)?,
        })
    })
}

/// Mends one drift of one partition.
pub fn mend(table: &Table, drift: &Drift) -> Result<Mended, Error> {
    let statements = match &drift.remedy {
        Remedy::ByHand(how) => return Ok(Mended::NotTried(how.clone())),
        Remedy::Build(_) if launcher::maintenance_interval().is_some() => {
            return Ok(Mended::NotTried(LEFT_TO_BUILDER.to_owned()));
        }
        Remedy::Run(statements) => statements.as_slice(),
        _ => &[],
    };
    let (parent, partition) = (
        pg_sys::Oid::from(drift.parent),
        pg_sys::Oid::from(drift.partition),
    );
    table.as_owner(|| {
        if !take(table, drift)? {
            return Ok(Mended::Gone);
        }
        match drift.remedy {
            Remedy::Grant => grant(parent, partition, &drift.name)?,
            Remedy::Identify(index) => {
                let part = part_of(partition, pg_sys::Oid::from(index))?;
                let Some(part) = part else {
                    return Ok(Mended::NotTried(
                        "it has no valid part of that index yet".to_owned(),
                    ));
                };
                use_identity(&drift.name, &part)?;
            }
            Remedy::Build(index) => {
                return parts::build_small(parent, partition, pg_sys::Oid::from(index));
            }
            Remedy::Outline(index) => {
                return parts::outline(parent, partition, pg_sys::Oid::from(index));
            }
            _ => {}
        }
        for statement in statements {
            db::run(statement, &[])?;
        }
        Ok(Mended::Done)
    })
}

/// Takes a partition that has drifted in hand, until the end of the (sub)transaction; `false` where it is
/// not that partition of its table any more.
pub fn take(table: &Table, drift: &Drift) -> Result<bool, Error> {
    let (parent, partition) = (
        pg_sys::Oid::from(drift.parent),
        pg_sys::Oid::from(drift.partition),
    );
    // SHARE UPDATE EXCLUSIVE on the table, on the one between if there is one, then on the partition: neither
    // readers nor writers wait for it, but nobody attaches, detaches, renames or mends meanwhile. What is done
    // to the partition then may want it ACCESS EXCLUSIVE for a moment: hence the time-out.
    for relation in [table.parent, parent, partition] {
        family::lock(relation, Mode::ShareUpdateExclusive)?;
    }
    table.unchanged()?;
    let is_partition: bool = db::value(
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = $1 AND inhparent = $2 AND NOT inhdetachpending)",
        &[partition.into(), parent.into()],
    )?;
    Ok(is_partition && table::qualified_name(partition)?.as_ref() == Some(&drift.name))
}

/// Gives a partition the privileges that its table has, and takes others.
fn grant(parent: pg_sys::Oid, partition: pg_sys::Oid, name: &QualifiedName) -> Result<(), Error> {
    let both = table::facts_of(&[parent, partition])?;
    let of = |oid: pg_sys::Oid| {
        let facts = both.iter().find(|facts| facts.oid == oid.to_u32());
        facts
            .cloned()
            .ok_or_else(|| Error::NoRelation { oid: oid.to_u32() })
    };
    let wanted = without_sequences(of(parent)?);
    let mut has = without_sequences(of(partition)?);
    // A partition may have its columns in another order.
    has.columns = wanted
        .columns
        .iter()
        .filter_map(|column| has.column(&column.name).cloned())
        .collect();
    for step in grants::changes(&wanted, &has, name, &[]) {
        run_step(&step)?;
    }
    Ok(())
}

/// Sequences are the table's alone.
fn without_sequences(mut facts: Facts) -> Facts {
    for column in &mut facts.columns {
        column.sequences.clear();
    }
    facts
}

/// Gives a partition that was just made what its own parts of the table's indexes do not get by themselves:
/// the statistics targets, and that one of them is the replica identity.
pub fn mark_indexes(table: &Facts, partition: &QualifiedName) -> Result<(), Error> {
    for index in table
        .indexes
        .iter()
        .filter(|index| !index.statistics.is_empty())
    {
        if let Some(name) = part_of(act::oid_of(partition)?, pg_sys::Oid::from(index.oid))? {
            let schema = partition.schema.clone();
            for statement in indexes::targets(index, &QualifiedName::new(schema, name)) {
                db::run(&statement, &[])?;
            }
        }
    }
    identify(table, partition)
}

/// Without, subscribers would not hear which row was updated or deleted.
fn identify(table: &Facts, partition: &QualifiedName) -> Result<(), Error> {
    let mut indexes = table.indexes.iter();
    let Some(index) = indexes.find(|index| table.replica_index.as_ref() == Some(&index.name))
    else {
        return Ok(());
    };
    match part_of(act::oid_of(partition)?, pg_sys::Oid::from(index.oid))? {
        Some(part) => use_identity(partition, &part),
        // Made by hand on the table alone, and not valid yet: it is told with what has drifted.
        None => Ok(()),
    }
}

fn use_identity(partition: &QualifiedName, index: &str) -> Result<(), Error> {
    let statement = Sql::template("ALTER TABLE {table} REPLICA IDENTITY USING INDEX {index}")
        .name("table", partition)
        .ident("index", index)
        .build();
    db::run(&statement, &[]).map(drop)
}

/// The name of a partition's valid part of an index of the table.
fn part_of(partition: pg_sys::Oid, index: pg_sys::Oid) -> Result<Option<String>, Error> {
    db::row(
        "SELECT c.relname::text FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid JOIN pg_class c ON c.oid = i.indexrelid \
          WHERE h.inhparent = $1 AND i.indrelid = $2 AND i.indisvalid",
        &[index.into(), partition.into()],
        |row| row.get(1),
    )
}
