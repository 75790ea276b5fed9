//! New values of a list whose rows are too many to be moved under a lock, or lie in a default partition that is too
//! large to be looked through: they are moved by a conversion, as those of ranges.

use super::blueprint::{self, Blueprint, Drawn};
use super::deed::{Deed, Done};
use super::division::{self, Settlers};
use super::drain::{self, Beginning};
use super::list::{ListTable, NewValue, name_of};
use super::managed::Table;
use super::newcomers::Newcomers;
use super::outcome::Outcome;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::bounds;
use crate::pg::settings;
use crate::plan::{Element, Listed, Parent, Wanted};
use crate::request;
use pgrx::pg_sys;
use std::rc::Rc;

/// Of more values PostgreSQL understands what excludes them only in its own words.
const MOST_UNDERSTOOD: usize = 100;

/// These values get partitions, with the rows that the default partition holds of them.
pub struct Moving {
    pub table: Rc<Table>,
    pub default: Option<pg_sys::Oid>,
    pub values: Vec<NewValue>,
}

impl Deed for Moving {
    fn run(&self) -> Result<Done, Error> {
        let now = ListTable::read(self.table.parent)?;
        self.table.still_has_owner(now.table.owner)?;
        if now.default != self.default {
            return Ok(Done::Nothing);
        }
        let begun = drain::begin_with(&now.table, now.default, || plan(&now, &self.values))?;
        Ok(match begun {
            Beginning::Begun => Done::AsWanted,
            Beginning::NotTried(why) => Done::NotTried(why),
        })
    }

    fn outcome(&self, told: String) -> Outcome {
        let name = self.default.and_then(|default| name_of(default).ok());
        let only = match self.values.as_slice() {
            [only] => only.element.value().cloned(),
            _ => None,
        };
        Outcome {
            partition: name.map(|name| name.to_string()),
            lower: only,
            ..Outcome::of(&self.table, "drain", told)
        }
    }

    fn done(&self) -> String {
        "draining".to_owned()
    }
}

/// Why rows of these values are not moved by a conversion, if so.
pub fn obstacle(list: &ListTable, values: &[NewValue]) -> Result<Option<String>, Error> {
    match plan(list, values) {
        Ok(planned) => {
            let listed = planned.plan.default_of.and_then(|parent| parent.listed);
            let is_understood =
                list.is_plain || listed.is_none_or(|listed| listed.values.len() <= MOST_UNDERSTOOD);
            Ok((!is_understood).then(|| {
                format!(
                    "It has more than {MOST_UNDERSTOOD} values, and PostgreSQL compares its key as another type, or by another collation than \
                     that of its type: it would look through the default partition while nobody can use the table."
                )
            }))
        }
        Err(Error::Blocked { blockers, .. }) => Ok(Some(drain::in_a_line(&blockers))),
        Err(error) => Err(error),
    }
}

fn plan(list: &ListTable, values: &[NewValue]) -> Result<request::Drain, Error> {
    let settlers = settlers(list, values)?;
    division::refuse_strays(&list.table, &as_settlers(&settlers))?;
    let wanted = (values.iter().zip(&settlers))
        .map(|(value, (_, blueprint))| {
            Ok(Wanted {
                label: value.element.label(),
                range: None,
                value: Some(value.element.clone()),
                division: division::of(&list.table, blueprint)?,
            })
        })
        .collect::<Result<Vec<Wanted>, Error>>()?;
    let parent = Parent {
        listed: Some(listed(list, values)?),
        ..drain::parent(&list.table)?
    };
    request::drain(parent, list.default, &list.column, None, wanted)
}

/// The rows of these values, and what their partitions are made like.
fn settlers<'a>(
    list: &'a ListTable,
    values: &[NewValue],
) -> Result<Vec<(Newcomers<'a>, Blueprint)>, Error> {
    let default = list.default.map(name_of).transpose()?.unwrap_or_default();
    let settlers = values.iter().map(|value| {
        let rows = Newcomers {
            table: &list.table,
            default: default.clone(),
            has_it: list.condition(&value.element),
        };
        match blueprint::of_value(list, &rows)? {
            Drawn::Drawn(blueprint) => Ok((rows, blueprint)),
            Drawn::Missing(why) => Err(division::missing(&list.table, &why)),
        }
    });
    settlers.collect()
}

/// Which of some values get their partitions together.
pub struct Fitting {
    pub values: Vec<NewValue>,
    /// Those that do not, since so many of their rows would have no place in them.
    pub homeless: Vec<(NewValue, i64)>,
}

/// As many as are attached under one lock. Fails as blocked where none can be planned.
pub fn fitting(list: &ListTable, values: Vec<NewValue>) -> Result<Fitting, Error> {
    let settlers = settlers(list, &values)?;
    let strays = division::strays(&list.table, &as_settlers(&settlers))?;
    // Each is made like the same sibling.
    let each = settlers
        .iter()
        .map(|(_, blueprint)| blueprint.leaves())
        .max();
    drop(settlers);
    let (housed, homeless): (Vec<_>, Vec<_>) = values
        .into_iter()
        .zip(strays)
        .partition(|(_, strays)| *strays == 0);
    let housed = housed.into_iter().map(|(value, _)| value);
    let most = drain::most_together(list.table.parent, each.unwrap_or(1))?;
    Ok(Fitting {
        values: housed.take(most).collect(),
        homeless,
    })
}

fn as_settlers<'a>(settlers: &'a [(Newcomers<'a>, Blueprint)]) -> Vec<Settlers<'a>> {
    let settlers = settlers.iter();
    settlers
        .map(|(rows, blueprint)| Settlers { rows, blueprint })
        .collect()
}

/// What the partitions take when these are made.
fn listed(list: &ListTable, values: &[NewValue]) -> Result<Listed, Error> {
    let gone = || Error::NoRelation {
        oid: list.table.parent.to_u32(),
    };
    let order = table::partition_order(list.table.parent)?.ok_or_else(gone)?;
    let more = values.iter().filter_map(|value| value.element.value());
    let more: Vec<String> = more.cloned().collect();
    let gets_null = values.iter().any(|value| value.element == Element::Null);
    let open = super::managed::open(list.table.parent)?;
    let (values, has_null) = list.table.as_owner(|| {
        settings::within(&settings::AS_WRITTEN, || {
            bounds::listed(&open, &order, &more)
        })
    })?;
    Ok(Listed {
        values,
        has_null: has_null || gets_null,
    })
}
