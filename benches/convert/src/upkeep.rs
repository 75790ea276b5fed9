//! Maintenance of sets of partitions, beside plain SQL that does the same, and what a client that
//! inserts all the time sees of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::sampler::StopOnDrop;
use postgres::Client;

use crate::bed::run;
use crate::{drainage, report};

/// Partitions made, and dropped, in one go.
const BATCH: i64 = 30;
/// Keys of a partition.
const WIDTH: i64 = 100;
/// So many sets, of so many partitions, for one call.
const MANY: (i64, i64) = (500, 10);

const SETTINGS: [(&str, &str); 8] = [
    ("shared_preload_libraries", "pg_partman_rs"),
    // Turned on only for the rounds that are its own.
    ("pg_partman_rs.maintenance_interval", "0"),
    ("pg_partman_rs.launcher_naptime", "1s"),
    ("pg_partman_rs.max_partitions", "10000"),
    ("pg_partman_rs.retention_max_partitions", "1000"),
    // One transaction makes thousands of tables, with indexes and TOAST.
    ("max_locks_per_transaction", "1000"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "30min"),
];

/// What a piece of work took, and the longest insert meanwhile, where a client inserted.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    pub millis: f64,
    pub stall: Option<f64>,
}

/// One kind of work, by different hands.
pub struct Line {
    pub what: &'static str,
    pub ours: Took,
    /// Nothing where plain SQL has nothing to compare.
    pub plain: Option<Took>,
}

/// Measures all sizes, and a default partition of so many rows, and prints each as it is done.
pub fn measure(sizes: &[i64], default_rows: i64, shared_buffers: &str) {
    let mut builder = Cluster::builder()
        .fsync(true)
        .setting("shared_buffers", shared_buffers);
    for (name, value) in SETTINGS {
        builder = builder.setting(name, value);
    }
    let cluster = builder.start();
    if default_rows > 0 {
        drainage::measure(&cluster, default_rows);
    }
    for &size in sizes {
        report::upkeep(
            &format!("(i) a set of {size}"),
            &Field::new(&cluster, format!("set_{size}"), size).measure(),
        );
    }
    report::upkeep(
        &format!("(i) {} sets of {}", MANY.0, MANY.1),
        &[many(&cluster)],
    );
}

/// A database with two tables alike: `ours` has a policy, `plain` is kept by hand.
struct Field<'a> {
    cluster: &'a Cluster,
    database: String,
    size: i64,
}

impl<'a> Field<'a> {
    fn new(cluster: &'a Cluster, database: String, size: i64) -> Self {
        run(
            &mut cluster.connect(),
            &format!("CREATE DATABASE {database}"),
        );
        Self {
            cluster,
            database,
            size,
        }
    }

    fn open(&self) -> Client {
        let login = self
            .cluster
            .login(SUPERUSER, &self.database)
            .with_options("-c statement_timeout=0");
        login.open().expect("the server takes connections")
    }

