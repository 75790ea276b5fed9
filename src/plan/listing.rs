//! A plan as the user reads it: every statement in the order in which it is run, what it locks,
//! and what it takes.

use super::estimate::{Cost, Estimate};
use super::facts::Facts;
use super::guard::Guard;
use super::lock::{Lock, Mode};
use super::names::QualifiedName;
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::{Plan, capture, dependents, indexes};

/// A step, and what it is estimated to take.
pub struct Listed {
    pub step: Step,
    pub cost: Option<Cost>,
    /// Whether it waits for others to leave the table; the steps after it have the lock already.
    pub waits: bool,
}

impl Listed {
    fn new(step: Step, cost: Cost) -> Listed {
        Listed {
            cost: Some(cost),
            ..Listed::from(step)
        }
    }
}

impl From<Step> for Listed {
    fn from(step: Step) -> Listed {
        Listed {
            step,
            cost: None,
            waits: false,
        }
    }
}

const SHORT_WAIT: &str = "waits at most swap_lock_timeout at a time, then lets others go first";
const BY_US: &str = "run as the owner of the extension";

/// All steps of a plan, to the end of its undo window.
pub fn steps(plan: &Plan, facts: &Facts, estimate: &Estimate) -> Vec<Listed> {
    let mut all = prepare(plan, estimate);
    all.extend(begin_capture(plan));
    all.push(copy(plan, estimate));
    all.extend(build_indexes(plan, facts, estimate));
    all.extend(plan.guard.iter().map(|guard| fill(plan, guard).into()));
    all.push(catch_up(plan, facts).into());
    all.extend(verify(plan, estimate));
    all.extend(swap(plan, facts));
    all.extend(afterwards(plan, facts));
    all
}

fn prepare(plan: &Plan, estimate: &Estimate) -> Vec<Listed> {
    plan.prepare
        .iter()
        .map(|step| match step.partition {
            Some(place) => Listed::new(step.clone(), estimate.make_partition(place)),
            None => Listed::from(step.clone()),
        })
        .chain(plan.foreign_keys.iter().map(|step| Listed {
            waits: step.statement.starts_with("ALTER TABLE"),
            ..Listed::from(step.clone())
        }))
        .chain(
            plan.guard
                .iter()
                .flat_map(|guard| guard.prepare.iter().cloned())
                .map(Listed::from),
        )
        .collect()
}

fn begin_capture(plan: &Plan) -> impl Iterator<Item = Listed> {
    let create_log = Step::new(Phase::Capturing, plan.create_log.clone()).note(BY_US);
    let triggers = capture::statements(&plan.source).map(|statement| {
        Step::new(Phase::Capturing, statement)
            .locks(Mode::ShareRowExclusive, &plan.source)
            .note(format!("{SHORT_WAIT}; held for a moment"))
    });
    let mut first = true;
    let triggers = triggers.into_iter().map(move |step| Listed {
        waits: std::mem::take(&mut first),
        ..Listed::from(step)
    });
    std::iter::once(Listed::from(create_log)).chain(triggers)
}

fn copy(plan: &Plan, estimate: &Estimate) -> Listed {
    let cost = estimate.copy();
    let step = Step::new(
        Phase::Copying,
        format!(
            "-- copy {} into the partitions of {}",
            plan.source, plan.twin
        ),
    )
    .locks(Mode::AccessShare, &plan.source)
    .lock(Lock::on_new(Mode::RowExclusive, &plan.twin).with_partitions())
    .note(format!(
        "in short transactions, {} at a time",
        plan.copy_workers
    ));
    Listed::new(step, cost)
}

fn build_indexes(plan: &Plan, facts: &Facts, estimate: &Estimate) -> Vec<Listed> {
    plan.partitions
        .iter()
        .enumerate()
        .flat_map(|(ordinal, partition)| {
            let steps = indexes::leaf_steps(facts, &plan.twin, &plan.indexes, partition, ordinal);
            let built = plan.indexes.len();
            steps.into_iter().enumerate().map(move |(number, step)| {
                // Those that build come first, then those that attach.
                match number < built {
                    true => Listed::new(step, estimate.index(number, ordinal)),
                    false => Listed::from(step),
                }
            })
        })
        .collect()
}

fn fill(plan: &Plan, guard: &Guard) -> Step {
    Step::new(
        Phase::Indexing,
        format!("-- note the keys of {} in {}", plan.twin, guard.name),
    )
    .lock(Lock::on_new(Mode::AccessShare, &plan.twin).with_partitions())
    .locks_new(Mode::RowExclusive, &guard.name)
    .note("partition by partition")
}

