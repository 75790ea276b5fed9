//! Rows that exchange values which must be unique, so that no order of single rows is right.

use partman_rig::hand::Hand;
use partman_rig::shape::Shape;
use partman_rig::stage::Stage;
use partman_rig::workload::Verb;

use crate::at_each_point::{self, ROWS};

/// Every row has a slot; all rows of a day share one partition and compete for its slots.
fn seats(unique: &'static str) -> Shape {
    Shape {
        table: "seats",
        ddl: unique,
        columns: &[
            ("id", "{n}"),
            ("day", "date '2026-05-01' + (({n} / 200) % 150)::int"),
            ("slot", "{n}::int"),
        ],
        identity: None,
        locate: "id = {n}",
        touch: "slot = -{t}.slot",
        shift: "day = date '2026-05-01' + ({r} % 150)::int",
        shift_renumbers: false,
        conflict: None,
        partition_column: "day",
        partition_interval: "1 month",
        padding: 900,
    }
}

const AT_ONCE: &str =
    "CREATE TABLE seats (id bigint PRIMARY KEY, day date NOT NULL, slot int NOT NULL, {link},
                                           CONSTRAINT seats_slot UNIQUE (day, slot))";
const DEFERRED: &str = "CREATE TABLE seats (id bigint PRIMARY KEY, day date NOT NULL, slot int NOT NULL, {link},
                                            CONSTRAINT seats_slot UNIQUE (day, slot) DEFERRABLE INITIALLY DEFERRED)";
const NOT_THE_COLUMN: &str =
    "CREATE TABLE seats (id bigint PRIMARY KEY, day date NOT NULL, slot int NOT NULL, {link},
                                                  CONSTRAINT seats_slot UNIQUE (slot))";
const DEFERRED_KEY: &str = "CREATE TABLE seats (id bigint, day date NOT NULL, slot int NOT NULL, {link},
                                                CONSTRAINT seats_pk PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED)";

/// Gives the slot of each row to the next, by way of a slot that nobody has.
fn exchange_by_way_of_a_free_slot(hand: &mut Hand, rows: &[i64]) {
    for pair in rows.chunks_exact(2) {
        let [low, high] = [pair[0], pair[0] + 1];
        hand.say("BEGIN");
        hand.set(low, "slot = 1000000 + {n}::int");
        hand.set(high, "slot = {n}::int - 1");
        hand.set(low, "slot = {n}::int + 1");
        hand.say("COMMIT");
    }
}

/// The same in the open: two rows hold one slot until the commit.
fn exchange_deferred(hand: &mut Hand, rows: &[i64]) {
    for pair in rows.chunks_exact(2) {
        let [low, high] = [pair[0], pair[0] + 1];
        hand.say("BEGIN");
        hand.set(low, "slot = {n}::int + 1");
        hand.set(high, "slot = {n}::int - 1");
        hand.say("COMMIT");
    }
}

/// Hands a value round a ring whose members commit one by one: each takes what the last gave up.
fn hand_round(hand: &mut Hand, rows: &[i64]) {
    let first = rows[0];
    hand.set(first, "slot = 2000000 + {n}::int");
    hand.set(first + 1, "slot = {n}::int - 1");
    hand.set(first + 2, "slot = {n}::int - 1");
    hand.set(first, "slot = {n}::int + 2");
}

#[test]
fn a_unique_value_changes_hands_within_a_transaction() {
    for ddl in [AT_ONCE, NOT_THE_COLUMN] {
        let stage = Stage::new(seats(ddl), ROWS);
        at_each_point::convert(&stage, |hand, _, rows| {
            exchange_by_way_of_a_free_slot(hand, rows)
        });
        stage.assert_converted(None);
    }
}

#[test]
fn a_unique_value_changes_hands_from_commit_to_commit() {
    let stage = Stage::new(seats(AT_ONCE), ROWS);
    at_each_point::convert(&stage, |hand, _, rows| {
        rows.chunks(4).for_each(|some| hand_round(hand, some))
    });
    stage.assert_converted(None);
}

#[test]
fn a_unique_value_of_a_deleted_row_is_taken_by_another() {
    let stage = Stage::new(seats(AT_ONCE), ROWS);
    at_each_point::convert(&stage, |hand, _, rows| {
        for row in rows {
            hand.must(Verb::Delete, *row);
            hand.set(*row + 1, "slot = {n}::int - 1");
        }
    });
    stage.assert_converted(None);
}

#[test]
fn a_deferrable_unique_value_changes_hands() {
    let stage = Stage::new(seats(DEFERRED), ROWS);
    at_each_point::convert(&stage, |hand, _, rows| exchange_deferred(hand, rows));
    stage.assert_converted(None);
}

#[test]
fn rows_change_places_under_a_deferrable_key() {
    // Such a key names no row at any one moment, so the table counts as one without a key.
    let stage = Stage::new(
        Shape {
            shift: "day = day + 40",
            ..seats(DEFERRED_KEY)
        },
        ROWS,
    );
    at_each_point::convert(&stage, |hand, _, rows| {
        for row in rows {
            hand.say("BEGIN");
            hand.set(*row, "id = {n} + 5000000, slot = {t}.slot");
            hand.must(Verb::Shift, *row + 5_000_000);
            hand.set(*row + 5_000_000, "id = {n} - 5000000, slot = {t}.slot + 1");
            hand.say("COMMIT");
        }
    });
    stage.assert_converted(None);
}
