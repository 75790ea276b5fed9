//! The recycle bin: what was retired can be had back until its grace period has passed.

use super::act::{run, unchanged};
use super::adopt::{may_steer, named};
use super::family;
use super::leaving;
use super::outcome::Outcome;
use super::read::{self, Subject};
use super::referenced;
use super::set::Leaf;
use crate::catalog::recycled::{self, Recycled};
use crate::catalog::{guard, history, policy, table};
use crate::convert::drop_table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::{role, settings};
use crate::plan::bounds::RangeBound;
use crate::plan::guarded::Guarded;
use crate::plan::names::{Names, QualifiedName};
use crate::plan::sql::Sql;
use crate::request;
use pgrx::pg_sys;
use std::time::Instant;

/// What is to be known of a partition when it is none any more.
pub struct Kept {
    pub recycled: Recycled,
    /// The condition that its bounds are, as PostgreSQL wrote it.
    pub condition: String,
    /// The names of its constraints.
    pub constraints: Vec<String>,
}

/// Reads what is to be known of a partition, before it is detached.
pub fn look(subject: &Subject, leaf: &Leaf) -> Result<Kept, Error> {
    let oid = pg_sys::Oid::from(leaf.oid);
    let literal = |bound: Option<i64>| {
        let bound = bound.map(|bound| RangeBound::at(subject.set.key, bound));
        bound.and_then(|bound| bound.ok().map(|bound| bound.literal))
    };
    let (bounds, condition, taken): (String, String, Vec<String>) =
        settings::within(&settings::AS_WRITTEN, || {
            db::row(
                "SELECT pg_get_expr(c.relpartbound, c.oid), pg_get_partition_constraintdef(c.oid), \
                        ARRAY(SELECT k.conname::text FROM pg_constraint k WHERE k.conrelid = c.oid) \
                   FROM pg_class c WHERE c.oid = $1",
                &[oid.into()],
                |row| Ok((row.get(1)?, row.get(2)?, row.get(3)?)),
            )
        })?
        .ok_or(Error::NoRelation { oid: leaf.oid })?;
    Ok(Kept {
        recycled: Recycled {
            partition: oid,
            parent: subject.parent,
            bounds,
            lower: literal(leaf.lower),
            upper: literal(leaf.upper),
            constraint: Names::new(taken.clone()).derive("partman_rs", "bounds"),
        },
        condition,
        constraints: taken,
    })
}

/// Puts a table into the bin that has just been detached.
///
/// Its CHECK keeps rows within the bounds from now on, and is not validated here, under a lock that
/// everybody waits for: [`restore`] does that, while nobody waits.
pub fn keep(was: &Recycled, condition: &str, name: &QualifiedName) -> Result<(), Error> {
    run(Sql::template(
        "ALTER TABLE {name} ADD CONSTRAINT {constraint} CHECK ({condition}) NOT VALID",
    )
    .name("name", name)
    .ident("constraint", &was.constraint)
    .trusted("condition", condition))?;
    recycled::note(was)
}

/// The same for one that has such a CHECK already, of which the bin's is made.
pub fn keep_by(was: &Recycled, check: &str, name: &QualifiedName) -> Result<(), Error> {
    run(
        Sql::template("ALTER TABLE {name} RENAME CONSTRAINT {check} TO {constraint}")
            .name("name", name)
            .ident("check", check)
            .ident("constraint", &was.constraint),
    )?;
    recycled::note(was)
}

/// What an attempt to drop a table out of the bin came to.
pub enum Purge {
    Dropped,
    /// Somebody has dropped or restored it meanwhile.
    Gone,
    /// Somebody has made something else of it.
    TakenOver,
    /// A partition of it is pinned.
    Pinned,
}

