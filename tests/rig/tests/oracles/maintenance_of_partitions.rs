//! Partitions are made and retired, by a worker and by sessions at once, while clients read and
//! write through the parent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use partman_rig::cluster::{Cluster, Login};
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::poll::PATIENCE;
use partman_rig::{fault, poll};
use postgres::Client;

use crate::maintained::{kill_parked, must, number};

/// A server whose worker maintains each table every second.
fn maintained() -> Cluster {
    crate::maintained::builder("1s").start()
}

/// Pain 13: nobody calls anything, nobody writes; and pain 14: one table cannot be maintained.
#[test]
fn pain_13_14_a_quiet_table_is_maintained_by_itself_beside_one_that_fails() {
    let cluster = maintained();
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE ROLE keeper NOLOGIN;
         CREATE SCHEMA shop AUTHORIZATION keeper;
         SET ROLE keeper;
         CREATE TABLE shop.bad (id int) PARTITION BY RANGE (id);
         CREATE TABLE shop.bad_1 PARTITION OF shop.bad FOR VALUES FROM (0) TO (10);
         CREATE TABLE shop.quiet (at timestamptz) PARTITION BY RANGE (at);
         RESET ROLE;
         SELECT set_partition_policy('shop.bad');
         -- Nothing reads such an interval.
         UPDATE partman_rs.policy SET partition_interval = 'x' WHERE parent = 'shop.bad'::regclass;
         SELECT set_partition_policy('shop.quiet', '1 hour', premake => 3);",
    );
    poll::expect("partitions", PATIENCE, || {
        number(
            &mut admin,
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'shop.quiet'::regclass",
        ) == 4
    });
    poll::expect("the failure to be told", PATIENCE, || {
        number(
            &mut admin,
            "SELECT count(*) FROM partman_rs.health WHERE parent = 'shop.bad'::regclass AND verdict = 'warning' AND last_sqlstate IS NOT NULL",
        ) == 1
    });
    let others = number(
        &mut admin,
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relowner <> 'keeper'::regrole",
    );
    assert_eq!(others, 0, "all belong to the owner of the table");
    // After failures it is tried less and less often.
    let (first, second) = (
        "SELECT failures::bigint FROM partman_rs.maintenance WHERE parent = 'shop.bad'::regclass",
        "SELECT round(extract(epoch FROM p.next_run_at - p.last_run_at) / 2 ^ failures * 1000)::bigint
           FROM partman_rs.policies p JOIN partman_rs.maintenance m ON m.parent = p.parent WHERE p.parent = 'shop.bad'::regclass",
    );
    poll::expect("a second failure", PATIENCE, || {
        number(&mut admin, first) >= 2
    });
    assert_eq!(number(&mut admin, second), 1000);
    // A table that is gone takes its policy along.
    must(&mut admin, "DROP TABLE shop.bad");
    poll::expect("its policy to go", PATIENCE, || {
        number(&mut admin, "SELECT count(*) FROM partman_rs.policy") == 1
    });
}

/// For how many seconds clients are at work, where 20 are not enough.
const SECONDS_ENV: &str = "PARTMAN_LOAD_SECONDS";

/// Rows in a partition; integers, so that the data alone says what is made and retired.
const WIDTH: i64 = 100;

const TABLE: &str = "
    CREATE EXTENSION pg_partman_rs;
    CREATE TABLE flow (id bigint PRIMARY KEY, v text NOT NULL DEFAULT 'x') PARTITION BY RANGE (id);
    CREATE INDEX ON flow (v);
    CREATE TABLE flow_p0 PARTITION OF flow FOR VALUES FROM (0) TO (100);
    SELECT set_partition_policy('flow', premake => 30, retention => '1000', retention_action => 'drop');
    SELECT ensure_partitions('flow');
    INSERT INTO flow VALUES (1);
    SELECT ensure_partitions('flow');";

/// What clients have in common.
struct Flow {
    next: AtomicI64,
    /// There are partitions for smaller ones. Where maintenance gets less of a busy machine than clients do, these wait.
    made: AtomicI64,
    stop: AtomicBool,
}

