use super::*;
use crate::plan::dependents::{IncomingKey, Trigger};
use crate::plan::names::{LONGEST_NAME, quote_ident, quote_literal};
use proptest::prelude::*;
use serde_json::json;

fn column(attnum: i16, name: &str) -> Column {
    serde_json::from_value(json!({
        "attnum": attnum, "name": name, "type_name": "bigint", "type_oid": 20, "not_null": true,
        "has_default": false, "generated": "", "identity": "", "statistics": null, "options": null,
        "storage": "p", "compression": "", "default_text": null, "collation": 0, "comment": null,
        "grants": [], "sequences": []
    }))
    .unwrap()
}

fn index(name: &str, columns: &[&Column]) -> Index {
    let key_attnums: Vec<i16> = columns.iter().map(|column| column.attnum).collect();
    let written: Vec<String> = columns
        .iter()
        .map(|column| quote_ident(&column.name))
        .collect();
    serde_json::from_value(json!({
        "oid": 1, "name": name, "method": "btree", "is_unique": true, "is_primary": true,
        "is_exclusion": false, "exclusion": null, "is_valid": true, "is_clustered": false,
        "nulls_not_distinct": false, "immediate": true, "has_expressions": false, "calls": [], "has_whole_row": false,
        "extensions": [], "predicate": null, "key_attnums": key_attnums,
        "constraint": {"name": name, "kind": "p", "deferrable": false, "deferred": false,
                       "without_overlaps": false, "grouped_by": [], "comment": null},
        "columns": written, "include": [], "statistics": [], "options": null, "tablespace": null, "comment": null
    }))
    .unwrap()
}

/// A table with a key of these columns, and the column that it is to be partitioned by.
fn table(name: &str, of_key: &[&str], at: &str) -> (Facts, Column) {
    let mut columns: Vec<Column> = (1..)
        .zip(of_key)
        .map(|(attnum, name)| column(attnum, name))
        .collect();
    let key: Vec<&Column> = columns.iter().collect();
    let index = index(&format!("{name}_pkey"), &key);
    let at = column(columns.len() as i16 + 1, at);
    columns.push(at.clone());
    let facts = Facts {
        name: name.to_owned(),
        columns,
        indexes: vec![index],
        ..Facts::of_a_plain_table()
    };
    (facts, at)
}

fn planned(facts: &Facts, at: &Column) -> Option<Guard> {
    let twin = QualifiedName {
        schema: "public".to_owned(),
        name: "the twin".to_owned(),
    };
    plan(facts, at, &twin, &mut Names::default())
}

fn incoming(referenced: &[i16]) -> IncomingKey {
    serde_json::from_value(json!({
        "oid": 7, "name": "k", "relation": 9, "schema": "public", "relation_name": "items", "owner": 10,
        "owner_name": "o", "is_of_partitioned": false, "head": "FOREIGN KEY (a) REFERENCES ",
        "rest": "(id)", "referenced": referenced, "is_valid": true, "acts": true,
        "owner_may_reference": true, "comment": null, "parts": []
    }))
    .unwrap()
}

fn told(facts: &Facts, at: &Column) -> Vec<String> {
    refused::refused(facts, at)
        .into_iter()
        .map(|blocker| blocker.fact)
        .collect()
}

#[test]
fn a_plain_key_is_guarded() {
    let (facts, at) = table("orders", &["id"], "at");
    assert_eq!(told(&facts, &at), Vec::<String>::new());
    let guard = planned(&facts, &at).unwrap();
    assert_eq!(guard.name.to_string(), "public.orders_pkey_guard");
    assert_eq!(guard.columns, ["id", "at"]);
    assert_eq!(
        guard.link.statement,
        "ALTER TABLE public.orders_pkey_guard ADD CONSTRAINT orders_pkey_guard_fkey FOREIGN KEY (id, at) \
         REFERENCES public.\"the twin\" (id, at) ON UPDATE CASCADE ON DELETE CASCADE NOT VALID"
    );
}

#[test]
fn a_key_with_the_partition_column_needs_none() {
    let (mut facts, at) = table("orders", &["id"], "at");
    facts.indexes[0].key_attnums.push(at.attnum);
    assert_eq!(planned(&facts, &at), None);
    assert_eq!(
        told(&facts, &at),
        ["Key \"orders_pkey\" contains the partition column, and needs no unique_guard."]
    );
}

#[test]
fn keys_that_point_elsewhere_are_refused_whenever_they_come() {
    let (mut facts, at) = table("orders", &["id", "region"], "at");
    let guard = planned(&facts, &at).unwrap();
    facts.dependents.incoming_keys = vec![incoming(&[2, 1])];
    assert_eq!(told(&facts, &at), Vec::<String>::new());
    assert_eq!(guard.refused_meanwhile(&facts), []);
    for other in [&[1][..], &[1, 2, 3], &[2, 3]] {
        facts.dependents.incoming_keys = vec![incoming(other)];
        assert_eq!(told(&facts, &at).len(), 1);
        assert_eq!(guard.refused_meanwhile(&facts).len(), 1);
    }
}

fn to_itself(columns: &[i16], referenced: &[i16]) -> SelfKey {
    serde_json::from_value(json!({
        "oid": 8, "name": "own", "head": "FOREIGN KEY (parent) REFERENCES ", "rest": "(id) ON DELETE CASCADE",
        "columns": columns, "referenced": referenced, "needs_validation": false, "acts": true,
        "owner_may_reference": true, "comment": "c", "parts": []
    }))
    .unwrap()
}

