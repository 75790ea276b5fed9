//! What stands in the way of a conversion. All of it is found at once.

use super::dependents;
use super::facts::{Column, ExclusionOperator, Facts, Index};
use serde::{Deserialize, Serialize};

/// One reason why the table cannot be converted as it stands, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    pub fact: String,
    pub hint: Option<String>,
}

impl Blocker {
    /// A blocker without a way out that a hint could name.
    pub fn fact(fact: impl Into<String>) -> Self {
        Blocker {
            fact: fact.into(),
            hint: None,
        }
    }

    /// A blocker, and what to do about it.
    pub fn with_hint(fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Blocker {
            fact: fact.into(),
            hint: Some(hint.into()),
        }
    }
}

/// Why this relation can never be a source, in one sentence; `None` where it is a plain table.
pub fn wrong_relation(facts: &Facts) -> Option<String> {
    let kind = match facts.kind.as_str() {
        "r" if facts.is_system => "It is a system catalog, or belongs to this extension.",
        "r" if facts.is_partition => "It is a partition of another table.",
        "r" => return None,
        "p" => "It is partitioned already.",
        "v" => "It is a view.",
        "m" => "It is a materialized view.",
        "f" => "It is a foreign table.",
        "S" => "It is a sequence.",
        "i" | "I" => "It is an index.",
        "c" => "It is a composite type.",
        "t" => "It is a TOAST table.",
        _ => "It is not a plain table.",
    };
    Some(kind.to_owned())
}

/// Of such a column no ranges can be made.
pub fn unsupported_type(column: &Column) -> Blocker {
    Blocker::fact(format!(
        "Column \"{}\" is of type {}; ranges are made over timestamp with time zone, timestamp, date, \
         smallint, integer and bigint.",
        column.name, column.type_name
    ))
}

/// Everything that stands in the way of partitioning the table by `key`, in a fixed order.
///
/// `default_partition` is whether rows outside all ranges have a place to go.
pub fn find(facts: &Facts, key: &Column, default_partition: bool) -> Vec<Blocker> {
    let mut found = table_blockers(facts);
    found.extend(key_blockers(facts, key, default_partition));
    found.extend(part_blockers(facts, Some(key)));
    found
}

/// Everything that stands in the way whatever the column, in the same order.
pub fn of_table(facts: &Facts) -> Vec<Blocker> {
    let mut found = table_blockers(facts);
    found.extend(part_blockers(facts, None));
    found
}

/// Constraints, indexes and dependents that cannot be carried.
fn part_blockers(facts: &Facts, key: Option<&Column>) -> Vec<Blocker> {
    let mut found = Vec::new();
    found.extend(facts.checks.iter().filter(|check| check.no_inherit).map(|check| {
        Blocker::fact(format!(
            "CHECK constraint \"{}\" is marked NO INHERIT, which a partitioned table cannot have.",
            check.name
        ))
    }));
    found.extend(whole_rows(facts));
    // Its partitions would not have it, so that nothing would keep nulls out.
    found.extend(
        facts
            .not_nulls
            .iter()
            .filter(|not_null| not_null.no_inherit)
            .map(|not_null| {
                Blocker::with_hint(
                    format!(
                        "NOT NULL constraint \"{}\" is marked NO INHERIT, which a partitioned table cannot have.",
                        not_null.name
                    ),
                    format!(
                        "ALTER TABLE … ALTER CONSTRAINT \"{}\" INHERIT.",
                        not_null.name
                    ),
                )
            }),
    );
    found.extend(
        facts
            .indexes
            .iter()
            .flat_map(|index| index_blockers(index, key)),
    );
    found.extend(key.iter().flat_map(|key| undetermined(facts, key.attnum)));
    found.extend(dependents::refused(facts));
    found.extend(key.map_or_else(Vec::new, |key| {
        dependents::refused_by_key(facts, key.attnum)
    }));
    found.extend(key.map_or_else(Vec::new, |key| {
        dependents::refused_by_publications(facts, key.attnum)
    }));
    found.extend(facts.extras.iter().map(dependents::refused_extra));
    found
}

