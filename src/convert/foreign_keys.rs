//! Foreign keys of the twin and of the source: at any time those of one of them act, and never those
//! of both.
//!
//! Those that are made with the twin rest until the swap. Where one points at a partitioned table, all of them are
//! made in the transaction of the swap, and the source's dropped in it (see `made_in_the_swap`).
//!
//! Of a foreign key, the triggers on its own table see to it that a new row points at one; the twin gets
//! its rows below SQL, and they do not fire. The triggers on the table that it points at see to it that
//! what is pointed at stays, or follows: these are what is put to rest.

use super::definition::twin_altered;
use super::{as_owner, key_parts, relation_oid, run_step};
use crate::catalog::as_bookkeeper;
use crate::catalog::foreign_key::{self, ForeignKey, Trigger};
use crate::catalog::job::Job;
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, unit};
use crate::pg::{constraint, trigger};
use crate::plan::Parent;
use crate::plan::dependents::{
    ForeignKey as Key, add_key, key_comments, made_in_the_swap, referenced,
};
use crate::plan::facts::Facts;
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::collections::BTreeSet;
use std::time::Duration;

/// Gives the twin, which is empty, the foreign keys of the source, at rest. Where rows are moved out of a
/// default partition, each partition of the twin gets those of the table instead.
pub fn make_at_rest(job: &Job, twin: pg_sys::Oid) -> Result<(), Error> {
    if are_made_in_the_swap(job) {
        return Ok(());
    }
    let wanted = of_result(job);
    for relation in referenced(wanted) {
        // SHARE ROW EXCLUSIVE on what they point at, until the end of this transaction: making a key
        // makes triggers there. Who writes there waits meanwhile, tens of milliseconds where there are
        // hundreds of partitions; who reads, or writes to the source, does not.
        lock::relation(
            pg_sys::Oid::from(relation),
            Mode::ShareRowExclusive,
            guc::swap_lock_timeout(),
        );
    }
    as_owner(job, || job.plan.foreign_keys.iter().try_for_each(run_step))?;
    match job.plan.default_of {
        None if !has(twin, wanted, job.guard)? => Err(twin_altered(job)),
        None => fire(twin, false),
        // Those below one that is partitioned have its keys as parts, without triggers of their own there.
        Some(_) => (job.plan.uppermost())
            .try_for_each(|partition| leave_to_the_table(job, &partition.name)),
    }
}

/// Whether a table has these keys, beside those to its guard: statements went by names, and no lock on a table keeps
/// its schema from changing its name.
fn has(table: pg_sys::Oid, wanted: &[Key], guard: Option<pg_sys::Oid>) -> Result<bool, Error> {
    let keys = wanted.iter();
    let mut wanted: Vec<(String, u32)> = keys.map(|key| (key.name.clone(), key.relation)).collect();
    let made = foreign_key::of(table)?;
    let mut made: Vec<(String, u32)> = (made.into_iter())
        .filter(|key| Some(key.referenced) != guard)
        .map(|key| (key.name, key.referenced.to_u32()))
        .collect();
    wanted.sort();
    made.sort();
    Ok(made == wanted)
}

/// The keys that the result is to have: those of the source, or of the table whose default partition that is.
pub fn of_result(job: &Job) -> &[Key] {
    match &job.plan.default_of {
        None => &job.definition.dependents.foreign_keys,
        Some(parent) => &parent.foreign_keys,
    }
}

/// Whether the transaction of the swap makes them: one that ends otherwise must be taken back.
pub fn are_made_in_the_swap(job: &Job) -> bool {
    made_in_the_swap(of_result(job))
}

/// Gives the twin, or its partitions, with their rows, these keys, if that is left to the transaction of the swap. What they
/// point at is locked so that nobody writes there, and partitions neither come nor go. PostgreSQL would look at all
/// rows; when this transaction ends they are the source's, which its keys have seen.
///
/// For the order of locks see [`super::linked`].
pub fn make(job: &Job, twin: pg_sys::Oid, now: Option<&Facts>) -> Result<(), Error> {
    if !are_made_in_the_swap(job) {
        return Ok(());
    }
    if job.plan.default_of.is_some() {
        let mut partitions = job.plan.uppermost();
        return partitions.try_for_each(|partition| make_on_partition(job, &partition.name));
    }
    let wanted = of_result(job);
    // SHARE ROW EXCLUSIVE on the twin and its leaves, which nobody else uses, until the end of this transaction.
    as_owner(job, || {
        (wanted.iter())
            .try_for_each(|key| constraint::add_without_looking(&add_key(key, &job.plan.twin)))?;
        let comments = now.map(|now| key_comments(now, &job.plan.twin, Phase::Swapping));
        comments.iter().flatten().try_for_each(run_step)
    })?;
    if !has(twin, wanted, job.guard)? {
        return Err(twin_altered(job));
    }
    foreign_key::of(twin)?.into_iter().try_for_each(|key| {
        key_parts::call_after(key.oid, &job.plan.twin.name, &job.plan.source.name)
    })
}

