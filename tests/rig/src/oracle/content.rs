//! The table against the ledger, exactly.

use postgres::{Client, Transaction};

use super::Findings;
use crate::fault;
use crate::workload::Report;

const SAMPLES: usize = 5;

/// Compares table and ledger in one snapshot.
pub fn check(client: &mut Client, table: &str) -> Findings {
    let mut work = client.build_transaction();
    work = work
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .read_only(true);
    let mut snapshot = work.start().expect("a transaction can begin");
    // Rows with long values, on a machine with much else to do.
    snapshot
        .batch_execute("SET LOCAL statement_timeout = 0")
        .expect("a setting can be set");
    let mut findings = totals(&mut snapshot, table);
    findings.extend(difference(&mut snapshot, table));
    findings.extend(broken_links(&mut snapshot));
    findings
}

/// Compares the ledger with what the clients know of their transactions.
pub fn check_report(client: &mut Client, report: &Report) -> Findings {
    let rows = client
        .query("SELECT op FROM rig.ledger WHERE op > 0", &[])
        .expect("the ledger can be read");
    let ledger: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
    let lost: Vec<_> = report.committed.difference(&ledger).take(SAMPLES).collect();
    let risen: Vec<_> = report
        .rolled_back
        .intersection(&ledger)
        .take(SAMPLES)
        .collect();
    let unheard: Vec<_> = ledger.difference(&report.committed).take(SAMPLES).collect();
    let mut findings = Findings::new();
    for (what, ops) in [
        ("acknowledged changes are not in the ledger", lost),
        ("changes that were rolled back are in the ledger", risen),
        (
            "changes are in the ledger that no client knows to be committed",
            unheard,
        ),
    ] {
        if !ops.is_empty() {
            findings.push(format!("{what}, such as {ops:?}"));
        }
    }
    findings
}

fn totals(snapshot: &mut Transaction<'_>, table: &str) -> Findings {
    let sql = format!(
        "SELECT t.count, t.sum, e.count, e.sum
           FROM (SELECT count(*), sum(op::numeric)::text FROM {table}) t,
                (SELECT count(*), sum(op::numeric)::text FROM rig.expected) e"
    );
    let row = match snapshot.query_one(&sql, &[]) {
        Ok(row) => row,
        Err(error) => {
            return vec![format!(
                "{table} cannot be read: {}",
                fault::describe(&error)
            )];
        }
    };
    let found: (i64, Option<String>) = (row.get(0), row.get(1));
    let wanted: (i64, Option<String>) = (row.get(2), row.get(3));
    if found == wanted {
        vec![]
    } else {
        vec![format!(
            "count and sum of op are {found:?}, should be {wanted:?}"
        )]
    }
}

fn difference(snapshot: &mut Transaction<'_>, table: &str) -> Findings {
    let in_table = format!("SELECT op, rig.image(t::text) AS image FROM {table} t");
    let in_ledger = "SELECT op, image FROM rig.expected";
    let mut findings = Findings::new();
    for (what, some, others) in [
        ("missing from the table", in_ledger, in_table.as_str()),
        ("wrongly in the table", in_table.as_str(), in_ledger),
    ] {
        let sql =
            format!("SELECT op, left(image, 200) FROM ({some} EXCEPT ALL {others}) d ORDER BY op");
        let rows = snapshot
            .query(&sql, &[])
            .expect("table and ledger can be read");
        if rows.is_empty() {
            continue;
        }
        findings.push(format!("{} rows {what}", rows.len()));
        for row in rows.iter().take(SAMPLES) {
            let (op, image): (i64, String) = (row.get(0), row.get(1));
            findings.push(format!(
                "{what}: {image}\n    history: {}",
                history(snapshot, op)
            ));
        }
    }
    findings
}

/// What the ledger knows about the row that an operation wrote.
fn history(snapshot: &mut Transaction<'_>, op: i64) -> String {
    let sql = "SELECT string_agg(format('%s %s<-%s (xid %s)', kind, op, coalesce(before::text, 'none'), xid), '; ' ORDER BY xid::text::numeric, op)
                 FROM rig.ledger WHERE number = (SELECT number FROM rig.ledger WHERE op = $1)";
    let row = snapshot
        .query_one(sql, &[&op])
        .expect("the ledger can be read");
    row.get::<_, Option<String>>(0)
        .unwrap_or_else(|| "none".to_owned())
}

/// Versions that were replaced more than once, or that never were.
fn broken_links(snapshot: &mut Transaction<'_>) -> Findings {
    let sql = "SELECT format('version %s was replaced %s times, by %s', before, count(*), string_agg(kind || ' ' || op, ', '))
                 FROM rig.ledger WHERE before IS NOT NULL GROUP BY before HAVING count(*) > 1
                UNION ALL
               SELECT format('%s %s replaced version %s, which never was', kind, op, before)
                 FROM rig.ledger l
                WHERE before IS NOT NULL AND NOT EXISTS (SELECT FROM rig.ledger b WHERE b.op = l.before AND b.image IS NOT NULL)
                LIMIT 10";
    let rows = snapshot.query(sql, &[]).expect("the ledger can be read");
    rows.iter().map(|row| row.get(0)).collect()
}
