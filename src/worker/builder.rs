//! Builds the parts of a table's indexes that its partitions lack, beside readers and writers.
//!
//! A worker of its own for each table: a build may take hours, and partitions are to be made
//! meanwhile. Connected as the maintaining worker is; what it does is done as the table's owner.

use super::maintenance;
use crate::catalog::{history, policy};
use crate::error::Error;
use crate::maintain::deed;
use crate::maintain::drift::{Drift, Remedy};
use crate::maintain::managed::Table;
use crate::maintain::outcome::Outcome;
use crate::maintain::parts::Part;
use crate::maintain::repair;
use crate::pg::transaction::{Failure, unit};
use crate::pg::{interrupts, top_level};
use crate::plan::indexes::Building;
use pgrx::pg_sys;
use std::time::{Duration, Instant};

/// How long a build waits at a time for transactions that were there before. Nobody waits for it
/// meanwhile but VACUUM and what changes the partition itself.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Between attempts to attach.
const PAUSE: Duration = Duration::from_millis(200);

/// Builds all that is missing, one after the other. One that fails stops no other.
pub fn run(parent: pg_sys::Oid) {
    let missing = match unit(|| missing(parent)) {
        Ok(missing) => missing,
        Err(failure) => {
            pgrx::log!("pg_partman_rs indexes: {}", failure.message);
            return;
        }
    };
    for (drift, index) in missing {
        interrupts::check();
        if !is_wanted(parent) {
            return;
        }
        let began = Instant::now();
        if let Err(failure) = build(parent, &drift, index) {
            tell(parent, &drift, &failure, began.elapsed());
        }
    }
}

/// What is missing, without what failed a short while ago; nothing where another worker is about it.
fn missing(parent: pg_sys::Oid) -> Result<Vec<(Drift, pg_sys::Oid)>, Error> {
    // Held until this process ends.
    if !policy::building_lock(parent)?.try_for_session() {
        return Ok(Vec::new());
    }
    let mut missing = Vec::new();
    for drift in repair::drifts(parent)? {
        let Remedy::Build(index) = drift.remedy else {
            continue;
        };
        if !history::has_repair_failed(parent, &drift.name.to_string())? {
            missing.push((drift, pg_sys::Oid::from(index)));
        }
    }
    Ok(missing)
}

/// Whether the policy is there, says so still, and quiet hours have not begun.
fn is_wanted(parent: pg_sys::Oid) -> bool {
    let policy = unit(|| policy::find(parent)).unwrap_or_default();
    policy.is_some_and(|policy| policy.repair && maintenance::may_go_on(&policy))
}

fn build(parent: pg_sys::Oid, drift: &Drift, index: pg_sys::Oid) -> Result<(), Failure> {
    let began = Instant::now();
    // One that will do may be there: made by hand, or by a worker that ended before it attached it.
    if attach(parent, drift, index, began)? {
        return Ok(());
    }
    let leaf = pg_sys::Oid::from(drift.partition);
    let read = || {
        unit(|| {
            let owner = Table::read(parent)?.owner;
            let part = Part::read(pg_sys::Oid::from(drift.parent), leaf, index)?;
            Ok(part.map(|part| (owner, part)))
        })
    };
    let Some((owner, part)) = read()? else {
        return Ok(());
    };
    if part.is_exclusive() {
        return Ok(());
    }
    clear(owner, &part)?;
    // SHARE UPDATE EXCLUSIVE on the partition, from its begin to its end: readers and writers go on.
    let built = top_level::run(owner, PATIENCE, &part.statement(Building::Concurrently));
    if let Err(failure) = built {
        // What is left would cost each writer, and help nobody. Where this fails, the next run does it.
        if let Some((owner, part)) = read()? {
            clear(owner, &part)?;
        }
        return Err(failure);
    }
    attach(parent, drift, index, began).map(drop)
}

/// Drops what a build that did not end has left.
fn clear(owner: pg_sys::Oid, part: &Part) -> Result<(), Failure> {
    match part.leftover() {
        // SHARE UPDATE EXCLUSIVE on the partition, ACCESS EXCLUSIVE on nothing that is in use.
        Some(_) => top_level::run(owner, PATIENCE, &part.clearing_statement()),
        None => Ok(()),
    }
}

/// Attaches a part that is there, and records it; `false` where there is none.
fn attach(
    parent: pg_sys::Oid,
    drift: &Drift,
    index: pg_sys::Oid,
    began: Instant,
) -> Result<bool, Failure> {
    let leaf = pg_sys::Oid::from(drift.partition);
    let mut tried = 1;
    loop {
        let attached = unit(|| {
            let table = Table::read(parent)?;
            let is_attached = table.as_owner(|| {
                // Its locks last until the end of the transaction: a moment.
                let is_there = repair::take(&table, drift)?;
                let part = Part::read(pg_sys::Oid::from(drift.parent), leaf, index)?;
                match part.filter(|_| is_there) {
                    Some(part) => part.attach(),
                    None => Ok(false),
                }
            })?;
            if is_attached {
                let told = format!("repaired: {}", drift.what);
                history::note(&outcome(&table, drift, told), began.elapsed())?;
            }
            Ok(is_attached)
        });
        match attached {
            Err(failure) if failure.is_transient() && tried < deed::TRIES => {
                interrupts::nap(PAUSE * tried);
                tried += 1;
            }
            other => return other,
        }
    }
}

fn outcome(table: &Table, drift: &Drift, told: String) -> Outcome {
    Outcome {
        partition: Some(drift.name.to_string()),
        ..Outcome::of(table, "repair", told)
    }
}

fn tell(parent: pg_sys::Oid, drift: &Drift, failure: &Failure, taken: Duration) {
    let told = unit(|| {
        let table = Table::read(parent)?;
        let failed = outcome(&table, drift, String::new()).failed(failure);
        history::note(&failed, taken)
    });
    if told.is_err() {
        pgrx::log!("pg_partman_rs indexes: {}", failure.message);
    }
}
