//! Keeping partitioned tables in shape: partitions are made ahead, and old ones retired.
//!
//! [`set`] is what is there; [`premake`], [`levels`], [`retire`], [`drift`], [`infer`], [`schedule`] and [`health`]
//! decide, without a server; [`read`], [`default`], [`referenced`], [`leaving`], [`blueprint`], [`act`], [`detach`], [`retirement`], [`recycle`], [`repair`] and [`parts`] are what touches one; [`adopt`] is about policies,
//! [`list`], [`values`], [`newcomers`], [`hash`] and [`unordered`] are about tables that are not partitioned by ranges;
//! [`guard_check`] looks whether the guard of a key is exact, [`drain`] moves rows out of a default partition, [`family`] is about tables above and below one, [`ensure`] is a run over one table:
//! what [`range`], [`list`] and [`hash`] decide becomes a [`deed`], of ranges a [`task`] that may be done in a [`group`], and [`compare`] looks for drift;
//! [`outcome`] is what is told of each, and [`checkup`] tells how the table fares.

mod act;
pub mod adopt;
mod blueprint;
pub mod checkup;
mod compare;
pub mod deed;
mod default;
mod detach;
mod disposal;
mod division;
pub mod drain;
pub mod drift;
pub mod ensure;
pub mod family;
mod group;
pub mod guard_check;
mod hash;
pub mod health;
pub mod infer;
mod leaving;
mod levels;
mod list;
pub mod managed;
mod moving;
mod newcomers;
pub mod outcome;
pub mod parts;
pub mod premake;
mod range;
pub mod read;
pub mod recycle;
mod referenced;
pub mod repair;
pub mod retire;
mod retirement;
pub mod schedule;
pub mod set;
mod task;
#[cfg(test)]
mod tests;
mod timing;
mod unordered;
mod values;
