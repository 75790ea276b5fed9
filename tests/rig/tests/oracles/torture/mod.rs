//! Two tables with everything that can hang on a table, converted under load.
//!
//! The schema is `torture.sql`, what uses it is `behaviour.sql`; `expected.txt` says what is different
//! afterwards, and why. A difference that is not there fails the test, and so does one that is there and
//! not found.

use std::collections::BTreeMap;

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::conversion::Conversion;
use partman_rig::oracle::dump::{Dump, Partitions};
use partman_rig::oracle::{self, Findings};
use partman_rig::pgbench::Pgbench;
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use partman_rig::{fault, poll};
use postgres::Client;

use crate::maintained::{must, number, texts};

const NAMES: &str = include_str!("names.psql");
const SCHEMA: &str = include_str!("torture.sql");
const BEHAVIOUR: &str = include_str!("behaviour.sql");
const EXPECTED: &str = include_str!("expected.txt");
/// As in `names.psql`.
const A: &str = r#""Sch""ema 😀"."Törture 😀 ""A"": it's a name that has just 63 bytes, and no m""#;
const B: &str = r#"elsewhere."B.b""#;
const DATABASE: &str = "torture";

/// What the clients do; A and B stand for the tables.
const LOAD: [&str; 4] = [
    // Rows come, change, move to another partition, and go.
    r#"\set n random(1, 290)
       INSERT INTO A (customer, region, "At", "Ünï ""text""", payer) VALUES (:n, :n % 3, '2026-01-01 00:00+00'::timestamptz + :n * interval '14 hours', 'load', 'p' || :n) RETURNING id \gset
       BEGIN;
       UPDATE A SET amount = amount + 1, tags = '{load}' WHERE id = :id;
       UPDATE A SET "At" = "At" + interval '1 month' WHERE id = :id;
       END;
       DELETE FROM A WHERE id = :id AND :n % 2 = 0;"#,
    // The rows that were there, also through views, procedures and by those who see a part of them.
    r#"\set id random(1000, 1999)
       UPDATE "view ""1""" SET amount = amount + 1 WHERE nr = :id AND amount < 700;
       CALL elsewhere."moves it"(:id, '2026-01-10 00:00+00'::timestamptz + :id % 120 * interval '1 day');
       SELECT count(*) FROM elsewhere."view 2" WHERE nr = :id;
       SET ROLE "role two";
       SELECT count(*) FROM A WHERE id = :id;
       RESET ROLE;"#,
    r#"\set id random(1000, 1999)
       INSERT INTO B (v, customer) VALUES ('load', 1 + :id % 200) RETURNING id AS new \gset
       UPDATE B SET v = 'changed', a = :new WHERE id IN (:id, :new);
       DELETE FROM whole WHERE id = :new - 3 AND :id % 2 = 0;
       UPDATE B SET id = -id + 100000000 WHERE id = :id AND :id % 7 = 0;"#,
    // What the foreign keys point at.
    r#"\set id random(291, 300)
       BEGIN;
       SELECT pg_advisory_xact_lock(:id);
       INSERT INTO A (customer, region, payer) SELECT id, region, 'p' || id FROM "Customer" WHERE id = :id;
       UPDATE A SET payer = NULL WHERE payer = 'p' || :id;
       DELETE FROM "Customer" WHERE id = :id;
       INSERT INTO "Customer" VALUES (:id, :id % 3);
       END;"#,
];

