//! From a statement's text to what the planner takes.

use super::members;
use crate::pg::guarded;
use pgrx::pg_sys;
use std::ffi::{CStr, c_int};

unsafe extern "C-unwind" {
    // parser/parse_param.h is not part of pgrx's bindings. Both may raise an ERROR, and are called
    // only through `guarded`.
    fn setup_parse_variable_parameters(
        state: *mut pg_sys::ParseState,
        types: *mut *mut pg_sys::Oid,
        count: *mut c_int,
    );
    fn check_variable_parameters(state: *mut pg_sys::ParseState, query: *mut pg_sys::Query);
}

/// Why a text is no statement that has a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Empty,
    Several,
    /// A command that is not planned: COPY, TRUNCATE, VACUUM …
    Utility,
    /// It calls a function of somebody who may not act as the role that ran it. In that role's
    /// sessions the name may have meant another one.
    Untrusted,
}

/// Parses, analyses and rewrites a statement whose parameters are of unknown type. Relations that
/// it names are locked as for running it.
///
/// Hooks of other libraries are not told: nobody is to count this as a statement.
pub fn queries(text: &CStr) -> Result<Vec<*mut pg_sys::Query>, Unfit> {
    // SAFETY: the text outlives all that is made of it; the lists are of the types that the
    // parser and the rewriter promise; a parse state lives from make_ to free_parsestate, and no
    // longer than the memory context where an ERROR comes between.
    unsafe {
        let raw = pg_sys::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        let statements = members::<pg_sys::RawStmt>(raw);
        let raw = match statements.as_slice() {
            [] => return Err(Unfit::Empty),
            [one] => *one,
            _ => return Err(Unfit::Several),
        };
        let prepared = (*raw).stmt;
        (*raw).stmt = planned_part(prepared).ok_or(Unfit::Utility)?;
        let state = pg_sys::make_parsestate(std::ptr::null_mut());
        (*state).p_sourcetext = text.as_ptr();
        let (mut types, mut count) = declared_types(state, prepared);
        guarded(|| setup_parse_variable_parameters(state, &mut types, &mut count));
        let query = pg_sys::transformTopLevelStmt(state, raw);
        guarded(|| check_variable_parameters(state, query));
        pg_sys::free_parsestate(state);
        if (*query).commandType == pg_sys::CmdType::CMD_UTILITY {
            return Err(Unfit::Utility);
        }
        Ok(members(pg_sys::pg_rewrite_query(query)))
    }
}

/// The types that a PREPARE gives to its parameters, in an array that the parser may make longer.
///
/// # Safety
/// Both are live.
unsafe fn declared_types(
    state: *mut pg_sys::ParseState,
    statement: *mut pg_sys::Node,
) -> (*mut pg_sys::Oid, c_int) {
    // SAFETY: the caller's promise; the array has a place for each type.
    unsafe {
        if (*statement).type_ != pg_sys::NodeTag::T_PrepareStmt {
            return (std::ptr::null_mut(), 0);
        }
        let names = members((*statement.cast::<pg_sys::PrepareStmt>()).argtypes);
        if names.is_empty() {
            return (std::ptr::null_mut(), 0);
        }
        let types: *mut pg_sys::Oid = pg_sys::palloc(names.len() * size_of::<pg_sys::Oid>()).cast();
        for (place, name) in names.iter().enumerate() {
            *types.add(place) = pg_sys::typenameTypeId(state, *name);
        }
        (types, names.len() as c_int)
    }
}

/// The part of a raw statement that is planned: all of it, or the query of a cursor, of a prepared
/// statement, or of a table made from a query.
///
/// # Safety
/// `statement` is a live node.
unsafe fn planned_part(statement: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
    use pg_sys::NodeTag as Tag;
    // SAFETY: the caller's promise; each cast is to the type that the tag names.
    unsafe {
        match (*statement).type_ {
            // SELECT … INTO makes a table; the select is what is planned.
            Tag::T_SelectStmt => {
                (*statement.cast::<pg_sys::SelectStmt>()).intoClause = std::ptr::null_mut();
                Some(statement)
            }
            Tag::T_InsertStmt | Tag::T_UpdateStmt | Tag::T_DeleteStmt | Tag::T_MergeStmt => {
                Some(statement)
            }
            Tag::T_DeclareCursorStmt => {
                planned_part((*statement.cast::<pg_sys::DeclareCursorStmt>()).query)
            }
            Tag::T_CreateTableAsStmt => {
                planned_part((*statement.cast::<pg_sys::CreateTableAsStmt>()).query)
            }
            // pg_stat_statements has what EXECUTE runs under the text of its PREPARE.
            Tag::T_PrepareStmt => planned_part((*statement.cast::<pg_sys::PrepareStmt>()).query),
            _ => None,
        }
    }
}
