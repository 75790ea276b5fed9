//! `partman_rs.policy`: how partitioned tables are to be kept.

use super::as_bookkeeper;
use super::table::TO_ACT_AS;
use crate::clock::MOMENT;
use crate::db;
use crate::error::Error;
use crate::pg::{lock, relation};
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;

/// A policy, as its row has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub parent: pg_sys::Oid,
    /// As `set_partition_policy` takes it; for ranges.
    pub partition_interval: Option<String>,
    pub premake: i32,
    /// How long keys are kept: an interval, or a number of integers.
    pub retention: Option<String>,
    pub retention_partitions: Option<i32>,
    pub retention_bytes: Option<i64>,
    pub retention_action: Action,
    /// By whose clock bounds begin, and it is today; for keys that are times.
    pub time_zone: Option<String>,
    /// How far bounds are moved from where the interval puts them.
    pub partition_offset: Option<String>,
    /// Where retired partitions go; by name, as `regnamespace` does not survive pg_upgrade.
    pub retention_schema: Option<String>,
    /// How long a recycled partition is kept, as an interval.
    pub grace_period: Option<String>,
    /// Whether partitions that have drifted from the table are mended, or only told of.
    pub repair: bool,
    /// How ids carry a time.
    pub key_codec: Option<String>,
    /// Times of day between which the worker does nothing: both, or none.
    pub quiet_from: Option<String>,
    pub quiet_until: Option<String>,
    /// Between two runs of the worker, in place of the setting's.
    pub maintenance_interval: Option<String>,
    /// Whether there is to be a default partition; `None` where either will do.
    pub default_partition: Option<bool>,
    /// Whether values that lie in the default partition get partitions of their own; for lists.
    pub new_values: bool,
}

impl Policy {
    /// The interval of a table that is partitioned by ranges.
    pub fn interval(&self) -> Result<&str, Error> {
        let interval = self.partition_interval.as_deref();
        interval.ok_or_else(|| Error::Internal("a policy has no partition interval".to_owned()))
    }
}

impl Policy {
    /// What it says about old partitions, in a line: told apart from what it says later.
    pub fn retention_terms(&self) -> String {
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        [
            Some(self.retention_action.name().to_owned()),
            self.retention.clone(),
            number(self.retention_partitions.map(i64::from)),
            number(self.retention_bytes),
            self.retention_schema.clone(),
            self.grace_period.clone(),
        ]
        .map(|term| term.unwrap_or_else(|| "-".to_owned()))
        .join("; ")
    }
}

/// What becomes of a partition that is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Drop,
    Detach,
    /// Detached, and put into another schema.
    Move,
    /// Detached, and dropped when its grace period has passed.
    Recycle,
}

impl Action {
    pub const ALL: [Action; 4] = [Action::Drop, Action::Detach, Action::Move, Action::Recycle];

    /// The word for it in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Drop => "drop",
            Action::Detach => "detach",
            Action::Move => "move",
            Action::Recycle => "recycle",
        }
    }

    /// What a partition is then said to be.
    pub const fn done(self) -> &'static str {
        match self {
            Action::Drop => "dropped",
            Action::Detach => "detached",
            Action::Move => "moved",
            Action::Recycle => "recycled",
        }
    }

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }
}

fn decode(row: &db::Row) -> Result<Policy, Error> {
    let action: String = row.get(7)?;
    Ok(Policy {
        parent: row.get(1)?,
        partition_interval: row.find(2)?,
        premake: row.get(3)?,
        retention: row.find(4)?,
        retention_partitions: row.find(5)?,
        retention_bytes: row.find(6)?,
        retention_action: Action::from_name(&action)
            .ok_or_else(|| Error::Internal(format!("unknown retention action {action}")))?,
        time_zone: row.find(8)?,
        partition_offset: row.find(9)?,
        retention_schema: row.find(10)?,
        grace_period: row.find(11)?,
        repair: row.get(12)?,
        key_codec: row.find(13)?,
        quiet_from: row.find(14)?,
        quiet_until: row.find(15)?,
        maintenance_interval: row.find(16)?,
        default_partition: row.find(17)?,
        new_values: row.get(18)?,
    })
}

