//! Indexes and index-backed constraints of the twin.
//!
//! The parent's are made at once and stay invalid; the leaves' are built after the copy, over
//! plain data, and attached one by one. When the last leaf is attached, the parent's is valid.

use super::blockers::lacks;
use super::branch::Branch;
use super::comments;
use super::facts::{Column, Facts, Index, IndexConstraint};
use super::lock::Mode;
use super::names::{Names, QualifiedName, quote_ident};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::twin::with_clause;
use super::{IndexPlan, LeafIndex, Partition};

/// One plan per index of the source.
pub fn plan(
    facts: &Facts,
    key: &Column,
    twin: &QualifiedName,
    branches: &[Branch],
    partitions: &[Partition],
    names: &mut Names,
) -> Vec<IndexPlan> {
    let identity = facts.identity().map(|index| index.oid);
    facts
        .indexes
        .iter()
        .map(|index| {
            let in_schema = |name: String| QualifiedName::new(&twin.schema, name);
            let twin_name = in_schema(names.derive(&index.name, "twin"));
            let leaves = partitions
                .iter()
                .map(|partition| {
                    let name = in_schema(names.leaf_object(
                        &partition.name.name,
                        &facts.name,
                        &index.name,
                    ));
                    LeafIndex {
                        statement: statement(facts, index, key, &partition.name, &name, Reach::All),
                        name,
                    }
                })
                .collect();
            let on_branch = |branch: &Branch| {
                let table = &branch.partition.name.name;
                in_schema(names.leaf_object(table, &facts.name, &index.name))
            };
            IndexPlan {
                name: index.name.clone(),
                twin_name,
                leaves,
                branches: branches.iter().map(on_branch).collect(),
                is_identity: identity == Some(index.oid),
            }
        })
        .collect()
}

/// The statements that make the parent's indexes, with their comments.
pub fn parent_steps(
    facts: &Facts,
    key: &Column,
    twin: &QualifiedName,
    branches: &[Branch],
    plans: &[IndexPlan],
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, plan) in facts.indexes.iter().zip(plans) {
        let made = |statement: String| Step::new(Phase::Prepared, statement);
        let on_index =
            |statement| made(statement).locks_new(Mode::ShareUpdateExclusive, &plan.twin_name);
        let note = match index.is_unique && lacks(index, key.attnum) {
            true => format!("extended by column {}", quote_ident(&key.name)),
            false => String::new(),
        };
        steps.push(
            made(statement(
                facts,
                index,
                key,
                twin,
                &plan.twin_name,
                Reach::Only,
            ))
            .locks_new(building(index), twin)
            .note(note),
        );
        steps.extend(targets(index, &plan.twin_name).map(on_index));
        for (branch, name) in branches.iter().zip(&plan.branches) {
            let table = &branch.partition.name;
            let made = made(statement(facts, index, key, table, name, Reach::Only));
            steps.push(made.locks_new(building(index), table));
            steps.extend(targets(index, name).map(|statement| {
                Step::new(Phase::Prepared, statement).locks_new(Mode::ShareUpdateExclusive, name)
            }));
        }
        // Of the partitions' parts only the whole can be dropped.
        for extension in &index.extensions {
            steps.push(
                made(
                    Sql::template("ALTER INDEX {index} DEPENDS ON EXTENSION {extension}")
                        .name("index", &plan.twin_name)
                        .ident("extension", extension)
                        .build(),
                )
                .locks_new(Mode::AccessExclusive, &plan.twin_name),
            );
        }
        let comments = comments::of_index(index, &plan.twin_name, twin);
        steps.extend(comments::steps(Phase::Prepared, comments));
    }
    steps
}

/// The statements that give an index, or a part of it, its statistics targets: no part gets them by itself.
pub fn targets(index: &Index, name: &QualifiedName) -> impl Iterator<Item = String> {
    index.statistics.iter().map(|(attnum, target)| {
        Sql::template("ALTER INDEX {index} ALTER COLUMN {attnum} SET STATISTICS {target}")
            .name("index", name)
            .number("attnum", i64::from(*attnum))
            .number("target", i64::from(*target))
            .build()
    })
}

/// The lock on a table while that index is built on it.
fn building(index: &Index) -> Mode {
    match index.constraint {
        Some(_) => Mode::AccessExclusive,
        None => Mode::Share,
    }
}

