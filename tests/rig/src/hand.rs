//! One session that works on the table by hand: chosen changes of chosen rows, all of them entered
//! in the ledger.

use std::sync::atomic::{AtomicI64, Ordering};

use postgres::types::Type;
use postgres::{Client, Error};

use crate::fault;
use crate::shape::Shape;
use crate::workload::{Statements, Verb};

/// Above the operations of any client, and below nothing.
const FIRST_OP: i64 = 1 << 60;

/// All hands of a process draw from here, so that no two ever use the same operation.
static NEXT_OP: AtomicI64 = AtomicI64::new(FIRST_OP);

/// A session with the workload's statements at its fingertips. It fails the test at any error.
pub struct Hand {
    client: Client,
    shape: Shape,
    statements: Statements,
}

impl Hand {
    pub fn new(client: Client, shape: &Shape) -> Self {
        Self {
            client,
            shape: shape.clone(),
            statements: Statements::of(shape),
        }
    }

    /// The session itself.
    pub fn raw(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Runs anything that changes no row of the table: BEGIN, SAVEPOINT, SET …
    pub fn say(&mut self, sql: &str) {
        self.client
            .batch_execute(sql)
            .unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)));
    }

    /// Does this to the row of that number; whether there was one.
    pub fn act(&mut self, verb: Verb, number: i64) -> bool {
        self.try_to(verb, number)
            .unwrap_or_else(|e| panic!("{verb:?} {number}: {}", fault::describe(&e)))
    }

    /// As [`Self::act`], with the error where there is one.
    pub fn try_to(&mut self, verb: Verb, number: i64) -> Result<bool, Error> {
        let sql = self
            .statements
            .sql(verb)
            .expect("the table has that verb")
            .to_owned();
        self.run(&sql, number)
    }

    /// Does this to the row of that number, which must be there.
    pub fn must(&mut self, verb: Verb, number: i64) {
        assert!(self.act(verb, number), "{verb:?}: there is no row {number}");
    }

    /// Does this to each of the rows, which must be there.
    pub fn must_all(&mut self, verb: Verb, numbers: &[i64]) {
        for number in numbers {
            self.must(verb, *number);
        }
    }

    /// Changes the row of that number, which must be there, by this SET list.
    pub fn set(&mut self, number: i64, set: &'static str) {
        let shape = Shape {
            touch: set,
            ..self.shape.clone()
        };
        let sql = Statements::of(&shape)
            .sql(Verb::Touch)
            .expect("every table can be touched")
            .to_owned();
        let changed = self
            .run(&sql, number)
            .unwrap_or_else(|e| panic!("{set}: {}", fault::describe(&e)));
        assert!(changed, "{set}: there is no row {number}");
    }

    fn run(&mut self, sql: &str, number: i64) -> Result<bool, Error> {
        let op = NEXT_OP.fetch_add(1, Ordering::Relaxed);
        // Derived from the operation, so that rows differ; far above the seeds' own randomness.
        let random = (op % 1_000_003) * 1_987 % (1 << 31);
        let fresh = 100_000_000 + (op - FIRST_OP);
        let statement = self
            .client
            .prepare_typed(sql, &[Type::INT8, Type::INT8, Type::INT8, Type::INT8])?;
        let rows = self
            .client
            .query(&statement, &[&number, &random, &op, &fresh])?;
        Ok(!rows.is_empty())
    }
}
