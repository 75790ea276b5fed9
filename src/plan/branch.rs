//! Partitions that are partitioned themselves: those of a table out of whose default partition rows are moved, where
//! their siblings are.

use super::facts::Facts;
use super::lock::Mode;
use super::names::{Names, QualifiedName};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use super::twin;
use super::{Partition, Wanted};
use serde::{Deserialize, Serialize};

/// A partition of the twin, at whatever level, that holds no rows itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    pub partition: Partition,
    /// How it is partitioned, as after PARTITION BY.
    pub key: String,
    pub tablespace: Option<String>,
    /// Whose policy it gets.
    pub model: u32,
}

/// What a partition is that is a partition of a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Below {
    /// The place of the branch in the plan.
    pub branch: usize,
    /// `FOR VALUES …`, or `DEFAULT`.
    pub bounds: String,
    /// Where it holds rows: what its sibling has, as it is stored (`name=value`).
    pub options: Vec<String>,
    pub tablespace: Option<String>,
    /// As `pg_class.relreplident` has it.
    pub replica_identity: String,
}

/// How a partition that is wanted is partitioned itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// As after PARTITION BY.
    pub key: String,
    /// The columns of that key.
    pub columns: Vec<String>,
    pub tablespace: Option<String>,
    pub model: u32,
    pub parts: Vec<Part>,
}

/// A partition of one that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: PartName,
    pub bounds: String,
    pub options: Vec<String>,
    pub tablespace: Option<String>,
    pub replica_identity: String,
    pub division: Option<Division>,
}

/// Where the name of a part comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartName {
    /// A table, which is the partition of another one, and its place there.
    Like {
        part: String,
        of: String,
        number: usize,
    },
    /// What its range is called.
    Label(String),
}

impl PartName {
    /// A name for a partition of `parent`, which belongs to `table`.
    pub fn within(&self, names: &mut Names, parent: &str, table: &str) -> String {
        match self {
            PartName::Like { part, of, number } => names.part(parent, of, part, *number),
            // It says all that the parent's label says, too.
            PartName::Label(label) => names.derive(table, label),
        }
    }
}

impl Division {
    /// The columns by which it divides, at all levels.
    pub fn all_columns(&self) -> Vec<&String> {
        let below = self.parts.iter().filter_map(|part| part.division.as_ref());
        let below = below.flat_map(Division::all_columns);
        self.columns.iter().chain(below).collect()
    }
}

/// The tables of the partitions that are wanted, each with a name of its own.
pub struct Tables<'a> {
    schema: &'a str,
    /// The table that they are to be partitions of.
    family: &'a str,
    names: &'a mut Names,
    pub branches: Vec<Branch>,
    /// Those that hold rows.
    pub partitions: Vec<Partition>,
}

impl<'a> Tables<'a> {
    /// None as yet.
    pub fn new(schema: &'a str, family: &'a str, names: &'a mut Names) -> Self {
        Tables {
            schema,
            family,
            names,
            branches: Vec::new(),
            partitions: Vec::new(),
        }
    }

    /// Adds one, with all below it.
    pub fn add(&mut self, wanted: Wanted) {
        let partition = Partition {
            name: QualifiedName::new(self.schema, self.names.derive(self.family, &wanted.label)),
            range: wanted.range,
            value: wanted.value,
            below: None,
        };
        self.place(partition, wanted.division);
    }

    fn place(&mut self, partition: Partition, division: Option<Division>) {
        let Some(division) = division else {
            self.partitions.push(partition);
            return;
        };
        let (branch, parent) = (self.branches.len(), partition.name.name.clone());
        self.branches.push(Branch {
            partition,
            key: division.key,
            tablespace: division.tablespace,
            model: division.model,
        });
        for part in division.parts {
            let name = part.name.within(self.names, &parent, self.family);
            let below = Below {
                branch,
                bounds: part.bounds,
                options: part.options,
                tablespace: part.tablespace,
                replica_identity: part.replica_identity,
            };
            let partition = Partition {
                name: QualifiedName::new(self.schema, name),
                range: None,
                value: None,
                below: Some(below),
            };
            self.place(partition, part.division);
        }
    }
}

/// The partitions of the twin itself, those that are partitioned first, the one for the rest last.
pub fn uppermost<'a>(
    branches: &'a [Branch],
    partitions: &'a [Partition],
) -> impl Iterator<Item = &'a Partition> {
    every(branches, partitions).filter(|partition| partition.below.is_none())
}

/// All tables below the twin, those that are partitioned first, each before those below it.
pub fn every<'a>(
    branches: &'a [Branch],
    partitions: &'a [Partition],
) -> impl Iterator<Item = &'a Partition> {
    branches
        .iter()
        .map(|branch| &branch.partition)
        .chain(partitions)
}

