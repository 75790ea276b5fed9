//! The table that guards a key: what it consists of.

use super::table;
use crate::db;
use crate::error::Error;
use crate::pg::settings;
use crate::plan::guard::TRIGGER;
use crate::plan::guarded::{Column, Guarded};
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

/// What its foreign key has for a partition: parts of it, as long as that is attached.
pub fn parts_for(guarded: &Guarded, partition: pg_sys::Oid) -> Result<Vec<pg_sys::Oid>, Error> {
    db::rows(
        "SELECT k.oid FROM pg_constraint k \
          WHERE k.conrelid = $1 AND k.confrelid = $2 AND k.contype = 'f' AND k.conparentid <> 0",
        &[pg_sys::Oid::from(guarded.oid).into(), partition.into()],
        |row| row.get(1),
    )
}
