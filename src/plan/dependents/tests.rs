use super::{
    Dependents, ForeignKey, Policy, Statistics, Trigger, View, after_renaming, ahead, at_the_swap,
    changes, key_steps, referenced, refused,
};
use crate::plan::facts::Facts;
use crate::plan::fidelity::difference;
use crate::plan::names::QualifiedName;
use crate::plan::{Partition, Plan};
use serde_json::json;
use std::collections::BTreeSet;

fn name(name: &str) -> QualifiedName {
    QualifiedName::new("public", name)
}

fn facts(dependents: Dependents) -> Facts {
    Facts {
        dependents,
        ..Facts::of_a_plain_table()
    }
}

fn trigger(name: &str) -> Trigger {
    Trigger {
        oid: 1,
        name: name.to_owned(),
        is_constraint: false,
        event: "AFTER INSERT".to_owned(),
        rest: "FOR EACH ROW EXECUTE FUNCTION public.f()".to_owned(),
        calls: Vec::new(),
        for_each_row: true,
        has_transition_tables: false,
        enabled: "O".to_owned(),
        function: "public.f()".to_owned(),
        owner_may_execute: true,
        extensions: Vec::new(),
        comment: None,
    }
}

fn statistics(name: &str) -> Statistics {
    Statistics {
        oid: 77,
        schema: "public".to_owned(),
        name: name.to_owned(),
        owner: 10,
        kinds: vec!["f".to_owned(), "m".to_owned()],
        columns: "a, b".to_owned(),
        calls: Vec::new(),
        target: Some(5),
        comment: None,
    }
}

fn plan() -> Plan {
    serde_json::from_value(json!({
        "source": {"schema": "public", "name": "t"}, "twin": {"schema": "public", "name": "t_twin"},
        "retired": {"schema": "public", "name": "t_retired"}, "default_of": null,
        "key": {"attnum": 1, "column": "a", "key_type": "BigInt", "not_null": true},
        "identity": null, "interval": {"Width": 10}, "time_zone": null, "premake": 0, "copy_workers": 1,
        "undo_window_seconds": null, "settings": [],
        "partitions": [{"name": {"schema": "public", "name": "t_p0"}, "range": null}],
        "prepare": [], "create_log": "", "foreign_keys": [], "loosening": [],
        "indexes": [{"name": "t_key", "twin_name": {"schema": "public", "name": "t_key_twin"},
                     "leaves": [{"name": {"schema": "public", "name": "t_p0_key"}, "statement": ""}], "is_identity": true}],
        "swap": [], "notices": []
    }))
    .unwrap()
}

fn statements(steps: Vec<crate::plan::step::Step>) -> Vec<String> {
    steps.into_iter().map(|step| step.statement).collect()
}

#[test]
fn a_trigger_is_made_on_the_twin_in_its_state() {
    let off = Trigger {
        enabled: "D".to_owned(),
        ..trigger("Tr ON x")
    };
    let source = facts(Dependents {
        triggers: vec![off],
        ..Dependents::default()
    });
    assert_eq!(
        statements(ahead(&source, &name("t_twin"), &[])),
        [
            "CREATE TRIGGER \"Tr ON x\" AFTER INSERT ON public.t_twin FOR EACH ROW EXECUTE FUNCTION public.f()",
            "ALTER TABLE public.t_twin DISABLE TRIGGER \"Tr ON x\"",
        ]
    );
}

#[test]
fn what_the_twin_has_already_is_left_alone() {
    let both = Dependents {
        triggers: vec![trigger("a")],
        ..Dependents::default()
    };
    let mut twin = facts(both.clone());
    twin.dependents.triggers[0].oid = 2;
    assert_eq!(changes(&facts(both), &twin, &plan()), []);
}

#[test]
fn what_changed_is_dropped_before_it_is_made() {
    let with = |trigger| {
        facts(Dependents {
            triggers: vec![trigger],
            ..Dependents::default()
        })
    };
    let replica = Trigger {
        enabled: "R".to_owned(),
        ..trigger("a")
    };
    let steps = statements(changes(&with(replica), &with(trigger("a")), &plan()));
    assert_eq!(steps.len(), 3);
    assert!(steps[0].starts_with("DROP TRIGGER a ON public.t_twin"));
    assert!(steps[2].contains("ENABLE REPLICA TRIGGER a"));
}

#[test]
fn statistics_change_places_at_the_swap() {
    let source = facts(Dependents {
        statistics: vec![statistics("s")],
        ..Dependents::default()
    });
    assert_eq!(
        statements(ahead(&source, &name("t_twin"), &[])),
        [
            "CREATE STATISTICS public.partman_rs_twin_77 (dependencies, mcv) ON a, b FROM public.t_twin",
            "ALTER STATISTICS public.partman_rs_twin_77 SET STATISTICS 5",
        ]
    );
    let mut twin = facts(source.dependents.clone());
    twin.dependents.statistics[0].name = "partman_rs_twin_77".to_owned();
    twin.dependents.statistics[0].oid = 78;
    assert_eq!(changes(&source, &twin, &plan()), []);
    assert_eq!(
        statements(after_renaming(&source, &name("t_retired"))),
        [
            "ALTER STATISTICS public.s RENAME TO partman_rs_retired_77",
            "ALTER STATISTICS public.partman_rs_twin_77 RENAME TO s",
        ]
    );
}

