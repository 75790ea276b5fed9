//! What "now" is, is said in one place, for the worker and for sessions of any zone.

use std::time::Duration;

use partman_rig::cluster::Cluster;
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::Client;

use crate::maintained::{must, number, set_clock, texts};

/// Half past eleven at night by UTC: in Kiritimati it is tomorrow afternoon already.
const LATE: &str = "2024-02-28 23:30:00+00";

fn bounds(client: &mut Client, parent: &str) -> Vec<String> {
    let sql = "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
                WHERE inhparent = $1::text::regclass ORDER BY 1";
    texts(client, sql, &[&parent])
}

/// Whoever runs maintenance of a date or timestamp table, in whatever zone: it is today where the
/// policy says.
#[test]
fn today_is_that_of_the_policy_whoever_asks() {
    let cluster = Cluster::builder().start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    set_clock(&mut admin, LATE);
    for (parent, kind) in [("days", "date"), ("stamps", "timestamp")] {
        must(
            &mut admin,
            &format!(
                "CREATE TABLE {parent} (at {kind}) PARTITION BY RANGE (at);
                 SET TimeZone = 'Pacific/Kiritimati';
                 SELECT set_partition_policy('{parent}', '1 day', premake => 0);
                 SET TimeZone = 'America/New_York';
                 SELECT ensure_partitions('{parent}')"
            ),
        );
        let made = bounds(&mut admin, parent).join(" ");
        assert!(made.contains("FROM ('2024-02-29"), "{made}");
        assert!(made.contains("TO ('2024-03-01"), "{made}");
        // Everybody agrees: there is nothing left to do, and the table is well.
        for zone in ["UTC", "Asia/Tokyo", "Pacific/Kiritimati"] {
            must(&mut admin, &format!("SET TimeZone = '{zone}'"));
            let tasks = format!("SELECT count(*) FROM ensure_partitions('{parent}')");
            assert_eq!(number(&mut admin, &tasks), 0, "{parent} by {zone}");
            let critical = format!(
                "SELECT count(*) FROM partman_rs.health WHERE parent = '{parent}'::regclass AND verdict = 'critical'"
            );
            assert_eq!(number(&mut admin, &critical), 0, "{parent} by {zone}");
        }
    }
    // A zone can be named; it stays when other things are changed from elsewhere.
    must(
        &mut admin,
        "SELECT set_partition_policy('days', time_zone => 'UTC');
         SET TimeZone = 'Asia/Tokyo';
         SELECT set_partition_policy('days', premake => 0);
         SELECT ensure_partitions('days')",
    );
    assert_eq!(bounds(&mut admin, "days").len(), 2, "today is the 28th now");
}

/// A table that is converted goes on by the clock of who converted it.
#[test]
fn a_conversion_hands_its_zone_on() {
    let cluster = Cluster::builder().start();
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL);
         INSERT INTO t VALUES (1, '2024-02-28');
         SET TimeZone = 'Pacific/Kiritimati';
         SELECT convert_to_partitioned('t', 'at', 'range', '1 month');
         RESET TimeZone",
    );
    must(&mut admin, "CALL wait_for_conversion('t')");
    let zone = "SELECT count(*) FROM partman_rs.policies WHERE parent = 't'::regclass AND time_zone = 'Pacific/Kiritimati'";
    assert_eq!(number(&mut admin, zone), 1);
}

/// The worker goes by the clock of the settings: a schedule of days is a matter of seconds.
#[test]
fn the_worker_reads_the_clock_of_the_tests() {
    let cluster = crate::maintained::cluster_at(LATE, "1h");
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE hours (at timestamptz) PARTITION BY RANGE (at);
         SELECT set_partition_policy('hours', '1 hour', premake => 1)",
    );
    let reaches = |admin: &mut Client, upper: &str| {
        poll::expect("the worker", PATIENCE, || {
            bounds(admin, "hours")
                .last()
                .is_some_and(|last| last.contains(&format!("TO ('{upper}")))
        });
    };
    reaches(&mut admin, "2024-02-29 01:00:00");
    // Not an hour has passed: it is not due.
    set_clock(&mut admin, "2024-02-29 00:29:00+00");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(bounds(&mut admin, "hours").len(), 2);
    set_clock(&mut admin, "2024-02-29 00:31:00+00");
    reaches(&mut admin, "2024-02-29 02:00:00");
    let last = "SELECT count(*) FROM partman_rs.policies WHERE last_run_at = '2024-02-29 00:31:00+00' AND next_run_at = '2024-02-29 01:31:00+00'";
    poll::expect("the run to end", PATIENCE, || number(&mut admin, last) == 1);
}
