//! Rows of catalogs.

use crate::error::Error;
use pgrx::pg_sys;

/// Deletes the row of an object that has an OID in the first column, by the index over that.
pub fn delete(catalog: pg_sys::Oid, by_oid: pg_sys::Oid, object: pg_sys::Oid) -> Result<(), Error> {
    // SAFETY: the row is valid until the end of the scan, which has the one column of the index as its key.
    unsafe {
        let open = pg_sys::table_open(catalog, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            FIRST_COLUMN,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_OIDEQ.into(),
            pg_sys::Datum::from(object),
        );
        let scan =
            pg_sys::systable_beginscan(open, by_oid, true, std::ptr::null_mut(), 1, &mut key);
        let row = pg_sys::systable_getnext(scan);
        if row.is_null() {
            return Err(Error::Internal(format!(
                "object {} of catalog {} is gone",
                object.to_u32(),
                catalog.to_u32()
            )));
        }
        pg_sys::CatalogTupleDelete(open, &mut (*row).t_self);
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(open, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
    }
    Ok(())
}

const FIRST_COLUMN: pg_sys::AttrNumber = 1;
