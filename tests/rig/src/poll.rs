//! Waiting for a condition, with a deadline; the rig never sleeps and hopes.

use std::time::{Duration, Instant};

/// How long anything may take that has to come. It measures nothing: only what hangs meets it, in a debug build on a
/// machine that is slow, busy with other things, and stands still for a while now and then.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How long what waits for nothing may take on such a machine: less than what waits for something that does not come.
pub const AT_ONCE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(10);

/// Asks until there is an answer, or until `limit` has passed.
pub fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// As [`until`], for a condition that the test cannot go on without.
///
/// # Panics
/// When `limit` passes; `what` completes the sentence "waited 5s for …".
pub fn expect(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    assert!(
        until(limit, || holds().then_some(())).is_some(),
        "waited {limit:?} for {what}"
    );
}