/// What a partition is a partition of.
pub fn above<'a>(
    partition: &Partition,
    branches: &'a [Branch],
    twin: &'a QualifiedName,
) -> &'a QualifiedName {
    let below = partition.below.as_ref();
    let branch = below.and_then(|below| branches.get(below.branch));
    branch.map_or(twin, |branch| &branch.partition.name)
}

/// The statement that makes a branch.
pub fn create(branch: &Branch, parent: &QualifiedName) -> Step {
    let partition = &branch.partition;
    let statement = Sql::template(
        "CREATE TABLE {name} PARTITION OF {parent} {bounds} PARTITION BY {key}{tablespace}",
    )
    .name("name", &partition.name)
    .name("parent", parent)
    .trusted("bounds", &partition.bounds())
    .trusted("key", &branch.key)
    .trusted(
        "tablespace",
        &twin::in_tablespace(branch.tablespace.as_deref()),
    )
    .build();
    Step::new(Phase::Prepared, statement).locks_new(Mode::AccessExclusive, parent)
}

/// The statement that gives a partition of a branch the replica identity of its sibling, if that is not the usual
/// one. That of an index comes with repair.
pub fn replica_identity(partition: &Partition) -> Option<Step> {
    let template = match partition.below.as_ref()?.replica_identity.as_str() {
        "f" => "ALTER TABLE {name} REPLICA IDENTITY FULL",
        "n" => "ALTER TABLE {name} REPLICA IDENTITY NOTHING",
        _ => return None,
    };
    let statement = Sql::template(template).name("name", &partition.name);
    Some(
        Step::new(Phase::Prepared, statement.build())
            .locks_new(Mode::AccessExclusive, &partition.name),
    )
}

/// Options of a new partition that holds rows, and its tablespace: its sibling's where it is one of a branch,
/// else the table's that the rows come from.
pub fn storage<'a>(facts: &'a Facts, partition: &'a Partition) -> (&'a [String], Option<&'a str>) {
    match &partition.below {
        Some(below) => (&below.options, below.tablespace.as_deref()),
        None => (&facts.options, facts.tablespace.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Element;

    fn part(name: &str, bounds: &str, division: Option<Division>) -> Part {
        Part {
            name: PartName::Like {
                part: format!("t_old_{name}"),
                of: "t_old".to_owned(),
                number: 1,
            },
            bounds: bounds.to_owned(),
            options: Vec::new(),
            tablespace: None,
            replica_identity: "d".to_owned(),
            division,
        }
    }

    fn divided(column: &str, parts: Vec<Part>) -> Division {
        Division {
            key: format!("LIST ({column})"),
            columns: vec![column.to_owned()],
            tablespace: None,
            model: 1,
            parts,
        }
    }

    fn wanted(value: &str, division: Option<Division>) -> Wanted {
        Wanted {
            label: value.to_owned(),
            range: None,
            value: Some(Element::Value(value.to_owned())),
            division,
        }
    }

    #[test]
    fn all_levels_are_laid_out_from_the_top_down() {
        let deepest = divided("c", vec![part("z", "DEFAULT", None)]);
        let division = divided(
            "b",
            vec![
                part("x", "FOR VALUES IN (1)", Some(deepest)),
                part("y", "DEFAULT", None),
            ],
        );
        assert_eq!(division.all_columns(), ["b", "c"]);
        let mut names = Names::new([]);
        let mut tables = Tables::new("s", "t", &mut names);
        tables.add(wanted("one", Some(division)));
        tables.add(wanted("two", None));
        let (branches, partitions) = (tables.branches, tables.partitions);
        let twin = QualifiedName::new("s", "twin");
        let tree: Vec<(&str, &str)> = every(&branches, &partitions)
            .map(|one| {
                (
                    one.name.name.as_str(),
                    above(one, &branches, &twin).name.as_str(),
                )
            })
            .collect();
        assert_eq!(tree[0].1, "twin");
        // Each stands behind what it is a partition of.
        for (place, (_, parent)) in tree.iter().enumerate() {
            let parent = tree.iter().position(|(name, _)| name == parent);
            assert!(parent.is_none_or(|parent| parent < place), "{tree:?}");
        }
        assert_eq!((branches.len(), partitions.len()), (2, 3));
        assert_eq!(uppermost(&branches, &partitions).count(), 2);
        assert_eq!(partitions[0].bounds(), "DEFAULT");
        // A default partition further down is not the one for the rest.
        assert!(!partitions.iter().any(Partition::is_default));
    }
}
