//! Taking a conversion back, before the swap: the source is left as it was, with nothing beside it.

use super::{capture, change_log, foreign_keys, incoming_keys, prepare};
use crate::catalog::job::{self, Outline};
use crate::catalog::{keys_to_validate, leaf, table};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::depend::{self, Hold};
use crate::pg::lock::{self, Mode};
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, unit};
use crate::plan::phase::Phase;

/// One attempt. Fails with 55P03 where others are in the way; then the caller tries again.
///
/// The source may have been altered, or be gone, by now: only what is ours is taken away.
pub fn take_back(job: &Outline) -> Result<(), Failure> {
    // First, and by themselves: what they point at is not to be waited for while the source is locked.
    if let Some(twin) = job.twin {
        foreign_keys::drop_all(twin)?;
        incoming_keys::drop_all(job)?;
    }
    unit(|| {
        if job.has_horizon {
            // ACCESS EXCLUSIVE on the source, until the end of this transaction (milliseconds):
            // dropping a trigger needs it. Everybody queues behind the wait for it, hence the
            // time-out.
            lock::relation(job.source, Mode::AccessExclusive, guc::swap_lock_timeout());
            // DDL wants the table closed; the lock stays.
            let source = Relation::try_open(job.source, Mode::AccessExclusive)
                .map(|source| (source.name(), source.owner()));
            if let Some((name, owner)) = source {
                capture::remove(job.source, &name, owner)?;
            }
        }
        change_log::drop_log(job.source)?;
        prepare::drop_twin(job)?;
        job::transition(job, Phase::Cancelled)?;
        failpoint("cancel:before_commit")
    })
}

/// Drops the retired source. Run by the session that asks for it, or by the worker when the undo
/// window has passed. Tells which foreign keys that point at the result are still to be validated, and
/// will not be.
pub fn finish(job: &Outline) -> Result<Vec<String>, Error> {
    // ACCESS EXCLUSIVE on the retired source, which no application uses, until commit.
    let retired = Relation::try_open(job.source, Mode::AccessExclusive)
        .map(|retired| (retired.name(), retired.owner()));
    // Somebody else may have finished it while that was waited for.
    let phase = job::refresh(job)?.map_or(Phase::Finished, |now| now.phase);
    if phase != Phase::Reversible {
        return Err(Error::WrongPhase {
            relation: job.source_name.clone(),
            action: "finished",
            phase,
        });
    }
    let mut not_valid = Vec::new();
    if let Some((name, owner)) = retired {
        // Somebody may have gone back by renaming: then this is the table in use.
        if name != job.retired {
            return Err(Error::NotRetired {
                relation: name.name,
                retired: job.retired.name.clone(),
            });
        }
        // Where the worker has not come to it yet.
        not_valid = incoming_keys::settle_now(job)?;
        foreign_keys::lock_referenced(job.source)?;
        acting_as(owner, Restriction::SecurityRestricted, || {
            super::drop_table(job.source, &name)
        })?;
    }
    if let Some(twin) = job.twin {
        for (default, sequence) in table::drawing_defaults(twin, twin)? {
            depend::hold_sequence(default, sequence, Hold::Refuses);
        }
    }
    leaf::forget(job.id)?;
    keys_to_validate::leave_all_not_valid(job.id)?;
    job::transition(job, Phase::Finished)?;
    Ok(not_valid)
}
