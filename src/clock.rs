//! What "now" is, as SQL: for all of maintenance, in workers and sessions alike.
//!
//! In builds with the cargo feature `failpoints` a test may set `pg_partman_rs.test_clock`, which
//! then stands for the server's clock. Other builds have no such setting.

/// The present moment, the same one throughout a transaction: what premaking and retention go by.
#[cfg(not(feature = "failpoints"))]
pub const NOW: &str = "now()";

/// This very moment: when a run begins and ends, and the next one is due.
#[cfg(not(feature = "failpoints"))]
pub const MOMENT: &str = "clock_timestamp()";

#[cfg(feature = "failpoints")]
pub const NOW: &str =
    "coalesce(nullif(current_setting('pg_partman_rs.test_clock'), '')::timestamptz, now())";

#[cfg(feature = "failpoints")]
pub const MOMENT: &str = "coalesce(nullif(current_setting('pg_partman_rs.test_clock'), '')::timestamptz, clock_timestamp())";
