//! Unlogged tables: a crash takes the rows, and with them all that the conversion has copied and logged.

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{Conversion, steer, wait_until_swapped};
use partman_rig::failpoint::{Action, Failpoints, at};
use partman_rig::poll::PATIENCE;
use postgres::Client;

use crate::maintained::{must, number};

#[test]
fn what_a_crash_takes_from_the_table_does_not_come_back() {
    crash_at_each_point("PRIMARY KEY", false);
}

#[test]
fn nor_what_it_takes_from_a_guard() {
    crash_at_each_point("PRIMARY KEY", true);
}

#[test]
fn nor_where_whole_rows_are_logged() {
    crash_at_each_point("", false);
}

fn crash_at_each_point(key: &str, is_guarded: bool) {
    let cluster = Cluster::builder().start();
    for (place, point) in [
        at::CAPTURING,
        at::IN_RANGE,
        at::RANGE_COPIED,
        at::IN_LEAF,
        at::VERIFYING,
        at::BEFORE_SWAP,
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("at_{place}");
        let mut client = cluster.connect();
        if place == 0 {
            must(&mut client, "CREATE EXTENSION pg_partman_rs");
        }
        must(
            &mut client,
            &format!(
                "CREATE UNLOGGED TABLE {table} (id int {key}, k int NOT NULL, v text); CREATE INDEX ON {table} (v); \
                 INSERT INTO {table} SELECT i, i, repeat('v', 60) FROM generate_series(1, 10000) i"
            ),
        );
        let failpoints = Failpoints::of(&cluster);
        failpoints.set(point, Action::Wait);
        let conversion = Conversion::of(&table, "k", "2000");
        let conversion = match is_guarded {
            true => conversion.with("unique_guard => true"),
            false => conversion,
        };
        conversion
            .start(&mut client)
            .expect("the table can be converted");
        failpoints.await_parked(point);
        // Entries for the log, of rows that have been copied and of rows that have not.
        must(
            &mut client,
            &format!(
                "UPDATE {table} SET v = 'late' WHERE k % 7 = 0; DELETE FROM {table} WHERE k % 7 = 1; \
                 INSERT INTO {table} SELECT i, i, 'late' FROM generate_series(10001, 10100) i"
            ),
        );
        drop(client);
        cluster.kill_immediate();
        failpoints.clear_all();
        cluster.start();
        let mut client = cluster.connect();
        assert_eq!(
            count(&mut client, &table),
            0,
            "{point}: the crash has emptied it"
        );
        must(
            &mut client,
            &format!("INSERT INTO {table} SELECT i, i, 'new' FROM generate_series(1, 9000, 100) i"),
        );
        steer(&mut client, "resume", &table).expect("the job can go on");
        wait_until_swapped(&mut client, &table, PATIENCE);
        let differing = number(
            &mut client,
            &format!(
                "SELECT count(*) FROM (SELECT * FROM {table} EXCEPT ALL \
                                       SELECT i, i, 'new' FROM generate_series(1, 9000, 100) i) d"
            ),
        );
        assert_eq!(
            (count(&mut client, &table), differing),
            (90, 0),
            "{point}: what was written after the crash, and nothing else"
        );
        let logged = number(
            &mut client,
            &format!(
                "SELECT count(*) FROM pg_partition_tree('{table}') p JOIN pg_class c ON c.oid = p.relid \
                  WHERE p.isleaf AND c.relpersistence <> 'u'"
            ),
        );
        assert_eq!(logged, 0, "{point}: partitions are unlogged");
        if is_guarded {
            let differing = format!(
                "SELECT count(*) FROM (SELECT id, k FROM {table} EXCEPT ALL TABLE {table}_pkey_guard \
                   UNION ALL (TABLE {table}_pkey_guard EXCEPT ALL SELECT id, k FROM {table})) d"
            );
            assert_eq!(
                number(&mut client, &differing),
                0,
                "{point}: the guard has the keys of the table"
            );
        }
        steer(&mut client, "finish", &table).expect("the job can end");
    }
}

fn count(client: &mut Client, table: &str) -> i64 {
    number(client, &format!("SELECT count(*) FROM {table}"))
}
