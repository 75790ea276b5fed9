//! What users of other tools complain of, each by its number in the list of complaints that this
//! project goes by. A name says what must not happen here.

use std::time::Instant;

use partman_rig::cluster::Cluster;
use partman_rig::fault;
use postgres::Client;
use postgres::error::SqlState;

use crate::maintained::{must, number, set_clock, texts};

fn server() -> (Cluster, Client) {
    let cluster = Cluster::builder().start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    (cluster, admin)
}

/// What a run over a table does: a line for each action. Drift is told of too, and is of no interest
/// here.
fn ensure(client: &mut Client, parent: &str) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', action, split_part(partition, '.', 2), regexp_replace(outcome, ' on table.*', ''))
                 FROM ensure_partitions($1::text::regclass) WHERE action <> 'repair'";
    texts(client, sql, &[&parent])
}

/// Integers in steps of ten, the newest row in the fourth partition.
const TENS: &str = "
    CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO (10);
    CREATE TABLE t_p10 PARTITION OF t FOR VALUES FROM (10) TO (20);
    CREATE TABLE t_p20 PARTITION OF t FOR VALUES FROM (20) TO (30);
    CREATE TABLE t_p30 PARTITION OF t FOR VALUES FROM (30) TO (40);
    INSERT INTO t SELECT generate_series(0, 30, 5);
    SELECT set_partition_policy('t', premake => 0, retention => '10', retention_action => 'drop');";

#[test]
fn pain_03_retention_never_drops_a_wide_partition_with_live_rows() {
    let (_cluster, mut admin) = server();
    // An old table, attached as the first partition: its name and the interval say that it is old.
    must(
        &mut admin,
        "CREATE TABLE t (at timestamptz NOT NULL) PARTITION BY RANGE (at);
         CREATE INDEX ON t (at);
         CREATE TABLE t_p2020_01 PARTITION OF t FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2024-03-01 00:00+00');
         CREATE TABLE t_p2024_03 PARTITION OF t FOR VALUES FROM ('2024-03-01 00:00+00') TO ('2024-04-01 00:00+00');
         INSERT INTO t VALUES ('2020-01-05 00:00+00'), ('2024-02-29 23:59+00'), ('2024-03-30 00:00+00');
         SELECT set_partition_policy('t', '1 month', premake => 0, retention => '30 days', retention_action => 'drop', time_zone => 'UTC')",
    );
    // The newest row of the wide one is 29 days and 23 hours old by the newest of all.
    set_clock(&mut admin, "2024-03-30 23:00:00+00");
    assert_eq!(ensure(&mut admin, "t"), Vec::<String>::new());
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 3);
    // A stray row of the far future makes nothing old either.
    must(
        &mut admin,
        "CREATE TABLE t_far PARTITION OF t FOR VALUES FROM ('5221-01-01 00:00+00') TO ('5221-02-01 00:00+00');
         INSERT INTO t VALUES ('5221-01-01 00:00+00')",
    );
    ensure(&mut admin, "t");
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 4);
    // All of it is older than 30 days only when its very last microsecond is.
    must(
        &mut admin,
        "DROP TABLE t_far; INSERT INTO t VALUES ('2024-03-31 23:59+00')",
    );
    set_clock(&mut admin, "2024-03-30 23:59:59.999999+00");
    assert_eq!(ensure(&mut admin, "t"), Vec::<String>::new());
    set_clock(&mut admin, "2024-03-31 00:00:00+00");
    assert_eq!(ensure(&mut admin, "t"), ["drop t_p2020_01 dropped"]);
}

#[test]
fn pain_04_nobody_queues_behind_a_lock_that_maintenance_waits_for() {
    let (cluster, mut admin) = server();
    must(&mut admin, TENS);
    let mut reader = cluster.connect();
    must(&mut reader, "BEGIN; SELECT FROM t WHERE id = 30");
    let login = cluster.login("postgres", "postgres");
    let maintainer = std::thread::spawn(move || {
        let mut session = login.open().expect("a session can be opened");
        must(
            &mut session,
            "SET pg_partman_rs.swap_lock_timeout = '200ms'",
        );
        let began = Instant::now();
        let outcomes = ensure(&mut session, "t");
        (outcomes, began.elapsed())
    });
    let mut other = cluster.connect();
    // Whoever waits longer is refused.
    must(&mut other, "SET lock_timeout = '1s'");
    while !maintainer.is_finished() {
        must(&mut other, "SELECT FROM t WHERE id = 20");
    }
    let (outcomes, taken) = maintainer.join().expect("it does not panic");
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    for outcome in &outcomes {
        assert!(outcome.contains("failed: 55P03"), "{outcome}");
    }
    println!("readers went on beside {taken:?} of maintenance");
    must(&mut reader, "COMMIT");
    assert_eq!(
        ensure(&mut admin, "t"),
        ["drop t_p0 dropped", "drop t_p10 dropped"]
    );
}

