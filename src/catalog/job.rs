//! `partman_rs.job`: one row per conversion, the single source of truth about it.

use super::{as_bookkeeper, document, job_table};
use crate::db;
use crate::error::Error;
use crate::pg::transaction::Failure;
use crate::pg::{cluster, lock, role};
use crate::plan::Plan;
use crate::plan::estimate::Cost;
use crate::plan::facts::Facts;
use crate::plan::horizon::Horizon;
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use pgrx::pg_sys;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// The number of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobId(pub i64);

/// A job in outline: what is needed to steer it, to take it back and to finish it. Every release
/// can read that, whichever one wrote the row.
#[derive(Clone, Debug)]
pub struct Outline {
    pub id: JobId,
    pub source: pg_sys::Oid,
    pub source_name: String,
    pub twin: Option<pg_sys::Oid>,
    pub owner: pg_sys::Oid,
    pub requested_by: pg_sys::Oid,
    pub phase: Phase,
    pub resume_phase: Option<Phase>,
    /// Whether the capture has begun.
    pub has_horizon: bool,
    /// What the source is called after the swap.
    pub retired: QualifiedName,
    /// What keeps the key unique, if there is such.
    pub guard: Option<pg_sys::Oid>,
    document_version: i32,
    cluster: i64,
}

/// A job, as its row has it.
#[derive(Clone, Debug)]
pub struct Job {
    pub outline: Outline,
    /// What the twin was when it was made; see [`super::table::twin_shape`].
    pub twin_shape: Option<String>,
    pub plan: Arc<Plan>,
    /// Settings for the worker: the plan's, or what a session that resumed the job has set since.
    pub settings: BTreeMap<String, String>,
    pub definition: Arc<Facts>,
    pub horizon: Option<Horizon>,
    pub source_file: Option<pg_sys::Oid>,
    /// The capture triggers as they were made.
    pub capture_triggers: Option<String>,
    pub last_error: Option<String>,
}

impl Deref for Job {
    type Target = Outline;

    fn deref(&self) -> &Outline {
        &self.outline
    }
}

/// What the documents of a job (`plan`, `definition`, `horizon`) are written as. To be raised when
/// one of them gains a field, or a field another meaning: a conversion that an earlier release
/// began is then given up rather than misread. In all versions `plan` has `retired`.
const DOCUMENT_VERSION: i32 = 10;

impl Outline {
    /// What foreign keys of other tables point at from the swap on: the guard of what they point at, or the
    /// partitioned table itself.
    pub fn key_target(&self) -> pg_sys::Oid {
        self.guard.or(self.twin).unwrap_or(pg_sys::InvalidOid)
    }

    /// Refuses where another release wrote the documents, or where pg_upgrade has brought the job here:
    /// it gives catalog rows other numbers and other row versions, by which the job knows that
    /// nobody has touched the capture triggers and the twin.
    pub fn check_origin(&self) -> Result<(), Error> {
        if self.cluster != cluster::identifier() {
            return Err(Error::OtherCluster {
                relation: self.source_name.clone(),
            });
        }
        match self.document_version {
            DOCUMENT_VERSION => Ok(()),
            version => Err(Error::OtherVersion {
                relation: self.source_name.clone(),
                version,
                readable: DOCUMENT_VERSION,
            }),
        }
    }
}

const OUTLINE: &str = "SELECT id, source, source_name, twin, owner, requested_by, phase, resume_phase, \
     horizon IS NOT NULL, document_version, plan #>> '{retired,schema}', plan #>> '{retired,name}', \
     cluster, guard FROM partman_rs.job ";

fn phase(name: String) -> Result<Phase, Error> {
    Phase::from_name(&name).ok_or_else(|| Error::Internal(format!("unknown phase {name}")))
}

fn outline(row: &db::Row) -> Result<Outline, Error> {
    Ok(Outline {
        id: JobId(row.get(1)?),
        source: row.get(2)?,
        source_name: row.get(3)?,
        twin: row.find(4)?,
        owner: row.get(5)?,
        requested_by: row.get(6)?,
        phase: phase(row.get(7)?)?,
        resume_phase: row.find(8)?.map(phase).transpose()?,
        has_horizon: row.get(9)?,
        document_version: row.get(10)?,
        retired: row.qualified_name(11)?,
        cluster: row.get(13)?,
        guard: row.find(14)?,
    })
}

