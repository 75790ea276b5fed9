//! The table that guards a key: what it consists of.

use super::{as_bookkeeper, table};
use crate::db;
use crate::error::Error;
use crate::pg::settings;
use crate::plan::guard::TRIGGER;
use crate::plan::guarded::{Column, Guarded};
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;

/// What a guard is made of, as far as it is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// Its foreign key to the guarded table.
    pub key: Option<pg_sys::Oid>,
    /// Whether both triggers fire, of one function.
    pub has_triggers: bool,
    /// Whether it has a primary key that is valid.
    pub has_primary_key: bool,
}

impl Parts {
    /// Whether its rows go, and move, with those that they are keys of.
    pub fn is_linked(self) -> bool {
        self.key.is_some()
    }

    /// Whether nothing is missing.
    pub fn are_whole(self) -> bool {
        self.is_linked() && self.has_triggers && self.has_primary_key
    }
}

/// What there is of a guard of that table.
pub fn parts(guard: pg_sys::Oid, table: pg_sys::Oid, key: &str) -> Result<Parts, Error> {
    let found = db::row(
        "SELECT (SELECT k.oid FROM pg_constraint k \
                  WHERE k.conrelid = $1 AND k.confrelid = $2 AND k.contype = 'f' AND k.conparentid = 0 \
                    AND k.conname = $3 AND k.confupdtype = 'c' AND k.confdeltype = 'c'), \
                (SELECT count(*) = 2 AND count(DISTINCT t.tgfoid) = 1 FROM pg_trigger t \
                  WHERE t.tgrelid IN ($1, $2) AND t.tgname = $4 AND t.tgenabled = 'O' AND NOT t.tgisinternal), \
                EXISTS (SELECT FROM pg_index i \
                         WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND i.indimmediate)",
        &[guard.into(), table.into(), key.into(), TRIGGER.into()],
        |row| {
            Ok(Parts {
                key: row.find(1)?,
                has_triggers: row.get(2)?,
                has_primary_key: row.get(3)?,
            })
        },
    )?;
    found.ok_or_else(|| Error::Internal("no row about a guard".to_owned()))
}

/// The index of its primary key.
pub fn primary_key(guard: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    db::row(
        "SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = $1 AND i.indisprimary",
        &[guard.into()],
        |row| row.get(1),
    )
}

/// The body of the function that its own trigger calls.
pub fn body(guard: pg_sys::Oid) -> Result<Option<String>, Error> {
    db::row(
        "SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
          WHERE t.tgrelid = $1 AND t.tgname = $2 AND NOT t.tgisinternal",
        &[guard.into(), TRIGGER.into()],
        |row| row.get(1),
    )
}

/// The functions that its triggers call, as they are written in SQL.
pub fn functions(guard: pg_sys::Oid) -> Result<Vec<String>, Error> {
    settings::within(&settings::AS_WRITTEN, || {
        db::kept_rows(
            "SELECT DISTINCT t.tgfoid::regprocedure::text FROM pg_trigger t \
              WHERE t.tgrelid = $1 AND t.tgname = $2 AND NOT t.tgisinternal",
            &[guard.into(), TRIGGER.into()],
            |row| row.get(1),
        )
    })
}

