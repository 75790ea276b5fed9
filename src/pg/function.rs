//! Functions, as sessions keep them compiled.

use pgrx::pg_sys;

/// Has every session compile a function anew before it runs it again: its row becomes another, and is
/// else the same. PL/pgSQL compares the row with that which it has compiled.
///
/// Fails where somebody else has just altered the function. Does nothing where it is gone.
pub fn renew(function: pg_sys::Oid) {
    let none = pg_sys::Datum::from(0);
    // SAFETY: the catalog is open and locked as for any change of a row; the tuple is a copy of ours.
    unsafe {
        let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        let catalog = pg_sys::table_open(pg_sys::ProcedureRelationId, mode);
        let row = pg_sys::SearchSysCacheCopy(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            function.into(),
            none,
            none,
            none,
        );
        if !row.is_null() {
            pg_sys::CatalogTupleUpdate(catalog, &raw mut (*row).t_self, row);
            pg_sys::heap_freetuple(row);
        }
        pg_sys::table_close(catalog, mode);
        pg_sys::CommandCounterIncrement();
    }
}
