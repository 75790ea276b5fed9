//! Statements that make the twin and its leaves: empty, inert, equal to the source in all but
//! being partitioned.

use super::facts::{Column, Facts, NotNull};
use super::names::QualifiedName;
use super::phase::Phase;
use super::sql::Sql;
use super::{Partition, Step};

/// All of them, in order.
pub fn steps(
    facts: &Facts,
    key: &Column,
    twin: &QualifiedName,
    partitions: &[Partition],
) -> Vec<Step> {
    let mut steps = vec![create_twin(facts, key, twin)];
    steps.extend(forget_not_valid(facts, twin));
    steps.extend(
        partitions
            .iter()
            .map(|partition| create_leaf(facts, twin, partition)),
    );
    // After the leaves: one made later would take a NOT VALID constraint for a valid one.
    steps.extend(facts.checks.iter().map(|check| {
        made(
            Sql::template("ALTER TABLE {twin} ADD CONSTRAINT {name} {definition}")
                .name("twin", twin)
                .ident("name", &check.name)
                .trusted("definition", &check.definition)
                .build(),
        )
    }));
    steps.extend(not_valid(facts).map(|not_null| {
        made(
            Sql::template("ALTER TABLE {twin} ADD CONSTRAINT {name} {definition}")
                .name("twin", twin)
                .ident("name", &not_null.name)
                .trusted("definition", &not_null.definition)
                .build(),
        )
    }));
    steps.extend(column_settings(facts, twin, partitions));
    steps.extend(comments(facts, twin));
    steps
}

fn made(statement: String) -> Step {
    Step::new(Phase::Prepared, statement).lock("none on the table")
}

fn create_twin(facts: &Facts, key: &Column, twin: &QualifiedName) -> Step {
    let source = QualifiedName {
        schema: facts.schema.clone(),
        name: facts.name.clone(),
    };
    // CHECK constraints, identity and indexes follow by statements of their own: LIKE would
    // forget that a constraint is NOT VALID, and would choose the names of sequences itself.
    made(
        Sql::template(
            "CREATE TABLE {twin} (LIKE {source} INCLUDING DEFAULTS INCLUDING GENERATED \
             INCLUDING STORAGE INCLUDING COMPRESSION) PARTITION BY RANGE ({key}){tablespace}",
        )
        .name("twin", twin)
        .name("source", &source)
        .ident("key", &key.name)
        .trusted("tablespace", &tablespace_clause(facts))
        .build(),
    )
    .lock(format!("ACCESS SHARE on {source}"))
}

fn not_valid(facts: &Facts) -> impl Iterator<Item = &NotNull> {
    facts.not_nulls.iter().filter(|not_null| !not_null.valid)
}

/// LIKE makes every NOT NULL a valid one, and there is no way to have it without: rows that hold a
/// null would then be there and not be found. They come back with the other constraints.
fn forget_not_valid(facts: &Facts, twin: &QualifiedName) -> Vec<Step> {
    not_valid(facts)
        .map(|not_null| {
            made(
                Sql::template("ALTER TABLE {twin} ALTER COLUMN {column} DROP NOT NULL")
                    .name("twin", twin)
                    .ident("column", &not_null.column)
                    .build(),
            )
        })
        .collect()
}

/// The statement that makes a partition.
pub fn create_leaf(facts: &Facts, twin: &QualifiedName, partition: &Partition) -> Step {
    let bounds = match &partition.range {
        Some((lower, upper)) => Sql::template("FOR VALUES FROM ({lower}) TO ({upper})")
            .literal("lower", &lower.literal)
            .literal("upper", &upper.literal)
            .build(),
        None => "DEFAULT".to_owned(),
    };
    made(
        Sql::template("CREATE TABLE {leaf} PARTITION OF {twin} {bounds}{options}{tablespace}")
            .name("leaf", &partition.name)
            .name("twin", twin)
            .trusted("bounds", &bounds)
            .trusted("options", &with_clause(&facts.options))
            .trusted("tablespace", &tablespace_clause(facts))
            .build(),
    )
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

fn tablespace_clause(facts: &Facts) -> String {
    match &facts.tablespace {
        Some(name) => Sql::template(" TABLESPACE {name}")
            .ident("name", name)
            .build(),
        None => String::new(),
    }
}

/// Statistics targets reach the leaves by themselves; attribute options do not.
fn column_settings(facts: &Facts, twin: &QualifiedName, partitions: &[Partition]) -> Vec<Step> {
    let mut steps = Vec::new();
    for column in &facts.columns {
        if let Some(target) = column.statistics {
            steps.push(made(
                Sql::template("ALTER TABLE {twin} ALTER COLUMN {column} SET STATISTICS {target}")
                    .name("twin", twin)
                    .ident("column", &column.name)
                    .number("target", i64::from(target))
                    .build(),
            ));
        }
        let Some(options) = &column.options else {
            continue;
        };
        for relation in std::iter::once(twin).chain(partitions.iter().map(|p| &p.name)) {
            steps.push(made(
                Sql::template("ALTER TABLE {relation} ALTER COLUMN {column} SET ({options})")
                    .name("relation", relation)
                    .ident("column", &column.name)
                    .trusted("options", &assignments(options))
                    .build(),
            ));
        }
    }
    steps
}

fn comments(facts: &Facts, twin: &QualifiedName) -> Vec<Step> {
    let table = facts.comment.iter().map(|comment| {
        Sql::template("COMMENT ON TABLE {twin} IS {comment}")
            .name("twin", twin)
            .literal("comment", comment)
            .build()
    });
    let columns = facts.columns.iter().filter_map(|column| {
        let comment = column.comment.as_ref()?;
        Some(
            Sql::template("COMMENT ON COLUMN {twin}.{column} IS {comment}")
                .name("twin", twin)
                .ident("column", &column.name)
                .literal("comment", comment)
                .build(),
        )
    });
    let checks = facts.checks.iter().filter_map(|check| {
        let comment = check.comment.as_ref()?;
        Some(constraint_comment(&check.name, twin, comment))
    });
    let not_nulls = facts.not_nulls.iter().filter_map(|not_null| {
        let comment = not_null.comment.as_ref()?;
        Some(constraint_comment(&not_null.name, twin, comment))
    });
    table
        .chain(columns)
        .chain(checks)
        .chain(not_nulls)
        .map(made)
        .collect()
}

/// `COMMENT ON CONSTRAINT …`.
pub fn constraint_comment(name: &str, table: &QualifiedName, comment: &str) -> String {
    Sql::template("COMMENT ON CONSTRAINT {name} ON {table} IS {comment}")
        .ident("name", name)
        .name("table", table)
        .literal("comment", comment)
        .build()
}
