//! A partitioned table that is maintained, however it is partitioned.

use crate::catalog::table;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::partition_key::{self, Strategy};
use crate::pg::partitions;
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::plan::facts::Facts;
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;
use std::cell::OnceCell;

/// How a table is partitioned. Fails where it is not.
pub fn strategy(parent: pg_sys::Oid) -> Result<Strategy, Error> {
    if let Some(strategy) = partition_key::strategy(parent)? {
        return Ok(strategy);
    }
    let oid = parent.to_u32();
    let relation = table::name(parent)?.ok_or(Error::NoRelation { oid })?;
    Err(Error::NotManaged {
        relation,
        detail: "It is not partitioned.".to_owned(),
    })
}

/// Opens a table; takes ACCESS SHARE on it, and before it on what it is a partition of, until the end of
/// the transaction: from the top down, as whoever changes the whole locks it (see `family::lock`).
pub fn open(parent: pg_sys::Oid) -> Result<Relation, Error> {
    for above in table::ancestors(parent)? {
        drop(Relation::try_open(above, Mode::AccessShare));
    }
    Relation::try_open(parent, Mode::AccessShare).ok_or_else(|| Error::NoRelation {
        oid: parent.to_u32(),
    })
}

/// What is known of such a table, whatever its key.
pub struct Table {
    pub parent: pg_sys::Oid,
    pub name: QualifiedName,
    pub owner: pg_sys::Oid,
    /// Whether partitions of it are partitioned themselves.
    pub has_branches: bool,
    /// Whether `DETACH PARTITION … CONCURRENTLY` of a partition has not ended.
    pub has_half_detached: bool,
    facts: OnceCell<Facts>,
}

impl Table {
    /// Reads it; takes ACCESS SHARE on it, until the end of the transaction.
    pub fn read(parent: pg_sys::Oid) -> Result<Table, Error> {
        Ok(Table::of(&open(parent)?))
    }

    /// Of a relation that is open, and locked.
    pub fn of(open: &Relation) -> Table {
        Table {
            parent: open.oid(),
            name: open.name(),
            owner: open.owner(),
            has_branches: partitions::has_branches(open),
            has_half_detached: partitions::has_half_detached(open),
            facts: OnceCell::new(),
        }
    }

    /// What new partitions take over from the table: read once for all that a run makes.
    pub fn facts(&self) -> Result<&Facts, Error> {
        if self.facts.get().is_none() {
            let facts = table::by_itself(self.parent)?.ok_or_else(|| Error::NoRelation {
                oid: self.parent.to_u32(),
            })?;
            let _ = self.facts.set(facts);
        }
        self.facts
            .get()
            .ok_or_else(|| Error::Internal("facts of a table are gone".to_owned()))
    }

    /// The table as it is now that it is locked. A new owner is for the next run: what the old one may
    /// do is no measure for it.
    pub fn unchanged(&self) -> Result<Table, Error> {
        let now = Table::read(self.parent)?;
        self.still_has_owner(now.owner)?;
        Ok(now)
    }

    /// Fails where it has another owner now.
    pub fn still_has_owner(&self, owner_now: pg_sys::Oid) -> Result<(), Error> {
        match owner_now == self.owner {
            true => Ok(()),
            false => Err(Error::LockNotAvailable {
                relation: self.name.name.clone(),
                purpose: "maintenance: it has just got another owner",
            }),
        }
    }

    /// Runs work as the table's owner, who can gain nothing by it, whatever policies it forces upon itself:
    /// rows that nobody is shown want their partition, too, and ATTACH looks at what foreign keys point at.
    pub fn as_owner<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        acting_as(self.owner, Restriction::SecurityRestrictedAllRows, work)
    }
}
