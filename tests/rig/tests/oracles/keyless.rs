//! A table without a key, full of rows that are equal to one another: only how many there are of
//! each can be told, and must be told exactly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use partman_rig::cluster::{Cluster, Login};
use partman_rig::conversion::{Conversion, wait_until_swapped};
use partman_rig::fault::{self, Fault};
use partman_rig::oracle::{self, Findings, multiset};
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use partman_rig::{failpoint, poll};
use postgres::{Client, Error};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

const TABLES: &str = "
    CREATE TABLE hits (at timestamptz, page text);
    CREATE INDEX hits_page ON hits (page);
    CREATE TABLE counts (change int NOT NULL, at timestamptz, page text);
    INSERT INTO hits SELECT timestamptz '2026-05-15 00:00+00' + n % 6 * interval '1 month', 'page ' || n % 7
      FROM generate_series(1, 20000) n;
    INSERT INTO counts SELECT 1, h.* FROM hits h";

/// What there should be, and what there is, as (row, how many of it).
const WANTED: &str =
    "SELECT at, page, sum(change) AS rows FROM counts GROUP BY at, page HAVING sum(change) <> 0";
const FOUND: &str = "SELECT at, page, count(*) AS rows FROM hits GROUP BY at, page";

/// Changes of a few equal rows. `{at}` and `{page}` are chosen at random from few, by `$1` and `$2`;
/// `{one}` is true of one row among its equals.
const CHANGES: [&str; 6] = [
    // Some more of the same.
    "WITH w AS (INSERT INTO hits SELECT {at}, {page} FROM generate_series(1, 1 + $1 % 3) RETURNING *)
     INSERT INTO counts SELECT 1, w.* FROM w",
    // One of several equal rows goes.
    "WITH w AS (DELETE FROM hits WHERE {one} RETURNING *)
     INSERT INTO counts SELECT -1, w.* FROM w",
    // One of several equal rows becomes another in the same partition.
    "WITH w AS (UPDATE hits SET page = 'page ' || ($2 + 1) % 7 WHERE {one} RETURNING *)
     INSERT INTO counts SELECT s.change, w.at, 'page ' || ($2 + s.page) % 7 FROM w, (VALUES (-1, 0), (1, 1)) s(change, page)",
    // One moves to another partition.
    "WITH w AS (UPDATE hits SET at = at + interval '1 month' WHERE {one} RETURNING *)
     INSERT INTO counts SELECT s.change, {at} + s.months * interval '1 month', w.page FROM w, (VALUES (-1, 0), (1, 1)) s(change, months)",
    // An update that changes nothing is still a new version.
    "WITH w AS (UPDATE hits SET page = page WHERE {one} RETURNING *)
     INSERT INTO counts SELECT 0, w.* FROM w",
    // Rows that are NULL all over.
    "WITH w AS (INSERT INTO hits SELECT NULL, NULLIF(($1 + $2) % 2, 0)::text RETURNING *)
     INSERT INTO counts SELECT 1, w.* FROM w",
];

const AT: &str = "(timestamptz '2026-05-15 00:00+00' + $1 % 6 * interval '1 month')";
const PAGE: &str = "('page ' || $2 % 7)";
const ONE: &str = "at = {at} AND page = {page} AND ctid =
    (SELECT ctid FROM hits WHERE at = {at} AND page = {page} LIMIT 1 FOR UPDATE SKIP LOCKED)";

fn filled(change: &str) -> String {
    let change = change
        .replace("{one}", ONE)
        .replace("{at}", AT)
        .replace("{page}", PAGE);
    change
        .replace("$1", "$1::bigint")
        .replace("$2", "$2::bigint")
}

/// Clients that change rows at random.
struct Crowd {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    fn start(login: &Login, clients: u64) -> Self {
        let (stop, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let spawn = |seed: u64| {
            let (login, stop, done) = (login.clone(), Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || work(&login, seed, &stop, &done))
        };
        let threads = (0..clients).map(spawn).collect();
        Self {
            stop,
            done,
            threads,
        }
    }

