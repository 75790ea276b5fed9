//! Rows of a default partition moved to where they belong, and what a client sees of it that goes on
//! inserting such rows: by maintenance, and by plain SQL that moves them under a lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::sampler::StopOnDrop;
use postgres::Client;

use crate::bed::{LOOK, run};
use crate::report;
use crate::upkeep::{Line, Took};

/// Partitions that the rows want.
const PARTITIONS: i64 = 30;
const DATABASE: &str = "drainage";
/// Longest that a draining may take; it is given up then.
const LIMIT: Duration = Duration::from_secs(900);
/// Longest that an insert is to wait, in milliseconds.
const WANTED: f64 = 30.0;

/// Measures, and prints.
pub fn measure(cluster: &Cluster, rows: i64) {
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {DATABASE}"),
    );
    let table = Table {
        cluster,
        width: (rows / PARTITIONS).max(1),
    };
    run(&mut table.open(), "CREATE EXTENSION pg_partman_rs");
    let (ours, phases) = table.by_maintenance();
    let (plain, _) = table.by_hand();
    let stalls = ours.stall.zip(plain.stall);
    report::upkeep(
        &format!("(i) {} rows in a default partition", table.rows()),
        &[Line {
            what: "30 made, and filled",
            ours,
            plain: Some(plain),
        }],
    );
    println!("  longest insert by phase, ms: {}", phases.join(", "));
    if let Some((ours, plain)) = stalls {
        report::wish("longest wait of an insert", ours, WANTED, " ms");
        println!(
            "  the same by plain SQL: {plain:.1} ms, {:.0} times that",
            plain / ours
        );
    }
    run(
        &mut cluster.connect(),
        &format!("DROP DATABASE {DATABASE} WITH (FORCE)"),
    );
}

/// One that is partitioned by an integer, with rows for 30 partitions in its default partition.
struct Table<'a> {
    cluster: &'a Cluster,
    /// Keys, and rows, of a partition.
    width: i64,
}

/// When a client inserted, and how long it took.
struct Insert {
    began: Instant,
    took: Duration,
}