const COLUMNS: &str = "SELECT p.parent::oid, p.partition_interval, p.premake, p.retention, p.retention_partitions, \
     p.retention_bytes, p.retention_action, p.time_zone, p.partition_offset, p.retention_schema, p.grace_period, p.repair, p.key_codec, \
     p.quiet_from::text, p.quiet_until::text, p.maintenance_interval, p.default_partition, p.new_values FROM partman_rs.policy p ";

/// The policy of a table, if it has one.
pub fn find(parent: pg_sys::Oid) -> Result<Option<Policy>, Error> {
    let sql = format!("{COLUMNS} WHERE p.parent = $1");
    as_bookkeeper(|| db::kept_row(&sql, &[parent.into()], decode))
}

/// The lock on the maintenance of a table: two at once would only be in each other's way.
pub fn lock(parent: pg_sys::Oid) -> Result<lock::Object, Error> {
    Ok(lock::Object {
        class: policy_table()?,
        number: parent.to_u32(),
        part: 0,
    })
}

/// The lock of the worker that builds what indexes partitions of a table lack.
pub fn building_lock(parent: pg_sys::Oid) -> Result<lock::Object, Error> {
    Ok(lock::Object {
        part: 1,
        ..lock(parent)?
    })
}

/// The lock of the worker that maintains this database: tables that foreign keys link are never
/// taken in hand by two at once.
pub fn worker_lock() -> Result<lock::Object, Error> {
    lock(pg_sys::InvalidOid)
}

fn policy_table() -> Result<pg_sys::Oid, Error> {
    relation::find(c"partman_rs", c"policy")
        .ok_or_else(|| Error::Internal("extension pg_partman_rs is not installed here".to_owned()))
}

/// A table with a policy, and how its maintenance went.
pub struct Standing {
    pub parent: pg_sys::Oid,
    pub seconds_since: Option<f64>,
    pub failures: u32,
    pub last_error: Option<String>,
    /// Seconds between two runs, where the policy has its own.
    pub own_interval: Option<f64>,
}

/// All tables with a policy, those first whose turn was the longest ago.
pub fn standings() -> Result<Vec<Standing>, Error> {
    as_bookkeeper(|| {
        let sql = format!(
            "SELECT p.parent::oid, extract(epoch FROM {MOMENT} - m.last_run_at)::float8, coalesce(m.failures, 0), m.last_error, \
                    extract(epoch FROM p.maintenance_interval::interval)::float8 \
               FROM partman_rs.policy p LEFT JOIN partman_rs.maintenance m ON m.parent = p.parent \
              ORDER BY m.last_run_at NULLS FIRST, p.parent"
        );
        db::rows(&sql, &[], |row| {
            Ok(Standing {
                parent: row.get(1)?,
                seconds_since: row.find(2)?,
                failures: u32::try_from(row.get::<i32>(3)?).unwrap_or(0),
                last_error: row.find(4)?,
                own_interval: row.find(5)?,
            })
        })
    })
}

/// All policies of tables that are there, whose owners `role` may act as, by OID.
pub fn of_role(role: pg_sys::Oid) -> Result<Vec<Policy>, Error> {
    let sql = format!(
        "{COLUMNS} JOIN pg_class c ON c.oid = p.parent \
          WHERE pg_has_role($1, c.relowner, {TO_ACT_AS}) \
          ORDER BY {DEPTH}, c.oid"
    );
    as_bookkeeper(|| db::rows(&sql, &[role.into()], decode))
}

/// So deep a table lies: parents come before their partitions, as their locks do.
const DEPTH: &str = "(SELECT count(*) FROM pg_partition_ancestors(c.oid))";

