//! What of a table's partitions has drifted from what the table and their siblings are: pure.

use crate::plan::labels;
use crate::plan::names::{QualifiedName, quote_ident};
use crate::plan::sql::Sql;
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// A difference, as `sql/drift.sql` finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub kind: String,
    /// The table that the partition is compared with.
    pub parent: u32,
    pub partition: u32,
    pub name: QualifiedName,
    pub has: Option<String>,
    pub wanted: Option<String>,
    /// What it is about, beside the partition.
    pub object: Option<String>,
    pub number: Option<u32>,
    /// Why the owner of the table can do nothing about it, if so.
    pub obstacle: Option<String>,
}

/// What is done about a drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// These statements, in one transaction.
    Run(Vec<String>),
    /// What the table grants now.
    Grant,
    /// The partition's part of that index of the table becomes its replica identity.
    Identify(u32),
    /// The partition's part of that index of the table is built.
    Build(u32),
    /// Likewise where the partition is partitioned itself: made at once, without the parts of its partitions.
    Outline(u32),
    /// Nothing: why, and what to do by hand.
    ByHand(String),
}

/// Something that has drifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The table that it is a partition of, which need not be the one that is maintained.
    pub parent: u32,
    pub partition: u32,
    pub name: QualifiedName,
    /// What it is, the same for all partitions that have drifted alike; as in "owner is other".
    pub what: String,
    pub remedy: Remedy,
    /// Whether it may well be meant: told, but no reason to warn.
    pub is_taste: bool,
}

/// Finds what has drifted, by partition for each kind.
pub fn find(differences: &[Difference]) -> Vec<Drift> {
    let mut found: Vec<Drift> = differences.iter().filter_map(of_itself).collect();
    found.extend(options(&of_kind(differences, "options")));
    found.extend(persistence(&of_kind(differences, "persistence")));
    found.extend(identities(&of_kind(differences, "replica identity")));
    found
}

fn of_kind<'a>(differences: &'a [Difference], kind: &str) -> Vec<&'a Difference> {
    let all = differences.iter();
    all.filter(|difference| difference.kind == kind).collect()
}

/// A drift that is told without a look at the siblings.
fn of_itself(difference: &Difference) -> Option<Drift> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let object = text(&difference.object);
    let on_table = |template| Sql::template(template).name("table", &difference.name);
    let (what, remedy) = match difference.kind.as_str() {
        "owner" => (
            format!("it belongs to role \"{}\"", text(&difference.has)),
            Remedy::Run(vec![
                on_table("ALTER TABLE {table} OWNER TO {owner}")
                    .ident("owner", &text(&difference.wanted))
                    .build(),
            ]),
        ),
        "grants" => (
            "its privileges are not those of the table".to_owned(),
            Remedy::Grant,
        ),
        // Of a column, `object`; `has` is the provider.
        "security label" => {
            let provider = text(&difference.has);
            let column = difference.object.as_deref();
            let label = labels::on_table(
                &difference.name,
                column,
                &provider,
                difference.wanted.as_deref(),
            );
            let of = column.map_or_else(String::new, |column| {
                format!(" of column {}", quote_ident(column))
            });
            (
                format!("the {provider} security label{of} is not that of the table"),
                Remedy::Run(vec![label.build()]),
            )
        }
        "row security" => {
            let (words, template) = match difference.wanted.as_deref() {
                Some("FORCE") => (
                    "row security is not forced",
                    "ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
                ),
                _ => (
                    "row security is not enabled",
                    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                ),
            };
            (
                words.to_owned(),
                Remedy::Run(vec![on_table(template).build()]),
            )
        }
        "trigger" => trigger(difference, &object),
        "index" => (
            format!("it has no part of index \"{object}\""),
            match (&difference.has, difference.number.unwrap_or(0)) {
                (Some(_), index) => Remedy::Outline(index),
                (None, index) => Remedy::Build(index),
            },
        ),
        "invalid index" => (
            format!("index {object} is invalid"),
            Remedy::ByHand(match difference.wanted {
                Some(_) => format!("REINDEX INDEX CONCURRENTLY {object} mends it"),
                None => format!(
                    "unless it is just being built, DROP INDEX CONCURRENTLY {object} clears it away"
                ),
            }),
        ),
        "index of the table" => (
            format!("index \"{object}\" is invalid, though all partitions have their part"),
            Remedy::ByHand(
                "it becomes valid when a part is attached: build one part anew".to_owned(),
            ),
        ),
        "publication" => (
            format!("it is not in publication \"{object}\", which has siblings and not the table"),
            Remedy::ByHand(
                "once subscribers have the table, ALTER PUBLICATION … ADD TABLE adds it; \
                 adding the partitioned table adds all partitions to come"
                    .to_owned(),
            ),
        ),
        _ => return None,
    };
    Some(drift(difference, what, remedy, false))
}