/// Drops a table whose grace period has passed.
pub fn purge(subject: &Subject, recycled: &Recycled) -> Result<Purge, Error> {
    subject.as_owner(|| {
        // ACCESS EXCLUSIVE on this table alone, which is in nobody's way, until the end of the
        // (sub)transaction: who still reads it goes first, and restore_partition comes before or after.
        lock::relation(
            recycled.partition,
            Mode::AccessExclusive,
            guc::swap_lock_timeout(),
        );
        let now = recycled::find(recycled.partition)?;
        let name = table::qualified_name(recycled.partition)?;
        let (true, Some(name)) = (now.as_ref() == Some(recycled), name) else {
            return Ok(Purge::Gone);
        };
        if !recycled::is_untouched(recycled, subject.owner)? {
            return Ok(Purge::TakenOver);
        }
        if !policy::pinned(recycled.partition)?.is_empty() {
            return Ok(Purge::Pinned);
        }
        drop_table(recycled.partition, &name)?;
        recycled::forget(recycled.partition)?;
        Ok(Purge::Dropped)
    })
}

/// Attaches a table of the bin again, with the bounds it had, and pins it: it is as old as it was, and
/// the next run would retire it again. Returns its name.
pub fn restore(partition: pg_sys::Oid) -> Result<QualifiedName, Error> {
    let began = Instant::now();
    let (relation, owner) = named(partition)?;
    may_steer(owner, &relation)?;
    let found = recycled::find(partition)?;
    let recycled = found.ok_or(Error::NotRecycled { relation })?;
    let key_codec = policy::find(recycled.parent)?.and_then(|policy| policy.key_codec);
    let subject = read::subject(recycled.parent, key_codec.as_deref(), false)?;
    may_steer(subject.owner, &subject.name.name)?;
    may_return(&subject, &recycled)?;
    let name = subject.as_owner(|| attach(&subject, &recycled))?;
    recycled::forget(partition)?;
    policy::pin(
        partition,
        Some("restored from the recycle bin"),
        role::current(),
    )?;
    let restored = Outcome {
        partition: Some(name.to_string()),
        lower: recycled.lower,
        upper: recycled.upper,
        ..Outcome::of(&subject, "restore", "restored".to_owned())
    };
    history::note(&restored, began.elapsed())?;
    Ok(name)
}

fn attach(subject: &Subject, recycled: &Recycled) -> Result<QualifiedName, Error> {
    let guarded = guard::of(subject.parent)?;
    // SHARE UPDATE EXCLUSIVE on this table alone, until the end of the transaction: maintenance does
    // not drop it meanwhile, while it can still be read and written. Where keys of its rows are noted it cannot be
    // written: SHARE ROW EXCLUSIVE, on all below it, too.
    let (mode, tables) = match guarded {
        None => (Mode::ShareUpdateExclusive, vec![recycled.partition]),
        Some(_) => (Mode::ShareRowExclusive, table::tree(recycled.partition)?),
    };
    for one in tables {
        lock::relation(one, mode, guc::swap_lock_timeout());
    }
    let name = table::qualified_name(recycled.partition)?;
    let (true, Some(name)) = (
        recycled::find(recycled.partition)?.as_ref() == Some(recycled),
        name,
    ) else {
        return Err(Error::NotRecycled {
            relation: recycled.partition.to_u32().to_string(),
        });
    };
    // Looked through now, while only this table is locked: ATTACH then need not do it, which holds
    // the default partition.
    let has_check = recycled::is_untouched(recycled, subject.owner)?;
    if has_check {
        run(
            Sql::template("ALTER TABLE {name} VALIDATE CONSTRAINT {constraint}")
                .name("name", &name)
                .ident("constraint", &recycled.constraint),
        )?;
    }
    // Before the parent is locked, unless the guard looks for the row of each key.
    let (before, after) = match guarded {
        Some(guarded) if guarded.is_at_rest => (Some(guarded), None),
        guarded => (None, guarded),
    };
    let note = |guarded: Option<Guarded>| {
        let taken = guarded.map(|guarded| leaving::note_all(&guarded, &name));
        match taken.transpose()?.flatten() {
            None => Ok(()),
            Some(key) => Err(Error::NotRestorable {
                relation: name.name.clone(),
                parent: subject.name.name.clone(),
                detail: format!("Another row has the key of one of its rows by now: {key}."),
                hint: Some("Delete one of the two rows, then call restore_partition again."),
            }),
        }
    };
    note(before)?;
    // SHARE UPDATE EXCLUSIVE on the parent, until the end of the transaction: no reader or writer
    // waits for it, a run of maintenance does. ATTACH takes ACCESS EXCLUSIVE on the table itself,
    // and on the default partition, which is looked through: hence not where that takes long.
    family::lock(subject.parent, Mode::ShareUpdateExclusive)?;
    let now = unchanged(subject)?;
    may_return(&now, recycled)?;
    run(
        Sql::template("ALTER TABLE {parent} ATTACH PARTITION {name} {bounds}")
            .name("parent", &now.name)
            .name("name", &name)
            .trusted("bounds", &recycled.bounds),
    )?;
    note(after)?;
    if has_check {
        run(
            Sql::template("ALTER TABLE {name} DROP CONSTRAINT {constraint}")
                .name("name", &name)
                .ident("constraint", &recycled.constraint),
        )?;
    }
    Ok(name)
}

