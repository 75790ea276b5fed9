//! Every error that a user of the extension can meet, worded once.

use crate::plan::blockers::Blocker;
use crate::plan::bounds::BoundsError;
use crate::plan::interval::IntervalError;
use crate::plan::names::quote_ident;
use crate::plan::phase::Phase;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, function_name};
use std::time::Duration;

/// What went wrong.
#[derive(Debug)]
pub enum Error {
    /// The relation is not something that can be partitioned at all.
    WrongRelation { relation: String, detail: String },
    /// There is no such relation.
    NoRelation { oid: u32 },
    /// The caller may not act as the table's owner.
    NotOwner { relation: String, owner: String },
    /// The caller may not read the table, and so not its statistics.
    NotReadable { relation: String },
    /// The table cannot be converted as it stands: all reasons at once.
    Blocked {
        relation: String,
        blockers: Vec<Blocker>,
    },
    /// An argument has a value that makes no sense.
    Argument {
        message: String,
        detail: Option<String>,
        hint: Option<String>,
    },
    /// An argument that must be given is null.
    NullArgument { argument: &'static str },
    /// The table has no such column.
    NoColumn { relation: String, column: String },
    /// The relation is no partitioned table that is managed.
    NotManaged { relation: String, detail: String },
    /// There is no policy for this table.
    NoPolicy { relation: String },
    /// There is no such schema.
    NoSchema { schema: String },
    /// A table's owner may not put tables into a schema.
    MayNotCreate { schema: String, owner: String },
    /// A table is not in the recycle bin.
    NotRecycled { relation: String },
    /// A table of the recycle bin cannot be attached again.
    NotRestorable {
        relation: String,
        parent: String,
        detail: String,
        hint: Option<&'static str>,
    },
    /// Another row has the key of a row of a partition whose keys were taken out of the guard.
    KeyTaken { partition: String, detail: String },
    /// What the caller left open cannot be advised.
    NoAdvice {
        relation: String,
        /// The column that was given, for which an interval was wanted.
        column: Option<String>,
        reasons: Vec<String>,
    },
    /// The plan is not the one that the caller has seen.
    PlanChanged { relation: String, changed: String },
    /// A conversion of this table is already under way.
    AlreadyConverting { relation: String, phase: String },
    /// There is no conversion of this table.
    NoConversion { relation: String },
    /// The conversion is in a phase in which this cannot be done.
    WrongPhase {
        relation: String,
        action: &'static str,
        phase: Phase,
    },
    /// Another release began the conversion, and wrote its plan in another form.
    OtherVersion {
        relation: String,
        version: i32,
        readable: i32,
    },
    /// The conversion was begun before pg_upgrade.
    OtherCluster { relation: String },
    /// The conversion failed; the waiting session is told what the worker recorded.
    ConversionFailed {
        relation: String,
        sqlstate: String,
        message: String,
    },
    /// The conversion was taken back.
    WasCancelled { relation: String },
    /// The conversion has no worker any more.
    WorkerLost { relation: String, phase: String },
    /// A wait ended before the conversion did.
    TimedOut { relation: String, phase: String },
    /// A call that needs transactions of its own was made inside one.
    InTransaction { procedure: &'static str },
    /// No background worker could be started.
    NoWorker { slots: i32 },
    /// No background worker could connect as the role of the session.
    NoLogin { role: String, detail: String },
    /// The source was altered while it was being converted.
    SourceAltered { relation: String, detail: String },
    /// Its definition is another; it would do to put that back.
    DefinitionChanged { relation: String, detail: String },
    /// The twin, or a leaf, is not any more what it was made as.
    TwinAltered { relation: String, twin: String },
    /// The result would not be what the source was.
    NotFaithful { relation: String, detail: String },
    /// The source is gone.
    SourceGone { relation: String },
    /// Source and twin differ.
    Mismatch {
        relation: String,
        partitions: Vec<String>,
    },
    /// A short lock could not be had in time.
    LockNotAvailable {
        relation: String,
        purpose: &'static str,
    },
    /// All that transactions in the way left of `limit` was too short.
    LockTimeout {
        relation: String,
        purpose: &'static str,
        limit: Duration,
    },
    /// The table that the swap had retired was renamed since.
    NotRetired { relation: String, retired: String },
    /// Changes come in faster than they can be applied.
    CannotKeepUp { relation: String },
    /// Deletions come in so often that none of the swap's attempts finds a moment without.
    SlowDeletions { relation: String },
    /// A snapshot older than the copy would see an incomplete table after the swap.
    OldSnapshot { relation: String, detail: String },
    /// What pg_stat_statements knows is not to be had.
    NoStatements { detail: String, hint: String },
    /// Nothing says how a column's values lie.
    NoStatistics { relation: String, column: String },
    /// The lock table has no room for so many partitions.
    NoRoom {
        relation: String,
        locks: i64,
        slots: i64,
    },
    /// Something that cannot happen, did.
    Internal(String),
    /// A failure of SPI that is our own mistake.
    Spi(String),
}

/// The four parts of a message.
pub struct Wording {
    pub code: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Wording {
    fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Wording {
            code,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Error {
    /// The SQLSTATE, message, detail and hint of this error.
    pub fn wording(self) -> Wording {
        use PgSqlErrorCode as Code;
        match self {
            Error::WrongRelation { relation, detail } => Wording::new(
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{relation}\" is not a table that can be converted"),
            )
            .detail(detail),
            Error::NoRelation { oid } => Wording::new(
                Code::ERRCODE_UNDEFINED_TABLE,
                format!("relation with OID {oid} does not exist"),
            ),
            Error::NotOwner { relation, owner } => Wording::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("must be owner of table \"{relation}\""),
            )
            .detail(format!("The table belongs to role \"{owner}\".")),
            Error::NotReadable { relation } => Wording::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied for table \"{relation}\""),
            )
            .detail("Its statistics are hidden from whoever may not SELECT from it."),
            Error::Blocked { relation, blockers } => {
                let mut hints: Vec<&str> = Vec::new();
                for hint in blockers.iter().filter_map(|b| b.hint.as_deref()) {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
                let wording = Wording::new(
                    Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                    format!("cannot convert table \"{relation}\" as it stands"),
                )
                .detail(lines(blockers.iter().map(|b| b.fact.as_str())));
                match hints.is_empty() {
                    true => wording,
                    false => wording.hint(lines(hints.into_iter())),
                }
            }
            Error::Argument { message, detail, hint } => Wording {
                code: Code::ERRCODE_INVALID_PARAMETER_VALUE,
                message,
                detail,
                hint,
            },
            Error::NullArgument { argument } => Wording::new(
                Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                format!("{argument} must not be null"),
            ),
            Error::NoColumn { relation, column } => Wording::new(
                Code::ERRCODE_UNDEFINED_COLUMN,
                format!("column \"{column}\" of table \"{relation}\" does not exist"),
            ),
            Error::NotManaged { relation, detail } => Wording::new(
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{relation}\" is not a table whose partitions can be managed"),
            )
            .detail(detail)
            .hint("Ranges of one column of type timestamp with time zone, timestamp, date, smallint, integer or bigint are managed; with key_codec those of ids that carry a time, too; lists of values of one column; and hashes."),
            Error::NoPolicy { relation } => Wording::new(
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!("there is no partition policy for table \"{relation}\""),
            )
            .hint("Call set_partition_policy first."),
            Error::NoSchema { schema } => Wording::new(
                Code::ERRCODE_INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            )
            .hint("Create it first, or name another."),
            Error::MayNotCreate { schema, owner } => Wording::new(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("permission denied for schema \"{schema}\""),
            )
            .detail(format!("The table's owner \"{owner}\" may not create tables there."))
            .hint(format!(
                "GRANT CREATE ON SCHEMA {} TO {};",
                quote_ident(&schema),
                quote_ident(&owner)
            )),
            Error::NotRecycled { relation } => Wording::new(
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!("table \"{relation}\" is not in the recycle bin"),
            )
            .hint("Look at partman_rs.recycle_bin."),
            Error::NotRestorable { relation, parent, detail, hint } => {
                let wording = Wording::new(
                    Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("cannot restore \"{relation}\" as a partition of table \"{parent}\""),
                )
                .detail(detail);
                match hint {
                    Some(hint) => wording.hint(hint),
                    None => wording,
                }
            }
            Error::KeyTaken { partition, detail } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot give the rows of partition \"{partition}\" their keys in the guard back"),
            )
            .detail(format!("Another row has the key of one of them by now: {detail}."))
            .hint("Delete one of the two rows, then try again."),
            Error::NoAdvice { relation, column, reasons } => Wording::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                match column {
                    Some(column) => format!("cannot choose a partition interval for column \"{column}\" of table \"{relation}\""),
                    None => format!("cannot choose a partition column for table \"{relation}\""),
                },
            )
            .detail(lines(reasons.iter().map(String::as_str)))
            .hint("Pass partition_column and partition_interval, or look at analyze_table_for_partitioning."),
            Error::PlanChanged { relation, changed } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the plan for table \"{relation}\" is not any more the one of this plan_hash"),
            )
            .detail(format!("What changed: {changed}."))
            .hint("Call it with dry_run => true, read the plan, and pass its plan_hash."),
            Error::AlreadyConverting { relation, phase } => Wording::new(
                Code::ERRCODE_OBJECT_IN_USE,
                format!("table \"{relation}\" is already being converted"),
            )
            .detail(format!("Its conversion is in phase \"{phase}\"."))
            .hint("Look at partman_rs.conversions, or end it with cancel_conversion or finish_conversion."),
            Error::NoConversion { relation } => Wording::new(
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!("there is no conversion of table \"{relation}\""),
            )
            .hint("Look at partman_rs.conversions."),
            Error::WrongPhase { relation, action, phase } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("conversion of table \"{relation}\" cannot be {action} now"),
            )
            .detail(format!("It is in phase \"{}\".", phase.name()))
            .hint(match phase {
                Phase::Reversible => "Call finish_conversion to drop the retired table.",
                Phase::Finished | Phase::Cancelled => "It is over.",
                Phase::Paused | Phase::Failed => "Call resume_conversion or cancel_conversion.",
                _ => "Wait for it with wait_for_conversion, or look at partman_rs.conversions.",
            }),
            Error::OtherVersion { relation, version, readable } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("conversion of table \"{relation}\" was begun by another version of pg_partman_rs"),
            )
            .detail(format!("Its plan is written in version {version} of the format; this one reads version {readable}."))
            .hint(
                "Nothing was lost. Either call cancel_conversion, then convert_to_partitioned again, \
                 or go on with the version of pg_partman_rs that began it.",
            ),
            Error::OtherCluster { relation } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("conversion of table \"{relation}\" was begun in another cluster"),
            )
            .detail("What pg_upgrade brings over cannot be gone on with.")
            .hint("Nothing was lost. Call cancel_conversion, then convert_to_partitioned again."),
            Error::ConversionFailed { relation, sqlstate, message } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("conversion of table \"{relation}\" did not succeed"),
            )
            .detail(format!("It stopped with SQLSTATE {sqlstate}: {message}"))
            .hint("Call resume_conversion to go on from where it stopped, or cancel_conversion to give it up."),
            Error::WasCancelled { relation } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("conversion of table \"{relation}\" was cancelled"),
            ),
            Error::WorkerLost { relation, phase } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("conversion of table \"{relation}\" has lost its worker"),
            )
            .detail(format!("It is in phase \"{phase}\"."))
            .hint("Call resume_conversion to go on from where it was."),
            Error::TimedOut { relation, phase } => Wording::new(
                Code::ERRCODE_QUERY_CANCELED,
                format!("conversion of table \"{relation}\" is not done yet"),
            )
            .detail(format!("It is in phase \"{phase}\"."))
            .hint("Call wait_for_conversion again, or look at partman_rs.conversions."),
            Error::InTransaction { procedure } => Wording::new(
                Code::ERRCODE_ACTIVE_SQL_TRANSACTION,
                format!("{procedure} cannot be called inside a transaction block"),
            )
            .detail("A conversion that this transaction asked for starts at its commit.")
            .hint("Commit first, then call it with autocommit on."),
            Error::NoWorker { slots } => Wording::new(
                Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                "could not start a background worker for the conversion",
            )
            .detail(format!("All background worker slots are in use (max_worker_processes is {slots})."))
            .hint("Try again when another worker has ended, or raise max_worker_processes."),
            Error::NoLogin { role, detail } => Wording::new(
                Code::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                format!("no background worker can connect as role \"{role}\""),
            )
            .detail(detail)
            .hint("RESET SESSION AUTHORIZATION, and use SET ROLE instead: the worker connects as the role that logged in."),
            Error::DefinitionChanged { relation, detail } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("table \"{relation}\" was altered during the conversion"),
            )
            .detail(detail)
            .hint(
                "Nothing was lost. Either undo that change and call resume_conversion, or call cancel_conversion, \
                 then convert_to_partitioned again.",
            ),
            Error::SourceAltered { relation, detail } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("table \"{relation}\" was altered during the conversion"),
            )
            .detail(detail)
            .hint("Call cancel_conversion, then convert_to_partitioned again."),
            Error::TwinAltered { relation, twin } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the partitioned copy of table \"{relation}\" was altered during the conversion"),
            )
            .detail(format!("Table \"{twin}\", or a partition of it, was altered, renamed or dropped."))
            .hint("Call cancel_conversion, then convert_to_partitioned again."),
            Error::NotFaithful { relation, detail } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("partitioned table would differ from table \"{relation}\""),
            )
            .detail(detail)
            .hint("Nothing was changed. Alter what differs and call resume_conversion, or call cancel_conversion."),
            Error::SourceGone { relation } => Wording::new(
                Code::ERRCODE_UNDEFINED_TABLE,
                format!("table \"{relation}\" was dropped during the conversion"),
            ),
            Error::Mismatch { relation, partitions } => Wording::new(
                Code::ERRCODE_DATA_CORRUPTED,
                format!("the partitioned copy of table \"{relation}\" differs from it"),
            )
            .detail(lines(partitions.iter().map(String::as_str)))
            .hint("Nothing was lost: the table itself is untouched. Call cancel_conversion, and report this."),
            Error::LockNotAvailable { relation, purpose } => Wording::new(
                Code::ERRCODE_LOCK_NOT_AVAILABLE,
                format!("could not lock table \"{relation}\" for {purpose}"),
            )
            .hint("Try again when the transactions that use it have ended."),
            Error::LockTimeout { relation, purpose, limit } => Wording::new(
                Code::ERRCODE_LOCK_NOT_AVAILABLE,
                format!("could not lock table \"{relation}\" for {purpose}"),
            )
            .detail(format!(
                "Transactions that use it, or what is locked with it, left no gap within the time that others are made to wait for it: \
                 pg_partman_rs.swap_lock_timeout, {} ms for this conversion. It is tried again.",
                limit.as_millis()
            ))
            .hint("End long transactions. Where short ones never leave a gap, set pg_partman_rs.swap_lock_timeout higher, and call pause_conversion and resume_conversion in that session."),
            Error::NotRetired { relation, retired } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("table \"{relation}\" is not the retired table any more"),
            )
            .detail(format!("The swap had left it as \"{retired}\"; it was renamed since."))
            .hint("If it is not needed, give it that name again, and call finish_conversion."),
            Error::CannotKeepUp { relation } => Wording::new(
                Code::ERRCODE_INSUFFICIENT_RESOURCES,
                format!("changes of table \"{relation}\" arrive faster than they can be applied"),
            )
            .detail("The conversion goes on, and swaps as soon as it has caught up.")
            .hint("It will do so when fewer changes are made, or when the server has more time to spare."),
            Error::SlowDeletions { relation } => Wording::new(
                Code::ERRCODE_OBJECT_IN_USE,
                format!("deletions hold up the swap of table \"{relation}\""),
            )
            .detail("The table has no key and no index that would find a deleted row, so that each deletion reads a whole partition, which would block others under the lock. The swap waits for a moment without deletions.")
            .hint("Pause the statements that delete or update rows of it for a few seconds, or cancel the conversion and create an index on the partition column first."),
            Error::OldSnapshot { relation, detail } => Wording::new(
                Code::ERRCODE_OBJECT_IN_USE,
                format!("an old snapshot holds up the swap of table \"{relation}\""),
            )
            .detail(detail)
            .hint("End that transaction, then call resume_conversion."),
            Error::NoStatements { detail, hint } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the statements of this database are not known",
            )
            .detail(detail)
            .hint(hint),
            Error::NoStatistics { relation, column } => Wording::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("there are no statistics of column \"{column}\" of table \"{relation}\""),
            )
            .hint("Run ANALYZE on the table."),
            Error::NoRoom { relation, locks, slots } => Wording::new(
                Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                format!("the lock table has too little room to make the partitions of table \"{relation}\" for a look"),
            )
            .detail(format!("It would take {locks} locks; there is room for {slots} in all, which all sessions share."))
            .hint("Choose a longer partition_interval, or raise max_locks_per_transaction."),
            Error::Internal(message) => Wording::new(Code::ERRCODE_INTERNAL_ERROR, message)
                .hint("This is a bug in pg_partman_rs. Please report it."),
            Error::Spi(message) => Wording::new(
                Code::ERRCODE_INTERNAL_ERROR,
                format!("unexpected result of an internal query: {message}"),
            )
            .hint("This is a bug in pg_partman_rs. Please report it."),
        }
    }
}

fn lines<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join("\n")
}

impl From<Error> for ErrorReport {
    fn from(error: Error) -> Self {
        let Wording {
            code,
            message,
            detail,
            hint,
        } = error.wording();
        let mut report = ErrorReport::new(code, message, function_name!());
        if let Some(detail) = detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = hint {
            report = report.set_hint(hint);
        }
        report
    }
}

impl From<IntervalError> for Error {
    fn from(error: IntervalError) -> Self {
        Error::Argument {
            message: error.message(),
            detail: error.detail(),
            hint: error.hint(),
        }
    }
}

impl From<BoundsError> for Error {
    fn from(error: BoundsError) -> Self {
        Error::Argument {
            message: error.message(),
            detail: error.detail(),
            hint: error.hint(),
        }
    }
}

impl From<pgrx::spi::Error> for Error {
    fn from(error: pgrx::spi::Error) -> Self {
        Error::Spi(error.to_string())
    }
}
