//! What `pg_dump --schema-only` says before and after, compared entry by entry and line by line.
//!
//! A difference is one line of text: the entry's title in brackets, `-` for what is not there any more or
//! `+` for what is new, and the line. What is said of each of a table's partitions alike is said once,
//! of `{partition}`: so a list of differences is as long however many partitions there are.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use crate::cluster::Cluster;
use crate::{fault, os};

/// A database's definition.
pub struct Dump {
    /// By title, each as often as there are entries of it, in the order of the dump.
    entries: BTreeMap<String, Vec<String>>,
}

impl Dump {
    /// Takes it down.
    ///
    /// # Panics
    /// When `pg_dump` fails.
    pub fn of(cluster: &Cluster, database: &str) -> Self {
        Self::parse(&text_of(cluster, database))
    }

    /// The same of another database, made from that text.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn of_restored(cluster: &Cluster, database: &str, other: &str) -> Self {
        cluster.psql("postgres", &format!("CREATE DATABASE {other}"));
        cluster.psql(other, &text_of(cluster, database));
        Self::of(cluster, other)
    }

    fn parse(text: &str) -> Self {
        let mut entries: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut title = "the beginning".to_owned();
        for line in text.lines() {
            if let Some(named) = line.strip_prefix("-- Name: ") {
                title = titled(named);
            } else if !says_nothing(line) {
                let lines = entries.entry(title.clone()).or_default();
                lines.push(line.to_owned());
            }
        }
        Self { entries }
    }

    /// All lines of all entries.
    pub fn lines(&self) -> impl Iterator<Item = &String> {
        self.entries.values().flatten()
    }

    /// The entries of that type, such as TABLE: name with schema, and lines.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a [String])> {
        self.entries.iter().filter_map(move |(title, lines)| {
            let name = title.strip_prefix(kind)?.strip_prefix(' ')?;
            let (name, _) = name.rsplit_once(" of ")?;
            Some((name, lines.as_slice()))
        })
    }

    /// What has changed since, in a fixed order.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let none = Vec::new();
        let titles: BTreeSet<&String> = self.entries.keys().chain(now.entries.keys()).collect();
        let of = |title: &String| {
            let was = self.entries.get(title).unwrap_or(&none);
            let is = now.entries.get(title).unwrap_or(&none);
            changes(was, is)
                .into_iter()
                .map(|change| format!("[{title}] {change}"))
                .collect::<Vec<_>>()
        };
        titles.into_iter().flat_map(of).collect()
    }
}

