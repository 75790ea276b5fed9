//! Subscriptions that write to a table.

use super::as_bookkeeper;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// Has the subscriptions of one table write to another, which has its name by now: how far they are with it
/// is kept by its OID. Workers that apply changes look the name up anew, as the table was altered; changes
/// to a table whose state is not known they would pass over.
///
/// There is no statement for that: REFRESH PUBLICATION asks the publisher, and not in a transaction. The
/// caller has locked the tables, so that nobody applies changes to them meanwhile.
pub fn hand_over(from: pg_sys::Oid, to: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE pg_subscription_rel SET srrelid = $2 WHERE srrelid = $1",
            &[from.into(), to.into()],
        )
        .map(drop)
    })
}
