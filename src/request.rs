//! From what a caller asks for to a plan: reading the facts, refusing what cannot be done.

mod borders;
mod choice;
mod drain;
mod hash;
mod key;
mod offer;
mod prospect;

pub use drain::{Drain, Pointing, drain, pointing};
pub use key::{
    SessionZone, as_key, earlier, interval, key_type, lattice, now, zone_without_meaning,
};

use crate::analyze;
use crate::catalog::{job, table};
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::disk;
use crate::pg::role::{self, Restriction, acting_as};
use crate::plan::blockers::{self, Blocker};
use crate::plan::bounds::{Coverage, RangeBound, Span, range_spans};
use crate::plan::estimate::Estimate;
use crate::plan::facts::{Column, Facts};
use crate::plan::guard;
use crate::plan::interval::{KeyType, PartitionInterval};
use crate::plan::names::quote_ident;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::{self, Plan, Request, Wanted};
use choice::Chosen;
use hash::{Circumstances, PlanHash};
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// The arguments of `convert_to_partitioned`, as they came.
pub struct Arguments {
    pub source: pg_sys::Oid,
    /// Left open: as the analysis advises.
    pub partition_column: Option<String>,
    pub strategy: String,
    /// Likewise.
    pub partition_interval: Option<String>,
    pub premake: i32,
    pub default_partition: bool,
    pub time_zone: Option<String>,
    pub range_start: Option<String>,
    pub range_end: Option<String>,
    pub copy_workers: Option<i32>,
    pub undo_window_seconds: Option<f64>,
    pub unique_guard: bool,
    /// Column of times at whose borders bounds are put.
    pub bounds_by: Option<String>,
}

/// A plan, and what it was made from.
pub struct Planned {
    pub facts: Facts,
    pub plan: Plan,
    pub estimate: Estimate,
    /// Of the source's main fork.
    pub bytes: i64,
    pub chosen: Chosen,
    pub hash: PlanHash,
    /// What was seen of rows that the plan goes by.
    pub seen: Vec<String>,
    /// Free bytes where the table lies, as far as the system tells.
    pub free_bytes: Option<i64>,
}

/// Makes the plan for a conversion; touches nothing.
///
/// Fails with everything that stands in the way, at once. Reads the smallest and largest key of
/// the table, through an index where there is one; where bounds go by another column, rows here and there.
pub fn plan(arguments: &Arguments) -> Result<Planned, Error> {
    let facts = readable_facts(arguments.source)?;
    check_simple(arguments)?;
    // What is given is judged before anything is chosen.
    let given = match &arguments.partition_column {
        Some(name) => Some(key_of(arguments, &facts, name)?),
        None => {
            refuse_if_any(&facts, blockers::of_table(&facts))?;
            None
        }
    };
    let chosen = choice::complete(arguments, &facts)?;
    let key = match given {
        Some(key) => key,
        None => key_of(arguments, &facts, &chosen.column)?,
    };
    let ranges = ranges(arguments, &facts, &key, &chosen.interval)?;
    let (column, key_type) = key;
    let wanted = ranges.spans.into_iter().map(Wanted::from).collect();
    let request = Request {
        key_type: Some(key_type),
        interval: Some(ranges.interval),
        time_zone: ranges.time_zone,
        default_partition: arguments.default_partition,
        premake: u32::try_from(arguments.premake).unwrap_or(0),
        copy_workers: arguments
            .copy_workers
            .and_then(|workers| u32::try_from(workers).ok())
            .unwrap_or_else(guc::copy_workers),
        undo_window_seconds: arguments.undo_window_seconds,
        settings: guc::of_session(),
        unique_guard: arguments.unique_guard,
    };
    let taken = table::taken_names(&facts.schema)?;
    let mut plan = plan::make(&facts, &column, &request, wanted, taken, None);
    if let Some(drawn) = &ranges.drawn {
        drawn.note_in(&mut plan);
    }
    let sizes = prospect::sizes(&facts)?;
    let estimate = prospect::estimate(&facts, &plan, &sizes)?;
    let free_bytes = disk::free_bytes(table::tablespace(arguments.source)?);
    let server = analyze::server()?;
    let circumstances = Circumstances {
        version: server.version,
        wal_level: server.wal_level,
        worker_slots: server.worker_slots,
        lock_slots: server.lock_slots,
        fits_on_disk: free_bytes.is_none_or(|free| estimate.needs() <= free as f64),
    };
    Ok(Planned {
        hash: PlanHash::new(&facts, &plan, &circumstances)?,
        facts,
        plan,
        estimate,
        bytes: sizes.table_bytes as i64,
        chosen,
        seen: ranges.drawn.map_or_else(Vec::new, |drawn| drawn.seen),
        free_bytes,
    })
}

