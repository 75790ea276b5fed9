//! How fast the change log is applied, and how much of it fits into a given time.

use std::time::Duration;

/// How long one round should take: nothing holds a snapshot for longer.
const ROUND: Duration = Duration::from_millis(1000);
/// Entries that a first round takes, before anything was measured.
const FIRST_BATCH: usize = 5_000;
const SMALLEST_BATCH: usize = 500;
const LARGEST_BATCH: usize = 200_000;
/// A round of fewer is mostly what every round costs, however little it has to do.
const TELLING: usize = 50;
/// So few are applied at once whatever was measured: where a round was slow because the machine stood still, those
/// that come are not, and if each of them finds little there will never be another measurement.
const ALWAYS: u64 = 100;

/// The pace of catching up, as last measured.
pub struct Pace {
    batch: usize,
    seconds_per_entry: f64,
}

impl Pace {
    /// Before anything was measured.
    pub fn new() -> Pace {
        Pace {
            batch: FIRST_BATCH,
            seconds_per_entry: 0.000_1,
        }
    }

    /// Entries that the next round takes: as many as it has time for.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Learns from a round.
    pub fn learn(&mut self, entries: usize, took: Duration) {
        if entries < TELLING {
            return;
        }
        self.seconds_per_entry = took.as_secs_f64() / entries as f64;
        let fitting = (ROUND.as_secs_f64() / self.seconds_per_entry) as usize;
        self.batch = fitting.clamp(SMALLEST_BATCH, LARGEST_BATCH);
    }

    /// All of a batch waits for something behind it in the log: the next round looks further.
    pub fn look_further(&mut self) {
        self.batch = self.batch.saturating_mul(2);
    }

    /// How many entries are applied within a time that others have to wait for it.
    pub fn within(&self, time: Duration) -> u64 {
        ((time.as_secs_f64() / self.seconds_per_entry) as u64).max(ALWAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_fill_a_round() {
        let mut pace = Pace::new();
        assert_eq!(pace.batch(), 5_000);
        pace.learn(1_000, Duration::from_millis(100));
        assert_eq!(pace.batch(), 10_000);
        pace.learn(1_000, Duration::from_secs(1_000));
        assert_eq!(pace.batch(), 500);
        pace.learn(1_000_000, Duration::from_millis(1));
        assert_eq!(pace.batch(), 200_000);
        pace.look_further();
        assert_eq!(pace.batch(), 400_000);
    }

    #[test]
    fn a_round_with_little_to_do_tells_nothing() {
        let mut pace = Pace::new();
        let before = pace.within(Duration::from_millis(40));
        pace.learn(49, Duration::from_secs(1));
        pace.learn(0, Duration::from_secs(1));
        assert_eq!(pace.within(Duration::from_millis(40)), before);
        pace.learn(50, Duration::from_millis(25));
        assert_eq!(pace.within(Duration::from_millis(40)), 80.max(ALWAYS));
        assert_eq!(pace.within(Duration::from_millis(400)), 800);
    }

    #[test]
    fn a_round_that_stood_still_does_not_end_all_attempts() {
        let mut pace = Pace::new();
        pace.learn(60, Duration::from_secs(60));
        assert_eq!(pace.within(Duration::from_millis(10)), ALWAYS);
        assert_eq!(pace.batch(), 500);
    }
}