fn drift(difference: &Difference, what: String, remedy: Remedy, is_taste: bool) -> Drift {
    Drift {
        parent: difference.parent,
        partition: difference.partition,
        name: difference.name.clone(),
        what,
        remedy: match &difference.obstacle {
            Some(obstacle) => Remedy::ByHand(obstacle.clone()),
            None => remedy,
        },
        is_taste,
    }
}

fn trigger(difference: &Difference, name: &str) -> (String, Remedy) {
    let state = |value: &Option<String>| match value.as_deref() {
        Some("D") => ("disabled", "DISABLE"),
        Some("A") => ("enabled always", "ENABLE ALWAYS"),
        Some("R") => ("enabled for replicas", "ENABLE REPLICA"),
        _ => ("enabled", "ENABLE"),
    };
    let what = format!(
        "trigger \"{name}\" is {}, and {} on the table",
        state(&difference.has).0,
        state(&difference.wanted).0
    );
    let remedy = match difference.number {
        // That of a foreign key.
        Some(_) => Remedy::ByHand("only a superuser can change it".to_owned()),
        None => Remedy::Run(vec![
            Sql::template("ALTER TABLE {table} {change} TRIGGER {name}")
                .name("table", &difference.name)
                .trusted("change", state(&difference.wanted).1)
                .ident("name", name)
                .build(),
        ]),
    };
    (what, remedy)
}

/// What more than half of all have.
fn majority<T: Ord + Clone>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    let mut all = 0;
    for value in values {
        *counts.entry(value).or_default() += 1;
        all += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (most.1 * 2 > all).then_some(most.0)
}

fn options(leaves: &[&Difference]) -> Vec<Drift> {
    let of = |leaf: &Difference| -> Vec<String> {
        let text = leaf.has.as_deref().unwrap_or("[]");
        serde_json::from_str(text).unwrap_or_default()
    };
    let Some(wanted) = majority(leaves.iter().map(|leaf| of(leaf))) else {
        return Vec::new();
    };
    let others = leaves.iter().filter(|leaf| of(leaf) != wanted);
    others
        .map(|leaf| {
            let has = of(leaf);
            let listed = match has.is_empty() {
                true => "none".to_owned(),
                false => has.join(", "),
            };
            let what = format!("its storage parameters ({listed}) are not those of most siblings");
            let remedy = Remedy::Run(to_options(&leaf.name, &has, &wanted));
            drift(leaf, what, remedy, true)
        })
        .collect()
}

