//! Statements from templates with typed holes.
//!
//! A name can only enter quoted, a text only as a literal; `trusted` is for fragments that
//! PostgreSQL's own deparser wrote.

use super::names::{QualifiedName, quote_ident, quote_literal};

/// A template in the making. Holes are written `{so}`; a hole's value is never searched for
/// further holes.
pub struct Sql {
    template: &'static str,
    holes: Vec<(&'static str, String)>,
}

impl Sql {
    /// Starts from a fixed template.
    pub fn template(template: &'static str) -> Self {
        Sql {
            template,
            holes: Vec::new(),
        }
    }

    /// Fills a hole with one quoted identifier.
    pub fn ident(self, hole: &'static str, name: &str) -> Self {
        self.fill(hole, quote_ident(name))
    }

    /// Fills a hole with a schema-qualified, quoted name.
    pub fn name(self, hole: &'static str, name: &QualifiedName) -> Self {
        self.fill(hole, name.to_string())
    }

    /// Fills a hole with a quoted literal.
    pub fn literal(self, hole: &'static str, text: &str) -> Self {
        self.fill(hole, quote_literal(text))
    }

    /// Fills a hole with a whole number.
    pub fn number(self, hole: &'static str, number: i64) -> Self {
        self.fill(hole, number.to_string())
    }

    /// Fills a hole with SQL that PostgreSQL deparsed, or that this module rendered.
    pub fn trusted(self, hole: &'static str, sql: &str) -> Self {
        self.fill(hole, sql.to_owned())
    }

    fn fill(mut self, hole: &'static str, value: String) -> Self {
        self.holes.push((hole, value));
        self
    }

    /// The finished statement. A hole that nobody filled stays visible in the text, and the
    /// server refuses it.
    pub fn build(self) -> String {
        let mut statement = String::with_capacity(self.template.len() * 2);
        let mut rest = self.template;
        while let Some((before, hole, after)) = next_hole(rest) {
            statement.push_str(before);
            match self.holes.iter().find(|(name, _)| *name == hole) {
                Some((_, value)) => statement.push_str(value),
                None => statement.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        statement.push_str(rest);
        statement
    }
}

/// Splits at the first `{hole}`: what is before it, its name, what follows.
fn next_hole(text: &str) -> Option<(&str, &str, &str)> {
    let open = text.find('{')?;
    let close = open + text[open..].find('}')?;
    Some((&text[..open], &text[open + 1..close], &text[close + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        let name = QualifiedName::new("we\"ird. Näme", "x; DROP TABLE y--");
        let sql = Sql::template("ALTER TABLE {table} RENAME TO {name}")
            .name("table", &name)
            .ident("name", "{table}")
            .build();
        assert_eq!(
            sql,
            r#"ALTER TABLE "we""ird. Näme"."x; DROP TABLE y--" RENAME TO "{table}""#
        );
    }

    #[test]
    fn an_unfilled_hole_stays_visible() {
        assert_eq!(
            Sql::template("DROP TABLE {table}").build(),
            "DROP TABLE {table}"
        );
    }
}
