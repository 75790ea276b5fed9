//! Seconds, WAL and disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bed::Plot;

/// What a piece of work took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub seconds: f64,
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
            wal: wal_after - wal,
            disk: (peak - size) as f64,
        };
        (cost, result)
    })
}