/// What is locked of a job.
#[derive(Clone, Copy)]
pub enum Part {
    /// By the worker, for as long as it lives.
    Work = 0,
    /// By sessions that steer it, and by the swap: what is asked for is heeded, or refused.
    Steering = 1,
    /// By the worker that gathers statistics.
    Statistics = 2,
}

/// The lock on a part of a job.
pub fn lock(id: JobId, part: Part) -> Result<lock::Object, Error> {
    let number = u32::try_from(id.0)
        .map_err(|_| Error::Internal(format!("job number {} is too large", id.0)))?;
    Ok(lock::Object {
        class: job_table()?,
        number,
        part: part as u16,
    })
}

/// The job of that number, if it exists.
pub fn load(id: JobId) -> Result<Option<Outline>, Error> {
    let sql = format!("{OUTLINE} WHERE id = $1");
    as_bookkeeper(|| db::row(&sql, &[id.0.into()], outline))
}

/// The same job as it is now.
pub fn refresh(job: &Outline) -> Result<Option<Outline>, Error> {
    as_bookkeeper(|| {
        db::row(
            "SELECT requested_by, twin, phase, resume_phase, horizon IS NOT NULL, guard FROM partman_rs.job WHERE id = $1",
            &[job.id.0.into()],
            |row| {
                Ok(Outline {
                    requested_by: row.get(1)?,
                    twin: row.find(2)?,
                    phase: phase(row.get(3)?)?,
                    resume_phase: row.find(4)?.map(phase).transpose()?,
                    has_horizon: row.get(5)?,
                    guard: row.find(6)?,
                    ..job.clone()
                })
            },
        )
    })
}

/// The newest job whose source, or whose result, is that table; one that is under way first.
pub fn find(relation: pg_sys::Oid) -> Result<Option<Outline>, Error> {
    let sql = format!(
        "{OUTLINE} WHERE source = $1 OR twin = $1 \
         ORDER BY phase IN ('finished', 'cancelled'), id DESC LIMIT 1"
    );
    as_bookkeeper(|| db::row(&sql, &[relation.into()], outline))
}

/// All of a job. Its plan and definition never change: they are taken from what is `known` of it.
pub fn open(outline: &Outline, known: Option<Job>) -> Result<Job, Error> {
    outline.check_origin()?;
    let gone = || Error::Internal(format!("job {} is gone", outline.id.0));
    as_bookkeeper(|| {
        let (plan, definition) = match known {
            Some(job) => (job.plan, job.definition),
            None => db::row(
                "SELECT plan, definition FROM partman_rs.job WHERE id = $1",
                &[outline.id.0.into()],
                |row| {
                    let plan = Arc::new(document::read(row.get(1)?)?);
                    Ok((plan, Arc::new(document::read(row.get(2)?)?)))
                },
            )?
            .ok_or_else(gone)?,
        };
        db::row(
            "SELECT horizon, source_file, capture_triggers, last_error, twin_shape, settings \
               FROM partman_rs.job WHERE id = $1",
            &[outline.id.0.into()],
            |row| {
                let mut settings: BTreeMap<_, _> = plan.settings.iter().cloned().collect();
                settings.extend(document::read::<BTreeMap<_, _>>(row.get(6)?)?);
                Ok(Job {
                    outline: outline.clone(),
                    plan: Arc::clone(&plan),
                    settings,
                    definition: Arc::clone(&definition),
                    horizon: row.find(1)?.map(document::read).transpose()?,
                    source_file: row.find(2)?,
                    capture_triggers: row.find(3)?,
                    last_error: row.find(4)?,
                    twin_shape: row.find(5)?,
                })
            },
        )?
        .ok_or_else(gone)
    })
}

/// A new job, in phase `planned`.
pub struct NewJob<'a> {
    pub facts: &'a Facts,
    pub plan: &'a Plan,
    pub requested_by: pg_sys::Oid,
    pub connect_as: pg_sys::Oid,
    pub estimate: Cost,
    pub bytes_total: i64,
}

