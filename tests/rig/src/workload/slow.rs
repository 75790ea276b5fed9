//! Transactions that stay open for a while. They change only rows of their own client, so that
//! the others never wait for their row locks.

use std::time::{Duration, Instant};

use postgres::Error;
use rand::RngExt as _;

use super::{Actor, Kind, Verb};

/// A prepared transaction that waits for its end.
#[derive(Debug)]
pub(super) struct Prepared {
    gid: String,
    due: Instant,
    commit: bool,
    changes: Vec<(i64, Option<i64>)>,
    /// The private rows it changed, with their versions before.
    prior: Vec<(i64, i64)>,
}

impl Actor {
    pub(super) fn linger(&mut self) -> Result<(), Error> {
        let Some((first, _)) = self.settled_number() else {
            return Ok(());
        };
        self.command("BEGIN")?;
        self.touch_own(first)?;
        let hold = self.rng.random_range(20..120);
        std::thread::sleep(Duration::from_millis(hold));
        self.touch_own(first)?;
        let number = self.fresh_number();
        self.change(Verb::Insert, number, false)?;
        self.command("COMMIT")
    }

    pub(super) fn prepare(&mut self) -> Result<(), Error> {
        let Some((number, version)) = self.settled_number() else {
            return Ok(());
        };
        self.command("BEGIN")?;
        self.touch_own(number)?;
        let fresh = self.fresh_number();
        self.change(Verb::Insert, fresh, false)?;
        let (client, serial) = (self.place.id, self.next_op());
        let gid = format!("rig-{client}-{serial}");
        let hold = Duration::from_millis(self.rng.random_range(20..200));
        let commit = self.rng.random_bool(0.8);
        let (changes, prior) = (self.take_changes(), vec![(number, version)]);
        self.own.insert(number, None);
        // Noted before it is tried: should the answer be lost, the server is asked for the name.
        self.prepared.push(Prepared {
            gid: gid.clone(),
            due: Instant::now() + hold,
            commit,
            changes,
            prior,
        });
        self.command(&format!("PREPARE TRANSACTION '{gid}'"))
    }

    /// Ends the prepared transactions that are due, or all.
    pub(super) fn finish_prepared(&mut self, all: bool) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.prepared)
            .into_iter()
            .partition(|p| all || p.due <= now);
        self.prepared = later;
        for transaction in due {
            while let Err(error) = self.try_to_finish(&transaction) {
                let lost = self.session().is_err() || self.session().is_ok_and(|s| s.lost(&error));
                if !(lost && self.place.restarts) {
                    self.fail(Some(Kind::TwoPhase), crate::fault::describe(&error));
                    break;
                }
                self.reconnect();
            }
        }
    }

    fn try_to_finish(&mut self, transaction: &Prepared) -> Result<(), Error> {
        let gid = &transaction.gid;
        let waiting = self
            .session()?
            .raw()
            .query("SELECT FROM pg_prepared_xacts WHERE gid = $1", &[gid])?;
        if !waiting.is_empty() {
            let verb = if transaction.commit {
                "COMMIT"
            } else {
                "ROLLBACK"
            };
            self.command(&format!("{verb} PREPARED '{gid}'"))?;
        }
        for (number, version) in &transaction.prior {
            self.own.insert(*number, Some(*version));
        }
        self.look_up(transaction.changes.clone())
    }

    /// A private row that no prepared transaction has in hand, and its version.
    fn settled_number(&mut self) -> Option<(i64, i64)> {
        (0..10).find_map(|_| {
            let number = self.private_number();
            let version = self.own.get(&number).copied().unwrap_or(Some(-number))?;
            Some((number, version))
        })
    }
}
