//! The seam to PostgreSQL's C: the only place, beside the engine's heap access in
//! `convert::heap`, with `unsafe`. No word of the domain is known here.
#![allow(unsafe_code, reason = "calls into PostgreSQL")]

pub mod bounds;
pub mod cluster;
pub mod constraint;
pub mod depend;
pub mod disk;
pub mod function;
pub mod interrupts;
mod list;
pub mod lock;
pub mod matview;
pub mod partition_key;
pub mod partitions;
pub mod planner;
pub mod processor;
pub mod relation;
pub mod role;
mod row;
pub mod settings;
pub mod signals;
pub mod top_level;
pub mod transaction;
pub mod trigger;
pub mod tuple;
pub mod version;
pub mod wal;

/// Calls into C such that an ERROR becomes an unwinding panic, as in all of pgrx's own bindings.
///
/// # Safety
/// Nothing in `call` needs to be dropped.
unsafe fn guarded<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise.
    unsafe { pgrx::pg_sys::ffi::pg_guard_ffi_boundary(call) }
}
