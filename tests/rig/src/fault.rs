//! What went wrong with a statement, sorted by what a client may do about it.

use std::error::Error as _;

use postgres::Error;
use postgres::error::SqlState;

/// The kinds of failure the rig tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is gone or was refused: the outcome of the last transaction is unknown.
    Lost,
    /// PostgreSQL's answer to two sessions that meet on a row which moves to another partition.
    Moved,
    /// A lock was not to be had in the time allowed.
    LockTimeout,
    /// Everything else: never to be forgiven.
    Refused,
}

/// Sorts an error.
pub fn classify(error: &Error) -> Fault {
    let Some(db) = error.as_db_error() else {
        return if broke(error) {
            Fault::Lost
        } else {
            Fault::Refused
        };
    };
    let code = db.code();
    if [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
    ]
    .contains(&code)
    {
        Fault::Lost
    } else if *code == SqlState::T_R_SERIALIZATION_FAILURE
        && db.message().contains("moved to another partition")
    {
        Fault::Moved
    } else if *code == SqlState::LOCK_NOT_AVAILABLE {
        Fault::LockTimeout
    } else {
        Fault::Refused
    }
}

/// Whether it was the connection that failed, not the use we made of it.
fn broke(error: &Error) -> bool {
    let by_io = error
        .source()
        .is_some_and(|cause| cause.is::<std::io::Error>());
    error.is_closed() || by_io
}

/// The SQLSTATE, where the server gave one.
pub fn sqlstate(error: &Error) -> Option<String> {
    error.code().map(|code| code.code().to_owned())
}

/// Everything the server said, on one line per field.
pub fn describe(error: &Error) -> String {
    let Some(db) = error.as_db_error() else {
        return format!("{error:?}");
    };
    let mut text = format!("{} {}: {}", db.severity(), db.code().code(), db.message());
    for (label, field) in [
        ("DETAIL", db.detail()),
        ("HINT", db.hint()),
        ("CONTEXT", db.where_()),
    ] {
        if let Some(field) = field {
            text.push_str(&format!("\n  {label}: {field}"));
        }
    }
    text
}
