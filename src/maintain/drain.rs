//! Moving rows out of a default partition, to where they belong: as a conversion, by a worker of its
//! own, so that no row is ever out of sight and nobody waits for more than a moment.

mod ranges;

use super::act;
use super::blueprint::{self, Blueprint, Drawn};
use super::division::{self, Settlers};
use super::list;
use super::managed::Table;
use super::newcomers::Newcomers;
use super::outcome::{self, Outcome};
use super::premake::{Premade, Wish};
use super::read::Subject;
use crate::catalog::foreign_key;
use crate::catalog::history;
use crate::catalog::job::{self, Job, NewJob, Outline};
use crate::catalog::policy::{self, Policy};
use crate::catalog::request::{self as wishes, Action};
use crate::catalog::table;
use crate::error::Error;
use crate::plan::blockers::Blocker;
use crate::plan::bounds::{RangeBound, Span, Zone};
use crate::plan::branch::Division;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::{Parent, Taken, Wanted};
use crate::request;
use crate::worker::start::{self, Assignment, Needed, Task};
use pgrx::pg_sys;
use std::collections::BTreeMap;
use std::time::Duration;

/// The conversion that moves rows out of the default partition, if there is one under way.
pub fn under_way(default: Option<pg_sys::Oid>) -> Result<Option<Outline>, Error> {
    let Some(default) = default else {
        return Ok(None);
    };
    let job = job::find(default)?;
    Ok(job.filter(|job| job.source == default && !job.phase.is_over()))
}

