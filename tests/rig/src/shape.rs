//! What a table under test looks like, told in SQL fragments from which the workload's statements
//! are made.
//!
//! Every row has a *number* `n` by which clients speak of it. Fragments may hold `{n}` (the row's
//! number), `{r}` (a random whole number, 0 to 2^31), `{fresh}` (a number never used before) and
//! `{t}` (the table).

use crate::ledger::LINK_COLUMNS;

/// A table under test.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The table's name, as SQL.
    pub table: &'static str,
    /// Statements that create table and indexes; `{link}` stands for the ledger's two columns.
    pub ddl: &'static str,
    /// Each column that an insertion fills, with the expression for its value.
    pub columns: &'static [(&'static str, &'static str)],
    /// The identity column, where numbers come from the table's own sequence.
    pub identity: Option<&'static str>,
    /// Condition that holds for row number `{n}` alone.
    pub locate: &'static str,
    /// SET list that changes the row where it is; columns are qualified with `{t}`.
    pub touch: &'static str,
    /// SET list that moves the row to another partition.
    pub shift: &'static str,
    /// Whether `shift` gives the row the number `{fresh}`.
    pub shift_renumbers: bool,
    /// Conflict target for upserts that means the same before and after the conversion.
    pub conflict: Option<&'static str>,
    /// Column to partition by.
    pub partition_column: &'static str,
    /// Width of a partition.
    pub partition_interval: &'static str,
    /// Bytes of padding that make each row so much longer.
    pub padding: usize,
}

impl Shape {
    /// The statements that create the table.
    pub fn create_sql(&self) -> String {
        let padding = match self.padding {
            0 => String::new(),
            bytes => format!(", padding char({bytes}) NOT NULL DEFAULT 'padding'"),
        };
        self.ddl
            .replace("{link}", &format!("{LINK_COLUMNS}{padding}"))
    }

    /// The same with rows of about 1 kB, 7 to a page: twenty thousand need two of the copy's block
    /// ranges, and an updated row goes to another page.
    pub fn widened(self) -> Self {
        Self {
            padding: 900,
            ..self
        }
    }

    /// The columns that an insertion with an explicit number fills.
    pub fn column_list(&self) -> String {
        self.columns
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Their values.
    pub fn value_list(&self, n: &str, r: &str) -> String {
        let values: Vec<&str> = self.columns.iter().map(|(_, value)| *value).collect();
        self.fill(&values.join(", "), n, r)
    }

    /// The columns and values of an insertion that leaves the number to the identity column.
    pub fn without_identity(&self, r: &str) -> (String, String) {
        let kept = self
            .columns
            .iter()
            .filter(|(name, _)| Some(*name) != self.identity);
        let (names, values): (Vec<&str>, Vec<&str>) = kept.copied().unzip();
        (names.join(", "), self.fill(&values.join(", "), r, r))
    }

    /// Replaces the placeholders of a fragment.
    pub fn fill(&self, fragment: &str, n: &str, r: &str) -> String {
        fragment
            .replace("{n}", n)
            .replace("{r}", r)
            .replace("{t}", self.table)
    }
}
