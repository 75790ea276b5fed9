//! Foreign keys of a table, to others, as they stand in the catalog.

use super::as_bookkeeper;
use crate::db;
use crate::error::Error;
use crate::plan::names::QualifiedName;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// A foreign key.
#[derive(Debug, PartialEq)]
pub struct ForeignKey {
    pub oid: pg_sys::Oid,
    pub name: String,
    /// The table that it points at.
    pub referenced: pg_sys::Oid,
}

/// A trigger of a foreign key.
#[derive(Debug)]
pub struct Trigger {
    pub oid: pg_sys::Oid,
    pub table: pg_sys::Oid,
    pub relation: QualifiedName,
    pub name: String,
}

/// Those of a table, but for what comes from a table that it is a partition of.
pub fn of(table: pg_sys::Oid) -> Result<Vec<ForeignKey>, Error> {
    all(table, false)
}

/// Those among them whose triggers on other tables are disabled.
pub fn at_rest(table: pg_sys::Oid) -> Result<Vec<ForeignKey>, Error> {
    all(table, true)
}

fn all(table: pg_sys::Oid, only_at_rest: bool) -> Result<Vec<ForeignKey>, Error> {
    db::rows(
        "SELECT k.oid, k.conname::text, k.confrelid FROM pg_constraint k \
          WHERE k.conrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND k.confrelid <> k.conrelid \
            AND (NOT $2 OR EXISTS ( \
                  SELECT FROM pg_trigger t \
                   WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid AND t.tgenabled = 'D')) \
          ORDER BY k.oid",
        &[table.into(), only_at_rest.into()],
        |row| {
            Ok(ForeignKey {
                oid: row.get(1)?,
                name: row.get(2)?,
                referenced: row.get(3)?,
            })
        },
    )
}

/// A foreign key that points at a partition, by itself or because it points at its table.
pub struct Pointing {
    /// The table that has it.
    pub relation: pg_sys::Oid,
    pub table: QualifiedName,
    pub name: String,
    /// At what it points by itself.
    pub target: pg_sys::Oid,
    /// What it has for the partition: the key itself, if that points there by itself.
    pub part: Pointed,
    /// Whether the triggers that it has on the partition fire as they did when they were made.
    pub acts: bool,
}

/// What a foreign key has for a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pointed {
    pub oid: pg_sys::Oid,
    /// The table whose rows point there.
    pub by: pg_sys::Oid,
}

/// Those that point at a partition.
pub fn pointing_at(partition: pg_sys::Oid) -> Result<Vec<Pointing>, Error> {
    db::rows(
        "WITH RECURSIVE pointing AS ( \
           SELECT k.oid AS part, k.conrelid AS by, k.conname, k.conrelid, k.confrelid, k.conparentid FROM pg_constraint k \
            WHERE k.contype = 'f' AND k.confrelid = $1 \
            UNION ALL \
           SELECT p.part, p.by, k.conname, k.conrelid, k.confrelid, k.conparentid FROM pg_constraint k JOIN pointing p ON k.oid = p.conparentid) \
         SELECT p.conname::text, n.nspname::text, c.relname::text, p.conrelid, p.confrelid, p.part, p.by, \
                NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = p.part AND t.tgrelid = $1 AND t.tgenabled <> 'O') \
           FROM pointing p \
           JOIN pg_class c ON c.oid = p.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE p.conparentid = 0 ORDER BY p.conname, p.conrelid::regclass::text, p.part",
        &[partition.into()],
        |row| {
            Ok(Pointing {
                name: row.get(1)?,
                table: row.qualified_name(2)?,
                relation: row.get(4)?,
                target: row.get(5)?,
                part: Pointed {
                    oid: row.get(6)?,
                    by: row.get(7)?,
                },
                acts: row.get(8)?,
            })
        },
    )
}

/// What ATTACH goes through.
pub struct Crowd {
    /// Partitions of a table.
    pub partitions: usize,
    /// Foreign keys that point at it.
    pub keys: usize,
    /// Partitions, at all levels, of the partitioned tables that its own point at; of each as many times as keys do.
    pub elsewhere: usize,
}

/// Of a partitioned table.
pub fn crowd(table: pg_sys::Oid) -> Result<Crowd, Error> {
    let count = |sql| db::value::<i64>(sql, &[table.into()]);
    let partitions = count("SELECT count(*) FROM pg_inherits WHERE inhparent = $1")?;
    let keys = count("SELECT count(*) FROM pg_constraint WHERE confrelid = $1 AND contype = 'f'")?;
    let elsewhere = count(
        // Parts of a key for partitions there are the table's own, too.
        "SELECT count(*) FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid AND c.relkind = 'p', pg_partition_tree(c.oid) t \
          WHERE k.conrelid = $1 AND k.contype = 'f' AND k.confrelid <> k.conrelid AND t.relid <> c.oid \
            AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)",
    )?;
    Ok(Crowd {
        partitions: usize::try_from(partitions).unwrap_or(usize::MAX),
        keys: usize::try_from(keys).unwrap_or(usize::MAX),
        elsewhere: usize::try_from(elsewhere).unwrap_or(usize::MAX),
    })
}

