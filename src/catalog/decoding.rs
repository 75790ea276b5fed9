//! What logical decoding leaves out, and so no subscriber is sent: while the twin is filled, its rows,
//! which are the source's; always, what the extension remembers and logs, which is of this server only.
//!
//! PostgreSQL itself marks what is not to be decoded: `pg_class.relrewrite` of the new heap that a table
//! is rewritten into. Logical decoding (reorderbuffer.c) is all that reads the mark.

use super::as_bookkeeper;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// Leaves tables out, which are a table's rewritten form, from this command on; where nothing is decoded
/// on this server, they need not be.
pub fn leave_out(tables: &[pg_sys::Oid], rewritten: pg_sys::Oid) -> Result<(), Error> {
    let is_decoded = db::value("SELECT current_setting('wal_level') = 'logical'", &[])?;
    match is_decoded {
        true => mark(tables, rewritten),
        false => take_in(tables),
    }
}

/// Sends what is changed in tables from this command on.
pub fn take_in(tables: &[pg_sys::Oid]) -> Result<(), Error> {
    mark(tables, pg_sys::InvalidOid)
}

/// A superuser's to do. The tables are those of the caller, and nobody else alters them meanwhile.
fn mark(tables: &[pg_sys::Oid], rewritten: pg_sys::Oid) -> Result<(), Error> {
    // As a number: an OID of 0 would be passed as null.
    let args = [tables.to_vec().into(), i64::from(rewritten.to_u32()).into()];
    let is_marked = || {
        db::value(
            "SELECT NOT EXISTS (SELECT FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid \
                                 WHERE c.oid = ANY ($1) AND (c.relrewrite <> $2::oid OR t.relrewrite <> $2::oid))",
            &args,
        )
    };
    let is_done = as_bookkeeper(|| {
        if is_marked()? {
            return Ok(true);
        }
        db::run(
            "UPDATE pg_class SET relrewrite = $2::oid WHERE oid = ANY ($1) \
                 OR oid = ANY (ARRAY(SELECT c.reltoastrelid FROM pg_class c WHERE c.oid = ANY ($1) AND c.reltoastrelid <> 0))",
            &args,
        )?;
        is_marked()
    })?;
    // Whoever is left out by mistake loses changes without a word: better no swap.
    match is_done {
        true => Ok(()),
        false => Err(Error::Internal(
            "tables cannot be marked for logical decoding".to_owned(),
        )),
    }
}

/// Leaves out the extension's own tables. They are from the beginning (see sql/install/tables.sql); but
/// `pg_upgrade` makes them anew, without the mark.
pub fn leave_out_own() -> Result<(), Error> {
    as_bookkeeper(|| db::kept_run("SELECT partman_rs.leave_out_of_decoding()", &[]))
}
