//! Bounds of ids where time passes its borders: what is read of the table, and what is told of it.

use super::{Arguments, SessionZone, as_key, as_owner_of, column, data_coverage, key_type};
use super::{interval, zone};
use crate::analyze::INDEX_ONLY;
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::settings;
use crate::plan::Plan;
use crate::plan::blockers::Blocker;
use crate::plan::borders::{self, Look, Row};
use crate::plan::bounds::{Coverage, Span, range_spans};
use crate::plan::facts::{Column, Facts};
use crate::plan::interval::{KeyType, PartitionInterval};
use crate::plan::names::quote_ident;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// A column, and what it is as a key.
pub type Key = (Column, KeyType);

/// Ranges of ids that begin where time passes borders.
pub struct Drawn {
    /// How many ids a partition to come takes.
    pub step: PartitionInterval,
    pub spans: Vec<Span>,
    /// From when to when the rows of the first partitions are, one by one.
    notes: Vec<String>,
    /// For the plan: the same whenever it is made of the same borders.
    told: String,
    /// Of rows that do not follow the order, if any were seen.
    pub strayed: Option<String>,
}

impl Drawn {
    /// Says in a plan what its bounds are.
    pub fn note_in(&self, plan: &mut Plan) {
        plan.notices.push(self.told.clone());
        for step in &mut plan.prepare {
            let note = step.partition.and_then(|place| self.notes.get(place));
            if let Some(note) = note.filter(|_| step.note.is_empty()) {
                step.note.clone_from(note);
            }
        }
    }
}

/// What can be said against `bounds_by` without a look at the table.
pub fn check(arguments: &Arguments) -> Result<(), Error> {
    let Some(by) = &arguments.bounds_by else {
        return Ok(());
    };
    let refuse = |message: &str, hint: String| {
        Err(Error::Argument {
            message: message.to_owned(),
            detail: None,
            hint: Some(hint),
        })
    };
    if arguments.partition_column.is_none() {
        return refuse(
            "bounds_by needs a partition_column",
            format!(
                "Name the column of numbers that grow with {}.",
                quote_ident(by)
            ),
        );
    }
    if arguments.range_start.is_some() || arguments.range_end.is_some() {
        return refuse(
            "range_start and range_end have no meaning with bounds_by",
            "Leave them out: there are ranges for all rows.".to_owned(),
        );
    }
    Ok(())
}

/// The column of times by which bounds of the key are to be drawn, if they are.
pub fn by(arguments: &Arguments, facts: &Facts, key: &Key) -> Result<Option<Key>, Error> {
    let Some(name) = &arguments.bounds_by else {
        return Ok(None);
    };
    let by = column(facts, name)?;
    let refuse = |message: &str, column: &Column, hint: &str| Error::Argument {
        message: message.to_owned(),
        detail: Some(format!(
            "Column \"{}\" is of type {}.",
            column.name, column.type_name
        )),
        hint: Some(hint.to_owned()),
    };
    if key.1.is_time() {
        return Err(refuse(
            "bounds_by is for partition columns that are numbers",
            &key.0,
            "Leave it out: bounds of a time lie at its own borders.",
        ));
    }
    match key_type(by.type_oid).filter(|by| by.is_time()) {
        Some(by_type) => Ok(Some((by.clone(), by_type))),
        None => Err(refuse(
            "bounds_by must be a column that tells a time",
            by,
            "Types timestamp with time zone, timestamp and date do.",
        )),
    }
}

/// Draws them. Looks rows up by the index on the key, some dozen for each border; fails where there is none, and where the
/// key does not grow with the time.
pub fn draw(
    arguments: &Arguments,
    facts: &Facts,
    key: &Key,
    by: &Key,
    wanted: &str,
) -> Result<Drawn, Error> {
    let (column, key_type) = key;
    let interval = interval(wanted, by.1)?;
    let zone = zone(arguments, by.1)?;
    let premake = u32::try_from(arguments.premake).unwrap_or(0);
    let blocked = |blocker: Blocker| Error::Blocked {
        relation: facts.name.clone(),
        blockers: vec![blocker],
    };
    if !table::has_index_on(pg_sys::Oid::from(facts.oid), &column.name)? {
        return Err(blocked(no_index(facts, column)));
    }
    let mut rows = Rows::new(facts, key, by, interval, &zone);
    let most = guc::max_partitions();
    let (ids, cuts, order) = as_owner_of(facts, || {
        settings::within(&INDEX_ONLY, || {
            let ids = data_coverage(facts, column, *key_type)?;
            let ids = ids.unwrap_or(Coverage { first: 0, last: 0 });
            let cuts = borders::cuts(&mut rows, ids, most as usize)?;
            let order = borders::order(&mut rows, &cuts, ids)?;
            Ok((ids, cuts, order))
        })
    })?;
    if !order.holds() {
        return Err(blocked(no_order(&column.name, &by.0.name, interval, order)));
    }
    let Some(step) = borders::step(&cuts, ids, *key_type) else {
        let seen = order.looked_at > 0;
        return Err(blocked(no_border(&column.name, &by.0.name, interval, seen)));
    };
    if cuts.len() + premake as usize > most as usize {
        return Err(too_many(most, interval));
    }
    let spans = borders::spans(*key_type, &cuts, ids, step, premake, &zone)?;
    let count = cuts.len();
    Ok(Drawn {
        notes: cuts
            .iter()
            .map(|cut| {
                let (lower, upper) = (&cut.interval.lower.literal, &cut.interval.upper.literal);
                format!("{} from {lower} up to {upper}", by.0.name)
            })
            .collect(),
        told: format!(
            "{count} partitions begin where \"{}\" passes borders of {interval}; those to come hold {step} values of \"{}\" each, \
             about as many as one interval took of late",
            by.0.name, column.name
        ),
        strayed: (order.strayed > 0).then(|| {
            format!(
                "of {} rows that were looked at, {} are of another time than their partition",
                order.looked_at, order.strayed
            )
        }),
        step: PartitionInterval::Width(step),
        spans,
    })
}

