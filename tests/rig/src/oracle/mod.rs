//! Judges of a conversion. Each returns what it found wrong, in words; nothing found is an empty list.
//!
//! | oracle | says |
//! |---|---|
//! | [`content`] | the table holds exactly what the ledger says, row for row |
//! | [`placement`] | every row lies in the partition whose bounds hold it |
//! | [`indexes`] | every index is valid, sound, and finds what a sequential scan finds |
//! | [`heap`] | the storage is sound, and bears an aggressive vacuum |
//! | [`litter`] | nothing is left over that was not there before or asked for |
//! | [`definition`] | a cancelled conversion changed nothing at all |
//! | [`dump`] | what `pg_dump` says before and after differs in what is listed, and in nothing else |

pub mod content;
pub mod definition;
pub mod dump;
pub mod heap;
pub mod indexes;
pub mod litter;
pub mod multiset;
pub mod placement;

use postgres::Client;

/// What an oracle found wrong.
pub type Findings = Vec<String>;

/// Looks at the table's rows, indexes, storage and partitions, but not at the ledger.
pub fn soundness(client: &mut Client, table: &str) -> Findings {
    let mut findings = placement::check(client, table);
    findings.extend(indexes::check(client, table));
    findings.extend(heap::check(client, table));
    findings
}

/// Fails the test where anything was found.
///
/// # Panics
/// With all of the findings.
pub fn assert_none(when: &str, findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{when}: {} findings\n- {}",
        findings.len(),
        findings.join("\n- ")
    );
}

/// The table itself if it is plain, or else its leaf partitions, as SQL names.
fn leaves(client: &mut Client, table: &str) -> Vec<String> {
    let sql = "SELECT relid::regclass::text
                 FROM pg_partition_tree($1::text::regclass) WHERE isleaf
                UNION ALL
               SELECT c.oid::regclass::text
                 FROM pg_class c WHERE c.oid = $1::text::regclass AND c.relkind = 'r' AND NOT c.relispartition
                ORDER BY 1";
    let rows = client.query(sql, &[&table]).expect("the table is there");
    rows.iter().map(|row| row.get(0)).collect()
}

fn count(client: &mut Client, sql: &str) -> i64 {
    client
        .query_one(sql, &[])
        .unwrap_or_else(|e| panic!("{}\n{sql}", crate::fault::describe(&e)))
        .get(0)
}
