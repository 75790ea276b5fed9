//! Servers come, crash, come back and leave nothing behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partman_rig::cluster::Cluster;
use partman_rig::pgbench::{self, Pgbench};
use partman_rig::probe::Probe;
use partman_rig::sampler;
use partman_rig::workload::Mix;
use partman_rig::{poll, shapes};

use crate::stage;

#[test]
fn two_clusters_live_side_by_side_and_leave_nothing_behind() {
    let dirs = {
        let clusters = [(); 2].map(|()| {
            Cluster::builder_without_extension()
                .setting("work_mem", "5MB")
                .start()
        });
        for cluster in &clusters {
            assert_eq!(cluster.psql("postgres", "SHOW work_mem").trim(), "5MB");
            assert_eq!(cluster.psql("postgres", "SHOW fsync").trim(), "off");
        }
        clusters.map(|cluster| cluster.socket_dir().to_owned())
    };
    assert!(
        dirs.iter().all(|dir| !dir.exists()),
        "{dirs:?} should be gone"
    );
}

#[test]
fn a_cluster_is_put_away_when_its_test_panics() {
    let test = std::thread::spawn(|| {
        let cluster = Cluster::builder_without_extension().start();
        let socket = cluster.socket_dir().to_owned();
        std::panic::panic_any(socket);
    });
    let panic = test.join().expect_err("it panicked");
    let dir = panic
        .downcast_ref::<std::path::PathBuf>()
        .expect("with its directory");
    assert!(!dir.exists(), "{} should be gone", dir.display());
}

#[test]
fn a_killed_backend_restarts_the_server() {
    let cluster = Cluster::builder_without_extension().start();
    let before = cluster.incarnation().expect("the server is up");
    let mut client = cluster.connect();
    cluster.sigkill(partman_rig::stage::backend_pid(&mut client));
    cluster.await_crash_restart(&before);
    assert!(
        client.simple_query("SELECT 1").is_err(),
        "the session should have ended"
    );
    cluster.stop_fast();
    cluster.start();
}

#[test]
fn a_probe_sees_an_outage_and_a_lock_but_forgives_the_excused() {
    let stage = stage(shapes::orders(), 500);
    // Brisk: a client that queues behind the lock cannot end its prepared transaction, for which the lock then waits.
    let load = stage.workload().survives_restarts().clients(1);
    let mut load = load.mix(Mix::brisk()).start();
    let probe = Probe::start(load.observer());
    load.await_more(50);
    let hold = |excused: bool| -> Instant {
        let began = Instant::now();
        let mut holder = stage.app();
        let mut work = holder.transaction().expect("a transaction can begin");
        if excused {
            probe.excuse();
        }
        // For much longer than the probe is patient: it may come late.
        work.batch_execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5)")
            .expect("a lock can be had");
        work.commit().expect("it can end");
        probe.excuse_no_more();
        began
    };
    hold(true);
    load.await_more(50);
    let held = hold(false);
    load.await_more(50);
    stage.cluster.kill_immediate();
    stage.cluster.start();
    load.await_more(50);
    let findings = probe.finish();
    let mut report = load.stop();
    report.merge(findings.report);
    let failures = &findings.failures;
    assert!(
        !failures.is_empty() && failures.iter().all(|failure| failure.at > held),
        "{failures:?}"
    );
    assert_eq!(findings.outages.len(), 1, "{:?}", findings.outages);
    partman_rig::oracle::assert_none("at the end", &stage.findings_of_content(Some(&report)));
}

#[test]
fn pgbench_tells_what_it_did() {
    let cluster = Cluster::builder_without_extension().start();
    pgbench::init(&cluster, "postgres", 1);
    let outcome = Pgbench::new(&cluster, "postgres", 2, 1)
        .arg("--protocol=prepared")
        .start()
        .finish();
    outcome.assert_no_errors();
    let mut client = cluster.connect();
    let history: i64 = client
        .query_one("SELECT count(*) FROM pgbench_history", &[])
        .expect("it is there")
        .get(0);
    assert!(
        history > 0 && history == outcome.transactions,
        "{history} rows: {}",
        outcome.output
    );
    let run = Pgbench::until_stopped(&cluster, "postgres", 2).start();
    let mut more = || -> i64 {
        let row = client.query_one("SELECT count(*) FROM pgbench_history", &[]);
        row.expect("it is there").get(0)
    };
    poll::expect("it to work", poll::PATIENCE, || more() > history + 100);
    let stopped = run.stop();
    stopped.assert_no_errors();
    assert_eq!(more(), history + stopped.transactions, "{}", stopped.output);
    let broken = Pgbench::new(&cluster, "postgres", 1, 1)
        .script("SELECT 1/0;\n")
        .start()
        .finish();
    assert!(
        std::panic::catch_unwind(|| broken.assert_no_errors()).is_err(),
        "{}",
        broken.output
    );
}

#[test]
fn the_sampler_keeps_its_rate_and_sees_a_stall() {
    let done = AtomicU64::new(0);
    let transaction = |stall_at: Option<u64>| {
        let (mut count, done) = (0, &done);
        move || -> Result<(), String> {
            count += 1;
            done.fetch_add(1, Ordering::Relaxed);
            if Some(count) == stall_at {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
    };
    let began = Instant::now();
    let wait = || {
        poll::expect("a hundred each", poll::PATIENCE, || {
            done.load(Ordering::Relaxed) >= 200
        });
    };
    let (samples, _) = sampler::sample_during(
        Some(400.0),
        vec![transaction(Some(20)), transaction(None)],
        wait,
    );
    // No more than are due, the first of each at once; those that a stall puts off are made up for.
    let due = 2 + (began.elapsed().as_secs_f64() * 400.0) as u64;
    let count = samples.service.count();
    assert!((200..=due).contains(&count), "{count} samples of {due}");
    assert!(samples.service.max() >= Duration::from_millis(100));
    assert!(samples.response.percentile(99.0) > samples.service.percentile(50.0));
}
