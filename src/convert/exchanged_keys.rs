//! Foreign keys that point at a table whose default partition is exchanged: of other tables, and of its own.
//!
//! DETACH lets go of no rows that others point at, and looks for them under its lock. What it looks for is rows of
//! the old default partition; that the same rows are in the table again a moment later, it does not know. It looks
//! by what each key has for that partition: a part of it, which DETACH would take off afterwards. So that is taken off
//! before. ATTACH gives each key its part for each partition that comes, and looks at no row, since it only adds to what
//! can be pointed at. Between the two nobody can write to what the key would miss, and the keys themselves stay
//! as they are, with all that they have for other partitions.
//!
//! Those of the table to itself have a part for it on both sides, and ATTACH would look at all rows of a partition that
//! comes for the other. So these are dropped before, and made again after it, in the same transaction, valid at once,
//! and no row is looked at: nobody has written since those that were there were dropped.

use super::definition::twin_altered;
use super::foreign_keys::{self, drop_statement, unmake};
use super::incoming_keys::{add_without_looking, as_its_owner, named};
use super::key_parts::PartNames;
use crate::catalog::foreign_key::Pointed;
use crate::catalog::job::Job;
use crate::catalog::{guard, incoming_key, table};
use crate::error::Error;
use crate::pg::lock::{Allowance, Mode};
use crate::plan::Parent;
use crate::plan::comments;
use crate::plan::dependents::{SelfKey, referenced};
use crate::request::{self, Pointing};
use pgrx::pg_sys;

/// Those of one exchange.
pub struct Exchanged<'a> {
    job: &'a Job,
    parent: &'a Parent,
    /// In the order in which they act.
    own: Vec<SelfKey>,
    /// What those of other tables have for the old default partition.
    parts: Vec<Pointed>,
    /// The table, and all below it.
    tree: Vec<pg_sys::Oid>,
    /// The guards of its keys, and of those of tables above.
    guards: Vec<pg_sys::Oid>,
}

/// What its own keys, and their parts, were called when they were dropped.
pub struct Dropped(Vec<PartNames>);

impl<'a> Exchanged<'a> {
    /// As they are now, if the job exchanges a default partition. Fails where one cannot be carried.
    pub fn of(job: &'a Job) -> Result<Option<Exchanged<'a>>, Error> {
        let Some(parent) = &job.plan.default_of else {
            return Ok(None);
        };
        let target = pg_sys::Oid::from(parent.oid);
        foreign_keys::are_as_planned(job, parent)?;
        let Pointing {
            own,
            parts,
            blockers,
        } = request::pointing(target, job.source)?;
        if !blockers.is_empty() {
            let facts: Vec<String> = blockers.into_iter().map(|one| one.fact).collect();
            return Err(Error::DefinitionChanged {
                relation: job.source_name.clone(),
                detail: facts.join("\n"),
            });
        }
        let mut guards = Vec::new();
        for table in table::ancestors(job.source)? {
            let guarded = guard::of(table)?;
            guards.extend(guarded.map(|guarded| pg_sys::Oid::from(guarded.oid)));
        }
        Ok(Some(Exchanged {
            job,
            parent,
            own,
            parts,
            tree: table::tree(target)?,
            guards,
        }))
    }

    fn target(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.parent.oid)
    }

    /// The tables that foreign keys link it with, in order. They are locked SHARE ROW EXCLUSIVE before the partitioned one,
    /// until the end of the transaction (milliseconds): attaching and detaching partitions makes triggers of its own keys there,
    /// and PostgreSQL locks the others so, while it gives them their parts.
    ///
    /// But for those that whoever writes to the table locks after it: its guard, and its partitions.
    pub fn linked(&self) -> Vec<pg_sys::Oid> {
        let mut all = referenced(&self.parent.foreign_keys);
        all.extend(self.parts.iter().map(|part| part.by.to_u32()));
        let all = all.into_iter().map(pg_sys::Oid::from);
        all.filter(|one| !self.tree.contains(one) && !self.guards.contains(one))
            .collect()
    }

    /// Locks these, when the table is locked, as long as that and likewise. If the table has keys to itself, all partitions
    /// ACCESS EXCLUSIVE, the one apart that is exchanged: dropping a key drops triggers there. Who uses them through the table
    /// has gone by now; who uses one by itself (VACUUM, say) is found out about before the work begins.
    pub fn lock_partitions_and_guards(&self, allowance: &Allowance) {
        let (parent, default) = (self.target(), self.job.source);
        let partitions = self
            .tree
            .iter()
            .filter(|one| ![parent, default].contains(one));
        for partition in partitions {
            if !self.own.is_empty() {
                allowance.lock(*partition, Mode::AccessExclusive);
            } else if self.parts.iter().any(|part| part.by == *partition) {
                allowance.lock(*partition, Mode::ShareRowExclusive);
            }
        }
        for guard in &self.guards {
            allowance.lock(*guard, Mode::ShareRowExclusive);
        }
    }

    /// All that is locked so that even readers are in the way.
    pub fn locked_fully(&self) -> Vec<pg_sys::Oid> {
        match self.own.is_empty() {
            true => vec![self.target()],
            false => self.tree.clone(),
        }
    }

    /// Whether they are as they were, now that everything is locked.
    pub fn are_the_same(&self) -> Result<bool, Error> {
        let now = Exchanged::of(self.job)?;
        Ok(now.is_some_and(|now| {
            (now.own == self.own && now.parts == self.parts)
                && (now.tree == self.tree && now.guards == self.guards)
        }))
    }

    /// Makes DETACH let go of the default partition.
    pub fn let_go(&self) -> Result<Dropped, Error> {
        unmake(&self.parts.iter().map(|part| part.oid).collect::<Vec<_>>())?;
        let dropped = self.own.iter().map(|key| {
            let names = PartNames::of(pg_sys::Oid::from(key.oid), self.target())?;
            let statement = drop_statement(&self.parent.name, &key.name);
            as_its_owner(self.job.owner, &statement)?;
            Ok(names)
        });
        let dropped = dropped.collect::<Result<_, Error>>()?;
        foreign_keys::let_go(self.job)?;
        Ok(Dropped(dropped))
    }

    /// Makes its own keys again: nobody has written since those that were there were dropped, and they have seen
    /// that all rows satisfy these.
    pub fn make_again(&self, dropped: &Dropped) -> Result<(), Error> {
        let (owner, target, name) = (self.job.owner, self.target(), &self.parent.name);
        for (key, names) in self.own.iter().zip(&dropped.0) {
            add_without_looking(owner, &key.make(name, name))?;
            if let Some(comment) = &key.comment {
                as_its_owner(owner, &comments::on_constraint(&key.name, name, comment))?;
            }
            // The statements went by names, and no lock on a table keeps its schema from changing its name.
            let is_named =
                named(target, Mode::AccessExclusive).is_some_and(|(now, _)| now == *name);
            let made = incoming_key::find(target, &key.name, target)?.filter(|_| is_named);
            names.give_to(made.ok_or_else(|| twin_altered(self.job))?, target)?;
        }
        Ok(())
    }
}
