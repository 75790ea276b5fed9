//! Deciding, without a server: facts about a table and a wish become a plan, or the list of
//! everything that stands in the way. Nothing in here talks to PostgreSQL.

pub mod blockers;
pub mod borders;
pub mod bounds;
pub mod branch;
pub mod capture;
pub mod carry;
pub mod codec;
pub mod columns;
pub mod comments;
mod deparsed;
pub mod dependents;
pub mod drain;
pub mod estimate;
pub mod facts;
pub mod fidelity;
pub mod grants;
pub mod guard;
pub mod guarded;
pub mod horizon;
pub mod indexes;
pub mod interval;
pub mod labels;
pub mod listing;
pub mod lock;
pub mod names;
pub mod pace;
pub mod patience;
pub mod phase;
pub mod router;
pub mod sql;
pub mod step;
mod swap;
pub mod twin;

use bounds::{RangeBound, Span};
use branch::{Below, Branch, Division, Tables};
use dependents::ForeignKey;
use facts::{Column, Facts, RowSecurity};
use guard::Guard;
use interval::{KeyType, PartitionInterval};
use names::{Names, QualifiedName};
use serde::{Deserialize, Serialize};
use sql::Sql;
use std::collections::BTreeSet;
use step::Step;

/// What the caller asked for, checked and complete.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the keys are that rows are told apart by; `None` where only PostgreSQL can tell.
    pub key_type: Option<KeyType>,
    /// Of a result that is to be kept so.
    pub interval: Option<PartitionInterval>,
    /// Zone by whose clock bounds and the present were computed; for keys that are times.
    pub time_zone: Option<String>,
    pub default_partition: bool,
    /// Partitions ahead: made by the conversion, and then kept up.
    pub premake: u32,
    pub copy_workers: u32,
    pub undo_window_seconds: Option<f64>,
    pub settings: Vec<(String, String)>,
    pub unique_guard: bool,
}

/// Everything that a conversion will do. It is stored with the job, and the worker follows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub source: QualifiedName,
    pub twin: QualifiedName,
    pub retired: QualifiedName,
    /// Whose default partition the source is, where rows are moved out of one: then the twin's
    /// partitions become partitions of that table.
    pub default_of: Option<Parent>,
    pub key: PartitionKey,
    pub identity: Option<Identity>,
    /// Of the result's policy.
    pub interval: Option<PartitionInterval>,
    pub time_zone: Option<String>,
    /// For the policy of the result.
    pub premake: u32,
    pub copy_workers: u32,
    pub undo_window_seconds: Option<f64>,
    /// Settings of the session that asked, for the worker: names and values.
    pub settings: Vec<(String, String)>,
    /// Those that hold rows: ascending ranges; then the default partition, if there is one.
    pub partitions: Vec<Partition>,
    /// Those that are partitioned themselves, each before those below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<Branch>,
    /// The columns by which these are partitioned, beside that of the twin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lower_keys: Vec<LowerKey>,
    pub prepare: Vec<Step>,
    /// What gives the twin its foreign keys, while it is empty.
    pub foreign_keys: Vec<Step>,
    /// The statement that makes the change log.
    pub create_log: String,
    pub indexes: Vec<IndexPlan>,
    /// What is run in the transaction of the swap before anybody has to wait.
    pub loosening: Vec<Step>,
    /// What is run while source and twin are locked.
    pub swap: Vec<Step>,
    /// What the user should know and would not guess.
    pub notices: Vec<String>,
    /// What keeps the key unique across partitions, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
}

/// A partitioned table, out of whose default partition rows are moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    pub oid: u32,
    pub name: QualifiedName,
    /// Ranges that its partitions take, the new ones among them: ascending, those that touch each
    /// other as one.
    pub taken: Vec<Taken>,
    /// What they take where it is partitioned by list.
    pub listed: Option<Listed>,
    pub security: RowSecurity,
    /// To other tables; its partitions have them, too.
    pub foreign_keys: Vec<ForeignKey>,
    /// What holds for all rows of a table that is a partition itself.
    pub constraint: Option<String>,
}

