//! Conversions under fire, and the oracles' verdict. Each test has a server and a table of its own.
//!
//! They need a server built with the feature `failpoints`, and hold the conversion at its points
//! to bring about, every time, what would be a rare race otherwise.

mod at_each_point;
mod cancel;
mod clock;
mod columns;
mod constraints;
mod copy_races;
mod cron;
mod decoding;
mod dependents;
mod detaching;
mod draining;
mod estimates;
mod foreign_keys;
mod guarded_tree;
mod incoming_keys;
mod index_repair;
mod key_load;
mod keyless;
mod killed_maintenance;
mod labels;
mod levels;
mod maintained;
mod maintenance;
mod maintenance_of_partitions;
mod names;
mod new_values;
mod open_transactions;
mod pains;
mod partition_values;
mod query_pruning;
mod random_schemas;
mod readers;
mod retired_guarded;
mod routing;
mod schedule;
mod self_references;
mod sessions;
mod steering;
mod subscriber;
mod torture;
mod tpcb;
mod truncate;
mod two_days;
mod under_load;
mod unique_guard;
mod unlogged;
mod upgrade;
mod wire;
