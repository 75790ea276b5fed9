//! The worker is killed in each kind of action, when all of it is done and nothing committed, and
//! between the transactions of those that have several: the next run does it, once and as a whole.

use partman_rig::cluster::Cluster;
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::Client;

use crate::maintained::{builder, interrupt_detaching, kill_parked, must, number, texts};

const TABLE: &str = "
    CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO (10);
    CREATE TABLE t_p10 PARTITION OF t FOR VALUES FROM (10) TO (20);
    CREATE TABLE t_p20 PARTITION OF t FOR VALUES FROM (20) TO (30);
    INSERT INTO t SELECT generate_series(0, 25, 5);";

/// An action, the policy that brings it about, what the server then has of tables, and how many rows
/// each of them holds.
const CASES: [(&str, &str, &str, &[&str]); 6] = [
    (
        "create",
        "'10', premake => 2",
        "created",
        &[
            "t_p0 part 2",
            "t_p10 part 2",
            "t_p20 part 2",
            "t_p30 part 0",
            "t_p40 part 0",
        ],
    ),
    (
        "drop",
        "'10', premake => 0, retention => '5', retention_action => 'drop'",
        "dropped",
        &["t_p20 part 2"],
    ),
    (
        "detach",
        "'10', premake => 0, retention => '5', retention_action => 'detach'",
        "detached",
        &["t_p0 table 2", "t_p10 table 2", "t_p20 part 2"],
    ),
    (
        "move",
        "'10', premake => 0, retention => '5', retention_action => 'move', retention_schema => 'attic'",
        "moved",
        &["attic.t_p0 table 2", "attic.t_p10 table 2", "t_p20 part 2"],
    ),
    (
        "recycle",
        "'10', premake => 0, retention => '5', retention_action => 'recycle', grace_period => '1 day'",
        "recycled",
        &["t_p0 table 2", "t_p10 table 2", "t_p20 part 2"],
    ),
    (
        "repair",
        "'10', premake => 0, repair => true",
        "repaired",
        &["t_p0 part 2", "t_p10 part 2", "t_p20 part 2"],
    ),
];

const CHECKS: &str = r"SELECT count(*) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relname ~ '^t_p\d+$' AND k.contype = 'c'";

/// All tables of the test, what they are and how many rows they hold.
fn state(admin: &mut Client) -> Vec<String> {
    texts(
        admin,
        "SELECT concat_ws(' ', c.oid::regclass, CASE WHEN c.relispartition THEN 'part' ELSE 'table' END,
                          (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.oid::regclass, false, true, '')))[1])
           FROM pg_class c WHERE c.relname ~ '^t_p\\d+$' AND c.relkind = 'r' ORDER BY c.relname",
        &[],
    )
}

#[test]
fn a_worker_killed_in_any_action_leaves_nothing_half_done() {
    is_done_once_by_the_next_run("maintain:before_commit", |_| true);
}

/// It is written down what is to become of a partition, and nothing is done yet.
#[test]
fn a_worker_killed_before_it_detaches_leaves_nothing_half_done() {
    is_done_once_by_the_next_run("detach:noted", retires);
}

/// The partition is a table by itself, and nothing has become of it.
#[test]
fn a_worker_killed_when_it_has_detached_leaves_nothing_half_done() {
    is_done_once_by_the_next_run("detach:detached", retires);
}

fn retires(action: &str) -> bool {
    !["create", "repair"].contains(&action)
}

