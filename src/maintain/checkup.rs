//! How a table and its maintenance fare: reads, and has it judged.

use super::family::{self, Unkept};
use super::hash::HashTable;
use super::health::{self, Finding, Next, Seen, Verdict};
use super::list::{self, ListTable, Look};
use super::managed::{self, Table};
use super::set::PartitionSet;
use super::{drift, outcome, range, read, referenced, repair, retire};
use crate::catalog::keys_to_validate::NotValid;
use crate::catalog::leaving::{self, Leaving};
use crate::catalog::policy::{self, Policy, Standing};
use crate::catalog::{guard, keys_to_validate, recycled, table};
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::partition_key::Strategy;
use crate::pg::transaction::{Failure, nested};
use crate::pg::{interrupts, role};
use crate::plan::interval::KeyType;
use crate::plan::names::{Names, QualifiedName};
use crate::plan::sql::Sql;
use crate::request::SessionZone;
use crate::worker::launcher;
use pgrx::pg_sys;

/// What is known of a table.
pub struct Checkup {
    pub parent: pg_sys::Oid,
    pub verdict: Verdict,
    /// A line each.
    pub reason: Option<String>,
    pub next_command: Option<String>,
    /// Nothing of it where the table could not be looked at.
    pub numbers: Option<Numbers>,
}

const MICROS_A_DAY: i64 = 86_400_000_000;

/// What was counted.
#[derive(Default)]
pub struct Numbers {
    /// For ranges.
    pub ahead: Option<u32>,
    /// Microseconds; for keys that are times.
    pub runway: Option<i64>,
    /// For integers.
    pub keys_left: Option<i64>,
    pub default_has_rows: bool,
    pub gaps: u32,
    pub overdue: u32,
}

/// All tables with a policy whose owners' rights the caller has.
pub fn all_of_caller() -> Result<Vec<Checkup>, Error> {
    let mut found = Vec::new();
    for standing in policy::standings()? {
        interrupts::check();
        let Some((_, owner)) = table::name_and_owner(standing.parent)? else {
            continue;
        };
        if let Some(policy) = policy::find(standing.parent)?
            && role::has_rights_of(owner)
        {
            found.push(of(&policy, &standing));
        }
    }
    Ok(found)
}

/// Looks at a table. What cannot be looked at is told, and stops no other.
fn of(policy: &Policy, standing: &Standing) -> Checkup {
    match nested(|| look(policy, standing)) {
        Ok(checkup) => checkup,
        Err(failure) => unseen(policy, &failure),
    }
}

fn unseen(policy: &Policy, failure: &Failure) -> Checkup {
    Checkup {
        parent: policy.parent,
        verdict: match failure.is_transient() {
            true => Verdict::Warning,
            false => Verdict::Critical,
        },
        reason: Some(format!("it cannot be looked at: {}", failure.message)),
        next_command: failure.hint.clone(),
        numbers: None,
    }
}

/// Nothing is done to what lies in the recycle bin, and nothing is amiss.
fn in_the_bin(policy: &Policy) -> Checkup {
    Checkup {
        parent: policy.parent,
        verdict: Verdict::Ok,
        reason: Some(outcome::IN_THE_BIN.to_owned()),
        next_command: None,
        numbers: None,
    }
}

fn look(policy: &Policy, standing: &Standing) -> Result<Checkup, Error> {
    // ACCESS SHARE on the table, and on what it is a partition of, until the end of the transaction. Who looks after all tables must
    // not wait for one that is locked.
    family::lock(policy.parent, Mode::AccessShare)?;
    if recycled::holds(policy.parent)? {
        return Ok(in_the_bin(policy));
    }
    match managed::strategy(policy.parent)? {
        Strategy::Range => look_at_ranges(policy, standing),
        Strategy::List => look_at_list(policy, standing),
        Strategy::Hash => look_at_hash(policy, standing),
    }
}

