//! What is known about a table before anything is decided: plain data, read without a scan.

use crate::plan::interval::KeyType;
use serde::Deserialize;

/// A table as sizes and counters describe it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TableFacts {
    pub oid: u32,
    pub name: String,
    /// Whether the caller may read it: else its statistics are hidden.
    pub is_readable: bool,
    /// Whether somebody holds, or waits for, a lock that reading would queue behind.
    pub is_locked: bool,
    /// Whether the caller may act as its owner.
    pub may_convert: bool,
    pub is_converting: bool,
    /// `pg_class.reltuples`; `None` where it was never vacuumed or analysed.
    pub rows: Option<f64>,
    /// Table and TOAST, without indexes; `None` where it is locked.
    pub table_bytes: Option<i64>,
    pub index_bytes: Option<i64>,
    /// Counters since the statistics were last reset.
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    pub live: i64,
    pub dead: i64,
    pub changed_since_analyze: i64,
    /// Whether other tables refer to it by foreign keys.
    pub has_incoming_keys: bool,
    /// OID of the tablespace.
    pub tablespace: u32,
    /// Read for tables that are looked at closely.
    #[serde(skip)]
    pub vacuum: VacuumFacts,
}

/// What vacuum has to do with a table. Times are seconds.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct VacuumFacts {
    /// Vacuums since the statistics were last reset.
    pub done: i64,
    /// What they took altogether; measured since PostgreSQL 18.
    pub total_seconds: Option<f64>,
    /// How long ago the last one ended.
    pub last_ago: Option<f64>,
    /// The process that vacuums it now, if the caller may see that.
    pub running_pid: Option<i32>,
    pub running_seconds: Option<f64>,
    /// Age of `pg_class.relfrozenxid`.
    pub frozen_age: Option<i64>,
    /// Age from which on it is vacuumed against wraparound.
    pub freeze_max_age: i64,
    /// Seconds that autovacuum sleeps whenever its costs have come to the limit.
    pub cost_delay: f64,
    pub cost_limit: f64,
    /// What it costs to read a page that is not in the buffer cache.
    pub page_cost: f64,
    pub block_size: f64,
}

impl VacuumFacts {
    /// How long autovacuum sleeps while it reads so many bytes; `None` where it never does.
    pub fn pass_seconds(&self, bytes: i64) -> Option<f64> {
        let costs = bytes as f64 / self.block_size * self.page_cost;
        let seconds = costs / self.cost_limit * self.cost_delay;
        (seconds.is_finite() && seconds > 0.0).then_some(seconds)
    }

    /// What a vacuum took on average, where that is measured.
    pub fn average_seconds(&self) -> Option<f64> {
        self.total_seconds
            .filter(|_| self.done > 0)
            .map(|total| total / self.done as f64)
    }

    /// How near vacuum against wraparound is; 1 is when it begins.
    pub fn freeze_share(&self) -> Option<f64> {
        let age = self.frozen_age.filter(|_| self.freeze_max_age > 0)?;
        Some(age as f64 / self.freeze_max_age as f64)
    }
}

impl TableFacts {
    /// Table, TOAST and indexes.
    pub fn total_bytes(&self) -> Option<i64> {
        Some(self.table_bytes? + self.index_bytes?)
    }
}

/// What the statistics say about a column.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ColumnFacts {
    pub attnum: i16,
    /// `None` where ANALYZE has not seen the column.
    pub statistics: Option<Statistics>,
    /// First and last key, through an index: exact, where there is one.
    #[serde(default)]
    pub ends: Option<(i64, i64)>,
    /// Whether it is the first column of a valid btree index over all rows.
    pub leads_index: bool,
    /// The share of the statements' time that goes to those which choose rows by it.
    #[serde(default)]
    pub compared: f64,
}

/// A row of `pg_stats`, with values as numbers that keys are compared by.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Statistics {
    pub null_fraction: f64,
    /// As `pg_stats` has it: negative is a share of the rows.
    pub n_distinct: f64,
    pub correlation: Option<f64>,
    /// Ascending; `None` is an infinite value. For types that are keys.
    #[serde(default)]
    pub histogram: Vec<Option<i64>>,
    #[serde(default)]
    pub common: Vec<Option<i64>>,
    #[serde(default)]
    pub frequencies: Vec<f64>,
    /// Values as text, for types that may hold a time in disguise.
    #[serde(default)]
    pub samples: Vec<String>,
}

impl Statistics {
    /// How many different values there are among so many rows.
    pub fn distinct(&self, rows: f64) -> f64 {
        match self.n_distinct < 0.0 {
            true => -self.n_distinct * rows,
            false => self.n_distinct,
        }
    }

