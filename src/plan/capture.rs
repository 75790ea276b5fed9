//! Statements that begin and end the capture of changes: the change log, and the triggers that
//! write into it.

use super::PartitionKey;
use super::facts::{Facts, Index};
use super::names::QualifiedName;
use super::sql::Sql;
use super::twin;

/// The name of a table's change log. It follows from the table, so that a trigger on one table can
/// never write into the log of another.
pub fn log_name(source: u32) -> QualifiedName {
    QualifiedName::new("partman_rs", format!("change_log_{source}"))
}

/// The statement that makes the change log, empty; `identity` is the key that rows are known by.
///
/// Logged are the key and the partition column, or all columns of a row, where there is no key.
pub fn create_log(facts: &Facts, identity: Option<&Index>, key: &PartitionKey) -> String {
    let mut columns = vec!["event \"char\" NOT NULL".to_owned()];
    let mut attnums: Vec<i16> = match identity {
        Some(index) => index.key_attnums.clone(),
        None => {
            columns.push("place tid, row_xmin xid, changed_by xid8".to_owned());
            facts.columns.iter().map(|column| column.attnum).collect()
        }
    };
    if !attnums.contains(&key.attnum) {
        attnums.push(key.attnum);
    }
    columns.extend(
        attnums
            .into_iter()
            .filter_map(|attnum| facts.column_at(attnum))
            .map(|column| format!("k{} {}", column.attnum, column.type_name)),
    );
    // Truncation by vacuum would lock out writers; there is nothing to analyse. What a crash takes from the
    // table, it takes from the log: else rows would be applied that are gone.
    Sql::template(
        "CREATE {unlogged}TABLE {log} ({columns}) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, \
         autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0)",
    )
    .trusted("unlogged", twin::unlogged(facts.is_unlogged()))
    .name("log", &log_name(facts.oid))
    .trusted("columns", &columns.join(", "))
    .build()
}

/// The statement that takes a table's change log away, if it is there.
pub fn drop_log(source: u32) -> String {
    Sql::template("DROP TABLE IF EXISTS {log}")
        .name("log", &log_name(source))
        .build()
}

/// The triggers on the source while it is converted.
pub const TRIGGERS: [&str; 2] = ["partman_rs_capture", "partman_rs_capture_truncate"];

/// The statements that begin the capture of changes, as the plan shows them and the worker runs
/// them: one that makes each of [`TRIGGERS`], in their order; then those that have them fire for
/// writers with `session_replication_role = replica` too, logical replication's apply among them.
pub fn statements(source: &QualifiedName) -> [String; 4] {
    const ENABLE: &str = "ALTER TABLE {source} ENABLE ALWAYS TRIGGER {trigger}";
    let [rows, truncate] = TRIGGERS;
    [
        (
            rows,
            "CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {source} \
             FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()",
        ),
        (
            truncate,
            "CREATE TRIGGER {trigger} AFTER TRUNCATE ON {source} \
             FOR EACH STATEMENT EXECUTE FUNCTION partman_rs.capture_change()",
        ),
        (rows, ENABLE),
        (truncate, ENABLE),
    ]
    .map(|(trigger, template)| {
        Sql::template(template)
            .ident("trigger", trigger)
            .name("source", source)
            .build()
    })
}

/// The statement that ends a part of the capture, whatever the source is called by then.
pub fn drop_trigger(trigger: &str, table: &QualifiedName) -> String {
    Sql::template("DROP TRIGGER {trigger} ON {table}")
        .ident("trigger", trigger)
        .name("table", table)
        .build()
}
