//! Triggers of foreign keys.

use super::row;
use crate::error::Error;
use pgrx::pg_sys;

/// Undoes the making of a trigger on a table.
///
/// PostgreSQL itself would lock the table ACCESS EXCLUSIVE for that, lest somebody is about to run the
/// trigger. The caller has the lock with which it was made, SHARE ROW EXCLUSIVE, which keeps writers out: those, too,
/// who have left it to the end of their transaction. It does for ENABLE and DISABLE TRIGGER; readers run none.
pub fn unmake(trigger: pg_sys::Oid, table: pg_sys::Oid) -> Result<(), Error> {
    row::delete(
        pg_sys::TriggerRelationId,
        pg_sys::TriggerOidIndexId.into(),
        trigger,
    )?;
    // SAFETY: what PostgreSQL does to drop a trigger, but for that lock: what it depends on is forgotten, and what is
    // said of it, and the table's triggers are read anew.
    unsafe {
        pg_sys::deleteDependencyRecordsFor(pg_sys::TriggerRelationId, trigger, false);
        pg_sys::DeleteComments(trigger, pg_sys::TriggerRelationId, 0);
        pg_sys::CacheInvalidateRelcacheByRelid(table);
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}
