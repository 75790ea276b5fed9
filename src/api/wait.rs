//! `wait_for_conversion()`: a procedure, so that it can end its transaction while it waits.
#![allow(
    unsafe_code,
    reason = "a procedure on the C interface, with SPI that may commit"
)]

use crate::catalog::job::{self, State};
use crate::catalog::table;
use crate::error::Error;
use crate::pg::interrupts;
use crate::plan::phase::Phase;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// So long a job may be without a worker before it counts as lost: one may be about to start.
const GRACE: Duration = Duration::from_secs(5);

/// Version 1 of the C calling convention.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_wait_for_conversion() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `wait_for_conversion(source regclass, timeout interval)`; the second argument arrives in
/// seconds.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pgrx::pg_guard]
pub unsafe extern "C-unwind" fn wait_for_conversion(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: the function manager passes a valid call of the declared arguments.
    let (source, seconds) = unsafe {
        (
            pgrx::pg_getarg::<pg_sys::Oid>(fcinfo, 0),
            pgrx::pg_getarg::<pgrx::datum::Interval>(fcinfo, 1),
        )
    };
    let timeout = seconds.map(|interval| {
        Duration::from_secs_f64((interval.as_micros() as f64 / 1_000_000.0).max(0.0))
    });
    let Some(source) = source else {
        ErrorReport::from(Error::NullArgument { argument: "source" }).report(PgLogLevel::ERROR);
        return pg_sys::Datum::null();
    };
    // SAFETY: as above.
    if !unsafe { may_commit(fcinfo) } {
        ErrorReport::from(Error::InTransaction {
            procedure: "wait_for_conversion",
        })
        .report(PgLogLevel::ERROR);
    }
    // SAFETY: a matching SPI_finish follows; after an ERROR the transaction's end does it.
    unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
    let outcome = wait(source, timeout);
    // SAFETY: connected above.
    unsafe { pg_sys::SPI_finish() };
    if let Err(error) = outcome {
        ErrorReport::from(error).report(PgLogLevel::ERROR);
    }
    pg_sys::Datum::null()
}

/// Whether the procedure was called outside of any transaction block.
///
/// # Safety
/// `fcinfo` is a valid call.
unsafe fn may_commit(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: the caller's promise; the node tag is read before the cast.
    unsafe {
        let context = (*fcinfo).context;
        !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context.cast::<pg_sys::CallContext>()).atomic
    }
}

fn wait(source: pg_sys::Oid, timeout: Option<Duration>) -> Result<(), Error> {
    let begun = Instant::now();
    let mut without_worker: Option<Instant> = None;
    loop {
        let Some(state) = look(source)? else {
            let relation = table::name(source)?.unwrap_or_else(|| source.to_u32().to_string());
            return Err(Error::NoConversion { relation });
        };
        if !state.may_be_seen {
            return Err(Error::NotOwner {
                relation: state.relation,
                owner: state.owner,
            });
        }
        match state.phase {
            Phase::Reversible | Phase::Finished => return Ok(()),
            Phase::Failed if !state.is_asked => {
                return Err(Error::ConversionFailed {
                    relation: state.relation,
                    sqlstate: state.sqlstate,
                    message: state.error,
                });
            }
            Phase::Cancelled | Phase::Cancelling => {
                return Err(Error::WasCancelled {
                    relation: state.relation,
                });
            }
            phase if (phase.needs_worker() || state.is_asked) && !state.has_worker => {
                let since = *without_worker.get_or_insert_with(Instant::now);
                if since.elapsed() > GRACE {
                    return Err(Error::WorkerLost {
                        relation: state.relation,
                        phase: phase.name().to_owned(),
                    });
                }
            }
            _ => without_worker = None,
        }
        if timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
            return Err(Error::TimedOut {
                relation: state.relation,
                phase: state.phase.name().to_owned(),
            });
        }
        // SAFETY: connected non-atomically: the transaction ends here, and with it every
        // snapshot; another begins, which has none until the next look.
        unsafe { pg_sys::SPI_commit() };
        interrupts::nap(PAUSE);
    }
}

/// One look at the job, with a snapshot that is gone again at once.
fn look(source: pg_sys::Oid) -> Result<Option<State>, Error> {
    // SAFETY: the snapshot is popped below; after an ERROR the transaction's end does it.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    let state = job::watch(source)?;
    // SAFETY: pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    Ok(state)
}
