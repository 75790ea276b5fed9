//! Maintenance that is due in a database: table by table, each action in a transaction of its own.
//!
//! The worker is connected as the bootstrap superuser, as autovacuum's are. Whatever touches a
//! table is done as the table's owner, restricted (see [`crate::maintain::managed::Table::as_owner`]).

use super::start::{Assignment, Task, start};
use crate::catalog::decoding;
use crate::catalog::history::{self, Counted};
use crate::catalog::is_installed;
use crate::catalog::policy::{self, Policy};
use crate::error::Error;
use crate::guc;
use crate::maintain::deed::{self, Runner};
use crate::maintain::ensure;
use crate::maintain::outcome::Outcome;
use crate::maintain::schedule;
use crate::pg::transaction::{Failure, unit};
use crate::pg::{interrupts, lock};
use pgrx::pg_sys;
use std::time::Duration;

/// So long [`of_table`] waits for those who maintain the table already: then it is maintained, or will be when its turn comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Maintains all tables whose turn it is. One that fails stops no other.
pub fn run() -> Result<(), Failure> {
    let Some(interval) = guc::maintenance_interval() else {
        return Ok(());
    };
    for parent in unit(|| due(interval))? {
        interrupts::check();
        if let Err(failure) = maintain(parent) {
            pgrx::log!(
                "maintenance of table {} fails: {}",
                parent.to_u32(),
                failure.message
            );
        }
    }
    Ok(())
}

/// The tables whose turn it is; none where another worker is still busy with those before.
fn due(interval: Duration) -> Result<Vec<pg_sys::Oid>, Error> {
    // Held until this process ends, which is soon.
    if !is_installed() || !policy::worker_lock()?.try_for_session() {
        return Ok(Vec::new());
    }
    decoding::leave_out_own()?;
    history::tidy()?;
    let standings = policy::standings()?;
    let due = standings.iter().filter(|table| {
        let interval = schedule::interval(interval, table.own_interval);
        schedule::is_due(interval, table.seconds_since, table.failures)
    });
    Ok(due.map(|table| table.parent).collect())
}

/// Maintains one table, for which a session has asked that could not do all of it.
pub fn of_table(parent: pg_sys::Oid) {
    // The session that asked starts this worker before its transaction has given back the lock on the maintenance.
    let is_free = unit(|| {
        lock::wait_no_longer_than(PATIENCE);
        policy::lock(parent)?.alone();
        Ok(())
    });
    if let Err(failure) = is_free.and_then(|()| maintain(parent)) {
        pgrx::log!(
            "maintenance of table {} fails: {}",
            parent.to_u32(),
            failure.message
        );
    }
}

fn maintain(parent: pg_sys::Oid) -> Result<(), Failure> {
    let taken = unit(|| {
        let lock = policy::lock(parent)?;
        if !lock.try_for_session() {
            return Ok(None);
        }
        // Read under the lock: it may have been changed, or dropped, since it was found due.
        let policy = policy::find(parent)?;
        let policy = match policy {
            Some(policy) if is_quiet(&policy)? => None,
            policy => policy,
        };
        if policy.is_some() {
            history::began(parent)?;
        }
        Ok(Some((lock, policy)))
    })?;
    let Some((lock, policy)) = taken else {
        return Ok(());
    };
    let done = match policy {
        Some(policy) => {
            let outcomes = ensure::table(
                &policy,
                false,
                deed::TRIES,
                may_go_on,
                |work| unit(work),
                Runner::Worker,
            );
            let noted = unit(|| history::ended(parent, &outcomes, Counted::Before));
            match outcomes.iter().any(Outcome::is_left_to_builder) {
                // There may well be one already; then this one ends at once.
                true => noted.and(unit(|| start(Assignment::of_table(Task::Build, parent)))),
                false => noted,
            }
        }
        None => Ok(()),
    };
    lock.release_for_session();
    done
}

/// Whether the table is to be left alone now.
fn is_quiet(policy: &Policy) -> Result<bool, Error> {
    Ok(policy::quiet_hours(policy)?.is_some_and(schedule::is_quiet))
}

/// Whether quiet hours have not begun since. Where that cannot be told, the action tells why.
pub fn may_go_on(policy: &Policy) -> bool {
    !unit(|| is_quiet(policy)).unwrap_or(false)
}
