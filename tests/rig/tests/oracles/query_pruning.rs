//! What `query_pruning` says before a conversion, against what EXPLAIN says after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::conversion::{Conversion, wait_until_swapped};
use partman_rig::fault;
use partman_rig::stage::{PATIENCE, create_database};
use postgres::Client;

/// A statement with parameters, and the values that it is run with: SQL, in which `KEY` is the
/// newest key of the table.
struct Query {
    text: &'static str,
    values: &'static str,
}

const fn query(text: &'static str, values: &'static str) -> Query {
    Query { text, values }
}

const FLIGHTS: [Query; 14] = [
    query("SELECT * FROM flights WHERE id = $1", "7"),
    query("SELECT count(*) FROM flights", ""),
    query("SELECT count(*) FROM flights WHERE time_hour = $1", "KEY"),
    query(
        "SELECT carrier, count(*) FROM flights WHERE time_hour >= $1 AND time_hour < $2 GROUP BY carrier",
        "KEY, KEY",
    ),
    query("SELECT avg(dep_delay) FROM flights WHERE time_hour BETWEEN $1 AND $2", "KEY, KEY"),
    query("SELECT * FROM flights WHERE time_hour > $1 ORDER BY time_hour LIMIT 5", "KEY"),
    query("SELECT * FROM flights WHERE tailnum = $1", "'N14228'"),
    query("SELECT * FROM flights WHERE tailnum = $1 AND time_hour = $2", "'N14228', KEY"),
    query("SELECT * FROM flights WHERE time_hour IN ($1, $2)", "KEY, KEY"),
    query("SELECT * FROM flights WHERE time_hour = $1 OR time_hour < $2", "KEY, KEY"),
    query("SELECT * FROM flights WHERE time_hour = ANY ($1::timestamptz[])", "ARRAY[KEY]"),
    query("UPDATE flights SET dep_delay = $1 WHERE time_hour = $2 AND id = $3", "1, KEY, 5"),
    query("DELETE FROM flights WHERE time_hour < $1 AND distance = $2", "KEY, 1400"),
    query(
        "SELECT f.id, g.id FROM flights f JOIN flights g ON g.time_hour = f.time_hour AND g.tailnum = f.tailnum
          WHERE f.time_hour = $1",
        "KEY",
    ),
];

const TRADES: [Query; 15] = [
    query("SELECT * FROM trades WHERE id = $1", "7"),
    query("SELECT * FROM trades WHERE executed_at IS NULL", ""),
    query("SELECT * FROM trades WHERE executed_at = $1", "KEY"),
    query("SELECT sum(quantity) FROM trades WHERE executed_at >= $1", "KEY"),
    query("SELECT sum(quantity) FROM trades WHERE executed_at < $1", "KEY"),
    query("SELECT * FROM trades WHERE symbol = $1 ORDER BY executed_at DESC LIMIT 10", "'SYM7'"),
    query(
        "SELECT * FROM trades WHERE symbol = $1 AND executed_at >= $2 AND executed_at < $3 ORDER BY executed_at",
        "'SYM7', KEY, KEY",
    ),
    query("SELECT date_trunc('month', executed_at), sum(price) FROM trades GROUP BY 1", ""),
    query(
        "SELECT count(*) FROM trades WHERE executed_at >= $1::date AND executed_at < $1::date + 1::integer",
        "(KEY)::date",
    ),
    query("SELECT count(*) FROM trades WHERE executed_at > now() - $1::interval", "now() - KEY"),
    query("SELECT count(*) FROM trades WHERE date_trunc('day', executed_at) = $1", "KEY"),
    query("UPDATE trades SET price = price + $1 WHERE id = $2", "1, 3"),
    query(
        "INSERT INTO trades (executed_at, symbol, quantity, price, payload) VALUES ($1, $2, 1, 1, '{}')
         RETURNING held('trades')",
        "KEY, 'SYM1'",
    ),
    query(
        "SELECT m.note, t.id FROM marks m JOIN trades t ON t.executed_at = m.at WHERE m.note = $1",
        "'one'",
    ),
    query(
        "WITH recent AS MATERIALIZED (SELECT * FROM trades WHERE executed_at >= $1)
         SELECT symbol, count(*) FROM recent WHERE EXISTS (SELECT FROM trades t WHERE t.symbol = recent.symbol AND t.executed_at >= $1) GROUP BY symbol",
        "KEY",
    ),
];

/// What was said, or seen, of a statement.
#[derive(Debug, PartialEq)]
struct Seen {
    partitions: i64,
    pruned: Option<String>,
    locks: i64,
}

