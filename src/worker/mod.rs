//! Background workers: who does the work, and how it is started.

mod builder;
pub mod entry;
pub mod launcher;
mod maintenance;
mod mover;
pub mod start;
