//! Who holds a table, or an old snapshot, at this moment.

use super::as_bookkeeper;
use crate::db;
use crate::error::Error;
use pgrx::{JsonB, pg_sys};
use serde_json::Value;

const HOLDERS: &str = include_str!("sql/holders.sql");

/// A session, or a prepared transaction.
pub struct Holder(Value);

/// Those of a table, the oldest first.
pub fn of(relation: pg_sys::Oid) -> Result<Vec<Holder>, Error> {
    as_bookkeeper(|| {
        db::rows(HOLDERS, &[relation.into()], |row| {
            let JsonB(document) = row.get(1)?;
            Ok(Holder(document))
        })
    })
}

/// Lock modes that let writers go on.
const BESIDE_CAPTURE: [&str; 2] = ["AccessShareLock", "RowShareLock"];

impl Holder {
    /// Whether the capture of changes could not begin beside it: it lets readers pass.
    pub fn blocks_capture(&self) -> bool {
        self.modes().any(|mode| !BESIDE_CAPTURE.contains(&mode))
    }

    fn modes(&self) -> impl Iterator<Item = &str> {
        let modes = self.0.get("modes").and_then(Value::as_array);
        modes.into_iter().flatten().filter_map(Value::as_str)
    }

    /// What a program wants to know.
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// In a few words: `process 4711 (psql, transaction open since 2026-11-21 09:33:13+00)`.
    pub fn in_words(&self) -> String {
        let text = |key: &str| self.0.get(key).and_then(Value::as_str);
        let since =
            text("transaction_began").map(|since| format!("transaction open since {since}"));
        let who = match (text("prepared_transaction"), self.0.get("pid")) {
            (Some(gid), _) => format!("prepared transaction \"{gid}\""),
            (None, Some(pid)) => format!("process {pid}"),
            (None, None) => "another process".to_owned(),
        };
        let about: Vec<String> = text("application")
            .or(text("backend_type"))
            .map(str::to_owned)
            .into_iter()
            .chain(since)
            .collect();
        match about.is_empty() {
            true => who,
            false => format!("{who} ({})", about.join(", ")),
        }
    }
}
