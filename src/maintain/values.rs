//! New values of a list: each gets a partition of its own, with its rows, which lie in the default
//! partition until then. All of it in one transaction, under a lock that everybody waits for: hence few rows only.

use super::act;
use super::blueprint::{self, Drawn};
use super::deed::{Deed, Done};
use super::family;
use super::list::{self, Contents, ListTable, NewValue};
use super::managed::Table;
use super::newcomers::Newcomers;
use super::outcome::Outcome;
use super::repair;
use crate::catalog::as_bookkeeper;
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::Mode;
use crate::pg::settings;
use crate::plan::Element;
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::rc::Rc;

/// What is told where a partition was made, and rows were moved into it.
pub const FILLED: &str = "created with its rows";

/// Which values get partitions, and what is told of the others: pure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub values: Vec<NewValue>,
    /// Those with more rows than are moved.
    pub too_large: Vec<NewValue>,
    /// In sentences.
    pub skipped: Vec<String>,
}

/// Decides; `most_rows` is how many rows of a value are moved, of which one more were counted.
pub fn choose(contents: &Contents, most_rows: u32) -> Chosen {
    let (values, too_large) = (contents.values.iter().cloned())
        .partition(|value: &NewValue| value.rows <= i64::from(most_rows));
    let mut skipped = Vec::new();
    if contents.has_more_values {
        skipped.push(format!(
            "the default partition holds rows of more than {} values, and no more partitions are made in one go",
            contents.values.iter().filter(|value| value.element != Element::Null).count()
        ));
    }
    Chosen {
        values,
        too_large,
        skipped,
    }
}

/// Why a value's rows are left where they are, in a few words.
pub fn too_large(most_rows: u32) -> String {
    format!(
        "the default partition holds more than {most_rows} rows of it (pg_partman_rs.new_value_max_rows), and they would be moved \
         under a lock that everybody waits for: where that does no harm, SET pg_partman_rs.new_value_max_rows higher and call ensure_partitions"
    )
}

/// Why a value's rows are left where they are, if so many of them would be refused.
pub fn no_place(strays: i64) -> String {
    format!(
        "of the partitions that it would get, as its youngest siblings have them, none takes {strays} of its rows in the default partition, \
         and there is no default partition among them"
    )
}

/// A value that gets its partition.
pub struct Giving {
    pub table: Rc<Table>,
    pub default: pg_sys::Oid,
    pub value: NewValue,
}

impl Giving {
    /// Fails where somebody has a snapshot from before, and would find the rows in neither partition: those
    /// of the new one are younger, and the default partition is not asked for them any more.
    fn refuse_onlookers(&self) -> Result<(), Error> {
        match is_looked_on()? {
            false => Ok(()),
            true => Err(Error::LockNotAvailable {
                relation: self.table.name.name.clone(),
                purpose: "maintenance: a transaction that began earlier would not see the rows that are moved",
            }),
        }
    }

    fn make(&self) -> Result<Done, Error> {
        // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: while tables are made,
        // which nobody sees yet and which may be many, no reader or writer waits; another run of maintenance does.
        family::lock(self.table.parent, Mode::ShareUpdateExclusive)?;
        let now = ListTable::read(self.table.parent)?;
        self.table.still_has_owner(now.table.owner)?;
        if now.default != Some(self.default) {
            return Ok(Done::Nothing);
        }
        let newcomers = Newcomers {
            table: &self.table,
            default: list::name_of(self.default)?,
            has_it: now.condition(&self.value.element),
        };
        if let Some(done) = ends_early(&now, &newcomers)? {
            return Ok(done);
        }
        let blueprint = match blueprint::of_value(&now, &newcomers)? {
            Drawn::Drawn(blueprint) => blueprint,
            Drawn::Missing(why) => return Ok(Done::NotTried(why)),
        };
        let parent = &now.table.name;
        let label = self.value.element.label();
        let name = act::make_table(&self.table, parent, &blueprint, &label)?;
        // ACCESS EXCLUSIVE on the parent, before any partition, then on the default partition, until the
        // end of the (sub)transaction: everybody waits, hence the time-out. Rows change from one
        // partition to another, which nobody may see half done, nor write to meanwhile. It lasts as long
        // as it takes to write no more than new_value_max_rows, and for ATTACH to look through the
        // default partition, which is no larger than default_scan_limit.
        for relation in [self.table.parent, self.default] {
            family::lock(relation, Mode::AccessExclusive)?;
        }
        // The first lock has kept the table as it was, but not the default partition and its rows.
        if let Some(done) = ends_early(&now, &newcomers)? {
            return Ok(Done::TakenBack(Box::new(done)));
        }
        if blueprint.key.is_some() {
            let strays = newcomers.strays(&name)?;
            if strays > 0 {
                return Ok(Done::TakenBack(Box::new(Done::NotTried(no_place(strays)))));
            }
        }
        newcomers.move_into(&name)?;
        act::run(
            Sql::template("ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES IN ({value})")
                .name("parent", parent)
                .name("name", &name)
                .trusted("value", &self.value.element.written()),
        )?;
        repair::mark_indexes(self.table.facts()?, &name)?;
        Ok(Done::Made(name))
    }
}

