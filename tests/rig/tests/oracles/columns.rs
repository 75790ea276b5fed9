//! Columns with a past, and columns that compute.

use partman_rig::failpoint::at;
use partman_rig::hand::Hand;
use partman_rig::shape::Shape;
use partman_rig::stage::Stage;
use partman_rig::workload::Verb;
use partman_rig::{ledger, shapes};

use crate::at_each_point::{self, ROWS, convert_up_to, finish_from};

/// A few changes of each kind at a few points.
fn convert_with_changes(stage: &Stage) {
    let points = [
        at::CAPTURING,
        at::RANGE_COPIED,
        at::IN_LEAF,
        at::CATCHING_UP,
        at::BEFORE_SWAP,
    ];
    at_each_point::convert_stopping_at(stage, &points, |hand, _, rows| {
        hand.must_all(Verb::Touch, &rows[..8]);
        hand.must_all(Verb::Shift, &rows[8..16]);
        hand.must_all(Verb::Delete, &rows[16..]);
        hand.must_all(Verb::Place, &rows[20..]);
    });
}

/// Changes the table's columns once it has rows.
fn stage_altered(shape: Shape, sql: &str) -> Stage {
    let mut stage = Stage::new(shape.widened(), ROWS);
    let mut app = stage.app();
    app.batch_execute(sql)
        .unwrap_or_else(|e| panic!("{}", partman_rig::fault::describe(&e)));
    ledger::retake_images(&mut app, &stage.shape).expect("images can be taken anew");
    stage.take_stock();
    stage
}

#[test]
fn dropped_columns_before_at_and_after_the_key() {
    let shape = Shape {
        ddl: "CREATE TABLE events (
                  first  int NOT NULL DEFAULT 1,
                  at     timestamptz NOT NULL,
                  second text DEFAULT 'gone',
                  id     bigint NOT NULL,
                  third  numeric DEFAULT 3.3,
                  kind   smallint NOT NULL,
                  words  text[],
                  fourth text DEFAULT repeat('x', 3000),
                  {link},
                  fifth  bytea DEFAULT '\\x05',
                  CONSTRAINT events_pk PRIMARY KEY (id, at))",
        ..shapes::events()
    };
    let drops = "ALTER TABLE events DROP first, DROP second, DROP third; ALTER TABLE events DROP fourth, DROP fifth";
    let stage = stage_altered(shape, drops);
    convert_with_changes(&stage);
    stage.assert_converted(None);
}

#[test]
fn a_dropped_column_in_a_table_without_a_key() {
    let shape = Shape {
        ddl: "CREATE TABLE log_lines (old text DEFAULT 'x', at timestamptz, number bigint, line text, older int DEFAULT 1, {link});
              CREATE INDEX log_lines_number ON log_lines (number)",
        ..shapes::log_lines()
    };
    let stage = stage_altered(shape, "ALTER TABLE log_lines DROP old, DROP older");
    convert_with_changes(&stage);
    stage.assert_converted(None);
}

#[test]
fn columns_added_with_a_default_that_no_row_has_on_disk() {
    let added = "ALTER TABLE orders ADD state text NOT NULL DEFAULT 'new', ADD weight numeric DEFAULT 1.50, ADD empty int;
                 UPDATE orders SET state = 'old', weight = NULL WHERE id % 1000 = 0;
                 ALTER TABLE orders ALTER state SET DEFAULT 'newer'";
    let stage = stage_altered(shapes::orders(), added);
    convert_with_changes(&stage);
    stage.assert_converted(None);
}

#[test]
fn a_default_that_no_row_has_on_disk_beside_a_dropped_column() {
    let added = "ALTER TABLE log_lines ADD gone int DEFAULT 7, ADD level text DEFAULT 'info';
                 ALTER TABLE log_lines DROP gone";
    let stage = stage_altered(shapes::log_lines(), added);
    convert_with_changes(&stage);
    stage.assert_converted(None);
}

#[test]
fn generated_columns_hold_what_they_compute() {
    let added = "ALTER TABLE orders ADD gross numeric GENERATED ALWAYS AS (amount * 1.19) STORED,
                                    ADD shout text GENERATED ALWAYS AS (upper(customer)) STORED;
                 CREATE INDEX orders_shout ON orders (shout)";
    let stage = stage_altered(shapes::orders(), added);
    convert_with_changes(&stage);
    stage.assert_converted(None);
    let sql = "SELECT count(*) FROM orders WHERE gross IS DISTINCT FROM amount * 1.19 OR shout IS DISTINCT FROM upper(customer)";
    let wrong: i64 = stage
        .admin()
        .query_one(sql, &[])
        .expect("the table is there")
        .get(0);
    assert_eq!(
        wrong, 0,
        "generated values differ from what they are computed from"
    );
}

fn numbering_goes_on_without_a_gap(ddl: &'static str) {
    let stage = Stage::new(
        Shape {
            ddl,
            ..shapes::orders()
        },
        2_000,
    );
    let mut hand = Hand::new(stage.app(), &stage.shape);
    for _ in 0..10 {
        hand.act(Verb::Insert, 0);
    }
    convert_up_to(&stage, at::RANGE_COPIED);
    for _ in 0..10 {
        hand.act(Verb::Insert, 0);
    }
    finish_from(&stage, at::RANGE_COPIED);
    let ids = |hand: &mut Hand| -> (i64, i64) {
        hand.act(Verb::Insert, 0);
        let sql = "SELECT max(id), currval(pg_get_serial_sequence('orders', 'id')) FROM orders";
        let row = hand
            .raw()
            .query_one(sql, &[])
            .expect("the sequence belongs to the column");
        (row.get(0), row.get(1))
    };
    assert_eq!(ids(&mut hand), (2_021, 2_021), "after the swap");
    stage.assert_converted(None);
    assert_eq!(ids(&mut hand), (2_022, 2_022), "after the finish");
}

#[test]
fn an_identity_goes_on_where_it_stood() {
    numbering_goes_on_without_a_gap(shapes::orders().ddl);
}

#[test]
fn a_serial_goes_on_where_it_stood() {
    numbering_goes_on_without_a_gap(
        "CREATE TABLE orders (id bigserial PRIMARY KEY, placed_at timestamptz NOT NULL, customer text NOT NULL,
                              amount numeric(12,2) NOT NULL, details jsonb, {link})",
    );
}

#[test]
fn an_identity_with_options_goes_on_where_it_stood() {
    let ddl = "CREATE TABLE orders (
                   id bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME order_numbers MINVALUE -5 MAXVALUE 5000 CACHE 1 CYCLE) PRIMARY KEY,
                   placed_at timestamptz NOT NULL, customer text NOT NULL, amount numeric(12,2) NOT NULL, details jsonb, {link})";
    numbering_goes_on_without_a_gap(ddl);
}
