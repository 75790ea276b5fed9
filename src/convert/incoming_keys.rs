//! Foreign keys of other tables that point at the table which is converted.
//!
//! Each gets a successor that points at the twin. Of a foreign key, the triggers on its own table see to it
//! that a row points at one: those of the successor are put to rest in the transaction that makes it, since
//! the twin is not complete. Those on the twin need not be: rows get into it, and out of it, below SQL.
//! The swap exchanges which of the two acts, under a lock on the key's table that keeps writers out.
//!
//! Where the table of one is partitioned, none can rest, and all are made in the transaction of the swap, which drops
//! those that were there (see `successors_made_in_the_swap`).

use super::definition::twin_altered;
use super::key_parts::{self, PartNames};
use crate::catalog::incoming_key::{self, Key, Superseded};
use crate::catalog::job::{Job, Outline};
use crate::catalog::keys_to_validate;
use crate::catalog::{foreign_key, table};
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::constraint;
use crate::pg::lock::{self, Mode};
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, unit};
use crate::plan::comments;
use crate::plan::dependents::{
    IncomingKey, Made, from_first_difference, successors_made_in_the_swap,
};
use crate::plan::facts::Facts;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::{PgSqlErrorCode, pg_sys};
use std::time::Duration;

use super::foreign_keys::{SHORT, drop_statement, set_firing, unmake};

/// Sees to it that each key has its successor, at rest, and that there are no others: before each attempt at
/// the swap, since keys come and go meanwhile. `now` is the source's definition; the indexes of the twin,
/// on which the successors rest, are valid.
pub fn make_at_rest(job: &Job, now: &Facts) -> Result<(), Failure> {
    let target = job.key_target();
    let wanted: &[IncomingKey] = match are_made_in_the_swap(job, Some(now)) {
        true => &[],
        false => &now.dependents.incoming_keys,
    };
    let there = unit(|| incoming_key::made(target))?;
    let (others, missing) = from_first_difference(&there, wanted, Made::is_for);
    for made in others {
        let key = Key {
            oid: pg_sys::Oid::from(made.oid),
            relation: pg_sys::Oid::from(made.relation),
        };
        unit(|| drop_one(key, guc::swap_lock_timeout()))?;
    }
    for key in missing {
        unit(|| make_one(job, target, key))?;
        failpoint("foreign_keys:made")?;
    }
    // ENABLE TRIGGER ALL means them, too, and so does an ALTER TABLE that makes a key again.
    for key in unit(|| incoming_key::awake(target))? {
        unit(|| {
            lock_writers_out(key.relation, guc::swap_lock_timeout());
            set_firing(&incoming_key::checks_of(key)?, false)
        })?;
    }
    Ok(())
}

/// SHARE ROW EXCLUSIVE on a table whose key points at the source, until the end of this transaction: ALTER
/// TABLE wants it to make a key, and to disable its triggers; who writes there must see both or none. Readers
/// go on. Where there are hundreds of partitions a key takes tens of milliseconds.
fn lock_writers_out(relation: pg_sys::Oid, patience: Duration) {
    lock::relation(relation, Mode::ShareRowExclusive, patience);
}

fn make_one(job: &Job, target: pg_sys::Oid, key: &IncomingKey) -> Result<(), Error> {
    let relation = pg_sys::Oid::from(key.relation);
    lock_writers_out(relation, guc::swap_lock_timeout());
    let old = Key {
        oid: pg_sys::Oid::from(key.oid),
        relation,
    };
    // What went meanwhile, the look before the next attempt will miss.
    let Some((name, owner)) = named(relation, Mode::ShareRowExclusive) else {
        return Ok(());
    };
    if !incoming_key::is_there(old)? {
        return Ok(());
    }
    let statement = key.make(&name, job.plan.key_target());
    as_its_owner(owner, &statement)?;
    // The statement went by names, and no lock on a table keeps its schema from changing its name.
    match incoming_key::find(relation, &key.name_until_settled(), target)? {
        Some(oid) => {
            key_parts::call_after(oid, &key.name_until_settled(), &key.name)?;
            rest(oid, relation)
        }
        None => Err(twin_altered(job)),
    }
}

