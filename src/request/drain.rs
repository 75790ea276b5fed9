//! The plan that moves rows out of a default partition.

use super::{PREMAKE, prospect};
use crate::catalog::foreign_key::{self, Pointed};
use crate::catalog::{guard, self_key, table};
use crate::error::Error;
use crate::guc;
use crate::plan::blockers::{self, Blocker};
use crate::plan::branch::Division;
use crate::plan::dependents::{self, Dependents, Publication, SelfKey};
use crate::plan::estimate::Estimate;
use crate::plan::facts::{Column, Facts};
use crate::plan::interval::KeyType;
use crate::plan::{self, Parent, Plan, Request, Wanted};
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// A plan, and what it was made from.
pub struct Drain {
    pub facts: Facts,
    pub plan: Plan,
    pub estimate: Estimate,
    /// Of the default partition's main fork.
    pub bytes: i64,
}

/// Plans how rows that belong into these partitions are moved out of `default`, the default partition of
/// `parent` that is partitioned by that column; touches nothing. `key_type` is what its values are to us, if
/// they are numbers by which bounds are compared.
///
/// Fails with everything that stands in the way, at once.
pub fn drain(
    parent: Parent,
    default: Option<pg_sys::Oid>,
    column: &str,
    key_type: Option<KeyType>,
    wanted: Vec<Wanted>,
) -> Result<Drain, Error> {
    let default =
        default.ok_or_else(|| Error::Internal("there is no default partition".to_owned()))?;
    let facts = table::facts_or_gone(default)?;
    let key = super::column(&facts, column)?.clone();
    let mut blockers = blockers(&facts, &parent, default)?;
    blockers.extend(not_told_apart(&facts, &wanted));
    super::refuse_if_any(&facts, blockers)?;
    let request = Request {
        // Else only PostgreSQL knows where rows go.
        key_type: key_type.filter(|_| wanted.iter().all(|wanted| wanted.division.is_none())),
        interval: None,
        // Bounds are given: nothing is computed in a zone.
        time_zone: None,
        default_partition: true,
        premake: PREMAKE,
        copy_workers: guc::copy_workers(),
        // There is no way back that anybody would want.
        undo_window_seconds: Some(0.0),
        settings: guc::of_session(),
        unique_guard: false,
    };
    let taken = table::taken_names(&facts.schema)?;
    let plan = plan::make(&facts, &key, &request, wanted, taken, Some(parent));
    let sizes = prospect::sizes(&facts)?;
    Ok(Drain {
        estimate: prospect::estimate(&facts, &plan, &sizes)?,
        bytes: sizes.table_bytes as i64,
        facts,
        plan,
    })
}

/// Rules among all rows that are the default partition's alone, and that partitions which are partitioned themselves
/// could not have. Pure.
fn not_told_apart(facts: &Facts, wanted: &[Wanted]) -> Vec<Blocker> {
    let divisions = wanted.iter().filter_map(|wanted| wanted.division.as_ref());
    let columns: BTreeSet<&String> = divisions.flat_map(Division::all_columns).collect();
    let lower = columns.into_iter().filter_map(|name| facts.column(name));
    let lower: Vec<&Column> = lower.collect();
    let strict = facts.indexes.iter();
    strict
        .filter(|index| index.is_unique || index.is_exclusion)
        .filter_map(|index| {
            let lacking = |column: &&&Column| blockers::lacks(index, column.attnum);
            let lacking = lower.iter().find(lacking)?;
            Some(Blocker::fact(format!(
                "Index \"{}\" of it is unique and lacks column \"{}\", by which the partitions of its siblings are partitioned.",
                index.name, lacking.name
            )))
        })
        .collect()
}

