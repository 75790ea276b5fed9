//! A table among those that it is a partition of, and those that are partitions of it.

use super::drift;
use crate::catalog::{policy, table};
use crate::error::Error;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// Locks a table until the end of the (sub)transaction, and before it all that it is a partition of.
///
/// Those are locked ACCESS SHARE, which only who changes the whole of them waits for, from the top down:
/// PostgreSQL asks for them itself when a partition is attached or its bounds are written down, and would
/// ask when this table is locked already, against the order in which everybody else asks.
pub fn lock(relation: pg_sys::Oid, mode: Mode) -> Result<(), Error> {
    for above in table::ancestors(relation)? {
        lock::relation(above, Mode::AccessShare, guc::swap_lock_timeout());
    }
    lock::relation(relation, mode, guc::swap_lock_timeout());
    Ok(())
}

/// The partitions of a table that are partitioned by ranges and have no policy, where others have one.
pub struct Unkept(Vec<QualifiedName>);

impl Unkept {
    /// Looks for them; `None` where there are none.
    pub fn of(parent: pg_sys::Oid) -> Result<Option<Unkept>, Error> {
        let found = policy::unkept(parent)?;
        Ok((!found.is_empty()).then_some(Unkept(found)))
    }

    /// The one there is.
    pub fn only(&self) -> Option<&QualifiedName> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What is not well.
    pub fn in_words(&self) -> String {
        let names: Vec<&QualifiedName> = self.0.iter().collect();
        let listed = drift::listed(&names);
        match names.len() {
            1 => format!("{listed} is partitioned and has no policy, as its siblings have"),
            _ => format!("{listed} are partitioned and have no policy, as their siblings have"),
        }
    }

    /// What to do about the first one.
    pub fn next_command(&self) -> String {
        let first = self.0.first().map(ToString::to_string);
        Sql::template("SELECT set_partition_policy({name});")
            .literal("name", &first.unwrap_or_default())
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unkept(count: u32) -> Unkept {
        let name = |number| QualifiedName::new("s", format!("O'Neill {number}"));
        Unkept((1..=count).map(name).collect())
    }

    #[test]
    fn what_has_no_policy_is_named_and_the_first_one_is_given_one() {
        assert_eq!(
            unkept(1).in_words(),
            r#"s."O'Neill 1" is partitioned and has no policy, as its siblings have"#
        );
        assert_eq!(
            unkept(4).in_words(),
            r#"4 partitions: s."O'Neill 1", s."O'Neill 2", s."O'Neill 3", … are partitioned and have no policy, as their siblings have"#
        );
        assert_eq!(
            unkept(2).next_command(),
            r#"SELECT set_partition_policy('s."O''Neill 1"');"#
        );
        assert!(unkept(1).only().is_some() && unkept(2).only().is_none());
    }
}
