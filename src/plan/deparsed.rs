//! Texts as PostgreSQL writes them down from what it has stored.

use std::iter::Peekable;
use std::str::Chars;

/// What is left of such a text when it was read and written down again: all but casts and parentheses.
///
/// PostgreSQL does not always write down what it would make of its own text. `s IN ('a', 'b')` over a varchar is stored as
/// `(ARRAY['a'::varchar, 'b'::varchar])::text[]`, which is read as `ARRAY[('a'::varchar)::text, …]`; and of
/// `((a AND b) AND c)` it makes `(a AND b AND c)`.
pub fn bare(text: &str) -> String {
    let mut rest = text.chars().peekable();
    let mut tokens: Vec<String> = Vec::new();
    while let Some(next) = rest.next() {
        match next {
            '(' | ')' => {}
            letter if letter.is_whitespace() => {}
            '\'' | '"' => tokens.push(quoted(next, &mut rest)),
            '$' => tokens.push(after_dollar(&mut rest)),
            ':' if rest.next_if_eq(&':').is_some() => skip_type(&mut rest),
            letter if is_word(letter) => {
                let mut word = String::from(letter);
                word.extend(std::iter::from_fn(|| rest.next_if(|next| is_word(*next))));
                // Within it a backslash may stand before a quote.
                if word == "E" && rest.next_if_eq(&'\'').is_some() {
                    word.push_str(&escaped(&mut rest));
                }
                tokens.push(word);
            }
            other => tokens.push(other.to_string()),
        }
    }
    tokens.join(" ")
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// A string or a name, up to the quote that is not doubled.
fn quoted(quote: char, rest: &mut Peekable<Chars>) -> String {
    let mut text = String::from(quote);
    while let Some(next) = rest.next() {
        text.push(next);
        if next == quote {
            match rest.next_if_eq(&quote) {
                Some(doubled) => text.push(doubled),
                None => break,
            }
        }
    }
    text
}

/// The rest of a string with backslashes.
fn escaped(rest: &mut Peekable<Chars>) -> String {
    let mut text = String::from('\'');
    while let Some(next) = rest.next() {
        text.push(next);
        match next {
            '\\' => text.extend(rest.next()),
            '\'' => match rest.next_if_eq(&'\'') {
                Some(doubled) => text.push(doubled),
                None => break,
            },
            _ => {}
        }
    }
    text
}

/// A string between two tags, or a parameter.
fn after_dollar(rest: &mut Peekable<Chars>) -> String {
    let mut text = String::from('$');
    text.extend(std::iter::from_fn(|| rest.next_if(|next| is_word(*next))));
    if rest.next_if_eq(&'$').is_none() {
        return text;
    }
    text.push('$');
    let tag = text.clone();
    for next in rest.by_ref() {
        text.push(next);
        if next == '$' && text.len() >= 2 * tag.len() && text.ends_with(&tag) {
            break;
        }
    }
    text
}

/// The name of a type as `format_type` writes it.
fn skip_type(rest: &mut Peekable<Chars>) {
    let mut last = skip_name(rest);
    while rest.next_if_eq(&'.').is_some() {
        last = skip_name(rest);
    }
    skip_modifier(rest);
    let words: &[&str] = match last.as_str() {
        "character" | "bit" => &["varying"],
        "double" => &["precision"],
        "timestamp" | "time" => &["with", "without", "time", "zone"],
        "interval" => &["year", "month", "day", "hour", "minute", "second", "to"],
        _ => &[],
    };
    while skip_one_of(words, rest) {
        skip_modifier(rest);
    }
    while rest.next_if_eq(&'[').is_some() {
        rest.next_if_eq(&']');
    }
}

fn skip_name(rest: &mut Peekable<Chars>) -> String {
    match rest.next_if_eq(&'"') {
        Some(quote) => quoted(quote, rest),
        None => std::iter::from_fn(|| rest.next_if(|next| is_word(*next))).collect(),
    }
}

/// What is in parentheses right behind a type's name.
fn skip_modifier(rest: &mut Peekable<Chars>) {
    if rest.next_if_eq(&'(').is_some() {
        for next in rest.by_ref() {
            if next == ')' {
                break;
            }
        }
    }
}

/// Goes over a blank and one of these words, if they come next.
fn skip_one_of(words: &[&str], rest: &mut Peekable<Chars>) -> bool {
    let mut ahead = rest.clone();
    if ahead.next_if_eq(&' ').is_none() {
        return false;
    }
    let word: String = std::iter::from_fn(|| ahead.next_if(|next| is_word(*next))).collect();
    let is_one = words.contains(&word.as_str());
    if is_one {
        *rest = ahead;
    }
    is_one
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn casts_and_parentheses_are_left_out() {
        let stored = "(((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying(3)])::text[])) AND (id > 0))";
        let read = "((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying(3))::text]) AND id > 0)";
        assert_eq!(bare(stored), bare(read));
        assert_eq!(bare(read), "s = ANY ARRAY [ 'a' , 'b' ] AND id > 0");
    }

    #[test]
    fn types_end_where_they_end() {
        for (text, wanted) in [
            ("a::timestamp(3) without time zone AND b", "a AND b"),
            ("a::time with time zone[] || b", "a | | b"),
            ("x::double precision + y", "x + y"),
            ("x::\"odd \"\"schema\".\"Type\"[] = y", "x = y"),
            ("x::interval day to second(3) > y", "x > y"),
            ("x::numeric(10,2)) * 3", "x * 3"),
            ("x::public.character IS NULL", "x IS NULL"),
            ("a[1:2]", "a [ 1 : 2 ]"),
        ] {
            assert_eq!(bare(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_stays_as_it_is() {
        for text in [
            "'a (b)::c'",
            "'it''s (x)'",
            "\"a(\"\"b)::c\"",
            "$function$ (a)::b $f$ $function$",
            "$$(a)::b$$",
        ] {
            assert_eq!(bare(text), text);
        }
        assert_eq!(bare("(E'\\'(' || $1)"), "E'\\'(' | | $1");
    }

    #[test]
    fn what_means_something_else_differs() {
        for (one, other) in [
            ("a = 'b'", "a = 'c'"),
            ("a > b", "a >= b"),
            ("a AND b", "a OR b"),
        ] {
            assert_ne!(bare(one), bare(other));
        }
    }
}
