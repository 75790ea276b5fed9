//! What can be told of a statement from its text alone.

/// Types whose constants may be written behind the type's name, as in `interval '1 day'`.
const TYPED: [&str; 7] = [
    "interval",
    "date",
    "timestamptz",
    "timestamp",
    "timetz",
    "time",
    "numeric",
];

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'a> {
    /// A name or a key word, with its quotes if it has any.
    Word(&'a str),
    /// `$1`.
    Parameter(&'a str),
    /// White space and comments.
    Gap(&'a str),
    /// A string, or a single character.
    Other(&'a str),
}

impl<'a> Piece<'a> {
    fn text(self) -> &'a str {
        match self {
            Piece::Word(text) | Piece::Parameter(text) | Piece::Gap(text) | Piece::Other(text) => {
                text
            }
        }
    }
}

/// Whether one of the names stands in a statement as a name, not as part of another or of a string.
pub fn mentions(statement: &str, names: &[String]) -> bool {
    pieces(statement).into_iter().any(|piece| match piece {
        Piece::Word(word) => {
            let name = plain_name(word);
            names.contains(&name)
        }
        _ => false,
    })
}

/// As PostgreSQL reads a name: small letters, unless it is quoted.
fn plain_name(word: &str) -> String {
    match word
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

/// pg_stat_statements puts `$1` for a constant even where the grammar takes no parameter: behind
/// the name of its type, and as the field of EXTRACT. The same with what the grammar takes;
/// `None` where there is nothing of the kind.
pub fn with_casts(statement: &str) -> Option<String> {
    let pieces = pieces(statement);
    let mut written = String::with_capacity(statement.len() + 32);
    let mut is_changed = false;
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let word = match piece {
            Piece::Word(word) => word.to_lowercase(),
            _ => String::new(),
        };
        if let Some((end, parameter)) =
            typed_constant(&pieces, at).filter(|_| TYPED.contains(&word.as_str()))
        {
            let name: String = pieces[at..end].iter().map(|piece| piece.text()).collect();
            written.push_str(&format!("CAST({parameter} AS {})", name.trim_end()));
            is_changed = true;
            at = end + 1;
        } else if let Some((end, parameter)) =
            extracted_field(&pieces, at).filter(|_| word == "extract")
        {
            written.push_str(&format!("pg_catalog.\"extract\"({parameter},"));
            is_changed = true;
            at = end + 1;
        } else {
            written.push_str(piece.text());
            at += 1;
        }
    }
    is_changed.then_some(written)
}

/// Past gaps.
fn next(pieces: &[Piece], mut at: usize) -> usize {
    while let Some(Piece::Gap(_)) = pieces.get(at) {
        at += 1;
    }
    at
}

/// Where the name of a type at `from` is followed by a parameter: its place, and itself. Between
/// them there may be a precision, and WITH or WITHOUT TIME ZONE.
fn typed_constant<'a>(pieces: &[Piece<'a>], from: usize) -> Option<(usize, &'a str)> {
    let mut at = next(pieces, from + 1);
    if pieces.get(at) == Some(&Piece::Other("(")) {
        while pieces.get(at)? != &Piece::Other(")") {
            at += 1;
        }
        at = next(pieces, at + 1);
    }
    for wanted in [&["with", "without"][..], &["time"], &["zone"]] {
        match pieces.get(at)? {
            Piece::Word(word) if wanted.contains(&word.to_lowercase().as_str()) => {
                at = next(pieces, at + 1);
            }
            _ => break,
        }
    }
    match pieces.get(at)? {
        Piece::Parameter(parameter) => Some((at, parameter)),
        _ => None,
    }
}

/// `EXTRACT($1 FROM`: the place of FROM, and the parameter.
fn extracted_field<'a>(pieces: &[Piece<'a>], from: usize) -> Option<(usize, &'a str)> {
    let open = next(pieces, from + 1);
    let field = next(pieces, open + 1);
    let word = next(pieces, field + 1);
    match (pieces.get(open)?, pieces.get(field)?, pieces.get(word)?) {
        (Piece::Other("("), Piece::Parameter(parameter), Piece::Word(from))
            if from.eq_ignore_ascii_case("from") =>
        {
            Some((word, parameter))
        }
        _ => None,
    }
}

