//! Each oracle is shown the damage it is there to see.

use std::time::Duration;

use partman_rig::oracle::litter::{self, Inventory, Retired};
use partman_rig::oracle::{Findings, content, definition, heap, indexes, placement};
use partman_rig::stage::Stage;
use partman_rig::{oracle, shapes};

use crate::by_hand;
use crate::stage;

fn assert_seen(findings: &Findings, word: &str) {
    assert!(
        findings.iter().any(|finding| finding.contains(word)),
        "nobody saw {word:?}, but {findings:#?}"
    );
}

fn damaged(sql: &str) -> (Stage, Findings) {
    let stage = stage(shapes::orders(), 500);
    stage.cluster.psql(&stage.database, sql);
    let findings = stage.findings_of_content(None);
    (stage, findings)
}

#[test]
fn content_is_clean_before_any_damage() {
    let (_stage, findings) = damaged("SELECT 1");
    oracle::assert_none("untouched", &findings);
}

#[test]
fn content_sees_a_lost_row() {
    assert_seen(
        &damaged("DELETE FROM orders WHERE id = 77").1,
        "1 rows missing",
    );
}

#[test]
fn content_sees_a_doubled_row() {
    let sql = "ALTER TABLE orders DROP CONSTRAINT orders_pkey; INSERT INTO orders SELECT * FROM orders WHERE id = 77";
    assert_seen(&damaged(sql).1, "1 rows wrongly");
}

#[test]
fn content_sees_a_value_changed_in_the_last_digit() {
    let findings = damaged("UPDATE orders SET amount = amount + 0.01 WHERE id = 77").1;
    assert_seen(&findings, "1 rows missing");
    assert_seen(&findings, "1 rows wrongly");
}

#[test]
fn content_sees_a_lost_update_even_after_the_row_was_changed_again() {
    // Clients 1 and 2 changed row 77 in turn, but the second found the version from before the first.
    let sql = "INSERT INTO rig.ledger (op, before, kind, number, image)
               SELECT 1, -77, 'touch', 77, 'never seen again';
               UPDATE orders SET before = -77, op = 2 WHERE id = 77;
               INSERT INTO rig.ledger (op, before, kind, number, image)
               SELECT 2, -77, 'touch', 77, rig.image(o::text) FROM orders o WHERE id = 77";
    let findings = damaged(sql).1;
    assert_seen(&findings, "version -77 was replaced 2 times");
    assert_seen(&findings, "1 rows missing");
}

#[test]
fn content_sees_a_resurrected_row() {
    let sql = "INSERT INTO rig.ledger (op, before, kind, number) VALUES (1, -77, 'delete', 77)";
    assert_seen(&damaged(sql).1, "1 rows wrongly");
}

#[test]
fn placement_sees_a_row_outside_its_partition() {
    let stage = stage(shapes::events(), 500);
    by_hand::partition(&stage);
    let mut admin = stage.admin();
    oracle::assert_none("before", &placement::check(&mut admin, "events"));
    // ATTACH believes a CHECK constraint, and nobody checks one that the catalog calls valid.
    stage.cluster.psql(
        &stage.database,
        "ALTER TABLE events DETACH PARTITION events_p2026_06;
         UPDATE events_p2026_06 SET at = '2020-01-01' WHERE id = (SELECT min(id) FROM events_p2026_06);
         ALTER TABLE events_p2026_06 ADD CONSTRAINT lie
             CHECK (at IS NOT NULL AND at >= '2026-06-01 00:00+00' AND at < '2026-07-01 00:00+00') NOT VALID;
         UPDATE pg_constraint SET convalidated = true WHERE conname = 'lie';
         ALTER TABLE events ATTACH PARTITION events_p2026_06
             FOR VALUES FROM ('2026-06-01 00:00+00') TO ('2026-07-01 00:00+00');",
    );
    assert_seen(
        &placement::check(&mut admin, "events"),
        "outside its bounds",
    );
    assert_seen(
        &placement::check_partitioned(&mut admin, "events", "id"),
        "should be by RANGE (id)",
    );
}

