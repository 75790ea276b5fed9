//! The seam to PostgreSQL's C: the only place, beside the engine's heap access in
//! `convert::heap`, with `unsafe`. No word of the domain is known here.
#![allow(unsafe_code, reason = "calls into PostgreSQL")]

pub mod depend;
pub mod disk;
pub mod interrupts;
pub mod lock;
pub mod partitions;
pub mod processor;
pub mod relation;
pub mod role;
pub mod settings;
pub mod signals;
pub mod transaction;
pub mod tuple;
pub mod version;
pub mod wal;
