//! The doors: each converts its arguments, calls one function, and converts the result.

mod convert;
#[cfg(feature = "failpoints")]
mod failpoints;
mod steer;
mod wait;
