//! What is known about a table before anything is decided: plain data, read without a scan.

use crate::plan::interval::KeyType;
use serde::Deserialize;

/// A table as sizes and counters describe it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TableFacts {
    pub oid: u32,
    pub name: String,
    pub owner: u32,
    /// Whether the caller may read it: else its statistics are hidden.
    pub is_readable: bool,
    /// Whether somebody holds, or waits for, a lock that reading would queue behind.
    pub is_locked: bool,
    /// Whether it is a table, and neither partitioned nor a partition.
    pub is_plain: bool,
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

    /// The share of all rows whose value is smaller, nulls not among them. Between two bounds of
    /// the histogram rows are taken to lie evenly.
    pub fn share_below(&self, key: i64) -> f64 {
        let common = |is_counted: &dyn Fn(i64) -> bool| -> f64 {
            self.common
                .iter()
                .zip(&self.frequencies)
                .filter(|(value, _)| value.is_some_and(is_counted))
                .map(|(_, share)| share)
                .sum()
        };
        let rest = 1.0 - self.frequencies.iter().sum::<f64>() - self.null_fraction;
        let bins = self.histogram.len().saturating_sub(1).max(1) as f64;
        let bounds: Vec<(f64, f64)> = self
            .histogram
            .iter()
            .zip(0..)
            .filter_map(|(value, place)| Some(((*value)? as f64, f64::from(place) / bins)))
            .collect();
        let key_is_at = key as f64;
        let place = match bounds.iter().position(|(value, _)| *value >= key_is_at) {
            None => bounds.last().map_or(0.0, |(_, place)| *place),
            Some(0) => bounds.first().map_or(0.0, |(_, place)| *place),
            Some(next) => {
                let ((low, from), (high, to)) = (bounds[next - 1], bounds[next]);
                from + (to - from) * (key_is_at - low) / (high - low)
            }
        };
        common(&|value| value < key) + rest.max(0.0) * place
    }

    /// The ends of the sample.
    pub fn ends(&self) -> Option<(i64, i64)> {
        let values = self.weighted();
        Some((values.first()?.0, values.last()?.0))
    }

    /// Whether infinite values were seen.
    pub fn has_infinity(&self) -> bool {
        self.histogram
            .iter()
            .chain(&self.common)
            .any(Option::is_none)
    }
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
    /// Names of replication slots that nobody reads.
    #[serde(default)]
    pub idle_slots: Vec<String>,
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
        assert_eq!(Statistics::default().quantile(0.5), None);
    }
}
