//! The worker of a job, and its helpers.

use super::start::{Assignment, Task, start};
use crate::catalog::job::{self, Job, JobId, Outline};
use crate::catalog::keys_to_validate;
use crate::catalog::request::{self, Action, Wish};
use crate::catalog::table;
use crate::convert::copy::{Progress, copy_next};
use crate::convert::definition::{check_definition, check_twin};
use crate::convert::{
    Memory, Next, advance, cancel, foreign_keys, incoming_keys, index, statistics, take_over,
};
use crate::error::Error;
use crate::guc;
use crate::pg::transaction::{Failure, unit};
use crate::pg::{interrupts, role, settings};
use crate::plan::phase::Phase;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

/// Takes a job as far as it goes: to its swap, its cancellation, a pause or a failure.
pub fn run(id: JobId) {
    match take_hold(id) {
        Ok(true) => {}
        Ok(false) => return,
        Err(failure) => return report(id, &failure),
    }
    let mut outline = match unit(|| job::load(id)) {
        Ok(Some(outline)) => outline,
        Ok(None) => return,
        Err(failure) => return report(id, &failure),
    };
    let mut work = Work::new();
    let mut just_swapped = false;
    loop {
        outline = match unit(|| steer(&outline)) {
            Ok(Some(outline)) => outline,
            Ok(None) => return,
            Err(failure) => return fail(&outline, &failure),
        };
        if outline.phase == Phase::Reversible {
            tend_foreign_keys(&outline);
            if just_swapped {
                gather_statistics(&outline);
            }
            finish_if_due(&outline);
            return;
        }
        just_swapped = outline.phase == Phase::Swapping;
        if !outline.phase.needs_worker() {
            return;
        }
        let next = match outline.phase {
            Phase::Cancelling => cancel::take_back(&outline).map(|()| Next::Go),
            _ => work.go_on(&outline),
        };
        match next {
            Ok(Next::Go) => {}
            Ok(Next::Wait(time)) => interrupts::nap(time),
            Err(failure) if failure.is_transient() => {
                note(&outline, Some(&waited_in_vain(&outline, failure)));
                interrupts::nap(work.memory.back_off());
            }
            Err(failure) if source_is_gone(&outline) => match take_back(&outline, &failure) {
                Ok(()) => {}
                Err(failure) => return report(id, &failure),
            },
            Err(failure) => return fail(&outline, &work.cause(failure)),
        }
    }
}

/// What a worker has in hand.
struct Work {
    job: Option<Job>,
    memory: Memory,
    /// Those of the job that hold here.
    settings: BTreeMap<String, String>,
    /// How many there are, helpers included.
    workers: u32,
}

impl Work {
    fn new() -> Work {
        Work {
            job: None,
            memory: Memory::new(),
            settings: BTreeMap::new(),
            workers: 1,
        }
    }

    /// Takes one step of a job that is before its swap.
    fn go_on(&mut self, outline: &Outline) -> Result<Next, Failure> {
        let known = self.job.take();
        let is_new = known.is_none();
        let job = &*self.job.insert(unit(|| job::open(outline, known))?);
        if self.settings != job.settings {
            take_over_settings(&job.settings);
            self.settings.clone_from(&job.settings);
        }
        if is_new {
            unit(|| take_over(job))?;
        }
        match job.phase {
            // Helpers end where a job begins anew.
            Phase::Planned => self.workers = 1,
            Phase::Copying => call_helpers(job, &mut self.workers, job.plan.copy_workers),
            Phase::Indexing => call_helpers(job, &mut self.workers, index::builders(&job.plan)),
            _ => {}
        }
        advance(job, &mut self.memory)
    }

    /// Where somebody has altered the table or the twin, what then fails is only a consequence.
    fn cause(&self, failure: Failure) -> Failure {
        let Some(job) = &self.job else {
            return failure;
        };
        unit(|| check_definition(job).and_then(|()| check_twin(job)))
            .err()
            .unwrap_or(failure)
    }
}

/// What it means for the job that the server waited for a lock in vain.
fn waited_in_vain(job: &Outline, failure: Failure) -> Failure {
    let purpose = match job.phase {
        Phase::Capturing => "the capture",
        Phase::Swapping => "the swap",
        Phase::Cancelling => "taking the conversion back",
        _ => return failure,
    };
    match failure.is_of_waiting() {
        true => Failure::from(Error::LockTimeout {
            relation: job.source_name.clone(),
            purpose,
            limit: guc::swap_lock_timeout(),
        }),
        false => failure,
    }
}

/// Whether the source was dropped: then there is nothing left to convert.
fn source_is_gone(job: &Outline) -> bool {
    let exists = unit(|| table::name(job.source));
    matches!(exists, Ok(None)) && job.phase.is_before_swap()
}

