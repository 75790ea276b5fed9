//! One run of maintenance over a table: what it needs is decided, then done action by action.

use super::act::Creation;
use super::detach::{self, Disposal};
use super::drain::{self, Beginning};
use super::drift::{self, Drift};
use super::family::Unkept;
use super::managed::{Strategy, Table};
use super::read::{self, Subject};
use super::recycle::{self, Purge};
use super::repair::{self, Mended};
use super::retirement::{self, Completed, Detached};
use super::set::{Leaf, Position};
use super::{act, hash, list, premake, referenced, retire, values};
use crate::catalog::policy::{Action, Policy};
use crate::catalog::recycled::{self, Recycled};
use crate::catalog::retirement::{self as begun, Retirement};
use crate::catalog::{history, table};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::interrupts;
use crate::pg::transaction::Failure;
use crate::plan::bounds::{RangeBound, Span};
use crate::plan::interval::PartitionInterval;
use crate::plan::names::QualifiedName;
use crate::request::{self, SessionZone};
use pgrx::pg_sys;
use std::mem::discriminant;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What is told where rows were moved out of a default partition, when that is done.
pub const DRAINED: &str = "drained";

/// One action, and what came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub parent: pg_sys::Oid,
    pub relation: String,
    pub owner: pg_sys::Oid,
    pub action: &'static str,
    pub partition: Option<String>,
    pub lower: Option<String>,
    pub upper: Option<String>,
    /// What was done; or `skipped: ` and why.
    pub outcome: String,
    pub failure: Option<Failed>,
}

/// How an action failed.
#[derive(Clone, Debug)]
pub struct Failed {
    pub sqlstate: String,
    pub message: String,
}

impl Outcome {
    /// What came of it, in a word.
    pub fn kind(&self) -> &str {
        match self.failure {
            Some(_) => "failed",
            None => &self.outcome,
        }
    }

    /// What came of it, with the reason.
    pub fn in_words(&self) -> String {
        match &self.failure {
            Some(failed) => format!("failed: {} {}", failed.sqlstate, failed.message),
            None => self.outcome.clone(),
        }
    }

    /// Whether it was done under a lock that everybody waits for: a partition was retired, or rows were
    /// moved.
    pub fn is_exclusive(&self) -> bool {
        let retired = Action::ALL.iter().map(|action| action.done());
        (retired.chain([values::FILLED])).any(|done| done == self.kind())
    }

    /// What an action on a table came to.
    pub fn of(table: &Table, action: &'static str, told: String) -> Outcome {
        Outcome {
            relation: table.name.name.clone(),
            owner: table.owner,
            action,
            outcome: told,
            ..unread(table.parent)
        }
    }

    /// Whether a partition was mended.
    pub fn is_repaired(&self) -> bool {
        self.failure.is_none() && self.outcome.starts_with("repaired")
    }

    /// Whether an index is left for a worker to build.
    pub fn is_left_to_builder(&self) -> bool {
        self.outcome.ends_with(repair::LEFT_TO_BUILDER)
    }

    pub fn failed(self, failure: &Failure) -> Outcome {
        Outcome {
            failure: Some(Failed {
                sqlstate: failure.sqlstate(),
                message: failure.message.clone(),
            }),
            ..self
        }
    }
}

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

enum Task {
    Create(Span),
    CreateDefault,
    /// These, with the rows that the default partition of that name holds of them.
    Drain(Vec<Span>, PartitionInterval, String),
    /// A partition, its name, and what becomes of it.
    Retire(Leaf, String, Disposal),
    /// A partition whose detaching was begun, and what was to become of it.
    Complete(Retirement),
    /// A table of the recycle bin, and its name.
    Purge(Recycled, String),
}

/// A task of a table that is partitioned by ranges.
struct OfRanges<'a> {
    subject: &'a Subject,
    task: &'a Task,
}

/// A partition that is half detached, and its name.
struct Finalizing {
    table: Rc<Table>,
    partition: pg_sys::Oid,
    name: String,
}

