//! Runs a transaction again and again at a given rate and measures it, for benches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::latency::Latency;

/// What one thread measured.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// From the start of each transaction to its end.
    pub service: Latency,
    /// From the moment at which it was due to its end: what somebody in the queue would see.
    pub response: Latency,
    pub failures: Vec<String>,
    pub elapsed: Duration,
}

impl Samples {
    pub fn merge(&mut self, other: Self) {
        self.service.merge(&other.service);
        self.response.merge(&other.response);
        self.failures.extend(other.failures);
        self.elapsed = self.elapsed.max(other.elapsed);
    }

    /// Transactions a second.
    pub fn throughput(&self) -> f64 {
        self.service.count() as f64 / self.elapsed.as_secs_f64()
    }
}

/// The moments at which something is due, each once it has come, until `stop` is set: `rate` times a second from `began` on
/// or, without one, as fast as they are asked for.
pub fn due_times(
    began: Instant,
    rate: Option<f64>,
    stop: &AtomicBool,
) -> impl Iterator<Item = Instant> {
    (0_u32..)
        .take_while(|_| !stop.load(Ordering::Relaxed))
        .map(move |count| {
            let due = rate.map_or_else(Instant::now, |rate| {
                began + Duration::from_secs_f64(f64::from(count) / rate)
            });
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due
        })
}

/// Runs `transaction` until `stop` is set, `rate` times a second or, without one, as fast as it can.
pub fn sample<E: std::fmt::Debug>(
    rate: Option<f64>,
    stop: &AtomicBool,
    mut transaction: impl FnMut() -> Result<(), E>,
) -> Samples {
    let mut samples = Samples::default();
    let began = Instant::now();
    for (count, due) in (0_u32..).zip(due_times(began, rate, stop)) {
        let start = Instant::now();
        if let Err(error) = transaction() {
            samples.failures.push(format!("{error:?}"));
        }
        samples.service.record(start.elapsed(), count);
        samples.response.record(due.elapsed(), count);
    }
    samples.elapsed = began.elapsed();
    samples
}

/// Runs one closure per thread, all at the same time, until `work` has returned; their sum.
pub fn sample_during<E, T, R>(
    rate: Option<f64>,
    transactions: Vec<T>,
    work: impl FnOnce() -> R,
) -> (Samples, R)
where
    E: std::fmt::Debug,
    T: FnMut() -> Result<(), E> + Send,
{
    let stop = AtomicBool::new(false);
    let rate_each = rate.map(|rate| rate / transactions.len().max(1) as f64);
    std::thread::scope(|scope| {
        let flag = &stop;
        let run = |transaction| scope.spawn(move || sample(rate_each, flag, transaction));
        let threads: Vec<_> = transactions.into_iter().map(run).collect();
        let result = {
            let _stops = StopOnDrop(flag);
            work()
        };
        let mut sum = Samples::default();
        for thread in threads {
            sum.merge(
                thread
                    .join()
                    .expect("samplers report failures, they do not panic"),
            );
        }
        (sum, result)
    })
}

/// Sets the flag however the work ends, for a scope waits for its threads even in a panic.
pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
