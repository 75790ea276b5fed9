//! The rows of a new value, which lie in the default partition until they are moved.

use super::act;
use super::managed::Table;
use super::read::Subject;
use crate::db;
use crate::error::Error;
use crate::plan::columns::listed;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use crate::request;

/// Rows of a default partition that have one value in the partition column.
pub struct Newcomers<'a> {
    pub table: &'a Table,
    pub default: QualifiedName,
    /// Whether a row is one of them, as it is written in SQL.
    pub has_it: String,
}

impl Newcomers<'_> {
    /// How many they are, counted up to so many and one more.
    pub fn count(&self, most: u32) -> Result<i64, Error> {
        let sql = self
            .template("SELECT count(*) FROM (SELECT FROM ONLY {default} WHERE {has_it} LIMIT {most}) AS rows")
            .number("most", i64::from(most) + 1)
            .build();
        self.table.as_owner(|| db::value(&sql, &[]))
    }

    /// The times that they have in the column of a level, which is divided by ranges of time, as its keys:
    /// each is known to be from here to there, both included.
    pub fn times(&self, level: &Subject) -> Result<Vec<(i64, i64)>, Error> {
        let template = "SELECT DISTINCT {key} FROM (SELECT {level} FROM ONLY {default} WHERE {has_it}) AS newcomer(t) WHERE t IS NOT NULL";
        let sql = self.template(template).ident("level", &level.column);
        if let Some(codec) = level.codec {
            let sql = sql.trusted("key", "t::text").build();
            let ids: Vec<String> = self
                .table
                .as_owner(|| db::rows(&sql, &[], |row| row.get(1)))?;
            // What tells no time may lie anywhere.
            let time = |id: &String| codec.decode(&codec.read(id)?);
            let anywhere = (i64::MIN, i64::MAX);
            return Ok(ids.iter().map(|id| time(id).unwrap_or(anywhere)).collect());
        }
        // What is infinite lies before, or behind, all else.
        let key = format!(
            "CASE WHEN isfinite(t) THEN {} WHEN t::text = '-infinity' THEN '{}'::bigint ELSE '{}'::bigint END",
            request::as_key(level.set.key),
            i64::MIN,
            i64::MAX
        );
        let sql = sql.trusted("key", &key).build();
        self.table.as_owner(|| {
            db::rows(&sql, &[], |row| {
                let key = row.get(1)?;
                Ok((key, key))
            })
        })
    }

    /// Whether a row is one of them and no partition of that table takes it, at whatever level, as it is written in SQL.
    /// The table is partitioned, and no partition itself, as yet: PostgreSQL writes down what the lowest ones take.
    pub fn homeless(&self, name: &QualifiedName) -> Result<String, Error> {
        let taken: Vec<Option<String>> = db::rows(
            "SELECT pg_get_partition_constraintdef(t.relid) FROM pg_partition_tree($1::regclass) t WHERE t.isleaf AND t.level > 0",
            &[name.to_string().into()],
            |row| row.find(1),
        )?;
        // A default partition that has no siblings takes all there is, and no constraint tells of it.
        let Some(taken) = taken.into_iter().collect::<Option<Vec<String>>>() else {
            return Ok("false".to_owned());
        };
        let taken = match taken.is_empty() {
            true => "false".to_owned(),
            false => format!("({})", taken.join(") OR (")),
        };
        Ok(format!("({} AND ({taken}) IS NOT TRUE)", self.has_it))
    }

    /// How many of them these are.
    pub fn strays(&self, name: &QualifiedName) -> Result<i64, Error> {
        let sql = Sql::template("SELECT count(*) FROM ONLY {default} WHERE {homeless}")
            .name("default", &self.default)
            .trusted("homeless", &self.homeless(name)?)
            .build();
        self.table.as_owner(|| db::value(&sql, &[]))
    }

    /// Moves them. Generated columns are computed anew.
    pub fn move_into(&self, name: &QualifiedName) -> Result<(), Error> {
        let columns = (self.table.facts()?.columns.iter())
            .filter(|column| column.generated.is_empty())
            .map(|column| &column.name);
        let statement = self
            .template(
                "WITH moved AS (DELETE FROM ONLY {default} WHERE {has_it} RETURNING {columns}) \
                 INSERT INTO {name} ({columns}) SELECT {columns} FROM moved",
            )
            .name("name", name)
            .trusted("columns", &listed(columns));
        self.table.as_owner(|| act::run(statement))
    }

    fn template(&self, text: &'static str) -> Sql {
        Sql::template(text)
            .name("default", &self.default)
            .trusted("has_it", &self.has_it)
    }
}
