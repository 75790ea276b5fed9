//! Taking a conversion back, before the swap: the source is left as it was, with nothing beside it.

use super::{capture, open_source, prepare};
use crate::catalog::job::{self, Job};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::transaction::{Failure, unit};
use crate::plan::phase::Phase;

/// One attempt. Fails with 55P03 where others are in the way; then the caller tries again.
pub fn take_back(job: &Job) -> Result<(), Failure> {
    unit(|| {
        if job.horizon.is_some() {
            // ACCESS EXCLUSIVE on the source, until the end of this transaction (milliseconds):
            // dropping a trigger needs it. Everybody queues behind the wait for it, hence the
            // time-out.
            lock::relation(job.source, Mode::AccessExclusive, guc::swap_lock_timeout());
            // DDL wants the table closed; the lock stays.
            let name = open_source(job, Mode::AccessExclusive)?.map(|source| source.name());
            if let Some(name) = name {
                capture::remove(job, &name)?;
            }
        }
        super::change_log::drop_log(job.source)?;
        prepare::drop_twin(job)?;
        job::transition(job, Phase::Cancelled)?;
        job::set_error(job.id, None)?;
        failpoint("cancel:before_commit")
    })
}

/// Drops the retired source. Run by the session that asks for it, or by the worker when the undo
/// window has passed.
pub fn finish(job: &Job) -> Result<(), Error> {
    // ACCESS EXCLUSIVE on the retired source, which no application uses, until commit.
    let Some(retired) = open_source(job, Mode::AccessExclusive)? else {
        return job::transition(job, Phase::Finished);
    };
    let statement = crate::plan::sql::Sql::template("DROP TABLE {retired}")
        .name("retired", &retired.name())
        .build();
    drop(retired);
    super::as_owner(job, || crate::db::run(&statement, &[]))?;
    crate::catalog::leaf::forget(job.id)?;
    job::transition(job, Phase::Finished)
}
