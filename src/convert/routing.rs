//! Which partition of the twin takes a row.

use super::definition::twin_altered;
use super::relation_oid;
use crate::catalog::job::Job;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::bounds::Bounds;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::tuple::Value;
use crate::plan::interval::KeyType;
use crate::plan::router::Router;
use pgrx::pg_sys;

/// How it is found; for the length of a (sub)transaction.
pub enum Routing {
    /// Keys that are numbers to us, too.
    Numbers(Router, KeyType),
    /// Others lie where PostgreSQL finds that they lie.
    Compared(Levels),
}

impl Routing {
    /// For the twin of a job, as long as it has its partitions: these, in the order of the plan.
    pub fn of(job: &Job, leaves: &[pg_sys::Oid]) -> Result<Routing, Error> {
        Ok(match job.plan.key.key_type {
            Some(key_type) if job.plan.branches.is_empty() => {
                Routing::Numbers(Router::new(&job.plan.partitions), key_type)
            }
            _ => Routing::Compared(Levels::of(job, leaves)?),
        })
    }

    /// The place in the plan of the partition that takes a row with these values in [`Plan::key_columns`]; `None` where
    /// no partition takes it.
    ///
    /// [`Plan::key_columns`]: crate::plan::Plan::key_columns
    pub fn route(&mut self, key: impl Fn(usize) -> Value) -> Option<usize> {
        match self {
            Routing::Numbers(router, key_type) => router.route(number(key(0), *key_type)),
            Routing::Compared(levels) => levels.place_of(key),
        }
    }
}

/// The bounds of the twin's partitions, as PostgreSQL has them, level by level.
pub struct Levels(Vec<Level>);

/// A table that is partitioned: the twin, then the branches of the plan.
struct Level {
    bounds: Bounds,
    /// Which of the plan's key columns its key has.
    columns: Vec<usize>,
    /// What each of its partitions is.
    takers: Vec<Taker>,
}

#[derive(Clone, Copy)]
enum Taker {
    Leaf(usize),
    /// The place of a level.
    Level(usize),
}

impl Levels {
    /// For the twin of a job, as [`Routing::of`].
    pub fn of(job: &Job, leaves: &[pg_sys::Oid]) -> Result<Levels, Error> {
        let plan = &job.plan;
        let twin = job.twin.ok_or_else(|| twin_altered(job))?;
        let branches = plan
            .branches
            .iter()
            .map(|branch| relation_oid(&branch.partition.name))
            .collect::<Result<Vec<pg_sys::Oid>, Error>>()?;
        let mut children: Vec<Vec<(pg_sys::Oid, Taker)>> = vec![Vec::new(); branches.len() + 1];
        let of_branches = plan.branches.iter().map(|branch| &branch.partition);
        let of_branches = of_branches.zip(&branches).enumerate();
        let of_branches =
            of_branches.map(|(place, (one, oid))| (one, *oid, Taker::Level(place + 1)));
        let of_leaves = plan.partitions.iter().zip(leaves).enumerate();
        let of_leaves = of_leaves.map(|(place, (one, oid))| (one, *oid, Taker::Leaf(place)));
        for (partition, oid, taker) in of_branches.chain(of_leaves) {
            let level = partition.below.as_ref().map_or(0, |below| below.branch + 1);
            if let Some(level) = children.get_mut(level) {
                level.push((oid, taker));
            }
        }
        let tables = std::iter::once(twin).chain(branches);
        let levels = tables.zip(children);
        levels
            .map(|(table, children)| Level::of(job, table, &children))
            .collect::<Result<Vec<Level>, Error>>()
            .map(Levels)
    }

    /// The place of a leaf, as [`Routing::route`].
    pub fn place_of(&mut self, key: impl Fn(usize) -> Value) -> Option<usize> {
        let mut place = 0;
        loop {
            let level = self.0.get_mut(place)?;
            let columns = &level.columns;
            let taker = level.bounds.place_of(|column| key(columns[column]))?;
            match level.takers.get(taker)? {
                Taker::Leaf(leaf) => return Some(*leaf),
                Taker::Level(below) => place = *below,
            }
        }
    }
}

impl Level {
    fn of(
        job: &Job,
        table: pg_sys::Oid,
        children: &[(pg_sys::Oid, Taker)],
    ) -> Result<Level, Error> {
        // ACCESS SHARE on the twin or what is below it, which nobody else uses, until the end of the transaction.
        let open = Relation::try_open(table, Mode::AccessShare).ok_or_else(|| twin_altered(job))?;
        let order = table::partition_order(table)?.ok_or_else(|| twin_altered(job))?;
        let columns = order
            .columns
            .iter()
            .map(|column| {
                let mut all = job.plan.key_columns();
                all.position(|(_, name)| name == column.name)
                    .ok_or_else(|| twin_altered(job))
            })
            .collect::<Result<Vec<usize>, Error>>()?;
        let partitions: Vec<pg_sys::Oid> = children.iter().map(|(oid, _)| *oid).collect();
        Ok(Level {
            bounds: Bounds::of(&open, &partitions, &order)?,
            columns,
            takers: children.iter().map(|(_, taker)| *taker).collect(),
        })
    }
}

/// A partition key as the number that bounds are compared by.
fn number(value: Value, key_type: KeyType) -> Option<i64> {
    let datum = value.datum.value();
    (!value.is_null).then_some(match key_type {
        KeyType::TimestampTz | KeyType::Timestamp | KeyType::BigInt => datum as i64,
        KeyType::Date | KeyType::Integer => i64::from(datum as i32),
        KeyType::SmallInt => i64::from(datum as i16),
    })
}
