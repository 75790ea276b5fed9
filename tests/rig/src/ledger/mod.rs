//! The ledger: what the clients did, written down by each statement in its own transaction.
//!
//! Every row under test carries two columns, `op` and `before`: the operation that wrote this
//! version of it, and the operation whose version it replaced. A plain `UPDATE … SET before = op,
//! op = $new` thus reports, in its own `RETURNING`, which version it found. So the expected table
//! is the set of images that nobody replaced, whatever the commit order was, and a lost,
//! doubled or resurrected version shows as a predecessor that was replaced twice or never existed.

use std::time::Instant;

use postgres::{Client, Error};

use crate::fault::{self, Fault};
use crate::poll::PATIENCE;
use crate::shape::Shape;

const SETUP: &str = include_str!("setup.sql");

/// Column definitions that every table under test ends with.
pub const LINK_COLUMNS: &str = "op bigint NOT NULL, before bigint";

/// Creates the ledger in this database.
pub fn create(client: &mut Client) -> Result<(), Error> {
    client.batch_execute(SETUP)
}

/// Fills the table with rows number 1 to `rows`, and the ledger with their images.
pub fn seed(client: &mut Client, shape: &Shape, rows: i64) -> Result<(), Error> {
    let (table, columns) = (shape.table, shape.column_list());
    let values = shape.value_list("s.n", "s.n");
    client.batch_execute(&format!(
        "INSERT INTO {table} ({columns}, op, before)
         SELECT {values}, -s.n, NULL FROM generate_series(1, {rows}::bigint) s(n) ORDER BY s.n;
         INSERT INTO rig.ledger (op, kind, number, image)
         SELECT w.op, 'seed', -w.op, rig.image(w::text) FROM {table} w;"
    ))?;
    if let Some(identity) = shape.identity {
        let last =
            format!("SELECT setval(pg_get_serial_sequence('{table}', '{identity}'), {rows})");
        client.batch_execute(&last)?;
    }
    client.batch_execute(&format!("ANALYZE {table}"))
}

/// Takes the images of all rows anew, where a test has changed the table's columns since.
pub fn retake_images(client: &mut Client, shape: &Shape) -> Result<(), Error> {
    client.batch_execute(&format!(
        "UPDATE rig.ledger l SET image = rig.image(w::text) FROM {} w WHERE w.op = l.op",
        shape.table
    ))
}

/// Truncates the table and writes down the end of every row it held, in one transaction.
///
/// The second statement's snapshot is younger than the lock of the first, so it sees every
/// writer that came before, and no other can follow before the commit. The lock is asked for
/// shortly and often: a client that queues behind it cannot end its own prepared transaction.
pub fn truncate(client: &mut Client, shape: &Shape) -> Result<u64, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_to_truncate(client, shape) {
            Err(error)
                if fault::classify(&error) == Fault::LockTimeout && Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}

fn try_to_truncate(client: &mut Client, shape: &Shape) -> Result<u64, Error> {
    let mut work = client.transaction()?;
    work.batch_execute(&format!(
        "SET LOCAL lock_timeout = '150ms'; TRUNCATE {}",
        shape.table
    ))?;
    let gone = work.execute(
        "INSERT INTO rig.ledger (op, before, kind, number)
         SELECT nextval('rig.truncated'), e.op, 'truncate', e.number FROM rig.expected e",
        &[],
    )?;
    work.commit()?;
    Ok(gone)
}