struct Mending<'a> {
    table: &'a Table,
    drift: Drift,
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

/// The end of a task of a table that is partitioned by ranges.
struct Completing<'a> {
    subject: &'a Subject,
    task: Task,
}

/// Nothing is done to that.
pub const IN_THE_BIN: &str = "it lies in the recycle bin";

/// What is to be done about a table, and what is not, with the reasons.
pub struct Decision {
    pub table: Rc<Table>,
    /// Done first, one by one.
    pub deeds: Vec<Box<dyn Deed>>,
    pub skipped: Vec<Outcome>,
    ranges: Option<Ranges>,
}

impl Decision {
    /// Of a table whose partitions are no ranges.
    pub fn of(table: &Rc<Table>, deeds: Vec<Box<dyn Deed>>, skipped: Vec<Outcome>) -> Decision {
        Decision {
            table: Rc::clone(table),
            deeds,
            skipped,
            ranges: None,
        }
    }
}

/// What is to be done about the partitions of a table that is partitioned by ranges.
struct Ranges {
    subject: Subject,
    tasks: Vec<Task>,
    /// Whether foreign keys link the table with others.
    is_linked: bool,
    /// Whether its partitions are partitioned themselves.
    has_levels: bool,
}

/// Brings one table into the shape of its policy; a row for each action. With `is_dry` nothing is
/// done.
///
/// `may_go_on` is asked before each action, or group of actions. What goes wrong with one action is told
/// in its row, and stops no other. A lock that others hold is asked for so many times.
pub fn table(
    policy: &Policy,
    is_dry: bool,
    tries: u32,
    may_go_on: fn(&Policy) -> bool,
    alone: Alone,
    runner: Runner,
) -> Vec<Outcome> {
    let mut decision = None;
    let decided = alone(&mut || {
        decision = decide(policy)?;
        Ok(())
    });
    let decision = match (decided, decision) {
        (Ok(()), Some(decision)) => decision,
        (Ok(()), None) => {
            return vec![Outcome {
                outcome: format!("skipped: {IN_THE_BIN}"),
                ..unread(policy.parent)
            }];
        }
        (Err(failure), _) => {
            let mut outcome = unread(policy.parent).failed(&failure);
            // What cannot be maintained may well have a name and an owner.
            let mut is_gone = false;
            let named = alone(&mut || {
                match table::name_and_owner(policy.parent)? {
                    Some((name, owner)) => {
                        outcome.relation = name;
                        outcome.owner = owner;
                    }
                    None => is_gone = true,
                }
                Ok(())
            });
            // Dropped meanwhile, by this run even, where it was a partition of a table before it.
            if is_gone {
                return Vec::new();
            }
            if named.is_ok() && !is_dry {
                note_failure(&outcome, Duration::ZERO, alone);
            }
            return vec![outcome];
        }
    };
    let mut outcomes = Vec::new();
    let by_itself = |deed: &dyn Deed| {
        interrupts::check();
        match is_dry {
            true => deed.outcome("to be done".to_owned()),
            false if !may_go_on(policy) => deed.outcome(QUIET.to_owned()),
            false => attempt(deed, tries, alone, runner),
        }
    };
    outcomes.extend((decision.deeds.iter()).map(|deed| by_itself(deed.as_ref())));
    for (subject, group) in (decision.ranges.iter()).flat_map(|ranges| ranges.groups(runner)) {
        interrupts::check();
        if !is_dry
            && may_go_on(policy)
            && let Some(done) = attempt_together(subject, group, alone)
        {
            outcomes.extend(done);
            continue;
        }
        outcomes.extend((group.iter()).map(|task| by_itself(&OfRanges { subject, task })));
    }
    outcomes.extend(decision.skipped);
    outcomes.extend(compare(
        policy,
        &decision.table,
        is_dry,
        tries,
        may_go_on,
        alone,
    ));
    outcomes
}

