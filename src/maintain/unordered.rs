//! Policies of tables that are partitioned by list or by hash: their partitions have no order, so that
//! none is made ahead of another, and none is the oldest.

use super::adopt::{Wish, may_steer};
use super::list;
use super::managed::Table;
use super::timing;
use crate::catalog::history;
use crate::catalog::policy::{self, Action, Policy};
use crate::error::Error;
use crate::pg::partition_key::Strategy;
use pgrx::pg_sys;

/// Makes or changes the policy of such a table, which the caller may act for.
pub fn set(parent: pg_sys::Oid, strategy: Strategy, wish: &Wish) -> Result<Policy, Error> {
    let table = Table::read(parent)?;
    may_steer(table.owner, &table.name.name)?;
    refuse_without_meaning(strategy, wish)?;
    let before = policy::find(parent)?;
    let new_values = (wish.new_values)
        .or(before.as_ref().map(|policy| policy.new_values))
        .unwrap_or(false);
    if strategy == Strategy::List {
        list::check(parent, new_values)?;
    }
    let repair = (wish.repair)
        .or(before.as_ref().map(|policy| policy.repair))
        .unwrap_or(false);
    let timing = timing::checked(wish, before.as_ref())?;
    let policy = Policy {
        parent,
        partition_interval: None,
        premake: 0,
        retention: None,
        retention_partitions: None,
        retention_bytes: None,
        retention_action: Action::Detach,
        time_zone: None,
        partition_offset: None,
        retention_schema: None,
        grace_period: None,
        repair,
        key_codec: None,
        quiet_from: timing.quiet_from,
        quiet_until: timing.quiet_until,
        maintenance_interval: timing.interval,
        default_partition: None,
        new_values,
    };
    policy::set(&policy)?;
    history::forget_comparison(parent)?;
    Ok(policy)
}

/// Refuses arguments that say nothing about such a table, all of them at once.
fn refuse_without_meaning(strategy: Strategy, wish: &Wish) -> Result<(), Error> {
    let about_bounds = [
        ("partition_interval", wish.partition_interval.is_some()),
        ("premake", wish.premake.is_some()),
        ("time_zone", wish.time_zone.is_some()),
        ("partition_offset", wish.partition_offset.is_some()),
        ("key_codec", wish.key_codec.is_some()),
    ];
    let about_age = [
        ("retention", wish.retention.is_some()),
        ("retention_partitions", wish.retention_partitions.is_some()),
        ("retention_size", wish.retention_size.is_some()),
        ("retention_action", wish.retention_action.is_some()),
        ("retention_schema", wish.retention_schema.is_some()),
        ("grace_period", wish.grace_period.is_some()),
    ];
    let about_values = [(
        "new_values",
        wish.new_values == Some(true) && strategy == Strategy::Hash,
    )];
    let about_default = [
        ("default_partition", wish.default_partition.is_some()),
        (
            "default_partition_optional",
            wish.default_partition_optional.is_some(),
        ),
    ];
    let given = |all: &[(&'static str, bool)]| -> Vec<&'static str> {
        let given = all.iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| *name).collect()
    };
    let default = given(&about_default);
    let (bounds, age, values) = (
        given(&about_bounds),
        given(&about_age),
        given(&about_values),
    );
    let names = [bounds.as_slice(), &age, &default, &values].concat();
    if names.is_empty() {
        return Ok(());
    }
    let why = [
        (
            !bounds.is_empty(),
            "Its partitions are no ranges, and none is made ahead of another.",
        ),
        (
            !age.is_empty(),
            "Its partitions have no order: none is older than another, so that there is none to be retired first.",
        ),
        (
            !default.is_empty() && strategy == Strategy::Hash,
            "PostgreSQL has no default partition for hashes.",
        ),
        (
            !default.is_empty() && strategy == Strategy::List,
            "A default partition for lists is made by hand.",
        ),
        (
            !values.is_empty(),
            "Every value has its partition already, by its hash.",
        ),
    ];
    let why: Vec<&str> = (why.iter())
        .filter(|(is_so, _)| *is_so)
        .map(|(_, why)| *why)
        .collect();
    let (last, others) = match names.split_last() {
        Some((last, [])) => (format!("{last} has"), String::new()),
        Some((last, others)) => (format!(" and {last} have"), others.join(", ")),
        None => return Ok(()),
    };
    Err(Error::Argument {
        message: format!(
            "{others}{last} no meaning for a table that is partitioned by {}",
            strategy.name()
        ),
        detail: Some(why.join(" ")),
        hint: Some("Leave it out: null keeps what there is.".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(strategy: Strategy, wish: Wish) -> Option<(String, String)> {
        match refuse_without_meaning(strategy, &wish) {
            Err(Error::Argument {
                message, detail, ..
            }) => Some((message, detail.unwrap_or_default())),
            _ => None,
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused_at_once() {
        assert_eq!(refusal(Strategy::List, Wish::default()), None);
        let wish = Wish {
            premake: Some(1),
            ..Wish::default()
        };
        assert_eq!(
            refusal(Strategy::Hash, wish),
            Some((
                "premake has no meaning for a table that is partitioned by hash".to_owned(),
                "Its partitions are no ranges, and none is made ahead of another.".to_owned()
            ))
        );
        let wish = Wish {
            partition_interval: Some("1 day".to_owned()),
            retention: Some("1 year".to_owned()),
            retention_action: Some("drop".to_owned()),
            new_values: Some(true),
            ..Wish::default()
        };
        let (message, detail) = refusal(Strategy::List, wish).unwrap_or_default();
        assert_eq!(
            message,
            "partition_interval, retention and retention_action have no meaning for a table that is partitioned by list"
        );
        assert!(
            detail.contains("no ranges") && detail.contains("retired first"),
            "{detail}"
        );
        assert!(!detail.contains("hash"), "{detail}");
        let wish = Wish {
            new_values: Some(true),
            ..Wish::default()
        };
        assert!(refusal(Strategy::Hash, wish).is_some());
    }
}
