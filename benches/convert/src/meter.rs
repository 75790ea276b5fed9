//! Seconds, processor time, WAL and disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bed::Plot;

/// Ticks of /proc/…/stat, as Linux has them everywhere.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a piece of work took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub seconds: f64,
    /// Seconds of processors, of all the server's processes: what others on the machine do counts
    /// less here.
    pub processor: f64,
    pub wal: f64,
    /// The most that the database was ever larger than at the start.
    pub disk: f64,
}

const DISK_EVERY: Duration = Duration::from_millis(200);

/// Runs `work` and measures it.
pub fn measure<T>(plot: &Plot, work: impl FnOnce() -> T) -> (Cost, T) {
    let mut client = plot.open();
    let mut look = || -> (i64, f64) {
        let row = client
            .query_one(
                "SELECT pg_database_size(current_database()), (pg_current_wal_lsn() - '0/0')::float8",
                &[],
            )
            .expect("the server answers");
        (row.get(0), row.get(1))
    };
    let (size, wal) = look();
    let before = processor_seconds(plot);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut client = plot.open();
            let mut peak = size;
            while !done.load(Ordering::Relaxed) {
                // A file may vanish while the sizes are added up.
                if let Ok(row) =
                    client.query_one("SELECT pg_database_size(current_database())", &[])
                {
                    peak = peak.max(row.get(0));
                }
                std::thread::park_timeout(DISK_EVERY);
            }
            peak
        });
        let began = Instant::now();
        let result = work();
        let seconds = began.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        let peak = watch.join().expect("it only looks");
        let (_, wal_after) = look();
        let cost = Cost {
            seconds,
            processor: processor_seconds(plot) - before,
            wal: wal_after - wal,
            disk: (peak - size) as f64,
        };
        (cost, result)
    })
}

/// Processor time of the server's processes, those that have ended included.
fn processor_seconds(plot: &Plot) -> f64 {
    let file = plot.bed.cluster.data_dir().join("postmaster.pid");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let postmaster = text.lines().next().unwrap_or_default().to_owned();
    let children =
        std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
    let children = children.unwrap_or_default();
    let living: f64 = children
        .split_whitespace()
        .map(|pid| ticks(pid, 11..13))
        .sum();
    // Fields 14 to 17 are those of the process, then those of its children that have ended.
    (ticks(&postmaster, 11..15) + living) / TICKS_PER_SECOND
}

/// A sum of fields of /proc/PID/stat, counted from the one after the name in parentheses.
fn ticks(pid: &str, fields: std::ops::Range<usize>) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let numbers: Vec<f64> = rest
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    numbers
        .get(fields)
        .map_or(0.0, |fields| fields.iter().sum())
}
