//! What a conversion leaves behind, and should not.

use std::collections::BTreeSet;
use std::time::Duration;

use postgres::Client;

use super::Findings;
use crate::poll::{self, PATIENCE};

/// All objects of a database that a conversion could leave behind, by kind and name.
const INVENTORY: &str = "
    SELECT format('%s %s', CASE relkind WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'relation' END, oid::regclass)
      FROM pg_class
     WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))
     UNION ALL
    SELECT format('trigger %s on %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
     UNION ALL
    SELECT format('function %s', oid::regprocedure) FROM pg_proc
     WHERE pronamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
     UNION ALL
    SELECT format('type %s', oid::regtype) FROM pg_type
     WHERE typnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))
     UNION ALL
    SELECT format('schema %s', nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
     UNION ALL
    SELECT format('constraint %s on %s', conname, conrelid::regclass) FROM pg_constraint
     WHERE conrelid <> 0 AND connamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
     UNION ALL
    SELECT format('statistics %s', stxname) FROM pg_statistic_ext
     UNION ALL
    SELECT format('publication %s', pubname) FROM pg_publication
     UNION ALL
    SELECT format('slot %s', slot_name) FROM pg_replication_slots
     UNION ALL
    SELECT format('prepared transaction %s', gid) FROM pg_prepared_xacts WHERE database = current_database()";

/// Workers and advisory locks of this database, and locks that outlive their processes: gone once a
/// job has come to rest.
const RUNNING: &str = "
    SELECT format('worker %s (%s) is still running', pid, backend_type) FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type ILIKE '%partman%'
     UNION ALL
    SELECT format('process %s still holds advisory lock %s/%s', pid, classid, objid) FROM pg_locks
     WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
     UNION ALL
    SELECT format('process %s is gone, but not its %s on %s %s/%s', l.pid, l.mode, l.locktype, coalesce(l.relation, l.classid), l.objid)
      FROM pg_locks l
     WHERE l.pid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)";

/// What there is in a database.
#[derive(Debug, Clone)]
pub struct Inventory(BTreeSet<String>);

impl Inventory {
    /// Takes it down.
    pub fn of(client: &mut Client) -> Self {
        let rows = client
            .query(INVENTORY, &[])
            .expect("the catalog can be read");
        Self(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// After a cancelled conversion: exactly what was there before, not one object more or less.
pub fn check_unchanged(client: &mut Client, before: &Inventory) -> Findings {
    check_unchanged_within(client, before, PATIENCE)
}

/// As [`check_unchanged`]; what is still at work is given that long to end.
pub fn check_unchanged_within(
    client: &mut Client,
    before: &Inventory,
    limit: Duration,
) -> Findings {
    let now = Inventory::of(client);
    let gained = now
        .0
        .difference(&before.0)
        .map(|what| format!("left over: {what}"));
    let lost = before
        .0
        .difference(&now.0)
        .map(|what| format!("lost: {what}"));
    gained.chain(lost).chain(at_rest(client, limit)).collect()
}

/// After the swap: only the table, its partitions and, until it is dropped, the retired one may
/// be new, and nothing that was there is gone.
pub fn check_converted(
    client: &mut Client,
    before: &Inventory,
    table: &str,
    retired: Retired,
) -> Findings {
    let now = Inventory::of(client);
    let mut findings: Findings = now
        .0
        .difference(&before.0)
        .filter(|what| is_litter(what, table, retired))
        .cloned()
        .collect();
    findings
        .iter_mut()
        .for_each(|what| what.insert_str(0, "left over: "));
    findings.extend(
        before
            .0
            .difference(&now.0)
            .map(|what| format!("lost: {what}")),
    );
    let is_there = now.0.contains(&format!("relation {table}_retired"));
    if is_there != (retired == Retired::Kept) {
        findings.push(format!("{table}_retired should be {retired:?}"));
    }
    findings.extend(at_rest(client, PATIENCE));
    findings
}

/// What has become of the table as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    Kept,
    Dropped,
}

fn is_litter(what: &str, table: &str, retired: Retired) -> bool {
    let suspicious = ["partman_rs.", "partman_rs", "change_log_", "_twin"]
        .iter()
        .any(|part| what.contains(part));
    let of_table =
        what.contains(&format!("{table}_p")) || what.contains(&format!("{table}_default"));
    let of_retired = what.contains("_retired") && retired == Retired::Kept;
    // Names of indexes and constraints on partitions are PostgreSQL's choice and may be cut short.
    let of_some_index = what.starts_with("index ") || what.starts_with("constraint ");
    suspicious
        || (what.contains("_retired") && !of_retired)
        || !(of_table || of_retired || of_some_index)
}

/// No worker runs and no advisory lock is held once the last ones, who may be gathering statistics, are gone: within
/// `limit`.
fn at_rest(client: &mut Client, limit: Duration) -> Findings {
    let busy = |client: &mut Client| -> Findings {
        let rows = client.query(RUNNING, &[]).expect("the catalog can be read");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let quiet = poll::until(limit, || busy(client).is_empty().then_some(()));
    if quiet.is_some() {
        vec![]
    } else {
        busy(client)
    }
}
