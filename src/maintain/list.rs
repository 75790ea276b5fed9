//! Tables that are partitioned by list: values that have no partition lie in the default partition, and
//! are told; where the policy says so, each gets a partition of its own.

use super::deed::Deed;
use super::drain;
use super::ensure::Decision;
use super::managed::{self, Table};
use super::moving::{self, Fitting, Moving};
use super::outcome::Outcome;
use super::values::{self, Chosen, Giving};
use crate::analyze::INDEX_ONLY;
use crate::catalog::policy::Policy;
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::settings;
use crate::plan::Element;
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::rc::Rc;

/// A table that is partitioned by lists of values of one column.
pub struct ListTable {
    pub table: Table,
    pub column: String,
    /// With its schema, as it is written in SQL.
    pub column_type: String,
    /// Why values are not told apart here, if so: what of the key, in a few words.
    pub obstacle: Option<&'static str>,
    /// Whether PostgreSQL compares the key just as it is, by its type and collation.
    pub is_plain: bool,
    pub default: Option<pg_sys::Oid>,
    /// The others, the youngest first.
    pub siblings: Vec<pg_sys::Oid>,
}

/// What lies in a default partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// In the order of their type, no more than are looked for; then null, if there are any.
    pub values: Vec<NewValue>,
    pub has_more_values: bool,
}

/// A value without a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewValue {
    pub element: Element,
    /// As far as they were counted.
    pub rows: i64,
}

/// What a look into a default partition came to.
pub enum Look {
    Seen(Contents),
    /// Why it was not looked into, in a few words.
    NotTried(String),
}

/// Fails where a table that is partitioned by list cannot be maintained, or new values cannot get
/// partitions, if they are to.
pub fn check(parent: pg_sys::Oid, new_values: bool) -> Result<(), Error> {
    let found = ListTable::read(parent)?;
    match found.obstacle.filter(|_| new_values) {
        None => Ok(()),
        Some(obstacle) => Err(Error::Argument {
            message: format!(
                "new values of table \"{}\" cannot get partitions of their own",
                found.table.name.name
            ),
            detail: Some(format!("Its key {obstacle}.")),
            hint: Some("Make them by hand; without new_values all else is maintained.".to_owned()),
        }),
    }
}

