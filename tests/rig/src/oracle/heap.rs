//! Soundness of the storage: wrong frozen bits, visibility map bits and transaction horizons are
//! harmless at first and lose rows later.

use postgres::Client;

use super::{Findings, leaves};
use crate::fault;

/// Checks every leaf with amcheck and pg_visibility, freezes all of it and checks again.
pub fn check(client: &mut Client, table: &str) -> Findings {
    for contrib in ["amcheck", "pg_visibility"] {
        let sql = format!("CREATE EXTENSION IF NOT EXISTS {contrib}");
        client
            .batch_execute(&sql)
            .unwrap_or_else(|_| panic!("the contrib {contrib} is installed"));
    }
    let mut findings = Findings::new();
    for leaf in leaves(client, table) {
        findings.extend(corruption(client, &leaf));
        if let Err(error) =
            client.batch_execute(&format!("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) {leaf}"))
        {
            findings.push(format!("vacuum of {leaf}: {}", fault::describe(&error)));
        }
        findings.extend(corruption(client, &leaf));
    }
    findings
}

fn corruption(client: &mut Client, leaf: &str) -> Findings {
    let sql = "SELECT format('verify_heapam(%s): block %s item %s: %s', $1::text, blkno, offnum, msg)
                 FROM verify_heapam($1::text::regclass, check_toast => true)
                UNION ALL
               SELECT format('%s: tuple %s is not frozen where the map says so', $1::text, t_ctid)
                 FROM pg_check_frozen($1::text::regclass)
                UNION ALL
               SELECT format('%s: tuple %s is not visible to all where the map says so', $1::text, t_ctid)
                 FROM pg_check_visible($1::text::regclass)
                LIMIT 5";
    match client.query(sql, &[&leaf]) {
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(error) => vec![format!("check of {leaf}: {}", fault::describe(&error))],
    }
}
