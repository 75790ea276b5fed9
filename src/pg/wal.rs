//! The write-ahead log.

use pgrx::pg_sys;

/// Has what this transaction has written so far flushed in the background, soon.
pub fn flush_soon() {
    // SAFETY: tells the WAL writer how far to go: to the end of this process's last record.
    unsafe { pg_sys::XLogSetAsyncXactLSN(pg_sys::XactLastRecEnd) };
}

/// Runs `work`, and tells how many bytes of WAL this process wrote meanwhile.
pub fn measure<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, u64), E> {
    // SAFETY: a counter of this process, which only ever grows.
    let written = || unsafe { pg_sys::pgWalUsage.wal_bytes };
    let before = written();
    Ok((work()?, written().saturating_sub(before)))
}
