//! Partitions of a table with a guard are retired, and rows are moved out of its default partition, while clients write to
//! it, and to what points at it: no client fails but for what is about to go, what points at a row finds it at each
//! moment, a row lacks its key only as long as its partition is noted as leaving; in the end the guard has the keys of the
//! table, whoever was killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{self, Conversion};
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::poll::PATIENCE;
use partman_rig::{fault, poll};
use postgres::{Client, Error};

use crate::key_load::{Load, Round, items_of, strike};
use crate::maintained::{builder, kill_parked, must, number, texts};

/// The old ones are those of January and February; nothing is done to orders from 15000 to 15999 but to want their keys.
const TABLES: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, note text);
    CREATE TABLE items (order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE, note text);
    CREATE INDEX ON items (order_id);
    CREATE SEQUENCE fresh START 100000;
    CREATE FUNCTION old_day() RETURNS timestamptz VOLATILE LANGUAGE sql AS
        $$SELECT timestamptz '2024-01-01 00:00+00' + random() * interval '59 days'$$;
    CREATE FUNCTION kept_day() RETURNS timestamptz VOLATILE LANGUAGE sql AS
        $$SELECT timestamptz '2024-03-02 00:00+00' + random() * interval '110 days'$$;
    INSERT INTO orders SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '13 minutes', 'n' FROM generate_series(1, 20000) i;
    INSERT INTO items SELECT i FROM generate_series(8000, 20000) i;
    ANALYZE";

/// Takes a refusal of what is about to go, or has gone.
fn unless(refusal: &str, done: Result<u64, Error>) -> Result<u64, Error> {
    match done {
        Err(error) if fault::sqlstate(&error).as_deref() == Some(refusal) => Ok(0),
        other => other,
    }
}

const NO_ORDER: &str = "23503";
const NO_PARTITION: &str = "23514";

#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_and_goes(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let mut both = client.transaction()?;
    both.execute("INSERT INTO orders VALUES ($1, kept_day())", &[&id])?;
    both.execute("INSERT INTO items VALUES ($1), ($1)", &[&id])?;
    both.commit()?;
    client.execute("UPDATE orders SET at = kept_day() WHERE id = $1", &[&id])?;
    client.execute("UPDATE orders SET id = -id WHERE id = $1", &[&id])?;
    assert_eq!(items_of(client, -id)?, 2, "what was to follow did not");
    client.execute("DELETE FROM orders WHERE id = $1", &[&-id])?;
    assert_eq!(items_of(client, -id)?, 0, "what was to cascade did not");
    Ok(())
}

fn old_ones_change(client: &mut Client) -> Result<(), Error> {
    let sql = "UPDATE orders SET note = 'x' WHERE id = 1 + (random() * 3000)::int";
    client.execute(sql, &[])?;
    let sql =
        "UPDATE orders SET at = at + interval '7 hours' WHERE id = 1 + (random() * 3000)::int";
    unless(NO_PARTITION, client.execute(sql, &[]))?;
    let sql = "DELETE FROM orders WHERE id = 3001 + (random() * 1000)::int AND at < '2024-03-01'";
    client.execute(sql, &[])?;
    let sql = "INSERT INTO orders VALUES (nextval('fresh'), old_day())";
    unless(NO_PARTITION, client.execute(sql, &[])).map(drop)
}

/// One that leaves in time has its key, whether that had been taken or not.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn old_ones_leave(client: &mut Client) -> Result<(), Error> {
    let sql = "UPDATE orders SET at = kept_day() WHERE id = (SELECT 4100 + (random() * 1800)::int) AND at < '2024-03-01' RETURNING id";
    for row in client.query(sql, &[])? {
        let id: i64 = row.get(0);
        let there = items_of(client, id)?;
        client.execute("INSERT INTO items VALUES ($1)", &[&id])?;
        assert_eq!(items_of(client, id)?, there + 1);
    }
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

fn points_at_old_ones(client: &mut Client) -> Result<(), Error> {
    let sql = "INSERT INTO items VALUES (1 + (random() * 5900)::int, 'shortly')";
    unless(NO_ORDER, client.execute(sql, &[]))?;
    client.execute("DELETE FROM items WHERE note = 'shortly'", &[])?;
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}

#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_twice(client: &mut Client) -> Result<(), Error> {
    let sql = "INSERT INTO orders VALUES (15000 + (random() * 999)::int, kept_day())";
    let came = unless("23505", client.execute(sql, &[]))?;
    assert_eq!(came, 0, "not refused");
    Ok(())
}

const KINDS: [Round; 5] = [
    comes_and_goes,
    old_ones_change,
    old_ones_leave,
    points_at_old_ones,
    comes_twice,
];

