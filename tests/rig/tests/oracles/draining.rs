//! Rows move out of a default partition while the application goes on.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::failpoint::{Action, Failpoints, at};
use partman_rig::oracle::{self, placement};
use partman_rig::poll::PATIENCE;
use partman_rig::shape::Shape;
use partman_rig::stage::Stage;
use partman_rig::workload::Report;
use partman_rig::{poll, shapes};

use crate::maintained::{must, number};

/// All rows lie in the default partition of a table that has no other.
pub fn stage(cluster: Arc<Cluster>, database: &str, shape: Shape, rows: i64) -> Stage {
    stage_of(cluster, database, shape, rows, ALONE)
}

/// Likewise, beside siblings that these statements make.
fn stage_of(
    cluster: Arc<Cluster>,
    database: &str,
    shape: Shape,
    rows: i64,
    siblings: &str,
) -> Stage {
    let zone = match shape.partition_interval.parse::<i64>() {
        Ok(_) => "",
        Err(_) => ", time_zone => 'UTC'",
    };
    let stage = Stage::on(cluster, database, shape, rows);
    let (table, key) = (stage.shape.table, stage.shape.partition_column);
    must(
        &mut stage.app(),
        &format!(
            "ALTER TABLE {table} RENAME TO {table}_default;
             CREATE TABLE {table} (LIKE {table}_default INCLUDING ALL) PARTITION BY RANGE ({key});
             ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT;
             {siblings};
             SELECT set_partition_policy('{table}', '{}', premake => 2{zone})",
            stage.shape.partition_interval
        ),
    );
    stage
}

/// There is nothing but the default partition.
const ALONE: &str = "";

/// Events of seven kinds, which change while rows are moved: then rows change places below a partition.
fn events_by_kind() -> Shape {
    Shape {
        ddl: "CREATE TABLE events (
                  at    timestamptz NOT NULL,
                  id    bigint NOT NULL,
                  kind  smallint NOT NULL,
                  words text[],
                  {link},
                  CONSTRAINT events_pk PRIMARY KEY (id, at, kind));
              CREATE INDEX events_words ON events USING gin (words);
              CREATE INDEX events_kind ON events (kind) WHERE kind < 3",
        // Whose key has the kind means another row in each.
        conflict: None,
        ..shapes::events()
    }
}

const LISTS_BELOW: &str = "
    CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00') PARTITION BY LIST (kind);
    CREATE TABLE events_old_few PARTITION OF events_old FOR VALUES IN (0, 1);
    CREATE TABLE events_old_two PARTITION OF events_old FOR VALUES IN (2);
    CREATE TABLE events_old_rest PARTITION OF events_old DEFAULT";

const HASHES_BELOW: &str = "
    CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00') PARTITION BY HASH (id);
    CREATE TABLE events_old_0 PARTITION OF events_old FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE events_old_1 PARTITION OF events_old FOR VALUES WITH (MODULUS 4, REMAINDER 1);
    CREATE TABLE events_old_3 PARTITION OF events_old FOR VALUES WITH (MODULUS 4, REMAINDER 3)";

fn in_default(stage: &Stage) -> i64 {
    let sql = format!("SELECT count(*) FROM {}_default", stage.shape.table);
    number(&mut stage.admin(), &sql)
}

pub fn drained(stage: &Stage) -> i64 {
    number(
        &mut stage.admin(),
        "SELECT count(*) FROM partman_rs.run WHERE action = 'drain' AND outcome = 'drained'",
    )
}

/// Everything is right, and nothing is left over.
pub fn assert_drained(stage: &Stage, report: Option<&Report>) {
    if let Some(report) = report {
        report.assert_no_failures();
        println!("{}: {}", stage.shape.table, report.summary());
    }
    let (table, mut admin) = (stage.shape.table, stage.admin());
    let mut findings = stage.findings_of_content(report);
    findings.extend(placement::check_partitioned(
        &mut admin,
        table,
        stage.shape.partition_column,
    ));
    findings.extend(oracle::soundness(&mut admin, table));
    oracle::assert_none("after the draining", &findings);
    let left = number(
        &mut admin,
        &format!(
            "SELECT count(*) FROM pg_class c
              WHERE c.relname ~ '^{table}' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid <> '{table}'::regclass
                 OR c.relnamespace = 'partman_rs'::regnamespace AND c.relname ~ '^log'
                 OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname ~ '^partman_rs')
                 OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = 'partman_rs_bounds')"
        ),
    );
    assert_eq!(left, 0, "tables, triggers or constraints are left over");
    let incomplete = number(
        &mut admin,
        &format!(
            "SELECT count(*) FROM pg_index p CROSS JOIN pg_inherits l
              WHERE p.indrelid = '{table}'::regclass AND l.inhparent = '{table}'::regclass
                AND (NOT p.indisvalid OR NOT EXISTS (
                      SELECT FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
                       WHERE i.inhparent = p.indexrelid AND x.indrelid = l.inhrelid AND x.indisvalid))"
        ),
    );
    assert_eq!(incomplete, 0, "partitions lack indexes");
}

/// Pains 1 and 18: rows in DEFAULT are where they belong in the end, none was ever out of sight, and no
/// statement of the application failed.
fn nothing_is_lost(shape: Shape, sibling: &str) {
    let cluster = Arc::new(Cluster::builder().start());
    let stage = stage_of(cluster, "shop", shape, 30_000, sibling);
    let mut app = stage.app();
    let load = stage.workload().start();
    load.await_more(300);
    let before = in_default(&stage);
    assert!(before > 20_000, "{before}");
    must(
        &mut app,
        &format!("SELECT ensure_partitions('{}')", stage.shape.table),
    );
    poll::expect("the default partition to be drained", PATIENCE, || {
        drained(&stage) == 1
    });
    load.await_more(600);
    let report = load.stop();
    poll::expect("the retired one to be dropped", PATIENCE, || {
        number(
            &mut stage.admin(),
            "SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished'",
        ) == 0
    });
    assert_drained(&stage, Some(&report));
    let after = in_default(&stage);
    assert!(after < before / 100, "{after} of {before} rows are left");
}

