//! What has drifted, and what mends it.

use super::*;

fn leaf(kind: &str, number: u32, has: &str) -> Difference {
    Difference {
        kind: kind.to_owned(),
        partition: number,
        name: QualifiedName::new("s", format!("we\"ird {number}")),
        has: Some(has.to_owned()),
        ..Difference::default()
    }
}

fn statements(drift: &Drift) -> &[String] {
    match &drift.remedy {
        Remedy::Run(statements) => statements,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_quoted() {
    let owner = Difference {
        wanted: Some("a\"b".to_owned()),
        ..leaf("owner", 1, "other")
    };
    assert_eq!(
        statements(&find(&[owner])[0]),
        [r#"ALTER TABLE s."we""ird 1" OWNER TO "a""b""#]
    );
}

#[test]
fn options_follow_most_siblings() {
    let most = r#"["fillfactor=70","toast.autovacuum_enabled=off"]"#;
    let found = find(&[
        leaf("options", 1, most),
        leaf(
            "options",
            2,
            r#"["fillfactor=90","autovacuum_enabled=off"]"#,
        ),
        leaf("options", 3, most),
    ]);
    assert_eq!(found.len(), 1);
    assert!(found[0].is_taste);
    assert_eq!(
        statements(&found[0]),
        [
            r#"ALTER TABLE s."we""ird 2" RESET (autovacuum_enabled)"#,
            r#"ALTER TABLE s."we""ird 2" SET (fillfactor = '70', toast.autovacuum_enabled = 'off')"#,
        ]
    );
}

#[test]
fn half_of_all_is_no_majority() {
    let one_each = [leaf("options", 1, "[]"), leaf("options", 2, r#"["a=1"]"#)];
    assert_eq!(find(&one_each), []);
}

#[test]
fn the_tables_replica_identity_counts_where_it_was_set() {
    let of_table = |kind: &str, leaves: [&str; 3]| {
        let leaves: Vec<Difference> = (1..)
            .zip(leaves)
            .map(|(number, has)| Difference {
                wanted: Some(kind.to_owned()),
                ..leaf("replica identity", number, has)
            })
            .collect();
        let found = find(&leaves);
        found
            .iter()
            .map(|drift| drift.partition)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_table("f", ["d", "d", "f"]), [1, 2]);
    assert_eq!(of_table("d", ["f", "f", "d"]), [3], "nobody set it");
    assert!(of_table("d", ["f", "n", "d"]).is_empty(), "no majority");
}

#[test]
fn an_index_that_is_gone_is_no_identity() {
    let by = |number, index| Difference {
        number: index,
        wanted: Some("d".to_owned()),
        ..leaf("replica identity", number, "i")
    };
    let found = find(&[by(1, Some(7)), by(2, None), by(3, Some(7))]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].remedy, Remedy::Identify(7));
    assert!(found[0].what.contains("gone"));
}

#[test]
fn a_partition_that_is_partitioned_gets_an_index_at_once() {
    let lacks = |has: Option<&str>| Difference {
        has: has.map(str::to_owned),
        number: Some(7),
        parent: 3,
        ..leaf("index", 1, "")
    };
    let found = find(&[lacks(None), lacks(Some("partitioned"))]);
    let remedies: Vec<&Remedy> = found.iter().map(|drift| &drift.remedy).collect();
    assert_eq!(remedies, [&Remedy::Build(7), &Remedy::Outline(7)]);
    assert!(found.iter().all(|drift| drift.parent == 3));
}

#[test]
fn what_the_owner_may_not_mend_is_told() {
    let stranger = Difference {
        obstacle: Some("why".to_owned()),
        ..leaf("grants", 1, "")
    };
    assert_eq!(
        find(&[stranger])[0].remedy,
        Remedy::ByHand("why".to_owned())
    );
}

#[test]
fn partitions_that_drifted_alike_are_told_of_together() {
    let grants: Vec<Difference> = (1..=5).map(|number| leaf("grants", number, "")).collect();
    let found = find(&grants);
    let groups = alike(&found);
    assert_eq!(groups.len(), 1);
    assert_eq!(
        listed(&groups[0].1),
        r#"5 partitions: s."we""ird 1", s."we""ird 2", s."we""ird 3", …"#
    );
}
