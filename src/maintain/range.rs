//! Tables that are partitioned by ranges: which partitions are made ahead, and which are retired.

use super::detach::Disposal;
use super::drain;
use super::ensure::Decision;
use super::group::Ranges;
use super::outcome::Outcome;
use super::read::{self, Subject};
use super::set::{Leaf, Position};
use super::task::{Task, literal};
use super::{premake, referenced, retire};
use crate::catalog::policy::Policy;
use crate::catalog::retirement as begun;
use crate::catalog::table;
use crate::catalog::{leaving, recycled};
use crate::error::Error;
use crate::guc;
use crate::request::{self, SessionZone};
use pgrx::pg_sys;
use std::rc::Rc;

/// Decides what a run does about such a table.
pub fn decide(policy: &Policy) -> Result<Decision, Error> {
    let subject = read::subject(
        policy.parent,
        policy.key_codec.as_deref(),
        needs_sizes(policy),
    )?;
    let key = subject.set.key;
    let zone = SessionZone::named(policy.time_zone.as_deref())?;
    let position = subject.position(&zone)?;
    let keep_from = keep_from(policy, &subject, position, &zone)?;
    let wish = premake::Wish {
        lattice: request::lattice(policy.interval()?, policy.partition_offset.as_deref(), key)?,
        premake: u32::try_from(policy.premake).unwrap_or(0),
        most: guc::max_partitions(),
    };
    let limits = limits(policy, keep_from);
    let set = referenced::looked_at(&subject, &limits, position, policy.retention_action)?;
    let fill_from = retire::fill_from(&set, &limits);
    let mut premade = premake::decide(&subject.set, &wish, position, fill_from, &zone)?;
    let drains = drain::arrange(&subject, &wish, &mut premade, keep_from, &zone)?;
    let retired = retire::decide(&set, &limits, position);
    let skip = |action, leaf: Option<(&Leaf, String)>, why: &str| Outcome {
        lower: leaf
            .as_ref()
            .and_then(|(leaf, _)| literal(&subject, leaf.lower)),
        upper: leaf
            .as_ref()
            .and_then(|(leaf, _)| literal(&subject, leaf.upper)),
        partition: leaf.map(|(_, name)| name),
        ..Outcome::of(&subject, action, format!("skipped: {why}"))
    };
    let mut skipped: Vec<Outcome> = premade
        .skipped
        .iter()
        .map(|why| skip("create", None, why))
        .collect();
    for (leaf, why) in &retired.spared {
        let named = (*leaf, table::written_name(pg_sys::Oid::from(leaf.oid))?);
        skipped.push(skip(policy.retention_action.name(), Some(named), why));
    }
    let mut tasks = Vec::new();
    // Before others: PostgreSQL makes no partition where a half detached one is.
    tasks.extend(begun::of(policy.parent)?.into_iter().map(Task::Complete));
    if policy.default_partition == Some(true) && subject.default.is_none() {
        tasks.push(Task::CreateDefault);
    }
    match drains {
        true => {
            let default = subject.default.map(table::written_name).transpose()?;
            tasks.push(Task::Drain(premade.spans, default.unwrap_or_default()));
        }
        false => tasks.extend(premade.spans.into_iter().map(Task::Create)),
    }
    for leaf in retired.leaves {
        let name = table::written_name(pg_sys::Oid::from(leaf.oid))?;
        let disposal = Disposal {
            action: policy.retention_action,
            schema: policy.retention_schema.clone(),
            terms: policy.retention_terms(),
        };
        tasks.push(Task::Retire(leaf.clone(), name, disposal));
    }
    for leaving in leaving::of(policy.parent)? {
        let goes = |task: &Task| matches!(task, Task::Retire(leaf, ..) if pg_sys::Oid::from(leaf.oid) == leaving.partition);
        if !tasks.iter().any(goes) {
            let name = table::written_name(leaving.partition)?;
            tasks.push(Task::GiveBack(leaving.partition, name));
        }
    }
    if let Some(grace_period) = &policy.grace_period {
        let fuse = guc::retention_fuse();
        let due = recycled::due(policy.parent, grace_period)?;
        for (number, recycled) in (0..).zip(due) {
            let name = table::written_name(recycled.partition)?;
            let task = Task::Purge(recycled, name);
            match number < fuse {
                true => tasks.push(task),
                false => {
                    let why = format!("skipped: no more than {fuse} are dropped in one run");
                    skipped.push(task.outcome(&subject, why));
                }
            }
        }
    }
    // These matter only for how tasks are grouped.
    let is_linked = tasks.len() > 1 && subject.has_foreign_keys()?;
    let has_levels = tasks.len() > 1 && subject.has_two_levels()?;
    Ok(Decision {
        table: Rc::clone(&subject.table),
        deeds: Vec::new(),
        skipped,
        ranges: Some(Ranges {
            is_linked,
            has_levels,
            subject,
            tasks,
        }),
    })
}

/// Whether what is to be retired depends on the partitions' sizes, which are asked of the file system.
pub fn needs_sizes(policy: &Policy) -> bool {
    let retires = policy.retention.is_some() || policy.retention_partitions.is_some();
    policy.retention_bytes.is_some() || (retires && guc::retention_percent().is_some())
}

/// What a policy says about old partitions, and how many of them one run may retire.
pub fn limits(policy: &Policy, keep_from: Option<i64>) -> retire::Wish {
    retire::Wish {
        keep_from,
        most_partitions: policy
            .retention_partitions
            .and_then(|most| u32::try_from(most).ok()),
        most_bytes: policy.retention_bytes,
        fuse: guc::retention_fuse(),
        fuse_percent: guc::retention_percent(),
    }
}

/// The key below which all is old.
pub fn keep_from(
    policy: &Policy,
    subject: &Subject,
    position: Position,
    zone: &SessionZone,
) -> Result<Option<i64>, Error> {
    let (Some(retention), Some(present)) = (&policy.retention, position.present()) else {
        return Ok(None);
    };
    request::earlier(subject.set.key, present, retention, zone).map(Some)
}
