//! What the quick kinds of operation consist of.

use std::io::{Read as _, Write as _};
use std::sync::atomic::Ordering;

use postgres::{Error, GenericClient};
use rand::RngExt as _;

use super::{Actor, Args, Kind, Verb};
use crate::shape::Shape;

const ROWS_PER_COPY: usize = 100;

impl Actor {
    pub(super) fn act(&mut self, kind: Kind) -> Result<(), Error> {
        match kind {
            Kind::Touch => self.change_one(Verb::Touch),
            Kind::Delete => self.change_one(Verb::Delete),
            Kind::Shift => {
                let number = self.common_number();
                self.change(Verb::Shift, number, false).map(drop)
            }
            Kind::Insert => self.insert(),
            Kind::Reinsert => self.reinsert(),
            Kind::Upsert => {
                let range = self.shared.territory.upserts();
                let number = self.rng.random_range(range);
                self.change(Verb::Upsert, number, false).map(drop)
            }
            Kind::Copy => self.copy(),
            Kind::Savepoint => self.savepoint(),
            Kind::Rollback => self.roll_back(),
            Kind::Linger => self.linger(),
            Kind::TwoPhase => self.prepare(),
            Kind::Look => {
                let number = self.private_number();
                self.look(number)
            }
            Kind::Probe => self.probe(),
        }
    }

    fn change_one(&mut self, verb: Verb) -> Result<(), Error> {
        let number = self.any_number();
        self.change(verb, number, false).map(drop)
    }

    fn insert(&mut self) -> Result<(), Error> {
        let number = self.fresh_number();
        self.change(Verb::Insert, number, false).map(drop)
    }

    fn reinsert(&mut self) -> Result<(), Error> {
        let number = self.common_number();
        self.command("BEGIN")?;
        if !self.change(Verb::Delete, number, false)?.is_empty() {
            self.change(Verb::Place, number, false)?;
        }
        self.command("COMMIT")
    }

    fn savepoint(&mut self) -> Result<(), Error> {
        let [first, second, third] = self.three_numbers();
        self.command("BEGIN")?;
        self.change(Verb::Touch, first, false)?;
        self.command("SAVEPOINT outer_one")?;
        let kept = self.changes();
        self.insert()?;
        self.command("SAVEPOINT inner_one")?;
        let verb = if self.rng.random_bool(0.5) {
            Verb::Delete
        } else {
            Verb::Touch
        };
        self.change(verb, second, false)?;
        self.command("RELEASE inner_one; ROLLBACK TO outer_one")?;
        self.undo_to(kept);
        self.change(Verb::Touch, third, false)?;
        self.command("COMMIT")
    }

    fn roll_back(&mut self) -> Result<(), Error> {
        let [first, second, third] = self.three_numbers();
        self.command("BEGIN")?;
        self.change(Verb::Touch, first, false)?;
        self.change(Verb::Delete, second, false)?;
        self.change(Verb::Touch, third, false)?;
        self.insert()?;
        self.command("ROLLBACK")?;
        self.undo_to(0);
        Ok(())
    }

    /// Loads rows with COPY and enters them in the ledger before committing.
    fn copy(&mut self) -> Result<(), Error> {
        let numbers = self.take_numbers(ROWS_PER_COPY)?;
        let first_op = self.next_op();
        for _ in 1..numbers.len() {
            self.next_op();
        }
        let shape = self.shape.clone();
        let listed = numbers
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join(",");
        let source = format!("unnest('{{{listed}}}'::bigint[]) WITH ORDINALITY s(n, place)");
        self.command("BEGIN")?;
        for offset in 0..numbers.len() {
            self.note(first_op + offset as i64);
        }
        let client = self.session()?.raw();
        copy_in(client, &shape, &source, first_op)?;
        let found = format!(
            "INSERT INTO rig.ledger (op, kind, number, image)
             SELECT w.op, 'copy', s.n, rig.image(w::text) FROM {source} JOIN {} w ON {}",
            shape.table,
            shape.locate.replace("{n}", "s.n")
        );
        client.batch_execute(&found)?;
        self.command("COMMIT")
    }

