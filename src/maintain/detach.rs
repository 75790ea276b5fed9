//! Retires partitions: each in a moment, under a lock that is waited for only shortly.

use super::act::{run, unchanged};
use super::family;
use super::leaving;
use super::managed::Table;
use super::read::Subject;
use super::recycle;
use super::set::Leaf;
use crate::catalog::policy::{self, Action};
use crate::catalog::table;
use crate::convert::{drop_table, drop_tables};
use crate::error::Error;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::relation::Relation;
use crate::plan::names::{Names, QualifiedName};
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// What becomes of a partition that is retired.
#[derive(Clone, Debug)]
pub struct Disposal {
    pub action: Action,
    /// Where it goes; `None` where it stays in its schema.
    pub schema: Option<String>,
    /// What the policy says about old partitions, of which this follows.
    pub terms: String,
}

/// Whether a partition is still what it was when it was found to be old.
pub fn is_still_there(now: &Subject, leaf: &Leaf) -> bool {
    now.set.leaves.iter().any(|other| {
        (other.oid, other.lower, other.upper) == (leaf.oid, leaf.lower, leaf.upper)
            && !other.is_pinned
    })
}

/// What an attempt to retire a partition came to.
pub enum Retired {
    /// The name that it has then.
    As(QualifiedName),
    /// Somebody else has done it meanwhile.
    Nothing,
    /// Why not. What was done is to be taken back.
    NotTried(String),
}

/// Detaches a partition, and does with it what is wanted.
pub fn retire(subject: &Subject, leaf: &Leaf, disposal: &Disposal) -> Result<Retired, Error> {
    subject.as_owner(|| {
        if let Some(keys) = leaving::of(subject, leaf)?
            && let Some(why) = keys.too_many()?
        {
            return Ok(Retired::NotTried(why));
        }
        let now = locked(subject)?;
        if !is_still_there(&now, leaf) {
            return Ok(Retired::Nothing);
        }
        if let Some(keys) = leaving::of(&now, leaf)?
            && let Some(why) = keys.let_go()?
        {
            return Ok(Retired::NotTried(why));
        }
        let oid = pg_sys::Oid::from(leaf.oid);
        let name = Relation::open(oid, Mode::AccessExclusive).name();
        let kept = match disposal.action {
            Action::Recycle => Some(recycle::look(&now, leaf)?),
            Action::Drop | Action::Detach | Action::Move => None,
        };
        run(
            Sql::template("ALTER TABLE {parent} DETACH PARTITION {name}")
                .name("parent", &now.name)
                .name("name", &name),
        )?;
        if let Some(kept) = kept {
            recycle::keep(&kept.recycled, &kept.condition, &name)?;
        }
        dispose(oid, name, disposal.action, disposal.schema.as_deref()).map(Retired::As)
    })
}

/// Does with a table that was just detached what is wanted; returns its name as it then is.
pub fn dispose(
    oid: pg_sys::Oid,
    name: QualifiedName,
    action: Action,
    schema: Option<&str>,
) -> Result<QualifiedName, Error> {
    if action == Action::Drop {
        drop_table(oid, &name)?;
    }
    match schema {
        Some(schema) => put_whole(oid, schema),
        None => Ok(name),
    }
}

/// Ends what `DETACH PARTITION … CONCURRENTLY` began and did not end; `false` where somebody else has
/// done so meanwhile. The table stays, by itself: nobody has left word what is to become of it.
pub fn finalize(table: &Table, partition: pg_sys::Oid) -> Result<bool, Error> {
    table.as_owner(|| {
        // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: readers and
        // writers go on, while who is still detaching holds the same, and is waited for shortly. FINALIZE
        // then takes ACCESS EXCLUSIVE on the partition, which is nobody's partition any more, when all
        // snapshots that have seen it as one are gone: likewise within the time-out.
        family::lock(table.parent, Mode::ShareUpdateExclusive)?;
        let now = table.unchanged()?;
        if !table::half_detached(table.parent)?.contains(&partition) {
            return Ok(false);
        }
        let Some(name) = table::qualified_name(partition)? else {
            return Ok(false);
        };
        end(&now, &name)?;
        Ok(true)
    })
}