/// What speaks of columns that a primary key alone tells, which it does not when it is extended by the
/// partition column, with that attribute number.
pub fn undetermined(facts: &Facts, key: i16) -> Vec<Blocker> {
    let extended = facts
        .indexes
        .iter()
        .filter(|index| index.is_unique && lacks(index, key));
    let grouped = extended.flat_map(|index| {
        let constraint = index.constraint.iter();
        constraint.flat_map(move |one| one.grouped_by.iter().map(move |what| (index, what)))
    });
    grouped
        .map(|(index, what)| {
            Blocker::with_hint(
                format!(
                    "The {what} groups by primary key \"{}\" and shows other columns, which that does not determine when it is extended by the partition column.",
                    index.name
                ),
                "GROUP BY all the columns that it shows.",
            )
        })
        .collect()
}

/// What speaks of the row as a whole does it by the table's name: on the twin that is another, and on
/// partitions to come, which have that of their own.
fn whole_rows(facts: &Facts) -> Vec<Blocker> {
    let checks = facts.checks.iter().filter(|check| check.has_whole_row);
    let checks = checks.map(|check| format!("CHECK constraint \"{}\"", check.name));
    let indexes = facts.indexes.iter().filter(|index| index.has_whole_row);
    let indexes = indexes.map(|index| format!("Index \"{}\"", index.name));
    checks
        .chain(indexes)
        .map(|what| {
            Blocker::with_hint(
                format!(
                    "{what} speaks of whole rows of the table, which those of a partition are not."
                ),
                "Name the columns in it one by one.",
            )
        })
        .collect()
}

fn table_blockers(facts: &Facts) -> Vec<Blocker> {
    let mut found = Vec::new();
    let mut refuse = |is_so: bool, fact: &str, hint: Option<&str>| {
        if is_so {
            found.push(Blocker {
                fact: fact.to_owned(),
                hint: hint.map(str::to_owned),
            });
        }
    };
    refuse(facts.persistence == "t", "It is a temporary table.", None);
    refuse(
        facts.access_method != "heap",
        &format!(
            "It uses the access method \"{}\"; only heap is supported.",
            facts.access_method
        ),
        None,
    );
    refuse(
        facts.inherits,
        "It inherits from another table.",
        Some("ALTER TABLE … NO INHERIT …."),
    );
    refuse(facts.is_inherited, "Other tables inherit from it.", None);
    refuse(
        !facts.owner_may_read_and_capture,
        &format!(
            "Its owner \"{}\" has given up the right to SELECT from it, or to have a TRIGGER on it.",
            facts.owner_name
        ),
        Some("GRANT SELECT, TRIGGER ON TABLE … to the owner."),
    );
    refuse(
        !facts.owner_may_set_sequences,
        &format!(
            "Its owner \"{}\" has given up the right to SELECT from, or to UPDATE, the sequence of its identity column.",
            facts.owner_name
        ),
        Some("GRANT SELECT, UPDATE ON SEQUENCE … to the owner."),
    );
    refuse(
        !facts.owner_may_create,
        &format!(
            "Its owner \"{}\" may not create tables in schema \"{}\".",
            facts.owner_name, facts.schema
        ),
        Some("GRANT CREATE ON SCHEMA … to the owner."),
    );
    refuse(
        !facts.owner_may_use_tablespaces,
        &format!(
            "Its owner \"{}\" may not create objects in its tablespace.",
            facts.owner_name
        ),
        Some("GRANT CREATE ON TABLESPACE … to the owner."),
    );
    found
}

