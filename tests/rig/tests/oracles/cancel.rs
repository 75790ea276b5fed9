//! A conversion that is cancelled leaves the table as it was, and nothing else.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{await_job, job, steer};
use partman_rig::failpoint::{OPEN_TO_WRITERS, at};
use partman_rig::fault;
use partman_rig::oracle::definition::Definition;
use partman_rig::oracle::{self};
use partman_rig::shapes;
use partman_rig::stage::{PATIENCE, Stage};
use partman_rig::workload::Verb;

use crate::at_each_point;

fn definition(stage: &Stage) -> Definition {
    Definition::of(&stage.cluster, &stage.database, stage.shape.table)
}

fn await_cancelled(stage: &Stage) {
    await_job(
        &mut stage.app(),
        stage.shape.table,
        "the end",
        PATIENCE,
        |job| job.phase == "cancelled",
    );
}

#[test]
fn at_every_point_it_leaves_no_trace() {
    let cluster = Arc::new(Cluster::builder().start());
    for (place, point) in OPEN_TO_WRITERS.into_iter().enumerate() {
        let stage = Stage::on(
            Arc::clone(&cluster),
            &format!("shop_{place}"),
            shapes::orders(),
            2_000,
        );
        let before = definition(&stage);
        at_each_point::convert_with_changes_up_to(&stage, point, |hand| {
            hand.must_all(Verb::Touch, &[1, 2, 3])
        });
        steer(&mut stage.app(), "cancel", "orders")
            .unwrap_or_else(|e| panic!("{point}: {}", fault::describe(&e)));
        stage.failpoints().clear(point);
        println!("cancelled at {point}");
        await_cancelled(&stage);
        oracle::assert_none(point, &stage.findings_after_cancel(None));
        oracle::assert_none(point, &before.changes(&definition(&stage)));
    }
}

#[test]
fn under_load_it_disturbs_nobody_and_can_be_started_again() {
    let stage = Stage::new(shapes::orders().widened(), 20_000);
    let before = definition(&stage);
    let load = stage.workload().start();
    load.await_more(100);
    at_each_point::convert_up_to(&stage, at::RANGE_COPIED);
    load.await_more(100);
    steer(&mut stage.app(), "cancel", "orders")
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    stage.failpoints().clear(at::RANGE_COPIED);
    await_cancelled(&stage);
    load.await_more(100);
    oracle::assert_none("cancelled", &before.changes(&definition(&stage)));
    let mut app = stage.app();
    stage.convert(&mut app);
    stage.await_swapped(&mut app);
    load.await_more(100);
    let report = load.stop();
    let longest = report.latency.longest().cloned();
    println!("longest stall: {longest:?}");
    stage.assert_converted(Some(&report));
}

#[test]
fn while_it_waits_for_a_writer_it_ends_at_once() {
    let stage = Stage::new(shapes::events(), 2_000);
    let mut writer = stage.app();
    writer
        .batch_execute("BEGIN; UPDATE events SET kind = kind WHERE id = 1")
        .expect("the table is writable");
    stage.convert(&mut stage.app());
    await_job(&mut stage.app(), "events", "capture", PATIENCE, |job| {
        job.phase == "capturing"
    });
    steer(&mut stage.app(), "cancel", "events")
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    let ended = partman_rig::poll::until(PATIENCE, || {
        job(&mut stage.app(), "events").filter(|job| job.phase == "cancelled")
    });
    assert!(ended.is_some(), "{:?}", job(&mut stage.app(), "events"));
    writer.batch_execute("ROLLBACK").expect("it can end");
    oracle::assert_none("cancelled", &stage.findings_after_cancel(None));
}

#[test]
fn after_the_swap_it_is_refused() {
    let stage = Stage::new(shapes::events(), 2_000);
    let mut app = stage.app();
    stage.convert(&mut app);
    stage.await_swapped(&mut app);
    let error = steer(&mut app, "cancel", "events").expect_err("there is nothing left to cancel");
    assert_eq!(
        fault::sqlstate(&error).as_deref(),
        Some("55000"),
        "{}",
        fault::describe(&error)
    );
    stage.assert_converted(None);
}