impl Table<'_> {
    fn open(&self) -> Client {
        let login = self
            .cluster
            .login(SUPERUSER, DATABASE)
            .with_options("-c statement_timeout=0");
        login.open().expect("the server takes connections")
    }

    fn rows(&self) -> i64 {
        self.width * PARTITIONS
    }

    /// A fresh one, read once, after a checkpoint. Rows of the first range have a partition.
    fn fill(&self, client: &mut Client) {
        let width = self.width;
        run(
            client,
            &format!(
                "DROP TABLE IF EXISTS t;
                 CREATE TABLE t (id bigint, n bigint, v text NOT NULL, PRIMARY KEY (id, n)) PARTITION BY RANGE (id);
                 CREATE INDEX ON t (v);
                 CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO ({width});
                 CREATE TABLE t_default PARTITION OF t DEFAULT;
                 INSERT INTO t SELECT i, 0, 'v' || i % 9973 FROM generate_series({width}, {}::bigint) i",
                width + self.rows() - 1
            ),
        );
        // Apart: neither may be in a transaction.
        run(client, "VACUUM (FREEZE, ANALYZE) t");
        run(client, "CHECKPOINT");
    }

    /// Also the longest insert of each phase, in words.
    fn by_maintenance(&self) -> (Took, Vec<String>) {
        let mut client = self.open();
        self.fill(&mut client);
        let policy = format!(
            "SELECT set_partition_policy('t', '{}', premake => 0)",
            self.width
        );
        run(&mut client, &policy);
        let ((took, phases), inserts) = self.amid_inserts(|| {
            let began = Instant::now();
            run(&mut client, "SELECT FROM ensure_partitions('t')");
            let phases = watch(&mut client, began);
            (began.elapsed(), phases)
        });
        let by_phase = phases
            .iter()
            .enumerate()
            .map(|(place, (phase, from))| {
                let to = phases.get(place + 1).map(|(_, to)| *to);
                let of_phase = inserts.iter().filter(|insert| {
                    insert.began + insert.took >= *from && to.is_none_or(|to| insert.began < to)
                });
                format!("{phase} {:.1}", longest(of_phase))
            })
            .collect();
        (self.outcome(&mut client, took, &inserts), by_phase)
    }

    /// Each partition in a transaction of its own, rows moved under a lock: what keeps others from adding
    /// rows of its range meanwhile, for which ATTACH would fail.
    fn by_hand(&self) -> (Took, Duration) {
        let mut client = self.open();
        self.fill(&mut client);
        let (took, inserts) = self.amid_inserts(|| {
            let began = Instant::now();
            for place in 1..=PARTITIONS {
                let (from, to) = (place * self.width, (place + 1) * self.width);
                run(
                    &mut client,
                    &format!(
                        "BEGIN;
                         CREATE TABLE t_p{from} (LIKE t INCLUDING ALL);
                         LOCK t, t_default IN SHARE ROW EXCLUSIVE MODE;
                         WITH moved AS (DELETE FROM t_default WHERE id >= {from} AND id < {to} RETURNING *)
                         INSERT INTO t_p{from} SELECT * FROM moved;
                         ALTER TABLE t ATTACH PARTITION t_p{from} FOR VALUES FROM ({from}) TO ({to});
                         COMMIT"
                    ),
                );
            }
            began.elapsed()
        });
        (self.outcome(&mut client, took, &inserts), took)
    }

    /// Sees to it that no row is missing, or in the wrong place.
    fn outcome(&self, client: &mut Client, took: Duration, inserts: &[Insert]) -> Took {
        let row = client
            .query_one(
                "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM t_default),
                        (SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass)",
                &[],
            )
            .expect("the table can be read");
        let inserted = i64::try_from(inserts.len()).expect("a number of rows");
        let found: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(
            found,
            (self.rows() + inserted, 0, PARTITIONS + 2),
            "rows, those in the default partition, and partitions"
        );
        Took {
            millis: took.as_secs_f64() * 1e3,
            stall: Some(longest(inserts.iter().skip(WARM))),
        }
    }

    /// Runs work while a client inserts rows of the default partition, as fast as it can.
    fn amid_inserts<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<Insert>) {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let inserter = scope.spawn(|| self.insert_all_the_time(&stop));
            let stops = StopOnDrop(&stop);
            std::thread::sleep(Duration::from_millis(300));
            let done = work();
            std::thread::sleep(Duration::from_millis(100));
            drop(stops);
            (done, inserter.join().expect("inserts succeed"))
        })
    }

    fn insert_all_the_time(&self, stop: &AtomicBool) -> Vec<Insert> {
        let mut client = self.open();
        let statement = client
            .prepare("INSERT INTO t VALUES ($1, $2, 'w')")
            .expect("the table is there");
        let mut inserts = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let number = i64::try_from(inserts.len()).expect("a number") + 1;
            // All over the ranges.
            let key = self.width + number * 7_919 % self.rows();
            let began = Instant::now();
            client
                .execute(&statement, &[&key, &number])
                .expect("an insert succeeds");
            inserts.push(Insert {
                began,
                took: began.elapsed(),
            });
        }
        inserts
    }
}

/// The first inserts make a session's caches, and plans.
const WARM: usize = 20;

fn longest<'a>(inserts: impl Iterator<Item = &'a Insert>) -> f64 {
    let longest = inserts.map(|insert| insert.took).max();
    longest.unwrap_or(Duration::ZERO).as_secs_f64() * 1e3
}

/// Watches a draining until it is done; when it came into its phases.
fn watch(client: &mut Client, began: Instant) -> Vec<(String, Instant)> {
    let mut phases = vec![("starting".to_owned(), began)];
    let statement = client
        .prepare("SELECT phase FROM partman_rs.job ORDER BY id DESC LIMIT 1")
        .expect("the job's table is there");
    loop {
        let row = client.query_one(&statement, &[]);
        let phase: String = row.expect("the job is there").get(0);
        if phases.last().is_none_or(|(last, _)| *last != phase) {
            phases.push((phase.clone(), Instant::now()));
        }
        if phase == "finished" {
            return phases;
        }
        let is_stuck = ["failed", "cancelled", "paused"].contains(&phase.as_str());
        assert!(!is_stuck && began.elapsed() < LIMIT, "the job is {phase}");
        std::thread::sleep(LOOK);
    }
}