    /// Reads a row that nobody else changes, and compares it with what this client last did to it.
    fn look(&mut self, number: i64) -> Result<(), Error> {
        let Some(known) = self.own.get(&number).copied().unwrap_or(Some(-number)) else {
            return Ok(());
        };
        let found = self.session()?.run(
            Verb::Look,
            Args {
                number,
                ..Args::default()
            },
        )?;
        if found != [known] {
            self.fail(
                Some(Kind::Look),
                format!("row {number} should be at version {known}, found {found:?}"),
            );
        }
        Ok(())
    }

    fn probe(&mut self) -> Result<(), Error> {
        let number = self.private_number();
        self.look(number)?;
        self.touch_own(number)
    }

    /// Changes a row of this actor's own, and makes sure that it was there.
    pub(super) fn touch_own(&mut self, number: i64) -> Result<(), Error> {
        let changed = self.change(Verb::Touch, number, true)?;
        if changed != [number] {
            self.fail(
                None,
                format!("an update of row {number}, which is there, changed {changed:?}"),
            );
        }
        Ok(())
    }

    pub(super) fn private_number(&mut self) -> i64 {
        let range = self.shared.territory.private(self.place.id);
        self.rng.random_range(range)
    }

    fn common_number(&mut self) -> i64 {
        let newest = self.shared.next_number.load(Ordering::Relaxed) - 1;
        let random = self.random();
        self.shared.territory.common(newest)(random)
    }

    /// A row that may be changed or deleted, but not always moved.
    fn any_number(&mut self) -> i64 {
        if self.rng.random_bool(0.1) {
            let range = self.shared.territory.upserts();
            return self.rng.random_range(range);
        }
        self.common_number()
    }

    /// Three rows in ascending order, in which all clients lock rows, so that none deadlock.
    fn three_numbers(&mut self) -> [i64; 3] {
        let mut numbers = [
            self.common_number(),
            self.common_number(),
            self.common_number(),
        ];
        numbers.sort_unstable();
        numbers
    }

    /// Numbers for rows that are inserted with their number given.
    fn take_numbers(&mut self, count: usize) -> Result<Vec<i64>, Error> {
        let first = self
            .shared
            .next_number
            .fetch_add(count as i64, Ordering::Relaxed);
        let Some(identity) = self.shape.identity else {
            return Ok((first..first + count as i64).collect());
        };
        let sql = format!(
            "SELECT nextval(pg_get_serial_sequence('{}', '{identity}')) FROM generate_series(1, {count})",
            self.shape.table
        );
        let rows = self.session()?.raw().query(&sql, &[])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// Has the server write the rows in COPY's format, and sends them back as a client would.
fn copy_in(
    client: &mut impl GenericClient,
    shape: &Shape,
    source: &str,
    first_op: i64,
) -> Result<(), Error> {
    let (columns, values) = (shape.column_list(), shape.value_list("s.n", "s.n"));
    let made = format!("COPY (SELECT {values}, {first_op} + s.place - 1 FROM {source}) TO STDOUT");
    let mut rows = Vec::new();
    client
        .copy_out(&made)?
        .read_to_end(&mut rows)
        .map_err(postgres_error)?;
    let mut sink = client.copy_in(&format!("COPY {} ({columns}, op) FROM STDIN", shape.table))?;
    sink.write_all(&rows).map_err(postgres_error)?;
    sink.finish().map(drop)
}

/// COPY's streams wrap PostgreSQL's errors in those of `std::io`.
fn postgres_error(error: std::io::Error) -> Error {
    let inner = error
        .into_inner()
        .and_then(|inner| inner.downcast::<Error>().ok());
    *inner.expect("errors of COPY come from PostgreSQL")
}
