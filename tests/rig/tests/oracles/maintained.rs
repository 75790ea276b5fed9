//! Servers whose worker maintains, and what tests of maintenance ask of them.

use partman_rig::cluster::{Cluster, ClusterBuilder};
use partman_rig::failpoint::Failpoints;
use partman_rig::poll::PATIENCE;
use partman_rig::stage::backend_pid;
use partman_rig::{fault, poll};
use postgres::Client;
use postgres::types::ToSql;

const PRELOADED: (&str, &str) = ("shared_preload_libraries", "pg_partman_rs");

/// A server whose worker looks every second, and at each table that often.
pub fn builder(interval: &str) -> ClusterBuilder {
    preloaded(Cluster::builder(), interval)
}

/// The same of any cluster.
pub fn preloaded(builder: ClusterBuilder, interval: &str) -> ClusterBuilder {
    builder
        .setting(PRELOADED.0, PRELOADED.1)
        .setting("pg_partman_rs.launcher_naptime", "1s")
        .setting("pg_partman_rs.maintenance_interval", interval)
}

/// The same with a clock that stands still.
pub fn cluster_at(moment: &str, interval: &str) -> Cluster {
    builder(interval)
        .setting("pg_partman_rs.test_clock", moment)
        .start()
}

/// Sets the clock that maintenance goes by, and waits until everybody has noticed.
pub fn set_clock(admin: &mut Client, moment: &str) {
    let sql = format!("ALTER SYSTEM SET pg_partman_rs.test_clock = '{moment}'");
    must(admin, &sql);
    must(admin, "SELECT pg_reload_conf()");
    poll::expect("the clock", PATIENCE, || {
        texts(
            admin,
            "SELECT current_setting('pg_partman_rs.test_clock', true)",
            &[],
        ) == [moment]
    });
}

/// Kills the worker that waits at a point, as [`kill`] does. The next one waits there, too, until the points are cleared:
/// what the first has left can be looked at.
pub fn kill_parked(cluster: &Cluster, admin: &mut Client, point: &str) -> Client {
    let parked = Failpoints::of(cluster).parked(point);
    kill(cluster, admin, parked.expect("a worker waits there"))
}

/// Kills a worker where it stands, and waits for the server to be back; a new session. What the worker has
/// committed is on disk by then: it does not wait for that itself, and the crash would take it back.
pub fn kill(cluster: &Cluster, admin: &mut Client, worker: i32) -> Client {
    let before = cluster.incarnation().expect("the server runs");
    must(
        admin,
        "SELECT pg_logical_emit_message(true, 'rig', 'flush')",
    );
    cluster.sigkill(worker);
    cluster.await_crash_restart(&before);
    cluster.connect()
}

/// Detaches a partition, whose table somebody reads, and gives up when that has begun.
pub fn interrupt_detaching(cluster: &Cluster, admin: &mut Client, table: &str, partition: &str) {
    let mut session = cluster.connect();
    let pid = i64::from(backend_pid(&mut session));
    let sql = format!("ALTER TABLE {table} DETACH PARTITION {partition} CONCURRENTLY");
    let detaching = std::thread::spawn(move || session.batch_execute(&sql));
    poll::expect("the detaching to begin", PATIENCE, || {
        number(
            admin,
            "SELECT count(*) FROM pg_inherits WHERE inhdetachpending",
        ) == 1
    });
    must(admin, &format!("SELECT pg_cancel_backend({pid})"));
    let detached = detaching.join().expect("it does not panic");
    detached.expect_err("the reader is in the way");
}

/// For conversions under a load that may be more than the machine can bear: then no client is ever without a transaction,
/// and the swap gets its lock when the longest of them has ended.
pub const PATIENT_SWAP: &str = "SET pg_partman_rs.swap_lock_timeout = '2s'";

pub fn must(client: &mut Client, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)));
}

pub fn number(client: &mut Client, sql: &str) -> i64 {
    let row = client.query_one(sql, &[]);
    row.unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)))
        .get(0)
}

/// The first column, as text.
pub fn texts(client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Vec<String> {
    let rows = client.query(sql, arguments);
    rows.unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)))
        .iter()
        .map(|row| row.get::<_, Option<String>>(0).unwrap_or_default())
        .collect()
}