/// The guard of a partitioned table, if it has one: of the same owner, whose trigger notes keys. What somebody else has made to
/// look like one is a table as any other.
pub fn of(relation: pg_sys::Oid) -> Result<Option<Guarded>, Error> {
    let found = db::row(
        "SELECT c.oid, n.nspname::text, c.relname::text, k.oid, \
                NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = k.conrelid AND t.tgenabled <> 'D'), \
                p.partattrs[0], k.confkey, \
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place) \
                        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place), \
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, place) \
                        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place) \
           FROM pg_constraint k \
           JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
           JOIN pg_class o ON o.oid = k.confrelid AND o.relowner = c.relowner \
           JOIN pg_partitioned_table p ON p.partrelid = o.oid AND p.partnatts = 1 \
          WHERE k.confrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND c.relkind = 'r' \
            AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = k.conrelid AND t.tgname = $2) \
          ORDER BY c.oid LIMIT 1",
        &[relation.into(), TRIGGER.into()],
        |row| {
            let oid: pg_sys::Oid = row.get(1)?;
            let (key, partition_column): (pg_sys::Oid, i16) = (row.get(4)?, row.get(6)?);
            let (name, is_at_rest) = (row.qualified_name(2)?, row.get(5)?);
            let referenced: Vec<i16> = row.get(7)?;
            let (there, here): (Vec<String>, Vec<String>) = (row.get(8)?, row.get(9)?);
            let mut columns: Vec<Column> = (there.into_iter().zip(here))
                .map(|(guard, table)| Column { guard, table })
                .collect();
            let at = referenced
                .iter()
                .position(|attnum| *attnum == partition_column);
            Ok(at.filter(|at| *at < columns.len()).map(|at| Guarded {
                oid: oid.to_u32(),
                name,
                key: key.to_u32(),
                at: columns.remove(at),
                columns,
                has_index: false,
                is_at_rest,
            }))
        },
    )?;
    let Some(guarded) = found.flatten() else {
        return Ok(None);
    };
    let has_index = table::has_index_on(pg_sys::Oid::from(guarded.oid), &guarded.at.guard)?;
    Ok(Some(Guarded {
        has_index,
        ..guarded
    }))
}

/// The columns of a guard: those of the key, then the partition column.
pub fn columns(guard: pg_sys::Oid) -> Result<Vec<String>, Error> {
    db::rows(
        "SELECT a.attname::text FROM pg_attribute a \
          WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        &[guard.into()],
        |row| row.get(1),
    )
}

/// What guards, or is to guard, a partitioned table, if there is such a one: by its foreign key, by the function that the triggers of both call,
/// or as a conversion remembers it, since each of these may be missing.
pub fn find(table: pg_sys::Oid) -> Result<Option<(pg_sys::Oid, QualifiedName)>, Error> {
    as_bookkeeper(|| {
        db::kept_row(
            "SELECT g.oid, n.nspname::text, g.relname::text FROM pg_class g JOIN pg_namespace n ON n.oid = g.relnamespace JOIN ( \
               SELECT k.conrelid, 1 FROM pg_constraint k \
                WHERE k.confrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 \
                  AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = k.conrelid AND t.tgname = $2 AND t.tgparentid = 0) \
                UNION ALL \
               SELECT o.tgrelid, 2 FROM pg_trigger t JOIN pg_trigger o ON o.tgfoid = t.tgfoid AND o.tgname = $2 AND o.tgparentid = 0 \
                WHERE t.tgrelid = $1 AND t.tgname = $2 AND o.tgrelid <> $1 \
                UNION ALL \
               SELECT j.guard, 3 FROM partman_rs.job j WHERE j.twin = $1 AND j.phase IN ('reversible', 'finished') \
             ) AS one (relation, rank) ON one.relation = g.oid \
              WHERE g.relkind = 'r' AND NOT g.relispartition \
              ORDER BY one.rank, g.oid LIMIT 1",
            &[table.into(), TRIGGER.into()],
            |row| Ok((row.get(1)?, row.qualified_name(2)?)),
        )
    })
}

/// Something by which a guard is kept exact, and that is missing.
pub struct Fault {
    pub kind: &'static str,
    pub reason: String,
    /// Whether it is only that its foreign key is not valid, as it is right after the swap.
    pub is_not_valid: bool,
}

