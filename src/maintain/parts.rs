//! Parts of a table's indexes that partitions lack: built, and attached.

use super::repair::Mended;
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::plan::facts::{Facts, Index};
use crate::plan::indexes::{self, Building};
use crate::plan::names::{Names, QualifiedName};
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// `pg_class.relkind` of partitioned tables.
const PARTITIONED: &str = "p";

/// An index of a table, a part of which a partition lacks.
pub struct Part {
    parent: Facts,
    leaf: Facts,
    index: Index,
}

impl Part {
    /// Reads it; `None` where the index, or one of the tables, is gone.
    pub fn read(
        parent: pg_sys::Oid,
        leaf: pg_sys::Oid,
        index: pg_sys::Oid,
    ) -> Result<Option<Part>, Error> {
        let mut both = table::facts_of(&[parent, leaf])?;
        let mut take = |oid: pg_sys::Oid| {
            let place = both.iter().position(|facts| facts.oid == oid.to_u32())?;
            Some(both.swap_remove(place))
        };
        let (Some(parent), Some(leaf)) = (take(parent), take(leaf)) else {
            return Ok(None);
        };
        let index = parent.indexes.iter().find(|one| one.oid == index.to_u32());
        Ok(index.cloned().map(|index| Part {
            parent,
            leaf,
            index,
        }))
    }

    /// Why it can only be built while writers wait, if so.
    pub fn is_exclusive(&self) -> bool {
        self.index.is_exclusion
    }

    /// The name under which it is built. It says whose it is: whatever has it, and is invalid, was
    /// left by a build that did not end.
    pub fn working_name(&self) -> QualifiedName {
        QualifiedName::new(
            &self.leaf.schema,
            format!("partman_rs_build_{}_{}", self.leaf.oid, self.index.oid),
        )
    }

    /// What a build that did not end has left.
    pub fn leftover(&self) -> Option<&Index> {
        let name = self.working_name().name;
        let mut all = self.leaf.indexes.iter();
        all.find(|index| index.name == name && !index.is_valid)
    }

    /// The statement that drops that, beside readers and writers.
    pub fn clearing_statement(&self) -> String {
        Sql::template("DROP INDEX CONCURRENTLY {name}")
            .name("name", &self.working_name())
            .build()
    }

    /// The statement that builds it.
    pub fn statement(&self, how: Building) -> String {
        let relation = self.leaf.qualified_name();
        indexes::part(&self.index, &relation, &self.working_name(), how)
    }

    /// The statement that makes it on the partition alone, which is partitioned.
    fn outline(&self) -> Result<String, Error> {
        let relation = self.leaf.qualified_name();
        let name = QualifiedName::new(&self.leaf.schema, self.free_name()?);
        Ok(indexes::outline(
            &self.parent,
            &self.index,
            &relation,
            &name,
        ))
    }

