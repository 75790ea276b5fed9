//! Makes partitions: each in a moment, under a lock that is waited for only shortly.

use super::blueprint::{self, Blueprint, Drawn};
use super::family;
use super::managed::Table;
use super::read::Subject;
use super::repair;
use crate::catalog::policy::{self, Policy};
use crate::catalog::table;
use crate::convert::{prepare, run_step};
use crate::db;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::settings;
use crate::plan::bounds::Span;
use crate::plan::facts::Facts;
use crate::plan::grants;
use crate::plan::labels;
use crate::plan::names::{Names, QualifiedName};
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::twin::{self, with_clause};
use pgrx::pg_sys;

/// What an attempt to make a partition came to.
pub enum Creation {
    Made(QualifiedName),
    /// Somebody else has made one there meanwhile.
    AlreadyThere,
    /// Why it was not tried, in a few words.
    NotTried(String),
}

/// Makes partitions of these bounds, like their siblings, with all levels that these have: all of them,
/// or it fails.
///
/// They are made as tables by themselves and then attached, which leaves readers and writers of the
/// parent alone. ATTACH makes PostgreSQL forget what it knows of the parent's partitions, and whoever
/// asks next reads them all: so the parent is looked at once, and the tables are attached in a row.
pub fn create(subject: &Subject, spans: &[&Span]) -> Result<Vec<Creation>, Error> {
    subject.as_owner(|| {
        // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: no reader or
        // writer waits for it, another run of maintenance does. The default partition, if there is
        // one, is locked ACCESS EXCLUSIVE by ATTACH, for as long as it is looked through: hence not
        // where that takes long.
        family::lock(subject.parent, Mode::ShareUpdateExclusive)?;
        let now = unchanged(subject)?;
        settings::set_local(c"default_tablespace", c"");
        let tables = spans
            .iter()
            .map(|span| table_for(subject, &now, span))
            .collect::<Result<Vec<Creation>, Error>>()?;
        for (span, table) in spans.iter().zip(&tables) {
            if let Creation::Made(name) = table {
                let (lower, upper) = bounds(&now, span)?;
                run(Sql::template(
                    "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({lower}) TO ({upper})",
                )
                .name("parent", &now.name)
                .name("name", name)
                .literal("lower", &lower)
                .literal("upper", &upper))?;
                repair::mark_indexes(subject.facts()?, name)?;
            }
        }
        Ok(tables)
    })
}

/// Makes a table that is to become a partition of these bounds, if it can become one.
fn table_for(subject: &Subject, now: &Subject, span: &Span) -> Result<Creation, Error> {
    if now.set.overlaps(span.lower.key, span.upper.key) {
        return Ok(Creation::AlreadyThere);
    }
    let (lower, upper) = bounds(now, span)?;
    if let Some(why) = now.default_in_the_way(Some(&lower), Some(&upper))? {
        return Ok(Creation::NotTried(why.to_owned()));
    }
    let blueprint = match blueprint::of_new(now, span)? {
        Drawn::Drawn(blueprint) => blueprint,
        Drawn::Missing(why) => return Ok(Creation::NotTried(why)),
    };
    let name = free_name(&now.name.schema, |names| {
        names.derive(&now.name.name, &span.label)
    })?;
    let like = Like {
        facts: subject.facts()?,
        parent: &now.name,
    };
    make(&like, &blueprint, &name)?;
    Ok(Creation::Made(name))
}

/// The bounds of a partition that is to be made, as literals.
fn bounds(now: &Subject, span: &Span) -> Result<(String, String), Error> {
    Ok((
        now.lower_literal(span.lower.key)?,
        now.upper_literal(span.upper.key)?,
    ))
}

/// Makes a default partition, like the others.
pub fn create_default(subject: &Subject) -> Result<Creation, Error> {
    subject.as_owner(|| {
        // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: no reader or
        // writer waits for it, another run of maintenance does. ATTACH takes nothing on other partitions,
        // and looks through none but the new one, which is empty.
        family::lock(subject.parent, Mode::ShareUpdateExclusive)?;
        let now = unchanged(subject)?;
        if now.default.is_some() {
            return Ok(Creation::AlreadyThere);
        }
        // PostgreSQL ends no detaching beside one that it does not know of.
        if !table::half_detached(now.parent)?.is_empty() {
            return Ok(Creation::NotTried(
                "a partition is half detached".to_owned(),
            ));
        }
        let blueprint = blueprint::of_default(&now)?;
        let parent = now.name.clone();
        let name = free_name(&parent.schema, |names| {
            names.derive(&parent.name, "default")
        })?;
        settings::set_local(c"default_tablespace", c"");
        let like = Like {
            facts: subject.facts()?,
            parent: &parent,
        };
        make(&like, &blueprint, &name)?;
        run(
            Sql::template("ALTER TABLE {parent} ATTACH PARTITION {name} DEFAULT")
                .name("parent", &parent)
                .name("name", &name),
        )?;
        repair::mark_indexes(subject.facts()?, &name)?;
        Ok(Creation::Made(name))
    })
}

