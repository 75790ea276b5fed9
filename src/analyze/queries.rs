//! Which of a table's queries would read fewer partitions.
//!
//! [`recorded`] reads what pg_stat_statements knows; [`usage`] finds out which statements use the
//! table, and by which columns; [`twin`] makes, in a subtransaction that is rolled back, the empty
//! partitioned table that a conversion would make; [`mod@report`] plans each statement on it. [`judge`],
//! [`text`] and [`words`] are pure.
//!
//! Planning runs code that statements name: functions that are immutable, and for estimates stable
//! ones. So each is planned as the role that ran it, security-restricted, and only where the caller
//! may act as that role. Nothing is run, and nothing stays.

pub mod judge;
mod recorded;
mod report;
mod text;
mod twin;
pub mod usage;
pub mod words;

pub use recorded::Unknown;
pub use report::{Subject, report};
pub use usage::Usage;