#[test]
fn pain_05_a_reader_that_begins_with_a_partition_is_no_deadlock() {
    let (cluster, mut admin) = server();
    must(&mut admin, TENS);
    let mut reader = cluster.connect();
    // The partition first, the parent later: the other way round than queries do it.
    must(&mut reader, "BEGIN; SELECT FROM t_p0");
    let login = cluster.login("postgres", "postgres");
    let maintainer = std::thread::spawn(move || {
        let mut session = login.open().expect("a session can be opened");
        ensure(&mut session, "t")
    });
    while !maintainer.is_finished() {
        must(&mut reader, "SELECT FROM t WHERE id = 3");
    }
    must(&mut reader, "UPDATE t SET v = 'x' WHERE id = 3; COMMIT");
    let outcomes = maintainer.join().expect("it does not panic");
    assert!(
        outcomes.iter().all(|outcome| !outcome.contains("40P01")),
        "{outcomes:?}"
    );
    assert!(
        outcomes[0].starts_with("drop t_p0 failed: 55P03"),
        "{outcomes:?}"
    );
    ensure(&mut admin, "t");
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 3);
}

#[test]
fn pain_07_a_foreign_key_keeps_what_it_needs_and_nothing_else() {
    let (_cluster, mut admin) = server();
    must(&mut admin, TENS);
    must(
        &mut admin,
        "CREATE TABLE child (id int REFERENCES t ON DELETE CASCADE);
         INSERT INTO child VALUES (5);
         CREATE TABLE u (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE u_p0 PARTITION OF u FOR VALUES FROM (0) TO (10);
         INSERT INTO u VALUES (3);
         SELECT set_partition_policy('u', premake => 1)",
    );
    let outcomes = texts(
        &mut admin,
        "SELECT concat_ws(' ', split_part(partition, '.', 2), left(outcome, 13)) FROM ensure_partitions() ORDER BY 1",
        &[],
    );
    // Even ON DELETE CASCADE deletes nothing behind the application's back.
    assert_eq!(
        outcomes,
        ["t_p0 skipped: rows", "t_p10 dropped", "u_p10 created"]
    );
    assert_eq!(number(&mut admin, "SELECT count(*) FROM child"), 1);
    must(&mut admin, "DELETE FROM child");
    assert_eq!(ensure(&mut admin, "t"), ["drop t_p0 dropped"]);
}

#[test]
fn pain_09_new_partitions_have_the_keys_of_the_table() {
    let (_cluster, mut admin) = server();
    must(
        &mut admin,
        "CREATE TABLE t (id int, day int, email text, PRIMARY KEY (id, day), UNIQUE (email, day)) PARTITION BY RANGE (day);
         SELECT set_partition_policy('t', '10', premake => 1);
         SELECT ensure_partitions('t');
         INSERT INTO t VALUES (1, 15, 'a')",
    );
    for (row, constraint) in [
        ("(1, 15, 'b')", "t_p10_pkey"),
        ("(2, 15, 'a')", "t_p10_email_day_key"),
    ] {
        let refused = admin
            .batch_execute(&format!("INSERT INTO t VALUES {row}"))
            .expect_err("it is there already");
        let error = refused.as_db_error().expect("the server says so");
        assert_eq!(*error.code(), SqlState::UNIQUE_VIOLATION);
        assert_eq!(error.constraint(), Some(constraint));
    }
    // They are the table's own: dropping the constraint there drops them all.
    must(
        &mut admin,
        "ALTER TABLE t DROP CONSTRAINT t_email_day_key; INSERT INTO t VALUES (2, 15, 'a')",
    );
}

#[test]
fn pain_10_hours_have_no_hole_where_the_clock_jumps() {
    let (_cluster, mut admin) = server();
    for (change, hours) in [
        ("2013-03-31 01:00:00+00", 23),
        ("2013-10-27 01:00:00+00", 24),
    ] {
        must(
            &mut admin,
            "DROP TABLE IF EXISTS t; CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
             SET TimeZone = 'Europe/Berlin'; SELECT set_partition_policy('t', '1 hour', premake => 1)",
        );
        // Run by hour, each time by somebody of another zone.
        for (hour, zone) in
            (-12..=12).zip(["Europe/Berlin", "UTC", "America/St_Johns"].iter().cycle())
        {
            must(&mut admin, &format!(
                "SET TimeZone = '{zone}';
                 SELECT set_config('pg_partman_rs.test_clock', ('{change}'::timestamptz + interval '{hour} hours 30 minutes')::text, false);
                 SELECT ensure_partitions('t');
                 INSERT INTO t SELECT '{change}'::timestamptz + interval '{hour} hours' + m * interval '1 minute' FROM generate_series(0, 90) m"
            ));
        }
        assert_eq!(number(&mut admin, "SELECT gaps FROM partman_rs.health"), 0);
        assert_eq!(
            number(
                &mut admin,
                "SELECT count(*) FROM partman_rs.run WHERE outcome = 'failed'"
            ),
            0
        );
        let day = format!("SELECT count(*) FROM partman_rs.partitions WHERE parent = 't'::regclass
                            AND (lower_bound::timestamptz AT TIME ZONE 'Europe/Berlin')::date = ('{change}'::timestamptz AT TIME ZONE 'Europe/Berlin')::date");
        let found = number(&mut admin, &day);
        // The hour that is shown twice is one partition; the tail of the day is not made yet.
        assert!(found > 10 && found <= hours, "{found}");
    }
}

/// Tables of an owner who is nobody, with a stranger's grants on them.
const OWNED: &str = "
    CREATE ROLE keeper NOLOGIN;
    CREATE ROLE reader NOLOGIN;
    CREATE SCHEMA shop AUTHORIZATION keeper;
    SET ROLE keeper;
    CREATE TABLE shop.t (id int, v text) PARTITION BY RANGE (id);
    CREATE TABLE shop.t_p0 PARTITION OF shop.t FOR VALUES FROM (0) TO (10);
    GRANT SELECT ON shop.t TO reader;
    GRANT UPDATE (v) ON shop.t TO reader;
    INSERT INTO shop.t VALUES (1);
    RESET ROLE;";

#[test]
fn pain_11_new_partitions_belong_to_the_owner_whoever_runs_it() {
    let (_cluster, mut admin) = server();
    must(&mut admin, OWNED);
    must(
        &mut admin,
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
         SELECT set_partition_policy('shop.t', premake => 1); SELECT ensure_partitions('shop.t')",
    );
    let facts = texts(
        &mut admin,
        "SELECT relowner::regrole || ' ' || coalesce((SELECT string_agg(DISTINCT a.grantee::regrole::text || '=' || a.privilege_type, ',')
                  FROM aclexplode(relacl) a WHERE a.grantee <> relowner), '')
           FROM pg_class WHERE relname = 't_p10'",
        &[],
    );
    assert_eq!(facts, ["keeper reader=SELECT"]);
    // What breaks elsewhere: the owner changes the table, and with it all partitions.
    must(
        &mut admin,
        "SET ROLE keeper; ALTER TABLE shop.t ADD COLUMN w int; ALTER TABLE shop.t ADD CHECK (id >= 0); DROP TABLE shop.t_p10; RESET ROLE",
    );
}

