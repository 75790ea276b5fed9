//! Foreign keys that point at the table hold at each moment: before, in and after the swap, when the worker
//! is killed, and when the conversion is taken back. Nobody gets a row in that points at nothing, nobody
//! deletes what is pointed at, and what is to cascade does.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{self, Conversion};
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::fault;
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::{Client, Error};

use crate::key_load::{Load, Round, change_partitions, items_of, refused, strike};
use crate::maintained::{builder, must, number, texts};

const TABLES: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, note text);
    CREATE TABLE items (
        order_id bigint REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE,
        note text);
    CREATE INDEX ON items (order_id);
    CREATE TABLE payments (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders DEFERRABLE INITIALLY DEFERRED);
    CREATE INDEX ON payments (order_id);
    CREATE SEQUENCE fresh START 100000 INCREMENT 10;
    INSERT INTO orders SELECT i, repeat('x', 300) FROM generate_series(1, 20000) i;
    INSERT INTO items SELECT i FROM generate_series(1, 20000) i;
    INSERT INTO payments (order_id) SELECT i FROM generate_series(1, 1000) i;";

fn points_at_nothing(client: &mut Client) -> Result<(), Error> {
    refused(client, "INSERT INTO items VALUES (-1)")?;
    refused(client, "UPDATE items SET order_id = -1 WHERE order_id = 7")?;
    refused(client, "INSERT INTO payments (order_id) VALUES (-1)")
}

fn deletes_what_is_pointed_at(client: &mut Client) -> Result<(), Error> {
    refused(client, "DELETE FROM orders WHERE id = 1")?;
    refused(client, "UPDATE orders SET id = -2 WHERE id = 2")
}

/// Rows that are written with what points at them, move, and go.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_and_goes(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let mut both = client.transaction()?;
    both.execute("INSERT INTO orders VALUES ($1)", &[&id])?;
    both.execute("INSERT INTO items VALUES ($1), ($1)", &[&id])?;
    both.commit()?;
    client.execute("INSERT INTO items VALUES ($1)", &[&id])?;
    // Where there are partitions, into another one; then back.
    for (from, to) in [(id, -id), (-id, id + 1)] {
        client.execute("UPDATE orders SET id = $2 WHERE id = $1", &[&from, &to])?;
        assert_eq!(items_of(client, to)?, 3, "what was to follow did not");
    }
    client.execute("DELETE FROM orders WHERE id = $1", &[&(id + 1)])?;
    assert_eq!(items_of(client, id + 1)?, 0, "what was to cascade did not");
    Ok(())
}

/// What is deferred is checked at the end, by the key that acts then.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn pays_first(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let pay = "INSERT INTO payments (order_id) VALUES ($1)";
    let mut early = client.transaction()?;
    early.execute(pay, &[&id])?;
    early.execute("INSERT INTO orders VALUES ($1)", &[&id])?;
    early.commit()?;
    let mut in_vain = client.transaction()?;
    in_vain.execute(pay, &[&-id])?;
    match in_vain.commit() {
        Ok(()) => panic!("what was deferred was not checked"),
        Err(error) if fault::sqlstate(&error).as_deref() == Some("23503") => {}
        Err(error) => return Err(error),
    }
    refused(client, &format!("DELETE FROM orders WHERE id = {id}"))?;
    client.execute("DELETE FROM payments WHERE order_id = $1", &[&id])?;
    let gone = client.execute("DELETE FROM orders WHERE id = $1", &[&id])?;
    assert_eq!(gone, 1);
    Ok(())
}

fn joins(client: &mut Client) -> Result<(), Error> {
    let sql = "SELECT count(*) FROM items i JOIN orders o ON o.id = i.order_id WHERE o.id = 5";
    client.query_one(sql, &[]).map(drop)
}

const KINDS: [Round; 5] = [
    points_at_nothing,
    deletes_what_is_pointed_at,
    comes_and_goes,
    pays_first,
    joins,
];

/// Of a table that points at itself, too: across partitions, where there are any.
fn points_at_itself(client: &mut Client) -> Result<(), Error> {
    refused(client, "INSERT INTO orders (id, after) VALUES (-9, -1)")?;
    refused(client, "UPDATE orders SET after = -1 WHERE id = 9")?;
    refused(client, "DELETE FROM orders WHERE id = 15000")?;
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    client.execute("INSERT INTO orders (id, after) VALUES ($1, 15000)", &[&id])?;
    client
        .execute("DELETE FROM orders WHERE id = $1", &[&id])
        .map(drop)
}

