//! The guard of a key that loses its uniqueness: a plain table that holds the key of every row, and the value
//! of the partition column that its row lies at.
//!
//! Its primary key is the old one, so that no two partitions can hold rows of the same key, and foreign keys
//! of other tables can point at it. Its own foreign key points at the row, and follows it: PostgreSQL itself
//! takes a key away with its row, and lets it go along when the row moves. What is left to do is to note the
//! keys of new rows, by a trigger. Why that is right: docs/internals/guard.md.

mod function;
mod refused;

pub use refused::{helps, instead};

use super::blockers::{self, Blocker};
use super::columns::{listed, of_row};
use super::dependents::{ForeignKey, SelfKey};
use super::facts::{Column, Facts, Index};
use super::lock::{Lock, Mode};
use super::names::{Names, QualifiedName};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::twin::unlogged;
use serde::{Deserialize, Serialize};

/// What its triggers are called, on the partitioned table and on itself. Triggers fire in the order of their
/// names: the key must be there before other triggers insert what points at it.
pub const TRIGGER: &str = "!unique_guard";

/// `FirstNormalObjectId`: what is below comes with the server, and its operators are in pg_catalog.
const FIRST_OWN_OBJECT: u32 = 16_384;

/// The guard of the key that rows are known by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Also of the function that its triggers call.
    pub name: QualifiedName,
    /// The columns of the key, by their numbers on the source.
    pub attnums: Vec<i16>,
    /// Their names, then that of the partition column.
    pub columns: Vec<String>,
    /// What makes it, empty, when the twin is made.
    pub prepare: Vec<Step>,
    /// What makes its foreign key to the twin, when all indexes of that are valid.
    pub link: Step,
    /// The name of that foreign key.
    pub link_name: String,
}

impl Guard {
    /// The statement that notes the keys of one partition of the twin.
    pub fn fill(&self, leaf: &QualifiedName) -> String {
        // Between rounds of catching up a row that has moved may be there twice.
        Sql::template(
            "INSERT INTO {guard} ({columns}) SELECT {columns} FROM ONLY {leaf} ON CONFLICT DO NOTHING",
        )
        .name("guard", &self.name)
        .name("leaf", leaf)
        .trusted("columns", &listed(&self.columns))
        .build()
    }

    /// What validates its foreign key, after the swap.
    pub fn validate(&self, facts: &Facts) -> Step {
        let statement = Sql::template("ALTER TABLE {guard} VALIDATE CONSTRAINT {name}")
            .name("guard", &self.name)
            .ident("name", &self.link_name);
        Step::new(Phase::Reversible, statement.build())
            .locks(Mode::ShareUpdateExclusive, &self.name)
            .lock(Lock::on(Mode::RowShare, &facts.qualified_name()).with_partitions())
    }

    /// Keys that have come meanwhile, and cannot be made to point at it.
    pub fn refused_meanwhile(&self, facts: &Facts) -> Vec<Blocker> {
        refused::meanwhile(facts, &self.attnums)
    }

    /// The body of its function, by the foreign keys that the table has by now.
    pub fn body(&self, facts: &Facts) -> Option<String> {
        let columns = Columns::of_guard(&self.columns)?;
        let index = facts.identity()?;
        Some(function::body(facts, index, &self.name, &columns))
    }

    /// What gives its function another body.
    pub fn with_body(&self, body: &str) -> String {
        function::statement("CREATE OR REPLACE FUNCTION", &self.name, body)
    }

    /// A definition of the guarded table without what the guard has put on it: what points from there at the guard
    /// points at the table.
    pub fn without(&self, facts: &Facts) -> Facts {
        let mut facts = facts.clone();
        let dependents = &mut facts.dependents;
        dependents.triggers.retain(|one| one.name != TRIGGER);
        dependents
            .incoming_keys
            .retain(|key| key.table() != self.name);
        let (own, others): (Vec<ForeignKey>, Vec<ForeignKey>) =
            std::mem::take(&mut dependents.foreign_keys)
                .into_iter()
                .partition(|key| key.points_at() == self.name);
        dependents.foreign_keys = others;
        let own = own.into_iter().map(|key| self.as_to_itself(key));
        dependents.self_keys.extend(own);
        facts
    }

    /// Which columns it is about, its texts tell.
    fn as_to_itself(&self, key: ForeignKey) -> SelfKey {
        let name = self.name.to_string();
        let (head, rest) = (key.definition.split_once(&format!(" REFERENCES {name}(")))
            .unwrap_or((&key.definition, ""));
        SelfKey {
            head: format!("{head} REFERENCES "),
            rest: format!("({rest}"),
            columns: Vec::new(),
            referenced: Vec::new(),
            parts: Vec::new(),
            oid: key.oid,
            name: key.name,
            needs_validation: key.needs_validation,
            acts: key.acts,
            owner_may_reference: key.owner_may_reference,
            comment: key.comment,
        }
    }
}

