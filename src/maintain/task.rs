//! What is done about the partitions of a table that is partitioned by ranges.

use super::act;
use super::deed::{Before, Deed, Done};
use super::detach::{self, Disposal, Retired};
use super::drain::{self, Beginning};
use super::leaving::{self, Returned, Taking};
use super::outcome::{Outcome, SOMEBODY_ELSE};
use super::read::Subject;
use super::recycle::{self, Purge};
use super::retirement::{self, Completed, Detached};
use super::set::Leaf;
use crate::catalog::policy::Action;
use crate::catalog::recycled::Recycled;
use crate::catalog::retirement::Retirement;
use crate::error::Error;
use crate::pg::transaction::Failure;
use crate::plan::bounds::{RangeBound, Span};
use pgrx::pg_sys;

/// What is done about one partition, or some.
pub enum Task {
    Create(Span),
    CreateDefault,
    /// These, with the rows that the default partition of that name holds of them.
    Drain(Vec<Span>, String),
    /// A partition, its name, and what becomes of it.
    Retire(Leaf, String, Disposal),
    /// A partition that stays, whose keys were taken out of the guard; and its name.
    GiveBack(pg_sys::Oid, String),
    /// A partition whose detaching was begun, and what was to become of it.
    Complete(Retirement),
    /// A table of the recycle bin, and its name.
    Purge(Recycled, String),
}

impl Task {
    /// Whether it is for the end of a run: all who read or write what is dropped wait for it.
    pub fn is_for_the_end(&self) -> bool {
        matches!(self, Task::Retire(..) | Task::Purge(..))
    }

    fn run(&self, subject: &Subject) -> Result<Done, Error> {
        Ok(match self {
            Task::Create(span) => act::create(subject, &[span])?
                .pop()
                .map_or(Done::Nothing, Done::from),
            Task::CreateDefault => act::create_default(subject)?.into(),
            Task::Drain(spans, _) => match drain::begin(subject, spans)? {
                Beginning::Begun => Done::AsWanted,
                Beginning::NotTried(why) => Done::NotTried(why),
            },
            Task::Retire(leaf, _, disposal) => match detach::retire(subject, leaf, disposal)? {
                Retired::As(name) => Done::Retired(name),
                Retired::Nothing => Done::Nothing,
                Retired::NotTried(why) => Done::TakenBack(Box::new(Done::NotTried(why))),
            },
            Task::GiveBack(partition, name) => match leaving::give_back(subject, *partition)? {
                Returned::All => Done::AsWanted,
                Returned::ButFor(example) => {
                    Done::Told(name.clone(), leaving::but_for(&example))
                }
                Returned::Gone => Done::Nothing,
            },
            Task::Complete(retirement) => match retirement::complete(subject, retirement)? {
                Completed::Done(name) => Done::Retired(name),
                Completed::Left(name, why) => Done::Told(
                    name.to_string(),
                    format!("detached, and left as it is: {why}"),
                ),
                Completed::LetGo(why) => {
                    Done::Told(retirement.name.to_string(), format!("skipped: {why}"))
                }
                Completed::Nothing => Done::Nothing,
            },
            Task::Purge(recycled, _) => match recycle::purge(subject, recycled)? {
                Purge::Dropped => Done::AsWanted,
                Purge::Gone => Done::Nothing,
                Purge::Pinned => Done::NotTried("a partition of it is pinned".to_owned()),
                Purge::TakenOver => Done::NotTried(
                    "somebody has taken it over: it has lost its constraint, or has another owner or a parent".to_owned(),
                ),
            },
        })
    }

    pub fn outcome(&self, subject: &Subject, told: String) -> Outcome {
        match self {
            Task::Create(span) => Outcome {
                lower: Some(span.lower.literal.clone()),
                upper: Some(span.upper.literal.clone()),
                ..Outcome::of(subject, "create", told)
            },
            Task::CreateDefault => Outcome::of(subject, "create", told),
            Task::Drain(spans, default) => Outcome {
                partition: Some(default.clone()),
                lower: spans.first().map(|span| span.lower.literal.clone()),
                upper: spans.last().map(|span| span.upper.literal.clone()),
                ..Outcome::of(subject, "drain", told)
            },
            Task::Retire(leaf, name, disposal) => Outcome {
                partition: Some(name.clone()),
                lower: literal(subject, leaf.lower),
                upper: literal(subject, leaf.upper),
                ..Outcome::of(subject, disposal.action.name(), told)
            },
            Task::GiveBack(_, name) => Outcome {
                partition: Some(name.clone()),
                ..Outcome::of(subject, "keys", told)
            },
            Task::Complete(retirement) => Outcome {
                partition: Some(retirement.name.to_string()),
                lower: retirement.was.lower.clone(),
                upper: retirement.was.upper.clone(),
                ..Outcome::of(subject, retirement.action.name(), told)
            },
            Task::Purge(recycled, name) => Outcome {
                partition: Some(name.clone()),
                lower: recycled.lower.clone(),
                upper: recycled.upper.clone(),
                ..Outcome::of(subject, Action::Drop.name(), told)
            },
        }
    }

    fn done(&self) -> String {
        let word = match self {
            Task::Create(_) | Task::CreateDefault => "created",
            Task::Drain(..) => "draining",
            Task::Retire(_, _, disposal) => disposal.action.done(),
            Task::GiveBack(..) => "given back",
            Task::Complete(retirement) => retirement.action.done(),
            Task::Purge(..) => Action::Drop.done(),
        };
        word.to_owned()
    }
}

/// A task of a table that is partitioned by ranges.
pub struct OfRanges<'a> {
    pub subject: &'a Subject,
    pub task: &'a Task,
}

impl Deed for OfRanges<'_> {
    fn run(&self) -> Result<Done, Error> {
        self.task.run(self.subject)
    }

    fn outcome(&self, told: String) -> Outcome {
        self.task.outcome(self.subject, told)
    }

    fn done(&self) -> String {
        self.task.done()
    }

    fn before(&self) -> Result<Before<'_>, Failure> {
        if let Task::GiveBack(partition, _) = self.task {
            leaving::give_back_in_batches(self.subject, *partition)?;
        }
        let Task::Retire(leaf, _, disposal) = self.task else {
            return Ok(Before::Nothing);
        };
        if let Taking::NotTaken(told) = leaving::take(self.subject, leaf, disposal)? {
            return Ok(Before::Ended(told));
        }
        Ok(match retirement::detach(self.subject, leaf, disposal)? {
            Detached::Done(retirement) => Before::AllBut(Box::new(Completing {
                subject: self.subject,
                task: Task::Complete(*retirement),
            })),
            Detached::Plainly => Before::Nothing,
            Detached::NotTried(why) => Before::Ended(format!("skipped: {why}")),
            Detached::Nothing => Before::Ended(SOMEBODY_ELSE.to_owned()),
        })
    }
}

/// The end of a task of a table that is partitioned by ranges.
struct Completing<'a> {
    subject: &'a Subject,
    task: Task,
}

impl Deed for Completing<'_> {
    fn run(&self) -> Result<Done, Error> {
        self.task.run(self.subject)
    }

    fn outcome(&self, told: String) -> Outcome {
        self.task.outcome(self.subject, told)
    }

    fn done(&self) -> String {
        self.task.done()
    }
}

pub fn literal(subject: &Subject, bound: Option<i64>) -> Option<String> {
    RangeBound::at(subject.set.key, bound?)
        .ok()
        .map(|bound| bound.literal)
}
