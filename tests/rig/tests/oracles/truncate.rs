//! TRUNCATE in every phase, and rows that come after it.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::failpoint::OPEN_TO_WRITERS;
use partman_rig::hand::Hand;
use partman_rig::shape::Shape;
use partman_rig::stage::{Stage, run_until_it_waits};
use partman_rig::workload::{Kind, Mix, Verb};
use partman_rig::{ledger, shapes};

use crate::at_each_point::{self, ROWS};

/// Truncates while the conversion stands at a point. Where the worker holds the table there, the
/// truncation waits, and so has to be under way before the worker is let go.
fn truncate_at(stage: &Stage, point: &str) {
    let shape = stage.shape.clone();
    let truncation = run_until_it_waits(&mut stage.admin(), stage.app(), move |app| {
        ledger::truncate(app, &shape)
    });
    stage.failpoints().clear(point);
    let gone = truncation.join().expect("it does not panic");
    gone.unwrap_or_else(|e| panic!("TRUNCATE at {point}: {}", partman_rig::fault::describe(&e)));
}

fn a_truncation_and_the_rows_after_it_are_carried_over(shape: Shape) {
    let cluster = Arc::new(Cluster::builder().start());
    for (place, point) in OPEN_TO_WRITERS.into_iter().enumerate() {
        let stage = Stage::on(
            Arc::clone(&cluster),
            &format!("shop_{place}"),
            shape.clone(),
            2_000,
        );
        let mut hand = Hand::new(stage.app(), &stage.shape);
        at_each_point::convert_with_changes_up_to(&stage, point, |hand| {
            hand.must_all(Verb::Touch, &[1, 2, 3])
        });
        truncate_at(&stage, point);
        hand.must_all(Verb::Place, &[5, 6, 5_000, 5_001]);
        hand.must_all(Verb::Delete, &[6]);
        stage.await_swapped(&mut stage.app());
        partman_rig::oracle::assert_none(point, &stage.findings_after_swap(None));
    }
}

#[test]
fn at_every_point_with_a_key() {
    a_truncation_and_the_rows_after_it_are_carried_over(shapes::orders());
}

#[test]
fn at_every_point_without_a_key() {
    a_truncation_and_the_rows_after_it_are_carried_over(shapes::log_lines());
}

#[test]
fn a_truncation_that_is_rolled_back_leaves_every_row() {
    let stage = Stage::new(shapes::orders().widened(), ROWS);
    let points: Vec<&str> = OPEN_TO_WRITERS
        .into_iter()
        .filter(|point| point.ends_with("after_commit"))
        .collect();
    at_each_point::convert_stopping_at(&stage, &points, |hand, _, rows| {
        hand.must_all(Verb::Touch, rows);
        hand.say("BEGIN; TRUNCATE orders; ROLLBACK");
        hand.say("BEGIN; SAVEPOINT a; TRUNCATE orders; ROLLBACK TO a");
        hand.must_all(Verb::Touch, rows);
        hand.say("COMMIT");
    });
    stage.assert_converted(None);
}

#[test]
fn again_and_again_under_load() {
    let stage = Stage::new(shapes::events(), 20_000);
    let quick = [
        Kind::Touch,
        Kind::Shift,
        Kind::Insert,
        Kind::Delete,
        Kind::Reinsert,
        Kind::Upsert,
        Kind::Savepoint,
        Kind::Copy,
    ];
    let load = stage.workload().mix(Mix::only(&quick)).start();
    let mut app = stage.app();
    stage.convert(&mut app);
    for _ in 0..4 {
        load.await_more(100);
        ledger::truncate(&mut app, &stage.shape)
            .unwrap_or_else(|e| panic!("{}", partman_rig::fault::describe(&e)));
    }
    stage.await_swapped(&mut app);
    ledger::truncate(&mut app, &stage.shape)
        .unwrap_or_else(|e| panic!("{}", partman_rig::fault::describe(&e)));
    load.await_more(200);
    let report = load.stop();
    stage.assert_converted(Some(&report));
}
