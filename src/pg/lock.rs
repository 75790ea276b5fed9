//! Heavyweight locks.

use pgrx::pg_sys;
use std::ffi::CString;
use std::time::Duration;

/// Lock modes that the engine takes on relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    AccessShare,
    RowExclusive,
    ShareRowExclusive,
    AccessExclusive,
}

impl Mode {
    /// The number that PostgreSQL knows the mode by.
    pub fn number(self) -> pg_sys::LOCKMODE {
        let mode = match self {
            Mode::AccessShare => pg_sys::AccessShareLock,
            Mode::RowExclusive => pg_sys::RowExclusiveLock,
            Mode::ShareRowExclusive => pg_sys::ShareRowExclusiveLock,
            Mode::AccessExclusive => pg_sys::AccessExclusiveLock,
        };
        mode as pg_sys::LOCKMODE
    }
}

/// Locks a relation until the end of the transaction, waiting at most `patience`; then raises
/// 55P03. Others queue behind this wait, which is why it must be short. The same patience holds
/// for whatever the transaction locks afterwards: others wait for this lock meanwhile.
pub fn relation(relation: pg_sys::Oid, mode: Mode, patience: Duration) {
    let millis = CString::new(patience.as_millis().max(1).to_string()).unwrap_or_default();
    super::settings::set_local(c"lock_timeout", &millis);
    // SAFETY: takes a lock by number; no relation needs to exist behind it. A timeout or
    // deadlock raises an ERROR.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(relation, mode.number()) {
            pg_sys::LockRelationOid(relation, mode.number());
        }
    }
}

/// A lock on a row of one of our tables, as an object: held by the session, seen in `pg_locks`
/// as locktype `object`, and gone with the process.
pub fn try_session_object(class: pg_sys::Oid, object: u32) -> bool {
    let tag = object_tag(class, object);
    // SAFETY: the tag is complete; a session lock needs no transaction.
    let result =
        unsafe { pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, true, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

fn object_tag(class: pg_sys::Oid, object: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a variable that is constant once the process is connected.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: object,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}
