//! Foreign keys of other tables that point at a table, as they stand in the catalog.

use super::foreign_key::{TRIGGERS, Trigger, read_trigger};
use crate::db;
use crate::error::Error;
use crate::pg::settings;
use crate::plan::dependents::{Made, NAME_PREFIX};
use pgrx::pg_sys;

/// A key, by what tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    pub oid: pg_sys::Oid,
    /// The table that it belongs to.
    pub relation: pg_sys::Oid,
}

/// A key that has a successor, or had one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Superseded {
    pub old: Key,
    /// The one that acts in its stead; `None` where that was dropped.
    pub new: Option<pg_sys::Oid>,
}

/// The keys that were made for a twin, in the order in which they act.
pub fn made(twin: pg_sys::Oid) -> Result<Vec<Made>, Error> {
    settings::within(&settings::AS_WRITTEN, || {
        db::rows(
            "SELECT k.oid, k.conrelid, k.conname::text, \
                    regexp_replace(substr(d.text, strpos(d.text, t.name || '(') + length(t.name)), ' NOT VALID$', '') \
               FROM pg_constraint k \
               JOIN pg_class c ON c.oid = k.confrelid \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
              CROSS JOIN LATERAL (SELECT format(' REFERENCES %I.%I', n.nspname, c.relname)) AS t(name) \
              CROSS JOIN LATERAL (SELECT pg_get_constraintdef(k.oid)) AS d(text) \
              WHERE k.confrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND starts_with(k.conname, $2) \
              ORDER BY (SELECT min(t.tgname::text COLLATE \"C\") FROM pg_trigger t \
                         WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid), k.oid",
            &[twin.into(), NAME_PREFIX.into()],
            |row| {
                Ok(Made {
                    oid: row.get::<pg_sys::Oid>(1)?.to_u32(),
                    relation: row.get::<pg_sys::Oid>(2)?.to_u32(),
                    name: row.get(3)?,
                    rest: row.get(4)?,
                })
            },
        )
    })
}

/// The key of that name that a table has, if it points at the twin.
pub fn find(
    relation: pg_sys::Oid,
    name: &str,
    twin: pg_sys::Oid,
) -> Result<Option<pg_sys::Oid>, Error> {
    db::row(
        "SELECT k.oid FROM pg_constraint k \
          WHERE k.conrelid = $1 AND k.conname = $2 AND k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = $3",
        &[relation.into(), name.into(), twin.into()],
        |row| row.get(1),
    )
}

/// Whether a table has that key.
pub fn is_there(key: Key) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_constraint k WHERE k.oid = $1 AND k.conrelid = $2)",
        &[key.oid.into(), key.relation.into()],
    )
}

const OF_KEYS: &str = "FROM pg_constraint k \
       JOIN pg_trigger t ON t.tgconstraint = k.oid \
       JOIN pg_class c ON c.oid = t.tgrelid \
       JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE k.confrelid = $1 AND k.conrelid <> $1 AND k.contype = 'f' AND k.conparentid = 0 ";

/// All triggers of the keys that point at a table: on it, and on the tables that they belong to.
pub fn triggers(table: pg_sys::Oid) -> Result<Vec<Trigger>, Error> {
    let sql = format!("{TRIGGERS} {OF_KEYS} ORDER BY k.oid, t.oid");
    db::rows(&sql, &[table.into()], read_trigger)
}

/// Of the keys that were made for a twin, the triggers on the tables that they belong to.
pub fn checks(twin: pg_sys::Oid) -> Result<Vec<Trigger>, Error> {
    let sql = format!(
        "{TRIGGERS} {OF_KEYS} AND starts_with(k.conname, $2) AND t.tgrelid = k.conrelid ORDER BY k.oid, t.oid"
    );
    db::rows(&sql, &[twin.into(), NAME_PREFIX.into()], read_trigger)
}

/// Those keys among them whose triggers there are not disabled, as they ought to be until the swap.
pub fn awake(twin: pg_sys::Oid) -> Result<Vec<Key>, Error> {
    db::rows(
        "SELECT k.oid, k.conrelid FROM pg_constraint k \
          WHERE k.confrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND starts_with(k.conname, $2) \
            AND EXISTS (SELECT FROM pg_trigger t \
                         WHERE t.tgconstraint = k.oid AND t.tgrelid = k.conrelid AND t.tgenabled <> 'D') \
          ORDER BY k.oid",
        &[twin.into(), NAME_PREFIX.into()],
        |row| {
            Ok(Key {
                oid: row.get(1)?,
                relation: row.get(2)?,
            })
        },
    )
}

/// The triggers of one key on the table that it belongs to.
pub fn checks_of(key: Key) -> Result<Vec<Trigger>, Error> {
    let sql = format!(
        "{TRIGGERS} \
           FROM pg_trigger t \
           JOIN pg_class c ON c.oid = t.tgrelid \
           JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE t.tgconstraint = $1 AND t.tgrelid = $2 ORDER BY t.oid"
    );
    db::rows(&sql, &[key.oid.into(), key.relation.into()], read_trigger)
}

/// The keys that point at a retired table: those that the twin's have superseded, and those at rest whose
/// successor somebody has dropped since.
pub fn superseded(retired: pg_sys::Oid, twin: pg_sys::Oid) -> Result<Vec<Superseded>, Error> {
    db::rows(
        "SELECT k.oid, k.conrelid, s.oid FROM pg_constraint k \
           LEFT JOIN pg_constraint s ON s.conrelid = k.conrelid AND s.confrelid = $2 AND s.contype = 'f' \
                                    AND s.conparentid = 0 AND s.conname = $3 || k.oid::text \
          WHERE k.confrelid = $1 AND k.conrelid <> $1 AND k.contype = 'f' AND k.conparentid = 0 \
            AND (s.oid IS NOT NULL \
                 OR (SELECT bool_and(t.tgenabled = 'D') FROM pg_trigger t WHERE t.tgconstraint = k.oid)) \
          ORDER BY k.oid",
        &[retired.into(), twin.into(), NAME_PREFIX.into()],
        |row| {
            Ok(Superseded {
                old: Key {
                    oid: row.get(1)?,
                    relation: row.get(2)?,
                },
                new: row.find(3)?,
            })
        },
    )
}

/// What a key is called, and its comment; `None` where it is gone.
pub fn name_and_comment(key: pg_sys::Oid) -> Result<Option<(String, Option<String>)>, Error> {
    db::row(
        "SELECT k.conname::text, obj_description(k.oid, 'pg_constraint') FROM pg_constraint k WHERE k.oid = $1",
        &[key.into()],
        |row| Ok((row.get(1)?, row.find(2)?)),
    )
}

/// Of these keys, those that are still not valid.
pub fn not_valid(keys: &[pg_sys::Oid]) -> Result<Vec<(Key, String)>, Error> {
    db::rows(
        "SELECT k.oid, k.conrelid, k.conname::text FROM pg_constraint k \
          WHERE k.oid = ANY ($1) AND k.contype = 'f' AND NOT k.convalidated ORDER BY k.oid",
        &[keys.to_vec().into()],
        |row| {
            let key = Key {
                oid: row.get(1)?,
                relation: row.get(2)?,
            };
            Ok((key, row.get(3)?))
        },
    )
}
