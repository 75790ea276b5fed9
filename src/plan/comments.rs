//! Comments on a table and its parts, as they are written on the twin.

use super::facts::{Facts, Index};
use super::lock::{Lock, Mode};
use super::names::QualifiedName;
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;

/// The comment on one object, if it has one.
pub struct Comment<'a> {
    object: String,
    lock: Lock,
    text: Option<&'a str>,
}

impl<'a> Comment<'a> {
    fn on(object: Sql, lock: Lock, text: &'a Option<String>) -> Comment<'a> {
        Comment {
            object: object.build(),
            lock,
            text: text.as_deref(),
        }
    }

    /// The step that makes it so, or takes away what is there.
    fn step(self, phase: Phase) -> Step {
        Step::new(phase, statement(&self.object, self.text)).lock(self.lock)
    }
}

fn statement(object: &str, text: Option<&str>) -> String {
    let template = Sql::template("COMMENT ON {object} IS {text}").trusted("object", object);
    match text {
        Some(text) => template.literal("text", text),
        None => template.trusted("text", "NULL"),
    }
    .build()
}

/// The steps for objects that have nothing yet.
pub fn steps<'a>(
    phase: Phase,
    comments: impl IntoIterator<Item = Comment<'a>>,
) -> impl Iterator<Item = Step> {
    comments
        .into_iter()
        .filter(|comment| comment.text.is_some())
        .map(move |comment| comment.step(phase))
}

/// The steps for those that an object has otherwise, or not at all, among `there`.
pub fn changes<'a>(
    phase: Phase,
    wanted: Vec<Comment<'a>>,
    there: &[Comment],
) -> impl Iterator<Item = Step> {
    wanted
        .into_iter()
        .filter(|comment| {
            let same = there.iter().find(|other| other.object == comment.object);
            same.and_then(|other| other.text) != comment.text
        })
        .map(move |comment| comment.step(phase))
}

/// On the table, its columns, its CHECK and NOT NULL constraints.
pub fn of_table<'a>(facts: &'a Facts, name: &QualifiedName) -> Vec<Comment<'a>> {
    let table = Sql::template("TABLE {table}").name("table", name);
    let lock = || Lock::on_new(Mode::ShareUpdateExclusive, name);
    let mut comments = vec![Comment::on(table, lock(), &facts.comment)];
    comments.extend(facts.columns.iter().map(|column| {
        let object = Sql::template("COLUMN {table}.{column}")
            .name("table", name)
            .ident("column", &column.name);
        Comment::on(object, lock(), &column.comment)
    }));
    let checks = facts
        .checks
        .iter()
        .map(|check| (&check.name, &check.comment));
    let not_nulls = facts.not_nulls.iter();
    let not_nulls = not_nulls.map(|not_null| (&not_null.name, &not_null.comment));
    comments.extend(
        checks
            .chain(not_nulls)
            .map(|(constraint, text)| of_constraint(constraint, name, text)),
    );
    comments
}

/// On its foreign keys.
pub fn of_foreign_keys<'a>(facts: &'a Facts, table: &QualifiedName) -> Vec<Comment<'a>> {
    let keys = facts.dependents.foreign_keys.iter();
    keys.map(|key| of_constraint(&key.name, table, &key.comment))
        .collect()
}

/// On foreign keys to the table itself, of those that the twin has by now.
pub fn of_self_keys<'a>(facts: &'a Facts, twin: &Facts, table: &QualifiedName) -> Vec<Comment<'a>> {
    let is_there = |name: &String| {
        let mut keys = twin.dependents.self_keys.iter();
        keys.any(|key| key.name == *name)
    };
    let keys = facts.dependents.self_keys.iter();
    keys.filter(|key| is_there(&key.name))
        .map(|key| of_constraint(&key.name, table, &key.comment))
        .collect()
}

/// On an index of that name, and on the constraint that it serves.
pub fn of_index<'a>(
    index: &'a Index,
    name: &QualifiedName,
    table: &QualifiedName,
) -> Vec<Comment<'a>> {
    let object = Sql::template("INDEX {index}").name("index", name);
    let constraint = index.constraint.iter();
    let lock = Lock::on_new(Mode::ShareUpdateExclusive, name);
    std::iter::once(Comment::on(object, lock, &index.comment))
        .chain(constraint.map(|constraint| of_constraint(&name.name, table, &constraint.comment)))
        .collect()
}

/// On a sequence of that name.
pub fn of_sequence<'a>(text: &'a Option<String>, name: &QualifiedName) -> Comment<'a> {
    Comment::on(
        Sql::template("SEQUENCE {sequence}").name("sequence", name),
        Lock::on_new(Mode::ShareUpdateExclusive, name),
        text,
    )
}

fn of_constraint<'a>(name: &str, table: &QualifiedName, text: &'a Option<String>) -> Comment<'a> {
    let lock = Lock::on_new(Mode::AccessShare, table);
    Comment::on(part("CONSTRAINT", name, table), lock, text)
}

/// The statement that comments on a constraint which has just been made.
pub fn on_constraint(name: &str, table: &QualifiedName, text: &str) -> String {
    statement(&part("CONSTRAINT", name, table).build(), Some(text))
}

/// On a trigger, policy or rule of a table.
pub fn of_part<'a>(
    kind: &'static str,
    name: &str,
    table: &QualifiedName,
    text: &'a Option<String>,
) -> Comment<'a> {
    let lock = Lock::on_new(Mode::ShareUpdateExclusive, table);
    Comment::on(part(kind, name, table), lock, text)
}

/// On a statistics object of a table.
pub fn of_statistics<'a>(
    name: &QualifiedName,
    table: &QualifiedName,
    text: &'a Option<String>,
) -> Comment<'a> {
    let object = Sql::template("STATISTICS {name}").name("name", name);
    Comment::on(
        object,
        Lock::on_new(Mode::ShareUpdateExclusive, table),
        text,
    )
}

fn part(kind: &'static str, name: &str, table: &QualifiedName) -> Sql {
    Sql::template("{kind} {name} ON {table}")
        .trusted("kind", kind)
        .ident("name", name)
        .name("table", table)
}
