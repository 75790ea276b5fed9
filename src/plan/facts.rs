//! What is known about the source relation before anything is decided.
//!
//! The document is made by one catalog query (`catalog/sql/facts.sql`); equal definitions give
//! equal documents, which is what the fingerprint rests on.

use super::dependents::Dependents;
use super::labels::Label;
use super::names::QualifiedName;
use serde::{Deserialize, Serialize};

/// One relation, as the catalog describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// `pg_class.relkind`.
    pub kind: String,
    /// `pg_class.relpersistence`.
    pub persistence: String,
    pub access_method: String,
    pub owner: u32,
    pub owner_name: String,
    pub is_partition: bool,
    pub is_system: bool,
    /// The composite type that it follows (`CREATE TABLE … OF`).
    pub of_type: Option<QualifiedName>,
    pub inherits: bool,
    pub is_inherited: bool,
    pub row_security: bool,
    pub force_row_security: bool,
    /// `pg_class.relreplident`.
    pub replica_identity: String,
    /// The index that is the replica identity, if one is.
    pub replica_index: Option<String>,
    /// Storage parameters, those of the TOAST table with the prefix `toast.`.
    pub options: Vec<String>,
    pub tablespace: Option<String>,
    pub grants: Vec<Grant>,
    pub comment: Option<String>,
    /// Of the table, its columns, the sequences of its identity columns, and its row type.
    pub labels: Vec<Label>,
    pub has_dropped_columns: bool,
    pub columns: Vec<Column>,
    pub checks: Vec<Check>,
    /// Since PostgreSQL 18; before, NOT NULL is a property of the column and nothing else.
    pub not_nulls: Vec<NotNull>,
    pub indexes: Vec<Index>,
    /// What hangs on the table, and can be made again on another one. Read by itself.
    #[serde(default)]
    pub dependents: Dependents,
    /// Everything else found on the table, which a conversion cannot carry.
    pub extras: Vec<Extra>,
    pub owner_may_read_and_capture: bool,
    /// Whether it may read and set the sequences of identity columns.
    pub owner_may_set_sequences: bool,
    pub owner_may_create: bool,
    pub owner_may_use_tablespaces: bool,
}

/// What a table says of row-level security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSecurity {
    pub is_enabled: bool,
    /// Upon its owner, too.
    pub is_forced: bool,
}

impl RowSecurity {
    /// As strict as both.
    pub fn and(self, other: RowSecurity) -> RowSecurity {
        RowSecurity {
            is_enabled: self.is_enabled || other.is_enabled,
            is_forced: self.is_forced || other.is_forced,
        }
    }
}

/// One privilege on a table, column or sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub grantor: u32,
    pub grantor_name: String,
    /// `None` is PUBLIC.
    pub grantee: Option<String>,
    pub privilege: String,
    pub grantable: bool,
}

/// A live column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub attnum: i16,
    pub name: String,
    pub type_name: String,
    pub type_oid: u32,
    /// Whether no row holds a null here: not so while NOT NULL is NOT VALID.
    pub not_null: bool,
    pub has_default: bool,
    /// `pg_attribute.attgenerated`: empty, `s` or `v`.
    pub generated: String,
    /// `pg_attribute.attidentity`: empty, `a` or `d`.
    pub identity: String,
    pub statistics: Option<i32>,
    pub options: Option<Vec<String>>,
    pub storage: String,
    pub compression: String,
    pub default_text: Option<String>,
    pub collation: u32,
    pub comment: Option<String>,
    pub grants: Vec<Grant>,
    pub sequences: Vec<Sequence>,
}

/// A sequence that belongs to a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub is_identity: bool,
    /// What `ALTER TABLE … ADD GENERATED … AS IDENTITY (…)` takes to make an equal one.
    pub parameters: String,
    pub grants: Vec<Grant>,
    pub comment: Option<String>,
}

impl Sequence {
    /// Its name, with its schema.
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    /// As `pg_get_constraintdef` writes it, `NOT VALID` included.
    pub definition: String,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub valid: bool,
    pub no_inherit: bool,
    /// Whether it speaks of the row as a whole.
    pub has_whole_row: bool,
    pub comment: Option<String>,
}

