//! The guard of a partitioned table in use (see `plan/guard.rs`): statements about the keys of one partition's rows.

use super::columns::{self, listed, of_row};
use super::names::{QualifiedName, quote_ident};
use super::sql::Sql;

/// A guard, as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    pub oid: u32,
    pub name: QualifiedName,
    /// Its foreign key to the table.
    pub key: u32,
    /// The columns of the key, and the partition column: each by its name there, and by that on the table.
    pub columns: Vec<Column>,
    pub at: Column,
    /// Whether an index begins with the partition column, so that the keys of a partition's rows are found.
    pub has_index: bool,
    /// Whether its foreign key does not look whether the row of a key is there.
    pub is_at_rest: bool,
}

/// A column, which either table may have renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub guard: String,
    pub table: String,
}

/// Where the rows of a partition lie, as literals of the partition column; those of its keys that are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub lower: Option<String>,
    pub upper: Option<String>,
    /// Only keys behind this one.
    pub behind: Option<String>,
    /// Only keys up to this one.
    pub up_to: Option<String>,
}

/// Some pages of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    pub from: u32,
    /// The first that is not meant.
    pub to: u32,
}

impl Guarded {
    /// The value of the partition column that the last one of so many keys has; no row where there are fewer.
    pub fn end_of_batch(&self, extent: &Extent, keys: i64) -> String {
        Sql::template(
            "SELECT g.{at}::text FROM ONLY {guard} AS g WHERE {has_it} ORDER BY g.{at} OFFSET {skipped} LIMIT 1",
        )
        .ident("at", &self.at.guard)
        .name("guard", &self.name)
        .trusted("has_it", &self.has_it("g", extent))
        .number("skipped", keys - 1)
        .build()
    }

    /// Whether there is any.
    pub fn is_any(&self, extent: &Extent) -> String {
        Sql::template("SELECT FROM ONLY {guard} AS g WHERE {has_it}")
            .name("guard", &self.name)
            .trusted("has_it", &self.has_it("g", extent))
            .build()
    }

    /// How many there are, counted no further than that.
    pub fn count(&self, extent: &Extent, most: i64) -> String {
        Sql::template("SELECT count(*) FROM (SELECT FROM ONLY {guard} AS g WHERE {has_it} LIMIT {most}) AS found")
            .name("guard", &self.name)
            .trusted("has_it", &self.has_it("g", extent))
            .number("most", most)
            .build()
    }

    /// Keys, at most so many, as a table that [`Guarded::shown`] shows rows of.
    pub fn some(&self, extent: &Extent, most: i64) -> String {
        Sql::template(
            "(SELECT g.* FROM ONLY {guard} AS g WHERE {has_it} ORDER BY g.{at} LIMIT {most})",
        )
        .name("guard", &self.name)
        .trusted("has_it", &self.has_it("g", extent))
        .ident("at", &self.at.guard)
        .number("most", most)
        .build()
    }

    /// All of them, likewise.
    pub fn all(&self, extent: &Extent) -> String {
        Sql::template("(SELECT g.* FROM ONLY {guard} AS g WHERE {has_it})")
            .name("guard", &self.name)
            .trusted("has_it", &self.has_it("g", extent))
            .build()
    }

    /// Those at these places, likewise.
    pub fn at_places(&self, places: &str) -> String {
        Sql::template("(SELECT g.* FROM ONLY {guard} AS g WHERE g.ctid = ANY ({places}::tid[]))")
            .name("guard", &self.name)
            .literal("places", places)
            .build()
    }

    /// Locks keys, at most so many, so that no row can come that points at them: a foreign key's check asks
    /// for FOR KEY SHARE. Their places, and the partition column of the last; null where there is none.
    ///
    /// Those that somebody else has locked are left out, where `waits` does not say otherwise.
    pub fn lock(&self, extent: &Extent, most: i64, waits: bool) -> String {
        Sql::template(
            "WITH locked AS (SELECT g.ctid AS place, g.{at} AS at FROM ONLY {guard} AS g WHERE {has_it} \
                              ORDER BY g.{at} LIMIT {most} FOR UPDATE{skip}) \
             SELECT array_agg(l.place)::text, (array_agg(l.at::text ORDER BY l.at DESC))[1] FROM locked AS l",
        )
        .ident("at", &self.at.guard)
        .name("guard", &self.name)
        .trusted("has_it", &self.has_it("g", extent))
        .number("most", most)
        .trusted("skip", if waits { "" } else { " SKIP LOCKED" })
        .build()
    }

