//! Foreign keys of the table, to others: made on the twin while it is empty, and put to rest until the
//! swap.
//!
//! Of a foreign key two triggers are on the table that it points at. Those of the twin's are disabled
//! from the beginning: a row that the source has no more must keep nobody from deleting what it
//! pointed at. The swap enables them, and disables those of the source's. What the twin then holds are
//! the rows of the source, which its key has seen: nothing is to be validated.

use super::{Dependents, ForeignKey, IncomingKey, incoming_keys, self_keys};
use crate::plan::Plan;
use crate::plan::comments;
use crate::plan::facts::Facts;
use crate::plan::lock::{Lock, Mode};
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;
use std::collections::BTreeSet;

const AT_REST: &str = "reads no row; what has to be done where it points at rests until the swap";

pub(super) const MADE_IN_THE_SWAP: &str = "reads no row; then rows may change there again, but partitions, triggers and constraints not until the end of this phase";

/// Whether the keys are made in the swap; else when the twin is. All of them or none: the order in which they act
/// is that in which they are made.
pub fn made_in_the_swap(keys: &[ForeignKey]) -> bool {
    keys.iter().any(|key| key.is_to_partitioned)
}

/// The statements that give the empty twin the keys of the source, with their comments.
pub fn key_steps(facts: &Facts, twin: &QualifiedName) -> Vec<Step> {
    if made_in_the_swap(&facts.dependents.foreign_keys) {
        return Vec::new();
    }
    let make = facts.dependents.foreign_keys.iter().map(|key| {
        make(key, twin)
            .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions())
            .note(AT_REST)
    });
    make.chain(comment_steps(facts, twin, Phase::Prepared))
        .collect()
}

/// The statements that give them their comments.
pub fn comment_steps(facts: &Facts, twin: &QualifiedName, phase: Phase) -> Vec<Step> {
    comments::steps(phase, comments::of_foreign_keys(facts, twin)).collect()
}

/// Makes a key on a new table.
pub fn make(key: &ForeignKey, table: &QualifiedName) -> Step {
    Step::new(Phase::Prepared, add(key, table)).locks(Mode::ShareRowExclusive, &key.points_at())
}

