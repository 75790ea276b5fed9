//! The SQL of the workload, made once from a shape.
//!
//! Each statement changes at most one row and writes the ledger entry in the same breath. The
//! parameters are always the same four: `$1` number, `$2` random, `$3` operation, `$4` fresh number.

use crate::shape::Shape;

const N: &str = "$1::bigint";
const R: &str = "$2::bigint";
const OP: &str = "$3::bigint";
const FRESH: &str = "$4::bigint";

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Changes a row where it is.
    Touch,
    /// Moves a row to another partition.
    Shift,
    /// Inserts a row whose number the table chooses, or that is `$1`.
    Insert,
    /// Inserts the row number `$1`.
    Place,
    Delete,
    Upsert,
    /// Reads which operation wrote the row last.
    Look,
}

/// The workload's statements for one table.
#[derive(Debug)]
pub struct Statements {
    touch: String,
    shift: String,
    insert: String,
    place: String,
    delete: String,
    upsert: Option<String>,
    look: String,
}

impl Statements {
    /// Makes them.
    pub fn of(shape: &Shape) -> Self {
        Self {
            touch: update(shape, "touch", shape.touch, N),
            shift: update(
                shape,
                "shift",
                shape.shift,
                if shape.shift_renumbers { FRESH } else { N },
            ),
            insert: match shape.identity {
                Some(identity) => insert(
                    shape,
                    "insert",
                    shape.without_identity(R),
                    &format!("w.{identity}"),
                ),
                None => insert(
                    shape,
                    "insert",
                    (shape.column_list(), shape.value_list(N, R)),
                    N,
                ),
            },
            place: insert(
                shape,
                "place",
                (shape.column_list(), shape.value_list(N, R)),
                N,
            ),
            delete: delete(shape),
            upsert: shape.conflict.map(|target| upsert(shape, target)),
            look: shape.fill(
                &format!("SELECT op FROM {{t}} WHERE {}", shape.locate),
                N,
                R,
            ),
        }
    }

    /// The statement for a verb; a table without a conflict target has no upsert.
    pub fn sql(&self, verb: Verb) -> Option<&str> {
        Some(match verb {
            Verb::Touch => &self.touch,
            Verb::Shift => &self.shift,
            Verb::Insert => &self.insert,
            Verb::Place => &self.place,
            Verb::Delete => &self.delete,
            Verb::Upsert => self.upsert.as_ref()?,
            Verb::Look => &self.look,
        })
    }
}

fn noted(change: &str, kind: &str, number: &str) -> String {
    format!(
        "WITH w AS ({change} RETURNING {{t}}.*)
         INSERT INTO rig.ledger (op, before, kind, number, image)
         SELECT w.op, w.before, '{kind}', {number}, rig.image(w::text) FROM w
         RETURNING number"
    )
}

fn update(shape: &Shape, kind: &str, set: &str, number: &str) -> String {
    let change = format!(
        "UPDATE {{t}} SET {set}, before = {{t}}.op, op = {OP} WHERE {}",
        shape.locate
    );
    shape
        .fill(&noted(&change, kind, number), N, R)
        .replace("{fresh}", FRESH)
}

fn insert(shape: &Shape, kind: &str, (columns, values): (String, String), number: &str) -> String {
    let change = format!("INSERT INTO {{t}} ({columns}, op) VALUES ({values}, {OP})");
    shape.fill(&noted(&change, kind, number), N, R)
}

fn upsert(shape: &Shape, target: &str) -> String {
    // The row of an upsert is a function of its number, so that it always meets the same partition.
    let (columns, values) = (shape.column_list(), shape.value_list(N, N));
    let change = format!(
        "INSERT INTO {{t}} ({columns}, op) VALUES ({values}, {OP})
         ON CONFLICT {target} DO UPDATE SET {}, before = {{t}}.op, op = excluded.op",
        shape.touch
    );
    shape.fill(&noted(&change, "upsert", N), N, R)
}

fn delete(shape: &Shape) -> String {
    let sql = format!(
        "WITH w AS (DELETE FROM {{t}} WHERE {} RETURNING {{t}}.op)
         INSERT INTO rig.ledger (op, before, kind, number)
         SELECT {OP}, w.op, 'delete', {N} FROM w
         RETURNING number",
        shape.locate
    );
    shape.fill(&sql, N, R)
}
