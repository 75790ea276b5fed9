//! Foreign keys of the table hold at each moment: before, in and after the swap, and when the worker is
//! killed. Nobody gets a row in that points at nothing, nobody deletes what is pointed at, and nobody is
//! kept from deleting what is not.

use std::sync::Arc;
use std::time::Duration;

use partman_rig::conversion::{self, Conversion};
use partman_rig::fault;
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::{Client, Error};

use crate::key_load::{Load, Round, change_partitions, refused, strike};
use crate::maintained::{builder, must, number};

const TABLES: &str = "
    CREATE TABLE customers (id bigint PRIMARY KEY);
    CREATE TABLE payers (id bigint PRIMARY KEY);
    INSERT INTO customers SELECT generate_series(1, 100);
    INSERT INTO payers SELECT generate_series(1, 100);
    CREATE TABLE orders (
        id bigserial PRIMARY KEY,
        customer bigint NOT NULL REFERENCES customers,
        payer bigint REFERENCES payers ON DELETE CASCADE ON UPDATE CASCADE,
        note text);
    CREATE INDEX ON orders (customer);
    CREATE INDEX ON orders (payer);
    CREATE SEQUENCE fresh START 1000;
    INSERT INTO orders (customer, payer, note) SELECT 1 + i % 100, 1 + i % 100, repeat('x', 300) FROM generate_series(1, 20000) i;";

fn points_at_nothing(client: &mut Client) -> Result<(), Error> {
    refused(client, "INSERT INTO orders (customer) VALUES (-1)")?;
    refused(client, "UPDATE orders SET payer = -1 WHERE id = 7")
}

fn deletes_what_is_pointed_at(client: &mut Client) -> Result<(), Error> {
    refused(client, "DELETE FROM customers WHERE id = 1")?;
    refused(client, "UPDATE customers SET id = -2 WHERE id = 2")
}

/// A row of the twin that is stale must not be in the way.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_and_goes(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    client.execute("INSERT INTO customers VALUES ($1)", &[&id])?;
    client.execute("INSERT INTO payers VALUES ($1)", &[&id])?;
    client.execute(
        "INSERT INTO orders (customer, payer) VALUES ($1, $1), ($1, 1)",
        &[&id],
    )?;
    client.execute("UPDATE payers SET id = -id WHERE id = $1", &[&id])?;
    client.execute("DELETE FROM payers WHERE id = -$1::bigint", &[&id])?;
    let sql = "SELECT count(*) FROM orders WHERE customer = $1";
    let left: i64 = client.query_one(sql, &[&id])?.get(0);
    assert_eq!(left, 1, "what was to cascade did not");
    client.execute("DELETE FROM orders WHERE customer = $1", &[&id])?;
    let gone = client.execute("DELETE FROM customers WHERE id = $1", &[&id])?;
    assert_eq!(gone, 1);
    Ok(())
}

/// Locks what is pointed at before the table.
fn joins(client: &mut Client) -> Result<(), Error> {
    let sql = "SELECT count(*) FROM customers c JOIN orders o ON o.customer = c.id WHERE c.id = 5";
    client.query_one(sql, &[]).map(drop)
}

const KINDS: [Round; 4] = [
    points_at_nothing,
    deletes_what_is_pointed_at,
    comes_and_goes,
    joins,
];

/// Partitions of what is pointed at are made, taken off, given back, and dropped.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn partitions_come_and_go(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client
        .query_one("SELECT 1000 * nextval('fresh')", &[])?
        .get(0);
    let change =
        |client: &mut Client, ddl: String| change_partitions(client, "orders, customers", &ddl);
    let bounds = format!("FOR VALUES FROM ({id}) TO ({})", id + 10);
    change(
        client,
        format!("CREATE TABLE customers_{id} PARTITION OF customers {bounds}"),
    )?;
    for _ in 0..2 {
        client.execute(
            "INSERT INTO customers VALUES ($1), ($1::bigint + 1)",
            &[&id],
        )?;
        client.execute(
            "INSERT INTO orders (customer) VALUES ($1), ($1::bigint + 1)",
            &[&id],
        )?;
        refused(client, &format!("DELETE FROM customers WHERE id = {id}"))?;
        client.execute(
            "DELETE FROM orders WHERE customer IN ($1, $1::bigint + 1)",
            &[&id],
        )?;
        let gone = client.execute("DELETE FROM customers WHERE id = $1", &[&id])?;
        assert_eq!(gone, 1);
        change(
            client,
            format!("ALTER TABLE customers DETACH PARTITION customers_{id}"),
        )?;
        client.batch_execute(&format!("DELETE FROM customers_{id}"))?;
        change(
            client,
            format!("ALTER TABLE customers ATTACH PARTITION customers_{id} {bounds}"),
        )?;
    }
    change(
        client,
        format!("ALTER TABLE customers DETACH PARTITION customers_{id}; DROP TABLE customers_{id}"),
    )
}

const VIOLATIONS: &str = "SELECT count(*) FROM orders o
    WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = o.customer)
       OR o.payer IS NOT NULL AND NOT EXISTS (SELECT FROM payers p WHERE p.id = o.payer)";
