//! Foreign keys of other tables that point at the table.
//!
//! One that points at the twin is made beside each, NOT VALID and at rest, when the twin's unique indexes
//! are valid, which such a key rests on. The swap puts the old one to rest, and lets the new one act. It
//! gets the old one's name, and is validated, afterwards.

use super::IncomingKey;
use super::foreign_keys::MADE_IN_THE_SWAP;
use crate::plan::Plan;
use crate::plan::blockers::Blocker;
use crate::plan::facts::Facts;
use crate::plan::lock::{Lock, Mode};
use crate::plan::names::{QualifiedName, quote_ident};
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;

/// What the names begin with that the new keys have until they get those of the old ones.
pub const NAME_PREFIX: &str = "partman_rs_key_";

impl IncomingKey {
    /// The table that it belongs to.
    pub fn table(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.relation_name)
    }

    /// The name of its successor, until that one gets its own: it tells whose successor it is.
    pub fn name_until_settled(&self) -> String {
        format!("{NAME_PREFIX}{}", self.oid)
    }

    /// The statement that makes its successor.
    pub fn make(&self, table: &QualifiedName, twin: &QualifiedName) -> String {
        self.make_as(&self.name_until_settled(), table, twin, true)
    }

    /// The statement that makes its successor, which is valid where it is itself.
    pub fn make_as_valid(&self, table: &QualifiedName, twin: &QualifiedName) -> String {
        self.make_as(&self.name_until_settled(), table, twin, !self.is_valid)
    }

    /// NOT ENFORCED, which there is since 18, is never valid.
    fn make_as(
        &self,
        name: &str,
        table: &QualifiedName,
        points_at: &QualifiedName,
        is_not_valid: bool,
    ) -> String {
        let not_valid = match is_not_valid && !self.rest.ends_with("NOT ENFORCED") {
            true => " NOT VALID",
            false => "",
        };
        Sql::template(
            "ALTER TABLE {table} ADD CONSTRAINT {name} {head}{points_at}{rest}{not_valid}",
        )
        .name("table", table)
        .ident("name", name)
        .trusted("head", &self.head)
        .name("points_at", points_at)
        .trusted("rest", &self.rest)
        .trusted("not_valid", not_valid)
        .build()
    }
}

/// Whether the keys are made in the swap, and the old ones dropped; else before it, and afterwards. One of a
/// partitioned table could not rest: a partition that comes there gets triggers that fire. All of them or none: the
/// order in which they act is that in which they are made.
pub fn successors_made_in_the_swap(keys: &[IncomingKey]) -> bool {
    keys.iter().any(|key| key.is_of_partitioned)
}

/// A key that was made for the twin.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub oid: u32,
    pub relation: u32,
    pub name: String,
    /// Columns, MATCH, actions and deferrability, as in [`IncomingKey`].
    pub rest: String,
}

impl Made {
    /// Whether it is the successor of that key, as that is now.
    pub fn is_for(&self, key: &IncomingKey) -> bool {
        self.relation == key.relation
            && self.name == key.name_until_settled()
            && self.rest == key.rest
    }
}

/// What the worker itself runs for them, as told in the plan: ahead of the swap, and when all is done.
pub(super) fn ahead_of_the_swap(facts: &Facts, plan: &Plan) -> Vec<Step> {
    let keys = &facts.dependents.incoming_keys;
    if successors_made_in_the_swap(keys) {
        return Vec::new();
    }
    let (target, on_target) = on_target(plan);
    let keys = keys.iter();
    keys.map(|key| {
        let table = key.table();
        Step::new(Phase::Swapping, key.make(&table, target))
            .locks(Mode::ShareRowExclusive, &table)
            .lock(on_target.clone())
            .run_as(key.owner)
            .note("reads no row; rests until the swap")
    })
    .collect()
}

