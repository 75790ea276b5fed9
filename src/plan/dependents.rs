//! What hangs on a table and is made again on the one that takes its place: triggers, policies,
//! rules, views, functions, statistics, publications.
//!
//! Some of it is made on the twin ahead of the swap, where it does nothing yet; what names the table,
//! or is there once only, follows after the swap's renaming, in the same transaction.

mod after;
mod ahead;
mod foreign_keys;
mod incoming_keys;
mod manifest;
mod refused;
mod routines;
mod self_keys;

pub use after::{after_renaming, locked_first, rebound, rebound_steps};
pub use ahead::{ahead, changes, row_security_steps};
pub use foreign_keys::{
    add as add_key, at_the_swap, comment_steps as key_comments, from_first_difference, key_steps,
    locked_for_keys, made_in_the_swap, make as make_key, referenced,
};
pub use incoming_keys::{Made, NAME_PREFIX, refused_by_key, successors_made_in_the_swap};
pub use manifest::{hanging_on, manifest};
pub use refused::{refused, refused_by_publications, refused_extra, refused_key, refused_self_key};
pub use routines::{at_last, before_renaming};

use super::facts::Grant;
use super::names::QualifiedName;
use serde::{Deserialize, Serialize};

/// All of it. Each list has a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dependents {
    pub triggers: Vec<Trigger>,
    pub policies: Vec<Policy>,
    /// Rules on the table itself.
    pub rules: Vec<Rule>,
    /// Rules on other relations that mention the table.
    pub rules_elsewhere: Vec<RuleElsewhere>,
    pub policies_elsewhere: Vec<PolicyElsewhere>,
    /// Views that read the table themselves, not through others.
    pub views: Vec<View>,
    /// Functions and procedures whose parsed body mentions the table.
    pub functions: Vec<Function>,
    /// Functions and procedures that take or return rows of the table, and aggregates of them.
    pub row_functions: Vec<RowFunction>,
    /// From the row type, and to it.
    pub casts: Vec<Cast>,
    pub statistics: Vec<Statistics>,
    pub publications: Vec<Publication>,
    pub subscriptions: Vec<Subscription>,
    /// Foreign keys of the table that point at other tables, in the order in which they act.
    pub foreign_keys: Vec<ForeignKey>,
    pub row_type: RowType,
    /// Foreign keys of other tables that point at the table, in the order in which they act.
    pub incoming_keys: Vec<IncomingKey>,
    /// Foreign keys of the table that point at itself, in the order in which they act.
    pub self_keys: Vec<SelfKey>,
}

/// What the type of the table's rows has for itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowType {
    /// The owner's own grants first.
    pub grants: Vec<Grant>,
    pub comment: Option<String>,
}

impl RowType {
    /// Whether everybody may use it, and nobody else was granted anything: as of a table just made.
    fn is_open(&self, owner: &str) -> bool {
        let plain = |grant: &Grant| !grant.grantable || grant.grantee.as_deref() == Some(owner);
        let has = |grantee: Option<&str>| {
            let mut all = self.grants.iter();
            all.any(|grant| grant.grantee.as_deref() == grantee)
        };
        self.grants.is_empty()
            || (self.grants.len() == 2
                && self.grants.iter().all(plain)
                && has(None)
                && has(Some(owner)))
    }
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    pub oid: u32,
    pub name: String,
    pub is_constraint: bool,
    /// What stands between its name and ON: `BEFORE INSERT OR UPDATE OF a`.
    pub event: String,
    /// What stands behind the name of its table.
    pub rest: String,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub for_each_row: bool,
    pub has_transition_tables: bool,
    /// `pg_trigger.tgenabled`.
    pub enabled: String,
    pub function: String,
    pub owner_may_execute: bool,
    /// Extensions that it depends on.
    pub extensions: Vec<String>,
    pub comment: Option<String>,
}

/// A policy on the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub name: String,
    pub permissive: bool,
    /// `pg_policy.polcmd`.
    pub command: String,
    /// `None` is PUBLIC.
    pub roles: Vec<Option<String>>,
    pub using: Option<String>,
    pub check: Option<String>,
    pub comment: Option<String>,
}

/// A rule on the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub name: String,
    /// As `pg_get_ruledef` writes it.
    pub definition: String,
    /// `pg_rewrite.ev_enabled`.
    pub enabled: String,
    pub comment: Option<String>,
}

/// A rule on another relation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleElsewhere {
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub relation: u32,
    pub schema: String,
    pub relation_name: String,
    pub owner: u32,
    pub name: String,
    pub definition: String,
    /// A schema that it names and its owner may not use, if there is one.
    pub unreachable: Option<String>,
}

/// A policy on another table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyElsewhere {
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub relation: u32,
    pub schema: String,
    pub relation_name: String,
    pub owner: u32,
    pub name: String,
    pub using: Option<String>,
    pub check: Option<String>,
    /// A schema that it names and its owner may not use, if there is one.
    pub unreachable: Option<String>,
}

/// A view, or a materialized view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Of its rule.
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub relation: u32,
    pub schema: String,
    pub name: String,
    pub owner: u32,
    pub owner_name: String,
    /// `name=value`, WITH CHECK OPTION among them.
    pub options: Vec<String>,
    pub definition: String,
    pub is_materialized: bool,
    pub is_temporary: bool,
    pub owner_may_create: bool,
    /// A schema that it names and its owner may not use, if there is one.
    pub unreachable: Option<String>,
}

