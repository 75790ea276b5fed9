//! Statements of the one short transaction in which the twin takes the source's place, and the
//! sequences that move with it.

use super::comments;
use super::facts::{Facts, Grant};
use super::labels;
use super::lock::{Lock, Mode};
use super::names::{Names, QualifiedName};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::{IndexPlan, Partition};

/// What becomes of one sequence of the source.
pub struct SequencePlan {
    column: String,
    name: QualifiedName,
    /// An identity column's sequence cannot change hands: the twin has one of its own, under
    /// this name until the swap. `None`: an owned sequence, which moves over as it is.
    pub twin_name: Option<QualifiedName>,
    retired_name: Option<QualifiedName>,
    parameters: String,
    comment: Option<String>,
    /// `ALWAYS` or `BY DEFAULT`.
    generated: &'static str,
    pub grants: Vec<Grant>,
}

/// One plan per sequence that belongs to a column.
pub fn plan_sequences(facts: &Facts, names: &mut Names) -> Vec<SequencePlan> {
    let mut plans = Vec::new();
    for column in &facts.columns {
        for sequence in &column.sequences {
            let mut derived = |suffix: &str| {
                sequence.is_identity.then(|| {
                    QualifiedName::new(&sequence.schema, names.derive(&sequence.name, suffix))
                })
            };
            plans.push(SequencePlan {
                column: column.name.clone(),
                name: sequence.qualified_name(),
                twin_name: derived("twin"),
                retired_name: derived("retired"),
                parameters: sequence.parameters.clone(),
                comment: sequence.comment.clone(),
                generated: if column.identity == "a" {
                    "ALWAYS"
                } else {
                    "BY DEFAULT"
                },
                grants: sequence.grants.clone(),
            });
        }
    }
    plans
}

/// The statements that give the twin identity columns like the source's.
pub fn identity_steps(
    facts: &Facts,
    twin: &QualifiedName,
    sequences: &[SequencePlan],
) -> Vec<Step> {
    let mut steps = Vec::new();
    let made = |statement: String| Step::new(Phase::Prepared, statement);
    for sequence in sequences {
        let Some(twin_name) = &sequence.twin_name else {
            continue;
        };
        steps.push(made(
            Sql::template(
                "ALTER TABLE {twin} ALTER COLUMN {column} ADD GENERATED {generated} AS IDENTITY \
                 (SEQUENCE NAME {sequence} {parameters})",
            )
            .name("twin", twin)
            .ident("column", &sequence.column)
            .trusted("generated", sequence.generated)
            .name("sequence", twin_name)
            .trusted("parameters", &sequence.parameters)
            .build(),
        )
        // Since 17 partitions share the identity of their table.
        .lock(Lock::on_new(Mode::AccessExclusive, twin).with_partitions()));
        let comment = comments::of_sequence(&sequence.comment, twin_name);
        steps.extend(comments::steps(Phase::Prepared, [comment]));
        steps.extend(labels::of_sequence(
            Phase::Prepared,
            facts,
            &sequence.column,
            twin_name,
        ));
    }
    steps
}

/// The swap, in order: the source's names are put aside, the twin takes them.
pub fn steps(
    facts: &Facts,
    source: &QualifiedName,
    twin: &QualifiedName,
    retired: &QualifiedName,
    indexes: &[IndexPlan],
    sequences: &[SequencePlan],
    names: &mut Names,
) -> Vec<Step> {
    let swapped = |statement: String| Step::new(Phase::Swapping, statement);
    let rename = |template: &'static str, from: &QualifiedName, to: &str| {
        swapped(
            Sql::template(template)
                .name("from", from)
                .ident("to", to)
                .build(),
        )
    };
    let mut steps = Vec::new();
    for index in indexes {
        let template = "ALTER INDEX {from} RENAME TO {to}";
        let old = QualifiedName::new(&facts.schema, &index.name);
        let aside = names.derive(&index.name, "retired");
        steps.push(rename(template, &old, &aside).locks(Mode::ShareUpdateExclusive, &old));
        steps.push(
            rename(template, &index.twin_name, &index.name)
                .locks_new(Mode::ShareUpdateExclusive, &index.twin_name),
        );
    }
    for sequence in sequences {
        let (Some(twin_name), Some(aside)) = (&sequence.twin_name, &sequence.retired_name) else {
            continue;
        };
        // The lock that renaming takes keeps nextval() out until the state has been carried over.
        let template = "ALTER SEQUENCE {from} RENAME TO {to}";
        steps.push(
            rename(template, &sequence.name, &aside.name)
                .locks(Mode::AccessExclusive, &sequence.name),
        );
        steps.push(
            rename(template, twin_name, &sequence.name.name)
                .locks_new(Mode::AccessExclusive, twin_name),
        );
        steps.push(
            swapped(
                Sql::template("SELECT pg_catalog.setval({new}, last_value, is_called) FROM {old}")
                    .literal("new", &sequence.name.to_string())
                    .name("old", aside)
                    .build(),
            )
            .locks_new(Mode::RowExclusive, &sequence.name)
            .locks(Mode::AccessShare, aside),
        );
    }
    let template = "ALTER TABLE {from} RENAME TO {to}";
    steps.push(rename(template, source, &retired.name).locks(Mode::AccessExclusive, source));
    steps.push(rename(template, twin, &source.name).locks_new(Mode::AccessExclusive, twin));
    for sequence in sequences
        .iter()
        .filter(|sequence| sequence.twin_name.is_none())
    {
        steps.push(
            swapped(
                Sql::template("ALTER SEQUENCE {sequence} OWNED BY {table}.{column}")
                    .name("sequence", &sequence.name)
                    .name("table", source)
                    .ident("column", &sequence.column)
                    .build(),
            )
            .locks(Mode::ShareRowExclusive, &sequence.name)
            .locks_new(Mode::AccessShare, source),
        );
    }
    steps
}

/// A partitioned table cannot be marked to be clustered on an index; its partitions can.
pub fn cluster_marks(facts: &Facts, partitions: &[Partition], indexes: &[IndexPlan]) -> Vec<Step> {
    let marked = facts.indexes.iter().zip(indexes);
    marked
        .filter(|(index, _)| index.is_clustered)
        .flat_map(|(_, plan)| plan.leaves.iter().zip(partitions))
        .map(|(index, leaf)| {
            let statement = Sql::template("ALTER TABLE {leaf} CLUSTER ON {index}")
                .name("leaf", &leaf.name)
                .ident("index", &index.name.name)
                .build();
            Step::new(Phase::Swapping, statement).locks_new(Mode::ShareUpdateExclusive, &leaf.name)
        })
        .collect()
}
