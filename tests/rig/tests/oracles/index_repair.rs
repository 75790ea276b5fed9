//! Indexes that partitions lack are built by a worker, beside writers, and once.

use crate::maintained::{builder, interrupt_detaching, must, number};
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::Client;

/// A table whose partitions lack parts of two indexes; a partition of many rows, and one that holds
/// a constraint up by its duplicates.
const TABLE: &str = r#"
    CREATE EXTENSION pg_partman_rs;
    CREATE ROLE keeper NOLOGIN;
    CREATE SCHEMA shop AUTHORIZATION keeper;
    SET ROLE keeper;
    CREATE TABLE shop."odd name" (id bigint NOT NULL, v text NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE shop.many PARTITION OF shop."odd name" FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE shop.twice PARTITION OF shop."odd name" FOR VALUES FROM (1000000) TO (2000000);
    INSERT INTO shop."odd name" SELECT i, 'v' || i FROM generate_series(1, 20000) i;
    INSERT INTO shop."odd name" VALUES (1000001, 'x'), (1000001, 'x');
    CREATE INDEX odd_v ON ONLY shop."odd name" (lower(v), id);
    RESET ROLE;"#;

const TAKE_IN_HAND: &str =
    r#"SELECT set_partition_policy('shop."odd name"', '1000000', premake => 0, repair => true)"#;

const BUILDER: &str = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity
    WHERE backend_type = 'pg_partman_rs' AND wait_event_type = 'Lock'
      AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'shop.many'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted)";

const LEFTOVERS: &str = r"SELECT count(*) FROM pg_class WHERE relname LIKE 'partman\_rs\_build\_%'";

const IS_VALID: &str =
    "SELECT indisvalid::int::bigint FROM pg_index WHERE indexrelid = 'shop.odd_v'::regclass";

fn repairs(admin: &mut Client, failed: bool) -> i64 {
    let what = if failed { "IS NOT NULL" } else { "IS NULL" };
    number(
        admin,
        &format!("SELECT count(*) FROM partman_rs.run WHERE action = 'repair' AND sqlstate {what}"),
    )
}