#[test]
fn flights_are_pruned_as_foretold() {
    let cluster = cluster();
    create_database(&cluster, "flights");
    let mut client = open(&cluster, "flights");
    run(
        &mut client,
        "CREATE TABLE flights (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             time_hour timestamptz NOT NULL, carrier text NOT NULL, flight integer NOT NULL, tailnum text,
             origin text NOT NULL, dest text NOT NULL, sched_dep_time smallint NOT NULL, dep_delay integer,
             arr_delay integer, air_time integer, distance integer NOT NULL CHECK (distance > 0));
         CREATE INDEX ON flights (time_hour);
         CREATE INDEX ON flights (tailnum);",
    );
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/data/flights.csv.gz");
    cluster.psql(
        "flights",
        &format!(
            "\\copy flights (time_hour, carrier, flight, tailnum, origin, dest, sched_dep_time, dep_delay, \
             arr_delay, air_time, distance) FROM PROGRAM 'gzip -dc \"{}\"' (FORMAT csv, HEADER)",
            data.display()
        ),
    );
    compare(&mut client, "flights", "time_hour", "1 month", &FLIGHTS);
}

#[test]
fn trades_are_pruned_as_foretold() {
    let cluster = cluster();
    create_database(&cluster, "trades");
    let mut client = open(&cluster, "trades");
    run(
        &mut client,
        "CREATE TABLE trades (
             id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
             gone text, executed_at timestamptz NOT NULL, symbol text NOT NULL, quantity bigint NOT NULL,
             price numeric(18,6) NOT NULL, payload jsonb NOT NULL);
         ALTER TABLE trades DROP COLUMN gone;
         INSERT INTO trades
         SELECT i, '2023-01-01 00:00+00'::timestamptz + (i - 0.5) * (interval '731 days' / 100000),
                'SYM' || i * 7919 % 500, i % 9973, i % 100000 / 100.0 + 1, jsonb_build_object('venue', 'XNAS')
           FROM generate_series(1, 100000::bigint) i;
         SELECT setval('trades_id_seq', 100000);
         CREATE INDEX trades_executed_at ON trades (executed_at);
         CREATE INDEX trades_symbol_executed_at ON trades (symbol, executed_at);
         CREATE TABLE marks (note text PRIMARY KEY, at timestamptz);
         INSERT INTO marks SELECT 'one', max(executed_at) FROM trades;
         ANALYZE marks;",
    );
    compare(&mut client, "trades", "executed_at", "1 month", &TRADES);
}

