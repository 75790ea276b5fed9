//! A piece of work on a table, and how it is tried: by itself, more than once where others hold a lock.

use super::act::Creation;
use super::outcome::{Outcome, SOMEBODY_ELSE};
use crate::catalog::history;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::interrupts;
use crate::pg::transaction::Failure;
use crate::plan::names::QualifiedName;
use std::time::{Duration, Instant};

/// Runs a piece of work by itself: it is kept, or taken back, whatever becomes of the others.
pub type Alone = fn(&mut dyn FnMut() -> Result<(), Error>) -> Result<(), Failure>;

/// Who runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// Within the transaction of a statement, until whose end locks outlive an action.
    Session,
    /// Outside any transaction: also statements that commit in their middle can be run.
    Worker,
}

/// A piece of work on a table: all of it is done, or nothing.
pub trait Deed {
    fn run(&self) -> Result<Done, Error>;

    /// The row that tells of it.
    fn outcome(&self, told: String) -> Outcome;

    /// What it has come to where it was done.
    fn done(&self) -> String;

    /// What a worker does of it before, outside any transaction.
    fn before(&self) -> Result<Before<'_>, Failure> {
        Ok(Before::Nothing)
    }
}

/// What a worker has done of a deed before, outside any transaction.
pub enum Before<'a> {
    Nothing,
    /// All but this.
    AllBut(Box<dyn Deed + 'a>),
    /// There is no more to be done, as is told.
    Ended(String),
}

/// What a deed came to.
pub enum Done {
    Made(QualifiedName),
    /// With the name that it has then.
    Retired(QualifiedName),
    /// Not what was wanted: its name, and what came of it.
    Told(String, String),
    /// There is no more to tell.
    AsWanted,
    NotTried(String),
    /// Somebody else has done it meanwhile.
    Nothing,
    /// One of those that did nothing, after a beginning: that is to be taken back.
    TakenBack(Box<Done>),
}

impl From<Creation> for Done {
    fn from(creation: Creation) -> Done {
        match creation {
            Creation::Made(name) => Done::Made(name),
            Creation::AlreadyThere => Done::Nothing,
            Creation::NotTried(why) => Done::NotTried(why),
        }
    }
}

/// So often, and so far apart, a lock is asked for that others hold.
pub const TRIES: u32 = 5;

/// See [`TRIES`].
pub const PAUSE: Duration = Duration::from_millis(50);

/// Does a deed by itself, and tells; asks so many times for a lock that others hold.
pub fn attempt(deed: &dyn Deed, tries: u32, alone: Alone, runner: Runner) -> Outcome {
    let mut tried = 1;
    let began = Instant::now();
    // Of a partition that was detached beside readers and writers.
    let mut rest = None;
    loop {
        let mut done = Ok(());
        if rest.is_none() && runner == Runner::Worker {
            match deed.before() {
                Ok(Before::AllBut(deed)) => rest = Some(deed),
                Ok(Before::Nothing) => {}
                Ok(Before::Ended(told)) => return deed.outcome(told),
                Err(failure) => done = Err(failure),
            }
        }
        let deed = rest.as_deref().unwrap_or(deed);
        let mut outcome = None;
        let mut is_taken_back = false;
        let done = done.and_then(|()| {
            alone(&mut || {
                let done = deed.run()?;
                is_taken_back = matches!(done, Done::TakenBack(_));
                outcome = Some(noted(deed, done, began.elapsed())?);
                match is_taken_back {
                    // Rolls back, and that is all.
                    true => Err(Error::Internal("taken back".to_owned())),
                    false => failpoint("maintain:before_commit"),
                }
            })
        });
        // No failure: it is what the deed came to.
        if is_taken_back && let Some(outcome) = outcome {
            return outcome;
        }
        return match done.map(|()| outcome) {
            Err(failure) if failure.is_transient() && tried < tries => {
                interrupts::nap(PAUSE * tried);
                tried += 1;
                continue;
            }
            Err(failure) => {
                let outcome = deed.outcome(String::new()).failed(&failure);
                note_failure(&outcome, began.elapsed(), alone);
                outcome
            }
            Ok(outcome) => outcome.unwrap_or_else(|| deed.outcome(String::new())),
        };
    }
}

/// What was rolled back could not record its own failure.
pub fn note_failure(outcome: &Outcome, taken: Duration, alone: Alone) {
    if let Err(failure) = alone(&mut || history::note(outcome, taken)) {
        pgrx::log!(
            "maintenance of table \"{}\" cannot be recorded: {}",
            outcome.relation,
            failure.message
        );
    }
}

/// What a deed came to, recorded if anything was done: in the same (sub)transaction.
pub fn noted(deed: &dyn Deed, done: Done, taken: Duration) -> Result<Outcome, Error> {
    let outcome = match done {
        Done::Made(name) | Done::Retired(name) => Outcome {
            partition: Some(name.to_string()),
            ..deed.outcome(deed.done())
        },
        Done::Told(name, words) => Outcome {
            partition: Some(name),
            ..deed.outcome(words)
        },
        Done::AsWanted => deed.outcome(deed.done()),
        Done::TakenBack(done) => return noted(deed, *done, taken),
        Done::NotTried(why) => return Ok(deed.outcome(format!("skipped: {why}"))),
        Done::Nothing => return Ok(deed.outcome(SOMEBODY_ELSE.to_owned())),
    };
    history::note(&outcome, taken)?;
    Ok(outcome)
}
