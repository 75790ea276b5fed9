//! Makes partitions: each in a moment, under a lock that is waited for only shortly.

use super::read::Subject;
use crate::catalog::table;
use crate::convert::{prepare, run_step};
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::settings;
use crate::plan::bounds::Span;
use crate::plan::grants;
use crate::plan::names::{Names, QualifiedName};
use crate::plan::sql::Sql;
use crate::plan::twin::with_clause;
use pgrx::pg_sys;

/// What an attempt to make a partition came to.
pub enum Creation {
    Made(QualifiedName),
    /// Somebody else has made one there meanwhile.
    AlreadyThere,
    /// Why it was not tried, in a few words.
    NotTried(&'static str),
}

/// Makes a partition of these bounds, like its siblings.
///
/// It is made as a table by itself and then attached, which leaves readers and writers of the parent
/// alone.
pub fn create(subject: &Subject, span: &Span) -> Result<Creation, Error> {
    subject.as_owner(|| {
        // SHARE UPDATE EXCLUSIVE on the parent, until the end of the (sub)transaction: no reader or
        // writer waits for it, another run of maintenance does. The default partition, if there is
        // one, is locked ACCESS EXCLUSIVE by ATTACH, for as long as it is looked through: hence not
        // where that takes long.
        lock::relation(subject.parent, Mode::ShareUpdateExclusive, guc::swap_lock_timeout());
        let now = unchanged(subject)?;
        if now.set.overlaps(span.lower.key, span.upper.key) {
            return Ok(Creation::AlreadyThere);
        }
        let (lower, upper) = (
            now.lower_literal(span.lower.key)?,
            now.upper_literal(span.upper.key)?,
        );
        if let Some(why) = now.default_in_the_way(Some(&lower), Some(&upper))? {
            return Ok(Creation::NotTried(why));
        }
        let facts = subject.facts()?;
        let parent = now.name.clone();
        let name = free_name(&parent, &span.label)?;
        let sibling = sibling(subject)?;
        settings::set_local(c"default_tablespace", c"");
        run(Sql::template(
            "CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE \
             INCLUDING COMPRESSION INCLUDING CONSTRAINTS){method}{options}{tablespace}",
        )
        .name("name", &name)
        .name("parent", &parent)
        .trusted("method", &clause(" USING ", sibling.access_method.as_deref()))
        .trusted("options", &with_clause(&sibling.options))
        .trusted(
            "tablespace",
            &clause(" TABLESPACE ", facts.tablespace.as_deref().or(sibling.tablespace.as_deref())),
        ))?;
        let oid = oid_of(&name)?;
        prepare::revoke_foreign(oid, &name, "TABLE")?;
        for step in grants::steps(facts, &name, &[], &[]) {
            run_step(&step)?;
        }
        if facts.row_security {
            run(Sql::template("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY").name("name", &name))?;
        }
        match sibling.replica_identity.as_str() {
            "f" => run(Sql::template("ALTER TABLE {name} REPLICA IDENTITY FULL").name("name", &name))?,
            "n" => run(Sql::template("ALTER TABLE {name} REPLICA IDENTITY NOTHING").name("name", &name))?,
            _ => {}
        }
        run(Sql::template(
            "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({lower}) TO ({upper})",
        )
        .name("parent", &parent)
        .name("name", &name)
        .literal("lower", &lower)
        .literal("upper", &upper))?;
        Ok(Creation::Made(name))
    })
}

/// The table as it is now that it is locked. A new owner is for the next run: what the old one may
/// do is no measure for it.
pub fn unchanged(subject: &Subject) -> Result<Subject, Error> {
    let now = subject.again()?;
    match now.owner == subject.owner {
        true => Ok(now),
        false => Err(Error::LockNotAvailable {
            relation: now.name.name,
            purpose: "maintenance: it has just got another owner",
        }),
    }
}

pub fn run(statement: Sql) -> Result<(), Error> {
    db::run(&statement.build(), &[]).map(drop)
}

/// A name that no relation or type has. The schema may hold very many: they are asked for one by one.
fn free_name(parent: &QualifiedName, label: &str) -> Result<QualifiedName, Error> {
    let mut names = Names::new([]);
    loop {
        let name = names.derive(&parent.name, label);
        if !table::is_taken(&parent.schema, &name)? {
            return Ok(QualifiedName {
                schema: parent.schema.clone(),
                name,
            });
        }
    }
}

fn clause(words: &'static str, name: Option<&str>) -> String {
    name.map(|name| format!("{words}{}", crate::plan::names::quote_ident(name)))
        .unwrap_or_default()
}

fn oid_of(name: &QualifiedName) -> Result<pg_sys::Oid, Error> {
    db::value("SELECT $1::regclass::oid", &[name.to_string().into()])
}

/// What the last partition has for itself, which a new one is to have too.
#[derive(Default)]
struct Sibling {
    options: Vec<String>,
    access_method: Option<String>,
    tablespace: Option<String>,
    replica_identity: String,
}

fn sibling(subject: &Subject) -> Result<Sibling, Error> {
    let Some(last) = subject.set.leaves.last() else {
        return Ok(Sibling::default());
    };
    db::row(
        "SELECT coalesce(c.reloptions, '{}') || coalesce((SELECT array_agg('toast.' || o) FROM unnest(t.reloptions) o), '{}'), \
                m.amname::text, s.spcname::text, c.relreplident::text \
           FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace \
           LEFT JOIN pg_class t ON t.oid = c.reltoastrelid \
          WHERE c.oid = $1 AND c.relkind = 'r'",
        &[pg_sys::Oid::from(last.oid).into()],
        |row| {
            Ok(Sibling {
                options: row.get(1)?,
                access_method: row.find(2)?,
                tablespace: row.find(3)?,
                replica_identity: row.get(4)?,
            })
        },
    )
    .map(Option::unwrap_or_default)
}