#[test]
fn indexes_see_one_that_is_invalid_and_one_that_lacks_a_row() {
    let stage = stage(shapes::orders(), 500);
    let mut admin = stage.admin();
    oracle::assert_none("before", &indexes::check(&mut admin, "orders"));
    stage.cluster.psql(
        &stage.database,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_customer'::regclass",
    );
    assert_seen(
        &indexes::check(&mut admin, "orders"),
        "orders_customer is not valid",
    );
    stage.cluster.psql(
        &stage.database,
        "UPDATE pg_index SET indisvalid = true, indisready = false WHERE indexrelid = 'orders_customer'::regclass",
    );
    stage.cluster.psql(
        &stage.database,
        "INSERT INTO orders SELECT 9999, placed_at, 'unindexed', amount, details, 9999 FROM orders WHERE id = 1;
         UPDATE pg_index SET indisready = true WHERE indexrelid = 'orders_customer'::regclass",
    );
    let findings = indexes::check(&mut admin, "orders");
    assert_seen(&findings, "amcheck of orders_customer");
    assert_seen(
        &findings,
        "index orders_customer finds 500 rows, orders has 501",
    );
}

#[test]
fn heap_sees_a_wrong_horizon() {
    let stage = stage(shapes::orders(), 500);
    let mut admin = stage.admin();
    oracle::assert_none("before", &heap::check(&mut admin, "orders"));
    stage.cluster.psql(
        &stage.database,
        "UPDATE orders SET amount = 1 WHERE id < 10;
         UPDATE pg_class SET relfrozenxid = pg_current_xact_id()::xid WHERE oid = 'orders'::regclass;",
    );
    assert_seen(&heap::check(&mut admin, "orders"), "relfrozenxid");
}

#[test]
fn litter_sees_whatever_is_left_over() {
    let stage = stage(shapes::events(), 500);
    let mut admin = stage.admin();
    let before = Inventory::of(&mut admin);
    oracle::assert_none("before", &litter::check_unchanged(&mut admin, &before));
    by_hand::partition(&stage);
    oracle::assert_none(
        "converted",
        &litter::check_converted(&mut admin, &before, "events", Retired::Kept),
    );
    assert_seen(
        &litter::check_converted(&mut admin, &before, "events", Retired::Dropped),
        "events_retired",
    );
    stage.cluster.psql(
        &stage.database,
        "CREATE TABLE events_twin (); CREATE SCHEMA IF NOT EXISTS partman_rs; CREATE TABLE partman_rs.change_log_1 ();
         CREATE TRIGGER partman_rs_capture AFTER UPDATE ON events FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(a, b, c);
         SELECT pg_advisory_lock(1)",
    );
    let findings = litter::check_converted(&mut admin, &before, "events", Retired::Kept);
    for what in [
        "relation events_twin",
        "change_log_1",
        "trigger partman_rs_capture",
    ] {
        assert_seen(&findings, what);
    }
}

#[test]
fn litter_sees_a_lock_that_is_still_held() {
    let stage = stage(shapes::orders(), 100);
    let mut admin = stage.admin();
    let before = Inventory::of(&mut admin);
    let mut holder = stage.app();
    holder
        .batch_execute("SELECT pg_advisory_lock(1)")
        .expect("a lock can be had");
    assert_seen(
        &litter::check_unchanged_within(&mut admin, &before, Duration::from_secs(1)),
        "advisory lock",
    );
}

#[test]
fn definition_sees_a_changed_default_and_a_new_table_file() {
    let stage = stage(shapes::orders(), 100);
    let definition = || definition::Definition::of(&stage.cluster, &stage.database, "orders");
    let (before, columns) = (
        definition(),
        definition::columns(&mut stage.admin(), "orders"),
    );
    oracle::assert_none("before", &before.changes(&definition()));
    stage.cluster.psql(
        &stage.database,
        "ALTER TABLE orders ALTER customer SET DEFAULT 'nobody'",
    );
    assert_seen(&before.changes(&definition()), "'nobody'");
    let now = definition::columns(&mut stage.admin(), "orders");
    assert_seen(
        &definition::column_changes(&columns, &now, "placed_at"),
        "'nobody'",
    );
}

#[test]
fn a_report_is_held_against_the_ledger() {
    let stage = stage(shapes::orders(), 500);
    let load = stage.workload().start();
    load.await_more(200);
    let mut report = load.stop();
    let mut admin = stage.admin();
    oracle::assert_none("as it is", &content::check_report(&mut admin, &report));
    let gone = report
        .committed
        .pop_first()
        .expect("something was committed");
    assert_seen(
        &content::check_report(&mut admin, &report),
        "no client knows to be committed",
    );
    report.rolled_back.insert(gone);
    assert_seen(
        &content::check_report(&mut admin, &report),
        "rolled back are in the ledger",
    );
    report.committed.insert(i64::MAX);
    assert_seen(
        &content::check_report(&mut admin, &report),
        "acknowledged changes are not",
    );
}
