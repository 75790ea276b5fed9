//! Starting, pausing, resuming, looking on, and ending by force.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{await_job, job, steer};
use partman_rig::failpoint::{Action, at};
use partman_rig::oracle::definition::Definition;
use partman_rig::oracle::litter::{self, Inventory};
use partman_rig::stage::{PATIENCE, Stage, run_until_it_waits};
use partman_rig::workload::{Mix, Verb};
use partman_rig::{fault, oracle, poll, shapes};
use postgres::Client;
use postgres::error::SqlState;

use crate::at_each_point::{self, convert_up_to};

#[test]
fn a_dry_run_touches_nothing() {
    let stage = Stage::new(shapes::orders(), 2_000);
    let definition = || Definition::of(&stage.cluster, &stage.database, "orders");
    let before = definition();
    let mut app = stage.app();
    let plan = stage.conversion().with("dry_run => true").start(&mut app);
    let plan = plan.unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    assert!(
        plan.iter().any(|step| step.statement.is_some()),
        "the plan says nothing: {plan:#?}"
    );
    assert!(job(&mut app, "orders").is_none(), "a dry run leaves no job");
    oracle::assert_none("after a dry run", &before.changes(&definition()));
    oracle::assert_none("after a dry run", &stage.findings_after_cancel(None));
}

#[test]
fn a_call_that_is_rolled_back_starts_nothing() {
    let stage = Stage::new(shapes::orders(), 2_000);
    let mut app = stage.app();
    app.batch_execute("BEGIN").expect("a transaction can begin");
    stage.convert(&mut app);
    app.batch_execute("ROLLBACK")
        .expect("it can be rolled back");
    assert!(
        job(&mut app, "orders").is_none(),
        "a call that was rolled back leaves no job"
    );
    oracle::assert_none("after the rollback", &stage.findings_after_cancel(None));
}

#[test]
fn a_call_inside_a_transaction_starts_at_its_commit() {
    let stage = Stage::new(shapes::orders(), 2_000);
    let mut app = stage.app();
    app.batch_execute("BEGIN; CREATE TABLE migration_was_here ()")
        .expect("a transaction can begin");
    stage.convert(&mut app);
    let before = Inventory::of(&mut stage.admin());
    assert!(
        job(&mut stage.app(), "orders").is_none(),
        "nobody else sees a job before the commit"
    );
    oracle::assert_none(
        "before the commit",
        &litter::check_unchanged(&mut stage.admin(), &before),
    );
    app.batch_execute("COMMIT").expect("it can be committed");
    stage.await_swapped(&mut app);
    oracle::assert_none("after the swap", &stage.findings_of_content(None));
}

#[test]
fn a_transaction_that_asks_several_times_needs_one_worker() {
    // One slot is PostgreSQL's own: the launcher of logical replication.
    let cluster = Cluster::builder().setting("max_worker_processes", "2");
    let stage = Stage::on(Arc::new(cluster.start()), "shop", shapes::orders(), 2_000);
    let mut app = stage.app();
    app.batch_execute("BEGIN").expect("a transaction can begin");
    stage.convert(&mut app);
    for verb in ["pause", "resume", "pause"] {
        steer(&mut app, verb, "orders").unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    }
    app.batch_execute("COMMIT")
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    await_job(&mut app, "orders", "a pause", PATIENCE, |job| {
        job.phase == "paused" && job.worker_pid.is_none()
    });
    // The worker has let go of the job; its slot is free when the server has seen it end.
    poll::expect("a slot for the next worker", PATIENCE, || {
        match steer(&mut app, "resume", "orders") {
            Ok(()) => true,
            Err(error) if error.code() == Some(&SqlState::CONFIGURATION_LIMIT_EXCEEDED) => false,
            Err(error) => panic!("{}", fault::describe(&error)),
        }
    });
    stage.await_swapped(&mut app);
    oracle::assert_none("after the swap", &stage.findings_of_content(None));
}

#[test]
fn a_call_that_gets_no_worker_is_refused_and_leaves_nothing() {
    let cluster = Cluster::builder().setting("max_worker_processes", "1");
    let stage = Stage::on(Arc::new(cluster.start()), "shop", shapes::orders(), 2_000);
    let mut app = stage.app();
    let refused = stage
        .conversion()
        .start(&mut app)
        .expect_err("there is no slot for a worker");
    let refused = refused.as_db_error().expect("the server refuses");
    assert_eq!(refused.code().code(), "53400", "{refused}");
    assert_eq!(
        refused.detail(),
        Some("All background worker slots are in use (max_worker_processes is 1).")
    );
    assert!(job(&mut app, "orders").is_none(), "it leaves no job");
    oracle::assert_none("after it", &stage.findings_after_cancel(None));
}

