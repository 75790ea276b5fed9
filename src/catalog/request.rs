//! `partman_rs.request`: what users want of a job.

use super::as_bookkeeper;
use super::job::JobId;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// A wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Pause,
    Resume,
    Cancel,
}

impl Action {
    const ALL: [Action; 3] = [Action::Pause, Action::Resume, Action::Cancel];

    fn name(self) -> &'static str {
        match self {
            Action::Pause => "pause",
            Action::Resume => "resume",
            Action::Cancel => "cancel",
        }
    }
}

/// Writes a wish down. The worker sees it when this transaction has committed.
pub fn insert(job: JobId, action: Action, requested_by: pg_sys::Oid) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "INSERT INTO partman_rs.request (job, action, requested_by) VALUES ($1, $2, $3)",
            &[job.0.into(), action.name().into(), requested_by.into()],
        )
        .map(drop)
    })
}

/// Whether anything is wanted.
pub fn any(job: JobId) -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT EXISTS (SELECT FROM partman_rs.request WHERE job = $1)",
            &[job.0.into()],
        )
    })
}

/// Takes all wishes, oldest first, each with the role whose wish it is.
pub fn take(job: JobId) -> Result<Vec<(Action, pg_sys::Oid)>, Error> {
    as_bookkeeper(|| {
        let wishes: Vec<(String, pg_sys::Oid)> = db::rows(
            "WITH taken AS ( \
                 DELETE FROM partman_rs.request WHERE job = $1 RETURNING id, action, requested_by) \
             SELECT action, requested_by FROM taken ORDER BY id",
            &[job.0.into()],
            |row| Ok((row.get(1)?, row.get(2)?)),
        )?;
        Ok(wishes
            .into_iter()
            .filter_map(|(name, role)| {
                let action = Action::ALL
                    .into_iter()
                    .find(|action| action.name() == name)?;
                Some((action, role))
            })
            .collect())
    })
}