/// The policies of partitions of a table, at whatever level, whose owners `role` may act as; parents before
/// their partitions.
pub fn below(parent: pg_sys::Oid, role: pg_sys::Oid) -> Result<Vec<Policy>, Error> {
    let sql = format!(
        "{COLUMNS} JOIN pg_class c ON c.oid = p.parent AND c.relispartition \
          WHERE pg_has_role($2, c.relowner, {TO_ACT_AS}) AND c.oid <> $1 \
            AND $1 IN (SELECT a.relid FROM pg_partition_ancestors(c.oid) a) \
          ORDER BY {DEPTH}, c.oid"
    );
    as_bookkeeper(|| db::rows(&sql, &[parent.into(), role.into()], decode))
}

/// A table, and those below it that are partitioned and have no policy of their own: parents first, each with
/// whether it has the same owner as the first.
pub fn kept_with(parent: pg_sys::Oid) -> Result<Vec<(pg_sys::Oid, bool)>, Error> {
    as_bookkeeper(|| {
        db::kept_rows(
            "WITH RECURSIVE tree (oid, relowner, level) AS ( \
               SELECT c.oid, c.relowner, 0 FROM pg_class c WHERE c.oid = $1 \
                UNION ALL \
               SELECT c.oid, c.relowner, t.level + 1 FROM tree t \
                 JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending \
                 JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind = 'p' \
                WHERE NOT EXISTS (SELECT FROM partman_rs.policy p WHERE p.parent = c.oid)) \
             SELECT t.oid, t.relowner = (SELECT f.relowner FROM tree f WHERE f.level = 0) FROM tree t ORDER BY t.level, t.oid",
            &[parent.into()],
            |row| Ok((row.get(1)?, row.get(2)?)),
        )
    })
}

/// The partitions of a table that are partitioned by ranges and have no policy, where a sibling has one.
pub fn unkept(parent: pg_sys::Oid) -> Result<Vec<QualifiedName>, Error> {
    as_bookkeeper(|| {
        db::kept_rows(
            "SELECT n.nspname::text, c.relname::text FROM pg_inherits i \
               JOIN pg_partitioned_table t ON t.partrelid = i.inhrelid AND t.partstrat = 'r' \
               JOIN pg_class c ON c.oid = t.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
              WHERE i.inhparent = $1 AND NOT i.inhdetachpending \
                AND NOT EXISTS (SELECT FROM partman_rs.policy p WHERE p.parent = c.oid) \
                AND EXISTS (SELECT FROM partman_rs.policy p JOIN pg_inherits o ON o.inhrelid = p.parent WHERE o.inhparent = $1) \
              ORDER BY n.nspname, c.relname COLLATE \"C\"",
            &[parent.into()],
            |row| row.qualified_name(1),
        )
    })
}

/// The seconds of the day at which quiet hours begin and end, and those of this moment, by the clock of
/// the policy's zone; `None` where there are no quiet hours. For integers it is UTC.
pub fn quiet_hours(policy: &Policy) -> Result<Option<(f64, f64, f64)>, Error> {
    let sql = format!(
        "SELECT extract(epoch FROM $1::text::time)::float8, extract(epoch FROM $2::text::time)::float8, \
                extract(epoch FROM ({MOMENT} AT TIME ZONE coalesce($3::text, 'UTC'))::time)::float8"
    );
    let (Some(from), Some(until)) = (&policy.quiet_from, &policy.quiet_until) else {
        return Ok(None);
    };
    db::row(
        &sql,
        &[
            from.as_str().into(),
            until.as_str().into(),
            policy.time_zone.clone().into(),
        ],
        |row| Ok((row.get(1)?, row.get(2)?, row.get(3)?)),
    )
}

/// Writes a policy, in place of the one that there was.
pub fn set(policy: &Policy) -> Result<(), Error> {
    insert(
        policy,
        "DO UPDATE \
            SET (partition_interval, premake, retention, retention_partitions, retention_bytes, retention_action, time_zone, \
                 partition_offset, retention_schema, grace_period, repair, key_codec, quiet_from, quiet_until, maintenance_interval, default_partition, new_values) \
              = (excluded.partition_interval, excluded.premake, excluded.retention, excluded.retention_partitions, \
                 excluded.retention_bytes, excluded.retention_action, excluded.time_zone, \
                 excluded.partition_offset, excluded.retention_schema, excluded.grace_period, excluded.repair, excluded.key_codec, \
                 excluded.quiet_from, excluded.quiet_until, excluded.maintenance_interval, excluded.default_partition, excluded.new_values)",
    )
}

