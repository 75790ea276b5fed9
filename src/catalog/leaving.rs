//! `partman_rs.leaving`: partitions whose keys are being taken out of their table's guard, so that they can be
//! retired.

use super::as_bookkeeper;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// A partition whose rows may have no keys in that guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub partition: pg_sys::Oid,
    pub parent: pg_sys::Oid,
    pub guard: pg_sys::Oid,
}

/// Writes it down, before the first key is taken.
pub fn note(leaving: &Leaving) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "INSERT INTO partman_rs.leaving (partition, parent, guard) VALUES ($1, $2, $3) \
             ON CONFLICT (partition) DO UPDATE SET (parent, guard) = (excluded.parent, excluded.guard)",
            &[
                leaving.partition.into(),
                leaving.parent.into(),
                leaving.guard.into(),
            ],
        )
        .map(drop)
    })
}

/// Those of a table, the first noted first.
pub fn of(parent: pg_sys::Oid) -> Result<Vec<Leaving>, Error> {
    as_bookkeeper(|| {
        db::kept_rows(
            "SELECT l.partition::oid, l.parent::oid, l.guard::oid FROM partman_rs.leaving l \
              WHERE l.parent = $1 ORDER BY l.noted_at, l.partition",
            &[parent.into()],
            |row| {
                Ok(Leaving {
                    partition: row.get(1)?,
                    parent: row.get(2)?,
                    guard: row.get(3)?,
                })
            },
        )
    })
}

/// Whether it is still noted.
pub fn holds(partition: pg_sys::Oid) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::kept_value(
            "SELECT EXISTS (SELECT FROM partman_rs.leaving WHERE partition = $1)",
            &[partition.into()],
        )
    })
}

/// All its rows have their keys again, or it has gone.
pub fn forget(partition: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "DELETE FROM partman_rs.leaving WHERE partition = $1",
            &[partition.into()],
        )
        .map(drop)
    })
}
