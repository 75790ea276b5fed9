//! New values of a list get partitions of their own while clients read and write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use partman_rig::cluster::Login;
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::poll::PATIENCE;
use partman_rig::{fault, poll};
use postgres::Client;

use crate::maintained::{must, number, texts};

const CLIENTS: i64 = 8;
/// So many values that more come up while others are moved.
const VALUES: i64 = 40;

const TABLE: &str = "CREATE EXTENSION pg_partman_rs;
    CREATE TABLE listed (client bigint, id bigint, country text, note text, PRIMARY KEY (client, id, country)) PARTITION BY LIST (country);
    CREATE INDEX listed_country ON listed (country);
    CREATE TABLE listed_default PARTITION OF listed DEFAULT;
    SELECT set_partition_policy('listed', new_values => true)";

/// What all clients share.
struct Flow {
    /// Values that there are by now.
    values: AtomicI64,
    stop: AtomicBool,
}

/// Writes rows, changes and deletes them, in transactions of several statements, and looks after each for
/// all that it has left of the value; how long it waited at most, and how many rows are left.
fn client(login: Login, number: i64, flow: Arc<Flow>) -> JoinHandle<(Duration, i64)> {
    thread::spawn(move || {
        let mut session = login.open().expect("a session can be opened");
        let mut longest = Duration::ZERO;
        let mut left = vec![0i64; VALUES as usize];
        let mut id = 0;
        while !flow.stop.load(Ordering::Relaxed) {
            id += 1;
            let value = (id * 7 + number) % flow.values.load(Ordering::Relaxed);
            let country = format!("V{value}");
            let began = Instant::now();
            let seen: Result<i64, postgres::Error> = (|| {
                let mut work = session.transaction()?;
                work.execute(
                    "INSERT INTO listed VALUES ($1, $2, $3, 'new')",
                    &[&number, &id, &country],
                )?;
                let updated = work.execute(
                    "UPDATE listed SET note = 'changed' WHERE client = $1 AND country = $2",
                    &[&number, &country],
                )?;
                assert_eq!(
                    updated as i64,
                    left[value as usize] + 1,
                    "rows of {country}"
                );
                left[value as usize] += 1;
                if id % 3 == 0 {
                    let gone = work.execute(
                        "DELETE FROM listed WHERE client = $1 AND country = $2
                            AND id = (SELECT min(id) FROM listed WHERE client = $1 AND country = $2)",
                        &[&number, &country],
                    )?;
                    assert_eq!(gone, 1, "a row of {country}");
                    left[value as usize] -= 1;
                }
                work.commit()?;
                let row = session.query_one(
                    "SELECT count(*) FROM listed WHERE client = $1 AND country = $2",
                    &[&number, &country],
                )?;
                Ok(row.get(0))
            })();
            let seen = seen.unwrap_or_else(|e| panic!("client {number}: {}", fault::describe(&e)));
            assert_eq!(
                seen, left[value as usize],
                "rows of {country} of client {number}"
            );
            let took = began.elapsed();
            longest = longest.max(took);
            // However slow the machine is, the clients leave the worker time to keep up with them.
            thread::sleep(took.max(Duration::from_millis(5)) * 2);
        }
        (longest, left.iter().sum())
    })
}

const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'listed'::regclass";

/// Rows in partitions of other values.
fn misplaced(admin: &mut Client) -> i64 {
    let leaves = texts(
        admin,
        "SELECT format('SELECT count(*) FROM %s WHERE NOT (%s)', relid, pg_get_partition_constraintdef(relid))
           FROM pg_partition_tree('listed') WHERE isleaf AND pg_get_partition_constraintdef(relid) IS NOT NULL",
        &[],
    );
    leaves.iter().map(|leaf| number(admin, leaf)).sum()
}

/// How values get their rows.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    OneByOne,
    /// By the engine of conversions, as if they were very many.
    Together,
    /// Likewise, into partitions that are partitioned themselves.
    IntoLevels,
}

/// Read committed: each client sees at any moment all that it has written, nothing twice, and no
/// statement fails, while values come up and the worker and a session give them partitions.
#[test]
fn nobody_misses_a_row_while_new_values_get_partitions() {
    nobody_misses_a_row(Way::OneByOne);
}

#[test]
fn nobody_misses_a_row_while_the_engine_moves_rows_of_new_values() {
    nobody_misses_a_row(Way::Together);
}

#[test]
fn nobody_misses_a_row_while_new_values_get_levels() {
    nobody_misses_a_row(Way::IntoLevels);
}

/// A value whose partition is partitioned.
const LEVELS: &str = "
    CREATE TABLE listed_first PARTITION OF listed FOR VALUES IN ('first') PARTITION BY HASH (client);
    CREATE TABLE listed_first_0 PARTITION OF listed_first FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
    CREATE TABLE listed_first_0_few PARTITION OF listed_first_0 FOR VALUES FROM (0) TO (100);
    CREATE TABLE listed_first_0_rest PARTITION OF listed_first_0 DEFAULT;
    CREATE TABLE listed_first_1 PARTITION OF listed_first FOR VALUES WITH (MODULUS 2, REMAINDER 1)";

