//! From facts to advice: verdict, column, interval, and everything that stands in the way.

use super::column::{self, Choice, Table};
use super::disguise::Disguise;
use super::facts::{ColumnFacts, ServerFacts, TableFacts, Thresholds};
use super::period::PREMAKE;
use super::{words, worth};
use crate::plan::blockers::{self, Blocker};
use crate::plan::facts::{Column, Facts, Index};
use crate::plan::interval::KeyType;
use crate::plan::sql::Sql;
use serde_json::{Value, json};

/// What the caller wants of the analysis.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Judge this column and no other.
    pub column: Option<String>,
    pub retention_seconds: Option<f64>,
}

/// What a table's types are to this release; told from outside, as it takes OIDs of PostgreSQL.
pub struct Types {
    pub key: fn(u32) -> Option<KeyType>,
    /// Types of which a few lasting values make a list.
    pub is_listable: fn(u32) -> bool,
}

/// What was found out by a closer look, at tables that are worth it.
pub struct Closer<'a> {
    pub facts: &'a Facts,
    pub columns: &'a [ColumnFacts],
    /// Free bytes where the table's files are, if the server could tell.
    pub free_bytes: Option<i64>,
    pub workers_wanted: i64,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Advice {
    /// `None`: it cannot be told, for the reason given.
    pub needs_partitioning: Option<bool>,
    pub choice: Option<Choice>,
    pub reasons: Vec<String>,
    pub blockers: Vec<Blocker>,
    pub warnings: Vec<String>,
    pub key_changes: Vec<String>,
    /// Columns that will not do, and why.
    pub refused: Vec<(String, String)>,
    /// What was found out about its statements, for programs.
    pub queries: Option<Value>,
}

impl Advice {
    fn of(needs_partitioning: Option<bool>, reason: String) -> Self {
        Advice {
            needs_partitioning,
            reasons: vec![reason],
            ..Advice::default()
        }
    }

    /// Why there is no column to partition by, in sentences.
    pub fn why_no_column(&self, table: &TableFacts, wish: &Wish) -> Vec<String> {
        let mut reasons = self.reasons.clone();
        if table.rows.is_none() {
            reasons.push("It was never analysed: ANALYZE would tell more.".to_owned());
        }
        if wish.column.is_none() {
            let refused = self.refused.iter();
            reasons.extend(refused.map(|(name, why)| format!("Column \"{name}\" {why}.")));
        }
        reasons
    }

    /// Partitions that the conversion would make, the default one and those made ahead among them.
    pub fn partitions(&self) -> Option<i64> {
        self.choice
            .as_ref()
            .map(|choice| choice.period.ranges + PREMAKE + 1)
    }

    /// The call that shows the plan; only where it will not be refused.
    pub fn next_step(&self, facts: &Facts) -> Option<String> {
        let choice = self.choice.as_ref().filter(|_| self.blockers.is_empty())?;
        let argument = |template, at: &Option<String>| match at {
            Some(at) => Sql::template(template).literal("at", at).build(),
            None => String::new(),
        };
        let bounds = argument(", range_start => {at}", &choice.bounds.start)
            + &argument(", range_end => {at}", &choice.bounds.end);
        Some(
            Sql::template(
                "SELECT * FROM convert_to_partitioned({source}, {column}, 'range', {interval}{bounds}, dry_run => true);",
            )
            .trusted("bounds", &bounds)
            .literal("source", &facts.qualified_name().to_string())
            .literal("column", &choice.column.name)
            .literal("interval", &choice.period.argument)
            .build(),
        )
    }