/// Fails where the keys of a table whose default partition is exchanged are not those any more that new partitions have, or
/// get: ATTACH would give these others beside them, and look at all rows. That there are more, or fewer, is seen by the default
/// partition.
pub fn are_as_planned(job: &Job, parent: &Parent) -> Result<(), Error> {
    if parent.foreign_keys.is_empty() {
        return Ok(());
    }
    let bare = |keys: &[Key]| -> Vec<Key> {
        let without_comment = |key: &Key| Key {
            comment: None,
            ..key.clone()
        };
        keys.iter().map(without_comment).collect()
    };
    let now = table::facts(pg_sys::Oid::from(parent.oid))?;
    let now = now.map(|facts| bare(&facts.dependents.foreign_keys));
    match now == Some(bare(&parent.foreign_keys)) {
        true => Ok(()),
        false => Err(Error::DefinitionChanged {
            relation: job.source_name.clone(),
            detail: format!("Foreign keys of table \"{}\".", parent.name.name),
        }),
    }
}

/// Gives a table that is to become a partition the keys of its table, so that ATTACH takes them for its own, and looks at
/// no row.
fn make_on_partition(job: &Job, name: &QualifiedName) -> Result<(), Error> {
    let wanted = of_result(job);
    // SHARE ROW EXCLUSIVE on it and what is below it, which nobody else uses, until the end of this transaction.
    as_owner(job, || {
        (wanted.iter()).try_for_each(|key| constraint::add_without_looking(&add_key(key, name)))
    })?;
    leave_to_the_table(job, name)
}

/// Takes the triggers of a new table's foreign keys from the tables that they point at, where they have just been
/// made: as a partition, which it is to become, it has none there. What its table has there acts for it. Likewise what
/// keys to a partitioned table have for partitions there, which not all minors would see to.
fn leave_to_the_table(job: &Job, name: &QualifiedName) -> Result<(), Error> {
    let leaf = relation_oid(name)?;
    if !has(leaf, of_result(job), None)? {
        return Err(twin_altered(job));
    }
    take_away(&foreign_key::parts_elsewhere(leaf)?)?;
    let triggers = foreign_key::triggers_elsewhere(leaf)?;
    (triggers.iter()).try_for_each(|trigger| trigger::unmake(trigger.oid, trigger.table))
}

/// Puts the keys of the source to rest, and lets those of the twin act. What they point at is locked
/// so that nobody writes there.
///
/// Where those of the twin have just been made, and act, those of the source are dropped: at rest they would get
/// triggers that fire on each partition that comes.
pub fn exchange(job: &Job, twin: pg_sys::Oid) -> Result<(), Error> {
    if are_made_in_the_swap(job) {
        let keys = foreign_key::of(job.source)?;
        return unmake(&keys.iter().map(|key| key.oid).collect::<Vec<_>>());
    }
    fire(job.source, false)?;
    fire(twin, true)
}

/// Takes keys away, with all that is part of them. Their tables, what they point at, and all partitions are locked
/// SHARE ROW EXCLUSIVE at least.
pub fn unmake(keys: &[pg_sys::Oid]) -> Result<(), Error> {
    take_away(&foreign_key::parts_of(keys)?)
}

/// Takes off a default partition what it has for the keys of its table, if they are made in the swap: DETACH would make
/// keys of its own out of that, with a part for each partition that they point at. All is locked as [`unmake`] wants it.
pub fn let_go(job: &Job) -> Result<(), Error> {
    match are_made_in_the_swap(job) {
        true => take_away(&foreign_key::parts_for_partition(job.source)?),
        false => Ok(()),
    }
}