fn key_blockers(facts: &Facts, key: &Column, default_partition: bool) -> Vec<Blocker> {
    let mut found = Vec::new();
    if !key.generated.is_empty() {
        found.push(Blocker::fact(format!(
            "Column \"{}\" is a generated column, which cannot be a partition key.",
            key.name
        )));
    }
    if !key.not_null && !default_partition {
        found.push(Blocker::with_hint(
            format!(
                "Column \"{}\" may be null, and without a default partition a null has no place to go.",
                key.name
            ),
            "ALTER TABLE … ALTER COLUMN … SET NOT NULL, or default_partition => true.",
        ));
    }
    let extends_primary_key = facts
        .indexes
        .iter()
        .any(|index| index.is_primary && lacks(index, key.attnum));
    if !key.not_null && extends_primary_key {
        found.push(Blocker::with_hint(
            format!(
                "Column \"{}\" must become part of the primary key, but it may be null.",
                key.name
            ),
            "ALTER TABLE … ALTER COLUMN … SET NOT NULL.",
        ));
    }
    let extends_identity = facts
        .indexes
        .iter()
        .any(|index| facts.replica_index.as_ref() == Some(&index.name) && lacks(index, key.attnum));
    if !key.not_null && extends_identity && !extends_primary_key {
        found.push(Blocker::with_hint(
            format!(
                "Column \"{}\" must become part of the index that is the replica identity, but it may be null.",
                key.name
            ),
            "ALTER TABLE … ALTER COLUMN … SET NOT NULL, or ALTER TABLE … REPLICA IDENTITY FULL.",
        ));
    }
    let subscriptions = &facts.dependents.subscriptions;
    if let Some(index) = sought_by(facts).filter(|index| lacks(index, key.attnum)) {
        found.extend(subscriptions.iter().map(|subscription| {
            Blocker::with_hint(
                format!(
                    "Index \"{}\", by which subscription \"{}\" finds the rows to change, must be extended by column \"{}\", which its publisher need not send with a deletion.",
                    index.name, subscription.name, key.name
                ),
                "Partition by a column of that index.",
            )
        }));
    }
    found
}

/// The index by which changes that a subscription brings find their rows.
fn sought_by(facts: &Facts) -> Option<&Index> {
    let mut indexes = facts.indexes.iter();
    match &facts.replica_index {
        Some(name) => indexes.find(|index| index.name == *name),
        None => indexes.find(|index| index.is_primary),
    }
}

fn index_blockers(index: &Index, key: Option<&Column>) -> Vec<Blocker> {
    let mut found = Vec::new();
    if !index.is_valid {
        found.push(Blocker::with_hint(
            format!("Index \"{}\" is not valid.", index.name),
            format!("REINDEX INDEX CONCURRENTLY, or drop, \"{}\".", index.name),
        ));
    }
    found.extend(excludes_across_partitions(index, key));
    let too_many = index.columns.len() + index.include.len() >= MAX_INDEX_COLUMNS;
    let is_extended = key.is_some_and(|key| index.is_unique && lacks(index, key.attnum));
    if is_extended && too_many {
        found.push(Blocker::fact(format!(
            "Unique index \"{}\" has no room for the partition column.",
            index.name
        )));
    }
    found
}

/// Each partition excludes among its own rows: that will do where rows of two partitions differ by
/// what the constraint itself compares for equality.
fn excludes_across_partitions(index: &Index, key: Option<&Column>) -> Option<Blocker> {
    let exclusion = index.exclusion.as_ref()?;
    let name = &index.name;
    if !exclusion.can_be_partitioned {
        return Some(Blocker::fact(format!(
            "\"{name}\" is an exclusion constraint, which a partitioned table can have since PostgreSQL 17 only."
        )));
    }
    let key = key?;
    let compared = index.key_attnums.iter().zip(&exclusion.operators);
    let is_compared = |(attnum, operator): (&i16, &ExclusionOperator)| {
        *attnum == key.attnum && operator.is_equality
    };
    if compared.into_iter().any(is_compared) {
        return None;
    }
    let column = &key.name;
    let is_without_overlaps = index
        .constraint
        .as_ref()
        .is_some_and(|c| c.without_overlaps);
    Some(match is_without_overlaps {
        true => Blocker::with_hint(
            format!(
                "Constraint \"{name}\" is WITHOUT OVERLAPS and lacks column \"{column}\": each partition would allow what overlaps in another."
            ),
            "Partition by one of its columns, or make it again with that one.",
        ),
        false => Blocker::with_hint(
            format!(
                "Exclusion constraint \"{name}\" does not compare column \"{column}\" for equality: each partition would allow what it excludes in another."
            ),
            "Make it again with that column WITH =.",
        ),
    })
}

/// `INDEX_MAX_KEYS` of every build of PostgreSQL that is not custom-made.
pub const MAX_INDEX_COLUMNS: usize = 32;

/// Whether a unique index must be extended by the partition column.
pub fn lacks(index: &Index, attnum: i16) -> bool {
    !index.key_attnums.contains(&attnum)
}
