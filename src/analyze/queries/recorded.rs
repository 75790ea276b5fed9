//! What pg_stat_statements knows about the statements of this database.

use crate::db;
use crate::error::Error;
use crate::pg::transaction::rolled_back;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

const VIEW: &str = include_str!("sql/view.sql");
const NAMES: &str = include_str!("sql/names.sql");
const RECORDED: &str = include_str!("sql/recorded.sql");
const SEARCH_PATH: &str = include_str!("sql/search_path.sql");

/// A statement, all calls of one role taken together.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `None` where its text is hidden from the caller.
    pub id: Option<i64>,
    pub role: pg_sys::Oid,
    /// `None` where the role was dropped.
    pub role_name: Option<String>,
    pub text: Option<String>,
    pub calls: i64,
    /// Milliseconds of execution.
    pub time: f64,
}

/// Why nothing is known of the statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    SwitchedOff,
    NotInstalled,
    NotReadable,
    /// What PostgreSQL says when the view is read.
    Failing(String),
}

/// The names by which statements reach a table.
pub fn names(source: pg_sys::Oid) -> Result<Vec<String>, Error> {
    db::rows(NAMES, &[source.into()], |row| row.get(1))
}

/// The statements that may use a table with these names, those with the most time first. `Err`
/// is why that is not to be had.
pub fn read(names: &[String]) -> Result<Result<Vec<Recorded>, Unknown>, Error> {
    let view = db::row(VIEW, &[], |row| {
        Ok((
            row.get::<String>(1)?,
            row.find::<String>(2)?,
            row.get::<bool>(3)?,
        ))
    })?;
    let (schema, time) = match view {
        Some((schema, Some(time), true)) => (schema, time),
        Some((_, Some(_), false)) => return Ok(Err(Unknown::NotReadable)),
        _ => return Ok(Err(Unknown::NotInstalled)),
    };
    let view = QualifiedName::new(schema, "pg_stat_statements");
    let sql = Sql::template(RECORDED)
        .name("view", &view)
        .ident("time", &time)
        .build();
    // In a quoted name a quote is doubled.
    let wanted: Vec<String> = names
        .iter()
        .flat_map(|name| [name.clone(), name.replace('"', "\"\"")])
        .collect();
    // The view fails where the library was not preloaded.
    let found = rolled_back(|| {
        db::rows(&sql, &[wanted.into()], |row| {
            Ok(Recorded {
                id: row.find(1)?,
                role: row.get(2)?,
                role_name: row.find(3)?,
                text: row.find(4)?,
                calls: row.get(5)?,
                time: row.get(6)?,
            })
        })
    });
    Ok(found.map_err(|failure| Unknown::Failing(failure.message)))
}

/// The `search_path` that sessions of a role begin with.
pub fn search_path(role: pg_sys::Oid) -> Result<String, Error> {
    db::value(SEARCH_PATH, &[role.into()])
}
