//! Partitions of a table with a guard: before one can go, the keys of its rows are taken out of the guard, since
//! what is in there points at it. Why that is right: docs/internals/guard.md.
//!
//! A worker takes them batch by batch, each in a short transaction, and leaves word before the first: whatever ends
//! it, the next run goes on, or gives the keys back. The last few are taken under the lock under which the partition
//! goes, when nobody writes to it any more.

use super::act::unchanged;
use super::detach::{Disposal, is_still_there};
use super::read::Subject;
use super::referenced::{self, Key};
use super::schedule;
use super::set::Leaf;
use crate::catalog::leaving::{self, Leaving};
use crate::catalog::{foreign_key, guard, policy, retirement, table};
use crate::convert::foreign_keys::unmake;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::lock::{self, Allowance, Mode};
use crate::pg::relation::Relation;
use crate::pg::transaction::{self, Failure, unit};
use crate::pg::{interrupts, settings};
use crate::plan::guarded::{Extent, Guarded, Pages};
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;
use std::time::Instant;

/// So many keys are taken in one transaction, and so many may be left for the lock that everybody waits for: tens
/// of milliseconds.
pub const BATCH: i64 = 1000;

/// Rows of so many pages get their keys back in one transaction.
const PAGES: u32 = 16;

/// What is told where there are more, and no worker is about it.
pub const LEFT_TO_WORKER: &str = "the worker takes their keys out of the guard first";

/// The keys of a partition's rows.
pub struct Keys<'a> {
    subject: &'a Subject,
    partition: pg_sys::Oid,
    guarded: Guarded,
    extent: Extent,
    /// Those of other tables that point at them.
    pointing: Vec<Key>,
}

/// What of a guard points at a partition, where the guard is such that it can be taken out.
pub fn of<'a>(subject: &'a Subject, leaf: &Leaf) -> Result<Option<Keys<'a>>, Error> {
    let guarded = guard::of(subject.parent)?.filter(|guarded| guarded.has_index);
    let Some(guarded) = guarded.filter(|guarded| guarded.at.table == subject.column) else {
        return Ok(None);
    };
    Ok(Some(Keys {
        subject,
        partition: pg_sys::Oid::from(leaf.oid),
        extent: Extent {
            lower: leaf
                .lower
                .map(|key| subject.first_literal(key))
                .transpose()?,
            upper: leaf
                .upper
                .map(|key| subject.last_literal(key))
                .transpose()?,
            ..Extent::default()
        },
        pointing: referenced::keys_to(pg_sys::Oid::from(guarded.oid))?,
        guarded,
    }))
}