#[test]
fn a_paused_conversion_stands_still_and_goes_on_when_told() {
    let stage = Stage::new(shapes::orders().widened(), 20_000);
    let load = stage.workload().mix(Mix::brisk()).start();
    convert_up_to(&stage, at::RANGE_COPIED);
    let mut app = stage.app();
    steer(&mut app, "pause", "orders").unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    stage.failpoints().clear(at::RANGE_COPIED);
    let paused = await_job(&mut app, "orders", "a pause", PATIENCE, |job| {
        job.phase == "paused"
    });
    load.await_more(300);
    let later = job(&mut app, "orders").expect("there is a job");
    assert_eq!(
        later.phase, "paused",
        "it went on by itself: {} after {}",
        later.row, paused.row
    );
    steer(&mut app, "resume", "orders").unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    stage.await_swapped(&mut app);
    let report = load.stop();
    stage.assert_converted(Some(&report));
}

/// A session looks at the job, and the worker takes a wish just then: what the session wants is heeded.
#[test]
fn a_wish_is_heeded_while_the_worker_takes_another() {
    let stage = Stage::new(shapes::events(), 2_000);
    let (mut app, mut admin) = (stage.app(), stage.admin());
    let mut writer = stage.app();
    // Capture waits for it.
    writer
        .batch_execute("BEGIN; UPDATE events SET kind = kind WHERE id = 1")
        .expect("the table is writable");
    stage.convert(&mut app);
    let comes_to = |app: &mut Client, phase: &str| {
        await_job(app, "events", phase, PATIENCE, |job| job.phase == phase);
    };
    comes_to(&mut app, "capturing");
    let must_steer = |app: &mut Client, verb: &str| {
        steer(app, verb, "events").unwrap_or_else(|e| panic!("{verb}: {}", fault::describe(&e)));
    };
    let looked = "steer:looked";
    for (first, taken, second) in [
        ("pause", "paused", "resume"),
        ("resume", "capturing", "pause"),
    ] {
        // Who has the job's row keeps the worker from taking a wish.
        admin
            .batch_execute("BEGIN; SELECT FROM partman_rs.job FOR NO KEY UPDATE")
            .expect("rows can be locked");
        must_steer(&mut app, first);
        stage.failpoints().set(looked, Action::Wait);
        let mut other = stage.app();
        let steered = thread::spawn(move || steer(&mut other, second, "events"));
        stage.failpoints().await_parked(looked);
        admin.batch_execute("COMMIT").expect("it can end");
        comes_to(&mut app, taken);
        stage.failpoints().clear(looked);
        let steered = steered.join().expect("it does not panic");
        steered.unwrap_or_else(|e| panic!("{second} after {first}: {}", fault::describe(&e)));
        if second == "resume" {
            comes_to(&mut app, "capturing");
            must_steer(&mut app, "pause");
        }
        comes_to(&mut app, "paused");
    }
    must_steer(&mut app, "resume");
    writer.batch_execute("COMMIT").expect("it can end");
    stage.await_swapped(&mut app);
    stage.assert_converted(None);
}

#[test]
fn a_second_call_for_the_same_table_is_refused() {
    let stage = Stage::new(shapes::events(), 2_000);
    convert_up_to(&stage, at::IN_RANGE);
    let error = stage
        .conversion()
        .start(&mut stage.app())
        .expect_err("one is under way");
    assert_eq!(
        fault::sqlstate(&error).as_deref(),
        Some("55006"),
        "{}",
        fault::describe(&error)
    );
    at_each_point::finish_from(&stage, at::IN_RANGE);
    stage.assert_converted(None);
}

