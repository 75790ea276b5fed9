//! Locks that the steps of a plan take, for the user to read before anything is locked.

use super::names::QualifiedName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// Lock modes on relations, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    AccessExclusive,
}

impl Mode {
    /// As the documentation of PostgreSQL writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::AccessShare => "ACCESS SHARE",
            Mode::RowShare => "ROW SHARE",
            Mode::RowExclusive => "ROW EXCLUSIVE",
            Mode::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Mode::Share => "SHARE",
            Mode::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Mode::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }
}

/// What of a relation a lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Itself.
    Relation,
    /// Itself and its partitions.
    WithPartitions,
    /// Its indexes, and those of its partitions.
    Indexes,
}

/// A lock on a relation that is there before the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub mode: Mode,
    pub relation: QualifiedName,
    pub of: Of,
    /// Whether the conversion made the relation itself, so that nobody waits for the lock.
    pub is_new: bool,
}

impl Lock {
    /// On a relation that applications use.
    pub fn on(mode: Mode, relation: &QualifiedName) -> Lock {
        Lock {
            mode,
            relation: relation.clone(),
            of: Of::Relation,
            is_new: false,
        }
    }

    /// On one that the conversion has made.
    pub fn on_new(mode: Mode, relation: &QualifiedName) -> Lock {
        Lock {
            is_new: true,
            ..Lock::on(mode, relation)
        }
    }

    /// And on its partitions.
    pub fn with_partitions(self) -> Lock {
        Lock {
            of: Of::WithPartitions,
            ..self
        }
    }

    /// On its indexes instead, and on those of its partitions.
    pub fn on_indexes(self) -> Lock {
        Lock {
            of: Of::Indexes,
            ..self
        }
    }

    /// As data for programs.
    pub fn document(&self) -> Value {
        json!({
            "mode": self.mode.name(),
            "relation": self.relation.to_string(),
            "of": self.of,
            "new": self.is_new,
        })
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, relation) = (self.mode.name(), &self.relation);
        match self.of {
            Of::Relation => write!(out, "{mode} on {relation}")?,
            Of::WithPartitions => write!(out, "{mode} on {relation} and its partitions")?,
            Of::Indexes => write!(out, "{mode} on indexes of {relation}")?,
        }
        match self.is_new {
            true => out.write_str(" (new)"),
            false => Ok(()),
        }
    }
}

/// All of a step's locks in a line; `none` where there are none.
pub fn in_words(locks: &[Lock]) -> String {
    if locks.is_empty() {
        return "none".to_owned();
    }
    let all: Vec<String> = locks.iter().map(Lock::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_named_as_postgresql_names_them() {
        let name = |name: &str| QualifiedName::new("public", name);
        let locks = [
            Lock::on(Mode::AccessShare, &name("trades")),
            Lock::on_new(Mode::AccessExclusive, &name("trades_twin")).with_partitions(),
            Lock::on_new(Mode::Share, &name("trades_twin")).on_indexes(),
        ];
        assert_eq!(
            in_words(&locks),
            "ACCESS SHARE on public.trades; ACCESS EXCLUSIVE on public.trades_twin and its partitions (new); \
             SHARE on indexes of public.trades_twin (new)"
        );
        assert_eq!(in_words(&[]), "none");
    }

    #[test]
    fn stronger_modes_come_later() {
        assert!(Mode::AccessShare < Mode::ShareUpdateExclusive);
        assert!(Mode::ShareRowExclusive < Mode::AccessExclusive);
    }
}