    /// Takes those away that are locked.
    pub fn take(&self, places: &str) -> String {
        Sql::template("DELETE FROM ONLY {guard} AS g WHERE g.ctid = ANY ({places}::tid[])")
            .name("guard", &self.name)
            .literal("places", places)
            .build()
    }

    /// Notes the keys of rows of a table that it does not have: of one without partitions, or of some pages of it.
    ///
    /// Its foreign key has nothing to tell the guard of a row whose key is not there: a row that somebody is
    /// just deleting, or changing, would leave a key without one. Hence FOR KEY SHARE, which waits for him, and is
    /// what a foreign key's check would ask for.
    pub fn give_back(&self, leaf: &QualifiedName, pages: Option<Pages>) -> String {
        Sql::template(
            "INSERT INTO {guard} ({columns}) SELECT {of_table} FROM ONLY {leaf} AS p \
              WHERE {pages}NOT EXISTS (SELECT FROM ONLY {guard} AS g WHERE {is_same_key}) \
                FOR KEY SHARE OF p ON CONFLICT DO NOTHING",
        )
        .name("guard", &self.name)
        .trusted("columns", &listed(self.all_columns().map(|one| &one.guard)))
        .trusted(
            "of_table",
            &of_row("p", self.all_columns().map(|one| &one.table)),
        )
        .name("leaf", leaf)
        .trusted("pages", &pages.map_or_else(String::new, in_pages))
        .trusted("is_same_key", &equal(self.columns.iter()))
        .build()
    }

    /// A row of the partition whose key is another row's by now: its key, and the partition column.
    pub fn taken_by_another(&self, partition: &QualifiedName) -> String {
        Sql::template(
            "SELECT {key} FROM {partition} AS p \
              WHERE NOT EXISTS (SELECT FROM ONLY {guard} AS g WHERE {is_same_row}) LIMIT 1",
        )
        .trusted("key", &self.key_of("p", |one| &one.table))
        .name("partition", partition)
        .name("guard", &self.name)
        .trusted("is_same_row", &equal(self.all_columns()))
        .build()
    }

    /// A row of a table that is to become a partition, and whose key the guard has.
    pub fn taken_meanwhile(&self, table: &QualifiedName) -> String {
        Sql::template(
            "SELECT {key} FROM {table} AS p JOIN ONLY {guard} AS g ON {is_same_key} LIMIT 1",
        )
        .trusted("key", &self.key_of("p", |one| &one.table))
        .name("table", table)
        .name("guard", &self.name)
        .trusted("is_same_key", &equal(self.columns.iter()))
        .build()
    }

    /// Notes the keys of all rows of a table; fails where it has one already.
    pub fn note_all(&self, table: &QualifiedName) -> String {
        Sql::template("INSERT INTO {guard} ({columns}) SELECT {of_table} FROM {table} AS p")
            .name("guard", &self.name)
            .trusted("columns", &listed(self.all_columns().map(|one| &one.guard)))
            .trusted(
                "of_table",
                &of_row("p", self.all_columns().map(|one| &one.table)),
            )
            .name("table", table)
            .build()
    }

    /// The key of a row of the guard, or of a part of it, as PostgreSQL tells it.
    pub fn shown(&self, alias: &str) -> String {
        self.key_of(alias, |one| &one.guard)
    }

    /// The statement that makes the index that it needs.
    pub fn index(&self) -> String {
        Sql::template("CREATE INDEX CONCURRENTLY ON {guard} ({at})")
            .name("guard", &self.name)
            .ident("at", &self.at.guard)
            .build()
    }

