//! What a conversion will take: rows, disk, WAL and time, from sizes and from how fast this server
//! was before. Pure arithmetic; nobody is asked.

use super::facts::{Facts, Index};
use super::{Plan, blockers};
use serde::{Deserialize, Serialize};

/// A page, and what of it holds data.
const PAGE: f64 = 8192.0;
const HEAP_ROOM: f64 = PAGE - 24.0;
/// A btree leaf page that is built at once is filled to nine tenths.
const BTREE_ROOM: f64 = (PAGE - 40.0) * 0.9;
/// What a heap row takes beside its columns, its line pointer included.
const ROW_OVERHEAD: f64 = 28.0;
/// Likewise an index entry.
const ENTRY_OVERHEAD: f64 = 12.0;
/// So much larger than its rows a table may be before it counts as bloated: alignment is not known.
const BLOAT: f64 = 1.3;

/// How large a table is, read without a scan.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Sizes {
    /// As PostgreSQL's planner estimates them.
    #[serde(default)]
    pub rows: f64,
    /// Bytes of a row's columns, likewise.
    #[serde(default)]
    pub width: f64,
    /// Without TOAST and indexes.
    pub table_bytes: f64,
    pub toast_bytes: f64,
    pub indexes: Vec<IndexSize>,
}

/// How large an index is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct IndexSize {
    pub oid: u32,
    pub bytes: f64,
    /// Its entries as a part of the rows; `None` where it was never vacuumed or analysed.
    pub part: Option<f64>,
    /// Bytes of the columns in it, where statistics tell of all of them.
    pub key_width: Option<f64>,
}

/// How fast this server is, and how much WAL it writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Bytes of the new table that are written per second while rows are copied.
    pub copy: f64,
    /// Bytes of new indexes per second.
    pub index: f64,
    /// Bytes of the new table that are compared per second, and analysed.
    pub verify: f64,
    /// WAL per byte of the new table, and per byte of its indexes.
    pub table_wal: f64,
    pub index_wal: f64,
    /// How many earlier conversions on this server they were measured in; 0: usual values.
    pub runs: i64,
}

/// Found on a small machine with a local disk; where a server has done it once, it knows better.
impl Default for Rates {
    fn default() -> Self {
        Rates {
            copy: 500e6,
            index: 120e6,
            verify: 800e6,
            table_wal: 1.0,
            index_wal: 0.9,
            runs: 0,
        }
    }
}

/// Seconds that each partition takes to be made, and each of its indexes to be attached.
const SECONDS_PER_PARTITION: f64 = 0.004;
pub const SECONDS_PER_LEAF_INDEX: f64 = 0.002;
/// Seconds that any conversion takes: workers start, short waits.
pub const SECONDS_AT_LEAST: f64 = 0.2;

/// The last page of a table is half full, as a rule.
const HALF_A_PAGE: f64 = 0.5;
/// A table of more pages than these has a map of its free space, of so many pages.
const PAGES_WITHOUT_MAP: f64 = 4.0;
const PAGES_OF_MAP: f64 = 3.0;

/// What something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// That it handles, if it is about rows.
    pub rows: Option<f64>,
    pub disk_bytes: f64,
    pub wal_bytes: f64,
    pub seconds: f64,
}

impl std::ops::Add for Cost {
    type Output = Cost;

    /// Both, one after the other: it is about the same rows.
    fn add(self, other: Cost) -> Cost {
        Cost {
            rows: match (self.rows, other.rows) {
                (Some(one), Some(two)) => Some(one.max(two)),
                (one, two) => one.or(two),
            },
            disk_bytes: self.disk_bytes + other.disk_bytes,
            wal_bytes: self.wal_bytes + other.wal_bytes,
            seconds: self.seconds + other.seconds,
        }
    }
}

/// An estimate of a whole conversion, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    rows: f64,
    /// Of the new table, with TOAST.
    table_bytes: f64,
    /// Of each of its indexes, all leaves together, in the order of [`Plan::indexes`].
    index_bytes: Vec<f64>,
    /// Of the rows, each partition's, in the order of [`Plan::partitions`].
    shares: Vec<f64>,
    has_toast: bool,
    rates: Rates,
}

impl Estimate {
    /// `shares` are the partitions' shares of the rows, in the order of the plan.
    pub fn new(facts: &Facts, plan: &Plan, sizes: &Sizes, shares: Vec<f64>, rates: Rates) -> Self {
        let index_bytes = facts
            .indexes
            .iter()
            .map(|index| {
                let found = sizes.indexes.iter().find(|size| size.oid == index.oid);
                found.map_or(0.0, |size| {
                    index_bytes(index, size, sizes.rows, plan.key.attnum)
                })
            })
            .collect();
        Estimate {
            rows: sizes.rows,
            table_bytes: heap_bytes(sizes) + sizes.toast_bytes,
            index_bytes,
            shares,
            has_toast: sizes.toast_bytes > 0.0,
            rates,
        }
    }