/// What the partitions of a table take that is partitioned by list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// In the order that PostgreSQL has them in, as they are written in SQL, without quotes; the new ones among
    /// them.
    pub values: Vec<String>,
    pub has_null: bool,
}

/// A range from one bound up to another; `None` where it has none.
pub type Taken = (Option<RangeBound>, Option<RangeBound>);

/// The column by which the twin is partitioned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionKey {
    pub attnum: i16,
    pub column: String,
    /// `None` where rows go where PostgreSQL itself finds that their keys lie.
    pub key_type: Option<KeyType>,
    pub not_null: bool,
}

/// A column by which partitions are partitioned themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowerKey {
    pub attnum: i16,
    pub column: String,
}

/// The unique index by which rows of the source are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub index: String,
    pub attnums: Vec<i16>,
}

/// A partition of the twin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    pub name: QualifiedName,
    /// Half-open.
    pub range: Option<(RangeBound, RangeBound)>,
    /// What it takes of a table that is partitioned by list.
    pub value: Option<Element>,
    /// Where it is a partition of a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Below>,
}

/// An element of a list: what of the key a partition takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Element {
    /// As it is written in SQL, without quotes.
    Value(String),
    Null,
}

impl Element {
    /// As PostgreSQL wants it in FOR VALUES IN: untyped.
    pub fn written(&self) -> String {
        match self {
            Element::Value(value) => names::quote_literal(value),
            Element::Null => "NULL".to_owned(),
        }
    }

    /// The human part of the name of its partition.
    pub fn label(&self) -> String {
        match self {
            Element::Value(value) => names::label(value),
            Element::Null => "null".to_owned(),
        }
    }

    /// The value, if it is one.
    pub fn value(&self) -> Option<&String> {
        match self {
            Element::Value(value) => Some(value),
            Element::Null => None,
        }
    }
}

impl Partition {
    /// Whether it takes what no other partition of the twin does.
    pub fn is_default(&self) -> bool {
        self.range.is_none() && self.value.is_none() && self.below.is_none()
    }

    /// What stands behind PARTITION OF and its table, or behind ATTACH PARTITION.
    pub fn bounds(&self) -> String {
        if let Some(below) = &self.below {
            return below.bounds.clone();
        }
        let sql = match (&self.range, &self.value) {
            (Some((lower, upper)), _) => Sql::template("FOR VALUES FROM ({lower}) TO ({upper})")
                .literal("lower", &lower.literal)
                .literal("upper", &upper.literal),
            (None, Some(element)) => {
                Sql::template("FOR VALUES IN ({value})").trusted("value", &element.written())
            }
            (None, None) => Sql::template("DEFAULT"),
        };
        sql.build()
    }
}

/// A partition that is wanted, but for the default partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The human part of its name.
    pub label: String,
    pub range: Option<(RangeBound, RangeBound)>,
    pub value: Option<Element>,
    /// Where it is partitioned itself.
    pub division: Option<Division>,
}

impl From<Span> for Wanted {
    fn from(span: Span) -> Wanted {
        Wanted {
            label: span.label,
            range: Some((span.lower, span.upper)),
            value: None,
            division: None,
        }
    }
}

/// An index of the twin: made invalid on the parent, then built leaf by leaf and attached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexPlan {
    /// Name on the source, and on the result.
    pub name: String,
    /// Name until the swap.
    pub twin_name: QualifiedName,
    pub leaves: Vec<LeafIndex>,
    /// Its parts on partitions that are partitioned themselves, in the order of [`Plan::branches`]: each is valid when all
    /// below it are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<QualifiedName>,
    /// Whether this index is the twin's counterpart of the source's identity.
    pub is_identity: bool,
}