/// The table as it is now that it is locked. A new owner is for the next run: what the old one may
/// do is no measure for it.
pub fn unchanged(subject: &Subject) -> Result<Subject, Error> {
    let now = subject.again()?;
    subject.still_has_owner(now.owner)?;
    Ok(now)
}

pub fn run(statement: Sql) -> Result<(), Error> {
    db::run(&statement.build(), &[]).map(drop)
}

/// Makes an empty table that is to become a partition, with all levels below it. The caller acts as the
/// table's owner, and has locked it.
pub fn make_table(
    table: &Table,
    parent: &QualifiedName,
    blueprint: &Blueprint,
    label: &str,
) -> Result<QualifiedName, Error> {
    let name = free_name(&parent.schema, |names| names.derive(&parent.name, label))?;
    settings::set_local(c"default_tablespace", c"");
    let like = Like {
        facts: table.facts()?,
        parent,
    };
    make(&like, blueprint, &name)?;
    Ok(name)
}

/// What new partitions, at whatever level, take after.
struct Like<'a> {
    facts: &'a Facts,
    /// By the name that it has now.
    parent: &'a QualifiedName,
}

/// Makes a table, and its partitions, which nobody sees yet. One that is partitioned gets the policy that
/// its model has.
fn make(like: &Like, blueprint: &Blueprint, name: &QualifiedName) -> Result<(), Error> {
    let oid = table_like(like, blueprint, name)?;
    if let (Some(_), Some(model)) = (&blueprint.key, blueprint.model)
        && let Some(policy) = policy::find(model)?
    {
        policy::set_if_none(&Policy {
            parent: oid,
            ..policy
        })?;
    }
    for part in &blueprint.parts {
        let part_name = free_name(&name.schema, |names| {
            part.name.within(names, &name.name, &like.parent.name)
        })?;
        make(like, &part.table, &part_name)?;
        run(
            Sql::template("ALTER TABLE {parent} ATTACH PARTITION {name} {bounds}")
                .name("parent", name)
                .name("name", &part_name)
                .trusted("bounds", &part.bounds),
        )?;
    }
    Ok(())
}

fn table_like(
    like: &Like,
    blueprint: &Blueprint,
    name: &QualifiedName,
) -> Result<pg_sys::Oid, Error> {
    let facts = like.facts;
    let storage = &blueprint.storage;
    let key = blueprint.key.as_deref();
    run(Sql::template(
        "CREATE {unlogged}TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE \
         INCLUDING COMPRESSION INCLUDING CONSTRAINTS){key}{method}{options}{tablespace}",
    )
    .trusted("unlogged", twin::unlogged(storage.is_unlogged))
    .name("name", name)
    .name("parent", like.parent)
    .trusted("key", &key.map_or_else(String::new, |key| format!(" PARTITION BY {key}")))
    .trusted("method", &clause(" USING ", storage.access_method.as_deref()))
    .trusted("options", &with_clause(&storage.options))
    .trusted(
        "tablespace",
        &clause(" TABLESPACE ", facts.tablespace.as_deref().or(storage.tablespace.as_deref())),
    ))?;
    let oid = oid_of(name)?;
    for step in twin::column_settings(facts, name, &[]) {
        run_step(&step)?;
    }
    prepare::revoke_foreign(oid, name, "TABLE")?;
    for step in grants::steps(facts, name, &[], &[]) {
        run_step(&step)?;
    }
    for step in labels::of_table(Phase::Prepared, facts, name) {
        run_step(&step)?;
    }
    if facts.row_security {
        run(Sql::template("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY").name("name", name))?;
    }
    if facts.force_row_security {
        run(Sql::template("ALTER TABLE {name} FORCE ROW LEVEL SECURITY").name("name", name))?;
    }
    match storage.replica_identity.as_str() {
        "f" => run(Sql::template("ALTER TABLE {name} REPLICA IDENTITY FULL").name("name", name))?,
        "n" => {
            run(Sql::template("ALTER TABLE {name} REPLICA IDENTITY NOTHING").name("name", name))?
        }
        _ => {}
    }
    Ok(oid)
}

/// A name that no relation or type has. The schema may hold very many: they are asked for one by one.
fn free_name(
    schema: &str,
    mut next: impl FnMut(&mut Names) -> String,
) -> Result<QualifiedName, Error> {
    let mut names = Names::new([]);
    loop {
        let name = next(&mut names);
        if !table::is_taken(schema, &name)? {
            return Ok(QualifiedName::new(schema, name));
        }
    }
}

fn clause(words: &'static str, name: Option<&str>) -> String {
    name.map(|name| format!("{words}{}", crate::plan::names::quote_ident(name)))
        .unwrap_or_default()
}

/// The OID of a relation of that name.
pub fn oid_of(name: &QualifiedName) -> Result<pg_sys::Oid, Error> {
    db::kept_value("SELECT $1::regclass::oid", &[name.to_string().into()])
}
