//! What was estimated, beside what it came to, on three sizes of the table.

use partman_rig::conversion::{Conversion, wait_until_swapped};
use postgres::Client;

use crate::bed::{Bed, Plot, RANGE, run};
use crate::contest::LIMIT;

/// One in so many rows.
const SIZES: [i64; 3] = [16, 4, 1];

/// A conversion's estimate, and the truth.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub rows: i64,
    /// Estimate by truth.
    pub row_ratio: f64,
    pub disk_ratio: f64,
    pub wal_ratio: f64,
    pub time_ratio: f64,
    pub seconds: f64,
}

/// Each size in a database of its own, where nothing was measured before; then all of them in one,
/// the largest first, which tells about the others.
pub fn compare(bed: &mut Bed) -> (Vec<Outcome>, Vec<Outcome>) {
    let unknown = SIZES
        .map(|one_in| {
            let plot = bed.fresh();
            convert(&plot, one_in)
        })
        .to_vec();
    let plot = bed.fresh();
    let known = [1, 16, 4, 1].map(|one_in| convert(&plot, one_in));
    (unknown, known[1..].to_vec())
}

fn convert(plot: &Plot, one_in: i64) -> Outcome {
    let mut client = plot.open();
    let table = "sample";
    run(
        &mut client,
        &format!(
            "DROP TABLE IF EXISTS {table};
             CREATE TABLE {table} (LIKE trades INCLUDING ALL EXCLUDING INDEXES);
             INSERT INTO {table} SELECT * FROM trades WHERE id % {one_in} = 0;
             ALTER TABLE {table} ADD PRIMARY KEY (id);
             CREATE INDEX ON {table} (executed_at);
             CREATE INDEX ON {table} (symbol, executed_at);"
        ),
    );
    run(&mut client, &format!("VACUUM (FREEZE, ANALYZE) {table}"));
    run(&mut client, "CHECKPOINT");
    let (start, end) = RANGE;
    let call = Conversion::of(table, "executed_at", "1 month").with(&format!(
        "range_start => '{start}', range_end => '{end}', time_zone => 'UTC'"
    ));
    if let Err(error) = call.start(&mut client) {
        panic!("{}", partman_rig::fault::describe(&error));
    }
    wait_until_swapped(&mut client, table, LIMIT);
    let outcome = read(&mut client, table);
    run(&mut client, &format!("SELECT finish_conversion('{table}')"));
    outcome
}

fn read(client: &mut Client, table: &str) -> Outcome {
    let row = client
        .query_one(
            "SELECT rows, rows_estimate::float8 / rows, disk_bytes_estimate::float8 / disk_bytes,
                    wal_bytes_estimate::float8 / wal_bytes,
                    (extract(epoch FROM time_estimate) / extract(epoch FROM time_taken))::float8,
                    extract(epoch FROM time_taken)::float8
               FROM partman_rs.runs WHERE relation = $1::text::regclass",
            &[&table],
        )
        .expect("the run is told of");
    Outcome {
        rows: row.get(0),
        row_ratio: row.get(1),
        disk_ratio: row.get(2),
        wal_ratio: row.get(3),
        time_ratio: row.get(4),
        seconds: row.get(5),
    }
}
