//! Comparing source and twin before the swap, over all rows, with short snapshots only.
//!
//! While this runs, nothing is applied to the twin: it stands still. The source is read range by
//! range, each by a snapshot of its own. A row that nobody changes meanwhile is seen exactly
//! once in either; a row that somebody changes has its key on the log. So rows are summed up in
//! buckets by key, order-free; buckets that hold a key of the log are left out; all others must
//! be equal. `docs/internals/verify.md` has the argument.
#![allow(unsafe_code, reason = "reads heap tuples")]

use super::batch;
use super::catch_up::Targets;
use super::change_log::ChangeLog;
use super::copy::lost_log;
use super::definition::open_source;
use super::layout::Layout;
use super::routing::{Levels, Routing};
use super::scan::HeapScan;
use crate::catalog::job::Job;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::transaction::{Failure, refresh_snapshot, unit};
use crate::pg::tuple::{self, Attribute, Value};
use pgrx::pg_sys;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Blocks that one transaction reads: a fraction of a second.
const BLOCKS_PER_UNIT: u32 = 16 * 1024;

/// What comparing came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many rows are equal, and so many were changing, and not compared.
    Equal { verified: u64, left_out: u64 },
    /// The source's file was replaced meanwhile: rows may have been seen twice, or never.
    FileReplaced,
}

/// Compares all rows. Fails with [`Error::Mismatch`] where they differ.
pub fn verify(job: &Job, targets: &Targets) -> Result<Verdict, Failure> {
    // Rows are first compared as they are stored: fast, and equal as a rule. Where that differs
    // the values may still be equal (compressed otherwise, say): only values count.
    let mut depth = Depth::Stored;
    loop {
        let Some(comparison) = compare(job, targets, depth)? else {
            return Ok(Verdict::FileReplaced);
        };
        let differing = comparison.differing(job);
        if differing.is_empty() {
            return Ok(Verdict::Equal {
                verified: comparison.verified(),
                left_out: comparison.left_out(),
            });
        }
        if depth == Depth::Values {
            let relation = job.source_name.clone();
            return Err(Error::Mismatch {
                relation,
                partitions: differing,
            }
            .into());
        }
        depth = Depth::Values;
    }
}

/// How a row's checksum is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Stored,
    Values,
}

fn compare(job: &Job, targets: &Targets, depth: Depth) -> Result<Option<Comparison>, Failure> {
    let buckets = unit(|| Ok(bucket_count(job)))?;
    let mut comparison = Comparison::new(targets.leaves.len(), buckets);
    if !sum_source(job, &targets.leaves, depth, &mut comparison)? {
        return Ok(None);
    }
    failpoint("verify:between")?;
    for (ordinal, leaf) in targets.leaves.iter().enumerate() {
        sum_leaf(job, *leaf, ordinal, targets, depth, &mut comparison)?;
    }
    // Last of all: what changed while the source was read is on the log by now.
    unit(|| mark_changing(job, &targets.leaves, &mut comparison))?;
    Ok(Some(comparison))
}

/// A few rows per bucket, as far as memory is small change.
fn bucket_count(job: &Job) -> usize {
    let rows = crate::catalog::table::rows(job.source).unwrap_or(0);
    (usize::try_from(rows).unwrap_or(0) / 16)
        .next_power_of_two()
        .clamp(1 << 12, 1 << 21)
}

/// Sums over the rows of one side whose keys fall together.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Bucket {
    checksum: u64,
    rows: u32,
}

/// Both sides, bucket by bucket; a partition has its own buckets.
struct Comparison {
    per_leaf: usize,
    source: Vec<Bucket>,
    twin: Vec<Bucket>,
    changing: Vec<bool>,
    /// For each leaf, rows that PostgreSQL would look for in another one.
    strays: Vec<u64>,
}

impl Comparison {
    fn new(leaves: usize, buckets: usize) -> Comparison {
        let per_leaf = (buckets / leaves.max(1)).max(64);
        let all = per_leaf * leaves;
        Comparison {
            per_leaf,
            source: vec![Bucket::default(); all],
            twin: vec![Bucket::default(); all],
            changing: vec![false; all],
            strays: vec![0; leaves],
        }
    }

