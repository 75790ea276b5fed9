//! What the parts of a foreign key are called: those for partitions of its table, and of the one that it points at.
//! Messages name them: who deletes a row that is pointed at in a partition reads the name of the key's part for that.

use crate::catalog::foreign_key;
use crate::error::Error;
use crate::pg::constraint;
use crate::plan::names::Names;
use pgrx::pg_sys;
use std::collections::HashMap;

/// What a key is called, and its parts: of each table that has one.
pub struct PartNames(HashMap<pg_sys::Oid, String>);

impl PartNames {
    /// `target` is what it points at by itself, apart from the partitions of that.
    pub fn of(key: pg_sys::Oid, target: pg_sys::Oid) -> Result<PartNames, Error> {
        let parts = foreign_key::parts_of(&[key])?.into_iter();
        let parts = parts.filter(|part| part.referenced == target);
        Ok(PartNames(
            parts.map(|part| (part.table, part.name)).collect(),
        ))
    }

    /// Gives them to another key; those of tables that had no part of the first keep theirs.
    pub fn give_to(&self, key: pg_sys::Oid, target: pg_sys::Oid) -> Result<(), Error> {
        for part in foreign_key::parts_of(&[key])? {
            let name = self
                .0
                .get(&part.table)
                .filter(|_| part.referenced == target);
            if let Some(name) = name.filter(|name| **name != part.name) {
                constraint::rename(part.oid, name)?;
            }
        }
        Ok(())
    }
}

/// Of a key that is called otherwise, or whose table is, until the swap: gives its parts for partitions of what it points at
/// the names that they would have without that. PostgreSQL names them after the key since 18, after the table before.
///
/// The caller has its table locked against who alters it.
pub fn call_after(key: pg_sys::Oid, until_the_swap: &str, then: &str) -> Result<(), Error> {
    let parts = foreign_key::parts_of(&[key])?;
    let Some(table) = parts.iter().find(|part| part.oid == key) else {
        return Ok(());
    };
    let mut names = Names::new(foreign_key::names_of_constraints(table.table)?);
    for part in parts.iter().filter(|part| part.table == table.table) {
        let own = part.name.strip_prefix(until_the_swap);
        if let Some(own) = own.and_then(|own| own.strip_prefix('_')) {
            constraint::rename(part.oid, &names.derive(then, own))?;
        }
    }
    Ok(())
}
