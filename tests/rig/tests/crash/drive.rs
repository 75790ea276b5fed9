//! Runs one case: leads the conversion to its point, strikes, recovers, and asks the oracles.

use std::time::Duration;

use partman_rig::cluster::SUPERUSER;
use partman_rig::conversion::{self, Job, await_job, steer};
use partman_rig::failpoint::{Action, at};
use partman_rig::oracle::{self, definition::Definition};
use partman_rig::probe::{self, Probe};
use partman_rig::stage::{self, PATIENCE, Stage};
use partman_rig::workload::{Mix, Running};
use partman_rig::{fault, poll};
use postgres::Client;

use crate::case::{After, Blow, Case};

/// Runs the case to its end.
pub fn run(case: &Case, stage: &Stage) {
    let definition = || Definition::of(&stage.cluster, &stage.database, stage.shape.table);
    let before = case.ends_cancelled().then(definition);
    let mut load = stage
        .workload()
        .clients(2)
        .mix(Mix::brisk())
        .rate(Some(100.0))
        .survives_restarts()
        .start();
    let probe = Probe::start(load.observer());

    let mut caller = stage.app();
    let incarnation = stage.cluster.incarnation().expect("the server is up");
    lead_to(case, stage, &load, &mut caller);
    strike(case, stage, &mut caller, &probe);
    if case.blow.is_crash() {
        if case.blow != Blow::ServerStopped {
            stage.cluster.await_crash_restart(&incarnation);
        }
        stage.cluster.await_ready();
    }
    stage.failpoints().clear_all();
    probe.excuse_no_more();
    let swapped = recover(case, stage);

    load.await_more(20);
    let seen = probe.finish();
    let mut report = load.stop();
    judge_availability(case, &seen);
    report.merge(seen.report);
    report.assert_no_failures();
    let findings = if swapped {
        stage.findings_after_swap(Some(&report))
    } else {
        let mut findings = stage.findings_after_cancel(Some(&report));
        findings.extend(
            before
                .iter()
                .flat_map(|before| before.changes(&definition())),
        );
        findings
    };
    oracle::assert_none(&case.to_string(), &findings);
    if swapped {
        oracle::assert_none(&format!("{case}, finished"), &stage.finish(Some(&report)));
    }
}

/// Starts the conversion, and the way back where the point lies there, with the point set.
fn lead_to(case: &Case, stage: &Stage, load: &Running, caller: &mut Client) {
    let failpoints = stage.failpoints();
    let action = match case.blow {
        Blow::WorkerKilled => Action::Kill,
        Blow::ErrorRaised => Action::Error,
        Blow::ServerStopped | Blow::CallerKilled => Action::Wait,
    };
    let is_early = ["prepare", "capture"]
        .iter()
        .any(|early| case.point.starts_with(early));
    if is_early {
        failpoints.set(&case.point, action);
        stage.convert(caller);
        return;
    }
    // The clients' changes give it something to catch up with.
    failpoints.set(at::CAPTURING, Action::Wait);
    stage.convert(caller);
    failpoints.await_parked(at::CAPTURING);
    load.await_more(20);
    failpoints.set(&case.point, action);
    if case.is_about_cancelling() {
        steer(&mut stage.app(), "cancel", stage.shape.table)
            .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    }
    failpoints.clear(at::CAPTURING);
}

/// Waits until the conversion comes to the point, and strikes.
fn strike(case: &Case, stage: &Stage, caller: &mut Client, probe: &Probe) {
    let failpoints = stage.failpoints();
    match case.blow {
        Blow::WorkerKilled | Blow::ErrorRaised => {
            let fired = poll::until(PATIENCE, || failpoints.has_fired(&case.point).then_some(()));
            assert!(
                fired.is_some(),
                "the conversion never came to {}: {:?}",
                case.point,
                job(stage)
            );
        }
        Blow::ServerStopped | Blow::CallerKilled => {
            let parked = poll::until(PATIENCE, || failpoints.is_parked(&case.point).then_some(()));
            assert!(
                parked.is_some(),
                "the conversion never came to {}: {:?}",
                case.point,
                job(stage)
            );
            if holds_up_others(stage) {
                probe.excuse();
            }
            if case.blow == Blow::ServerStopped {
                stage.cluster.kill_immediate();
                failpoints.clear_all();
                stage.cluster.start();
            } else {
                let pid = stage::backend_pid(caller);
                stage.cluster.sigkill(pid);
            }
        }
    }
}

