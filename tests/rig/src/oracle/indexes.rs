//! Every index valid, sound, and as complete as the table.

use postgres::{Client, Row};

use super::{Findings, count, leaves};
use crate::fault;

/// Checks the indexes of the table and of all its partitions.
pub fn check(client: &mut Client, table: &str) -> Findings {
    let mut findings = invalid(client, table);
    client
        .batch_execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        .expect("the contrib amcheck is installed");
    for leaf in leaves(client, table) {
        for row in indexes_of(client, &leaf) {
            let (index, columns): (String, Option<String>) = (row.get(0), row.get(1));
            findings.extend(amcheck(client, &index));
            if let Some(columns) = columns {
                findings.extend(scans_alike(client, &leaf, &index, &columns));
            }
        }
    }
    findings
}

fn invalid(client: &mut Client, table: &str) -> Findings {
    let sql = "SELECT format('index %s is not valid', i.indexrelid::regclass)
                 FROM pg_index i
                WHERE i.indrelid IN (SELECT relid FROM pg_partition_tree($1::text::regclass)
                                      UNION SELECT $1::text::regclass)
                  AND NOT (i.indisvalid AND i.indisready AND i.indislive)
               UNION ALL
               SELECT format('partition %s lacks a child of index %s', p.relid::regclass, i.indexrelid::regclass)
                 FROM pg_partition_tree($1::text::regclass) p JOIN pg_index i ON i.indrelid = p.parentrelid
                WHERE p.level > 0
                  AND NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_index c ON c.indexrelid = h.inhrelid
                                   WHERE h.inhparent = i.indexrelid AND c.indrelid = p.relid)";
    let rows = client
        .query(sql, &[&table])
        .expect("the catalog can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The B-tree indexes of a leaf and, for those over plain columns of all rows, their sort order.
fn indexes_of(client: &mut Client, leaf: &str) -> Vec<Row> {
    let sql = "SELECT i.indexrelid::regclass::text,
                      (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true)
                               || CASE WHEN i.indoption[k - 1] & 1 = 1 THEN ' DESC' ELSE ' ASC' END
                               || CASE WHEN i.indoption[k - 1] & 2 = 2 THEN ' NULLS FIRST' ELSE ' NULLS LAST' END,
                               ', ' ORDER BY k)
                         FROM generate_series(1, i.indnkeyatts) k
                        WHERE i.indpred IS NULL)
                 FROM pg_index i
                 JOIN pg_class c ON c.oid = i.indexrelid
                 JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'
                WHERE i.indrelid = $1::text::regclass
                ORDER BY 1";
    client
        .query(sql, &[&leaf])
        .expect("the catalog can be read")
}

fn amcheck(client: &mut Client, index: &str) -> Findings {
    let sql = "SELECT bt_index_check($1::text::regclass, heapallindexed => true)";
    match client.execute(sql, &[&index]) {
        Ok(_) => vec![],
        Err(error) => vec![format!("amcheck of {index}: {}", fault::describe(&error))],
    }
}

/// Counts the leaf's rows in the index's order, without a sort, and compares with a plain count.
fn scans_alike(client: &mut Client, leaf: &str, index: &str, columns: &str) -> Findings {
    let by_heap = count(client, &format!("SELECT count(*) FROM ONLY {leaf}"));
    let ordered = format!("SELECT 1 FROM ONLY {leaf} ORDER BY {columns}");
    let mut work = client.transaction().expect("a transaction can begin");
    work.batch_execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
        .expect("planner settings can be changed");
    let plan = work
        .query(&format!("EXPLAIN (COSTS OFF) {ordered}"), &[])
        .expect("the query can be planned");
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    if !plan[0].contains("Scan using") {
        return vec![format!(
            "index {index} is not used for its own order: {plan:?}"
        )];
    }
    let sql = format!("SELECT count(*) FROM ({ordered} OFFSET 0) s");
    let by_index: i64 = work
        .query_one(&sql, &[])
        .expect("the leaf can be read")
        .get(0);
    if by_index == by_heap {
        vec![]
    } else {
        vec![format!(
            "index {index} finds {by_index} rows, {leaf} has {by_heap}"
        )]
    }
}