/// A NOT NULL constraint, which has a name since PostgreSQL 18.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotNull {
    pub name: String,
    pub column: String,
    /// As `pg_get_constraintdef` writes it, `NOT VALID` included.
    pub definition: String,
    pub valid: bool,
    pub no_inherit: bool,
    pub comment: Option<String>,
}

/// An index, and the constraint that it serves, if any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub oid: u32,
    pub name: String,
    pub method: String,
    pub is_unique: bool,
    pub is_primary: bool,
    pub is_exclusion: bool,
    pub exclusion: Option<Exclusion>,
    pub is_valid: bool,
    pub is_clustered: bool,
    pub nulls_not_distinct: bool,
    pub immediate: bool,
    pub has_expressions: bool,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    /// Whether an expression, or its predicate, speaks of the row as a whole.
    pub has_whole_row: bool,
    /// Extensions that it depends on.
    pub extensions: Vec<String>,
    pub predicate: Option<String>,
    /// Attribute numbers of the key columns; 0 is an expression.
    pub key_attnums: Vec<i16>,
    pub constraint: Option<IndexConstraint>,
    /// Key columns as they are written in `CREATE INDEX`, with collation, operator class and order.
    pub columns: Vec<String>,
    /// Columns of the INCLUDE list.
    pub include: Vec<String>,
    /// Statistics targets of expression columns: pairs of attribute number and target.
    pub statistics: Vec<(i16, i32)>,
    pub options: Option<Vec<String>>,
    pub tablespace: Option<String>,
    pub comment: Option<String>,
}

/// By what an index excludes: of an exclusion constraint, or of one WITHOUT OVERLAPS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Whether the server has such a constraint on a partitioned table.
    pub can_be_partitioned: bool,
    /// One for each key column.
    pub operators: Vec<ExclusionOperator>,
}

/// An operator that must not be true of two rows, together with those of the other columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExclusionOperator {
    /// As it is written behind WITH.
    pub name: String,
    /// Whether it is the equality by which ranges of such a column are made.
    pub is_equality: bool,
}

/// The constraint behind an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexConstraint {
    pub name: String,
    /// `p`, `u` or `x`.
    pub kind: String,
    pub deferrable: bool,
    pub deferred: bool,
    pub without_overlaps: bool,
    /// What relies on its columns telling all others, as GROUP BY of a primary key alone does.
    pub grouped_by: Vec<String>,
    pub comment: Option<String>,
}

/// Something on the table that cannot be carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    /// The catalog that it is in, and its OID there.
    pub class: String,
    pub object: u32,
    /// Whether it is the row type that it depends on.
    pub by_type: bool,
    pub kind: String,
    pub description: String,
}

impl Column {
    /// The sequence that draws its identity; a partitioned table has one of its own.
    pub fn identity_sequence(&self) -> Option<&Sequence> {
        self.sequences.iter().find(|sequence| sequence.is_identity)
    }
}

impl Facts {
    /// Whether a crash empties it.
    pub fn is_unlogged(&self) -> bool {
        self.persistence == "u"
    }

