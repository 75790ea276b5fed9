//! When the worker works: quiet hours, and policies with an interval of their own.

use std::time::Duration;

use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::Client;

use crate::maintained::{cluster_at, must, number, set_clock};

/// Eleven at night in New York.
const AT_NIGHT: &str = "2024-02-29 04:00:00+00";

fn partitions(client: &mut Client, parent: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM pg_inherits WHERE inhparent = '{parent}'::regclass");
    number(client, &sql)
}

#[test]
fn quiet_hours_are_kept_by_the_worker_and_by_nobody_else() {
    let cluster = cluster_at(AT_NIGHT, "1h");
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE quiet (at timestamptz) PARTITION BY RANGE (at);
         CREATE TABLE called (at timestamptz) PARTITION BY RANGE (at);
         SELECT set_partition_policy('quiet', '1 day', premake => 1, time_zone => 'America/New_York', quiet_from => '22:00', quiet_until => '06:00');
         SELECT set_partition_policy('called', '1 day', premake => 1, time_zone => 'America/New_York', quiet_from => '22:00', quiet_until => '06:00');
         SELECT ensure_partitions('called');
         CREATE TABLE awake (at timestamptz) PARTITION BY RANGE (at);
         SELECT set_partition_policy('awake', '1 day', premake => 1, time_zone => 'Asia/Tokyo', quiet_from => '22:00', quiet_until => '06:00');",
    );
    poll::expect("the worker", PATIENCE, || {
        partitions(&mut admin, "awake") == 2
    });
    // It has been here, and would have come again.
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(partitions(&mut admin, "quiet"), 0);
    assert_eq!(partitions(&mut admin, "called"), 2);
    let failures = "SELECT count(*) FROM partman_rs.runs WHERE outcome = 'failed'";
    assert_eq!(number(&mut admin, failures), 0);
    set_clock(&mut admin, "2024-02-29 11:00:00+00");
    poll::expect("six in the morning", PATIENCE, || {
        partitions(&mut admin, "quiet") == 2
    });
}

#[test]
fn a_policy_may_be_looked_at_more_often_than_others() {
    let cluster = cluster_at(AT_NIGHT, "1h");
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE often (id int) PARTITION BY RANGE (id);
         CREATE TABLE seldom (id int) PARTITION BY RANGE (id);
         SELECT set_partition_policy('often', '10', maintenance_interval => '10 minutes');
         SELECT set_partition_policy('seldom', '10');",
    );
    let looked_at = |admin: &mut Client, parent: &str, at: &str| {
        let sql = format!(
            "SELECT count(*) FROM partman_rs.policies WHERE parent = '{parent}'::regclass AND last_run_at = '{at}'"
        );
        number(admin, &sql) == 1
    };
    poll::expect("the first look", PATIENCE, || {
        looked_at(&mut admin, "often", AT_NIGHT) && looked_at(&mut admin, "seldom", AT_NIGHT)
    });
    let next = "SELECT count(*) FROM partman_rs.policies
                 WHERE next_run_at = last_run_at + CASE parent::text WHEN 'often' THEN interval '10 minutes' ELSE interval '1 hour' END";
    assert_eq!(number(&mut admin, next), 2);
    let later = "2024-02-29 04:10:00+00";
    set_clock(&mut admin, later);
    poll::expect("the second look", PATIENCE, || {
        looked_at(&mut admin, "often", later)
    });
    assert!(looked_at(&mut admin, "seldom", AT_NIGHT));
}

/// The worker looks every second whether anything is due. Nothing is: that takes no transaction id.
#[test]
fn looking_takes_no_transaction_id() {
    let cluster = crate::maintained::builder("1h")
        .setting("autovacuum", "off")
        .start();
    let mut session = cluster.connect();
    must(
        &mut session,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE t (id int) PARTITION BY RANGE (id);
         CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO (10);
         SELECT set_partition_policy('t', '10', premake => 0)",
    );
    let ended = "SELECT count(*) FROM partman_rs.maintenance WHERE failures = 0";
    poll::expect("the end of the first run", PATIENCE, || {
        number(&mut session, ended) == 1
    });
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let ended = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let before = number(&mut session, next);
    let looks = number(&mut session, ended);
    // These are ours, too, but few.
    poll::expect("more looks", PATIENCE, || {
        std::thread::sleep(Duration::from_secs(3));
        number(&mut session, ended) >= looks + 6
    });
    assert_eq!(number(&mut session, next), before);
}