fn look_at_ranges(policy: &Policy, standing: &Standing) -> Result<Checkup, Error> {
    let subject = read::subject(
        policy.parent,
        policy.key_codec.as_deref(),
        range::needs_sizes(policy),
    )?;
    let zone = SessionZone::named(policy.time_zone.as_deref())?;
    let position = subject.position(&zone)?;
    let keep_from = range::keep_from(policy, &subject, position, &zone)?;
    let limits = range::limits(policy, keep_from);
    let unlimited = retire::Wish {
        fuse: u32::MAX,
        fuse_percent: None,
        ..limits
    };
    let set = referenced::looked_at(&subject, &limits, position, policy.retention_action)?;
    let retired = |wish| retire::decide(&set, wish, position).leaves.len();
    let overdue = retired(&unlimited);
    let key = subject.set.key;
    let runway = health::runway(&subject.set, position);
    let numbers = Numbers {
        ahead: Some(health::ahead(&subject.set, position)),
        runway: runway.filter(|_| key.is_time()).map(|units| match key {
            KeyType::Date => units.saturating_mul(MICROS_A_DAY),
            _ => units,
        }),
        keys_left: runway.filter(|_| !key.is_time()),
        default_has_rows: subject.default_has_rows()?,
        gaps: health::gaps(&subject.set, retire::fill_from(&set, &limits)),
        overdue: u32::try_from(overdue).unwrap_or(u32::MAX),
    };
    let seen = Seen {
        premake: u32::try_from(policy.premake).unwrap_or(0),
        ahead: numbers.ahead.unwrap_or(0),
        is_endless: subject
            .set
            .leaves
            .last()
            .is_some_and(|last| last.upper.is_none()),
        takes_present: health::takes_present(&subject.set, position),
        has_default: subject.default.is_some(),
        wants_default: policy.default_partition,
        default_has_rows: numbers.default_has_rows,
        gaps: numbers.gaps,
        overdue: numbers.overdue,
        next_to_go: u32::try_from(retired(&limits)).unwrap_or(u32::MAX),
        obstacles: obstacles(&set)?,
        ..seen(policy, standing)?
    };
    judged(&subject, seen, numbers, || match subject.default {
        Some(default) => Ok(Sql::template(
            "SELECT min({column}), max({column}), count(*) FROM {default};",
        )
        .ident("column", &subject.column)
        .name("default", &list::name_of(default)?)
        .build()),
        None => Ok(run_now(&subject)),
    })
}

fn look_at_list(policy: &Policy, standing: &Standing) -> Result<Checkup, Error> {
    let found = ListTable::read(policy.parent)?;
    let (has_rows, is_waiting) = match found.look(1, 1)? {
        Look::Seen(contents) => {
            let has_values = !contents.values.is_empty();
            (has_values, has_values)
        }
        Look::NotTried(_) => {
            let has_rows = found.default_has_rows()?;
            (has_rows, has_rows)
        }
    };
    let numbers = Numbers {
        default_has_rows: has_rows,
        ..Numbers::default()
    };
    let is_empty = found.default.is_none() && found.siblings.is_empty();
    let seen = Seen {
        takes_present: true,
        refused: is_empty.then(|| "it has no partitions: all rows are refused".to_owned()),
        has_default: found.default.is_some(),
        default_has_rows: policy.new_values && is_waiting,
        lacks_default: policy.new_values && found.default.is_none(),
        ..seen(policy, standing)?
    };
    judged(&found.table, seen, numbers, || match found.default {
        Some(default) => Ok(Sql::template(
            "SELECT {column}, count(*) FROM {default} GROUP BY {column} ORDER BY count(*) DESC;",
        )
        .ident("column", &found.column)
        .name("default", &list::name_of(default)?)
        .build()),
        None => Ok(run_now(&found.table)),
    })
}

fn look_at_hash(policy: &Policy, standing: &Standing) -> Result<Checkup, Error> {
    let found = HashTable::read(policy.parent)?;
    let missing = found.missing();
    let gaps = u32::try_from(missing.len()).unwrap_or(u32::MAX);
    let refused = match missing.first() {
        _ if found.has_no_partition() => {
            Some("it has no partitions: all rows are refused".to_owned())
        }
        Some(first) => Some(format!(
            "no partition takes remainder {} of modulus {}{}: such rows are refused",
            first.remainder,
            first.modulus,
            match gaps {
                1 => String::new(),
                2 => " and 1 other".to_owned(),
                _ => format!(" and {} others", gaps - 1),
            }
        )),
        None => None,
    };
    let numbers = Numbers {
        gaps,
        ..Numbers::default()
    };
    let seen = Seen {
        takes_present: true,
        refused,
        ..seen(policy, standing)?
    };
    judged(&found.table, seen, numbers, || Ok(run_now(&found.table)))
}

/// What is seen of a table however it is partitioned.
fn seen(policy: &Policy, standing: &Standing) -> Result<Seen, Error> {
    let drifts = repair::drifts(policy.parent)?;
    let is_mendable = !policy.repair && drifts.iter().any(|drift| !drift.is_by_hand());
    let drifted = drift::alike(&drifts)
        .into_iter()
        .filter(|(first, _)| !first.is_taste)
        .map(|(first, names)| format!("{}: {}", drift::listed(&names), first.what))
        .collect();
    Ok(Seen {
        half_detached: u32::try_from(table::half_detached(policy.parent)?.len())
            .unwrap_or(u32::MAX),
        is_scheduled: launcher::maintenance_interval().is_some(),
        failures: standing.failures,
        last_error: standing.last_error.clone(),
        drifted,
        is_mendable,
        leaving: (leaving::of(policy.parent)?.iter())
            .map(leaving_in_words)
            .collect::<Result<Vec<String>, Error>>()?,
        unkept: Unkept::of(policy.parent)?.as_ref().map(Unkept::in_words),
        not_valid: (keys_to_validate::left_not_valid(policy.parent)?.iter())
            .map(not_valid_in_words)
            .collect(),
        unguarded: unguarded(policy.parent)?,
        ..Seen::default()
    })
}

