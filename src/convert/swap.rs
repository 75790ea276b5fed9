//! The swap: one short transaction in which the twin takes the source's place.

use super::apply_rows::Time;
use super::catch_up::{Drained, Targets, drain};
use super::definition::{
    check_capture, compare_definitions, definition_now, open_source, twin_altered,
};
use super::exchanged_keys::Exchanged;
use super::routing::Routing;
use super::{
    as_owner, capture, fidelity, foreign_keys, guard, incoming_keys, linked, relation_oid, run_step,
};
use crate::catalog::decoding;
use crate::catalog::job::{self, Job};
use crate::catalog::request;
use crate::catalog::subscription;
use crate::catalog::table;
use crate::catalog::{as_bookkeeper, function};
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::maintain::{self, adopt};
use crate::pg::depend;
use crate::pg::function::renew;
use crate::pg::lock::{self, Allowance, Mode};
use crate::pg::relation::Relation;
use crate::pg::settings;
use crate::pg::transaction::{Failure, current_id, refresh_snapshot, unit, unit_if};
use crate::plan::dependents::locked_first;
use crate::plan::facts::Facts;
use crate::plan::names::QualifiedName;
use crate::plan::pace::Pace;
use crate::plan::patience::Patience;
use crate::plan::phase::Phase;
use pgrx::pg_sys;
use std::time::Instant;

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The twin has taken the source's place.
    Swapped,
    /// Too much had come into the log meanwhile, or a privilege or comment has changed: catch up
    /// first. What this transaction applied is kept.
    TooMuchWaits { transaction: u32 },
    /// What had come into the log would take too long. Nothing of it was applied.
    TooSlow,
    /// The copy is worthless: the source was truncated.
    StartAgain,
    /// Somebody steers the job: that comes first.
    Asked,
}

/// What sessions may have compiled that speaks of the row type of the source, if its own place is taken.
pub fn compiled(job: &Job) -> Result<Vec<pg_sys::Oid>, Failure> {
    match &job.plan.default_of {
        None => unit(|| function::naming(&job.plan.source.name)),
        Some(_) => Ok(Vec::new()),
    }
}

/// One attempt. Fails with 55P03 where the lock was not to be had in time. `carried` is the
/// definition whose privileges and comments the twin has; `compiled`, functions that sessions are to compile
/// anew.
pub fn attempt(
    job: &Job,
    targets: &Targets,
    pace: &Pace,
    carried: Option<&Facts>,
    compiled: &[pg_sys::Oid],
    patience: &Patience,
) -> Result<Attempt, Failure> {
    // Where the twin has lost its partitions and the swap does not come about, it gets them back: all
    // is taken back, what was applied, too. The next round applies it again. Likewise where it has got its
    // foreign keys.
    unit_if(
        || attempt_alone(job, targets, pace, carried, compiled, patience),
        |attempt| {
            let is_kept = job.plan.loosening.is_empty()
                && !foreign_keys::are_made_in_the_swap(job)
                && !incoming_keys::are_made_in_the_swap(job, carried);
            *attempt == Attempt::Swapped || is_kept
        },
    )
}

