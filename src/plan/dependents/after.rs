//! What follows when the names are exchanged: what names the table in its text, and what there is
//! only one of.

use super::ahead::firing;
use super::{Dependents, Policy, Publication, Rule, View, routines};
use crate::plan::columns::listed;
use crate::plan::comments;
use crate::plan::facts::Facts;
use crate::plan::grants::grant_option;
use crate::plan::labels;
use crate::plan::lock::Mode;
use crate::plan::names::{QualifiedName, quote_role};
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;
use crate::plan::twin::with_clause;
use std::collections::BTreeSet;

/// The statements, in order. The source's name is the partitioned table's by then.
pub fn after_renaming(facts: &Facts, retired: &QualifiedName) -> Vec<Step> {
    let table = facts.qualified_name();
    let dependents = &facts.dependents;
    let mut steps = Vec::new();
    for statistics in &dependents.statistics {
        for (from, to) in [
            (statistics.qualified_name(), statistics.retired_name()),
            (statistics.twin_name(), statistics.qualified_name()),
        ] {
            steps.push(step(
                Sql::template("ALTER STATISTICS {from} RENAME TO {to}")
                    .name("from", &from)
                    .ident("to", &to.name),
            ));
        }
    }
    // What follows may call them, and means those that take rows of the partitioned table.
    steps.extend(routines::made(dependents));
    steps.extend(
        dependents
            .policies
            .iter()
            .flat_map(|policy| make_policy(policy, &table)),
    );
    steps.extend(
        dependents
            .rules
            .iter()
            .flat_map(|rule| make_rule(rule, &table)),
    );
    steps.extend(
        dependents
            .publications
            .iter()
            .filter(|publication| publication.names_table())
            .flat_map(|publication| publish(publication, &table, retired)),
    );
    let plain = dependents.views.iter().filter(|view| !view.is_materialized);
    steps.extend(plain.map(replace_view));
    steps.extend(dependents.functions.iter().map(|function| {
        Step::new(Phase::Swapping, function.definition.clone()).run_as(function.owner)
    }));
    steps.extend(elsewhere(dependents));
    steps.extend(row_type_steps(facts));
    steps
}

/// The row type of a table just made is everybody's to use.
fn row_type_steps(facts: &Facts) -> Vec<Step> {
    let row_type = &facts.dependents.row_type;
    let table = facts.qualified_name();
    let on = |template: &'static str| Sql::template(template).name("type", &table);
    let mut steps = Vec::new();
    if !row_type.is_open(&facts.owner_name) {
        let strangers = [None, Some(facts.owner_name.as_str())];
        steps.extend(strangers.map(|grantee| {
            step(
                on("REVOKE ALL ON TYPE {type} FROM {grantee}")
                    .trusted("grantee", &quote_role(grantee)),
            )
        }));
        steps.extend(row_type.grants.iter().map(|grant| {
            let is_owner = grant.grantee.as_deref() == Some(&facts.owner_name);
            step(
                on("GRANT USAGE ON TYPE {type} TO {grantee}{option}")
                    .trusted("grantee", &quote_role(grant.grantee.as_deref()))
                    .trusted("option", grant_option(grant.grantable && !is_owner)),
            )
            .run_as(grant.grantor)
        }));
    }
    steps.extend(row_type.comment.iter().map(|comment| {
        step(on("COMMENT ON TYPE {type} IS {comment}").literal("comment", comment))
    }));
    steps.extend(labels::of_row_type(facts, &table).map(step));
    steps
}

/// Materialized views: there is no statement that binds one to another table, and none is needed.
pub fn rebound(dependents: &Dependents) -> impl Iterator<Item = &View> {
    dependents.views.iter().filter(|view| view.is_materialized)
}

/// What is done to them, for the reader of a plan.
pub fn rebound_steps(dependents: &Dependents) -> impl Iterator<Item = Step> {
    rebound(dependents).map(|view| {
        let name = view.qualified_name();
        let statement = format!("-- bind materialized view {name} to the partitioned table");
        Step::new(Phase::Swapping, statement)
            .locks(Mode::AccessExclusive, &name)
            .note("what it holds stays, until it is refreshed; the partitioned table holds the same rows")
    })
}

/// Relations that these statements lock, beside the table: who reads a view locks it first, and
/// then the table.
pub fn locked_first(dependents: &Dependents) -> BTreeSet<u32> {
    let views = dependents.views.iter().map(|view| view.relation);
    let rules = dependents.rules_elsewhere.iter().map(|rule| rule.relation);
    let policies = dependents.policies_elsewhere.iter();
    views
        .chain(rules)
        .chain(policies.map(|policy| policy.relation))
        .collect()
}

