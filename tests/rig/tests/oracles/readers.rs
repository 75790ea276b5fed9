//! What readers see, and clients with prepared statements, through the swap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{Conversion, await_job, wait_until_swapped};
use partman_rig::failpoint::{Action, Failpoints, at};
use partman_rig::pgbench::Pgbench;
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use partman_rig::{fault, oracle, poll};
use postgres::{Client, IsolationLevel};

use crate::maintained::{PATIENT_SWAP, must, number};

const ACCOUNTS: i64 = 20_000;

/// Money moves from account to account, and accounts from month to month; none is ever lost.
const TRANSFER: &str = "
\\set low random(1, 10000)
\\set high random(10001, 20000)
\\set amount random(1, 100)
BEGIN;
UPDATE accounts SET balance = balance - :amount, version = version + 1 WHERE id = :low;
UPDATE accounts SET balance = balance + :amount, version = version + 1 WHERE id = :high;
COMMIT;
";

fn bank() -> Cluster {
    let cluster = Cluster::builder().start();
    create_database(&cluster, "bank");
    let tables = format!(
        "CREATE TABLE accounts (id bigint PRIMARY KEY, opened timestamptz NOT NULL, balance bigint NOT NULL, version int NOT NULL);
         INSERT INTO accounts SELECT n, timestamptz '2026-05-01 00:00+00' + n % 150 * interval '1 day', 1000, 0
           FROM generate_series(1, {ACCOUNTS}) n;
         CREATE TABLE other (n int); INSERT INTO other VALUES (1); ANALYZE accounts"
    );
    cluster
        .connect_as(OWNER, "bank")
        .batch_execute(&tables)
        .expect("the tables can be created");
    cluster
}

fn start(cluster: &Cluster) -> Client {
    start_by(cluster.connect_as(OWNER, "bank"))
}

fn start_by(mut app: Client) -> Client {
    let started = Conversion::of("accounts", "opened", "1 month").start(&mut app);
    started.unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    app
}

fn money(client: &mut impl postgres::GenericClient) -> Result<(i64, i64), postgres::Error> {
    let row = client.query_one(
        "SELECT count(*), coalesce(sum(balance), 0)::bigint FROM accounts",
        &[],
    )?;
    Ok((row.get(0), row.get(1)))
}

const ALL: (i64, i64) = (ACCOUNTS, ACCOUNTS * 1_000);

#[test]
fn a_hundred_clients_with_prepared_statements_meet_no_error() {
    let cluster = bank();
    let run = Pgbench::until_stopped(&cluster, "bank", 100)
        .arg("--protocol=prepared")
        .arg("--rate=800")
        .script(TRANSFER);
    let run = run.start();
    let mut client = cluster.connect_as(OWNER, "bank");
    let changed = "SELECT sum(version) FROM accounts";
    let changes = |client: &mut Client| number(client, changed);
    poll::expect("the clients to work", PATIENCE, || {
        changes(&mut client) > 500
    });
    let mut app = cluster.connect_as(OWNER, "bank");
    must(&mut app, PATIENT_SWAP);
    let mut app = start_by(app);
    wait_until_swapped(&mut app, "accounts", PATIENCE);
    let before = changes(&mut client);
    poll::expect("the clients to go on", PATIENCE, || {
        changes(&mut client) > before + 1_000
    });
    let outcome = run.stop();
    outcome.assert_no_errors();
    assert_eq!(money(&mut client).expect("the table is there"), ALL);
    assert_eq!(
        changes(&mut client),
        2 * outcome.transactions,
        "every update of every transaction counts once"
    );
}

/// Reads until told to stop; each sum that is wrong is a finding.
fn read_on(cluster: &Cluster, level: IsolationLevel, stop: &AtomicBool) -> Vec<String> {
    let mut client = cluster.connect_as(OWNER, "bank");
    let mut findings = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut work = client
            .build_transaction()
            .isolation_level(level)
            .start()
            .expect("a transaction can begin");
        for _ in 0..2 {
            match money(&mut work) {
                Ok(sum) if sum == ALL => {}
                Ok(sum) => findings.push(format!("{level:?} saw {sum:?}, not {ALL:?}")),
                Err(error) => findings.push(format!("{level:?}: {}", fault::describe(&error))),
            }
        }
        // Its end tells nothing more.
        let _ = work.rollback();
    }
    findings
}

#[test]
fn no_reader_ever_sees_a_wrong_sum() {
    let cluster = bank();
    let run = Pgbench::until_stopped(&cluster, "bank", 3)
        .arg("--rate=400")
        .script(TRANSFER)
        .start();
    let stop = AtomicBool::new(false);
    let findings: Vec<String> = std::thread::scope(|scope| {
        let levels = [
            IsolationLevel::ReadCommitted,
            IsolationLevel::RepeatableRead,
            IsolationLevel::Serializable,
        ];
        let (cluster, stop) = (&cluster, &stop);
        let readers = levels.map(|level| scope.spawn(move || read_on(cluster, level, stop)));
        let converted = std::panic::catch_unwind(|| {
            let mut app = start(cluster);
            wait_until_swapped(&mut app, "accounts", PATIENCE);
            let changes = |app: &mut Client| number(app, "SELECT sum(version) FROM accounts");
            let before = changes(&mut app);
            poll::expect("the clients to go on", PATIENCE, || {
                changes(&mut app) > before + 200
            });
        });
        let outcome = run.stop();
        stop.store(true, Ordering::Relaxed);
        let findings = readers
            .into_iter()
            .flat_map(|reader| reader.join().expect("readers do not panic"))
            .collect();
        outcome.assert_no_errors();
        converted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        findings
    });
    oracle::assert_none("readers", &findings);
}

