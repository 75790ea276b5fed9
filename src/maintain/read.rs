//! Reads a partitioned table: its partitions from the relation cache, and where its data ends.

use super::managed::{self, Table};
use super::set::{Leaf, PartitionSet, Position};
use crate::catalog::{policy, table};
use crate::db;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::partition_key::{self, Strategy};
use crate::pg::partitions;
use crate::pg::relation::Relation;
use crate::pg::settings;
use crate::plan::bounds::RangeBound;
use crate::plan::codec::{Carrier, Codec, CodecError, Stored};
use crate::plan::interval::KeyType;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use crate::request::{self, SessionZone};
use pgrx::pg_sys;
use std::ops::Deref;
use std::rc::Rc;

/// A table that is partitioned by ranges, and whose partitions can be managed.
pub struct Subject {
    pub table: Rc<Table>,
    /// The partition column.
    pub column: String,
    /// Its keys count as times where ids carry them.
    pub set: PartitionSet,
    /// How they carry them.
    pub codec: Option<Codec>,
    /// Its name.
    key_codec: Option<String>,
    /// Bounds of partitions as they are stored, where ids carry times: a neighbour begins, or ends,
    /// exactly there.
    seams: Seams,
    pub default: Option<pg_sys::Oid>,
}

impl Deref for Subject {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

/// Ends and beginnings of partitions, each with the time that it counts as.
#[derive(Default)]
struct Seams {
    ends: Vec<(i64, Stored)>,
    begins: Vec<(i64, Stored)>,
}

/// Reads a table; takes ACCESS SHARE on it, and on what it is a partition of, until the end of the
/// transaction.
///
/// Fails where it is not partitioned, or in a way that is not managed. `key_codec` is the policy's.
pub fn subject(
    parent: pg_sys::Oid,
    key_codec: Option<&str>,
    with_sizes: bool,
) -> Result<Subject, Error> {
    let open = managed::open(parent)?;
    let name = open.name();
    let unmanaged = |detail: &str| Error::NotManaged {
        relation: name.name.clone(),
        detail: detail.to_owned(),
    };
    match partition_key::strategy(parent)? {
        Some(Strategy::Range) => {}
        Some(other) => {
            return Err(unmanaged(&format!(
                "It is partitioned by {}.",
                other.name()
            )));
        }
        None => return Err(unmanaged("It is not partitioned.")),
    }
    let Some(column) = partition_key::only_column(&open) else {
        return Err(unmanaged(
            "Its partition key is an expression, or has several columns.",
        ));
    };
    let carrier = match column.type_oid {
        pg_sys::UUIDOID => Some(Carrier::Uuid),
        pg_sys::TEXTOID | pg_sys::VARCHAROID => Some(Carrier::Text),
        pg_sys::INT8OID => Some(Carrier::BigInt),
        _ => None,
    };
    let codec = key_codec
        .map(|name| Codec::named(name, carrier).map_err(|error| refused(name, error)))
        .transpose()?;
    let key = match codec {
        Some(Codec::Ulid) if !table::is_key_bytewise(parent)? => {
            return Err(unmanaged(
                "Its partition column is not compared byte by byte: its collation, and the key's, must be \"C\".",
            ));
        }
        Some(_) => Some(KeyType::TimestampTz),
        None if matches!(carrier, Some(Carrier::Uuid | Carrier::Text)) => {
            return Err(unmanaged(
                "How the ids in its partition column carry a time is not known: pass key_codec.",
            ));
        }
        None => request::key_type(column.type_oid.to_u32()),
    };
    let key = key.filter(|_| column.is_usual_order).ok_or_else(|| {
        unmanaged("Its partition key is of a type, or in an order, that is not managed.")
    })?;
    let (ranges, default) = partitions::ranges(&open, column.type_oid);
    let pinned = policy::pinned(parent)?;
    let mut seams = Seams::default();
    let leaves = ranges
        .into_iter()
        .map(|range| {
            let number = |bound: Option<Stored>, is_upper| {
                let Some(bound) = bound else {
                    return Ok::<Option<i64>, Error>(None);
                };
                let number = match (codec, &bound) {
                    // What is made beside a partition must not overlap with it.
                    (Some(codec), _) => codec
                        .decode(&bound)
                        .map(|(below, above)| if is_upper { above } else { below }),
                    (None, Stored::Number(number)) => Some(*number),
                    (None, _) => None,
                };
                let number = number
                    .ok_or_else(|| unmanaged("A bound of one of its partitions tells no time."))?;
                Ok(Some(number).filter(|number| (key.smallest()..=key.largest()).contains(number)))
            };
            let (lower, upper) = (
                number(range.lower.clone(), false)?,
                number(range.upper.clone(), true)?,
            );
            if codec.is_some() {
                seams.begins.extend(lower.zip(range.lower));
                seams.ends.extend(upper.zip(range.upper));
            }
            Ok(Leaf {
                oid: range.oid.to_u32(),
                lower,
                upper,
                bytes: match with_sizes {
                    true => table::bytes(range.oid)?,
                    false => 0,
                },
                rows: match with_sizes {
                    true => table::counted_rows(range.oid)?,
                    false => None,
                },
                is_pinned: pinned.contains(&range.oid),
                obstacle: None,
            })
        })
        .collect::<Result<Vec<Leaf>, Error>>()?;
    Ok(Subject {
        table: Rc::new(Table::of(&open)),
        column: column.name,
        set: PartitionSet { key, leaves },
        codec,
        key_codec: key_codec.map(str::to_owned),
        seams,
        default,
    })
}

/// The name of a partition, unless it is gone, or has no rows, as its file's length tells: most of a table's are
/// looked at for no more than that.
pub fn filled(partition: pg_sys::Oid) -> Option<QualifiedName> {
    // ACCESS SHARE on the partition, for the look alone: a session that keeps very many locks is slow, and in the
    // way of others until its transaction ends.
    Relation::look(partition, Mode::AccessShare, |open| {
        let is_empty = open.is_plain() && open.blocks() == 0;
        (!is_empty).then(|| open.name())
    })
    .flatten()
}

fn refused(name: &str, error: CodecError) -> Error {
    Error::Argument {
        message: match error {
            CodecError::Unknown => format!("unknown key_codec \"{name}\""),
            CodecError::Unsuitable => {
                format!("key_codec \"{name}\" does not suit the type of the partition column")
            }
        },
        detail: None,
        hint: Some(
            "It is \"uuidv7\" for a uuid, \"ulid\" for a text or uuid, or \"snowflake:epoch:shift\" for a bigint, \
             as snowflake:1288834974657:22: milliseconds since 1970, and 1 to 40 bits."
                .to_owned(),
        ),
    }
}

impl Subject {
    /// The name of how its ids carry a time.
    pub fn key_codec(&self) -> Option<&str> {
        self.key_codec.as_deref()
    }