/// The statement that makes a key on another table.
pub fn add(key: &ForeignKey, table: &QualifiedName) -> String {
    Sql::template("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        .name("table", table)
        .ident("name", &key.name)
        .trusted("definition", &key.definition)
        .build()
}

/// What the worker itself locks and runs for them, and for those that point at the table, at the swap, as
/// told in the plan: before each attempt, in its transaction, after the renaming, and when all is done.
pub struct AtTheSwap {
    pub ahead: Vec<Step>,
    /// What is made first.
    pub made: Vec<Step>,
    /// What is locked then, before the source.
    pub first: Vec<Step>,
    pub exchange: Vec<Step>,
    pub afterwards: Vec<Step>,
}

/// See [`AtTheSwap`].
pub fn at_the_swap(facts: &Facts, plan: &Plan) -> AtTheSwap {
    let (twin, retired) = (&plan.twin, &plan.retired);
    let keys = &facts.dependents.foreign_keys;
    let in_the_swap = made_in_the_swap(keys);
    let to = keys.iter().map(Linked::to).collect::<BTreeSet<Linked>>();
    let from = (facts.dependents.incoming_keys.iter())
        .map(Linked::from)
        .collect::<BTreeSet<Linked>>();
    let (successors, replaced) = incoming_keys::in_the_swap(facts, plan);
    let mut resting: BTreeSet<&Linked> = BTreeSet::new();
    if !in_the_swap {
        resting.extend(&to);
    }
    if successors.is_empty() {
        resting.extend(&from);
    }
    let first = to.union(&from).map(|linked| {
        let lock = match linked.is_partitioned {
            true => Sql::template("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"),
            false => Sql::template("LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE"),
        };
        Step::new(Phase::Swapping, lock.name("table", &linked.table).build()).lock(linked.lock())
    });
    let commented = match in_the_swap {
        true => comment_steps(facts, twin, Phase::Swapping),
        false => Vec::new(),
    };
    let made = keys.iter().filter(|_| in_the_swap).map(|key| {
        Step::new(Phase::Swapping, add(key, twin))
            .lock(Linked::to(key).lock())
            .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions())
            .note(MADE_IN_THE_SWAP)
    });
    let exchanged = resting.into_iter().map(|linked| {
        let told = format!(
            "-- on {}, disable the triggers of the foreign keys of {retired}, and enable those of {}",
            linked.table,
            facts.qualified_name()
        );
        Step::new(Phase::Swapping, told).lock(linked.lock())
    });
    let drop = |key: &ForeignKey, phase| {
        let drop = Sql::template("ALTER TABLE {retired} DROP CONSTRAINT {name}")
            .name("retired", retired)
            .ident("name", &key.name);
        Step::new(phase, drop.build()).locks(Mode::AccessExclusive, retired)
    };
    let dropped = keys.iter().filter(|_| in_the_swap);
    let dropped = dropped.map(|key| drop(key, Phase::Swapping).lock(Linked::to(key).lock()));
    let dropped_afterwards = keys
        .iter()
        .filter(|_| !in_the_swap)
        .map(|key| drop(key, Phase::Reversible).locks(Mode::AccessExclusive, &key.points_at()));
    AtTheSwap {
        ahead: self_keys::ahead_of_the_swap(facts, plan)
            .into_iter()
            .chain(plan.guard.iter().map(|guard| guard.link.clone()))
            .chain(incoming_keys::ahead_of_the_swap(facts, plan))
            .collect(),
        made: made.chain(commented).chain(successors).collect(),
        first: first.collect(),
        exchange: dropped.chain(exchanged).chain(replaced).collect(),
        afterwards: dropped_afterwards
            .chain(incoming_keys::after_the_swap(facts, plan))
            .chain(plan.guard.iter().map(|guard| guard.validate(facts)))
            .collect(),
    }
}

/// A table that a foreign key links with the one that is converted, in the order in which they are locked.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Linked {
    relation: u32,
    table: QualifiedName,
    /// Its partitions are locked, too: they have triggers of the key.
    is_partitioned: bool,
}

impl Linked {
    fn to(key: &ForeignKey) -> Linked {
        Linked {
            relation: key.relation,
            table: key.points_at(),
            is_partitioned: key.is_to_partitioned,
        }
    }

    fn from(key: &IncomingKey) -> Linked {
        Linked {
            relation: key.relation,
            table: key.table(),
            is_partitioned: key.is_of_partitioned,
        }
    }

    fn lock(&self) -> Lock {
        let lock = Lock::on(Mode::ShareRowExclusive, &self.table);
        match self.is_partitioned {
            true => lock.with_partitions(),
            false => lock,
        }
    }
}

/// What is to be dropped of the foreign keys that there are, and what is to be made, so that there are those that
/// are wanted, in the order in which they act, which is that in which they were made: what differs, and all
/// behind it, is made anew.
pub fn from_first_difference<'a, There, Wanted>(
    there: &'a [There],
    wanted: &'a [Wanted],
    is_same: impl Fn(&There, &Wanted) -> bool,
) -> (&'a [There], &'a [Wanted]) {
    let pairs = there.iter().zip(wanted);
    let same = pairs.take_while(|(one, other)| is_same(one, other)).count();
    (&there[same..], &wanted[same..])
}

/// The tables that the keys point at, in the order in which they are locked.
pub fn referenced(keys: &[ForeignKey]) -> BTreeSet<u32> {
    keys.iter().map(|key| key.relation).collect()
}

/// The tables whose triggers the swap enables and disables, in the order in which they are locked: those that
/// the keys point at, and those whose keys point at the table.
pub fn locked_for_keys(dependents: &Dependents) -> BTreeSet<u32> {
    let incoming = dependents.incoming_keys.iter();
    let mut all = referenced(&dependents.foreign_keys);
    all.extend(incoming.map(|key| key.relation));
    all
}
