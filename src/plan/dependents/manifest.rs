//! The manifest: a table's whole surroundings, item by item, and what becomes of each.

use crate::plan::blockers;
use crate::plan::dependents::{made_in_the_swap, successors_made_in_the_swap};
use crate::plan::facts::{Column, Facts};
use crate::plan::guard;
use crate::plan::labels::Labelled;
use crate::plan::names::{QualifiedName, quote_ident};

/// What becomes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays what it is, and is bound to the partitioned table.
    Kept,
    /// An equal one is made on the partitioned table.
    Rebuilt,
    /// One is made that differs, in what the reason says.
    Changed,
    /// It is in the way of a conversion.
    Refused,
}

impl Fate {
    /// As `conversion_manifest` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Kept => "kept",
            Fate::Rebuilt => "rebuilt",
            Fate::Changed => "changed",
            Fate::Refused => "refused",
        }
    }
}

/// One line of the manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What kind of thing it is, in PostgreSQL's words.
    pub kind: String,
    pub object: String,
    pub fate: Fate,
    pub reason: Option<String>,
}

/// The manifest of a table that is to be partitioned by `key`; without one, what cannot be said
/// without it is left out. `unique_guard`: whether its key is to be guarded.
pub fn manifest(facts: &Facts, key: Option<&Column>, unique_guard: bool) -> Vec<Item> {
    let guarded = key.filter(|_| unique_guard);
    let mut items = Items::default();
    own_parts(facts, key, guarded.is_some(), &mut items);
    state(facts, &mut items);
    items.0.extend(hanging_on(facts, guarded.is_some()));
    items.add_refused(facts, key, guarded.is_some());
    items.0
}

#[derive(Default)]
struct Items(Vec<Item>);

impl Items {
    fn add(&mut self, kind: &str, object: impl ToString, fate: Fate, reason: Option<String>) {
        self.0.push(Item {
            kind: kind.to_owned(),
            object: object.to_string(),
            fate,
            reason,
        });
    }

    fn rebuilt<'a>(&mut self, kind: &str, names: impl Iterator<Item = &'a String>) {
        for name in names {
            self.add(kind, name, Fate::Rebuilt, None);
        }
    }

    fn kept(&mut self, kind: &str, names: impl Iterator<Item = String>, reason: &str) {
        for name in names {
            self.add(kind, name, Fate::Kept, Some(reason.to_owned()));
        }
    }

    fn add_refused(&mut self, facts: &Facts, key: Option<&Column>, is_guarded: bool) {
        for extra in &facts.extras {
            let reason = super::refused_extra(extra).fact;
            self.add(&extra.kind, &extra.description, Fate::Refused, Some(reason));
        }
        let unnamed = Facts {
            extras: Vec::new(),
            ..facts.clone()
        };
        let blockers = match key {
            Some(key) if is_guarded => {
                guard::instead(blockers::find(&unnamed, key, true), &unnamed, key)
            }
            Some(key) => blockers::find(&unnamed, key, true),
            None => blockers::of_table(&unnamed),
        };
        for blocker in blockers {
            self.add(
                "table",
                facts.qualified_name(),
                Fate::Refused,
                Some(blocker.fact),
            );
        }
    }
}

