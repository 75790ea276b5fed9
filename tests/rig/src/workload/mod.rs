//! Clients that work on one table and write down what they did.
//!
//! [`Workload`] says who does what; [`Workload::start`] lets them loose; [`Running::stop`] calls
//! them back and returns a [`Report`], which the content oracle wants to see: every operation that
//! a client knows to be committed must be in the ledger, and no other.

mod actions;
mod client;
mod mix;
mod report;
mod session;
mod slow;
mod statements;
mod territory;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub use client::Actor;
pub use mix::{Kind, Mix};
pub use report::{Failure, Report};
pub use session::{Args, Protocol};
pub use statements::{Statements, Verb};

use crate::cluster::Login;
use crate::poll;
use crate::shape::Shape;
use territory::Territory;

/// Whoever had to wait for so long has not worked all that time.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// A load to be put on a table.
#[derive(Debug, Clone)]
pub struct Workload {
    shape: Shape,
    login: Login,
    seeds: i64,
    clients: usize,
    mix: Mix,
    protocols: Vec<Protocol>,
    rate: Option<f64>,
    restarts: bool,
    random_seed: u64,
}

/// How long each of so many clients rests after work that took so long: they may have the time of one processor in all,
/// so that others have the machine meanwhile, and the worker most of all.
pub fn rest_after(took: Duration, clients: usize) -> Duration {
    let others = u32::try_from(clients.saturating_sub(1)).unwrap_or(u32::MAX);
    took.saturating_mul(others).min(LONGEST_REST)
}

/// What all clients of a load share.
#[derive(Debug)]
pub(crate) struct Shared {
    stop: AtomicBool,
    clients: usize,
    operations: AtomicU64,
    next_number: AtomicI64,
    territory: Territory,
}

impl Workload {
    /// Four clients, the full mix, both protocols, 250 operations a second each.
    pub fn on(shape: &Shape, login: Login, seeds: i64) -> Self {
        Self {
            shape: shape.clone(),
            login,
            seeds,
            clients: 4,
            mix: Mix::full(),
            protocols: vec![Protocol::Prepared, Protocol::Simple],
            rate: Some(250.0),
            restarts: false,
            random_seed: random_seed(),
        }
    }

    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    pub fn mix(mut self, mix: Mix) -> Self {
        self.mix = mix;
        self
    }

    /// All clients use this protocol.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocols = vec![protocol];
        self
    }

    /// Replaces the options with which sessions are opened, such as `-c lock_timeout=1s`.
    pub fn options(mut self, options: &str) -> Self {
        self.login = self.login.with_options(options);
        self
    }

    /// Operations a second and client, at most: they rest as long as they work. `None` is as fast as they can.
    pub fn rate(mut self, rate: Option<f64>) -> Self {
        self.rate = rate;
        self
    }

    /// The server will be killed on purpose: lost connections are no failures.
    pub fn survives_restarts(mut self) -> Self {
        self.restarts = true;
        self
    }

    /// Lets the clients loose. A table without a conflict target gets no upserts.
    pub fn start(mut self) -> Running {
        if self.shape.conflict.is_none() {
            self.mix = self.mix.without(&[Kind::Upsert]);
        }
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            clients: self.clients,
            operations: AtomicU64::new(0),
            next_number: AtomicI64::new(self.seeds + 1),
            territory: Territory::of(self.seeds, self.clients + 1),
        });
        let statements = Arc::new(Statements::of(&self.shape));
        println!(
            "workload on {}: {} clients, seed {}",
            self.shape.table, self.clients, self.random_seed
        );
        let spawn = |id: usize| {
            let actor = self.actor(id, Arc::clone(&shared), Arc::clone(&statements));
            let (mix, rate) = (self.mix.clone(), self.rate);
            let thread = std::thread::Builder::new().name(format!("client-{id}"));
            thread
                .spawn(move || actor.work(&mix, rate))
                .expect("threads can be started")
        };
        let threads = (0..self.clients).map(spawn).collect();
        // The last slice of private rows belongs to whoever watches from outside.
        let observer = self.actor(self.clients, Arc::clone(&shared), statements);
        Running {
            shared,
            threads,
            observer: Some(observer),
        }
    }

    fn actor(&self, id: usize, shared: Arc<Shared>, statements: Arc<Statements>) -> Actor {
        let protocol = self.protocols[id % self.protocols.len()];
        let place = client::Place {
            id,
            seed: self.random_seed,
            restarts: self.restarts,
        };
        Actor::new(
            place,
            self.shape.clone(),
            self.login.clone(),
            protocol,
            shared,
            statements,
        )
    }
}

fn random_seed() -> u64 {
    let given = std::env::var("PARTMAN_RIG_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    given.unwrap_or_else(rand::random)
}

/// A load under way.
pub struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Report>>,
    observer: Option<Actor>,
}

impl Running {
    /// Operations finished so far.
    pub fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::Relaxed)
    }

    /// Waits until the clients have finished so many operations more.
    pub fn await_more(&self, operations: u64) {
        let goal = self.operations() + operations;
        poll::expect(
            "the clients to get on with their work",
            poll::PATIENCE,
            || self.operations() >= goal || self.threads.iter().all(JoinHandle::is_finished),
        );
    }

    /// An actor with rows of its own, for a test that wants to act itself. There is one.
    pub fn observer(&mut self) -> Actor {
        self.observer
            .take()
            .expect("the observer is handed out once")
    }

    /// Calls the clients back.
    ///
    /// # Panics
    /// When a client's thread panicked.
    pub fn stop(mut self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut report = Report::default();
        for thread in self.threads.drain(..) {
            report.merge(
                thread
                    .join()
                    .expect("clients report failures, they do not panic"),
            );
        }
        report
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