/// Begins to take a job back whose source is gone, and says so.
fn take_back(job: &Outline, failure: &Failure) -> Result<(), Failure> {
    report(job.id, failure);
    // Of which that was only a consequence.
    let gone = Failure::from(Error::SourceGone {
        relation: job.source_name.clone(),
    });
    unit(|| {
        job::set_error(job.id, Some(&gone))?;
        job::transition(job, Phase::Cancelling)
    })
}

/// The session that asked, or one that resumed the job, may have set how patient the swap is to be.
fn take_over_settings(settings: &BTreeMap<String, String>) {
    for (name, value) in settings {
        if let (Ok(name), Ok(value)) = (CString::new(name.as_str()), CString::new(value.as_str())) {
            settings::set_session(&name, &value);
        }
    }
}

/// Takes the lock that says who works on a job; `false` where somebody else does and goes on
/// doing so, or where the job or the extension is gone.
fn take_hold(id: JobId) -> Result<bool, Failure> {
    for _ in 0..HOLD_TRIES {
        let held = unit(|| {
            if !crate::catalog::is_installed() {
                return Ok(None);
            }
            if job::lock(id, job::Part::Work)?.try_for_session() {
                return Ok(Some(true));
            }
            // A worker that has read its last request may be about to end.
            Ok(request::any(id)?.then_some(false))
        })?;
        match held {
            Some(true) => return Ok(true),
            Some(false) => interrupts::nap(HOLD_PAUSE),
            None => return Ok(false),
        }
    }
    Ok(false)
}

/// So often, and so far apart, a worker asks for a job that another has in hand.
const HOLD_TRIES: u32 = 60;
const HOLD_PAUSE: Duration = Duration::from_millis(50);

/// Reads the job again, and does what its users want: the job as it then is, or `None` where it
/// is gone.
fn steer(job: &Outline) -> Result<Option<Outline>, Error> {
    if !crate::catalog::is_installed() {
        return Ok(None);
    }
    let Some(mut job) = job::refresh(job)? else {
        return Ok(None);
    };
    for wish in wishes(&job)? {
        if !wish.settings.is_empty() {
            job::take_settings(job.id, &wish.settings)?;
        }
        let stopped = matches!(job.phase, Phase::Paused | Phase::Failed);
        let next = match wish.action {
            Action::Pause if job.phase.is_before_swap() => Phase::Paused,
            Action::Resume if stopped => job.resume_phase.unwrap_or(Phase::Planned),
            Action::Cancel if stopped || job.phase.is_before_swap() => Phase::Cancelling,
            Action::Pause | Action::Resume | Action::Cancel => continue,
        };
        job::transition(&job, next)?;
        job::set_error(job.id, None)?;
        job::set_requested_by(job.id, wish.requested_by)?;
        let Some(moved) = job::refresh(&job)? else {
            return Ok(None);
        };
        job = moved;
    }
    // To take a job back, nobody needs a right that may be gone by now.
    if job.phase.is_before_swap() {
        check_rights(&job)?;
    }
    Ok(Some(job))
}

/// What is wanted of a job; most of the time nothing.
fn wishes(job: &Outline) -> Result<Vec<Wish>, Error> {
    match request::any(job.id)? {
        true => request::take(job.id),
        false => Ok(Vec::new()),
    }
}

/// The rights on which the job rests may have been taken away since.
fn check_rights(job: &Outline) -> Result<(), Error> {
    match table::may_act_as(job.requested_by, job.owner)? {
        true => Ok(()),
        false => Err(Error::NotOwner {
            relation: job.source_name.clone(),
            owner: format!("{}", job.owner.to_u32()),
        }),
    }
}

/// Starts helpers, until the job has as many workers as wanted: as many as there are slots for.
fn call_helpers(job: &Job, workers: &mut u32, wanted: u32) {
    while *workers < wanted {
        let helper = Assignment {
            number: *workers,
            ..Assignment::new(Task::Help, job.id, role::session())
        };
        *workers += 1;
        if let Err(error) = start(helper) {
            let wording = error.wording();
            pgrx::log!(
                "conversion {} goes on with fewer workers: {}",
                job.id.0,
                wording.message
            );
            *workers = u32::MAX;
            return;
        }
    }
}

/// Copies ranges, builds indexes and gathers statistics until there is nothing left of it. What
/// fails here is tried again by the job's own worker, which then reports it.
pub fn help(id: JobId, number: u32) {
    if let Err(failure) = help_with(id, number) {
        pgrx::log!("helper of conversion {} ends: {}", id.0, failure.message);
    }
}

