//! Waiting, and being interrupted.

use pgrx::pg_sys;
use std::time::Duration;

/// Serves what others want of this process: a cancel, a shutdown, a barrier.
pub fn check() {
    pgrx::check_for_interrupts!();
}

/// Waits for so long, or less when this process is signalled. Ends with the postmaster.
pub fn nap(time: Duration) {
    let flags = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1);
    // SAFETY: MyLatch is this process's own latch.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            flags as i32,
            millis,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check();
}
