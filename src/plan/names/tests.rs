use proptest::prelude::*;

use super::*;

const WEIRD: &str = "we\"ird. Näme";

fn names() -> Names {
    Names::default()
}

#[test]
fn a_name_that_fits_is_left_alone() {
    assert_eq!(names().derive("trades", "p2013_01"), "trades_p2013_01");
    assert_eq!(names().derive(WEIRD, "p2013"), "we\"ird. Näme_p2013");
    let longest = "t".repeat(54);
    assert_eq!(
        names().derive(&longest, "p2013_01"),
        format!("{longest}_p2013_01")
    );
}

#[test]
fn the_base_is_cut_and_never_the_suffix() {
    let name = names().derive(&"t".repeat(63), "p2013_01");
    assert_eq!(name, format!("{}_p2013_01", "t".repeat(54)));
    // 31 characters of two bytes and one of one: byte 54 is inside a character.
    let base = format!("x{}", "ä".repeat(31));
    let name = names().derive(&base, "p2013_01");
    assert_eq!(name, format!("x{}_p2013_01", "ä".repeat(26)));
    assert_eq!(name.len(), 62);
    let suffix = "s".repeat(62);
    assert_eq!(names().derive("trades", &suffix), format!("_{suffix}"));
}

#[test]
fn a_suffix_that_cannot_fit_ends_in_its_digest() {
    let one = names().derive("trades", &format!("{}one", "s".repeat(80)));
    let two = names().derive("trades", &format!("{}two", "s".repeat(80)));
    assert_ne!(one, two);
    assert_eq!((one.len(), two.len()), (63, 63));
}

#[test]
fn a_part_is_named_as_its_siblings_is() {
    let part = |model: &str| names().part("two_p20", "two_p10", model, 3);
    assert_eq!(part("two_p10_emea"), "two_p20_emea");
    assert_eq!(part("two_p10emea"), "two_p20_emea");
    assert_eq!(part("two_p10__x"), "two_p20_x");
    // Nothing, or nothing that says more than where it lies.
    assert_eq!(part("two_p10"), "two_p20_3");
    assert_eq!(part("two_p10_"), "two_p20_3");
    assert_eq!(part("emea_p10"), "two_p20_3");
    // As often as you like: names do not grow.
    assert_eq!(names().part("a2", "a1", "a1_3", 3), "a2_3");
}

#[test]
fn parts_of_partitions_with_long_names_differ() {
    let sibling = format!("{}_p2013_01", "t".repeat(54));
    let parents = ["02", "03"].map(|month| format!("{}_p2013_{month}", "t".repeat(54)));
    let made = parents.map(|parent| names().part(&parent, &sibling, "emea", 1));
    assert_ne!(made[0], made[1]);
    assert!(made.iter().all(|name| name.len() <= LONGEST_NAME));
}

#[test]
fn a_taken_name_gets_a_counter() {
    let mut names = Names::new(["trades_p2013".to_owned(), "trades_1_p2013".to_owned()]);
    assert_eq!(names.derive("trades", "p2013"), "trades_2_p2013");
    assert_eq!(names.derive("trades", "p2013"), "trades_3_p2013");
    assert_eq!(names.derive("trades", "p2014"), "trades_p2014");
    let long = "t".repeat(63);
    let cut = names.derive(&long, "p2013_01");
    let counted = names.derive(&long, "p2013_01");
    assert_eq!(cut, format!("{}_p2013_01", "t".repeat(54)));
    assert_eq!(counted, format!("{}_1_p2013_01", "t".repeat(52)));
}

#[test]
fn the_leaf_takes_the_place_of_the_table() {
    for (leaf, table, object, expected) in [
        (
            "trades_p2013_01",
            "trades",
            "trades_pkey",
            "trades_p2013_01_pkey",
        ),
        (
            "trades_p2013_01",
            "trades",
            "by_time",
            "trades_p2013_01_by_time",
        ),
        // Another table's name that begins alike.
        (
            "trade_p2013",
            "trade",
            "trades_idx",
            "trade_p2013_trades_idx",
        ),
        ("trades_p2013", "trades", "trades", "trades_p2013_trades"),
        ("trades_p2013", "trades", "trades_", "trades_p2013_trades_"),
        ("t_p2013", WEIRD, "we\"ird. Näme_key", "t_p2013_key"),
    ] {
        assert_eq!(names().leaf_object(leaf, table, object), expected);
    }
}

#[test]
fn long_leaf_and_index_names_stay_apart_without_counters() {
    let table = "t".repeat(63);
    let mut names = Names::default();
    for month in 1..=12 {
        let leaf = names.derive(&table, &format!("p2013_{month:02}"));
        for index in ["pkey", "by_time", &format!("{}_a_idx", "i".repeat(57))] {
            let alone = Names::default().leaf_object(&leaf, &table, index);
            assert_eq!(names.leaf_object(&leaf, &table, index), alone);
        }
    }
    assert_eq!(names.taken.len(), 12 * 4);
}

#[test]
fn plain_names_are_not_quoted() {
    for name in ["trades", "_t", "p2013_01", "t1", "name", "value", "type"] {
        assert_eq!(quote_ident(name), name);
    }
}

#[test]
fn anything_else_is_quoted() {
    for (name, quoted) in [
        (WEIRD, "\"we\"\"ird. Näme\""),
        ("", "\"\""),
        ("Trades", "\"Trades\""),
        ("1t", "\"1t\""),
        ("a b", "\"a b\""),
        ("a.b", "\"a.b\""),
        ("a$b", "\"a$b\""),
        ("naïve", "\"naïve\""),
        ("order", "\"order\""),
        ("user", "\"user\""),
        ("between", "\"between\""),
        ("system_user", "\"system_user\""),
        ("merge_action", "\"merge_action\""),
        ("x\"; DROP TABLE y--", "\"x\"\"; DROP TABLE y--\""),
        ("line\nbreak\\", "\"line\nbreak\\\""),
    ] {
        assert_eq!(quote_ident(name), quoted);
    }
}

