//! Foreign keys of the table, to others: made on the twin while it is empty, and put to rest until the
//! swap.
//!
//! Of a foreign key two triggers are on the table that it points at. Those of the twin's are disabled
//! from the beginning: a row that the source has no more must keep nobody from deleting what it
//! pointed at. The swap enables them, and disables those of the source's. What the twin then holds are
//! the rows of the source, which its key has seen: nothing is to be validated.

use super::{Dependents, ForeignKey, incoming_keys, self_keys};
use crate::plan::comments;
use crate::plan::facts::Facts;
use crate::plan::lock::{Lock, Mode};
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;
use std::collections::{BTreeMap, BTreeSet};

const AT_REST: &str = "reads no row; what has to be done where it points at rests until the swap";

/// The statements that give the empty twin the keys of the source, with their comments.
pub fn key_steps(facts: &Facts, twin: &QualifiedName) -> Vec<Step> {
    let make = facts.dependents.foreign_keys.iter().map(|key| {
        make(key, twin)
            .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions())
            .note(AT_REST)
    });
    make.chain(comments::steps(
        Phase::Prepared,
        comments::of_foreign_keys(facts, twin),
    ))
    .collect()
}

/// Makes a key on a new table.
pub fn make(key: &ForeignKey, table: &QualifiedName) -> Step {
    let statement = Sql::template("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        .name("table", table)
        .ident("name", &key.name)
        .trusted("definition", &key.definition);
    Step::new(Phase::Prepared, statement.build()).locks(Mode::ShareRowExclusive, &key.points_at())
}

/// What the worker itself locks and runs for them, and for those that point at the table, at the swap, as
/// told in the plan: before each attempt, before the source is locked, after the renaming, and when all is
/// done.
pub struct AtTheSwap {
    pub ahead: Vec<Step>,
    pub first: Vec<Step>,
    pub exchange: Vec<Step>,
    pub afterwards: Vec<Step>,
}

/// See [`AtTheSwap`].
pub fn at_the_swap(facts: &Facts, twin: &QualifiedName, retired: &QualifiedName) -> AtTheSwap {
    let keys = &facts.dependents.foreign_keys;
    let incoming = &facts.dependents.incoming_keys;
    let tables: BTreeMap<u32, QualifiedName> = keys
        .iter()
        .map(|key| (key.relation, key.points_at()))
        .chain(incoming.iter().map(|key| (key.relation, key.table())))
        .collect();
    let first = tables.values().map(|table| {
        let lock = Sql::template("LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE");
        Step::new(Phase::Swapping, lock.name("table", table).build())
            .locks(Mode::ShareRowExclusive, table)
    });
    let exchange = tables.values().map(|table| {
        let told = format!(
            "-- on {table}, disable the triggers of the foreign keys of {retired}, and enable those of {}",
            facts.qualified_name()
        );
        Step::new(Phase::Swapping, told).locks(Mode::ShareRowExclusive, table)
    });
    let drop = keys.iter().map(|key| {
        let drop = Sql::template("ALTER TABLE {retired} DROP CONSTRAINT {name}")
            .name("retired", retired)
            .ident("name", &key.name);
        Step::new(Phase::Reversible, drop.build())
            .locks(Mode::AccessExclusive, retired)
            .locks(Mode::AccessExclusive, &key.points_at())
    });
    AtTheSwap {
        ahead: self_keys::ahead_of_the_swap(facts, twin)
            .into_iter()
            .chain(incoming_keys::ahead_of_the_swap(facts, twin))
            .collect(),
        first: first.collect(),
        exchange: exchange.collect(),
        afterwards: drop
            .chain(incoming_keys::after_the_swap(facts, retired))
            .collect(),
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