/// Makes the plan of the guard; there is nothing that [`refused::refused`] tells.
pub fn plan(facts: &Facts, key: &Column, twin: &QualifiedName, names: &mut Names) -> Option<Guard> {
    let index = guarded(facts, key)?;
    let name = QualifiedName::new(&facts.schema, names.derive(&index.name, "guard"));
    let primary_key = names.derive(&name.name, "pkey");
    let link_name = names.derive(&name.name, "fkey");
    let columns = Columns::of(facts, index, key);
    let link = Sql::template(
        "ALTER TABLE {guard} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {twin} ({columns}) \
         ON UPDATE CASCADE ON DELETE CASCADE NOT VALID",
    )
    .name("guard", &name)
    .ident("name", &link_name)
    .name("twin", twin)
    .trusted("columns", &listed(&columns.all))
    .build();
    Some(Guard {
        prepare: steps(facts, index, twin, &name, &primary_key, &columns),
        link: Step::new(Phase::Swapping, link)
            .locks_new(Mode::ShareRowExclusive, &name)
            .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions())
            .note("reads no row; validated after the swap"),
        link_name,
        attnums: index.key_attnums.clone(),
        columns: columns.all,
        name,
    })
}

/// The key that can be guarded: by which rows are known, if it is unique only together with the partition
/// column from then on.
fn guarded<'a>(facts: &'a Facts, key: &Column) -> Option<&'a Index> {
    facts
        .identity()
        .filter(|index| blockers::lacks(index, key.attnum))
}

/// The columns of a guard, by their names.
struct Columns {
    of_key: Vec<String>,
    /// The partition column.
    key: String,
    /// Those of the key, then that.
    all: Vec<String>,
}

impl Columns {
    fn of(facts: &Facts, index: &Index, key: &Column) -> Columns {
        let of_key: Vec<String> = index
            .key_attnums
            .iter()
            .filter_map(|attnum| facts.column_at(*attnum))
            .map(|column| column.name.clone())
            .collect();
        Columns {
            all: of_key.iter().chain([&key.name]).cloned().collect(),
            key: key.name.clone(),
            of_key,
        }
    }

    /// By all of them.
    fn of_guard(all: &[String]) -> Option<Columns> {
        let (key, of_key) = all.split_last()?;
        Some(Columns {
            of_key: of_key.to_vec(),
            key: key.clone(),
            all: all.to_vec(),
        })
    }
}

fn steps(
    facts: &Facts,
    index: &Index,
    twin: &QualifiedName,
    guard: &QualifiedName,
    primary_key: &str,
    columns: &Columns,
) -> Vec<Step> {
    let made = |statement: Sql| Step::new(Phase::Prepared, statement.build());
    let source = facts.qualified_name();
    let body = function::body(facts, index, guard, columns);
    let comment = format!(
        "Holds the key of every row of {source}, of whatever partition: keeps \"{}\" unique, and foreign keys point at it.",
        index.name
    );
    vec![
        // Types, collations and all: as the columns are.
        made(
            Sql::template(
                "CREATE {unlogged}TABLE {guard} AS SELECT {columns} FROM ONLY {source} WITH NO DATA",
            )
            // What a crash takes from the table, it takes from the guard.
            .trusted("unlogged", unlogged(facts.is_unlogged()))
            .name("guard", guard)
            .trusted("columns", &listed(&columns.all))
            .name("source", &source),
        )
        .locks(Mode::AccessShare, &source),
        made(
            Sql::template(
                "ALTER TABLE {guard} ADD CONSTRAINT {name} PRIMARY KEY ({columns})",
            )
            .name("guard", guard)
            .ident("name", primary_key)
            .trusted("columns", &listed(&columns.of_key)),
        )
        .locks_new(Mode::AccessExclusive, guard),
        // By it the keys of a partition are found that is to be retired.
        made(
            Sql::template("CREATE INDEX ON {guard} ({key})")
                .name("guard", guard)
                .ident("key", &columns.key),
        )
        .locks_new(Mode::Share, guard),
        made(
            Sql::template("COMMENT ON TABLE {guard} IS {comment}")
                .name("guard", guard)
                .literal("comment", &comment),
        )
        .locks_new(Mode::ShareUpdateExclusive, guard),
        Step::new(
            Phase::Prepared,
            function::statement("CREATE FUNCTION", guard, &body),
        ),
        made(
            Sql::template("REVOKE ALL ON FUNCTION {guard}() FROM PUBLIC").name("guard", guard),
        ),
        made(
            Sql::template(
                "CREATE TRIGGER {name} AFTER INSERT ON {twin} FOR EACH ROW EXECUTE FUNCTION {guard}()",
            )
            .ident("name", TRIGGER)
            .name("twin", twin)
            .name("guard", guard),
        )
        .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions()),
        made(
            Sql::template(
                "CREATE TRIGGER {name} BEFORE UPDATE ON {guard} FOR EACH ROW \
                 WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION {guard}()",
            )
            .ident("name", TRIGGER)
            .name("guard", guard)
            .trusted("old", &of_row("OLD", &columns.of_key))
            .trusted("new", &of_row("NEW", &columns.of_key)),
        )
        .locks_new(Mode::ShareRowExclusive, guard),
    ]
}

#[cfg(test)]
mod tests;