const ACTING: &str =
    "SELECT count(*) FROM pg_constraint k JOIN pg_trigger t ON t.tgconstraint = k.oid
    WHERE k.conrelid = 'orders'::regclass AND k.contype = 'f' AND k.conparentid = 0 AND k.convalidated
      AND t.tgrelid = k.confrelid AND t.tgenabled = 'O'";
const OTHERS: &str = "SELECT count(*) FROM pg_constraint k
    WHERE k.connamespace = 'public'::regnamespace AND k.contype = 'f' AND k.conparentid = 0
      AND k.conrelid <> 'orders'::regclass";
/// The rows have moved; the default partition that was exchanged is still there.
const DRAINED: &str =
    "SELECT count(*) FROM partman_rs.run WHERE action = 'drain' AND outcome = 'drained'";
/// Tables that the worker, or the next one, has yet to drop: that they depend on the table's sequence keeps the
/// table from being dropped.
const RETIRED: &str = "SELECT count(*) FROM partman_rs.conversions WHERE phase <> 'finished'";
/// Partitions that have other keys than the two of the table, or other rows than of their range: the first 20000
/// have partitions.
const UNLIKE: &str = "SELECT (SELECT count(*) FROM orders_default WHERE id <= 20000) + count(*)
    FROM pg_inherits i WHERE i.inhparent = 'orders'::regclass AND 2 <> (
        SELECT count(p.oid) FROM pg_constraint k LEFT JOIN pg_constraint p ON p.oid = k.conparentid AND p.conrelid = i.inhparent
         WHERE k.conrelid = i.inhrelid AND k.contype = 'f' HAVING count(*) = count(p.oid))";
const TRIGGERS: &str =
    "SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('customers'::regclass, 'payers'::regclass)";

/// All rows lie in the default partition of a table that has no other.
const IN_DEFAULT: &str = "
    ALTER TABLE orders RENAME TO orders_default;
    CREATE TABLE orders (LIKE orders_default INCLUDING ALL,
        FOREIGN KEY (customer) REFERENCES customers,
        FOREIGN KEY (payer) REFERENCES payers ON DELETE CASCADE ON UPDATE CASCADE) PARTITION BY RANGE (id);
    ALTER TABLE orders ATTACH PARTITION orders_default DEFAULT;
    ALTER SEQUENCE orders_id_seq OWNED BY orders.id;";
/// In one transaction: a policy that the worker sees, it acts upon.
const DRAIN: &str = "
    SELECT set_partition_policy('orders', '5000', premake => 4);
    SELECT ensure_partitions('orders');";

/// What it points at is partitioned, on two levels.
const POINTS_AT_PARTITIONED: &str = "
    ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey, DROP CONSTRAINT orders_payer_fkey;
    ALTER TABLE customers RENAME TO customers_low;
    ALTER TABLE payers RENAME TO payers_all;
    CREATE TABLE customers (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
    ALTER TABLE customers ATTACH PARTITION customers_low FOR VALUES FROM (0) TO (1000);
    CREATE TABLE customers_negative PARTITION OF customers FOR VALUES FROM (MINVALUE) TO (0);
    CREATE TABLE customers_high PARTITION OF customers FOR VALUES FROM (1000) TO (1000000) PARTITION BY HASH (id);
    CREATE TABLE customers_high_0 PARTITION OF customers_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE customers_high_1 PARTITION OF customers_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE payers (id bigint PRIMARY KEY) PARTITION BY HASH (id);
    CREATE TABLE payers_0 PARTITION OF payers FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE payers_1 PARTITION OF payers FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO payers TABLE payers_all;
    ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers,
        ADD FOREIGN KEY (payer) REFERENCES payers ON DELETE CASCADE ON UPDATE CASCADE;";
/// Partitions, and partitioned tables, of what is pointed at that have other triggers than the two of the key.
const UNLIKE_THERE: &str = "SELECT count(*) FROM (SELECT relid FROM pg_partition_tree('customers') UNION ALL SELECT relid FROM pg_partition_tree('payers')) p
    WHERE 2 <> (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = p.relid AND t.tgenabled = 'O')";

/// What is done to the table while clients use it.
#[derive(Clone, Copy, PartialEq)]
enum Deed {
    Converted,
    /// What it points at is partitioned, and partitions come and go there.
    ConvertedBesidePartitions,
    /// Its rows are moved out of the default partition.
    Drained,
    /// Likewise, where partitions come and go of what it points at.
    DrainedBesidePartitions,
}

impl Deed {
    fn is_drain(self) -> bool {
        matches!(self, Deed::Drained | Deed::DrainedBesidePartitions)
    }

    fn is_beside_partitions(self) -> bool {
        matches!(
            self,
            Deed::ConvertedBesidePartitions | Deed::DrainedBesidePartitions
        )
    }
}

fn hold_under_load(deed: Deed, killed_at: Option<&str>) {
    let cluster = Arc::new(builder("1h").start());
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, TABLES);
    let mut kinds = KINDS.to_vec();
    if deed.is_beside_partitions() {
        must(&mut admin, POINTS_AT_PARTITIONED);
        kinds.push(partitions_come_and_go);
    }
    if deed.is_drain() {
        must(&mut admin, IN_DEFAULT);
    }
    let load = Load::start(&cluster, &kinds);
    load.await_more(5);
    strike(&cluster, &mut admin, killed_at, |admin| {
        if deed.is_drain() {
            return must(admin, DRAIN);
        }
        Conversion::of("orders", "id", "5000")
            .start(admin)
            .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    });
    match deed.is_drain() {
        true => poll::expect("the default partition to be drained", PATIENCE, || {
            number(&mut admin, DRAINED) == 1
        }),
        false => conversion::wait_until_swapped(&mut admin, "orders", PATIENCE),
    }
    load.await_more(15);
    // The worker, or the next one, drops those of the retired table.
    poll::expect("the other keys to go", PATIENCE, || {
        number(&mut admin, OTHERS) == 0
    });
    load.await_more(5);
    load.stop();
    assert_eq!(number(&mut admin, VIOLATIONS), 0);
    assert_eq!(number(&mut admin, ACTING), 4);
    assert_eq!(number(&mut admin, TRIGGERS), 4);
    if deed.is_beside_partitions() {
        assert_eq!(number(&mut admin, UNLIKE_THERE), 0);
    }
    match deed.is_drain() {
        true => {
            poll::expect("the exchanged default partition to go", PATIENCE, || {
                number(&mut admin, RETIRED) == 0
            });
            assert_eq!(number(&mut admin, UNLIKE), 0);
        }
        false => must(&mut admin, "SELECT finish_conversion('orders')"),
    }
    must(&mut admin, "DROP TABLE orders");
    assert_eq!(number(&mut admin, TRIGGERS), 0);
}