    /// What a program wants to know beyond the sentences.
    pub fn details(&self, table: &TableFacts) -> Value {
        let refused: serde_json::Map<String, Value> = self
            .refused
            .iter()
            .map(|(column, why)| (column.clone(), json!(why)))
            .collect();
        let mut details = json!({
            "blockers": self.blockers.iter().map(|blocker| json!({"fact": blocker.fact, "hint": blocker.hint})).collect::<Vec<_>>(),
            "columns_refused": refused,
            "table_bytes": table.table_bytes,
            "index_bytes": table.index_bytes,
            "dead_rows": table.dead,
            "deleted_rows": table.deleted,
            "vacuums": table.vacuum.done,
            "vacuum_ago_seconds": table.vacuum.last_ago.map(f64::round),
            "vacuum_seconds": table.vacuum.average_seconds().map(f64::round),
            "vacuum_pause_seconds": table.total_bytes().and_then(|bytes| table.vacuum.pass_seconds(bytes)).map(f64::round),
            "frozen_age": table.vacuum.frozen_age,
            "ranges": self.choice.as_ref().map(|choice| choice.period.ranges),
            "bytes_per_month": self.choice.as_ref().and_then(|choice| choice.flow.bytes_per_second())
                .map(|rate| (rate * 30.4375 * 86_400.0).round() as i64),
            "holds": self.choice.as_ref().and_then(|choice| choice.disguise).map(Disguise::name),
        });
        if let (Some(queries), Some(fields)) = (&self.queries, details.as_object_mut()) {
            fields.insert("queries".to_owned(), queries.clone());
        }
        details
    }
}

/// Whether a closer look can change anything; else the advice is complete.
///
/// Sizes and counters suffice for most tables of a database.
pub fn at_first_sight(table: &TableFacts, thresholds: &Thresholds) -> Result<(), Advice> {
    let small = words::bytes(thresholds.small_bytes as f64);
    let answer = |verdict, reason: String| Err(Advice::of(verdict, reason));
    if table.is_converting {
        return answer(
            Some(false),
            "A conversion of it is under way: see partman_rs.conversions.".to_owned(),
        );
    }
    let sizes = table.total_bytes().zip(table.table_bytes);
    let Some((total, table_bytes)) = sizes.filter(|_| !table.is_locked) else {
        return answer(
            None,
            "Another session holds, or waits for, an ACCESS EXCLUSIVE lock on it or an index of it: nothing was read."
                .to_owned(),
        );
    };
    if table_bytes == 0 || (table.rows == Some(0.0) && table.live == 0) {
        return answer(Some(false), "It is empty.".to_owned());
    }
    if total < thresholds.small_bytes {
        return answer(
            Some(false),
            format!(
                "Table and indexes are {}, less than {small}: partitions would cost more than they bring \
                 (pg_partman_rs.analyze_small_size).",
                words::bytes(total as f64)
            ),
        );
    }
    if !table.is_readable {
        return answer(
            None,
            format!(
                "Table and indexes are {}, but you may not read the table, which hides its statistics.",
                words::bytes(total as f64)
            ),
        );
    }
    if table.rows.is_none() {
        return answer(None, never_analysed(total));
    }
    Ok(())
}

fn never_analysed(total: i64) -> String {
    format!(
        "Table and indexes are {}, but it was never analysed: run ANALYZE on it, and ask again.",
        words::bytes(total as f64)
    )
}

