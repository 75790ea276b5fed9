//! From what plans do to what is said about it.

use super::usage::Usage;
use super::words;
use crate::analyze::facts::{self, Statistics};
use crate::pg::planner::Planned;
use crate::plan::bounds::Span;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A statement that reads at most this share of the rows is said to gain.
const GAIN: f64 = 0.9;

/// When partitions are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruned {
    AtPlanTime,
    AtRunTime,
    Never,
}

impl Pruned {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Pruned::AtPlanTime => "plan time",
            Pruned::AtRunTime => "run time",
            Pruned::Never => "never",
        }
    }
}

/// What would become of a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fate {
    pub partitions_before: i64,
    pub partitions_after: i64,
    /// `None` where it reads no partition.
    pub pruned: Option<Pruned>,
    pub locks_before: i64,
    pub locks_after: i64,
    pub gains: bool,
    pub note: Option<String>,
}

/// The partitioned table that statements were planned on.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Each partition, as OID, with its share of the rows.
    pub shares: HashMap<u32, f64>,
    pub indexes: i64,
    /// Indexes of the partitioned table itself that planning locks.
    pub parent_indexes: i64,
}

/// A row of the report.
#[derive(Clone, Debug)]
pub struct Line {
    /// `None` for several statements together.
    pub statement: Option<String>,
    pub calls: i64,
    pub time: f64,
    /// Share of the time of all statements on the table; `None` where it is not known to be on it.
    pub share: Option<f64>,
    /// `None` where it could not be planned, for the reason given as a note.
    pub fate: Option<Fate>,
    pub note: Option<String>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Report {
    pub lines: Vec<Line>,
    /// Statements that were looked at.
    pub statements: usize,
    /// The share of their time that gains.
    pub gain: f64,
    /// Those that can be planned now, and not on the partitioned table.
    pub fails: usize,
}

/// What becomes of a statement with such a plan.
pub fn fate(planned: &Planned, shape: &Shape) -> Fate {
    let all = shape.shares.len() as i64;
    let each = 1 + shape.indexes;
    let reads = !planned.locked.is_empty() || !planned.inserts;
    let read = planned.read.len() as i64;
    if !reads {
        // Rows find their partitions one by one.
        return Fate {
            partitions_before: 1,
            partitions_after: 1,
            locks_before: each,
            locks_after: 1 + each,
            note: Some("Each row goes to its own partition.".to_owned()),
            ..Fate::default()
        };
    }
    let rows_read: f64 = planned
        .read
        .iter()
        .filter_map(|leaf| shape.shares.get(leaf))
        .sum();
    let pruned = match planned {
        _ if planned.names_only => None,
        // Scanned twice, and only once with pruning.
        _ if read == all => Some(Pruned::Never),
        planned if planned.is_pruned_at_run_time => Some(Pruned::AtRunTime),
        _ => Some(Pruned::AtPlanTime),
    };
    // Without its partitions it is planned as any other table.
    let parent_indexes = match planned.names_only {
        true => shape.indexes,
        false => shape.parent_indexes,
    };
    let note = match planned {
        _ if planned.names_only => {
            Some("It names the table ONLY, which after the conversion holds no rows.")
        }
        planned if planned.is_pruned_by_range && read < all => {
            Some("More, where the range that it asks for is longer than a partition.")
        }
        _ => None,
    };
    Fate {
        partitions_before: all,
        partitions_after: read,
        pruned,
        locks_before: each,
        locks_after: 1 + parent_indexes + planned.locked.len() as i64 * each,
        gains: pruned.is_some() && read < all && rows_read <= GAIN,
        note: note.map(str::to_owned),
    }
}

/// Puts the rows of the report together; `fates` are those of the statements, in their order.
pub fn report(usage: &Usage, fates: Vec<Result<Fate, String>>) -> Report {
    let all = usage.time();
    let share = |time: f64| time / all.max(f64::MIN_POSITIVE);
    let (mut gain, mut fails) = (0.0, 0);
    let mut lines: Vec<Line> = usage
        .statements
        .iter()
        .zip(fates)
        .map(|(statement, fate)| {
            let (fate, note) = match fate {
                Ok(fate) => (Some(fate.clone()), fate.note),
                Err(why) => (None, Some(why)),
            };
            if fate.as_ref().is_some_and(|fate| fate.gains) {
                gain += share(statement.time);
            }
            fails += usize::from(fate.is_none() && statement.way.is_ok());
            Line {
                statement: Some(statement.text.clone()),
                calls: statement.calls,
                time: statement.time,
                share: (!statement.is_command()).then(|| share(statement.time)),
                fate,
                note,
            }
        })
        .collect();
    let others = [
        (&usage.left_out, words::left_out(&usage.left_out)),
        (&usage.hidden, words::hidden(&usage.hidden)),
    ];
    lines.extend(
        others
            .into_iter()
            .filter(|(sum, _)| sum.statements > 0)
            .map(|(sum, note)| Line {
                statement: None,
                calls: sum.calls,
                time: sum.time,
                share: None,
                fate: None,
                note: Some(note),
            }),
    );
    Report {
        statements: usage
            .statements
            .iter()
            .filter(|statement| !statement.is_command())
            .count(),
        lines,
        gain,
        fails,
    }
}

impl Report {
    /// The gain in a sentence; `None` without statements.
    pub fn sentence(&self) -> Option<String> {
        (self.statements > 0).then(|| words::gain(self.statements, self.gain))
    }