#[test]
fn foreign_keys_hold_at_each_moment() {
    hold_under_load(Deed::Converted, None);
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_while_it_makes_them() {
    hold_under_load(Deed::Converted, Some("prepare:before_commit"));
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_while_rows_are_copied() {
    hold_under_load(Deed::Converted, Some("copy:after_commit"));
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_in_the_swap() {
    hold_under_load(Deed::Converted, Some("swap:before_commit"));
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_after_the_swap() {
    hold_under_load(Deed::Converted, Some("swap:after_commit"));
}

#[test]
fn foreign_keys_hold_while_rows_move_out_of_a_default_partition() {
    hold_under_load(Deed::Drained, None);
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_while_it_makes_those_of_new_partitions() {
    hold_under_load(Deed::Drained, Some("prepare:before_commit"));
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_while_it_exchanges_the_default_partition() {
    hold_under_load(Deed::Drained, Some("swap:before_commit"));
}

#[test]
fn foreign_keys_hold_when_the_worker_is_killed_after_it_exchanged_the_default_partition() {
    hold_under_load(Deed::Drained, Some("swap:after_commit"));
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_while_rows_move_out_of_a_default_partition() {
    hold_under_load(Deed::DrainedBesidePartitions, None);
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_when_the_worker_is_killed_after_it_made_those_of_new_partitions()
 {
    hold_under_load(
        Deed::DrainedBesidePartitions,
        Some("foreign_keys:in_the_swap"),
    );
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_when_the_worker_is_killed_while_it_exchanges_the_default_partition()
 {
    hold_under_load(Deed::DrainedBesidePartitions, Some("swap:before_commit"));
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_while_partitions_come_and_go_there() {
    hold_under_load(Deed::ConvertedBesidePartitions, None);
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_when_the_worker_is_killed_while_rows_are_copied() {
    hold_under_load(Deed::ConvertedBesidePartitions, Some("copy:after_commit"));
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_when_the_worker_is_killed_after_it_made_them() {
    hold_under_load(
        Deed::ConvertedBesidePartitions,
        Some("foreign_keys:in_the_swap"),
    );
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_when_the_worker_is_killed_in_the_swap() {
    hold_under_load(Deed::ConvertedBesidePartitions, Some("swap:before_commit"));
}

#[test]
fn foreign_keys_to_partitioned_tables_hold_when_the_worker_is_killed_after_the_swap() {
    hold_under_load(Deed::ConvertedBesidePartitions, Some("swap:after_commit"));
}

/// Who reads what the keys point at for long is in nobody's way, and keeps nothing but the retired
/// table's keys.
#[test]
fn a_long_reader_of_what_is_pointed_at_does_not_hold_up_the_swap() {
    let cluster = builder("1h").start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, TABLES);
    let mut reader = cluster.connect();
    must(&mut reader, "BEGIN; SELECT count(*) FROM customers");
    Conversion::of("orders", "id", "5000")
        .start(&mut admin)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    conversion::wait_until_swapped(&mut admin, "orders", PATIENCE);
    assert_eq!(number(&mut admin, ACTING), 4);
    std::thread::sleep(Duration::from_secs(3));
    assert!(number(&mut admin, OTHERS) > 0);
    must(&mut reader, "COMMIT");
    poll::expect("the other keys to go", PATIENCE, || {
        number(&mut admin, OTHERS) == 0
    });
}