    fn measure(&self) -> Vec<Line> {
        let mut client = self.open();
        run(&mut client, "CREATE EXTENSION pg_partman_rs");
        for table in ["ours", "plain"] {
            run(
                &mut client,
                &format!(
                    "CREATE TABLE {table} (id bigint, n bigint, v text NOT NULL, PRIMARY KEY (id, n)) PARTITION BY RANGE (id);
                     CREATE INDEX ON {table} (v);"
                ),
            );
        }
        let size = self.size;
        let mut lines = vec![Line {
            what: "the whole set made",
            ours: self.ours_makes(&mut client, size - 1, None),
            plain: Some(timed(&mut client, &attach(0..size))),
        }];
        // Two rows in each; the last one is in use.
        let newest = (size - 1) * WIDTH + WIDTH / 2;
        for table in ["ours", "plain"] {
            run(
                &mut client,
                &format!(
                    "INSERT INTO {table} SELECT i, 0, 'v' FROM generate_series(0, {newest}, {}) i",
                    WIDTH / 2
                ),
            );
        }
        policy(&mut client, "premake => 0");
        run(&mut client, "VACUUM ANALYZE");
        run(&mut client, "CHECKPOINT");
        let mut idle: Vec<f64> = (0..5)
            .map(|_| timed(&mut client, "SELECT FROM ensure_partitions('ours')").millis)
            .collect();
        idle.sort_by(f64::total_cmp);
        lines.push(Line {
            what: "nothing to do",
            ours: Took {
                millis: idle[2],
                stall: None,
            },
            plain: None,
        });
        for (what, busy, from) in [
            ("30 made", None, 0),
            ("30 made, with a client", Some(newest), BATCH),
        ] {
            lines.push(Line {
                what,
                ours: self.ours_makes(&mut client, from + BATCH, busy.map(|key| ("ours", key))),
                plain: Some(self.amid(busy.map(|key| ("plain", key)), || {
                    timed(&mut client, &attach(size + from..size + from + BATCH))
                })),
            });
        }
        for (what, busy, from) in [
            ("30 dropped", None, 0),
            ("30 dropped, with a client", Some(newest), BATCH),
        ] {
            policy(&mut client, &retention(newest, from + BATCH));
            lines.push(Line {
                what,
                ours: self.amid(busy.map(|key| ("ours", key)), || {
                    timed(&mut client, "SELECT FROM ensure_partitions('ours')")
                }),
                plain: Some(self.amid(busy.map(|key| ("plain", key)), || {
                    timed(&mut client, &drop_tables(from..from + BATCH))
                })),
            });
        }
        policy(&mut client, &format!("premake => {}", 3 * BATCH));
        lines.push(self.by_worker(&mut client, "30 made by the worker", newest, size + BATCH));
        policy(&mut client, &retention(newest, 3 * BATCH));
        lines.push(self.by_worker(&mut client, "30 dropped by the worker", newest, size));
        assert_eq!(
            count(&mut client),
            size,
            "partitions are missing, or too many"
        );
        lines
    }

    fn ours_makes(
        &self,
        client: &mut Client,
        premake: i64,
        busy: Option<(&'static str, i64)>,
    ) -> Took {
        policy(client, &format!("premake => {premake}"));
        self.amid(busy, || {
            timed(client, "SELECT FROM ensure_partitions('ours')")
        })
    }

    /// Runs work while a client inserts this key into that table, if there is to be one.
    fn amid(&self, busy: Option<(&'static str, i64)>, work: impl FnOnce() -> Took) -> Took {
        let Some((table, key)) = busy else {
            return work();
        };
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let inserter = scope.spawn(|| insert_all_the_time(self.open(), table, key, &stop));
            let stops = StopOnDrop(&stop);
            // The client warms up, and meets what was left behind.
            std::thread::sleep(Duration::from_millis(300));
            let took = work();
            std::thread::sleep(Duration::from_millis(100));
            drop(stops);
            let stall = inserter.join().expect("inserts succeed");
            Took {
                stall: Some(stall),
                ..took
            }
        })
    }

