//! Runs cases one after another on one server, each in a database of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use partman_rig::cluster::{Cluster, ClusterBuilder};
use partman_rig::failpoint::{self, Failpoints};
use partman_rig::shape::Shape;
use partman_rig::shapes;
use partman_rig::stage::{OWNER, Stage};

use crate::case::Case;
use crate::drive;

/// Rows in the table under test.
pub const ROWS: i64 = 5_000;

/// Names the only cases to run.
const ONLY_ENV: &str = "PARTMAN_CRASH_ONLY";

/// More would tell no more.
const ENOUGH_FAILURES: usize = 8;

const TEMPLATE: &str = "seeded";

/// A server with a database to copy.
pub struct Suite {
    cluster: Arc<Cluster>,
}

impl Suite {
    pub fn new(builder: ClusterBuilder) -> Self {
        let cluster = Arc::new(builder.start());
        drop(Stage::on(Arc::clone(&cluster), TEMPLATE, shape(), ROWS));
        Self { cluster }
    }

    /// All failpoints that a conversion passes whose table no foreign key points at.
    pub fn points(&self) -> Vec<String> {
        let mut names = failpoint::names(&mut self.cluster.connect_as("postgres", TEMPLATE));
        let others = ["maintain:", "retire:", "detach:", "foreign_keys:", "steer:"];
        names.retain(|name| !others.iter().any(|prefix| name.starts_with(prefix)));
        assert!(names.len() >= 20, "only these failpoints? {names:?}");
        names
    }

    /// Runs the cases and fails with all that went wrong.
    pub fn run(&self, cases: Vec<Case>) {
        let only = std::env::var(ONLY_ENV).unwrap_or_default();
        let mut failed = Vec::new();
        for (serial, case) in cases
            .iter()
            .enumerate()
            .filter(|(_, case)| case.to_string().contains(&only))
        {
            let began = Instant::now();
            let database = format!("case_{serial}");
            let passed = catch_unwind(AssertUnwindSafe(|| {
                drive::run(case, &self.stage(&database))
            }))
            .is_ok();
            println!(
                "{} {case} ({:.1?})",
                if passed { "ok    " } else { "FAILED" },
                began.elapsed()
            );
            if !passed {
                eprintln!(
                    "---- server log at the end of {case} ----\n{}\n----",
                    self.cluster.log_tail(60)
                );
                failed.push(case.to_string());
            }
            self.tidy_up(&database);
            if failed.len() >= ENOUGH_FAILURES {
                break;
            }
        }
        assert!(
            failed.is_empty(),
            "{} of {} cases failed:\n{}",
            failed.len(),
            cases.len(),
            failed.join("\n")
        );
    }

    fn stage(&self, database: &str) -> Stage {
        let copy = format!("CREATE DATABASE {database} TEMPLATE {TEMPLATE} OWNER {OWNER}");
        self.cluster
            .connect()
            .batch_execute(&copy)
            .expect("a database can be copied");
        Stage::adopt(Arc::clone(&self.cluster), database, shape(), ROWS)
    }

    /// Removes what a case leaves, also one that failed half way.
    fn tidy_up(&self, database: &str) {
        Failpoints::of(&self.cluster).clear_all();
        if self.cluster.incarnation().is_none() {
            self.cluster.start();
        }
        let dropped = self
            .cluster
            .connect()
            .batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)"));
        dropped.expect("a database can be dropped, also with a job in it");
    }
}

fn shape() -> Shape {
    shapes::orders()
}
