//! Changes at every point of the conversion, each kind by itself.

use std::io::Write as _;

use partman_rig::hand::Hand;
use partman_rig::shape::Shape;
use partman_rig::shapes;
use partman_rig::stage::Stage;
use partman_rig::workload::Verb;

use crate::at_each_point::{self, ROWS};

fn each_point_sees(shape: Shape, act: impl FnMut(&mut Hand, &str, &[i64])) {
    let stage = Stage::new(shape.widened(), ROWS);
    at_each_point::convert(&stage, act);
    stage.assert_converted(None);
}

#[test]
fn deleted_rows_do_not_come_back() {
    each_point_sees(shapes::orders(), |hand, _, rows| {
        hand.must_all(Verb::Delete, rows)
    });
}

#[test]
fn deleted_rows_without_a_key_do_not_come_back() {
    each_point_sees(shapes::log_lines(), |hand, _, rows| {
        hand.must_all(Verb::Delete, rows)
    });
}

#[test]
fn updated_rows_keep_the_last_version() {
    each_point_sees(shapes::orders(), |hand, _, rows| {
        hand.must_all(Verb::Touch, rows);
        hand.must_all(Verb::Touch, rows);
    });
}

#[test]
fn rows_that_move_to_another_partition_and_back_are_there_once() {
    each_point_sees(shapes::events(), |hand, _, rows| {
        hand.must_all(Verb::Shift, rows);
        hand.must_all(Verb::Shift, &rows[..rows.len() / 2]);
    });
}

#[test]
fn rows_without_a_key_that_move_are_there_once() {
    each_point_sees(shapes::log_lines(), |hand, _, rows| {
        hand.must_all(Verb::Shift, rows);
        hand.must_all(Verb::Touch, rows);
    });
}

#[test]
fn keys_that_change_take_their_rows_along() {
    // From the low end of the table to far behind its end, in number as on disk.
    each_point_sees(shapes::cells(), |hand, _, rows| {
        hand.must_all(Verb::Shift, rows)
    });
}

#[test]
fn a_key_that_is_deleted_and_inserted_anew_has_its_last_row() {
    each_point_sees(shapes::events(), |hand, _, rows| {
        let (first, second) = rows.split_at(rows.len() / 2);
        for row in first {
            hand.say("BEGIN");
            hand.must(Verb::Delete, *row);
            hand.must(Verb::Place, *row);
            hand.say("COMMIT");
        }
        hand.must_all(Verb::Delete, second);
        hand.must_all(Verb::Place, second);
        hand.must_all(Verb::Delete, &second[..2]);
    });
}

#[test]
fn a_key_deleted_by_one_session_and_inserted_by_another_has_its_last_row() {
    let stage = Stage::new(shapes::orders().widened(), ROWS);
    let mut other = Hand::new(stage.app(), &stage.shape);
    at_each_point::convert(&stage, |hand, _, rows| {
        for row in rows {
            hand.say("BEGIN");
            hand.must(Verb::Delete, *row);
            // Its transaction is older than the deletion's end, and it logs first.
            other.say("BEGIN");
            other.must(Verb::Touch, *row + 1);
            hand.say("COMMIT");
            other.must(Verb::Place, *row);
            other.say("COMMIT");
        }
    });
    stage.assert_converted(None);
}

#[test]
fn upserts_meet_rows_that_are_there_and_rows_that_are_not() {
    each_point_sees(shapes::events(), |hand, _, rows| {
        hand.must_all(Verb::Delete, &rows[..6]);
        hand.must_all(Verb::Upsert, rows);
        hand.must_all(Verb::Upsert, &rows[3..9]);
    });
}

#[test]
fn rows_loaded_by_copy_are_there_also_where_it_began_before_the_conversion() {
    let stage = Stage::new(shapes::orders().widened(), ROWS);
    let copy = "COPY orders (id, placed_at, customer, amount, details, op) FROM STDIN";
    let line = |number: i64| {
        format!(
            "{number}\t2026-07-0{} 08:00+00\tcopied\t1.00\t{{}}\t{}\n",
            1 + number % 9,
            7_000_000_000 + number
        )
    };
    let note = "INSERT INTO rig.ledger (op, kind, number, image)
                SELECT op, 'copy', id, rig.image(o::text) FROM orders o WHERE customer = 'copied' ON CONFLICT DO NOTHING";
    let mut number = 1_000_000;
    at_each_point::convert(&stage, |hand, _, rows| {
        hand.must_all(Verb::Touch, rows);
        hand.say("BEGIN");
        let mut sink = hand.raw().copy_in(copy).expect("COPY can begin");
        for _ in 0..50 {
            number += 1;
            sink.write_all(line(number).as_bytes())
                .expect("COPY takes rows");
        }
        sink.finish().expect("COPY can end");
        hand.say(note);
        hand.say("COMMIT");
    });
    stage.assert_converted(None);
}

#[test]
fn values_out_of_line_survive_updates_of_other_columns() {
    let stage = Stage::new(shapes::documents(), 600);
    let mut next = 0;
    at_each_point::convert(&stage, |hand, _, _| {
        let rows: Vec<i64> = (0..12).map(|row| 1 + (next + row * 16) % 600).collect();
        next += 1;
        for row in &rows[..6] {
            hand.set(*row, "title = {t}.title || '?'");
        }
        for row in &rows[6..9] {
            hand.set(*row, "body = {t}.body || 'x', packed = NULL");
        }
        for row in &rows[9..] {
            hand.set(
                *row,
                "filed_on = {t}.filed_on + 40, scan = {t}.scan || '\\x00'",
            );
        }
    });
    stage.assert_converted(None);
}

#[test]
fn what_is_rolled_back_to_a_savepoint_never_was() {
    each_point_sees(shapes::events(), |hand, _, rows| {
        hand.say("BEGIN");
        hand.must_all(Verb::Touch, &rows[..4]);
        hand.say("SAVEPOINT a");
        hand.must_all(Verb::Delete, &rows[2..6]);
        hand.must_all(Verb::Shift, &rows[6..8]);
        hand.say("SAVEPOINT b");
        hand.must_all(Verb::Delete, &rows[8..10]);
        hand.say("RELEASE b; ROLLBACK TO a");
        hand.must_all(Verb::Shift, &rows[4..6]);
        hand.say("SAVEPOINT c");
        hand.must_all(Verb::Delete, &rows[10..12]);
        hand.say("RELEASE c; COMMIT; BEGIN");
        hand.must_all(Verb::Delete, &rows[12..]);
        hand.say("ROLLBACK");
    });
}

#[test]
fn sessions_that_pose_as_replicas_are_captured_too() {
    let stage = Stage::new(shapes::orders().widened(), ROWS);
    stage
        .admin()
        .batch_execute("GRANT SET ON PARAMETER session_replication_role TO app")
        .expect("a privilege can be granted");
    at_each_point::convert(&stage, |hand, _, rows| {
        hand.say("SET session_replication_role = replica");
        hand.must_all(Verb::Touch, &rows[..8]);
        hand.must_all(Verb::Delete, &rows[8..16]);
        hand.must_all(Verb::Shift, &rows[16..]);
        hand.say("SET session_replication_role = local");
        hand.must_all(Verb::Touch, &rows[..4]);
    });
    stage.assert_converted(None);
}