/// What the table itself is made of.
fn own_parts(facts: &Facts, key: Option<&Column>, is_guarded: bool, items: &mut Items) {
    items.add(
        "table",
        facts.qualified_name(),
        Fate::Changed,
        Some("a partitioned table takes its name, owner, privileges and settings".to_owned()),
    );
    if facts.is_unlogged() {
        items.add(
            "persistence",
            facts.qualified_name(),
            Fate::Changed,
            Some("the partitions are unlogged; what holds no rows, the partitioned table and sequences of identity columns, is not".to_owned()),
        );
    }
    items.rebuilt("column", facts.columns.iter().map(|column| &column.name));
    for column in &facts.columns {
        for sequence in &column.sequences {
            let name = sequence.qualified_name().to_string();
            match sequence.is_identity {
                true => items.add(
                    "sequence",
                    name,
                    Fate::Rebuilt,
                    Some("of an identity column: an equal one goes on where it stands".to_owned()),
                ),
                false => items.kept(
                    "sequence",
                    std::iter::once(name),
                    "the partitioned table owns it from then on",
                ),
            }
        }
    }
    items.rebuilt(
        "check constraint",
        facts.checks.iter().map(|check| &check.name),
    );
    items.rebuilt(
        "not-null constraint",
        facts.not_nulls.iter().map(|not_null| &not_null.name),
    );
    for index in &facts.indexes {
        let kind = match &index.constraint {
            Some(constraint) if constraint.kind == "p" => "primary key",
            Some(constraint) if constraint.kind == "u" => "unique constraint",
            Some(_) => "exclusion constraint",
            None => "index",
        };
        match key.filter(|key| index.is_unique && blockers::lacks(index, key.attnum)) {
            Some(key) => items.add(
                kind,
                &index.name,
                Fate::Changed,
                Some(match is_guarded && facts.identity() == Some(index) {
                    true => format!(
                        "extended by column \"{}\"; a table of all keys beside it keeps it unique without it",
                        key.name
                    ),
                    false => format!(
                        "extended by column \"{}\": unique together with it",
                        key.name
                    ),
                }),
            ),
            None if index.is_clustered => items.add(
                kind,
                &index.name,
                Fate::Changed,
                Some("the partitions are marked to be clustered on it, each on its own".to_owned()),
            ),
            None => items.add(kind, &index.name, Fate::Rebuilt, None),
        }
    }
}

/// Settings of the whole table.
fn state(facts: &Facts, items: &mut Items) {
    if let Some(of_type) = &facts.of_type {
        items.add(
            "type that it follows",
            of_type,
            Fate::Changed,
            Some("the partitioned table follows it; its partitions follow the table, and change when the type does".to_owned()),
        );
    }
    if facts.row_security {
        items.add(
            "row-level security",
            &facts.name,
            Fate::Rebuilt,
            Some("enabled on the partitions, too, which have no policy of their own".to_owned()),
        );
    }
    if facts.replica_identity != "d" {
        items.add(
            "replica identity",
            &facts.name,
            Fate::Rebuilt,
            Some("of the partitions, too".to_owned()),
        );
    }
}

