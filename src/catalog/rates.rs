//! How fast earlier conversions were on this server.

use super::as_bookkeeper;
use crate::db;
use crate::error::Error;
use crate::plan::estimate::{self, Rates};

/// What the last conversions of this database measured; of smaller ones the overhead would tell more
/// than the rate. Usual values, where there is none.
pub fn measured() -> Result<Rates, Error> {
    let found = as_bookkeeper(|| {
        db::row(
            include_str!("sql/rates.sql"),
            &[
                estimate::SECONDS_PER_LEAF_INDEX.into(),
                estimate::SECONDS_AT_LEAST.into(),
            ],
            |row| {
                Ok((
                    row.get::<i64>(1)?,
                    [
                        row.find::<f64>(2)?,
                        row.find(3)?,
                        row.find(4)?,
                        row.find(5)?,
                        row.find(6)?,
                    ],
                ))
            },
        )
    })?;
    let usual = Rates::default();
    let Some((runs, [copy, index, verify, table_wal, index_wal])) = found else {
        return Ok(usual);
    };
    Ok(Rates {
        copy: copy.unwrap_or(usual.copy),
        index: index.unwrap_or(usual.index),
        verify: verify.unwrap_or(usual.verify),
        table_wal: table_wal.unwrap_or(usual.table_wal),
        index_wal: index_wal.unwrap_or(usual.index_wal),
        runs,
    })
}
