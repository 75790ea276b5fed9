//! `partman_rs.recycled`: partitions that were retired, and can be had back.

use super::as_bookkeeper;
use crate::clock::MOMENT;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// A table that was a partition, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recycled {
    pub partition: pg_sys::Oid,
    pub parent: pg_sys::Oid,
    /// As PostgreSQL wrote them: `FOR VALUES …`.
    pub bounds: String,
    /// As a literal of the key's type; `None` where it had no lower bound.
    pub lower: Option<String>,
    pub upper: Option<String>,
    /// The CHECK that keeps rows within the bounds, and is the sign that the table still lies in the
    /// bin: who drops it has taken the table over.
    pub constraint: String,
}

fn decode(row: &db::Row) -> Result<Recycled, Error> {
    Ok(Recycled {
        partition: row.get(1)?,
        parent: row.get(2)?,
        bounds: row.get(3)?,
        lower: row.find(4)?,
        upper: row.find(5)?,
        constraint: row.get(6)?,
    })
}

const COLUMNS: &str = "SELECT r.partition::oid, r.parent::oid, r.bounds, r.lower_bound, r.upper_bound, r.constraint_name::text \
     FROM partman_rs.recycled r ";

/// Puts a table into the bin. What was there of an earlier time is replaced.
pub fn note(recycled: &Recycled) -> Result<(), Error> {
    as_bookkeeper(|| {
        let sql = format!(
            "INSERT INTO partman_rs.recycled (partition, parent, bounds, lower_bound, upper_bound, constraint_name, recycled_at) \
             VALUES ($1, $2, $3, $4, $5, $6, {MOMENT}) \
             ON CONFLICT (partition) DO UPDATE \
                SET (parent, bounds, lower_bound, upper_bound, constraint_name, recycled_at) \
                  = (excluded.parent, excluded.bounds, excluded.lower_bound, excluded.upper_bound, \
                     excluded.constraint_name, excluded.recycled_at)"
        );
        db::run(
            &sql,
            &[
                recycled.partition.into(),
                recycled.parent.into(),
                recycled.bounds.as_str().into(),
                recycled.lower.clone().into(),
                recycled.upper.clone().into(),
                recycled.constraint.as_str().into(),
            ],
        )
        .map(drop)
    })
}

/// What the bin knows of a table.
pub fn find(partition: pg_sys::Oid) -> Result<Option<Recycled>, Error> {
    let sql = format!("{COLUMNS} WHERE r.partition = $1");
    as_bookkeeper(|| db::row(&sql, &[partition.into()], decode))
}

/// The tables of the bin whose grace period has passed, those first that lie there longest. What
/// somebody has attached again, or dropped, is none of them.
pub fn due(parent: pg_sys::Oid, grace_period: &str) -> Result<Vec<Recycled>, Error> {
    let sql = format!(
        "{COLUMNS} JOIN pg_class c ON c.oid = r.partition AND NOT c.relispartition \
          WHERE r.parent = $1 AND r.recycled_at + $2::text::interval <= {MOMENT} \
          ORDER BY r.recycled_at, c.oid"
    );
    as_bookkeeper(|| db::rows(&sql, &[parent.into(), grace_period.into()], decode))
}

/// Whether a table lies in the bin, by itself or as a part of what lies there.
pub fn holds(relation: pg_sys::Oid) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::kept_value(
            "SELECT EXISTS (SELECT FROM partman_rs.recycled r JOIN pg_class c ON c.oid = r.partition AND NOT c.relispartition \
                             WHERE r.partition IN (SELECT a.relid FROM pg_partition_ancestors($1) a))",
            &[relation.into()],
        )
    })
}

/// Whether the table is still what was put there, and nobody has taken it over: it has its CHECK and
/// its owner, and belongs to no other table.
pub fn is_untouched(recycled: &Recycled, owner: pg_sys::Oid) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' \
                         WHERE c.oid = $1 AND c.relowner = $2 AND k.conname = $3::name \
                           AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid))",
        &[
            recycled.partition.into(),
            owner.into(),
            recycled.constraint.as_str().into(),
        ],
    )
}

/// Takes a table out of the bin.
pub fn forget(partition: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "DELETE FROM partman_rs.recycled WHERE partition = $1",
            &[partition.into()],
        )
        .map(drop)
    })
}
