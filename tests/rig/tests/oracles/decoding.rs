//! What subscribers and other readers of the WAL are sent: the changes of users, each once, and nothing
//! of what a conversion or maintenance does for itself.

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::conversion::{Conversion, wait_until_swapped};
use partman_rig::fault;
use partman_rig::pgbench::{Pgbench, Run};
use partman_rig::poll;
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use postgres::Client;

use crate::maintained::{must, number};

const ROWS: i64 = 20_000;

/// Values out of line are among the rows: those have a table of their own.
const TABLE: &str = "CREATE TABLE parcels (id bigint PRIMARY KEY, sent timestamptz NOT NULL, weight bigint NOT NULL, label text)";

/// Each transaction changes three rows, and notes it. The lower one of two comes first: no two wait for each other.
const CHANGES: &str = "
\\set one random(1, 10000)
BEGIN;
UPDATE parcels SET weight = weight + 1 WHERE id = :one;
INSERT INTO parcels VALUES (100000 + nextval('changes_id_seq'), '2026-06-01', 0, repeat('x', 20));
UPDATE parcels SET weight = weight + 1, label = label || 'y' WHERE id = 20001 - :one;
INSERT INTO changes VALUES (currval('changes_id_seq'));
COMMIT;
";

fn post_office() -> Cluster {
    let cluster = Cluster::builder().setting("wal_level", "logical").start();
    create_database(&cluster, "post");
    must(
        &mut cluster.connect_as(OWNER, "post"),
        &format!(
            "{TABLE}; CREATE TABLE changes (id bigserial PRIMARY KEY);
             ALTER TABLE parcels ALTER label SET STORAGE EXTERNAL;
             INSERT INTO parcels SELECT n, timestamptz '2026-05-01 00:00+00' + n % 150 * interval '1 day', 1000,
                                        CASE WHEN n % 100 = 0 THEN repeat('z', 5000) END
               FROM generate_series(1, {ROWS}) n;"
        ),
    );
    must(
        &mut cluster.connect_as(SUPERUSER, "post"),
        "CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true)",
    );
    cluster
}

fn load(cluster: &Cluster) -> Run {
    let run = Pgbench::until_stopped(cluster, "post", 8)
        .arg("--rate=200")
        .script(CHANGES)
        .start();
    await_changes(cluster, 50);
    run
}

/// Waits until the clients have gone on.
fn await_changes(cluster: &Cluster, more: i64) {
    let mut app = cluster.connect_as(OWNER, "post");
    let changes = |app: &mut Client| number(app, "SELECT count(*) FROM changes");
    let before = changes(&mut app);
    poll::expect("the clients to work", PATIENCE, || {
        changes(&mut app) > before + more
    });
}

fn convert(cluster: &Cluster) {
    let mut app = cluster.connect_as(OWNER, "post");
    let started = Conversion::of("parcels", "sent", "1 month").start(&mut app);
    started.unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    wait_until_swapped(&mut app, "parcels", PATIENCE);
}

fn convert_under_load(cluster: &Cluster) {
    let run = load(cluster);
    convert(cluster);
    await_changes(cluster, 200);
    run.stop().assert_no_errors();
}

#[test]
fn what_is_copied_is_decoded_for_nobody() {
    let cluster = post_office();
    let mut admin = cluster.connect_as(SUPERUSER, "post");
    must(
        &mut admin,
        "SELECT pg_create_logical_replication_slot('reader', 'test_decoding')",
    );
    convert_under_load(&cluster);
    // What maintenance remembers is nothing to subscribers, either.
    must(
        &mut cluster.connect_as(OWNER, "post"),
        "SELECT ensure_partitions()",
    );
    let changes = admin
        .query(
            "WITH change AS (
               SELECT substring(data from '^table (.*?): [A-Z]+:') AS name
                 FROM pg_logical_slot_get_changes('reader', NULL, NULL) WHERE data LIKE 'table %')
             SELECT CASE WHEN name = 'public.changes' THEN 'changes'
                         WHEN name LIKE 'public.parcels%' AND name NOT LIKE '%twin%' THEN 'parcels'
                         ELSE name END, count(*) FROM change GROUP BY 1",
            &[],
        )
        .expect("the slot can be read");
    let mut seen: Vec<(String, i64)> = changes.iter().map(|row| (row.get(0), row.get(1))).collect();
    seen.sort();
    let noted = number(&mut admin, "SELECT count(*) FROM changes");
    assert!(noted > 100, "hardly any load: {noted}");
    assert_eq!(
        seen,
        [
            ("changes".to_owned(), noted),
            ("parcels".to_owned(), 3 * noted)
        ]
    );
}