/// Drops partitions in one statement, which is much faster than to detach each: all of them, or it
/// fails. `false` where somebody else has retired one meanwhile.
///
/// Not where a foreign key refers to the table: DETACH sees to that no row refers to the partition.
pub fn drop_all(subject: &Subject, leaves: &[&Leaf]) -> Result<Vec<bool>, Error> {
    subject.as_owner(|| {
        let now = locked(subject)?;
        let are_there: Vec<bool> = leaves
            .iter()
            .map(|leaf| is_still_there(&now, leaf))
            .collect();
        let tables: Vec<(pg_sys::Oid, QualifiedName)> = leaves
            .iter()
            .zip(&are_there)
            .filter(|(_, is_there)| **is_there)
            .map(|(leaf, _)| {
                let oid = pg_sys::Oid::from(leaf.oid);
                (oid, Relation::open(oid, Mode::AccessExclusive).name())
            })
            .collect();
        if !tables.is_empty() {
            drop_tables(&tables)?;
        }
        Ok(are_there)
    })
}

/// The table as it is now that it is locked for retirements.
fn locked(subject: &Subject) -> Result<Subject, Error> {
    // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: readers and writers go on
    // while its partitions are read, and nobody changes them from here on.
    family::lock(subject.parent, Mode::ShareUpdateExclusive)?;
    let mut now = unchanged(subject)?;
    // ACCESS EXCLUSIVE on the parent, before any partition, until the end of the (sub)transaction:
    // everybody waits for it, hence the time-out. DETACH and DROP want it, and asking for the parent
    // first is what queries do: no deadlock.
    lock::relation(
        subject.parent,
        Mode::AccessExclusive,
        guc::swap_lock_timeout(),
    );
    // A pin takes no lock.
    let pinned = policy::pinned(subject.parent)?;
    for leaf in &mut now.set.leaves {
        leaf.is_pinned = pinned.contains(&pg_sys::Oid::from(leaf.oid));
    }
    Ok(now)
}

/// Ends a detaching. The caller has locked the table.
pub fn end(now: &Table, name: &QualifiedName) -> Result<(), Error> {
    run(
        Sql::template("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE")
            .name("parent", &now.name)
            .name("name", name),
    )
}

/// Puts a table into another schema with all that are its partitions, and returns its name there.
///
/// ACCESS EXCLUSIVE on each of them, parents first, until the end of the (sub)transaction: a moment, and
/// nobody comes by the table itself any more.
fn put_whole(oid: pg_sys::Oid, schema: &str) -> Result<QualifiedName, Error> {
    for one in table::tree(oid)? {
        let name = Relation::open(one, Mode::AccessExclusive).name();
        put(one, name, schema)?;
    }
    table::qualified_name(oid)?.ok_or_else(|| Error::NoRelation { oid: oid.to_u32() })
}

/// Puts a table into another schema, where indexes go with it. What has a name there that is taken gets a
/// number. Nobody gets a right on the table by that.
fn put(oid: pg_sys::Oid, name: QualifiedName, schema: &str) -> Result<(), Error> {
    if name.schema == schema {
        return Ok(());
    }
    for index in table::indexes(oid)? {
        if table::is_taken(schema, &index)? {
            run(Sql::template("ALTER INDEX {index} RENAME TO {free}")
                .name("index", &QualifiedName::new(&name.schema, &index))
                .ident("free", &free_in_both(&name.schema, schema, &index)?))?;
        }
    }
    let mut free = name.name.clone();
    if table::is_taken(schema, &free)? {
        free = free_in_both(&name.schema, schema, &free)?;
        run(Sql::template("ALTER TABLE {name} RENAME TO {free}")
            .name("name", &name)
            .ident("free", &free))?;
    }
    run(Sql::template("ALTER TABLE {name} SET SCHEMA {schema}")
        .name("name", &QualifiedName::new(&name.schema, &free))
        .ident("schema", schema))
}

/// A name with a number that neither schema has: it is renamed in the one, and then put into the other.
fn free_in_both(from: &str, to: &str, name: &str) -> Result<String, Error> {
    let mut number: u64 = 1;
    loop {
        let free = Names::new([]).derive(name, &number.to_string());
        if !table::is_taken(from, &free)? && !table::is_taken(to, &free)? {
            return Ok(free);
        }
        number += 1;
    }
}