/// The statement that makes its function.
fn function_of(guard: &Guard) -> &str {
    let mut statements = guard.prepare.iter().map(|step| step.statement.as_str());
    statements
        .find(|sql| sql.starts_with("CREATE FUNCTION"))
        .unwrap()
}

#[test]
fn keys_to_itself_point_at_the_guard() {
    let (mut facts, at) = table("orders", &["id"], "at");
    facts.columns.push(column(3, "parent"));
    facts.columns.push(Column {
        type_oid: FIRST_OWN_OBJECT,
        ..column(4, "of own type")
    });
    let guard = planned(&facts, &at).unwrap();
    let bare = guard.body(&facts).unwrap();
    assert!(!bare.contains("FOR KEY SHARE"));
    facts.dependents.self_keys = vec![to_itself(&[3], &[1])];
    assert_eq!(told(&facts, &at), Vec::<String>::new());
    assert_eq!(guard.refused_meanwhile(&facts), []);
    // The function is that of the keys that there are, whenever they come.
    let body = guard.body(&facts).unwrap();
    assert!(body.contains("IF ROW(NEW.parent) IS NOT NULL"), "{body}");
    assert!(
        body.contains(
            "AND t.xmin = (SELECT n.xmin FROM public.orders AS n WHERE n.id = NEW.id AND n.at = NEW.at) FOR KEY SHARE)"
        )
    );
    assert!(function_of(&planned(&facts, &at).unwrap()).contains("FOR KEY SHARE"));
    // Whether an operator is found, is not known: left to the order of the rows.
    facts.dependents.self_keys = vec![to_itself(&[4], &[1])];
    assert_eq!(guard.body(&facts).unwrap(), bare);
    facts.dependents.self_keys = vec![to_itself(&[3], &[2])];
    assert_eq!(
        told(&facts, &at),
        [
            "Foreign key \"own\" of table public.orders points at other columns than those that are guarded."
        ]
    );
}

#[test]
fn a_key_to_the_guard_is_one_to_itself() {
    let (facts, at) = table("orders", &["id"], "at");
    let guard = planned(&facts, &at).unwrap();
    let to = |table: &str| -> ForeignKey {
        serde_json::from_value(json!({
            "oid": 8, "name": "own", "relation": 9, "schema": "public", "relation_name": table,
            "is_to_partitioned": false, "is_to_unlogged": false,
            "definition": format!("FOREIGN KEY (parent) REFERENCES public.{table}(id) ON DELETE CASCADE"),
            "needs_validation": false, "acts": true, "owner_may_reference": true, "comment": "c"
        }))
        .unwrap()
    };
    let mut result = facts.clone();
    result.dependents.foreign_keys = vec![to("orders_pkey_guard"), to("others")];
    let seen = guard.without(&result).dependents;
    assert_eq!(seen.foreign_keys, [to("others")]);
    assert_eq!(seen.self_keys, [to_itself(&[], &[])]);
}

#[test]
fn what_it_puts_on_the_table_is_not_the_tables() {
    let (facts, at) = table("orders", &["id"], "at");
    let guard = planned(&facts, &at).unwrap();
    let trigger = |name: &str| -> Trigger {
        serde_json::from_value(json!({
            "oid": 1, "name": name, "is_constraint": false, "event": "AFTER INSERT", "rest": "",
            "calls": [], "for_each_row": true, "has_transition_tables": false, "enabled": "O", "function": "f()",
            "owner_may_execute": true, "extensions": [], "comment": null
        }))
        .unwrap()
    };
    let link = IncomingKey {
        relation_name: guard.name.name.clone(),
        ..incoming(&[1, 2])
    };
    let mut result = facts.clone();
    result.dependents.triggers = vec![trigger(TRIGGER), trigger("mine")];
    result.dependents.incoming_keys = vec![link, incoming(&[1])];
    let seen = guard.without(&result).dependents;
    assert_eq!(seen.triggers, [trigger("mine")]);
    assert_eq!(seen.incoming_keys, [incoming(&[1])]);
    // One of the user's that would come first, or has its name, is told.
    for (name, is_refused) in [
        ("mine", false),
        (" mine", true),
        (TRIGGER, true),
        ("Mine", false),
        ("1", false),
    ] {
        let mut facts = facts.clone();
        facts.dependents.triggers = vec![trigger(name)];
        assert_eq!(!told(&facts, &at).is_empty(), is_refused, "{name}");
    }
}

proptest! {
    /// Whatever names there are, each statement names the guard by one name that fits, and the body is one
    /// literal with all names quoted.
    #[test]
    fn any_names_are_quoted(
        name in "[^\\x00]{1,15}",
        of_key in prop::collection::hash_set("[^\\x00]{1,10}", 1..4),
        at in "[a-z]{11}",
    ) {
        let of_key: Vec<&str> = of_key.iter().map(String::as_str).collect();
        let (facts, at) = table(&name, &of_key, &at);
        let guard = planned(&facts, &at).unwrap();
        prop_assert!(guard.name.name.len() <= LONGEST_NAME && guard.link_name.len() <= LONGEST_NAME);
        let quoted = guard.name.to_string();
        for step in &guard.prepare {
            prop_assert!(step.statement.contains(&quoted), "{}", step.statement);
        }
        let columns = Columns::of(&facts, &facts.indexes[0], &at);
        let written = function::body(&facts, &facts.indexes[0], &guard.name, &columns);
        let noted = format!("INSERT INTO {} ({})", quoted, listed(&guard.columns));
        prop_assert!(written.contains(&noted));
        let literal = quote_literal(&written);
        prop_assert!(function_of(&guard).ends_with(&literal));
    }
}