#[test]
fn pain_12_no_function_of_a_user_runs_with_more_rights() {
    let (_cluster, mut admin) = server();
    must(&mut admin, OWNED);
    // In an index, in a CHECK, in a policy for rows, and in the way of names that maintenance uses.
    must(
        &mut admin,
        "SET ROLE keeper;
         CREATE SEQUENCE shop.calls;
         CREATE FUNCTION shop.marked(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
             PERFORM nextval('shop.calls');
             BEGIN SET ROLE postgres; EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END;
             IF current_user <> 'keeper' THEN RAISE EXCEPTION 'ran as %', current_user; END IF;
             RETURN v; END $$;
         UPDATE shop.t SET v = 'y';
         CREATE INDEX marked ON ONLY shop.t (shop.marked(v));
         ALTER TABLE shop.t ADD CHECK (shop.marked(v) IS NOT NULL OR v IS NULL);
         CREATE FUNCTION shop.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shop.now()'; END $$;
         CREATE FUNCTION shop.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shop.format()'; END $$;
         CREATE FUNCTION shop.pg_total_relation_size(oid) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shop.size()'; END $$;
         CREATE TABLE shop.t_rest PARTITION OF shop.t DEFAULT;
         INSERT INTO shop.t VALUES (100, 'x');
         ALTER TABLE shop.t_rest ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE POLICY p ON shop.t_rest USING (shop.marked(v || '!') IS NOT NULL);
         RESET ROLE;
         SET search_path = shop, public, pg_catalog;
         SELECT set_partition_policy('shop.t', premake => 1, retention_size => '1 GB', repair => true)",
    );
    let calls = "SELECT last_value FROM shop.calls";
    let before = number(&mut admin, calls);
    assert_eq!(
        ensure(&mut admin, "shop.t"),
        [
            "create t_p10 created",
            "create skipped: rows cannot be moved out of the default partition: This is bound to it: policy p."
        ]
    );
    let seen =
        "SELECT count(*) FROM partman_rs.health WHERE default_has_rows AND reason !~ 'ran as'";
    assert_eq!(number(&mut admin, seen), 1);
    assert!(number(&mut admin, calls) > before, "the function did run");
    let built =
        "SELECT count(*) FROM pg_index WHERE indexrelid = 'shop.marked'::regclass AND indisvalid";
    assert_eq!(number(&mut admin, built), 1, "it ran as the owner");
    assert_eq!(
        texts(&mut admin, "SELECT current_user::text", &[]),
        ["postgres"]
    );
}

#[test]
fn pain_15_maintenance_runs_inside_transactions_procedures_and_drivers() {
    let (_cluster, mut admin) = server();
    must(
        &mut admin,
        "CREATE TABLE t (id int) PARTITION BY RANGE (id); SELECT set_partition_policy('t', '10', premake => 0)",
    );
    let made = |client: &mut Client| {
        number(
            client,
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass",
        )
    };
    // A driver opens a transaction and speaks the extended protocol.
    let mut transaction = admin.transaction().expect("it begins");
    transaction
        .query(
            "SELECT * FROM ensure_partitions($1::text::regclass)",
            &[&"t"],
        )
        .expect("no COMMIT inside");
    transaction.rollback().expect("it is taken back");
    assert_eq!(made(&mut admin), 0);
    must(
        &mut admin,
        "CREATE FUNCTION migrate() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM ensure_partitions()';
         CREATE PROCEDURE nightly() LANGUAGE plpgsql AS $$ BEGIN
             PERFORM * FROM ensure_partitions(); COMMIT; PERFORM * FROM ensure_partitions(); END $$",
    );
    assert_eq!(number(&mut admin, "SELECT migrate()"), 1);
    must(
        &mut admin,
        "INSERT INTO t VALUES (5); SELECT set_partition_policy('t', premake => 1)",
    );
    must(&mut admin, "CALL nightly()");
    assert_eq!(made(&mut admin), 2);
    must(
        &mut admin,
        "SELECT set_partition_policy('t', premake => 2);
         BEGIN; SAVEPOINT a; SELECT ensure_partitions(); ROLLBACK TO a; SELECT ensure_partitions(); COMMIT;
         DO $$ BEGIN PERFORM * FROM ensure_partitions('t'); END $$",
    );
    assert_eq!(made(&mut admin), 3);
    assert_eq!(
        number(
            &mut admin,
            "SELECT count(*) FROM partman_rs.run WHERE outcome = 'created'"
        ),
        3
    );
}

#[test]
fn pain_16_there_is_no_template_what_is_changed_holds_for_new_partitions() {
    let (_cluster, mut admin) = server();
    must(&mut admin, TENS);
    must(
        &mut admin,
        "ALTER TABLE t ADD COLUMN w text DEFAULT 'w' NOT NULL, ADD CHECK (w <> ''), ALTER v SET STORAGE EXTERNAL;
         CREATE INDEX t_w ON t (w);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := 'by trigger'; RETURN NEW; END $$;
         CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
         ALTER TABLE t_p30 SET (fillfactor = 50);
         SELECT set_partition_policy('t', premake => 1, retention => 'none')",
    );
    assert_eq!(ensure(&mut admin, "t"), ["create t_p40 created"]);
    assert_eq!(
        texts(
            &mut admin,
            "INSERT INTO t VALUES (45) RETURNING v || w",
            &[]
        ),
        ["by triggerw"]
    );
    let refused = admin
        .batch_execute("INSERT INTO t VALUES (46, '', '')")
        .expect_err("the CHECK is there");
    assert_eq!(
        refused.code(),
        Some(&SqlState::CHECK_VIOLATION),
        "{}",
        fault::describe(&refused)
    );
    let facts = "SELECT array_to_string(reloptions, ',') || ' ' || (SELECT attstorage::text FROM pg_attribute WHERE attrelid = c.oid AND attname = 'v')
                        || (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) FROM pg_class c WHERE relname = 't_p40'";
    assert_eq!(texts(&mut admin, facts, &[]), ["fillfactor=50 e2"]);
}

#[test]
fn pain_19_identity_and_generated_columns_go_on() {
    let (_cluster, mut admin) = server();
    must(
        &mut admin,
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, k int, twice int GENERATED ALWAYS AS (k * 2) STORED, s serial) PARTITION BY RANGE (k);
         SELECT set_partition_policy('t', '10', premake => 2); SELECT ensure_partitions('t');
         INSERT INTO t (k) VALUES (1), (11), (21), (2)",
    );
    let rows = "SELECT concat_ws(' ', tableoid::regclass, id, twice, s) FROM t ORDER BY id";
    assert_eq!(
        texts(&mut admin, rows, &[]),
        ["t_p0 1 2 1", "t_p10 2 22 2", "t_p20 3 42 3", "t_p0 4 4 4"]
    );
}

