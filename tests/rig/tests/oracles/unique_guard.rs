//! A key that loses its uniqueness to the partition column, and is guarded: whatever clients do at the same time,
//! and whoever is killed, no key is there twice, what points at a row that moves stays, and the guard holds the
//! keys of the table, no more and no fewer.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{self, Conversion};
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::fault;
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::{Client, Error};

use crate::key_load::{Load, Round, items_of, refused, strike};
use crate::maintained::{builder, must, number, texts};

/// Orders up to 901, and from 950 to 960, move, which one client alone may do: PostgreSQL tells another one that
/// a row has moved away. None up to 1000 goes; those above come and go.
const TABLES: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, note text);
    CREATE TABLE items (
        order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE,
        note text);
    CREATE INDEX ON items (order_id);
    CREATE TABLE payments (order_id bigint NOT NULL REFERENCES orders);
    CREATE INDEX ON payments (order_id);
    CREATE SEQUENCE fresh START 100000 INCREMENT 10;
    CREATE FUNCTION some_day() RETURNS timestamptz VOLATILE LANGUAGE sql AS
        $$SELECT timestamptz '2024-01-01 00:00+00' + random() * interval '180 days'$$;
    INSERT INTO orders SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '13 minutes', repeat('x', 300) FROM generate_series(1, 20000) i;
    INSERT INTO items SELECT i FROM generate_series(1, 20000) i;
    INSERT INTO payments SELECT i FROM generate_series(1, 1000) i;";

/// What points at orders is partitioned: its key is made in the transaction of the swap.
const POINTED_AT_BY_PARTITIONED: &str = "
    ALTER TABLE items RENAME TO items_before;
    CREATE TABLE items (order_id bigint NOT NULL, note text) PARTITION BY HASH (order_id);
    CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE items_1 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE INDEX ON items (order_id);
    INSERT INTO items TABLE items_before;
    DROP TABLE items_before;
    ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE;";

fn moves(client: &mut Client) -> Result<(), Error> {
    client.batch_execute(
        "UPDATE orders SET at = some_day() WHERE id = 1 + (random() * 900)::int;
         UPDATE orders SET at = at + interval '20 days' WHERE id BETWEEN 950 AND 960;
         UPDATE orders SET at = at - interval '20 days' WHERE id BETWEEN 950 AND 960",
    )
}

fn is_taken(client: &mut Client, sql: &str) -> Result<bool, Error> {
    match client.batch_execute(sql) {
        Ok(()) => Ok(false),
        Err(error) if fault::sqlstate(&error).as_deref() == Some("23505") => Ok(true),
        Err(error) => Err(error),
    }
}

#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_twice(client: &mut Client) -> Result<(), Error> {
    for sql in [
        "INSERT INTO orders VALUES (1 + (random() * 900)::int, some_day())",
        "UPDATE orders SET id = 921 WHERE id = 922",
    ] {
        assert!(is_taken(client, sql)?, "not refused: {sql}");
    }
    Ok(())
}

