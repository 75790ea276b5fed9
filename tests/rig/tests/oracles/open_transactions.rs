//! Transactions that are open when capture begins, prepared ones among them.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{await_job, steer};
use partman_rig::failpoint::{Action, at};
use partman_rig::hand::Hand;
use partman_rig::stage::{PATIENCE, Stage};
use partman_rig::workload::{Mix, Verb};
use partman_rig::{fault, poll, shapes};

use crate::at_each_point::{ROWS, convert_up_to, finish_from, go_on_to};

fn stage() -> Stage {
    Stage::new(shapes::orders().widened(), ROWS)
}

/// Changes one row of each kind; the number keeps callers apart.
fn change_a_little(hand: &mut Hand, base: i64) {
    hand.must(Verb::Touch, base);
    hand.must(Verb::Shift, base + 1);
    hand.must(Verb::Delete, base + 2);
    hand.must(Verb::Delete, base + 3);
    hand.must(Verb::Place, base + 3);
    hand.act(Verb::Insert, base);
}

fn await_phase(stage: &Stage, phase: &str) {
    await_job(
        &mut stage.app(),
        stage.shape.table,
        phase,
        PATIENCE,
        |job| job.phase == phase,
    );
}

#[test]
fn a_writer_that_holds_the_table_delays_capture_but_no_one_else() {
    let stage = stage();
    let mut writer = Hand::new(stage.app(), &stage.shape);
    writer.say("BEGIN");
    change_a_little(&mut writer, 19_700);
    // Whoever stands still longer, while capture waits, is refused.
    let impatient = stage.workload().options("-c lock_timeout=1500ms");
    let load = impatient.mix(Mix::brisk()).start();
    stage.convert(&mut stage.app());
    load.await_more(1_000);
    let job = partman_rig::conversion::job(&mut stage.app(), "orders").expect("there is a job");
    assert!(
        !job.has_ended() && job.phase != "copying",
        "capture did not wait: {}",
        job.row
    );
    change_a_little(&mut writer, 19_800);
    writer.say("COMMIT");
    stage.await_swapped(&mut stage.app());
    let report = load.stop();
    report.assert_no_failures();
    // The hand's changes are no client's, so only the rows can be compared.
    stage.assert_converted(None);
}

#[test]
fn a_transaction_older_than_capture_may_write_and_commit_at_any_point() {
    for (write_at, end_at) in [
        (at::CAPTURING, at::RANGE_COPIED),
        (at::CAPTURING, "verify:after_commit"),
        (at::IN_RANGE, at::IN_LEAF),
        (at::RANGE_COPIED, at::VERIFYING),
    ] {
        let stage = stage();
        let mut writer = Hand::new(stage.app(), &stage.shape);
        let mut quitter = Hand::new(stage.app(), &stage.shape);
        for hand in [&mut writer, &mut quitter] {
            hand.say("BEGIN; SELECT pg_current_xact_id()");
        }
        let mut bystander = Hand::new(stage.app(), &stage.shape);
        convert_up_to(&stage, write_at);
        change_a_little(&mut writer, 100);
        change_a_little(&mut writer, 19_000);
        change_a_little(&mut quitter, 200);
        change_a_little(&mut quitter, 19_100);
        change_a_little(&mut bystander, 300);
        // The swap cannot have the table while they hold it, so both must end by then.
        go_on_to(&stage, write_at, end_at);
        writer.say("COMMIT");
        quitter.say("ROLLBACK");
        finish_from(&stage, end_at);
        stage.assert_converted(None);
    }
}

#[test]
fn subtransactions_of_an_older_transaction_are_told_apart() {
    let stage = stage();
    let mut writer = Hand::new(stage.app(), &stage.shape);
    writer.say("BEGIN; SELECT pg_current_xact_id(); SAVEPOINT a; SELECT pg_current_xact_id()");
    convert_up_to(&stage, at::CAPTURING);
    change_a_little(&mut writer, 100);
    writer.say("ROLLBACK TO a");
    change_a_little(&mut writer, 19_000);
    writer.say("SAVEPOINT b");
    change_a_little(&mut writer, 19_100);
    go_on_to(&stage, at::CAPTURING, at::RANGE_COPIED);
    writer.say("ROLLBACK TO b");
    change_a_little(&mut writer, 19_200);
    writer.say("COMMIT");
    finish_from(&stage, at::RANGE_COPIED);
    stage.assert_converted(None);
}