/// Brings the job to its end; whether that is the swap.
fn recover(case: &Case, stage: &Stage) -> bool {
    let (table, mut app) = (stage.shape.table, stage.app());
    let Some(found) = conversion::job(&mut app, table) else {
        // It died before anybody had heard of it.
        assert!(
            case.point.starts_with("prepare") || case.point.starts_with("plan"),
            "the job is gone"
        );
        oracle::assert_none("before a second call", &stage.findings_of_content(None));
        stage.convert(&mut app);
        return end(case, stage, &mut app);
    };
    if case.blow == Blow::ErrorRaised {
        let met = await_job(
            &mut app,
            table,
            "the end of the attempt",
            PATIENCE,
            Job::has_ended,
        );
        let told = met
            .last_error
            .as_deref()
            .unwrap_or_default()
            .contains(&case.point);
        assert!(
            told || met.has_swapped() || met.phase == "cancelled",
            "the job does not tell its error: {}",
            met.row
        );
    }
    let found = conversion::job(&mut app, table).unwrap_or(found);
    match case.after {
        After::Resume if !case.is_about_cancelling() && !found.has_swapped() => {
            steer(&mut app, "resume", table)
                .unwrap_or_else(|e| panic!("resume: {}\n{}", fault::describe(&e), found.row));
        }
        After::Resume | After::Cancel if !found.has_ended() || found.phase == "failed" => {
            let cancelled = steer(&mut app, "cancel", table);
            cancelled.unwrap_or_else(|e| panic!("cancel: {}\n{}", fault::describe(&e), found.row));
        }
        _ => {}
    }
    end(case, stage, &mut app)
}

/// Waits for the end that the case should have.
fn end(case: &Case, stage: &Stage, app: &mut Client) -> bool {
    let table = stage.shape.table;
    let has_swapped = conversion::job(app, table).is_some_and(|job| job.has_swapped());
    if case.ends_cancelled() && !has_swapped {
        await_job(app, table, "its cancellation", PATIENCE, |job| {
            job.phase == "cancelled"
        });
        return false;
    }
    conversion::wait_until_swapped(app, table, PATIENCE);
    true
}

/// Only the restart itself may be felt.
fn judge_availability(case: &Case, seen: &probe::Findings) {
    let failures: Vec<&str> = seen
        .failures
        .iter()
        .map(|failure| failure.text.as_str())
        .collect();
    assert!(
        failures.is_empty(),
        "the table was not there all the time: {failures:?}"
    );
    let without: Duration = seen.outages.iter().map(|outage| outage.took).sum();
    let allowed = if case.blow.is_crash() {
        poll::AT_ONCE
    } else {
        Duration::ZERO
    };
    assert!(
        without <= allowed,
        "no connection for {without:?}, {} times",
        seen.outages.len()
    );
}

/// Whether the worker at the point has the table locked against readers or writers: then the test
/// holds them up, not the conversion.
fn holds_up_others(stage: &Stage) -> bool {
    let mut admin = stage.cluster.connect_as(SUPERUSER, &stage.database);
    let sql = "SELECT EXISTS (SELECT FROM pg_locks
                WHERE relation = $1::text::regclass AND granted
                  AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))";
    admin
        .query_one(sql, &[&stage.shape.table])
        .expect("the catalog can be read")
        .get(0)
}

fn job(stage: &Stage) -> Option<Job> {
    conversion::job(&mut stage.app(), stage.shape.table)
}
