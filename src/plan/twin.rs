//! Statements that make the twin and its leaves: empty, inert, equal to the source in all but
//! being partitioned.

use super::Partition;
use super::branch::{self, Branch};
use super::comments;
use super::facts::{Check, Column, Facts, NotNull, Sequence};
use super::labels;
use super::lock::{Lock, Mode};
use super::names::QualifiedName;
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;

/// All of them, in order.
pub fn steps(
    facts: &Facts,
    key: &Column,
    twin: &QualifiedName,
    branches: &[Branch],
    partitions: &[Partition],
) -> Vec<Step> {
    let every: Vec<Partition> = branch::every(branches, partitions).cloned().collect();
    let strategy = match every.iter().any(|one| one.value.is_some()) {
        true => "LIST",
        false => "RANGE",
    };
    let above = |partition| branch::above(partition, branches, twin);
    let mut steps = vec![create_twin(facts, key, twin, strategy)];
    steps.extend(forget_not_valid(facts, twin));
    steps.extend(follow_type(facts, twin));
    steps.extend(
        branches
            .iter()
            .map(|branch| branch::create(branch, above(&branch.partition))),
    );
    steps.extend(partitions.iter().enumerate().map(|(place, partition)| {
        create_leaf(facts, above(partition), partition).of_partition(place)
    }));
    steps.extend(partitions.iter().filter_map(branch::replica_identity));
    // After the leaves: one made later would take a NOT VALID constraint for a valid one.
    let checks = checks_not_valid(facts).map(|check| (&check.name, &check.definition));
    let not_nulls = not_valid(facts).map(|not_null| (&not_null.name, &not_null.definition));
    steps.extend(checks.chain(not_nulls).map(|(name, definition)| {
        made(
            Sql::template("ALTER TABLE {twin} ADD CONSTRAINT {name} {definition}")
                .name("twin", twin)
                .ident("name", name)
                .trusted("definition", definition)
                .build(),
        )
        .lock(family(Mode::AccessExclusive, twin))
    }));
    steps.extend(column_settings(facts, twin, &every));
    let comments = comments::of_table(facts, twin);
    steps.extend(comments::steps(Phase::Prepared, comments));
    let all = std::iter::once(twin).chain(every.iter().map(|one| &one.name));
    steps.extend(all.flat_map(|name| labels::of_table(Phase::Prepared, facts, name)));
    steps
}

fn made(statement: String) -> Step {
    Step::new(Phase::Prepared, statement)
}

/// The lock that altering the twin takes, once it has leaves.
fn family(mode: Mode, twin: &QualifiedName) -> Lock {
    Lock::on_new(mode, twin).with_partitions()
}

fn create_twin(facts: &Facts, key: &Column, twin: &QualifiedName, strategy: &str) -> Step {
    let source = facts.qualified_name();
    // Identity and indexes follow by statements of their own: LIKE would choose the names of sequences itself.
    // CHECK constraints must be what is stored, and not what is made of their texts, which can be another: a partition
    // of a table that has such a one is not attached.
    let step = made(
        Sql::template(
            "CREATE TABLE {twin} (LIKE {source} INCLUDING DEFAULTS INCLUDING GENERATED \
             INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING CONSTRAINTS) PARTITION BY {strategy} ({key}){tablespace}",
        )
        .name("twin", twin)
        .name("source", &source)
        .trusted("strategy", strategy)
        .ident("key", &key.name)
        .trusted("tablespace", &in_tablespace(facts.tablespace.as_deref()))
        .build(),
    )
    .locks(Mode::AccessShare, &source);
    drawn_from(facts).into_iter().fold(step, |step, sequence| {
        step.locks(Mode::AccessShare, &sequence)
    })
}

/// Sequences that defaults of the table draw from, as far as they belong to it: a default that is
/// made reads them up.
fn drawn_from(facts: &Facts) -> Vec<QualifiedName> {
    facts
        .columns
        .iter()
        .filter(|column| column.has_default)
        .flat_map(|column| &column.sequences)
        .filter(|sequence| !sequence.is_identity)
        .map(Sequence::qualified_name)
        .collect()
}

fn not_valid(facts: &Facts) -> impl Iterator<Item = &NotNull> {
    facts.not_nulls.iter().filter(|not_null| !not_null.valid)
}

fn checks_not_valid(facts: &Facts) -> impl Iterator<Item = &Check> {
    facts.checks.iter().filter(|check| !check.valid)
}

