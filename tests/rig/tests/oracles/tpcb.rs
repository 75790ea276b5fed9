//! pgbench's own tables, converted while pgbench runs.

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::conversion::{Conversion, job, wait_until_swapped};
use partman_rig::pgbench::{self, Pgbench};
use partman_rig::stage::{PATIENCE, create_database};
use partman_rig::{fault, oracle, poll};
use postgres::Client;

const CLIENTS: usize = 4;

#[test]
fn balances_and_history_add_up() {
    let cluster = Cluster::builder().start();
    create_database(&cluster, "bank");
    pgbench::init(&cluster, "bank", 1);
    let mut client = cluster.connect_as(SUPERUSER, "bank");
    let run = Pgbench::until_stopped(&cluster, "bank", CLIENTS)
        .arg("--protocol=prepared")
        .start();
    poll::expect("pgbench to leave its mark", PATIENCE, || {
        count(&mut client, "pgbench_history") > 1_000
    });
    for (table, column, interval) in [
        ("pgbench_accounts", "aid", "10000"),
        ("pgbench_history", "mtime", "1 day"),
    ] {
        let started = Conversion::of(table, column, interval).start(&mut client);
        started.unwrap_or_else(|e| panic!("{table}: {}", fault::describe(&e)));
    }
    for table in ["pgbench_accounts", "pgbench_history"] {
        wait_until_swapped(&mut client, table, PATIENCE);
    }
    let before = count(&mut client, "pgbench_history");
    poll::expect("pgbench to go on", PATIENCE, || {
        count(&mut client, "pgbench_history") > before + 1_000
    });
    let outcome = run.stop();
    outcome.assert_no_errors();
    println!("{}", outcome.output);

    let sums = client
        .query_one(
            "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches),
                    (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(delta) FROM pgbench_history)",
            &[],
        )
        .expect("the tables are there");
    let sums: Vec<i64> = (0..4).map(|column| sums.get(column)).collect();
    assert!(
        sums.iter().all(|sum| *sum == sums[0]),
        "accounts, branches, tellers and history sum up to {sums:?}"
    );
    assert_eq!(
        count(&mut client, "pgbench_history"),
        outcome.transactions,
        "rows of history and transactions reported"
    );
    assert_eq!(count(&mut client, "pgbench_accounts"), 100_000);
    for table in ["pgbench_accounts", "pgbench_history"] {
        oracle::assert_none(table, &oracle::soundness(&mut client, table));
        assert!(job(&mut client, table).is_some_and(|job| job.has_swapped()));
    }
}

fn count(client: &mut Client, table: &str) -> i64 {
    client
        .query_one(&format!("SELECT count(*) FROM {table}"), &[])
        .expect("the table is there")
        .get(0)
}