fn text_of(cluster: &Cluster, database: &str) -> String {
    let mut dump = cluster.client_program("pg_dump", database);
    let output = os::must_run(dump.arg("--schema-only"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `Type schema.name of owner`, from `name; Type: type; Schema: schema; Owner: owner`.
fn titled(named: &str) -> String {
    let mut parts = named.rsplitn(4, "; ");
    let mut next = |label: &str| {
        let part = parts.next().unwrap_or_default();
        part.strip_prefix(label).unwrap_or(part).to_owned()
    };
    let (owner, schema, kind) = (next("Owner: "), next("Schema: "), next("Type: "));
    let name = next("");
    format!("{kind} {schema}.{name} of {owner}")
}

/// Blank lines, comments but for titles, settings of the dump itself, and its random token.
fn says_nothing(line: &str) -> bool {
    let noise = [
        "--",
        "SET ",
        "SELECT pg_catalog.set_config",
        "\\restrict",
        "\\unrestrict",
    ];
    line.is_empty() || noise.iter().any(|noise| line.starts_with(noise))
}

/// The lines that are in one and not in the other; and whether what is in both is in another order.
fn changes(was: &[String], is: &[String]) -> Vec<String> {
    let (gone, kept) = without(was, is);
    let (come, kept_now) = without(is, was);
    let gone = gone.into_iter().map(|line| format!("- {line}"));
    let come = come.into_iter().map(|line| format!("+ {line}"));
    let moved = (kept != kept_now).then(|| "lines are in another order".to_owned());
    gone.chain(come).chain(moved).collect()
}

/// The lines that the others lack, and those that they have, too.
fn without<'a>(lines: &'a [String], others: &[String]) -> (Vec<&'a String>, Vec<&'a String>) {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for line in others {
        *left.entry(line).or_default() += 1;
    }
    lines.iter().partition(|line| match left.get_mut(line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    })
}

/// What a table's partitions are called, and their parts of its indexes.
pub struct Partitions {
    /// Of each: what stands in texts, and what is said instead; the longest first.
    each: Vec<Vec<(String, String)>>,
}

impl Partitions {
    /// Those of one table.
    ///
    /// # Panics
    /// When the table is not there.
    pub fn of(client: &mut Client, table: &str) -> Self {
        let sql = "SELECT p.relid::oid, n.nspname::text, c.relname::text, '{partition}', pg_get_expr(c.relpartbound, c.oid)
                     FROM pg_partition_tree($1::text::regclass) p JOIN pg_class c ON c.oid = p.relid
                     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.isleaf
                    UNION ALL
                   SELECT p.relid::oid, n.nspname::text, c.relname::text, '{' || top.relname || ' of partition}', NULL
                     FROM pg_partition_tree($1::text::regclass) p
                     JOIN pg_index i ON i.indrelid = p.relid JOIN pg_class c ON c.oid = i.indexrelid
                     JOIN pg_namespace n ON n.oid = c.relnamespace
                     JOIN pg_inherits h ON h.inhrelid = c.oid JOIN pg_class top ON top.oid = h.inhparent
                    WHERE p.isleaf";
        let rows = client
            .query(sql, &[&table])
            .unwrap_or_else(|e| panic!("{table}: {}", fault::describe(&e)));
        let mut each: BTreeMap<u32, Vec<(String, String)>> = BTreeMap::new();
        for row in rows {
            let names = each.entry(row.get(0)).or_default();
            let (schema, name, said): (String, String, String) =
                (row.get(1), row.get(2), row.get(3));
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            names.push((quoted, said.clone()));
            names.push((format!(" {schema}.{name} "), format!(" {schema}.{said} ")));
            names.push((format!(".{name}"), format!(".{said}")));
            names.push((format!(" {name}"), format!(" {said}")));
            if let Some(bounds) = row.get::<_, Option<String>>(4) {
                // As ATTACH says them: a default is something else as well.
                names.push((format!(" {bounds};"), " {bounds};".to_owned()));
            }
        }
        let mut each: Vec<Vec<(String, String)>> = each.into_values().collect();
        for names in &mut each {
            names.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        }
        Self { each }
    }

    /// The differences, with what is alike for each partition said once.
    pub fn fold(&self, differences: &[String]) -> Vec<String> {
        // In words of any partition, and of which ones it was said.
        let mut folded: BTreeMap<String, Vec<(usize, &String)>> = BTreeMap::new();
        let mut result = Vec::new();
        for difference in differences {
            match self.about_one(difference) {
                Some((place, said)) => folded.entry(said).or_default().push((place, difference)),
                None => result.push(difference.clone()),
            }
        }
        for (said, of) in folded {
            let times = of.len() / self.each.len().max(1);
            let of_each = (0..self.each.len())
                .all(|place| of.iter().filter(|(of, _)| *of == place).count() == times);
            if of_each {
                result.extend(std::iter::repeat_n(said, times));
            } else {
                result.extend(of.into_iter().map(|(_, concrete)| concrete.clone()));
            }
        }
        result.sort();
        result
    }

    /// Of which partition it speaks, and the same of any partition.
    fn about_one(&self, difference: &str) -> Option<(usize, String)> {
        let said = |names: &Vec<(String, String)>| {
            let mut text = difference.to_owned();
            for (name, instead) in names {
                text = text.replace(name, instead);
            }
            text
        };
        // One name may be the beginning of another's: the longest that is found is meant.
        let all = self.each.iter().enumerate();
        all.map(|(place, names)| (place, said(names)))
            .filter(|(_, text)| text != difference && text.contains("partition}"))
            .min_by_key(|(_, text)| text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dump, Partitions};

    const BEFORE: &str = "--\n-- Name: t; Type: TABLE; Schema: public; Owner: app\n--\n\nCREATE TABLE public.t (\n    a integer,\n    b integer\n);\n\n";

    #[test]
    fn lines_are_told_with_the_title_of_their_entry() {
        let after = BEFORE.replace("b integer", "c integer");
        let found = Dump::parse(BEFORE).differences(&Dump::parse(&after));
        assert_eq!(
            found,
            [
                "[TABLE public.t of app] -     b integer",
                "[TABLE public.t of app] +     c integer",
            ]
        );
    }

    #[test]
    fn another_order_is_a_difference() {
        let before = BEFORE.replace("a integer,", "b integer,\n    a integer,");
        let after = BEFORE.replace("a integer,", "a integer,\n    b integer,");
        let found = Dump::parse(&before).differences(&Dump::parse(&after));
        assert_eq!(
            found,
            ["[TABLE public.t of app] lines are in another order"]
        );
    }

    #[test]
    fn what_is_not_said_of_each_partition_is_told_of_those_of_which_it_is() {
        let names = |name: &str| vec![(format!(".{name}"), ".{partition}".to_owned())];
        let two = Partitions {
            each: vec![names("t_1"), names("t_12")],
        };
        let said = ["a.t_1 x", "a.t_12 x", "a.t_12 y"].map(str::to_owned);
        assert_eq!(two.fold(&said), ["a.t_12 y", "a.{partition} x"]);
    }
}
