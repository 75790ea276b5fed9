//! Security labels: each is given to the twin and, since reading a partition by itself asks for nothing else, to its
//! partitions. Whether it is right for them the library of its provider decides, which PostgreSQL asks.

use super::facts::Facts;
use super::lock::{Lock, Mode};
use super::names::QualifiedName;
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use serde::{Deserialize, Serialize};

/// What one provider says of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub of: Labelled,
    pub provider: String,
    pub text: String,
}

/// What of a table has a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labelled {
    Table,
    Column(String),
    /// The sequence of an identity column.
    SequenceOf(String),
    RowType,
}

/// The steps that give the labels of a table and its columns to another.
pub fn of_table(phase: Phase, facts: &Facts, name: &QualifiedName) -> Vec<Step> {
    let labels = facts.labels.iter();
    labels
        .filter_map(|label| set(phase, label, name, Some(&label.text)))
        .collect()
}

/// The steps that give the labels of a column's identity sequence to another sequence.
pub fn of_sequence(phase: Phase, facts: &Facts, column: &str, name: &QualifiedName) -> Vec<Step> {
    let labels = facts.labels.iter();
    labels
        .filter(|label| label.of == Labelled::SequenceOf(column.to_owned()))
        .map(|label| on_sequence(phase, label, name, Some(&label.text)))
        .collect()
}

/// The statements that give the labels of the table's row type to that of a table of this name.
pub fn of_row_type<'a>(
    facts: &'a Facts,
    name: &'a QualifiedName,
) -> impl Iterator<Item = Sql> + 'a {
    let labels = facts.labels.iter();
    labels
        .filter(|label| label.of == Labelled::RowType)
        .map(|label| {
            let object = Sql::template("TYPE {type}").name("type", name);
            statement(&object.build(), &label.provider, Some(&label.text))
        })
}

/// The steps that bring the twin and its partitions from their labels to those that the source has by now.
pub fn changes(
    source: &Facts,
    twin: &Facts,
    twin_name: &QualifiedName,
    partitions: &[&QualifiedName],
) -> Vec<Step> {
    let same = |one: &Label, other: &Label| one.of == other.of && one.provider == other.provider;
    let given = (source.labels.iter())
        .filter(|label| !twin.labels.contains(label))
        .map(|label| (label, Some(label.text.as_str())));
    let taken = (twin.labels.iter())
        .filter(|label| !source.labels.iter().any(|other| same(label, other)))
        .map(|label| (label, None));
    let mut steps = Vec::new();
    for (label, text) in given.chain(taken) {
        if let Labelled::SequenceOf(column) = &label.of {
            let column = twin.column(column);
            if let Some(sequence) = column.and_then(|column| column.identity_sequence()) {
                let name = sequence.qualified_name();
                steps.push(on_sequence(Phase::Swapping, label, &name, text));
            }
            continue;
        }
        let all = std::iter::once(twin_name).chain(partitions.iter().copied());
        steps.extend(all.filter_map(|name| set(Phase::Swapping, label, name, text)));
    }
    steps
}

/// The statement that gives a table, or a column of it, a label, or takes it away.
pub fn on_table(
    name: &QualifiedName,
    column: Option<&str>,
    provider: &str,
    text: Option<&str>,
) -> Sql {
    let object = match column {
        None => Sql::template("TABLE {name}").name("name", name),
        Some(column) => Sql::template("COLUMN {name}.{column}")
            .name("name", name)
            .ident("column", column),
    };
    statement(&object.build(), provider, text)
}

/// The statement that gives an object of that description a label, or takes it away.
pub fn statement(object: &str, provider: &str, text: Option<&str>) -> Sql {
    let sql = Sql::template("SECURITY LABEL FOR {provider} ON {object} IS {text}")
        .ident("provider", provider)
        .trusted("object", object);
    match text {
        Some(text) => sql.literal("text", text),
        None => sql.trusted("text", "NULL"),
    }
}

fn set(phase: Phase, label: &Label, name: &QualifiedName, text: Option<&str>) -> Option<Step> {
    let column = match &label.of {
        Labelled::Table => None,
        Labelled::Column(column) => Some(column.as_str()),
        Labelled::SequenceOf(_) | Labelled::RowType => return None,
    };
    let sql = on_table(name, column, &label.provider, text);
    let lock = Lock::on_new(Mode::ShareUpdateExclusive, name);
    Some(Step::new(phase, sql.build()).lock(lock))
}

fn on_sequence(phase: Phase, label: &Label, name: &QualifiedName, text: Option<&str>) -> Step {
    let object = Sql::template("SEQUENCE {name}").name("name", name);
    let sql = statement(&object.build(), &label.provider, text);
    let lock = Lock::on_new(Mode::ShareUpdateExclusive, name);
    Step::new(phase, sql.build()).lock(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(of: Labelled, text: &str) -> Label {
        Label {
            of,
            provider: "anon".to_owned(),
            text: text.to_owned(),
        }
    }

    fn labelled(labels: Vec<Label>) -> Facts {
        Facts {
            labels,
            ..Facts::of_a_plain_table()
        }
    }

    fn statements(steps: Vec<Step>) -> Vec<String> {
        steps.into_iter().map(|step| step.statement).collect()
    }

    #[test]
    fn the_table_and_its_columns_hand_on_their_labels() {
        let facts = labelled(vec![
            label(Labelled::Table, "it's"),
            label(Labelled::Column("A b".to_owned()), "x"),
            label(Labelled::RowType, "y"),
        ]);
        let name = QualifiedName::new("s", "T");
        assert_eq!(
            statements(of_table(Phase::Prepared, &facts, &name)),
            [
                "SECURITY LABEL FOR anon ON TABLE s.\"T\" IS 'it''s'",
                "SECURITY LABEL FOR anon ON COLUMN s.\"T\".\"A b\" IS 'x'",
            ]
        );
    }

    #[test]
    fn only_what_has_changed_is_done_and_on_all_partitions() {
        let (name, leaf) = (QualifiedName::new("s", "t"), QualifiedName::new("s", "p"));
        let column = |text| label(Labelled::Column("a".to_owned()), text);
        let source = labelled(vec![label(Labelled::Table, "same"), column("new")]);
        let twin = labelled(vec![label(Labelled::Table, "same"), column("old")]);
        assert_eq!(
            statements(changes(&source, &twin, &name, &[&leaf])),
            [
                "SECURITY LABEL FOR anon ON COLUMN s.t.a IS 'new'",
                "SECURITY LABEL FOR anon ON COLUMN s.p.a IS 'new'",
            ]
        );
        assert_eq!(
            statements(changes(&labelled(Vec::new()), &twin, &name, &[])),
            [
                "SECURITY LABEL FOR anon ON TABLE s.t IS NULL",
                "SECURITY LABEL FOR anon ON COLUMN s.t.a IS NULL",
            ]
        );
        assert_eq!(changes(&source, &source, &name, &[&leaf]), []);
    }
}
