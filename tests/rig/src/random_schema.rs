//! Tables of which nobody thought: made up from a seed, the same each time, with rows and with all kinds
//! of things on them.
//!
//! The table has a column `nr` that tells rows apart, whatever keys there are, and a trigger that keeps an
//! image of each row in `mirror`.

use std::fmt::Write as _;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// A schema, and how its table is to be converted.
pub struct RandomSchema {
    /// Of the table, as SQL writes it.
    pub table: String,
    pub column: String,
    pub interval: &'static str,
    /// What makes it, run as its owner.
    pub ddl: String,
    /// What a client does; `$1` is a whole number, another one each time.
    pub changes: Vec<String>,
}

/// A type, values of it that depend on a whole number `i`, and what can be done with it.
struct Kind {
    name: &'static str,
    value: &'static str,
    default: &'static str,
    is_text: bool,
    is_number: bool,
    /// Access method and operator class of an index of its own.
    index: Option<&'static str>,
}

const fn kind(name: &'static str, value: &'static str, default: &'static str) -> Kind {
    Kind {
        name,
        value,
        default,
        is_text: false,
        is_number: false,
        index: None,
    }
}

const KINDS: [Kind; 18] = [
    Kind {
        is_number: true,
        ..kind("integer", "i % 97", "7")
    },
    Kind {
        is_number: true,
        ..kind("bigint", "i * 1000003::bigint", "-1")
    },
    Kind {
        is_number: true,
        ..kind("numeric(14,3)", "i / 7.0", "0.125")
    },
    Kind {
        is_number: true,
        ..kind("double precision", "sqrt(i)", "'NaN'")
    },
    Kind {
        is_text: true,
        index: Some("btree ({} text_pattern_ops)"),
        ..kind("text", "repeat('tæxt ', i % 350) || i", "'it''s'")
    },
    Kind {
        is_text: true,
        ..kind("character varying(40)", "'v' || i", "'\\'")
    },
    Kind {
        is_text: true,
        index: Some("hash ({})"),
        ..kind("character(7)", "'c' || i % 100000", "'x'")
    },
    kind("boolean", "i % 3 = 0", "true"),
    kind("date", "date '2020-01-01' + i % 500", "'2021-02-03'"),
    kind(
        "timestamp(3) without time zone",
        "timestamp '2020-01-01' + i * interval '1 min'",
        "'epoch'",
    ),
    kind("interval", "i * interval '1 hour'", "'1 mon'"),
    kind(
        "uuid",
        "md5(i::text)::uuid",
        "'00000000-0000-0000-0000-000000000001'",
    ),
    Kind {
        index: Some("gin ({} jsonb_path_ops)"),
        ..kind(
            "jsonb",
            "jsonb_build_object('i', i, 'a', array[i, i + 1])",
            "'{}'",
        )
    },
    Kind {
        index: Some("gin ({})"),
        ..kind("integer[]", "array[i, null, i % 5]", "'{1,2}'")
    },
    Kind {
        index: Some("gist ({})"),
        ..kind("int4range", "int4range(i, i + 9)", "'empty'")
    },
    Kind {
        index: Some("gist ({} inet_ops)"),
        ..kind("inet", "('10.0.0.0'::inet + i)", "'::1'")
    },
    kind("bytea", "decode(md5(i::text), 'hex')", "'\\x00ff'"),
    kind("bit varying(9)", "(i % 200)::bit(8)::varbit", "B'101'"),
];

/// Types of the partition column: values in the order of `i`, and an interval.
const KEYS: [(&str, &str, &str); 6] = [
    (
        "timestamp with time zone",
        "timestamptz '2026-01-01 00:00+00' + i % 90 * interval '1 day'",
        "1 month",
    ),
    (
        "timestamp without time zone",
        "timestamp '2026-01-01' + i % 90 * interval '1 day'",
        "1 month",
    ),
    ("date", "date '2026-01-01' + i % 90", "2 weeks"),
    ("integer", "i % 900", "300"),
    ("bigint", "i % 900 * 1000000000::bigint", "200000000000"),
    ("smallint", "(i % 90)::smallint", "25"),
];