fn help_with(id: JobId, number: u32) -> Result<(), Failure> {
    let mut known = None;
    while let Some(job) = unit(|| look(id, known.take()))? {
        match job.phase {
            Phase::Copying => match copy_next(&job, number)? {
                Progress::Copied => {}
                // Others have the last ranges in hand; indexes come next.
                Progress::NothingLeft => interrupts::nap(HELPER_PAUSE),
                Progress::FileReplaced => return Ok(()),
            },
            Phase::Indexing => {
                if !index::build_next(&job)? {
                    // Others have the last leaves in hand; statistics come next.
                    interrupts::nap(HELPER_PAUSE);
                }
            }
            Phase::CatchingUp => interrupts::nap(HELPER_PAUSE),
            Phase::Verifying => return statistics::gather_roughly(&job, statistics::Turn::IfFree),
            _ => return Ok(()),
        }
        known = Some(job);
    }
    Ok(())
}

/// The job as it is now; `None` where it is gone.
fn look(id: JobId, known: Option<Job>) -> Result<Option<Job>, Error> {
    if !crate::catalog::is_installed() {
        return Ok(None);
    }
    let outline = match &known {
        Some(job) => job::refresh(job)?,
        None => job::load(id)?,
    };
    outline
        .map(|outline| job::open(&outline, known))
        .transpose()
}

/// How long a helper waits for others before it looks again.
const HELPER_PAUSE: Duration = Duration::from_millis(20);

fn finish_if_due(job: &Outline) {
    // A retired table is no reason to give up validating a foreign key.
    let due = unit(|| {
        Ok(job::undo_window_has_passed(job.id)? && keys_to_validate::of(job.id)?.is_empty())
    });
    if matches!(due, Ok(true))
        && let Err(failure) = unit(|| cancel::finish(job))
    {
        note(job, Some(&failure));
    }
}

/// After the swap: drops the foreign keys of the retired table, which do nothing any more, and gives those that
/// point at the result the names of those that pointed at the source, and validates them. What keeps it from doing
/// so is told; the next look at all jobs brings another worker.
fn tend_foreign_keys(job: &Outline) {
    let outcomes = [
        patiently(job, || {
            foreign_keys::drop_retired(job.source, &job.retired.name)
        }),
        patiently(job, || incoming_keys::settle(job)),
    ];
    if let Some(failure) = outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
        if !failure.is_transient() {
            report(job.id, failure);
        }
        note(job, Some(failure));
    } else if outcomes.iter().any(|outcome| matches!(outcome, Ok(true))) {
        // What kept this worker, or one before it, keeps nobody any more.
        note(job, None);
    }
}

/// So often something that needs tables to be free for a moment is tried.
const KEY_TRIES: u32 = 20;

/// `false`: there was nothing to do, nor anything told meanwhile.
fn patiently(job: &Outline, step: impl Fn() -> Result<bool, Failure>) -> Result<bool, Failure> {
    let mut memory = Memory::new();
    for tried in 0..KEY_TRIES {
        match step() {
            Err(failure) if failure.is_transient() => {
                note(job, Some(&failure));
                interrupts::nap(memory.back_off());
            }
            outcome => return outcome.map(|was_busy| was_busy || tried > 0),
        }
    }
    step().map(|_| true)
}

/// Completes the planner's statistics on the new table; without, those of the sample remain.
fn gather_statistics(job: &Outline) {
    if let Err(failure) = statistics::gather_fully(job) {
        pgrx::log!(
            "conversion {}: no full statistics: {}",
            job.id.0,
            failure.message
        );
    }
}

/// Records why a job cannot go on.
fn fail(job: &Outline, failure: &Failure) {
    report(job.id, failure);
    let recorded = unit(|| {
        if !crate::catalog::is_installed() {
            return Ok(());
        }
        // Read again: the step that failed may have been preceded by one that did not.
        let Some(job) = job::load(job.id)? else {
            return Ok(());
        };
        job::set_error(job.id, Some(failure))?;
        match job.phase.may_become(Phase::Failed) {
            true => job::transition(&job, Phase::Failed),
            false => Ok(()),
        }
    });
    if let Err(second) = recorded {
        report(job.id, &second);
    }
}

/// Records what a job waits for; a failure to do so is no reason to stop.
fn note(job: &Outline, failure: Option<&Failure>) {
    if let Err(second) = unit(|| job::set_error(job.id, failure)) {
        report(job.id, &second);
    }
}

fn report(id: JobId, failure: &Failure) {
    pgrx::log!(
        "conversion {} stops: {} (SQLSTATE {}){}",
        id.0,
        failure.message,
        failure.sqlstate(),
        failure
            .detail
            .as_deref()
            .map(|detail| format!(" DETAIL: {detail}"))
            .unwrap_or_default()
    );
}
