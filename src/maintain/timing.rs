//! When a policy lets the worker work: checked when it is set.

use super::adopt::Wish;
use crate::catalog::policy::Policy;
use crate::db;
use crate::error::Error;

/// What takes a time away.
const NONE: &str = "none";

/// The times of a policy.
#[derive(Default)]
pub struct Timing {
    /// Both, or none.
    pub quiet_from: Option<String>,
    pub quiet_until: Option<String>,
    pub interval: Option<String>,
}

/// The times that a policy is to have.
pub fn checked(wish: &Wish, before: Option<&Policy>) -> Result<Timing, Error> {
    let (quiet_from, quiet_until) = quiet_hours(wish, before)?;
    Ok(Timing {
        quiet_from,
        quiet_until,
        interval: interval(wish, before)?,
    })
}

fn quiet_hours(
    wish: &Wish,
    before: Option<&Policy>,
) -> Result<(Option<String>, Option<String>), Error> {
    let (from, until) = (wish.quiet_from.as_deref(), wish.quiet_until.as_deref());
    if from == Some(NONE) || until == Some(NONE) {
        return Ok((None, None));
    }
    let kept_from = before.and_then(|policy| policy.quiet_from.clone());
    let kept_until = before.and_then(|policy| policy.quiet_until.clone());
    let from = from.map(str::to_owned).or(kept_from);
    let until = until.map(str::to_owned).or(kept_until);
    match (&from, &until) {
        (None, None) => Ok((None, None)),
        (Some(begin), Some(end)) => {
            let is_empty = "SELECT $1::text::time = $2::text::time";
            match db::value(is_empty, &[begin.as_str().into(), end.as_str().into()])? {
                true => Err(refuse(
                    "quiet_from and quiet_until must differ".to_owned(),
                    "To stop the worker altogether, call drop_partition_policy.",
                )),
                false => Ok((from, until)),
            }
        }
        _ => Err(refuse(
            "quiet_from and quiet_until go together".to_owned(),
            "Pass both, as '08:00' and '18:00'; 'none' takes them away.",
        )),
    }
}

fn interval(wish: &Wish, before: Option<&Policy>) -> Result<Option<String>, Error> {
    let given = match wish.maintenance_interval.as_deref() {
        Some(NONE) => return Ok(None),
        Some(given) => given,
        None => return Ok(before.and_then(|policy| policy.maintenance_interval.clone())),
    };
    let is_usable = "SELECT extract(epoch FROM $1::text::interval) BETWEEN 1 AND 604800";
    match db::value(is_usable, &[given.into()])? {
        true => Ok(Some(given.to_owned())),
        false => Err(refuse(
            format!("maintenance_interval must be between 1 second and 7 days, not \"{given}\""),
            "It is an interval, as '1 hour'; 'none' stands for pg_partman_rs.maintenance_interval.",
        )),
    }
}

fn refuse(message: String, hint: &str) -> Error {
    Error::Argument {
        message,
        detail: None,
        hint: Some(hint.to_owned()),
    }
}
