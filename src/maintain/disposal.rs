//! What a policy says becomes of retired partitions: checked when it is set.

use super::adopt::Wish;
use crate::catalog::policy::{Action, Policy};
use crate::catalog::table;
use crate::db;
use crate::error::Error;
use pgrx::pg_sys;

/// The schema where retired partitions go, and how long recycled ones are kept, if the action has use
/// for them.
pub fn checked(
    wish: &Wish,
    before: Option<&Policy>,
    action: Action,
    owner: pg_sys::Oid,
) -> Result<(Option<String>, Option<String>), Error> {
    let schema = match wish.retention_schema.as_deref() {
        Some("none") => None,
        Some(_) if !matches!(action, Action::Move | Action::Recycle) => {
            return Err(without_meaning("retention_schema", action));
        }
        Some(given) => Some(given.to_owned()),
        None => before.and_then(|policy| policy.retention_schema.clone()),
    };
    let schema = schema.filter(|_| matches!(action, Action::Move | Action::Recycle));
    match &schema {
        Some(schema) => may_create_in(schema, owner)?,
        None if action == Action::Move => {
            return Err(missing(
                "retention_schema",
                action,
                "Pass the schema where retired partitions are to go.",
            ));
        }
        None => {}
    }
    let grace = match wish.grace_period.as_deref() {
        Some(_) if action != Action::Recycle => {
            return Err(without_meaning("grace_period", action));
        }
        Some(given) => Some(checked_grace(given)?),
        None => before.and_then(|policy| policy.grace_period.clone()),
    };
    let grace = grace.filter(|_| action == Action::Recycle);
    if grace.is_none() && action == Action::Recycle {
        return Err(missing(
            "grace_period",
            action,
            "Pass the time after which recycled partitions are to be dropped, as '30 days'.",
        ));
    }
    Ok((schema, grace))
}

fn without_meaning(argument: &str, action: Action) -> Error {
    Error::Argument {
        message: format!(
            "{argument} has no meaning for retention action \"{}\"",
            action.name()
        ),
        detail: None,
        hint: None,
    }
}

fn missing(argument: &str, action: Action, hint: &str) -> Error {
    Error::Argument {
        message: format!("retention action \"{}\" needs {argument}", action.name()),
        detail: None,
        hint: Some(hint.to_owned()),
    }
}

/// Found out now, and not when the first partition is old.
fn may_create_in(schema: &str, owner: pg_sys::Oid) -> Result<(), Error> {
    let may: Option<bool> = db::row(
        "SELECT has_schema_privilege($1, n.oid, 'CREATE') FROM pg_namespace n WHERE n.nspname = $2",
        &[owner.into(), schema.into()],
        |row| row.get(1),
    )?;
    match may {
        Some(true) if !schema.starts_with("pg_") => Ok(()),
        Some(true) => Err(Error::Argument {
            message: format!("\"{schema}\" is a schema of PostgreSQL's own"),
            detail: None,
            hint: None,
        }),
        Some(false) => Err(Error::MayNotCreate {
            schema: schema.to_owned(),
            owner: table::role_name(owner)?,
        }),
        None => Err(Error::NoSchema {
            schema: schema.to_owned(),
        }),
    }
}

fn checked_grace(given: &str) -> Result<String, Error> {
    let is_usable = db::value::<bool>(
        "SELECT $1::text::interval >= interval '0' AND isfinite($1::text::interval) AND justify_interval($1::text::interval) < interval '10000 years'",
        &[given.into()],
    )?;
    match is_usable {
        true => Ok(given.to_owned()),
        false => Err(Error::Argument {
            message: format!("invalid grace_period \"{given}\""),
            detail: None,
            hint: Some("It is an interval, as '30 days'.".to_owned()),
        }),
    }
}
