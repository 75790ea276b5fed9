//! Which column to partition by: each is judged by itself, and the best of those that will do is
//! recommended. Only what `convert_to_partitioned` can do in this release will do.

use super::disguise::{self, Disguise};
use super::facts::{ColumnFacts, ServerFacts, Statistics, TableFacts, Thresholds};
use super::period::{self, Flow, Period};
use super::words;
use crate::plan::blockers;
use crate::plan::bounds::RangeBound;
use crate::plan::facts::{Column, Facts};
use crate::plan::interval::KeyType;

/// What there is to know for judging the columns of one table.
pub struct Table<'a> {
    pub sizes: &'a TableFacts,
    pub facts: &'a Facts,
    pub server: &'a ServerFacts,
    pub thresholds: &'a Thresholds,
    pub retention_seconds: Option<f64>,
    pub rows: f64,
    pub total_bytes: f64,
}

/// A column that will do.
#[derive(Clone, Debug)]
pub struct Choice {
    pub column: Column,
    pub disguise: Option<Disguise>,
    pub flow: Flow,
    /// Seconds since the last row came, where the table does not grow any more.
    pub standstill: Option<f64>,
    pub period: Period,
    pub bounds: Bounds,
    pub null_fraction: f64,
    pub has_infinity: bool,
    pub score: f64,
    /// Why it is good, in sentences.
    pub reasons: Vec<String>,
}

/// Where ranges are to begin and to end, if values far out are to be left to the default partition.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    pub start: Option<String>,
    pub end: Option<String>,
    /// The ends of all that the column holds.
    pub smallest: Option<String>,
    pub largest: Option<String>,
}

