//! Reads a partitioned table: its partitions from the relation cache, and where its data ends.

use super::set::{Leaf, PartitionSet, Position};
use crate::catalog::{policy, table};
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::Mode;
use crate::pg::partitions;
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::settings;
use crate::plan::facts::Facts;
use crate::plan::interval::KeyType;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use crate::request::{self, SessionZone};
use pgrx::pg_sys;
use std::cell::OnceCell;

/// A partitioned table whose partitions can be managed.
pub struct Subject {
    pub parent: pg_sys::Oid,
    pub name: QualifiedName,
    pub owner: pg_sys::Oid,
    /// The partition column.
    pub column: String,
    pub attnum: i16,
    pub set: PartitionSet,
    pub default: Option<pg_sys::Oid>,
    facts: OnceCell<Facts>,
}

/// The name, number and type of a partition column, and whether it is in the type's usual order.
type KeyColumn = (String, i16, pg_sys::Oid, bool);

/// Reads a table; takes ACCESS SHARE on it, until the end of the transaction.
///
/// Fails where it is not partitioned, or in a way that is not managed.
pub fn subject(parent: pg_sys::Oid, with_sizes: bool) -> Result<Subject, Error> {
    let open = Relation::try_open(parent, Mode::AccessShare).ok_or_else(|| Error::NoRelation {
        oid: parent.to_u32(),
    })?;
    let name = open.name();
    let unmanaged = |detail: &str| Error::NotManaged {
        relation: name.name.clone(),
        detail: detail.to_owned(),
    };
    let key: Option<(String, Option<KeyColumn>)> = db::row(
        "SELECT p.partstrat::text, p.partnatts = 1 AND p.partexprs IS NULL, a.attname::text, a.attnum, a.atttypid, o.opcdefault \
           FROM pg_partitioned_table p \
           LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] AND a.attnum > 0 \
           LEFT JOIN pg_opclass o ON o.oid = p.partclass[0] \
          WHERE p.partrelid = $1",
        &[parent.into()],
        |row| {
            let column = match row.get::<bool>(2)? {
                true => Some((row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?)),
                false => None,
            };
            Ok((row.get(1)?, column))
        },
    )?;
    let Some((strategy, column)) = key else {
        return Err(unmanaged("It is not partitioned."));
    };
    match strategy.as_str() {
        "r" => {}
        "l" => return Err(unmanaged("It is partitioned by list.")),
        _ => return Err(unmanaged("It is partitioned by hash.")),
    }
    let Some((column, attnum, type_oid, is_usual_order)) = column else {
        return Err(unmanaged(
            "Its partition key is an expression, or has several columns.",
        ));
    };
    let key = request::key_type(type_oid.to_u32())
        .filter(|_| is_usual_order)
        .ok_or_else(|| {
            unmanaged("Its partition key is of a type, or in an order, that is not managed.")
        })?;
    let (ranges, default) = partitions::ranges(&open, as_number(key));
    let pinned = policy::pinned(parent)?;
    let leaves = ranges
        .into_iter()
        .map(|range| {
            let finite = |bound: Option<i64>| {
                bound.filter(|bound| (key.smallest()..=key.largest()).contains(bound))
            };
            Ok(Leaf {
                oid: range.oid.to_u32(),
                lower: finite(range.lower),
                upper: finite(range.upper),
                bytes: match with_sizes {
                    true => db::value("SELECT pg_total_relation_size($1)", &[range.oid.into()])?,
                    false => 0,
                },
                is_pinned: pinned.contains(&range.oid),
            })
        })
        .collect::<Result<Vec<Leaf>, Error>>()?;
    Ok(Subject {
        parent,
        owner: open.owner(),
        name,
        column,
        attnum,
        set: PartitionSet { key, leaves },
        default,
        facts: OnceCell::new(),
    })
}

fn as_number(key: KeyType) -> fn(pg_sys::Datum) -> i64 {
    match key {
        KeyType::TimestampTz | KeyType::Timestamp | KeyType::BigInt => |datum| datum.value() as i64,
        // Datums of shorter types have undefined upper bits.
        KeyType::Date | KeyType::Integer => |datum| i64::from(datum.value() as i32),
        KeyType::SmallInt => |datum| i64::from(datum.value() as i16),
    }
}

impl Subject {
    /// What new partitions take over from the table: read once for all that a run makes.
    pub fn facts(&self) -> Result<&Facts, Error> {
        if self.facts.get().is_none() {
            let facts = table::facts(self.parent)?.ok_or_else(|| Error::NoRelation {
                oid: self.parent.to_u32(),
            })?;
            let _ = self.facts.set(facts);
        }
        self.facts
            .get()
            .ok_or_else(|| Error::Internal("facts of a table are gone".to_owned()))
    }

    /// Where the clock and the data are.
    pub fn position(&self, zone: &SessionZone) -> Result<Position, Error> {
        Ok(Position {
            now: request::now(self.set.key, zone)?,
            newest: self.newest()?,
        })
    }