    /// Its name, with its schema.
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }

    /// What it says of row-level security.
    pub fn security(&self) -> RowSecurity {
        RowSecurity {
            is_enabled: self.row_security,
            is_forced: self.force_row_security,
        }
    }

    /// The column of that name, if the table has it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column with that attribute number, if it is live.
    pub fn column_at(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }

    /// The definition without what may change while a conversion runs: an index keeps its
    /// meaning, but not its OID, when `REINDEX CONCURRENTLY` replaces it, and a foreign key its parts.
    pub fn definition(&self) -> Facts {
        let mut facts = self.clone();
        facts.indexes.iter_mut().for_each(|index| index.oid = 0);
        // Partitions of tables that point at it come and go.
        for key in &mut facts.dependents.incoming_keys {
            key.parts.clear();
        }
        facts
    }

    /// The definition without what hangs on the table and may change while a conversion runs, and the
    /// settings that go with it. Foreign keys may not: rows would have to be looked at.
    pub fn without_dependents(&self) -> Facts {
        let mut indexes = self.indexes.clone();
        let constraints = indexes
            .iter_mut()
            .filter_map(|index| index.constraint.as_mut());
        constraints.for_each(|constraint| constraint.grouped_by.clear());
        Facts {
            indexes,
            dependents: Dependents {
                foreign_keys: self.dependents.foreign_keys.clone(),
                ..Dependents::default()
            },
            row_security: false,
            force_row_security: false,
            replica_identity: String::new(),
            replica_index: None,
            ..self.clone()
        }
    }

    /// The definition without what is carried over when it changes while rows are copied:
    /// privileges, comments and security labels.
    pub fn without_carried(&self) -> Facts {
        let mut facts = self.clone();
        facts.grants.clear();
        facts.comment = None;
        facts.labels.clear();
        for column in &mut facts.columns {
            column.grants.clear();
            column.comment = None;
            for sequence in &mut column.sequences {
                sequence.grants.clear();
                sequence.comment = None;
            }
        }
        facts
            .checks
            .iter_mut()
            .for_each(|check| check.comment = None);
        for not_null in &mut facts.not_nulls {
            not_null.comment = None;
        }
        for key in &mut facts.dependents.foreign_keys {
            key.comment = None;
        }
        for key in &mut facts.dependents.incoming_keys {
            key.comment = None;
        }
        for key in &mut facts.dependents.self_keys {
            key.comment = None;
        }
        for index in &mut facts.indexes {
            index.comment = None;
            if let Some(constraint) = &mut index.constraint {
                constraint.comment = None;
            }
        }
        facts
    }

    /// The unique index by which a row is known: the primary key, else the unique index with
    /// the fewest columns. It must be valid, unconditional, over plain NOT NULL columns, and a
    /// btree, so that it can be searched for one row.
    pub fn identity(&self) -> Option<&Index> {
        self.indexes
            .iter()
            .filter(|index| self.identifies_rows(index))
            .min_by_key(|index| {
                (
                    !index.is_primary,
                    index.key_attnums.len(),
                    index.name.clone(),
                )
            })
    }

    fn identifies_rows(&self, index: &Index) -> bool {
        index.is_unique
            && index.is_valid
            && !index.is_exclusion
            && index.method == "btree"
            && index.predicate.is_none()
            && !index.has_expressions
            && index.key_attnums.iter().all(|attnum| {
                self.column_at(*attnum)
                    .is_some_and(|column| column.not_null)
            })
    }
}