/// Judges a column as partition key; `Err` is why it will not do, a clause without its subject.
pub fn judge(
    table: &Table,
    column: &Column,
    key: Option<KeyType>,
    found: Option<&ColumnFacts>,
) -> Result<Choice, String> {
    if !column.generated.is_empty() {
        return Err("is a generated column".to_owned());
    }
    let found = found.ok_or("has no statistics")?;
    let statistics = found.statistics.as_ref().ok_or("has no statistics")?;
    let Some(key) = key else {
        return Err(match disguise::of_texts(&statistics.samples) {
            Some(disguise) => format!(
                "holds {}, which begin with a time, but is of type {}, of which this release makes no ranges",
                disguise.name(),
                column.type_name
            ),
            None => format!(
                "is of type {}, of which this release makes no ranges",
                column.type_name
            ),
        });
    };
    let nulls = statistics.null_fraction;
    if nulls > table.thresholds.null_share {
        return Err(format!("is null in {} of the rows", words::percent(nulls)));
    }
    let must_be_not_null = table
        .facts
        .indexes
        .iter()
        .any(|index| index.is_primary && blockers::lacks(index, column.attnum));
    let distinct = statistics.distinct(table.rows);
    let hidden = match key {
        KeyType::BigInt | KeyType::Integer => hidden_time(table, statistics, distinct),
        _ => None,
    };
    let order = statistics.correlation.unwrap_or(0.0).abs();
    let stamps = key.is_time() && is_stamp(column);
    let default = column.default_text.as_deref().unwrap_or("");
    let counts = !column.identity.is_empty() || default.contains("nextval(");
    let in_order = order >= table.thresholds.correlation
        || (stamps && order >= table.thresholds.correlation / 2.0);
    // Rows may be stored in another order than they came in; a value that is never changed and never
    // null still tells young rows from old ones.
    let divides = key.is_time()
        && column.not_null
        && !is_of_the_subject(&column.name)
        && !(changes_by_name(&column.name) || is_rewritten(table));
    if !in_order && !divides {
        return Err(format!(
            "does not follow the order in which rows came (correlation {:.2})",
            statistics.correlation.unwrap_or(0.0)
        ));
    }
    let unique: Vec<_> = table
        .facts
        .indexes
        .iter()
        .filter(|index| index.is_unique)
        .collect();
    let is_in_every_key = !unique.is_empty()
        && unique
            .iter()
            .all(|index| !blockers::lacks(index, column.attnum));
    let mut score = 0.0;
    let mut reasons = Vec::new();
    let name = &column.name;
    match (key.is_time(), hidden) {
        (true, _) if !in_order => {
            // Where that is what most queries ask for, it is worth more than a key they do not name.
            score += match found.compared >= 0.5 {
                true => 80.0,
                false => 30.0,
            };
            reasons.push(format!(
                "Column \"{name}\" is a time, though rows do not lie in its order (correlation {order:.2}): queries and \
                 retention by it would gain."
            ));
        }
        (true, _) => {
            score += 100.0;
            reasons.push(format!(
                "Column \"{name}\" is a time that follows the order in which rows came (correlation {order:.2})."
            ));
        }
        (false, Some(disguise)) => {
            score += 80.0;
            reasons.push(format!(
                "Column \"{name}\" holds {}, which follow the order in which rows came (correlation {order:.2}).",
                disguise.name()
            ));
        }
        (false, None) => {
            if !counts && !is_in_every_key {
                return Err(
                    "is a number, but neither drawn from a sequence nor part of a key".to_owned(),
                );
            }
            score += 60.0;
            reasons.push(format!(
                "Column \"{name}\" is a key that grows as rows come (correlation {order:.2})."
            ));
        }
    }
    let whole = Flow::of(found, key, hidden, table.total_bytes)
        .ok_or("has (nearly) the same value in all rows")?;
    let choose = |flow: &Flow| {
        period::choose(
            key,
            hidden,
            flow,
            table.total_bytes,
            table.server.now_as(key),
            table.retention_seconds,
            table.thresholds,
        )
    };
    let near = whole.without_far_ends(statistics);
    let (flow, period) = match (choose(&whole), choose(&near)) {
        // Many ranges for a few values far out, and none of them filled.
        (whole_period, Some(period))
            if whole_period
                .as_ref()
                .is_none_or(|whole| whole.ranges > 10 * period.ranges) =>
        {
            (near, Some(period))
        }
        (whole_period, _) => (whole, whole_period),
    };
    let period = period.ok_or_else(|| {
        format!(
            "reaches so far that even the widest interval makes more than {} partitions (pg_partman_rs.max_partitions)",
            table.thresholds.max_partitions
        )
    })?;
    if !key.is_time()
        && hidden.is_none()
        && !counts
        && period.ranges == 1
        && unique.iter().all(|index| index.key_attnums.len() > 1)
    {
        return Err("is a number that one range would hold all of".to_owned());
    }
    let literal = |at: i64| RangeBound::at(key, at).ok().map(|bound| bound.literal);
    let bounds = Bounds {
        start: (flow.first > whole.first)
            .then(|| literal(flow.first))
            .flatten(),
        end: (flow.last < whole.last)
            .then(|| literal(period.end(key)))
            .flatten(),
        smallest: literal(whole.first),
        largest: literal(whole.last),
    };
    score += 10.0 * order;
    if column.not_null {
        score += 5.0;
    } else if must_be_not_null {
        // It would have to become NOT NULL before.
        score -= 50.0;
    }
    if stamps {
        score += 10.0;
        reasons.push(format!(
            "Its default is {default}: rows are stamped as they are made."
        ));
    }
    if found.leads_index {
        score += 5.0;
    }
    if found.compared > 0.0 {
        score += 20.0 * found.compared;
        reasons.push(format!(
            "Statements that choose rows by \"{name}\" take {} of the time of all on the table.",
            words::percent(found.compared)
        ));
    }
    if is_in_every_key {
        score += 15.0;
        reasons.push(
            "It is part of every unique key, so that all of them stay as they are.".to_owned(),
        );
    } else if table.sizes.has_incoming_keys {
        // The key that others refer to cannot be extended.
        score -= 60.0;
    }
    if changes_by_name(name) {
        score -= 40.0;
    }
    if let Some((first, last)) = found.ends.filter(|_| key.is_time()) {
        let span = (last as f64 - first as f64) * flow.seconds_per_key.unwrap_or(0.0);
        reasons.push(format!("It spans {}.", words::seconds(span)));
    }
    Ok(Choice {
        column: column.clone(),
        disguise: hidden,
        flow,
        standstill: flow.standstill(table.server.now_as(key)),
        period,
        bounds,
        null_fraction: nulls,
        has_infinity: statistics.has_infinity(),
        score,
        reasons,
    })
}