/// What they point at, and how that is locked when they are made.
fn on_target(plan: &Plan) -> (&QualifiedName, Lock) {
    let target = plan.key_target();
    let lock = Lock::on_new(Mode::ShareRowExclusive, target);
    match plan.guard {
        Some(_) => (target, lock),
        None => (target, lock.with_partitions()),
    }
}

/// What it runs in the swap, if that is left to it: first of all, and after the renaming.
pub(super) fn in_the_swap(facts: &Facts, plan: &Plan) -> (Vec<Step>, Vec<Step>) {
    let keys = &facts.dependents.incoming_keys;
    if !successors_made_in_the_swap(keys) {
        return (Vec::new(), Vec::new());
    }
    let (target, on_target) = on_target(plan);
    let lock = |key: &IncomingKey| {
        let lock = Lock::on(Mode::ShareRowExclusive, &key.table());
        match key.is_of_partitioned {
            true => lock.with_partitions(),
            false => lock,
        }
    };
    let make = keys.iter().map(|key| {
        Step::new(Phase::Swapping, key.make_as_valid(&key.table(), target))
            .lock(lock(key))
            .lock(on_target.clone())
            .run_as(key.owner)
            .note(MADE_IN_THE_SWAP)
    });
    let replace = keys.iter().map(|key| {
        let told = format!(
            "-- on {}, foreign key {} takes the place, and the name, of {}",
            key.table(),
            quote_ident(&key.name_until_settled()),
            quote_ident(&key.name)
        );
        Step::new(Phase::Swapping, told).lock(lock(key))
    });
    (make.collect(), replace.collect())
}

/// See [`ahead_of_the_swap`].
pub(super) fn after_the_swap(facts: &Facts, plan: &Plan) -> Vec<Step> {
    let retired = &plan.retired;
    let pointed_at = match &plan.guard {
        Some(guard) => Lock::on(Mode::RowShare, &guard.name),
        None => Lock::on(Mode::RowShare, &facts.qualified_name()).with_partitions(),
    };
    let keys = &facts.dependents.incoming_keys;
    if successors_made_in_the_swap(keys) {
        return Vec::new();
    }
    let on = |key: &IncomingKey, template: &'static str| {
        let statement = Sql::template(template)
            .name("table", &key.table())
            .ident("name", &key.name)
            .trusted("new", &quote_ident(&key.name_until_settled()));
        Step::new(Phase::Reversible, statement.build()).run_as(key.owner)
    };
    let settle = keys.iter().flat_map(|key| {
        let table = key.table();
        [
            on(key, "ALTER TABLE {table} DROP CONSTRAINT {name}")
                .locks(Mode::AccessExclusive, &table)
                .locks(Mode::AccessExclusive, retired),
            on(key, "ALTER TABLE {table} RENAME CONSTRAINT {new} TO {name}")
                .locks(Mode::AccessExclusive, &table),
        ]
    });
    let validate = keys.iter().filter(|key| key.is_valid).map(|key| {
        on(key, "ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
            .locks(Mode::ShareUpdateExclusive, &key.table())
            .lock(pointed_at.clone())
    });
    settle.chain(validate).collect()
}