impl Keys<'_> {
    pub fn guarded(&self) -> &Guarded {
        &self.guarded
    }

    /// Those of other tables that point at keys of the guard.
    pub fn pointing(&self) -> &[Key] {
        &self.pointing
    }

    /// All of them, as a table in a query.
    pub fn all(&self) -> String {
        self.guarded.all(&self.extent)
    }

    /// As many as one transaction takes, likewise.
    pub fn some(&self) -> String {
        self.guarded.some(&self.extent, BATCH)
    }

    /// One of them, likewise.
    pub fn one(&self) -> String {
        self.guarded.some(&self.extent, 1)
    }

    /// Why the partition cannot go now, before anything is locked. The caller acts as the owner.
    pub fn too_many(&self) -> Result<Option<String>, Error> {
        if !transaction::sees_what_is_committed() {
            return Ok(Some(format!(
                "keys of its rows are in guard {}, and only a transaction that is READ COMMITTED sees all of them",
                self.guarded.name
            )));
        }
        let began = Instant::now();
        let count: i64 = db::value(&self.guarded.count(&self.extent, BATCH + 1), &[])?;
        Ok(if count > BATCH {
            Some(LEFT_TO_WORKER.to_owned())
        } else if began.elapsed() > guc::swap_lock_timeout() {
            // What is deleted is passed over one by one, until no snapshot sees it any more.
            Some(format!(
                "what was deleted from guard {} is still in the way: VACUUM it, once older transactions have ended",
                self.guarded.name
            ))
        } else {
            None
        })
    }

    /// Takes the last ones, when the table is locked ACCESS EXCLUSIVE, and lets the partition go from the guard's
    /// foreign key; or tells why not, and all is to be taken back. The caller acts as the owner.
    pub fn let_go(&self) -> Result<Option<String>, Error> {
        // ACCESS EXCLUSIVE on the partition and all below it, which can be written to by themselves, and then SHARE ROW
        // EXCLUSIVE on the guard, which nobody but them writes to; until the end of the (sub)transaction, as the
        // lock on the table. Who checks a foreign key against the guard goes on.
        let allowance = Allowance::new(guc::swap_lock_timeout());
        for one in table::tree(self.partition)? {
            allowance.lock(one, Mode::AccessExclusive);
        }
        let guard = pg_sys::Oid::from(self.guarded.oid);
        allowance.lock(guard, Mode::ShareRowExclusive);
        if guard::of(self.subject.parent)?.as_ref() != Some(&self.guarded) {
            return Ok(Some(format!(
                "guard {} was just altered",
                self.guarded.name
            )));
        }
        if let Some((places, _)) = self.lock(&self.extent, true)? {
            if let Some(why) = self.referenced(&self.guarded.at_places(&places))? {
                return Ok(Some(why));
            }
            db::run(&self.guarded.take(&places), &[])?;
        }
        if db::has_rows(&self.guarded.is_any(&self.extent))? {
            return Ok(Some(LEFT_TO_WORKER.to_owned()));
        }
        // DETACH would look for them by all of its rows, while everybody waits. There are none: the guard's index
        // says so, and nobody writes there. Without its part of the foreign key it does not look.
        let pointing = foreign_key::pointing_at(self.partition)?.into_iter();
        let of_guard = pointing.filter(|key| key.part.by == guard && key.target != self.partition);
        unmake(&of_guard.map(|key| key.part.oid).collect::<Vec<_>>())?;
        leaving::forget(self.partition)?;
        Ok(None)
    }

    /// Which foreign key points at one of these.
    pub fn referenced(&self, keys: &str) -> Result<Option<String>, Error> {
        for key in &self.pointing {
            if let Some(example) = key.example(keys, &self.guarded.shown("p"))? {
                return Ok(Some(format!(
                    "rows are referenced by {}: {example}, for one",
                    key.in_words()
                )));
            }
        }
        Ok(None)
    }

    fn lock(&self, extent: &Extent, waits: bool) -> Result<Option<(String, String)>, Error> {
        let locked = db::row(&self.guarded.lock(extent, BATCH, waits), &[], |row| {
            let (places, last): (Option<String>, Option<String>) = (row.find(1)?, row.find(2)?);
            Ok(places.zip(last))
        })?;
        Ok(locked.flatten())
    }

    fn as_owner<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.subject.as_owner(|| {
            settings::within(&settings::AS_WRITTEN, || {
                lock::wait_no_longer_than(guc::swap_lock_timeout());
                work()
            })
        })
    }

    /// Whether the keys of some rows are pointed at; the last of them, where there are more.
    fn look(&self, behind: Option<String>) -> Result<(Option<String>, Option<String>), Error> {
        let extent = Extent {
            behind,
            ..self.extent.clone()
        };
        self.as_owner(|| {
            let end: Option<String> =
                db::row(&self.guarded.end_of_batch(&extent, BATCH), &[], |row| {
                    row.get(1)
                })?;
            let batch = Extent {
                up_to: end.clone(),
                ..extent
            };
            Ok((end, self.referenced(&self.guarded.all(&batch))?))
        })
    }

    /// Takes as many keys as one transaction takes, from that value of the partition column on.
    fn batch(&self, terms: &str, from: Option<String>) -> Result<Batch, Error> {
        if let Some(stop) = self.unwanted(terms)? {
            return Ok(stop);
        }
        let lower = from.or_else(|| self.extent.lower.clone());
        let extent = Extent {
            lower,
            ..self.extent.clone()
        };
        self.as_owner(|| {
            // ROW EXCLUSIVE on the guard, and its rows FOR UPDATE, until commit: who wants to point at one waits, as does
            // who deletes the row or moves it. It waits for nobody itself: what others have locked is left for
            // the lock under which the partition goes.
            let Some((places, last)) = self.lock(&extent, false)? else {
                return Ok(Batch::NoMore);
            };
            // Nobody can come to point at them from here on; who did so before has committed.
            if let Some(why) = self.referenced(&self.guarded.at_places(&places))? {
                return Ok(Batch::Stop(why));
            }
            db::run(&self.guarded.take(&places), &[])?;
            Ok(Batch::Taken(last))
        })
    }

    /// Why no more are to be taken.
    fn unwanted(&self, terms: &str) -> Result<Option<Batch>, Error> {
        let parent = self.subject.parent;
        let is_attached = retirement::look(self.partition)?
            .is_some_and(|seen| seen.parent == Some((parent, false)));
        let policy = policy::find(parent)?;
        let why = if !leaving::holds(self.partition)? || !is_attached {
            "somebody else has retired it"
        } else if policy
            .as_ref()
            .is_none_or(|policy| policy.retention_terms() != terms)
        {
            "the policy says otherwise by now"
        } else if policy::pinned(parent)?.contains(&self.partition) {
            "it is pinned"
        } else {
            let quiet_hours = policy
                .map(|policy| policy::quiet_hours(&policy))
                .transpose()?;
            return Ok(
                match quiet_hours.flatten().is_some_and(schedule::is_quiet) {
                    true => Some(Batch::Rest),
                    false => None,
                },
            );
        };
        Ok(Some(Batch::Stop(why.to_owned())))
    }
}