/// What changed between two definitions, in a sentence for the user.
pub fn describe_change(before: &Facts, after: &Facts) -> String {
    let name = |facts: &Facts| (facts.schema.clone(), facts.name.clone());
    let rights = |facts: &Facts| {
        (
            facts.owner_may_read_and_capture,
            facts.owner_may_set_sequences,
            facts.owner_may_create,
            facts.owner_may_use_tablespaces,
        )
    };
    let identity = |facts: &Facts| (facts.replica_identity.clone(), facts.replica_index.clone());
    // A column that comes, goes or changes takes its NOT NULL along: that says nothing new.
    let apart = |of: &Facts, than: &Facts| -> Vec<NotNull> {
        let stays = |not_null: &&NotNull| {
            of.column(&not_null.column)
                .is_some_and(|column| than.columns.contains(column))
        };
        of.not_nulls.iter().filter(stays).cloned().collect()
    };
    let parts = [
        (name(before) != name(after)).then(|| "its name".to_owned()),
        (before.owner != after.owner).then(|| "its owner".to_owned()),
        (before.persistence != after.persistence).then(|| "whether it is logged".to_owned()),
        (before.of_type != after.of_type).then(|| "the type that it follows".to_owned()),
        named("its columns", &before.columns, &after.columns, |c| &c.name),
        named(
            "its CHECK constraints",
            &before.checks,
            &after.checks,
            |c| &c.name,
        ),
        named(
            "its NOT NULL constraints",
            &apart(before, after),
            &apart(after, before),
            |n| &n.name,
        ),
        named("its indexes", &before.indexes, &after.indexes, |i| &i.name),
        (rights(before) != rights(after)).then(|| "what its owner may do".to_owned()),
        (before.options != after.options).then(|| "its storage parameters".to_owned()),
        (before.tablespace != after.tablespace).then(|| "its tablespace".to_owned()),
        (before.security() != after.security()).then(|| "its row-level security".to_owned()),
        (identity(before) != identity(after)).then(|| "its replica identity".to_owned()),
        (before.grants != after.grants).then(|| "its privileges".to_owned()),
        (before.comment != after.comment).then(|| "its comment".to_owned()),
        (before.labels != after.labels).then(|| "its security labels".to_owned()),
        named(
            "its triggers",
            &before.dependents.triggers,
            &after.dependents.triggers,
            |one| &one.name,
        ),
        named(
            "its policies",
            &before.dependents.policies,
            &after.dependents.policies,
            |one| &one.name,
        ),
        named(
            "its rules",
            &before.dependents.rules,
            &after.dependents.rules,
            |one| &one.name,
        ),
        named(
            "rules elsewhere",
            &before.dependents.rules_elsewhere,
            &after.dependents.rules_elsewhere,
            |one| &one.name,
        ),
        named(
            "policies elsewhere",
            &before.dependents.policies_elsewhere,
            &after.dependents.policies_elsewhere,
            |one| &one.name,
        ),
        named(
            "views",
            &before.dependents.views,
            &after.dependents.views,
            |one| &one.name,
        ),
        named(
            "functions",
            &before.dependents.functions,
            &after.dependents.functions,
            |one| &one.name,
        ),
        named(
            "functions that take or return its rows",
            &before.dependents.row_functions,
            &after.dependents.row_functions,
            |one| &one.name,
        ),
        (before.dependents.casts != after.dependents.casts)
            .then(|| "casts of its row type".to_owned()),
        named(
            "its statistics objects",
            &before.dependents.statistics,
            &after.dependents.statistics,
            |one| &one.name,
        ),
        named(
            "its publications",
            &before.dependents.publications,
            &after.dependents.publications,
            |one| &one.name,
        ),
        named(
            "its subscriptions",
            &before.dependents.subscriptions,
            &after.dependents.subscriptions,
            |one| &one.name,
        ),
        named(
            "its foreign keys",
            &before.dependents.foreign_keys,
            &after.dependents.foreign_keys,
            |one| &one.name,
        ),
        (before.dependents.row_type != after.dependents.row_type)
            .then(|| "what is granted on its row type, or its comment".to_owned()),
        named(
            "foreign keys that point at it",
            &before.dependents.incoming_keys,
            &after.dependents.incoming_keys,
            |one| &one.name,
        ),
        named(
            "its foreign keys to itself",
            &before.dependents.self_keys,
            &after.dependents.self_keys,
            |one| &one.name,
        ),
        named(
            "what depends on it",
            &before.extras,
            &after.extras,
            |extra| &extra.description,
        ),
    ];
    let changed: Vec<String> = parts.into_iter().flatten().collect();
    match changed.is_empty() {
        true => "Its definition changed.".to_owned(),
        false => format!("What changed: {}.", changed.join("; ")),
    }
}

/// A part of the definition with the names of what was added, altered or dropped; `None` where
/// nothing was.
fn named<T: PartialEq>(
    part: &str,
    before: &[T],
    after: &[T],
    name: impl Fn(&T) -> &str,
) -> Option<String> {
    let other = |of: &[T], than: &[T]| -> Vec<String> {
        of.iter()
            .filter(|item| !than.contains(item))
            .map(|item| name(item).to_owned())
            .collect()
    };
    let mut names = other(before, after);
    names.extend(other(after, before));
    names.sort();
    names.dedup();
    (before != after).then(|| match names.is_empty() {
        true => part.to_owned(),
        false => format!("{part} ({})", names.join(", ")),
    })
}

#[cfg(test)]
impl Facts {
    /// Those of a plain table without columns, on which nothing hangs.
    pub fn of_a_plain_table() -> Facts {
        serde_json::from_value(serde_json::json!({
            "oid": 16384, "schema": "public", "name": "t", "kind": "r", "persistence": "p",
            "access_method": "heap", "owner": 10, "owner_name": "owner", "is_partition": false,
            "is_system": false, "of_type": null, "inherits": false, "is_inherited": false,
            "row_security": false, "force_row_security": false, "replica_identity": "d",
            "replica_index": null, "options": [], "tablespace": null,
            "grants": [], "comment": null, "labels": [], "has_dropped_columns": false, "columns": [],
            "checks": [], "not_nulls": [], "indexes": [], "extras": [],
            "owner_may_read_and_capture": true, "owner_may_set_sequences": true,
            "owner_may_create": true, "owner_may_use_tablespaces": true
        }))
        .unwrap()
    }
}
