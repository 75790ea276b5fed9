//! Values at the edge of what a partition column and a key may hold.

use partman_rig::failpoint::at;
use partman_rig::hand::Hand;
use partman_rig::shape::Shape;
use partman_rig::shapes;
use partman_rig::stage::Stage;
use partman_rig::workload::{Mix, Verb};

use crate::at_each_point::{self, ROWS};

fn convert_under_load(shape: Shape) -> Stage {
    let stage = Stage::new(shape, ROWS);
    let mut app = stage.app();
    let load = stage.workload().mix(Mix::brisk()).start();
    load.await_more(200);
    stage.convert(&mut app);
    stage.await_swapped(&mut app);
    load.await_more(200);
    let report = load.stop();
    stage.assert_converted(Some(&report));
    stage
}

fn rows_in(stage: &Stage, partition: &str, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {partition} WHERE {condition}");
    stage
        .admin()
        .query_one(&sql, &[])
        .expect("the partition is there")
        .get(0)
}

#[test]
fn null_and_infinity_go_to_the_default_partition() {
    let shape = Shape {
        columns: &[
            (
                "at",
                "CASE {r} % 20 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity'
                      ELSE timestamptz '2026-04-05 06:07+00' + ({r} * 7919 % 302400) * interval '1 minute' END",
            ),
            ("number", "{n}"),
            ("line", "'line ' || {r}"),
        ],
        shift: "at = CASE {r} % 4 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '2026-06-01 00:00+00'
                          ELSE '2026-05-31 23:59:59.999999+00'::timestamptz END",
        ..shapes::log_lines()
    };
    let stage = convert_under_load(shape);
    let odd = "at IS NULL OR at IN ('infinity', '-infinity')";
    assert!(
        rows_in(&stage, "log_lines_default", odd) > 0,
        "some rows are odd"
    );
    assert_eq!(
        rows_in(&stage, "log_lines_default", odd),
        rows_in(&stage, "log_lines", odd)
    );
}

#[test]
fn null_in_the_partition_column_of_a_table_with_a_key() {
    let shape = Shape {
        ddl: "CREATE TABLE log_lines (at timestamptz, number bigint NOT NULL, line text, {link},
                                      CONSTRAINT log_lines_number UNIQUE (number))",
        columns: &[
            (
                "at",
                "CASE WHEN {r} % 9 > 0 THEN timestamptz '2026-04-05 06:07+00' + ({r} * 7919 % 302400) * interval '1 minute' END",
            ),
            ("number", "{n}"),
            ("line", "'line ' || {r}"),
        ],
        shift: "at = CASE WHEN {t}.at IS NULL THEN timestamptz '2026-07-01' + {r} % 50 * interval '1 day' END",
        ..shapes::log_lines()
    };
    let stage = convert_under_load(shape);
    assert!(
        rows_in(&stage, "log_lines_default", "at IS NULL") > 0,
        "some rows have no time"
    );
    assert_eq!(
        rows_in(&stage, "log_lines_default", "at IS NULL"),
        rows_in(&stage, "log_lines", "at IS NULL")
    );
}

#[test]
fn rows_exactly_on_the_bounds_lie_where_the_bounds_say() {
    let shape = Shape {
        columns: &[
            (
                "at",
                "timestamptz '2026-05-01 00:00+00' + ({r} % 5) * interval '1 month' - ({r} % 3) * interval '1 microsecond'",
            ),
            ("id", "{n}"),
            ("kind", "1::smallint"),
            ("words", "NULL"),
        ],
        shift: "at = {t}.at + interval '1 microsecond'",
        partition_interval: "1 month",
        ..shapes::events()
    };
    let stage = convert_under_load(shape);
    assert_eq!(
        rows_in(&stage, "events_p2026_06", "at = '2026-06-01 00:00+00'"),
        rows_in(&stage, "events", "at = '2026-06-01 00:00+00'")
    );
    assert!(
        rows_in(
            &stage,
            "events_p2026_05",
            "at = '2026-05-31 23:59:59.999999+00'"
        ) > 0
    );
}

