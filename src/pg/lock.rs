//! Heavyweight locks.

use super::settings;
use crate::error::Error;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CString;
use std::time::{Duration, Instant};

pub use crate::plan::lock::Mode;

impl Mode {
    /// The number that PostgreSQL knows the mode by.
    pub fn number(self) -> pg_sys::LOCKMODE {
        let mode = match self {
            Mode::AccessShare => pg_sys::AccessShareLock,
            Mode::RowShare => pg_sys::RowShareLock,
            Mode::RowExclusive => pg_sys::RowExclusiveLock,
            Mode::ShareUpdateExclusive => pg_sys::ShareUpdateExclusiveLock,
            Mode::Share => pg_sys::ShareLock,
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
    wait_no_longer_than(patience);
    if !try_relation(relation, mode) {
        wait_for(relation, mode);
    }
}

/// Bounds each wait for a lock, of rows too, until the end of the current nest level of settings, or transaction: then 55P03.
pub fn wait_no_longer_than(patience: Duration) {
    let millis = CString::new(patience.as_millis().max(1).to_string()).unwrap_or_default();
    settings::set_local(c"lock_timeout", &millis);
}

fn try_relation(relation: pg_sys::Oid, mode: Mode) -> bool {
    // SAFETY: takes a lock by number; no relation needs to exist behind it.
    unsafe { pg_sys::ConditionalLockRelationOid(relation, mode.number()) }
}

fn wait_for(relation: pg_sys::Oid, mode: Mode) {
    // SAFETY: as above. A timeout or deadlock raises an ERROR.
    unsafe { pg_sys::LockRelationOid(relation, mode.number()) }
}

/// So long a transaction may wait for locks that it needs together, all of its waits taken as one: as long as it waits
/// for the last one, others wait for the first one.
pub struct Allowance {
    whole: Duration,
    left: Cell<Duration>,
}

impl Allowance {
    pub fn new(whole: Duration) -> Allowance {
        Allowance {
            whole,
            left: Cell::new(whole),
        }
    }

    /// Locks a relation until the end of the transaction, waiting no longer than what is left; then raises 55P03. For
    /// each of the locks that statements take afterwards the whole of it holds, as after [`relation`].
    ///
    /// A session that it waits for may have waited for what it has locked before, for so long that the one that finds
    /// out and is cancelled would be that session: so this one looks for a deadlock first, and fails with 40P01.
    pub fn lock(&self, relation: pg_sys::Oid, mode: Mode) {
        if !try_relation(relation, mode) {
            let began = Instant::now();
            wait_no_longer_than(self.left.get());
            settings::set_local_of_superusers(c"deadlock_timeout", c"2ms");
            // What waits for so long is logged, where that is wanted: it is meant of waits that are worth a look.
            settings::set_local_of_superusers(c"log_lock_waits", c"off");
            wait_for(relation, mode);
            self.left
                .set(self.left.get().saturating_sub(began.elapsed()));
        }
        wait_no_longer_than(self.whole);
    }
}

/// Gives back a lock on a relation before the end of the transaction, for a weaker one.
///
/// What was written to the catalog under it nobody else sees before commit. What must not happen until then, the
/// weaker lock must keep from happening.
pub fn weaken(relation: pg_sys::Oid, from: Mode, to: Mode) -> Result<(), Error> {
    let strong = from.number();
    // SAFETY: takes and gives back locks by number. The weaker one conflicts with nothing that the stronger one goes
    // with. It is held as often as it was taken, all of it by this transaction.
    unsafe {
        pg_sys::LockRelationOid(relation, to.number());
        while pg_sys::CheckRelationOidLockedByMe(relation, strong, false) {
            if !pg_sys::LockRelease(&tag(relation), strong, false) {
                return Err(Error::Internal(format!(
                    "lock on relation {} is not this transaction's",
                    relation.to_u32()
                )));
            }
        }
    }
    Ok(())
}

/// Locks a relation for this session, which has it locked as strongly for its transaction: that there is
/// nothing to wait for. Any transaction that is rolled back gives it back.
pub fn relation_for_session(relation: pg_sys::Oid, mode: Mode) {
    // SAFETY: takes a lock by number. The database is this one: no shared relation is ours to lock.
    unsafe { pg_sys::LockRelationIdForSession(&mut number(relation), mode.number()) }
}

/// Gives back what [`relation_for_session`] took.
pub fn release_for_session(relation: pg_sys::Oid, mode: Mode) {
    // SAFETY: as above. Only warns where the lock is not held.
    unsafe { pg_sys::UnlockRelationIdForSession(&mut number(relation), mode.number()) }
}

fn tag(relation: pg_sys::Oid) -> pg_sys::LOCKTAG {
    let number = number(relation);
    pg_sys::LOCKTAG {
        locktag_field1: number.dbId.to_u32(),
        locktag_field2: number.relId.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

fn number(relation: pg_sys::Oid) -> pg_sys::LockRelId {
    pg_sys::LockRelId {
        relId: relation,
        // SAFETY: reads a variable that is constant once the process is connected.
        dbId: unsafe { pg_sys::MyDatabaseId },
    }
}

/// A relation that is locked as a reader locks it, for as long as this lives.
pub struct Shared(pg_sys::Oid);

impl Shared {
    /// Locks it, unless that would have to wait.
    pub fn try_lock(relation: pg_sys::Oid) -> Option<Shared> {
        // SAFETY: takes a lock by number; no relation needs to exist behind it.
        let is_locked =
            unsafe { pg_sys::ConditionalLockRelationOid(relation, Mode::AccessShare.number()) };
        // Lazily: one that was not taken must not even be dropped.
        is_locked.then(|| Shared(relation))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // After an ERROR the end of the transaction gives it back.
        if !std::thread::panicking() {
            // SAFETY: taken above, by the same resource owner.
            unsafe { pg_sys::UnlockRelationOid(self.0, Mode::AccessShare.number()) }
        }
    }
}

/// An object that only this extension locks: a row of one of its tables, by number.
///
/// Such locks are seen in `pg_locks` as locktype `object`. They are kept as advisory locks are,
/// in a table of their own: a rolled back transaction would take the session's other locks away.
#[derive(Clone, Copy)]
pub struct Object {
    pub class: pg_sys::Oid,
    pub number: u32,
    /// Tells several locks on one row apart (`objsubid`).
    pub part: u16,
}

impl Object {
    /// Locks it for this session alone, if nobody else has it; gone with the process.
    pub fn try_for_session(self) -> bool {
        self.acquire(pg_sys::ExclusiveLock, true, true)
    }

    /// Gives back what [`Object::try_for_session`] took.
    pub fn release_for_session(self) {
        // SAFETY: the tag is complete. Only warns where the lock is not held.
        unsafe {
            pg_sys::LockRelease(&self.tag(), pg_sys::ExclusiveLock as pg_sys::LOCKMODE, true);
        }
    }

    /// Locks it until the end of the transaction, beside others who share it; waits for whoever
    /// has it alone.
    pub fn share(self) {
        self.acquire(pg_sys::ShareLock, false, false);
    }

    /// Locks it alone until the end of the transaction, if nobody else has it.
    pub fn try_alone(self) -> bool {
        self.acquire(pg_sys::ExclusiveLock, false, true)
    }

    /// Locks it alone until the end of the transaction; waits for whoever has it.
    pub fn alone(self) {
        self.acquire(pg_sys::ExclusiveLock, false, false);
    }

    fn acquire(self, mode: u32, for_session: bool, do_not_wait: bool) -> bool {
        let tag = self.tag();
        // SAFETY: the tag is complete; a session lock needs no transaction.
        let result = unsafe {
            pg_sys::LockAcquire(&tag, mode as pg_sys::LOCKMODE, for_session, do_not_wait)
        };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    fn tag(self) -> pg_sys::LOCKTAG {
        pg_sys::LOCKTAG {
            // SAFETY: reads a variable that is constant once the process is connected.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: self.class.to_u32(),
            locktag_field3: self.number,
            locktag_field4: self.part,
            locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        }
    }
}
