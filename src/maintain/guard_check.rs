//! Whether the guard of a key holds what it is to hold, and is kept so.

use super::adopt;
use super::managed::Table;
use crate::catalog::guard::{self, Fault};
use crate::db;
use crate::error::Error;
use crate::pg::settings;
use crate::plan::columns::listed;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// Something that is wrong.
pub struct Finding {
    pub kind: &'static str,
    /// The key that it is about, and where a row of it lies, as SQL writes rows.
    pub key: Option<String>,
    pub reason: String,
}

/// All that is wrong with the guard of a table, as of one moment: first what keeps it exact, then keys and rows.
pub fn check(parent: pg_sys::Oid) -> Result<Vec<Finding>, Error> {
    // ACCESS SHARE on the table, and on what it is a partition of, until the end of the transaction; likewise, where
    // rows are read, on its partitions and on the guard.
    let table = Table::read(parent)?;
    adopt::may_steer(table.owner, &table.name.name)?;
    let Some((guard, name)) = guard::find(parent)? else {
        return Err(Error::Argument {
            message: format!("table \"{}\" has no guard", table.name.name),
            detail: Some(
                "Nothing of what convert_to_partitioned(…, unique_guard => true) makes is there."
                    .to_owned(),
            ),
            hint: None,
        });
    };
    let mut found: Vec<Finding> = (guard::faults(guard, parent)?.into_iter())
        .map(|Fault { kind, reason, .. }| Finding {
            kind,
            key: None,
            reason,
        })
        .collect();
    let sql = differences(&table.name, &name, &guard::columns(guard)?);
    found.extend(table.as_owner(|| {
        settings::within(&settings::AS_WRITTEN, || {
            db::rows(&sql, &[], |row| {
                let (kind, reason) = match row.get(1)? {
                    true => ("row", "its key is not in the guard"),
                    false => ("key", "the guard has it, and the table no such row"),
                };
                Ok(Finding {
                    kind,
                    key: Some(row.get(2)?),
                    reason: reason.to_owned(),
                })
            })
        })
    })?);
    Ok(found)
}

/// So many of each kind are told.
const MOST: i64 = 1000;

/// The query for rows without a key, and keys without a row: one statement, so that both are seen at one moment.
fn differences(table: &QualifiedName, guard: &QualifiedName, columns: &[String]) -> String {
    Sql::template(
        "(SELECT true, ROW(d.*)::text FROM (SELECT {columns} FROM {table} EXCEPT ALL SELECT {columns} FROM ONLY {guard}) d ORDER BY 2 LIMIT {most}) \
         UNION ALL \
         (SELECT false, ROW(d.*)::text FROM (SELECT {columns} FROM ONLY {guard} EXCEPT ALL SELECT {columns} FROM {table}) d ORDER BY 2 LIMIT {most})",
    )
    .trusted("columns", &listed(columns))
    .name("table", table)
    .name("guard", guard)
    .number("most", MOST)
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_compared_in_one_statement() {
        let name = |name| QualifiedName::new("public", name);
        let columns = ["Id".to_owned(), "at".to_owned()];
        assert_eq!(
            differences(&name("T"), &name("g"), &columns),
            "(SELECT true, ROW(d.*)::text FROM (SELECT \"Id\", at FROM public.\"T\" EXCEPT ALL SELECT \"Id\", at FROM ONLY public.g) d ORDER BY 2 LIMIT 1000) \
             UNION ALL \
             (SELECT false, ROW(d.*)::text FROM (SELECT \"Id\", at FROM ONLY public.g EXCEPT ALL SELECT \"Id\", at FROM public.\"T\") d ORDER BY 2 LIMIT 1000)"
        );
    }
}
