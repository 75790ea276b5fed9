//! Beginning and ending the capture of changes.

use super::definition::{check_definition, open_source};
use super::{as_owner, change_log, snapshot};
use crate::catalog::copy_range;
use crate::catalog::job::{self, Job};
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, refresh_snapshot, unit};
use crate::plan::capture::{self, TRIGGERS};
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use pgrx::pg_sys;

/// Bytes of the source per range: the work of well under a second. Builds for tests cut small
/// tables into many ranges too.
const RANGE_BYTES: u64 = if cfg!(feature = "failpoints") {
    128 << 10
} else {
    16 << 20
};

/// One attempt to begin the capture. Fails with 55P03 where writers are in the way; then the
/// caller waits and tries again.
pub fn begin(job: &Job) -> Result<(), Failure> {
    unit(|| {
        // SHARE ROW EXCLUSIVE on the source, until the end of this transaction (milliseconds):
        // once it is granted, every transaction that wrote to the table has ended, and none can
        // write before it sees the trigger. New writers queue behind the wait for it, hence the
        // time-out.
        lock::relation(
            job.source,
            Mode::ShareRowExclusive,
            guc::swap_lock_timeout(),
        );
        let source = open_source(job, Mode::ShareRowExclusive)?;
        // The horizon must be later than the lock.
        refresh_snapshot();
        let horizon = snapshot::horizon();
        if horizon.running.is_none() && job.plan.identity.is_none() {
            // Without a key, doubt could not be settled later; such transactions end.
            return Err(Error::LockNotAvailable {
                relation: job.source_name.clone(),
                purpose: "the capture: a running transaction has too many subtransactions",
            });
        }
        let (file, blocks) = (source.file_number(), source.blocks());
        // DDL wants the table closed; the lock stays.
        drop(source);
        check_definition(job)?;
        // After a fresh start the capture may be there already. What its log says is all older
        // than the lock. The triggers stay: dropping them would want a harder lock than is held.
        change_log::drop_log(job.source)?;
        change_log::create(&job.plan)?;
        as_owner(job, || install(job.source, &job.plan.source))?;
        let bytes = i64::from(blocks) * i64::from(pg_sys::BLCKSZ);
        job::set_horizon(job.id, &horizon, file, bytes)?;
        job::set_capture_triggers(job.id, &table::capture_triggers(job.source)?)?;
        copy_range::lay_out(job.id, blocks, range_blocks(blocks))?;
        job::transition(job, Phase::Copying)?;
        failpoint("capture:before_commit")
    })
}

/// Ranges grow with the table, so that a few thousand of them suffice for the largest.
fn range_blocks(blocks: u32) -> u32 {
    let usual = (RANGE_BYTES / u64::from(pg_sys::BLCKSZ)) as u32;
    (blocks / 4096).clamp(usual, usual * 8)
}

/// Runs the plan's statements, but for triggers that are there already.
fn install(source: pg_sys::Oid, name: &QualifiedName) -> Result<(), Error> {
    for (number, statement) in capture::statements(name).iter().enumerate() {
        match TRIGGERS.get(number) {
            Some(trigger) if has_trigger(source, trigger)? => {}
            _ => drop(db::run(statement, &[])?),
        }
    }
    Ok(())
}

/// Whether the table has that one of our triggers: not another one of its name.
fn has_trigger(source: pg_sys::Oid, trigger: &str) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1 AND tgname = $2 \
                          AND tgfoid = 'partman_rs.capture_change'::regproc \
                          AND tgqual IS NULL AND tgattr::text = '' \
                          AND (tgname, tgtype) IN (('partman_rs_capture', 29), ('partman_rs_capture_truncate', 32)))",
        &[source.into(), trigger.into()],
    )
}

/// Ends the capture, if it had begun: triggers and log go together. `table` is what the source
/// is called now. The caller holds ACCESS EXCLUSIVE on it where a trigger is there.
pub fn remove(source: pg_sys::Oid, table: &QualifiedName, owner: pg_sys::Oid) -> Result<(), Error> {
    for trigger in TRIGGERS {
        if has_trigger(source, trigger)? {
            let statement = capture::drop_trigger(trigger, table);
            acting_as(owner, Restriction::SecurityRestricted, || {
                db::run(&statement, &[])
            })?;
        }
    }
    change_log::drop_log(source)
}
