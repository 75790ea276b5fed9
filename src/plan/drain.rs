//! Moving rows out of a default partition, as a conversion: the source is the default partition,
//! and the partitions of its twin become partitions of the table itself, in one short
//! transaction. The twin's own default partition, with what belongs nowhere, takes the place of
//! the one that there was.

use super::bounds::RangeBound;
use super::dependents;
use super::facts::{Column, Facts, RowSecurity};
use super::lock::{Lock, Mode};
use super::names::{Names, QualifiedName, quote_ident, quote_literal};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::{Element, IndexPlan, Listed, Parent, Partition, Taken};

/// A constraint that tells ATTACH what a partition holds: without, it would look through all of it
/// while nobody can use the table.
const PROOF: &str = "partman_rs_bounds";

/// The constraints of new partitions, by which they are attached without a look at their rows. All below one that is
/// partitioned itself inherit it, and ATTACH asks the uppermost.
pub fn proof_steps(key: &Column, parent: &Parent, partitions: &[Partition]) -> Vec<Step> {
    partitions
        .iter()
        .map(|partition| {
            let proof = match (&partition.range, &partition.value) {
                (Some((lower, upper)), _) => within(key, lower, upper),
                (None, Some(Element::Value(value))) => equal_to(key, value),
                (None, Some(Element::Null)) => format!("{} IS NULL", quote_ident(&key.name)),
                (None, None) => match &parent.listed {
                    Some(listed) => unlisted(key, listed),
                    None => outside(key, &parent.taken),
                },
            };
            // ATTACH wants to know that of the rows, too.
            let proof = match &parent.constraint {
                Some(constraint) => format!("({proof}) AND ({constraint})"),
                None => proof,
            };
            let statement =
                Sql::template("ALTER TABLE {leaf} ADD CONSTRAINT {name} CHECK ({proof})")
                    .name("leaf", &partition.name)
                    .ident("name", PROOF)
                    .trusted("proof", &proof)
                    .build();
            let family = Lock::on_new(Mode::AccessExclusive, &partition.name);
            Step::new(Phase::Prepared, statement).lock(family.with_partitions())
        })
        .collect()
}

/// Row-level security of what takes the place of the default partition: its own. New partitions are as
/// strict as the table, as all that maintenance makes are, and as the default partition that their rows come from. The
/// twin, which has the privileges of the default partition, shows nobody what that one does not.
pub fn security_steps(
    facts: &Facts,
    parent: &Parent,
    twin: &QualifiedName,
    partitions: &[Partition],
) -> Vec<Step> {
    let both = parent.security.and(facts.security());
    let own = partitions
        .iter()
        .map(|partition| match partition.is_default() {
            true => (facts.security(), &partition.name),
            false => (both, &partition.name),
        });
    std::iter::once((facts.security(), twin))
        .chain(own)
        .flat_map(|(wanted, relation)| {
            dependents::row_security_steps(wanted, RowSecurity::default(), &[relation])
        })
        .map(|step| Step {
            phase: Phase::Prepared,
            ..step
        })
        .collect()
}

/// The foreign keys of the table, for partitions that are empty: ATTACH takes those that a partition has for
/// its own, and looks at no row. Each has a name of its own among the constraints of the table.
pub fn key_steps(parent: &Parent, partitions: &[Partition]) -> Vec<Step> {
    if dependents::made_in_the_swap(&parent.foreign_keys) {
        return Vec::new();
    }
    let on_each = |partition: &'_ Partition| -> Vec<Step> {
        let keys = parent.foreign_keys.iter();
        keys.map(|key| {
            dependents::make_key(key, &partition.name)
                .locks_new(Mode::ShareRowExclusive, &partition.name)
        })
        .collect()
    };
    partitions.iter().flat_map(on_each).collect()
}

fn within(key: &Column, lower: &RangeBound, upper: &RangeBound) -> String {
    Sql::template("{key} IS NOT NULL AND {key} >= {lower} AND {key} < {upper}")
        .trusted("key", &quote_ident(&key.name))
        .literal("lower", &lower.literal)
        .literal("upper", &upper.literal)
        .build()
}

fn equal_to(key: &Column, value: &str) -> String {
    Sql::template("{key} IS NOT NULL AND {key} = {value}")
        .trusted("key", &quote_ident(&key.name))
        .literal("value", value)
        .build()
}

/// In the very words that PostgreSQL has for it, as long as all of them are of the type's own operators: of more
/// than a hundred values it understands no others.
fn unlisted(key: &Column, listed: &Listed) -> String {
    let values: Vec<String> = listed
        .values
        .iter()
        .map(|value| quote_literal(value))
        .collect();
    let template = match listed.has_null {
        true => "{key} IS NOT NULL AND {key} <> ALL (ARRAY[{values}]::{type}[])",
        false => "{key} IS NULL OR {key} <> ALL (ARRAY[{values}]::{type}[])",
    };
    Sql::template(template)
        .trusted("key", &quote_ident(&key.name))
        .trusted("values", &values.join(", "))
        .trusted("type", &key.type_name)
        .build()
}

