//! `partman_rs.request`: what users want of a job.

use super::job::JobId;
use super::{as_bookkeeper, document};
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;
use std::collections::BTreeMap;

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

    fn of_name(name: &str) -> Result<Action, Error> {
        let action = Action::ALL.into_iter().find(|action| action.name() == name);
        action.ok_or_else(|| Error::Internal(format!("unknown wish {name}")))
    }
}

/// What somebody wants of a job.
pub struct Wish {
    pub action: Action,
    pub requested_by: pg_sys::Oid,
    /// What the job is to go by from then on, of the settings that go with it.
    pub settings: BTreeMap<String, String>,
}

/// Writes a wish down. The worker sees it when this transaction has committed.
pub fn insert(job: JobId, wish: &Wish) -> Result<(), Error> {
    as_bookkeeper(|| {
        db::run(
            "INSERT INTO partman_rs.request (job, action, requested_by, settings) VALUES ($1, $2, $3, $4)",
            &[
                job.0.into(),
                wish.action.name().into(),
                wish.requested_by.into(),
                document::write(&wish.settings)?.into(),
            ],
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

/// Takes all wishes, oldest first.
pub fn take(job: JobId) -> Result<Vec<Wish>, Error> {
    as_bookkeeper(|| {
        db::rows(
            "WITH taken AS ( \
                 DELETE FROM partman_rs.request WHERE job = $1 RETURNING id, action, requested_by, settings) \
             SELECT action, requested_by, settings FROM taken ORDER BY id",
            &[job.0.into()],
            |row| {
                Ok(Wish {
                    action: Action::of_name(&row.get::<String>(1)?)?,
                    requested_by: row.get(2)?,
                    settings: document::read(row.get(3)?)?,
                })
            },
        )
    })
}