fn pieces<'a>(statement: &'a str) -> Vec<Piece<'a>> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let upto = |length: Option<usize>| length.unwrap_or(rest.len());
        let (length, make): (usize, fn(&'a str) -> Piece<'a>) = if rest.starts_with("--") {
            (upto(rest.find('\n')), Piece::Gap)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            (upto(comment.find("*/").map(|at| at + 4)), Piece::Gap)
        } else if first.is_whitespace() {
            (upto(rest.find(|c: char| !c.is_whitespace())), Piece::Gap)
        } else if first == '"' {
            (quoted(rest, '"'), Piece::Word)
        } else if first == '\'' {
            (quoted(rest, '\''), Piece::Other)
        } else if first == '$' {
            let digits = rest[1..].find(|c: char| !c.is_ascii_digit());
            match upto(digits.map(|digits| digits + 1)) {
                1 => (dollar_quoted(rest), Piece::Other),
                length => (length, Piece::Parameter),
            }
        } else if first.is_ascii_digit() {
            (upto(rest.find(|c: char| !is_letter(c))), Piece::Other)
        } else if is_letter(first) {
            (upto(rest.find(|c: char| !is_letter(c))), Piece::Word)
        } else {
            (first.len_utf8(), Piece::Other)
        };
        let (piece, after) = rest.split_at(length);
        found.push(make(piece));
        rest = after;
    }
    found
}

/// The length of a quoted text, where a doubled quote stands for itself.
fn quoted(text: &str, quote: char) -> usize {
    let mut from = 1;
    while let Some(at) = text[from..].find(quote) {
        from += at + 1;
        if !text[from..].starts_with(quote) {
            return from;
        }
        from += 1;
    }
    text.len()
}

/// The length of `$tag$ … $tag$`; of a lone dollar where it is none.
fn dollar_quoted(text: &str) -> usize {
    let Some(tag) = text[1..].find('$').map(|at| &text[..at + 2]) else {
        return 1;
    };
    match text[tag.len()..].find(tag) {
        Some(at) => at + 2 * tag.len(),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_found_as_names_only() {
        let names = ["trades".to_owned(), "We\"ird".to_owned()];
        let mentions = |statement| mentions(statement, &names);
        assert!(mentions("SELECT * FROM Trades"));
        assert!(mentions("SELECT * FROM public.\"trades\""));
        assert!(mentions("DELETE FROM \"We\"\"ird\""));
        assert!(!mentions("SELECT * FROM trades_old"));
        assert!(!mentions("SELECT 'trades' /* trades */ -- trades"));
        assert!(!mentions(
            "SELECT $$trades$$, $a$ trades $a$ FROM \"Trades\""
        ));
        assert!(mentions("SELECT $1 FROM \n trades"));
    }

    #[test]
    fn constants_behind_their_type_become_casts() {
        let written = |statement| with_casts(statement);
        assert_eq!(
            written("SELECT now() - interval $1, date $2").as_deref(),
            Some("SELECT now() - CAST($1 AS interval), CAST($2 AS date)")
        );
        assert_eq!(
            written("SELECT timestamp (3) with time zone $1").as_deref(),
            Some("SELECT CAST($1 AS timestamp (3) with time zone)")
        );
        assert_eq!(
            written("SELECT extract( $1 FROM at) FROM t").as_deref(),
            Some("SELECT pg_catalog.\"extract\"($1, at) FROM t")
        );
        assert_eq!(
            written("SELECT date, 'interval $1' FROM t WHERE a = $1"),
            None
        );
        assert_eq!(written("SELECT $1::interval"), None);
    }

    proptest! {
        #[test]
        fn pieces_make_up_the_statement(statement in "\\PC{0,60}") {
            let all: String = pieces(&statement).into_iter().map(Piece::text).collect();
            prop_assert_eq!(all, statement);
        }
    }
}