/// A function or procedure with a parsed body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    /// With the types of its arguments.
    pub name: String,
    pub owner: u32,
    pub owner_name: String,
    pub schema: String,
    /// `CREATE OR REPLACE …`, as `pg_get_functiondef` writes it.
    pub definition: String,
    pub owner_may_create: bool,
    /// Why its owner cannot make it, if so.
    pub obstacle: Option<String>,
    /// A schema that it names and its owner may not use, if there is one.
    pub unreachable: Option<String>,
}

/// A function, procedure or aggregate that takes or returns rows of the table, or arrays of them (or an
/// aggregate that is made of such): its signature names the row type, so that it must be dropped and made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowFunction {
    pub oid: u32,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    /// With the types of its arguments.
    pub name: String,
    pub is_aggregate: bool,
    pub owner: u32,
    pub owner_name: String,
    pub schema: String,
    pub definition: String,
    pub owner_may_create: bool,
    /// Why its owner cannot make it, if so.
    pub obstacle: Option<String>,
    /// A schema that it names and its owner may not use, if there is one.
    pub unreachable: Option<String>,
    pub grants: Vec<Grant>,
    /// Who may execute a function of this owner that was just made; `None` is PUBLIC.
    pub strangers: Vec<Option<String>>,
    pub comment: Option<String>,
    /// Security labels: provider and text.
    pub labels: Vec<(String, String)>,
    /// What depends on it and is not made again, in words.
    pub users: Vec<String>,
    /// Whether it has something to do with an extension.
    pub has_more: bool,
}

/// A cast from the row type, or to it (or of arrays of it), which must be dropped and made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cast {
    pub oid: u32,
    pub source: String,
    pub target: String,
    /// With the types of its arguments; `None`: the text of the one is read as the other.
    pub function: Option<String>,
    /// `AS …`, where it is not for explicit use alone.
    pub context: String,
    /// Why the table's owner cannot make it, if so.
    pub obstacle: Option<String>,
    pub comment: Option<String>,
    /// Whether it belongs to an extension.
    pub has_more: bool,
}

impl Cast {
    /// As PostgreSQL describes it.
    pub fn name(&self) -> String {
        format!("({} AS {})", self.source, self.target)
    }
}

/// An extended statistics object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub owner: u32,
    /// `pg_statistic_ext.stxkind`.
    pub kinds: Vec<String>,
    /// Columns and expressions, as they are written.
    pub columns: String,
    /// Functions and operators that it uses, of those that do not come with the server.
    pub calls: Vec<String>,
    pub target: Option<i32>,
    pub comment: Option<String>,
}

/// A publication that the table is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// Of the membership, where the table is named there; 0 where all tables are in it, or all of a schema.
    pub oid: u32,
    pub name: String,
    pub owner: u32,
    pub owner_name: String,
    pub via_root: bool,
    /// `None`: all.
    pub columns: Option<Vec<String>>,
    pub filter: Option<String>,
    /// Whether it sends updates, or deletions.
    pub sends_changes: bool,
    pub owner_may_act_as_owner: bool,
}

impl Publication {
    /// Whether it is in it by its own name, and not because all tables are, or all of a schema.
    pub fn names_table(&self) -> bool {
        self.oid != 0
    }
}

/// A subscription that writes to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub name: String,
    /// Whether the table's first copy has come in, and changes are applied.
    pub is_ready: bool,
}

/// A foreign key of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub oid: u32,
    pub name: String,
    /// The table that it points at.
    pub relation: u32,
    pub schema: String,
    pub relation_name: String,
    pub is_to_partitioned: bool,
    pub is_to_unlogged: bool,
    /// As `pg_get_constraintdef` writes it: with actions, MATCH, deferrability and NOT VALID.
    pub definition: String,
    /// Whether rows may violate it, and the server has no such key on a partitioned table.
    pub needs_validation: bool,
    /// Whether all its triggers fire as they do when just made.
    pub acts: bool,
    pub owner_may_reference: bool,
    pub comment: Option<String>,
}

/// A foreign key of the table, which points at itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfKey {
    pub oid: u32,
    pub name: String,
    /// Of its definition, what stands before the name of the table that it points at.
    pub head: String,
    /// What stands behind it.
    pub rest: String,
    /// Its columns, by number.
    #[serde(default)]
    pub columns: Vec<i16>,
    /// Those that they point at, in the same order.
    pub referenced: Vec<i16>,
    /// Whether rows may violate it, and the server has no such key on a partitioned table.
    pub needs_validation: bool,
    /// Whether all its triggers fire as they do when just made.
    pub acts: bool,
    pub owner_may_reference: bool,
    pub comment: Option<String>,
    /// Those of partitions that come from it.
    pub parts: Vec<u32>,
}

/// A foreign key of another table, which points at the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncomingKey {
    pub oid: u32,
    pub name: String,
    /// The table that it belongs to.
    pub relation: u32,
    pub schema: String,
    pub relation_name: String,
    pub owner: u32,
    pub owner_name: String,
    pub is_of_partitioned: bool,
    /// Of its definition, what stands before the name of the table that it points at.
    pub head: String,
    /// What stands behind it: columns, MATCH, actions, deferrability; but not NOT VALID.
    pub rest: String,
    /// The columns that it points at, by number.
    pub referenced: Vec<i16>,
    pub is_valid: bool,
    /// Whether all its triggers fire as they do when just made.
    pub acts: bool,
    pub owner_may_reference: bool,
    pub comment: Option<String>,
    /// Those of partitions of its table that come from it.
    pub parts: Vec<u32>,
}

impl ForeignKey {
    pub fn points_at(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.relation_name)
    }
}

impl View {
    fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }
}

#[cfg(test)]
mod tests;
