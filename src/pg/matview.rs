//! Materialized views: SQL has no CREATE OR REPLACE for them.

use super::guarded;
use super::list::members;
use crate::error::Error;
use pgrx::pg_sys;
use std::ffi::CString;

unsafe extern "C-unwind" {
    // commands/view.h is not part of pgrx's bindings: the same from 15 to 18. It is called only through
    // `guarded`.
    fn StoreViewQuery(view: pg_sys::Oid, query: *mut pg_sys::Query, replace: bool);
}

/// Gives a materialized view, which is locked ACCESS EXCLUSIVE, another query, as CREATE MATERIALIZED
/// VIEW gave it its first: what it holds, its indexes and whatever hangs on it stay.
///
/// PostgreSQL looks whether the columns are of the same types, and whether the current role owns it.
///
/// Fails where the text is not one query.
pub fn replace_query(view: pg_sys::Oid, query: &str) -> Result<(), Error> {
    let refused = |what: &str| {
        Err(Error::Internal(format!(
            "query of a materialized view: {what}"
        )))
    };
    let Ok(text) = CString::new(query) else {
        return refused("it has a zero byte");
    };
    // SAFETY: the text outlives what is parsed of it; the list is of the type that the parser
    // promises. The analysis wants a snapshot, which an ERROR gives back with the transaction.
    unsafe {
        let raw = pg_sys::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        let [statement] = members::<pg_sys::RawStmt>(raw)[..] else {
            return refused("it is not one statement");
        };
        if (*(*statement).stmt).type_ != pg_sys::NodeTag::T_SelectStmt {
            return refused("it is not a SELECT");
        }
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let analyzed = pg_sys::parse_analyze_fixedparams(
            statement,
            text.as_ptr(),
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
        );
        guarded(|| StoreViewQuery(view, analyzed, true));
        pg_sys::PopActiveSnapshot();
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}