/// An index of one leaf, in the order of [`Plan::partitions`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeafIndex {
    pub name: QualifiedName,
    pub statement: String,
}

/// Makes the plan. The facts must have no blockers.
///
/// `taken` are the names of all relations and types in the source's schema. `default_of` is the
/// table whose default partition the source is, if rows are to be moved out of one.
pub fn make(
    facts: &Facts,
    key: &Column,
    request: &Request,
    wanted: Vec<Wanted>,
    taken: impl IntoIterator<Item = String>,
    default_of: Option<Parent>,
) -> Plan {
    let mut names = Names::new(taken);
    let in_schema = |names: &mut Names, base: &str, suffix: &str| {
        QualifiedName::new(&facts.schema, names.derive(base, suffix))
    };
    let source = facts.qualified_name();
    let twin = in_schema(&mut names, &facts.name, "twin");
    let retired = in_schema(&mut names, &facts.name, "retired");

    let family = default_of
        .as_ref()
        .map_or(&facts.name, |parent| &parent.name.name);
    let lower_keys = lower_keys(facts, key, &wanted);
    let mut tables = Tables::new(&facts.schema, family, &mut names);
    wanted.into_iter().for_each(|wanted| tables.add(wanted));
    let (branches, mut partitions) = (tables.branches, tables.partitions);
    if request.default_partition {
        // In place of another one, it takes that one's name when the two change places.
        let suffix = match default_of {
            Some(_) => "rest",
            None => "default",
        };
        partitions.push(Partition {
            name: in_schema(&mut names, &facts.name, suffix),
            range: None,
            value: None,
            below: None,
        });
    }
    let uppermost: Vec<Partition> = branch::uppermost(&branches, &partitions).cloned().collect();
    let every: Vec<Partition> = branch::every(&branches, &partitions).cloned().collect();

    let identity_index = facts.identity();
    let indexes = indexes::plan(facts, key, &twin, &branches, &partitions, &mut names);
    let sequences = swap::plan_sequences(facts, &mut names);
    let mut prepare = twin::steps(facts, key, &twin, &branches, &partitions);
    prepare.extend(indexes::parent_steps(
        facts, key, &twin, &branches, &indexes,
    ));
    prepare.extend(swap::identity_steps(facts, &twin, &sequences));
    if let Some(parent) = &default_of {
        prepare.extend(drain::proof_steps(key, parent, &uppermost));
        prepare.extend(drain::security_steps(facts, parent, &twin, &every));
        // It takes the place of the one that there was.
        for rest in partitions.iter().filter(|partition| partition.is_default()) {
            let comments = comments::of_table(facts, &rest.name);
            prepare.extend(comments::steps(phase::Phase::Prepared, comments));
        }
    }
    if default_of.is_none() {
        prepare.extend(dependents::ahead(facts, &twin, &partitions));
    }
    prepare.extend(grants::steps(facts, &twin, &every, &sequences));
    let swap = match &default_of {
        None => {
            let renaming = swap::steps(
                facts, &source, &twin, &retired, &indexes, &sequences, &mut names,
            );
            let marks = swap::cluster_marks(facts, &partitions, &indexes);
            renaming.into_iter().chain(marks).collect()
        }
        Some(parent) => drain::swap_steps(
            parent, &source, &twin, &retired, &uppermost, &indexes, &mut names,
        ),
    };

    let partition_key = PartitionKey {
        attnum: key.attnum,
        column: key.name.clone(),
        key_type: request.key_type,
        not_null: key.not_null,
    };

    let guard = (request.unique_guard)
        .then(|| guard::plan(facts, key, &twin, &mut names))
        .flatten();
    let loosening = match &default_of {
        None => Vec::new(),
        Some(_) => drain::loosening_steps(&twin, &uppermost),
    };
    let foreign_keys = match &default_of {
        None => dependents::key_steps(facts, &twin),
        Some(parent) => drain::key_steps(parent, &uppermost),
    };
    Plan {
        foreign_keys,
        notices: notices(facts, key, guard.as_ref()),
        create_log: capture::create_log(facts, identity_index, &partition_key),
        identity: identity_index.map(|index| Identity {
            index: index.name.clone(),
            attnums: index.key_attnums.clone(),
        }),
        key: partition_key,
        interval: request.interval,
        time_zone: request.time_zone.clone(),
        premake: request.premake,
        copy_workers: request.copy_workers,
        undo_window_seconds: request.undo_window_seconds,
        settings: request.settings.clone(),
        source,
        twin,
        retired,
        default_of,
        partitions,
        branches,
        lower_keys,
        prepare,
        indexes,
        loosening,
        swap,
        guard,
    }
}

