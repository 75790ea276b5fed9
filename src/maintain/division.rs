//! Partitions with partitions of their own that get rows of the default partition by a conversion.

use super::act;
use super::blueprint::{Blueprint, Part};
use super::managed::Table;
use super::newcomers::Newcomers;
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use crate::pg::settings;
use crate::pg::transaction::rolled_back;
use crate::plan::blockers::Blocker;
use crate::plan::branch::{self, Division, PartName};
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What a row is stored by that conversions know.
const HEAP: &str = "heap";

/// How a partition that is made after a blueprint is partitioned. Fails as blocked where the engine cannot tell where
/// rows go.
pub fn of(parent: &Table, blueprint: &Blueprint) -> Result<Option<Division>, Error> {
    let (Some(key), Some(model)) = (&blueprint.key, blueprint.model) else {
        return Ok(None);
    };
    let Some(order) = table::partition_order(model)? else {
        return Err(blocked(
            parent,
            format!(
                "Its partitions are partitioned by {key}: rows are moved where that is a range or list of one column, or a hash of columns."
            ),
        ));
    };
    let part = |part: &Part| {
        let storage = &part.table.storage;
        if let Some(method) = storage.access_method.as_deref().filter(|one| *one != HEAP) {
            return Err(blocked(
                parent,
                format!("The partitions of its partitions have the access method \"{method}\"."),
            ));
        }
        Ok(branch::Part {
            name: part.name.clone(),
            bounds: part.bounds.clone(),
            options: storage.options.clone(),
            tablespace: storage.tablespace.clone(),
            replica_identity: storage.replica_identity.clone(),
            division: of(parent, &part.table)?,
        })
    };
    let parts = blueprint.parts.iter().map(part);
    let parts = parts.collect::<Result<Vec<branch::Part>, Error>>()?;
    Ok(Some(Division {
        key: key.clone(),
        columns: order
            .columns
            .into_iter()
            .map(|column| column.name)
            .collect(),
        tablespace: blueprint.storage.tablespace.clone(),
        model: model.to_u32(),
        parts,
    }))
}

/// Whether there is a place for whatever row comes. Pure.
fn takes_all(blueprint: &Blueprint) -> bool {
    let is_whole = blueprint.key.is_none()
        || blueprint.parts.iter().any(|part| part.bounds == "DEFAULT")
        // The ranges that its own is divided into.
        || (blueprint.parts.iter()).all(|part| matches!(part.name, PartName::Label(_)));
    is_whole && blueprint.parts.iter().all(|part| takes_all(&part.table))
}

/// Rows that get a partition which is partitioned itself.
pub struct Settlers<'a> {
    pub rows: &'a Newcomers<'a>,
    pub blueprint: &'a Blueprint,
}

/// Of each of these, how many rows none of the partitions below would take: the default partition could not keep them,
/// either, as soon as they have a partition.
///
/// PostgreSQL itself says what partitions take: they are made, asked, and taken back, before anybody has seen them. Fails as
/// blocked where they cannot be made.
pub fn strays(parent: &Table, settlers: &[Settlers]) -> Result<Vec<i64>, Error> {
    let in_doubt = settlers.iter().filter(|one| !takes_all(one.blueprint));
    let Some(default) = in_doubt.map(|one| &one.rows.default).next() else {
        return Ok(vec![0; settlers.len()]);
    };
    let count = || {
        // Those that are made alike take the same.
        let mut made: HashMap<String, QualifiedName> = HashMap::new();
        let mut homeless = Vec::new();
        for one in settlers {
            if takes_all(one.blueprint) {
                homeless.push("false".to_owned());
                continue;
            }
            let name = match made.entry(format!("{:?}", one.blueprint)) {
                Entry::Occupied(made) => made.get().clone(),
                Entry::Vacant(free) => {
                    let name = act::make_table(parent, &parent.name, one.blueprint, "rows")?;
                    free.insert(name).clone()
                }
            };
            homeless.push(one.rows.homeless(&name)?);
        }
        let counts = homeless.iter();
        let counts: Vec<String> = counts
            .map(|homeless| {
                Sql::template("count(*) FILTER (WHERE {homeless})")
                    .trusted("homeless", homeless)
                    .build()
            })
            .collect();
        let sql = Sql::template("SELECT ARRAY[{counts}] FROM ONLY {default}")
            .trusted("counts", &counts.join(", "))
            .name("default", default);
        db::value(&sql.build(), &[])
    };
    rolled_back(|| parent.as_owner(|| settings::within(&settings::AS_WRITTEN, count)))
        // What keeps them from being made for a moment would keep them from being made.
        .map_err(|failure| blocked(parent, format!("{}.", failure.message)))
}

/// Fails as blocked where some have no place.
pub fn refuse_strays(parent: &Table, settlers: &[Settlers]) -> Result<(), Error> {
    match strays(parent, settlers)?.into_iter().sum() {
        0 => Ok(()),
        strays => Err(blocked(parent, no_place(strays))),
    }
}

/// Why so many rows stay, in a sentence.
pub fn no_place(strays: i64) -> String {
    format!(
        "Of the partitions that they would get, as their siblings have them, none takes {strays} of them, and there is no default partition among those."
    )
}

/// That no partition can be made, and why, in a few words.
pub fn missing(parent: &Table, why: &str) -> Error {
    blocked(parent, format!("No partition can be made: {why}."))
}

fn blocked(parent: &Table, fact: String) -> Error {
    Error::Blocked {
        relation: parent.name.name.clone(),
        blockers: vec![Blocker::fact(fact)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blueprint(key: Option<&str>, parts: Vec<(PartName, &str, Blueprint)>) -> Blueprint {
        let parts = parts.into_iter();
        Blueprint {
            key: key.map(str::to_owned),
            parts: parts
                .map(|(name, bounds, table)| Part {
                    name,
                    bounds: bounds.to_owned(),
                    table,
                })
                .collect(),
            ..Blueprint::default()
        }
    }

    fn like() -> PartName {
        PartName::Like {
            part: "p".to_owned(),
            of: "t".to_owned(),
            number: 1,
        }
    }

    #[test]
    fn where_there_is_a_default_partition_at_each_level_all_rows_have_a_place() {
        let plain = || blueprint(None, Vec::new());
        let list = |bounds| blueprint(Some("LIST (a)"), vec![(like(), bounds, plain())]);
        assert!(takes_all(&plain()) && takes_all(&list("DEFAULT")));
        assert!(!takes_all(&list("FOR VALUES IN (1)")));
        let spans = |table| {
            let label = PartName::Label("2024".to_owned());
            blueprint(Some("RANGE (at)"), vec![(label, "FOR VALUES …", table)])
        };
        assert!(takes_all(&spans(plain())) && takes_all(&spans(list("DEFAULT"))));
        assert!(!takes_all(&spans(list("FOR VALUES IN (1)"))));
    }
}