fn no_index(facts: &Facts, column: &Column) -> Blocker {
    let create = Sql::template("CREATE INDEX CONCURRENTLY ON {table} ({column})")
        .name("table", &facts.qualified_name())
        .ident("column", &column.name)
        .build();
    Blocker::with_hint(
        format!(
            "There is no index on column \"{}\" by which rows can be looked up.",
            column.name
        ),
        format!("{create}."),
    )
}

fn no_order(column: &str, by: &str, interval: PartitionInterval, order: borders::Order) -> Blocker {
    Blocker::with_hint(
        format!(
            "Column \"{column}\" does not grow with \"{by}\": of {} rows that were looked at, {} are of another interval of {interval} \
             than those around them.",
            order.looked_at, order.strayed
        ),
        even(column),
    )
}

fn no_border(column: &str, by: &str, interval: PartitionInterval, seen: bool) -> Blocker {
    let fact = match seen {
        true => format!(
            "All rows are of one interval of {interval} of column \"{by}\": there is no border to begin a partition at."
        ),
        false => format!("It has no rows that tell a time by column \"{by}\"."),
    };
    Blocker::with_hint(fact, even(column))
}

/// What goes whatever the times.
fn even(column: &str) -> String {
    format!(
        "Leave bounds_by out, and say by partition_interval how many values of {} a partition is to hold.",
        quote_ident(column)
    )
}

fn too_many(most: u32, interval: PartitionInterval) -> Error {
    Error::Argument {
        message: format!("more than {most} partitions would be needed"),
        detail: Some(format!(
            "Rows are of so many intervals of {interval}, those made ahead included."
        )),
        hint: Some("Use a larger partition_interval.".to_owned()),
    }
}

/// The table, as it is looked at.
struct Rows<'a> {
    zone: &'a SessionZone,
    interval: PartitionInterval,
    by: &'a Key,
    /// The first row that tells a time, among those that are next.
    find: String,
    /// Whether there are more than those.
    go_on: String,
}

/// Rows that may tell no time before one that does.
const MOST_UNTOLD: i64 = 1_000;

impl<'a> Rows<'a> {
    fn new(
        facts: &Facts,
        (column, _): &Key,
        by: &'a Key,
        interval: PartitionInterval,
        zone: &'a SessionZone,
    ) -> Rows<'a> {
        let source = facts.qualified_name();
        let of_next = |template: &'static str| {
            Sql::template(template)
                .ident("id", &column.name)
                .name("source", &source)
        };
        let find = of_next(
            "SELECT id::bigint, {time} FROM (SELECT {id}, {by} FROM ONLY {source} WHERE {id} >= $1 ORDER BY {id} LIMIT $2) AS next(id, t) \
              WHERE isfinite(t) ORDER BY id LIMIT 1",
        )
        .ident("by", &by.0.name)
        .trusted("time", as_key(by.1));
        let go_on = of_next(
            "SELECT count(*) = $2 FROM (SELECT FROM ONLY {source} WHERE {id} >= $1 ORDER BY {id} LIMIT $2) AS next",
        );
        Rows {
            zone,
            interval,
            by,
            find: find.build(),
            go_on: go_on.build(),
        }
    }
}

impl Look for Rows<'_> {
    type Error = Error;

    fn row_from(&mut self, id: i64) -> Result<Option<Row>, Error> {
        let next = [id.into(), MOST_UNTOLD.into()];
        let row = db::row(&self.find, &next, |row| {
            Ok(Row {
                id: row.get(1)?,
                time: row.get(2)?,
            })
        })?;
        if row.is_none() && db::value(&self.go_on, &next)? {
            return Err(Error::Argument {
                message: format!("bounds cannot go by column \"{}\"", self.by.0.name),
                detail: Some(format!(
                    "{MOST_UNTOLD} rows in a row, from {id} on, have no time in it."
                )),
                hint: Some("Name a column that has the time at which a row was made.".to_owned()),
            });
        }
        Ok(row)
    }

    fn interval_of(&mut self, time: i64) -> Result<Span, Error> {
        let cover = Coverage {
            first: time,
            last: time,
        };
        let spans = range_spans(self.by.1, self.interval, cover, time, 0, 1, self.zone)?;
        let holds = |span: &Span| (span.lower.key..span.upper.key).contains(&time);
        spans
            .into_iter()
            .find(holds)
            .ok_or_else(|| Error::Internal(format!("no interval holds {time}")))
    }
}