fn attempt_alone(
    job: &Job,
    targets: &Targets,
    pace: &Pace,
    carried: Option<&Facts>,
    compiled: &[pg_sys::Oid],
    patience: &Patience,
) -> Result<Attempt, Error> {
    // ACCESS EXCLUSIVE on the twin, and on what is partitioned below it, which nobody else uses, until the end of this
    // transaction: leaves neither come nor go.
    let twin = job.twin.unwrap_or(pg_sys::InvalidOid);
    let exchanged = Exchanged::of(job)?;
    // Before it loses its partitions.
    let mut routing = Routing::of(job, &targets.leaves)?;
    if !job.plan.loosening.is_empty() {
        lock::relation(twin, Mode::AccessExclusive, patience.lock);
        for branch in &job.plan.branches {
            let branch = relation_oid(&branch.partition.name)?;
            lock::relation(branch, Mode::AccessExclusive, patience.lock);
        }
        if !table::is_twin_whole(twin, &job.plan.twin, &targets.leaves)? {
            return Err(twin_altered(job));
        }
        // Each partition likewise. As long as nothing that others use is locked, nobody waits.
        as_owner(job, || job.plan.loosening.iter().try_for_each(run_step))?;
    }
    linked::make_keys(job, twin, carried, &Allowance::new(patience.lock))?;
    failpoint("foreign_keys:in_the_swap")?;
    // One for all that others wait for until the swap is done.
    let allowance = Allowance::new(patience.lock);
    // ACCESS EXCLUSIVE, until the end of this transaction (milliseconds), on what reads the source
    // and is bound to the twin in its stead: who reads a view locks it before what it reads. A
    // session that has the source already and now asks for the view would wait for us, and we for
    // it: then our time is up long before its deadlock_timeout.
    let readers = carried.map(|facts| locked_first(&facts.dependents));
    for relation in readers.unwrap_or_default() {
        let relation = pg_sys::Oid::from(relation);
        allowance.lock(relation, Mode::AccessExclusive);
    }
    linked::lock_all(exchanged.as_ref(), carried, &allowance)?;
    if let Some(parent) = &job.plan.default_of {
        // ACCESS EXCLUSIVE on the table whose default partition the source is, likewise:
        // exchanging one wants it. Parent before partition, as queries ask.
        let parent = pg_sys::Oid::from(parent.oid);
        allowance.lock(parent, Mode::AccessExclusive);
    }
    if let Some(exchanged) = &exchanged {
        exchanged.lock_partitions_and_guards(&allowance);
    }
    // ACCESS EXCLUSIVE on the source, until the end of this transaction (milliseconds): from
    // here on nobody reads or writes it, so that what is applied below is the end of the
    // log. Everybody queues behind the wait for it, hence the time-out. Nothing on the
    // source was locked before in this transaction, so that this cannot deadlock with a
    // session that waits for us.
    allowance.lock(job.source, Mode::AccessExclusive);
    let locked_at = Instant::now();
    failpoint("swap:locked")?;
    let source = open_source(job, Mode::AccessExclusive)?;
    allowance.lock(twin, Mode::AccessExclusive);
    refresh_snapshot();
    if job.plan.loosening.is_empty()
        && !table::is_twin_whole(twin, &job.plan.twin, &targets.leaves)?
    {
        return Err(twin_altered(job));
    }
    let limit = usize::try_from(pace.within(patience.drain)).unwrap_or(usize::MAX);
    match drain(job, &source, targets, &mut routing, limit, Time::Short)? {
        Drained::StartAgain => return Ok(Attempt::StartAgain),
        Drained::TooSlow => return Ok(Attempt::TooSlow),
        Drained::Applied { left: 0, .. } => {}
        Drained::Applied { .. } => {
            return Ok(Attempt::TooMuchWaits {
                transaction: current_id(),
            });
        }
    }
    if is_steered(job)? {
        return Ok(Attempt::Asked);
    }
    let now = definition_now(job)?;
    compare_definitions(job, &now)?;
    check_capture(job)?;
    let are_the_same = match &exchanged {
        Some(exchanged) => exchanged.are_the_same()?,
        None => true,
    };
    if carried != Some(&now) || !are_the_same {
        return Ok(Attempt::TooMuchWaits {
            transaction: current_id(),
        });
    }
    drop(source);
    failpoint("swap:before_rename")?;
    depend::not_on_extension(twin)?;
    let dropped = (exchanged.as_ref()).map(Exchanged::let_go).transpose()?;
    as_owner(job, || {
        fidelity::clear(job, &now)?;
        job.plan.swap.iter().try_for_each(run_step)?;
        fidelity::rebuild(job, &now)
    })?;
    // Variables of the row type are of that of the result then: a session that has compiled one of these
    // would mix both.
    renew(compiled);
    // The statements went by names, and no lock on a table keeps its schema from changing its
    // name: did they reach these tables?
    let is_named = |oid, name: &QualifiedName| {
        Relation::try_open(oid, Mode::AccessExclusive).is_some_and(|open| open.name() == *name)
    };
    let reached = match &job.plan.default_of {
        None => is_named(twin, &job.plan.source),
        Some(parent) => is_named(pg_sys::Oid::from(parent.oid), &parent.name),
    };
    if !reached || !is_named(job.source, &job.plan.retired) {
        return Err(twin_altered(job));
    }
    if let (Some(exchanged), Some(dropped)) = (&exchanged, &dropped) {
        exchanged.make_again(dropped)?;
    }
    foreign_keys::exchange(job, twin)?;
    if job.plan.default_of.is_none() {
        incoming_keys::exchange(job, &now)?;
        guard::hand_over(job)?;
    }
    subscription::hand_over(job.source, twin)?;
    // The last of the log is applied: what is written from here on is new to subscribers.
    decoding::take_in(&targets.leaves)?;
    capture::remove(job.source, &job.plan.retired, job.owner)?;
    fidelity::check(job, twin, &now)?;
    match &job.plan.default_of {
        None => adopt::converted(twin, &job.plan)?,
        Some(parent) => {
            // It is gone, and its partitions are those of the table.
            job::set_twin(job.id, None)?;
            maintain::drain::drained(job, parent, locked_at.elapsed())?;
        }
    }
    job::transition(job, Phase::Reversible)?;
    job::set_swapped(job.id, job.plan.undo_window_seconds)?;
    job::set_error(job.id, None)?;
    // Unlike the steps before, this one must not be taken back by a crash.
    settings::set_local(c"synchronous_commit", c"on");
    failpoint("swap:before_commit")?;
    pgrx::log!(
        "conversion {}: table \"{}\" is swapped after {} ms under its lock",
        job.id.0,
        job.source_name,
        locked_at.elapsed().as_millis()
    );
    Ok(Attempt::Swapped)
}

