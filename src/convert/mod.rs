//! The engine: one job at a time is taken from phase to phase.
//!
//! `advance` is the only caller of the steps. Each step's effect and the phase that says it
//! happened commit in one transaction, so that a worker that dies anywhere is followed by one
//! that reads the job's row and goes on. Locks on the source are taken in the steps, each with
//! its reason; the order is always source, then twin, then leaves in the plan's order.

mod apply_guard;
mod apply_keys;
mod apply_rows;
mod batch;
pub mod cancel;
mod capture;
mod capture_trigger;
mod carry;
pub mod catch_up;
mod change_log;
pub mod copy;
pub mod definition;
mod exchanged_keys;
mod fidelity;
pub mod foreign_keys;
pub mod guard;
pub mod incoming_keys;
pub mod index;
mod indexed_leaf;
mod key_parts;
mod layout;
mod leaves;
mod linked;
mod onlookers;
pub mod prepare;
mod probe;
mod routing;
mod scan;
mod self_keys;
mod snapshot;
pub mod statistics;
mod swap;
mod verify;

use crate::catalog::job::{self, Job, Outline};
use crate::catalog::{copy_range, decoding, leaf};
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::interrupts;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, unit};
use crate::plan::facts::Facts;
use crate::plan::names::QualifiedName;
use crate::plan::pace::Pace;
use crate::plan::patience::{LONGEST_DRAIN, Patience};
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;
use catch_up::{Round, Targets};
use copy::Progress;
use definition::{check_capture, check_twin, compare_definitions, definition_now};
use onlookers::Onlookers;
use pgrx::{PgSqlErrorCode, pg_sys};
use std::time::{Duration, Instant};

/// What a worker keeps between steps. All of it can be lost: the next worker does without.
pub struct Memory {
    targets: Option<Targets>,
    pace: Pace,
    /// The transaction of the last round that applied anything.
    last_batch: Option<u32>,
    /// Who may not see what that round applied.
    onlookers: Option<Onlookers>,
    /// How long they are waited for before the log is looked at again.
    onlookers_patience: Duration,
    waiting_for_others_since: Option<Instant>,
    /// When the lock was last tried in spite of somebody who holds the table for long.
    tried_anyway_at: Option<Instant>,
    /// Since when changes have come in faster than they were applied.
    behind_since: Option<Instant>,
    /// Attempts of the current phase that found a lock taken.
    refused: u32,
    /// How often rows of the twin have violated a foreign key to itself that was to be made.
    violated: u32,
    /// The definition of the source whose privileges and comments the twin has.
    carried: Option<Facts>,
    /// Functions that sessions are to compile anew after the swap.
    compiled: Vec<pg_sys::Oid>,
    /// When the definition was last compared, and whether it was another then.
    definition_seen: Option<(Instant, bool)>,
}

impl Memory {
    /// Nothing is known yet.
    pub fn new() -> Memory {
        Memory {
            targets: None,
            pace: Pace::new(),
            last_batch: None,
            onlookers: None,
            onlookers_patience: FIRST_PATIENCE,
            waiting_for_others_since: None,
            tried_anyway_at: None,
            behind_since: None,
            refused: 0,
            violated: 0,
            carried: None,
            compiled: Vec::new(),
            definition_seen: None,
        }
    }

    /// How long to wait after a lock was refused: longer each time, never the same twice, so
    /// that two jobs do not march in step.
    pub fn back_off(&mut self) -> Duration {
        self.refused = self.refused.saturating_add(1);
        let base = 50 * (1 << self.refused.min(5));
        Duration::from_millis(base / 2 + u64::from(rand_below(base as u32)))
    }
}

/// A number below `limit`.
fn rand_below(limit: u32) -> u32 {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    nanos.wrapping_mul(2_654_435_761) % limit.max(1)
}

/// What to do after a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Take the next step at once.
    Go,
    /// Look again after a while.
    Wait(Duration),
}

