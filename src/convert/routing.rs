//! Which partition of the twin takes a row.

use super::definition::twin_altered;
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
    Compared(Bounds),
}

impl Routing {
    /// For the twin of a job, as long as it has its partitions: these, in the order of the plan.
    pub fn of(job: &Job, leaves: &[pg_sys::Oid]) -> Result<Routing, Error> {
        Ok(match job.plan.key.key_type {
            Some(key_type) => Routing::Numbers(Router::new(&job.plan.partitions), key_type),
            None => Routing::Compared(bounds(job, leaves)?),
        })
    }

    /// The place of the key's partition in the plan; `None` where no partition takes it.
    pub fn route(&mut self, key: Value) -> Option<usize> {
        match self {
            Routing::Numbers(router, key_type) => router.route(number(key, *key_type)),
            Routing::Compared(bounds) => bounds.place_of(key),
        }
    }
}

/// The bounds of the twin's partitions, as PostgreSQL has them.
pub fn bounds(job: &Job, leaves: &[pg_sys::Oid]) -> Result<Bounds, Error> {
    // ACCESS SHARE on the twin, which nobody else uses, until the end of the transaction.
    let twin = (job.twin).and_then(|twin| Relation::try_open(twin, Mode::AccessShare));
    let twin = twin.ok_or_else(|| twin_altered(job))?;
    let order = table::partition_order(twin.oid())?.ok_or_else(|| twin_altered(job))?;
    Bounds::of(&twin, leaves, &order)
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
