//! The doors: each converts its arguments, calls one function, and converts the result.

mod analyze;
mod convert;
#[cfg(feature = "failpoints")]
mod failpoints;
mod maintain;
mod queries;
mod steer;
mod wait;

use crate::catalog::table;
use crate::error::Error;
use crate::pg::role;
use pgrx::pg_sys;

/// An argument that must not be null.
fn given<T>(argument: &'static str, value: Option<T>) -> Result<T, Error> {
    value.ok_or(Error::NullArgument { argument })
}

/// The role that a worker of this session connects as. After SET SESSION AUTHORIZATION it may be
/// one that cannot: then nobody but the server's log would hear of it.
fn role_of_workers() -> Result<pg_sys::Oid, Error> {
    let role = role::session();
    match table::connection_refusal(role)? {
        None => Ok(role),
        Some(detail) => Err(Error::NoLogin {
            role: table::role_name(role)?,
            detail,
        }),
    }
}