/// The whole advice. Where the first sight settles the verdict, the rest is still said.
pub fn decide(
    table: &TableFacts,
    closer: &Closer,
    server: &ServerFacts,
    thresholds: &Thresholds,
    wish: &Wish,
    types: &Types,
) -> Advice {
    let mut advice = match at_first_sight(table, thresholds) {
        Err(advice) if advice.needs_partitioning.is_none() || table.is_converting => return advice,
        Err(advice) => advice,
        Ok(()) => Advice::default(),
    };
    let settled = advice.needs_partitioning.is_some();
    let facts = closer.facts;
    let total = table.total_bytes().unwrap_or(0);
    let rows = table.rows.unwrap_or(0.0).max(table.live as f64);
    let known = closer
        .columns
        .iter()
        .any(|column| column.statistics.is_some());
    if !known {
        if !settled {
            advice = Advice::of(None, never_analysed(total));
        }
        advice.blockers = blockers_of(table, facts, types, wished(facts, wish));
        return advice;
    }
    let subject = Table {
        sizes: table,
        facts,
        server,
        thresholds,
        retention_seconds: wish.retention_seconds,
        rows,
        total_bytes: total as f64,
    };
    let mut choices = Vec::new();
    for column in &facts.columns {
        if wish
            .column
            .as_ref()
            .is_some_and(|wanted| *wanted != column.name)
        {
            continue;
        }
        let found = closer
            .columns
            .iter()
            .find(|found| found.attnum == column.attnum);
        match column::judge(&subject, column, (types.key)(column.type_oid), found) {
            Ok(choice) => choices.push(choice),
            Err(why) => advice.refused.push((column.name.clone(), why)),
        }
    }
    // The first of the best: columns are in the order of the table.
    let best = choices
        .into_iter()
        .reduce(|best, next| if next.score > best.score { next } else { best });
    let growth = best
        .as_ref()
        .filter(|choice| choice.standstill.is_none())
        .and_then(|choice| choice.flow.bytes_per_second());
    let worth = (!settled).then(|| {
        worth::judge(
            table,
            server,
            thresholds,
            total,
            rows,
            growth,
            wish.retention_seconds,
        )
    });
    let listable = |oid: u32| (types.is_listable)(oid);
    let in_words = match (&best, &wish.column, &worth) {
        (None, None, Some(worth)) if worth.is_worth_it => {
            column::in_words(&subject, closer.columns, listable)
        }
        _ => None,
    };
    if let Some(worth) = worth {
        // Without any way to divide it, nothing is gained by dividing it.
        let gains = best.is_some() || in_words.is_some();
        advice.needs_partitioning = Some(worth.is_worth_it && gains);
        advice.reasons = worth.reasons;
        if worth.is_worth_it && !gains {
            advice.reasons.push(match &wish.column {
                Some(column) => format!("But column \"{column}\" is no key for it."),
                None => "But none of its columns divides it into parts that queries or retention could use.".to_owned(),
            });
        }
    }
    if let Some(choice) = &best {
        if advice.needs_partitioning == Some(false) {
            advice
                .reasons
                .push("If it is to be partitioned all the same:".to_owned());
        }
        advice.reasons.extend(choice.reasons.iter().cloned());
        advice.reasons.push(width_in_words(choice, wish));
        advice.warnings.extend(choice_warnings(choice, wish));
        advice.key_changes = key_changes(facts, &choice.column);
    } else if let Some(words) = in_words {
        advice.reasons.push(words);
        advice.blockers.push(Blocker::fact(
            "This release makes ranges over timestamp with time zone, timestamp, date, smallint, integer and bigint \
             only, and no such column of the table will do.",
        ));
    }
    if wish.column.is_some() || best.is_none() {
        advice.reasons.extend(
            advice
                .refused
                .iter()
                .filter(|(name, _)| wish.column.as_ref() == Some(name))
                .map(|(name, why)| format!("Column \"{name}\" {why}.")),
        );
    }
    let key = match &best {
        Some(choice) => Some(&choice.column),
        None => wished(facts, wish),
    };
    advice
        .blockers
        .extend(blockers_of(table, facts, types, key));
    let indexes = facts.indexes.len();
    advice.choice = best;
    advice
        .warnings
        .extend(table_warnings(table, facts, rows, thresholds));
    if let Some(partitions) = advice.partitions() {
        advice
            .warnings
            .extend(server_warnings(partitions, table, closer, server, indexes));
        advice
            .warnings
            .extend(slot_warnings(server, total, thresholds));
    }
    advice
}

fn wished<'a>(facts: &'a Facts, wish: &Wish) -> Option<&'a Column> {
    facts.column(wish.column.as_deref()?)
}