/// What must be nothing at any moment: items without an order, keys without a row, rows without a key whose partition is
/// not leaving, orders that are there twice.
const AMISS: &str = "SELECT format('%s %s %s %s',
    (SELECT count(*) FROM items i WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = i.order_id)),
    (SELECT count(*) FROM (SELECT id, at FROM orders_pkey_guard EXCEPT ALL SELECT id, at FROM orders) g),
    (SELECT count(*) FROM orders o
      WHERE NOT EXISTS (SELECT FROM orders_pkey_guard g WHERE (g.id, g.at) = (o.id, o.at))
        AND NOT EXISTS (SELECT FROM partman_rs.leaving l WHERE l.partition = o.tableoid)),
    (SELECT count(*) - count(DISTINCT id) FROM orders))";
const LEAVING: &str = "SELECT count(*) FROM partman_rs.leaving";
const OLD: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'orders'::regclass AND inhrelid::regclass::text ~ '_p2024_0[12]$'";

/// Looks all the time.
struct Watch {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicU32>,
    looking: Option<JoinHandle<()>>,
}

impl Watch {
    fn start(cluster: &Arc<Cluster>) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let looks = Arc::new(AtomicU32::new(0));
        let (cluster, until, count) = (Arc::clone(cluster), Arc::clone(&stop), Arc::clone(&looks));
        let looking = std::thread::spawn(move || {
            let mut client = cluster.connect();
            while !until.load(Ordering::Relaxed) {
                match client.query_one(AMISS, &[]) {
                    Ok(row) => {
                        assert_eq!(row.get::<_, String>(0), "0 0 0 0");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) if fault::classify(&error) == fault::Fault::Lost => {
                        std::thread::sleep(Duration::from_millis(200));
                        cluster.await_ready();
                        client = cluster.connect();
                    }
                    Err(error) => panic!("{}", fault::describe(&error)),
                }
            }
        });
        Watch {
            stop,
            looks,
            looking: Some(looking),
        }
    }

    /// Ends it, when it has looked some times.
    fn stop(mut self) {
        let looking = self.looking.take().expect("it is ended once");
        poll::expect("some looks", PATIENCE, || {
            looking.is_finished() || self.looks.load(Ordering::Relaxed) > 5
        });
        self.stop.store(true, Ordering::Relaxed);
        looking.join().expect("something was amiss");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A server under load, whose table was converted.
struct Stage {
    cluster: Arc<Cluster>,
    admin: Client,
    load: Load,
    watch: Watch,
}

impl Stage {
    /// Everything has its partition.
    fn new() -> Stage {
        Stage::of("1s", "2024-07-01", false)
    }

    /// All but the old ones lie in the default partition.
    fn in_default() -> Stage {
        Stage::of("1h", "2024-03-01", true)
    }

    fn of(interval: &str, range_end: &str, default_partition: bool) -> Stage {
        let settings = builder(interval).setting("pg_partman_rs.retention_max_share", "100");
        let cluster = Arc::new(settings.start());
        let mut admin = cluster.connect();
        must(&mut admin, "CREATE EXTENSION pg_partman_rs");
        must(&mut admin, TABLES);
        Conversion::of("orders", "at", "1 month")
            .with("unique_guard => true")
            .with(&format!("range_end => '{range_end}'"))
            .with(&format!("default_partition => {default_partition}"))
            .with("premake => 0")
            .start(&mut admin)
            .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
        conversion::wait_until_swapped(&mut admin, "orders", PATIENCE);
        poll::expect("its foreign key to be valid", PATIENCE, || {
            number(
                &mut admin,
                "SELECT count(*) FROM pg_constraint WHERE conparentid = 0 AND contype = 'f' AND NOT convalidated",
            ) == 0
        });
        must(&mut admin, "SELECT finish_conversion('orders')");
        let load = Load::start(&cluster, &KINDS);
        load.await_more(5);
        let watch = Watch::start(&cluster);
        Stage {
            cluster,
            admin,
            load,
            watch,
        }
    }

    fn await_gone(&mut self) {
        let admin = &mut self.admin;
        poll::expect("the old partitions to go", PATIENCE, || {
            number(admin, OLD) == 0 && number(admin, LEAVING) == 0
        });
    }

    /// Ends the clients; nothing is amiss.
    fn end(mut self) -> (Arc<Cluster>, Client) {
        self.load.await_more(5);
        self.load.stop();
        self.watch.stop();
        assert_eq!(texts(&mut self.admin, AMISS, &[]), ["0 0 0 0"]);
        let kept = "SELECT count(*) FROM orders WHERE id BETWEEN 8000 AND 20000";
        assert_eq!(number(&mut self.admin, kept), 12_001);
        let kept = "SELECT count(*) FROM items WHERE order_id BETWEEN 8000 AND 20000";
        assert_eq!(number(&mut self.admin, kept), 12_001);
        (self.cluster, self.admin)
    }
}

fn retire(admin: &mut Client, action: &str) {
    must(
        admin,
        &format!(
            "SELECT set_partition_policy('orders', '1 month', premake => 0, retention => '80 days', {action})"
        ),
    );
}

/// Rows move out of the default partition, with or without the worker being killed.
fn move_under_load(killed_at: Option<&str>) {
    let mut stage = Stage::in_default();
    assert!(number(&mut stage.admin, IN_DEFAULT) > 10_000);
    strike(&stage.cluster, &mut stage.admin, killed_at, |admin| {
        must(admin, "SELECT ensure_partitions('orders')");
    });
    poll::expect("the default partition to be drained", PATIENCE, || {
        number(&mut stage.admin, DRAINED) == 1
    });
    poll::expect("the end of it", PATIENCE, || {
        number(&mut stage.admin, UNFINISHED) == 0
    });
    let (_cluster, mut admin) = stage.end();
    assert_eq!(number(&mut admin, IN_DEFAULT), 0);
    let found = number(
        &mut admin,
        "SELECT count(*) FROM check_unique_guard('orders')",
    );
    assert_eq!(found, 0);
}

const IN_DEFAULT: &str =
    "SELECT count(*) FROM orders_default WHERE at BETWEEN '2024-03-01' AND '2024-06-20'";
const DRAINED: &str =
    "SELECT count(*) FROM partman_rs.run WHERE action = 'drain' AND outcome = 'drained'";
const UNFINISHED: &str = "SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished'";

#[test]
fn rows_of_a_guarded_default_partition_move_under_load() {
    move_under_load(None);
}

#[test]
fn rows_of_a_guarded_default_partition_move_when_the_worker_is_killed_in_the_swap() {
    move_under_load(Some("swap:before_commit"));
}

const DROP: &str = "retention_action => 'drop'";

fn go_under_load(action: &str, killed_at: Option<&str>) -> (Arc<Cluster>, Client) {
    let mut stage = Stage::new();
    strike(&stage.cluster, &mut stage.admin, killed_at, |admin| {
        retire(admin, action);
    });
    stage.await_gone();
    stage.end()
}

#[test]
fn guarded_partitions_go_under_load() {
    go_under_load(DROP, None);
}

/// What lies in the bin has its keys again when it is had back, while clients go on.
#[test]
fn guarded_partitions_come_back_under_load() {
    let mut stage = Stage::new();
    let action = "retention_action => 'recycle', grace_period => '30 days'";
    retire(&mut stage.admin, action);
    stage.await_gone();
    for partition in ["orders_p2024_01", "orders_p2024_02"] {
        let sql = format!("SELECT restore_partition('{partition}')");
        poll::expect("it to be restored", PATIENCE, || {
            match stage.admin.batch_execute(&sql) {
                Ok(()) => true,
                Err(error) if fault::sqlstate(&error).as_deref() == Some("55P03") => false,
                Err(error) => panic!("{}", fault::describe(&error)),
            }
        });
    }
    let (_cluster, mut admin) = stage.end();
    assert_eq!(number(&mut admin, OLD), 2);
    let guarded = "SELECT count(*) FROM orders o JOIN orders_pkey_guard g USING (id, at) WHERE o.at < '2024-03-01'";
    assert!(number(&mut admin, guarded) > 3000);
}

#[test]
fn guarded_partitions_go_when_the_worker_is_killed_before_it_takes_keys() {
    go_under_load(DROP, Some("retire:noted"));
}

#[test]
fn guarded_partitions_go_when_the_worker_is_killed_while_it_takes_keys() {
    go_under_load("retention_action => 'detach'", Some("retire:keys_taken"));
}

#[test]
fn guarded_partitions_go_when_the_worker_is_killed_before_it_commits() {
    let action = "retention_action => 'recycle', grace_period => '30 days'";
    go_under_load(action, Some("maintain:before_commit"));
}

/// It is pinned when keys have been taken: they are given back.
fn stay_under_load(killed: bool) {
    let mut stage = Stage::new();
    let failpoints = Failpoints::of(&stage.cluster);
    failpoints.set("retire:keys_taken", Action::Wait);
    retire(&mut stage.admin, DROP);
    failpoints.await_parked("retire:keys_taken");
    assert_eq!(number(&mut stage.admin, LEAVING), 1);
    let lacking = "SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT FROM orders_pkey_guard g WHERE (g.id, g.at) = (o.id, o.at))";
    assert!(number(&mut stage.admin, lacking) > 100);
    let pins = "SELECT pin_partition(inhrelid) FROM pg_inherits WHERE inhparent = 'orders'::regclass AND inhrelid::regclass::text ~ '_p2024_0[12]$'";
    must(&mut stage.admin, pins);
    if killed {
        failpoints.set("retire:keys_given_back", Action::Wait);
        failpoints.clear("retire:keys_taken");
        failpoints.await_parked("retire:keys_given_back");
        stage.admin = kill_parked(&stage.cluster, &mut stage.admin, "retire:keys_given_back");
    }
    failpoints.clear_all();
    poll::expect("the keys to be given back", PATIENCE, || {
        number(&mut stage.admin, LEAVING) == 0
    });
    let (_cluster, mut admin) = stage.end();
    assert_eq!(number(&mut admin, OLD), 2);
    assert_eq!(number(&mut admin, lacking), 0);
}

#[test]
fn keys_of_a_partition_that_is_pinned_are_given_back_under_load() {
    stay_under_load(false);
}

#[test]
fn keys_are_given_back_when_the_worker_is_killed_while_it_does_that() {
    stay_under_load(true);
}