impl ListTable {
    /// Reads it; takes ACCESS SHARE on it, until the end of the transaction.
    pub fn read(parent: pg_sys::Oid) -> Result<ListTable, Error> {
        let open = managed::open(parent)?;
        let table = Table::of(&open);
        let column: Option<Column> = db::row(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), o.opcdefault AND n.nspname = 'pg_catalog', coalesce(l.collisdeterministic AND m.collisdeterministic, true), \
                    nullif(p.partdefid, 0), \
                    (o.opcintype = a.atttypid OR i.typtype = 'p') AND a.attcollation = t.typcollation AND p.partcollation[0] = t.typcollation, \
                    ARRAY(SELECT i.inhrelid FROM pg_inherits i \
                           WHERE i.inhparent = p.partrelid AND i.inhrelid <> p.partdefid AND NOT i.inhdetachpending \
                           ORDER BY i.inhrelid DESC) \
               FROM pg_partitioned_table p \
               JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] AND a.attnum > 0 \
               JOIN pg_opclass o ON o.oid = p.partclass[0] \
               JOIN pg_namespace n ON n.oid = o.opcnamespace \
               JOIN pg_type t ON t.oid = a.atttypid \
               JOIN pg_type i ON i.oid = o.opcintype \
               LEFT JOIN pg_collation l ON l.oid = p.partcollation[0] \
               LEFT JOIN pg_collation m ON m.oid = a.attcollation \
              WHERE p.partrelid = $1 AND p.partstrat = 'l'",
            &[parent.into()],
            |row| {
                Ok(Column {
                    name: row.get(1)?,
                    type_name: row.get(2)?,
                    is_of_core: row.get(3)?,
                    is_deterministic: row.get(4)?,
                    default: row.find(5)?,
                    is_plain: row.get(6)?,
                    siblings: row.get(7)?,
                })
            },
        )?;
        let column = column.ok_or_else(|| Error::NotManaged {
            relation: table.name.name.clone(),
            detail: "Its partition key is an expression.".to_owned(),
        })?;
        Ok(ListTable {
            table,
            obstacle: match (column.is_of_core, column.is_deterministic) {
                // Operators of others are not called, and might not be found.
                (false, _) => Some(
                    "Its key is compared by an operator class that is not PostgreSQL's own, or not the type's usual one.",
                ),
                (_, false) => Some(
                    "has a collation that is not deterministic: texts that differ are the same value",
                ),
                (true, true) => None,
            },
            is_plain: column.is_plain,
            column: column.name,
            column_type: column.type_name,
            default: column.default,
            siblings: column.siblings,
        })
    }

    /// Looks for up to so many values in the default partition, and for up to so many rows of each:
    /// through an index on the key, from one value to the next; without one only where it is small.
    pub fn look(&self, most_values: u32, most_rows: u32) -> Result<Look, Error> {
        let seen = |contents| Ok(Look::Seen(contents));
        // ACCESS SHARE on the default partition, until the end of the transaction.
        let Some(open) = (self.default).and_then(|oid| Relation::try_open(oid, Mode::AccessShare))
        else {
            return seen(Contents::default());
        };
        if !open.is_plain() {
            return Ok(Look::NotTried(
                "the default partition is no plain table".to_owned(),
            ));
        }
        if open.blocks() == 0 {
            return seen(Contents::default());
        }
        if let Some(obstacle) = self.obstacle {
            return Ok(Look::NotTried(format!("its key {obstacle}")));
        }
        let bytes = u64::from(open.blocks()) * u64::from(pg_sys::BLCKSZ);
        let (oid, name) = (open.oid(), open.name());
        drop(open);
        let has_index = has_index(oid, &self.column)?;
        if !has_index && bytes > guc::default_scan_limit() {
            return Ok(Look::NotTried(
                "the default partition is larger than pg_partman_rs.default_scan_limit, and has no index on the key"
                    .to_owned(),
            ));
        }
        let statement = self.statement(has_index, &name, most_values, most_rows);
        let nulls = Sql::template(
            "SELECT count(*) FROM (SELECT FROM {default} WHERE {column} IS NULL LIMIT {rows}) AS rows",
        )
        .name("default", &name)
        .ident("column", &self.column)
        .number("rows", most_rows.into())
        .build();
        let (mut values, nulls) = self.table.as_owner(|| {
            let how: &[_] = if has_index { &INDEX_ONLY } else { &[] };
            settings::within(&settings::AS_WRITTEN, || {
                settings::within(how, || {
                    let values = db::rows(&statement, &[], |row| {
                        Ok(NewValue {
                            element: Element::Value(row.get(1)?),
                            rows: row.get(2)?,
                        })
                    })?;
                    Ok((values, db::value::<i64>(&nulls, &[])?))
                })
            })
        })?;
        let most = most_values as usize;
        let has_more_values = values.len() > most;
        values.truncate(most);
        values.extend((nulls > 0).then_some(NewValue {
            element: Element::Null,
            rows: nulls,
        }));
        seen(Contents {
            values,
            has_more_values,
        })
    }

    /// Whether any rows lie in the default partition.
    pub fn default_has_rows(&self) -> Result<bool, Error> {
        let Some(default) = self.default else {
            return Ok(false);
        };
        let sql = Sql::template("SELECT EXISTS (SELECT FROM {default})")
            .name("default", &name_of(default)?)
            .build();
        self.table.as_owner(|| db::value(&sql, &[]))
    }

    /// The statement that finds values, one more than the most, with their rows. Operators and types
    /// are PostgreSQL's own, and format calls the type's output function, not a cast of somebody's.
    fn statement(&self, has_index: bool, default: &QualifiedName, most: u32, rows: u32) -> String {
        let template = match has_index {
            true => {
                "WITH RECURSIVE found (value) AS (\
                 (SELECT {column} FROM {default} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1) \
                 UNION ALL \
                 SELECT (SELECT d.{column} FROM {default} d WHERE d.{column} > found.value ORDER BY d.{column} LIMIT 1) \
                   FROM found WHERE found.value IS NOT NULL) \
                 SELECT format('%s', value), \
                        (SELECT count(*) FROM (SELECT FROM {default} d WHERE d.{column} = found.value LIMIT {rows}) AS rows) \
                   FROM found WHERE value IS NOT NULL LIMIT {most}"
            }
            false => {
                "SELECT format('%s', value), least(rows, {rows}) \
                   FROM (SELECT {column}, count(*) FROM {default} WHERE {column} IS NOT NULL \
                          GROUP BY {column} ORDER BY {column} LIMIT {most}) AS found (value, rows)"
            }
        };
        Sql::template(template)
            .ident("column", &self.column)
            .name("default", default)
            .number("rows", rows.into())
            .number("most", i64::from(most) + 1)
            .build()
    }
}

