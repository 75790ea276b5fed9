//! What administrators and autovacuum do to a table meanwhile.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::failpoint::{OPEN_TO_WRITERS, at};
use partman_rig::hand::Hand;
use partman_rig::shape::Shape;
use partman_rig::stage::{Stage, run_until_it_waits};
use partman_rig::workload::Verb;
use partman_rig::{fault, oracle, shapes};
use postgres::Client;

use crate::at_each_point::{self, ROWS, convert_up_to, finish_from};

/// An aggressive vacuum waits for whoever reads a page, as the copy does in the middle of a range.
fn where_no_page_is_being_read() -> Vec<&'static str> {
    OPEN_TO_WRITERS
        .into_iter()
        .filter(|point| *point != at::IN_RANGE)
        .collect()
}

#[test]
fn vacuum_freeze_at_every_point() {
    let stage = Stage::new(shapes::orders().widened(), ROWS);
    let mut admin = stage.admin();
    at_each_point::convert_stopping_at(&stage, &where_no_page_is_being_read(), |hand, _, rows| {
        hand.must_all(Verb::Touch, &rows[..8]);
        hand.must_all(Verb::Shift, &rows[8..16]);
        vacuum(&mut admin, "VACUUM (FREEZE) orders");
        hand.must_all(Verb::Touch, &rows[..4]);
        hand.must_all(Verb::Delete, &rows[16..]);
        vacuum(&mut admin, "VACUUM (FREEZE, INDEX_CLEANUP ON) orders");
    });
    stage.assert_converted(None);
}

#[test]
fn vacuum_freeze_of_a_table_without_a_key_at_every_point() {
    let stage = Stage::new(shapes::log_lines().widened(), ROWS);
    let mut admin = stage.admin();
    at_each_point::convert_stopping_at(&stage, &where_no_page_is_being_read(), |hand, _, rows| {
        hand.must_all(Verb::Touch, &rows[..8]);
        hand.must_all(Verb::Delete, &rows[16..]);
        vacuum(&mut admin, "VACUUM (FREEZE) log_lines");
        hand.must_all(Verb::Shift, &rows[..12]);
    });
    stage.assert_converted(None);
}

#[test]
fn vacuum_freeze_that_waits_in_the_middle_of_a_range() {
    for shape in [shapes::orders(), shapes::log_lines()] {
        let stage = Stage::new(shape.widened(), ROWS);
        let mut hand = Hand::new(stage.app(), &stage.shape);
        convert_up_to(&stage, at::IN_RANGE);
        hand.must_all(Verb::Touch, &[10, 7_010, 19_990]);
        hand.must_all(Verb::Delete, &[11, 7_011, 19_991]);
        let sql = if stage.shape.identity.is_some() {
            "VACUUM (FREEZE) orders"
        } else {
            "VACUUM (FREEZE) log_lines"
        };
        run_at(&stage, at::IN_RANGE, sql);
        hand.must_all(Verb::Touch, &[12, 7_012, 19_992]);
        stage.await_swapped(&mut stage.app());
        stage.assert_converted(None);
    }
}

fn vacuum(admin: &mut Client, sql: &str) {
    admin
        .batch_execute(sql)
        .unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)));
}

#[test]
fn rows_frozen_long_before_capture_are_copied() {
    // Tuples that carry a frozen bit above a raw transaction id from another age.
    let stage = Stage::new(shapes::orders().widened(), ROWS);
    stage.cluster.psql(&stage.database, "VACUUM FREEZE orders");
    let mut hand = Hand::new(stage.app(), &stage.shape);
    hand.must_all(Verb::Touch, &[1, 7_000, 19_999]);
    convert_up_to(&stage, at::RANGE_COPIED);
    hand.must_all(Verb::Touch, &[2, 7_001, 19_998]);
    stage.cluster.psql(&stage.database, "VACUUM FREEZE orders");
    finish_from(&stage, at::RANGE_COPIED);
    stage.assert_converted(None);
}