fn nobody_misses_a_row(way: Way) {
    let (most_rows, done) = match way {
        Way::OneByOne => ("100000", "created with its rows"),
        Way::Together | Way::IntoLevels => ("0", "drained"),
    };
    let cluster = crate::maintained::builder("1s")
        .setting("pg_partman_rs.new_value_max_rows", most_rows)
        .start();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
    if way == Way::IntoLevels {
        must(&mut admin, LEVELS);
    }
    let flow = Arc::new(Flow {
        values: AtomicI64::new(1),
        stop: AtomicBool::new(false),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            client(
                cluster.login("postgres", "postgres"),
                number,
                Arc::clone(&flow),
            )
        })
        .collect();
    let moves = format!("SELECT count(*) FROM partman_rs.run WHERE outcome = '{done}'");
    for value in 2..=VALUES {
        flow.values.store(value, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
        if value % 4 == 0 {
            must(&mut admin, "SELECT ensure_partitions('listed')");
        }
        // However slow the worker is, no more come up than are moved while there is load.
        if value % 8 == 0 {
            let wanted = match way {
                Way::OneByOne => value / 2,
                // Several values at a time.
                Way::Together | Way::IntoLevels => value / 8,
            };
            poll::expect("values to be moved under load", PATIENCE, || {
                assert!(clients.iter().all(|client| !client.is_finished()));
                number(&mut admin, &moves) >= wanted
            });
        }
    }
    flow.stop.store(true, Ordering::Relaxed);
    let mut left = 0;
    let mut longest = Duration::ZERO;
    for client in clients {
        let (waited, rows) = client
            .join()
            .expect("no statement fails, and no row is missed");
        longest = longest.max(waited);
        left += rows;
    }
    let moved = number(&mut admin, &moves);
    let refused = number(
        &mut admin,
        "SELECT count(*) FROM partman_rs.run WHERE outcome = 'failed'",
    );
    println!("{moved} times {done}, {refused} put off, {longest:?} for a transaction at most");
    let failures = texts(
        &mut admin,
        "SELECT DISTINCT sqlstate FROM partman_rs.run WHERE outcome = 'failed' AND sqlstate <> '55P03'",
        &[],
    );
    assert_eq!(failures, Vec::<String>::new());
    poll::expect("the rest", PATIENCE, || {
        let open = "SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished'";
        number(&mut admin, "SELECT count(*) FROM listed_default") == 0
            && number(&mut admin, open) == 0
    });
    assert_eq!(number(&mut admin, "SELECT count(*) FROM listed"), left);
    let strays = number(
        &mut admin,
        "SELECT count(*) FROM pg_class c
          WHERE c.relname ~ '^listed_' AND c.relkind IN ('r', 'p')
            AND (NOT c.relispartition OR (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid) <> 2)",
    );
    assert_eq!(strays, 0);
    assert_eq!(misplaced(&mut admin), 0);
    if way != Way::OneByOne {
        return;
    }
    // Each is made once; a value whose rows were all deleted in the meantime has none.
    let made = number(
        &mut admin,
        "SELECT count(DISTINCT partition) FROM partman_rs.run WHERE outcome = 'created with its rows'",
    );
    assert_eq!(number(&mut admin, PARTITIONS), made + 1);
}

/// The server is killed at each of these, while values of texts move; the worker that comes next goes on, and nothing is
/// done twice.
#[test]
fn a_killed_worker_moves_no_value_twice() {
    no_value_is_moved_twice("");
}

/// Likewise into partitions that are partitioned themselves.
#[test]
fn a_killed_worker_gives_no_value_its_levels_twice() {
    no_value_is_moved_twice(LEVELS);
}

fn no_value_is_moved_twice(siblings: &str) {
    let cluster = crate::maintained::builder("1s")
        .setting("pg_partman_rs.new_value_max_rows", "0")
        .start();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
    must(&mut admin, siblings);
    let before = number(&mut admin, PARTITIONS);
    let failpoints = Failpoints::of(&cluster);
    let points = [
        "prepare:before_commit",
        "capture:before_commit",
        "copy:before_commit",
        "verify:after_commit",
        "swap:before_commit",
        "swap:after_commit",
    ];
    for point in points {
        failpoints.set(point, Action::Kill);
    }
    must(
        &mut admin,
        "INSERT INTO listed SELECT 0, n, 'V' || n % 7, repeat('x', 200) FROM generate_series(1, 20000) n",
    );
    for point in points {
        poll::expect(point, PATIENCE, || failpoints.has_fired(point));
    }
    let ended = "SELECT (SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished') = 0
                    AND (SELECT count(*) FROM partman_rs.run WHERE outcome = 'drained') = 1";
    poll::expect("the values to have their partitions", PATIENCE, || {
        let Ok(mut session) = cluster.login("postgres", "postgres").open() else {
            return false;
        };
        let row = session.query_one(ended, &[]);
        row.is_ok_and(|row| row.get::<_, bool>(0))
    });
    let mut admin = cluster.connect();
    let sql = "SELECT count(*) FROM listed_default";
    assert_eq!(number(&mut admin, sql), 0);
    assert_eq!(misplaced(&mut admin), 0);
    let sql = "SELECT count(*) FROM (SELECT DISTINCT id, country FROM listed WHERE country = 'V' || id % 7) AS rows";
    assert_eq!(number(&mut admin, sql), 20000);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM listed"), 20000);
    assert_eq!(number(&mut admin, PARTITIONS), before + 7);
}