    /// The finite values that the sample kept, each with the share of rows that it stands for.
    fn weighted(&self) -> Vec<(i64, f64)> {
        let common: f64 = self.frequencies.iter().sum();
        let rest = (1.0 - common - self.null_fraction).max(0.0);
        let bins = self.histogram.len().saturating_sub(1).max(1);
        let mut values: Vec<(i64, f64)> = self
            .common
            .iter()
            .zip(&self.frequencies)
            .filter_map(|(value, share)| Some(((*value)?, *share)))
            .chain(
                self.histogram
                    .iter()
                    .filter_map(|value| Some(((*value)?, rest / bins as f64))),
            )
            .collect();
        values.sort_by_key(|(value, _)| *value);
        values
    }

    /// The value below which this share of the rows lies.
    pub fn quantile(&self, share: f64) -> Option<i64> {
        let values = self.weighted();
        let total: f64 = values.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        values
            .iter()
            .find(|(_, weight)| {
                sum += weight;
                sum >= share * total
            })
            .or(values.last())
            .map(|(value, _)| *value)
    }

    /// The share of the rows with a key below this one; nulls and infinite keys are below none.
    pub fn share_below(&self, key: i64) -> f64 {
        let common: f64 = self.frequencies.iter().sum();
        let rest = (1.0 - common - self.null_fraction).max(0.0);
        let below: f64 = self
            .common
            .iter()
            .zip(&self.frequencies)
            .filter(|(value, _)| value.is_some_and(|value| value < key))
            .map(|(_, share)| share)
            .sum();
        let bins = self.histogram.len().saturating_sub(1);
        let part = |pair: &[Option<i64>]| match *pair {
            [Some(_), Some(high)] if key >= high => 1.0,
            [Some(low), Some(high)] if key > low => {
                (key as f64 - low as f64) / (high as f64 - low as f64)
            }
            // One end is infinite: all of the bin may be.
            [Some(low), None] if key > low => 0.5,
            [None, Some(high)] if key >= high => 0.5,
            _ => 0.0,
        };
        let passed: f64 = self.histogram.windows(2).map(part).sum();
        below + rest * passed / bins.max(1) as f64
    }

    /// The ends of the sample.
    pub fn ends(&self) -> Option<(i64, i64)> {
        let values = self.weighted();
        Some((values.first()?.0, values.last()?.0))
    }

    /// The ends of the sample, without what lies far out: beyond a gap that is wider than the span
    /// of (nearly) all rows.
    pub fn near_ends(&self) -> Option<(i64, i64)> {
        let values = self.weighted();
        let (mut first, mut last) = (self.quantile(0.01)?, self.quantile(0.99)?);
        let span = last as f64 - first as f64;
        let is_near = |a: i64, b: i64| (a as f64 - b as f64).abs() <= span;
        for (value, _) in values.iter().rev() {
            if *value < first && is_near(*value, first) {
                first = *value;
            }
        }
        for (value, _) in &values {
            if *value > last && is_near(*value, last) {
                last = *value;
            }
        }
        Some((first, last))
    }

    /// Whether all of so many values are among the common ones, and each has at least a tenth of
    /// an even share.
    pub fn is_even(&self, distinct: f64) -> bool {
        self.frequencies.len() as f64 >= distinct
            && self
                .frequencies
                .iter()
                .all(|share| *share >= 0.1 / distinct)
    }

    /// Whether infinite values were seen.
    pub fn has_infinity(&self) -> bool {
        self.histogram
            .iter()
            .chain(&self.common)
            .any(Option::is_none)
    }
}

/// The share of the rows that belongs to each range, by the share that lies below each bound; and
/// last what no range takes.
pub fn shares(ranges: impl Iterator<Item = (i64, i64)>, below: impl Fn(i64) -> f64) -> Vec<f64> {
    let mut shares: Vec<f64> = ranges
        .map(|(lower, upper)| (below(upper) - below(lower)).max(0.0))
        .collect();
    let taken: f64 = shares.iter().sum();
    shares.push((1.0 - taken).max(0.0));
    shares
}

impl ColumnFacts {
    /// First and last key: through an index, else those of the sample.
    pub fn range(&self) -> Option<(i64, i64)> {
        self.ends.or_else(|| self.statistics.as_ref()?.ends())
    }
}

/// What the server has, and the present moment.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ServerFacts {
    /// `effective_cache_size`.
    pub cache_bytes: i64,
    /// Microseconds since 2000-01-01 00:00:00 UTC.
    pub now: i64,
    /// `server_version_num`.
    pub version: i64,
    pub wal_level: String,
    /// Room in the lock table.
    pub lock_slots: i64,
    /// `max_worker_processes`, and how many of them are taken.
    pub worker_slots: i64,
    pub workers: i64,
    /// Seconds; of transactions that the caller may see.
    pub oldest_transaction: Option<f64>,
    pub oldest_transaction_pid: Option<i32>,
    /// Names of prepared transactions of this database.
    #[serde(default)]
    pub prepared: Vec<String>,
    #[serde(default)]
    pub slots: Vec<Slot>,
}

