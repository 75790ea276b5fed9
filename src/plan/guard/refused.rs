//! What stands in the way of a guard.

use super::{FIRST_OWN_OBJECT, TRIGGER, guarded};
use crate::plan::blockers::Blocker;
use crate::plan::dependents::{self, Trigger};
use crate::plan::facts::{Column, Facts, Index};
use crate::plan::names::{QualifiedName, quote_ident};

/// Whether a guard is what a foreign key needs that cannot be carried otherwise.
pub fn helps(facts: &Facts, key: &Column) -> bool {
    guarded(facts, key).is_some() && refused(facts, key).is_empty()
}

/// What stands in the way of a conversion, if there is a guard.
pub fn instead(mut found: Vec<Blocker>, facts: &Facts, key: &Column) -> Vec<Blocker> {
    let lost = dependents::refused_by_key(facts, key.attnum);
    found.retain(|blocker| !lost.contains(blocker));
    found.extend(refused(facts, key));
    found
}

/// What stands in the way of a guard, and of foreign keys beside it.
pub fn refused(facts: &Facts, key: &Column) -> Vec<Blocker> {
    let Some(index) = guarded(facts, key) else {
        return vec![Blocker::with_hint(
            match facts.identity() {
                Some(index) => format!(
                    "Key \"{}\" contains the partition column, and needs no unique_guard.",
                    index.name
                ),
                None => "There is no primary key, or other unique index over columns that are NOT NULL, for unique_guard to guard.".to_owned(),
            },
            "Leave unique_guard out.",
        )];
    };
    let mut found = of_index(facts, index);
    found.extend(of_state(facts, key));
    found.extend(meanwhile(facts, &index.key_attnums));
    found
}

/// What of that can come while the table is converted, and the columns of these numbers are guarded.
pub fn meanwhile(facts: &Facts, guarded: &[i16]) -> Vec<Blocker> {
    let mut found = of_keys(facts, guarded);
    found.extend(of_triggers(facts));
    found
}

fn of_triggers(facts: &Facts) -> Vec<Blocker> {
    let triggers = facts.dependents.triggers.iter();
    triggers
        .filter(|trigger| is_before_ours(trigger))
        .map(|trigger| {
            Blocker::with_hint(
                format!(
                    "Trigger \"{}\" would fire before that of the guard, when the key of a new row is not there yet.",
                    trigger.name
                ),
                "ALTER TRIGGER … RENAME TO ….",
            )
        })
        .collect()
}

fn is_before_ours(trigger: &Trigger) -> bool {
    let is_after_insert = trigger.for_each_row
        && trigger.event.starts_with("AFTER")
        && trigger.event.contains("INSERT");
    trigger.name == TRIGGER || (is_after_insert && trigger.name.as_str() < TRIGGER)
}

fn of_index(facts: &Facts, index: &Index) -> Vec<Blocker> {
    let mut found = Vec::new();
    let is_deferrable = index
        .constraint
        .as_ref()
        .is_some_and(|constraint| constraint.deferrable);
    if is_deferrable || !index.immediate {
        found.push(Blocker::with_hint(
            format!(
                "Key \"{}\" is deferrable, which a guard is not.",
                index.name
            ),
            "Make it again without DEFERRABLE.",
        ));
    }
    let columns = index.key_attnums.iter().zip(&index.columns);
    for (attnum, written) in columns {
        let Some(column) = facts.column_at(*attnum) else {
            continue;
        };
        if *written != quote_ident(&column.name) {
            found.push(Blocker::fact(format!(
                "Index \"{}\" has a collation, operator class or order of its own, which a guard has not.",
                index.name
            )));
        }
        if column.type_oid >= FIRST_OWN_OBJECT {
            found.push(Blocker::fact(format!(
                "Column \"{}\" of key \"{}\" is of type {}, which does not come with PostgreSQL; a guard cannot compare it.",
                column.name, index.name, column.type_name
            )));
        }
    }
    found
}

fn of_state(facts: &Facts, key: &Column) -> Vec<Blocker> {
    let mut found = Vec::new();
    let mut refuse = |is_so: bool, fact: String, hint: &str| {
        if is_so {
            found.push(Blocker::with_hint(fact, hint));
        }
    };
    refuse(
        !key.not_null,
        format!(
            "Column \"{}\" may be null; a guard could not tell where such a row lies.",
            key.name
        ),
        "ALTER TABLE … ALTER COLUMN … SET NOT NULL.",
    );
    refuse(
        facts.force_row_security,
        "It forces row-level security upon its owner, as whom a guard looks for rows.".to_owned(),
        "ALTER TABLE … NO FORCE ROW LEVEL SECURITY.",
    );
    let dependents = &facts.dependents;
    for subscription in &dependents.subscriptions {
        refuse(
            true,
            format!(
                "Subscription \"{}\" writes to it without firing the triggers that a guard needs.",
                subscription.name
            ),
            "ALTER PUBLICATION … DROP TABLE at its publisher, then ALTER SUBSCRIPTION … REFRESH PUBLICATION.",
        );
    }
    let whole = dependents.publications.iter();
    for publication in whole.filter(|publication| !publication.names_table()) {
        refuse(
            true,
            format!(
                "Publication \"{}\" is of all tables, or of all of its schema: the guard would be in it, too, and its subscribers do not have that.",
                publication.name
            ),
            "Publish tables by name.",
        );
    }
    found
}

fn of_keys(facts: &Facts, guarded: &[i16]) -> Vec<Blocker> {
    let dependents = &facts.dependents;
    let elsewhere = |name: &str, table: &QualifiedName| {
        Blocker::fact(format!(
            "Foreign key \"{name}\" of table {table} points at other columns than those that are guarded."
        ))
    };
    let own = dependents.self_keys.iter();
    let own = own.filter_map(|key| {
        if !is_of(&key.referenced, guarded) {
            return Some(elsewhere(&key.name, &facts.qualified_name()));
        }
        facts.is_unlogged().then(|| {
            Blocker::with_hint(
                format!(
                    "Foreign key \"{}\" points from the table to itself: a partitioned table, which is not unlogged, cannot point at a guard that is.",
                    key.name
                ),
                "ALTER TABLE … SET LOGGED.",
            )
        })
    });
    let others = dependents.incoming_keys.iter().filter_map(|key| {
        let (name, table) = (&key.name, key.table());
        if !is_of(&key.referenced, guarded) {
            return Some(elsewhere(name, &table));
        }
        (key.owner != facts.owner).then(|| {
            Blocker::with_hint(
                format!(
                    "Foreign key \"{name}\" is of table {table}, whose owner \"{}\" is not that of the guard.",
                    key.owner_name
                ),
                "ALTER TABLE … OWNER TO ….",
            )
        })
    });
    own.chain(others).collect()
}

fn is_of(referenced: &[i16], guarded: &[i16]) -> bool {
    referenced.len() == guarded.len() && guarded.iter().all(|attnum| referenced.contains(attnum))
}