/// Which ranges there will be, and how they go on.
struct Ranges {
    interval: PartitionInterval,
    /// By whose clock, for keys that are times.
    time_zone: Option<String>,
    spans: Vec<Span>,
    /// Where they begin at borders of another column.
    drawn: Option<borders::Drawn>,
}

fn ranges(
    arguments: &Arguments,
    facts: &Facts,
    key: &borders::Key,
    wished: &str,
) -> Result<Ranges, Error> {
    let (column, key_type) = key;
    if let Some(by) = borders::by(arguments, facts, key)? {
        let mut drawn = borders::draw(arguments, facts, key, &by, wished)?;
        let spans = std::mem::take(&mut drawn.spans);
        if !arguments.default_partition {
            let data = data_coverage(facts, column, *key_type)?;
            refuse_outsiders(facts, column, *key_type, data, &spans)?;
        }
        return Ok(Ranges {
            interval: drawn.step,
            time_zone: None,
            spans,
            drawn: Some(drawn),
        });
    }
    let interval = interval(wished, *key_type)?;
    let zone = zone(arguments, *key_type)?;
    Ok(Ranges {
        interval,
        spans: spans(arguments, facts, column, *key_type, interval, &zone)?,
        time_zone: key_type.is_time().then_some(zone.name),
        drawn: None,
    })
}

/// As [`key_column`]; where that fails, also with what can be done instead.
fn key_of(arguments: &Arguments, facts: &Facts, name: &str) -> Result<(Column, KeyType), Error> {
    key_column(facts, name, arguments).map_err(|error| offer::beside(error, arguments, facts, name))
}

/// The partition column, and what it is as a key; fails with all that stands in the way.
fn key_column(
    facts: &Facts,
    name: &str,
    arguments: &Arguments,
) -> Result<(Column, KeyType), Error> {
    let column = column(facts, name)?;
    let mut found = blockers::find(facts, column, arguments.default_partition);
    if arguments.unique_guard {
        found = guard::instead(found, facts, column);
    }
    found.extend(converted_beside(facts)?);
    let key_type = key_type(column.type_oid);
    if key_type.is_none() {
        found.insert(0, blockers::unsupported_type(column));
    }
    match key_type {
        Some(key_type) if found.is_empty() => Ok((column.clone(), key_type)),
        _ => Err(Error::Blocked {
            relation: facts.name.clone(),
            blockers: found,
        }),
    }
}

/// Tables that foreign keys link with this one, while they are converted: each conversion gives the other
/// table keys that its own does not know.
fn converted_beside(facts: &Facts) -> Result<Vec<Blocker>, Error> {
    let dependents = &facts.dependents;
    let out = dependents.foreign_keys.iter().map(|key| key.relation);
    let linked: BTreeSet<u32> = out
        .chain(dependents.incoming_keys.iter().map(|key| key.relation))
        .collect();
    converted(linked)
}

/// Of tables that foreign keys link with one, those that are being converted.
fn converted(linked: BTreeSet<u32>) -> Result<Vec<Blocker>, Error> {
    let mut found = Vec::new();
    for relation in linked {
        let job = job::find(pg_sys::Oid::from(relation))?;
        let unfinished = job.filter(|job| !job.phase.is_over() && job.phase != Phase::Reversible);
        found.extend(unfinished.map(|job| {
            Blocker::with_hint(
                format!(
                    "Table \"{}\", which a foreign key links with it, is being converted (phase {}).",
                    job.source_name,
                    job.phase.name()
                ),
                "Wait for that conversion, or cancel it.",
            )
        }));
    }
    Ok(found)
}

fn refuse_if_any(facts: &Facts, blockers: Vec<Blocker>) -> Result<(), Error> {
    match blockers.is_empty() {
        true => Ok(()),
        false => Err(Error::Blocked {
            relation: facts.name.clone(),
            blockers,
        }),
    }
}

/// A column that the caller named.
pub fn column<'a>(facts: &'a Facts, name: &str) -> Result<&'a Column, Error> {
    facts.column(name).ok_or_else(|| Error::NoColumn {
        relation: facts.name.clone(),
        column: name.to_owned(),
    })
}

/// The ranges that a conversion makes if it is told no more than an interval, for keys between
/// known ends.
pub fn default_spans(
    key_type: KeyType,
    partition_interval: &str,
    cover: Coverage,
) -> Result<Vec<Span>, Error> {
    let interval = interval(partition_interval, key_type)?;
    let zone = SessionZone::named(None)?;
    let from = now(key_type, &zone)?.unwrap_or(cover.last).max(cover.last);
    Ok(range_spans(
        key_type,
        interval,
        cover,
        from,
        PREMAKE,
        guc::max_partitions(),
        &zone,
    )?)
}

/// Partitions that a conversion makes ahead unless it is told otherwise: the default of `premake`.
pub const PREMAKE: u32 = 4;

