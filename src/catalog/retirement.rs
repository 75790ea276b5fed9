//! `partman_rs.retirement`: partitions that are being detached by a statement that commits in its
//! middle, and what is to become of them.

use super::as_bookkeeper;
use super::policy::Action;
use super::recycled::Recycled;
use crate::db;
use crate::error::Error;
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;

/// What was decided about a partition before it was detached, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// What is to be known of the partition when it is none any more.
    pub was: Recycled,
    /// The condition that its bounds are, as PostgreSQL wrote it.
    pub condition: String,
    /// The CHECKs that it had.
    pub checks: Vec<String>,
    pub name: QualifiedName,
    pub action: Action,
    /// Where it goes; `None` where it stays in its schema.
    pub schema: Option<String>,
    /// What the policy said about old partitions.
    pub terms: String,
}

fn decode(row: &db::Row) -> Result<Retirement, Error> {
    let action: String = row.get(11)?;
    Ok(Retirement {
        was: Recycled {
            partition: row.get(1)?,
            parent: row.get(2)?,
            bounds: row.get(3)?,
            lower: row.find(4)?,
            upper: row.find(5)?,
            constraint: row.get(6)?,
        },
        condition: row.get(7)?,
        checks: row.get(8)?,
        name: row.qualified_name(9)?,
        action: Action::from_name(&action)
            .ok_or_else(|| Error::Internal(format!("unknown retention action {action}")))?,
        schema: row.find(12)?,
        terms: row.get(13)?,
    })
}

const COLUMNS: &str = "SELECT r.partition::oid, r.parent::oid, r.bounds, r.lower_bound, r.upper_bound, r.constraint_name::text, \
     r.condition, r.checks, r.schema_name::text, r.partition_name::text, r.action, r.target_schema, r.terms \
     FROM partman_rs.retirement r ";

/// Writes down what is to become of a partition, in place of what was said before.
pub fn note(retirement: &Retirement) -> Result<(), Error> {
    let was = &retirement.was;
    forget(was.partition)?;
    as_bookkeeper(|| {
        db::run(
            "INSERT INTO partman_rs.retirement (partition, parent, bounds, lower_bound, upper_bound, constraint_name, condition, checks, \
                                                schema_name, partition_name, action, target_schema, terms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            &[
                was.partition.into(),
                was.parent.into(),
                was.bounds.as_str().into(),
                was.lower.clone().into(),
                was.upper.clone().into(),
                was.constraint.as_str().into(),
                retirement.condition.as_str().into(),
                retirement.checks.clone().into(),
                retirement.name.schema.as_str().into(),
                retirement.name.name.as_str().into(),
                retirement.action.name().into(),
                retirement.schema.clone().into(),
                retirement.terms.as_str().into(),
            ],
        )
        .map(drop)
    })
}

/// What was begun with partitions of a table and has not ended, the oldest first.
pub fn of(parent: pg_sys::Oid) -> Result<Vec<Retirement>, Error> {
    let sql = format!("{COLUMNS} WHERE r.parent = $1 ORDER BY r.noted_at, r.partition");
    as_bookkeeper(|| db::kept_rows(&sql, &[parent.into()], decode))
}

/// What was begun with a partition and has not ended.
pub fn find(partition: pg_sys::Oid) -> Result<Option<Retirement>, Error> {
    let sql = format!("{COLUMNS} WHERE r.partition = $1");
    as_bookkeeper(|| db::row(&sql, &[partition.into()], decode))
}

/// Nothing is to become of it any more.
pub fn forget(partition: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "DELETE FROM partman_rs.retirement WHERE partition = $1",
            &[partition.into()],
        )
        .map(drop)
    })
}

/// A partition, or what was one, as the catalog has it.
pub struct Seen {
    /// The table that it is attached to, and whether it is half detached from it.
    pub parent: Option<(pg_sys::Oid, bool)>,
    pub name: QualifiedName,
    pub owner: pg_sys::Oid,
    pub is_pinned: bool,
}

/// Looks at it; `None` where it is gone.
pub fn look(partition: pg_sys::Oid) -> Result<Option<Seen>, Error> {
    as_bookkeeper(|| {
        db::row(
            "SELECT i.inhparent, i.inhdetachpending, n.nspname::text, c.relname::text, c.relowner, \
                    EXISTS (SELECT FROM partman_rs.pin p WHERE p.partition = c.oid) \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_inherits i ON i.inhrelid = c.oid \
              WHERE c.oid = $1",
            &[partition.into()],
            |row| {
                let parent: Option<pg_sys::Oid> = row.find(1)?;
                Ok(Seen {
                    parent: parent.zip(row.find(2)?),
                    name: row.qualified_name(3)?,
                    owner: row.get(5)?,
                    is_pinned: row.get(6)?,
                })
            },
        )
    })
}

/// The CHECK that `DETACH … CONCURRENTLY` gave to a partition in place of its bounds, which it did not
/// have before; `None` where another one of it says as much. The caller has it written as PostgreSQL
/// writes conditions.
pub fn added_check(retirement: &Retirement) -> Result<Option<String>, Error> {
    db::row(
        "SELECT k.conname::text FROM pg_constraint k \
          WHERE k.conrelid = $1 AND k.contype = 'c' AND k.conname::text <> ALL ($2) AND k.coninhcount = 0 \
            AND pg_get_expr(k.conbin, k.conrelid) = $3 \
          ORDER BY k.oid",
        &[
            retirement.was.partition.into(),
            retirement.checks.clone().into(),
            retirement.condition.as_str().into(),
        ],
        |row| row.get(1),
    )
}

/// Whether a partition can be detached first and the rest be done later: a plain or partitioned table of
/// that owner; and one that nothing depends on that would keep it from being dropped, where that is what
/// is to become of it.
pub fn can_be_split(
    partition: pg_sys::Oid,
    owner: pg_sys::Oid,
    action: Action,
    schema: Option<&str>,
) -> Result<bool, Error> {
    db::value(
        "SELECT c.relkind IN ('r', 'p') AND c.relowner = $2 \
            AND ($3 <> 'drop' OR NOT EXISTS ( \
                 SELECT FROM pg_depend d \
                  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT relid FROM pg_partition_tree(c.oid)) AND d.deptype = 'n' \
                    AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS ( \
                             SELECT FROM pg_constraint k WHERE k.oid = d.objid AND (k.conparentid <> 0 OR k.conrelid = d.refobjid))) \
                    AND NOT (d.classid = 'pg_class'::regclass AND EXISTS ( \
                             SELECT FROM pg_index x WHERE x.indexrelid = d.objid)))) \
            AND ($4 IS NULL OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = $4 AND has_schema_privilege($2, n.oid, 'CREATE') AND has_schema_privilege($2, n.oid, 'USAGE'))) \
           FROM pg_class c WHERE c.oid = $1",
        &[
            partition.into(),
            owner.into(),
            action.name().into(),
            schema.into(),
        ],
    )
}