/// A partition column.
struct Column {
    name: String,
    type_name: String,
    /// Whether it is compared as PostgreSQL's own types usually are.
    is_of_core: bool,
    is_deterministic: bool,
    is_plain: bool,
    default: Option<pg_sys::Oid>,
    siblings: Vec<pg_sys::Oid>,
}

/// Whether an index of all rows is in the usual order of that column.
fn has_index(relation: pg_sys::Oid, column: &str) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = $2::name \
                          JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcdefault JOIN pg_am m ON m.oid = o.opcmethod \
                         WHERE i.indrelid = $1 AND i.indkey[0] = a.attnum AND i.indcollation[0] = a.attcollation \
                           AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree')",
        &[relation.into(), column.into()],
    )
}

/// Decides what a run does about such a table.
pub fn decide(policy: &Policy) -> Result<Decision, Error> {
    let found = ListTable::read(policy.parent)?;
    if let Some(job) = drain::under_way(found.default)? {
        if job.phase == Phase::Failed {
            // As with ranges: it is taken back before all else.
            let (default, table) = (found.default, Rc::new(found.table));
            let taking_back = Moving {
                table: Rc::clone(&table),
                default,
                values: Vec::new(),
            };
            return Ok(Decision::of(
                &table,
                vec![Box::new(taking_back)],
                Vec::new(),
            ));
        }
        let busy = format!("skipped: {}", drain::busy(&job));
        let table = Rc::new(found.table);
        let busy = Outcome::of(&table, "create", busy);
        return Ok(Decision::of(&table, Vec::new(), vec![busy]));
    }
    let most_rows = guc::new_value_rows();
    let look = found.look(guc::max_partitions(), most_rows.saturating_add(1))?;
    let mut told = tell(&look, policy.new_values);
    let chosen = match &look {
        Look::Seen(contents) if policy.new_values => values::choose(contents, most_rows),
        _ => Chosen::default(),
    };
    if policy.new_values && found.default.is_none() {
        told.push(
            "there is no default partition: rows of new values are refused, and nobody learns of them"
                .to_owned(),
        );
    }
    told.extend(chosen.skipped.iter().cloned());
    let way = Way::of(&found, &chosen)?;
    let default = found.default;
    let table = Rc::new(found.table);
    let giving = |value: &NewValue| Giving {
        table: Rc::clone(&table),
        default: default.unwrap_or(pg_sys::InvalidOid),
        value: value.clone(),
    };
    let one_by_one = || -> Vec<Box<dyn Deed>> {
        let all = chosen.values.iter();
        all.map(|value| Box::new(giving(value)) as Box<dyn Deed>)
            .collect()
    };
    let skip = |why: &String| Outcome::of(&table, "create", format!("skipped: {why}"));
    let mut skipped: Vec<Outcome> = told.iter().map(skip).collect();
    let deeds = match way {
        Way::OneByOne => one_by_one(),
        Way::Together(Fitting { values, homeless }) => {
            skipped.extend(homeless.iter().map(|(value, strays)| {
                giving(value).outcome(format!("skipped: {}", values::no_place(*strays)))
            }));
            let moving = (!values.is_empty()).then(|| {
                Box::new(Moving {
                    table: Rc::clone(&table),
                    default,
                    values,
                }) as Box<dyn Deed>
            });
            moving.into_iter().collect()
        }
        Way::AsFarAs { small, large } => {
            let too_large = values::too_large(most_rows);
            skipped.extend(
                (chosen.too_large.iter())
                    .map(|value| giving(value).outcome(format!("skipped: {too_large}"))),
            );
            // One line for all of them: there may be very many.
            skipped.extend(small.iter().map(skip));
            skipped.push(skip(&drain::not_moved(&large)));
            match small {
                None => one_by_one(),
                Some(_) => Vec::new(),
            }
        }
    };
    Ok(Decision::of(&table, deeds, skipped))
}