/// Adds to what is made what rows of the default partition want, and tells whether rows are to be
/// moved out of it. Nothing is made while that is going on.
pub fn arrange(
    subject: &Subject,
    wish: &Wish,
    premade: &mut Premade,
    keep_from: Option<i64>,
    zone: &dyn Zone,
) -> Result<bool, Error> {
    if let Some(job) = under_way(subject.default)? {
        // It is taken back before all else, also where nothing is to be moved any more, or can be: changes are captured
        // as long as it is there.
        if job.phase == Phase::Failed {
            return Ok(true);
        }
        if !premade.spans.is_empty() {
            premade.spans.clear();
            premade.skipped.push(busy(&job));
        }
        return Ok(false);
    }
    let (from, to) = ranges::window(&subject.set, wish, premade);
    let (from, to) = (subject.nearest_literal(from)?, subject.nearest_literal(to)?);
    let Some(found) = subject.default_coverage(from.as_deref(), to.as_deref())? else {
        return Ok(false);
    };
    let more = ranges::wanted(&subject.set, wish, premade, found, keep_from, zone)?;
    let mut all = premade.clone();
    all.skipped.extend(more.skipped);
    all.spans.extend(more.spans);
    all.spans.sort_by_key(|span| span.lower.key);
    let (Some(first), Some(last)) = (all.spans.first(), all.spans.last()) else {
        return Ok(false);
    };
    // Between them there is nothing in the default partition but rows of theirs.
    let (from, to) = (
        subject.lower_literal(first.lower.key)?,
        subject.upper_literal(last.upper.key)?,
    );
    if !subject.default_has_rows_within(&from, &to)? {
        return Ok(false);
    }
    // Each of them is made like the same sibling.
    let like = blueprints(subject, &all.spans[..1]);
    let each = like.map_or(1, |like| like.iter().map(Blueprint::leaves).sum());
    let most = most_together(subject.parent, each)?;
    let left = ranges::keep_nearest(&mut all.spans, &subject.set, most);
    if left > 0 {
        all.skipped.push(format!(
            "{left} more ranges of rows of the default partition are left to the next run: everybody waits while partitions are attached"
        ));
    }
    let planned = leave_homeless(subject, &mut all)
        .and_then(|is_any| is_any.then(|| plan(subject, &all.spans)).transpose());
    match planned {
        Ok(Some(_)) => {
            *premade = all;
            Ok(true)
        }
        Ok(None) => {
            premade.skipped = all.skipped;
            Ok(false)
        }
        // Those that none of the rows belong to can be made all the same.
        Err(Error::Blocked { blockers, .. }) => {
            premade.skipped.push(not_moved(&in_a_line(&blockers)));
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// How many are attached to a table under one lock, each with so many partitions of its own: a tenth of a second.
pub fn most_together(table: pg_sys::Oid, leaves: usize) -> Result<usize, Error> {
    let crowd = foreign_key::crowd(table)?;
    Ok(ranges::together(
        leaves,
        crowd.partitions,
        crowd.keys,
        crowd.elsewhere,
    ))
}

/// The plan that moves rows of these ranges.
fn plan(subject: &Subject, spans: &[Span]) -> Result<request::Drain, Error> {
    let divisions = divisions(subject, spans)?;
    let bound = |key: i64, literal: String| RangeBound { key, literal };
    let wanted = spans.iter().zip(divisions).map(|(span, division)| {
        let (lower, upper) = (span.lower.key, span.upper.key);
        Ok(Wanted {
            label: span.label.clone(),
            range: Some((
                bound(lower, subject.lower_literal(lower)?),
                bound(upper, subject.upper_literal(upper)?),
            )),
            value: None,
            division,
        })
    });
    let wanted = wanted.collect::<Result<Vec<Wanted>, Error>>()?;
    let parent = Parent {
        taken: taken(subject, spans)?,
        ..parent(&subject.table)?
    };
    // Of ids only PostgreSQL knows which is greater.
    let key_type = subject.codec.is_none().then_some(subject.set.key);
    request::drain(parent, subject.default, &subject.column, key_type, wanted)
}

/// How the partitions of these ranges are partitioned themselves, where their siblings are. Fails as blocked where
/// some of their rows would have no place.
fn divisions(subject: &Subject, spans: &[Span]) -> Result<Vec<Option<Division>>, Error> {
    if !subject.has_two_levels()? {
        return Ok(spans.iter().map(|_| None).collect());
    }
    let blueprints = blueprints(subject, spans)?;
    let settlers = settlers(subject, spans)?;
    division::refuse_strays(&subject.table, &with(&settlers, &blueprints))?;
    let blueprints = blueprints.iter();
    blueprints
        .map(|blueprint| division::of(&subject.table, blueprint))
        .collect()
}

/// Leaves out ranges of which the default partition holds rows that would have no place below, and tells; whether it holds
/// rows of the others.
fn leave_homeless(subject: &Subject, wanted: &mut Premade) -> Result<bool, Error> {
    if !subject.has_two_levels()? {
        return Ok(true);
    }
    let blueprints = blueprints(subject, &wanted.spans)?;
    let settlers = settlers(subject, &wanted.spans)?;
    let strays = division::strays(&subject.table, &with(&settlers, &blueprints))?;
    let all: i64 = strays.iter().sum();
    if all == 0 {
        return Ok(true);
    }
    let mut strays = strays.into_iter();
    wanted.spans.retain(|_| strays.next() == Some(0));
    wanted.skipped.push(not_moved(&division::no_place(all)));
    for span in &wanted.spans {
        let (from, to) = (
            subject.lower_literal(span.lower.key)?,
            subject.upper_literal(span.upper.key)?,
        );
        if subject.default_has_rows_within(&from, &to)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rows of these ranges in the default partition.
fn settlers<'a>(subject: &'a Subject, spans: &[Span]) -> Result<Vec<Newcomers<'a>>, Error> {
    let default = subject.default.map(list::name_of).transpose()?;
    let default = default.unwrap_or_default();
    let rows = spans.iter().map(|span| {
        let has_it = Sql::template("({column} >= {lower} AND {column} < {upper})")
            .ident("column", &subject.column)
            .literal("lower", &subject.lower_literal(span.lower.key)?)
            .literal("upper", &subject.upper_literal(span.upper.key)?);
        Ok(Newcomers {
            table: &subject.table,
            default: default.clone(),
            has_it: has_it.build(),
        })
    });
    rows.collect()
}

fn with<'a>(rows: &'a [Newcomers<'a>], blueprints: &'a [Blueprint]) -> Vec<Settlers<'a>> {
    let settlers = rows.iter().zip(blueprints);
    settlers
        .map(|(rows, blueprint)| Settlers { rows, blueprint })
        .collect()
}

fn blueprints(subject: &Subject, spans: &[Span]) -> Result<Vec<Blueprint>, Error> {
    let drawn = spans
        .iter()
        .map(|span| match blueprint::of_new(subject, span)? {
            Drawn::Drawn(blueprint) => Ok(blueprint),
            Drawn::Missing(why) => Err(division::missing(&subject.table, &why)),
        });
    drawn.collect()
}

/// What a table's partitions have because of it.
pub fn parent(table: &Table) -> Result<Parent, Error> {
    let facts = table::facts_or_gone(table.parent)?;
    Ok(Parent {
        oid: table.parent.to_u32(),
        name: table.name.clone(),
        taken: Vec::new(),
        listed: None,
        security: facts.security(),
        foreign_keys: facts.dependents.foreign_keys,
        constraint: table::partition_constraint(table.parent)?,
    })
}

/// What an attempt to begin came to.
pub enum Beginning {
    Begun,
    /// Why not, in a few words.
    NotTried(String),
}

/// Begins, at the commit of this transaction: the partitions are made, and get the rows that the
/// default partition holds of them.
pub fn begin(subject: &Subject, spans: &[Span]) -> Result<Beginning, Error> {
    begin_with(&subject.table, subject.default, || plan(subject, spans))
}

/// Begins with a plan, unless rows are being moved out of that default partition.
pub fn begin_with(
    table: &Table,
    default: Option<pg_sys::Oid>,
    plan: impl FnOnce() -> Result<request::Drain, Error>,
) -> Result<Beginning, Error> {
    if let Some(job) = under_way(default)? {
        if job.phase != Phase::Failed {
            return Ok(Beginning::NotTried(busy(&job)));
        }
        // Its plan may be of long ago: it is taken back, and another one is made by the next run.
        let wish = wishes::Wish {
            action: Action::Cancel,
            requested_by: table.owner,
            settings: BTreeMap::new(),
        };
        wishes::insert(job.id, &wish)?;
        let worker = Assignment::new(Task::Move, job.id, start::connecting_role()?);
        start::start_at_commit(worker, Needed::Surely);
        return Ok(Beginning::NotTried(
            "the last attempt to move rows out of the default partition failed, and is taken back before the next"
                .to_owned(),
        ));
    }
    let drain = plan()?;
    let connect_as = start::connecting_role()?;
    let id = job::insert(&NewJob {
        facts: &drain.facts,
        plan: &drain.plan,
        // By the policy, which is the owner's.
        requested_by: table.owner,
        connect_as,
        estimate: drain.estimate.total(),
        bytes_total: drain.bytes,
    })?;
    start::start_at_commit(Assignment::new(Task::Move, id, connect_as), Needed::Surely);
    Ok(Beginning::Begun)
}

/// Why nothing else is made meanwhile, in a few words.
pub fn busy(job: &Outline) -> String {
    format!(
        "rows are being moved out of the default partition (phase {})",
        job.phase.name()
    )
}

/// What is told where rows stay.
pub fn not_moved(why: &str) -> String {
    format!("rows cannot be moved out of the default partition: {why}")
}

/// What stands in the way, in sentences.
pub fn in_a_line(blockers: &[Blocker]) -> String {
    let facts: Vec<&str> = blockers
        .iter()
        .map(|blocker| blocker.fact.as_str())
        .collect();
    facts.join(" ")
}

/// Records that it is done, in the transaction that does it.
pub fn drained(job: &Job, parent: &Parent, taken: Duration) -> Result<(), Error> {
    let mut ranges = job
        .plan
        .uppermost()
        .filter_map(|partition| partition.range.as_ref());
    let first = ranges.next();
    let last = ranges.last().or(first);
    // What is partitioned has the policy that its model has, as if maintenance had made it.
    for branch in &job.plan.branches {
        if let Some(policy) = policy::find(pg_sys::Oid::from(branch.model))? {
            policy::set_if_none(&Policy {
                parent: act::oid_of(&branch.partition.name)?,
                ..policy
            })?;
        }
    }
    history::note(
        &Outcome {
            parent: pg_sys::Oid::from(parent.oid),
            relation: parent.name.name.clone(),
            owner: job.owner,
            action: "drain",
            partition: Some(job.plan.source.to_string()),
            lower: first.map(|(lower, _)| lower.literal.clone()),
            upper: last.map(|(_, upper)| upper.literal.clone()),
            outcome: outcome::DRAINED.to_owned(),
            failure: None,
        },
        taken,
    )
}

/// All that the table's partitions take once these are made: ascending, what touches as one.
fn taken(subject: &Subject, spans: &[Span]) -> Result<Vec<Taken>, Error> {
    let there = subject
        .set
        .leaves
        .iter()
        .map(|leaf| (leaf.lower, leaf.upper));
    let new = spans
        .iter()
        .map(|span| (Some(span.lower.key), Some(span.upper.key)));
    let mut ranges: Vec<(Option<i64>, Option<i64>)> = there.chain(new).collect();
    // None, which is below all, comes first.
    ranges.sort_unstable();
    let mut merged: Vec<(Option<i64>, Option<i64>)> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.1.is_some() && last.1 == range.0 => last.1 = range.1,
            _ => merged.push(range),
        }
    }
    let bound = |key: Option<i64>, literal: &dyn Fn(i64) -> Result<String, Error>| {
        key.map(|key| {
            Ok::<RangeBound, Error>(RangeBound {
                key,
                literal: literal(key)?,
            })
        })
        .transpose()
    };
    let (first, last) = (
        |key| subject.first_literal(key),
        |key| subject.last_literal(key),
    );
    merged
        .into_iter()
        .map(|(lower, upper)| Ok((bound(lower, &first)?, bound(upper, &last)?)))
        .collect()
}
