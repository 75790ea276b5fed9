//! What the twin is given ahead of the swap: triggers, which only SQL fires; statistics objects,
//! under another name; row-level security, which nobody meets there yet; the replica identity.

use super::{Statistics, Trigger};
use crate::plan::comments;
use crate::plan::facts::{Facts, RowSecurity};
use crate::plan::lock::{Lock, Mode};
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;
use crate::plan::{IndexPlan, Partition, Plan};

/// The statements for a twin that has nothing of it yet. The replica identity, which may be an
/// index, comes with [`changes`], when the indexes are built.
pub fn ahead(facts: &Facts, twin: &QualifiedName, partitions: &[Partition]) -> Vec<Step> {
    let bare = Facts {
        dependents: super::Dependents::default(),
        row_security: false,
        force_row_security: false,
        ..facts.clone()
    };
    let mut steps = trigger_steps(facts, &bare, twin);
    steps.extend(statistics_steps(facts, &bare, twin));
    steps.extend(row_security_steps(
        facts.security(),
        bare.security(),
        &family_of(twin, partitions),
    ));
    steps
        .into_iter()
        .map(|step| Step {
            phase: Phase::Prepared,
            ..step
        })
        .collect()
}

/// The statements that bring the twin, which is as in `there`, to what the source is by now.
pub fn changes(source: &Facts, there: &Facts, plan: &Plan) -> Vec<Step> {
    let mut steps = trigger_steps(source, there, &plan.twin);
    steps.extend(statistics_steps(source, there, &plan.twin));
    steps.extend(row_security_steps(
        source.security(),
        there.security(),
        &family_of(&plan.twin, &plan.partitions),
    ));
    steps.extend(replica_identity_steps(source, there, plan));
    steps
}

fn step(statement: Sql) -> Step {
    Step::new(Phase::Swapping, statement.build())
}

/// The lock that altering the twin takes.
fn family(mode: Mode, twin: &QualifiedName) -> Lock {
    Lock::on_new(mode, twin).with_partitions()
}

fn trigger_steps(source: &Facts, there: &Facts, twin: &QualifiedName) -> Vec<Step> {
    let wanted = &source.dependents.triggers;
    let has = &there.dependents.triggers;
    let same = |one: &Trigger, other: &Trigger| {
        Trigger {
            oid: 0,
            ..one.clone()
        } == Trigger {
            oid: 0,
            ..other.clone()
        }
    };
    let dropped = has
        .iter()
        .filter(|trigger| !wanted.iter().any(|other| same(trigger, other)))
        .map(|trigger| {
            step(
                Sql::template("DROP TRIGGER {name} ON {twin}")
                    .ident("name", &trigger.name)
                    .name("twin", twin),
            )
            .lock(family(Mode::AccessExclusive, twin))
        });
    let made = wanted
        .iter()
        .filter(|trigger| !has.iter().any(|other| same(trigger, other)))
        .flat_map(|trigger| make_trigger(trigger, twin));
    dropped.chain(made).collect()
}

/// On the partitions PostgreSQL makes it by itself.
fn make_trigger(trigger: &Trigger, twin: &QualifiedName) -> Vec<Step> {
    let kind = match trigger.is_constraint {
        true => "CONSTRAINT TRIGGER",
        false => "TRIGGER",
    };
    let mut steps = vec![
        step(
            Sql::template("CREATE {kind} {name} {event} ON {twin} {rest}")
                .trusted("kind", kind)
                .ident("name", &trigger.name)
                .trusted("event", &trigger.event)
                .name("twin", twin)
                .trusted("rest", &trigger.rest),
        )
        .lock(family(Mode::ShareRowExclusive, twin)),
    ];
    let firing = firing("TRIGGER", &trigger.name, twin, &trigger.enabled);
    steps.extend(firing.map(|step| step.lock(family(Mode::ShareRowExclusive, twin))));
    steps.extend(trigger.extensions.iter().map(|extension| {
        step(
            Sql::template("ALTER TRIGGER {name} ON {twin} DEPENDS ON EXTENSION {extension}")
                .ident("name", &trigger.name)
                .name("twin", twin)
                .ident("extension", extension),
        )
        .lock(family(Mode::AccessExclusive, twin))
    }));
    let comment = comments::of_part("TRIGGER", &trigger.name, twin, &trigger.comment);
    steps.extend(comments::steps(Phase::Swapping, [comment]));
    steps
}

/// What is said of a trigger or rule that does not fire as one just made does.
pub(super) fn firing(
    kind: &'static str,
    name: &str,
    table: &QualifiedName,
    enabled: &str,
) -> Option<Step> {
    let verb = match enabled {
        "D" => "DISABLE",
        "R" => "ENABLE REPLICA",
        "A" => "ENABLE ALWAYS",
        _ => return None,
    };
    let statement = Sql::template("ALTER TABLE {table} {verb} {kind} {name}")
        .name("table", table)
        .trusted("verb", verb)
        .trusted("kind", kind)
        .ident("name", name);
    Some(step(statement))
}

fn statistics_steps(source: &Facts, there: &Facts, twin: &QualifiedName) -> Vec<Step> {
    let wanted = &source.dependents.statistics;
    let has = &there.dependents.statistics;
    let stands_for = |one: &Statistics, of: &Statistics| {
        let as_twin = Statistics {
            oid: one.oid,
            name: of.twin_name().name,
            ..of.clone()
        };
        *one == as_twin
    };
    let dropped = has
        .iter()
        .filter(|one| !wanted.iter().any(|of| stands_for(one, of)))
        .map(|one| {
            step(Sql::template("DROP STATISTICS {name}").name("name", &one.qualified_name()))
                .locks_new(Mode::ShareUpdateExclusive, twin)
        });
    let made = wanted
        .iter()
        .filter(|of| !has.iter().any(|one| stands_for(one, of)))
        .flat_map(|of| make_statistics(of, twin));
    dropped.chain(made).collect()
}

