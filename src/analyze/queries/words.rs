//! Sentences about statements.

use super::usage::Sum;
use crate::analyze::words::{count, percent};
use crate::pg::planner::Unfit;
use crate::pg::transaction::Failure;

/// Why a text has no plan.
pub fn unfit(unfit: Unfit) -> String {
    match unfit {
        Unfit::Empty => "Its text was lost.",
        Unfit::Several => "Its text is several statements.",
        Unfit::Utility => "It is a command that has no plan.",
    }
    .to_owned()
}

/// Why it could not be planned, in PostgreSQL's words.
pub fn failure(failure: &Failure) -> String {
    format!(
        "It cannot be planned: {} ({}).",
        failure.message,
        failure.sqlstate()
    )
}

/// Why it could not be planned on the partitioned table, where it can be on the table as it is.
pub fn failure_after(failure: &Failure) -> String {
    format!(
        "It would fail after the conversion: {} ({}).",
        failure.message,
        failure.sqlstate()
    )
}

/// What the statements gain together.
pub fn gain(statements: usize, share: f64) -> String {
    match statements {
        1 => format!(
            "Of the time of its one statement, {} goes to reading that would be of fewer partitions.",
            percent(share)
        ),
        _ => format!(
            "Of the time of its {} statements, {} goes to those that would read fewer partitions.",
            count(statements as f64),
            percent(share)
        ),
    }
}

/// Statements beyond the limit.
pub fn left_out(sum: &Sum) -> String {
    format!(
        "{} more statements name the table and were not looked at (pg_partman_rs.analyze_queries).",
        count(sum.statements as f64)
    )
}

/// Statements whose text is hidden.
pub fn hidden(sum: &Sum) -> String {
    format!(
        "The text of {} statements of other roles is hidden from you; they may be on any table (pg_read_all_stats).",
        count(sum.statements as f64)
    )
}
