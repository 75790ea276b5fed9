//! Where a background worker begins.
#![allow(unsafe_code, reason = "the entry point of a process")]

use super::start::{Assignment, Task};
use super::{builder, launcher, maintenance, mover};
use crate::catalog::job::JobId;
use crate::pg::{processor, settings, signals, version};
use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

/// The main function of every dynamic worker.
///
/// # Safety
/// Called by PostgreSQL as the main function of a background worker.
#[unsafe(no_mangle)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn pg_partman_rs_worker(_argument: pg_sys::Datum) {
    let extra = BackgroundWorker::get_extra();
    let Ok(assignment) = serde_json::from_str::<Assignment>(extra) else {
        pgrx::log!("a worker of pg_partman_rs was started with the unknown assignment {extra}");
        return;
    };
    connect(&assignment);
    let job = JobId(assignment.job);
    match assignment.task {
        Task::Move => mover::run(job),
        Task::Help => mover::help(job, assignment.number),
        Task::Look => launcher::look(),
        Task::Maintain => maintenance::of_table(pgrx::pg_sys::Oid::from(assignment.relation())),
        Task::Build => builder::run(pgrx::pg_sys::Oid::from(assignment.relation())),
    }
}

fn connect(assignment: &Assignment) {
    signals::handle();
    processor::let_others_go_first();
    // SAFETY: done once, before anything else.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            pg_sys::Oid::from(assignment.database),
            pg_sys::Oid::from(assignment.role),
            0,
        );
    }
    let _ = crate::pg::transaction::unit(|| {
        for (name, value) in SETTINGS.iter().chain(version::WORKER_SETTINGS) {
            settings::set_session(name, value);
        }
        Ok(())
    });
    if assignment.after != 0 {
        let _ = crate::pg::transaction::unit(|| {
            // SAFETY: inside a transaction; waits until that other one has ended.
            unsafe {
                pg_sys::XactLockTableWait(
                    pg_sys::TransactionId::from(assignment.after),
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    pg_sys::XLTW_Oper::XLTW_None,
                );
            }
            Ok(())
        });
    }
}

/// What a worker's statements rely on, whatever ALTER ROLE or ALTER DATABASE say.
const SETTINGS: [(&std::ffi::CStr, &std::ffi::CStr); 18] = [
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"statement_timeout", c"0"),
    (c"lock_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_deferrable", c"off"),
    (c"default_tablespace", c""),
    // Compiling a catalog query takes longer than running it, and some run under a lock.
    (c"jit", c"off"),
    (c"plan_cache_mode", c"force_generic_plan"),
    (c"default_table_access_method", c"heap"),
    (c"check_function_bodies", c"off"),
    (c"row_security", c"off"),
    (c"client_min_messages", c"warning"),
    (c"DateStyle", c"ISO, YMD"),
    (c"IntervalStyle", c"postgres"),
    (c"TimeZone", c"UTC"),
    // A crash can take back the last steps of a copy, never tear one: the job's row and what it
    // speaks of are taken back together. The swap waits for the disk.
    (c"synchronous_commit", c"off"),
];
