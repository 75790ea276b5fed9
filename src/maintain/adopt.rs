//! Policies: made for a table that is there, and changed.

use super::leaving::{self as keys, Returned};
use super::{disposal, infer, managed, read, timing, unordered};
use crate::catalog::policy::{self, Action, Policy};
use crate::catalog::{history, leaving, table};
use crate::db;
use crate::error::Error;
use crate::pg::partition_key::Strategy;
use crate::pg::role;
use crate::plan::interval::{KeyType, PartitionOffset};
use crate::plan::{Partition, Plan};
use crate::request::{self, SessionZone};
use pgrx::pg_sys;

/// What the caller wants of a policy; what is left out stays as it is, or is read from the table.
#[derive(Default)]
pub struct Wish {
    pub partition_interval: Option<String>,
    pub premake: Option<i32>,
    pub retention: Option<String>,
    pub retention_partitions: Option<i32>,
    pub retention_size: Option<String>,
    pub retention_action: Option<String>,
    pub time_zone: Option<String>,
    pub partition_offset: Option<String>,
    pub retention_schema: Option<String>,
    pub grace_period: Option<String>,
    pub repair: Option<bool>,
    pub key_codec: Option<String>,
    pub quiet_from: Option<String>,
    pub quiet_until: Option<String>,
    pub maintenance_interval: Option<String>,
    pub default_partition: Option<bool>,
    pub new_values: Option<bool>,
    /// Takes back what was said of a default partition.
    pub default_partition_optional: Option<bool>,
}

/// Takes a limit away.
const NONE: &str = "none";

