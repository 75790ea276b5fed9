//! Partitions are retired by the worker beside readers and writers, in several transactions: what others
//! see meanwhile, and what becomes of a partition that they change in between.

use std::time::{Duration, Instant};

use partman_rig::cluster::Cluster;
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::poll::PATIENCE;
use partman_rig::{fault, poll};
use postgres::Client;

use crate::maintained::{builder, kill, kill_parked, must, number, texts};

fn table(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE {name}_p0 PARTITION OF {name} FOR VALUES FROM (0) TO (10);
         CREATE TABLE {name}_p10 PARTITION OF {name} FOR VALUES FROM (10) TO (20);
         CREATE TABLE {name}_p20 PARTITION OF {name} FOR VALUES FROM (20) TO (30);
         INSERT INTO {name} SELECT generate_series(0, 25, 5);"
    )
}

const HALF: &str = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
const BEGUN: &str = "SELECT count(*) FROM partman_rs.retirement";

/// Retires the oldest partition of a table, and no other one.
fn retire_first(admin: &mut Client, table: &str, action: &str) {
    must(
        admin,
        &format!(
            "SELECT set_partition_policy('{table}', '10', premake => 0, retention => '15', {action})"
        ),
    );
}

fn outcomes(admin: &mut Client, table: &str) -> Vec<String> {
    texts(
        admin,
        "SELECT concat_ws(' ', action, partition, outcome) FROM partman_rs.run WHERE relation_name = $1 ORDER BY id",
        &[&table],
    )
}

fn started(interval: &str) -> (Cluster, Client) {
    let cluster = builder(interval).start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    (cluster, admin)
}