/// Keeps a key from looking whether what a row of its table points at is there.
pub fn rest(oid: pg_sys::Oid, relation: pg_sys::Oid) -> Result<(), Error> {
    set_firing(&incoming_key::checks_of(Key { oid, relation })?, false)
}

/// Whether the transaction of the swap makes them: one that ends otherwise must be taken back.
pub fn are_made_in_the_swap(job: &Job, now: Option<&Facts>) -> bool {
    let keys = now.map(|now| &now.dependents.incoming_keys);
    job.plan.default_of.is_none() && keys.is_some_and(|keys| successors_made_in_the_swap(keys))
}

/// Gives each key its successor, which acts, if that is left to the transaction of the swap. Their tables are locked, with all
/// partitions, so that nobody writes there. PostgreSQL would look at all rows; when this transaction ends the twin has
/// the rows of the source, at which the keys that there are have seen them point.
///
/// For the order of locks see [`super::linked`].
pub fn make(job: &Job, now: Option<&Facts>) -> Result<(), Error> {
    let Some(now) = now.filter(|_| are_made_in_the_swap(job, now)) else {
        return Ok(());
    };
    let target = job.key_target();
    for key in &now.dependents.incoming_keys {
        let relation = pg_sys::Oid::from(key.relation);
        let old = Key {
            oid: pg_sys::Oid::from(key.oid),
            relation,
        };
        // What went meanwhile, the look under the lock on the source misses.
        let Some((name, owner)) = named(relation, Mode::ShareRowExclusive) else {
            continue;
        };
        if !incoming_key::is_there(old)? {
            continue;
        }
        add_without_looking(owner, &key.make_as_valid(&name, job.plan.key_target()))?;
        // The statement went by names, and no lock on a table keeps its schema from changing its name.
        let made = incoming_key::find(relation, &key.name_until_settled(), target)?;
        let made = made.ok_or_else(|| twin_altered(job))?;
        key_parts::call_after(made, &key.name_until_settled(), &key.name)?;
    }
    Ok(())
}

/// Drops the keys that point at the source, and gives names and comments of them, and of their parts, to those that
/// have just been made.
fn replace(job: &Job, target: pg_sys::Oid, keys: &[IncomingKey]) -> Result<(), Error> {
    for key in keys {
        let (old, relation) = (pg_sys::Oid::from(key.oid), pg_sys::Oid::from(key.relation));
        let Some(new) = incoming_key::find(relation, &key.name_until_settled(), target)? else {
            return Err(twin_altered(job));
        };
        let names = PartNames::of(old, job.source)?;
        unmake(&[old])?;
        names.give_to(new, target)?;
        if let Some(comment) = &key.comment
            && let Some((table, owner)) = named(relation, Mode::ShareRowExclusive)
        {
            as_its_owner(owner, &comments::on_constraint(&key.name, &table, comment))?;
        }
    }
    Ok(())
}

/// Puts the keys that point at the source to rest, and lets those that point at the twin act: their tables
/// are locked so that nobody writes there. Those that are to be validated are written down.
pub fn exchange(job: &Job, now: &Facts) -> Result<(), Error> {
    let target = job.key_target();
    // Those of the twin are compared with all else; those that point at a guard are not seen there.
    if job.guard.is_some() {
        let there = incoming_key::made(target)?;
        let (others, missing) =
            from_first_difference(&there, &now.dependents.incoming_keys, Made::is_for);
        if !others.is_empty() || !missing.is_empty() {
            return Err(twin_altered(job));
        }
    }
    if are_made_in_the_swap(job, Some(now)) {
        return replace(job, target, &now.dependents.incoming_keys);
    }
    set_firing(&incoming_key::triggers(job.source)?, false)?;
    set_firing(&incoming_key::checks(target)?, true)?;
    keys_to_validate::note_successors(job.id, job.source, target)
}