const CLIENTS: i64 = 32;

/// Each statement may meet a wait for a lock, of 100 ms, and what is done under it; whoever waits for much longer is
/// refused. How long a statement takes by itself, on a busy machine, is nobody's fault.
const IMPATIENT: &str = "-c lock_timeout=20s -c statement_timeout=600s";

const MADE: &str =
    "SELECT max(upper_bound::bigint) FROM partman_rs.partitions WHERE parent = 'flow'::regclass";

/// Writes new rows and reads back the newest ones, until it is told to stop; the longest that this took.
fn client(login: Login, flow: Arc<Flow>) -> JoinHandle<Duration> {
    thread::spawn(move || {
        let mut session = login.open().expect("a session can be opened");
        let mut longest = Duration::ZERO;
        while !flow.stop.load(Ordering::Relaxed) {
            if flow.next.load(Ordering::Relaxed) + CLIENTS >= flow.made.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            let id = flow.next.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            session
                .execute("INSERT INTO flow (id) VALUES ($1)", &[&id])
                .unwrap_or_else(|e| panic!("insert of {id}: {}", fault::describe(&e)));
            session
                .execute("UPDATE flow SET v = 'y' WHERE id = $1", &[&id])
                .unwrap_or_else(|e| panic!("update of {id}: {}", fault::describe(&e)));
            let seen = session
                .query("SELECT v FROM flow WHERE id > $1::bigint - 50", &[&id])
                .unwrap_or_else(|e| panic!("select: {}", fault::describe(&e)));
            assert!(!seen.is_empty());
            longest = longest.max(began.elapsed());
            thread::sleep(Duration::from_millis(16));
        }
        longest
    })
}

/// Runs maintenance in a session, over and over; what failed.
fn ensurer(login: Login, flow: Arc<Flow>) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut session = login.open().expect("a session can be opened");
        let mut failed = Vec::new();
        while !flow.stop.load(Ordering::Relaxed) {
            let rows = session
                .query("SELECT outcome FROM ensure_partitions()", &[])
                .unwrap_or_else(|e| panic!("ensure_partitions: {}", fault::describe(&e)));
            let outcomes = rows.iter().map(|row| row.get::<_, String>(0));
            failed.extend(outcomes.filter(|outcome| outcome.starts_with("failed")));
            let made = number(&mut session, MADE);
            flow.made.fetch_max(made, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(100));
        }
        failed
    })
}

/// Pains 4 and 5: no deadlock, no error, nothing twice, while sessions and the worker make and drop
/// partitions under readers and writers; the worker is killed now and then, and the next run goes on.
#[test]
fn pain_04_05_readers_and_writers_go_on_while_partitions_come_and_go() {
    let cluster = maintained();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
    let flow = Arc::new(Flow {
        next: AtomicI64::new(2),
        made: AtomicI64::new(number(&mut admin, MADE)),
        stop: AtomicBool::new(false),
    });
    let login = || cluster.login("postgres", "postgres");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| client(login().with_options(IMPATIENT), Arc::clone(&flow)))
        .collect();
    let ensurers: Vec<_> = (0..2)
        .map(|_| ensurer(login(), Arc::clone(&flow)))
        .collect();
    let seconds = std::env::var(SECONDS_ENV).ok();
    let seconds = seconds.map_or(20, |given| given.parse().expect("a number of seconds"));
    thread::sleep(Duration::from_secs(seconds));
    flow.stop.store(true, Ordering::Relaxed);
    let longest = clients
        .into_iter()
        .map(|client| client.join().expect("no statement fails"))
        .max();
    let failed: Vec<String> = ensurers
        .into_iter()
        .flat_map(|ensurer| ensurer.join().expect("no call fails"))
        // The lock was not to be had in time, five times: the next run does it.
        .filter(|outcome| !outcome.contains("55P03"))
        .collect();
    assert_eq!(failed, Vec::<String>::new());
    println!("three statements took {longest:?} at most");
    let last = flow.next.load(Ordering::Relaxed);
    // The worker may be between detaching and dropping one, or have the rest still before it.
    poll::expect(
        "all that is old to be retired, and as a whole",
        PATIENCE,
        || {
            strays(&mut admin) == 0
                && number(&mut admin, "SELECT count(*) FROM partman_rs.retirement") == 0
                && number(&mut admin, "SELECT min(id) FROM flow") > last - 1000 - 2 * WIDTH - 100
        },
    );
    // What was not retired is there, each row once.
    let rows = number(&mut admin, "SELECT count(*) FROM flow");
    let lowest = number(&mut admin, "SELECT min(id) FROM flow");
    assert_eq!(rows, last - lowest, "from {lowest} to {last}");
    let twice = number(
        &mut admin,
        "SELECT count(*) FROM (SELECT FROM partman_rs.run WHERE outcome <> 'failed' GROUP BY action, partition HAVING count(*) > 1) AS twice",
    );
    assert_eq!(twice, 0, "an action was recorded twice");
    let deadlocks = number(
        &mut admin,
        "SELECT count(*) FROM partman_rs.run WHERE sqlstate = '40P01'",
    );
    assert_eq!(deadlocks, 0);
}

