//! Foreign keys that point at a table whose default partition is exchanged: of other tables, and of its own.
//!
//! DETACH lets go of no rows that others point at, and looks for them under its lock. What it looks for is rows of
//! the old default partition; that the same rows are in the table again a moment later, it does not know. So the keys
//! are dropped before, and made again after it, in the same transaction: NOT VALID, which reads nothing. Nobody writes
//! to either table meanwhile. Whatever is written from then on is checked; that what was there before holds, the old
//! keys have seen, and the table has the rows that it had. PostgreSQL is told so afterwards: they are validated while
//! readers and writers go on, as those of converted tables (`incoming_keys.rs`).
//!
//! That of a partitioned table, which the table's own are, could not be NOT VALID before 18: it is made valid at once,
//! and no row is looked at, either.

use super::definition::twin_altered;
use super::foreign_keys::drop_statement;
use super::incoming_keys::{PartNames, add_without_looking, as_its_owner, named};
use crate::catalog::job::Job;
use crate::catalog::keys_to_validate;
use crate::catalog::{incoming_key, table};
use crate::error::Error;
use crate::pg::lock::{Allowance, Mode};
use crate::plan::Parent;
use crate::plan::comments;
use crate::plan::dependents::{IncomingKey, SelfKey, referenced};
use crate::plan::names::QualifiedName;
use crate::request::{self, Pointing};
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// Those of one exchange, each kind in the order in which they act.
pub struct Exchanged<'a> {
    job: &'a Job,
    parent: &'a Parent,
    own: Vec<SelfKey>,
    keys: Vec<IncomingKey>,
}

/// What they, and their parts, were called when they were dropped: first the table's own.
pub struct Dropped(Vec<PartNames>);

impl<'a> Exchanged<'a> {
    /// As they are now, if the job exchanges a default partition. Fails where one cannot be carried.
    pub fn of(job: &'a Job) -> Result<Option<Exchanged<'a>>, Error> {
        let Some(parent) = &job.plan.default_of else {
            return Ok(None);
        };
        let Pointing {
            own,
            incoming,
            blockers,
        } = request::pointing(pg_sys::Oid::from(parent.oid), job.source)?;
        match blockers.is_empty() {
            true => Ok(Some(Exchanged {
                job,
                parent,
                own,
                keys: incoming,
            })),
            false => {
                let facts: Vec<String> = blockers.into_iter().map(|one| one.fact).collect();
                Err(Error::DefinitionChanged {
                    relation: job.source_name.clone(),
                    detail: facts.join("\n"),
                })
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.keys.is_empty()
    }

    fn target(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.parent.oid)
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
        if self.is_empty() {
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
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = table::tree(pg_sys::Oid::from(self.parent.oid))?;
        all.extend(self.keys.iter().map(|key| pg_sys::Oid::from(key.relation)));
        Ok(all)
    }

    /// Whether they are as they were, now that everything is locked.
    pub fn are_the_same(&self) -> Result<bool, Error> {
        Ok(
            Exchanged::of(self.job)?
                .is_some_and(|now| now.keys == self.keys && now.own == self.own),
        )
    }

    /// Drops them.
    pub fn drop_all(&self) -> Result<Dropped, Error> {
        let own = (self.own.iter())
            .map(|key| (key.oid, self.job.owner, self.parent.name.clone(), &key.name));
        let keys = (self.keys.iter()).map(|key| {
            (
                key.oid,
                pg_sys::Oid::from(key.owner),
                key.table(),
                &key.name,
            )
        });
        let dropped = own.chain(keys).map(|(key, owner, table, name)| {
            let names = PartNames::of(pg_sys::Oid::from(key), self.target())?;
            as_its_owner(owner, &drop_statement(&table, name))?;
            Ok(names)
        });
        Ok(Dropped(dropped.collect::<Result<_, Error>>()?))
    }

    /// Makes them again, and notes which are to be validated: those that were valid, or were to be validated after
    /// the exchange before this one. Nobody has written since those that were there were dropped: they have seen that
    /// all rows satisfy these.
    pub fn make_again(&self, dropped: &Dropped) -> Result<(), Error> {
        let mut names = dropped.0.iter();
        let mut to_validate = Vec::new();
        for (key, names) in self.own.iter().zip(names.by_ref()) {
            let (relation, name) = (self.target(), &self.parent.name);
            let made =
                add_without_looking(self.job.owner, &key.make(name, name)).and_then(|()| {
                    self.made(relation, name, self.job.owner, &key.name, &key.comment)
                })?;
            names.give_to(made, self.target())?;
        }
        for (key, names) in self.keys.iter().zip(names) {
            let (owner, relation) = (
                pg_sys::Oid::from(key.owner),
                pg_sys::Oid::from(key.relation),
            );
            let name = key.table();
            let statement = key.make_again(&name, &self.parent.name);
            match key.is_of_partitioned {
                true => add_without_looking(owner, &statement)?,
                false => as_its_owner(owner, &statement)?,
            }
            let made = self.made(relation, &name, owner, &key.name, &key.comment)?;
            names.give_to(made, self.target())?;
            let was_valid = key.is_valid || keys_to_validate::holds(pg_sys::Oid::from(key.oid))?;
            let is_valid = key.is_of_partitioned && key.is_valid;
            if was_valid && !is_valid {
                to_validate.push(made);
            }
        }
        keys_to_validate::set(self.job.id, &to_validate)
    }

    /// The key that has just been made, which gets its comment.
    fn made(
        &self,
        relation: pg_sys::Oid,
        table: &QualifiedName,
        owner: pg_sys::Oid,
        name: &str,
        comment: &Option<String>,
    ) -> Result<pg_sys::Oid, Error> {
        if let Some(comment) = comment {
            as_its_owner(owner, &comments::on_constraint(name, table, comment))?;
        }
        // The statements went by names, and no lock on a table keeps its schema from changing its name.
        let is_named = named(relation, Mode::AccessExclusive).is_some_and(|(now, _)| now == *table);
        let made = incoming_key::find(relation, name, self.target())?.filter(|_| is_named);
        made.ok_or_else(|| twin_altered(self.job))
    }
}
