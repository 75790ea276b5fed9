//! Foreign keys that point at a table, and at its partitions: whether they keep one from going is found
//! out before anybody has to wait for a lock.

use super::leaving::{self, Keys};
use super::read::Subject;
use super::retire::{self, Wish};
use super::set::{Leaf, PartitionSet, Position};
use crate::catalog::policy::Action;
use crate::catalog::{guard, table};
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::transaction::rolled_back;
use crate::pg::{lock, settings};
use crate::plan::guard::TRIGGER;
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::collections::HashSet;
use std::ffi::CStr;

/// A foreign key that points at the table, or at a partition by itself.
pub struct Key {
    name: String,
    /// At what it points.
    target: pg_sys::Oid,
    /// The table that it belongs to, and whether that has partitions.
    of: QualifiedName,
    is_partitioned: bool,
    /// Whether it holds the keys of all rows, so that those of a partition go when they are deleted there.
    is_guard: bool,
    /// How rows of a partition `p` are found in that table `f`; as PostgreSQL quotes names.
    joined_by: String,
}

impl Key {
    pub fn in_words(&self) -> String {
        format!("foreign key \"{}\" of table {}", self.name, self.of)
    }

    /// The query for rows that point at these, as a table in it, and what is told of each.
    fn rows_pointing_at(&self, rows: &str, shown: &str) -> String {
        Sql::template("SELECT {shown} FROM {only}{of} AS f JOIN {rows} AS p ON {joined_by}")
            .trusted("shown", shown)
            .trusted("only", if self.is_partitioned { "" } else { "ONLY " })
            .name("of", &self.of)
            .trusted("rows", rows)
            .trusted("joined_by", &self.joined_by)
            .build()
    }

    /// One of these that it points at, as `shown`. Fails where rows of its table are hidden from the caller.
    pub fn example(&self, rows: &str, shown: &str) -> Result<Option<String>, Error> {
        let sql = self.rows_pointing_at(rows, shown);
        settings::within(&ALL_ROWS, || db::first(&sql, |row| row.get(1)))
    }
}

/// What a look at referencing rows may cost, as the planner counts: 100,000 pages that are read one
/// after the other, or less than that of rows to be compared; a second or so. DETACH looks as PostgreSQL's own, under
/// its locks, and nothing bounds that.
const MOST_COST: f64 = 100_000.0;

/// What the foreign keys' own actions may cost, when a batch of keys is taken out of a guard: each looks for what points
/// at its key, without an index by reading all of the table. A few seconds, in which only that batch is locked.
const MOST_COST_OF_ACTIONS: f64 = 10.0 * MOST_COST;

const ALL_ROWS: [(&CStr, &CStr); 1] = [(c"row_security", c"off")];

/// The partitions; with what keeps it, each that would go otherwise.
pub fn looked_at(
    subject: &Subject,
    wish: &Wish,
    position: Position,
    action: Action,
) -> Result<PartitionSet, Error> {
    let mut set = subject.set.clone();
    let mut known = HashSet::new();
    let mut keys = None;
    // Where one stays, another one goes in its place.
    loop {
        let to_go = retire::decide(&set, wish, position).leaves;
        let unknown: Vec<u32> = to_go
            .iter()
            .map(|leaf| leaf.oid)
            .filter(|oid| known.insert(*oid))
            .collect();
        if unknown.is_empty() {
            return Ok(set);
        }
        if keys.is_none() {
            keys = Some(keys_to(subject.parent)?);
        }
        let keys: &[Key] = keys.as_deref().unwrap_or_default();
        if keys.is_empty() {
            return Ok(set);
        }
        let unknown = set
            .leaves
            .iter_mut()
            .filter(|leaf| unknown.contains(&leaf.oid));
        for leaf in unknown {
            leaf.obstacle = obstacle(subject, keys, leaf, action)?;
        }
    }
}

/// Those that count; for DETACH also those that are NOT ENFORCED do. Those of periods it looks after by itself.
pub fn keys_to(parent: pg_sys::Oid) -> Result<Vec<Key>, Error> {
    db::rows(
        "SELECT k.conname::text, k.confrelid, n.nspname::text, c.relname::text, c.relkind = 'p', \
                EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = k.conrelid AND g.tgname = $2), \
                (SELECT string_agg(format('p.%I%s OPERATOR(%I.%s) f.%I', a.attname, \
                                          CASE WHEN l.oid IS NOT NULL THEN format(' COLLATE %I.%I', ln.nspname, l.collname) END, \
                                          opn.nspname, o.oprname, b.attname), ' AND ' ORDER BY u.place) \
                   FROM unnest(k.confkey, k.conkey, k.conpfeqop) WITH ORDINALITY AS u (to_column, of_column, operator, place) \
                   JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.to_column \
                   JOIN pg_attribute b ON b.attrelid = k.conrelid AND b.attnum = u.of_column \
                   JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace opn ON opn.oid = o.oprnamespace \
                   LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace) \
           FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE k.contype = 'f' \
            AND (k.confrelid = $1 AND NOT EXISTS (SELECT FROM pg_constraint u WHERE u.oid = k.conparentid AND u.confrelid = $1) \
                 OR k.conparentid = 0 AND k.confrelid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = $1)) \
            AND NOT coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) \
          ORDER BY k.conname, k.oid",
        &[parent.into(), TRIGGER.into()],
        |row| {
            Ok(Key {
                name: row.get(1)?,
                target: row.get(2)?,
                of: row.qualified_name(3)?,
                is_partitioned: row.get(5)?,
                is_guard: row.get(6)?,
                joined_by: row.get(7)?,
            })
        },
    )
}