/// What a worker does first with a job that it takes over: it may have come here by `pg_upgrade`, which
/// makes all tables anew, without the marks of those that logical decoding leaves out.
pub fn take_over(job: &Job) -> Result<(), Error> {
    decoding::leave_out_own()?;
    match job.phase.is_before_swap() {
        true => decoding::leave_out(&leaf::relations(job.id)?, job.source),
        false => Ok(()),
    }
}

/// Takes one step of a job that is before its swap.
pub fn advance(job: &Job, memory: &mut Memory) -> Result<Next, Failure> {
    watch_definition(job, memory)?;
    match job.phase {
        Phase::Planned => {
            *memory = Memory::new();
            prepare::make_twin(job)?;
            failpoint("prepare:after_commit")?;
            Ok(Next::Go)
        }
        Phase::Prepared => {
            unit(|| job::transition(job, Phase::Capturing))?;
            Ok(Next::Go)
        }
        Phase::Capturing => {
            capture::begin(job)?;
            memory.refused = 0;
            failpoint("capture:after_commit")?;
            Ok(Next::Go)
        }
        Phase::Copying => copy_step(job),
        Phase::Indexing => index_step(job),
        Phase::CatchingUp => catch_up_step(job, memory),
        Phase::Verifying => verify_step(job, memory),
        Phase::Swapping => swap_step(job, memory),
        Phase::Reversible
        | Phase::Finished
        | Phase::Paused
        | Phase::Failed
        | Phase::Cancelling
        | Phase::Cancelled => Ok(Next::Go),
    }
}

/// Time between two looks at the definition.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// A job that must fail for a changed definition is not to work for hours before it does. What
/// comes and goes (a session's temporary view) is no reason to fail before the swap: the change
/// must have been there in two looks, or in the first one of a worker that takes a job over.
fn watch_definition(job: &Job, memory: &mut Memory) -> Result<(), Failure> {
    let was_another = match memory.definition_seen {
        _ if !job.phase.is_captured() => return Ok(()),
        Some((last_look, _)) if last_look.elapsed() < BETWEEN_LOOKS => return Ok(()),
        Some((_, was_another)) => was_another,
        None => true,
    };
    unit(|| check_capture(job))?;
    unit(|| check_twin(job))?;
    let changed = unit(|| {
        let mut now = definition_now(job)?;
        // One that is just being built; REINDEX CONCURRENTLY has such for a while.
        now.indexes.retain(|index| index.is_valid);
        Ok(compare_definitions(job, &now).err())
    })?;
    memory.definition_seen = Some((Instant::now(), changed.is_some()));
    match changed {
        Some(error) if was_another => Err(Failure::from(error)),
        _ => Ok(()),
    }
}

/// While helpers have the last pieces in hand.
const FOR_HELPERS: Duration = Duration::from_millis(10);
/// While somebody who steers the job has not committed yet.
const FOR_OTHERS: Duration = Duration::from_millis(50);

fn copy_step(job: &Job) -> Result<Next, Failure> {
    if copy::is_worn_out(job) {
        prepare::start_again(job)?;
        return Ok(Next::Go);
    }
    match copy::copy_next(job, 0)? {
        Progress::Copied => Ok(Next::Go),
        Progress::FileReplaced => {
            prepare::start_again(job)?;
            Ok(Next::Go)
        }
        Progress::NothingLeft => unit(|| {
            if copy_range::count_open(job.id)? > 0 {
                return Ok(Next::Wait(FOR_HELPERS));
            }
            leaf::measure(job.id)?;
            job::transition(job, Phase::Indexing)?;
            Ok(Next::Go)
        }),
    }
}

fn index_step(job: &Job) -> Result<Next, Failure> {
    if index::build_next(job)? {
        return Ok(Next::Go);
    }
    if unit(|| leaf::count_unindexed(job.id))? > 0 {
        return Ok(Next::Wait(FOR_HELPERS));
    }
    guard::fill(job)?;
    unit(|| {
        index::attach_branches(job)?;
        index::check_all_valid(job)?;
        job::transition(job, Phase::CatchingUp)?;
        Ok(Next::Go)
    })
}

