//! The tables that foreign keys link with the source: how the swap locks them.
//!
//! Where keys are made in the swap, that takes about a third of a millisecond for each partition on either side. Were
//! these tables then locked until the swap is done, whoever has written to the source, or read it, and now wants to
//! write to one of them would wait for us with a lock that we want: with some load there is always one, and the swap
//! would never be. So the keys are made first, when nothing is locked on the source, and the tables are given back to
//! their writers; what has been made nobody sees until we commit. What stays is SHARE UPDATE EXCLUSIVE, which
//! lets rows change, but neither partitions, nor triggers, nor constraints. Then all that the swap needs is locked, and
//! nothing that takes time is done between two locks.

use super::exchanged_keys::Exchanged;
use super::{foreign_keys, incoming_keys};
use crate::catalog::foreign_key;
use crate::catalog::job::Job;
use crate::error::Error;
use crate::pg::lock::{self, Allowance, Mode};
use crate::plan::dependents::{locked_for_keys, referenced};
use crate::plan::facts::Facts;
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// Makes the foreign keys that are left to the transaction of the swap, before all else.
pub fn make_keys(
    job: &Job,
    twin: pg_sys::Oid,
    now: Option<&Facts>,
    allowance: &Allowance,
) -> Result<(), Error> {
    let mut tables = BTreeSet::new();
    if foreign_keys::are_made_in_the_swap(job) {
        tables.extend(referenced(foreign_keys::of_result(job)));
    }
    if let Some(now) = now.filter(|now| incoming_keys::are_made_in_the_swap(job, Some(now))) {
        let keys = now.dependents.incoming_keys.iter();
        tables.extend(keys.map(|key| key.relation));
    }
    let mut locked = Vec::new();
    for table in tables {
        // SHARE ROW EXCLUSIVE, which ALTER TABLE wants to make a key, with all partitions, while the keys are made.
        // Who writes there waits; so does who comes from the source, but not we for him.
        let table = pg_sys::Oid::from(table);
        locked.extend(lock_with_partitions(table, allowance)?);
    }
    foreign_keys::make(job, twin, now)?;
    incoming_keys::make(job, now)?;
    // SHARE UPDATE EXCLUSIVE from here on, until the end of this transaction.
    (locked.into_iter()).try_for_each(|table| {
        lock::weaken(table, Mode::ShareRowExclusive, Mode::ShareUpdateExclusive)
    })
}

/// Locks them all against writers, before the source is locked: at once, since [`make_keys`] has been there.
///
/// SHARE ROW EXCLUSIVE, until the end of this transaction (milliseconds), on what its foreign keys
/// point at, and on tables whose foreign keys point at it: of the triggers there, those of the
/// source's give way to those of the twin's. Whoever has written there, and has checks of it left
/// to the end of his transaction, has gone by then.
///
/// Before the source, as who deletes what it points at asks: his rows are locked first, then those
/// that point at them. Who writes to the source asks the other way around, but for ROW SHARE, which
/// goes with this lock; and so does reading. Who inserts what points at the source asks in this order,
/// too. Who deletes from the source what other rows point at asks the other way around only where that
/// cascades (else for ROW SHARE): such a one, met between its two locks, waits for us, and we for it;
/// then we find out first, or our time, one for all locks of the attempt, is up long before its `deadlock_timeout`, and the next attempt meets another moment.
/// Of a table whose default partition the source is, likewise what foreign keys link it with.
pub fn lock_all(
    exchanged: Option<&Exchanged>,
    now: Option<&Facts>,
    allowance: &Allowance,
) -> Result<(), Error> {
    let tables: Vec<pg_sys::Oid> = match (exchanged, now) {
        (Some(exchanged), _) => exchanged.linked(),
        (None, Some(facts)) => (locked_for_keys(&facts.dependents).into_iter())
            .map(pg_sys::Oid::from)
            .collect(),
        (None, None) => Vec::new(),
    };
    (tables.into_iter()).try_for_each(|table| lock_with_partitions(table, allowance).map(drop))
}

/// Locks a table and its partitions, which have triggers of its keys, too, SHARE ROW EXCLUSIVE; tells what is locked. No
/// writer is there then, nor checks that one has left to the end of his transaction; partitions neither
/// come nor go.
fn lock_with_partitions(
    table: pg_sys::Oid,
    allowance: &Allowance,
) -> Result<Vec<pg_sys::Oid>, Error> {
    allowance.lock(table, Mode::ShareRowExclusive);
    let mut locked = vec![table];
    // Parents before partitions, as queries ask.
    let mut parents = vec![table];
    while let Some(parent) = parents.pop() {
        for (partition, has_partitions) in foreign_key::partitions_of(parent)? {
            allowance.lock(partition, Mode::ShareRowExclusive);
            locked.push(partition);
            if has_partitions {
                parents.push(partition);
            }
        }
    }
    Ok(locked)
}
