//! Privileges of the twin, its leaves and its sequences: the same as the source's.

use super::Partition;
use super::facts::{Column, Facts, Grant};
use super::names::{QualifiedName, quote_ident};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::swap::SequencePlan;

/// What a privilege is granted on.
enum Object<'a> {
    Tables(&'a str),
    Column(&'a str, &'a Column),
    Sequence(&'a QualifiedName),
}

/// The statements, each to be run by its grantor, in an order in which every grantor already
/// holds what it grants on.
pub fn steps(
    facts: &Facts,
    twin: &QualifiedName,
    partitions: &[Partition],
    sequences: &[SequencePlan],
) -> Vec<Step> {
    // Leaves get the same, so that reading a partition directly works for whom it worked before.
    let tables: Vec<String> = std::iter::once(twin)
        .chain(partitions.iter().map(|partition| &partition.name))
        .map(QualifiedName::to_string)
        .collect();
    let tables = tables.join(", ");
    let mut steps = on_object(facts, &facts.grants, &Object::Tables(&tables));
    for column in &facts.columns {
        steps.extend(on_object(
            facts,
            &column.grants,
            &Object::Column(&tables, column),
        ));
    }
    for sequence in sequences {
        if let Some(new_name) = &sequence.twin_name {
            steps.extend(on_object(
                facts,
                &sequence.grants,
                &Object::Sequence(new_name),
            ));
        }
    }
    steps
}

fn on_object(facts: &Facts, grants: &[Grant], object: &Object) -> Vec<Step> {
    let mut steps = Vec::new();
    if !matches!(object, Object::Column(..)) {
        // An owner may have given up rights on the own table; start from nothing.
        let template = match object {
            Object::Sequence(_) => "REVOKE ALL ON SEQUENCE {object} FROM {owner}",
            _ => "REVOKE ALL ON TABLE {object} FROM {owner}",
        };
        steps.push(step(
            Sql::template(template)
                .trusted("object", &object.name())
                .ident("owner", &facts.owner_name)
                .build(),
        ));
    }
    steps.extend(in_order(facts, grants).into_iter().map(|group| {
        let statement = object.grant(&group);
        match group.grantor == facts.owner {
            true => step(statement),
            false => step(statement).run_as(group.grantor),
        }
    }));
    steps
}

fn step(statement: String) -> Step {
    Step::new(Phase::Prepared, statement)
}

/// Privileges that one statement can grant.
struct Group<'a> {
    grantor: u32,
    grantee: Option<&'a str>,
    grantable: bool,
    privileges: Vec<&'a str>,
}

fn in_order<'a>(facts: &Facts, grants: &'a [Grant]) -> Vec<Group<'a>> {
    let mut rest: Vec<&Grant> = grants.iter().collect();
    let mut groups: Vec<Group> = Vec::new();
    let mut held: Vec<(&str, &str)> = Vec::new();
    while !rest.is_empty() {
        let (now, later): (Vec<&Grant>, Vec<&Grant>) = rest.iter().partition(|grant| {
            grant.grantor == facts.owner
                || held.contains(&(grant.grantor_name.as_str(), grant.privilege.as_str()))
        });
        // A chain that hangs in the air cannot come from the catalog; let the server judge it.
        let now = if now.is_empty() {
            std::mem::take(&mut rest)
        } else {
            rest = later;
            now
        };
        for grant in now {
            if let (true, Some(grantee)) = (grant.grantable, &grant.grantee) {
                held.push((grantee, &grant.privilege));
            }
            add(&mut groups, grant);
        }
    }
    groups
}

fn add<'a>(groups: &mut Vec<Group<'a>>, grant: &'a Grant) {
    let grantee = grant.grantee.as_deref();
    let same = groups.iter_mut().find(|group| {
        group.grantor == grant.grantor
            && group.grantee == grantee
            && group.grantable == grant.grantable
    });
    match same {
        Some(group) => group.privileges.push(&grant.privilege),
        None => groups.push(Group {
            grantor: grant.grantor,
            grantee,
            grantable: grant.grantable,
            privileges: vec![&grant.privilege],
        }),
    }
}

impl Object<'_> {
    fn name(&self) -> String {
        match self {
            Object::Tables(names) | Object::Column(names, _) => (*names).to_owned(),
            Object::Sequence(name) => name.to_string(),
        }
    }

    fn grant(&self, group: &Group) -> String {
        let template = match self {
            Object::Sequence(_) => "GRANT {privileges} ON SEQUENCE {object} TO {grantee}{option}",
            _ => "GRANT {privileges} ON TABLE {object} TO {grantee}{option}",
        };
        let privileges: Vec<String> = group
            .privileges
            .iter()
            .map(|privilege| match self {
                Object::Column(_, column) => format!("{privilege} ({})", quote_ident(&column.name)),
                _ => (*privilege).to_owned(),
            })
            .collect();
        let grantee = group
            .grantee
            .map_or_else(|| "PUBLIC".to_owned(), quote_ident);
        Sql::template(template)
            .trusted("privileges", &privileges.join(", "))
            .trusted("object", &self.name())
            .trusted("grantee", &grantee)
            .trusted(
                "option",
                if group.grantable {
                    " WITH GRANT OPTION"
                } else {
                    ""
                },
            )
            .build()
    }
}