#[test]
fn key_words_are_sorted_and_plain() {
    assert!(keywords::KEY_WORDS.is_sorted_by(|one, next| one < next));
    for word in keywords::KEY_WORDS {
        assert_eq!(quote_ident(word), format!("\"{word}\""));
    }
}

#[test]
fn literals_follow_postgresql() {
    for (text, literal) in [
        ("", "''"),
        ("plain", "'plain'"),
        ("O'Brien", "'O''Brien'"),
        ("a\\b", "E'a\\\\b'"),
        ("\\'", "E'\\\\'''"),
        ("two\nlines \"x\"", "'two\nlines \"x\"'"),
    ] {
        assert_eq!(quote_literal(text), literal);
    }
}

#[test]
fn qualified_names_display_quoted() {
    let name = |schema: &str, name: &str| QualifiedName::new(schema, name);
    assert_eq!(name("public", "trades").to_string(), "public.trades");
    assert_eq!(
        name("My Schema", WEIRD).to_string(),
        "\"My Schema\".\"we\"\"ird. Näme\""
    );
    let json = serde_json::to_string(&name("public", WEIRD)).unwrap();
    assert_eq!(
        serde_json::from_str::<QualifiedName>(&json).unwrap(),
        name("public", WEIRD)
    );
}

/// Catalog names: any text of up to 63 bytes, with a bias to the awkward.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(WEIRD.to_owned()),
        Just("日".repeat(21)),
        Just("t".repeat(63)),
        "[a-z_]{1,63}",
        "[^\\x00]{1,63}",
    ]
    .prop_map(|name| cut(&name, LONGEST_NAME).to_owned())
}

#[test]
fn values_are_told_by_their_letters_and_digits() {
    let told = [
        "DE",
        "it's",
        "New York",
        "-5",
        "5",
        "",
        "--",
        "Österreich",
        "2024-01-31 00:00:00+00",
        "{a,b}",
    ]
    .map(label);
    let expected = [
        "de",
        "it_s",
        "new_york",
        "minus_5",
        "5",
        "value",
        "value",
        "österreich",
        "2024_01_31_00_00_00_00",
        "a_b",
    ];
    assert_eq!(told, expected);
    let long = label(&"ä".repeat(100));
    assert_eq!((long.len(), &long[..4]), (35, "ää"));
    assert_ne!(
        label(&format!("{}1", "x".repeat(80))),
        label(&format!("{}2", "x".repeat(80)))
    );
}

proptest! {
    /// Any value has a label, and names of it are names: other values that look alike get others.
    #[test]
    fn any_value_gives_a_name(values in proptest::collection::vec(any::<String>(), 1..20), base in "[a-z]{1,63}") {
        let mut names = names();
        let mut all: Vec<String> = values.iter().map(|value| names.derive(&base, &label(value))).collect();
        for name in &all {
            prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME);
        }
        all.sort();
        all.dedup();
        prop_assert_eq!(all.len(), values.len());
    }
}

proptest! {
    #[test]
    fn derived_names_fit_and_are_unique(
        taken in prop::collection::vec(any_name(), 0..5),
        bases in prop::collection::vec(any_name(), 1..5),
        suffixes in prop::collection::vec("[a-z0-9_]{0,40}|[^\\x00]{0,80}", 1..5),
    ) {
        let mut seen: HashSet<String> = taken.iter().cloned().collect();
        let (mut names, mut again) = (Names::new(taken.clone()), Names::new(taken));
        for base in &bases {
            for suffix in &suffixes {
                for table in [base.as_str(), "trades"] {
                    let leaf = names.derive(base, suffix);
                    let object = names.leaf_object(&leaf, table, suffix);
                    for name in [&leaf, &object] {
                        prop_assert!(name.len() <= LONGEST_NAME);
                        prop_assert!(seen.insert(name.clone()), "{} twice", name);
                    }
                    prop_assert_eq!(&again.derive(base, suffix), &leaf);
                    prop_assert_eq!(again.leaf_object(&leaf, table, suffix), object);
                    if suffix.len() < LONGEST_NAME {
                        prop_assert!(leaf.ends_with(suffix) || suffix.len() > 40);
                    }
                }
            }
        }
    }

    #[test]
    fn a_quoted_identifier_reads_back(name in any_name()) {
        let quoted = quote_ident(&name);
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inner {
            Some(inner) => {
                prop_assert!(!inner.replace("\"\"", "").contains('"'));
                prop_assert_eq!(inner.replace("\"\"", "\""), name);
            }
            None => prop_assert_eq!(quoted, name),
        }
    }

    #[test]
    fn a_quoted_literal_reads_back(text in "[^\\x00]{0,40}|['\\\\ab]{0,20}") {
        let quoted = quote_literal(&text);
        let escaped = quoted.starts_with('E');
        let inner = quoted.trim_start_matches('E').strip_prefix('\'').unwrap();
        let inner = inner.strip_suffix('\'').unwrap();
        prop_assert!(!inner.replace("''", "").contains('\''));
        prop_assert_eq!(escaped, text.contains('\\'));
        let read = inner.replace("''", "'");
        prop_assert_eq!(if escaped { read.replace("\\\\", "\\") } else { read }, text);
    }
}
