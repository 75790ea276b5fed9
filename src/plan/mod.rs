//! Deciding, without a server: facts about a table and a wish become a plan, or the list of
//! everything that stands in the way. Nothing in here talks to PostgreSQL.

pub mod blockers;
pub mod bounds;
pub mod facts;
mod grants;
pub mod horizon;
pub mod indexes;
pub mod interval;
pub mod names;
pub mod phase;
pub mod router;
pub mod sql;
mod swap;
pub mod twin;

use bounds::{RangeBound, Span};
use facts::{Column, Facts};
use interval::{KeyType, PartitionInterval};
use names::{Names, QualifiedName};
use phase::Phase;
use serde::{Deserialize, Serialize};
use sql::Sql;

/// What the caller asked for, checked and complete.
#[derive(Clone, Debug)]
pub struct Request {
    pub key_type: KeyType,
    pub interval: PartitionInterval,
    /// Zone in which calendar bounds were computed; for timestamptz only.
    pub time_zone: Option<String>,
    pub default_partition: bool,
    pub copy_workers: u32,
    pub undo_window_seconds: Option<f64>,
    pub settings: Vec<(String, String)>,
}

/// Everything that a conversion will do. It is stored with the job, and the worker follows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub source: QualifiedName,
    pub twin: QualifiedName,
    pub retired: QualifiedName,
    pub key: PartitionKey,
    pub identity: Option<Identity>,
    pub interval: PartitionInterval,
    pub time_zone: Option<String>,
    pub copy_workers: u32,
    pub undo_window_seconds: Option<f64>,
    /// Settings of the session that asked, for the worker: names and values.
    pub settings: Vec<(String, String)>,
    /// Ascending, contiguous ranges; then the default partition, if there is one.
    pub partitions: Vec<Partition>,
    pub prepare: Vec<Step>,
    pub indexes: Vec<IndexPlan>,
    pub swap: Vec<Step>,
    /// What the user should know and would not guess.
    pub notices: Vec<String>,
}

/// The column by whose ranges the twin is partitioned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionKey {
    pub attnum: i16,
    pub column: String,
    pub key_type: KeyType,
    pub not_null: bool,
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
    /// Half-open range; `None` is the default partition.
    pub range: Option<(RangeBound, RangeBound)>,
}

/// An index of the twin: made invalid on the parent, then built leaf by leaf and attached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexPlan {
    /// Name on the source, and on the result.
    pub name: String,
    /// Name until the swap.
    pub twin_name: QualifiedName,
    pub leaves: Vec<LeafIndex>,
    /// Whether this index is the twin's counterpart of the source's identity.
    pub is_identity: bool,
}

/// An index of one leaf, in the order of [`Plan::partitions`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeafIndex {
    pub name: QualifiedName,
    pub statement: String,
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub phase: Phase,
    pub statement: String,
    pub lock: String,
    pub note: String,
    /// Role that must run the statement where it is not the table's owner: a grantor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<u32>,
}

impl Step {
    fn new(phase: Phase, statement: String) -> Self {
        Step {
            phase,
            statement,
            lock: String::new(),
            note: String::new(),
            run_as: None,
        }
    }