/// What stands in the way: as for any table, but for being a partition, and what must not happen
/// to the table whose partition it is while nobody can use it.
fn blockers(facts: &Facts, parent: &Parent, default: pg_sys::Oid) -> Result<Vec<Blocker>, Error> {
    let mut found = match facts.kind.as_str() {
        "r" => Vec::new(),
        _ => vec![Blocker::fact("It is not a plain table.")],
    };
    let mut by_itself = Facts {
        inherits: false,
        ..facts.clone()
    };
    // Foreign keys: told below, as those of the table.
    by_itself
        .extras
        .retain(|extra| extra.kind != "table constraint");
    // Those that it is in because its table is, or its schema: so are the new partitions.
    let (named, shared): (Vec<_>, Vec<_>) = std::mem::take(&mut by_itself.dependents.publications)
        .into_iter()
        .partition(Publication::names_table);
    by_itself.dependents = Dependents {
        publications: shared,
        ..Dependents::default()
    };
    found.extend(blockers::of_table(&by_itself));
    if facts.replica_identity != "d" {
        found.push(Blocker::with_hint(
            "Its replica identity is not the default.",
            "ALTER TABLE … REPLICA IDENTITY DEFAULT.",
        ));
    }
    let marks = facts.indexes.iter().filter(|index| index.is_clustered);
    found.extend(marks.map(|index| {
        Blocker::with_hint(
            format!("It is marked to be clustered on \"{}\".", index.name),
            "ALTER TABLE … SET WITHOUT CLUSTER.",
        )
    }));
    let bound = Facts {
        dependents: Dependents {
            publications: named,
            // Told below, with those that point at its table.
            incoming_keys: Vec::new(),
            self_keys: Vec::new(),
            ..facts.dependents.clone()
        },
        ..facts.clone()
    };
    found.extend(
        dependents::hanging_on(&bound, false)
            .into_iter()
            .map(|item| {
                Blocker::fact(format!(
                    "This is bound to it: {} {}.",
                    item.kind, item.object
                ))
            }),
    );
    if facts.schema != parent.name.schema {
        found.push(Blocker::fact(format!(
            "It lies in another schema than table \"{}\".",
            parent.name.name
        )));
    }
    if facts
        .columns
        .iter()
        .any(|column| !column.sequences.is_empty())
    {
        found.push(Blocker::fact("A sequence belongs to a column of it."));
    }
    for key in &parent.foreign_keys {
        found.extend(dependents::refused_key(&facts.owner_name, key));
    }
    found.extend(to_partitioned(parent)?);
    found.extend(pointing(pg_sys::Oid::from(parent.oid), default)?.blockers);
    let owner = table::name_and_owner(pg_sys::Oid::from(parent.oid))?.map(|(_, owner)| owner);
    if owner != Some(pg_sys::Oid::from(facts.owner)) {
        found.push(Blocker::with_hint(
            format!(
                "It does not belong to the owner of table \"{}\".",
                parent.name.name
            ),
            "ALTER TABLE … OWNER TO ….",
        ));
    }
    Ok(found)
}

/// A foreign key of the table to itself is made again for each of its partitions under the lock, on either side: with
/// 500 of them it takes 0.4 s. It grows with their square, since PostgreSQL gives each part of a key the next
/// name that is free, and begins with the first.
const MOST_PARTS: usize = 500;

/// Foreign keys of the table to partitioned tables are made, under a lock there, for each new partition, two at least: with 300
/// partitions there it takes 0.3 s. It grows with their square, likewise.
const MOST_ELSEWHERE: usize = 300;

const UNTIL_MOVED: &str =
    "ALTER TABLE … DROP CONSTRAINT …, until rows are moved; then ADD CONSTRAINT … again.";

/// The foreign keys that point at a table whose default partition is to be exchanged, and what keeps that from
/// letting go of the one and taking the other.
#[derive(Default)]
pub struct Pointing {
    /// Of the table itself, in the order in which they act.
    pub own: Vec<SelfKey>,
    /// What those of other tables have for the default partition.
    pub parts: Vec<Pointed>,
    pub blockers: Vec<Blocker>,
}

