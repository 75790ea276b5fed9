//! Two queries compared as multisets, for tests that bring their own bookkeeping.

use postgres::Client;

use super::Findings;
use crate::fault;

/// Finds the rows that one query returns more often than the other.
pub fn check(client: &mut Client, found: &str, wanted: &str) -> Findings {
    let mut findings = Findings::new();
    for (what, some, others) in [("missing", wanted, found), ("too many", found, wanted)] {
        let sql = format!(
            "SELECT count(*), (array_agg(left(d::text, 200)))[:5]::text FROM (({some}) EXCEPT ALL ({others})) d"
        );
        let row = client
            .query_one(&sql, &[])
            .unwrap_or_else(|e| panic!("{}\n{sql}", fault::describe(&e)));
        let rows: i64 = row.get(0);
        if rows > 0 {
            let samples: String = row.get(1);
            findings.push(format!("{rows} rows {what}, such as {samples}"));
        }
    }
    findings
}
