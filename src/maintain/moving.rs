//! New values of a list whose rows are too many to be moved under a lock, or lie in a default partition that is too
//! large to be looked through: they are moved by a conversion, as those of ranges.

use super::deed::{Deed, Done};
use super::drain::{self, Beginning};
use super::list::{ListTable, NewValue, name_of};
use super::managed::Table;
use super::outcome::Outcome;
use crate::catalog::table;
use crate::db;
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
    let is_two_levels: bool = db::value(
        "SELECT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = ANY ($1))",
        &[list.siblings.clone().into()],
    )?;
    if is_two_levels {
        return Ok(Some(drain::TWO_LEVELS.to_owned()));
    }
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
    let wanted: Vec<Wanted> = (values.iter())
        .map(|value| Wanted {
            label: value.element.label(),
            range: None,
            value: Some(value.element.clone()),
        })
        .collect();
    let parent = Parent {
        listed: Some(listed(list, values)?),
        ..drain::parent(&list.table)?
    };
    request::drain(parent, list.default, &list.column, None, wanted)
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
