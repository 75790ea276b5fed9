//! Keeping partitioned tables in shape: partitions are made ahead, and old ones retired.
//!
//! [`set`] is what is there; [`premake`] and [`retire`] decide, without a server.

pub mod premake;
pub mod retire;
pub mod set;
#[cfg(test)]
mod tests;