/// Another server, with the same tables and without the extension, that is sent everything.
fn subscriber(of: &Cluster) -> Cluster {
    let cluster = Cluster::builder().start();
    create_database(&cluster, "post");
    let mut admin = cluster.connect_as(SUPERUSER, "post");
    must(
        &mut admin,
        &format!(
            "DROP EXTENSION pg_partman_rs; {TABLE}; CREATE TABLE changes (id bigserial PRIMARY KEY)"
        ),
    );
    must(
        &mut admin,
        &format!(
            "CREATE SUBSCRIPTION everything CONNECTION 'host={} dbname=post user={SUPERUSER}' PUBLICATION everything",
            of.socket_dir().display()
        ),
    );
    poll::expect("the first copy", PATIENCE, || {
        number(
            &mut admin,
            "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'",
        ) == 0
    });
    cluster
}

const CONTENTS: &str =
    "SELECT format('%s %s', count(*), sum(hashtextextended(p::text, 0)::numeric)) FROM parcels p";

#[test]
fn a_subscriber_of_everything_goes_on_as_before() {
    let publisher = post_office();
    // The extension comes when the subscription is there: what a publisher has and a subscriber has not,
    // a new subscription of everything cannot copy.
    let mut admin = publisher.connect_as(SUPERUSER, "post");
    must(&mut admin, "DROP EXTENSION pg_partman_rs");
    let subscriber = subscriber(&publisher);
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    convert_under_load(&publisher);
    let mut app = publisher.connect_as(OWNER, "post");
    must(
        &mut app,
        "SELECT ensure_partitions();
         INSERT INTO parcels SELECT n, '2026-11-01', 1, 'after' FROM generate_series(2000001, 2000100) n;
         UPDATE parcels SET sent = '2026-12-01' WHERE id BETWEEN 2000001 AND 2000050;
         DELETE FROM parcels WHERE id BETWEEN 2000040 AND 2000060;
         INSERT INTO parcels SELECT n, '2027-08-01', 1, 'far' FROM generate_series(3000001, 3000100) n;
         SELECT ensure_partitions();",
    );
    // They are moved out of the default partition, and their subscribers know them already.
    poll::expect("the default partition to be empty", PATIENCE, || {
        number(&mut app, "SELECT count(*) FROM parcels_default") == 0
    });
    must(
        &mut app,
        "UPDATE parcels SET weight = 2 WHERE id = 3000001; DELETE FROM parcels WHERE id = 3000002;",
    );
    assert_arrives(&publisher, &subscriber);
}

/// All that the one has gets to the other, and nothing on the way fails.
fn assert_arrives(publisher: &Cluster, subscriber: &Cluster) {
    let contents = |client: &mut Client| -> String {
        client
            .query_one(CONTENTS, &[])
            .expect("the table can be read")
            .get(0)
    };
    let expected = contents(&mut publisher.connect_as(SUPERUSER, "post"));
    let mut reader = subscriber.connect_as(SUPERUSER, "post");
    let arrived = poll::until(PATIENCE, || {
        (contents(&mut reader) == expected).then_some(())
    });
    let errors = number(
        &mut reader,
        "SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats",
    );
    assert_eq!(
        (arrived, errors),
        (Some(()), 0),
        "{}",
        subscriber.log_tail(20)
    );
}

#[test]
fn a_subscription_goes_on_writing_to_what_it_wrote_to() {
    let publisher = post_office();
    // By a key that stays what it is, changes find their rows.
    let key = "ALTER TABLE parcels DROP CONSTRAINT parcels_pkey, ADD PRIMARY KEY (id, sent)";
    must(&mut publisher.connect_as(SUPERUSER, "post"), key);
    must(
        &mut publisher.connect_as(SUPERUSER, "post"),
        "DROP EXTENSION pg_partman_rs",
    );
    let subscriber = subscriber(&publisher);
    let mut admin = subscriber.connect_as(SUPERUSER, "post");
    must(
        &mut admin,
        &format!("{key}; ALTER TABLE parcels OWNER TO {OWNER}; CREATE EXTENSION pg_partman_rs"),
    );
    let run = load(&publisher);
    convert(&subscriber);
    await_changes(&publisher, 200);
    run.stop().assert_no_errors();
    must(
        &mut publisher.connect_as(OWNER, "post"),
        "UPDATE parcels SET sent = '2026-12-01' WHERE id BETWEEN 1 AND 50;
         DELETE FROM parcels WHERE id BETWEEN 40 AND 60;",
    );
    assert_arrives(&publisher, &subscriber);
    let converted =
        "SELECT count(*) FROM pg_class WHERE oid = 'parcels'::regclass AND relkind = 'p'";
    assert_eq!(number(&mut admin, converted), 1);
}
