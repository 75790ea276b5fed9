//! What may change on the source while it is converted, and is carried over to the twin:
//! privileges, comments and security labels.

use super::facts::Facts;
use super::names::QualifiedName;
use super::phase::Phase;
use super::step::Step;
use super::{Partition, Plan, comments, dependents, grants, labels};

pub use super::grants::are_the_same as privileges_are_the_same;

/// The statements that bring the twin from what it is to what the source is by now.
pub fn steps(plan: &Plan, source: &Facts, twin: &Facts) -> Vec<Step> {
    let every: Vec<Partition> = plan.every_partition().cloned().collect();
    let mut steps = grants::changes(source, twin, &plan.twin, &every);
    let mut wanted = comments::of_table(source, &plan.twin);
    let mut there = comments::of_table(twin, &plan.twin);
    // Those that are made in the swap get theirs there.
    if !dependents::made_in_the_swap(&source.dependents.foreign_keys) {
        wanted.extend(comments::of_foreign_keys(source, &plan.twin));
        there.extend(comments::of_foreign_keys(twin, &plan.twin));
    }
    wanted.extend(comments::of_self_keys(source, twin, &plan.twin));
    there.extend(comments::of_self_keys(twin, twin, &plan.twin));
    for index in &source.indexes {
        let planned = plan.indexes.iter().find(|plan| plan.name == index.name);
        wanted.extend(
            planned
                .into_iter()
                .flat_map(|planned| comments::of_index(index, &planned.twin_name, &plan.twin)),
        );
    }
    for index in &twin.indexes {
        let name = QualifiedName::new(&twin.schema, &index.name);
        there.extend(comments::of_index(index, &name, &plan.twin));
    }
    for (column, twin_column) in source.columns.iter().zip(&twin.columns) {
        if let (Some(sequence), Some(own)) =
            (column.identity_sequence(), twin_column.identity_sequence())
        {
            let name = QualifiedName::new(&own.schema, &own.name);
            wanted.push(comments::of_sequence(&sequence.comment, &name));
            there.push(comments::of_sequence(&own.comment, &name));
        }
    }
    steps.extend(comments::changes(Phase::Swapping, wanted, &there));
    let partitions: Vec<_> = every.iter().map(|one| &one.name).collect();
    steps.extend(labels::changes(source, twin, &plan.twin, &partitions));
    if plan.default_of.is_none() {
        steps.extend(dependents::changes(source, twin, plan));
    }
    steps
}