const WORDS: [&str; 12] = [
    "plain",
    "UPPER",
    "Mixed",
    "with space",
    "quo\"te",
    "apos'trophe",
    "Größe",
    "emoji 😀",
    "select",
    "a.b",
    "100%",
    "$1 (x)",
];

/// A column of the table.
struct Column {
    /// Quoted.
    name: String,
    kind: &'static Kind,
    may_be_null: bool,
    is_generated: bool,
}

struct Maker {
    rng: SmallRng,
    names: u32,
    ddl: String,
    schema: String,
    table: String,
    /// Of the partition column, quoted.
    key: String,
    columns: Vec<Column>,
}

impl RandomSchema {
    /// The one of that seed.
    pub fn of(seed: u64) -> Self {
        let mut maker = Maker {
            rng: SmallRng::seed_from_u64(seed),
            names: 0,
            ddl: String::new(),
            schema: String::new(),
            table: String::new(),
            key: String::new(),
            columns: Vec::new(),
        };
        maker.make()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Maker {
    fn chance(&mut self, of_hundred: u32) -> bool {
        self.rng.random_range(0..100) < of_hundred
    }

    fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        all.choose(&mut self.rng).expect("there is one")
    }

    /// A name that nothing else has, quoted.
    fn name(&mut self) -> String {
        self.names += 1;
        let word = *self.one(&WORDS);
        let mut name = format!("{word} {}", self.names);
        if self.chance(8) {
            // Of 63 bytes.
            name.push_str(&"x".repeat(63 - name.len()));
        }
        quoted(&name)
    }

    /// The same with the table's schema.
    fn name_in_schema(&mut self) -> String {
        let name = self.name();
        format!("{}.{name}", self.schema)
    }

    fn say(&mut self, sql: &str) {
        self.ddl.push_str(sql);
        self.ddl.push_str(";\n");
    }

    fn alter(&mut self, what: &str) {
        let sql = format!("ALTER TABLE {} {what}", self.table);
        self.say(&sql);
    }

    fn comment(&mut self, on: &str) {
        if self.chance(40) {
            let word = self.one(&WORDS).replace('\'', "''");
            let sql = format!("COMMENT ON {on} IS 'about {word}'");
            self.say(&sql);
        }
    }

    fn make(&mut self) -> RandomSchema {
        self.schema = self.name();
        let name = self.name();
        self.table = format!("{}.{name}", self.schema);
        let sql = format!(
            "CREATE SCHEMA {0}; GRANT USAGE ON SCHEMA {0} TO reader",
            self.schema
        );
        self.say(&sql);
        let (key_type, key_value, interval) = *self.one(&KEYS);
        self.key = self.name();
        self.create(key_type);
        self.fill(key_value);
        self.keys();
        self.indexes();
        self.columns_settings();
        self.references();
        self.dependents();
        self.security();
        RandomSchema {
            table: self.table.clone(),
            column: self.key[1..self.key.len() - 1].replace("\"\"", "\""),
            interval,
            ddl: std::mem::take(&mut self.ddl),
            changes: self.changes(key_value),
        }
    }

    fn create(&mut self, key_type: &str) {
        let mut columns = Vec::new();
        let mut dropped = Vec::new();
        let options = *self.one(&[
            "",
            "",
            " WITH (fillfactor = 70)",
            " WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)",
        ]);
        // Without a wide column that stays there is nothing to be toasted any more, and no such setting.
        let gone_type = match options.contains("toast") {
            true => "bigint DEFAULT 7",
            false => "text DEFAULT 'gone'",
        };
        let number = self.rng.random_range(2..9);
        let key_at = self.rng.random_range(0..number);
        for place in 0..number {
            if place == key_at {
                columns.push(format!("{} {key_type} NOT NULL", self.key));
            }
            if self.chance(20) {
                let gone = self.name();
                columns.push(format!("{gone} {gone_type}"));
                dropped.push(gone);
            }
            let column = self.column();
            columns.push(column);
        }
        let number_like = *self.one(&[
            "bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 2 START 100000)",
            "int GENERATED BY DEFAULT AS IDENTITY",
            "bigserial",
            "bigint",
        ]);
        columns.push("nr bigint NOT NULL".to_owned());
        columns.push(format!("counted {number_like}"));
        if self.chance(60) {
            let (name, of) = (self.name(), self.numeric());
            columns.push(format!("CONSTRAINT {name} CHECK ({of} IS NULL OR {of}::numeric > -12345 OR {of}::text = 'NaN')"));
        }
        let sql = format!(
            "CREATE TABLE {} ({}){options}",
            self.table,
            columns.join(", ")
        );
        self.say(&sql);
        for gone in dropped {
            self.alter(&format!("DROP {gone}"));
        }
        let table = self.table.clone();
        self.comment(&format!("TABLE {table}"));
        let sql = format!(
            "CREATE TRIGGER \"zz mirror\" AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION public.keep_image()"
        );
        self.say(&sql);
    }

    /// One that has numbers, or `nr`.
    fn numeric(&mut self) -> String {
        let numbers = self
            .columns
            .iter()
            .filter(|one| one.kind.is_number && !one.is_generated);
        let names: Vec<String> = numbers.map(|one| one.name.clone()).collect();
        names
            .choose(&mut self.rng)
            .cloned()
            .unwrap_or_else(|| "nr".to_owned())
    }

    fn text(&mut self) -> Option<String> {
        let texts = self.columns.iter().filter(|one| one.kind.is_text);
        let names: Vec<String> = texts.map(|one| one.name.clone()).collect();
        names.choose(&mut self.rng).cloned()
    }

    fn column(&mut self) -> String {
        let name = self.name();
        let kind = self.one(&KINDS);
        let mut text = format!("{name} {}", kind.name);
        if kind.is_text && self.chance(30) {
            text.push_str(" COLLATE \"C\"");
        }
        let is_generated = kind.name == "bigint" && self.chance(60);
        let may_be_null = !is_generated && self.chance(70);
        if is_generated {
            text.push_str(" GENERATED ALWAYS AS (nr * 3) STORED");
        } else if self.chance(50) {
            let _ = write!(text, " DEFAULT {}", kind.default);
        }
        if !may_be_null && !is_generated {
            text.push_str(" NOT NULL");
        }
        self.columns.push(Column {
            name,
            kind,
            may_be_null,
            is_generated,
        });
        text
    }

    /// Columns that are written, and their values for a number `i`.
    fn assignments(&self, key_value: &str) -> Vec<(String, String)> {
        let value = |column: &Column| match column.may_be_null {
            true => format!("CASE WHEN i % 11 <> 0 THEN {} END", column.kind.value),
            false => column.kind.value.to_owned(),
        };
        let written = self.columns.iter().filter(|column| !column.is_generated);
        let mut all: Vec<(String, String)> = written
            .map(|column| (column.name.clone(), value(column)))
            .collect();
        all.push((self.key.clone(), key_value.to_owned()));
        all.push(("nr".to_owned(), "i".to_owned()));
        all
    }

    fn insert(&self, key_value: &str) -> String {
        let (names, values): (Vec<String>, Vec<String>) =
            self.assignments(key_value).into_iter().unzip();
        format!(
            "INSERT INTO {} ({}) SELECT {}",
            self.table,
            names.join(", "),
            values.join(", ")
        )
    }

    fn fill(&mut self, key_value: &str) {
        let sql = format!("{} FROM generate_series(1, 600) i", self.insert(key_value));
        self.say(&sql);
        if self.chance(40) {
            let name = self.name();
            self.alter(&format!("ADD {name} text DEFAULT 'added later'"));
            self.say("UPDATE public.mirror SET image = NULL");
        }
        if self.chance(30) {
            let name = self.name();
            // There is one such row, which nobody changes.
            self.alter(&format!(
                "ADD CONSTRAINT {name} CHECK (nr <> 599) NOT VALID"
            ));
        }
    }

    fn keys(&mut self) {
        let name = self.name();
        let key = self.key.clone();
        match self.rng.random_range(0..5) {
            0 => {}
            1 => self.alter(&format!("ADD CONSTRAINT {name} PRIMARY KEY (nr)")),
            2 => self.alter(&format!("ADD CONSTRAINT {name} PRIMARY KEY ({key}, nr)")),
            3 => self.alter(&format!(
                "ADD CONSTRAINT {name} UNIQUE (nr, {key}) INCLUDE (counted)"
            )),
            _ => {
                let sql = format!(
                    "CREATE UNIQUE INDEX {name} ON {} (nr DESC, {key})",
                    self.table
                );
                self.say(&sql);
                self.alter(&format!("REPLICA IDENTITY USING INDEX {name}"));
            }
        }
        if self.chance(20) {
            self.alter("REPLICA IDENTITY FULL");
        }
    }

    fn indexes(&mut self) {
        let key = self.key.clone();
        for _ in 0..self.rng.random_range(1..6) {
            let (name, number) = (self.name(), self.numeric());
            let text = self.text().unwrap_or_else(|| "(nr::text)".to_owned());
            let special = self.columns.iter().find_map(|column| {
                column
                    .kind
                    .index
                    .map(|index| index.replace("{}", &column.name))
            });
            let on = match self.rng.random_range(0..8) {
                0 => special.unwrap_or_else(|| format!("btree ({number})")),
                1 => format!("btree ({key} DESC NULLS LAST, {number} NULLS FIRST)"),
                2 => format!("btree (lower({text}), nr) WITH (fillfactor = 60)"),
                3 => {
                    format!("btree ({number}) INCLUDE (nr) WHERE {number} IS NOT NULL AND nr > 50")
                }
                4 => format!("brin ({key}) WITH (pages_per_range = 16)"),
                5 => format!("btree ({text} COLLATE \"POSIX\" DESC)"),
                6 => format!("btree ((nr % 10), {key}) WHERE {key} IS NOT NULL"),
                _ => format!("hash ({number})"),
            };
            let sql = format!("CREATE INDEX {name} ON {} USING {on}", self.table);
            self.say(&sql);
            let in_schema = format!("{}.{name}", self.schema);
            self.comment(&format!("INDEX {in_schema}"));
            if on.starts_with("btree ((nr") && self.chance(60) {
                let sql = format!("ALTER INDEX {in_schema} ALTER COLUMN 1 SET STATISTICS 33");
                self.say(&sql);
            }
            if on.starts_with("btree") && !on.contains("WHERE") && self.chance(15) {
                self.alter(&format!("CLUSTER ON {name}"));
            }
        }
    }

    fn columns_settings(&mut self) {
        for place in 0..self.columns.len() {
            let name = self.columns[place].name.clone();
            let is_text = self.columns[place].kind.is_text;
            if is_text && self.chance(40) {
                self.alter(&format!("ALTER {name} SET STORAGE EXTERNAL"));
            }
            if is_text && self.chance(30) {
                self.alter(&format!("ALTER {name} SET COMPRESSION pglz"));
            }
            if self.chance(25) {
                self.alter(&format!("ALTER {name} SET STATISTICS 17"));
            }
            if self.chance(15) {
                self.alter(&format!("ALTER {name} SET (n_distinct = -0.5)"));
            }
            let table = self.table.clone();
            self.comment(&format!("COLUMN {table}.{name}"));
        }
    }

    fn references(&mut self) {
        for _ in 0..self.rng.random_range(0..3) {
            let (column, constraint) = (self.name(), self.name());
            let delete = *self.one(&[
                "NO ACTION",
                "RESTRICT",
                "CASCADE",
                "SET NULL",
                "SET DEFAULT",
            ]);
            let update = *self.one(&["NO ACTION", "CASCADE", "SET NULL"]);
            let late = *self.one(&["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"]);
            self.alter(&format!("ADD {column} int DEFAULT 5"));
            self.alter(&format!("ADD CONSTRAINT {constraint} FOREIGN KEY ({column}) REFERENCES public.referenced ON DELETE {delete} ON UPDATE {update}{late}"));
            self.say("UPDATE public.mirror SET image = NULL");
            let table = self.table.clone();
            self.comment(&format!("CONSTRAINT {constraint} ON {table}"));
        }
        // What columns that came later hold is taken down at last.
        let sql = format!(
            "UPDATE public.mirror SET image = to_jsonb(t) FROM {} t WHERE t.nr = mirror.nr AND image IS NULL",
            self.table
        );
        self.say(&sql);
    }

    fn dependents(&mut self) {
        let (table, key) = (self.table.clone(), self.key.clone());
        for _ in 0..self.rng.random_range(0..4) {
            let name = self.name();
            let when = *self.one(&["BEFORE", "AFTER"]);
            let event = *self.one(&[
                "INSERT",
                "UPDATE",
                "DELETE",
                "INSERT OR UPDATE OF nr",
                "UPDATE OR DELETE",
            ]);
            let each = *self.one(&["ROW", "STATEMENT"]);
            let sql = format!(
                "CREATE TRIGGER {name} {when} {event} ON {table} FOR EACH {each} EXECUTE FUNCTION public.pass({})",
                self.names
            );
            self.say(&sql);
            let state = *self.one(&["", "", "DISABLE", "ENABLE REPLICA", "ENABLE ALWAYS"]);
            if !state.is_empty() {
                self.alter(&format!("{state} TRIGGER {name}"));
            }
            self.comment(&format!("TRIGGER {name} ON {table}"));
        }
        let mut below = table.clone();
        for _ in 0..self.rng.random_range(0..4) {
            let view = self.name_in_schema();
            let options = *self.one(&["", " WITH (security_barrier)", " WITH (security_invoker)"]);
            let sql = format!(
                "CREATE VIEW {view}{options} AS SELECT nr, {key}, count(*) OVER () AS n FROM {below} WHERE nr > 0"
            );
            let sql = if below == table {
                sql.replace("count(*) OVER () AS n", "1 AS n")
            } else {
                sql
            };
            self.say(&sql);
            self.comment(&format!("VIEW {view}"));
            if self.chance(50) {
                let sql = format!("GRANT SELECT ON {view} TO reader");
                self.say(&sql);
            }
            below = view;
        }
        if self.chance(40) {
            let held = self.name_in_schema();
            let sql = format!(
                "CREATE MATERIALIZED VIEW {held} AS SELECT {key}, count(*) AS n FROM {table} GROUP BY 1; CREATE INDEX ON {held} (n)"
            );
            self.say(&sql);
        }
        if self.chance(40) {
            let function = self.name_in_schema();
            let sql = format!(
                "CREATE FUNCTION {function}() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count({key}) FROM {table}; END"
            );
            self.say(&sql);
            self.comment(&format!("FUNCTION {function}()"));
        }
        if self.chance(40) {
            let (name, number) = (self.name(), self.numeric());
            let of = if number == "nr" {
                "counted".to_owned()
            } else {
                number
            };
            let sql = format!(
                "CREATE STATISTICS {}.{name} (ndistinct) ON nr, {of} FROM {table}",
                self.schema
            );
            self.say(&sql);
        }
        if self.chance(25) {
            let name = self.name();
            let sql = format!(
                "CREATE RULE {name} AS ON UPDATE TO {table} WHERE OLD.nr = -1 DO ALSO NOTHING"
            );
            self.say(&sql);
            self.comment(&format!("RULE {name} ON {table}"));
        }
        if self.chance(30) {
            let name = self.name();
            let sql = format!(
                "CREATE PUBLICATION {name} FOR TABLE {table} WHERE (nr > 5) WITH (publish_via_partition_root, publish = 'insert')"
            );
            self.say(&sql);
        }
        self.routines_of_rows();
    }

    /// Functions that take rows, what is made of them, and views that use both.
    fn routines_of_rows(&mut self) {
        if !self.chance(50) {
            return;
        }
        let table = self.table.clone();
        let (function, view) = (self.name_in_schema(), self.name_in_schema());
        let sql = format!(
            "CREATE FUNCTION {function}({table}) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT $1.nr';
             CREATE VIEW {view} AS SELECT nr, {function}(t) AS of_row FROM {table} t"
        );
        self.say(&sql);
        self.comment(&format!("FUNCTION {function}({table})"));
        if self.chance(50) {
            let sql = format!("REVOKE ALL ON FUNCTION {function}({table}) FROM PUBLIC");
            self.say(&sql);
        }
        if self.chance(50) {
            let of_function = self.name_in_schema();
            let sql = format!(
                "CREATE FUNCTION {of_function}({table}) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT {function}($1) + 1; END"
            );
            self.say(&sql);
        }
        if self.chance(50) {
            let context = *self.one(&["", " AS ASSIGNMENT", " AS IMPLICIT"]);
            let sql = format!(
                "CREATE CAST ({table} AS bigint) WITH FUNCTION {function}({table}){context}"
            );
            self.say(&sql);
            self.comment(&format!("CAST ({table} AS bigint)"));
        }
        if self.chance(50) {
            let (step, sum, view) = (
                self.name_in_schema(),
                self.name_in_schema(),
                self.name_in_schema(),
            );
            let sql = format!(
                "CREATE FUNCTION {step}(numeric, {table}) RETURNS numeric LANGUAGE sql AS 'SELECT $1 + $2.nr';
                 CREATE AGGREGATE {sum}({table}) (SFUNC = {step}, STYPE = numeric, INITCOND = 0);
                 CREATE VIEW {view} AS SELECT {sum}(t) FROM {table} t WHERE nr < 5"
            );
            self.say(&sql);
            self.comment(&format!("AGGREGATE {sum}({table})"));
        }
    }

    fn security(&mut self) {
        let (table, key) = (self.table.clone(), self.key.clone());
        for grant in [
            "SELECT",
            "INSERT, UPDATE",
            "DELETE",
            "UPDATE (nr)",
            "SELECT (nr)",
        ] {
            if self.chance(30) {
                let sql = format!("GRANT {grant} ON {table} TO reader");
                self.say(&sql);
            }
        }
        if self.chance(40) {
            let name = self.name();
            let sql = format!(
                "CREATE POLICY {name} ON {table} TO reader USING (nr % 2 = 0 OR {key} IS NULL) WITH CHECK (nr > 0); CREATE POLICY everything ON {table} TO app USING (true)"
            );
            self.say(&sql);
            self.alter("ENABLE ROW LEVEL SECURITY");
            self.comment(&format!("POLICY {name} ON {table}"));
            if self.chance(50) {
                self.alter("FORCE ROW LEVEL SECURITY");
            }
        }
        let sql =
            format!("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO reader; ANALYZE {table}");
        self.say(&sql);
    }

    fn changes(&mut self, key_value: &str) -> Vec<String> {
        let (table, key) = (self.table.clone(), self.key.clone());
        let number = "(SELECT $1::bigint::int AS i) given";
        let mut changes = vec![
            format!("{} FROM {number}", self.insert(key_value)),
            format!("UPDATE {table} SET nr = nr + 100000 WHERE nr = $1::bigint % 599"),
            format!(
                "UPDATE {table} t SET {key} = {key_value} FROM {number} WHERE t.nr = $1::bigint - 3"
            ),
            format!("DELETE FROM {table} WHERE nr IN ($1::bigint - 7, $1::bigint % 50)"),
        ];
        let of = self.assignments(key_value);
        let (name, value) = self.one(&of).clone();
        if name != "nr" {
            changes.push(format!("UPDATE {table} t SET {name} = {value} FROM {number} WHERE t.nr % 37 = $1::bigint % 37 AND t.nr <> 599"));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::RandomSchema;

    #[test]
    fn a_seed_tells_all() {
        for seed in 0..50 {
            assert_eq!(RandomSchema::of(seed).ddl, RandomSchema::of(seed).ddl);
        }
    }

    #[test]
    fn another_seed_tells_something_else() {
        assert_ne!(RandomSchema::of(1).ddl, RandomSchema::of(2).ddl);
    }
}