/// A row is there as it was written, and none other; and every key points at something.
const WRONG_ROWS: &str = r#"
    SELECT format('%s: %s %s', what, tab, image) FROM (
        (SELECT 'not seen by its trigger' AS what, 'A' AS tab, to_jsonb(t)::text AS image FROM A t UNION ALL SELECT 'not seen by its trigger', 'B', to_jsonb(t)::text FROM B t
         EXCEPT ALL SELECT 'not seen by its trigger', tab, image::text FROM mirror)
        UNION ALL
        (SELECT 'lost', tab, image::text FROM mirror EXCEPT ALL
         (SELECT 'lost', 'A', to_jsonb(t)::text FROM A t UNION ALL SELECT 'lost', 'B', to_jsonb(t)::text FROM B t))
        UNION ALL
        SELECT 'points at nothing', 'A', to_jsonb(t)::text FROM A t WHERE customer IS NOT NULL AND NOT EXISTS (SELECT FROM "Customer" c WHERE (c.region, c.id) = (t.region, t.customer))
            OR payer IS NOT NULL AND NOT EXISTS (SELECT FROM elsewhere."pay er" p WHERE p.code = t.payer)
        UNION ALL
        SELECT 'points at nothing', 'B', to_jsonb(t)::text FROM B t WHERE customer IS NOT NULL AND NOT EXISTS (SELECT FROM "Customer" c WHERE c.id = t.customer)
    ) wrong LIMIT 10"#;

/// How the title of an entry has the tables' names, and what is said instead.
const TITLES: [(&str, &str); 4] = [
    (
        r#"Sch"ema 😀.Törture 😀 "A": it's a name that has just 63 bytes, and no m"#,
        "A",
    ),
    (
        r#"Sch"ema 😀.TABLE "Törture 😀 ""A"": it's a name that has just 63 bytes, and no m""#,
        "TABLE A",
    ),
    ("elsewhere.B.b", "B"),
    (r#"elsewhere.TABLE "B.b""#, "TABLE B"),
];

/// With the tables called A and B, as `expected.txt` has it.
fn abbreviated(difference: &str) -> String {
    let titles = TITLES.iter();
    let text = difference.replace(A, "A").replace(B, "B");
    titles.fold(text, |text, (title, name)| text.replace(title, name))
}

/// The tables under their names.
fn named(sql: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '\'';
    let mut result = String::new();
    let mut rest = sql;
    while let Some(place) = rest.find(['A', 'B']) {
        let (before, after) = rest.split_at(place);
        let alone = !before.ends_with(is_word) && !after[1..].starts_with(is_word);
        result.push_str(before);
        result.push_str(match &after[..1] {
            "A" if alone => A,
            "B" if alone => B,
            other => other,
        });
        rest = &after[1..];
    }
    result + rest
}

fn torture() -> Cluster {
    let cluster = Cluster::builder().setting("wal_level", "logical").start();
    create_database(&cluster, DATABASE);
    cluster.psql(DATABASE, &format!("{NAMES}{SCHEMA}"));
    must(
        &mut cluster.connect_as(SUPERUSER, DATABASE),
        &format!("ALTER DATABASE {DATABASE} SET search_path = \"Sch\"\"ema 😀\", public"),
    );
    cluster
}

fn behaviour(cluster: &Cluster) -> Vec<String> {
    let printed = cluster.psql(DATABASE, &format!("{NAMES}{BEHAVIOUR}"));
    printed.lines().map(str::to_owned).collect()
}

fn convert(cluster: &Cluster, table: &str, column: &str, interval: &str, end: &str) {
    let mut app = cluster.connect_as(OWNER, DATABASE);
    must(&mut app, "SET timezone = 'UTC'");
    let literal = table.replace('\'', "''");
    Conversion::of(&literal, column, interval)
        .with(&format!("range_end => '{end}'"))
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    must(&mut app, "SET statement_timeout = 0");
    let seconds = PATIENCE.as_secs();
    must(
        &mut app,
        &format!("CALL wait_for_conversion('{literal}', '{seconds} s')"),
    );
}

fn finish(cluster: &Cluster, table: &str) {
    let mut app = cluster.connect_as(OWNER, DATABASE);
    app.execute("SELECT finish_conversion($1::text::regclass)", &[&table])
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
}

/// The differences that are expected of this major: the lines that begin with a bracket. `@18+ [` is for
/// that one and what is newer, `@-17 [` for that one and what is older.
fn expected(major: i64) -> Vec<String> {
    let holds = |version: &str| match version.strip_prefix('-') {
        Some(last) => major <= last.parse().expect("a major"),
        None => major >= version.trim_end_matches('+').parse().expect("a major"),
    };
    let mut lines: Vec<String> = EXPECTED
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| match line.strip_prefix('@') {
            Some(rest) => rest
                .split_once(' ')
                .filter(|(version, _)| holds(version))
                .map(|(_, line)| line.to_owned()),
            None => Some(line.to_owned()),
        })
        .collect();
    lines.sort();
    lines
}