/// Tables that look like partitions and are none, and partitions without all indexes.
fn strays(admin: &mut Client) -> i64 {
    number(
        admin,
        "SELECT count(*) FROM pg_class c
          WHERE c.relname ~ '^flow_p' AND c.relkind = 'r'
            AND (NOT c.relispartition OR (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) <> 2)",
    )
}

/// So many that the worker has not made all of them in four transactions.
const MANY: i64 = 400;

/// The worker is killed in the middle of making many partitions: what was made stays, nothing is
/// half made, and the next run makes the rest.
#[test]
fn a_killed_worker_leaves_nothing_half_done() {
    let cluster = maintained();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
    let (points, point) = (Failpoints::of(&cluster), "maintain:before_commit");
    for round in 1..=3i64 {
        let wanted = MANY * round;
        points.set(point, Action::WaitAfter(3));
        must(
            &mut admin,
            &format!("SELECT set_partition_policy('flow', premake => {wanted})"),
        );
        let made = |admin: &mut Client| {
            number(
                admin,
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'flow'::regclass",
            )
        };
        points.await_parked(point);
        admin = kill_parked(&cluster, &mut admin, point);
        let now = made(&mut admin);
        assert!(
            (wanted - MANY + 20..=wanted).contains(&now),
            "it was killed in the middle: {now}"
        );
        points.clear_all();
        poll::expect("the rest", PATIENCE, || made(&mut admin) == wanted + 1);
        assert_eq!(strays(&mut admin), 0);
        let recorded = number(
            &mut admin,
            "SELECT count(DISTINCT partition) FROM partman_rs.run WHERE action = 'create' AND outcome = 'created'",
        );
        assert_eq!(recorded, wanted, "each is recorded with its making");
    }
}

/// Who watches a standby is told there what is to be done; it is done elsewhere.
#[test]
fn a_standby_tells_how_tables_are_and_does_nothing() {
    let primary = Cluster::builder().start();
    let mut admin = primary.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE n (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE n_0 PARTITION OF n FOR VALUES FROM (0) TO (100);
         CREATE TABLE n_default PARTITION OF n DEFAULT;
         INSERT INTO n VALUES (50), (150);
         SELECT set_partition_policy('n', premake => 2)",
    );
    let standby = primary.standby();
    let mut reader = standby.connect();
    let warned = "SELECT count(*) FROM partman_rs.health WHERE verdict = 'warning' AND reason LIKE '%0 of 2 partitions%'";
    assert_eq!(number(&mut reader, warned), 1);
    let refused = reader.batch_execute("SELECT ensure_partitions('n')");
    let refused = refused.expect_err("a standby cannot write");
    assert_eq!(
        refused.code().map(|code| code.code()),
        Some("25006"),
        "{}",
        fault::describe(&refused)
    );
}