#[test]
fn pain_20_publications_and_replica_identity_hold_for_new_partitions() {
    let (_cluster, mut admin) = server();
    must(&mut admin, TENS);
    must(
        &mut admin,
        "ALTER TABLE t_p30 REPLICA IDENTITY FULL;
         CREATE PUBLICATION by_leaf FOR TABLE t;
         CREATE PUBLICATION by_root FOR TABLE t WITH (publish_via_partition_root);
         SELECT set_partition_policy('t', premake => 1, retention => 'none'); SELECT ensure_partitions('t')",
    );
    let published = "SELECT pubname || ' ' || tablename FROM pg_publication_tables WHERE tablename IN ('t', 't_p40') ORDER BY 1";
    assert_eq!(
        texts(&mut admin, published, &[]),
        ["by_leaf t_p40", "by_root t"]
    );
    assert_eq!(
        texts(
            &mut admin,
            "SELECT relreplident::text FROM pg_class WHERE relname = 't_p40'",
            &[]
        ),
        ["f"]
    );
    // Without an identity an UPDATE of a published table would fail.
    must(
        &mut admin,
        "INSERT INTO t VALUES (45); UPDATE t SET v = 'x' WHERE id = 45; DELETE FROM t WHERE id = 45",
    );
}

#[test]
fn pain_31_a_table_that_runs_out_of_partitions_is_seen_before_rows_fail() {
    let (_cluster, mut admin) = server();
    must(
        &mut admin,
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         SELECT set_config('pg_partman_rs.test_clock', '2024-02-28 12:00:00+00', false);
         SELECT set_partition_policy('t', '1 day', premake => 2, time_zone => 'UTC'); SELECT ensure_partitions('t')",
    );
    let verdict = |admin: &mut Client, clock: &str| {
        must(admin, &format!("SET pg_partman_rs.test_clock = '{clock}'"));
        texts(
            admin,
            "SELECT concat_ws(' ', verdict, partitions_ahead, runway, next_command) FROM partman_rs.health",
            &[],
        )
    };
    let call = "SELECT * FROM ensure_partitions('public.t');";
    assert_eq!(
        verdict(&mut admin, "2024-02-28 12:00:00+00"),
        ["ok 2 2 days 12:00:00"]
    );
    assert_eq!(
        verdict(&mut admin, "2024-03-01 12:00:00+00"),
        [format!("warning 0 12:00:00 {call}")]
    );
    let out = &verdict(&mut admin, "2024-03-02 12:00:00+00")[0];
    assert!(
        out.starts_with("critical 0") && out.ends_with(call),
        "{out}"
    );
    must(
        &mut admin,
        "SELECT ensure_partitions('t'); INSERT INTO t VALUES ('2024-03-02 12:00:00+00')",
    );
    assert!(!verdict(&mut admin, "2024-03-02 12:00:00+00")[0].starts_with("critical"));
    // What fails is told to who listens, and stays to be seen.
    must(
        &mut admin,
        "LISTEN partman_rs; UPDATE partman_rs.policy SET partition_interval = 'x'; SELECT ensure_partitions('t')",
    );
    let told =
        "SELECT count(*) FROM partman_rs.health WHERE verdict <> 'ok' AND last_sqlstate = '22007'";
    assert_eq!(number(&mut admin, told), 1);
    use postgres::fallible_iterator::FallibleIterator;
    let note = admin
        .notifications()
        .timeout_iter(partman_rig::poll::PATIENCE)
        .next()
        .expect("the connection is there");
    let note = note.expect("a notification");
    assert!(
        note.payload().contains("\"sqlstate\": \"22007\""),
        "{}",
        note.payload()
    );
}