/// Partitions of what points at the table are made, and dropped.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn partitions_come_and_go(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client
        .query_one("SELECT nextval('fresh_partitions')", &[])?
        .get(0);
    let change =
        |client: &mut Client, ddl: String| change_partitions(client, "orders, items", &ddl);
    change(
        client,
        format!(
            "CREATE TABLE items_{id} PARTITION OF items FOR VALUES FROM ({id}) TO ({})",
            id + 10
        ),
    )?;
    client.execute("INSERT INTO orders VALUES ($1)", &[&id])?;
    // The new table lags behind, and its key must not act before it is the table.
    client.execute("INSERT INTO items VALUES ($1), ($1)", &[&id])?;
    refused(client, &format!("INSERT INTO items VALUES ({id} + 1)"))?;
    client.execute("DELETE FROM orders WHERE id = $1", &[&id])?;
    let left = format!("SELECT count(*) FROM items_{id}");
    let left: i64 = client.query_one(&left, &[])?.get(0);
    assert_eq!(left, 0, "what was to cascade did not");
    change(
        client,
        format!("ALTER TABLE items DETACH PARTITION items_{id}; DROP TABLE items_{id}"),
    )
}

/// What points at the table is partitioned, on two levels.
const POINTED_AT_BY_PARTITIONED: &str = "
    CREATE SEQUENCE fresh_partitions START 300000 INCREMENT 10;
    ALTER TABLE items RENAME TO items_before;
    CREATE TABLE items (order_id bigint, note text) PARTITION BY RANGE (order_id);
    CREATE TABLE items_negative PARTITION OF items FOR VALUES FROM (MINVALUE) TO (0);
    CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (100000);
    CREATE TABLE items_high PARTITION OF items FOR VALUES FROM (100000) TO (300000) PARTITION BY HASH (order_id);
    CREATE TABLE items_high_0 PARTITION OF items_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE items_high_1 PARTITION OF items_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE INDEX ON items (order_id);
    INSERT INTO items TABLE items_before;
    DROP TABLE items_before;
    ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE;";

const VIOLATIONS: &str = "SELECT
    (SELECT count(*) FROM items i WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = i.order_id))
  + (SELECT count(*) FROM payments p WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = p.order_id))";
/// The keys, as they are before and after.
const KEYS: &str = "SELECT format('%s: %s %s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated,
           (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid))
      FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.connamespace = 'public'::regnamespace ORDER BY 1";
const TRIGGERS: &str =
    "SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('items'::regclass, 'payments'::regclass)";

/// With all rows in the default partition of a table that has no other.
const IN_DEFAULT: &str = "
    ALTER TABLE items DROP CONSTRAINT items_order_id_fkey;
    ALTER TABLE payments DROP CONSTRAINT payments_order_id_fkey;
    ALTER TABLE orders RENAME TO orders_default;
    ALTER INDEX orders_pkey RENAME TO orders_default_pkey;
    CREATE TABLE orders (LIKE orders_default INCLUDING ALL) PARTITION BY RANGE (id);
    ALTER TABLE orders ATTACH PARTITION orders_default DEFAULT;
    ALTER TABLE items ADD CONSTRAINT items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE;
    ALTER TABLE payments ADD CONSTRAINT payments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders DEFERRABLE INITIALLY DEFERRED;
    COMMENT ON CONSTRAINT items_order_id_fkey ON items IS 'of an order';";
/// The table points at itself.
const AT_ITSELF: &str = "
    ALTER TABLE orders ADD after bigint;
    UPDATE orders SET after = id - 1 WHERE id BETWEEN 2 AND 20000;
    CREATE INDEX ON orders (after);
    ALTER TABLE orders ADD CONSTRAINT orders_after_fkey FOREIGN KEY (after) REFERENCES orders;";
const ASTRAY: &str = "SELECT count(*) FROM orders o WHERE o.after IS NOT NULL AND NOT EXISTS (SELECT FROM orders b WHERE b.id = o.after)";
const DRAINED: &str =
    "SELECT count(*) FROM partman_rs.run WHERE action = 'drain' AND outcome = 'drained'";
const COMMENTED: &str = "SELECT count(*) FROM pg_description d JOIN pg_constraint k ON k.oid = d.objoid
    WHERE d.classoid = 'pg_constraint'::regclass AND k.conname = 'items_order_id_fkey' AND d.description = 'of an order'";