#[test]
fn a_replica_identity_follows_to_the_leaves() {
    let mut source = facts(Dependents::default());
    source.replica_identity = "i".to_owned();
    source.replica_index = Some("t_key".to_owned());
    let mut twin = facts(Dependents::default());
    assert_eq!(
        statements(changes(&source, &twin, &plan())),
        [
            "ALTER TABLE public.t_twin REPLICA IDENTITY USING INDEX t_key_twin",
            "ALTER TABLE public.t_p0 REPLICA IDENTITY USING INDEX t_p0_key",
        ]
    );
    twin.replica_identity = "i".to_owned();
    twin.replica_index = Some("t_key_twin".to_owned());
    assert_eq!(changes(&source, &twin, &plan()), []);
}

#[test]
fn leaves_have_the_row_security_of_the_table() {
    let mut source = facts(Dependents::default());
    source.row_security = true;
    source.force_row_security = true;
    let leaf = Partition {
        name: name("t_p0"),
        range: None,
        value: None,
        below: None,
    };
    assert_eq!(
        statements(ahead(&source, &name("t_twin"), &[leaf])),
        [
            "ALTER TABLE public.t_twin ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE public.t_p0 ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE public.t_twin FORCE ROW LEVEL SECURITY",
            "ALTER TABLE public.t_p0 FORCE ROW LEVEL SECURITY",
        ]
    );
}

#[test]
fn policies_name_roles_and_public() {
    let policy = Policy {
        oid: 1,
        name: "p".to_owned(),
        permissive: false,
        command: "w".to_owned(),
        roles: vec![None, Some("Who else".to_owned())],
        using: Some("(a > 1)".to_owned()),
        check: Some("true".to_owned()),
        calls: Vec::new(),
        comment: None,
    };
    let source = facts(Dependents {
        policies: vec![policy],
        ..Dependents::default()
    });
    assert_eq!(
        statements(after_renaming(&source, &name("t_retired"))),
        [
            "CREATE POLICY p ON public.t AS RESTRICTIVE FOR UPDATE TO PUBLIC, \"Who else\" USING ((a > 1)) WITH CHECK (true)"
        ]
    );
}

#[test]
fn only_of_the_table_is_refused_and_of_another_is_not() {
    let reading = |definition: &str| {
        facts(Dependents {
            views: vec![View {
                oid: 1,
                calls: Vec::new(),
                relation: 2,
                schema: "public".to_owned(),
                name: "v".to_owned(),
                owner: 10,
                owner_name: "owner".to_owned(),
                options: Vec::new(),
                definition: definition.to_owned(),
                is_materialized: false,
                is_temporary: false,
                owner_may_create: true,
                unreachable: None,
            }],
            ..Dependents::default()
        })
    };
    assert_eq!(refused(&reading("SELECT a FROM ONLY public.t;")).len(), 1);
    assert_eq!(
        refused(&reading("SELECT a FROM ONLY public.other, public.t;")),
        []
    );
    assert_eq!(refused(&reading("SELECT a FROM ONLY public.tt;")), []);
}

fn key(name: &str, relation: u32) -> ForeignKey {
    ForeignKey {
        oid: 5,
        name: name.to_owned(),
        relation,
        schema: "public".to_owned(),
        relation_name: format!("Other {relation}"),
        is_to_partitioned: false,
        is_to_unlogged: false,
        definition: format!("FOREIGN KEY (a) REFERENCES public.\"Other {relation}\"(id)"),
        needs_validation: false,
        acts: true,
        owner_may_reference: true,
        comment: None,
    }
}

fn with_keys(foreign_keys: Vec<ForeignKey>) -> Facts {
    facts(Dependents {
        foreign_keys,
        ..Dependents::default()
    })
}

#[test]
fn foreign_keys_are_made_in_the_order_in_which_they_act() {
    let commented = ForeignKey {
        comment: Some("it's".to_owned()),
        ..key("a \"key\"", 7)
    };
    let source = with_keys(vec![key("z", 9), commented]);
    assert_eq!(
        statements(key_steps(&source, &name("t_twin"))),
        [
            "ALTER TABLE public.t_twin ADD CONSTRAINT z FOREIGN KEY (a) REFERENCES public.\"Other 9\"(id)",
            "ALTER TABLE public.t_twin ADD CONSTRAINT \"a \"\"key\"\"\" FOREIGN KEY (a) REFERENCES public.\"Other 7\"(id)",
            "COMMENT ON CONSTRAINT \"a \"\"key\"\"\" ON public.t_twin IS 'it''s'",
        ]
    );
}

