//! Signals to a background worker.

use pgrx::pg_sys;

unsafe extern "C-unwind" {
    // As PostgreSQL has them: a signal handler must not pass through pgrx's guards.
    fn die(signal: std::ffi::c_int);
    fn SignalHandlerForConfigReload(signal: std::ffi::c_int);
}

/// Handles SIGTERM as a backend does: at the next check for interrupts the transaction is rolled
/// back, and the process ends. SIGHUP asks for the settings to be read again. SIGINT cancels the
/// running statement; that is the default in a worker that is connected to a database.
pub fn handle() {
    let handlers = [
        (
            pg_sys::SIGTERM,
            die as unsafe extern "C-unwind" fn(std::ffi::c_int),
        ),
        (pg_sys::SIGHUP, SignalHandlerForConfigReload),
    ];
    for (signal, handler) in handlers {
        // SAFETY: PostgreSQL's own handlers, installed by a worker before it unblocks signals.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            pg_sys::pqsignal(signal as i32, Some(handler));
            #[cfg(feature = "pg18")]
            pg_sys::pqsignal_be(signal as i32, Some(handler));
        }
    }
    // SAFETY: all handlers are in place.
    unsafe { pg_sys::BackgroundWorkerUnblockSignals() };
}