/// Writes the row of a new job. A second one for the same table waits for the first one's
/// transaction, and is then refused.
pub fn insert(job: &NewJob) -> Result<JobId, Error> {
    as_bookkeeper(|| {
        let id: Option<i64> = db::row(
            "INSERT INTO partman_rs.job (source, source_name, owner, requested_by, connect_as, plan, \
                                         definition, document_version, estimate, rows_total, bytes_total, cluster) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ($9->>'rows')::float8::bigint, $10, $11) \
             ON CONFLICT (source) WHERE phase NOT IN ('finished', 'cancelled') DO NOTHING \
             RETURNING id",
            &[
                pg_sys::Oid::from(job.facts.oid).into(),
                job.facts.name.as_str().into(),
                pg_sys::Oid::from(job.facts.owner).into(),
                job.requested_by.into(),
                job.connect_as.into(),
                document::write(job.plan)?.into(),
                document::write(&job.facts.definition())?.into(),
                DOCUMENT_VERSION.into(),
                document::write(&job.estimate)?.into(),
                job.bytes_total.into(),
                cluster::identifier().into(),
            ],
            |row| row.get(1),
        )?;
        id.map(JobId).ok_or_else(|| Error::AlreadyConverting {
            relation: job.facts.name.clone(),
            phase: Phase::Planned.name().to_owned(),
        })
    })
}

/// Notes what the session that has resumed a job had set itself: from then on it holds for the job.
pub fn take_settings(id: JobId, settings: &BTreeMap<String, String>) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET settings = settings || $2 WHERE id = $1",
            &[id.0.into(), document::write(settings)?.into()],
        )
        .map(drop)
    })
}

/// Moves a job to another phase. Every other move than a legal one is refused.
///
/// What it waited for is of no interest any more, but for rows that violate a foreign key: they go on to do so.
pub fn transition(job: &Outline, next: Phase) -> Result<(), Error> {
    if !job.phase.may_become(next) {
        return Err(Error::Internal(format!(
            "job {} cannot go from phase {} to {}",
            job.id.0,
            job.phase.name(),
            next.name()
        )));
    }
    as_bookkeeper(|| {
        let moved = db::run(
            "UPDATE partman_rs.job \
                SET phase = $2, phase_at = clock_timestamp(), \
                    phase_seconds = phase_seconds || jsonb_build_object(phase, coalesce((phase_seconds->>phase)::float8, 0) \
                                                                 + extract(epoch FROM clock_timestamp() - phase_at)), \
                    (last_error, last_error_detail, last_error_hint, last_sqlstate) = ( \
                        SELECT last_error, last_error_detail, last_error_hint, last_sqlstate \
                         WHERE $2 IN ('failed', 'cancelling', 'cancelled') \
                            OR $2 = 'finished' AND last_sqlstate = '23503'), \
                    resume_phase = CASE WHEN $2 IN ('paused', 'failed') THEN coalesce(resume_phase, phase) END, \
                    copy_started_at = CASE WHEN $2 = 'copying' AND phase = 'capturing' \
                                           THEN clock_timestamp() ELSE copy_started_at END, \
                    copy_ended_at = CASE WHEN $2 = 'indexing' AND phase = 'copying' \
                                         THEN clock_timestamp() ELSE copy_ended_at END \
              WHERE id = $1 AND phase = $3",
            &[job.id.0.into(), next.name().into(), job.phase.name().into()],
        )?;
        match moved {
            1 => Ok(()),
            _ => Err(Error::Internal(format!(
                "job {} moved by somebody else",
                job.id.0
            ))),
        }
    })
}

/// Remembers the twin, and what it is.
pub fn set_twin(id: JobId, twin: Option<(pg_sys::Oid, String)>) -> Result<(), Error> {
    let (twin, shape) = twin.unzip();
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET twin = $2, twin_shape = $3, is_analyzed = false WHERE id = $1",
            &[id.0.into(), twin.into(), shape.into()],
        )
        .map(drop)
    })
}

/// Remembers what keeps the key unique.
pub fn set_guard(id: JobId, guard: Option<pg_sys::Oid>) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET guard = $2 WHERE id = $1",
            &[id.0.into(), guard.into()],
        )
        .map(drop)
    })
}

/// Remembers what the twin has become by our own doing.
pub fn set_twin_shape(id: JobId, shape: &str) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET twin_shape = $2 WHERE id = $1",
            &[id.0.into(), shape.into()],
        )
        .map(drop)
    })
}

