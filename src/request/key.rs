//! Keys as PostgreSQL reads them: their types and intervals, the present moment, and zones.

use crate::clock::NOW;
use crate::db;
use crate::error::Error;
use crate::plan::bounds::{Zone, ZoneError};
use crate::plan::interval::{IntervalError, KeyType, Lattice, PartitionInterval, PartitionOffset};
use pgrx::pg_sys;

/// What a type is as a partition key; `None` where no ranges are made of it.
pub fn key_type(type_oid: u32) -> Option<KeyType> {
    match pg_sys::Oid::from(type_oid) {
        pg_sys::TIMESTAMPTZOID => Some(KeyType::TimestampTz),
        pg_sys::TIMESTAMPOID => Some(KeyType::Timestamp),
        pg_sys::DATEOID => Some(KeyType::Date),
        pg_sys::INT2OID => Some(KeyType::SmallInt),
        pg_sys::INT4OID => Some(KeyType::Integer),
        pg_sys::INT8OID => Some(KeyType::BigInt),
        _ => None,
    }
}

/// An interval as the caller wrote it.
pub fn interval(text: &str, key_type: KeyType) -> Result<PartitionInterval, Error> {
    if !key_type.is_time() {
        return Ok(PartitionInterval::from_width(text, key_type)?);
    }
    let (months, days, micros) = calendar_fields(text)?;
    Ok(PartitionInterval::from_calendar(
        months, days, micros, key_type,
    )?)
}

/// An interval and an offset as the caller wrote them.
pub fn lattice(
    interval_text: &str,
    offset: Option<&str>,
    key_type: KeyType,
) -> Result<Lattice, Error> {
    let interval = interval(interval_text, key_type)?;
    let offset = match offset {
        None => PartitionOffset::None,
        Some(text) if !key_type.is_time() => PartitionOffset::from_keys(text, key_type)?,
        Some(text) => {
            let (months, days, micros) = calendar_fields(text)?;
            PartitionOffset::from_calendar(months, days, micros)?
        }
    };
    offset.check(interval, key_type)?;
    Ok(Lattice { interval, offset })
}

/// Months, days and microseconds of an interval.
fn calendar_fields(text: &str) -> Result<(i32, i32, i64), Error> {
    // PostgreSQL's own parser decides what an interval is; its error is the user's error. Since 17
    // it knows infinite ones, which have no months, days and microseconds to ask for.
    let fields = db::kept_row(
        "SELECT isfinite(i), \
                CASE WHEN isfinite(i) THEN (extract(year FROM i) * 12 + extract(month FROM i))::bigint END, \
                CASE WHEN isfinite(i) THEN extract(day FROM i)::bigint END, \
                CASE WHEN isfinite(i) \
                     THEN (extract(epoch FROM i - make_interval(months => (extract(year FROM i) * 12 + extract(month FROM i))::int, \
                                                                days => extract(day FROM i)::int)) * 1000000)::bigint END \
           FROM (SELECT $1::text::interval AS i) AS given",
        &[text.into()],
        |row| match row.get(1)? {
            true => Ok(Some((
                row.get::<i64>(2)?,
                row.get::<i64>(3)?,
                row.get::<i64>(4)?,
            ))),
            false => Ok(None),
        },
    )?;
    let (months, days, micros) = fields.flatten().ok_or(IntervalError::Infinite)?;
    let whole = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    Ok((whole(months), whole(days), micros))
}

/// PostgreSQL's own rules about a time zone.
pub struct SessionZone {
    pub name: String,
}

impl SessionZone {
    /// Of that name; else of the session.
    pub fn named(name: Option<&str>) -> Result<SessionZone, Error> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => db::kept_value("SELECT current_setting('TimeZone')", &[])?,
        };
        Ok(SessionZone { name })
    }
}

/// Microseconds since 2000-01-01, the zero of PostgreSQL's clocks, of a timestamp `t`.
const MICROS: &str = "((extract(epoch FROM t) - 946684800) * 1000000)::bigint";

impl Zone for SessionZone {
    fn to_local(&self, utc_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        self.convert("'2000-01-01 00:00:00+00'::timestamptz", utc_micros)
    }

