//! Foreign keys of the table that point at itself.
//!
//! Before 18 a partitioned table's key cannot be NOT VALID: it is made on the twin with all its rows, at a
//! moment in which these are the source's rows of one snapshot, and is validated by that.
//!
//! Where what they point at is guarded, they point at the guard, which at that moment holds the keys of these rows.

use super::SelfKey;
use crate::plan::Plan;
use crate::plan::facts::Facts;
use crate::plan::lock::{Lock, Mode};
use crate::plan::names::QualifiedName;
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;

impl SelfKey {
    /// The statement that makes an equal one on another table, to that or to what holds its keys.
    pub fn make(&self, table: &QualifiedName, points_at: &QualifiedName) -> String {
        Sql::template("ALTER TABLE {table} ADD CONSTRAINT {name} {head}{points_at}{rest}")
            .name("table", table)
            .ident("name", &self.name)
            .trusted("head", &self.head)
            .name("points_at", points_at)
            .trusted("rest", &self.rest)
            .build()
    }

    /// Whether it is the same of another table, or of this one at another time.
    pub fn is_like(&self, other: &SelfKey) -> bool {
        (&self.name, &self.head, &self.rest) == (&other.name, &other.head, &other.rest)
    }
}

/// What the worker runs for them, as told in the plan.
pub(super) fn ahead_of_the_swap(facts: &Facts, plan: &Plan) -> Vec<Step> {
    let twin = &plan.twin;
    let keys = facts.dependents.self_keys.iter();
    keys.map(|key| {
        let made = Step::new(Phase::Swapping, key.make(twin, plan.key_target()))
            .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions());
        match &plan.guard {
            None => made.note("compares the new table with itself, which nobody uses; changes go on being captured"),
            Some(guard) => made
                .locks_new(Mode::ShareRowExclusive, &guard.name)
                .note("compares the new table with its guard, which nobody uses; changes go on being captured"),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::dependents::from_first_difference;

    fn key(name: &str) -> SelfKey {
        SelfKey {
            oid: 1,
            name: name.to_owned(),
            head: "FOREIGN KEY (parent) REFERENCES ".to_owned(),
            rest: "(id) ON DELETE CASCADE".to_owned(),
            columns: vec![2],
            referenced: vec![1],
            needs_validation: false,
            acts: true,
            owner_may_reference: true,
            comment: None,
            parts: Vec::new(),
        }
    }

    #[test]
    fn a_key_to_itself_points_at_the_twin_on_the_twin() {
        let twin = QualifiedName::new("public", "T twin");
        assert_eq!(
            key("k").make(&twin, &twin),
            "ALTER TABLE public.\"T twin\" ADD CONSTRAINT k FOREIGN KEY (parent) REFERENCES \
             public.\"T twin\"(id) ON DELETE CASCADE"
        );
        let guard = QualifiedName::new("public", "guard");
        assert_eq!(
            key("k").make(&twin, &guard),
            "ALTER TABLE public.\"T twin\" ADD CONSTRAINT k FOREIGN KEY (parent) REFERENCES \
             public.guard(id) ON DELETE CASCADE"
        );
    }

    #[test]
    fn what_differs_is_made_anew_with_all_behind_it() {
        let wanted = [key("a"), key("b"), key("c")];
        let other = SelfKey {
            rest: "(id)".to_owned(),
            ..key("b")
        };
        let there = [key("a"), other, key("c")];
        assert_eq!(
            from_first_difference(&there, &wanted, SelfKey::is_like),
            (&there[1..], &wanted[1..])
        );
        // What only the source's has (its OID, its comment) is no difference.
        let there = [SelfKey {
            oid: 7,
            comment: Some("c".to_owned()),
            ..key("a")
        }];
        let (dropped, made) = from_first_difference(&there, &wanted, SelfKey::is_like);
        assert_eq!((dropped.len(), made), (0, &wanted[1..]));
    }
}