#[test]
fn what_foreign_keys_point_at_is_locked_once_and_in_one_order() {
    let source = with_keys(vec![key("c", 9), key("b", 7), key("a", 9)]);
    assert_eq!(
        referenced(&source.dependents.foreign_keys),
        BTreeSet::from([7, 9])
    );
    let told = at_the_swap(&source, &plan());
    assert_eq!(
        statements(told.first),
        [
            "LOCK TABLE ONLY public.\"Other 7\" IN SHARE ROW EXCLUSIVE MODE",
            "LOCK TABLE ONLY public.\"Other 9\" IN SHARE ROW EXCLUSIVE MODE",
        ]
    );
    assert_eq!(told.exchange.len(), 2);
    assert_eq!(told.afterwards.len(), 3);
}

/// A partition that comes there gets triggers that fire: so none of them rests, and no transaction but that of the
/// swap has both.
#[test]
fn where_one_points_at_a_partitioned_table_all_are_made_and_dropped_in_the_swap() {
    let commented = ForeignKey {
        comment: Some("said".to_owned()),
        ..key("a", 7)
    };
    let to_partitioned = ForeignKey {
        is_to_partitioned: true,
        ..key("b", 9)
    };
    let source = with_keys(vec![to_partitioned, commented]);
    assert_eq!(refused(&source), []);
    assert_eq!(key_steps(&source, &name("t_twin")), []);
    let told = at_the_swap(&source, &plan());
    assert_eq!(
        statements(told.first),
        [
            "LOCK TABLE ONLY public.\"Other 7\" IN SHARE ROW EXCLUSIVE MODE",
            "LOCK TABLE public.\"Other 9\" IN SHARE ROW EXCLUSIVE MODE",
        ]
    );
    assert_eq!(
        statements(told.made),
        [
            "ALTER TABLE public.t_twin ADD CONSTRAINT b FOREIGN KEY (a) REFERENCES public.\"Other 9\"(id)",
            "ALTER TABLE public.t_twin ADD CONSTRAINT a FOREIGN KEY (a) REFERENCES public.\"Other 7\"(id)",
            "COMMENT ON CONSTRAINT a ON public.t_twin IS 'said'",
        ]
    );
    assert_eq!(
        statements(told.exchange),
        [
            "ALTER TABLE public.t_retired DROP CONSTRAINT b",
            "ALTER TABLE public.t_retired DROP CONSTRAINT a",
        ]
    );
    assert_eq!(told.afterwards, []);
}

#[test]
fn a_foreign_key_that_would_not_be_what_it_was_is_refused() {
    let whole = key("k", 7);
    assert_eq!(refused(&with_keys(vec![whole.clone()])), []);
    let not_valid = ForeignKey {
        needs_validation: true,
        ..whole.clone()
    };
    let disabled = ForeignKey {
        acts: false,
        ..whole.clone()
    };
    let to_unlogged = ForeignKey {
        is_to_unlogged: true,
        ..whole.clone()
    };
    let not_allowed = ForeignKey {
        owner_may_reference: false,
        ..whole
    };
    for key in [not_valid, disabled, to_unlogged, not_allowed] {
        assert_eq!(refused(&with_keys(vec![key])).len(), 1);
    }
}

#[test]
fn a_foreign_key_may_not_change_while_rows_are_copied_but_its_comment_may() {
    let comparable = |facts: &Facts| facts.without_carried().without_dependents();
    let before = with_keys(vec![key("k", 7)]);
    let commented = with_keys(vec![ForeignKey {
        comment: Some("said".to_owned()),
        ..key("k", 7)
    }]);
    let another = with_keys(vec![key("k", 8)]);
    assert_eq!(comparable(&before), comparable(&commented));
    assert_ne!(comparable(&before), comparable(&another));
    assert_ne!(comparable(&before), comparable(&with_keys(Vec::new())));
}

#[test]
fn a_result_whose_foreign_keys_act_in_another_order_is_not_what_the_source_was() {
    let mut made = key("a", 7);
    made.oid = 6;
    let source = with_keys(vec![key("a", 7), key("b", 7)]);
    let result = with_keys(vec![made.clone(), key("b", 7)]);
    let exchanged = with_keys(vec![key("b", 7), made]);
    let as_partitioned = |facts: Facts| Facts {
        kind: "p".to_owned(),
        is_inherited: true,
        ..facts
    };
    assert_eq!(difference(&source, &as_partitioned(result), &plan()), None);
    assert!(difference(&source, &as_partitioned(exchanged), &plan()).is_some());
    assert!(difference(&source, &as_partitioned(with_keys(Vec::new())), &plan()).is_some());
}