#[test]
fn a_transaction_prepared_before_capture_may_be_committed_or_rolled_back() {
    for end in ["COMMIT PREPARED 'p'", "ROLLBACK PREPARED 'p'"] {
        let stage = stage();
        let mut writer = Hand::new(stage.app(), &stage.shape);
        writer.say("BEGIN");
        change_a_little(&mut writer, 100);
        change_a_little(&mut writer, 19_000);
        writer.say("PREPARE TRANSACTION 'p'");
        stage.convert(&mut stage.app());
        await_phase(&stage, "capturing");
        writer.say(end);
        stage.await_swapped(&mut stage.app());
        stage.assert_converted(None);
    }
}

#[test]
fn a_transaction_prepared_before_capture_may_end_after_a_restart() {
    let stage = stage();
    let mut writer = Hand::new(stage.app(), &stage.shape);
    writer.say("BEGIN");
    change_a_little(&mut writer, 100);
    writer.say("PREPARE TRANSACTION 'p'");
    stage.convert(&mut stage.app());
    await_phase(&stage, "capturing");
    stage.cluster.kill_immediate();
    stage.cluster.start();
    let mut app = stage.app();
    steer(&mut app, "resume", "orders").expect("the job can go on");
    await_phase(&stage, "capturing");
    app.batch_execute("COMMIT PREPARED 'p'")
        .expect("it survived the crash");
    stage.await_swapped(&mut app);
    stage.assert_converted(None);
}

#[test]
fn a_transaction_older_than_capture_may_be_prepared_and_end_after_a_restart() {
    for (end, crash) in [
        ("COMMIT PREPARED 'p'", true),
        ("COMMIT PREPARED 'p'", false),
        ("ROLLBACK PREPARED 'p'", true),
    ] {
        let stage = stage();
        let mut writer = Hand::new(stage.app(), &stage.shape);
        writer.say("BEGIN; SELECT pg_current_xact_id()");
        convert_up_to(&stage, at::CAPTURING);
        change_a_little(&mut writer, 100);
        change_a_little(&mut writer, 19_000);
        writer.say("PREPARE TRANSACTION 'p'");
        go_on_to(&stage, at::CAPTURING, at::RANGE_COPIED);
        if crash {
            stage.cluster.kill_immediate();
        } else {
            let took = stage.cluster.stop_fast();
            assert!(took < poll::AT_ONCE, "a fast shutdown took {took:?}");
        }
        stage.failpoints().clear_all();
        stage.cluster.start();
        let mut app = stage.app();
        steer(&mut app, "resume", "orders").expect("the job can go on");
        // It holds the table until it ends, so the conversion gets as far as the swap and no further.
        await_job(
            &mut app,
            "orders",
            "the swap to be tried",
            PATIENCE,
            |job| job.phase == "swapping",
        );
        app.batch_execute(end)
            .unwrap_or_else(|e| panic!("{end}: {}", fault::describe(&e)));
        stage.await_swapped(&mut app);
        stage.assert_converted(None);
    }
}