/// LIKE makes every NOT NULL and every CHECK a valid one, and there is no way to have it without: rows that violate it
/// would then be there and not be found. They come back when the leaves are there.
fn forget_not_valid(facts: &Facts, twin: &QualifiedName) -> Vec<Step> {
    let not_nulls = not_valid(facts).map(|not_null| {
        Sql::template("ALTER TABLE {twin} ALTER COLUMN {column} DROP NOT NULL")
            .ident("column", &not_null.column)
    });
    let checks = checks_not_valid(facts).map(|check| {
        Sql::template("ALTER TABLE {twin} DROP CONSTRAINT {name}").ident("name", &check.name)
    });
    not_nulls
        .chain(checks)
        .map(|statement| {
            made(statement.name("twin", twin).build()).locks_new(Mode::AccessExclusive, twin)
        })
        .collect()
}

/// LIKE follows no type. Leaves cannot: PostgreSQL attaches none that does, and alters those of a table that
/// follows one along with it.
fn follow_type(facts: &Facts, twin: &QualifiedName) -> Option<Step> {
    let of_type = facts.of_type.as_ref()?;
    Some(
        made(
            Sql::template("ALTER TABLE {twin} OF {of_type}")
                .name("twin", twin)
                .name("of_type", of_type)
                .build(),
        )
        .locks_new(Mode::AccessExclusive, twin),
    )
}

/// What stands before TABLE. The partitioned table itself holds no rows, and cannot be unlogged since
/// PostgreSQL 18; before, that has no effect.
pub fn unlogged(is_unlogged: bool) -> &'static str {
    match is_unlogged {
        true => "UNLOGGED ",
        false => "",
    }
}

/// The statement that makes a partition.
pub fn create_leaf(facts: &Facts, parent: &QualifiedName, partition: &Partition) -> Step {
    let (options, tablespace) = branch::storage(facts, partition);
    let step = made(
        Sql::template(
            "CREATE {unlogged}TABLE {leaf} PARTITION OF {parent} {bounds}{options}{tablespace}",
        )
        .trusted("unlogged", unlogged(facts.is_unlogged()))
        .name("leaf", &partition.name)
        .name("parent", parent)
        .trusted("bounds", &partition.bounds())
        .trusted("options", &with_clause(options))
        .trusted("tablespace", &in_tablespace(tablespace))
        .build(),
    )
    .locks_new(Mode::AccessExclusive, parent);
    drawn_from(facts).into_iter().fold(step, |step, sequence| {
        step.locks(Mode::AccessShare, &sequence)
    })
}

/// ` WITH (…)` of stored options (`name=value`), or nothing.
pub fn with_clause(options: &[String]) -> String {
    if options.is_empty() {
        String::new()
    } else {
        format!(" WITH ({})", assignments(options))
    }
}

/// Stored options (`name=value`) as they are written in a statement.
fn assignments(options: &[String]) -> String {
    let list: Vec<String> = options
        .iter()
        .map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, "true"));
            // A namespace ("toast.") is a separate identifier.
            let name: Vec<String> = name.split('.').map(super::names::quote_ident).collect();
            format!(
                "{} = {}",
                name.join("."),
                super::names::quote_literal(value)
            )
        })
        .collect();
    list.join(", ")
}

/// ` TABLESPACE …`, or nothing.
pub fn in_tablespace(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| {
        Sql::template(" TABLESPACE {name}")
            .ident("name", name)
            .build()
    })
}

/// The statements that give columns what they have beside their type. Statistics targets reach the leaves
/// that are there by themselves; attribute options do not.
pub fn column_settings(facts: &Facts, twin: &QualifiedName, partitions: &[Partition]) -> Vec<Step> {
    let mut steps = Vec::new();
    for column in &facts.columns {
        if let Some(target) = column.statistics {
            steps.push(
                made(
                    Sql::template(
                        "ALTER TABLE {twin} ALTER COLUMN {column} SET STATISTICS {target}",
                    )
                    .name("twin", twin)
                    .ident("column", &column.name)
                    .number("target", i64::from(target))
                    .build(),
                )
                .lock(family(Mode::ShareUpdateExclusive, twin)),
            );
        }
        let Some(options) = &column.options else {
            continue;
        };
        for relation in std::iter::once(twin).chain(partitions.iter().map(|p| &p.name)) {
            steps.push(
                made(
                    Sql::template("ALTER TABLE {relation} ALTER COLUMN {column} SET ({options})")
                        .name("relation", relation)
                        .ident("column", &column.name)
                        .trusted("options", &assignments(options))
                        .build(),
                )
                .locks_new(Mode::ShareUpdateExclusive, relation),
            );
        }
    }
    steps
}