/// What points at the table now.
pub fn pointing(parent: pg_sys::Oid, default: pg_sys::Oid) -> Result<Pointing, Error> {
    let mut found = Pointing::default();
    // By the table: partitions that older minors have made may lack their part of one.
    if self_key::any(&[parent], None)? {
        let facts = table::facts_or_gone(parent)?;
        found.blockers.extend(to_itself(&facts, parent)?);
        found.own = facts.dependents.self_keys;
    }
    let pointing = foreign_key::pointing_at(default)?;
    if pointing.is_empty() {
        return Ok(found);
    }
    let above = table::ancestors(default)?;
    let refused = |key: &foreign_key::Pointing, why: &str| {
        Blocker::fact(format!(
            "Foreign key \"{}\" of table {} {why}",
            key.name, key.table
        ))
    };
    let mut linked = BTreeSet::new();
    for key in &pointing {
        if key.target == default {
            let why = "points at the default partition itself.";
            found.blockers.push(refused(key, why));
        } else if key.relation == default {
            let why = "is its own, not its table's, and points at that.";
            found.blockers.push(refused(key, why));
        } else if key.relation == parent && key.target == parent {
            // Told above.
        } else if above.contains(&key.relation) {
            let why = "is one to itself, and PostgreSQL would not let go of the default partition.";
            found.blockers.push(refused(key, why));
        } else if !key.acts {
            found.blockers.push(Blocker::with_hint(
                format!(
                    "Triggers that foreign key \"{}\" of table {} has on it are disabled, or fire otherwise than when they were made; those of new partitions would fire.",
                    key.name, key.table
                ),
                "ALTER TABLE … ENABLE TRIGGER ALL, on the default partition.",
            ));
        } else {
            found.parts.push(key.part);
            linked.insert(key.part.by.to_u32());
        }
    }
    found.blockers.extend(super::converted(linked)?);
    Ok(found)
}

/// What keeps the keys of a table from being made for single partitions where some point at partitioned tables: in the
/// swap, before the table is locked.
fn to_partitioned(parent: &Parent) -> Result<Vec<Blocker>, Error> {
    let mut found = Vec::new();
    if !dependents::made_in_the_swap(&parent.foreign_keys) {
        return Ok(found);
    }
    let table = pg_sys::Oid::from(parent.oid);
    let elsewhere = foreign_key::crowd(table)?.elsewhere;
    if elsewhere > MOST_ELSEWHERE {
        found.push(Blocker::with_hint(
            format!(
                "Foreign keys of table \"{}\" point at partitioned tables with {elsewhere} partitions in all. For each new partition they would be made with a part for each of these, while nobody can write there, and no more than {MOST_ELSEWHERE} are.",
                parent.name.name
            ),
            UNTIL_MOVED,
        ));
    }
    // Who writes to the table locks its guard after it.
    let guarded = guard::of(table)?.map(|guarded| guarded.oid);
    let to_guard = (parent.foreign_keys.iter()).find(|key| Some(key.relation) == guarded);
    found.extend(to_guard.map(|key| {
        Blocker::with_hint(
            format!(
                "Foreign key \"{}\" points at the guard of table \"{}\", which who writes to the table locks after it; others point at partitioned tables, and all of them are made before the table is locked.",
                key.name, parent.name.name
            ),
            UNTIL_MOVED,
        )
    }));
    Ok(found)
}

/// What keeps the keys of a table to itself from being dropped and made again.
fn to_itself(facts: &Facts, parent: pg_sys::Oid) -> Result<Vec<Blocker>, Error> {
    let own = &facts.dependents.self_keys;
    let refused = own.iter();
    let mut found: Vec<Blocker> = refused
        .flat_map(|key| dependents::refused_self_key(facts, key))
        .collect();
    let partitions = table::tree(parent)?.len() - 1;
    let parts = own.len() * partitions * 2;
    if parts > MOST_PARTS {
        found.push(Blocker::with_hint(
            format!(
                "Table \"{}\" has {partitions} partitions, and foreign keys to itself: {}. They would be made again for each partition, {parts} parts in all, while nobody can use the table, and no more than {MOST_PARTS} are.",
                facts.name,
                own.len()
            ),
            UNTIL_MOVED,
        ));
    }
    Ok(found)
}
