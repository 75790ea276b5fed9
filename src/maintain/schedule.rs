//! When maintenance is due: pure.

use std::time::Duration;

/// After failures the time to the next run grows up to this, however many there were.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(3600);

/// The time between two runs of a table: the policy's own, in seconds, or that of the setting.
pub fn interval(setting: Duration, own: Option<f64>) -> Duration {
    own.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(setting)
}

/// Whether a time of day lies in quiet hours, all in seconds of the day; what ends before it begins
/// ends the next day.
///
/// They are read off the clock on the wall: where it is put forward what is left out is not missed, and
/// where it is put back an hour may be quiet twice.
pub fn is_quiet((from, until, now): (f64, f64, f64)) -> bool {
    match from <= until {
        true => (from..until).contains(&now),
        false => now >= from || now < until,
    }
}

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
    fn quiet_hours_end_before_their_end_and_may_span_midnight() {
        const HOUR: f64 = 3600.0;
        let quiet =
            |from: f64, until: f64, now: f64| is_quiet((from * HOUR, until * HOUR, now * HOUR));
        let of_day: Vec<bool> = [7.99, 8.0, 12.0, 17.99, 18.0, 0.0]
            .map(|now| quiet(8.0, 18.0, now))
            .into();
        assert_eq!(of_day, [false, true, true, true, false, false]);
        let of_night: Vec<bool> = [21.99, 22.0, 23.99, 0.0, 5.99, 6.0, 12.0]
            .map(|now| quiet(22.0, 6.0, now))
            .into();
        assert_eq!(of_night, [false, true, true, true, true, false, false]);
        // To the end of the day, and from its beginning.
        assert!(quiet(22.0, 24.0, 23.999) && !quiet(22.0, 24.0, 0.0));
        assert!(quiet(0.0, 6.0, 0.0) && !quiet(0.0, 6.0, 23.0));
        assert!(quiet(22.0, 0.0, 23.0) && !quiet(22.0, 0.0, 0.0));
    }

    #[test]
    fn days_on_which_the_clock_is_put_have_their_quiet_hours() {
        // In New York, by minutes of elapsed time since midnight, on the day when 2:00 becomes 3:00,
        // and on the one when 2:00 becomes 1:00.
        let minutes = |from: f64, until: f64, put: fn(u32) -> u32, length: u32| {
            let at =
                |minute: u32| is_quiet((from * 60.0, until * 60.0, f64::from(put(minute)) * 60.0));
            (0..length).filter(|minute| at(*minute)).count()
        };
        let forward = |minute| if minute < 120 { minute } else { minute + 60 };
        let back = |minute| if minute < 120 { minute } else { minute - 60 };
        let (one, half_past_two, four) = (60.0, 150.0, 240.0);
        assert_eq!(minutes(one, four, forward, 23 * 60), 120);
        assert_eq!(minutes(one, four, back, 25 * 60), 240);
        // One that begins in the hour that is left out begins with the hour after it.
        assert_eq!(minutes(half_past_two, four, forward, 23 * 60), 60);
    }

    #[test]
    fn a_policy_may_have_an_interval_of_its_own() {
        assert_eq!(interval(MINUTE, None), MINUTE);
        assert_eq!(interval(MINUTE, Some(3.5)), Duration::from_millis(3500));
        assert_eq!(interval(MINUTE, Some(-1.0)), MINUTE);
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