/// How new values get their rows.
enum Way {
    /// Each in a transaction.
    OneByOne,
    /// By a conversion, large and small alike.
    Together(Fitting),
    /// There is no conversion, and why; nor, if so, are values with few rows moved, and why.
    AsFarAs {
        small: Option<String>,
        large: String,
    },
}

impl Way {
    fn of(found: &ListTable, chosen: &Chosen) -> Result<Way, Error> {
        let all: Vec<NewValue> = chosen
            .values
            .iter()
            .chain(&chosen.too_large)
            .cloned()
            .collect();
        if all.is_empty() {
            return Ok(Way::OneByOne);
        }
        let small = found.cannot_move()?;
        if small.is_none() && chosen.too_large.is_empty() {
            return Ok(Way::OneByOne);
        }
        // The next run makes more: all are attached under one lock.
        let most = drain::most_together(found.table.parent, 1)?;
        let all: Vec<NewValue> = all.into_iter().take(most).collect();
        let large = match moving::fitting(found, all) {
            Ok(fitting) if fitting.values.is_empty() => return Ok(Way::Together(fitting)),
            Ok(fitting) => match moving::obstacle(found, &fitting.values)? {
                None => return Ok(Way::Together(fitting)),
                Some(large) => large,
            },
            Err(Error::Blocked { blockers, .. }) => drain::in_a_line(&blockers),
            Err(error) => return Err(error),
        };
        Ok(Way::AsFarAs { small, large })
    }
}

/// Values that are named at once.
const MOST_NAMED: usize = 3;

/// What of a default partition's contents is told and left alone, in sentences: pure.
fn tell(look: &Look, gives_partitions: bool) -> Vec<String> {
    let contents = match look {
        Look::Seen(contents) => contents,
        Look::NotTried(why) => return vec![why.clone()],
    };
    let mut told = Vec::new();
    if !contents.values.is_empty() && !gives_partitions {
        let named: Vec<String> = (contents.values.iter().take(MOST_NAMED))
            .map(|value| value.element.written())
            .collect();
        let more = match contents.values.len() - named.len() {
            0 if !contents.has_more_values => String::new(),
            _ if contents.has_more_values => " and many more".to_owned(),
            more => format!(" and {more} more"),
        };
        told.push(format!(
            "the default partition holds rows of {}{more}; new_values => true gives them partitions",
            named.join(", ")
        ));
    }
    told
}

/// The name of a default partition.
pub fn name_of(partition: pg_sys::Oid) -> Result<QualifiedName, Error> {
    table::qualified_name(partition)?.ok_or_else(|| Error::NoRelation {
        oid: partition.to_u32(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[&str], has_more_values: bool, has_nulls: bool) -> Look {
        let values = values.iter();
        let values = values.map(|text| Element::Value((*text).to_owned()));
        let null = has_nulls.then_some(Element::Null);
        Look::Seen(Contents {
            values: (values.chain(null))
                .map(|element| NewValue { element, rows: 1 })
                .collect(),
            has_more_values,
        })
    }

    #[test]
    fn what_lies_in_default_is_told_in_a_line() {
        assert!(tell(&seen(&[], false, false), false).is_empty());
        let few = tell(&seen(&["a", "it's"], false, true), false);
        assert!(few[0].contains("'a', 'it''s', NULL; new_values"), "{few:?}");
        assert_eq!(few.len(), 1);
        let many = ["a", "b", "c", "d", "e"];
        let some = tell(&seen(&many, false, false), false);
        assert!(some[0].contains("'c' and 2 more;"), "{some:?}");
        let more = tell(&seen(&many, true, false), false);
        assert!(more[0].contains("'c' and many more;"), "{more:?}");
        // Where they get partitions, each is told by itself.
        assert!(tell(&seen(&many, true, true), true).is_empty());
        assert_eq!(tell(&Look::NotTried("why".to_owned()), true), ["why"]);
    }
}