/// Makes or changes the policy of a table that the caller may act for.
pub fn set(parent: pg_sys::Oid, wish: Wish) -> Result<Policy, Error> {
    match managed::strategy(parent)? {
        Strategy::Range => {}
        strategy => return unordered::set(parent, strategy, &wish),
    }
    let before = policy::find(parent)?;
    let key_codec = match wish.key_codec.as_deref() {
        Some(NONE) => None,
        Some(given) => Some(given.to_owned()),
        None => before.as_ref().and_then(|policy| policy.key_codec.clone()),
    };
    let subject = read::subject(parent, key_codec.as_deref(), false)?;
    may_steer(subject.owner, &subject.name.name)?;
    let key = subject.set.key;
    // Where keys are read in another way, nothing that was said about them holds.
    let before = before.filter(|policy| policy.key_codec == key_codec);
    let refuse = |message: String, hint: &str| Error::Argument {
        message,
        detail: None,
        hint: Some(hint.to_owned()),
    };
    if wish.new_values == Some(true) {
        return Err(refuse(
            "new_values has no meaning for a table that is partitioned by range".to_owned(),
            "Ranges are made ahead of the present, and of the data: see premake.",
        ));
    }
    let time_zone = match (&wish.time_zone, key) {
        (Some(zone), key) if key.is_time() => {
            db::value::<bool>(
                "SELECT now() AT TIME ZONE $1 IS NOT NULL",
                &[zone.as_str().into()],
            )?;
            Some(zone.clone())
        }
        (Some(_), _) => return Err(request::zone_without_meaning(key)),
        // Of date and timestamp no bound depends on it, but what "now" is does: the worker and all
        // sessions are to agree about that.
        (None, key) if key.is_time() => Some(
            match before.as_ref().and_then(|policy| policy.time_zone.clone()) {
                Some(zone) => zone,
                None => db::value("SELECT current_setting('TimeZone')", &[])?,
            },
        ),
        (None, _) => None,
    };
    let interval = wish
        .partition_interval
        .as_deref()
        .map(|given| request::interval(given, key))
        .transpose()?;
    let kept = before.as_ref().and_then(|before| {
        let interval = before.partition_interval.as_deref()?;
        Some((interval, before.partition_offset.clone()))
    });
    let (interval, offset) = match (&wish.partition_interval, interval, kept) {
        (None, _, Some((kept, offset))) => (kept.to_owned(), offset),
        // The same interval keeps its offset; another one begins anew.
        (Some(given), Some(interval), Some((kept, offset))) => {
            let is_same = interval == request::interval(kept, key)?;
            (given.clone(), offset.filter(|_| is_same))
        }
        (given, interval, _) => {
            let zone = SessionZone::named(time_zone.as_deref())?;
            let found =
                infer::lattice(&subject.set, &zone).map_err(|error| Error::Internal(error.0))?;
            let offset = found
                .filter(|found| interval.is_none_or(|interval| interval == found.interval))
                .map(|found| found.offset)
                .filter(|offset| *offset != PartitionOffset::None)
                .map(|offset| offset.to_string());
            let interval = match (given, found) {
                (Some(given), _) => given.clone(),
                (None, Some(found)) => found.interval.to_string(),
                (None, None) => {
                    return Err(refuse(
                        format!(
                            "cannot tell the partition interval of table \"{}\"",
                            subject.name.name
                        ),
                        "Pass partition_interval: its partitions have no width in common that one is made with.",
                    ));
                }
            };
            (interval, offset)
        }
    };
    let offset = match wish.partition_offset.as_deref() {
        None => offset,
        Some(NONE) => None,
        Some(given) => Some(given.to_owned()),
    };
    let lattice = request::lattice(&interval, offset.as_deref(), key)?;
    let partition_offset = offset.filter(|_| lattice.offset != PartitionOffset::None);
    let premake = wish
        .premake
        .or(before.as_ref().map(|policy| policy.premake))
        .unwrap_or(request::PREMAKE as i32);
    if !(0..=100_000).contains(&premake) {
        return Err(refuse(
            format!("premake must be between 0 and 100000, not {premake}"),
            "It is the number of partitions to make ahead of now.",
        ));
    }
    let retention = match wish.retention.as_deref() {
        Some(NONE) => None,
        Some(given) => Some(checked_retention(given, key)?),
        None => before.as_ref().and_then(|policy| policy.retention.clone()),
    };
    let retention_partitions = wish.retention_partitions.or(before
        .as_ref()
        .and_then(|policy| policy.retention_partitions));
    if retention_partitions.is_some_and(|most| most < 0) {
        return Err(refuse(
            "retention_partitions must not be negative".to_owned(),
            "It is the number of partitions to keep. Zero takes the limit away.",
        ));
    }
    let retention_bytes = match wish.retention_size.as_deref() {
        Some(NONE) => None,
        Some(given) => Some(db::value("SELECT pg_size_bytes($1)", &[given.into()])?),
        None => before.as_ref().and_then(|policy| policy.retention_bytes),
    };
    if retention_bytes.is_some_and(|bytes| bytes <= 0) {
        return Err(refuse(
            "retention_size must be positive".to_owned(),
            "It is a size as '100 GB', or 'none'.",
        ));
    }
    let repair = (wish.repair)
        .or(before.as_ref().map(|policy| policy.repair))
        .unwrap_or(false);
    let retention_action = match &wish.retention_action {
        Some(given) => Action::from_name(given).ok_or_else(|| {
            refuse(
                format!("unknown retention action \"{given}\""),
                "It is \"drop\", \"detach\", \"move\" or \"recycle\".",
            )
        })?,
        None => before
            .as_ref()
            .map_or(Action::Detach, |policy| policy.retention_action),
    };
    let default_partition = match (wish.default_partition, wish.default_partition_optional) {
        (Some(_), Some(true)) => {
            return Err(refuse(
                "default_partition and default_partition_optional contradict each other".to_owned(),
                "Pass one of them: the other one takes it back.",
            ));
        }
        (None, Some(true)) => None,
        (given, _) => given.or(before.as_ref().and_then(|policy| policy.default_partition)),
    };
    let timing = timing::checked(&wish, before.as_ref())?;
    let (retention_schema, grace_period) =
        disposal::checked(&wish, before.as_ref(), retention_action, subject.owner)?;
    let policy = Policy {
        parent,
        partition_interval: Some(interval),
        premake,
        retention,
        retention_partitions: retention_partitions.filter(|most| *most > 0),
        retention_bytes,
        retention_action,
        time_zone,
        partition_offset,
        retention_schema,
        grace_period,
        repair,
        key_codec,
        quiet_from: timing.quiet_from,
        quiet_until: timing.quiet_until,
        maintenance_interval: timing.interval,
        default_partition,
        new_values: false,
    };
    policy::set(&policy)?;
    history::forget_comparison(parent)?;
    Ok(policy)
}

/// Gives the result of a conversion its policy: partitions go on as they were begun, nothing is ever
/// retired. One that somebody has given it already stays.
pub fn converted(parent: pg_sys::Oid, plan: &Plan) -> Result<(), Error> {
    policy::set_if_none(&Policy {
        parent,
        partition_interval: plan.interval.map(|interval| interval.to_string()),
        premake: i32::try_from(plan.premake).unwrap_or(i32::MAX),
        retention: None,
        retention_partitions: None,
        retention_bytes: None,
        retention_action: Action::Detach,
        time_zone: plan.time_zone.clone(),
        partition_offset: None,
        retention_schema: None,
        grace_period: None,
        repair: false,
        key_codec: None,
        quiet_from: None,
        quiet_until: None,
        maintenance_interval: None,
        // As the caller wanted it.
        default_partition: Some(plan.partitions.iter().any(Partition::is_default)),
        new_values: false,
    })
}