    fn place(&self, leaf: usize, key: u64) -> usize {
        leaf * self.per_leaf + (key % self.per_leaf as u64) as usize
    }

    fn compared(&self) -> impl Iterator<Item = usize> {
        (0..self.changing.len()).filter(|place| !self.changing[*place])
    }

    fn verified(&self) -> u64 {
        self.compared()
            .map(|place| u64::from(self.source[place].rows))
            .sum()
    }

    fn left_out(&self) -> u64 {
        let all: u64 = self
            .source
            .iter()
            .map(|bucket| u64::from(bucket.rows))
            .sum();
        all - self.verified()
    }

    /// The partitions that differ, each as a sentence.
    fn differing(&self, job: &Job) -> Vec<String> {
        let mut found: Vec<(usize, u64, u64)> = Vec::new();
        for place in self
            .compared()
            .filter(|place| self.source[*place] != self.twin[*place])
        {
            let leaf = place / self.per_leaf;
            let (source, twin) = (
                u64::from(self.source[place].rows),
                u64::from(self.twin[place].rows),
            );
            match found.last_mut() {
                Some(last) if last.0 == leaf => {
                    last.1 += source;
                    last.2 += twin;
                }
                _ => found.push((leaf, source, twin)),
            }
        }
        let strays = self.strays.iter().zip(&job.plan.partitions);
        let strays = strays
            .filter(|(rows, _)| **rows > 0)
            .map(|(rows, partition)| {
                format!(
                    "Partition {}: {rows} of its rows belong into another one.",
                    partition.name
                )
            });
        found
            .into_iter()
            .filter_map(|(leaf, source, twin)| {
                let partition = job.plan.partitions.get(leaf)?;
                Some(format!(
                    "Partition {}: among {source} rows of the table and {twin} of the partition, some differ.",
                    partition.name
                ))
            })
            .chain(strays)
            .collect()
    }
}

fn add(bucket: &mut Bucket, checksum: u64) {
    bucket.checksum = bucket.checksum.wrapping_add(checksum);
    bucket.rows = bucket.rows.wrapping_add(1);
}

/// Sums up the source; `false` where its file was replaced meanwhile.
fn sum_source(
    job: &Job,
    leaves: &[pg_sys::Oid],
    depth: Depth,
    sums: &mut Comparison,
) -> Result<bool, Failure> {
    let mut first = 0;
    loop {
        let more = unit(|| {
            // ACCESS SHARE on the source, for one unit: it keeps the file and the definition.
            let source = open_source(job, Mode::AccessShare)?;
            refresh_snapshot();
            if job.source_file != Some(source.file_number()) {
                return Ok(None);
            }
            let log = ChangeLog::open(job.source).ok_or_else(|| lost_log(job))?;
            let mut routing = Routing::of(job, leaves)?;
            // SAFETY: the source is open to the end of this unit.
            let layout = unsafe {
                let desc = source.tuple_desc();
                Layout::new(desc, desc, &job.plan)
            };
            // SAFETY: as above; rows are valid until the next one.
            let Some(mut scan) = (unsafe { HeapScan::blocks(&source, (first, BLOCKS_PER_UNIT)) })
            else {
                return Ok(Some(false));
            };
            while let Some(row) = scan.next() {
                // SAFETY: `row` is valid until the next turn of the loop.
                unsafe {
                    // A row that no partition takes is being changed: its key is on the log.
                    let Some(leaf) = routing.route(|number| layout.key(row, number)) else {
                        continue;
                    };
                    let values: Vec<Value>;
                    let key = match log.holds_rows() {
                        true => {
                            values = layout.values(row);
                            hash(&values, layout.live())
                        }
                        false => {
                            values = log.values(row, layout.source());
                            hash(&values, log.attributes())
                        }
                    };
                    let checksum = row_checksum(row, &layout, depth);
                    let place = sums.place(leaf, key);
                    add(&mut sums.source[place], checksum);
                }
            }
            scan.end();
            Ok(Some(true))
        })?;
        match more {
            None => return Ok(false),
            Some(false) => return Ok(true),
            Some(true) => first += BLOCKS_PER_UNIT,
        }
    }
}

