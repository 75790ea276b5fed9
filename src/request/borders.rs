//! Bounds of ids where time passes its borders: what is read of the table, and what is told of it.

use super::{Arguments, SessionZone, as_key, as_owner_of, column, data_coverage, key_type};
use super::{interval, offer, zone};
use crate::analyze::INDEX_ONLY;
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::settings;
use crate::plan::Plan;
use crate::plan::blockers::Blocker;
use crate::plan::borders::{self, Found, Look, Row, Step, Untold, easily_read};
use crate::plan::bounds::{BoundsError, Coverage, RangeBound, Span, range_spans};
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
    /// Of the rows that were looked at: which do not follow the order, and by which the step was reckoned.
    pub seen: Vec<String>,
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
    let (ids, found, order) = as_owner_of(facts, || {
        settings::within(&INDEX_ONLY, || {
            let ids = data_coverage(facts, column, *key_type)?;
            let ids = ids.unwrap_or(Coverage { first: 0, last: 0 });
            let found = borders::find(&mut rows, ids, most as usize)?;
            let order = borders::order(&mut rows, &found.cuts, ids)?;
            Ok((ids, found, order))
        })
    })?;
    if !order.holds() {
        let astray = format!(
            "{} rows that were looked at, {} are of another interval of {interval} than those around them",
            order.looked_at, order.strayed
        );
        return Err(blocked(no_order(facts, key, by, &astray)));
    }
    let step = borders::step(&found, ids, *key_type)
        .map_err(|untold| blocked(no_step(facts, key, by, interval, &found, untold)))?;
    let cuts = &found.cuts;
    if cuts.len() + premake as usize > most as usize {
        return Err(too_many(most, interval));
    }
    let spans = borders::spans(*key_type, cuts, ids, step.ids(), premake, &zone)?;
    let begin = match cuts.len() {
        1 => "1 partition begins".to_owned(),
        count => format!("{count} partitions begin"),
    };
    let (like, reckoned) = match step {
        Step::Taken(_) => ("about as many as one interval took of late", None),
        Step::Begun { first, last, .. } => (
            "as many as one interval takes if it goes on like the rows so far",
            Some(reckoned_from(key, by, first, last)?),
        ),
    };
    let strayed = (order.strayed > 0).then(|| {
        format!(
            "of {} rows that were looked at, {} are of another time than their partition",
            order.looked_at, order.strayed
        )
    });
    Ok(Drawn {
        notes: cuts
            .iter()
            .map(|cut| {
                let (lower, upper) = (&cut.interval.lower.literal, &cut.interval.upper.literal);
                format!("{} from {lower} up to {upper}", by.0.name)
            })
            .collect(),
        told: format!(
            "{begin} where \"{}\" passes borders of {interval}; those to come hold {} values of \"{}\" each, {like}",
            by.0.name,
            step.ids(),
            column.name
        ),
        seen: strayed.into_iter().chain(reckoned).collect(),
        step: PartitionInterval::Width(step.ids()),
        spans,
    })
}

fn reckoned_from(key: &Key, by: &Key, first: Row, last: Row) -> Result<String, BoundsError> {
    let literal = |time: i64| RangeBound::at(by.1, time).map(|bound| bound.literal);
    Ok(format!(
        "no interval is whole yet: values of \"{}\" to come are reckoned from {} at {} to {} at {}",
        key.0.name,
        first.id,
        literal(first.time)?,
        last.id,
        literal(last.time)?
    ))
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

fn no_order(facts: &Facts, key: &Key, by: &Key, astray: &str) -> Blocker {
    Blocker::with_hint(
        format!(
            "Column \"{}\" does not grow with \"{}\": of {astray}.",
            key.0.name, by.0.name
        ),
        even(facts, key),
    )
}

fn no_step(
    facts: &Facts,
    key: &Key,
    by: &Key,
    interval: PartitionInterval,
    found: &Found,
    untold: Untold,
) -> Blocker {
    let fact = match untold {
        Untold::NoOrder(late) => {
            let astray = format!(
                "{} rows that were looked at, {late} are of an earlier time than others before them",
                found.looked_at
            );
            return no_order(facts, key, by, &astray);
        }
        Untold::NoRows => format!(
            "It has no rows that tell a time by column \"{}\".",
            by.0.name
        ),
        Untold::TooShort => format!(
            "All rows are of less than a hundredth of {interval} by column \"{}\": they do not tell how many values of \"{}\" a whole one takes.",
            by.0.name, key.0.name
        ),
    };
    Blocker::with_hint(fact, even(facts, key))
}

/// What goes whatever the times.
fn even(facts: &Facts, (column, key_type): &Key) -> String {
    let width = easily_read(i128::from(key_type.largest()) / 100).min(1_000_000);
    format!(
        "Leave bounds_by out, and say by partition_interval how many values of {} a partition is to hold, for example: {}.",
        quote_ident(&column.name),
        offer::call(facts, column, Some(&width.to_string()), "")
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