fn make_statistics(of: &Statistics, twin: &QualifiedName) -> Vec<Step> {
    let name = of.twin_name();
    let mut steps = vec![step(
        Sql::template("CREATE STATISTICS {name}{kinds} ON {columns} FROM {twin}")
            .name("name", &name)
            .trusted("kinds", &of.kinds_clause())
            .trusted("columns", &of.columns)
            .name("twin", twin),
    )];
    steps.extend(of.target.map(|target| {
        step(
            Sql::template("ALTER STATISTICS {name} SET STATISTICS {target}")
                .name("name", &name)
                .number("target", i64::from(target)),
        )
    }));
    let comment = comments::of_statistics(&name, twin, &of.comment);
    steps
        .into_iter()
        .map(|step| step.locks_new(Mode::ShareUpdateExclusive, twin))
        .chain(comments::steps(Phase::Swapping, [comment]))
        .collect()
}

impl Statistics {
    pub(super) fn qualified_name(&self) -> QualifiedName {
        self.in_schema(self.name.clone())
    }

    /// The name of its counterpart on the twin until the swap: names of statistics objects are not
    /// those of relations, and this one nobody else gives.
    pub(super) fn twin_name(&self) -> QualifiedName {
        self.in_schema(format!("partman_rs_twin_{}", self.oid))
    }

    /// Its own name from the swap on.
    pub(super) fn retired_name(&self) -> QualifiedName {
        self.in_schema(format!("partman_rs_retired_{}", self.oid))
    }

    fn in_schema(&self, name: String) -> QualifiedName {
        QualifiedName::new(&self.schema, name)
    }

    /// The kinds, where they are not all: a single expression has none that could be named.
    fn kinds_clause(&self) -> String {
        let named = [("d", "ndistinct"), ("f", "dependencies"), ("m", "mcv")];
        let has: Vec<&str> = named
            .iter()
            .filter(|(kind, _)| self.kinds.iter().any(|other| other == kind))
            .map(|(_, name)| *name)
            .collect();
        match has.len() {
            0 | 3 => String::new(),
            _ => format!(" ({})", has.join(", ")),
        }
    }
}

/// Its partitions, too, have row-level security enabled, without a policy: who reads one directly sees
/// what the policies of the table would not show him, else.
fn family_of<'a>(twin: &'a QualifiedName, partitions: &'a [Partition]) -> Vec<&'a QualifiedName> {
    let leaves = partitions.iter().map(|partition| &partition.name);
    std::iter::once(twin).chain(leaves).collect()
}

/// What brings relations that we have made from one state of row-level security to another.
pub fn row_security_steps(
    wanted: RowSecurity,
    there: RowSecurity,
    relations: &[&QualifiedName],
) -> Vec<Step> {
    let on_each = |is_changed: bool, template: &'static str| {
        relations
            .iter()
            .filter(move |_| is_changed)
            .map(move |relation| {
                step(Sql::template(template).name("relation", relation))
                    .locks_new(Mode::AccessExclusive, relation)
            })
    };
    let enabling = match wanted.is_enabled {
        true => "ALTER TABLE {relation} ENABLE ROW LEVEL SECURITY",
        false => "ALTER TABLE {relation} DISABLE ROW LEVEL SECURITY",
    };
    let forcing = match wanted.is_forced {
        true => "ALTER TABLE {relation} FORCE ROW LEVEL SECURITY",
        false => "ALTER TABLE {relation} NO FORCE ROW LEVEL SECURITY",
    };
    on_each(wanted.is_enabled != there.is_enabled, enabling)
        .chain(on_each(wanted.is_forced != there.is_forced, forcing))
        .collect()
}

/// It is the partitions' own that decides what is sent to subscribers.
fn replica_identity_steps(source: &Facts, there: &Facts, plan: &Plan) -> Vec<Step> {
    let named = |name: &Option<String>, of: fn(&IndexPlan) -> &String| {
        let name = name.as_ref()?;
        plan.indexes.iter().find(|index| of(index) == name)
    };
    let wanted = named(&source.replica_index, |index| &index.name);
    let has = named(&there.replica_index, |index| &index.twin_name.name);
    if source.replica_identity == there.replica_identity && wanted == has {
        return Vec::new();
    }
    let clause = |own: &dyn Fn(&IndexPlan) -> String| match source.replica_identity.as_str() {
        "f" => "FULL".to_owned(),
        "n" => "NOTHING".to_owned(),
        _ => match wanted {
            Some(index) => Sql::template("USING INDEX {index}")
                .ident("index", &own(index))
                .build(),
            None => "DEFAULT".to_owned(),
        },
    };
    let one = |relation: &QualifiedName, clause: String| {
        step(
            Sql::template("ALTER TABLE {relation} REPLICA IDENTITY {clause}")
                .name("relation", relation)
                .trusted("clause", &clause),
        )
        .locks_new(Mode::AccessExclusive, relation)
    };
    let of_twin = one(&plan.twin, clause(&|index| index.twin_name.name.clone()));
    let of_leaves = plan.partitions.iter().enumerate().map(|(place, leaf)| {
        let own = |index: &IndexPlan| index.leaves[place].name.name.clone();
        one(&leaf.name, clause(&own))
    });
    std::iter::once(of_twin).chain(of_leaves).collect()
}