/// The triggers that a table's foreign keys have on the tables that they point at.
pub fn triggers_elsewhere(table: pg_sys::Oid) -> Result<Vec<Trigger>, Error> {
    let sql = format!(
        "{TRIGGERS} \
           FROM pg_constraint k \
           JOIN pg_trigger t ON t.tgconstraint = k.oid AND t.tgrelid = k.confrelid \
           JOIN pg_class c ON c.oid = t.tgrelid \
           JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE k.conrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND k.confrelid <> k.conrelid \
          ORDER BY k.oid, t.oid"
    );
    db::rows(&sql, &[table.into()], read_trigger)
}

/// A foreign key, or what it has for a partition of its table, or of the one that it points at.
pub struct Part {
    pub oid: pg_sys::Oid,
    pub name: String,
    /// The table that it belongs to.
    pub table: pg_sys::Oid,
    pub referenced: pg_sys::Oid,
}

/// Keys, with all that is part of them.
pub fn parts_of(keys: &[pg_sys::Oid]) -> Result<Vec<Part>, Error> {
    read_parts("k.oid = ANY ($1)", "", &[keys.to_vec().into()])
}

/// What the keys of a table have for partitions of the tables that they point at. But for what comes from a table that it is a
/// partition of.
pub fn parts_elsewhere(table: pg_sys::Oid) -> Result<Vec<Part>, Error> {
    read_parts(
        "k.conrelid = $1 AND k.conparentid = 0 AND k.confrelid <> k.conrelid",
        "WHERE p.confrelid <> p.target",
        &[table.into()],
    )
}

/// What a partition has for the keys of its table.
pub fn parts_for_partition(partition: pg_sys::Oid) -> Result<Vec<Part>, Error> {
    read_parts(
        "k.conrelid = $1 AND k.conparentid <> 0",
        "",
        &[partition.into()],
    )
}

/// The parts, as far as they are wanted, of those keys `k`, themselves included.
fn read_parts(keys: &str, wanted: &str, args: &[DatumWithOid]) -> Result<Vec<Part>, Error> {
    db::rows(
        &format!(
            "WITH RECURSIVE parts AS ( \
               SELECT k.oid, k.conname, k.conrelid, k.confrelid, k.confrelid AS target FROM pg_constraint k WHERE k.contype = 'f' AND {keys} \
                UNION ALL \
               SELECT k.oid, k.conname, k.conrelid, k.confrelid, p.target FROM parts p JOIN pg_constraint k ON k.conparentid = p.oid) \
             SELECT p.oid, p.conname::text, p.conrelid, p.confrelid FROM parts p {wanted} ORDER BY p.oid"
        ),
        args,
        |row| {
            Ok(Part {
                oid: row.get(1)?,
                name: row.get(2)?,
                table: row.get(3)?,
                referenced: row.get(4)?,
            })
        },
    )
}

/// What all constraints of a table are called.
pub fn names_of_constraints(table: pg_sys::Oid) -> Result<Vec<String>, Error> {
    db::rows(
        "SELECT conname::text FROM pg_constraint WHERE conrelid = $1",
        &[table.into()],
        |row| row.get(1),
    )
}

/// The triggers of these, wherever.
pub fn triggers_of(parts: &[Part]) -> Result<Vec<Trigger>, Error> {
    let parts: Vec<pg_sys::Oid> = parts.iter().map(|part| part.oid).collect();
    let sql = format!(
        "{TRIGGERS} \
           FROM pg_trigger t \
           JOIN pg_class c ON c.oid = t.tgrelid \
           JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE t.tgconstraint = ANY ($1) ORDER BY t.oid"
    );
    db::rows(&sql, &[parts.into()], read_trigger)
}

/// The partitions of a table, in the order in which they are locked, each with whether it has partitions itself; also
/// one that is being detached.
pub fn partitions_of(table: pg_sys::Oid) -> Result<Vec<(pg_sys::Oid, bool)>, Error> {
    db::rows(
        "SELECT c.oid, c.relkind = 'p' FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
          WHERE i.inhparent = $1 ORDER BY c.oid",
        &[table.into()],
        |row| Ok((row.get(1)?, row.get(2)?)),
    )
}

/// The beginning of a query for triggers `t` on tables `c` in schemas `n`, which [`read_trigger`] reads.
pub const TRIGGERS: &str = "SELECT t.oid, c.oid, n.nspname::text, c.relname::text, t.tgname::text ";

/// Reads a row of such a query.
pub fn read_trigger(row: &db::Row) -> Result<Trigger, Error> {
    Ok(Trigger {
        oid: row.get(1)?,
        table: row.get(2)?,
        relation: row.qualified_name(3)?,
        name: row.get(5)?,
    })
}

/// Whether somebody in a transaction that began a while ago has a lock on a table.
pub fn is_held_for_long(table: pg_sys::Oid) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                             WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted \
                               AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
                               AND a.pid <> pg_backend_pid() \
                               AND a.xact_start < clock_timestamp() - interval '500 milliseconds')",
            &[table.into()],
        )
    })
}