/// Several clients want the same keys: one of them gets it, the others wait for him.
fn contends(client: &mut Client) -> Result<(), Error> {
    is_taken(
        client,
        "BEGIN;
         INSERT INTO orders VALUES (10000000 + (extract(epoch FROM clock_timestamp()) * 20)::bigint, some_day());
         SELECT pg_sleep(random() / 50)",
    )?;
    let end = if rand_bit(client)? {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    client.batch_execute(end)
}

fn rand_bit(client: &mut Client) -> Result<bool, Error> {
    // In a transaction that has failed nothing is answered.
    match client.query_one("SELECT random() < 0.7", &[]) {
        Ok(row) => Ok(row.get(0)),
        Err(error) if fault::sqlstate(&error).as_deref() == Some("25P02") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Rows that come with what points at them, get another key, move, and go.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_and_goes(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let mut both = client.transaction()?;
    both.execute("INSERT INTO orders VALUES ($1, some_day())", &[&id])?;
    both.execute("INSERT INTO items VALUES ($1), ($1)", &[&id])?;
    both.commit()?;
    client.execute("INSERT INTO items VALUES ($1)", &[&id])?;
    client.execute("UPDATE orders SET id = $2 WHERE id = $1", &[&id, &(id + 1)])?;
    assert_eq!(items_of(client, id + 1)?, 3, "what was to follow did not");
    let mut turn = client.transaction()?;
    turn.execute(
        "UPDATE orders SET at = some_day() WHERE id = $1",
        &[&(id + 1)],
    )?;
    let mut in_vain = turn.savepoint("s")?;
    in_vain.execute("DELETE FROM orders WHERE id = $1", &[&(id + 1)])?;
    in_vain.rollback()?;
    turn.commit()?;
    assert_eq!(
        items_of(client, id + 1)?,
        3,
        "what moved has lost what pointed at it"
    );
    client.execute("DELETE FROM orders WHERE id = $1", &[&(id + 1)])?;
    assert_eq!(items_of(client, id + 1)?, 0, "what was to cascade did not");
    Ok(())
}

/// Rows that go, and come again elsewhere, while others point at them.
fn goes_and_comes_again(client: &mut Client) -> Result<(), Error> {
    client.batch_execute(
        "BEGIN;
         DELETE FROM orders WHERE id BETWEEN 2000 AND 2020;
         INSERT INTO orders SELECT i, some_day() FROM generate_series(2000, 2020) i;
         COMMIT;
         DELETE FROM orders WHERE id = 2021;
         INSERT INTO orders VALUES (2021, some_day())",
    )
}

fn points_at_what_goes(client: &mut Client) -> Result<(), Error> {
    let sql = "INSERT INTO items VALUES (2000 + (random() * 21)::int)";
    match client.batch_execute(sql) {
        Err(error) if fault::sqlstate(&error).as_deref() == Some("23503") => Ok(()),
        other => other,
    }
}

fn violates(client: &mut Client) -> Result<(), Error> {
    refused(client, "INSERT INTO items VALUES (-1)")?;
    refused(client, "DELETE FROM orders WHERE id = 931")?;
    refused(client, "UPDATE orders SET id = -2 WHERE id = 932")
}

const KINDS: [Round; 8] = [
    moves,
    comes_twice,
    contends,
    contends,
    comes_and_goes,
    goes_and_comes_again,
    points_at_what_goes,
    violates,
];

const TWICE: &str =
    "SELECT count(*) FROM (SELECT id FROM orders GROUP BY id HAVING count(*) > 1) AS twice";
/// Of the items that were there first, those that only a false cascade can have taken; and rows that point at nothing.
const VIOLATIONS: &str = "SELECT
    (SELECT 1000 - count(DISTINCT order_id) FROM items WHERE order_id <= 1000)
  + (SELECT 1000 - count(*) FROM payments p JOIN orders o ON o.id = p.order_id)
  + (SELECT count(*) FROM items i WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = i.order_id))";
const DIFFERENCES: &str = "SELECT
    (SELECT count(*) FROM (SELECT id, at FROM orders EXCEPT ALL SELECT id, at FROM orders_pkey_guard) o)
  + (SELECT count(*) FROM (SELECT id, at FROM orders_pkey_guard EXCEPT ALL SELECT id, at FROM orders) g)";
const KEYS: &str = "SELECT format('%s: %s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated)
      FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.connamespace = 'public'::regnamespace ORDER BY 1";
const LEFT_OVER: &str = "SELECT
    (SELECT count(*) FROM pg_class WHERE relname ~ 'guard|twin|retired' AND relnamespace = 'public'::regnamespace)
  + (SELECT count(*) FROM pg_proc WHERE proname ~ 'key_guard' AND pronamespace = 'public'::regnamespace)";

/// A server under load.
struct Stage {
    cluster: Arc<Cluster>,
    admin: Client,
    keys: Vec<String>,
    load: Load,
}

impl Stage {
    fn new() -> Stage {
        Stage::of(&[TABLES])
    }

    fn of(tables: &[&str]) -> Stage {
        let cluster = Arc::new(builder("1h").start());
        let mut admin = cluster.connect();
        must(&mut admin, "CREATE EXTENSION pg_partman_rs");
        tables.iter().for_each(|sql| must(&mut admin, sql));
        let load = Load::start(&cluster, &KINDS);
        load.await_more(5);
        Stage {
            keys: texts(&mut admin, KEYS, &[]),
            cluster,
            admin,
            load,
        }
    }

    fn await_more(&self) {
        self.load.await_more(8);
    }
}

fn convert(admin: &mut Client) {
    Conversion::of("orders", "at", "1 month")
        .with("unique_guard => true")
        .with("range_end => '2024-06-01'")
        .start(admin)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
}

fn hold_under_load(killed_at: Option<&str>) {
    hold(Stage::new(), killed_at);
}

fn hold(mut stage: Stage, killed_at: Option<&str>) {
    strike(&stage.cluster, &mut stage.admin, killed_at, convert);
    conversion::wait_until_swapped(&mut stage.admin, "orders", PATIENCE);
    stage.await_more();
    let pointed = "orders_pkey_guard(id)";
    let wanted: Vec<String> = (stage.keys.iter())
        .map(|key| key.replace("orders(id)", pointed))
        .chain(["orders_pkey_guard: orders_pkey_guard_fkey FOREIGN KEY (id, at) REFERENCES orders(id, at) ON UPDATE CASCADE ON DELETE CASCADE t".to_owned()])
        .collect();
    poll::expect("the keys to be as they were", PATIENCE, || {
        let mut now = texts(&mut stage.admin, KEYS, &[]);
        let mut wanted = wanted.clone();
        now.sort();
        wanted.sort();
        now == wanted
    });
    must(&mut stage.admin, "SELECT finish_conversion('orders')");
    stage.await_more();
    stage.load.stop();
    assert_eq!(number(&mut stage.admin, TWICE), 0);
    assert_eq!(number(&mut stage.admin, VIOLATIONS), 0);
    assert_eq!(number(&mut stage.admin, DIFFERENCES), 0);
    let spread = "SELECT count(DISTINCT tableoid) FROM orders WHERE id <= 1000";
    assert!(number(&mut stage.admin, spread) > 3, "nothing has moved");
}

#[test]
fn a_guard_holds_at_each_moment() {
    hold_under_load(None);
}

#[test]
fn a_guard_that_a_partitioned_table_points_at_holds_at_each_moment() {
    hold(Stage::of(&[TABLES, POINTED_AT_BY_PARTITIONED]), None);
}

#[test]
fn a_guard_that_a_partitioned_table_points_at_holds_when_the_worker_is_killed_in_the_swap() {
    hold(
        Stage::of(&[TABLES, POINTED_AT_BY_PARTITIONED]),
        Some("swap:before_commit"),
    );
}

#[test]
fn a_guard_holds_when_the_worker_is_killed_while_it_fills_it() {
    hold_under_load(Some("foreign_keys:guarded"));
}

#[test]
fn a_guard_holds_when_the_worker_is_killed_while_it_catches_up() {
    hold_under_load(Some("catch_up:before_commit"));
}

#[test]
fn a_guard_holds_when_the_worker_is_killed_while_it_makes_keys() {
    hold_under_load(Some("foreign_keys:made"));
}

#[test]
fn a_guard_holds_when_the_worker_is_killed_in_the_swap() {
    hold_under_load(Some("swap:before_commit"));
}

#[test]
fn a_guard_holds_when_the_worker_is_killed_after_the_swap() {
    hold_under_load(Some("swap:after_commit"));
}

#[test]
fn a_guard_goes_when_the_conversion_is_taken_back() {
    let mut stage = Stage::new();
    let failpoints = Failpoints::of(&stage.cluster);
    failpoints.set("swap:before_lock", Action::Wait);
    convert(&mut stage.admin);
    failpoints.await_parked("swap:before_lock");
    stage.await_more();
    conversion::steer(&mut stage.admin, "cancel", "orders")
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    failpoints.clear("swap:before_lock");
    poll::expect("the end of the conversion", PATIENCE, || {
        let job = conversion::job(&mut stage.admin, "orders");
        job.is_none_or(|job| job.phase == "cancelled")
    });
    stage.await_more();
    stage.load.stop();
    assert_eq!(texts(&mut stage.admin, KEYS, &[]), stage.keys);
    assert_eq!(number(&mut stage.admin, LEFT_OVER), 0);
    assert_eq!(number(&mut stage.admin, VIOLATIONS), 0);
}

/// The oracle can fail.
#[test]
fn a_guard_that_is_out_of_action_is_noticed() {
    let mut stage = Stage::new();
    convert(&mut stage.admin);
    conversion::wait_until_swapped(&mut stage.admin, "orders", PATIENCE);
    stage.load.stop();
    assert_eq!(number(&mut stage.admin, DIFFERENCES), 0);
    must(
        &mut stage.admin,
        "ALTER TABLE orders DISABLE TRIGGER \"!unique_guard\";
         INSERT INTO orders VALUES (7, '2024-06-07')",
    );
    assert_eq!(number(&mut stage.admin, TWICE), 1);
    assert_eq!(number(&mut stage.admin, DIFFERENCES), 1);
}