    /// The worker's own time is that from its first action to its last.
    fn by_worker(&self, client: &mut Client, what: &'static str, newest: i64, wanted: i64) -> Line {
        let before: i64 = client
            .query_one("SELECT max(id) FROM partman_rs.run", &[])
            .expect("there were runs")
            .get(0);
        let ours = self.amid(Some(("ours", newest)), || {
            switch(client, "'1s'");
            let began = Instant::now();
            while count(client) != wanted {
                assert!(
                    began.elapsed() < Duration::from_secs(120),
                    "the worker does not come"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
            switch(client, "0");
            let millis = client
                .query_one(
                    "SELECT extract(epoch FROM max(ended_at) - min(started_at))::float8 * 1000 FROM partman_rs.run WHERE id > $1",
                    &[&before],
                )
                .expect("runs can be read")
                .get(0);
            Took {
                millis,
                stall: None,
            }
        });
        Line {
            what,
            ours,
            plain: None,
        }
    }
}

fn many(cluster: &Cluster) -> Line {
    let field = Field::new(cluster, "many_sets".to_owned(), MANY.0 * MANY.1);
    let mut client = field.open();
    run(
        &mut client,
        &format!(
            "CREATE EXTENSION pg_partman_rs;
             DO $$ BEGIN FOR t IN 1..{} LOOP
                 EXECUTE format('CREATE TABLE s%s (at timestamptz NOT NULL, v text) PARTITION BY RANGE (at)', t);
                 PERFORM set_partition_policy(format('s%s', t)::regclass, '1 month', premake => {});
             END LOOP; END $$;
             SELECT FROM ensure_partitions();",
            MANY.0,
            MANY.1 - 1
        ),
    );
    // The first call of a session reads the catalog, too.
    let mut took: Vec<f64> = (0..5)
        .map(|_| timed(&mut client, "SELECT FROM ensure_partitions()").millis)
        .collect();
    took.sort_by(f64::total_cmp);
    Line {
        what: "nothing to do",
        ours: Took {
            millis: took[2],
            stall: None,
        },
        plain: None,
    }
}

/// Milliseconds of the longest insert.
fn insert_all_the_time(mut client: Client, table: &str, key: i64, stop: &AtomicBool) -> f64 {
    let statement = client
        .prepare(&format!(
            "INSERT INTO {table} SELECT $1, coalesce(max(n), 0) + 1, 'v' FROM {table} WHERE id = $1"
        ))
        .expect("the table is there");
    let mut longest = Duration::ZERO;
    let mut warm = 0;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        client
            .execute(&statement, &[&key])
            .expect("an insert succeeds");
        warm += 1;
        // The first ones make a session's caches, and plans.
        if warm > 20 {
            longest = longest.max(began.elapsed());
        }
    }
    longest.as_secs_f64() * 1e3
}

fn timed(client: &mut Client, sql: &str) -> Took {
    let began = Instant::now();
    run(client, sql);
    Took {
        millis: began.elapsed().as_secs_f64() * 1e3,
        stall: None,
    }
}

fn policy(client: &mut Client, with: &str) {
    run(
        client,
        &format!("SELECT set_partition_policy('ours', '{WIDTH}', {with})"),
    );
}

/// So that the first partitions are old.
fn retention(newest: i64, partitions: i64) -> String {
    let kept = newest - partitions * WIDTH;
    format!("retention => '{kept}', retention_action => 'drop'")
}

/// As one makes partitions by hand without stopping anybody, in one transaction.
fn attach(range: std::ops::Range<i64>) -> String {
    format!(
        "DO $$ BEGIN FOR i IN {}..{} LOOP
             EXECUTE format('CREATE TABLE plain_p%s (LIKE plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', i);
             EXECUTE format('ALTER TABLE plain ATTACH PARTITION plain_p%s FOR VALUES FROM (%s) TO (%s)',
                            i, i * {WIDTH}, (i + 1) * {WIDTH});
         END LOOP; END $$",
        range.start,
        range.end - 1
    )
}

fn drop_tables(range: std::ops::Range<i64>) -> String {
    let names: Vec<String> = range.map(|i| format!("plain_p{i}")).collect();
    format!("DROP TABLE {}", names.join(", "))
}

fn count(client: &mut Client) -> i64 {
    client
        .query_one(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ours'::regclass",
            &[],
        )
        .expect("the catalog can be read")
        .get(0)
}

fn switch(client: &mut Client, interval: &str) {
    run(
        client,
        &format!("ALTER SYSTEM SET pg_partman_rs.maintenance_interval = {interval}"),
    );
    run(client, "SELECT pg_reload_conf()");
}