/// Writes a policy, unless there is one.
pub fn set_if_none(policy: &Policy) -> Result<(), Error> {
    insert(policy, "DO NOTHING")
}

fn insert(policy: &Policy, on_conflict: &'static str) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO partman_rs.policy (parent, partition_interval, premake, retention, retention_partitions, \
                                        retention_bytes, retention_action, time_zone, \
                                        partition_offset, retention_schema, grace_period, repair, key_codec, \
                                        quiet_from, quiet_until, maintenance_interval, default_partition, new_values) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::time, $15::time, $16, $17, $18) ON CONFLICT (parent) {on_conflict}"
    );
    as_bookkeeper(|| {
        db::run(
            &sql,
            &[
                policy.parent.into(),
                policy.partition_interval.clone().into(),
                policy.premake.into(),
                policy.retention.clone().into(),
                policy.retention_partitions.into(),
                policy.retention_bytes.into(),
                policy.retention_action.name().into(),
                policy.time_zone.clone().into(),
                policy.partition_offset.clone().into(),
                policy.retention_schema.clone().into(),
                policy.grace_period.clone().into(),
                policy.repair.into(),
                policy.key_codec.clone().into(),
                policy.quiet_from.clone().into(),
                policy.quiet_until.clone().into(),
                policy.maintenance_interval.clone().into(),
                policy.default_partition.into(),
                policy.new_values.into(),
            ],
        )
        .map(drop)
    })
}

/// Forgets a policy; `false` where there was none.
pub fn remove(parent: pg_sys::Oid) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::run(
            "DELETE FROM partman_rs.policy WHERE parent = $1",
            &[parent.into()],
        )
        .map(|rows| rows > 0)
    })
}

/// The partitions of a table that must be kept: those that are pinned, or have a pinned one below them;
/// these as often as there is one.
pub fn pinned(parent: pg_sys::Oid) -> Result<Vec<pg_sys::Oid>, Error> {
    as_bookkeeper(|| {
        db::kept_rows(
            // By index for each pin, of which there are few: LATERAL and OFFSET keep PostgreSQL from reading all of pg_inherits.
            // With UNION, or DISTINCT, it would fill megabytes with nothing before it begins.
            "WITH RECURSIVE up (child, parent) AS ( \
               SELECT i.inhrelid, i.inhparent FROM partman_rs.pin p \
                CROSS JOIN LATERAL (SELECT i.inhrelid, i.inhparent FROM pg_inherits i WHERE i.inhrelid = p.partition OFFSET 0) i \
                UNION ALL \
               SELECT i.inhrelid, i.inhparent FROM up u \
                CROSS JOIN LATERAL (SELECT i.inhrelid, i.inhparent FROM pg_inherits i WHERE i.inhrelid = u.parent OFFSET 0) i) \
             SELECT u.child FROM up u WHERE u.parent = $1",
            &[parent.into()],
            |row| row.get(1),
        )
    })
}

/// Pins a partition; once more does no harm.
pub fn pin(partition: pg_sys::Oid, reason: Option<&str>, role: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "INSERT INTO partman_rs.pin (partition, reason, pinned_by) VALUES ($1, $2, $3) \
             ON CONFLICT (partition) DO UPDATE SET reason = excluded.reason",
            &[partition.into(), reason.into(), role.into()],
        )
        .map(drop)
    })
}

/// Takes a pin away; `false` where there was none.
pub fn unpin(partition: pg_sys::Oid) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::run(
            "DELETE FROM partman_rs.pin WHERE partition = $1",
            &[partition.into()],
        )
        .map(|rows| rows > 0)
    })
}