/// Runs the statements, asks for the report, converts the table, and explains the statements.
fn compare(client: &mut Client, table: &str, column: &str, interval: &str, queries: &[Query]) {
    run(
        client,
        &format!("VACUUM ANALYZE {table}; SELECT pg_stat_statements_reset()"),
    );
    let newest: String = client
        .query_one(&format!("SELECT max({column})::text FROM {table}"), &[])
        .expect("the table has rows")
        .get(0);
    let key = format!("'{newest}'::timestamptz");
    for (query, number) in queries.iter().zip(0..) {
        let call = execute(number, query, &key);
        let text = query.text;
        run(
            client,
            &format!("PREPARE q{number} AS {text}; BEGIN; {call}; ROLLBACK; DEALLOCATE q{number}"),
        );
    }
    let before = relations(client);
    run(client, "BEGIN");
    let foretold = report(client, table, column, interval);
    assert_eq!(
        strong_locks(client),
        Vec::<String>::new(),
        "locks that a look at the queries leaves on relations"
    );
    run(client, "COMMIT");
    assert_eq!(relations(client), before, "relations of the database");

    let started = Conversion::of(table, column, interval).start(client);
    started.unwrap_or_else(|e| panic!("{table}: {}", fault::describe(&e)));
    wait_until_swapped(client, table, PATIENCE);
    run(
        client,
        &format!("VACUUM ANALYZE {table}; SET plan_cache_mode = force_generic_plan"),
    );

    let mut differences = Vec::new();
    for (query, number) in queries.iter().zip(0..) {
        let said = foretold
            .iter()
            .find(|(text, _)| text.starts_with(&format!("PREPARE q{number} AS ")))
            .unwrap_or_else(|| panic!("not in the report: {}\n{foretold:#?}", query.text));
        let (plan, seen) = explain(client, table, number, query, &key);
        if *said.1 != seen {
            differences.push(format!(
                "{}\nforetold: {:?}\nseen: {seen:?}\n{plan}",
                query.text, said.1
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

fn execute(number: usize, query: &Query, key: &str) -> String {
    match query.values.replace("KEY", key) {
        none if none.is_empty() => format!("EXECUTE q{number}"),
        values => format!("EXECUTE q{number} ({values})"),
    }
}

fn report(
    client: &mut Client,
    table: &str,
    column: &str,
    interval: &str,
) -> BTreeMap<String, Seen> {
    let rows = client
        .query(
            "SELECT statement, partitions_after, pruned, locks_after, note
               FROM query_pruning($1::text::regclass, $2, $3) WHERE statement LIKE 'PREPARE%'",
            &[&table, &column, &interval],
        )
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    rows.iter()
        .map(|row| {
            let text: String = row.get(0);
            let partitions: Option<i64> = row.get(1);
            let note: Option<String> = row.get(4);
            let seen = Seen {
                partitions: partitions.unwrap_or_else(|| panic!("{text}: {note:?}")),
                pruned: row.get(2),
                locks: row.get(3),
            };
            (text, seen)
        })
        .collect()
}

/// What PostgreSQL does with a statement on the partitioned table.
fn explain(
    client: &mut Client,
    table: &str,
    number: usize,
    query: &Query,
    key: &str,
) -> (String, Seen) {
    let call = execute(number, query, key);
    run(
        client,
        &format!("PREPARE q{number} AS {}; BEGIN", query.text),
    );
    let is_read = query.text.starts_with("SELECT") || query.text.starts_with("WITH");
    let is_insert = query.text.starts_with("INSERT");
    let plan = lines(client, &format!("EXPLAIN (COSTS OFF) {call}"));
    let analyzed = match is_read || is_insert {
        true => lines(
            client,
            &format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {call}"),
        ),
        false => plan.clone(),
    };
    let locks: i64 = match is_insert {
        // Locks on indexes that rows are inserted into are given back when it ends: it counts
        // them itself.
        true => client
            .query_one(&call, &[])
            .expect("it inserts a row")
            .get(0),
        false => client
            .query_one("SELECT held($1::text::regclass)", &[&table])
            .expect("locks can be seen")
            .get(0),
    };
    run(client, &format!("ROLLBACK; DEALLOCATE q{number}"));
    let leaves = leaves(client, table);
    let in_plan = scanned(&plan, &leaves);
    // What is pruned for each row of an outer plan is never executed; what follows a LIMIT is not
    // either, but pruned is only what hangs on a parameter of the executor.
    let by_row = plan.iter().any(|line| line.contains("Nested Loop"));
    let removed = plan.iter().any(|line| line.contains("Subplans Removed"));
    let is_run: Vec<String> = analyzed
        .iter()
        .filter(|line| !line.contains("never executed"))
        .cloned()
        .collect();
    let read = match by_row {
        true => scanned(&is_run, &leaves),
        false => in_plan.clone(),
    };
    let seen = Seen {
        partitions: if is_insert { 1 } else { read.len() as i64 },
        pruned: match () {
            () if is_insert => None,
            () if read.len() == leaves.len() => Some("never".to_owned()),
            () if removed || read.len() < in_plan.len() => Some("run time".to_owned()),
            () => Some("plan time".to_owned()),
        },
        locks,
    };
    (analyzed.join("\n"), seen)
}

fn lines(client: &mut Client, sql: &str) -> Vec<String> {
    let rows = client
        .query(sql, &[])
        .unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)));
    rows.iter().map(|row| row.get(0)).collect()
}

/// The leaves that the nodes of a plan scan.
fn scanned(plan: &[String], leaves: &BTreeSet<String>) -> BTreeSet<String> {
    plan.iter()
        .filter(|line| line.contains("Scan"))
        .filter_map(|line| line.split_once(" on ")?.1.split_whitespace().next())
        .map(str::to_owned)
        .filter(|name| leaves.contains(name))
        .collect()
}

fn leaves(client: &mut Client, table: &str) -> BTreeSet<String> {
    let sql =
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass";
    let rows = client
        .query(sql, &[&table])
        .expect("the catalog can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Counts the relations of a table's tree that the session has locked.
const HELD: &str = "CREATE FUNCTION held(parent regclass) RETURNS bigint LANGUAGE sql VOLATILE BEGIN ATOMIC
    WITH tree AS (SELECT parent::oid AS relid UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = parent)
    SELECT count(DISTINCT l.relation) FROM pg_locks l
     WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
       AND (l.relation IN (SELECT relid FROM tree)
            OR l.relation IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid IN (SELECT relid FROM tree)));
    END";

/// Locks of this session on tables of users, but for reading.
fn strong_locks(client: &mut Client) -> Vec<String> {
    let sql = "SELECT format('%s %s', relation::regclass, mode) FROM pg_locks
         WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384 AND mode <> 'AccessShareLock'";
    let rows = client.query(sql, &[]).expect("locks can be seen");
    rows.iter().map(|row| row.get(0)).collect()
}

fn relations(client: &mut Client) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_class) + (SELECT count(*) FROM pg_type) + (SELECT count(*) FROM pg_depend)";
    client
        .query_one(sql, &[])
        .expect("the catalog can be read")
        .get(0)
}

fn cluster() -> Cluster {
    Cluster::builder()
        .setting("shared_preload_libraries", "pg_stat_statements")
        .start()
}

fn open(cluster: &Cluster, database: &str) -> Client {
    let mut client = cluster.connect_as(SUPERUSER, database);
    run(
        &mut client,
        "SET statement_timeout = 0; SET max_parallel_workers_per_gather = 0;
         CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
    );
    client.batch_execute(HELD).expect("a function can be made");
    client
}

/// Runs statements one by one; those that are separated by `; ` are.
fn run(client: &mut Client, sql: &str) {
    for statement in sql.split("; ") {
        let outcome = client.batch_execute(statement);
        outcome.unwrap_or_else(|e| panic!("{}\n{statement}", fault::describe(&e)));
    }
}