/// What taking some keys came to.
enum Batch {
    /// The partition column of the last one.
    Taken(String),
    NoMore,
    /// They are to be given back; why.
    Stop(String),
    /// The next run goes on.
    Rest,
}

/// What taking the keys of a partition's rows came to.
pub enum Taking {
    /// There are so few left that the rest can be done under the lock.
    Taken,
    /// What is told of it.
    NotTaken(String),
}

/// Takes the keys of a partition's rows, batch by batch; nothing where there is no guard.
///
/// Outside any transaction.
pub fn take(subject: &Subject, leaf: &Leaf, disposal: &Disposal) -> Result<Taking, Failure> {
    let Some(keys) = unit(|| of(subject, leaf))? else {
        return Ok(Taking::Taken);
    };
    // Before any is taken: it would only have to be given back.
    let mut behind = None;
    loop {
        let (end, why) = unit(|| keys.look(behind))?;
        if let Some(why) = why {
            return stop(subject, keys.partition, &why);
        }
        if end.is_none() {
            break;
        }
        behind = end;
    }
    let wanted = unit(|| {
        let is_begun = leaving::holds(keys.partition)?;
        match keys.as_owner(|| keys.too_many())? {
            Some(_) => {}
            // All at once, or not at all.
            None => return Ok(Wanted::UnderTheLock),
        }
        if !is_still_there(&unchanged(subject)?, leaf) {
            return Ok(Wanted::NoMore);
        }
        // Rows are locked when they get their keys back, which is done as the table's owner.
        for leaf in leaves(keys.partition)? {
            let open = Relation::try_open(leaf, Mode::AccessShare);
            if let Some(open) = open.filter(|open| open.owner() != subject.owner) {
                return Ok(Wanted::NotAtAll(format!(
                    "keys of its rows are in guard {}, and table {} has another owner",
                    keys.guarded.name,
                    open.name()
                )));
            }
        }
        if !is_begun {
            leaving::note(&Leaving {
                partition: keys.partition,
                parent: subject.parent,
                guard: pg_sys::Oid::from(keys.guarded.oid),
            })?;
        }
        Ok(Wanted::InBatches)
    })?;
    match wanted {
        Wanted::InBatches => {}
        Wanted::UnderTheLock => return Ok(Taking::Taken),
        Wanted::NotAtAll(why) => return stop(subject, keys.partition, &why),
        Wanted::NoMore => return Ok(Taking::NotTaken(super::outcome::SOMEBODY_ELSE.to_owned())),
    }
    failpoint("retire:noted")?;
    let mut from = None;
    loop {
        interrupts::check();
        match unit(|| keys.batch(&disposal.terms, from))? {
            Batch::Taken(last) => from = Some(last),
            Batch::NoMore => return Ok(Taking::Taken),
            Batch::Stop(why) => return stop(subject, keys.partition, &why),
            Batch::Rest => return Ok(Taking::NotTaken(super::outcome::QUIET.to_owned())),
        }
        failpoint("retire:keys_taken")?;
    }
}

enum Wanted {
    InBatches,
    UnderTheLock,
    /// Why not.
    NotAtAll(String),
    NoMore,
}

