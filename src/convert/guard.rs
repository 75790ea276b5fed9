//! The guard of a key that loses its uniqueness (see `plan/guard.rs`): made with the twin, filled when that is,
//! and from then on given what each round of catching up gives the twin.
//!
//! At any time it holds the keys of the source of some moment: of each key, that of the last round that met
//! the key on the log, or of the copy. What has changed since is on the log. So it is right when nothing is
//! left there, which the swap sees to under its lock.

use super::definition::twin_altered;
use super::foreign_keys::drop_statement;
use super::{as_owner, incoming_keys, relation_oid, run_step};
use crate::catalog::foreign_key::{self, ForeignKey};
use crate::catalog::guard::{self, Parts};
use crate::catalog::job::{self, Job, Outline};
use crate::catalog::keys_to_validate;
use crate::catalog::{decoding, leaf};
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::depend;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, unit};
use crate::plan::facts::Facts;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// Makes it, empty, in the transaction that makes the twin.
pub fn make(job: &Job) -> Result<(), Error> {
    let Some(plan) = &job.plan.guard else {
        return Ok(());
    };
    as_owner(job, || {
        plan.prepare.iter().try_for_each(run_step)?;
        super::prepare::revoke_foreign(relation_oid(&plan.name)?, &plan.name, "TABLE")
    })?;
    let guard = relation_oid(&plan.name)?;
    decoding::leave_out(&[guard], job.source)?;
    // Until the swap it is nothing without the extension, and goes with it.
    depend::on_extension(guard)?;
    job::set_guard(job.id, Some(guard))
}

/// Notes the keys of all rows that were copied, partition by partition, before anything is caught up with. Doing
/// it again does no harm.
pub fn fill(job: &Job) -> Result<(), Failure> {
    let Some(plan) = &job.plan.guard else {
        return Ok(());
    };
    for leaf in unit(|| leaf::relations(job.id))? {
        unit(|| {
            // ACCESS SHARE on a partition of the twin, ROW EXCLUSIVE on the guard: nobody else uses them.
            let Some(name) = Relation::try_open(leaf, Mode::AccessShare).map(|leaf| leaf.name())
            else {
                return Err(twin_altered(job));
            };
            as_owner(job, || db::run(&plan.fill(&name), &[]).map(drop))
        })?;
        failpoint("foreign_keys:guarded")?;
    }
    Ok(())
}

/// Makes its foreign key to the twin, which rests on an index that must be valid on all partitions.
pub fn link(job: &Job) -> Result<(), Failure> {
    let (Some(plan), Some(guard)) = (&job.plan.guard, job.guard) else {
        return Ok(());
    };
    let twin = job.twin.unwrap_or(pg_sys::InvalidOid);
    unit(|| {
        if guard::parts(guard, twin, &plan.link_name)?.is_linked() {
            return Ok(());
        }
        // SHARE ROW EXCLUSIVE on guard, twin and partitions, which nobody else uses, until commit.
        as_owner(job, || run_step(&plan.link))?;
        // Its rows are written by what has just written the row that they point at: that need not be looked
        // for. What it does when a row goes or moves, its triggers on the partitions do.
        let parts = guard::parts(guard, twin, &plan.link_name)?;
        match parts {
            // The statement went by names, and no lock on a table keeps its schema from changing its name.
            Parts { key: None, .. } => Err(twin_altered(job)),
            Parts { key: Some(oid), .. } => incoming_keys::rest(oid, guard),
        }
    })
}

/// Has its function do what it is to do for the foreign keys that the source has to itself by now.
pub fn follow(job: &Job, now: &Facts) -> Result<(), Failure> {
    let (Some(plan), Some(guard)) = (&job.plan.guard, job.guard) else {
        return Ok(());
    };
    unit(|| {
        let is_so = |body: &String| -> Result<bool, Error> {
            Ok(guard::body(guard)?.as_ref() == Some(body))
        };
        let Some(body) = plan.body(now) else {
            return Ok(());
        };
        if is_so(&body)? {
            return Ok(());
        }
        as_owner(job, || db::run(&plan.with_body(&body), &[]).map(drop))?;
        // The statement went by names, as above.
        match is_so(&body)? {
            true => Ok(()),
            false => Err(twin_altered(job)),
        }
    })
}

/// In the transaction of the swap, when the names are exchanged: checks that it is whole, and leaves it to its
/// owner.
pub fn hand_over(job: &Job) -> Result<(), Error> {
    let (Some(plan), Some(oid)) = (&job.plan.guard, job.guard) else {
        return Ok(());
    };
    let twin = job.twin.unwrap_or(pg_sys::InvalidOid);
    // ACCESS SHARE, until the end of this transaction.
    let parts = guard::parts(oid, twin, &plan.link_name)?;
    let is_named = Relation::try_open(oid, Mode::AccessShare)
        .is_some_and(|guard| guard.name() == plan.name && guard.owner() == job.owner);
    let key = match parts.key.filter(|_| is_named && parts.are_whole()) {
        Some(key) => key,
        None => {
            return Err(Error::TwinAltered {
                relation: job.source_name.clone(),
                twin: plan.name.name.clone(),
            });
        }
    };
    keys_to_validate::add(job.id, key)?;
    depend::not_on_extension(oid)?;
    // What is written from here on is new to subscribers.
    decoding::take_in(&[oid])
}

/// Takes it away, before the twin is dropped that its foreign key points at.
pub fn drop_now(job: &Outline) -> Result<(), Error> {
    let Some(oid) = job.guard else {
        return Ok(());
    };
    let functions = guard::functions(oid)?;
    let twin = job.twin.unwrap_or(pg_sys::InvalidOid);
    // ACCESS EXCLUSIVE on twin and guard, which nobody else uses, until commit: dropping the foreign key and
    // the triggers of both wants it.
    let twin_name = Relation::try_open(twin, Mode::AccessExclusive).map(|twin| twin.name());
    let found =
        Relation::try_open(oid, Mode::AccessExclusive).map(|guard| (guard.name(), guard.owner()));
    if let Some((name, owner)) = found {
        let keys = foreign_key::of(twin)?.into_iter();
        let own: Vec<ForeignKey> = keys.filter(|key| key.referenced == oid).collect();
        acting_as(owner, Restriction::SecurityRestricted, || {
            if let Some(twin) = &twin_name {
                own.iter()
                    .try_for_each(|key| db::run(&drop_statement(twin, &key.name), &[]).map(drop))?;
            }
            super::drop_table(oid, &name)?;
            if let Some(twin) = &twin_name {
                let statement = Sql::template("DROP TRIGGER IF EXISTS {name} ON {twin}")
                    .ident("name", crate::plan::guard::TRIGGER)
                    .name("twin", twin);
                db::run(&statement.build(), &[])?;
            }
            functions.iter().try_for_each(|function| {
                let statement =
                    Sql::template("DROP FUNCTION {function}").trusted("function", function);
                db::run(&statement.build(), &[]).map(drop)
            })
        })?;
    }
    job::set_guard(job.id, None)
}