pub fn step(statement: Sql) -> Step {
    Step::new(Phase::Swapping, statement.build())
}

fn make_policy(policy: &Policy, table: &QualifiedName) -> Vec<Step> {
    let command = match policy.command.as_str() {
        "r" => "SELECT",
        "a" => "INSERT",
        "w" => "UPDATE",
        "d" => "DELETE",
        _ => "ALL",
    };
    let kind = match policy.permissive {
        true => "PERMISSIVE",
        false => "RESTRICTIVE",
    };
    let roles: Vec<String> = policy
        .roles
        .iter()
        .map(|role| quote_role(role.as_deref()))
        .collect();
    let make = step(
        Sql::template(
            "CREATE POLICY {name} ON {table} AS {kind} FOR {command} TO {roles}{expressions}",
        )
        .ident("name", &policy.name)
        .name("table", table)
        .trusted("kind", kind)
        .trusted("command", command)
        .trusted("roles", &roles.join(", "))
        .trusted("expressions", &expressions(&policy.using, &policy.check)),
    )
    .locks_new(Mode::AccessExclusive, table);
    let comment = comments::of_part("POLICY", &policy.name, table, &policy.comment);
    std::iter::once(make)
        .chain(comments::steps(Phase::Swapping, [comment]))
        .collect()
}

/// Of a policy.
pub fn expressions(using: &Option<String>, check: &Option<String>) -> String {
    let using = using.iter().map(|text| format!(" USING ({text})"));
    let check = check.iter().map(|text| format!(" WITH CHECK ({text})"));
    using.chain(check).collect()
}

fn make_rule(rule: &Rule, table: &QualifiedName) -> Vec<Step> {
    let mut steps = vec![
        Step::new(Phase::Swapping, rule.definition.clone()).locks_new(Mode::AccessExclusive, table),
    ];
    let firing = firing("RULE", &rule.name, table, &rule.enabled);
    steps.extend(firing.map(|step| step.locks_new(Mode::AccessExclusive, table)));
    let comment = comments::of_part("RULE", &rule.name, table, &rule.comment);
    steps.extend(comments::steps(Phase::Swapping, [comment]));
    steps
}

fn publish(publication: &Publication, table: &QualifiedName, retired: &QualifiedName) -> [Step; 2] {
    let columns = publication
        .columns
        .as_ref()
        .map_or_else(String::new, |columns| format!(" ({})", listed(columns)));
    let filter = publication
        .filter
        .as_ref()
        .map_or_else(String::new, |filter| format!(" WHERE ({filter})"));
    let add = Sql::template("ALTER PUBLICATION {name} ADD TABLE {table}{columns}{filter}")
        .ident("name", &publication.name)
        .name("table", table)
        .trusted("columns", &columns)
        .trusted("filter", &filter);
    let drop = Sql::template("ALTER PUBLICATION {name} DROP TABLE {retired}")
        .ident("name", &publication.name)
        .name("retired", retired);
    [
        step(drop).locks(Mode::ShareUpdateExclusive, retired),
        step(add).locks_new(Mode::ShareUpdateExclusive, table),
    ]
    .map(|step| step.run_as(publication.owner))
}

/// A view keeps its identity, and with it its privileges, triggers, rules and whoever reads it.
fn replace_view(view: &View) -> Step {
    let name = view.qualified_name();
    step(
        Sql::template("CREATE OR REPLACE VIEW {name}{options} AS {definition}")
            .name("name", &name)
            .trusted("options", &with_clause(&view.options))
            .trusted("definition", &view.definition),
    )
    .locks(Mode::AccessExclusive, &name)
    .run_as(view.owner)
}

/// Rules and policies on other relations, which read or write the table.
fn elsewhere(dependents: &Dependents) -> impl Iterator<Item = Step> {
    let rules = dependents.rules_elsewhere.iter().map(move |rule| {
        let definition = rule.definition.strip_prefix("CREATE RULE");
        let definition = definition.unwrap_or(&rule.definition);
        step(Sql::template("CREATE OR REPLACE RULE{definition}").trusted("definition", definition))
            .locks(
                Mode::AccessExclusive,
                &QualifiedName::new(&rule.schema, &rule.relation_name),
            )
            .run_as(rule.owner)
    });
    let policies = dependents.policies_elsewhere.iter().map(move |policy| {
        let relation = QualifiedName::new(&policy.schema, &policy.relation_name);
        step(
            Sql::template("ALTER POLICY {name} ON {relation}{expressions}")
                .ident("name", &policy.name)
                .name("relation", &relation)
                .trusted("expressions", &expressions(&policy.using, &policy.check)),
        )
        .locks(Mode::AccessExclusive, &relation)
        .run_as(policy.owner)
    });
    rules.chain(policies)
}
