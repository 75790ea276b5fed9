//! Sentences about statements.

use super::recorded::Unknown;
use super::usage::{Sum, Unplanned};
use crate::analyze::words::{count, percent};
use crate::pg::planner::Unfit;
use crate::pg::transaction::Failure;

/// Why a text has no plan.
pub fn unfit(unfit: Unfit) -> String {
    match unfit {
        Unfit::Empty => "Its text was lost.",
        Unfit::Several => "Its text is several statements.",
        Unfit::Utility => "It is a command that has no plan.",
        Unfit::Untrusted => {
            "It calls a function whose owner may not act as the role that ran it: planning could run it with that role's rights."
        }
    }
    .to_owned()
}

/// Why a statement is not planned.
pub fn unplanned(unplanned: &Unplanned) -> String {
    match unplanned {
        Unplanned::Command => unfit(Unfit::Utility),
        Unplanned::Because(why) => why.clone(),
    }
}

/// Why nothing is known of statements.
pub fn unknown(unknown: &Unknown) -> String {
    match unknown {
        Unknown::SwitchedOff => "pg_partman_rs.analyze_queries is 0.".to_owned(),
        Unknown::NotInstalled => {
            "Extension pg_stat_statements is not installed in this database.".to_owned()
        }
        Unknown::NotReadable => "You may not read the view pg_stat_statements.".to_owned(),
        Unknown::Failing(message) => format!("Its view says: {message}."),
    }
}

/// What to do about that.
pub fn way_out(unknown: &Unknown) -> &'static str {
    match unknown {
        Unknown::SwitchedOff => {
            "Set pg_partman_rs.analyze_queries to the number of statements to plan."
        }
        Unknown::NotInstalled | Unknown::Failing(_) => {
            "Put pg_stat_statements into shared_preload_libraries, restart the server, and run CREATE EXTENSION pg_stat_statements."
        }
        Unknown::NotReadable => "GRANT USAGE on its schema and SELECT on it.",
    }
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
        1 if share > 0.0 => "Its one statement would read fewer partitions.".to_owned(),
        1 => "Its one statement would not read fewer partitions.".to_owned(),
        _ => format!(
            "Of the time of its {} statements, {} goes to those that would read fewer partitions.",
            count(statements as f64),
            percent(share)
        ),
    }
}

/// Statements that the conversion would break.
pub fn fails(statements: usize) -> String {
    match statements {
        1 => {
            "One of its statements would fail after the conversion: see query_pruning().".to_owned()
        }
        _ => format!(
            "{} of its statements would fail after the conversion: see query_pruning().",
            count(statements as f64)
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
