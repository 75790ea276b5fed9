//! With `shared_preload_libraries`: finds jobs that have lost their worker, and maintenance that is due.
//!
//! The launcher itself is connected to no database. Every so often it starts, one after the
//! other, a short-lived worker in each database, which looks for work and is gone again: nothing
//! stays connected to a database that has no work, so that it can be dropped.
#![allow(
    unsafe_code,
    reason = "registers a background worker; scans a shared catalog"
)]

use super::maintenance;
use super::start::{Assignment, Task, start};
use crate::catalog::job;
use crate::catalog::job::JobId;
use crate::guc;
use crate::pg::transaction::unit;
use crate::pg::{interrupts, signals};
use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::pg_sys;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether there is a launcher; set in the postmaster, and inherited by every process.
static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

/// Time between two runs of maintenance over a table; `None` where none is run by itself.
pub fn maintenance_interval() -> Option<Duration> {
    guc::maintenance_interval().filter(|_| IS_REGISTERED.load(Ordering::Relaxed))
}

/// Registers the launcher. Called while shared libraries are being preloaded.
pub fn register() {
    IS_REGISTERED.store(true, Ordering::Relaxed);
    BackgroundWorkerBuilder::new("pg_partman_rs launcher")
        .set_type("pg_partman_rs launcher")
        .set_library("pg_partman_rs")
        .set_function("pg_partman_rs_launcher")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(Duration::from_secs(5)))
        .load();
}

/// The launcher's main function.
///
/// # Safety
/// Called by PostgreSQL as the main function of a background worker.
#[unsafe(no_mangle)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn pg_partman_rs_launcher(_argument: pg_sys::Datum) {
    signals::handle();
    // SAFETY: done once; without a database only shared catalogs can be read.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    loop {
        for database in databases() {
            let look = Assignment {
                task: Task::Look,
                database,
                role: 0,
                job: 0,
                after: 0,
                number: 0,
            };
            if start(look).is_err() {
                // No slot now; the next round is soon enough.
                break;
            }
            interrupts::nap(Duration::from_millis(20));
        }
        interrupts::nap(guc::launcher_naptime());
        reload_settings();
    }
}

fn reload_settings() {
    // SAFETY: what every server process does on SIGHUP, at a safe point.
    unsafe {
        if pg_sys::ConfigReloadPending != 0 {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// The databases that can be connected to.
fn databases() -> Vec<u32> {
    let mut found = Vec::new();
    let scanned = unit(|| {
        // SAFETY: a scan of a shared catalog with a catalog snapshot, as autovacuum's launcher
        // does it; the tuple is read while the scan is on it.
        unsafe {
            let relation = pg_sys::table_open(
                pg_sys::DatabaseRelationId,
                pg_sys::AccessShareLock as pg_sys::LOCKMODE,
            );
            let scan = pg_sys::systable_beginscan(
                relation,
                pg_sys::InvalidOid,
                false,
                std::ptr::null_mut(),
                0,
                std::ptr::null_mut(),
            );
            loop {
                let row = pg_sys::systable_getnext(scan);
                if row.is_null() {
                    break;
                }
                let form = pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_database>();
                if (*form).datallowconn && !(*form).datistemplate {
                    found.push((*form).oid.to_u32());
                }
            }
            pg_sys::systable_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        }
        Ok(())
    });
    if let Err(failure) = scanned {
        pgrx::log!("pg_partman_rs launcher: {}", failure.message);
    }
    found
}

/// Looks for jobs of this database that should have a worker, and starts one for each; then does
/// what maintenance is due. A job that has a worker already is left alone: the second one finds
/// the first one's lock, and ends.
pub fn look() {
    let due = unit(|| match crate::catalog::is_installed() {
        true => job::due(),
        false => Ok(Vec::new()),
    });
    for (id, role) in due.unwrap_or_default() {
        let started = unit(|| match job::has_worker(JobId(id.0))? {
            true => Ok(()),
            false => start(Assignment::new(Task::Move, id, role)),
        });
        if let Err(failure) = started {
            pgrx::log!("pg_partman_rs maintenance: {}", failure.message);
        }
    }
    if let Err(failure) = maintenance::run() {
        pgrx::log!("pg_partman_rs maintenance: {}", failure.message);
    }
}
