//! How long statements took, and which was the worst.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// The longest that a client was kept waiting.
#[derive(Debug, Clone)]
pub struct Stall {
    pub took: Duration,
    pub ended_at: Instant,
    pub what: String,
}

/// A histogram of durations in microseconds, and the longest of them with its circumstances.
#[derive(Debug, Clone)]
pub struct Latency {
    histogram: Histogram<u64>,
    longest: Option<Stall>,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    pub fn new() -> Self {
        let histogram = Histogram::new(3).expect("three digits are within its range");
        Self {
            histogram,
            longest: None,
        }
    }

    /// Adds one duration; `what` is kept where it is the longest so far.
    pub fn record(&mut self, took: Duration, what: impl Debug) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(micros);
        if self.longest.as_ref().is_none_or(|stall| took > stall.took) {
            self.longest = Some(Stall {
                took,
                ended_at: Instant::now(),
                what: format!("{what:?}"),
            });
        }
    }

    /// Adds all that another has seen.
    pub fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("an auto-resizing histogram takes any value");
        let theirs = other.longest.clone();
        if theirs.as_ref().map(|s| s.took) > self.longest.as_ref().map(|s| s.took) {
            self.longest = theirs;
        }
    }

    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The duration that the given share of all, in percent, did not exceed.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.histogram.value_at_percentile(percent))
    }

    pub fn max(&self) -> Duration {
        self.longest
            .as_ref()
            .map_or(Duration::ZERO, |stall| stall.took)
    }

    pub fn longest(&self) -> Option<&Stall> {
        self.longest.as_ref()
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let (p50, p99) = (self.percentile(50.0), self.percentile(99.0));
        format!(
            "{} statements, p50 {p50:.1?}, p99 {p99:.1?}, longest {:.1?}",
            self.count(),
            self.max()
        )
    }
}