/// The statements that take stored options (`name=value`) to others.
fn to_options(table: &QualifiedName, has: &[String], wanted: &[String]) -> Vec<String> {
    let split = |option: &String| -> (String, String) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        // The namespace `toast` is no part of the name.
        let name = name.split('.').map(quote_ident).collect::<Vec<_>>();
        (name.join("."), crate::plan::names::quote_literal(value))
    };
    let kept: Vec<String> = wanted.iter().map(|option| split(option).0).collect();
    let reset: Vec<String> = has
        .iter()
        .map(|option| split(option).0)
        .filter(|name| !kept.contains(name))
        .collect();
    let set: Vec<String> = wanted
        .iter()
        .filter(|option| !has.contains(option))
        .map(|option| {
            let (name, value) = split(option);
            format!("{name} = {value}")
        })
        .collect();
    let statement = |template, list: &[String]| {
        (!list.is_empty()).then(|| {
            Sql::template(template)
                .name("table", table)
                .trusted("list", &list.join(", "))
                .build()
        })
    };
    [
        statement("ALTER TABLE {table} RESET ({list})", &reset),
        statement("ALTER TABLE {table} SET ({list})", &set),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn persistence(leaves: &[&Difference]) -> Vec<Drift> {
    let Some(wanted) = majority(leaves.iter().map(|leaf| leaf.has.clone())) else {
        return Vec::new();
    };
    let (what, template) = match wanted.as_deref() {
        Some("u") => (
            "it is logged, and most siblings are not",
            "ALTER TABLE {table} SET UNLOGGED",
        ),
        _ => (
            "it is unlogged, and most siblings are not: a crash empties it",
            "ALTER TABLE {table} SET LOGGED",
        ),
    };
    let others = leaves.iter().filter(|leaf| leaf.has != wanted);
    others
        .map(|leaf| {
            let statement = Sql::template(template).name("table", &leaf.name).build();
            let by_hand = format!("{statement} rewrites it, while nobody can use it");
            drift(leaf, what.to_owned(), Remedy::ByHand(by_hand), false)
        })
        .collect()
}

/// A replica identity: its kind, and for `i` the index of the table, if it is there.
type Identity = (String, Option<u32>);

/// What the table says counts, where it says anything: its own identity is used by nobody, so that
/// many leave it as it was born, and set that of the partitions. Then most siblings are right.
fn identities(leaves: &[&Difference]) -> Vec<Drift> {
    let of = |leaf: &Difference| -> Identity {
        let kind = leaf.has.clone().unwrap_or_default();
        let by = leaf.number.filter(|_| kind == "i");
        (kind, by)
    };
    let of_table = leaves
        .first()
        .filter(|leaf| leaf.wanted.as_deref().is_some_and(|kind| kind != "d"))
        .map(|leaf| {
            let kind = leaf.wanted.clone().unwrap_or_default();
            let by = leaf.object.as_ref().and_then(|oid| oid.parse().ok());
            (kind, by)
        });
    let Some(wanted) = of_table.or_else(|| majority(leaves.iter().map(|leaf| of(leaf)))) else {
        return Vec::new();
    };
    let others = leaves.iter().filter(|leaf| of(leaf) != wanted);
    others
        .filter_map(|leaf| {
            let run = |template| {
                Remedy::Run(vec![
                    Sql::template(template).name("table", &leaf.name).build(),
                ])
            };
            let remedy = match (wanted.0.as_str(), wanted.1) {
                ("i", Some(index)) => Remedy::Identify(index),
                // Its index is gone: nothing to go by.
                ("i", None) => return None,
                ("f", _) => run("ALTER TABLE {table} REPLICA IDENTITY FULL"),
                ("n", _) => run("ALTER TABLE {table} REPLICA IDENTITY NOTHING"),
                _ => run("ALTER TABLE {table} REPLICA IDENTITY DEFAULT"),
            };
            let what = match of(leaf) {
                (kind, None) if kind == "i" => "the index of its replica identity is gone",
                _ => "its replica identity is not that of the table or of most siblings",
            };
            Some(drift(leaf, what.to_owned(), remedy, false))
        })
        .collect()
}

impl Drift {
    /// Whether maintenance does nothing about it.
    pub fn is_by_hand(&self) -> bool {
        matches!(self.remedy, Remedy::ByHand(_))
    }
}

/// Most partitions that are named at once.
const MOST_NAMED: usize = 3;

/// Partitions in words: there may be very many.
pub fn listed(names: &[&QualifiedName]) -> String {
    let named: Vec<String> = (names.iter().take(MOST_NAMED))
        .map(|name| name.to_string())
        .collect();
    let named = named.join(", ");
    match names.len() {
        0 | 1 => named,
        many if many > MOST_NAMED => format!("{many} partitions: {named}, …"),
        many => format!("{many} partitions: {named}"),
    }
}

/// Drifts that are alike, with the partitions that have drifted so.
pub fn alike(drifts: &[Drift]) -> Vec<(&Drift, Vec<&QualifiedName>)> {
    let mut groups: Vec<(&Drift, Vec<&QualifiedName>)> = Vec::new();
    for drift in drifts {
        let same = groups.iter_mut().find(|(first, _)| {
            first.what == drift.what && first.is_by_hand() == drift.is_by_hand()
        });
        match same {
            Some((_, names)) => names.push(&drift.name),
            None => groups.push((drift, vec![&drift.name])),
        }
    }
    groups
}