/// Equal keys need not look alike: 1.0 and 1.00.
fn amounts() -> Shape {
    Shape {
        table: "amounts",
        ddl: "CREATE TABLE amounts (key numeric PRIMARY KEY, at timestamptz NOT NULL, note text, {link})",
        columns: &[
            ("key", "{n}::numeric"),
            (
                "at",
                "timestamptz '2026-04-05 06:07+00' + ({r} * 7919 % 302400) * interval '1 minute'",
            ),
            ("note", "'note ' || {r}"),
        ],
        identity: None,
        locate: "key = {n}::numeric",
        touch: "key = CASE scale({t}.key) WHEN 3 THEN {t}.key::numeric(12,0) ELSE {t}.key + 0.000 END",
        shift:
            "at = timestamptz '2026-04-05 06:07+00' + ({r} * 7919 % 302400) * interval '1 minute',
                key = {t}.key + 0.00000",
        shift_renumbers: false,
        conflict: None,
        partition_column: "at",
        partition_interval: "1 month",
        padding: 0,
    }
}

/// Nor need texts, under a collation that is not deterministic.
fn names() -> Shape {
    Shape {
        table: "names",
        ddl: "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
              CREATE TABLE names (name text COLLATE any_case PRIMARY KEY, at timestamptz NOT NULL, {link})",
        columns: &[
            ("name", "'name ' || {n}"),
            ("at", "timestamptz '2026-04-05 06:07+00' + ({r} * 7919 % 302400) * interval '1 minute'"),
        ],
        identity: None,
        locate: "name = 'NAME ' || {n}",
        touch: "name = CASE WHEN {t}.name COLLATE \"C\" LIKE 'N%' THEN lower({t}.name) ELSE upper({t}.name) END",
        shift: "at = timestamptz '2026-04-05 06:07+00' + ({r} * 7919 % 302400) * interval '1 minute', name = initcap({t}.name)",
        ..amounts()
    }
}

fn keys_that_change_their_looks(shape: Shape) {
    let stage = Stage::new(shape.clone().widened(), ROWS);
    at_each_point::convert(&stage, |hand, _, rows| {
        hand.must_all(Verb::Touch, &rows[..16]);
        hand.must_all(Verb::Shift, &rows[8..20]);
        hand.must_all(Verb::Delete, &rows[16..]);
        hand.must_all(Verb::Place, &rows[20..]);
    });
    stage.assert_converted(None);
    convert_under_load(shape);
}

#[test]
fn numeric_keys_that_change_their_scale() {
    keys_that_change_their_looks(amounts());
}

#[test]
fn text_keys_that_change_their_case() {
    keys_that_change_their_looks(names());
}

#[test]
fn keys_of_every_common_type() {
    for (kind, value) in [
        ("smallint", "({n} % 30000)::smallint"),
        ("uuid", "md5(({n})::text)::uuid"),
        ("bytea", "decode(md5(({n})::text), 'hex')"),
        ("date", "date '2000-01-01' + ({n})::int"),
        ("interval", "({n}) * interval '1 minute'"),
        ("double precision", "({n})::double precision / 7"),
        ("inet", "inet '10.0.0.0' + {n}"),
        ("text[]", "array['k', ({n})::text]"),
        ("int4range", "int4range(({n})::int, ({n})::int + 1)"),
    ] {
        let leak = |text: String| -> &'static str { text.leak() };
        let columns: Vec<(&'static str, &'static str)> = vec![
            ("key", value),
            (
                "at",
                "timestamptz '2026-04-05 06:07+00' + ({r} % 200) * interval '1 day'",
            ),
            ("note", "'n'"),
        ];
        let shape = Shape {
            ddl: leak(format!(
                "CREATE TABLE amounts (key {kind} PRIMARY KEY, at timestamptz NOT NULL, note text, {{link}})"
            )),
            columns: columns.leak(),
            locate: leak(format!("key = {value}")),
            touch: "note = {t}.note || '.'",
            shift: "at = {t}.at + interval '30 days'",
            ..amounts()
        };
        let stage = Stage::new(shape, 2_000);
        at_each_point::convert_up_to(&stage, at::CAPTURING);
        let mut hand = Hand::new(stage.app(), &stage.shape);
        hand.must_all(Verb::Touch, &[1, 2, 3]);
        hand.must_all(Verb::Shift, &[3, 4, 5]);
        hand.must_all(Verb::Delete, &[6, 7, 1_999]);
        hand.must_all(Verb::Place, &[7, 1_999, 2_500]);
        at_each_point::finish_from(&stage, at::CAPTURING);
        partman_rig::oracle::assert_none(kind, &stage.findings_after_swap(None));
    }
}