    fn lock(mut self, lock: impl Into<String>) -> Self {
        self.lock = lock.into();
        self
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn run_as(mut self, role: u32) -> Self {
        self.run_as = Some(role);
        self
    }
}

/// Makes the plan. The facts must have no blockers.
///
/// `taken` are the names of all relations and types in the source's schema.
pub fn make(
    facts: &Facts,
    key: &Column,
    request: &Request,
    spans: Vec<Span>,
    taken: impl IntoIterator<Item = String>,
) -> Plan {
    let mut names = Names::new(taken);
    let in_schema = |names: &mut Names, base: &str, suffix: &str| QualifiedName {
        schema: facts.schema.clone(),
        name: names.derive(base, suffix),
    };
    let source = QualifiedName {
        schema: facts.schema.clone(),
        name: facts.name.clone(),
    };
    let twin = in_schema(&mut names, &facts.name, "twin");
    let retired = in_schema(&mut names, &facts.name, "retired");

    let mut partitions: Vec<Partition> = spans
        .into_iter()
        .map(|span| Partition {
            name: in_schema(&mut names, &facts.name, &span.label),
            range: Some((span.lower, span.upper)),
        })
        .collect();
    if request.default_partition {
        partitions.push(Partition {
            name: in_schema(&mut names, &facts.name, "default"),
            range: None,
        });
    }

    let identity_index = facts.identity();
    let indexes = indexes::plan(facts, key, &twin, &partitions, &mut names);
    let sequences = swap::plan_sequences(facts, &mut names);
    let mut prepare = twin::steps(facts, key, &twin, &partitions);
    prepare.extend(indexes::parent_steps(facts, key, &twin, &indexes));
    prepare.extend(swap::identity_steps(&twin, &sequences));
    prepare.extend(grants::steps(facts, &twin, &partitions, &sequences));
    let swap = swap::steps(
        facts, &source, &twin, &retired, &indexes, &sequences, &mut names,
    );

    Plan {
        notices: notices(facts, key),
        identity: identity_index.map(|index| Identity {
            index: index.name.clone(),
            attnums: index.key_attnums.clone(),
        }),
        key: PartitionKey {
            attnum: key.attnum,
            column: key.name.clone(),
            key_type: request.key_type,
            not_null: key.not_null,
        },
        interval: request.interval,
        time_zone: request.time_zone.clone(),
        copy_workers: request.copy_workers,
        undo_window_seconds: request.undo_window_seconds,
        settings: request.settings.clone(),
        source,
        twin,
        retired,
        partitions,
        prepare,
        indexes,
        swap,
    }
}

fn notices(facts: &Facts, key: &Column) -> Vec<String> {
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
            format!(
                "{what} \"{}\" is extended by column \"{}\": it is then unique together with it",
                index.name, key.name
            )
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
    /// All steps in order, for the user to read: statements as they will be run, and the steps
    /// that are not statements, in words.
    pub fn steps(&self, facts_bytes: u64) -> Vec<Step> {
        let source = self.source.to_string();
        let mut steps = self.prepare.clone();
        steps.extend(capture_statements(&self.source).into_iter().map(|statement| {
            Step::new(Phase::Capturing, statement)
                .lock(format!("SHARE ROW EXCLUSIVE on {source}"))
                .note("waits at most swap_lock_timeout at a time, then lets others go first; held for a moment")
        }));
        steps.push(
            Step::new(
                Phase::Copying,
                format!("-- copy {source} into the partitions of {}", self.twin),
            )
            .lock(format!("ACCESS SHARE on {source}"))
            .note(format!(
                "{} MB in short transactions, {} at a time",
                facts_bytes.div_ceil(1024 * 1024),
                self.copy_workers
            )),
        );
        for index in &self.indexes {
            for leaf in &index.leaves {
                steps.push(
                    Step::new(Phase::Indexing, leaf.statement.clone())
                        .lock("none on the table")
                        .note(format!("then attached to {}", index.twin_name)),
                );
            }
        }
        steps.push(
            Step::new(
                Phase::CatchingUp,
                "-- read logged keys again, until few wait".to_owned(),
            )
            .lock(format!("ACCESS SHARE on {source}")),
        );
        steps.push(
            Step::new(
                Phase::Verifying,
                format!("-- compare {source} with {}", self.twin),
            )
            .lock(format!("ACCESS SHARE on {source}")),
        );
        steps.extend(self.swap.iter().cloned());
        steps.extend(TRIGGERS.map(|trigger| {
            Step::new(
                Phase::Swapping,
                drop_trigger_statement(trigger, &self.retired),
            )
        }));
        steps.push(
            Step::new(
                Phase::Finished,
                Sql::template("DROP TABLE {retired}")
                    .name("retired", &self.retired)
                    .build(),
            )
            .lock(format!("ACCESS EXCLUSIVE on {}", self.retired))
            .note("by finish_conversion, or when undo_window has passed"),
        );
        steps
    }

    /// The index of the twin by which a row is found again.
    pub fn identity_index(&self) -> Option<&IndexPlan> {
        self.indexes.iter().find(|index| index.is_identity)
    }
}

/// The triggers on the source while it is converted.
pub const TRIGGERS: [&str; 2] = ["partman_rs_capture", "partman_rs_capture_truncate"];

/// The statements that begin the capture of changes, as the plan shows them and the worker runs
/// them: one that makes each of [`TRIGGERS`], in their order; then those that have them fire for
/// writers with `session_replication_role = replica` too, logical replication's apply among them.
pub fn capture_statements(source: &QualifiedName) -> [String; 4] {
    const ENABLE: &str = "ALTER TABLE {source} ENABLE ALWAYS TRIGGER {trigger}";
    let [rows, truncate] = TRIGGERS;
    [
        (
            rows,
            "CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {source} \
             FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()",
        ),
        (
            truncate,
            "CREATE TRIGGER {trigger} AFTER TRUNCATE ON {source} \
             FOR EACH STATEMENT EXECUTE FUNCTION partman_rs.capture_change()",
        ),
        (rows, ENABLE),
        (truncate, ENABLE),
    ]
    .map(|(trigger, template)| {
        Sql::template(template)
            .ident("trigger", trigger)
            .name("source", source)
            .build()
    })
}

/// The statement that ends a part of the capture, whatever the source is called by then.
pub fn drop_trigger_statement(trigger: &str, table: &QualifiedName) -> String {
    Sql::template("DROP TRIGGER {trigger} ON {table}")
        .ident("trigger", trigger)
        .name("table", table)
        .build()
}
