//! Transactions of a worker: each runs to its commit, or is rolled back and leaves a [`Failure`].
//! And subtransactions of a session that are rolled back whatever they did.

use crate::error::Error;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use pgrx::{PgSqlErrorCode, PgTryBuilder};
use std::cell::RefCell;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;

/// What `simple_heap_update` says, in every language, and with the SQLSTATE of a bug.
const UPDATED_BY_ANOTHER: &str = "tuple concurrently updated";

/// Why a transaction was rolled back.
#[derive(Debug, Clone)]
pub struct Failure {
    pub code: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Failure {
    /// The five characters of the SQLSTATE.
    pub fn sqlstate(&self) -> String {
        // SAFETY: unpack_sql_state returns a NUL-terminated static buffer of five characters.
        let text = unsafe { CStr::from_ptr(pg_sys::unpack_sql_state(self.code as i32)) };
        text.to_string_lossy().into_owned()
    }

    /// Tells which statement it was, where it says nothing more itself: what an event trigger says, say,
    /// would be a riddle else, and where it said it, pgrx does not tell.
    fn with_statement(self, statement: Option<String>) -> Failure {
        let told = || statement.map(|sql| format!("The statement was: {sql}"));
        Failure {
            detail: self.detail.or_else(told),
            ..self
        }
    }

    /// Whether the server waited for a lock in vain: unlike ours, its word of a time-out has no hint.
    pub fn is_of_waiting(&self) -> bool {
        self.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE && self.hint.is_none()
            || self.code == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    }

    /// Whether trying again may succeed: a lock was not to be had, a deadlock was broken, or a row
    /// of the catalog was just updated by GRANT, which takes no lock on the table.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.code,
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
                | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
                | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
        ) || self.message == UPDATED_BY_ANOTHER
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let wording = error.wording();
        Failure {
            code: wording.code,
            message: wording.message,
            detail: wording.detail,
            hint: wording.hint,
        }
    }
}

impl From<Failure> for ErrorReport {
    fn from(failure: Failure) -> Self {
        let mut report = ErrorReport::new(failure.code, failure.message, pgrx::function_name!());
        if let Some(detail) = failure.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = failure.hint {
            report = report.set_hint(hint);
        }
        report
    }
}

impl From<CaughtError> for Failure {
    fn from(caught: CaughtError) -> Self {
        let report: ErrorReportWithLevel = match caught {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
            CaughtError::RustPanic { ereport, .. } => ereport,
        };
        Failure {
            code: report.sql_error_code(),
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
        }
    }
}

thread_local! {
    /// The statement that is being run, or that has failed.
    static RUNNING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// So many characters of a statement that failed are told.
const TOLD: usize = 300;

/// Does what a statement says, and has a failure tell of it.
pub fn running<T>(sql: &str, work: impl FnOnce() -> T) -> T {
    let told = match sql.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &sql[..end]),
        None => sql.to_owned(),
    };
    RUNNING.set(Some(told));
    let value = work();
    RUNNING.take();
    value
}

/// Runs one unit of work in a transaction of its own, with an active snapshot.
///
/// Only for background workers, outside any transaction. Commits when `work` returns `Ok`.
/// When it returns `Err`, or an ERROR is raised in it, the transaction is rolled back, and what
/// happened comes back as a [`Failure`]; the process can go on with another unit.
pub fn unit<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    unit_if(work, |_| true)
}

/// As [`unit()`], but commits only where what `work` returns `is_kept`; else all that it did is taken back.
pub fn unit_if<T>(
    work: impl FnOnce() -> Result<T, Error>,
    is_kept: impl FnOnce(&T) -> bool,
) -> Result<T, Failure> {
    RUNNING.take();
    let outcome: Result<(T, bool), Failure> = PgTryBuilder::new(AssertUnwindSafe(|| {
        begin();
        let value = work()?;
        let is_kept = is_kept(&value);
        if is_kept {
            commit();
        }
        Ok((value, is_kept))
    }))
    .catch_others(|caught| Err(Failure::from(caught).with_statement(RUNNING.take())))
    .execute();
    if !matches!(outcome, Ok((_, true))) {
        // SAFETY: valid in any transaction state; it is what a backend's main loop does after
        // an error. Roles and settings that the work had changed return to what they were.
        unsafe { pg_sys::AbortCurrentTransaction() };
    }
    outcome.map(|(value, _)| value)
}