/// The statements of one leaf, in the order of the phase: all indexes, and then, since attaching
/// one locks the parent's index against other builders, what makes them the partitioned table's.
pub fn leaf_steps(
    facts: &Facts,
    twin: &QualifiedName,
    plans: &[IndexPlan],
    leaf: &Partition,
    ordinal: usize,
) -> Vec<Step> {
    let of_leaf = || {
        facts
            .indexes
            .iter()
            .zip(plans)
            .filter_map(move |(index, plan)| Some((index, plan, plan.leaves.get(ordinal)?)))
    };
    let built = of_leaf().flat_map(|(index, _, on_leaf)| {
        let built = Step::new(Phase::Indexing, on_leaf.statement.clone())
            .locks_new(building(index), &leaf.name);
        let targets = targets(index, &on_leaf.name).map(|statement| {
            Step::new(Phase::Indexing, statement)
                .locks_new(Mode::ShareUpdateExclusive, &on_leaf.name)
        });
        std::iter::once(built).chain(targets)
    });
    let attached = of_leaf().map(|(_, plan, on_leaf)| {
        let above = plan.above(leaf);
        Step::new(Phase::Indexing, attach(above, &on_leaf.name))
            .locks_new(Mode::ShareUpdateExclusive, above)
            .locks_new(Mode::AccessExclusive, &on_leaf.name)
            .locks_new(Mode::AccessShare, twin)
            .locks_new(Mode::AccessShare, &leaf.name)
    });
    built
        .chain(attached)
        .map(|step| step.of_partition(ordinal))
        .collect()
}

impl IndexPlan {
    /// What a partition's part of it is attached to.
    pub fn above(&self, partition: &Partition) -> &QualifiedName {
        let below = partition.below.as_ref();
        let branch = below.and_then(|below| self.branches.get(below.branch));
        branch.unwrap_or(&self.twin_name)
    }
}

/// The statement that makes a leaf's index a partition of the parent's.
pub fn attach(parent: &QualifiedName, leaf: &QualifiedName) -> String {
    Sql::template("ALTER INDEX {parent} ATTACH PARTITION {leaf}")
        .name("parent", parent)
        .name("leaf", leaf)
        .build()
}

/// How a partition's part of an index is built.
#[derive(Clone, Copy, PartialEq)]
pub enum Building {
    /// While writers wait.
    Plainly,
    /// Beside them.
    Concurrently,
}

/// The statement that builds a partition's part of an index of its table, without a constraint.
pub fn part(
    index: &Index,
    relation: &QualifiedName,
    name: &QualifiedName,
    how: Building,
) -> String {
    let manner = match how {
        Building::Plainly => "",
        Building::Concurrently => "CONCURRENTLY ",
    };
    rendered(
        index,
        &index.columns,
        &index.include,
        relation,
        name,
        manner,
        "",
    )
}

/// The statement that makes a partition's part of an index of its table, with its constraint, where the
/// partition is partitioned: on it alone.
pub fn outline(
    table: &Facts,
    index: &Index,
    relation: &QualifiedName,
    name: &QualifiedName,
) -> String {
    match &index.constraint {
        Some(constraint) => constraint_rendered(
            index,
            constraint,
            &constraint_columns(table, index, constraint),
            &index.include,
            relation,
            name,
            Reach::Only,
        ),
        None => rendered(
            index,
            &index.columns,
            &index.include,
            relation,
            name,
            "",
            "ONLY ",
        ),
    }
}

/// The statement that makes a unique index that of a constraint, under the constraint's name.
pub fn constraint_using(
    constraint: &IndexConstraint,
    relation: &QualifiedName,
    name: &str,
    index: &str,
) -> String {
    let kind = match constraint.kind.as_str() {
        "p" => "PRIMARY KEY",
        _ => "UNIQUE",
    };
    Sql::template(
        "ALTER TABLE {relation} ADD CONSTRAINT {name} {kind} USING INDEX {index}{deferral}",
    )
    .name("relation", relation)
    .ident("name", name)
    .trusted("kind", kind)
    .ident("index", index)
    .trusted("deferral", deferral(constraint))
    .build()
}

/// The statement that gives an index another name.
pub fn rename(index: &QualifiedName, name: &str) -> String {
    Sql::template("ALTER INDEX {index} RENAME TO {name}")
        .name("index", index)
        .ident("name", name)
        .build()
}

/// Whether an index is made on one relation only, or on its partitions too.
#[derive(Clone, Copy, PartialEq)]
pub enum Reach {
    Only,
    All,
}

/// The statement that makes an index of the source on a relation of the twin.
pub fn statement(
    facts: &Facts,
    index: &Index,
    key: &Column,
    relation: &QualifiedName,
    name: &QualifiedName,
    reach: Reach,
) -> String {
    match &index.constraint {
        Some(constraint) => {
            constraint_statement(facts, index, constraint, key, relation, name, reach)
        }
        None => index_statement(index, key, relation, name, reach),
    }
}

fn index_statement(
    index: &Index,
    key: &Column,
    relation: &QualifiedName,
    name: &QualifiedName,
    reach: Reach,
) -> String {
    let only = if reach == Reach::Only { "ONLY " } else { "" };
    let columns = extended(&index.columns, index, key);
    let include = include_columns(index, key);
    rendered(index, &columns, &include, relation, name, "", only)
}

