//! PostgreSQL's planner, asked about a statement as it would be with another relation in the place
//! of one that it names. Nothing is run, and no catalog is written.
//!
//! The caller sees to the transaction, the role and the settings: see [`super::transaction::rolled_back`]
//! and [`super::role::acting_as`]. What is allocated belongs to the current memory context.

mod compared;
mod functions;
mod hooks;
mod parse;
mod prune;
mod substitute;
mod walk;

pub use hooks::install;
pub use parse::Unfit;
pub use walk::Planned;

use super::list::{members, numbers};
use crate::plan::interval::KeyType;
use pgrx::pg_sys;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::rc::Rc;

/// The partitioned table that is planned with instead of the source. Its columns have the
/// attribute numbers that those of the source have.
pub struct Stand {
    pub source: pg_sys::Oid,
    pub twin: pg_sys::Oid,
    pub leaves: HashMap<pg_sys::Oid, Leaf>,
    /// The source's attribute number of each column of a leaf, which has no dropped ones.
    pub leaf_attnums: Vec<i16>,
    /// Constraints of the source, and their counterparts of the twin.
    pub constraints: Vec<(pg_sys::Oid, pg_sys::Oid)>,
    pub size: Size,
    pub key_type: KeyType,
    /// What a parameter is taken for where it is compared with the partition column.
    pub key: i64,
}

/// What the planner is told of an empty partition.
pub struct Leaf {
    /// Share of the source's rows.
    pub share: f64,
    /// Its indexes, with the size of their counterparts of the source.
    pub indexes: HashMap<pg_sys::Oid, Size>,
}

/// Size of a table or index, as `pg_class` has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub pages: f64,
    pub rows: f64,
    pub all_visible: f64,
}

/// The relations that are not known by name: `None` where a statement does not use the source.
type Outcome<T> = Result<Option<T>, Unfit>;

/// Who may be trusted with being run by the planner, with the rights of the present role: takes
/// functions, and says whether all of them may.
pub type Trust = fn(&[pg_sys::Oid]) -> bool;

/// From its text to what is planned, where planning it runs nothing but what is trusted.
fn trusted_queries(text: &CStr, trust: Trust) -> Result<Vec<*mut pg_sys::Query>, Unfit> {
    let queries = parse::queries(text)?;
    let functions = functions::of_queries(&queries);
    match functions.is_empty() || trust(&functions) {
        true => Ok(queries),
        false => Err(Unfit::Untrusted),
    }
}

/// Plans a statement as it is, and says by which columns of the source it chooses or joins rows:
/// attribute numbers, ascending.
pub fn compared_columns(text: &str, source: pg_sys::Oid, trust: Trust) -> Outcome<Vec<i16>> {
    let text = CString::new(text).map_err(|_| Unfit::Empty)?;
    let queries = trusted_queries(&text, trust)?;
    if !queries.iter().any(|query| substitute::uses(*query, source)) {
        return Ok(None);
    }
    let watch = hooks::Active::watching(source);
    for query in queries {
        walk::plan(query, &text);
    }
    Ok(Some(watch.compared()))
}

/// Plans a statement with the twin in the source's place.
pub fn plan(text: &str, stand: &Rc<Stand>, trust: Trust) -> Outcome<Planned> {
    let text = CString::new(text).map_err(|_| Unfit::Empty)?;
    let queries = trusted_queries(&text, trust)?;
    let mut planned = Planned::default();
    let mut is_used = false;
    let _active = hooks::Active::standing(Rc::clone(stand));
    for query in queries {
        let put = substitute::put(query, stand);
        is_used |= put.is_used;
        planned.names_only |= put.names_only;
        let statement = walk::plan(query, &text);
        walk::look(statement, stand, &mut planned);
    }
    Ok(is_used.then_some(planned))
}