/// The columns by which partitions that are wanted are partitioned themselves, but for that of the table.
fn lower_keys(facts: &Facts, key: &Column, wanted: &[Wanted]) -> Vec<LowerKey> {
    let divisions = wanted.iter().filter_map(|wanted| wanted.division.as_ref());
    let names: BTreeSet<&String> = divisions.flat_map(Division::all_columns).collect();
    let others = names.into_iter().filter(|name| **name != key.name);
    let columns = others.filter_map(|name| facts.column(name));
    columns
        .map(|column| LowerKey {
            attnum: column.attnum,
            column: column.name.clone(),
        })
        .collect()
}

fn notices(facts: &Facts, key: &Column, guard: Option<&Guard>) -> Vec<String> {
    let mut notices: Vec<String> = facts
        .indexes
        .iter()
        .filter(|index| index.is_unique && blockers::lacks(index, key.attnum))
        .map(|index| {
            let what = match &index.constraint {
                Some(constraint) if constraint.kind == "p" => "primary key",
                Some(_) => "unique constraint",
                None => "unique index",
            };
            let extended = format!(
                "{what} \"{}\" is extended by column \"{}\"",
                index.name, key.name
            );
            match guard.filter(|guard| guard.attnums == index.key_attnums) {
                Some(guard) => format!(
                    "{extended}; table \"{}\" keeps it unique without it",
                    guard.name.name
                ),
                None => format!("{extended}: it is then unique together with it"),
            }
        })
        .collect();
    if facts.identity().is_none() {
        notices.push(format!(
            "table \"{}\" has no usable key: whole rows are logged while it is converted",
            facts.name
        ));
    }
    notices
}

impl Plan {
    /// What foreign keys of other tables are made to point at, under its name until the swap.
    pub fn key_target(&self) -> &QualifiedName {
        match &self.guard {
            Some(guard) => &guard.name,
            None => &self.twin,
        }
    }

    /// The columns that tell where a row lies: that of the twin's key, then those of lower levels. Their numbers in the
    /// source, and their names.
    pub fn key_columns(&self) -> impl Iterator<Item = (i16, &str)> {
        let lower = self.lower_keys.iter();
        let lower = lower.map(|key| (key.attnum, key.column.as_str()));
        std::iter::once((self.key.attnum, self.key.column.as_str())).chain(lower)
    }

    /// The partitions of the twin itself, the one for the rest last.
    pub fn uppermost(&self) -> impl Iterator<Item = &Partition> {
        branch::uppermost(&self.branches, &self.partitions)
    }

    /// All tables below the twin, each behind what it is a partition of.
    pub fn every_partition(&self) -> impl Iterator<Item = &Partition> {
        branch::every(&self.branches, &self.partitions)
    }

    /// A definition of the result as it is without the guard of a key.
    pub fn without_guard(&self, facts: Facts) -> Facts {
        match &self.guard {
            Some(guard) => guard.without(&facts),
            None => facts,
        }
    }

    /// The index of the twin by which a row is found again.
    pub fn identity_index(&self) -> Option<&IndexPlan> {
        self.indexes.iter().find(|index| index.is_identity)
    }
}