    fn to_utc(&self, local_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        self.convert("'2000-01-01 00:00:00'::timestamp", local_micros)
    }
}

impl SessionZone {
    /// Times since `zero`, written with a zone or without, as the other kind has them.
    fn convert(&self, zero: &str, micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        let sql = format!(
            "SELECT {MICROS} FROM (SELECT ({zero} + u.micros * interval '1 microsecond') AT TIME ZONE $2, u.place \
                                     FROM unnest($1) WITH ORDINALITY AS u(micros, place)) AS given(t, place) \
             ORDER BY place"
        );
        db::kept_rows(
            &sql,
            &[micros.to_vec().into(), self.name.as_str().into()],
            |row| row.get(1),
        )
        .map_err(|error| ZoneError(error.wording().message))
    }
}

/// The key value of this moment; `None` for integers, which have no clock.
pub fn now(key_type: KeyType, zone: &SessionZone) -> Result<Option<i64>, Error> {
    let now = match key_type {
        KeyType::TimestampTz => NOW.to_owned(),
        KeyType::Timestamp => format!("{NOW} AT TIME ZONE $1"),
        KeyType::Date => format!("({NOW} AT TIME ZONE $1)::date"),
        KeyType::SmallInt | KeyType::Integer | KeyType::BigInt => return Ok(None),
    };
    let sql = format!(
        "SELECT {} FROM (SELECT {now}, $1::text) AS given(t)",
        as_key(key_type)
    );
    db::kept_value(&sql, &[zone.name.as_str().into()]).map(Some)
}

/// The key that lies by an interval, or by a number of integers, before another one; months and
/// days by the calendar of the zone, hours as they pass: as PostgreSQL subtracts intervals.
pub fn earlier(key_type: KeyType, key: i64, by: &str, zone: &SessionZone) -> Result<i64, Error> {
    let value = match key_type {
        KeyType::TimestampTz => {
            "(SELECT CASE WHEN by.months = 0 AND by.days = 0 THEN key.t \
                          ELSE (key.t AT TIME ZONE $3 - make_interval(months => by.months, days => by.days)) AT TIME ZONE $3 END \
                     - (by.whole - make_interval(months => by.months, days => by.days)) \
                FROM (SELECT '2000-01-01 00:00:00+00'::timestamptz + $1 * interval '1 microsecond') AS key(t), \
                     (SELECT i, (extract(year FROM i) * 12 + extract(month FROM i))::int, extract(day FROM i)::int \
                        FROM (SELECT $2::text::interval) AS given(i)) AS by(whole, months, days))"
        }
        KeyType::Timestamp => {
            "'2000-01-01 00:00:00'::timestamp + $1 * interval '1 microsecond' - $2::text::interval"
        }
        KeyType::Date => "('2000-01-01'::date + $1::int - $2::text::interval)::date",
        KeyType::SmallInt | KeyType::Integer | KeyType::BigInt => {
            "greatest($1::numeric - $2::text::numeric, -9223372036854775808)"
        }
    };
    let sql = format!(
        "SELECT {} FROM (SELECT {value}, $3::text) AS given(t)",
        as_key(key_type)
    );
    db::kept_value(&sql, &[key.into(), by.into(), zone.name.as_str().into()])
}

/// The number that a key is compared by, of a value `t`.
pub fn as_key(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::TimestampTz | KeyType::Timestamp => MICROS,
        KeyType::Date => "(t - '2000-01-01'::date)::bigint",
        KeyType::SmallInt | KeyType::Integer | KeyType::BigInt => "t::bigint",
    }
}

/// A zone was given for a key that has none.
pub fn zone_without_meaning(key_type: KeyType) -> Error {
    Error::Argument {
        message: format!(
            "time_zone has no meaning for a column of type {}",
            key_type.sql_name()
        ),
        detail: None,
        hint: Some(match key_type.is_time() {
            true => "It applies to timestamp with time zone only. Leave it out.".to_owned(),
            false => "Integers have no clock. Leave it out.".to_owned(),
        }),
    }
}