/// Gives back what was taken, if any was, and tells why.
fn stop(subject: &Subject, partition: pg_sys::Oid, why: &str) -> Result<Taking, Failure> {
    let mut told = format!("skipped: {why}");
    if unit(|| leaving::holds(partition))? {
        give_back_in_batches(subject, partition)?;
        if let Returned::ButFor(example) = unit(|| give_back(subject, partition))? {
            told = format!("{told}; {}", but_for(&example));
        }
    }
    Ok(Taking::NotTaken(told))
}

/// What giving keys back came to.
pub enum Returned {
    All,
    /// The key of one that is another row's by now.
    ButFor(String),
    /// It is no partition any more.
    Gone,
}

/// What is told where rows stay without their keys.
pub fn but_for(example: &str) -> String {
    format!(
        "keys of its rows are those of other rows by now, {example} for one: delete one of the two rows"
    )
}

/// Gives back the keys of most rows of a partition, in short transactions.
///
/// Outside any transaction.
pub fn give_back_in_batches(subject: &Subject, partition: pg_sys::Oid) -> Result<(), Failure> {
    let Some(guarded) = unit(|| guard::of(subject.parent))? else {
        return Ok(());
    };
    for leaf in unit(|| leaves(partition))? {
        let mut from = 0;
        loop {
            interrupts::check();
            let is_over = unit(|| {
                // ACCESS SHARE on it, and what the statement takes, until commit.
                let open = Relation::try_open(leaf, Mode::AccessShare);
                let Some(open) = open.filter(|open| from < open.blocks()) else {
                    return Ok(true);
                };
                let to = from.saturating_add(PAGES);
                let statement = guarded.give_back(&open.name(), Some(Pages { from, to }));
                subject.as_owner(|| {
                    lock::wait_no_longer_than(guc::swap_lock_timeout());
                    db::run(&statement, &[])
                })?;
                Ok(false)
            })?;
            if is_over {
                break;
            }
            failpoint("retire:keys_given_back")?;
            from = from.saturating_add(PAGES);
        }
    }
    Ok(())
}

/// Gives back the keys of all rows of a partition, and forgets that they were taken.
pub fn give_back(subject: &Subject, partition: pg_sys::Oid) -> Result<Returned, Error> {
    let guarded = guard::of(subject.parent)?;
    // ROW SHARE on the partition and all below it, until the end of the (sub)transaction: its rows are locked FOR KEY
    // SHARE. Who reads and writes goes on, but for who deletes one of them or changes its key; nobody detaches it.
    for one in table::tree(partition)? {
        lock::relation(one, Mode::RowShare, guc::swap_lock_timeout());
    }
    let seen = retirement::look(partition)?;
    let is_attached = seen
        .as_ref()
        .is_some_and(|seen| seen.parent == Some((subject.parent, false)));
    let (Some(guarded), Some(seen), true) = (guarded, seen, is_attached) else {
        leaving::forget(partition)?;
        return Ok(Returned::Gone);
    };
    let example = subject.as_owner(|| {
        for leaf in leaves(partition)? {
            if let Some(name) = table::qualified_name(leaf)? {
                db::run(&guarded.give_back(&name, None), &[])?;
            }
        }
        db::row(&guarded.taken_by_another(&seen.name), &[], |row| row.get(1))
    })?;
    match example {
        Some(example) => Ok(Returned::ButFor(example)),
        None => {
            leaving::forget(partition)?;
            Ok(Returned::All)
        }
    }
}

/// The tables below a partition that have rows of their own, or itself.
fn leaves(partition: pg_sys::Oid) -> Result<Vec<pg_sys::Oid>, Error> {
    let mut tree = table::tree(partition)?;
    // ACCESS SHARE on each, until the end of the (sub)transaction.
    tree.retain(|one| {
        Relation::try_open(*one, Mode::AccessShare).is_some_and(|open| open.is_plain())
    });
    Ok(tree)
}

/// Notes the keys of the rows of a table that is to become a partition again, or just has; a key that another row has
/// by now, if so. Nobody writes to the table. The caller acts as the owner.
pub fn note_all(guarded: &Guarded, table: &QualifiedName) -> Result<Option<String>, Error> {
    let taken: Option<String> = db::row(&guarded.taken_meanwhile(table), &[], |row| row.get(1))?;
    if taken.is_none() {
        db::run(&guarded.note_all(table), &[])?;
    }
    Ok(taken)
}
