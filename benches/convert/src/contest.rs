//! The ways to fill a partitioned table while nobody else is there.

use std::time::{Duration, Instant};

use partman_rig::conversion::{self, Conversion};
use postgres::Client;

use crate::bed::{Bed, LOOK, MONTHS, RANGE, check_shape, digest, run};
use crate::meter::{Cost, measure};

/// Longest that a conversion may take; it is given up then.
pub const LIMIT: Duration = Duration::from_secs(600);

const INDEXES: &str = "ALTER TABLE twin ADD PRIMARY KEY (id, executed_at);
                       CREATE INDEX ON twin (executed_at);
                       CREATE INDEX ON twin (symbol, executed_at);";

/// How the table is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// INSERT … SELECT into partitions that have their indexes.
    Indexed,
    /// INSERT … SELECT, then indexes.
    LoadThenIndex,
    /// Ours, with so many workers.
    Ours(u32),
}

impl Way {
    pub fn name(self) -> String {
        match self {
            Way::Indexed => "(a) INSERT … SELECT with indexes".to_owned(),
            Way::LoadThenIndex => "(b) INSERT … SELECT, then indexes".to_owned(),
            Way::Ours(1) => "(c) ours, 1 worker".to_owned(),
            Way::Ours(workers) => format!("(c) ours, {workers} workers"),
        }
    }
}

/// One run, its result checked.
pub fn compete(bed: &mut Bed, way: Way) -> (Cost, Phases) {
    let plot = bed.fresh();
    let mut client = plot.open();
    let (cost, phases) = measure(&plot, || match way {
        Way::Ours(workers) => convert(&mut client, workers),
        Way::Indexed | Way::LoadThenIndex => {
            insert_select(&mut client, way == Way::Indexed);
            Phases::default()
        }
    });
    let table = if matches!(way, Way::Ours(_)) {
        "trades"
    } else {
        "twin"
    };
    check_shape(&mut client, table);
    assert!(
        digest(&mut client, table) == plot.bed.wanted,
        "{} made other rows than it was given",
        way.name()
    );
    (cost, phases)
}

fn insert_select(client: &mut Client, indexes_first: bool) {
    let (start, _) = RANGE;
    let partitions: String = (0..MONTHS)
        .map(|month| {
            let bound = |n: i64| format!("'{:04}-{:02}-01 00:00+00'", 2023 + n / 12, n % 12 + 1);
            format!(
                "CREATE TABLE twin_{month} PARTITION OF twin FOR VALUES FROM ({}) TO ({});",
                bound(month),
                bound(month + 1)
            )
        })
        .collect();
    assert!(
        start.starts_with("2023-01"),
        "bounds are counted from there"
    );
    run(
        client,
        &format!(
            "CREATE TABLE twin (LIKE trades INCLUDING DEFAULTS INCLUDING STORAGE) PARTITION BY RANGE (executed_at);
             {partitions} CREATE TABLE twin_default PARTITION OF twin DEFAULT;"
        ),
    );
    if indexes_first {
        run(client, INDEXES);
    }
    run(client, "INSERT INTO twin SELECT * FROM trades");
    if !indexes_first {
        run(client, INDEXES);
    }
}

/// When a job came into its phases.
#[derive(Debug, Clone, Default)]
pub struct Phases(pub Vec<(String, Instant)>);

impl Phases {
    /// Seconds by phase.
    pub fn seconds(&self) -> Vec<(String, f64)> {
        let pairs = self.0.windows(2);
        pairs
            .map(|pair| {
                let took = pair[1].1.duration_since(pair[0].1);
                (pair[0].0.clone(), took.as_secs_f64())
            })
            .collect()
    }

    /// When the job began and when it had swapped.
    pub fn span(&self) -> (Instant, Instant) {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => (first.1, last.1),
            _ => panic!("a job without phases"),
        }
    }
}

/// Starts a conversion and watches it until it has swapped.
pub fn convert(client: &mut Client, workers: u32) -> Phases {
    start(client, workers);
    watch(client, |_| {})
}

/// Starts a conversion.
pub fn start(client: &mut Client, workers: u32) {
    let (start, end) = RANGE;
    let call = Conversion::of("trades", "executed_at", "1 month")
        .with(&format!("range_start => '{start}', range_end => '{end}'"))
        .with(&format!("time_zone => 'UTC', copy_workers => {workers}"));
    if let Err(error) = call.start(client) {
        panic!("{}", partman_rig::fault::describe(&error));
    }
}

/// Watches a job until it has swapped, and tells of each phase.
pub fn watch(client: &mut Client, mut told: impl FnMut(&str)) -> Phases {
    let began = Instant::now();
    let mut phases = Phases(vec![("starting".to_owned(), began)]);
    let statement = client
        .prepare("SELECT phase FROM partman_rs.job ORDER BY id DESC LIMIT 1")
        .expect("the job's table is there");
    loop {
        let row = client.query_one(&statement, &[]);
        let phase: String = row.expect("the job is there").get(0);
        if phases.0.last().is_none_or(|(last, _)| *last != phase) {
            phases.0.push((phase.clone(), Instant::now()));
            told(&phase);
        }
        if phase == "reversible" {
            return phases;
        }
        let stuck = ["failed", "cancelled", "paused"].contains(&phase.as_str());
        assert!(
            !stuck && began.elapsed() < LIMIT,
            "after {:?}: {:#?}",
            began.elapsed(),
            conversion::job(client, "trades")
        );
        std::thread::sleep(LOOK);
    }
}

/// Swap attempts and what was last waited for.
pub fn attempts(client: &mut Client) -> i32 {
    let sql = "SELECT swap_attempts FROM partman_rs.job ORDER BY id DESC LIMIT 1";
    let row = client.query_one(sql, &[]);
    row.expect("the job is there").get(0)
}

/// Rows, sum of keys and of quantities of the table, and how many keys are there twice.
pub fn sums(client: &mut Client) -> (i64, i128, i64) {
    let row = client
        .query_one(
            "SELECT count(*), sum(id)::text, sum(quantity)::bigint, count(*) - count(DISTINCT id) FROM trades",
            &[],
        )
        .expect("the table can be read");
    assert_eq!(row.get::<_, i64>(3), 0, "rows are there twice");
    let ids: String = row.get(1);
    (row.get(0), ids.parse().expect("a number"), row.get(2))
}

/// Checks what is left after a load.
pub fn check_load(client: &mut Client, wanted: (i64, i128, i64)) {
    check_shape(client, "trades");
    let found = sums(client);
    assert_eq!(found, wanted, "rows, sum of ids, sum of quantities");
}