/// So few entries wait after a round that the next phase may come.
const LITTLE: u64 = 1_000;

fn catch_up_step(job: &Job, memory: &mut Memory) -> Result<Next, Failure> {
    match one_round(job, memory)? {
        Round::StartAgain => start_again(job, memory),
        Round::Applied { entries, left, .. } if left == 0 && entries <= LITTLE => {
            memory.behind_since = None;
            failpoint("catch_up:after_commit")?;
            unit(|| job::transition(job, Phase::Verifying))?;
            Ok(Next::Go)
        }
        Round::Applied { .. } => {
            note_lag(job, memory)?;
            Ok(Next::Go)
        }
    }
}

/// So long catching up may take without a word.
const LAG_WORTH_A_NOTE: Duration = Duration::from_secs(60);

/// Says so where changes come in faster than they can be applied, and goes on.
fn note_lag(job: &Job, memory: &mut Memory) -> Result<(), Failure> {
    let since = *memory.behind_since.get_or_insert_with(Instant::now);
    if since.elapsed() < LAG_WORTH_A_NOTE {
        return Ok(());
    }
    let failure = Failure::from(Error::CannotKeepUp {
        relation: job.source_name.clone(),
    });
    // In place of an attempt's word that it waited in vain, too: this is why there is none any more.
    if job.last_error.as_ref() == Some(&failure.message) {
        return Ok(());
    }
    unit(|| job::set_error(job.id, Some(&failure)))
}

fn start_again(job: &Job, memory: &mut Memory) -> Result<Next, Failure> {
    *memory = Memory::new();
    prepare::start_again(job)?;
    Ok(Next::Go)
}

fn one_round(job: &Job, memory: &mut Memory) -> Result<Round, Failure> {
    let targets = match memory.targets.take() {
        Some(targets) => targets,
        None => Targets::load(job)?,
    };
    let round = catch_up::round(job, &targets, &mut memory.pace)?;
    memory.targets = Some(targets);
    if let catch_up::Round::Applied {
        transaction: Some(id),
        ..
    } = round
    {
        memory.last_batch = Some(id);
        memory.onlookers = None;
    }
    Ok(round)
}

fn verify_step(job: &Job, memory: &mut Memory) -> Result<Next, Failure> {
    let targets = match memory.targets.take() {
        Some(targets) => targets,
        None => Targets::load(job)?,
    };
    let verdict = verify::verify(job, &targets)?;
    memory.targets = Some(targets);
    match verdict {
        verify::Verdict::Equal { verified, left_out } => {
            statistics::gather_roughly(job, statistics::Turn::Wait)?;
            unit(|| {
                job::set_verified(job.id, verified, left_out)?;
                job::transition(job, Phase::Swapping)
            })?;
            failpoint("verify:after_commit")?;
            Ok(Next::Go)
        }
        verify::Verdict::FileReplaced => {
            // What happened to the file, and what it means, the log tells.
            unit(|| job::transition(job, Phase::CatchingUp))?;
            Ok(Next::Go)
        }
    }
}

