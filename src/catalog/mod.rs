//! What the extension remembers, and what PostgreSQL's catalog says about a table.

pub mod copy_range;
pub mod decoding;
mod document;
pub mod foreign_key;
pub mod function;
pub mod guard;
pub mod history;
pub mod holder;
pub mod incoming_key;
pub mod job;
pub mod keys_to_validate;
pub mod leaf;
pub mod leaving;
pub mod policy;
pub mod rates;
pub mod recycled;
pub mod request;
pub mod retirement;
pub mod self_key;
pub mod size;
pub mod subscription;
pub mod table;

use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::relation::{self, Relation};
use crate::pg::role::{Restriction, acting_as};
use pgrx::pg_sys;

/// The table `partman_rs.job`; its OID stands for "conversion jobs" in locks.
pub fn job_table() -> Result<pg_sys::Oid, Error> {
    relation::find(c"partman_rs", c"job")
        .ok_or_else(|| Error::Internal("extension pg_partman_rs is not installed here".to_owned()))
}

/// Whether the extension is (still) installed in this database.
pub fn is_installed() -> bool {
    relation::find(c"partman_rs", c"job").is_some()
}

/// Runs our own bookkeeping statements with the rights of the extension's owner: users can
/// steer jobs, but not edit the tables that say what a job is.
pub fn as_bookkeeper<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let owner = Relation::open(job_table()?, Mode::AccessShare).owner();
    acting_as(owner, Restriction::LocalChange, work)
}