fn take_away(parts: &[foreign_key::Part]) -> Result<(), Error> {
    let triggers = foreign_key::triggers_of(parts)?;
    (triggers.iter()).try_for_each(|trigger| trigger::unmake(trigger.oid, trigger.table))?;
    (parts.iter()).try_for_each(|part| constraint::unmake(part.oid, part.table))
}

/// Says whether the triggers that a table's foreign keys have on other tables fire. That is a
/// superuser's to say: the table's owner need not own those.
fn fire(table: pg_sys::Oid, fires: bool) -> Result<(), Error> {
    set_firing(&foreign_key::triggers_elsewhere(table)?, fires)
}

/// Says whether triggers of foreign keys fire.
pub fn set_firing(triggers: &[Trigger], fires: bool) -> Result<(), Error> {
    let template = match fires {
        true => "ALTER TABLE {relation} ENABLE TRIGGER {name}",
        false => "ALTER TABLE {relation} DISABLE TRIGGER {name}",
    };
    as_bookkeeper(|| {
        triggers.iter().try_for_each(|trigger| {
            let statement = Sql::template(template)
                .name("relation", &trigger.relation)
                .ident("name", &trigger.name);
            db::run(&statement.build(), &[]).map(drop)
        })
    })
}

/// Locks what the foreign keys of a table point at, which is to be dropped.
pub fn lock_referenced(table: pg_sys::Oid) -> Result<(), Error> {
    let keys = foreign_key::of(table)?;
    let referenced: BTreeSet<_> = keys.iter().map(|key| key.referenced.to_u32()).collect();
    for relation in referenced {
        // ACCESS EXCLUSIVE, until the end of this transaction (milliseconds): dropping a key drops
        // triggers there. Everybody queues behind the wait for it, hence the time-out.
        let relation = pg_sys::Oid::from(relation);
        lock::relation(relation, Mode::AccessExclusive, guc::swap_lock_timeout());
    }
    Ok(())
}

/// Drops the foreign keys of the twin, one by one. Fails with 55P03 where others are in the way.
pub fn drop_all(twin: pg_sys::Oid) -> Result<(), Failure> {
    for key in unit(|| foreign_key::of(twin))? {
        unit(|| drop_one(twin, &key, None, guc::swap_lock_timeout()))?;
    }
    Ok(())
}

/// Drops those of the retired source: at rest they are in nobody's way, but what is dumped meanwhile
/// could not be restored with them, since its rows may point at what is gone by now. Likewise; but that has
/// time, and asks for no lock that would only make others wait. `false`: there was none.
pub fn drop_retired(source: pg_sys::Oid, retired: &str) -> Result<bool, Failure> {
    let keys = unit(|| foreign_key::at_rest(source))?;
    let is_any = !keys.is_empty();
    for key in keys {
        if unit(|| foreign_key::is_held_for_long(key.referenced))? {
            return Err(Failure::from(Error::LockNotAvailable {
                relation: key.name.clone(),
                purpose: "dropping it from the retired table: what it points at is in use for long",
            }));
        }
        unit(|| drop_one(source, &key, Some(retired), SHORT))?;
    }
    Ok(is_any)
}

/// How long a lock is waited for that is not urgent.
pub const SHORT: Duration = Duration::from_millis(20);

/// `only`: the name that the table must have, or it is left alone.
fn drop_one(
    table: pg_sys::Oid,
    key: &ForeignKey,
    only: Option<&str>,
    patience: Duration,
) -> Result<(), Error> {
    // ACCESS EXCLUSIVE on a table that nobody else uses, then on what its key points at (see
    // `lock_referenced`), both until the end of this transaction.
    lock::relation(table, Mode::AccessExclusive, patience);
    let found = Relation::try_open(table, Mode::AccessExclusive)
        .map(|table| (table.name(), table.owner()))
        .filter(|(name, _)| only.is_none_or(|only| name.name == only));
    let Some((name, owner)) = found else {
        return Ok(());
    };
    lock::relation(key.referenced, Mode::AccessExclusive, patience);
    if !foreign_key::of(table)?.contains(key) {
        return Ok(());
    }
    acting_as(owner, Restriction::SecurityRestricted, || {
        db::run(&drop_statement(&name, &key.name), &[]).map(drop)
    })
}

/// The statement that drops a constraint.
pub fn drop_statement(table: &QualifiedName, key: &str) -> String {
    Sql::template("ALTER TABLE {table} DROP CONSTRAINT {name}")
        .name("table", table)
        .ident("name", key)
        .build()
}
