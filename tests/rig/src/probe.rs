//! Is the table readable and writable all the time? Asks twenty times a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::workload::{Actor, Failure, Kind, Report};

const EVERY: Duration = Duration::from_millis(50);

/// Whoever waits longer than this for a lock calls the table unavailable. How long the statement itself takes on a busy
/// machine is not the table's fault; the second limit is for what keeps it up in some other way.
const PATIENCE: &str = "-c lock_timeout=1s -c statement_timeout=30s";

/// Why a failure at some time may be a test's own doing.
#[derive(Debug, Clone, Copy)]
struct Excuse {
    from: Instant,
    to: Option<Instant>,
}

/// A probe at work.
pub struct Probe {
    stop: Arc<AtomicBool>,
    excuses: Arc<Mutex<Vec<Excuse>>>,
    thread: Option<JoinHandle<(Report, Vec<Outage>)>>,
}

/// A time without a connection.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    pub began: Instant,
    pub took: Duration,
}

/// What a probe has seen.
#[derive(Debug)]
pub struct Findings {
    /// The probe's own changes, for the content oracle.
    pub report: Report,
    /// Failures that nothing excuses.
    pub failures: Vec<Failure>,
    pub outages: Vec<Outage>,
}

impl Probe {
    /// Starts to ask, as this actor.
    pub fn start(actor: Actor) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || watch(actor.with_options(PATIENCE), &told));
        Self {
            stop,
            excuses: Arc::default(),
            thread: Some(thread),
        }
    }

    /// From now on the test itself holds up the table, say by parking a worker that has it locked.
    pub fn excuse(&self) {
        self.excuses
            .lock()
            .expect("no one panics with it")
            .push(Excuse {
                from: Instant::now(),
                to: None,
            });
    }

    /// From now on it no longer does.
    pub fn excuse_no_more(&self) {
        if let Some(last) = self
            .excuses
            .lock()
            .expect("no one panics with it")
            .last_mut()
        {
            last.to.get_or_insert_with(Instant::now);
        }
    }

    /// Ends the probe.
    pub fn finish(mut self) -> Findings {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("a probe is finished once");
        let (mut report, outages) = thread
            .join()
            .expect("a probe reports failures, it does not panic");
        let excuses = self.excuses.lock().expect("no one panics with it").clone();
        let failures = std::mem::take(&mut report.failures);
        let unexcused = |failure: &Failure| !excuses.iter().any(|excuse| excuse.covers(failure.at));
        Findings {
            report,
            failures: failures.into_iter().filter(unexcused).collect(),
            outages,
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Excuse {
    /// A statement that fails has waited a second for it.
    fn covers(&self, failed_at: Instant) -> bool {
        failed_at >= self.from
            && self
                .to
                .is_none_or(|to| failed_at <= to + Duration::from_millis(1_200))
    }
}

fn watch(mut actor: Actor, stop: &AtomicBool) -> (Report, Vec<Outage>) {
    let mut outages = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let (began, before) = (Instant::now(), actor.reconnects());
        actor.perform(Kind::Probe);
        if actor.reconnects() > before {
            outages.push(Outage {
                began,
                took: began.elapsed(),
            });
        }
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
    (actor.into_report(), outages)
}
