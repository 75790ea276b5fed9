//! A subscriber of a table goes on through its conversion: in another cluster, by publications that name
//! the table, with and without lists of columns and filters of rows; and so do those that come meanwhile.

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::conversion::{Conversion, wait_until_swapped};
use partman_rig::failpoint::{Action, Failpoints, at};
use partman_rig::fault;
use partman_rig::pgbench::Pgbench;
use partman_rig::poll;
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use postgres::Client;

use crate::maintained::{must, number, texts};

const DATABASE: &str = "shop";

/// The key is no key of time: it is extended, and the replica identity with it.
const TABLE: &str = r#"
    CREATE SCHEMA "the shop";
    CREATE TABLE "the shop"."Sales ""x""" (id bigserial PRIMARY KEY, sold_at timestamptz NOT NULL, amount numeric NOT NULL DEFAULT 1,
                                           note text, secret text)"#;
const ROWS: &str = r#"
    INSERT INTO "the shop"."Sales ""x""" (sold_at, amount, note)
    SELECT timestamptz '2026-01-01 00:00+00' + i % 120 * interval '1 day', i, CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 200) ELSE 'n' || i END
      FROM generate_series(1, 5000) i;
    ALTER TABLE "the shop"."Sales ""x""" ALTER note SET STORAGE EXTERNAL;
    CREATE TABLE noise (n int)"#;
const PUBLICATIONS: &str = r#"
    CREATE PUBLICATION whole FOR TABLE "the shop"."Sales ""x""" WITH (publish_via_partition_root);
    CREATE PUBLICATION partly FOR TABLE "the shop"."Sales ""x""" (id, sold_at, amount) WHERE (id % 3 <> 0) WITH (publish_via_partition_root);
    CREATE PUBLICATION inserts FOR TABLE "the shop"."Sales ""x""" (id, note) WITH (publish_via_partition_root, publish = 'insert')"#;
const CHANGES: &str = r#"
    \set id random(1, 5000)
    \set day random(0, 119)
    BEGIN;
    INSERT INTO "the shop"."Sales ""x""" (sold_at, amount, note) VALUES ('2026-01-01 00:00+00'::timestamptz + :day * interval '1 day', 5, 'new') RETURNING id \gset
    UPDATE "the shop"."Sales ""x""" SET amount = amount + 1 WHERE id = :id;
    SAVEPOINT s;
    UPDATE "the shop"."Sales ""x""" SET amount = -1, note = 'never' WHERE id = :id;
    ROLLBACK TO s;
    UPDATE "the shop"."Sales ""x""" SET sold_at = '2026-01-01 00:00+00'::timestamptz + :day * interval '1 day', secret = 's' WHERE id = :id;
    END;
    DELETE FROM "the shop"."Sales ""x""" WHERE id = :id - 4;"#;

/// What a subscriber of each publication should have.
const WHOLE: &str = r#"SELECT t::text FROM "the shop"."Sales ""x""" t ORDER BY 1"#;
const SOME: &str = r#"SELECT concat_ws(' ', id, sold_at, amount) FROM "the shop"."Sales ""x""" WHERE id % 3 <> 0 ORDER BY 1"#;

fn publisher() -> Cluster {
    let cluster = Cluster::builder().setting("wal_level", "logical").start();
    create_database(&cluster, DATABASE);
    let mut app = cluster.connect_as(OWNER, DATABASE);
    for sql in [TABLE, ROWS, PUBLICATIONS] {
        must(&mut app, sql);
    }
    cluster
}

/// A server with an empty table of that name, and one database for each subscription.
fn subscriber() -> Cluster {
    Cluster::builder_without_extension()
        .setting("max_logical_replication_workers", "20")
        .setting("max_sync_workers_per_subscription", "4")
        .start()
}

/// Subscribes to a publication of that name.
fn subscribe(subscriber: &Cluster, publication: &str, publisher: &Cluster) -> Client {
    let mut admin = subscriber.connect();
    must(&mut admin, &format!("CREATE DATABASE {publication}"));
    let mut client = subscriber.connect_as(SUPERUSER, publication);
    must(&mut client, TABLE);
    // Not every one is sent it.
    must(
        &mut client,
        r#"ALTER TABLE "the shop"."Sales ""x""" ALTER sold_at DROP NOT NULL"#,
    );
    let host = publisher.socket_dir().display();
    must(
        &mut client,
        &format!(
            "CREATE SUBSCRIPTION {publication} CONNECTION 'host={host} user={SUPERUSER} dbname={DATABASE}' PUBLICATION {publication}"
        ),
    );
    client
}

fn await_copied(client: &mut Client) {
    poll::expect("the first copy", PATIENCE, || {
        number(
            client,
            "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'",
        ) == 0
    });
}

