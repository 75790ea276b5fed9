//! Partitions are compared with their table, and what has drifted is mended.

use super::deed::{Alone, Deed, Done, Runner, attempt};
use super::drift::{self, Drift};
use super::managed::Table;
use super::outcome::{Outcome, QUIET};
use super::repair::{self, Mended};
use crate::catalog::history;
use crate::catalog::policy::Policy;
use crate::error::Error;
use crate::guc;
use crate::pg::interrupts;
use std::collections::HashSet;

/// So often partitions are compared in a run, while something is mended: of four levels all is.
const ROUNDS: u32 = 5;

/// Compares the partitions with their table, if that is due, and mends what has drifted, if the
/// policy says so: not of those that are leaving.
pub fn compare(
    policy: &Policy,
    table: &Table,
    leaving: &HashSet<u32>,
    is_dry: bool,
    tries: u32,
    may_go_on: fn(&Policy) -> bool,
    alone: Alone,
) -> Vec<Outcome> {
    let mut drifts = None;
    // One that stays after all is compared with the next run.
    let mut is_one_left_out = false;
    let mut look = |drifts: &mut Option<Vec<Drift>>| {
        alone(&mut || {
            let is_due = is_dry || !history::is_compared(table.parent, guc::comparison_interval())?;
            *drifts = match is_due {
                true => {
                    let (left_out, looked_at): (Vec<Drift>, Vec<Drift>) =
                        (repair::drifts(table.parent)?)
                            .into_iter()
                            .partition(|drift| {
                                leaving.contains(&drift.partition)
                                    || leaving.contains(&drift.parent)
                            });
                    is_one_left_out |= !left_out.is_empty();
                    Some(looked_at)
                }
                false => None,
            };
            Ok(())
        })
    };
    let mut outcomes = Vec::new();
    // Once more after all is mended: privileges are compared when the owner is the same, and what is further
    // down when what is above it is mended.
    for round in 1..=ROUNDS {
        if let Err(failure) = look(&mut drifts) {
            outcomes.push(Outcome::of(table, "repair", String::new()).failed(&failure));
            return outcomes;
        }
        let Some(found) = &drifts else {
            return outcomes;
        };
        if is_dry || !policy.repair {
            outcomes.extend(told(policy, table, found));
            break;
        }
        let (by_hand, mendable): (Vec<Drift>, Vec<Drift>) =
            found.iter().cloned().partition(Drift::is_by_hand);
        let mut is_mended = false;
        for drift in mendable {
            interrupts::check();
            let mending = Mending { table, drift };
            let outcome = match may_go_on(policy) {
                true => attempt(&mending, tries, alone, Runner::Session),
                false => mending.outcome(QUIET.to_owned()),
            };
            is_mended |= outcome.is_repaired();
            // What a round before has told is not told again.
            let is_told = |other: &Outcome| {
                other.partition == outcome.partition && other.in_words() == outcome.in_words()
            };
            if outcome.is_repaired() || !outcomes.iter().any(is_told) {
                outcomes.push(outcome);
            }
        }
        if !is_mended || round == ROUNDS {
            outcomes.extend(told(policy, table, &by_hand));
            break;
        }
    }
    let is_left = |outcome: &Outcome| {
        outcome.failure.is_some() || outcome.is_left_to_builder() || outcome.outcome == QUIET
    };
    if !is_dry && !is_one_left_out && !outcomes.iter().any(is_left) {
        let noted = alone(&mut || history::compared(table.parent));
        outcomes.extend(
            noted
                .err()
                .map(|failure| Outcome::of(table, "repair", String::new()).failed(&failure)),
        );
    }
    outcomes
}

/// A row for each kind of drift, and not for each partition: there may be very many.
fn told(policy: &Policy, table: &Table, drifts: &[Drift]) -> Vec<Outcome> {
    drift::alike(drifts)
        .into_iter()
        .map(|(first, names)| {
            let which = match names.len() {
                1 => String::new(),
                _ => format!(" ({})", drift::listed(&names)),
            };
            let (word, then) = match (&first.remedy, policy.repair) {
                (drift::Remedy::ByHand(how), _) => ("skipped", how.as_str()),
                (_, false) => ("skipped", "repair => true mends it"),
                (_, true) => ("to be done", ""),
            };
            let then = match then {
                "" => String::new(),
                then => format!("; {then}"),
            };
            Outcome {
                partition: (names.len() == 1).then(|| first.name.to_string()),
                ..Outcome::of(
                    table,
                    "repair",
                    format!("{word}: {}{which}{then}", first.what),
                )
            }
        })
        .collect()
}

struct Mending<'a> {
    table: &'a Table,
    drift: Drift,
}

impl Deed for Mending<'_> {
    fn run(&self) -> Result<Done, Error> {
        Ok(match repair::mend(self.table, &self.drift)? {
            Mended::Done => Done::AsWanted,
            Mended::NotTried(why) => Done::NotTried(format!("{}; {why}", self.drift.what)),
            Mended::Gone => Done::Nothing,
        })
    }

    fn outcome(&self, told: String) -> Outcome {
        Outcome {
            partition: Some(self.drift.name.to_string()),
            ..Outcome::of(self.table, "repair", told)
        }
    }

    fn done(&self) -> String {
        format!("repaired: {}", self.drift.what)
    }
}
