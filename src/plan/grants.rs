//! Privileges of the twin, its leaves and its sequences: the same as the source's, also where those
//! change while it is converted.

use super::Partition;
use super::facts::{Column, Facts, Grant};
use super::lock::{Lock, Mode};
use super::names::{QualifiedName, quote_ident, quote_role};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::swap::SequencePlan;

/// What a privilege is granted on.
enum Object<'a> {
    Tables(&'a str),
    Column(&'a str, &'a Column),
    Sequence(QualifiedName),
}

/// The statements, each to be run by its grantor, in an order in which every grantor already
/// holds what it grants on.
pub fn steps(
    facts: &Facts,
    twin: &QualifiedName,
    partitions: &[Partition],
    sequences: &[SequencePlan],
) -> Vec<Step> {
    // Since 18 GRANT locks what it is about.
    let family = Lock::on_new(Mode::AccessShare, twin).with_partitions();
    let tables = tables(twin, partitions);
    let mut steps = on_object(facts, &facts.grants, &Object::Tables(&tables), &family);
    for column in &facts.columns {
        let object = Object::Column(&tables, column);
        steps.extend(on_object(facts, &column.grants, &object, &family));
    }
    for sequence in sequences {
        if let Some(new_name) = &sequence.twin_name {
            let lock = Lock::on_new(Mode::AccessShare, new_name);
            let object = Object::Sequence(new_name.clone());
            steps.extend(on_object(facts, &sequence.grants, &object, &lock));
        }
    }
    steps
}

/// The twin and its leaves, which get the same: so that reading a partition directly works for whom
/// it worked before.
fn tables(twin: &QualifiedName, partitions: &[Partition]) -> String {
    let names: Vec<String> = std::iter::once(twin)
        .chain(partitions.iter().map(|partition| &partition.name))
        .map(QualifiedName::to_string)
        .collect();
    names.join(", ")
}

/// The statements that bring the privileges of the twin and its leaves, of which it has those in
/// `twin_facts`, to what the source has by now: each to be run by its grantor.
pub fn changes(
    facts: &Facts,
    twin_facts: &Facts,
    twin: &QualifiedName,
    partitions: &[Partition],
) -> Vec<Step> {
    let tables = tables(twin, partitions);
    let mut revoked = Vec::new();
    let mut granted = Vec::new();
    let mut from_table: Vec<&Grant> = Vec::new();
    let both = objects(twin_facts, &tables)
        .into_iter()
        .zip(objects(facts, &tables));
    for ((object, has), (_, wanted)) in both {
        // REVOKE on a table takes the same from its columns.
        let goes_along = |grant: &Grant| {
            let same = |other: &&Grant| {
                (other.grantor, &other.grantee, &other.privilege)
                    == (grant.grantor, &grant.grantee, &grant.privilege)
            };
            matches!(object, Object::Column(..)) && from_table.iter().any(same)
        };
        let goes = |grant: &Grant| !wanted.contains(grant) || goes_along(grant);
        // What others granted by right of a grant option goes with it: all is given anew.
        let anew = has.iter().any(|grant| grant.grantable && goes(grant));
        let groups = in_order(facts, has, |grant| anew || goes(grant));
        revoked.extend(
            groups
                .iter()
                .map(|group| object.step(facts, group, Verb::Revoke)),
        );
        let groups = in_order(facts, wanted, |grant| {
            anew || goes(grant) || !has.contains(grant)
        });
        granted.extend(
            groups
                .iter()
                .map(|group| object.step(facts, group, Verb::Grant)),
        );
        if matches!(object, Object::Tables(_)) {
            from_table = has.iter().filter(|grant| anew || goes(grant)).collect();
        }
    }
    // Who was granted something last had it from those before.
    revoked.reverse();
    revoked.extend(granted);
    revoked
}

/// The statements about one object, which take this lock.
fn on_object(facts: &Facts, grants: &[Grant], object: &Object, lock: &Lock) -> Vec<Step> {
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
    let groups = in_order(facts, grants, |_| true);
    steps.extend(
        groups
            .iter()
            .map(|group| object.step(facts, group, Verb::Grant)),
    );
    steps
        .into_iter()
        .map(|step| step.lock(lock.clone()))
        .collect()
}

fn step(statement: String) -> Step {
    Step::new(Phase::Prepared, statement)
}

/// All of a table that privileges are granted on, with those privileges, as far as a twin has it for
/// itself: other sequences than an identity's move over as they are. `tables` are to stand for the
/// table in statements.
fn objects<'a>(facts: &'a Facts, tables: &'a str) -> Vec<(Object<'a>, &'a [Grant])> {
    let mut objects = vec![(Object::Tables(tables), facts.grants.as_slice())];
    for column in &facts.columns {
        objects.push((Object::Column(tables, column), &column.grants));
        objects.extend(column.identity_sequence().map(|sequence| {
            let name = sequence.qualified_name();
            (Object::Sequence(name), sequence.grants.as_slice())
        }));
    }
    objects
}

/// Whether a twin has the same privileges as its source.
pub fn are_the_same(facts: &Facts, twin_facts: &Facts) -> bool {
    let all = |facts| objects(facts, "").into_iter().map(|(_, grants)| grants);
    all(facts).eq(all(twin_facts))
}

/// Privileges that one statement can grant, or revoke.
struct Group<'a> {
    grantor: u32,
    grantee: Option<&'a str>,
    grantable: bool,
    privileges: Vec<&'a str>,
}

/// The grants that are `wanted`, in groups; each comes behind those that gave its grantor the right.
fn in_order<'a>(
    facts: &Facts,
    grants: &'a [Grant],
    wanted: impl Fn(&Grant) -> bool,
) -> Vec<Group<'a>> {
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
            if wanted(grant) {
                add(&mut groups, grant);
            }
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

    /// A step that grants or revokes, to be run by the grantor.
    fn step(&self, facts: &Facts, group: &Group, verb: Verb) -> Step {
        let template = match (verb, self) {
            (Verb::Grant, Object::Sequence(_)) => {
                "GRANT {privileges} ON SEQUENCE {object} TO {grantee}{option}"
            }
            (Verb::Grant, _) => "GRANT {privileges} ON TABLE {object} TO {grantee}{option}",
            (Verb::Revoke, Object::Sequence(_)) => {
                "REVOKE {privileges} ON SEQUENCE {object} FROM {grantee} CASCADE"
            }
            (Verb::Revoke, _) => "REVOKE {privileges} ON TABLE {object} FROM {grantee} CASCADE",
        };
        let privileges: Vec<String> = group
            .privileges
            .iter()
            .map(|privilege| match self {
                Object::Column(_, column) => format!("{privilege} ({})", quote_ident(&column.name)),
                _ => (*privilege).to_owned(),
            })
            .collect();
        let grantee = quote_role(group.grantee);
        let statement = Sql::template(template)
            .trusted("privileges", &privileges.join(", "))
            .trusted("object", &self.name())
            .trusted("grantee", &grantee)
            .trusted("option", grant_option(group.grantable))
            .build();
        match group.grantor == facts.owner {
            true => step(statement),
            false => step(statement).run_as(group.grantor),
        }
    }
}

/// What GRANT ends with where the grantee may grant it in turn.
pub fn grant_option(grantable: bool) -> &'static str {
    match grantable {
        true => " WITH GRANT OPTION",
        false => "",
    }
}

/// What is done with privileges.
#[derive(Clone, Copy)]
enum Verb {
    Grant,
    Revoke,
}