/// Whether somebody has asked for something, or is about to. If not, nobody can until the end of
/// this transaction.
pub fn is_steered(job: &Job) -> Result<bool, Error> {
    Ok(!job::lock(job.id, job::Part::Steering)?.try_alone() || request::any(job.id)?)
}

/// A transaction of this moment: everything before it is older.
pub fn transaction_now() -> Result<u32, Failure> {
    unit(|| Ok(current_id()))
}

/// Who holds what the swap locks for long: sessions in a transaction that began a while ago. As long as
/// there is one, waiting for the lock would only make others wait.
pub fn long_holders(job: &Job) -> Result<Vec<String>, Failure> {
    unit(|| {
        let exchanged = Exchanged::of(job)?;
        let fully = exchanged.map(|exchanged| exchanged.locked_fully());
        let mut fully = fully.unwrap_or_default();
        fully.push(job.source);
        as_bookkeeper(|| {
            db::rows(
                "SELECT DISTINCT format('process %s (%s, transaction open since %s)', a.pid, a.application_name, a.xact_start) \
                   FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                  WHERE l.locktype = 'relation' AND l.granted \
                    AND (l.relation = ANY ($2) \
                         OR (l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND l.relation IN ( \
                               SELECT coalesce(t.relid::oid, k.linked) \
                                 FROM (SELECT k.confrelid FROM pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'f' \
                                        UNION \
                                       SELECT k.conrelid FROM pg_constraint k WHERE k.confrelid = $1 AND k.contype = 'f') AS k (linked) \
                                 LEFT JOIN LATERAL pg_partition_tree(k.linked) t ON true))) \
                    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
                    AND a.pid <> pg_backend_pid() \
                    AND a.xact_start < clock_timestamp() - interval '500 milliseconds'",
                &[job.source.into(), fully.into()],
                |row| row.get(1),
            )
        })
    })
}