#[test]
fn waiting_gives_up_in_time_and_raises_what_the_job_met() {
    let stage = Stage::new(shapes::events(), 2_000);
    convert_up_to(&stage, at::IN_RANGE);
    let mut app = stage.app();
    let began = Instant::now();
    app.batch_execute("CALL wait_for_conversion('events', '300 ms')")
        .expect_err("it takes longer");
    assert!(began.elapsed() < poll::AT_ONCE);
    // A point that only the job's own worker passes: a helper that fails is merely replaced.
    stage.failpoints().set("verify:between", Action::Error);
    stage.failpoints().clear(at::IN_RANGE);
    let error = app
        .batch_execute("CALL wait_for_conversion('events', '240 s')")
        .expect_err("it fails");
    assert!(
        fault::describe(&error).contains("failpoint verify:between"),
        "{}",
        fault::describe(&error)
    );
    let failed = job(&mut app, "events").expect("there is a job");
    assert_eq!(
        (failed.phase.as_str(), failed.last_sqlstate.as_deref()),
        ("failed", Some("XX000")),
        "{}",
        failed.row
    );
    steer(&mut app, "resume", "events").unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    stage.await_swapped(&mut app);
    stage.assert_converted(None);
}

#[test]
fn the_table_may_be_dropped_meanwhile() {
    for point in [at::PREPARED, at::RANGE_COPIED, at::IN_LEAF, at::BEFORE_SWAP] {
        let stage = Stage::new(shapes::events(), 2_000);
        convert_up_to(&stage, point);
        let (mut app, mut watcher) = (stage.app(), stage.admin());
        app.batch_execute("SET lock_timeout = '30s'")
            .expect("a setting can be changed");
        let dropped = run_until_it_waits(&mut watcher, app, |app| {
            app.batch_execute("DROP TABLE events")
        });
        stage.failpoints().clear(point);
        let dropped = dropped.join().expect("it does not panic");
        dropped.unwrap_or_else(|e| panic!("{point}: {}", fault::describe(&e)));
        let left = "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                     WHERE relkind IN ('r', 'p')
                       AND (relname LIKE 'events%' OR relname LIKE 'change_log%' OR relname LIKE '%twin%')";
        let mut admin = stage.admin();
        let mut names = || -> Vec<String> {
            let rows = admin.query(left, &[]).expect("the catalog can be read");
            rows.iter().map(|row| row.get(0)).collect()
        };
        let gone = poll::until(PATIENCE, || names().is_empty().then_some(()));
        assert!(
            gone.is_some(),
            "dropped at {point}, left over: {:?}",
            names()
        );
    }
}

/// Tables, and rows about the job, that are left when its table is gone.
const LEFT: &str = "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'p') AND (relname LIKE 'events%' OR relname LIKE 'change_log%' OR relname LIKE '%twin%')
    UNION ALL SELECT 'leaf' FROM partman_rs.leaf
    UNION ALL SELECT 'range' FROM partman_rs.copy_range
    UNION ALL SELECT 'job: ' || phase FROM partman_rs.job WHERE phase <> 'cancelled'";

