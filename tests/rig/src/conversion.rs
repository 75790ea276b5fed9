//! The engine's SQL surface, as the tests use it.

use std::time::Duration;

use postgres::{Client, Error, Row};

use crate::shape::Shape;
use crate::{fault, poll};

/// A call of `convert_to_partitioned`.
#[derive(Debug, Clone)]
pub struct Conversion {
    table: String,
    column: String,
    interval: String,
    more: String,
}

/// One step of the plan that the call returns.
#[derive(Debug, Clone)]
pub struct Step {
    pub phase: String,
    pub statement: Option<String>,
    pub lock: Option<String>,
    pub note: Option<String>,
}

/// What the view `partman_rs.conversions` says about a job.
#[derive(Debug, Clone)]
pub struct Job {
    pub phase: String,
    pub worker_pid: Option<i32>,
    pub last_error: Option<String>,
    pub last_sqlstate: Option<String>,
    /// The whole row, for people.
    pub row: String,
}

impl Job {
    /// Whether the new table is in place.
    pub fn has_swapped(&self) -> bool {
        ["reversible", "finished"].contains(&self.phase.as_str())
    }

    /// Whether nothing more will happen to it by itself.
    pub fn has_ended(&self) -> bool {
        self.has_swapped() || ["failed", "cancelled"].contains(&self.phase.as_str())
    }
}

impl Conversion {
    pub fn of(table: &str, column: &str, interval: &str) -> Self {
        Self {
            table: table.to_owned(),
            column: column.to_owned(),
            interval: interval.to_owned(),
            more: String::new(),
        }
    }

    /// As the shape asks for.
    pub fn of_shape(shape: &Shape) -> Self {
        Self::of(
            shape.table,
            shape.partition_column,
            shape.partition_interval,
        )
    }

    /// Adds an argument, such as `copy_workers => 2`.
    pub fn with(mut self, argument: &str) -> Self {
        self.more.push_str(", ");
        self.more.push_str(argument);
        self
    }

    /// The call.
    pub fn sql(&self) -> String {
        let Self {
            table,
            column,
            interval,
            more,
        } = self;
        format!(
            "SELECT phase, statement, lock, note
               FROM convert_to_partitioned('{table}', '{column}', partition_interval => '{interval}'{more})
              ORDER BY step"
        )
    }

    /// Makes the call and returns the plan; outside a transaction the job then starts.
    pub fn start(&self, client: &mut Client) -> Result<Vec<Step>, Error> {
        let rows = client.query(&self.sql(), &[])?;
        let step = |row: &Row| Step {
            phase: row.get(0),
            statement: row.get(1),
            lock: row.get(2),
            note: row.get(3),
        };
        Ok(rows.iter().map(step).collect())
    }
}

/// The newest job of a table, by the table's name; `None` where there is none or nobody answers.
pub fn job(client: &mut Client, table: &str) -> Option<Job> {
    try_job(client, table).ok().flatten()
}

/// As [`job`], with the server's error where it has one.
pub fn try_job(client: &mut Client, table: &str) -> Result<Option<Job>, Error> {
    let sql =
        "SELECT phase::text, worker_pid, last_error, last_sqlstate::text, row_to_json(c)::text
                 FROM partman_rs.conversions c
                WHERE source::text IN ($1, $1 || '_retired') OR source::text ~ '^[0-9]+$'
                ORDER BY started_at DESC LIMIT 1";
    let row = client.query_opt(sql, &[&table])?;
    Ok(row.map(|row| Job {
        phase: row.get(0),
        worker_pid: row.get(1),
        last_error: row.get(2),
        last_sqlstate: row.get(3),
        row: row.get(4),
    }))
}

/// Waits, as a user would, until the job has swapped.
///
/// # Panics
/// When it fails or takes longer than `limit`; the message holds the job's row.
pub fn wait_until_swapped(client: &mut Client, table: &str, limit: Duration) {
    let timeout = limit.as_millis();
    // Its own limit must be the one that counts.
    client
        .batch_execute("SET statement_timeout = 0")
        .expect("a setting can be changed");
    let waited = client.batch_execute(&format!(
        "CALL wait_for_conversion('{table}', '{timeout} ms')"
    ));
    client
        .batch_execute("RESET statement_timeout")
        .expect("a setting can be changed");
    let job = job(client, table);
    if let Err(error) = waited {
        panic!(
            "waiting for {table}: {}\njob: {job:#?}",
            fault::describe(&error)
        );
    }
    assert!(
        job.as_ref().is_some_and(Job::has_swapped),
        "wait_for_conversion returned, but the job is {job:#?}"
    );
}

/// Polls the job until a condition holds.
///
/// # Panics
/// When it does not within `limit`; the message holds the job's row.
pub fn await_job(
    client: &mut Client,
    table: &str,
    what: &str,
    limit: Duration,
    holds: impl Fn(&Job) -> bool,
) -> Job {
    let found = poll::until(limit, || job(client, table).filter(&holds));
    found.unwrap_or_else(|| {
        panic!(
            "waited {limit:?} for {what} of {table}, job: {:#?}",
            job(client, table)
        )
    })
}

/// Runs one of the steering calls: `pause`, `resume`, `cancel` or `finish`.
pub fn steer(client: &mut Client, verb: &str, table: &str) -> Result<(), Error> {
    client
        .execute(&format!("SELECT {verb}_conversion('{table}')"), &[])
        .map(drop)
}
