//! Servers whose worker maintains, and what tests of maintenance ask of them.

use std::time::Duration;

use partman_rig::cluster::{Cluster, ClusterBuilder};
use partman_rig::failpoint::Failpoints;
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
    poll::expect("the clock", Duration::from_secs(10), || {
        texts(
            admin,
            "SELECT current_setting('pg_partman_rs.test_clock', true)",
            &[],
        ) == [moment]
    });
}

/// The process that maintains, or converts: the oldest, since others come, look, and go again.
pub const WORKER: &str =
    "SELECT coalesce((SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_partman_rs'
    ORDER BY backend_start LIMIT 1), 0)::bigint";

/// Kills the worker where it stands, and waits for the server to be back; a new session. What the worker has
/// committed is on disk by then: it does not wait for that itself, and the crash would take it back.
pub fn kill_worker(cluster: &Cluster, admin: &mut Client) -> Client {
    let before = cluster.incarnation().expect("the server runs");
    let pid = number(admin, WORKER);
    assert!(pid > 0, "there is no worker");
    must(
        admin,
        "SELECT pg_logical_emit_message(true, 'rig', 'flush')",
    );
    cluster.sigkill(i32::try_from(pid).expect("a process number"));
    cluster.await_crash_restart(&before);
    Failpoints::of(cluster).clear_all();
    cluster.connect()
}

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
