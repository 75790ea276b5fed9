//! Tables of more than one level: tenants with partitions of their own, partitions that are partitioned.

use partman_rig::cluster::Cluster;
use postgres::Client;

use crate::maintained::{must, number, texts};

fn server() -> (Cluster, Client) {
    let cluster = Cluster::builder().start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    (cluster, admin)
}

/// What a run over all tables could not do.
fn failures(client: &mut Client) -> Vec<String> {
    texts(
        client,
        "SELECT concat_ws(' ', parent, action, partition, outcome) FROM ensure_partitions() WHERE outcome LIKE 'failed%'",
        &[],
    )
}

const NOTHING: Vec<String> = Vec::new();

/// Pain 22: lists and hashes are no obstacle, and each tenant has a retention of its own.
#[test]
fn pain_22_each_tenant_has_its_own_retention() {
    let (_cluster, mut admin) = server();
    must(
        &mut admin,
        "CREATE TABLE t (tenant text NOT NULL, day int NOT NULL) PARTITION BY LIST (tenant);
         CREATE TABLE t_small PARTITION OF t FOR VALUES IN ('small') PARTITION BY RANGE (day);
         CREATE TABLE t_large PARTITION OF t FOR VALUES IN ('large') PARTITION BY RANGE (day);
         SELECT set_partition_policy('t_small', '10', premake => 1, retention => '10', retention_action => 'drop');
         SELECT set_partition_policy('t_large', '10', premake => 1, retention => '1000', retention_action => 'drop');
         CREATE TABLE h (id int NOT NULL, at timestamptz NOT NULL) PARTITION BY HASH (id);
         CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (at);
         CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (at);
         SELECT set_partition_policy(p, '1 day', premake => 1, time_zone => 'UTC') FROM unnest('{h_0,h_1}'::regclass[]) p;",
    );
    for step in 0..=8 {
        // Maintenance is in time for rows of all tenants, also where a tenant had none for a while.
        must(
            &mut admin,
            &format!(
                "SET pg_partman_rs.test_clock = '2024-02-{:02} 12:00+00'",
                20 + step
            ),
        );
        assert_eq!(failures(&mut admin), NOTHING);
        must(
            &mut admin,
            &format!(
                "INSERT INTO t SELECT tenant, {} FROM unnest('{{small,large}}'::text[]) tenant;
                 INSERT INTO h SELECT i, '2024-02-{:02} 12:00+00' FROM generate_series(1, 20) i",
                5 * step,
                20 + step
            ),
        );
    }
    assert_eq!(failures(&mut admin), NOTHING);
    let kept =
        "SELECT concat_ws(' ', tenant, count(*), min(day)) FROM t GROUP BY tenant ORDER BY 1";
    assert_eq!(texts(&mut admin, kept, &[]), ["large 9 0", "small 3 30"]);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM h"), 9 * 20);
    // A tenant that joins is taken in hand with two statements, and the others do not notice.
    must(
        &mut admin,
        "CREATE TABLE t_new PARTITION OF t FOR VALUES IN ('new') PARTITION BY RANGE (day);
         SELECT set_partition_policy('t_new', '100', premake => 0);
         SELECT ensure_partitions('t_new');
         INSERT INTO t VALUES ('new', 5)",
    );
    assert_eq!(failures(&mut admin), NOTHING);
}

/// Two levels, a partition that has only one, and rows in all of them.
const TWO_LEVELS: &str = "
    CREATE TABLE t (day int NOT NULL, id int NOT NULL, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
    CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
    CREATE TABLE t_p0_low PARTITION OF t_p0 FOR VALUES FROM (0) TO (100);
    CREATE TABLE t_p0_high PARTITION OF t_p0 FOR VALUES FROM (100) TO (200);
    CREATE TABLE t_p10 PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
    CREATE TABLE t_p10_low PARTITION OF t_p10 FOR VALUES FROM (0) TO (100);
    CREATE TABLE t_p20 PARTITION OF t FOR VALUES FROM (20) TO (30);
    INSERT INTO t SELECT day, id FROM unnest('{3,13,23}'::int[]) day, unnest('{7,42}'::int[]) id;
    INSERT INTO t VALUES (3, 150);
    SELECT set_partition_policy('t', premake => 0);
    SELECT set_partition_policy('t_p0', '100', premake => 1);
    SELECT set_partition_policy('t_p10', '100', premake => 1);";

fn sub_partitions(client: &mut Client, parent: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM pg_inherits WHERE inhparent = '{parent}'::regclass");
    number(client, &sql)
}

/// Pain 30: taking two levels in hand destroys nothing, both go on, and a partition that is retired with all
/// that lies below it leaves nothing behind that keeps maintenance from going on.
#[test]
fn pain_30_two_levels_go_on_and_nothing_is_destroyed() {
    let (_cluster, mut admin) = server();
    must(&mut admin, TWO_LEVELS);
    let there =
        "SELECT format('%s %s %s', oid, relname, pg_get_expr(relpartbound, oid)) FROM pg_class
                  WHERE relname ~ '^t(_|$)' AND relkind IN ('r', 'p') ORDER BY 1";
    let before = texts(&mut admin, there, &[]);
    assert_eq!(failures(&mut admin), NOTHING);
    let after = texts(&mut admin, there, &[]);
    assert!(
        before.iter().all(|table| after.contains(table)),
        "{before:#?} has become {after:#?}"
    );
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 7);
    // The lower level has its partitions ahead of its own data.
    assert_eq!(sub_partitions(&mut admin, "t_p0"), 3);
    assert_eq!(sub_partitions(&mut admin, "t_p10"), 2);
    must(
        &mut admin,
        "INSERT INTO t VALUES (13, 150), (3, 250); SELECT ensure_partitions('t_p10')",
    );
    assert_eq!(sub_partitions(&mut admin, "t_p10"), 3);
    // The upper one retires what is old with all that lies below it: nothing else, and nothing stays behind.
    must(
        &mut admin,
        "SELECT set_partition_policy('t', retention => '10', retention_action => 'drop')",
    );
    assert_eq!(failures(&mut admin), NOTHING);
    let left = "SELECT relname::text FROM pg_class WHERE relname ~ '^t_p' AND relkind IN ('r', 'p') AND relname ~ '_p0'";
    assert_eq!(texts(&mut admin, left, &[]), NOTHING);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 5);
    assert_eq!(failures(&mut admin), NOTHING);
    let policies = "SELECT parent::text FROM partman_rs.policy ORDER BY 1";
    assert_eq!(texts(&mut admin, policies, &[]), ["t", "t_p10"]);
}

/// The recycle bin takes a partition with all that lies below it, and gives it back whole.
#[test]
fn pain_29_30_a_partition_of_two_levels_can_be_had_back() {
    let (_cluster, mut admin) = server();
    must(&mut admin, TWO_LEVELS);
    must(
        &mut admin,
        "SELECT set_partition_policy('t', retention => '10', retention_action => 'recycle', grace_period => '30 days')",
    );
    assert_eq!(failures(&mut admin), NOTHING);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 4);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t_p0"), 3);
    // What lies in the bin has a policy of its own, and no row that is none of its range.
    admin
        .batch_execute("INSERT INTO t_p0 VALUES (10, 7)")
        .expect_err("it must go back where it was");
    must(&mut admin, "SELECT restore_partition('t_p0')");
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 7);
    assert_eq!(failures(&mut admin), NOTHING);
    must(
        &mut admin,
        "INSERT INTO t VALUES (4, 50), (4, 150), (4, 250)",
    );
}