/// The facts of a relation that the caller may convert.
pub fn readable_facts(source: pg_sys::Oid) -> Result<Facts, Error> {
    let facts = table::whole(source)?.ok_or_else(|| Error::NoRelation {
        oid: source.to_u32(),
    })?;
    if let Some(detail) = blockers::wrong_relation(&facts) {
        return Err(Error::WrongRelation {
            relation: facts.name,
            detail,
        });
    }
    let owner = pg_sys::Oid::from(facts.owner);
    if !table::may_act_as(role::current(), owner)? {
        return Err(Error::NotOwner {
            relation: facts.name,
            owner: facts.owner_name,
        });
    }
    if let Some(other) = job::find(source)?.filter(|job| !job.phase.is_over()) {
        return Err(Error::AlreadyConverting {
            relation: facts.name,
            phase: other.phase.name().to_owned(),
        });
    }
    Ok(facts)
}

/// In seconds: the end of a longer one could lie beyond what a timestamp holds.
const LONGEST_UNDO_WINDOW: f64 = 1000.0 * 366.0 * 86_400.0;

fn check_simple(arguments: &Arguments) -> Result<(), Error> {
    let refuse = |message: String, hint: &str| {
        Err(Error::Argument {
            message,
            detail: None,
            hint: Some(hint.to_owned()),
        })
    };
    if arguments.strategy != "range" {
        return refuse(
            format!("unknown partitioning strategy \"{}\"", arguments.strategy),
            "This release converts with strategy \"range\".",
        );
    }
    if !(0..=100_000).contains(&arguments.premake) {
        return refuse(
            format!(
                "premake must be between 0 and 100000, not {}",
                arguments.premake
            ),
            "It is the number of partitions to make ahead of now.",
        );
    }
    if let Some(workers) = arguments
        .copy_workers
        .filter(|workers| !(1..=64).contains(workers))
    {
        return refuse(
            format!("copy_workers must be between 1 and 64, not {workers}"),
            "Leave it out to use the setting pg_partman_rs.copy_workers.",
        );
    }
    if arguments
        .undo_window_seconds
        .is_some_and(|seconds| seconds < 0.0)
    {
        return refuse(
            "undo_window must not be negative".to_owned(),
            "Use NULL to keep the retired table until finish_conversion is called.",
        );
    }
    // An infinite interval, which there is since 17, arrives as a very long one.
    if arguments
        .undo_window_seconds
        .is_some_and(|seconds| seconds > LONGEST_UNDO_WINDOW)
    {
        return refuse(
            "undo_window must not exceed 1000 years".to_owned(),
            "Use NULL to keep the retired table until finish_conversion is called.",
        );
    }
    borders::check(arguments)
}

fn zone(arguments: &Arguments, key_type: KeyType) -> Result<SessionZone, Error> {
    match &arguments.time_zone {
        Some(_) if key_type != KeyType::TimestampTz => Err(zone_without_meaning(key_type)),
        given => SessionZone::named(given.as_deref()),
    }
}

fn spans(
    arguments: &Arguments,
    facts: &Facts,
    column: &Column,
    key_type: KeyType,
    interval: PartitionInterval,
    zone: &SessionZone,
) -> Result<Vec<Span>, Error> {
    let now = now(key_type, zone)?;
    let data = data_coverage(facts, column, key_type)?;
    let start = bound_argument("range_start", &arguments.range_start, key_type, zone)?;
    // range_end is exclusive, as every upper bound.
    let end = bound_argument("range_end", &arguments.range_end, key_type, zone)?
        .map(|end| end.checked_sub(1).ok_or_else(reversed))
        .transpose()?;
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(reversed());
    }
    // An empty table, and no start: the range that ends where it is to end, or holds this moment.
    let fallback = now.unwrap_or(0);
    let fallback = end.map_or(fallback, |end| end.min(fallback));
    let first = start.or(data.map(|data| data.first)).unwrap_or(fallback);
    if let Some(end) = end.filter(|end| *end < first) {
        return Err(ends_below_data(column, key_type, first, end)?);
    }
    let last = end
        .or(data.map(|data| data.last))
        .unwrap_or(fallback)
        .max(first);
    // Without a given end, ranges go on to now and `premake` beyond; with one, they end there.
    let (premake_from, premake) = match end {
        Some(_) => (last, 0),
        None => (
            now.unwrap_or(last).max(last),
            u32::try_from(arguments.premake).unwrap_or(0),
        ),
    };
    let cover = Coverage { first, last };
    let spans = range_spans(
        key_type,
        interval,
        cover,
        premake_from,
        premake,
        guc::max_partitions(),
        zone,
    )?;
    if !arguments.default_partition {
        refuse_outsiders(facts, column, key_type, data, &spans)?;
    }
    Ok(spans)
}

fn reversed() -> Error {
    Error::Argument {
        message: "range_start must be before range_end".to_owned(),
        detail: None,
        hint: None,
    }
}

