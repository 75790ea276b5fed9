//! New values of a list get partitions of their own while clients read and write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use partman_rig::cluster::Login;
use partman_rig::{fault, poll};

use crate::maintained::{must, number, texts};

const PATIENCE: Duration = Duration::from_secs(30);
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
            longest = longest.max(began.elapsed());
            thread::sleep(Duration::from_millis(5));
        }
        (longest, left.iter().sum())
    })
}

/// Read committed: each client sees at any moment all that it has written, nothing twice, and no
/// statement fails, while values come up and the worker and a session give them partitions.
#[test]
fn nobody_misses_a_row_while_new_values_get_partitions() {
    let cluster = crate::maintained::builder("1s").start();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
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
    for value in 2..=VALUES {
        flow.values.store(value, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
        if value % 4 == 0 {
            must(&mut admin, "SELECT ensure_partitions('listed')");
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
    let moved_under_load = number(
        &mut admin,
        "SELECT count(*) FROM partman_rs.run WHERE outcome = 'created with its rows'",
    );
    let refused = number(
        &mut admin,
        "SELECT count(*) FROM partman_rs.run WHERE outcome = 'failed'",
    );
    println!(
        "{moved_under_load} values moved, {refused} put off, {longest:?} for a transaction at most"
    );
    assert!(moved_under_load > VALUES / 2, "{moved_under_load}");
    let failures = texts(
        &mut admin,
        "SELECT DISTINCT sqlstate FROM partman_rs.run WHERE outcome = 'failed' AND sqlstate <> '55P03'",
        &[],
    );
    assert_eq!(failures, Vec::<String>::new());
    poll::expect("the rest", PATIENCE, || {
        number(&mut admin, "SELECT count(*) FROM listed_default") == 0
    });
    assert_eq!(number(&mut admin, "SELECT count(*) FROM listed"), left);
    let strays = number(
        &mut admin,
        "SELECT count(*) FROM pg_class c
          WHERE c.relname ~ '^listed_' AND c.relkind = 'r'
            AND (NOT c.relispartition OR (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid) <> 2)",
    );
    assert_eq!(strays, 0);
    // Each is made once; a value whose rows were all deleted in the meantime has none.
    let made = number(
        &mut admin,
        "SELECT count(DISTINCT partition) FROM partman_rs.run WHERE outcome = 'created with its rows'",
    );
    let partitions = number(
        &mut admin,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'listed'::regclass",
    );
    assert_eq!(partitions, made + 1);
}
