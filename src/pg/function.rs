//! Functions, as sessions keep them compiled.

use pgrx::pg_sys;

/// Has every session compile these functions anew before it runs them again: their rows become others,
/// and are else the same. PL/pgSQL compares the row with that which it has compiled.
///
/// Each is named once. Fails where somebody else has just altered one; leaves out those that are gone.
pub fn renew(functions: &[pg_sys::Oid]) {
    let none = pg_sys::Datum::from(0);
    // SAFETY: the catalog is open and locked as for any change of a row; each tuple is a copy of ours.
    unsafe {
        let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        let catalog = pg_sys::table_open(pg_sys::ProcedureRelationId, mode);
        for function in functions {
            let row = pg_sys::SearchSysCacheCopy(
                pg_sys::SysCacheIdentifier::PROCOID as i32,
                (*function).into(),
                none,
                none,
                none,
            );
            if !row.is_null() {
                pg_sys::CatalogTupleUpdate(catalog, &raw mut (*row).t_self, row);
                pg_sys::heap_freetuple(row);
            }
        }
        pg_sys::table_close(catalog, mode);
        pg_sys::CommandCounterIncrement();
    }
}