    /// The table as it is now.
    pub fn again(&self) -> Result<Subject, Error> {
        subject(self.parent, self.key_codec.as_deref(), false)
    }

    /// A lower bound as it is written in SQL, between quotes.
    pub fn lower_literal(&self, key: i64) -> Result<String, Error> {
        self.literal(key, &self.seams.ends)
    }

    /// An upper bound likewise.
    pub fn upper_literal(&self, key: i64) -> Result<String, Error> {
        self.literal(key, &self.seams.begins)
    }

    /// Where the partitions that are there begin, or end, likewise.
    pub fn first_literal(&self, key: i64) -> Result<String, Error> {
        self.literal(key, &self.seams.begins)
    }

    /// See [`Subject::first_literal`].
    pub fn last_literal(&self, key: i64) -> Result<String, Error> {
        self.literal(key, &self.seams.ends)
    }

    /// A key as it is written in SQL, between quotes, or the one next to it where no id carries a time so
    /// far off.
    pub fn nearest_literal(&self, key: i64) -> Result<Option<String>, Error> {
        Ok(match self.codec {
            None => Some(RangeBound::at(self.set.key, key)?.literal),
            Some(codec) => codec.nearest(key).and_then(|id| id.literal()),
        })
    }

    fn literal(&self, key: i64, neighbours: &[(i64, Stored)]) -> Result<String, Error> {
        let bound = RangeBound::at(self.set.key, key)?;
        let Some(codec) = self.codec else {
            return Ok(bound.literal);
        };
        let neighbour = neighbours.iter().find(|(at, _)| *at == key);
        neighbour
            .map(|(_, stored)| stored.clone())
            .or_else(|| codec.encode(key))
            .and_then(|id| id.literal())
            .ok_or_else(|| Error::Argument {
                message: "no id carries a time so far off".to_owned(),
                detail: Some(format!("The time is {}.", bound.literal)),
                hint: None,
            })
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
        let Some(name) = filled(pg_sys::Oid::from(leaf.oid)) else {
            return Ok(None);
        };
        let edges = (
            leaf.lower.unwrap_or(self.set.key.smallest()),
            leaf.upper.map_or(self.set.key.largest(), |upper| upper - 1),
        );
        // Without an end there may be any value, infinite ones too: no conclusion from that.
        let (Some(_), Some(_)) = (leaf.lower, leaf.upper) else {
            return Ok(self.has_rows(&name)?.then_some((edges.0, edges.0)));
        };
        if !table::has_index_on(pg_sys::Oid::from(leaf.oid), &self.column)? {
            return Ok(self.has_rows(&name)?.then_some(edges));
        }
        if let Some(codec) = self.codec {
            let sql =
                Sql::template("SELECT {column}::text FROM {leaf} ORDER BY {column} DESC LIMIT 1")
                    .ident("column", &self.column)
                    .name("leaf", &name)
                    .build();
            let newest: Option<String> = self.as_owner(|| {
                settings::within(&crate::analyze::INDEX_ONLY, || {
                    db::row(&sql, &[], |row| row.get(1))
                })
            })?;
            // What tells no time lies within the partition's bounds all the same.
            let time = |id: String| codec.decode(&codec.read(&id)?).map(|(at, _)| (at, at));
            return Ok(newest.map(|id| time(id).unwrap_or(edges)));
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

    /// Whether a partition has any.
    pub fn has_rows(&self, leaf: &QualifiedName) -> Result<bool, Error> {
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
        db::kept_value(
            "SELECT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = $1)",
            &[pg_sys::Oid::from(last.oid).into()],
        )
    }

    /// Whether foreign keys link the table with others.
    pub fn has_foreign_keys(&self) -> Result<bool, Error> {
        db::kept_value(
            "SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND (conrelid = $1 OR confrelid = $1))",
            &[self.parent.into()],
        )
    }
}