    /// Making a partition: what it takes beside its rows.
    pub fn make_partition(&self, partition: usize) -> Cost {
        // A page of each index is there as soon as it exists.
        let files = self.index_bytes.len() + usize::from(self.has_toast);
        let pages = self.table_bytes * self.share(partition) / PAGE;
        let beside_rows = match pages {
            none if none <= 0.0 => 0.0,
            few if few <= PAGES_WITHOUT_MAP => HALF_A_PAGE,
            _ => HALF_A_PAGE + PAGES_OF_MAP,
        };
        Cost {
            disk_bytes: (files as f64 + beside_rows) * PAGE,
            seconds: SECONDS_PER_PARTITION,
            ..Cost::default()
        }
    }

    fn share(&self, partition: usize) -> f64 {
        self.shares.get(partition).copied().unwrap_or(0.0)
    }

    /// Copying all rows.
    pub fn copy(&self) -> Cost {
        Cost {
            rows: Some(self.rows),
            disk_bytes: self.table_bytes,
            wal_bytes: self.table_bytes * self.rates.table_wal,
            seconds: self.table_bytes / self.rates.copy,
        }
    }

    /// Building one index of one partition.
    pub fn index(&self, index: usize, partition: usize) -> Cost {
        let share = self.share(partition);
        let bytes = self.index_bytes.get(index).copied().unwrap_or(0.0) * share;
        let pages = (bytes / PAGE).ceil();
        // More than one need a root above them.
        let root = f64::from(u8::from(pages > 1.0));
        let bytes = (pages + root) * PAGE;
        Cost {
            rows: Some(self.rows * share),
            disk_bytes: bytes,
            wal_bytes: bytes * self.rates.index_wal,
            seconds: bytes / self.rates.index + SECONDS_PER_LEAF_INDEX,
        }
    }

    /// Comparing both tables, and gathering statistics beside that.
    pub fn verify(&self) -> Cost {
        Cost {
            rows: Some(self.rows),
            seconds: self.table_bytes / self.rates.verify + SECONDS_AT_LEAST,
            ..Cost::default()
        }
    }

    /// The whole conversion, to its swap.
    pub fn total(&self) -> Cost {
        let partitions = 0..self.shares.len();
        let indexes = 0..self.index_bytes.len();
        let leaves = partitions
            .flat_map(|partition| {
                let built = indexes
                    .clone()
                    .map(move |index| self.index(index, partition));
                built.chain(std::iter::once(self.make_partition(partition)))
            })
            .fold(Cost::default(), |sum, cost| sum + cost);
        self.copy() + leaves + self.verify()
    }

    /// Bytes that must be free on disk: those of the WAL may be there before they are recycled.
    pub fn needs(&self) -> f64 {
        let total = self.total();
        total.disk_bytes + total.wal_bytes
    }

    /// The rates that it rests on.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }
}

/// What the rows take in a fresh table: no more than now, and less where the table is bloated.
fn heap_bytes(sizes: &Sizes) -> f64 {
    let row = 8.0 * (sizes.width / 8.0).ceil() + ROW_OVERHEAD;
    let per_page = (HEAP_ROOM / row).floor();
    // Rows that fill more than a page alone are in the TOAST table for the most part.
    let packed = match per_page >= 1.0 {
        true => (sizes.rows / per_page).ceil() * PAGE,
        false => sizes.table_bytes,
    };
    match sizes.table_bytes > packed * BLOAT {
        true => packed,
        false => sizes.table_bytes,
    }
}

/// What an index takes that is built at once: no more than now, but for a partition column that
/// comes into it.
fn index_bytes(index: &Index, size: &IndexSize, rows: f64, key: i16) -> f64 {
    let entries = rows * size.part.unwrap_or(1.0);
    let packed = match (size.key_width, index.method.as_str()) {
        (Some(width), "btree") => {
            let entry = 8.0 * (width / 8.0).ceil() + ENTRY_OVERHEAD;
            (entries * entry / BTREE_ROOM).ceil() * PAGE
        }
        _ => size.bytes,
    };
    let extension = match index.is_unique && blockers::lacks(index, key) {
        true => entries * 8.0 / BTREE_ROOM * PAGE,
        false => 0.0,
    };
    packed.min(size.bytes) + extension
}