const SOMEBODY_ELSE: &str = "skipped: somebody else did it";
/// So often partitions are compared in a run, while something is mended: of four levels all is.
const ROUNDS: u32 = 5;
const QUIET: &str = "skipped: quiet hours have begun";

/// Compares the partitions with their table, if that is due, and mends what has drifted, if the
/// policy says so.
fn compare(
    policy: &Policy,
    table: &Table,
    is_dry: bool,
    tries: u32,
    may_go_on: fn(&Policy) -> bool,
    alone: Alone,
) -> Vec<Outcome> {
    let mut drifts = None;
    let look = |drifts: &mut Option<Vec<Drift>>| {
        alone(&mut || {
            let is_due = is_dry || !history::is_compared(table.parent, guc::comparison_interval())?;
            *drifts = match is_due {
                true => Some(repair::drifts(table.parent)?),
                false => None,
            };
            Ok(())
        })
    };
    let mut outcomes = Vec::new();
    // Once more after all is mended: privileges are compared when the owner is the same, and what is further
    // down when what is above it is mended.
    for round in 1..=ROUNDS {
        if let Err(failure) = look(&mut drifts) {
            outcomes.push(Outcome::of(table, "repair", String::new()).failed(&failure));
            return outcomes;
        }
        let Some(found) = &drifts else {
            return outcomes;
        };
        if is_dry || !policy.repair {
            outcomes.extend(told(policy, table, found));
            break;
        }
        let (by_hand, mendable): (Vec<Drift>, Vec<Drift>) =
            found.iter().cloned().partition(Drift::is_by_hand);
        let mut is_mended = false;
        for drift in mendable {
            interrupts::check();
            let mending = Mending { table, drift };
            let outcome = match may_go_on(policy) {
                true => attempt(&mending, tries, alone, Runner::Session),
                false => mending.outcome(QUIET.to_owned()),
            };
            is_mended |= outcome.is_repaired();
            // What a round before has told is not told again.
            let is_told = |other: &Outcome| {
                other.partition == outcome.partition && other.in_words() == outcome.in_words()
            };
            if outcome.is_repaired() || !outcomes.iter().any(is_told) {
                outcomes.push(outcome);
            }
        }
        if !is_mended || round == ROUNDS {
            outcomes.extend(told(policy, table, &by_hand));
            break;
        }
    }
    let is_left = |outcome: &Outcome| {
        outcome.failure.is_some() || outcome.is_left_to_builder() || outcome.outcome == QUIET
    };
    if !is_dry && !outcomes.iter().any(is_left) {
        let noted = alone(&mut || history::compared(table.parent));
        outcomes.extend(
            noted
                .err()
                .map(|failure| Outcome::of(table, "repair", String::new()).failed(&failure)),
        );
    }
    outcomes
}

/// A row for each kind of drift, and not for each partition: there may be very many.
fn told(policy: &Policy, table: &Table, drifts: &[Drift]) -> Vec<Outcome> {
    drift::alike(drifts)
        .into_iter()
        .map(|(first, names)| {
            let which = match names.len() {
                1 => String::new(),
                _ => format!(" ({})", drift::listed(&names)),
            };
            let (word, then) = match (&first.remedy, policy.repair) {
                (drift::Remedy::ByHand(how), _) => ("skipped", how.as_str()),
                (_, false) => ("skipped", "repair => true mends it"),
                (_, true) => ("to be done", ""),
            };
            let then = match then {
                "" => String::new(),
                then => format!("; {then}"),
            };
            Outcome {
                partition: (names.len() == 1).then(|| first.name.to_string()),
                ..Outcome::of(
                    table,
                    "repair",
                    format!("{word}: {}{which}{then}", first.what),
                )
            }
        })
        .collect()
}

