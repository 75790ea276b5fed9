//! Names that we derive, and how names and texts are written in SQL.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

mod keywords;
#[cfg(test)]
mod tests;

/// `NAMEDATALEN - 1`, in bytes. A longer name would be cut by the server, to its own taste.
pub const LONGEST_NAME: usize = 63;

/// Length of a digest with the underscore before it.
const DIGEST: usize = 9;

/// Most bytes of a name that tell a value of a list: a uuid has room.
const LONGEST_LABEL: usize = 36;

/// Least room that an object's name keeps beside a long leaf name.
const OBJECT_ROOM: usize = 24;

/// Derives names that are free in one schema.
///
/// Every name is valid UTF-8, at most [`LONGEST_NAME`] bytes, and a function of the arguments and
/// the names taken so far: the same calls in the same order give the same names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Starts from the names that are taken already.
    pub fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self {
            taken: taken.into_iter().collect(),
        }
    }

    /// Takes the name `base_suffix`.
    ///
    /// Where it is too long the base is cut, and the suffix only if it does not fit by itself;
    /// where it is taken a counter comes between: `base_1_suffix`.
    pub fn derive(&mut self, base: &str, suffix: &str) -> String {
        let mut name = compose(base, "_", suffix);
        let mut counter: u64 = 0;
        while self.taken.contains(&name) {
            counter += 1;
            name = compose(base, &format!("_{counter}_"), suffix);
        }
        self.taken.insert(name.clone());
        name
    }

    /// Takes the name for a leaf's own copy of one of the table's indexes or constraints.
    ///
    /// Where the object's name is the table's and something after an underscore, the leaf's name
    /// takes the table's place: `trades_pkey` becomes `trades_p2013_01_pkey`. Otherwise the leaf's
    /// name comes before the object's. What is too long is cut and ends in a digest of the whole,
    /// since names of leaves, and of indexes, often differ only at their ends.
    pub fn leaf_object(&mut self, leaf: &str, table: &str, object: &str) -> String {
        let own = object
            .strip_prefix(table)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|rest| !rest.is_empty())
            .unwrap_or(object);
        let room = LONGEST_NAME - 1;
        let own = digest_end(own, OBJECT_ROOM.max(room.saturating_sub(leaf.len())));
        let leaf = digest_end(leaf, room - own.len());
        self.derive(&leaf, &own)
    }

    /// Takes the name for a partition of `parent` that is made like `model`, a partition of `sibling`.
    ///
    /// Where the model's name is its parent's and something after it, the new parent's name takes that
    /// place: `trades_p2013_emea` becomes `trades_p2014_emea`. Otherwise it is the new parent's name and
    /// the number.
    pub fn part(&mut self, parent: &str, sibling: &str, model: &str, number: usize) -> String {
        let own = model.strip_prefix(sibling);
        let own = own.map(|rest| rest.trim_start_matches('_'));
        let number = number.to_string();
        let own = own.filter(|rest| !rest.is_empty()).unwrap_or(&number);
        // What both begin with by chance is no part of the name.
        self.leaf_object(parent, "", own)
    }
}

/// What of a name tells a value of a list: its letters, lower-case, and digits; what is between them
/// becomes an underscore. Not unique, as little as it can be read back: [`Names`] see to that.
pub fn label(value: &str) -> String {
    let sign = match value.strip_prefix('-') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => "minus_",
        _ => "",
    };
    let words: Vec<&str> = value
        .split(|other: char| !other.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    match words.is_empty() {
        true => "value".to_owned(),
        false => digest_end(
            &format!("{sign}{}", words.join("_").to_lowercase()),
            LONGEST_LABEL,
        ),
    }
}

/// Puts a name together, at most [`LONGEST_NAME`] bytes long.
fn compose(base: &str, middle: &str, suffix: &str) -> String {
    let room = LONGEST_NAME - middle.len();
    let suffix = digest_end(suffix, room);
    let base = cut(base, room - suffix.len());
    format!("{base}{middle}{suffix}")
}

/// The text itself if it has room, else its beginning and a digest of all of it.
fn digest_end(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    format!("{}_{:08x}", cut(text, room - DIGEST), digest(text))
}

/// The longest beginning that fits into `room` bytes and splits no character.
fn cut(text: &str, room: usize) -> &str {
    &text[..text.floor_char_boundary(room)]
}

/// FNV-1a, folded to 32 bits. The standard library's hashes may change from one Rust to the next,
/// and with them the names.
fn digest(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as u32 ^ hash as u32
}

/// A role as GRANT and CREATE POLICY name it; `None` is PUBLIC.
pub fn quote_role(role: Option<&str>) -> String {
    role.map_or_else(|| "PUBLIC".to_owned(), quote_ident)
}

/// A name as an SQL identifier. Plain lower-case names that are no key words stay as they are,
/// everything else is quoted.
///
/// Key words are those of all supported versions, so that a text does not depend on the server;
/// to quote too much does no harm. NUL bytes, which no catalog name holds, are not looked for.
pub fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|first: char| first == '_' || first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && keywords::KEY_WORDS.binary_search(&name).is_err();
    if plain {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal, the same under either setting of `standard_conforming_strings`.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') {
        return format!("E'{}'", doubled.replace('\\', "\\\\"));
    }
    format!("'{doubled}'")
}

/// A name and the schema it is in. Displayed, both are [quoted](quote_ident).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualifiedName {
    /// The schema's name as the catalog has it.
    pub schema: String,
    /// The object's name as the catalog has it.
    pub name: String,
}

impl QualifiedName {
    /// The name of an object in a schema, both as the catalog has them.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}",
            quote_ident(&self.schema),
            quote_ident(&self.name)
        )
    }
}