/// Errors on the way to a subscriber. A first copy that meets the swap is tried again by PostgreSQL.
const ERRORS: &str = "SELECT sum(apply_error_count + CASE WHEN subname = 'late' THEN 0 ELSE sync_error_count END)::bigint
    FROM pg_stat_subscription_stats WHERE subname = current_database()";

/// Waits until what a subscriber has is what it should have, and no error was met on the way.
fn assert_equal(publisher: &mut Client, subscriber: &mut Client, what: &str, rows: &str) {
    let wanted = texts(publisher, rows, &[]);
    let arrived = poll::until(PATIENCE, || {
        (texts(subscriber, rows, &[]) == wanted).then_some(())
    });
    let errors = number(subscriber, ERRORS);
    assert!(
        arrived.is_some() && errors == 0,
        "{what}: {} rows of {} are there, {errors} errors",
        texts(subscriber, rows, &[]).len(),
        wanted.len()
    );
}

#[test]
fn subscribers_of_a_table_go_on_through_its_conversion() {
    let publisher = publisher();
    let other = subscriber();
    let mut whole = subscribe(&other, "whole", &publisher);
    let mut some = subscribe(&other, "partly", &publisher);
    let mut inserts = subscribe(&other, "inserts", &publisher);
    for client in [&mut whole, &mut some, &mut inserts] {
        await_copied(client);
    }
    let mut app = publisher.connect_as(OWNER, DATABASE);
    must(&mut app, "SET timezone = 'UTC'");
    let points = Failpoints::of(&publisher);
    points.set(at::RANGE_COPIED, Action::Wait);
    let run = Pgbench::until_stopped(&publisher, DATABASE, 4)
        .arg("--username=app")
        .arg("--max-tries=100")
        .arg("--rate=100")
        .script(CHANGES)
        .start();
    poll::expect("the clients to work", PATIENCE, || {
        number(&mut app, r#"SELECT max(id) FROM "the shop"."Sales ""x""""#) > 5100
    });
    Conversion::of(r#""the shop"."Sales ""x""""#, "sold_at", "1 month")
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    points.await_parked(at::RANGE_COPIED);
    // Who comes while the table is converted has the same in the end.
    must(
        &mut app,
        r#"CREATE PUBLICATION late FOR TABLE "the shop"."Sales ""x""" WITH (publish_via_partition_root)"#,
    );
    let mut late = subscribe(&other, "late", &publisher);
    points.clear(at::RANGE_COPIED);
    must(&mut app, "SET search_path = \"the shop\", public");
    wait_until_swapped(&mut app, r#""Sales ""x""""#, PATIENCE);
    let newest = r#"SELECT max(id) FROM "the shop"."Sales ""x""""#;
    let before = number(&mut app, newest);
    poll::expect("the clients to go on", PATIENCE, || {
        number(&mut app, newest) > before + 100
    });
    let outcome = run.stop();
    outcome.assert_no_errors();
    await_copied(&mut late);

    for (client, what) in [(&mut whole, "the whole"), (&mut late, "a late one")] {
        must(client, "SET timezone = 'UTC'");
        assert_equal(&mut app, client, what, WHOLE);
    }
    must(&mut some, "SET timezone = 'UTC'");
    assert_equal(&mut app, &mut some, "some columns of some rows", SOME);
    // Each transaction has made one.
    poll::expect("each insertion to arrive", PATIENCE, || {
        number(
            &mut inserts,
            r#"SELECT count(*) FROM "the shop"."Sales ""x""""#,
        ) == 5000 + outcome.transactions
    });

    // Nothing is to be done at the subscribers; to refresh them does no harm, and copies nothing again.
    for (client, name) in [(&mut whole, "whole"), (&mut some, "partly")] {
        must(
            client,
            &format!("ALTER SUBSCRIPTION {name} REFRESH PUBLICATION"),
        );
        await_copied(client);
    }
    must(
        &mut app,
        r#"UPDATE "Sales ""x""" SET amount = amount + 1 WHERE id < 100;
           DELETE FROM "Sales ""x""" WHERE id BETWEEN 100 AND 200;
           UPDATE "Sales ""x""" SET sold_at = '2040-01-01' WHERE id = 300;
           SELECT finish_conversion('"Sales ""x"""')"#,
    );
    assert_equal(&mut app, &mut whole, "the whole, after the end", WHOLE);
    assert_equal(&mut app, &mut some, "some, after the end", SOME);
    // Truncation is sent under the name of the table, too.
    must(&mut app, r#"TRUNCATE "Sales ""x""""#);
    assert_equal(&mut app, &mut late, "truncated", WHOLE);
}
