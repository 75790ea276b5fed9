//! Foreign keys of a table that point at itself, as they stand in the catalog.

use super::table;
use crate::db;
use crate::error::Error;
use crate::plan::dependents::SelfKey;
use pgrx::pg_sys;

/// Whether one of these tables has any.
pub fn any(relations: &[pg_sys::Oid]) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_constraint k \
                         WHERE k.conrelid = ANY ($1) AND k.confrelid = k.conrelid AND k.contype = 'f')",
        &[relations.to_vec().into()],
    )
}

/// Those of a table, in the order in which they act.
pub fn of(relation: pg_sys::Oid) -> Result<Vec<SelfKey>, Error> {
    Ok(table::facts(relation)?.map_or_else(Vec::new, |facts| facts.dependents.self_keys))
}
