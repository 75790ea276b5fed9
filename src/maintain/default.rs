//! What lies in the default partition of a table that is partitioned by ranges, and what it keeps from
//! being made.

use super::read::{Subject, filled};
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::settings;
use crate::plan::bounds::Coverage;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use crate::request;
use pgrx::pg_sys;

/// A default partition that may hold rows.
struct FullDefault {
    name: QualifiedName,
    is_plain: bool,
    is_large: bool,
    /// On the partition column.
    has_index: bool,
}

impl FullDefault {
    /// Whether it can be asked for rows of a range without reading much.
    fn can_be_asked(&self) -> bool {
        self.has_index || !self.is_large
    }
}

impl Subject {
    /// Why the default partition keeps a partition of these bounds from being attached, if it does:
    /// ATTACH looks through all of it while nobody can use it, and fails where it finds a row.
    pub fn default_in_the_way(
        &self,
        lower: Option<&str>,
        upper: Option<&str>,
    ) -> Result<Option<&'static str>, Error> {
        let Some(default) = self.full_default()? else {
            return Ok(None);
        };
        if default.can_be_asked() && self.default_holds(&default, lower, upper)? {
            return Ok(Some("the default partition holds rows of this range"));
        }
        Ok(default.is_large.then_some(
            "the default partition is larger than pg_partman_rs.default_scan_limit, and would be locked while it is looked through",
        ))
    }

    /// The smallest and the largest key that the default partition holds within a window, which need not
    /// have ends; `None` where there is none, where it is no plain table, cannot be asked without reading much, or
    /// holds an id at an end that tells no time.
    pub fn default_coverage(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Option<Coverage>, Error> {
        let default = match self.full_default()? {
            Some(default) if default.is_plain && default.can_be_asked() => default,
            _ => return Ok(None),
        };
        // One subquery each, so that an index is asked for its ends.
        let end = |order: &'static str| {
            Sql::template(
                "(SELECT {column} FROM {default} WHERE {column} IS NOT NULL{from}{to} ORDER BY {column}{order} LIMIT 1)",
            )
            .ident("column", &self.column)
            .name("default", &default.name)
            .trusted("from", &self.beyond(" >= ", from))
            .trusted("to", &self.beyond(" < ", to))
            .trusted("order", order)
            .build()
        };
        let written = |end: String| match self.codec {
            Some(_) => format!("{end}::text"),
            None => format!(
                "(SELECT {}::text FROM (SELECT {end}) AS found(t))",
                request::as_key(self.set.key)
            ),
        };
        let sql = format!("SELECT {}, {}", written(end("")), written(end(" DESC")));
        let ask = || {
            self.as_owner(|| {
                db::row(&sql, &[], |row| {
                    Ok((row.find::<String>(1)?, row.find::<String>(2)?))
                })
            })
        };
        let ends = match default.has_index {
            true => settings::within(&crate::analyze::INDEX_ONLY, ask)?,
            false => ask()?,
        };
        let key = |text: String| match self.codec {
            Some(codec) => codec.decode(&codec.read(&text)?).map(|(at, _)| at),
            None => text.parse().ok(),
        };
        let (first, last) = ends.unwrap_or_default();
        Ok(first
            .and_then(key)
            .zip(last.and_then(key))
            .map(|(first, last)| Coverage { first, last }))
    }

    /// Whether the default partition holds rows from one bound to the other. It is one that can be
    /// asked.
    pub fn default_has_rows_within(&self, lower: &str, upper: &str) -> Result<bool, Error> {
        match self.full_default()? {
            Some(default) => self.default_holds(&default, Some(lower), Some(upper)),
            None => Ok(false),
        }
    }

    fn default_holds(
        &self,
        default: &FullDefault,
        lower: Option<&str>,
        upper: Option<&str>,
    ) -> Result<bool, Error> {
        let sql = Sql::template(
            "SELECT EXISTS (SELECT FROM {default} WHERE {column} IS NOT NULL{lower}{upper})",
        )
        .name("default", &default.name)
        .ident("column", &self.column)
        .trusted("lower", &self.beyond(" >= ", lower))
        .trusted("upper", &self.beyond(" < ", upper))
        .build();
        let look = || self.as_owner(|| db::value::<bool>(&sql, &[]));
        match default.has_index {
            true => settings::within(&crate::analyze::INDEX_ONLY, look),
            false => look(),
        }
    }

    /// The default partition, if there is one and it may hold rows.
    fn full_default(&self) -> Result<Option<FullDefault>, Error> {
        // ACCESS SHARE on the default partition, until the end of the transaction.
        let Some(open) = self
            .default
            .and_then(|default| Relation::try_open(default, Mode::AccessShare))
        else {
            return Ok(None);
        };
        let is_plain = open.is_plain();
        let bytes = match is_plain {
            true => u64::from(open.blocks()) * u64::from(pg_sys::BLCKSZ),
            false => 0,
        };
        if is_plain && bytes == 0 {
            return Ok(None);
        }
        let (oid, name) = (open.oid(), open.name());
        drop(open);
        Ok(Some(FullDefault {
            name,
            is_plain,
            is_large: bytes > guc::default_scan_limit(),
            has_index: table::has_index_on(oid, &self.column)?,
        }))
    }

    /// One end of a range, for a WHERE clause; nothing where there is no end.
    fn beyond(&self, operator: &'static str, bound: Option<&str>) -> String {
        bound.map_or_else(String::new, |bound| {
            Sql::template(" AND {column}{operator}{bound}")
                .ident("column", &self.column)
                .trusted("operator", operator)
                .literal("bound", bound)
                .build()
        })
    }

    /// Whether rows lie in the default partition.
    pub fn default_has_rows(&self) -> Result<bool, Error> {
        match self.default.and_then(filled) {
            Some(name) => self.has_rows(&name),
            None => Ok(false),
        }
    }
}