fn is_done_once_by_the_next_run(point: &str, passes: fn(&str) -> bool) {
    let cluster: Cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs; CREATE SCHEMA attic; CREATE ROLE reader",
    );
    for (action, policy, done, wanted) in CASES {
        if !passes(action) {
            continue;
        }
        must(&mut admin, TABLE);
        // A right that partitions lack: what repair is about.
        must(
            &mut admin,
            "GRANT SELECT ON t TO reader; TRUNCATE partman_rs.run",
        );
        let failpoints = Failpoints::of(&cluster);
        failpoints.set(point, Action::Wait);
        must(
            &mut admin,
            &format!("SELECT set_partition_policy('t', {policy})"),
        );
        failpoints.await_parked(point);
        admin = kill_parked(&cluster, &mut admin, point);
        failpoints.clear_all();
        let recorded = format!(
            "SELECT count(*) FROM partman_rs.run WHERE action = '{action}' AND outcome LIKE '{done}%'"
        );
        let distinct = recorded.replace("count(*)", "count(DISTINCT partition)");
        let all = "SELECT count(*) FROM partman_rs.maintenance WHERE parent = 't'::regclass AND failures = 0";
        poll::expect(&format!("the next run to {action}"), PATIENCE, || {
            number(&mut admin, all) == 1 && number(&mut admin, &recorded) >= 2
        });
        assert_eq!(state(&mut admin), wanted, "{action}");
        assert_eq!(
            number(&mut admin, &recorded),
            number(&mut admin, &distinct),
            "{action}: each is recorded once"
        );
        let failed = "SELECT count(*) FROM partman_rs.run WHERE outcome = 'failed'";
        assert_eq!(number(&mut admin, failed), 0, "{action}");
        let begun = number(&mut admin, "SELECT count(*) FROM partman_rs.retirement");
        assert_eq!(begun, 0, "{action}");
        // What DETACH CONCURRENTLY leaves in place of the bounds is the bin's, or gone.
        let checks = number(&mut admin, CHECKS);
        assert_eq!(checks, if action == "recycle" { 2 } else { 0 }, "{action}");
        let bin = number(&mut admin, "SELECT count(*) FROM partman_rs.recycled");
        assert_eq!(bin, if action == "recycle" { 2 } else { 0 }, "{action}");
        must(&mut admin, "SELECT drop_partition_policy('t')");
        for table in state(&mut admin) {
            let name = table.split(' ').next().expect("it has a name");
            if table.contains(" table ") {
                must(&mut admin, &format!("DROP TABLE {name}"));
            }
        }
        must(&mut admin, "DROP TABLE t; DELETE FROM partman_rs.recycled");
    }
}

fn told(admin: &mut Client) -> Vec<String> {
    texts(
        admin,
        "SELECT concat_ws(' ', action, partition, outcome) FROM partman_rs.run ORDER BY id",
        &[],
    )
}

/// Tables of the recycle bin are dropped when their time has come, each once.
#[test]
fn a_worker_killed_when_it_empties_the_bin_drops_nothing_twice_and_forgets_nothing() {
    let cluster: Cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, TABLE);
    must(
        &mut admin,
        "SELECT set_partition_policy('t', '10', premake => 0, retention => '5', retention_action => 'recycle', grace_period => '1 day')",
    );
    let bin = "SELECT count(*) FROM partman_rs.recycled";
    poll::expect("both in the bin", PATIENCE, || number(&mut admin, bin) == 2);
    let point = "maintain:before_commit";
    Failpoints::of(&cluster).set(point, Action::Wait);
    must(
        &mut admin,
        "SELECT set_partition_policy('t', grace_period => '0 seconds')",
    );
    Failpoints::of(&cluster).await_parked(point);
    admin = kill_parked(&cluster, &mut admin, point);
    assert_eq!(number(&mut admin, bin), 2, "nothing was committed");
    Failpoints::of(&cluster).clear_all();
    poll::expect("an empty bin", PATIENCE, || number(&mut admin, bin) == 0);
    assert_eq!(state(&mut admin), ["t_p20 part 2"]);
    assert_eq!(
        told(&mut admin),
        [
            "recycle public.t_p0 recycled",
            "recycle public.t_p10 recycled",
            "drop public.t_p0 dropped",
            "drop public.t_p10 dropped",
        ]
    );
}

/// What somebody has left half detached is ended, once, and stays.
#[test]
fn a_worker_killed_when_it_ends_a_detaching_leaves_nothing_half_done() {
    let cluster: Cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, TABLE);
    let mut reader = cluster.connect();
    must(&mut reader, "BEGIN; SELECT FROM t");
    interrupt_detaching(&cluster, &mut admin, "t", "t_p0");
    must(&mut reader, "COMMIT");
    let half = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
    assert_eq!(number(&mut admin, half), 1);
    let point = "maintain:before_commit";
    Failpoints::of(&cluster).set(point, Action::Wait);
    must(
        &mut admin,
        "SELECT set_partition_policy('t', '10', premake => 0)",
    );
    Failpoints::of(&cluster).await_parked(point);
    admin = kill_parked(&cluster, &mut admin, point);
    assert_eq!(number(&mut admin, half), 1, "nothing was committed");
    Failpoints::of(&cluster).clear_all();
    poll::expect("the next run to end it", PATIENCE, || {
        number(&mut admin, half) == 0
    });
    assert_eq!(
        state(&mut admin),
        ["t_p0 table 2", "t_p10 part 2", "t_p20 part 2"]
    );
    assert_eq!(told(&mut admin), ["finalize public.t_p0 detached"]);
}