#[test]
fn pain_23_ids_that_carry_a_time_need_no_function_of_the_user() {
    let (_cluster, mut admin) = server();
    must(
        &mut admin,
        "CREATE TABLE t (id uuid PRIMARY KEY) PARTITION BY RANGE (id);
         SELECT set_config('pg_partman_rs.test_clock', '2024-02-28 12:00:00+00', false);
         SELECT set_partition_policy('t', '1 day', premake => 1, time_zone => 'UTC', key_codec => 'uuidv7');
         SELECT ensure_partitions('t')",
    );
    // 2024-02-28 12:00 and the last millisecond of that day, in milliseconds: the first 48 bits.
    let of = |millis: i64| {
        format!(
            "{:08x}-{:04x}-7000-8000-000000000000",
            millis >> 16,
            millis & 0xffff
        )
    };
    let noon = 1_709_121_600_000;
    let midnight = noon + 43_200_000;
    let mut holders = Vec::new();
    for millis in [noon, midnight - 1, midnight, midnight + 86_399_999] {
        let sql = format!(
            "INSERT INTO t VALUES ('{}') RETURNING tableoid::regclass::text",
            of(millis)
        );
        holders.extend(texts(&mut admin, &sql, &[]));
    }
    assert_eq!(
        holders,
        [
            "t_p2024_02_28",
            "t_p2024_02_28",
            "t_p2024_02_29",
            "t_p2024_02_29"
        ]
    );
}

