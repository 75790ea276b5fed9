//! Triggers of foreign keys.

use crate::error::Error;
use pgrx::pg_sys;

/// Undoes the making of a trigger on a table.
///
/// PostgreSQL itself would lock the table ACCESS EXCLUSIVE for that, lest somebody is about to run the
/// trigger. The caller has the lock with which it was made, SHARE ROW EXCLUSIVE, which keeps writers out: those, too,
/// who have left it to the end of their transaction. It does for ENABLE and DISABLE TRIGGER; readers run none.
pub fn unmake(trigger: pg_sys::Oid, table: pg_sys::Oid) -> Result<(), Error> {
    // SAFETY: what PostgreSQL does to drop a trigger, but for that lock: its row goes, what it depends on is
    // forgotten, and the table's triggers are read anew. The row is valid until the end of the scan, which
    // has the one column of the index as its key.
    unsafe {
        let triggers = pg_sys::table_open(
            pg_sys::TriggerRelationId,
            pg_sys::RowExclusiveLock as pg_sys::LOCKMODE,
        );
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_trigger_oid as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_OIDEQ.into(),
            pg_sys::Datum::from(trigger),
        );
        let scan = pg_sys::systable_beginscan(
            triggers,
            pg_sys::TriggerOidIndexId.into(),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        let row = pg_sys::systable_getnext(scan);
        if row.is_null() {
            return Err(Error::Internal(format!(
                "trigger {} is gone",
                trigger.to_u32()
            )));
        }
        pg_sys::CatalogTupleDelete(triggers, &mut (*row).t_self);
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(triggers, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        pg_sys::deleteDependencyRecordsFor(pg_sys::TriggerRelationId, trigger, false);
        pg_sys::CacheInvalidateRelcacheByRelid(table);
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}