    /// The largest key: of the last partition that has rows. Empty files are told by their length.
    fn newest(&self) -> Result<Option<(i64, i64)>, Error> {
        for leaf in self.set.leaves.iter().rev() {
            if let Some(newest) = self.newest_of(leaf)? {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    fn newest_of(&self, leaf: &Leaf) -> Result<Option<(i64, i64)>, Error> {
        // ACCESS SHARE on the partition, until the end of the transaction.
        let Some(open) = Relation::try_open(pg_sys::Oid::from(leaf.oid), Mode::AccessShare) else {
            return Ok(None);
        };
        if open.is_plain() && open.blocks() == 0 {
            return Ok(None);
        }
        let name = open.name();
        drop(open);
        let edges = (
            leaf.lower.unwrap_or(self.set.key.smallest()),
            leaf.upper.map_or(self.set.key.largest(), |upper| upper - 1),
        );
        // Without an end there may be any value, infinite ones too: no conclusion from that.
        let (Some(_), Some(_)) = (leaf.lower, leaf.upper) else {
            return Ok(self.has_rows(&name)?.then_some((edges.0, edges.0)));
        };
        if !table::has_index_on(pg_sys::Oid::from(leaf.oid), self.attnum)? {
            return Ok(self.has_rows(&name)?.then_some(edges));
        }
        let sql =
            Sql::template("SELECT {key} FROM (SELECT max({column}) FROM {leaf}) AS greatest(t)")
                .trusted("key", request::as_key(self.set.key))
                .ident("column", &self.column)
                .name("leaf", &name)
                .build();
        let newest: Option<i64> = self.as_owner(|| {
            settings::within(&crate::analyze::INDEX_ONLY, || {
                db::row(&sql, &[], |row| row.find(1)).map(Option::flatten)
            })
        })?;
        Ok(newest.map(|key| (key, key)))
    }

    fn has_rows(&self, leaf: &QualifiedName) -> Result<bool, Error> {
        let sql = Sql::template("SELECT EXISTS (SELECT FROM {leaf})")
            .name("leaf", leaf)
            .build();
        self.as_owner(|| db::value(&sql, &[]))
    }

    /// Whether the last partition is partitioned itself.
    pub fn has_two_levels(&self) -> Result<bool, Error> {
        let Some(last) = self.set.leaves.last() else {
            return Ok(false);
        };
        db::value(
            "SELECT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = $1)",
            &[pg_sys::Oid::from(last.oid).into()],
        )
    }

    /// Why the default partition keeps a partition of these bounds from being attached, if it does:
    /// ATTACH looks through all of it while nobody can use it, and fails where it finds a row.
    pub fn default_in_the_way(
        &self,
        lower: Option<&str>,
        upper: Option<&str>,
    ) -> Result<Option<&'static str>, Error> {
        // ACCESS SHARE on the default partition, until the end of the transaction.
        let Some(open) = self
            .default
            .and_then(|default| Relation::try_open(default, Mode::AccessShare))
        else {
            return Ok(None);
        };
        let bytes = match open.is_plain() {
            true => u64::from(open.blocks()) * u64::from(pg_sys::BLCKSZ),
            false => 0,
        };
        if open.is_plain() && bytes == 0 {
            return Ok(None);
        }
        let (oid, name) = (open.oid(), open.name());
        drop(open);
        let is_large = bytes > guc::default_scan_limit();
        let has_index = table::has_index_on(oid, self.attnum)?;
        if has_index || !is_large {
            let sql = Sql::template(
                "SELECT EXISTS (SELECT FROM {default} WHERE {column} IS NOT NULL{lower}{upper})",
            )
            .name("default", &name)
            .ident("column", &self.column)
            .trusted("lower", &self.beyond(" >= ", lower))
            .trusted("upper", &self.beyond(" < ", upper))
            .build();
            let look = || self.as_owner(|| db::value::<bool>(&sql, &[]));
            let found = match has_index {
                true => settings::within(&crate::analyze::INDEX_ONLY, look),
                false => look(),
            };
            if found? {
                return Ok(Some("the default partition holds rows of this range"));
            }
        }
        Ok(is_large.then_some(
            "the default partition is larger than pg_partman_rs.default_scan_limit, and would be locked while it is looked through",
        ))
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
        let Some(default) = self.default else {
            return Ok(false);
        };
        let Some(open) = Relation::try_open(default, Mode::AccessShare) else {
            return Ok(false);
        };
        if open.is_plain() && open.blocks() == 0 {
            return Ok(false);
        }
        let name = open.name();
        drop(open);
        self.has_rows(&name)
    }

    /// Runs work as the table's owner, who can gain nothing by it.
    pub fn as_owner<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        acting_as(self.owner, Restriction::SecurityRestricted, work)
    }
}