/// A rewrite gives the table another file: before, during and after the copy.
const REWRITTEN_AT: [&str; 6] = [
    at::PREPARED,
    at::CAPTURING,
    at::IN_RANGE,
    at::RANGE_COPIED,
    at::IN_LEAF,
    at::CATCHING_UP,
];

/// Runs a command that wants the table for itself while the conversion stands at a point. Where
/// the worker holds the table there, the command waits and the worker has to go on first.
fn run_at(stage: &Stage, point: &str, sql: &'static str) {
    let command = run_until_it_waits(&mut stage.admin(), stage.app(), move |session| {
        session.batch_execute(sql)
    });
    stage.failpoints().clear(point);
    let done = command.join().expect("it does not panic");
    done.unwrap_or_else(|e| panic!("{sql} at {point}: {}", fault::describe(&e)));
}

fn a_rewrite_of_the_table_loses_nothing(shape: Shape, sql: &'static str) {
    let cluster = Arc::new(Cluster::builder().start());
    for (place, point) in REWRITTEN_AT.into_iter().enumerate() {
        let stage = Stage::on(
            Arc::clone(&cluster),
            &format!("shop_{place}"),
            shape.clone().widened(),
            ROWS,
        );
        let mut hand = Hand::new(stage.app(), &stage.shape);
        hand.must_all(Verb::Delete, &(1..500).collect::<Vec<_>>());
        at_each_point::convert_with_changes_up_to(&stage, point, |hand| {
            hand.must_all(Verb::Touch, &[501, 10_001, 19_001])
        });
        hand.must_all(Verb::Shift, &[502, 10_002, 19_002]);
        run_at(&stage, point, sql);
        hand.must_all(Verb::Touch, &[503, 10_003, 19_003]);
        stage.await_swapped(&mut stage.app());
        oracle::assert_none(point, &stage.findings_after_swap(None));
    }
}

#[test]
fn vacuum_full_loses_nothing() {
    a_rewrite_of_the_table_loses_nothing(shapes::orders(), "VACUUM FULL orders");
}

#[test]
fn vacuum_full_of_a_table_without_a_key_loses_nothing() {
    a_rewrite_of_the_table_loses_nothing(shapes::log_lines(), "VACUUM FULL log_lines");
}

#[test]
fn rewrites_of_the_out_of_line_storage_lose_nothing() {
    for point in [at::IN_RANGE, at::RANGE_COPIED, at::CATCHING_UP] {
        let stage = Stage::new(shapes::documents(), 600);
        let mut hand = Hand::new(stage.app(), &stage.shape);
        at_each_point::convert_with_changes_up_to(&stage, point, |hand| {
            hand.must_all(Verb::Touch, &[1, 2, 3])
        });
        hand.must_all(Verb::Touch, &[4, 5, 6]);
        run_at(&stage, point, "VACUUM FULL documents");
        stage.await_swapped(&mut stage.app());
        oracle::assert_none(point, &stage.findings_after_swap(None));
    }
}

#[test]
fn reindexing_and_analyzing_meanwhile_is_fine() {
    let cluster = Arc::new(Cluster::builder().start());
    for (place, point) in [at::RANGE_COPIED, "index:after_commit", at::BEFORE_SWAP]
        .into_iter()
        .enumerate()
    {
        for (other, sql) in ["REINDEX TABLE CONCURRENTLY orders", "ANALYZE orders"]
            .into_iter()
            .enumerate()
        {
            let stage = Stage::on(
                Arc::clone(&cluster),
                &format!("shop_{place}_{other}"),
                shapes::orders(),
                2_000,
            );
            let mut hand = Hand::new(stage.app(), &stage.shape);
            at_each_point::convert_with_changes_up_to(&stage, point, |hand| {
                hand.must_all(Verb::Touch, &[1, 1_000, 1_999])
            });
            run_at(&stage, point, sql);
            hand.must_all(Verb::Shift, &[2, 1_001, 1_998]);
            stage.await_swapped(&mut stage.app());
            oracle::assert_none(point, &stage.findings_after_swap(None));
        }
    }
}