/// All keys lie beyond `range_end`, and nobody said where ranges are to begin: there are none.
fn ends_below_data(
    column: &Column,
    key_type: KeyType,
    first: i64,
    end: i64,
) -> Result<Error, Error> {
    let smallest = RangeBound::at(key_type, first)?.literal;
    // range_end is exclusive.
    let end = RangeBound::at(key_type, end + 1)?.literal;
    Ok(Error::Argument {
        message: "range_end must be above the smallest key of the table".to_owned(),
        detail: Some(format!(
            "The smallest value of column \"{}\" is {smallest}; range_end is {end}.",
            column.name
        )),
        hint: Some(
            "Raise range_end, or pass a range_start below it; rows above range_end then belong \
             to the default partition."
                .to_owned(),
        ),
    })
}

/// Without a default partition every row must have a range: infinite keys have none, and neither
/// has the largest number of a type.
fn refuse_outsiders(
    facts: &Facts,
    column: &Column,
    key_type: KeyType,
    data: Option<Coverage>,
    spans: &[Span],
) -> Result<(), Error> {
    let outside = match (data, spans.first(), spans.last()) {
        (Some(data), Some(first), Some(last)) => {
            data.first < first.lower.key || data.last >= last.upper.key
        }
        _ => false,
    };
    let infinite = key_type.is_time() && holds_infinity(facts, column)?;
    if !outside && !infinite {
        return Ok(());
    }
    Err(Error::Argument {
        message: format!(
            "the table holds values of column \"{}\" that no range takes",
            column.name
        ),
        detail: Some("They lie outside range_start and range_end, or are infinite, or the largest of their type.".to_owned()),
        hint: Some("Widen the range, or let a default partition take them.".to_owned()),
    })
}

fn holds_infinity(facts: &Facts, column: &Column) -> Result<bool, Error> {
    let sql = Sql::template(
        "SELECT EXISTS (SELECT FROM ONLY {source} WHERE {column} = 'infinity') \
             OR EXISTS (SELECT FROM ONLY {source} WHERE {column} = '-infinity')",
    )
    .name("source", &facts.qualified_name())
    .ident("column", &column.name)
    .build();
    as_owner_of(facts, || db::value(&sql, &[]))
}

/// Reads the table as its owner, who can gain nothing by it, whatever policies he forces upon himself: all
/// of its rows count.
fn as_owner_of<T>(facts: &Facts, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let owner = pg_sys::Oid::from(facts.owner);
    acting_as(owner, Restriction::SecurityRestrictedAllRows, work)
}

fn bound_argument(
    name: &str,
    text: &Option<String>,
    key_type: KeyType,
    zone: &SessionZone,
) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let zone_setting = std::ffi::CString::new(zone.name.as_str()).unwrap_or_default();
    if key_type == KeyType::TimestampTz {
        crate::pg::settings::set_local(c"TimeZone", &zone_setting);
    }
    let finite = if key_type.is_time() {
        "isfinite(t)"
    } else {
        "true"
    };
    let sql = format!(
        "SELECT CASE WHEN {finite} THEN {} END FROM (SELECT $1::text::{}) AS given(t)",
        as_key(key_type),
        key_type.sql_name()
    );
    let key: Option<i64> = db::row(&sql, &[text.as_str().into()], |row| row.find(1))?.flatten();
    key.map(Some).ok_or_else(|| Error::Argument {
        message: format!("{name} must be finite"),
        detail: None,
        hint: None,
    })
}

/// The smallest and the largest finite key that the table holds.
pub fn data_coverage(
    facts: &Facts,
    column: &Column,
    key_type: KeyType,
) -> Result<Option<Coverage>, Error> {
    let source = facts.qualified_name();
    let name = quote_ident(&column.name);
    // One subquery each, so that an index is asked for its ends. Infinite keys have no range:
    // they belong to the default partition.
    let finite = match key_type.is_time() {
        true => format!(" WHERE {name} > '-infinity' AND {name} < 'infinity'"),
        false => String::new(),
    };
    let sql = Sql::template(
        "SELECT (SELECT {key} FROM (SELECT min({column}) FROM ONLY {source}{finite}) AS least(t)), \
                (SELECT {key} FROM (SELECT max({column}) FROM ONLY {source}{finite}) AS greatest(t))",
    )
    .trusted("key", as_key(key_type))
    .trusted("column", &name)
    .trusted("finite", &finite)
    .name("source", &source)
    .build();
    let ends = as_owner_of(facts, || {
        db::row(&sql, &[], |row| {
            Ok((row.find::<i64>(1)?, row.find::<i64>(2)?))
        })
    })?;
    Ok(match ends {
        Some((Some(first), Some(last))) => Some(Coverage { first, last }),
        _ => None,
    })
}
