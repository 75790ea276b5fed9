//! What is to happen in one case.

use std::fmt;

/// How the conversion is struck when it comes to the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The worker dies by SIGKILL, upon which PostgreSQL restarts all sessions.
    WorkerKilled,
    /// The server dies by an immediate stop while the worker stands at the point.
    ServerStopped,
    /// The session that made the call dies by SIGKILL while the worker stands at the point.
    CallerKilled,
    /// The worker meets an error.
    ErrorRaised,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Resume,
    Cancel,
    /// Nothing: it must go on by itself.
    Nothing,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    pub point: String,
    pub blow: Blow,
    pub after: After,
}

impl Blow {
    /// Whether there is a case for it; once the swap is under way, the caller means nothing to it.
    pub fn applies_to(self, point: &str) -> bool {
        self != Self::CallerKilled || !point.starts_with("swap")
    }

    /// Whether the server comes back from it as from a crash.
    pub fn is_crash(self) -> bool {
        self != Self::ErrorRaised
    }
}

impl Case {
    pub fn new(point: &str, blow: Blow, after: After) -> Self {
        Self {
            point: point.to_owned(),
            blow,
            after,
        }
    }

    /// Whether the point lies on the way back, not on the way to the swap.
    pub fn is_about_cancelling(&self) -> bool {
        self.point.starts_with("cancel")
    }

    /// Whether the conversion is to end cancelled.
    pub fn ends_cancelled(&self) -> bool {
        self.after == After::Cancel || self.is_about_cancelling()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.point, self.blow, self.after)
    }
}