/// The worker waits for an old transaction, in the middle of its build, and is killed there: others
/// write all the time, what it left is cleared away, and the next run completes it.
#[test]
fn a_killed_index_build_is_completed_beside_writers() {
    let cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
    let mut old = cluster.connect();
    must(
        &mut old,
        r#"BEGIN; INSERT INTO shop."odd name" VALUES (30001, 'old')"#,
    );
    must(&mut admin, TAKE_IN_HAND);
    let pid = poll::until(PATIENCE, || {
        Some(number(&mut admin, BUILDER)).filter(|pid| *pid > 0)
    });
    let pid = pid.expect("the worker is building");
    assert_eq!(number(&mut admin, LEFTOVERS), 1, "half of an index");
    // It holds the partition, and nobody who writes waits for that.
    must(
        &mut admin,
        r#"SET lock_timeout = '1 s';
           INSERT INTO shop."odd name" VALUES (40001, 'beside');
           UPDATE shop."odd name" SET v = 'changed' WHERE id = 7;
           DELETE FROM shop."odd name" WHERE id = 8;
           RESET lock_timeout"#,
    );
    let before = cluster.incarnation().expect("the server runs");
    cluster.sigkill(i32::try_from(pid).expect("a process number"));
    cluster.await_crash_restart(&before);
    admin = cluster.connect();
    poll::expect("the index", PATIENCE, || number(&mut admin, IS_VALID) == 1);
    poll::expect("nothing half", PATIENCE, || {
        number(&mut admin, LEFTOVERS) == 0
    });
    assert_eq!(repairs(&mut admin, false), 2, "each partition once");
    assert_eq!(repairs(&mut admin, true), 0);
    let owners = "SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relowner <> 'keeper'::regrole";
    assert_eq!(number(&mut admin, owners), 0);
    // What the index finds is what there is.
    must(&mut admin, "SET enable_seqscan = off");
    for (value, rows) in [
        ("v9", 1),
        ("v7", 0),
        ("changed", 1),
        ("beside", 1),
        ("v8", 0),
    ] {
        let found = number(
            &mut admin,
            &format!(r#"SELECT count(*) FROM shop."odd name" WHERE lower(v) = '{value}'"#),
        );
        assert_eq!(found, rows, "{value}");
    }
}

/// Duplicates keep the part of a constraint from being built: nothing is left behind, other parts are
/// built, and it is not tried again at once. When they are gone, it is.
#[test]
fn a_build_that_fails_leaves_nothing_and_stops_no_other() {
    let cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(&mut admin, TABLE);
    must(
        &mut admin,
        r#"ALTER TABLE ONLY shop."odd name" ADD CONSTRAINT odd_key UNIQUE (id)"#,
    );
    must(&mut admin, TAKE_IN_HAND);
    poll::expect("three parts", PATIENCE, || repairs(&mut admin, false) == 3);
    poll::expect("the failure", PATIENCE, || repairs(&mut admin, true) == 1);
    poll::expect("nothing half", PATIENCE, || {
        number(&mut admin, LEFTOVERS) == 0
    });
    assert_eq!(number(&mut admin, IS_VALID), 1);
    let code =
        "SELECT count(*) FROM partman_rs.run WHERE sqlstate = '23505' AND partition = 'shop.twice'";
    assert_eq!(number(&mut admin, code), 1);
    let last_run =
        "SELECT (extract(epoch FROM max(last_run_at)) * 1000)::bigint FROM partman_rs.maintenance";
    for _ in 0..3 {
        let before = number(&mut admin, last_run);
        poll::expect("maintenance to go on", PATIENCE, || {
            number(&mut admin, last_run) > before
        });
    }
    assert_eq!(repairs(&mut admin, true), 1, "it was tried again at once");
    must(
        &mut admin,
        "DELETE FROM shop.twice WHERE ctid = '(0,1)';
         UPDATE partman_rs.run SET ended_at = ended_at - interval '2 hours' WHERE sqlstate IS NOT NULL",
    );
    let constraint =
        "SELECT count(*) FROM pg_index WHERE indexrelid = 'shop.odd_key'::regclass AND indisvalid";
    poll::expect("the constraint", PATIENCE, || {
        number(&mut admin, constraint) == 1
    });
    assert_eq!(repairs(&mut admin, false), 4, "each part once");
}

/// An event trigger that writes to a table of the owner runs code of the owner at the end of what the worker,
/// whom nothing else keeps from being superuser again, does in the owner's name.
const PLANTED: &str = "
    SET ROLE keeper;
    CREATE TABLE shop.audit (tag text, came_to text);
    CREATE FUNCTION shop.grab() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('role', 'none', false);
        NEW.came_to := 'escaped';
        RETURN NEW;
    EXCEPTION WHEN insufficient_privilege THEN
        NEW.came_to := 'refused';
        RETURN NEW;
    END $$;
    CREATE TRIGGER grab BEFORE INSERT ON shop.audit FOR EACH ROW EXECUTE FUNCTION shop.grab();
    RESET ROLE;
    CREATE FUNCTION audit() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.audit VALUES (tg_tag); END $$;
    CREATE EVENT TRIGGER audit ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION audit();";

#[test]
fn code_of_the_owner_cannot_leave_the_owner() {
    let cluster = builder("1s").start();
    let mut admin = cluster.connect();
    // There it could: see `restriction` in `src/pg/top_level.rs`.
    let checks_assertions =
        "SELECT count(*) FROM pg_settings WHERE name = 'debug_assertions' AND setting = 'on'";
    if number(&mut admin, checks_assertions) == 1 {
        return;
    }
    must(&mut admin, TABLE);
    must(&mut admin, PLANTED);
    must(&mut admin, TAKE_IN_HAND);
    poll::expect("two parts", PATIENCE, || repairs(&mut admin, false) == 2);
    let came_to = |what: &str| {
        format!("SELECT count(*) FROM shop.audit WHERE tag = 'CREATE INDEX' AND came_to = '{what}'")
    };
    assert_eq!(number(&mut admin, &came_to("refused")), 2);
    assert_eq!(number(&mut admin, &came_to("escaped")), 0);
}

/// An index of a table of three levels: what is partitioned gets its part at once, the rest is built by the worker,
/// and in the end the index of each level is valid.
#[test]
fn indexes_of_all_levels_are_built() {
    let cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(
        &mut admin,
        "CREATE EXTENSION pg_partman_rs;
         CREATE TABLE deep (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE deep_0 PARTITION OF deep FOR VALUES FROM (0) TO (1000) PARTITION BY LIST (k);
         CREATE TABLE deep_0_1 PARTITION OF deep_0 FOR VALUES IN (1) PARTITION BY HASH (id);
         CREATE TABLE deep_0_1_0 PARTITION OF deep_0_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE deep_0_1_1 PARTITION OF deep_0_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         CREATE TABLE deep_0_2 PARTITION OF deep_0 FOR VALUES IN (2);
         INSERT INTO deep SELECT i, 1 + i % 2 FROM generate_series(0, 999) i;
         CREATE INDEX deep_k ON ONLY deep (k);
         ALTER TABLE ONLY deep ADD CONSTRAINT deep_key PRIMARY KEY (id, k);
         SELECT set_partition_policy('deep', '1000', premake => 0, repair => true)",
    );
    let invalid =
        "SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ '^deep' AND NOT indisvalid";
    let parts = "SELECT count(*) FROM pg_partition_tree('deep_k') WHERE isleaf";
    let keys = "SELECT count(*) FROM pg_partition_tree('deep_key') WHERE isleaf";
    poll::expect("all parts", PATIENCE, || {
        (
            number(&mut admin, invalid),
            number(&mut admin, parts),
            number(&mut admin, keys),
        ) == (0, 3, 3)
    });
    assert_eq!(number(&mut admin, LEFTOVERS), 0);
    assert_eq!(repairs(&mut admin, false), 10, "each part once");
    assert_eq!(repairs(&mut admin, true), 0);
}

/// A migration of a framework: it runs inside a transaction, and functions run in one anyhow.
const MIGRATION: &str = "
    CREATE FUNCTION migrate() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_partition_policy('t', '1000', premake => 0, repair => true);
        RETURN (SELECT count(*) FROM ensure_partitions('t') WHERE outcome LIKE 'failed%'); END $$;
    CREATE TABLE t (id bigint NOT NULL, v text NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE t_0 PARTITION OF t FOR VALUES FROM (0) TO (1000);
    CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1000) TO (2000);
    CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (2000) TO (3000);
    INSERT INTO t SELECT i, 'v' || i FROM generate_series(0, 2999) i;
    CREATE INDEX t_v ON ONLY t (v);";

/// Pain 6: what PostgreSQL does only CONCURRENTLY without keeping writers waiting, and refuses to do in
/// functions and transactions, is asked for from both. Nobody waits, though another transaction is
/// open on the table all the time.
#[test]
fn pain_06_what_must_be_concurrent_can_be_asked_for_in_a_function() {
    let cluster = builder("1s").start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, MIGRATION);
    let mut old = cluster.connect();
    must(&mut old, "BEGIN; UPDATE t SET v = 'old' WHERE id = 0");
    assert_eq!(number(&mut admin, "SELECT migrate()"), 0);
    let waits = "SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
                  WHERE a.backend_type = 'pg_partman_rs' AND NOT l.granted AND l.locktype = 'virtualxid'";
    poll::expect(
        "the build to wait for the old transaction",
        PATIENCE,
        || number(&mut admin, waits) == 1,
    );
    must(&mut admin, "SET lock_timeout = '1 s'");
    for id in [1, 1001, 2001] {
        must(
            &mut admin,
            &format!(
                "UPDATE t SET v = 'changed' WHERE id = {id}; INSERT INTO t VALUES ({id}, 'twin'); DELETE FROM t WHERE id = {id} + 1"
            ),
        );
    }
    assert_eq!(
        number(&mut admin, waits),
        1,
        "the build waits, the others did not"
    );
    must(&mut admin, "RESET lock_timeout");
    must(&mut old, "COMMIT");
    let valid = "SELECT indisvalid::int::bigint FROM pg_index WHERE indexrelid = 't_v'::regclass";
    poll::expect("the index", PATIENCE, || number(&mut admin, valid) == 1);
    // Likewise a DETACH that somebody has begun so, and that was interrupted.
    must(&mut old, "BEGIN; SELECT FROM t WHERE id = 1");
    interrupt_detaching(&cluster, &mut admin, "t", "t_0");
    must(&mut old, "COMMIT");
    must(&mut admin, "BEGIN");
    assert_eq!(number(&mut admin, "SELECT migrate()"), 0);
    must(&mut admin, "COMMIT");
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass";
    poll::expect("the DETACH to end", PATIENCE, || {
        number(&mut admin, partitions) == 2
    });
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t_0"), 1000);
}
