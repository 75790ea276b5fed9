//! Comments on a table and its parts, as they are written on the twin.

use super::facts::{Facts, Index};
use super::names::QualifiedName;
use super::sql::Sql;

/// The comment on one object, if it has one.
pub struct Comment<'a> {
    object: String,
    text: Option<&'a str>,
}

impl<'a> Comment<'a> {
    fn on(object: Sql, text: &'a Option<String>) -> Comment<'a> {
        Comment {
            object: object.build(),
            text: text.as_deref(),
        }
    }

    /// The statement that makes it so, or takes away what is there.
    pub fn statement(&self) -> String {
        let template =
            Sql::template("COMMENT ON {object} IS {text}").trusted("object", &self.object);
        match self.text {
            Some(text) => template.literal("text", text),
            None => template.trusted("text", "NULL"),
        }
        .build()
    }
}

/// The statements for objects that have nothing yet.
pub fn statements<'a>(
    comments: impl IntoIterator<Item = Comment<'a>>,
) -> impl Iterator<Item = String> {
    comments
        .into_iter()
        .filter(|comment| comment.text.is_some())
        .map(|comment| comment.statement())
}

/// Those that an object has otherwise, or not at all, among `there`.
pub fn changed<'a>(
    wanted: Vec<Comment<'a>>,
    there: &[Comment],
) -> impl Iterator<Item = Comment<'a>> {
    wanted.into_iter().filter(|comment| {
        let same = there.iter().find(|other| other.object == comment.object);
        same.and_then(|other| other.text) != comment.text
    })
}

/// On the table, its columns, its CHECK and NOT NULL constraints.
pub fn of_table<'a>(facts: &'a Facts, name: &QualifiedName) -> Vec<Comment<'a>> {
    let table = Sql::template("TABLE {table}").name("table", name);
    let mut comments = vec![Comment::on(table, &facts.comment)];
    comments.extend(facts.columns.iter().map(|column| {
        let object = Sql::template("COLUMN {table}.{column}")
            .name("table", name)
            .ident("column", &column.name);
        Comment::on(object, &column.comment)
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

/// On an index of that name, and on the constraint that it serves.
pub fn of_index<'a>(
    index: &'a Index,
    name: &QualifiedName,
    table: &QualifiedName,
) -> Vec<Comment<'a>> {
    let object = Sql::template("INDEX {index}").name("index", name);
    let constraint = index.constraint.iter();
    std::iter::once(Comment::on(object, &index.comment))
        .chain(constraint.map(|constraint| of_constraint(&name.name, table, &constraint.comment)))
        .collect()
}

/// On a sequence of that name.
pub fn of_sequence<'a>(text: &'a Option<String>, name: &QualifiedName) -> Comment<'a> {
    Comment::on(
        Sql::template("SEQUENCE {sequence}").name("sequence", name),
        text,
    )
}

fn of_constraint<'a>(name: &str, table: &QualifiedName, text: &'a Option<String>) -> Comment<'a> {
    let object = Sql::template("CONSTRAINT {name} ON {table}")
        .ident("name", name)
        .name("table", table);
    Comment::on(object, text)
}
