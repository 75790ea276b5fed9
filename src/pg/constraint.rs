//! Foreign keys: what no statement does with them.

use super::list::members;
use super::transaction::running;
use crate::error::Error;
use pgrx::pg_sys;
use std::ffi::CString;

/// `ConstraintRelationId`, which pgrx does not name; the OIDs of catalogs never change.
const CONSTRAINT: u32 = 2606;

/// Runs the ALTER TABLE that adds one foreign key, and looks at no row: it is valid, as that of a table which is
/// just being created. That all rows satisfy it, the caller answers for.
///
/// PostgreSQL itself says so to ALTER TABLE where CREATE TABLE has foreign keys. Of one that is NOT VALID, or NOT
/// ENFORCED, nothing is claimed.
///
/// Fails where the text is something else.
pub fn add_without_looking(statement: &str) -> Result<(), Error> {
    let refused = || Err(Error::Internal(format!("no foreign key: {statement}")));
    let Ok(text) = CString::new(statement) else {
        return refused();
    };
    // SAFETY: the text outlives what is parsed of it; the lists are of the types that the parser promises,
    // and what a node is, its tag says before it is taken for that. The utility wants a snapshot, which an
    // ERROR gives back with the transaction.
    running(statement, || unsafe {
        let raw = pg_sys::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        let [parsed] = members::<pg_sys::RawStmt>(raw)[..] else {
            return refused();
        };
        let parsed = (*parsed).stmt;
        if (*parsed).type_ != pg_sys::NodeTag::T_AlterTableStmt {
            return refused();
        }
        let alter = parsed.cast::<pg_sys::AlterTableStmt>();
        let [command] = members::<pg_sys::AlterTableCmd>((*alter).cmds)[..] else {
            return refused();
        };
        let key = (*command).def;
        if (*command).subtype != pg_sys::AlterTableType::AT_AddConstraint
            || (*key).type_ != pg_sys::NodeTag::T_Constraint
        {
            return refused();
        }
        let key = key.cast::<pg_sys::Constraint>();
        if (*key).contype != pg_sys::ConstrType::CONSTR_FOREIGN {
            return refused();
        }
        // NOT VALID is both: not looked at, and not valid.
        (*key).skip_validation = true;
        let planned =
            pg_sys::palloc0(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
        (*planned).type_ = pg_sys::NodeTag::T_PlannedStmt;
        (*planned).commandType = pg_sys::CmdType::CMD_UTILITY;
        (*planned).utilityStmt = parsed;
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        pg_sys::ProcessUtility(
            planned,
            text.as_ptr(),
            false,
            pg_sys::ProcessUtilityContext::PROCESS_UTILITY_QUERY,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone),
            std::ptr::null_mut(),
        );
        pg_sys::PopActiveSnapshot();
        pg_sys::CommandCounterIncrement();
        Ok(())
    })
}

/// Drops a constraint of a table that is locked ACCESS EXCLUSIVE, with what is part of it; fails where something
/// else depends on it.
///
/// ALTER TABLE would lock ACCESS EXCLUSIVE what a foreign key points at, for the triggers that it has there.
/// The caller has unmade these.
pub fn drop(constraint: pg_sys::Oid) {
    let address = pg_sys::ObjectAddress {
        classId: pg_sys::Oid::from(CONSTRAINT),
        objectId: constraint,
        objectSubId: 0,
    };
    // SAFETY: the address is complete; what depends on it is locked and looked up within.
    unsafe {
        pg_sys::performDeletion(&address, pg_sys::DropBehavior::DROP_RESTRICT, 0);
        pg_sys::CommandCounterIncrement();
    }
}