fn swap_step(job: &Job, memory: &mut Memory) -> Result<Next, Failure> {
    // A round while onlookers are waited for would bring new ones.
    if memory.onlookers.is_none() {
        // Before the round: all functions are read for it, and what is logged meanwhile is not to wait.
        memory.compiled = swap::compiled(job)?;
        match one_round(job, memory)? {
            Round::StartAgain => return start_again(job, memory),
            Round::Applied { entries, left, .. } => {
                if left > 0 || entries > memory.pace.within(LONGEST_DRAIN) {
                    note_lag(job, memory)?;
                    return Ok(Next::Go);
                }
                memory.behind_since = None;
                // Nothing was left: this is the moment, see there.
                if !make_self_keys(job, memory)? {
                    return Ok(Next::Go);
                }
            }
        }
    }
    if let Some(wait) = wait_for_others(job, memory)? {
        return Ok(Next::Wait(wait));
    }
    // Those of this batch have gone; whatever comes of the attempt, the next batch has others.
    memory.onlookers = None;
    // Looked at under the lock again; but nobody should wait for a swap that will not be.
    if unit(|| swap::is_steered(job))? {
        return Ok(Next::Wait(FOR_OTHERS));
    }
    if carry::ahead(job, memory)? {
        return Ok(Next::Go);
    }
    if !self_keys::are_there(job)? {
        return Ok(Next::Go);
    }
    guard::link(job)?;
    if let Some(now) = &memory.carried {
        guard::follow(job, now)?;
        incoming_keys::make_at_rest(job, now)?;
    }
    let attempt = unit(|| job::count_swap_attempt(job.id))?;
    failpoint("swap:before_lock")?;
    let Some(targets) = &memory.targets else {
        return Ok(Next::Go);
    };
    let patience = Patience::of_attempt(attempt, guc::swap_lock_timeout());
    let carried = memory.carried.as_ref();
    let compiled = &memory.compiled;
    match swap::attempt(job, targets, &memory.pace, carried, compiled, &patience)? {
        swap::Attempt::Swapped => {
            failpoint("swap:after_commit")?;
            Ok(Next::Go)
        }
        swap::Attempt::TooMuchWaits { transaction } => {
            memory.last_batch = Some(transaction);
            Ok(Next::Go)
        }
        swap::Attempt::TooSlow => {
            // Tried again after the round that applies it: in a moment without deletions.
            if attempt > ATTEMPTS_WITHOUT_A_NOTE && job.last_error.is_none() {
                let failure = Failure::from(Error::SlowDeletions {
                    relation: job.source_name.clone(),
                });
                unit(|| job::set_error(job.id, Some(&failure)))?;
            }
            Ok(Next::Go)
        }
        swap::Attempt::Asked => Ok(Next::Wait(FOR_OTHERS)),
        swap::Attempt::StartAgain => start_again(job, memory),
    }
}

/// So often a foreign key to the table itself may be violated, before the conversion fails.
const SELF_KEY_TRIES: u32 = 3;

/// Gives the twin its foreign keys to itself. `false`: rows violate one; after another round it is tried again.
fn make_self_keys(job: &Job, memory: &mut Memory) -> Result<bool, Failure> {
    match self_keys::make(job) {
        Ok(()) => {
            memory.violated = 0;
            Ok(true)
        }
        Err(failure)
            if failure.code == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
                && memory.violated < SELF_KEY_TRIES =>
        {
            memory.violated += 1;
            Ok(false)
        }
        Err(failure) => Err(failure),
    }
}

/// So often the swap may meet deletions that take too long before a note says so.
const ATTEMPTS_WITHOUT_A_NOTE: i32 = 10;