/// What hangs on the table.
pub fn hanging_on(facts: &Facts, is_guarded: bool) -> Vec<Item> {
    let dependents = &facts.dependents;
    let mut items = Items::default();
    items.rebuilt("trigger", dependents.triggers.iter().map(|one| &one.name));
    items.rebuilt("policy", dependents.policies.iter().map(|one| &one.name));
    items.rebuilt("rule", dependents.rules.iter().map(|one| &one.name));
    items.rebuilt(
        "statistics object",
        dependents.statistics.iter().map(|one| &one.name),
    );
    for key in &dependents.foreign_keys {
        items.add(
            "foreign key",
            &key.name,
            Fate::Rebuilt,
            Some(match made_in_the_swap(&dependents.foreign_keys) {
                false => "on the empty table; acts from the swap on, and holds for all rows, as it did".to_owned(),
                true => "in the swap, since keys point at a partitioned table; holds for all rows, as it did".to_owned(),
            }),
        );
    }
    for key in &dependents.self_keys {
        let (fate, reason) = match is_guarded {
            false => (
                Fate::Rebuilt,
                "to the table itself: made, and validated, ahead of the swap; acts from then on",
            ),
            true => (
                Fate::Changed,
                "to the table itself: points at the table of all keys beside it; made, and validated, ahead of the swap; acts from then on",
            ),
        };
        items.add("foreign key", &key.name, fate, Some(reason.to_owned()));
    }
    for key in &dependents.incoming_keys {
        if is_guarded {
            items.add(
                "foreign key",
                format!("{} on {}", key.name, key.table()),
                Fate::Changed,
                Some(
                    "points at the table of all keys beside it, from the swap on; acts as it did"
                        .to_owned(),
                ),
            );
            continue;
        }
        items.add(
            "foreign key",
            format!("{} on {}", key.name, key.table()),
            Fate::Rebuilt,
            Some(match key.is_valid {
                _ if successors_made_in_the_swap(&dependents.incoming_keys) => "in the swap, since a partitioned table has one of them; holds for all rows, as it did".to_owned(),
                true => "NOT VALID at the swap, from which on it acts; validated afterwards, while readers and writers go on".to_owned(),
                false => "NOT VALID, as it is; acts from the swap on".to_owned(),
            }),
        );
    }
    for publication in &dependents.publications {
        let reason = match publication.names_table() {
            true => "the partitioned table takes the table's place in it",
            false => {
                "the partitioned table is in it as the table was: with all others, of its schema or at all"
            }
        };
        items.kept(
            "publication",
            std::iter::once(publication.name.clone()),
            reason,
        );
    }
    items.kept(
        "subscription",
        dependents.subscriptions.iter().map(|one| one.name.clone()),
        "it writes to the partitioned table from then on",
    );
    let replaced = "replaced by itself: keeps its OID, owner and privileges";
    for view in &dependents.views {
        let (kind, reason) = match view.is_materialized {
            true => (
                "materialized view",
                "bound anew: keeps what it holds, its indexes and privileges",
            ),
            false => ("view", replaced),
        };
        let name = std::iter::once(view.qualified_name().to_string());
        items.kept(kind, name, reason);
    }
    items.kept(
        "function",
        dependents.functions.iter().map(|one| one.name.clone()),
        replaced,
    );
    for function in &dependents.row_functions {
        let (kind, reason) = match function.is_aggregate {
            true => (
                "aggregate",
                "it is made of rows of the table: dropped and made again",
            ),
            false => (
                "function",
                "it takes or returns rows of the table: dropped and made again",
            ),
        };
        items.add(kind, &function.name, Fate::Rebuilt, Some(reason.to_owned()));
    }
    for cast in &dependents.casts {
        items.add(
            "cast",
            cast.name(),
            Fate::Rebuilt,
            Some("of the row type: dropped and made again".to_owned()),
        );
    }
    if !dependents.row_type.is_open(&facts.owner_name) {
        items.add(
            "row type",
            facts.qualified_name(),
            Fate::Rebuilt,
            Some("what is granted on the new one is the same".to_owned()),
        );
    }
    if dependents.row_type.comment.is_some() {
        items.add(
            "row type",
            facts.qualified_name(),
            Fate::Rebuilt,
            Some("the new one has its comment".to_owned()),
        );
    }
    for label in &facts.labels {
        let of = match &label.of {
            Labelled::Table => "the table".to_owned(),
            Labelled::Column(column) => format!("column {}", quote_ident(column)),
            Labelled::SequenceOf(column) => {
                format!("the sequence of identity column {}", quote_ident(column))
            }
            Labelled::RowType => "the row type".to_owned(),
        };
        items.add(
            "security label",
            format!("{} on {of}", label.provider),
            Fate::Rebuilt,
            Some(
                "given to the new one, and to its partitions, if the provider's library agrees"
                    .to_owned(),
            ),
        );
    }
    let on = |schema: &str, relation: &str, name: &str| {
        let relation = QualifiedName::new(schema, relation);
        format!("{name} on {relation}")
    };
    items.kept(
        "rule",
        dependents
            .rules_elsewhere
            .iter()
            .map(|rule| on(&rule.schema, &rule.relation_name, &rule.name)),
        "replaced by itself",
    );
    items.kept(
        "policy",
        dependents
            .policies_elsewhere
            .iter()
            .map(|policy| on(&policy.schema, &policy.relation_name, &policy.name)),
        "its expressions are written anew",
    );
    items.0
}