/// Whether a guard holds the keys of its rows, whoever owns that, and of whatever table this is a partition.
pub fn has_guard(parent: pg_sys::Oid) -> Result<bool, Error> {
    Ok(keys_to(parent)?.iter().any(|key| key.is_guard))
}

/// Why a partition cannot go, if so.
fn obstacle(
    subject: &Subject,
    keys: &[Key],
    leaf: &Leaf,
    action: Action,
) -> Result<Option<String>, Error> {
    let partition = pg_sys::Oid::from(leaf.oid);
    let Some(name) = table::qualified_name(partition)? else {
        return Ok(None);
    };
    let guarded = leaving::of(subject, leaf)?;
    for key in keys {
        if key.target != subject.parent {
            // It goes on to point there, which keeps a table from being dropped.
            let is_dropped = matches!(action, Action::Drop | Action::Recycle);
            if key.target == partition && is_dropped {
                return Ok(Some(format!("{} points at it", key.in_words())));
            }
            continue;
        }
        // ACCESS SHARE on both tables, as for reading them, and given back at once: nothing is held when the
        // parent is locked.
        let look = || {
            lock::wait_no_longer_than(guc::swap_lock_timeout());
            subject.as_owner(|| match &guarded {
                Some(keys) if keys.guarded().name == key.of => guarded_by(keys),
                _ => referenced(key, &name),
            })
        };
        match rolled_back(look) {
            Ok(None) => {}
            Ok(Some(why)) => return Ok(Some(why)),
            Err(failure) => {
                return Ok(Some(format!(
                    "whether rows are referenced by {} cannot be told: {}",
                    key.in_words(),
                    failure.message
                )));
            }
        }
    }
    Ok(None)
}

/// Rows of the partition itself count, where the key is the table's own: for DETACH they do.
fn referenced(key: &Key, name: &QualifiedName) -> Result<Option<String>, Error> {
    let sql = key.rows_pointing_at(&name.to_string(), "");
    if cost(&sql)? > MOST_COST {
        return Ok(Some(takes_long(key)));
    }
    if !db::has_rows(&sql)? {
        return Ok(None);
    }
    let guarded = match key.is_guard {
        true => guard::of(key.target)?.filter(|guarded| !guarded.has_index),
        false => None,
    };
    Ok(Some(match guarded {
        Some(guarded) => format!(
            "keys of its rows are in guard {}, which has no index to find them by: {}",
            guarded.name,
            guarded.index()
        ),
        None => format!("rows are referenced by {}", key.in_words()),
    }))
}

fn takes_long(key: &Key) -> String {
    format!(
        "whether rows are referenced by {} takes long to be told; an index on its columns may help",
        key.in_words()
    )
}

/// Of a partition whose keys are taken out of the guard before it goes. Where all of them take long to be looked at,
/// that is done when they are taken, batch by batch.
fn guarded_by(keys: &Keys) -> Result<Option<String>, Error> {
    let (all, some, one) = (keys.all(), keys.some(), keys.one());
    let mut all_cost = 0.0;
    for key in keys.pointing() {
        all_cost += cost(&key.rows_pointing_at(&all, ""))?;
        let of_batch = cost(&key.rows_pointing_at(&some, ""))?;
        let of_actions = cost(&key.rows_pointing_at(&one, ""))? * leaving::BATCH as f64;
        if of_batch > MOST_COST || of_actions > MOST_COST_OF_ACTIONS {
            return Ok(Some(takes_long(key)));
        }
    }
    match all_cost > MOST_COST {
        true => Ok(None),
        false => keys.referenced(&all),
    }
}

/// What the planner thinks that all of its rows cost.
fn cost(sql: &str) -> Result<f64, Error> {
    let plan: pgrx::Json = db::value(&format!("EXPLAIN (FORMAT JSON) {sql}"), &[])?;
    plan.0
        .pointer("/0/Plan/Total Cost")
        .and_then(serde_json::Value::as_f64)
        .ok_or_else(|| Error::Internal("a plan without a cost".to_owned()))
}