    fn await_more(&self, changes: u64) {
        let goal = self.done.load(Ordering::Relaxed) + changes;
        poll::expect("the crowd to get on", PATIENCE, || {
            let all_gave_up = self.threads.iter().all(JoinHandle::is_finished);
            all_gave_up || self.done.load(Ordering::Relaxed) >= goal
        });
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failures: Vec<String> = self
            .threads
            .into_iter()
            .flat_map(|t| t.join().expect("clients do not panic"))
            .collect();
        oracle::assert_none("failed statements", &failures);
    }
}

fn work(login: &Login, seed: u64, stop: &AtomicBool, done: &AtomicU64) -> Findings {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut failures = Findings::new();
    let mut client = login.open().expect("the server takes connections");
    while !stop.load(Ordering::Relaxed) {
        match change(&mut client, &mut rng) {
            Ok(()) => done.fetch_add(1, Ordering::Relaxed),
            Err(error) if fault::classify(&error) == Fault::Moved => 0,
            Err(error) => {
                failures.push(fault::describe(&error));
                break;
            }
        };
        std::thread::sleep(Duration::from_millis(2));
    }
    failures
}

/// One to three changes in a transaction, now and then rolled back, in part or whole.
fn change(client: &mut Client, rng: &mut SmallRng) -> Result<(), Error> {
    let mut work = client.transaction()?;
    one(&mut work, rng)?;
    if rng.random_bool(0.2) {
        let mut part = work.savepoint("part")?;
        one(&mut part, rng)?;
        if rng.random_bool(0.5) {
            part.rollback()?
        } else {
            part.commit()?
        }
    }
    if rng.random_bool(0.1) {
        work.rollback()
    } else {
        work.commit()
    }
}

fn one(client: &mut impl postgres::GenericClient, rng: &mut SmallRng) -> Result<(), Error> {
    let sql = filled(CHANGES[rng.random_range(0..CHANGES.len())]);
    client
        .execute(
            &sql,
            &[
                &rng.random_range(0..1_000_i64),
                &rng.random_range(0..1_000_i64),
            ],
        )
        .map(drop)
}

fn cluster() -> Cluster {
    let cluster = Cluster::builder().start();
    create_database(&cluster, "web");
    cluster
        .connect_as(OWNER, "web")
        .batch_execute(TABLES)
        .expect("the tables can be created");
    cluster
}

fn assert_equal(cluster: &Cluster, when: &str) {
    let mut admin = cluster.connect_as("postgres", "web");
    oracle::assert_none(when, &multiset::check(&mut admin, FOUND, WANTED));
    oracle::assert_none(when, &oracle::soundness(&mut admin, "hits"));
}

#[test]
fn equal_rows_are_as_many_as_they_should_be_under_load() {
    let cluster = cluster();
    let mut app = cluster.connect_as(OWNER, "web");
    let crowd = Crowd::start(&cluster.login(OWNER, "web"), 4);
    crowd.await_more(100);
    Conversion::of("hits", "at", "1 month")
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    wait_until_swapped(&mut app, "hits", PATIENCE);
    crowd.await_more(200);
    crowd.stop();
    assert_equal(&cluster, "after the swap");
}

#[test]
fn equal_rows_are_as_many_as_they_should_be_wherever_it_is_held() {
    let cluster = cluster();
    let mut app = cluster.connect_as(OWNER, "web");
    let failpoints = failpoint::Failpoints::of(&cluster);
    let crowd = Crowd::start(&cluster.login(OWNER, "web"), 2);
    crowd.await_more(50);
    let points = failpoint::OPEN_TO_WRITERS;
    failpoints.set(points[0], failpoint::Action::Wait);
    Conversion::of("hits", "at", "1 month")
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    for (place, point) in points.iter().enumerate() {
        failpoints.await_parked(point);
        crowd.await_more(40);
        if let Some(next) = points.get(place + 1) {
            failpoints.set(next, failpoint::Action::Wait);
        }
        failpoints.clear(point);
    }
    wait_until_swapped(&mut app, "hits", PATIENCE);
    crowd.await_more(50);
    crowd.stop();
    assert_equal(&cluster, "after the swap");
}
