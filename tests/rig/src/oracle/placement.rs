//! Each row in the partition whose bounds hold it.

use postgres::Client;

use super::{Findings, count, leaves};

/// Asks every leaf for rows that its own partition constraint does not allow, and the table for
/// rows that it has beside its leaves.
pub fn check(client: &mut Client, table: &str) -> Findings {
    let mut findings = Findings::new();
    let mut in_leaves = 0;
    for leaf in leaves(client, table) {
        let rows = count(client, &format!("SELECT count(*) FROM ONLY {leaf}"));
        in_leaves += rows;
        if let Some(bound) = constraint(client, &leaf) {
            let strays = count(
                client,
                &format!("SELECT count(*) FROM ONLY {leaf} WHERE ({bound}) IS NOT TRUE"),
            );
            if strays > 0 {
                findings.push(format!(
                    "{strays} of {rows} rows of {leaf} are outside its bounds {bound}"
                ));
            }
        }
    }
    let in_table = count(client, &format!("SELECT count(*) FROM {table}"));
    if in_table != in_leaves {
        findings.push(format!(
            "{table} shows {in_table} rows, its partitions hold {in_leaves}"
        ));
    }
    findings
}

/// Says so where the table is not partitioned, by this strategy and column.
pub fn check_partitioned(client: &mut Client, table: &str, key: &str) -> Findings {
    let sql = "SELECT pg_get_partkeydef($1::text::regclass)";
    let found: Option<String> = client
        .query_one(sql, &[&table])
        .expect("the table is there")
        .get(0);
    let wanted = format!("RANGE ({key})");
    if found.as_deref() == Some(&wanted) {
        vec![]
    } else {
        vec![format!(
            "{table} is partitioned by {found:?}, should be by {wanted}"
        )]
    }
}

fn constraint(client: &mut Client, leaf: &str) -> Option<String> {
    let sql = "SELECT pg_get_partition_constraintdef($1::text::regclass)";
    client
        .query_one(sql, &[&leaf])
        .expect("the partition is there")
        .get(0)
}