/// Keys that point at what is not unique any more when the partition column belongs to it.
pub fn refused_by_key(facts: &Facts, attnum: i16) -> Vec<Blocker> {
    let column = |attnum: i16| {
        let column = facts.column_at(attnum);
        column.map_or_else(String::new, |column| quote_ident(&column.name))
    };
    let incoming = facts.dependents.incoming_keys.iter();
    let own = facts.dependents.self_keys.iter();
    let table = facts.qualified_name();
    own.map(|key| (&key.name, table.clone(), &key.referenced))
        .chain(incoming.map(|key| (&key.name, key.table(), &key.referenced)))
        .filter(|(_, _, referenced)| !referenced.contains(&attnum))
        .map(|(name, table, referenced)| {
            let columns: Vec<String> = referenced.iter().copied().map(column).collect();
            Blocker::fact(format!(
                "Foreign key \"{name}\" of table {table} points at ({}), which would be unique only together with partition column {}.",
                columns.join(", "),
                column(attnum)
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::dependents::from_first_difference;
    use proptest::prelude::*;

    fn key(oid: u32) -> IncomingKey {
        IncomingKey {
            oid,
            name: format!("k{oid}"),
            relation: 1,
            schema: "public".to_owned(),
            relation_name: "items".to_owned(),
            owner: 10,
            owner_name: "o".to_owned(),
            is_of_partitioned: false,
            head: "FOREIGN KEY (a) REFERENCES ".to_owned(),
            rest: "(id) ON DELETE CASCADE".to_owned(),
            referenced: vec![1],
            is_valid: true,
            acts: true,
            owner_may_reference: true,
            comment: None,
            parts: Vec::new(),
        }
    }

    fn made(of: &IncomingKey) -> Made {
        Made {
            oid: 1000 + of.oid,
            relation: of.relation,
            name: of.name_until_settled(),
            rest: of.rest.clone(),
        }
    }

    #[test]
    fn a_key_is_made_not_valid_and_for_the_twin() {
        let twin = QualifiedName::new("public", "T twin");
        assert_eq!(
            key(7).make(&key(7).table(), &twin),
            "ALTER TABLE public.items ADD CONSTRAINT partman_rs_key_7 FOREIGN KEY (a) REFERENCES \
             public.\"T twin\"(id) ON DELETE CASCADE NOT VALID"
        );
        let not_enforced = IncomingKey {
            rest: "(id) NOT ENFORCED".to_owned(),
            ..key(7)
        };
        let statement = not_enforced.make(&key(7).table(), &twin);
        assert!(statement.ends_with("(id) NOT ENFORCED"));
    }

    #[test]
    fn one_that_is_made_in_the_swap_is_as_valid_as_it_was() {
        let twin = QualifiedName::new("public", "t_twin");
        let make = |key: &IncomingKey| key.make_as_valid(&key.table(), &twin);
        assert!(make(&key(7)).ends_with("ON DELETE CASCADE"));
        let not_valid = IncomingKey {
            is_valid: false,
            ..key(7)
        };
        assert!(make(&not_valid).ends_with("ON DELETE CASCADE NOT VALID"));
    }

    #[test]
    fn where_one_is_of_a_partitioned_table_none_rests() {
        let of_partitioned = IncomingKey {
            is_of_partitioned: true,
            ..key(8)
        };
        assert!(!successors_made_in_the_swap(&[key(7)]));
        assert!(successors_made_in_the_swap(&[key(7), of_partitioned]));
    }

    #[test]
    fn what_has_become_another_is_made_anew() {
        let wanted = [key(1), key(2)];
        let mut there = [made(&key(1)), made(&key(2))];
        assert_eq!(
            from_first_difference(&there, &wanted, Made::is_for),
            (&[][..], &[][..])
        );
        there[0].rest.push_str(" DEFERRABLE");
        assert_eq!(
            from_first_difference(&there, &wanted, Made::is_for),
            (&there[..], &wanted[..])
        );
    }

    proptest! {
        #[test]
        fn the_result_is_what_is_wanted_in_its_order(
            there in Just((1_u32..7).collect::<Vec<_>>()).prop_shuffle(),
            wanted in Just((1_u32..7).collect::<Vec<_>>()).prop_shuffle(),
            (has, wants) in (0_usize..7, 0_usize..7),
        ) {
            let there: Vec<Made> = there[..has.min(6)].iter().map(|oid| made(&key(*oid))).collect();
            let wanted: Vec<IncomingKey> = wanted[..wants.min(6)].iter().map(|oid| key(*oid)).collect();
            let (dropped, to_make) = from_first_difference(&there, &wanted, Made::is_for);
            let left = there.iter().filter(|one| !dropped.contains(one)).cloned();
            let result: Vec<Made> = left.chain(to_make.iter().map(made)).collect();
            prop_assert_eq!(result, wanted.iter().map(made).collect::<Vec<_>>());
        }
    }
}
