//! The write-ahead log.

use pgrx::pg_sys;

/// Has what this transaction has written so far flushed in the background, soon.
pub fn flush_soon() {
    // SAFETY: tells the WAL writer how far to go: to the end of this process's last record.
    unsafe { pg_sys::XLogSetAsyncXactLSN(pg_sys::XactLastRecEnd) };
}