/// What of a table and its guard does not act as it was made: read off the catalog.
pub fn faults(guard: pg_sys::Oid, table: pg_sys::Oid) -> Result<Vec<Fault>, Error> {
    // Of the foreign key the checks rest (see `convert/guard.rs`); what follows the rows is on the table and its partitions.
    let found = db::rows(
        "WITH RECURSIVE tree (oid) AS ( \
           SELECT $2::oid UNION ALL SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending), \
         key AS ( \
           SELECT k.oid, k.conname, k.convalidated FROM pg_constraint k \
            WHERE k.conrelid = $1 AND k.confrelid = $2 AND k.contype = 'f' AND k.conparentid = 0 \
              AND k.confupdtype = 'c' AND k.confdeltype = 'c' ORDER BY k.oid LIMIT 1), \
         part AS ( \
           SELECT k.oid FROM key k UNION ALL SELECT p.oid FROM part JOIN pg_constraint p ON p.conparentid = part.oid), \
         found (place, fault, of) AS ( \
         SELECT 1, 'trigger missing', t.oid::regclass::text FROM tree t \
          WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND g.tgname = $3) \
            AND (t.oid = $2 OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = $2 AND g.tgname = $3)) \
          UNION ALL \
         SELECT 2, 'trigger disabled', t.oid::regclass::text FROM tree t JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgname = $3 WHERE g.tgenabled NOT IN ('O', 'A') \
          UNION ALL \
         SELECT 3, 'own trigger missing', $1::regclass::text WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = $1 AND g.tgname = $3 AND g.tgenabled IN ('O', 'A')) \
          UNION ALL \
         SELECT 4, 'foreign key missing', $1::regclass::text WHERE NOT EXISTS (SELECT FROM key) \
          UNION ALL \
         SELECT 5, 'foreign key not valid', k.conname::text FROM key k WHERE NOT k.convalidated \
          UNION ALL \
         SELECT DISTINCT 6, 'foreign key disabled', g.tgrelid::regclass::text FROM part JOIN pg_trigger g ON g.tgconstraint = part.oid \
          WHERE g.tgrelid <> $1 AND g.tgenabled NOT IN ('O', 'A') \
          UNION ALL \
         SELECT 7, 'primary key missing', $1::regclass::text WHERE NOT EXISTS ( \
           SELECT FROM pg_index i WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND i.indimmediate)) \
         SELECT f.fault, min(f.of COLLATE \"C\") || CASE WHEN count(*) > 1 THEN format(' and %s more', count(*) - 1) ELSE '' END \
           FROM found f GROUP BY f.place, f.fault ORDER BY f.place",
        &[guard.into(), table.into(), TRIGGER.into()],
        |row| Ok((row.get::<String>(1)?, row.get::<String>(2)?)),
    )?;
    let faults = found.into_iter().map(|(fault, of)| {
        let (kind, reason) = match fault.as_str() {
            "trigger missing" => (
                "trigger",
                format!("trigger \"{TRIGGER}\" is missing on table {of}: keys of new rows are not noted"),
            ),
            "trigger disabled" => (
                "trigger",
                format!("trigger \"{TRIGGER}\" is disabled on table {of}: keys of new rows are not noted"),
            ),
            "own trigger missing" => (
                "trigger",
                format!("trigger \"{TRIGGER}\" is missing or disabled on guard {of}: one UPDATE can change the key of a row and move it"),
            ),
            "foreign key missing" => (
                "foreign key",
                format!("the foreign key of guard {of} to the table is missing: keys stay when their rows go"),
            ),
            "foreign key not valid" => (
                "foreign key",
                format!("foreign key \"{of}\" of the guard is NOT VALID"),
            ),
            "foreign key disabled" => (
                "foreign key",
                format!("triggers of the guard's foreign key are disabled on table {of}: keys stay when their rows go"),
            ),
            "primary key missing" => (
                "primary key",
                format!("guard {of} has no valid primary key: nothing keeps keys unique"),
            ),
            other => return Err(Error::Internal(format!("unknown fault of a guard: {other}"))),
        };
        Ok(Fault {
            kind,
            reason,
            is_not_valid: fault == "foreign key not valid",
        })
    });
    faults.collect()
}
