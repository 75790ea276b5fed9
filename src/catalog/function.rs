//! Functions whose body is a string, which only says by its words what it is about.

use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// Functions in PL/pgSQL whose body names a relation, or something else of that name.
///
/// Who runs it: the worker, before the lock of the swap is asked for. Locks: ACCESS SHARE on system
/// catalogs. Rows: few, of all functions of the database.
pub fn naming(relation: &str) -> Result<Vec<pg_sys::Oid>, Error> {
    // As it stands between quotes. The first condition, which is quick, leaves few for the second.
    db::kept_rows(
        "SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
          CROSS JOIN (SELECT replace($1, '\"', '\"\"')) AS t(name) \
          WHERE l.lanname = 'plpgsql' AND position(lower(t.name) IN lower(p.prosrc)) > 0 \
            AND p.prosrc ~* format('(^|[^[:alnum:]_$])%s($|[^[:alnum:]_$])', regexp_replace(t.name, '([^[:alnum:]])', '\\\\\\1', 'g')) \
          ORDER BY p.oid",
        &[relation.into()],
        |row| row.get(1),
    )
}