/// All that `convert_to_partitioned` would refuse, with this column if there is one.
fn blockers_of(
    table: &TableFacts,
    facts: &Facts,
    types: &Types,
    key: Option<&Column>,
) -> Vec<Blocker> {
    let mut found = Vec::new();
    if !table.may_convert {
        found.push(Blocker::with_hint(
            format!(
                "It belongs to role \"{}\", which you may not act as.",
                facts.owner_name
            ),
            "Have its owner, or a role that can SET ROLE to it, convert it.",
        ));
    }
    if let Some(key) = key.filter(|key| (types.key)(key.type_oid).is_none()) {
        found.push(blockers::unsupported_type(key));
    }
    match key {
        Some(key) => found.extend(blockers::find(facts, key, true)),
        None => found.extend(blockers::of_table(facts)),
    }
    found
}

fn width_in_words(choice: &Choice, wish: &Wish) -> String {
    let period = &choice.period;
    let meaning = period
        .meaning
        .map(|meaning| format!(" ({meaning})"))
        .unwrap_or_default();
    let parts = match period.ranges {
        1 => "1 range".to_owned(),
        ranges => format!("{ranges} ranges"),
    };
    let retention = match wish.retention_seconds {
        Some(kept) if choice.flow.seconds_per_key.is_some() => {
            format!(
                ", narrow enough to keep {} by whole partitions",
                words::seconds(kept)
            )
        }
        _ => String::new(),
    };
    format!(
        "An interval of {}{meaning} makes {parts} of about {} each{retention}.",
        period.argument,
        words::bytes(period.bytes)
    )
}

fn choice_warnings(choice: &Choice, wish: &Wish) -> Vec<String> {
    let name = &choice.column.name;
    let mut found = Vec::new();
    if choice.null_fraction > 0.0 {
        found.push(format!(
            "Column \"{name}\" is null in {} of the rows: they belong to the default partition.",
            words::percent(choice.null_fraction)
        ));
    }
    for (at, far, argument) in [
        (&choice.bounds.start, &choice.bounds.smallest, "range_start"),
        (&choice.bounds.end, &choice.bounds.largest, "range_end"),
    ] {
        if let (Some(_), Some(far)) = (at, far) {
            found.push(format!(
                "Column \"{name}\" reaches as far as {far}: {argument} leaves what lies far out to the default partition."
            ));
        }
    }
    if choice.has_infinity {
        found.push(format!(
            "Column \"{name}\" holds infinite values: they belong to the default partition."
        ));
    }
    if let Some(since) = choice.standstill {
        found.push(format!(
            "The last row came {} ago, by column \"{name}\": the table does not seem to grow any more.",
            words::seconds(since)
        ));
    }
    if choice.period.empty > 12 {
        found.push(format!(
            "The last key is {} intervals back: ranges from there to now will be empty; pass range_end to leave them out.",
            choice.period.empty
        ));
    }
    if wish.retention_seconds.is_some() && choice.flow.seconds_per_key.is_none() {
        found.push(format!(
            "Column \"{name}\" tells no time, so that retention by age cannot be done by whole partitions."
        ));
    }
    found
}