fn outside(key: &Column, taken: &[Taken]) -> String {
    let key = quote_ident(&key.name);
    let ranges: Vec<String> = taken
        .iter()
        .map(|(lower, upper)| {
            let below = lower.as_ref().map(|lower| {
                Sql::template("{key} < {lower}")
                    .trusted("key", &key)
                    .literal("lower", &lower.literal)
                    .build()
            });
            let above = upper.as_ref().map(|upper| {
                Sql::template("{key} >= {upper}")
                    .trusted("key", &key)
                    .literal("upper", &upper.literal)
                    .build()
            });
            let sides: Vec<String> = below.into_iter().chain(above).collect();
            match sides.is_empty() {
                true => "false".to_owned(),
                false => format!("({})", sides.join(" OR ")),
            }
        })
        .collect();
    match ranges.is_empty() {
        true => "true".to_owned(),
        false => format!("{key} IS NULL OR ({})", ranges.join(" AND ")),
    }
}

/// Takes the partitions off the twin, which nobody else uses: no step of the swap that others have to
/// wait for.
pub fn loosening_steps(twin: &QualifiedName, partitions: &[Partition]) -> Vec<Step> {
    partitions
        .iter()
        .map(|partition| {
            Step::new(Phase::Swapping, detach(twin, &partition.name).build())
                .locks_new(Mode::AccessExclusive, twin)
                .locks_new(Mode::AccessExclusive, &partition.name)
        })
        .collect()
}

fn detach(from: &QualifiedName, partition: &QualifiedName) -> Sql {
    Sql::template("ALTER TABLE {from} DETACH PARTITION {partition}")
        .name("from", from)
        .name("partition", partition)
}

/// What is run under the lock, in order.
pub fn swap_steps(
    parent: &Parent,
    source: &QualifiedName,
    twin: &QualifiedName,
    retired: &QualifiedName,
    partitions: &[Partition],
    indexes: &[IndexPlan],
    names: &mut Names,
) -> Vec<Step> {
    let step = |statement: Sql| Step::new(Phase::Swapping, statement.build());
    let rename = |template: &'static str, from: &QualifiedName, to: &str| {
        Sql::template(template).name("from", from).ident("to", to)
    };
    let (table, index) = (
        "ALTER TABLE {from} RENAME TO {to}",
        "ALTER INDEX {from} RENAME TO {to}",
    );
    let beside = |name: &str| QualifiedName::new(&source.schema, name);
    let mut steps = vec![
        step(detach(&parent.name, source))
            .locks(Mode::AccessExclusive, &parent.name)
            .locks(Mode::AccessExclusive, source),
    ];
    for plan in indexes {
        let old = beside(&plan.name);
        let aside = names.derive(&plan.name, "retired");
        steps.push(step(rename(index, &old, &aside)).locks(Mode::ShareUpdateExclusive, &old));
    }
    steps.push(step(rename(table, source, &retired.name)).locks(Mode::AccessExclusive, source));
    for partition in partitions {
        let own = Lock::on_new(Mode::AccessExclusive, &partition.name).with_partitions();
        let name = match partition.is_default() {
            false => &partition.name,
            true => {
                steps.push(step(rename(table, &partition.name, &source.name)).lock(own.clone()));
                source
            }
        };
        let attach = Sql::template("ALTER TABLE {parent} ATTACH PARTITION {partition} {bounds}")
            .name("parent", &parent.name)
            .name("partition", name)
            .trusted("bounds", &partition.bounds());
        steps.push(
            step(attach)
                .locks(Mode::ShareUpdateExclusive, &parent.name)
                .lock(own.clone()),
        );
        // It has served, and would only be in the way of what is planned and altered later.
        let forget = Sql::template("ALTER TABLE {partition} DROP CONSTRAINT {name}")
            .name("partition", name)
            .ident("name", PROOF);
        steps.push(step(forget).lock(own));
    }
    // The one for the rest stands last, whatever the levels of the others.
    if partitions.last().is_some_and(Partition::is_default) {
        for plan in indexes {
            if let Some(leaf) = plan.leaves.last() {
                let renamed = rename(index, &leaf.name, &plan.name);
                steps.push(step(renamed).locks_new(Mode::ShareUpdateExclusive, &leaf.name));
            }
        }
    }
    let drop = Sql::template("DROP TABLE {twin}").name("twin", twin);
    steps.push(step(drop).locks_new(Mode::AccessExclusive, twin));
    steps
}