/// The time that integers hold, if they do.
fn hidden_time(table: &Table, statistics: &Statistics, distinct: f64) -> Option<Disguise> {
    /// Milliseconds between 1970 and 2000.
    const TO_UNIX: i64 = 946_684_800_000;
    let values: Vec<i64> = statistics
        .histogram
        .iter()
        .chain(&statistics.common)
        .filter_map(|value| *value)
        .collect();
    disguise::of_integers(
        &values,
        table.server.now / 1000 + TO_UNIX,
        distinct / table.rows.max(1.0),
    )
}

/// Whether a column's default is the moment at which the row is made.
fn is_stamp(column: &Column) -> bool {
    let default = column.default_text.as_deref().unwrap_or("").to_lowercase();
    [
        "now()",
        "current_timestamp",
        "current_date",
        "localtimestamp",
        "clock_timestamp()",
        "statement_timestamp()",
        "transaction_timestamp()",
    ]
    .iter()
    .any(|word| default.contains(word))
}

/// Whether the name says that the value changes during the life of a row. A row whose partition
/// key changes moves to another partition. Weak evidence, but there is no other between two
/// columns with the same statistics.
fn changes_by_name(name: &str) -> bool {
    let name = name.to_lowercase();
    [
        "updat", "modif", "chang", "last_", "delet", "expir", "until", "valid_to", "due", "end",
        "next",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Whether the name says that the time is one in the life of what the row describes, and not of the
/// row. Weak evidence as well.
fn is_of_the_subject(name: &str) -> bool {
    let name = name.to_lowercase();
    ["birth", "born", "dob", "founded"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether many rows were updated since the counters were reset: any column may be what changed.
fn is_rewritten(table: &Table) -> bool {
    table.sizes.updated as f64 > table.rows / 10.0
}

/// Strategies that this release has not, in words: what would fit a table that no range fits.
pub fn in_words(
    table: &Table,
    columns: &[ColumnFacts],
    texts: impl Fn(u32) -> bool,
) -> Option<String> {
    let statistics = |column: &Column| {
        columns
            .iter()
            .find(|found| found.attnum == column.attnum)
            .and_then(|found| found.statistics.as_ref())
    };
    let disguised = table.facts.columns.iter().find_map(|column| {
        let disguise = disguise::of_texts(&statistics(column)?.samples)?;
        let (name, holds) = (&column.name, disguise.name());
        Some(match disguise {
            Disguise::IsoText => format!(
                "Column \"{name}\" holds {holds}: as a timestamp, it would be what to partition the table by."
            ),
            _ => format!(
                "Column \"{name}\" holds {holds}, which begin with a time: ranges over it would suit the table."
            ),
        })
    });
    let listed = || {
        table
            .facts
            .columns
            .iter()
            .filter(|column| column.generated.is_empty() && texts(column.type_oid))
            .filter_map(|column| {
                let found = statistics(column)?;
                let distinct = found.distinct(table.rows).round();
                let lasting = (2.0..=50.0).contains(&distinct)
                    && found.null_fraction == 0.0
                    && found.is_even(distinct);
                lasting.then_some((column, distinct))
            })
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(column, distinct)| {
                format!(
                    "Column \"{}\" has {distinct:.0} different values: a list partition for each could suit the table, \
                     if queries name the value and it does not change.",
                    column.name
                )
            })
    };
    let hashed = || {
        let written = table.sizes.inserted + table.sizes.updated + table.sizes.deleted;
        let identity = table.facts.identity()?;
        // Several times the table, in updates: writers meet on the same pages and indexes.
        (written as f64 > 5.0 * table.rows).then(|| {
            let names: Vec<String> = identity
                .key_attnums
                .iter()
                .filter_map(|attnum| table.facts.column_at(*attnum))
                .map(|column| format!("\"{}\"", column.name))
                .collect();
            format!(
                "{} writes to {} rows: hash partitions by {} would spread them, if contention is the problem.",
                words::count(written as f64),
                words::count(table.rows),
                names.join(", ")
            )
        })
    };
    disguised.or_else(listed).or_else(hashed)
}
