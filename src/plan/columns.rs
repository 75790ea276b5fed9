//! Lists of columns, as SQL writes them.

use super::names::quote_ident;

/// By their names.
pub fn listed(columns: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = columns.into_iter();
    let quoted: Vec<String> = quoted.map(|column| quote_ident(column.as_ref())).collect();
    quoted.join(", ")
}

/// Those of one row.
pub fn of_row(row: &str, columns: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let named: Vec<String> = each_of(row, columns).collect();
    named.join(", ")
}

/// That some of one row are equal to as many of another, in that order.
pub fn equal(
    (one, columns): (&str, impl IntoIterator<Item = impl AsRef<str>>),
    (other, to): (&str, impl IntoIterator<Item = impl AsRef<str>>),
) -> String {
    let compared: Vec<String> = each_of(one, columns)
        .zip(each_of(other, to))
        .map(|(one, other)| format!("{one} = {other}"))
        .collect();
    compared.join(" AND ")
}

fn each_of(
    row: &str,
    columns: impl IntoIterator<Item = impl AsRef<str>>,
) -> impl Iterator<Item = String> {
    let columns = columns.into_iter();
    columns.map(move |column| format!("{row}.{}", quote_ident(column.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_quoted() {
        let (own, others) = (["id", "A, b"], ["key", "a\".b"]);
        assert_eq!(listed(own), r#"id, "A, b""#);
        assert_eq!(of_row("NEW", own), r#"NEW.id, NEW."A, b""#);
        assert_eq!(
            equal(("p", own), ("g", others)),
            r#"p.id = g.key AND p."A, b" = g."a"".b""#
        );
    }
}