/// A replication slot that holds WAL back.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Slot {
    pub name: String,
    /// Whether anybody reads it now.
    pub is_read: bool,
    /// Bytes of WAL that are kept for it.
    pub behind: i64,
    /// Bytes of WAL after which it is lost unless it is read; `None` where
    /// `max_slot_wal_keep_size` sets no limit.
    pub room: Option<i64>,
}

impl ServerFacts {
    /// The present moment as a key; `None` for integers, which have no clock.
    pub fn now_as(&self, key: KeyType) -> Option<i64> {
        match key {
            KeyType::TimestampTz | KeyType::Timestamp => Some(self.now),
            KeyType::Date => Some(self.now.div_euclid(86_400_000_000)),
            _ => None,
        }
    }
}

/// From where on something counts. Each is a setting.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// Smaller tables are never worth it.
    pub small_bytes: i64,
    /// Larger ones always are.
    pub large_bytes: i64,
    pub target_partition_bytes: i64,
    pub deleted_share: f64,
    pub dead_share: f64,
    pub growth_months: f64,
    /// What a vacuum may take.
    pub vacuum_seconds: f64,
    /// How near vacuum against wraparound may be.
    pub freeze_share: f64,
    /// How far the reader of a replication slot may be behind.
    pub slot_lag_bytes: i64,
    pub correlation: f64,
    pub null_share: f64,
    pub max_partitions: i64,
}

#[cfg(test)]
pub const GB: i64 = 1 << 30;

#[cfg(test)]
impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            small_bytes: GB,
            large_bytes: 10 * GB,
            target_partition_bytes: 4 * GB,
            deleted_share: 0.2,
            dead_share: 0.2,
            growth_months: 12.0,
            vacuum_seconds: 3_600.0,
            freeze_share: 0.9,
            slot_lag_bytes: GB,
            correlation: 0.8,
            null_share: 0.05,
            max_partitions: 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_even_where_each_has_its_share() {
        let shares = |frequencies: &[f64]| Statistics {
            frequencies: frequencies.to_vec(),
            ..Statistics::default()
        };
        assert!(shares(&[0.5, 0.3, 0.2]).is_even(3.0));
        assert!(!shares(&[0.5, 0.49, 0.01]).is_even(3.0));
        assert!(!shares(&[0.5, 0.3]).is_even(3.0));
    }

    #[test]
    fn vacuum_is_as_slow_as_its_settings_make_it() {
        let vacuum = VacuumFacts {
            cost_delay: 0.002,
            cost_limit: 200.0,
            page_cost: 2.0,
            block_size: 8192.0,
            ..VacuumFacts::default()
        };
        // 131,072 pages, of which 100 are read between two naps.
        assert_eq!(vacuum.pass_seconds(GB).map(f64::round), Some(3.0));
        let unlimited = VacuumFacts {
            cost_delay: 0.0,
            ..vacuum
        };
        assert_eq!(unlimited.pass_seconds(GB), None);
        assert_eq!(VacuumFacts::default().pass_seconds(GB), None);
        assert_eq!(VacuumFacts::default().freeze_share(), None);
        assert_eq!(VacuumFacts::default().average_seconds(), None);
    }

    #[test]
    fn quantiles_weigh_common_values_and_bins() {
        let statistics = Statistics {
            histogram: (0..=100).map(|n| Some(n * 10)).collect(),
            ..Statistics::default()
        };
        assert_eq!(statistics.ends(), Some((0, 1000)));
        assert_eq!(statistics.quantile(0.5), Some(500));
        let skewed = Statistics {
            common: vec![Some(7), None],
            frequencies: vec![0.9, 0.05],
            histogram: vec![Some(1), Some(9)],
            ..Statistics::default()
        };
        assert_eq!(skewed.quantile(0.5), Some(7));
        assert!(skewed.has_infinity());
        let far_out = Statistics {
            common: vec![Some(-1_000_000), Some(5_000)],
            frequencies: vec![0.004, 0.004],
            ..statistics.clone()
        };
        assert_eq!(far_out.ends(), Some((-1_000_000, 5_000)));
        assert_eq!(far_out.near_ends(), Some((0, 1000)));
        assert_eq!(statistics.near_ends(), statistics.ends());
        assert_eq!(Statistics::default().quantile(0.5), None);
    }

    #[test]
    fn shares_follow_common_values_and_bins() {
        let even = Statistics {
            histogram: (0..=10).map(|n| Some(n * 10)).collect(),
            ..Statistics::default()
        };
        let shares = [-5, 0, 25, 100, 500].map(|key| even.share_below(key));
        assert_eq!(shares, [0.0, 0.0, 0.25, 1.0, 1.0]);
        let mixed = Statistics {
            null_fraction: 0.2,
            common: vec![Some(7), None],
            frequencies: vec![0.4, 0.1],
            histogram: vec![Some(0), Some(10)],
            ..Statistics::default()
        };
        assert!((mixed.share_below(7) - 0.21).abs() < 1e-9);
        assert!((mixed.share_below(11) - 0.7).abs() < 1e-9);
        assert_eq!(Statistics::default().share_below(1), 0.0);
    }
}