/// After the swap: gives the keys that act the names of those that rest, which go; then validates them.
/// `false`: there was nothing to do.
pub fn settle(job: &Outline) -> Result<bool, Failure> {
    let superseded = unit(|| incoming_key::superseded(job.source, job.key_target()))?;
    let is_busy = !superseded.is_empty() || !unit(|| keys_to_validate::of(job.id))?.is_empty();
    for key in superseded {
        if unit(|| foreign_key::is_held_for_long(key.old.relation))? {
            let relation = unit(|| table::name(key.old.relation))?.unwrap_or_default();
            return Err(Failure::from(Error::LockNotAvailable {
                relation,
                purpose: "giving its foreign key its name back: it is in use for long",
            }));
        }
        unit(|| take_over(job, key, SHORT))?;
        failpoint("foreign_keys:named")?;
    }
    validate(job)?;
    Ok(is_busy)
}

/// The same but for the validation, within the transaction that drops the retired table; tells which keys are
/// left to be validated.
pub fn settle_now(job: &Outline) -> Result<Vec<String>, Error> {
    for key in incoming_key::superseded(job.source, job.key_target())? {
        take_over(job, key, guc::swap_lock_timeout())?;
    }
    let left = incoming_key::not_valid(&keys_to_validate::of(job.id)?)?;
    Ok(left.into_iter().map(|(_, name)| name).collect())
}

fn take_over(job: &Outline, key: Superseded, patience: Duration) -> Result<(), Error> {
    let relation = key.old.relation;
    // ACCESS EXCLUSIVE on the key's table, until the end of this transaction (milliseconds): dropping
    // and renaming a constraint want it. Everybody queues behind the wait for it, hence the time-out.
    // Then on the retired table, which nobody uses.
    lock::relation(relation, Mode::AccessExclusive, patience);
    lock::relation(job.source, Mode::AccessExclusive, patience);
    // Somebody may have gone back by renaming: then that one is the table in use.
    let is_retired = named(job.source, Mode::AccessExclusive)
        .is_some_and(|(name, _)| name.name == job.retired.name);
    let is_so = incoming_key::superseded(job.source, job.key_target())?.contains(&key);
    let Some((name, owner)) =
        named(relation, Mode::AccessExclusive).filter(|_| is_retired && is_so)
    else {
        return Ok(());
    };
    let Some((old_name, comment)) = incoming_key::name_and_comment(key.old.oid)? else {
        return Ok(());
    };
    as_its_owner(owner, &drop_statement(&name, &old_name))?;
    if let Some(new) = key.new
        && let Some((new_name, _)) = incoming_key::name_and_comment(new)?
    {
        let rename = Sql::template("ALTER TABLE {table} RENAME CONSTRAINT {new} TO {name}")
            .name("table", &name)
            .ident("new", &new_name)
            .ident("name", &old_name);
        as_its_owner(owner, &rename.build())?;
        if let Some(comment) = comment {
            as_its_owner(owner, &comments::on_constraint(&old_name, &name, &comment))?;
        }
    }
    // They went by names, as above.
    let name_now =
        |key| incoming_key::name_and_comment(key).map(|found| found.map(|(name, _)| name));
    let new_name = key.new.map(name_now).transpose()?.flatten();
    let is_named = key.new.is_none() || new_name.as_ref() == Some(&old_name);
    match name_now(key.old.oid)?.is_none() && is_named {
        true => Ok(()),
        false => Err(Error::LockNotAvailable {
            relation: name.name,
            purpose: "giving its foreign key its name back: its schema has just got another name",
        }),
    }
}