const MICROS_A_MILLISECOND: i64 = 1000;

/// Whether its range is free, and no row of it lies in the default partition: found out before a table is
/// looked through for nothing, and once more under the lock.
fn may_return(subject: &Subject, recycled: &Recycled) -> Result<(), Error> {
    let key = subject.set.key;
    let number = |literal: &Option<String>, open: i64| match literal {
        Some(literal) => {
            let sql = format!(
                "SELECT {} FROM (SELECT $1::text::{}) AS given(t)",
                request::as_key(key),
                key.sql_name()
            );
            db::value::<i64>(&sql, &[literal.as_str().into()])
        }
        None => Ok(open),
    };
    let refuse_with = |detail: &str, hint: Option<&'static str>| {
        Err(Error::NotRestorable {
            relation: table::name(recycled.partition)?.unwrap_or_default(),
            parent: subject.name.name.clone(),
            detail: detail.to_owned(),
            hint,
        })
    };
    let refuse = |detail: &str| refuse_with(detail, None);
    let differences = table::column_differences(recycled.partition, subject.parent)?;
    if !differences.is_empty() {
        return refuse_with(
            &format!(
                "Its columns are not those of the table any more: {}.",
                differences.join("; ")
            ),
            Some(
                "Alter them likewise (ALTER TABLE … RENAME COLUMN, ADD COLUMN, DROP COLUMN, or ALTER COLUMN … TYPE), then call restore_partition again.",
            ),
        );
    }
    if guard::of(subject.parent)?.is_none() && referenced::has_guard(subject.parent)? {
        return refuse_with(
            "The table that guards its keys has another owner than it, and does not have those of its rows.",
            Some(
                "Give both one owner (ALTER TABLE … OWNER TO …), then call restore_partition again.",
            ),
        );
    }
    let lower = number(&recycled.lower, i64::MIN)?;
    let upper = number(&recycled.upper, i64::MAX)?;
    // Bounds of ids are told to the millisecond, and a neighbour may begin within it: what overlaps
    // by less, ATTACH finds out.
    let blur = subject.codec.map_or(0, |_| MICROS_A_MILLISECOND);
    if subject
        .set
        .overlaps(lower.saturating_add(blur), upper.saturating_sub(blur))
    {
        return refuse("Another partition takes a part of its range now.");
    }
    let is_bounded = (recycled.lower.is_some(), recycled.upper.is_some());
    let lower = is_bounded
        .0
        .then(|| subject.lower_literal(lower))
        .transpose()?;
    let upper = is_bounded
        .1
        .then(|| subject.upper_literal(upper))
        .transpose()?;
    match subject.default_in_the_way(lower.as_deref(), upper.as_deref())? {
        Some(why) => refuse(&format!("It cannot be attached: {why}.")),
        None => Ok(()),
    }
}