/// What one list has more often than the other.
fn unlike(found: &[String], expected: &[String]) -> Findings {
    let mut times: BTreeMap<&String, i64> = BTreeMap::new();
    for line in found {
        *times.entry(line).or_default() += 1;
    }
    for line in expected {
        *times.entry(line).or_default() -= 1;
    }
    let told = |(line, times): (&String, i64)| match times {
        0 => None,
        1.. => Some(format!("not expected: {line}")),
        _ => Some(format!("expected, and not there: {line}")),
    };
    times.into_iter().filter_map(told).collect()
}

#[test]
fn everything_that_hangs_on_a_table_hangs_on_the_result() {
    let cluster = torture();
    let mut admin = cluster.connect_as(SUPERUSER, DATABASE);
    let definition = Dump::of(&cluster, DATABASE);
    let behaved = behaviour(&cluster);
    assert!(behaved.len() > 150, "the script ran to its end");

    let mut run = Pgbench::until_stopped(&cluster, DATABASE, 8)
        .arg("--username=app")
        // Rows that move to another partition while somebody waits for them.
        .arg("--max-tries=100")
        .arg("--rate=150");
    for script in LOAD {
        run = run.script(&named(script));
    }
    let run = run.start();
    let noted = |admin: &mut Client| number(admin, "SELECT count(*) FROM noted");
    poll::expect("the clients to work", PATIENCE, || noted(&mut admin) > 100);
    for (table, column, interval, end) in [
        (A, "At", "2 months", "2026-07-01 00:00+00"),
        (B, "id", "1000", "4000"),
    ] {
        convert(&cluster, table, column, interval, end);
    }
    let before = noted(&mut admin);
    poll::expect("the clients to go on", PATIENCE, || {
        noted(&mut admin) > before + 300
    });
    run.stop().assert_no_errors();
    poll::expect(
        "keys that point at the tables to be valid",
        PATIENCE,
        || {
            let sql = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated AND conparentid = 0";
            number(&mut admin, sql) == 0
        },
    );
    for table in [A, B] {
        finish(&cluster, table);
    }

    let wrong = texts(&mut admin, &named(WRONG_ROWS), &[]);
    oracle::assert_none("rows after the load", &wrong);
    let mut differences = definition.differences(&Dump::of(&cluster, DATABASE));
    for table in [A, B] {
        differences = Partitions::of(&mut admin, table).fold(&differences);
    }
    let differences: Vec<String> = differences.iter().map(|line| abbreviated(line)).collect();
    let version = "SELECT current_setting('server_version_num')::bigint / 10000";
    let expected = expected(number(&mut admin, version));
    oracle::assert_none("the definition", &unlike(&differences, &expected));
    // Nothing in it refers to what is not there, or not yet.
    let restored = Dump::of_restored(&cluster, DATABASE, "restored");
    let now = Dump::of(&cluster, DATABASE);
    oracle::assert_none("the restored definition", &now.differences(&restored));
    // The load's rows are gone, and what it changed of the others is not looked at.
    let behaves = behaviour(&cluster);
    oracle::assert_none("the behaviour", &unlike(&behaves, &behaved));
    assert_eq!(behaves, behaved, "the same lines, in another order");
    for table in [A, B] {
        oracle::assert_none(table, &oracle::soundness(&mut admin, table));
    }
}