/// Whether the twin has statistics.
pub fn is_analyzed(id: JobId) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT is_analyzed FROM partman_rs.job WHERE id = $1",
            &[id.0.into()],
        )
    })
}

/// Notes that the twin has statistics.
pub fn set_analyzed(id: JobId) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET is_analyzed = true WHERE id = $1",
            &[id.0.into()],
        )
        .map(drop)
    })
}

/// Remembers the moment from which changes are captured, and the file that is copied.
pub fn set_horizon(
    id: JobId,
    horizon: &Horizon,
    file: pg_sys::Oid,
    bytes: i64,
) -> Result<(), Error> {
    let horizon = document::write(horizon)?;
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET horizon = $2, source_file = $3, bytes_total = $4 WHERE id = $1",
            &[id.0.into(), horizon.into(), file.into(), bytes.into()],
        )
        .map(drop)
    })
}

/// Notes how many logged keys wait.
pub fn set_keys_waiting(id: JobId, keys: u64) -> Result<(), Error> {
    let keys = i64::try_from(keys).unwrap_or(i64::MAX);
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET keys_waiting = $2 WHERE id = $1",
            &[id.0.into(), keys.into()],
        )
        .map(drop)
    })
}

/// Notes what verification saw, and how large the twin is.
pub fn set_verified(id: JobId, verified: u64, left_out: u64) -> Result<(), Error> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job \
                SET rows_verified = $2, rows_unverified = $3, \
                    (twin_table_bytes, twin_index_bytes) = ( \
                        SELECT sum(pg_table_size(l.relation)), sum(pg_indexes_size(l.relation)) \
                          FROM partman_rs.leaf l WHERE l.job = $1) \
              WHERE id = $1",
            &[
                id.0.into(),
                number(verified).into(),
                number(left_out).into(),
            ],
        )
        .map(drop)
    })
}

/// Counts an attempt at the swap, before it is made.
pub fn count_swap_attempt(id: JobId) -> Result<i32, Error> {
    as_bookkeeper(|| {
        db::value(
            "UPDATE partman_rs.job SET swap_attempts = swap_attempts + 1 WHERE id = $1 RETURNING swap_attempts",
            &[id.0.into()],
        )
    })
}

/// Notes the swap, in its own transaction, and how long the way back stays open.
pub fn set_swapped(id: JobId, undo_window_seconds: Option<f64>) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job \
                SET keys_waiting = 0, \
                    (rows_copied, bytes_copied, table_wal_bytes) = ( \
                        SELECT coalesce(sum(r.rows), 0), coalesce(sum(r.bytes), 0), sum(r.wal_bytes) \
                          FROM partman_rs.copy_range r WHERE r.job = $1), \
                    index_wal_bytes = (SELECT sum(l.wal_bytes) FROM partman_rs.leaf l WHERE l.job = $1), \
                    (swapped_at, undo_until) = ( \
                        SELECT swap.at, swap.at + make_interval(secs => $2) \
                          FROM clock_timestamp() AS swap(at)) \
              WHERE id = $1",
            &[id.0.into(), undo_window_seconds.into()],
        )
        .map(drop)
    })
}

/// Records an error, or clears the last one.
pub fn set_error(id: JobId, failure: Option<&Failure>) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job \
                SET last_error = $2, last_error_detail = $3, last_error_hint = $4, last_sqlstate = $5 \
              WHERE id = $1",
            &[
                id.0.into(),
                failure.map(|f| f.message.clone()).into(),
                failure.and_then(|f| f.detail.clone()).into(),
                failure.and_then(|f| f.hint.clone()).into(),
                failure.map(Failure::sqlstate).into(),
            ],
        )
        .map(drop)
    })
}

/// What somebody who waits for a job wants to know, all of one moment.
pub struct State {
    pub relation: String,
    pub phase: Phase,
    pub has_worker: bool,
    /// Whether somebody has just asked for it to go on, or to stop.
    pub is_asked: bool,
    pub sqlstate: String,
    pub error: String,
    pub owner: String,
    /// Whether the caller has the owner's rights.
    pub may_be_seen: bool,
}

/// Whether a worker has job `j` in hand, as it is written in SQL: it holds a lock on the job for as long as it lives.
pub const HAS_WORKER: &str = "EXISTS (SELECT FROM pg_locks l \
    WHERE l.locktype = 'object' AND l.granted AND l.mode = 'ExclusiveLock' \
      AND l.classid = 'partman_rs.job'::regclass AND l.objid = j.id::oid AND l.objsubid = 0 \
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))";