/// `look_at_default` is how its rows are looked at.
fn judged(
    table: &Table,
    seen: Seen,
    numbers: Numbers,
    look_at_default: impl FnOnce() -> Result<String, Error>,
) -> Result<Checkup, Error> {
    let findings = health::judge(&seen);
    let reasons: Vec<&str> = findings
        .iter()
        .map(|finding| finding.reason.as_str())
        .collect();
    Ok(Checkup {
        parent: table.parent,
        verdict: findings.first().map_or(Verdict::Ok, |first| first.verdict),
        reason: (!reasons.is_empty()).then(|| reasons.join("\n")),
        next_command: match findings.first() {
            Some(first) if first.next == Next::LookAtDefault => Some(look_at_default()?),
            Some(first) if first.next == Next::SetPolicy => {
                Unkept::of(table.parent)?.map(|unkept| unkept.next_command())
            }
            Some(first) if first.next == Next::Validate => {
                let keys = keys_to_validate::left_not_valid(table.parent)?;
                keys.first().map(validate)
            }
            first => first.map(|first| next_command(table, first)),
        },
        numbers: Some(numbers),
    })
}

fn leaving_in_words(leaving: &Leaving) -> Result<String, Error> {
    Ok(format!(
        "keys of rows of {} are not in guard {}, and not promised to be unique: they are being taken so that it can be retired, or that was interrupted",
        table::written_name(leaving.partition)?,
        table::written_name(leaving.guard)?
    ))
}

/// What does not keep the guard of its key exact any more. That its foreign key is not valid is told as of any.
fn unguarded(parent: pg_sys::Oid) -> Result<Vec<String>, Error> {
    let Some((guard, _)) = guard::find(parent)? else {
        return Ok(Vec::new());
    };
    let faults = guard::faults(guard, parent)?.into_iter();
    Ok(faults
        .filter(|fault| !fault.is_not_valid)
        .map(|fault| fault.reason)
        .collect())
}

fn not_valid_in_words(key: &NotValid) -> String {
    format!(
        "foreign key \"{}\" of table {} is NOT VALID since a conversion: rows from before may violate it",
        key.name, key.table
    )
}

fn validate(key: &NotValid) -> String {
    Sql::template("ALTER TABLE {table} VALIDATE CONSTRAINT {name};")
        .name("table", &key.table)
        .ident("name", &key.name)
        .build()
}

/// What cannot go, a line for each reason.
fn obstacles(set: &PartitionSet) -> Result<Vec<String>, Error> {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for leaf in &set.leaves {
        let Some(why) = &leaf.obstacle else {
            continue;
        };
        let name = table::written_name(pg_sys::Oid::from(leaf.oid))?;
        match told.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, names)) => names.push(name),
            None => told.push((why.clone(), vec![name])),
        }
    }
    let line = |(why, names): (String, Vec<String>)| match &names[..] {
        [name] => format!("{name} is not retired: {why}"),
        [name, others @ ..] => format!("{name} and {} more are not retired: {why}", others.len()),
        [] => why,
    };
    Ok(told.into_iter().map(line).collect())
}

fn run_now(table: &Table) -> String {
    Sql::template("SELECT * FROM ensure_partitions({name});")
        .literal("name", &table.name.to_string())
        .build()
}

fn next_command(table: &Table, finding: &Finding) -> String {
    let name = table.name.to_string();
    let call = |template| Sql::template(template).literal("name", &name).build();
    match finding.next {
        Next::LookAtRuns => call(
            "SELECT * FROM partman_rs.runs WHERE relation = {name}::regclass ORDER BY started_at DESC;",
        ),
        Next::Repair => call("SELECT set_partition_policy({name}, repair => true);"),
        Next::LookAtDrift => call(
            "SELECT * FROM ensure_partitions({name}, dry_run => true) WHERE action = 'repair';",
        ),
        Next::CheckGuard => call("SELECT * FROM check_unique_guard({name});"),
        Next::LookAtRetention => call("SELECT * FROM ensure_partitions({name}, dry_run => true);"),
        Next::MakeDefault => {
            let default = QualifiedName::new(
                &table.name.schema,
                Names::new([]).derive(&table.name.name, "default"),
            );
            Sql::template("CREATE TABLE {default} PARTITION OF {name} DEFAULT;")
                .name("default", &default)
                .name("name", &table.name)
                .build()
        }
        Next::Ensure | Next::LookAtDefault | Next::SetPolicy | Next::Validate => run_now(table),
    }
}