#[test]
fn pain_01_18_a_default_partition_is_drained_under_load() {
    nothing_is_lost(shapes::events(), ALONE);
}

#[test]
fn pain_01_18_a_default_partition_of_integers_is_drained_under_load() {
    nothing_is_lost(shapes::cells(), ALONE);
}

#[test]
fn pain_01_18_30_rows_find_their_lists_below_ranges_under_load() {
    nothing_is_lost(events_by_kind(), LISTS_BELOW);
}

#[test]
fn pain_01_18_30_rows_find_their_hashes_below_ranges_under_load() {
    nothing_is_lost(shapes::events(), HASHES_BELOW);
}

/// After all was planned a row comes in that has no place below its partition, where there is no default one: the table
/// stays as it is, all is taken back, and told; when the row has gone, the others get their place.
#[test]
fn a_row_without_a_place_keeps_all_where_they_are() {
    let cluster = Arc::new(crate::maintained::builder("1s").start());
    let mut admin = cluster.connect();
    let failpoints = Failpoints::of(&cluster);
    failpoints.set(at::PREPARED, Action::Wait);
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE t (id int NOT NULL, kind int, PRIMARY KEY (id, kind)) PARTITION BY RANGE (id);
         CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO (100) PARTITION BY LIST (kind);
         CREATE TABLE t_p0_one PARTITION OF t_p0 FOR VALUES IN (1);
         CREATE TABLE t_default PARTITION OF t DEFAULT;
         INSERT INTO t SELECT n, 1 FROM generate_series(0, 499) n;
         SELECT set_partition_policy('t', '100', premake => 1)",
    );
    failpoints.await_parked(at::PREPARED);
    must(&mut admin, "INSERT INTO t VALUES (150, 2)");
    failpoints.clear(at::PREPARED);
    let told = "SELECT count(*) FROM ensure_partitions('t', dry_run => true) WHERE outcome LIKE '%none takes 1 of them%'";
    poll::expect("all to be taken back, and told", PATIENCE, || {
        number(&mut admin, told) > 0
    });
    let left = "SELECT count(*) FROM pg_class WHERE relname ~ '^t_' AND relkind IN ('r', 'p') AND NOT relispartition";
    assert_eq!(number(&mut admin, left), 0);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 501);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t_default"), 401);
    must(&mut admin, "DELETE FROM t WHERE kind = 2");
    poll::expect("the rows to be moved", PATIENCE, || {
        number(&mut admin, "SELECT count(*) FROM t_default") == 0
    });
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 500);
}

/// Who has read other partitions, and holds the table, is named to those who ask what the draining waits for.
#[test]
fn it_is_told_who_holds_the_table() {
    let cluster = Arc::new(Cluster::builder().start());
    let stage = stage(cluster, "shop", shapes::cells(), 5_000);
    let (mut app, mut reader) = (stage.app(), stage.app());
    must(
        &mut app,
        "CREATE TABLE cells_first PARTITION OF cells FOR VALUES FROM (-100) TO (0)",
    );
    must(&mut reader, "BEGIN; SELECT FROM cells WHERE id < 0");
    must(&mut app, "SELECT ensure_partitions('cells')");
    poll::expect("the reader to be named", PATIENCE, || {
        number(
            &mut stage.admin(),
            "SELECT count(*) FROM partman_rs.conversions WHERE last_error_detail LIKE 'The swap waits for process %'",
        ) == 1
    });
    must(&mut reader, "COMMIT");
    poll::expect("the default partition to be drained", PATIENCE, || {
        drained(&stage) == 1
    });
    assert_eq!(in_default(&stage), 0);
}

/// The server is killed at each of these; the worker that comes next goes on, and nothing is done twice.
#[test]
fn a_killed_worker_drains_nothing_twice() {
    nothing_is_done_twice(shapes::events(), ALONE);
}

/// Likewise into partitions that are partitioned themselves.
#[test]
fn a_killed_worker_fills_no_list_twice() {
    nothing_is_done_twice(events_by_kind(), LISTS_BELOW);
}

fn nothing_is_done_twice(shape: Shape, sibling: &str) {
    let cluster = crate::maintained::builder("1s").start();
    let stage = stage_of(Arc::new(cluster), "shop", shape, 20_000, sibling);
    let failpoints = stage.failpoints();
    let points = [
        "prepare:before_commit",
        "capture:before_commit",
        "copy:before_commit",
        "index:before_commit",
        "catch_up:after_commit",
        "verify:after_commit",
        "swap:before_commit",
        "swap:after_commit",
    ];
    for point in points {
        failpoints.set(point, Action::Kill);
    }
    for point in points {
        poll::expect(point, PATIENCE, || failpoints.has_fired(point));
    }
    poll::expect("the default partition to be drained", PATIENCE, || {
        let Ok(mut session) = stage.cluster.login("postgres", &stage.database).open() else {
            return false;
        };
        let sql =
            "SELECT (SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished') = 0
                      AND (SELECT count(*) FROM partman_rs.run WHERE outcome = 'drained') > 0";
        session
            .query_one(sql, &[])
            .is_ok_and(|row| row.get::<_, bool>(0))
    });
    assert_eq!(drained(&stage), 1);
    assert_drained(&stage, None);
}
