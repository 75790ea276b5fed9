//! How long an attempt at the swap may keep others waiting.

use std::time::Duration;

const FIRST_LOCK: Duration = Duration::from_millis(10);
const FIRST_DRAIN: Duration = Duration::from_millis(10);
/// How long applying the end of the log under the lock may take at most.
pub const LONGEST_DRAIN: Duration = Duration::from_millis(40);

/// How long its locks may be waited for, all together, and the end of the log may take: twice as long with each
/// attempt, never longer than is promised. Where the gaps between transactions are short, many attempts that are all
/// too short would stall others more than few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub lock: Duration,
    pub drain: Duration,
}

impl Patience {
    /// For the n-th attempt, counted from 1; `limit` is what is promised of the locks.
    pub fn of_attempt(attempt: i32, limit: Duration) -> Patience {
        let twice = 1 << (attempt.clamp(1, 20) - 1);
        Patience {
            lock: (FIRST_LOCK * twice).min(limit),
            drain: (FIRST_DRAIN * twice).min(LONGEST_DRAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(attempt: i32, limit: u64) -> (u128, u128) {
        let patience = Patience::of_attempt(attempt, Duration::from_millis(limit));
        (patience.lock.as_millis(), patience.drain.as_millis())
    }

    #[test]
    fn it_doubles_up_to_what_is_promised() {
        let all: Vec<_> = (1..=6).map(|attempt| millis(attempt, 100)).collect();
        assert_eq!(
            all,
            [(10, 10), (20, 20), (40, 40), (80, 40), (100, 40), (100, 40)]
        );
        assert_eq!(millis(1, 5), (5, 10));
        assert_eq!(millis(9, 2_000), (2_000, 40));
        assert_eq!(millis(0, 100), (10, 10));
        assert_eq!(millis(i32::MAX, 60_000), (60_000, 40));
    }
}
