//! Tasks of a table that is partitioned by ranges: those together that are done in one (sub)transaction.

use super::deed::{Alone, Done, PAUSE, Runner, noted};
use super::outcome::Outcome;
use super::read::Subject;
use super::task::{OfRanges, Task};
use super::{act, detach};
use crate::catalog::policy::Action;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::interrupts;
use std::collections::HashSet;
use std::mem::discriminant;
use std::time::Instant;

/// What is to be done about the partitions of a table that is partitioned by ranges.
pub struct Ranges {
    pub subject: Subject,
    pub tasks: Vec<Task>,
    /// Whether foreign keys link the table with others.
    pub is_linked: bool,
    /// Whether its partitions are partitioned themselves.
    pub has_levels: bool,
}

/// Most actions of one (sub)transaction: each table that is made takes five locks and more.
const MOST_TOGETHER: usize = 50;

impl Ranges {
    /// The partitions that are to be retired.
    pub fn leaving(&self) -> HashSet<u32> {
        let leaf = |task: &Task| match task {
            Task::Retire(leaf, ..) => Some(leaf.oid),
            _ => None,
        };
        self.tasks.iter().filter_map(leaf).collect()
    }

    /// Tasks in their order, those together that are done in one (sub)transaction. Nobody is to wait
    /// longer because of that: where an action stops others, it is alone, unless its locks would be
    /// kept anyway.
    pub fn groups(&self, runner: Runner) -> impl Iterator<Item = (&Subject, &[Task])> {
        // What a session locks stays locked until its transaction ends.
        let keeps_locks = runner == Runner::Session;
        let stops_others = self.is_linked || self.subject.default.is_some();
        let most = move |task: &Task| match task {
            // Each may be very many tables.
            _ if self.has_levels => 1,
            Task::Create(_) if keeps_locks || !stops_others => MOST_TOGETHER,
            Task::Retire(_, _, disposal)
                if disposal.action == Action::Drop && keeps_locks && !self.is_linked =>
            {
                MOST_TOGETHER
            }
            _ => 1,
        };
        self.tasks
            .chunk_by(|task, next| discriminant(task) == discriminant(next))
            .flat_map(move |alike| alike.chunks(alike.first().map_or(1, most)))
            .map(|group| (&self.subject, group))
    }
}

/// Does alike tasks in one (sub)transaction; `None` where there is but one, or where it failed: then
/// each is to be tried by itself, so that one stops no other.
pub fn attempt_together(subject: &Subject, tasks: &[Task], alone: Alone) -> Option<Vec<Outcome>> {
    if tasks.len() < 2 {
        return None;
    }
    let began = Instant::now();
    let mut outcomes = Vec::new();
    let done = alone(&mut || {
        for (task, done) in tasks.iter().zip(run_together(subject, tasks)?) {
            outcomes.push(noted(&OfRanges { subject, task }, done, began.elapsed())?);
        }
        failpoint("maintain:before_commit")
    });
    match done {
        Ok(()) => Some(outcomes),
        Err(failure) => {
            // Who queued behind a lock that was not to be had goes first.
            if failure.is_transient() {
                interrupts::nap(PAUSE);
            }
            None
        }
    }
}

/// Runs alike tasks, as [`Ranges::groups`] has them.
fn run_together(subject: &Subject, tasks: &[Task]) -> Result<Vec<Done>, Error> {
    let mut spans = Vec::new();
    let mut leaves = Vec::new();
    for task in tasks {
        match task {
            Task::Create(span) => spans.push(span),
            Task::Retire(leaf, ..) => leaves.push(leaf),
            Task::CreateDefault
            | Task::Drain(..)
            | Task::GiveBack(..)
            | Task::Complete(_)
            | Task::Purge(..) => {
                return Err(Error::Internal("such tasks are done alone".to_owned()));
            }
        }
    }
    if leaves.is_empty() {
        return Ok(act::create(subject, &spans)?
            .into_iter()
            .map(Done::from)
            .collect());
    }
    let dropped = detach::drop_all(subject, &leaves)?;
    Ok(dropped
        .into_iter()
        .map(|is_dropped| match is_dropped {
            true => Done::AsWanted,
            false => Done::Nothing,
        })
        .collect())
}
