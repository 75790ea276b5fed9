//! The doors: each converts its arguments, calls one function, and converts the result.

mod analyze;
mod convert;
#[cfg(feature = "failpoints")]
mod failpoints;
mod maintain;
mod manifest;
mod queries;
mod steer;
mod wait;

use crate::error::Error;

/// An argument that must not be null.
fn given<T>(argument: &'static str, value: Option<T>) -> Result<T, Error> {
    value.ok_or(Error::NullArgument { argument })
}
