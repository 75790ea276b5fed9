//! The database's definition before and after something that should not have changed it.

use postgres::Client;

use super::Findings;
use crate::cluster::Cluster;
use crate::os;

/// All that `pg_dump --schema-only` says about a database, and where the table's rows lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    dump: Vec<String>,
    identity: String,
}

impl Definition {
    /// Takes it down.
    pub fn of(cluster: &Cluster, database: &str, table: &str) -> Self {
        let output = os::must_run(
            cluster
                .client_program("pg_dump", database)
                .arg("--schema-only"),
        );
        let text = String::from_utf8_lossy(&output.stdout);
        // Each dump has its own random \restrict token.
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        let mut client = cluster.connect_as(crate::cluster::SUPERUSER, database);
        Self {
            dump: lines.map(str::to_owned).collect(),
            identity: identity(&mut client, table),
        }
    }

    /// What has changed since.
    pub fn changes(&self, now: &Self) -> Findings {
        let lacks = |text: &[String], line: &String| !line.is_empty() && !text.contains(line);
        let gone = self
            .dump
            .iter()
            .filter(|line| lacks(&now.dump, line))
            .map(|line| format!("definition lost: {line}"));
        let come = now
            .dump
            .iter()
            .filter(|line| lacks(&self.dump, line))
            .map(|line| format!("definition gained: {line}"));
        let mut findings: Findings = gone.chain(come).collect();
        if findings.is_empty() && self.dump != now.dump {
            findings.push(
                "the definition's lines are the same, their order or number is not".to_owned(),
            );
        }
        if self.identity != now.identity {
            findings.push(format!(
                "the table was {}, is {}",
                self.identity, now.identity
            ));
        }
        findings
    }
}

fn identity(client: &mut Client, table: &str) -> String {
    let sql = "SELECT format('relation %s owned by %s with privileges %s', oid, relowner::regrole, coalesce(relacl::text, 'default'))
                 FROM pg_class WHERE oid = $1::text::regclass";
    client
        .query_one(sql, &[&table])
        .expect("the table is there")
        .get(0)
}

/// The columns of a table, one line each, with all that a conversion carries over.
///
/// Recent minor releases keep `pg_attver`, a mark of their own, among the options of a column. No
/// statistics target was -1 before 17, and is null since.
pub fn columns(client: &mut Client, table: &str) -> Vec<String> {
    let sql = "SELECT format('%I %s collate %s notnull %s identity %s generated %s storage %s compression %s target %s options %s default %s comment %s',
                             a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, a.attnotnull,
                             a.attidentity, a.attgenerated, a.attstorage, a.attcompression, nullif(a.attstattarget, -1),
                             (SELECT array_agg(o ORDER BY o) FROM unnest(a.attoptions) o WHERE o !~ '^pg_attver='),
                             pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
                 FROM pg_attribute a
                 LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
                ORDER BY a.attnum";
    let rows = client.query(sql, &[&table]).expect("the table is there");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The differences between two lists of columns, of which `may_be_not_null` may have become NOT NULL.
pub fn column_changes(before: &[String], after: &[String], may_be_not_null: &str) -> Findings {
    let forgive = |line: &String| {
        let forgiven = line.starts_with(&format!("{may_be_not_null} "));
        if forgiven {
            line.replace("notnull f ", "notnull t ")
        } else {
            line.clone()
        }
    };
    let (before, after): (Vec<_>, Vec<_>) = (
        before.iter().map(forgive).collect(),
        after.iter().map(forgive).collect(),
    );
    if before == after {
        vec![]
    } else {
        vec![format!(
            "columns were\n{}\nand are\n{}",
            before.join("\n"),
            after.join("\n")
        )]
    }
}
