//! Tables that are partitioned by hash: remainders that no partition takes are found, and get one.
//! Rows that would belong there are refused, since such a table has no default partition.

use super::act;
use super::blueprint::{self, Drawn};
use super::deed::{Deed, Done};
use super::ensure::Decision;
use super::family;
use super::managed::{self, Table};
use super::outcome::Outcome;
use super::repair;
use crate::catalog::policy::Policy;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::Mode;
use crate::pg::partitions::{self, HashPartition};
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::rc::Rc;

/// What one partition may take of all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub modulus: u32,
    pub remainder: u32,
}

/// Remainders that no partition takes, of the greatest modulus, ascending: pure. None where there is
/// no partition, and with it no modulus.
///
/// PostgreSQL has seen to it that partitions do not overlap, and that each modulus is a factor of the
/// next greater one.
pub fn missing(taken: &[Slot]) -> Vec<Slot> {
    let greatest = taken.iter().map(|slot| slot.modulus).max().unwrap_or(0);
    let mut is_free = vec![true; greatest as usize];
    for slot in taken.iter().filter(|slot| slot.modulus > 0) {
        let all = (slot.remainder..greatest).step_by(slot.modulus as usize);
        for remainder in all {
            is_free[remainder as usize] = false;
        }
    }
    (0..greatest)
        .zip(is_free)
        .filter(|(_, is_free)| *is_free)
        .map(|(remainder, _)| Slot {
            modulus: greatest,
            remainder,
        })
        .collect()
}

/// A table that is partitioned by hash, of whatever columns and expressions.
pub struct HashTable {
    pub table: Table,
    partitions: Vec<HashPartition>,
}

impl HashTable {
    /// Reads it; takes ACCESS SHARE on it, until the end of the transaction.
    pub fn read(parent: pg_sys::Oid) -> Result<HashTable, Error> {
        let open = managed::open(parent)?;
        Ok(HashTable {
            table: Table::of(&open),
            partitions: partitions::hashes(&open),
        })
    }

    /// Whether there is none: then nobody knows how many are wanted.
    pub fn has_no_partition(&self) -> bool {
        self.partitions.is_empty()
    }

    pub fn missing(&self) -> Vec<Slot> {
        let taken: Vec<Slot> = (self.partitions.iter())
            .map(|partition| Slot {
                modulus: partition.modulus,
                remainder: partition.remainder,
            })
            .collect();
        missing(&taken)
    }

    /// Like whom a new one may be made: first those of the greatest modulus, which are the youngest kind.
    fn siblings(&self) -> Vec<pg_sys::Oid> {
        let mut all: Vec<&HashPartition> = self.partitions.iter().rev().collect();
        all.sort_by_key(|partition| std::cmp::Reverse(partition.modulus));
        all.iter().map(|partition| partition.oid).collect()
    }
}

/// Why nothing is made where there are no partitions at all.
const NO_MODULUS: &str =
    "it has no partitions, so that their number is not known: make the first one by hand";

/// Decides what a run does about such a table.
pub fn decide(policy: &Policy) -> Result<Decision, Error> {
    let found = HashTable::read(policy.parent)?;
    let missing = found.missing();
    let is_empty = found.has_no_partition();
    let table = Rc::new(found.table);
    let mut skipped = Vec::new();
    let mut skip = |why: String| {
        skipped.push(Outcome::of(&table, "create", format!("skipped: {why}")));
    };
    let most = guc::max_partitions() as usize;
    if is_empty {
        skip(NO_MODULUS.to_owned());
    }
    let made = &missing[..missing.len().min(most)];
    if made.len() < missing.len() {
        skip(format!(
            "{} partitions more are wanted than are made in one go",
            missing.len() - most
        ));
    }
    let deeds = made.iter().map(|slot| {
        Box::new(Filling {
            table: Rc::clone(&table),
            slot: *slot,
        }) as Box<dyn Deed>
    });
    Ok(Decision::of(&table, deeds.collect(), skipped))
}

/// A remainder that gets its partition.
struct Filling {
    table: Rc<Table>,
    slot: Slot,
}

impl Deed for Filling {
    fn run(&self) -> Result<Done, Error> {
        let Slot { modulus, remainder } = self.slot;
        self.table.as_owner(|| {
            // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: no reader
            // or writer waits for it, another run of maintenance does. There is no default partition
            // to be looked through.
            family::lock(self.table.parent, Mode::ShareUpdateExclusive)?;
            let now = HashTable::read(self.table.parent)?;
            self.table.still_has_owner(now.table.owner)?;
            if !now.missing().contains(&self.slot) {
                return Ok(Done::Nothing);
            }
            let parent = &now.table.name;
            let blueprint = match blueprint::of_remainder(self.table.parent, now.siblings())? {
                Drawn::Drawn(blueprint) => blueprint,
                Drawn::Missing(why) => return Ok(Done::NotTried(why)),
            };
            let label = format!("p{remainder}");
            let name = act::make_table(&self.table, parent, &blueprint, &label)?;
            act::run(
                Sql::template(
                    "ALTER TABLE {parent} ATTACH PARTITION {name} \
                     FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})",
                )
                .name("parent", parent)
                .name("name", &name)
                .number("modulus", modulus.into())
                .number("remainder", remainder.into()),
            )?;
            repair::mark_indexes(self.table.facts()?, &name)?;
            Ok(Done::Made(name))
        })
    }

    fn outcome(&self, told: String) -> Outcome {
        let Slot { modulus, remainder } = self.slot;
        Outcome {
            lower: Some(format!("MODULUS {modulus}, REMAINDER {remainder}")),
            ..Outcome::of(&self.table, "create", told)
        }
    }

    fn done(&self) -> String {
        "created".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots(all: &[(u32, u32)]) -> Vec<Slot> {
        all.iter()
            .map(|&(modulus, remainder)| Slot { modulus, remainder })
            .collect()
    }

    #[test]
    fn remainders_of_the_greatest_modulus_are_missing() {
        assert_eq!(missing(&[]), []);
        assert_eq!(missing(&slots(&[(1, 0)])), []);
        assert_eq!(missing(&slots(&[(4, 0), (4, 3)])), slots(&[(4, 1), (4, 2)]));
        // One partition of modulus 2 was split into some of modulus 6.
        let split = slots(&[(2, 0), (6, 1), (6, 5)]);
        assert_eq!(missing(&split), slots(&[(6, 3)]));
    }

    proptest! {
        /// Each hash is taken by exactly one of those that are there and those that are missing.
        #[test]
        fn all_hashes_are_taken_once(kept in proptest::collection::vec(any::<bool>(), 24), split in any::<bool>(), hash in any::<u64>()) {
            let there = (0..4u32)
                .flat_map(|remainder| match split && remainder % 2 == 1 {
                    true => (0..3).map(|part| (12, remainder + 4 * part)).collect(),
                    false => vec![(4, remainder)],
                })
                .zip(kept)
                .filter(|(_, is_kept)| *is_kept)
                .map(|(slot, _)| slot)
                .collect::<Vec<_>>();
            prop_assume!(!there.is_empty());
            let there = slots(&there);
            let missing = missing(&there);
            let takes = |slot: &&Slot| hash % u64::from(slot.modulus) == u64::from(slot.remainder);
            prop_assert_eq!(there.iter().chain(&missing).filter(takes).count(), 1);
        }
    }
}
