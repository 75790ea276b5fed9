//! One client's connection: runs the workload's statements by either protocol and times them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::types::Type;
use postgres::{Client, Error, SimpleQueryMessage, Statement};

use super::statements::{Statements, Verb};
use crate::cluster::Login;
use crate::latency::Latency;
use crate::{fault, poll};

const RECONNECT_WITHIN: Duration = poll::PATIENCE;

/// How statements reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Text with literals, planned each time.
    Simple,
    /// Prepared once per connection, run by name ever after.
    Prepared,
}

/// The four parameters every statement takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Args {
    pub number: i64,
    pub random: i64,
    pub op: i64,
    pub fresh: i64,
}

pub(super) struct Session {
    login: Login,
    client: Client,
    protocol: Protocol,
    statements: Arc<Statements>,
    prepared: HashMap<Verb, Statement>,
    pub(super) latency: Latency,
}

impl Session {
    pub(super) fn open(
        login: Login,
        protocol: Protocol,
        statements: Arc<Statements>,
    ) -> Result<Self, Error> {
        let client = login.open()?;
        Ok(Self {
            login,
            client,
            protocol,
            statements,
            prepared: HashMap::new(),
            latency: Latency::new(),
        })
    }

    /// Opens a new connection once the server takes one; `None` when it never does.
    pub(super) fn reopen(&mut self) -> Option<()> {
        self.prepared.clear();
        self.client = poll::until(RECONNECT_WITHIN, || self.login.open().ok())?;
        Some(())
    }

    /// Runs a statement of the workload and returns the numbers of the rows it changed or, for
    /// [`Verb::Look`], the operations it found.
    pub(super) fn run(&mut self, verb: Verb, args: Args) -> Result<Vec<i64>, Error> {
        let began = Instant::now();
        let result = match self.protocol {
            Protocol::Simple => self.run_simple(verb, args),
            Protocol::Prepared => self.run_prepared(verb, args),
        };
        self.latency.record(began.elapsed(), verb);
        result
    }

    /// Runs a command that is no part of the mix, such as BEGIN.
    pub(super) fn command(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql)
    }

    /// The connection itself, for what the verbs do not cover.
    pub(super) fn raw(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Whether an error means that this connection is of no more use.
    pub(super) fn lost(&self, error: &Error) -> bool {
        self.client.is_closed() || fault::classify(error) == fault::Fault::Lost
    }

    fn run_prepared(&mut self, verb: Verb, args: Args) -> Result<Vec<i64>, Error> {
        if !self.prepared.contains_key(&verb) {
            let sql = sql_of(&self.statements, verb);
            let statement = self
                .client
                .prepare_typed(sql, &[Type::INT8, Type::INT8, Type::INT8, Type::INT8])?;
            self.prepared.insert(verb, statement);
        }
        let statement = &self.prepared[&verb];
        let rows = self.client.query(
            statement,
            &[&args.number, &args.random, &args.op, &args.fresh],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    fn run_simple(&mut self, verb: Verb, args: Args) -> Result<Vec<i64>, Error> {
        let literal = |value: i64| format!("({value})");
        let sql = sql_of(&self.statements, verb)
            .replace("$1", &literal(args.number))
            .replace("$2", &literal(args.random))
            .replace("$3", &literal(args.op))
            .replace("$4", &literal(args.fresh));
        let messages = self.client.simple_query(&sql)?;
        let values = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some(row.get(0)?.parse().expect("the column is a bigint"))
            }
            _ => None,
        });
        Ok(values.collect())
    }
}

fn sql_of(statements: &Statements, verb: Verb) -> &str {
    statements
        .sql(verb)
        .expect("the mix holds no verb that the table lacks")
}
