//! Keeping partitioned tables in shape: partitions are made ahead, and old ones retired.
//!
//! [`set`] is what is there; [`premake`], [`retire`] and [`infer`] decide, without a server; [`read`]
//! and [`act`] are what touches one; [`ensure`] is a run over one table.

mod act;
pub mod adopt;
pub mod ensure;
pub mod infer;
pub mod premake;
pub mod read;
pub mod retire;
pub mod set;
#[cfg(test)]
mod tests;