/// Validates what is to be validated, key by key. One that rows violate is left as it is, and told: looking
/// at all rows again would not help.
fn validate(job: &Outline) -> Result<(), Failure> {
    let mut violated = None;
    for (key, name) in unit(|| incoming_key::not_valid(&keys_to_validate::of(job.id)?))? {
        match unit(|| validate_one(job, key, &name)) {
            Ok(()) => {}
            Err(failure) if failure.code == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION => {
                violated.get_or_insert(Failure {
                    hint: Some(format!(
                        "The foreign key holds for what is written from now on. Correct the rows, then: ALTER TABLE … VALIDATE CONSTRAINT \"{name}\"."
                    )),
                    ..failure
                });
                unit(|| keys_to_validate::leave_not_valid(job.id, key.oid))?;
            }
            Err(failure) => return Err(failure),
        }
        failpoint("foreign_keys:validated")?;
    }
    // Those that are gone, or that somebody else has validated.
    unit(|| keys_to_validate::forget_all(job.id))?;
    violated.map_or(Ok(()), Err)
}

fn validate_one(job: &Outline, key: Key, name: &str) -> Result<(), Error> {
    // SHARE UPDATE EXCLUSIVE on the key's table, until the end of this transaction, which is as long as it
    // takes to compare the two tables: readers and writers of both go on.
    lock::relation(key.relation, Mode::ShareUpdateExclusive, SHORT);
    let Some((table, owner)) = named(key.relation, Mode::ShareUpdateExclusive) else {
        return Ok(());
    };
    let statement = Sql::template("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        .name("table", &table)
        .ident("name", name);
    as_its_owner(owner, &statement.build())?;
    keys_to_validate::forget(job.id, key.oid)
}

/// Drops what was made for a twin, key by key. Fails with 55P03 where others are in the way.
pub fn drop_all(job: &Outline) -> Result<(), Failure> {
    for key in unit(|| made(job))? {
        unit(|| drop_one(key, guc::swap_lock_timeout()))?;
    }
    Ok(())
}

/// The same within the transaction that drops the twin.
pub fn drop_now(job: &Outline) -> Result<(), Error> {
    for key in made(job)? {
        drop_one(key, guc::swap_lock_timeout())?;
    }
    Ok(())
}

fn made(job: &Outline) -> Result<Vec<Key>, Error> {
    let made = incoming_key::made(job.key_target())?.into_iter();
    Ok(made
        .map(|made| Key {
            oid: pg_sys::Oid::from(made.oid),
            relation: pg_sys::Oid::from(made.relation),
        })
        .collect())
}

fn drop_one(key: Key, patience: Duration) -> Result<(), Error> {
    // ACCESS EXCLUSIVE on the key's table, until the end of this transaction (milliseconds): dropping a
    // constraint wants it. Everybody queues behind the wait for it, hence the time-out. Then on the twin,
    // which nobody else uses.
    lock::relation(key.relation, Mode::AccessExclusive, patience);
    let Some((table, owner)) = named(key.relation, Mode::AccessExclusive) else {
        return Ok(());
    };
    match incoming_key::name_and_comment(key.oid)? {
        Some((name, _)) => as_its_owner(owner, &drop_statement(&table, &name)),
        None => Ok(()),
    }
}

/// What a relation that is locked is called, and whose it is; `None` where it is gone. Closed again: DDL wants
/// it closed.
pub fn named(relation: pg_sys::Oid, mode: Mode) -> Option<(QualifiedName, pg_sys::Oid)> {
    Relation::try_open(relation, mode).map(|open| (open.name(), open.owner()))
}

/// Runs a statement about a key, whatever policies the tables force upon their owners: validating a key looks at rows of both.
pub fn as_its_owner(owner: pg_sys::Oid, statement: &str) -> Result<(), Error> {
    acting_as(owner, Restriction::SecurityRestrictedAllRows, || {
        db::run(statement, &[]).map(drop)
    })
}

/// Runs one that adds a key, likewise, and looks at no row: the caller answers for it that all satisfy the key.
pub fn add_without_looking(owner: pg_sys::Oid, statement: &str) -> Result<(), Error> {
    acting_as(owner, Restriction::SecurityRestrictedAllRows, || {
        constraint::add_without_looking(statement)
    })
}