/// A reader holds the table for long. Nobody else waits; the reader sees all its rows to its end, new
/// statements none of the partition. The worker lets go after a while, and a later run does the rest.
#[test]
fn a_partition_that_is_still_read_goes_with_a_later_run_and_nobody_waits() {
    let (cluster, mut admin) = started("1s");
    must(&mut admin, &table("t"));
    let mut reader = cluster.connect();
    must(&mut reader, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(number(&mut reader, "SELECT count(*) FROM t"), 6);
    retire_first(&mut admin, "t", "retention_action => 'drop'");
    poll::expect("the worker to detach", PATIENCE, || {
        number(&mut admin, HALF) == 1
    });
    must(&mut admin, "SET lock_timeout = '500ms'");
    let began = Instant::now();
    // Longer than the worker waits.
    while began.elapsed() < Duration::from_secs(7) {
        assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 4);
        must(
            &mut admin,
            "UPDATE t SET v = 'x'; INSERT INTO t VALUES (29); DELETE FROM t WHERE id = 29",
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(number(&mut reader, "SELECT count(*) FROM t"), 6);
    must(&mut reader, "COMMIT");
    poll::expect("the partition to go", PATIENCE, || {
        number(&mut admin, BEGUN) == 0
    });
    // How many runs met the reader, which is a failure of each, is a matter of time.
    let done = "SELECT concat_ws(' ', action, partition, outcome, sqlstate) FROM partman_rs.run WHERE sqlstate IS DISTINCT FROM '55P03'";
    assert_eq!(texts(&mut admin, done, &[]), ["drop public.t_p0 dropped"]);
    let left = "SELECT count(*) FROM pg_class WHERE relname = 't_p0'";
    assert_eq!(number(&mut admin, left), 0);
}

/// The worker is killed while it waits for a reader, between the two transactions of DETACH.
#[test]
fn a_worker_killed_while_it_detaches_leaves_nothing_half_done() {
    let cases = [
        (
            "d",
            "retention_action => 'drop'",
            "drop public.d_p0 dropped",
            0,
        ),
        (
            "k",
            "retention_action => 'detach'",
            "detach public.k_p0 detached",
            1,
        ),
        (
            "m",
            "retention_action => 'move', retention_schema => 'attic'",
            "move attic.m_p0 moved",
            1,
        ),
        (
            "r",
            "retention_action => 'recycle', grace_period => '1 day'",
            "recycle public.r_p0 recycled",
            1,
        ),
    ];
    let (cluster, mut admin) = started("1s");
    must(&mut admin, "CREATE SCHEMA attic");
    for (name, action, outcome, left) in cases {
        must(&mut admin, &table(name));
        let mut reader = cluster.connect();
        must(&mut reader, &format!("BEGIN; SELECT FROM {name}"));
        retire_first(&mut admin, name, action);
        let waiting = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity
            WHERE backend_type = 'pg_partman_rs' AND wait_event_type = 'Lock' AND EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)";
        let worker = poll::until(PATIENCE, || {
            i32::try_from(number(&mut admin, waiting))
                .ok()
                .filter(|pid| *pid > 0)
        });
        let worker = worker.expect("the worker waits for the reader");
        admin = kill(&cluster, &mut admin, worker);
        poll::expect("the next run", PATIENCE, || number(&mut admin, BEGUN) == 0);
        assert_eq!(outcomes(&mut admin, name), [outcome]);
        assert_eq!(number(&mut admin, HALF), 0);
        let tables = format!("SELECT count(*) FROM pg_class WHERE relname = '{name}_p0'");
        assert_eq!(number(&mut admin, &tables), left, "{name}");
        let rows = format!("SELECT count(*) FROM {name}");
        assert_eq!(number(&mut admin, &rows), 4);
    }
    // What PostgreSQL gave it in place of its bounds is valid, and the bin's: it can be had back.
    must(&mut admin, "SELECT restore_partition('r_p0')");
    assert_eq!(number(&mut admin, "SELECT count(*) FROM r"), 6);
    let checks = "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text ~ '_p0$'";
    assert_eq!(number(&mut admin, checks), 0);
}

/// What others do between the worker's end and the next run, which is a session's, and what that tells.
#[test]
fn what_was_changed_meanwhile_is_left_alone_and_told() {
    let cases = [
        (
            "renamed",
            "ALTER TABLE renamed_p0 RENAME TO mine",
            "drop public.mine detached, and left as it is: it has another name by now",
        ),
        (
            "moved",
            "ALTER TABLE moved_p0 SET SCHEMA attic",
            "drop attic.moved_p0 detached, and left as it is: it has another name by now",
        ),
        (
            "given",
            "ALTER TABLE given_p0 OWNER TO somebody",
            "drop public.given_p0 detached, and left as it is: it has another owner by now",
        ),
        (
            "changed",
            "SELECT set_partition_policy('changed', retention => '16')",
            "drop public.changed_p0 detached, and left as it is: the policy says otherwise by now",
        ),
        (
            "put",
            "CREATE TABLE other (id int NOT NULL, v text) PARTITION BY RANGE (id); ALTER TABLE other ATTACH PARTITION put_p0 FOR VALUES FROM (0) TO (10)",
            "drop public.put_p0 skipped: somebody has attached it to another table",
        ),
        (
            "back",
            "ALTER TABLE back ATTACH PARTITION back_p0 FOR VALUES FROM (0) TO (10); SELECT pin_partition('back_p0')",
            "drop public.back_p0 skipped: it is attached: it was not detached, or somebody has attached it again",
        ),
        (
            "gone",
            "DROP TABLE gone_p0",
            "drop public.gone_p0 skipped: it is gone",
        ),
        ("kept", "SELECT 1", "drop public.kept_p0 dropped"),
    ];
    // Behind the first run, no worker comes by any more.
    let (cluster, mut admin) = started("1h");
    must(&mut admin, "CREATE SCHEMA attic; CREATE ROLE somebody");
    let point = "detach:detached";
    for (name, change, outcome) in cases {
        must(&mut admin, &table(name));
        let failpoints = Failpoints::of(&cluster);
        failpoints.set(point, Action::Wait);
        retire_first(&mut admin, name, "retention_action => 'drop'");
        failpoints.await_parked(point);
        admin = kill_parked(&cluster, &mut admin, point);
        failpoints.clear_all();
        assert_eq!(number(&mut admin, BEGUN), 1);
        must(&mut admin, change);
        let rows = admin
            .query(
                "SELECT outcome FROM ensure_partitions($1::text::regclass)",
                &[&name],
            )
            .unwrap_or_else(|e| panic!("{name}: {}", fault::describe(&e)));
        assert!(!rows.is_empty(), "{name}");
        assert_eq!(outcomes(&mut admin, name), [outcome]);
        assert_eq!(number(&mut admin, BEGUN), 0, "{name}");
        // Nothing more is done, nor told.
        let again = admin
            .query("SELECT outcome FROM ensure_partitions($1::text::regclass) WHERE outcome <> 'skipped: it is pinned'", &[&name])
            .unwrap_or_else(|e| panic!("{name}: {}", fault::describe(&e)));
        assert_eq!(again.len(), 0, "{name}");
    }
    let kept = "SELECT count(*) FROM (SELECT FROM mine UNION ALL SELECT FROM attic.moved_p0 UNION ALL SELECT FROM given_p0
        UNION ALL SELECT FROM changed_p0 UNION ALL SELECT FROM put_p0 UNION ALL SELECT FROM back_p0) AS all_rows";
    assert_eq!(number(&mut admin, kept), 12);
}

/// Where PostgreSQL does not do it beside others, or the rest could not be done, nothing is done by halves.
#[test]
fn what_cannot_be_split_is_retired_as_a_whole() {
    let (_cluster, mut admin) = started("1s");
    for name in ["beside", "seen"] {
        must(&mut admin, &table(name));
    }
    must(
        &mut admin,
        "CREATE TABLE beside_rest PARTITION OF beside DEFAULT; CREATE VIEW look AS SELECT * FROM seen_p0",
    );
    for name in ["beside", "seen"] {
        retire_first(&mut admin, name, "retention_action => 'drop'");
    }
    poll::expect("both", PATIENCE, || {
        number(
            &mut admin,
            "SELECT count(DISTINCT parent) FROM partman_rs.run",
        ) == 2
    });
    assert_eq!(
        outcomes(&mut admin, "beside"),
        ["drop public.beside_p0 dropped"]
    );
    // A view depends on it: it stays attached.
    assert_eq!(
        outcomes(&mut admin, "seen")[0],
        "drop public.seen_p0 failed"
    );
    assert_eq!(number(&mut admin, "SELECT count(*) FROM seen"), 6);
    assert_eq!(number(&mut admin, BEGUN), 0);
}