/// What is told instead, where these rows are not to be moved, or are gone.
fn ends_early(now: &ListTable, newcomers: &Newcomers) -> Result<Option<Done>, Error> {
    if let Some(why) = now.cannot_move()? {
        return Ok(Some(Done::NotTried(why)));
    }
    let most_rows = guc::new_value_rows();
    Ok(match newcomers.count(most_rows)? {
        0 => Some(Done::Nothing),
        rows if rows > i64::from(most_rows) => Some(Done::NotTried(too_large(most_rows))),
        _ => None,
    })
}

impl Deed for Giving {
    fn run(&self) -> Result<Done, Error> {
        self.refuse_onlookers()?;
        let make = || settings::within(&settings::AS_WRITTEN, || self.make());
        let done = self.table.as_owner(make)?;
        // Once more, after all else and under the lock: then all is taken back, and tried again.
        if matches!(done, Done::Made(_)) {
            self.refuse_onlookers()?;
        }
        Ok(done)
    }

    fn outcome(&self, told: String) -> Outcome {
        Outcome {
            lower: self.value.element.value().cloned(),
            ..Outcome::of(&self.table, "create", told)
        }
    }

    fn done(&self) -> String {
        FILLED.to_owned()
    }
}

/// Whether a transaction of others keeps a snapshot for statements to come, as repeatable read ones do:
/// it is idle with one; or it is not its first statement that runs, which may be any level. Those that
/// wait for a lock are not counted: many wait for ours, and read committed ones, which most are, take
/// another snapshot when they get it. What serializable ones have read is remembered only while others
/// are open.
fn is_looked_on() -> Result<bool, Error> {
    as_bookkeeper(|| {
        db::value(
            "SELECT EXISTS (SELECT FROM pg_stat_activity a \
              WHERE a.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
                AND a.backend_type NOT IN ('autovacuum worker', 'walsender', 'parallel worker', 'pg_partman_rs') \
                AND a.pid <> pg_backend_pid() AND a.backend_xmin IS NOT NULL \
                AND (a.state <> 'active' OR a.xact_start < a.query_start AND a.wait_event_type IS DISTINCT FROM 'Lock'))",
            &[],
        )
    })
}

impl ListTable {
    /// Whether a row has that in the key, as it is written in SQL.
    pub fn condition(&self, element: &Element) -> String {
        let sql = match element {
            Element::Value(value) => Sql::template("{column} = {value}::{type}")
                .literal("value", value)
                .trusted("type", &self.column_type),
            Element::Null => Sql::template("{column} IS NULL"),
        };
        sql.ident("column", &self.column).build()
    }

    /// Why no rows are moved out of the default partition, if so: what DELETE there would set off, and
    /// what ATTACH would take too long for.
    pub fn cannot_move(&self) -> Result<Option<String>, Error> {
        if let Some(obstacle) = self.obstacle {
            return Ok(Some(format!("its key {obstacle}")));
        }
        let Some(default) = self.default else {
            return Ok(Some("there is no default partition".to_owned()));
        };
        let limit = i64::try_from(guc::default_scan_limit()).unwrap_or(i64::MAX);
        db::row(
            "SELECT CASE WHEN c.relkind <> 'r' THEN 'the default partition is no plain table' \
                         WHEN pg_relation_size(c.oid) > $2 \
                         THEN 'the default partition is larger than pg_partman_rs.default_scan_limit, and would be locked while it is looked through' \
                         WHEN c.relowner <> p.relowner THEN 'the default partition does not belong to the owner of the table' \
                         WHEN EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) THEN 'the default partition has rules' \
                         ELSE (SELECT CASE WHEN k.oid IS NOT NULL THEN format('foreign key \"%s\" points at the table', coalesce(r.conname, k.conname)) \
                                           ELSE format('trigger \"%s\" of the default partition would fire', t.tgname) END \
                                 FROM pg_trigger t LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint AND k.contype = 'f' \
                                 LEFT JOIN pg_constraint r ON r.oid = k.conparentid \
                                WHERE t.tgrelid = c.oid AND t.tgtype & 8 <> 0 AND t.tgenabled IN ('O', 'A') \
                                ORDER BY t.tgname LIMIT 1) END \
               FROM pg_class c, pg_class p WHERE c.oid = $1 AND p.oid = $3",
            &[default.into(), limit.into(), self.table.parent.into()],
            |row| row.find(1),
        )
        .map(Option::flatten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, rows: i64) -> NewValue {
        NewValue {
            element: Element::Value(text.to_owned()),
            rows,
        }
    }

    #[test]
    fn few_rows_are_moved_and_many_are_told() {
        let contents = Contents {
            values: vec![value("a", 1), value("b", 11), value("c", 10)],
            has_more_values: false,
        };
        let chosen = choose(&contents, 10);
        assert_eq!(chosen.values, [value("a", 1), value("c", 10)]);
        assert_eq!(chosen.too_large, [value("b", 11)]);
        assert!(chosen.skipped.is_empty());
        let more = Contents {
            has_more_values: true,
            ..contents
        };
        assert_eq!(choose(&more, 0).values, []);
        assert_eq!(choose(&more, 0).skipped.len(), 1);
    }
}