/// What a run over a table is to do; `None` where it lies in the recycle bin.
fn decide(policy: &Policy) -> Result<Option<Decision>, Error> {
    if recycled::holds(policy.parent)? {
        return Ok(None);
    }
    let mut decision = match Strategy::of(policy.parent)? {
        Strategy::Range => decide_ranges(policy)?,
        Strategy::List => list::decide(policy)?,
        Strategy::Hash => hash::decide(policy)?,
    };
    // First: PostgreSQL makes no partition where a half detached one is, and detaches no other.
    let begun = begun::of(policy.parent)?;
    let mut half_detached = table::half_detached(policy.parent)?;
    half_detached.retain(|partition| begun.iter().all(|one| one.was.partition != *partition));
    for (place, partition) in half_detached.into_iter().enumerate() {
        let name = table::qualified_name(partition)?;
        let finalizing = Finalizing {
            table: Rc::clone(&decision.table),
            partition,
            name: name.map_or_else(String::new, |name| name.to_string()),
        };
        decision.deeds.insert(place, Box::new(finalizing));
    }
    decision.skipped.extend(without_policy(policy.parent)?);
    Ok(Some(decision))
}

fn decide_ranges(policy: &Policy) -> Result<Decision, Error> {
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
    // A conversion makes partitions that are not partitioned themselves.
    let drains = !subject.has_two_levels()?
        && drain::arrange(&subject, &wish, &mut premade, keep_from, &zone)?;
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
        let named = (*leaf, name_of(leaf)?);
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
            let default = subject
                .default
                .map(table::qualified_name)
                .transpose()?
                .flatten();
            let default = default.map_or_else(String::new, |name| name.to_string());
            tasks.push(Task::Drain(premade.spans, wish.lattice.interval, default));
        }
        false => tasks.extend(premade.spans.into_iter().map(Task::Create)),
    }
    for leaf in retired.leaves {
        let name = name_of(leaf)?;
        let disposal = Disposal {
            action: policy.retention_action,
            schema: policy.retention_schema.clone(),
            terms: policy.retention_terms(),
        };
        tasks.push(Task::Retire(leaf.clone(), name, disposal));
    }
    if let Some(grace_period) = &policy.grace_period {
        let fuse = guc::retention_fuse();
        let due = recycled::due(policy.parent, grace_period)?;
        for (number, recycled) in (0..).zip(due) {
            let name = table::qualified_name(recycled.partition)?;
            let task = Task::Purge(
                recycled,
                name.map_or_else(String::new, |name| name.to_string()),
            );
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

/// The outcome where partitions are partitioned and have no policy, as their siblings have.
pub fn without_policy(parent: pg_sys::Oid) -> Result<Option<Outcome>, Error> {
    let Some(unkept) = Unkept::of(parent)? else {
        return Ok(None);
    };
    let named = table::name_and_owner(parent)?;
    Ok(named.map(|(relation, owner)| Outcome {
        relation,
        owner,
        action: "policy",
        partition: unkept.only().map(ToString::to_string),
        outcome: format!("skipped: {}; {}", unkept.in_words(), unkept.next_command()),
        ..unread(parent)
    }))
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

/// Most actions of one (sub)transaction: each table that is made takes five locks and more.
const MOST_TOGETHER: usize = 50;

impl Ranges {
    /// Tasks in their order, those together that are done in one (sub)transaction. Nobody is to wait
    /// longer because of that: where an action stops others, it is alone, unless its locks would be
    /// kept anyway.
    fn groups(&self, runner: Runner) -> impl Iterator<Item = (&Subject, &[Task])> {
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
fn attempt_together(subject: &Subject, tasks: &[Task], alone: Alone) -> Option<Vec<Outcome>> {
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
            Task::CreateDefault | Task::Drain(..) | Task::Complete(_) | Task::Purge(..) => {
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

/// So often, and so far apart, a lock is asked for that others hold.
pub const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

fn attempt(deed: &dyn Deed, tries: u32, alone: Alone, runner: Runner) -> Outcome {
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
fn note_failure(outcome: &Outcome, taken: Duration, alone: Alone) {
    if let Err(failure) = alone(&mut || history::note(outcome, taken)) {
        pgrx::log!(
            "maintenance of table \"{}\" cannot be recorded: {}",
            outcome.relation,
            failure.message
        );
    }
}

/// The outcome where another process is just about it.
pub fn held_by_another(parent: pg_sys::Oid) -> Result<Outcome, Error> {
    Ok(Outcome {
        relation: table::name(parent)?.unwrap_or_default(),
        outcome: "skipped: another process maintains it".to_owned(),
        ..unread(parent)
    })
}

/// The outcome of a look that failed; the table may be gone.
fn unread(parent: pg_sys::Oid) -> Outcome {
    Outcome {
        parent,
        relation: String::new(),
        owner: pg_sys::InvalidOid,
        action: "look",
        partition: None,
        lower: None,
        upper: None,
        outcome: String::new(),
        failure: None,
    }
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

/// What a deed came to, recorded if anything was done: in the same (sub)transaction.
fn noted(deed: &dyn Deed, done: Done, taken: Duration) -> Result<Outcome, Error> {
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

impl Task {
    fn run(&self, subject: &Subject) -> Result<Done, Error> {
        Ok(match self {
            Task::Create(span) => act::create(subject, &[span])?
                .pop()
                .map_or(Done::Nothing, Done::from),
            Task::CreateDefault => act::create_default(subject)?.into(),
            Task::Drain(spans, interval, _) => match drain::begin(subject, *interval, spans)? {
                Beginning::Begun => Done::AsWanted,
                Beginning::NotTried(why) => Done::NotTried(why),
            },
            Task::Retire(leaf, _, disposal) => match detach::retire(subject, leaf, disposal)? {
                Some(name) => Done::Retired(name),
                None => Done::Nothing,
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

    fn outcome(&self, subject: &Subject, told: String) -> Outcome {
        match self {
            Task::Create(span) => Outcome {
                lower: Some(span.lower.literal.clone()),
                upper: Some(span.upper.literal.clone()),
                ..Outcome::of(subject, "create", told)
            },
            Task::CreateDefault => Outcome::of(subject, "create", told),
            Task::Drain(spans, _, default) => Outcome {
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
            Task::Complete(retirement) => retirement.action.done(),
            Task::Purge(..) => Action::Drop.done(),
        };
        word.to_owned()
    }
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
        let Task::Retire(leaf, _, disposal) = self.task else {
            return Ok(Before::Nothing);
        };
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

impl Deed for Finalizing {
    fn run(&self) -> Result<Done, Error> {
        Ok(match detach::finalize(&self.table, self.partition)? {
            true => Done::AsWanted,
            false => Done::Nothing,
        })
    }

    fn outcome(&self, told: String) -> Outcome {
        Outcome {
            partition: Some(self.name.clone()),
            ..Outcome::of(&self.table, "finalize", told)
        }
    }

    fn done(&self) -> String {
        Action::Detach.done().to_owned()
    }
}

impl Deed for Mending<'_> {
    fn run(&self) -> Result<Done, Error> {
        Ok(match repair::mend(self.table, &self.drift)? {
            Mended::Done => Done::AsWanted,
            Mended::NotTried(why) => Done::NotTried(format!("{}; {why}", self.drift.what)),
            Mended::Gone => Done::Nothing,
        })
    }

    fn outcome(&self, told: String) -> Outcome {
        Outcome {
            partition: Some(self.drift.name.to_string()),
            ..Outcome::of(self.table, "repair", told)
        }
    }

    fn done(&self) -> String {
        format!("repaired: {}", self.drift.what)
    }
}

fn name_of(leaf: &Leaf) -> Result<String, Error> {
    let name = table::qualified_name(pg_sys::Oid::from(leaf.oid))?;
    Ok(name.map_or_else(String::new, |name| name.to_string()))
}

fn literal(subject: &Subject, bound: Option<i64>) -> Option<String> {
    RangeBound::at(subject.set.key, bound?)
        .ok()
        .map(|bound| bound.literal)
}
