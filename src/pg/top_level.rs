//! Statements that commit in their middle: `CREATE INDEX CONCURRENTLY` and their like.
//!
//! PostgreSQL takes them only as a session's own statement, never from within a function. A worker is
//! nobody's function: it runs them as a session does, through a portal.
#![allow(unsafe_code, reason = "drives a portal")]

use super::transaction::Failure;
use super::{settings, version};
use crate::error::Error;
use pgrx::{PgTryBuilder, pg_sys};
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Runs one utility statement as `role`, who can gain nothing by it (see [`restriction`]).
///
/// Only for background workers, outside any transaction. The statement begins and commits
/// transactions as it likes; each of its waits for a lock is bounded by `patience`. Where it fails, the
/// transaction that it was in is rolled back, and what it committed before stays: that is for the caller
/// to clear away.
pub fn run(role: pg_sys::Oid, patience: Duration, statement: &str) -> Result<(), Failure> {
    let text = CString::new(statement)
        .map_err(|_| Failure::from(Error::Internal("a statement with a NUL".to_owned())))?;
    let millis = CString::new(patience.as_millis().max(1).to_string()).unwrap_or_default();
    let (mut before, mut restrictions) = (pg_sys::InvalidOid, 0);
    // SAFETY: reads backend-local state.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut before, &mut restrictions) };
    // For the session: what is set for a transaction goes with the first of them.
    settings::set_session(c"lock_timeout", &millis);
    // SAFETY: outside any transaction: both contexts live until they are deleted below.
    let trees = unsafe {
        pg_sys::AllocSetContextCreateInternal(
            pg_sys::TopMemoryContext,
            c"top-level statement".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    };
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: a background worker that is connected to a database and not in a transaction. The
        // role is put back on all paths below: the transactions of the statement begin under it, and
        // would put back no other.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::SetUserIdAndSecContext(role, restrictions | restriction());
            through_portal(&text, trees)?;
            pg_sys::SetUserIdAndSecContext(before, restrictions);
            pg_sys::CommitTransactionCommand();
            pg_sys::pgstat_report_stat(true);
        }
        Ok(())
    }))
    .catch_others(|caught| Err(Failure::from(caught)))
    .execute();
    // SAFETY: as `unit` does it after an ERROR; then what the transaction's end cannot know.
    unsafe {
        if outcome.is_err() {
            pg_sys::AbortCurrentTransaction();
            pg_sys::SetUserIdAndSecContext(before, restrictions);
        }
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::MemoryContextDelete(trees);
    }
    settings::set_session(c"lock_timeout", c"0");
    outcome
}

/// What keeps code that the role can plant from leaving the role: an event trigger, for instance, may
/// write to a table of its own at the statement's end. Code in indexes PostgreSQL restricts by itself.
///
/// It has to outlast the transactions of the statement, and `StartTransaction` asserts that none begins
/// under a restriction, though all it does with it is to put it back after an ERROR. A server that checks
/// assertions is a developer's, and does without.
fn restriction() -> i32 {
    match settings::is_on(c"debug_assertions") {
        true => 0,
        false => pg_sys::SECURITY_RESTRICTED_OPERATION as i32,
    }
}

/// As `exec_simple_query` runs a statement.
///
/// # Safety
/// Inside a transaction, outside any portal. `trees` outlives transactions: the parse tree is read
/// until the statement ends.
unsafe fn through_portal(text: &CStr, trees: pg_sys::MemoryContext) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe {
        let outside = pg_sys::MemoryContextSwitchTo(trees);
        let parsed = pg_sys::pg_parse_query(text.as_ptr());
        let [raw] = super::list::members::<pg_sys::RawStmt>(parsed)[..] else {
            let statement = text.to_string_lossy();
            return Err(Error::Internal(format!("not one statement: {statement}")));
        };
        let tag = pg_sys::CreateCommandTag((*raw).stmt);
        // Utility statements are neither analysed nor planned, only wrapped: no snapshot is wanted.
        let nothing = std::ptr::null_mut();
        let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(
            raw,
            text.as_ptr(),
            std::ptr::null(),
            0,
            nothing,
        );
        let plans = pg_sys::pg_plan_queries(queries, text.as_ptr(), 0, std::ptr::null_mut());
        let portal = pg_sys::CreatePortal(c"".as_ptr(), true, true);
        (*portal).visible = false;
        pg_sys::PortalDefineQuery(
            portal,
            std::ptr::null(),
            text.as_ptr(),
            tag,
            plans,
            std::ptr::null_mut(),
        );
        pg_sys::PortalStart(portal, std::ptr::null_mut(), 0, std::ptr::null_mut());
        let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone);
        pg_sys::MemoryContextSwitchTo(outside);
        version::run_portal(portal, receiver);
        pg_sys::PortalDrop(portal, false);
    }
    Ok(())
}
