//! By what a plan is known again: a digest of the table's definition, of the plan, and of what
//! matters of the server.

use crate::db;
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::facts::Facts;
use serde::Serialize;
use std::fmt;

/// What of the server decides whether a plan can be carried out.
#[derive(Serialize)]
pub struct Circumstances {
    pub version: i64,
    pub wal_level: String,
    pub worker_slots: i64,
    pub lock_slots: i64,
    pub fits_on_disk: bool,
}

/// A digest for each of the three.
#[derive(Debug, PartialEq, Eq)]
pub struct PlanHash([String; 3]);

const PARTS: [&str; 3] = [
    "the definition of the table",
    "the plan",
    "version, settings or free space of the server",
];

impl PlanHash {
    pub fn new(facts: &Facts, plan: &Plan, circumstances: &Circumstances) -> Result<Self, Error> {
        Ok(PlanHash([
            digest(&facts.definition())?,
            digest(plan)?,
            digest(circumstances)?,
        ]))
    }

    /// Fails where `given` is not this hash, and says which part is another.
    pub fn check(&self, given: &str, relation: &str) -> Result<(), Error> {
        let parts: Vec<&str> = given.split('-').collect();
        let is_hash =
            |part: &&str| part.len() == DIGITS && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if parts.len() != self.0.len() || !parts.iter().all(is_hash) {
            return Err(Error::Argument {
                message: format!("invalid plan_hash \"{given}\""),
                detail: None,
                hint: Some(
                    "It is what details->>'plan_hash' shows in every row of a plan.".to_owned(),
                ),
            });
        }
        let changed: Vec<&str> = PARTS
            .into_iter()
            .zip(self.0.iter().zip(parts))
            .filter(|(_, (now, then))| now.as_str() != *then)
            .map(|(what, _)| what)
            .collect();
        match changed.is_empty() {
            true => Ok(()),
            false => Err(Error::PlanChanged {
                relation: relation.to_owned(),
                changed: changed.join("; "),
            }),
        }
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("-"))
    }
}

/// Hexadecimal digits of a part: no secret is kept here, and a hash must fit on a line.
const DIGITS: usize = 16;

fn digest(document: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string(document)
        .map_err(|error| Error::Internal(format!("a plan cannot be written: {error}")))?;
    let digest: String = db::value(
        "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')",
        &[text.into()],
    )?;
    Ok(digest.chars().take(DIGITS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named() {
        let part = |digit: &str| digit.repeat(DIGITS);
        let hash = PlanHash([part("1"), part("2"), part("3")]);
        assert!(hash.check(&hash.to_string(), "t").is_ok());
        let other = PlanHash([part("1"), part("a"), part("b")]);
        match hash.check(&other.to_string(), "t") {
            Err(Error::PlanChanged { changed, .. }) => {
                assert_eq!(
                    changed,
                    "the plan; version, settings or free space of the server"
                );
            }
            _ => panic!("it is another plan"),
        }
    }

    #[test]
    fn what_is_no_hash_is_told_from_an_old_one() {
        let hash = PlanHash(["1", "2", "3"].map(|digit| digit.repeat(DIGITS)));
        for given in ["", "-", "--", "1-2-3", &"1".repeat(50), "ü-ü-ü"] {
            assert!(
                matches!(hash.check(given, "t"), Err(Error::Argument { .. })),
                "{given}"
            );
        }
    }
}
