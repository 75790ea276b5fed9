//! Clients that write, on time, and take note of how long each transaction took.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use partman_rig::fault;
use partman_rig::sampler::{StopOnDrop, due_times};
use postgres::{Client, Error, Statement};

/// One transaction.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub due: Instant,
    pub start: Instant,
    pub end: Instant,
    pub kind: &'static str,
}

impl Event {
    /// As the client saw it.
    pub fn service(&self) -> Duration {
        self.end.duration_since(self.start)
    }

    /// As somebody saw it who waited for the client to be ready.
    pub fn response(&self) -> Duration {
        self.end.duration_since(self.due)
    }
}

/// What clients did, for a check of the table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ledger {
    pub rows: i64,
    pub ids: i128,
    pub quantity: i64,
}

/// What all clients together saw.
#[derive(Debug, Default)]
pub struct Record {
    pub events: Vec<Event>,
    pub ledger: Ledger,
    pub failures: Vec<String>,
}

/// By what an application finds a row to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The key that the table had: after the swap all partitions are searched.
    Id,
    /// The key and the partition column.
    IdAndTime,
}

pub const CLIENTS: usize = 4;

/// Runs the clients while `work` goes on.
///
/// `rate` is that of all clients together; without one they do what they can.
pub fn under_load<R>(
    connect: impl Fn() -> Client,
    rows: i64,
    rate: Option<f64>,
    by: By,
    work: impl FnOnce() -> R,
) -> (Record, R) {
    let stop = AtomicBool::new(false);
    let ready = AtomicU32::new(0);
    let sum = Mutex::new(Record::default());
    let result = std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (stop, ready, sum) = (&stop, &ready, &sum);
            let client = Writer::new(connect(), number, rows, by);
            scope.spawn(move || {
                ready.fetch_add(1, Ordering::Relaxed);
                let mut mine = client.run(rate.map(|rate| rate / CLIENTS as f64), stop);
                let mut sum = sum.lock().expect("nobody panics with it");
                sum.events.append(&mut mine.events);
                sum.failures.append(&mut mine.failures);
                sum.ledger.rows += mine.ledger.rows;
                sum.ledger.ids += mine.ledger.ids;
                sum.ledger.quantity += mine.ledger.quantity;
            });
        }
        let _stops = StopOnDrop(&stop);
        work()
    });
    (sum.into_inner().expect("nobody panics with it"), result)
}

struct Writer {
    client: Client,
    number: i64,
    rows: i64,
    random: u64,
    insert: Statement,
    update: Statement,
    delete: Statement,
    ledger: Ledger,
}

impl Writer {
    fn new(mut client: Client, number: usize, rows: i64, by: By) -> Self {
        let row = match by {
            By::Id => "id = $1".to_owned(),
            By::IdAndTime => format!(
                "id = $1 AND executed_at = '2023-01-01 00:00+00'::timestamptz + ($1 - 0.5) * (interval '731 days' / {rows})"
            ),
        };
        let mut prepare = |sql: &str| client.prepare(sql).expect("the table is there");
        let insert = prepare(
            "INSERT INTO trades (executed_at, symbol, quantity, price, payload)
             VALUES ('2024-12-31 12:00+00'::timestamptz - $1::bigint * interval '1 second', 'SYM' || $2::bigint % 500, $2,
                     12.5, jsonb_build_object('venue', 'XNYS', 'order', md5($1::text), 'flags', jsonb_build_array(1, 2)))
             RETURNING id",
        );
        let update = prepare(&format!(
            "UPDATE trades SET quantity = quantity + $2, payload = payload || '{{\"amended\": true}}' WHERE {row}"
        ));
        let delete = prepare(&format!(
            "DELETE FROM trades WHERE {row} RETURNING quantity"
        ));
        let number = number as i64;
        let random =
            0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self {
            client,
            number,
            rows,
            random,
            insert,
            update,
            delete,
            ledger: Ledger::default(),
        }
    }

    fn run(mut self, rate: Option<f64>, stop: &AtomicBool) -> Record {
        let mut record = Record::default();
        // Clients do not march in step.
        let began = Instant::now()
            + rate.map_or(Duration::ZERO, |rate| {
                Duration::from_secs_f64(self.number as f64 / CLIENTS as f64 / rate)
            });
        for due in due_times(began, rate, stop) {
            let start = Instant::now();
            let kind = match self.below(20) {
                0..8 => "insert",
                8..14 => "update",
                14..17 => "delete",
                _ => "three",
            };
            let before = self.ledger;
            if let Err(error) = self.transact(kind) {
                self.ledger = before;
                record.failures.push(fault::describe(&error).to_string());
            }
            record.events.push(Event {
                due,
                start,
                end: Instant::now(),
                kind,
            });
        }
        record.ledger = self.ledger;
        record
    }

    fn below(&mut self, limit: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % limit as u64) as i64
    }

    /// A row that no other client touches: no deadlocks, and no waits among clients.
    fn own_row(&mut self) -> i64 {
        let clients = CLIENTS as i64;
        self.below(self.rows / clients) * clients + self.number + 1
    }

    fn transact(&mut self, kind: &str) -> Result<(), Error> {
        match kind {
            "insert" => self.insert(),
            "update" => self.update(),
            "delete" => self.delete(),
            _ => {
                self.client.batch_execute("BEGIN")?;
                let done = self
                    .insert()
                    .and_then(|()| self.update())
                    .and_then(|()| self.delete());
                match done {
                    Ok(()) => self.client.batch_execute("COMMIT"),
                    Err(error) => {
                        let _ = self.client.batch_execute("ROLLBACK");
                        Err(error)
                    }
                }
            }
        }
    }

    fn insert(&mut self) -> Result<(), Error> {
        let (age, quantity) = (self.below(2_000_000), self.below(1000));
        let row = self.client.query_one(&self.insert, &[&age, &quantity])?;
        self.ledger.rows += 1;
        self.ledger.ids += i128::from(row.get::<_, i64>(0));
        self.ledger.quantity += quantity;
        Ok(())
    }

    fn update(&mut self) -> Result<(), Error> {
        let (id, more) = (self.own_row(), self.below(100));
        let count = self.client.execute(&self.update, &[&id, &more])?;
        self.ledger.quantity += more * i64::try_from(count).unwrap_or(0);
        Ok(())
    }

    fn delete(&mut self) -> Result<(), Error> {
        let id = self.own_row();
        for row in self.client.query(&self.delete, &[&id])? {
            self.ledger.rows -= 1;
            self.ledger.ids -= i128::from(id);
            self.ledger.quantity -= row.get::<_, i64>(0);
        }
        Ok(())
    }
}