    fn key_of(&self, alias: &str, name: impl Fn(&Column) -> &String) -> String {
        let names = || self.columns.iter().map(&name);
        Sql::template("format('(%s)=(%s)', {names}, concat_ws(', ', {values}))")
            .literal("names", &listed(names()))
            .trusted("values", &of_row(alias, names()))
            .build()
    }

    fn has_it(&self, alias: &str, extent: &Extent) -> String {
        let at = format!("{alias}.{}", quote_ident(&self.at.guard));
        let within = [
            (">=", &extent.lower),
            ("<", &extent.upper),
            (">", &extent.behind),
            ("<=", &extent.up_to),
        ];
        let conditions: Vec<String> = (within.iter())
            .filter_map(|(operator, bound)| {
                let bound = bound.as_deref()?;
                let compared = Sql::template("{at} {operator} {bound}").trusted("at", &at);
                Some(
                    compared
                        .trusted("operator", operator)
                        .literal("bound", bound)
                        .build(),
                )
            })
            .collect();
        match conditions.is_empty() {
            true => "true".to_owned(),
            false => conditions.join(" AND "),
        }
    }

    fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().chain([&self.at])
    }
}

fn in_pages(pages: Pages) -> String {
    Sql::template("p.ctid >= '({from},0)' AND p.ctid < '({to},0)' AND ")
        .number("from", pages.from.into())
        .number("to", pages.to.into())
        .build()
}

/// Of a row `p` of the table, and one `g` of the guard. Types come with the server: the operators are those of
/// `pg_catalog`, which is all there is in sight.
fn equal<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    let (of_table, of_guard): (Vec<&String>, Vec<&String>) =
        columns.map(|one| (&one.table, &one.guard)).unzip();
    columns::equal(("p", of_table), ("g", of_guard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(guard: &str, table: &str) -> Column {
        Column {
            guard: guard.to_owned(),
            table: table.to_owned(),
        }
    }

    fn guarded() -> Guarded {
        Guarded {
            oid: 1,
            name: QualifiedName::new("s", "o_pkey_guard"),
            key: 2,
            columns: vec![column("region", "region"), column("Id", "id")],
            at: column("at", "placed"),
            has_index: true,
            is_at_rest: true,
        }
    }

    fn march() -> Extent {
        Extent {
            lower: Some("2024-03-01".to_owned()),
            upper: Some("2024-04-01".to_owned()),
            ..Extent::default()
        }
    }

    #[test]
    fn keys_are_locked_by_where_their_rows_lie() {
        let extent = Extent {
            behind: Some("2024-03-07".to_owned()),
            ..march()
        };
        assert_eq!(
            guarded().lock(&extent, 100, false),
            "WITH locked AS (SELECT g.ctid AS place, g.at AS at FROM ONLY s.o_pkey_guard AS g \
             WHERE g.at >= '2024-03-01' AND g.at < '2024-04-01' AND g.at > '2024-03-07' \
             ORDER BY g.at LIMIT 100 FOR UPDATE SKIP LOCKED) \
             SELECT array_agg(l.place)::text, (array_agg(l.at::text ORDER BY l.at DESC))[1] FROM locked AS l"
        );
        assert!(
            guarded()
                .is_any(&Extent::default())
                .ends_with(" WHERE true")
        );
    }

    #[test]
    fn keys_come_back_by_the_names_that_columns_have_by_now() {
        assert_eq!(
            guarded().give_back(
                &QualifiedName::new("s", "p"),
                Some(Pages { from: 0, to: 8 })
            ),
            "INSERT INTO s.o_pkey_guard (region, \"Id\", at) SELECT p.region, p.id, p.placed FROM ONLY s.p AS p \
             WHERE p.ctid >= '(0,0)' AND p.ctid < '(8,0)' AND \
             NOT EXISTS (SELECT FROM ONLY s.o_pkey_guard AS g WHERE p.region = g.region AND p.id = g.\"Id\") \
             FOR KEY SHARE OF p ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn a_key_is_shown_as_postgresql_shows_it() {
        assert_eq!(
            guarded().shown("g"),
            "format('(%s)=(%s)', 'region, \"Id\"', concat_ws(', ', g.region, g.\"Id\"))"
        );
    }
}