/// How long onlookers are waited for, at first and at most, before a round keeps the log short:
/// longer each time, so that in the end also those with long transactions have gone.
const FIRST_PATIENCE: Duration = Duration::from_millis(100);
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// Waits, bounded, for those who would see an incomplete table, and lets those pass who hold the
/// table for long. `None`: the way is free.
fn wait_for_others(job: &Job, memory: &mut Memory) -> Result<Option<Duration>, Failure> {
    let onlookers = match memory.onlookers.take() {
        Some(mut onlookers) => {
            onlookers.look_again(job)?;
            onlookers
        }
        None => {
            // A worker that has applied nothing yet does not know when the last batch was; it
            // was before now.
            let last_batch = match memory.last_batch {
                Some(last) => last,
                None => *memory.last_batch.insert(swap::transaction_now()?),
            };
            Onlookers::note(job, last_batch)?
        }
    };
    let mut in_the_way = onlookers.descriptions();
    let waiting = onlookers.noted_at().elapsed();
    if in_the_way.is_empty() {
        memory.onlookers_patience = FIRST_PATIENCE;
        memory.onlookers = Some(onlookers);
    } else if waiting < memory.onlookers_patience {
        memory.onlookers = Some(onlookers);
    } else {
        memory.onlookers_patience = (memory.onlookers_patience * 2).min(LONGEST_PATIENCE);
    }
    if in_the_way.is_empty() && !is_time_to_try_anyway(memory) {
        in_the_way = swap::long_holders(job)?;
        if !in_the_way.is_empty() {
            // They may stay for long: the log is kept short meanwhile.
            memory.onlookers = None;
            memory.tried_anyway_at.get_or_insert_with(Instant::now);
        }
    }
    if in_the_way.is_empty() {
        memory.waiting_for_others_since = None;
        return Ok(None);
    }
    let since = memory
        .waiting_for_others_since
        .get_or_insert_with(Instant::now)
        .elapsed();
    let failure = Failure::from(Error::OldSnapshot {
        relation: job.source_name.clone(),
        detail: format!("The swap waits for {}.", in_the_way.join("; ")),
    });
    if since > guc::snapshot_wait_timeout() {
        return Err(failure);
    }
    // In place of an attempt's word that it waited in vain, too: this one tells for whom.
    let is_told = job.last_error.as_ref() == Some(&failure.message);
    if since > Duration::from_secs(1) && !is_told {
        unit(|| job::set_error(job.id, Some(&failure)))?;
    }
    // Looked at again soon while the wait is short, seldom where it is long.
    Ok(Some((since / 4).clamp(
        Duration::from_millis(2),
        Duration::from_millis(200),
    )))
}

/// Where one follows another who holds the table for long, the lock is never free, and what looks
/// long may end in time: so now and then it is tried all the same.
fn is_time_to_try_anyway(memory: &mut Memory) -> bool {
    let is_time = memory
        .tried_anyway_at
        .is_some_and(|last| last.elapsed() > Duration::from_secs(2));
    if is_time {
        memory.tried_anyway_at = Some(Instant::now());
    }
    is_time
}

/// Runs work as the table's owner, who can gain nothing by it, whatever policies it forces upon itself: a
/// foreign key that is made looks at rows of both tables.
fn as_owner<T>(job: &Outline, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    acting_as(job.owner, Restriction::SecurityRestrictedAllRows, work)
}

/// Runs a statement of a plan, as the table's owner, or as the grantor that it names.
pub fn run_step(step: &Step) -> Result<(), Error> {
    interrupts::check();
    let run = || db::run(&step.statement, &[]).map(drop);
    match step.run_as {
        Some(role) => acting_as(
            pg_sys::Oid::from(role),
            Restriction::SecurityRestricted,
            run,
        ),
        None => run(),
    }
}

/// Drops a table that is locked ACCESS EXCLUSIVE, as the role that is current.
pub fn drop_table(table: pg_sys::Oid, name: &QualifiedName) -> Result<(), Error> {
    drop_tables(&[(table, name.clone())])
}

/// Drops several likewise, in one statement.
///
/// It goes by their names, and no lock on a table keeps its schema from getting another one: where it
/// reached another table it is taken back.
pub fn drop_tables(tables: &[(pg_sys::Oid, QualifiedName)]) -> Result<(), Error> {
    let names: Vec<String> = tables.iter().map(|(_, name)| name.to_string()).collect();
    let statement = Sql::template("DROP TABLE {names}").trusted("names", &names.join(", "));
    db::run(&statement.build(), &[])?;
    let is_left = |table| Relation::try_open(table, Mode::AccessShare).is_some();
    match tables.iter().find(|(table, _)| is_left(*table)) {
        None => Ok(()),
        Some((_, name)) => Err(Error::LockNotAvailable {
            relation: name.name.clone(),
            purpose: "dropping it: its schema has just got another name",
        }),
    }
}

/// The OID of a relation that must exist.
fn relation_oid(name: &QualifiedName) -> Result<pg_sys::Oid, Error> {
    let oid: Option<pg_sys::Oid> = db::row(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE n.nspname = $1 AND c.relname = $2",
        &[name.schema.as_str().into(), name.name.as_str().into()],
        |row| row.get(1),
    )?;
    oid.ok_or_else(|| Error::Internal(format!("relation {name} is gone")))
}