fn assert_nothing_left(stage: &Stage, when: &str) {
    let mut admin = stage.admin();
    let mut left = || -> Vec<String> {
        let rows = admin.query(LEFT, &[]).expect("the catalog can be read");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let gone = poll::until(PATIENCE, || left().is_empty().then_some(()));
    assert!(gone.is_some(), "{when}, left over: {:?}", left());
}

#[test]
fn the_schema_may_be_dropped_meanwhile() {
    for point in [
        at::PREPARED,
        at::CAPTURING,
        at::RANGE_COPIED,
        at::IN_LEAF,
        at::BEFORE_SWAP,
    ] {
        let stage = Stage::new(shapes::events(), 2_000);
        let moved = format!(
            "CREATE SCHEMA yard AUTHORIZATION app; ALTER TABLE events SET SCHEMA yard;
             ALTER DATABASE {} SET search_path = yard, public",
            stage.database
        );
        stage
            .admin()
            .batch_execute(&moved)
            .expect("a table can be moved to another schema");
        convert_up_to(&stage, point);
        let dropped = run_until_it_waits(&mut stage.admin(), stage.app(), |app| {
            loop {
                match app.batch_execute("DROP SCHEMA yard CASCADE") {
                    // It locks tables in an order of its own.
                    Err(error) if fault::sqlstate(&error).as_deref() == Some("40P01") => {}
                    outcome => return outcome,
                }
            }
        });
        stage.failpoints().clear(point);
        let dropped = dropped.join().expect("it does not panic");
        dropped.unwrap_or_else(|e| panic!("{point}: {}", fault::describe(&e)));
        assert_nothing_left(&stage, &format!("schema dropped at {point}"));
    }
}

#[test]
fn a_job_that_rests_and_has_lost_its_table_is_taken_back_by_itself() {
    let cluster = Cluster::builder()
        .setting("shared_preload_libraries", "pg_partman_rs")
        .setting("pg_partman_rs.launcher_naptime", "1s")
        .start();
    let stage = Stage::on(Arc::new(cluster), "shop", shapes::events(), 2_000);
    convert_up_to(&stage, at::RANGE_COPIED);
    let mut app = stage.app();
    steer(&mut app, "pause", "events").unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    stage.failpoints().clear(at::RANGE_COPIED);
    await_job(&mut app, "events", "a pause", PATIENCE, |job| {
        job.phase == "paused" && job.worker_pid.is_none()
    });
    app.batch_execute("DROP TABLE events")
        .expect("a table can be dropped while its conversion rests");
    assert_nothing_left(&stage, "dropped while it was paused");
}

#[test]
fn the_database_may_be_dropped_meanwhile() {
    let stage = Stage::new(shapes::events(), 2_000);
    convert_up_to(&stage, at::IN_RANGE);
    let began = Instant::now();
    let dropped = stage
        .cluster
        .connect()
        .batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", stage.database));
    dropped.unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    assert!(
        began.elapsed() < poll::AT_ONCE,
        "it took {:?}",
        began.elapsed()
    );
}

#[test]
fn the_extension_may_be_dropped_meanwhile() {
    for point in [at::PREPARED, at::RANGE_COPIED, at::IN_LEAF] {
        let stage = Stage::new(shapes::events(), 2_000);
        at_each_point::convert_with_changes_up_to(&stage, point, |hand| {
            hand.must_all(Verb::Touch, &[1, 2, 3])
        });
        let dropped = run_until_it_waits(&mut stage.admin(), stage.admin(), |admin| {
            admin.batch_execute("DROP EXTENSION pg_partman_rs CASCADE")
        });
        stage.failpoints().clear(point);
        // It may be refused while a job is under way; either way the table goes on working.
        let outcome = dropped.join().expect("it does not panic");
        println!("{point}: {:?}", outcome.as_ref().map_err(fault::describe));
        let mut hand = partman_rig::hand::Hand::new(stage.app(), &stage.shape);
        hand.must_all(Verb::Touch, &[4, 5, 6]);
        hand.must_all(Verb::Shift, &[7, 8, 9]);
        oracle::assert_none(point, &stage.findings_of_content(None));
    }
}

/// Readers that never leave a gap as long as the conversion may wait: it tells so, and goes on with the patience of a
/// session that resumes it; one that has set nothing changes nothing.
#[test]
fn one_that_waits_in_vain_is_resumed_with_more_patience() {
    let stage = Stage::new(shapes::orders(), 2_000);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|number| read_without_a_gap(stage.app(), 250 + 50 * number, Arc::clone(&stop)))
        .collect();
    let mut app = stage.app();
    let set = |client: &mut Client, limit| {
        let sql = format!("SET pg_partman_rs.swap_lock_timeout = '{limit}'");
        client.batch_execute(&sql).expect("a setting can be set");
    };
    set(&mut app, "20ms");
    stage.convert(&mut app);
    let await_told = |client: &mut Client| {
        await_job(client, "orders", "a note", PATIENCE, |job| {
            job.last_error.as_deref() == Some("could not lock table \"orders\" for the swap")
                && job.last_sqlstate.as_deref() == Some("55P03")
                && job.row.contains("20 ms for this conversion")
        });
    };
    await_told(&mut app);
    let mut plain = stage.app();
    for client in [&mut plain, &mut app] {
        steer(client, "pause", "orders").expect("it can be paused");
        await_job(client, "orders", "the pause", PATIENCE, |job| {
            job.phase == "paused"
        });
        steer(client, "resume", "orders").expect("it can be resumed");
        await_told(client);
    }
    steer(&mut plain, "pause", "orders").expect("it can be paused");
    // Both wishes at once, perhaps to one worker.
    set(&mut plain, "5s");
    steer(&mut plain, "resume", "orders").expect("it can be resumed");
    stage.await_swapped(&mut plain);
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().expect("no statement fails");
    }
    stage.assert_converted(None);
}

/// Reads in transactions of so many milliseconds, one after the other.
fn read_without_a_gap(
    mut session: Client,
    millis: u64,
    stop: Arc<AtomicBool>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let mut work = session.transaction().expect("a transaction can begin");
            work.batch_execute("SELECT FROM orders LIMIT 1")
                .expect("the table can be read");
            thread::sleep(Duration::from_millis(millis));
            work.commit().expect("it can end");
        }
    })
}