fn catch_up(plan: &Plan, facts: &Facts) -> Step {
    Step::new(
        Phase::CatchingUp,
        "-- read logged keys again, until few wait".to_owned(),
    )
    .locks(Mode::AccessShare, &plan.source)
    .lock(Lock::on_new(Mode::RowExclusive, &plan.twin).with_partitions())
    .locks_new(Mode::RowExclusive, &capture::log_name(facts.oid))
}

fn verify(plan: &Plan, estimate: &Estimate) -> [Listed; 2] {
    let family = |mode| Lock::on_new(mode, &plan.twin).with_partitions();
    let compare = Step::new(
        Phase::Verifying,
        format!("-- compare {} with {}", plan.source, plan.twin),
    )
    .locks(Mode::AccessShare, &plan.source)
    .lock(family(Mode::AccessShare));
    let analyze = Step::new(Phase::Verifying, analyze(&plan.twin))
        .lock(family(Mode::ShareUpdateExclusive))
        .lock(Lock::on_new(Mode::AccessShare, &plan.twin).on_indexes())
        .note("a small sample, at the same time as the comparison");
    [
        Listed::new(compare, estimate.verify()),
        Listed::from(analyze),
    ]
}

fn analyze(table: &QualifiedName) -> String {
    Sql::template("ANALYZE {table}")
        .name("table", table)
        .build()
}

fn swap(plan: &Plan, facts: &Facts) -> impl Iterator<Item = Listed> {
    let lock = |table| {
        let statement = Sql::template("LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE")
            .name("table", table)
            .build();
        Step::new(Phase::Swapping, statement)
    };
    let lock_source = lock(&plan.source).locks(Mode::AccessExclusive, &plan.source).note(format!(
        "{SHORT_WAIT}; the last logged keys are applied under it; held until the end of this phase"
    ));
    let lock_source = Listed {
        waits: true,
        ..Listed::from(lock_source)
    };
    let keys = dependents::at_the_swap(facts, plan);
    // Then those that are left to the transaction of the swap, with which that begins.
    let make_keys = keys.ahead.into_iter().chain(keys.made).map(|step| Listed {
        waits: step.locks.iter().any(|lock| !lock.is_new),
        ..Listed::from(step)
    });
    let lock_referenced = keys.first.into_iter().map(waiting);
    let lock_twin = lock(&plan.twin).locks_new(Mode::AccessExclusive, &plan.twin);
    let end_capture = capture::TRIGGERS.map(|trigger| {
        Step::new(
            Phase::Swapping,
            capture::drop_trigger(trigger, &plan.retired),
        )
        .locks(Mode::AccessExclusive, &plan.retired)
    });
    let drop_log = Step::new(Phase::Swapping, capture::drop_log(facts.oid))
        .locks_new(Mode::AccessExclusive, &capture::log_name(facts.oid))
        .note(BY_US);
    let under_lock = std::iter::once(lock_twin)
        .chain(dependents::before_renaming(&facts.dependents))
        .chain(plan.swap.clone())
        .chain(dependents::after_renaming(facts, &plan.retired))
        .chain(dependents::rebound_steps(&facts.dependents))
        .chain(dependents::at_last(&facts.dependents, &plan.retired))
        .chain(keys.exchange.into_iter().map(|step| step.note(BY_US)))
        .chain(end_capture)
        .chain(std::iter::once(drop_log));
    make_keys
        .chain(lock_referenced)
        .chain(std::iter::once(lock_source))
        .chain(under_lock.map(Listed::from))
}

/// A step that waits for others to leave a table.
fn waiting(step: Step) -> Listed {
    Listed {
        waits: true,
        ..Listed::from(step.note(SHORT_WAIT))
    }
}

fn afterwards(plan: &Plan, facts: &Facts) -> Vec<Listed> {
    let keys = dependents::at_the_swap(facts, plan).afterwards;
    let analyze = Step::new(Phase::Reversible, analyze(&plan.source))
        .lock(Lock::on(Mode::ShareUpdateExclusive, &plan.source).with_partitions())
        .lock(Lock::on(Mode::AccessShare, &plan.source).on_indexes())
        .note("with the usual sample, leaf by leaf, and never for more than a quarter of the time");
    let drop = Step::new(
        Phase::Finished,
        Sql::template("DROP TABLE {retired}")
            .name("retired", &plan.retired)
            .build(),
    )
    .locks(Mode::AccessExclusive, &plan.retired)
    .lock(Lock::on(Mode::AccessExclusive, &plan.retired).on_indexes())
    .note("by finish_conversion, or when undo_window has passed");
    let keys = keys.into_iter().map(waiting);
    keys.chain([analyze, drop].map(Listed::from)).collect()
}
