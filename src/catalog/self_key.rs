//! Foreign keys of a table that point at itself, as they stand in the catalog.

use super::table;
use crate::db;
use crate::error::Error;
use crate::plan::dependents::SelfKey;
use crate::plan::facts::Facts;
use pgrx::pg_sys;

/// Whether one of these tables has any, or one that points at another table, which holds its keys.
pub fn any(relations: &[pg_sys::Oid], guard: Option<pg_sys::Oid>) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_constraint k \
                         WHERE k.conrelid = ANY ($1) AND k.confrelid IN (k.conrelid, $2) AND k.contype = 'f')",
        &[relations.to_vec().into(), guard.into()],
    )
}

/// Those of a table, in the order in which they act; `seen` is what they are among, as that is to be seen.
pub fn of(relation: pg_sys::Oid, seen: impl FnOnce(Facts) -> Facts) -> Result<Vec<SelfKey>, Error> {
    let facts = table::facts(relation)?.map(seen);
    Ok(facts.map_or_else(Vec::new, |facts| facts.dependents.self_keys))
}