    /// What must be changed before, in a sentence.
    pub fn warning(&self) -> Option<String> {
        (self.fails > 0).then(|| words::fails(self.fails))
    }

    /// For programs.
    pub fn document(&self) -> Value {
        let rounded = |number: f64| (number * 10_000.0).round() / 10_000.0;
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                let fate = line.fate.as_ref();
                json!({
                    "statement": line.statement,
                    "calls": line.calls,
                    "total_time": rounded(line.time),
                    "share_of_time": line.share.map(rounded),
                    "partitions_before": fate.map(|fate| fate.partitions_before),
                    "partitions_after": fate.map(|fate| fate.partitions_after),
                    "pruned": fate.and_then(|fate| fate.pruned).map(Pruned::name),
                    "locks_before": fate.map(|fate| fate.locks_before),
                    "locks_after": fate.map(|fate| fate.locks_after),
                    "note": line.note,
                })
            })
            .collect();
        json!({"share_that_gains": rounded(self.gain), "statements": lines})
    }
}

/// The share of the rows that belongs to each span, and last what no span takes.
///
/// Between two bounds of a histogram rows are taken to lie evenly.
pub fn shares(statistics: Option<&Statistics>, ends: (i64, i64), spans: &[Span]) -> Vec<f64> {
    let below = |key: i64| match statistics {
        Some(statistics) => statistics.share_below(key),
        None => {
            let (first, last) = (ends.0 as f64, ends.1 as f64 + 1.0);
            ((key as f64 - first) / (last - first)).clamp(0.0, 1.0)
        }
    };
    let ranges = spans.iter().map(|span| (span.lower.key, span.upper.key));
    facts::shares(ranges, below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn shape() -> Shape {
        Shape {
            // Four with rows, one ahead, the default one.
            shares: HashMap::from([
                (1, 0.25),
                (2, 0.25),
                (3, 0.25),
                (4, 0.25),
                (5, 0.0),
                (6, 0.0),
            ]),
            indexes: 2,
            parent_indexes: 0,
        }
    }

    fn set(leaves: &[u32]) -> BTreeSet<u32> {
        leaves.iter().copied().collect()
    }

    #[test]
    fn a_plan_without_pruning_reads_and_locks_all() {
        let planned = Planned {
            locked: set(&[1, 2, 3, 4, 5, 6]),
            planned: set(&[1, 2, 3, 4, 5, 6]),
            read: set(&[1, 2, 3, 4, 5, 6]),
            ..Planned::default()
        };
        let fate = fate(&planned, &shape());
        assert_eq!((fate.partitions_before, fate.partitions_after), (6, 6));
        assert_eq!((fate.locks_before, fate.locks_after), (3, 19));
        assert_eq!((fate.pruned, fate.gains), (Some(Pruned::Never), false));
    }

    #[test]
    fn leaving_out_empty_partitions_is_no_gain() {
        let planned = Planned {
            locked: set(&[1, 2, 3, 4]),
            planned: set(&[1, 2, 3, 4]),
            read: set(&[1, 2, 3, 4]),
            ..Planned::default()
        };
        let fate = fate(&planned, &shape());
        assert_eq!((fate.pruned, fate.gains), (Some(Pruned::AtPlanTime), false));
    }

    #[test]
    fn run_time_pruning_reads_few_and_locks_all() {
        let planned = Planned {
            locked: set(&[1, 2, 3, 4, 5, 6]),
            planned: set(&[1, 2, 3, 4, 5, 6]),
            read: set(&[4, 6]),
            is_pruned_at_run_time: true,
            is_pruned_by_range: true,
            ..Planned::default()
        };
        let fate = fate(&planned, &shape());
        assert_eq!((fate.partitions_after, fate.locks_after), (2, 19));
        assert_eq!((fate.pruned, fate.gains), (Some(Pruned::AtRunTime), true));
        assert!(fate.note.is_some());
    }

    #[test]
    fn an_insert_goes_to_one_partition() {
        let planned = Planned {
            inserts: true,
            ..Planned::default()
        };
        let fate = fate(&planned, &shape());
        assert_eq!((fate.partitions_before, fate.partitions_after), (1, 1));
        assert_eq!(
            (fate.locks_after, fate.pruned, fate.gains),
            (4, None, false)
        );
    }

    #[test]
    fn only_finds_nothing() {
        let planned = Planned {
            names_only: true,
            ..Planned::default()
        };
        let fate = fate(&planned, &shape());
        assert_eq!(
            (fate.partitions_after, fate.pruned, fate.gains),
            (0, None, false)
        );
    }

    #[test]
    fn rows_are_shared_out_by_the_histogram() {
        use crate::plan::bounds::RangeBound;
        let bound = |key: i64| RangeBound {
            key,
            literal: key.to_string(),
        };
        let span = |lower, upper| Span {
            lower: bound(lower),
            upper: bound(upper),
            label: String::new(),
        };
        let spans = [span(0, 100), span(100, 200), span(200, 300)];
        let statistics = Statistics {
            null_fraction: 0.1,
            histogram: vec![Some(0), Some(50), Some(100), Some(200)],
            ..Statistics::default()
        };
        let found = shares(Some(&statistics), (0, 200), &spans);
        let percent: Vec<i64> = found
            .iter()
            .map(|share| (share * 100.0).round() as i64)
            .collect();
        assert_eq!(percent, [60, 30, 0, 10]);
        assert_eq!(shares(None, (0, 199), &spans), [0.5, 0.5, 0.0, 0.0]);
    }
}
