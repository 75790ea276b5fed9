//! The test rig of `pg_partman_rs`.
//!
//! | module | gives |
//! |---|---|
//! | [`cluster`] | a throw-away PostgreSQL server with our extension, and the means to hurt it |
//! | [`stage`] | one server, one database, one table under test: what most tests start from |
//! | [`shape`], [`shapes`] | the tables: how a row is made, found, touched and moved |
//! | [`random_schema`] | tables with all kinds of things on them, made up from a seed |
//! | [`ledger`], [`workload`] | clients that write down, in the same transaction, what they did |
//! | [`hand`] | the same by hand: chosen changes of chosen rows |
//! | [`oracle`] | compares the table with the ledger, row for row, and looks for anything left over |
//! | [`conversion`], [`failpoint`] | the engine's SQL surface, and the points at which it can be held or killed |
//! | [`probe`], [`latency`], [`sampler`] | is the table readable and writable all the time, and how fast |
//! | [`pgbench`] | PostgreSQL's own load generator |

pub mod cluster;
pub mod conversion;
pub mod failpoint;
pub mod fault;
pub mod hand;
pub mod latency;
pub mod ledger;
pub mod oracle;
pub mod os;
pub mod pgbench;
pub mod poll;
pub mod probe;
pub mod random_schema;
pub mod sampler;
pub mod shape;
pub mod shapes;
pub mod stage;
pub mod workload;