#[test]
fn a_snapshot_older_than_the_copy_sees_all_rows_or_an_error() {
    let cluster = bank();
    let mut client = cluster.connect_as(OWNER, "bank");
    let mut reader = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .expect("it can begin");
    // It has a snapshot, and no lock on the table.
    reader
        .query_one("SELECT n FROM other", &[])
        .expect("the other table is there");
    let mut app = start(&cluster);
    // The swap waits for it, though not for ever; so the reader looks when it has waited or swapped.
    let waited = poll::until(Duration::from_secs(5), || {
        partman_rig::conversion::job(&mut app, "accounts")
            .filter(partman_rig::conversion::Job::has_swapped)
    });
    match money(&mut reader) {
        Ok(sum) => assert_eq!(
            sum,
            ALL,
            "swapped while it looked away: {}",
            waited.is_some()
        ),
        Err(error) => println!(
            "refused, which is right as well: {}",
            fault::describe(&error)
        ),
    }
    drop(reader);
    wait_until_swapped(&mut app, "accounts", PATIENCE);
    assert_eq!(money(&mut client).expect("the table is there"), ALL);
}

#[test]
fn a_reader_that_holds_the_table_delays_the_swap_but_no_one_else() {
    let cluster = bank();
    let mut client = cluster.connect_as(OWNER, "bank");
    let mut reader = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .expect("it can begin");
    assert_eq!(money(&mut reader).expect("the table is there"), ALL);
    let mut app = start(&cluster);
    await_job(
        &mut app,
        "accounts",
        "the swap to be tried",
        PATIENCE,
        |job| job.phase == "swapping",
    );
    // Attempts come and go; another client never waits longer than one of them.
    let mut other = cluster.connect_as(OWNER, "bank");
    other
        .batch_execute("SET lock_timeout = '400ms'")
        .expect("a setting can be changed");
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        other
            .execute(
                "UPDATE accounts SET version = version + 1 WHERE id = 5",
                &[],
            )
            .expect("an update waits for no more than an attempt of the swap");
    }
    assert_eq!(money(&mut reader).expect("the table is there"), ALL);
    reader.commit().expect("it can end");
    wait_until_swapped(&mut app, "accounts", PATIENCE);
    assert_eq!(money(&mut other).expect("the table is there"), ALL);
}

#[test]
fn statements_that_wait_behind_the_swap_find_the_new_table() {
    let cluster = bank();
    let failpoints = Failpoints::of(&cluster);
    let mut prepared = cluster.connect_as(OWNER, "bank");
    let update = prepared
        .prepare("UPDATE accounts SET version = version + 1 WHERE id = $1")
        .expect("it can be prepared");
    let select = prepared
        .prepare("SELECT version FROM accounts WHERE id = $1")
        .expect("it can be prepared");
    // Six times, so that the plan is a generic one.
    for _ in 0..6 {
        prepared
            .execute(&update, &[&7_i64])
            .expect("the table is writable");
        prepared
            .query_one(&select, &[&7_i64])
            .expect("the table is readable");
    }
    prepared
        .batch_execute(
            "CREATE FUNCTION bump(which bigint) RETURNS int LANGUAGE plpgsql AS
             $$ DECLARE v int; BEGIN UPDATE accounts SET version = version + 1 WHERE id = which RETURNING version INTO v; RETURN v; END $$;
             SELECT bump(7) FROM generate_series(1, 6)",
        )
        .expect("a function can be created");
    failpoints.set(at::SWAPPING, Action::Wait);
    let mut app = start(&cluster);
    failpoints.await_parked(at::SWAPPING);
    let pid = partman_rig::stage::backend_pid(&mut prepared);
    let waiting = std::thread::spawn(move || {
        prepared.execute(&update, &[&7_i64])?;
        prepared.execute("SELECT bump(7)", &[])?;
        prepared
            .query_one(&select, &[&7_i64])
            .map(|row| row.get::<_, i32>(0))
    });
    let mut admin = cluster.connect_as("postgres", "bank");
    partman_rig::stage::await_blocked(&mut admin, pid);
    failpoints.clear(at::SWAPPING);
    let version = waiting
        .join()
        .expect("it does not panic")
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    assert_eq!(version, 14);
    wait_until_swapped(&mut app, "accounts", PATIENCE);
}

/// While any transaction with an id is open, every new snapshot reaches back as far as it; still
/// only those count that are older than the last batch.
#[test]
fn an_old_writer_elsewhere_does_not_make_every_reader_look_old() {
    let cluster = bank();
    let mut writer = cluster.connect_as(OWNER, "bank");
    writer
        .batch_execute("BEGIN; UPDATE other SET n = n; PREPARE TRANSACTION 'elsewhere'")
        .expect("a transaction can be prepared");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (cluster, stop) = (&cluster, &stop);
        // At every moment one or the other has a snapshot.
        for _ in 0..2 {
            scope.spawn(move || {
                let mut client = cluster.connect_as(OWNER, "bank");
                while !stop.load(Ordering::Relaxed) {
                    client
                        .batch_execute("UPDATE accounts SET version = version + 1 WHERE id = 3; SELECT count(pg_sleep(0.03)) FROM other")
                        .expect("clients are served");
                }
            });
        }
        let converted = std::panic::catch_unwind(|| {
            let mut app = start(cluster);
            wait_until_swapped(&mut app, "accounts", PATIENCE);
        });
        stop.store(true, Ordering::Relaxed);
        converted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    writer
        .batch_execute("COMMIT PREPARED 'elsewhere'")
        .expect("it can end");
    assert_eq!(money(&mut writer).expect("the table is there"), ALL);
}