/// Rows in the default partition that have a partition of their own by now.
const MISPLACED: &str = "SELECT count(*) FROM orders_default WHERE id BETWEEN 0 AND 20000";

/// A server under load.
struct Stage {
    cluster: Arc<Cluster>,
    admin: Client,
    keys: Vec<String>,
    load: Load,
}

impl Stage {
    fn new() -> Stage {
        Stage::of(&[TABLES], &KINDS)
    }

    fn in_default() -> Stage {
        Stage::of(&[TABLES, IN_DEFAULT], &KINDS)
    }

    fn in_default_beside_partitions() -> Stage {
        let mut kinds = KINDS.to_vec();
        kinds.extend([partitions_come_and_go as Round, points_at_itself]);
        let tables = [TABLES, POINTED_AT_BY_PARTITIONED, IN_DEFAULT, AT_ITSELF];
        Stage::of(&tables, &kinds)
    }

    fn beside_partitions() -> Stage {
        let mut kinds = KINDS.to_vec();
        kinds.push(partitions_come_and_go);
        Stage::of(&[TABLES, POINTED_AT_BY_PARTITIONED], &kinds)
    }

    fn of(tables: &[&str], kinds: &[Round]) -> Stage {
        let cluster = Arc::new(builder("1h").start());
        let mut admin = cluster.connect();
        must(&mut admin, "CREATE EXTENSION pg_partman_rs");
        tables.iter().for_each(|sql| must(&mut admin, sql));
        let load = Load::start(&cluster, kinds);
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

    /// The worker, or the next one, gives the keys their names, and validates them.
    fn await_keys(&mut self) {
        poll::expect("the keys to be as they were", PATIENCE, || {
            texts(&mut self.admin, KEYS, &[]) == self.keys
        });
    }

    fn end(mut self) {
        self.await_more();
        self.load.stop();
        assert_eq!(number(&mut self.admin, VIOLATIONS), 0);
        assert_eq!(texts(&mut self.admin, KEYS, &[]), self.keys);
        assert_eq!(number(&mut self.admin, TRIGGERS), 4);
    }
}

fn convert(admin: &mut Client) {
    Conversion::of("orders", "id", "5000")
        .start(admin)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
}

/// Ids of a table under load that grow with the time; those of new rows begin behind a gap.
const WITH_TIME: &str = "
    ALTER TABLE orders ADD placed_at timestamptz NOT NULL DEFAULT '2025-03-15';
    UPDATE orders SET placed_at = '2024-01-01'::timestamptz + id * interval '30 min';";
/// The months of rows that were there, which none has left for another partition; and what is in the way of saying so.
const OUT_OF_MONTH: &str = "SELECT count(*) FROM orders o JOIN pg_class c ON c.oid = o.tableoid
     WHERE o.id BETWEEN 0 AND 20000 AND c.relname IS DISTINCT FROM 'orders_p' || to_char(o.placed_at, 'YYYY_MM')";
const BOUNDS_OF_PLAN: &str = "SELECT format('%s %s %s', p->'name'->>'name', p->'range'->0->>'literal', p->'range'->1->>'literal')
      FROM partman_rs.job, jsonb_array_elements(plan->'partitions') p WHERE p->>'range' IS NOT NULL ORDER BY 1";
const BOUNDS: &str =
    "SELECT format('%s %s %s', partition, lower_bound, upper_bound) FROM partman_rs.partitions
     WHERE parent = 'orders'::regclass AND lower_bound IS NOT NULL ORDER BY 1";

/// Months of ids: the plan's, whatever comes in meanwhile, and whoever goes on with it.
fn hold_by_month(killed_at: Option<&str>) {
    let mut stage = Stage::of(&[TABLES, WITH_TIME], &KINDS);
    let planned = std::cell::RefCell::new(Vec::new());
    strike(&stage.cluster, &mut stage.admin, killed_at, |admin| {
        // Of the same transaction: the worker does not begin before.
        must(admin, "BEGIN");
        Conversion::of("orders", "id", "1 month")
            .with("bounds_by => 'placed_at', time_zone => 'UTC'")
            .start(admin)
            .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
        planned.replace(texts(admin, BOUNDS_OF_PLAN, &[]));
        must(admin, "COMMIT");
    });
    conversion::wait_until_swapped(&mut stage.admin, "orders", PATIENCE);
    assert_eq!(texts(&mut stage.admin, BOUNDS, &[]), planned.into_inner());
    stage.await_more();
    stage.await_keys();
    must(
        &mut stage.admin,
        "SELECT finish_conversion('orders'); SET TimeZone = 'UTC'",
    );
    assert_eq!(number(&mut stage.admin, OUT_OF_MONTH), 0);
    // January 2024 to February 2025, and those of the rows that came in.
    let months = "SELECT count(*) FROM partman_rs.partitions WHERE parent = 'orders'::regclass AND partition::text ~ '_p202[45]_..$'";
    let found = number(&mut stage.admin, months);
    assert!((14..=15).contains(&found), "{found}");
    stage.end();
}

#[test]
fn incoming_keys_hold_while_months_of_ids_become_partitions() {
    hold_by_month(None);
}

#[test]
fn months_of_ids_are_those_of_the_plan_when_the_worker_is_killed_as_it_makes_the_twin() {
    hold_by_month(Some("prepare:before_commit"));
}

#[test]
fn months_of_ids_are_those_of_the_plan_when_the_worker_is_killed_in_the_swap() {
    hold_by_month(Some("swap:before_commit"));
}

/// All rows lie in the default partition of a table that has no other, and those that need not stay there are
/// moved out of it. In one transaction: a policy that the worker sees, it acts upon.
fn drain(admin: &mut Client) {
    must(
        admin,
        "SELECT set_partition_policy('orders', '5000', premake => 1);
         SELECT ensure_partitions('orders');",
    );
}

fn hold_under_load(killed_at: Option<&str>) {
    hold(Stage::new(), killed_at);
}

fn hold(mut stage: Stage, killed_at: Option<&str>) {
    strike(&stage.cluster, &mut stage.admin, killed_at, convert);
    conversion::wait_until_swapped(&mut stage.admin, "orders", PATIENCE);
    stage.await_more();
    stage.await_keys();
    must(&mut stage.admin, "SELECT finish_conversion('orders')");
    stage.end();
}

#[test]
fn incoming_keys_hold_at_each_moment() {
    hold_under_load(None);
}

#[test]
fn incoming_keys_of_partitioned_tables_hold_while_partitions_come_and_go_there() {
    hold(Stage::beside_partitions(), None);
}

#[test]
fn incoming_keys_of_partitioned_tables_hold_when_the_worker_is_killed_after_it_made_them() {
    hold(Stage::beside_partitions(), Some("foreign_keys:in_the_swap"));
}

#[test]
fn incoming_keys_of_partitioned_tables_hold_when_the_worker_is_killed_in_the_swap() {
    hold(Stage::beside_partitions(), Some("swap:before_commit"));
}

#[test]
fn incoming_keys_of_partitioned_tables_hold_when_the_worker_is_killed_after_the_swap() {
    hold(Stage::beside_partitions(), Some("swap:after_commit"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_between_two_that_it_makes() {
    hold_under_load(Some("foreign_keys:made"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_in_the_swap() {
    hold_under_load(Some("swap:before_commit"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_after_the_swap() {
    hold_under_load(Some("swap:after_commit"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_between_two_that_it_names() {
    hold_under_load(Some("foreign_keys:named"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_between_two_that_it_validates() {
    hold_under_load(Some("foreign_keys:validated"));
}

#[test]
fn incoming_keys_hold_when_the_conversion_is_taken_back() {
    let mut stage = Stage::new();
    let failpoints = Failpoints::of(&stage.cluster);
    failpoints.set("swap:before_lock", Action::Wait);
    convert(&mut stage.admin);
    failpoints.await_parked("swap:before_lock");
    // Both are there, and those that were there act.
    let now = texts(&mut stage.admin, KEYS, &[]);
    assert_eq!(now.len(), 4, "{now:?}");
    stage.await_more();
    conversion::steer(&mut stage.admin, "cancel", "orders")
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    failpoints.clear("swap:before_lock");
    stage.await_keys();
    poll::expect("the end of the conversion", PATIENCE, || {
        let job = conversion::job(&mut stage.admin, "orders");
        job.is_none_or(|job| job.phase == "cancelled")
    });
    stage.end();
}

fn hold_while_rows_move(killed_at: Option<&str>) {
    rows_move(Stage::in_default(), killed_at, &[]);
}

fn all_keys_hold_while_rows_move(killed_at: Option<&str>) {
    let stage = Stage::in_default_beside_partitions();
    rows_move(stage, killed_at, &[ASTRAY]);
}

fn rows_move(mut stage: Stage, killed_at: Option<&str>, more_violations: &[&str]) {
    strike(&stage.cluster, &mut stage.admin, killed_at, drain);
    poll::expect("the default partition to be drained", PATIENCE, || {
        number(&mut stage.admin, DRAINED) == 1
    });
    stage.await_more();
    stage.await_keys();
    let unfinished = "SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished'";
    poll::expect("the end of it", PATIENCE, || {
        number(&mut stage.admin, unfinished) == 0
    });
    assert_eq!(number(&mut stage.admin, COMMENTED), 1);
    assert_eq!(number(&mut stage.admin, MISPLACED), 0);
    for sql in more_violations {
        assert_eq!(number(&mut stage.admin, sql), 0);
    }
    stage.end();
}

#[test]
fn incoming_keys_hold_while_rows_move_out_of_a_default_partition() {
    hold_while_rows_move(None);
}

#[test]
fn keys_of_partitioned_tables_and_of_the_table_itself_hold_while_rows_move() {
    all_keys_hold_while_rows_move(None);
}

#[test]
fn keys_of_partitioned_tables_and_of_the_table_itself_hold_when_the_worker_is_killed_as_rows_move()
{
    all_keys_hold_while_rows_move(Some("swap:before_commit"));
}

#[test]
fn keys_of_partitioned_tables_and_of_the_table_itself_hold_when_the_worker_is_killed_afterwards() {
    all_keys_hold_while_rows_move(Some("swap:after_commit"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_while_it_exchanges_the_default_partition() {
    hold_while_rows_move(Some("swap:before_commit"));
}

#[test]
fn incoming_keys_hold_when_the_worker_is_killed_after_it_exchanged_the_default_partition() {
    hold_while_rows_move(Some("swap:after_commit"));
}

/// Who reads a table that has a key is in nobody's way.
#[test]
fn who_reads_what_points_at_the_table_does_not_hold_up_the_exchange() {
    let mut stage = Stage::in_default();
    let mut reader = stage.cluster.connect();
    must(&mut reader, "BEGIN; SELECT count(*) FROM items");
    drain(&mut stage.admin);
    poll::expect("the default partition to be drained", PATIENCE, || {
        number(&mut stage.admin, DRAINED) == 1
    });
    must(&mut reader, "COMMIT");
    stage.end();
}

/// Who reads the key's table for long is in nobody's way, and keeps the key from nothing but its own name and
/// from being validated, which is told.
#[test]
fn a_long_reader_of_what_points_at_the_table_does_not_hold_up_the_swap() {
    let mut stage = Stage::new();
    let mut reader = stage.cluster.connect();
    must(&mut reader, "BEGIN; SELECT count(*) FROM items");
    convert(&mut stage.admin);
    conversion::wait_until_swapped(&mut stage.admin, "orders", PATIENCE);
    stage.await_more();
    assert_ne!(texts(&mut stage.admin, KEYS, &[]), stage.keys);
    let told = "SELECT count(*) FROM partman_rs.conversions WHERE last_sqlstate = '55P03' AND foreign_keys_to_validate = 2";
    poll::expect("what keeps it to be told", PATIENCE, || {
        number(&mut stage.admin, told) == 1
    });
    must(&mut reader, "COMMIT");
    stage.await_keys();
    let told = "SELECT count(*) FROM partman_rs.conversions WHERE last_error IS NULL AND foreign_keys_to_validate = 0";
    poll::expect("nothing to be told any more", PATIENCE, || {
        number(&mut stage.admin, told) == 1
    });
    stage.end();
}

/// Who drops the retired table before the keys have their names, and are valid, gets the former, and is told of
/// the latter.
#[test]
fn finishing_early_leaves_out_the_validation_only() {
    let mut stage = Stage::new();
    let failpoints = Failpoints::of(&stage.cluster);
    failpoints.set("foreign_keys:named", Action::Wait);
    convert(&mut stage.admin);
    failpoints.await_parked("foreign_keys:named");
    must(&mut stage.admin, "SELECT finish_conversion('orders')");
    failpoints.clear("foreign_keys:named");
    let named = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND NOT convalidated
          AND conname IN ('items_order_id_fkey', 'payments_order_id_fkey')";
    assert_eq!(number(&mut stage.admin, named), 2);
    stage.await_more();
    must(
        &mut stage.admin,
        "ALTER TABLE items VALIDATE CONSTRAINT items_order_id_fkey; ALTER TABLE payments VALIDATE CONSTRAINT payments_order_id_fkey",
    );
    stage.end();
}
