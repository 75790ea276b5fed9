//! When maintenance is due: pure.

use std::time::Duration;

/// After failures the time to the next run grows up to this, however many there were.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(3600);

/// How long after a run the next one is due, after so many failures in a row.
pub fn delay(interval: Duration, failures: u32) -> Duration {
    interval
        .saturating_mul(2u32.saturating_pow(failures))
        .min(interval.max(LONGEST_BACK_OFF))
}

/// Whether a run is due, so many seconds after the last one. Where the clock was put back, it is.
pub fn is_due(interval: Duration, seconds_since: Option<f64>, failures: u32) -> bool {
    let delay = delay(interval, failures).as_secs_f64();
    seconds_since.is_none_or(|seconds| !(0.0..delay).contains(&seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn failures_double_the_delay_up_to_an_hour() {
        let minutes: Vec<u64> = [0, 1, 2, 3, 40, u32::MAX]
            .map(|failures| delay(10 * MINUTE, failures).as_secs() / 60)
            .into();
        assert_eq!(minutes, [10, 20, 40, 60, 60, 60]);
        // Who looks once a day does not look more often for a failure.
        assert_eq!(delay(1440 * MINUTE, 5), 1440 * MINUTE);
    }

    #[test]
    fn a_table_that_was_never_looked_at_is_due() {
        assert!(is_due(MINUTE, None, 3));
        assert!(!is_due(MINUTE, Some(59.9), 0));
        assert!(is_due(MINUTE, Some(60.0), 0));
        assert!(!is_due(MINUTE, Some(60.0), 1));
        assert!(is_due(MINUTE, Some(-5.0), 0), "the clock was put back");
    }
}