#[test]
fn a_commit_that_is_written_but_not_yet_acknowledged_counts() {
    // A standby that does not exist keeps a committing transaction among the running ones. Only
    // the session that asks for it waits; everybody else commits locally.
    let cluster = Cluster::builder()
        .setting("synchronous_standby_names", "nosuch")
        .setting("synchronous_commit", "local");
    let stage = Stage::on(
        Arc::new(cluster.start()),
        "shop",
        shapes::orders().widened(),
        ROWS,
    );
    let mut writer = Hand::new(stage.app(), &stage.shape);
    let pid = partman_rig::stage::backend_pid(writer.raw());
    writer.say("SET statement_timeout = 0; BEGIN; SELECT pg_current_xact_id()");
    convert_up_to(&stage, at::CAPTURING);
    change_a_little(&mut writer, 100);
    change_a_little(&mut writer, 19_000);
    let committing =
        std::thread::spawn(move || writer.say("SET LOCAL synchronous_commit = on; COMMIT"));
    let mut admin = stage.admin();
    poll::expect("the commit to wait for its standby", PATIENCE, || {
        let sql = "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $1";
        admin
            .query_one(sql, &[&pid])
            .is_ok_and(|row| row.get::<_, Option<bool>>(0) == Some(true))
    });
    go_on_to(&stage, at::CAPTURING, at::RANGE_COPIED);
    stage.failpoints().clear(at::RANGE_COPIED);
    await_job(
        &mut admin,
        "orders",
        "the swap to be tried",
        PATIENCE,
        |job| job.phase == "swapping",
    );
    admin
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        .expect("a setting can be changed");
    admin
        .batch_execute("SELECT pg_reload_conf()")
        .expect("the configuration can be read again");
    committing.join().expect("the commit ends");
    stage.await_swapped(&mut stage.app());
    stage.assert_converted(None);
}

#[test]
fn prepared_transactions_come_and_go_at_every_point() {
    let stage = stage();
    let mut open: Vec<String> = Vec::new();
    crate::at_each_point::convert(&stage, |hand, point, rows| {
        for gid in open.drain(..) {
            hand.say(&format!("COMMIT PREPARED '{gid}'"));
        }
        hand.must_all(Verb::Touch, &rows[..4]);
        for (name, keep) in [("kept", true), ("dropped", false)] {
            let gid = format!("{name} {point}");
            let own = if keep { &rows[4..10] } else { &rows[10..16] };
            hand.say("BEGIN");
            hand.must_all(Verb::Touch, &own[..2]);
            hand.must_all(Verb::Shift, &own[2..4]);
            hand.must_all(Verb::Delete, &own[4..]);
            hand.say(&format!("PREPARE TRANSACTION '{gid}'"));
            // None is open while capture wants its lock, nor when the swap does.
            if !keep {
                hand.say(&format!("ROLLBACK PREPARED '{gid}'"));
            } else if [at::PREPARING, at::PREPARED, at::BEFORE_SWAP].contains(&point) {
                hand.say(&format!("COMMIT PREPARED '{gid}'"));
            } else {
                open.push(gid);
            }
        }
    });
    stage.assert_converted(None);
}

#[test]
fn a_fast_shutdown_while_a_worker_is_held_does_not_wait_for_it() {
    for point in [
        at::PREPARING,
        at::IN_RANGE,
        at::IN_LEAF,
        at::CATCHING_UP,
        at::SWAPPING,
    ] {
        let stage = Stage::new(shapes::events(), 2_000);
        stage.failpoints().set(point, Action::Wait);
        let mut app = stage.app();
        let mut hand = Hand::new(stage.app(), &stage.shape);
        if point == at::CATCHING_UP {
            // Something to catch up with, from while the changes were already captured.
            stage.failpoints().set(at::CAPTURING, Action::Wait);
            stage.convert(&mut app);
            stage.failpoints().await_parked(at::CAPTURING);
            hand.must(Verb::Touch, 7);
            stage.failpoints().clear(at::CAPTURING);
        } else {
            stage.convert(&mut app);
        }
        stage.failpoints().await_parked(point);
        let took = stage.cluster.stop_fast();
        assert!(
            took < poll::AT_ONCE,
            "held at {point}, a fast shutdown took {took:?}"
        );
        stage.failpoints().clear_all();
        stage.cluster.start();
        let mut app = stage.app();
        steer(&mut app, "resume", "events")
            .unwrap_or_else(|e| panic!("{point}: {}", fault::describe(&e)));
        stage.await_swapped(&mut app);
        stage.assert_converted(None);
    }
}
