//! One client: keeps its books straight whatever happens to its connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postgres::Error;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::report::{Failure, Report};
use super::session::{Args, Protocol, Session};
use super::slow::Prepared;
use super::{Kind, Mix, Shared, Statements, Verb};
use crate::cluster::Login;
use crate::fault::{self, Fault};
use crate::shape::Shape;

/// How often an operation is tried that meets a row on the move.
const TRIES: usize = 10;

/// Which client it is, and what it has to expect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: usize,
    pub(super) seed: u64,
    pub(super) restarts: bool,
}

/// A client, or anybody who acts as one.
pub struct Actor {
    pub(super) place: Place,
    pub(super) shape: Shape,
    pub(super) shared: Arc<Shared>,
    pub(super) rng: SmallRng,
    pub(super) prepared: Vec<Prepared>,
    pub(super) report: Report,
    /// Last version of each private row that was changed; `None` where it is not known just now.
    pub(super) own: HashMap<i64, Option<i64>>,
    login: Login,
    protocol: Protocol,
    statements: Arc<Statements>,
    session: Option<Session>,
    operations: i64,
    /// Changes of the transaction under way: operation and, for a private row, its number.
    pending: Vec<(i64, Option<i64>)>,
}

impl Actor {
    pub(super) fn new(
        place: Place,
        shape: Shape,
        login: Login,
        protocol: Protocol,
        shared: Arc<Shared>,
        statements: Arc<Statements>,
    ) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(place.seed.wrapping_add(place.id as u64)),
            place,
            shape,
            shared,
            prepared: Vec::new(),
            report: Report::default(),
            own: HashMap::new(),
            login,
            protocol,
            statements,
            session: None,
            operations: 0,
            pending: Vec::new(),
        }
    }

    /// Replaces the options with which sessions are opened, such as `-c statement_timeout=1s`.
    pub fn with_options(mut self, options: &str) -> Self {
        self.login = self.login.with_options(options);
        self
    }

    /// Works until told to stop.
    pub(super) fn work(mut self, mix: &Mix, rate: Option<f64>) -> Report {
        let pace = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let mut slow_at = Instant::now() + self.pause();
        while !self.shared.stop.load(Ordering::Relaxed) && !self.gave_up() {
            let began = Instant::now();
            self.finish_prepared(false);
            let kind = if began >= slow_at {
                slow_at = began + self.pause();
                mix.pick_slow(&mut self.rng)
            } else {
                mix.pick(&mut self.rng)
            };
            if let Some(kind) = kind {
                self.perform(kind);
            }
            if let Some(pace) = pace {
                // Where the machine cannot keep that pace, clients that never rest would leave the worker none of it.
                let took = began.elapsed();
                let rest = super::rest_after(took, self.shared.clients);
                std::thread::sleep(pace.saturating_sub(took).max(rest));
            }
        }
        self.finish_prepared(true);
        self.into_report()
    }

    /// How often it has lost its connection so far.
    pub fn reconnects(&self) -> u64 {
        self.report.reconnects
    }

    /// Ends the actor's work and returns its books.
    pub fn into_report(mut self) -> Report {
        if let Some(session) = self.session.take() {
            self.report.latency.merge(&session.latency);
        }
        self.report
    }

    /// Does one operation to its end, again where it meets a row on the move.
    pub fn perform(&mut self, kind: Kind) {
        for _ in 0..TRIES {
            let outcome = self.act(kind);
            let Err(error) = outcome else {
                self.settle();
                *self.report.done.entry(kind).or_default() += 1;
                self.shared.operations.fetch_add(1, Ordering::Relaxed);
                return;
            };
            if !self.recover(&error, kind) {
                return;
            }
        }
    }

    /// The session, opened where there is none.
    pub(super) fn session(&mut self) -> Result<&mut Session, Error> {
        if self.session.is_none() {
            let statements = Arc::clone(&self.statements);
            self.session = Some(Session::open(
                self.login.clone(),
                self.protocol,
                statements,
            )?);
        }
        Ok(self.session.as_mut().expect("it has just been opened"))
    }

    /// Runs one statement that may change a row; returns the numbers of the rows it did change.
    pub(super) fn change(
        &mut self,
        verb: Verb,
        number: i64,
        private: bool,
    ) -> Result<Vec<i64>, Error> {
        let (random, op) = (self.random(), self.next_op());
        let fresh = if verb == Verb::Shift && self.shape.shift_renumbers {
            self.fresh_number()
        } else {
            0
        };
        self.pending.push((op, private.then_some(number)));
        let changed = self.session()?.run(
            verb,
            Args {
                number,
                random,
                op,
                fresh,
            },
        )?;
        if changed.is_empty() {
            self.pending.pop();
        }
        Ok(changed)
    }

    pub(super) fn command(&mut self, sql: &str) -> Result<(), Error> {
        self.session()?.command(sql)
    }

    /// Notes a change that was made by other means than [`Self::change`].
    pub(super) fn note(&mut self, op: i64) {
        self.pending.push((op, None));
    }

    /// Forgets the changes since there were `kept`: they have been rolled back.
    pub(super) fn undo_to(&mut self, kept: usize) {
        let undone = self.pending.split_off(kept);
        self.report
            .rolled_back
            .extend(undone.into_iter().map(|(op, _)| op));
    }

    pub(super) fn changes(&self) -> usize {
        self.pending.len()
    }

    /// Takes the changes of the transaction under way out of its books.
    pub(super) fn take_changes(&mut self) -> Vec<(i64, Option<i64>)> {
        std::mem::take(&mut self.pending)
    }

    /// Enters changes whose transaction has ended.
    pub(super) fn enter(&mut self, changes: Vec<(i64, Option<i64>)>, committed: bool) {
        for (op, private) in changes {
            if committed {
                self.report.committed.insert(op);
            } else {
                self.report.rolled_back.insert(op);
            }
            if let (Some(number), true) = (private, committed) {
                self.own.insert(number, Some(op));
            }
        }
    }

    pub(super) fn next_op(&mut self) -> i64 {
        self.operations += 1;
        ((self.place.id as i64 + 1) << 40) | self.operations
    }

    pub(super) fn random(&mut self) -> i64 {
        self.rng.random_range(0..1_i64 << 31)
    }

    pub(super) fn fresh_number(&self) -> i64 {
        self.shared.next_number.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn fail(&mut self, kind: Option<Kind>, text: String) {
        let client = self.place.id;
        self.report.failures.push(Failure {
            client,
            kind,
            at: Instant::now(),
            text,
        });
    }

    fn settle(&mut self) {
        let changes = self.take_changes();
        self.enter(changes, true);
    }

    /// Puts the books straight after an error; whether to try again.
    fn recover(&mut self, error: &Error, kind: Kind) -> bool {
        let lost = self
            .session
            .as_ref()
            .is_none_or(|session| session.lost(error));
        if lost {
            if !self.place.restarts {
                self.fail(Some(kind), fault::describe(error));
            }
            self.reconnect();
            return false;
        }
        let fault = fault::classify(error);
        if fault == Fault::Moved {
            self.report.moved += 1;
        } else {
            self.fail(Some(kind), fault::describe(error));
        }
        let _ = self.command("ROLLBACK");
        self.undo_to(0);
        fault == Fault::Moved
    }

    /// Opens a new connection and finds out what became of the transaction that the old one cut off.
    pub(super) fn reconnect(&mut self) {
        self.report.reconnects += 1;
        loop {
            let opened = match self.session.as_mut() {
                Some(session) => session.reopen(),
                None => self.session().ok().map(|_| ()),
            };
            if opened.is_none() {
                self.session = None;
                if self.gave_up() || self.shared.stop.load(Ordering::Relaxed) {
                    self.fail(None, "the server took no connections any more".to_owned());
                    return;
                }
                continue;
            }
            let changes = self.pending.clone();
            if self.look_up(changes).is_ok() {
                self.pending.clear();
                return;
            }
        }
    }

    /// Asks the ledger about changes whose outcome is unknown.
    pub(super) fn look_up(&mut self, changes: Vec<(i64, Option<i64>)>) -> Result<(), Error> {
        let ops: Vec<i64> = changes.iter().map(|(op, _)| *op).collect();
        let rows = self
            .session()?
            .raw()
            .query("SELECT op FROM rig.ledger WHERE op = ANY ($1)", &[&ops])?;
        let found: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        self.report.looked_up += ops.len() as u64;
        let (committed, gone) = changes.into_iter().partition(|(op, _)| found.contains(op));
        self.enter(committed, true);
        self.enter(gone, false);
        Ok(())
    }

    fn gave_up(&self) -> bool {
        self.report.failures.len() >= 20
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(300..900))
    }
}