fn rendered(
    index: &Index,
    columns: &[String],
    include: &[String],
    relation: &QualifiedName,
    name: &QualifiedName,
    manner: &str,
    only: &str,
) -> String {
    let predicate = match &index.predicate {
        Some(predicate) => format!(" WHERE {predicate}"),
        None => String::new(),
    };
    Sql::template(
        "CREATE {unique}INDEX {manner}{name} ON {only}{relation} USING {method} ({columns}){include}{nulls}{options}{tablespace}{predicate}",
    )
    .trusted("unique", if index.is_unique { "UNIQUE " } else { "" })
    .ident("name", &name.name)
    .trusted("manner", manner)
    .trusted("only", only)
    .name("relation", relation)
    .ident("method", &index.method)
    .trusted("columns", &columns.join(", "))
    .trusted("include", &include_clause(include))
    .trusted("nulls", nulls_clause(index))
    .trusted("options", &with_clause(index.options.as_deref().unwrap_or_default()))
    .trusted("tablespace", &tablespace_clause(index, " TABLESPACE "))
    .trusted("predicate", &predicate)
    .build()
}

fn constraint_statement(
    facts: &Facts,
    index: &Index,
    constraint: &IndexConstraint,
    key: &Column,
    relation: &QualifiedName,
    name: &QualifiedName,
    reach: Reach,
) -> String {
    constraint_rendered(
        index,
        constraint,
        &extended(&constraint_columns(facts, index, constraint), index, key),
        &include_columns(index, key),
        relation,
        name,
        reach,
    )
}

/// The columns as they are written in the constraint.
fn constraint_columns(facts: &Facts, index: &Index, constraint: &IndexConstraint) -> Vec<String> {
    if let ("x", Some(exclusion)) = (constraint.kind.as_str(), &index.exclusion) {
        let compared = index.columns.iter().zip(&exclusion.operators);
        return compared
            .map(|(column, operator)| format!("{column} WITH {}", operator.name))
            .collect();
    }
    let columns = index.key_attnums.iter();
    let mut columns: Vec<String> = columns
        .filter_map(|attnum| facts.column_at(*attnum))
        .map(|column| quote_ident(&column.name))
        .collect();
    if let (true, Some(last)) = (constraint.without_overlaps, columns.last_mut()) {
        last.push_str(" WITHOUT OVERLAPS");
    }
    columns
}

fn constraint_rendered(
    index: &Index,
    constraint: &IndexConstraint,
    columns: &[String],
    include: &[String],
    relation: &QualifiedName,
    name: &QualifiedName,
    reach: Reach,
) -> String {
    let kind = match constraint.kind.as_str() {
        "p" => "PRIMARY KEY".to_owned(),
        "x" => format!("EXCLUDE USING {}", quote_ident(&index.method)),
        _ => format!("UNIQUE{}", nulls_clause(index)),
    };
    Sql::template(
        "ALTER TABLE {only}{relation} ADD CONSTRAINT {name} {kind} ({columns}){include}{options}{tablespace}{predicate}{deferral}",
    )
    .trusted("only", if reach == Reach::Only { "ONLY " } else { "" })
    .name("relation", relation)
    .ident("name", &name.name)
    .trusted("kind", &kind)
    .trusted("columns", &columns.join(", "))
    .trusted("include", &include_clause(include))
    .trusted("options", &with_clause(index.options.as_deref().unwrap_or_default()))
    .trusted("tablespace", &tablespace_clause(index, " USING INDEX TABLESPACE "))
    .trusted(
        "predicate",
        &(index.predicate.as_ref()).map_or_else(String::new, |predicate| format!(" WHERE ({predicate})")),
    )
    .trusted("deferral", deferral(constraint))
    .build()
}

fn deferral(constraint: &IndexConstraint) -> &'static str {
    match (constraint.deferrable, constraint.deferred) {
        (true, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        _ => "",
    }
}

/// The key columns, with the partition column behind them where a unique index lacks it: a
/// partitioned table can promise uniqueness only together with its partition key.
fn extended(columns: &[String], index: &Index, key: &Column) -> Vec<String> {
    let mut columns = columns.to_vec();
    if index.is_unique && lacks(index, key.attnum) {
        columns.push(quote_ident(&key.name));
    }
    columns
}

/// The columns of the INCLUDE list, without a partition column that has just become part of the key.
fn include_columns(index: &Index, key: &Column) -> Vec<String> {
    let key_name = quote_ident(&key.name);
    let becomes_key = index.is_unique && lacks(index, key.attnum);
    index
        .include
        .iter()
        .filter(|column| !(becomes_key && **column == key_name))
        .cloned()
        .collect()
}

fn include_clause(columns: &[String]) -> String {
    if columns.is_empty() {
        String::new()
    } else {
        format!(" INCLUDE ({})", columns.join(", "))
    }
}

fn nulls_clause(index: &Index) -> &'static str {
    if index.nulls_not_distinct {
        " NULLS NOT DISTINCT"
    } else {
        ""
    }
}

/// The tablespace, behind the words that introduce it there; nothing where it is the default.
fn tablespace_clause(index: &Index, words: &str) -> String {
    match &index.tablespace {
        Some(name) => format!("{words}{}", quote_ident(name)),
        None => String::new(),
    }
}
