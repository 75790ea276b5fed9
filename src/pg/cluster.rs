//! The cluster that this server serves.

use pgrx::pg_sys;

/// A number that no other cluster has: `initdb` makes it, and standbys and backups share it.
/// `pg_control_system()` shows it likewise, as a signed number.
pub fn identifier() -> i64 {
    // SAFETY: read from shared memory, where it stays as it was when the server was started.
    unsafe { pg_sys::GetSystemIdentifier() as i64 }
}

/// Whether `pg_upgrade` has started this server, to read from it or to write into it. Nobody else
/// is to change anything then.
pub fn is_being_upgraded() -> bool {
    // SAFETY: set by the postmaster from its command line, before it loads libraries.
    unsafe { pg_sys::IsBinaryUpgrade }
}