    /// An index of the partition that will do: just built, or there already, and of no other index
    /// of the table.
    fn ready(&self) -> Result<Option<&Index>, Error> {
        for index in self.leaf.indexes.iter().filter(|one| self.is_alike(one)) {
            let is_taken: bool = db::value(
                "SELECT relispartition FROM pg_class WHERE oid = $1",
                &[pg_sys::Oid::from(index.oid).into()],
            )?;
            if !is_taken {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn is_alike(&self, other: &Index) -> bool {
        let index = &self.index;
        let kind = |index: &Index| index.constraint.as_ref().map(|one| one.kind.clone());
        let has_its_constraint =
            index.constraint.is_none() || other.constraint.is_none() || kind(index) == kind(other);
        // That of a partitioned table becomes valid when all its partitions have their part.
        (other.is_valid || self.leaf.kind == PARTITIONED)
            && has_its_constraint
            && other.method == index.method
            && other.is_unique == index.is_unique
            && other.is_exclusion == index.is_exclusion
            && other.nulls_not_distinct == index.nulls_not_distinct
            && other.predicate == index.predicate
            && other.columns == index.columns
            && other.include == index.include
    }

    /// Attaches an index that will do; `false` where there is none.
    ///
    /// Both tables are locked by the caller. ACCESS EXCLUSIVE on the index, and where it becomes that
    /// of a constraint on the partition, until the end of the transaction: a moment, since nothing is
    /// read.
    pub fn attach(&self) -> Result<bool, Error> {
        let Some(ready) = self.ready()? else {
            return Ok(false);
        };
        if self.is_last_of_its_level()? {
            // ACCESS EXCLUSIVE on all tables above, until the end of the (sub)transaction, for a moment:
            // PostgreSQL wants it to call their indexes valid, and would ask for it when the part is locked,
            // which planning a query on them does, too, but after them. Here nobody waits for us yet.
            for above in table::ancestors(pg_sys::Oid::from(self.parent.oid))? {
                lock::relation(above, Mode::AccessExclusive, guc::swap_lock_timeout());
            }
        }
        let in_schema = |name: &str| QualifiedName::new(&self.leaf.schema, name);
        let leaf = self.leaf.qualified_name();
        let mut name = in_schema(&ready.name);
        if let (Some(constraint), None) = (&self.index.constraint, &ready.constraint) {
            let wanted = self.free_name()?;
            db::run(
                &indexes::constraint_using(constraint, &leaf, &wanted, &ready.name),
                &[],
            )?;
            name = in_schema(&wanted);
        } else if name == self.working_name() {
            let wanted = self.free_name()?;
            db::run(&indexes::rename(&name, &wanted), &[])?;
            name = in_schema(&wanted);
        }
        let of_table = QualifiedName::new(&self.parent.schema, &self.index.name);
        db::run(&indexes::attach(&of_table, &name), &[])?;
        Ok(true)
    }

    /// Whether the index is itself a part of one further up, and becomes valid with this part.
    fn is_last_of_its_level(&self) -> Result<bool, Error> {
        db::value(
            "SELECT c.relispartition AND NOT i.indisvalid \
                AND (SELECT count(*) FROM pg_inherits h JOIN pg_index p ON p.indexrelid = h.inhrelid AND p.indisvalid \
                      WHERE h.inhparent = i.indexrelid) + 1 \
                 >= (SELECT count(*) FROM pg_inherits h WHERE h.inhparent = i.indrelid) \
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indexrelid = $1",
            &[pg_sys::Oid::from(self.index.oid).into()],
        )
    }

    /// A name as PostgreSQL would have given it.
    fn free_name(&self) -> Result<String, Error> {
        let mut names = Names::new([]);
        loop {
            let name = names.leaf_object(&self.leaf.name, &self.parent.name, &self.index.name);
            if !table::is_taken(&self.leaf.schema, &name)? {
                return Ok(name);
            }
        }
    }
}

/// Makes the part of a partition that is partitioned itself: nothing is read, its own partitions get theirs
/// afterwards. Both tables are locked by the caller.
pub fn outline(
    parent: pg_sys::Oid,
    partition: pg_sys::Oid,
    index: pg_sys::Oid,
) -> Result<Mended, Error> {
    let Some(part) = Part::read(parent, partition, index)? else {
        return Ok(Mended::Gone);
    };
    if part.attach()? {
        return Ok(Mended::Done);
    }
    if part.is_exclusive() {
        return Ok(Mended::NotTried(
            "an exclusion constraint is added by hand".to_owned(),
        ));
    }
    // SHARE on the partition, for that of a constraint ACCESS EXCLUSIVE, until the end of the
    // (sub)transaction: a moment.
    db::run(&part.outline()?, &[])?;
    match Part::read(parent, partition, index)? {
        Some(made) if made.attach()? => Ok(Mended::Done),
        _ => Err(Error::Internal(format!(
            "the outline of index \"{}\" cannot be attached",
            part.index.name
        ))),
    }
}

/// Builds a part in a session, where no worker does: only on a partition that is small, for writers
/// to it wait. Both tables are locked by the caller.
pub fn build_small(
    parent: pg_sys::Oid,
    leaf: pg_sys::Oid,
    index: pg_sys::Oid,
) -> Result<Mended, Error> {
    let Some(part) = Part::read(parent, leaf, index)? else {
        return Ok(Mended::Gone);
    };
    if part.attach()? {
        return Ok(Mended::Done);
    }
    if part.is_exclusive() {
        return Ok(Mended::NotTried(
            "an exclusion constraint is added by hand, while writers wait".to_owned(),
        ));
    }
    let bytes: i64 = db::value("SELECT pg_table_size($1)", &[leaf.into()])?;
    if u64::try_from(bytes).unwrap_or(0) > guc::default_scan_limit() {
        return Ok(Mended::NotTried(
            "no worker runs that could build it CONCURRENTLY, and the partition is larger than \
             pg_partman_rs.default_scan_limit"
                .to_owned(),
        ));
    }
    // SHARE on the partition, until the end of the (sub)transaction: writers to it wait while the
    // few rows are sorted.
    db::run(&part.statement(Building::Plainly), &[])?;
    match Part::read(parent, leaf, index)? {
        Some(built) if built.attach()? => Ok(Mended::Done),
        _ => Err(Error::Internal(format!(
            "index {} cannot be attached",
            part.working_name()
        ))),
    }
}