/// An interval, or a number of integers, that is positive.
fn checked_retention(given: &str, key: KeyType) -> Result<String, Error> {
    let sql = match key.is_time() {
        true => {
            "SELECT $1::text::interval > interval '0' AND isfinite($1::text::interval) AND justify_interval($1::text::interval) < interval '10000 years'"
        }
        false => "SELECT $1 ~ '^[0-9]{1,18}$' AND $1 <> '0'",
    };
    match db::value::<bool>(sql, &[given.into()])? {
        true => Ok(given.to_owned()),
        false => Err(Error::Argument {
            message: format!("invalid retention \"{given}\""),
            detail: None,
            hint: Some(match key.is_time() {
                true => "It is a positive interval, as '90 days', or 'none'.".to_owned(),
                false => format!(
                    "For a column of type {} it is how many keys below the newest one are kept, digits only, or 'none'.",
                    key.sql_name()
                ),
            }),
        }),
    }
}

/// Forgets the policy of a table; its partitions stay as they are, and get keys back that were taken so that they
/// could be retired.
pub fn forget(parent: pg_sys::Oid) -> Result<(), Error> {
    let (name, owner) = named(parent)?;
    may_steer(owner, &name)?;
    if !leaving::of(parent)?.is_empty() {
        // Who is just maintaining it may take more: he ends first.
        policy::lock(parent)?.alone();
        give_back(parent)?;
    }
    match policy::remove(parent)? {
        true => Ok(()),
        false => Err(Error::NoPolicy { relation: name }),
    }
}

fn give_back(parent: pg_sys::Oid) -> Result<(), Error> {
    let key_codec = policy::find(parent)?.and_then(|policy| policy.key_codec);
    let subject = read::subject(parent, key_codec.as_deref(), false)?;
    for leaving in leaving::of(parent)? {
        if let Returned::ButFor(example) = keys::give_back(&subject, leaving.partition)? {
            let partition = table::name(leaving.partition)?.unwrap_or_default();
            return Err(Error::KeyTaken {
                partition,
                detail: example,
            });
        }
    }
    Ok(())
}

/// The policies that a run is about: of one table and those below it, or of all that the caller may
/// act for.
pub fn chosen(parent: Option<pg_sys::Oid>) -> Result<Vec<Policy>, Error> {
    let Some(parent) = parent else {
        return policy::of_role(role::current());
    };
    let (name, owner) = named(parent)?;
    may_steer(owner, &name)?;
    let mut chosen: Vec<Policy> = policy::find(parent)?.into_iter().collect();
    chosen.extend(policy::below(parent, role::current())?);
    match chosen.is_empty() {
        false => Ok(chosen),
        true => Err(Error::NoPolicy { relation: name }),
    }
}

/// Keeps a partition, whatever its age, or no longer.
pub fn pin(partition: pg_sys::Oid, reason: Option<&str>, is_pinned: bool) -> Result<(), Error> {
    let (name, owner) = named(partition)?;
    may_steer(owner, &name)?;
    let is_partition: bool = db::value(
        "SELECT relispartition FROM pg_class WHERE oid = $1",
        &[partition.into()],
    )?;
    match (is_pinned, is_partition) {
        (true, true) => policy::pin(partition, reason, role::current()),
        (true, false) => Err(Error::NotManaged {
            relation: name,
            detail: "It is not a partition.".to_owned(),
        }),
        (false, _) => policy::unpin(partition).map(drop),
    }
}

/// The name and the owner of a relation that must be there.
pub fn named(relation: pg_sys::Oid) -> Result<(String, pg_sys::Oid), Error> {
    table::name_and_owner(relation)?.ok_or_else(|| Error::NoRelation {
        oid: relation.to_u32(),
    })
}

/// Fails where the caller may not act as the owner of a table.
pub fn may_steer(owner: pg_sys::Oid, relation: &str) -> Result<(), Error> {
    match table::may_act_as(role::current(), owner)? {
        true => Ok(()),
        false => Err(Error::NotOwner {
            relation: relation.to_owned(),
            owner: table::role_name(owner)?,
        }),
    }
}