#[test]
fn pain_29_what_was_retired_can_be_had_back_until_its_grace_period_ends() {
    let (_cluster, mut admin) = server();
    must(&mut admin, TENS);
    must(
        &mut admin,
        "SELECT set_config('pg_partman_rs.test_clock', '2024-02-28 12:00:00+00', false);
         SELECT set_partition_policy('t', retention_action => 'recycle', grace_period => '1 day')",
    );
    assert_eq!(
        ensure(&mut admin, "t"),
        ["recycle t_p0 recycled", "recycle t_p10 recycled"]
    );
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 3);
    must(&mut admin, "SELECT restore_partition('t_p10')");
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 5);
    // A second before the grace period ends, and when it has.
    must(
        &mut admin,
        "SET pg_partman_rs.test_clock = '2024-02-29 11:59:59+00'",
    );
    let dropped = |admin: &mut Client| -> Vec<String> {
        let all = ensure(admin, "t");
        all.into_iter()
            .filter(|line| line.ends_with(" dropped"))
            .collect()
    };
    assert_eq!(dropped(&mut admin), Vec::<String>::new());
    must(
        &mut admin,
        "SET pg_partman_rs.test_clock = '2024-02-29 12:00:00+00'",
    );
    assert_eq!(dropped(&mut admin), ["drop t_p0 dropped"]);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM t"), 5);
}