/// What becomes of the unique keys that lack the partition column.
fn key_changes(facts: &Facts, key: &Column) -> Vec<String> {
    let columns = |index: &Index| -> String {
        index
            .columns
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    facts
        .indexes
        .iter()
        .filter(|index| index.is_unique && blockers::lacks(index, key.attnum))
        .map(|index| {
            let what = match &index.constraint {
                Some(constraint) if constraint.kind == "p" => "Primary key",
                Some(_) => "Unique constraint",
                None => "Unique index",
            };
            let old = columns(index);
            format!(
                "{what} \"{}\" ({old}) becomes ({old}, {}): nothing keeps {old} unique by itself any more.",
                index.name, key.name
            )
        })
        .collect()
}

fn table_warnings(
    table: &TableFacts,
    facts: &Facts,
    rows: f64,
    thresholds: &Thresholds,
) -> Vec<String> {
    let mut found = Vec::new();
    if facts.identity().is_none() {
        found.push(
            "It has no usable key: while it is converted, whole rows are logged for every change."
                .to_owned(),
        );
    }
    let changed = table.changed_since_analyze as f64;
    if changed > 0.5 * rows.max(1.0) {
        found.push(format!(
            "The statistics are old: {} rows changed since the last ANALYZE, of {}.",
            words::count(changed),
            words::count(rows)
        ));
    }
    let vacuum = &table.vacuum;
    if let Some((pid, seconds)) = vacuum.running_pid.zip(vacuum.running_seconds) {
        found.push(format!(
            "Process {pid} has been vacuuming it for {}: a conversion gets its locks when that is over.",
            words::seconds(seconds)
        ));
    }
    if let Some((share, age)) = vacuum
        .freeze_share()
        .filter(|share| *share >= thresholds.freeze_share)
        .zip(vacuum.frozen_age)
    {
        found.push(format!(
            "Its oldest transaction ID is {} transactions old, {} of autovacuum_freeze_max_age \
             (pg_partman_rs.analyze_freeze_percent): vacuum against wraparound reads all that is not frozen, and lets no \
             conversion have its locks meanwhile. Run VACUUM (FREEZE) on it before.",
            words::count(age as f64),
            words::percent(share)
        ));
    }
    found
}

/// Replication slots that the WAL of a conversion would be too much for. It writes the table and its
/// indexes anew, and all of that to the WAL.
fn slot_warnings(server: &ServerFacts, total: i64, thresholds: &Thresholds) -> Vec<String> {
    let written = words::bytes(total as f64);
    let mut found = Vec::new();
    for slot in &server.slots {
        let name = &slot.name;
        if !slot.is_read {
            found.push(format!(
                "Nobody reads replication slot \"{name}\": the WAL of the conversion would be kept for it."
            ));
        } else if slot.behind >= thresholds.slot_lag_bytes {
            found.push(format!(
                "The reader of replication slot \"{name}\" is {} behind (pg_partman_rs.analyze_slot_lag), and the \
                 conversion writes about {written} of WAL.",
                words::bytes(slot.behind as f64)
            ));
        }
        if let Some(room) = slot.room.filter(|room| *room < total) {
            found.push(format!(
                "Replication slot \"{name}\" is lost once {} more of WAL are written than its reader takes \
                 (max_slot_wal_keep_size), and the conversion writes about {written}.",
                words::bytes(room as f64)
            ));
        }
    }
    found
}

/// What of the server would hold a conversion up.
fn server_warnings(
    partitions: i64,
    table: &TableFacts,
    closer: &Closer,
    server: &ServerFacts,
    indexes: usize,
) -> Vec<String> {
    /// Younger transactions end by themselves before they are in the way.
    const LONG: f64 = 600.0;
    let mut found = Vec::new();
    let total = table.total_bytes().unwrap_or(0);
    if let Some(free) = closer.free_bytes.filter(|free| *free < total) {
        found.push(format!(
            "The disk has {} free; until the conversion is finished it takes about {} more.",
            words::bytes(free as f64),
            words::bytes(total as f64)
        ));
    }
    if let Some(age) = server.oldest_transaction.filter(|age| *age > LONG) {
        found.push(format!(
            "The transaction of process {} is open for {}: the swap would wait for it.",
            server.oldest_transaction_pid.unwrap_or(0),
            words::seconds(age)
        ));
    }
    for name in &server.prepared {
        found.push(format!(
            "Transaction \"{name}\" is prepared and neither committed nor rolled back: the swap may wait for it."
        ));
    }
    let free_workers = server.worker_slots - server.workers;
    if free_workers < 1 + closer.workers_wanted {
        found.push(format!(
            "{free_workers} of {} background worker slots are free; a conversion uses up to {} (max_worker_processes).",
            server.worker_slots,
            1 + closer.workers_wanted
        ));
    }
    // Each partition, its indexes, its TOAST table and that one's index.
    let locks = partitions * (3 + i64::try_from(indexes).unwrap_or(i64::MAX / 1_000_000));
    if locks * 2 > server.lock_slots {
        found.push(format!(
            "The swap takes about {locks} locks, and the server has room for {} in all \
             (max_locks_per_transaction).",
            server.lock_slots
        ));
    }
    found
}

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
