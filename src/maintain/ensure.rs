//! One run of maintenance over a table: what it needs is decided, then done action by action.

use super::compare::compare;
use super::deed::{Alone, Deed, Done, Runner, attempt, note_failure};
use super::family::Unkept;
use super::group::{Ranges, attempt_together};
use super::managed::{self, Table};
use super::outcome::{IN_THE_BIN, Outcome, QUIET, unread};
use super::task::{OfRanges, Task};
use super::{detach, hash, list, range};
use crate::catalog::policy::{Action, Policy};
use crate::catalog::recycled;
use crate::catalog::retirement as begun;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::interrupts;
use crate::pg::partition_key::Strategy;
use pgrx::pg_sys;
use std::rc::Rc;
use std::time::Duration;

/// What is to be done about a table, and what is not, with the reasons.
pub struct Decision {
    pub table: Rc<Table>,
    /// Done first, one by one.
    pub deeds: Vec<Box<dyn Deed>>,
    pub skipped: Vec<Outcome>,
    pub ranges: Option<Ranges>,
}

impl Decision {
    /// Of a table whose partitions are no ranges.
    pub fn of(table: &Rc<Table>, deeds: Vec<Box<dyn Deed>>, skipped: Vec<Outcome>) -> Decision {
        Decision {
            table: Rc::clone(table),
            deeds,
            skipped,
            ranges: None,
        }
    }
}

/// Brings one table into the shape of its policy; a row for each action. With `is_dry` nothing is
/// done.
///
/// `may_go_on` is asked before each action, or group of actions. What goes wrong with one action is told
/// in its row, and stops no other. A lock that others hold is asked for so many times.
pub fn table(
    policy: &Policy,
    is_dry: bool,
    tries: u32,
    may_go_on: fn(&Policy) -> bool,
    alone: Alone,
    runner: Runner,
) -> Vec<Outcome> {
    let mut decision = None;
    let decided = alone(&mut || {
        decision = decide(policy)?;
        Ok(())
    });
    let decision = match (decided, decision) {
        (Ok(()), Some(decision)) => decision,
        (Ok(()), None) => {
            return vec![Outcome {
                outcome: format!("skipped: {IN_THE_BIN}"),
                ..unread(policy.parent)
            }];
        }
        (Err(failure), _) => {
            let mut outcome = unread(policy.parent).failed(&failure);
            // What cannot be maintained may well have a name and an owner.
            let mut is_gone = false;
            let named = alone(&mut || {
                match table::name_and_owner(policy.parent)? {
                    Some((name, owner)) => {
                        outcome.relation = name;
                        outcome.owner = owner;
                    }
                    None => is_gone = true,
                }
                Ok(())
            });
            // Dropped meanwhile, by this run even, where it was a partition of a table before it.
            if is_gone {
                return Vec::new();
            }
            if named.is_ok() && !is_dry {
                note_failure(&outcome, Duration::ZERO, alone);
            }
            return vec![outcome];
        }
    };
    let mut outcomes = Vec::new();
    let by_itself = |deed: &dyn Deed| {
        interrupts::check();
        match is_dry {
            true => deed.outcome("to be done".to_owned()),
            false if !may_go_on(policy) => deed.outcome(QUIET.to_owned()),
            false => attempt(deed, tries, alone, runner),
        }
    };
    outcomes.extend((decision.deeds.iter()).map(|deed| by_itself(deed.as_ref())));
    let in_groups = |is_wanted: fn(&Task) -> bool| {
        let mut outcomes = Vec::new();
        let groups = (decision.ranges.iter()).flat_map(|ranges| ranges.groups(runner));
        for (subject, group) in groups.filter(|(_, group)| group.iter().all(is_wanted)) {
            interrupts::check();
            if !is_dry
                && may_go_on(policy)
                && let Some(done) = attempt_together(subject, group, alone)
            {
                outcomes.extend(done);
                continue;
            }
            outcomes.extend((group.iter()).map(|task| by_itself(&OfRanges { subject, task })));
        }
        outcomes
    };
    outcomes.extend(in_groups(|task| !task.is_for_the_end()));
    // Before everybody has to wait for what is retired, which in a session lasts to the end of its transaction.
    let leaving = decision.ranges.as_ref().map(Ranges::leaving);
    let compared = compare(
        policy,
        &decision.table,
        &leaving.unwrap_or_default(),
        is_dry,
        tries,
        may_go_on,
        alone,
    );
    outcomes.extend(in_groups(Task::is_for_the_end));
    outcomes.extend(decision.skipped);
    outcomes.extend(compared);
    outcomes
}

/// What a run over a table is to do; `None` where it lies in the recycle bin.
fn decide(policy: &Policy) -> Result<Option<Decision>, Error> {
    if recycled::holds(policy.parent)? {
        return Ok(None);
    }
    let mut decision = match managed::strategy(policy.parent)? {
        Strategy::Range => range::decide(policy)?,
        Strategy::List => list::decide(policy)?,
        Strategy::Hash => hash::decide(policy)?,
    };
    // First: PostgreSQL makes no partition where a half detached one is, and detaches no other.
    let mut half_detached = Vec::new();
    if decision.table.has_half_detached {
        let begun = begun::of(policy.parent)?;
        half_detached = table::half_detached(policy.parent)?;
        half_detached.retain(|partition| begun.iter().all(|one| one.was.partition != *partition));
    }
    for (place, partition) in half_detached.into_iter().enumerate() {
        let finalizing = Finalizing {
            table: Rc::clone(&decision.table),
            partition,
            name: table::written_name(partition)?,
        };
        decision.deeds.insert(place, Box::new(finalizing));
    }
    if decision.table.has_branches {
        decision.skipped.extend(without_policy(policy.parent)?);
    }
    Ok(Some(decision))
}

/// The outcome where partitions are partitioned and have no policy, as their siblings have.
pub fn without_policy(parent: pg_sys::Oid) -> Result<Option<Outcome>, Error> {
    let Some(unkept) = Unkept::of(parent)? else {
        return Ok(None);
    };
    let named = table::name_and_owner(parent)?;
    Ok(named.map(|(relation, owner)| Outcome {
        relation,
        owner,
        action: "policy",
        partition: unkept.only().map(ToString::to_string),
        outcome: format!("skipped: {}; {}", unkept.in_words(), unkept.next_command()),
        ..unread(parent)
    }))
}

/// A partition that is half detached, and its name.
struct Finalizing {
    table: Rc<Table>,
    partition: pg_sys::Oid,
    name: String,
}

impl Deed for Finalizing {
    fn run(&self) -> Result<Done, Error> {
        Ok(match detach::finalize(&self.table, self.partition)? {
            true => Done::AsWanted,
            false => Done::Nothing,
        })
    }

    fn outcome(&self, told: String) -> Outcome {
        Outcome {
            partition: Some(self.name.clone()),
            ..Outcome::of(&self.table, "finalize", told)
        }
    }

    fn done(&self) -> String {
        Action::Detach.done().to_owned()
    }
}