/// Sums up a leaf.
fn sum_leaf(
    job: &Job,
    leaf: pg_sys::Oid,
    ordinal: usize,
    targets: &Targets,
    depth: Depth,
    sums: &mut Comparison,
) -> Result<(), Failure> {
    let mut first = 0;
    while unit(|| {
        let relation = Relation::open(leaf, Mode::AccessShare);
        refresh_snapshot();
        let log = ChangeLog::open(job.source).ok_or_else(|| lost_log(job))?;
        let mut bounds = Levels::of(job, &targets.leaves)?;
        let key_columns = log.places_of_key(&job.plan)?;
        // SAFETY: the leaf is open to the end of this unit; rows are valid until the next one.
        unsafe {
            let desc = relation.tuple_desc();
            // Only whether tuples are complete is asked of it.
            let layout = Layout::new(desc, desc, &job.plan);
            let logged = leaf_columns(job, &log, layout.live())?;
            let Some(mut scan) = HeapScan::blocks(&relation, (first, BLOCKS_PER_UNIT)) else {
                return Ok(false);
            };
            let mut values = Vec::with_capacity(logged.len());
            while let Some(row) = scan.next() {
                values.clear();
                values.extend(
                    logged
                        .iter()
                        .map(|column| tuple::value(row, desc, column.number)),
                );
                let checksum = row_checksum(row, &layout, depth);
                let place = sums.place(ordinal, hash(&values, &logged));
                add(&mut sums.twin[place], checksum);
                if bounds.place_of(|number| values[key_columns[number]]) != Some(ordinal) {
                    sums.strays[ordinal] += 1;
                }
            }
            scan.end();
        }
        Ok(true)
    })? {
        first += BLOCKS_PER_UNIT;
    }
    Ok(())
}

/// The logged columns, as attributes of a leaf: the leaf has the source's live columns in order.
fn leaf_columns(job: &Job, log: &ChangeLog, leaf: &[Attribute]) -> Result<Vec<Attribute>, Error> {
    log.attnums()
        .iter()
        .map(|attnum| {
            let place = job
                .definition
                .columns
                .iter()
                .position(|column| column.attnum == *attnum);
            place
                .and_then(|place| leaf.get(place).copied())
                .ok_or_else(|| Error::Internal(format!("no column {attnum} in a leaf")))
        })
        .collect()
}

/// Marks the buckets of all keys that wait in the log.
fn mark_changing(job: &Job, leaves: &[pg_sys::Oid], sums: &mut Comparison) -> Result<(), Error> {
    let log = ChangeLog::open(job.source).ok_or_else(|| lost_log(job))?;
    let key_columns = log.places_of_key(&job.plan)?;
    let mut routing = Routing::of(job, leaves)?;
    batch::for_each(&log, |entry| {
        if let Some(leaf) = routing.route(|number| entry.values[key_columns[number]]) {
            // SAFETY: the entry's values live as long as this unit.
            let place = sums.place(leaf, unsafe { hash(&entry.values, log.attributes()) });
            sums.changing[place] = true;
        }
    })
}

/// # Safety
/// One live value per attribute.
unsafe fn hash(values: &[Value], attributes: &[Attribute]) -> u64 {
    let mut state: u64 = 0;
    for (value, attribute) in values.iter().zip(attributes) {
        // SAFETY: the caller's promise.
        let hash = unsafe { value.image_hash(attribute) };
        state = (state ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 32;
    }
    state
}

/// # Safety
/// `row` is a live tuple of the layout's source.
unsafe fn row_checksum(row: pg_sys::HeapTuple, layout: &Layout, depth: Depth) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        if depth == Depth::Stored && layout.passes_whole(row) && !tuple::has_external(row) {
            return xxh3_64(tuple::body(row));
        }
        let mut state = Xxh3::new();
        for (value, attribute) in layout.values(row).iter().zip(layout.live()) {
            state.update(&value.image_hash(attribute).to_le_bytes());
        }
        state.digest()
    }
}
