//! Foreign keys of other tables that point at a table whose default partition is exchanged.
//!
//! DETACH lets go of no rows that others point at, and looks for them under its lock. What it looks for is rows of
//! the old default partition; that the same rows are in the table again a moment later, it does not know. So the keys
//! are dropped before, and made again after it, in the same transaction: NOT VALID, which reads nothing. Nobody writes
//! to either table meanwhile. Whatever is written from then on is checked; that what was there before holds, the old
//! keys have seen, and the table has the rows that it had. PostgreSQL is told so afterwards: they are validated while
//! readers and writers go on, as those of converted tables (`incoming_keys.rs`).

use super::definition::twin_altered;
use super::foreign_keys::drop_statement;
use super::incoming_keys::{as_its_owner, named};
use crate::catalog::job::Job;
use crate::catalog::keys_to_validate;
use crate::catalog::{incoming_key, table};
use crate::error::Error;
use crate::pg::lock::{Allowance, Mode};
use crate::plan::Parent;
use crate::plan::dependents::{IncomingKey, referenced};
use crate::plan::sql::Sql;
use crate::request;
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// Those of one exchange, in the order in which they act.
pub struct Exchanged<'a> {
    job: &'a Job,
    parent: &'a Parent,
    keys: Vec<IncomingKey>,
}

impl<'a> Exchanged<'a> {
    /// As they are now, if the job exchanges a default partition. Fails where one cannot be carried.
    pub fn of(job: &'a Job) -> Result<Option<Exchanged<'a>>, Error> {
        let Some(parent) = &job.plan.default_of else {
            return Ok(None);
        };
        let (keys, blockers) = request::pointing(pg_sys::Oid::from(parent.oid), job.source)?;
        match blockers.is_empty() {
            true => Ok(Some(Exchanged { job, parent, keys })),
            false => {
                let facts: Vec<String> = blockers.into_iter().map(|one| one.fact).collect();
                Err(Error::DefinitionChanged {
                    relation: job.source_name.clone(),
                    detail: facts.join("\n"),
                })
            }
        }
    }

    /// The tables that are locked before the partitioned one, in order, and how: see the swap for why in this
    /// order. What its own keys point at, SHARE ROW EXCLUSIVE: attaching and detaching partitions makes triggers
    /// there. What points at it, ACCESS EXCLUSIVE: dropping a constraint wants it. Both until the end of the
    /// transaction, milliseconds where partitions are few, up to half a second where they are hundreds.
    pub fn tables(&self) -> Vec<(pg_sys::Oid, Mode)> {
        let own = referenced(&self.parent.foreign_keys).into_iter();
        let mut all: BTreeMap<u32, Mode> = own
            .map(|relation| (relation, Mode::ShareRowExclusive))
            .collect();
        let pointing = self.keys.iter();
        all.extend(pointing.map(|key| (key.relation, Mode::AccessExclusive)));
        let all = all.into_iter();
        all.map(|(relation, mode)| (pg_sys::Oid::from(relation), mode))
            .collect()
    }

    /// ACCESS EXCLUSIVE on all partitions, the one apart that is exchanged, when the table is locked, as long as
    /// that: dropping a key drops triggers there. Who uses them through the table has gone by now; who uses one
    /// by itself (VACUUM, say) is found out about before the work begins.
    pub fn lock_partitions(&self, allowance: &Allowance) -> Result<(), Error> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let parent = pg_sys::Oid::from(self.parent.oid);
        let partitions = table::tree(parent)?.into_iter();
        let others = partitions.filter(|one| ![parent, self.job.source].contains(one));
        others.for_each(|one| allowance.lock(one, Mode::AccessExclusive));
        Ok(())
    }

    /// All that is locked so that even readers are in the way.
    pub fn locked_fully(&self) -> Result<Vec<pg_sys::Oid>, Error> {
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = table::tree(pg_sys::Oid::from(self.parent.oid))?;
        all.extend(self.keys.iter().map(|key| pg_sys::Oid::from(key.relation)));
        Ok(all)
    }

    /// Whether they are as they were, now that everything is locked.
    pub fn are_the_same(&self) -> Result<bool, Error> {
        Ok(Exchanged::of(self.job)?.is_some_and(|now| now.keys == self.keys))
    }

    /// Drops them.
    pub fn drop_all(&self) -> Result<(), Error> {
        self.keys.iter().try_for_each(|key| {
            let owner = pg_sys::Oid::from(key.owner);
            as_its_owner(owner, &drop_statement(&key.table(), &key.name))
        })
    }

    /// Makes them again, and notes which are to be validated: those that were valid, or were to be validated after
    /// the exchange before this one.
    pub fn make_again(&self) -> Result<(), Error> {
        let parent = pg_sys::Oid::from(self.parent.oid);
        let mut to_validate = Vec::new();
        for key in &self.keys {
            let (owner, relation) = (
                pg_sys::Oid::from(key.owner),
                pg_sys::Oid::from(key.relation),
            );
            let name = key.table();
            as_its_owner(owner, &key.make_again(&name, &self.parent.name))?;
            if let Some(comment) = &key.comment {
                let comment = Sql::template("COMMENT ON CONSTRAINT {name} ON {table} IS {comment}")
                    .ident("name", &key.name)
                    .name("table", &name)
                    .literal("comment", comment);
                as_its_owner(owner, &comment.build())?;
            }
            // The statements went by names, and no lock on a table keeps its schema from changing its name.
            let is_named =
                named(relation, Mode::AccessExclusive).is_some_and(|(now, _)| now == name);
            let made = incoming_key::find(relation, &key.name, parent)?.filter(|_| is_named);
            let made = made.ok_or_else(|| twin_altered(self.job))?;
            if key.is_valid || keys_to_validate::holds(pg_sys::Oid::from(key.oid))? {
                to_validate.push(made);
            }
        }
        keys_to_validate::set(self.job.id, &to_validate)
    }
}