/// The partitions' shares of the rows where nothing is known about the column: all the same.
pub fn even_shares(partitions: usize) -> Vec<f64> {
    vec![1.0 / partitions.max(1) as f64; partitions]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        Sizes {
            rows: 1e6,
            width: 92.0,
            // 124 bytes a row with its pointer: 65 to a page.
            table_bytes: (1e6_f64 / 65.0).ceil() * PAGE,
            toast_bytes: 0.0,
            indexes: Vec::new(),
        }
    }

    #[test]
    fn a_tight_table_stays_as_large_as_it_is() {
        let tight = sizes();
        assert_eq!(heap_bytes(&tight), tight.table_bytes);
        let unaligned = Sizes {
            table_bytes: tight.table_bytes * 1.25,
            ..tight
        };
        assert_eq!(heap_bytes(&unaligned), unaligned.table_bytes);
    }

    #[test]
    fn a_bloated_one_shrinks_to_its_rows() {
        let tight = sizes();
        let bloated = Sizes {
            table_bytes: tight.table_bytes * 4.0,
            ..tight.clone()
        };
        assert_eq!(heap_bytes(&bloated), tight.table_bytes);
    }

    fn index(is_unique: bool) -> Index {
        Index {
            oid: 1,
            name: "i".to_owned(),
            method: "btree".to_owned(),
            is_unique,
            is_primary: false,
            is_exclusion: false,
            exclusion: None,
            is_valid: true,
            is_clustered: false,
            nulls_not_distinct: false,
            immediate: true,
            has_expressions: false,
            calls: Vec::new(),
            has_whole_row: false,
            extensions: Vec::new(),
            predicate: None,
            key_attnums: vec![1],
            constraint: None,
            columns: vec!["id".to_owned()],
            include: Vec::new(),
            statistics: Vec::new(),
            options: None,
            tablespace: None,
            comment: None,
        }
    }

    #[test]
    fn indexes_are_built_anew_and_extended() {
        // 1 million entries of 8 bytes, loaded in order: 20 bytes each.
        let fresh = (1e6_f64 * 20.0 / BTREE_ROOM).ceil() * PAGE;
        let size = |bytes| IndexSize {
            oid: 1,
            bytes,
            part: Some(1.0),
            key_width: Some(8.0),
        };
        assert_eq!(index_bytes(&index(false), &size(fresh), 1e6, 2), fresh);
        assert_eq!(
            index_bytes(&index(false), &size(fresh * 1.5), 1e6, 2),
            fresh
        );
        // Entries that share a posting list take less than they would alone.
        assert_eq!(
            index_bytes(&index(false), &size(fresh / 3.0), 1e6, 2),
            fresh / 3.0
        );
        let extended = index_bytes(&index(true), &size(fresh), 1e6, 2);
        assert!(
            (extended / fresh - 1.4).abs() < 0.01,
            "{}",
            extended / fresh
        );
        assert_eq!(index_bytes(&index(true), &size(fresh), 1e6, 1), fresh);
    }

    fn estimate() -> Estimate {
        Estimate {
            rows: 100.0,
            table_bytes: 4096.0 * PAGE,
            index_bytes: vec![1024.0 * PAGE, 512.0 * PAGE],
            shares: vec![0.75, 0.25, 0.0],
            has_toast: true,
            rates: Rates {
                copy: 4096.0 * PAGE,
                index: 1024.0 * PAGE,
                verify: 8192.0 * PAGE,
                ..Rates::default()
            },
        }
    }

    #[test]
    fn the_whole_is_the_sum_of_its_steps() {
        let total = estimate().total();
        assert_eq!(total.rows, Some(100.0));
        // Three partitions with two indexes and TOAST; two have rows, a map, and roots.
        let pages = 4096.0 + 1536.0 + 3.0 * 3.0 + 2.0 * 3.5 + 2.0 * 2.0;
        assert_eq!(total.disk_bytes, pages * PAGE);
        let building = 1.5 + 4.0 / 1024.0;
        let overhead =
            SECONDS_AT_LEAST + 3.0 * SECONDS_PER_PARTITION + 6.0 * SECONDS_PER_LEAF_INDEX;
        let seconds = 1.0 + building + 0.5 + overhead;
        assert!((total.seconds - seconds).abs() < 1e-9, "{}", total.seconds);
    }

    #[test]
    fn an_empty_partition_takes_a_page_of_each_file() {
        let estimate = estimate();
        assert_eq!(estimate.make_partition(2).disk_bytes, 3.0 * PAGE);
        assert_eq!(estimate.index(0, 2).disk_bytes, 0.0);
        assert_eq!(estimate.index(0, 2).rows, Some(0.0));
        assert_eq!(estimate.index(0, 0).disk_bytes, 769.0 * PAGE);
        assert_eq!(even_shares(4), [0.25; 4]);
    }
}