/// The state of the job that [`find`] finds.
pub fn watch(relation: pg_sys::Oid) -> Result<Option<State>, Error> {
    let caller = role::current();
    as_bookkeeper(|| {
        db::row(
            &format!(
                "SELECT j.source_name, j.phase, {HAS_WORKER}, \
                    EXISTS (SELECT FROM partman_rs.request r WHERE r.job = j.id), \
                    coalesce(j.last_sqlstate, ''), coalesce(j.last_error, ''), \
                    pg_get_userbyid(j.owner)::text, pg_has_role($2, j.owner, 'USAGE') \
               FROM partman_rs.job j WHERE j.source = $1 OR j.twin = $1 \
              ORDER BY j.phase IN ('finished', 'cancelled'), j.id DESC LIMIT 1"
            ),
            &[relation.into(), caller.into()],
            |row| {
                Ok(State {
                    relation: row.get(1)?,
                    phase: phase(row.get(2)?)?,
                    has_worker: row.get(3)?,
                    is_asked: row.get(4)?,
                    sqlstate: row.get(5)?,
                    error: row.get(6)?,
                    owner: row.get(7)?,
                    may_be_seen: row.get(8)?,
                })
            },
        )
    })
}

/// Jobs in this database that should have a worker, or whose undo window has passed: their
/// numbers and the roles that asked.
pub fn due() -> Result<Vec<(JobId, pg_sys::Oid)>, Error> {
    as_bookkeeper(|| {
        // One that rests and whose table was dropped meanwhile can only be taken back.
        db::kept_run(
            "INSERT INTO partman_rs.request (job, action, requested_by) \
             SELECT j.id, 'cancel', j.requested_by FROM partman_rs.job j \
              WHERE j.phase IN ('paused', 'failed') \
                AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = j.source) \
                AND NOT EXISTS (SELECT FROM partman_rs.request r WHERE r.job = j.id)",
            &[],
        )?;
        db::rows(
            "SELECT id, connect_as FROM partman_rs.job \
              WHERE phase NOT IN ('finished', 'cancelled', 'paused', 'failed', 'reversible') \
                 OR (phase IN ('paused', 'failed') AND EXISTS ( \
                       SELECT FROM partman_rs.request r WHERE r.job = job.id)) \
                 OR (phase = 'reversible' AND undo_until < clock_timestamp()) \
                 OR (phase = 'reversible' AND keys_to_validate <> '{}') \
                 OR (phase = 'reversible' AND EXISTS ( \
                       SELECT FROM pg_constraint k \
                         JOIN pg_class c ON c.oid = job.source AND c.relname = job.plan #>> '{retired,name}' \
                         JOIN pg_trigger t ON t.tgconstraint = k.oid AND t.tgrelid <> job.source AND t.tgenabled = 'D' \
                        WHERE job.source IN (k.conrelid, k.confrelid) AND k.contype = 'f' AND k.conparentid = 0 \
                          AND k.confrelid <> k.conrelid)) \
              ORDER BY id",
            &[],
            |row| Ok((JobId(row.get(1)?), row.get(2)?)),
        )
    })
}

/// Remembers the capture triggers as they were made.
pub fn set_capture_triggers(id: JobId, triggers: &str) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET capture_triggers = $2 WHERE id = $1",
            &[id.0.into(), triggers.into()],
        )
        .map(drop)
    })
}

/// Whether a worker has a job in hand.
pub fn has_worker(id: JobId) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            &format!("SELECT {HAS_WORKER} FROM (SELECT $1 AS id) j"),
            &[id.0.into()],
        )
    })
}

/// Whether the retired source of a job may go by itself now.
pub fn undo_window_has_passed(id: JobId) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT coalesce(undo_until < clock_timestamp(), false) FROM partman_rs.job WHERE id = $1",
            &[id.0.into()],
        )
    })
}

/// Whose wish a job is from now on: whoever resumed it.
pub fn set_requested_by(id: JobId, role: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "UPDATE partman_rs.job SET requested_by = $2 WHERE id = $1",
            &[id.0.into(), role.into()],
        )
        .map(drop)
    })
}
