//! Foreign keys: what no statement does with them.

use super::list::members;
use super::transaction::running;
use super::{guarded, row};
use crate::error::Error;
use pgrx::pg_sys;
use std::ffi::{CString, c_char};

/// `ConstraintRelationId`, which pgrx does not name; the OIDs of catalogs never change.
const CONSTRAINT: u32 = 2606;
/// `ConstraintOidIndexId`, likewise.
const CONSTRAINT_BY_OID: u32 = 2667;

unsafe extern "C-unwind" {
    // catalog/pg_constraint.h is not part of pgrx's bindings: the same from 15 to 18. It is called only through
    // `guarded`.
    fn RenameConstraintById(constraint: pg_sys::Oid, name: *const c_char);
}

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

/// Takes a foreign key, or a part of one, off a table; its triggers have been taken off.
///
/// PostgreSQL itself would lock the table ACCESS EXCLUSIVE for that. The caller has it locked against writers; readers
/// do nothing with a foreign key but estimate by it, with a copy, as while one is added.
pub fn unmake(constraint: pg_sys::Oid, table: pg_sys::Oid) -> Result<(), Error> {
    let class = pg_sys::Oid::from(CONSTRAINT);
    row::delete(class, pg_sys::Oid::from(CONSTRAINT_BY_OID), constraint)?;
    // SAFETY: what PostgreSQL does to drop a constraint: what it depends on is forgotten, and what is said of it.
    unsafe {
        pg_sys::deleteDependencyRecordsFor(class, constraint, false);
        pg_sys::DeleteComments(constraint, class, 0);
        pg_sys::CacheInvalidateRelcacheByRelid(table);
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}

/// Gives a constraint another name; fails where its table has one of that name.
///
/// ALTER TABLE would lock the table ACCESS EXCLUSIVE, and wants the parts of a foreign key to have its name, if at all.
/// Nobody finds a constraint by its name but who alters it: the caller has the table locked against that.
pub fn rename(constraint: pg_sys::Oid, name: &str) -> Result<(), Error> {
    let Ok(name) = CString::new(name) else {
        return Err(Error::Internal("a name has a zero byte".to_owned()));
    };
    // SAFETY: the name lives as long as the call. What is not there, or has that name already, is an ERROR.
    unsafe {
        guarded(|| RenameConstraintById(constraint, name.as_ptr()));
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}