/// Runs `work` in a subtransaction of its own: it is kept where `work` returns `Ok`, and rolled back,
/// with its locks, where it does not.
///
/// An ERROR comes back as a [`Failure`], unless it is meant for the whole statement: a cancel, a
/// shutdown, or the lack of memory.
pub fn nested<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    in_subtransaction(work, true)
}

/// Runs `work` in a subtransaction that is rolled back, with its locks, whether `work` succeeds or
/// not. What it allocates from PostgreSQL is gone with it; what it returns is Rust's own.
///
/// An ERROR comes back as from [`nested`].
pub fn rolled_back<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    in_subtransaction(work, false)
}

fn in_subtransaction<T>(
    work: impl FnOnce() -> Result<T, Error>,
    is_kept: bool,
) -> Result<T, Failure> {
    enum End<T> {
        Here(Result<T, Failure>),
        Beyond(CaughtError),
    }
    // SAFETY: inside the transaction of a statement. Memory context and resource owner are put
    // back afterwards, as the end of an internal subtransaction leaves that to its caller. Role,
    // settings and snapshots are put back by it.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        before
    };
    let end = PgTryBuilder::new(AssertUnwindSafe(|| {
        let value = work();
        if value.is_ok() && is_kept {
            // SAFETY: nothing is left open by the work.
            unsafe { pg_sys::ReleaseCurrentSubTransaction() };
        }
        End::Here(value.map_err(Failure::from))
    }))
    .catch_others(|caught| match concerns_all(&caught) {
        true => End::Beyond(caught),
        false => End::Here(Err(Failure::from(caught))),
    })
    .execute();
    // SAFETY: the counterpart of the above.
    unsafe {
        if !is_kept || !matches!(end, End::Here(Ok(_))) {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    match end {
        End::Here(outcome) => outcome,
        End::Beyond(caught) => caught.rethrow(),
    }
}

fn concerns_all(caught: &CaughtError) -> bool {
    let CaughtError::PostgresError(report) = caught else {
        // Ours: a mistake of this library, or an error that it raised itself.
        return matches!(caught, CaughtError::RustPanic { .. });
    };
    use PgSqlErrorCode as Code;
    matches!(
        report.sql_error_code(),
        Code::ERRCODE_QUERY_CANCELED
            | Code::ERRCODE_ADMIN_SHUTDOWN
            | Code::ERRCODE_CRASH_SHUTDOWN
            | Code::ERRCODE_CANNOT_CONNECT_NOW
            | Code::ERRCODE_DATABASE_DROPPED
            | Code::ERRCODE_OUT_OF_MEMORY
    )
}

fn begin() {
    // SAFETY: a background worker that is connected to a database and not in a transaction.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
}

fn commit() {
    // SAFETY: the counterpart of begin(); the work left the snapshot stack as it found it.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
        // Makes counters visible to others now, not when the worker ends.
        pg_sys::pgstat_report_stat(true);
    }
}

/// Replaces the active snapshot by one taken now. Called after a lock was granted, so that what
/// follows sees everything that was committed before.
pub fn refresh_snapshot() {
    // SAFETY: inside unit(), whose snapshot is on top of the stack; the stack keeps its height.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
}

/// Whether a transaction is open, so that SQL can be run: without one the server would crash.
pub fn is_open() -> bool {
    // SAFETY: reads the state of this process.
    unsafe { pg_sys::IsTransactionState() }
}

/// Whether each statement of the transaction sees what was committed before it: it is READ COMMITTED.
pub fn sees_what_is_committed() -> bool {
    // SAFETY: reads the state of this process.
    let level = unsafe { pg_sys::XactIsoLevel };
    level < pg_sys::XACT_REPEATABLE_READ as i32
}

/// Whether the server is a standby, or about to become none.
pub fn is_in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Fails with 25006 where the transaction may not write: on a standby it never may.
pub fn must_be_writable(command: &CStr) {
    // SAFETY: raises an ERROR, or does nothing.
    unsafe { pg_sys::PreventCommandIfReadOnly(command.as_ptr()) }
}

/// The id of the current transaction, which gets one here if it has none.
pub fn current_id() -> u32 {
    // SAFETY: inside unit().
    unsafe { pg_sys::GetCurrentTransactionId() }.into_inner()
}
