//! Thirty tables made up from seeds are converted while a client changes them. The rows are those that
//! a trigger has seen, and `pg_dump --schema-only` differs in nothing but what partitioning means, by the
//! rules below. A failure names its seed; `PARTMAN_SEEDS=7` (or `7-9`) tries that one (or those) alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use partman_rig::cluster::{Cluster, SUPERUSER};
use partman_rig::conversion::Conversion;
use partman_rig::oracle::dump::{Dump, Partitions};
use partman_rig::oracle::{self, Findings};
use partman_rig::random_schema::RandomSchema;
use partman_rig::stage::{OWNER, create_database};
use partman_rig::{fault, poll};
use postgres::Client;

use crate::maintained::{must, texts};

/// Beside each table: what its keys point at, and the image of its rows.
const AROUND: &str = "
    CREATE TABLE referenced (id int PRIMARY KEY);
    INSERT INTO referenced SELECT generate_series(0, 20);
    CREATE TABLE mirror (nr bigint, image jsonb);
    CREATE INDEX ON mirror (nr);
    CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(NEW, OLD); END';
    CREATE FUNCTION keep_image() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM public.mirror WHERE nr = OLD.nr AND image = to_jsonb(OLD);
            IF NOT FOUND THEN RAISE 'row % was never seen', to_jsonb(OLD); END IF;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO public.mirror VALUES (NEW.nr, to_jsonb(NEW));
        END IF;
        RETURN NULL;
    END $$";

/// What is missing, and what should not be there.
fn wrong_rows(client: &mut Client, table: &str) -> Findings {
    let is = format!("SELECT to_jsonb(t)::text AS image FROM {table} t");
    let should = "SELECT image::text FROM public.mirror";
    let sql = format!(
        "(SELECT 'lost: ' || image FROM ({should} EXCEPT ALL {is}) l)
         UNION ALL (SELECT 'not seen: ' || image FROM ({is} EXCEPT ALL {should}) n) LIMIT 5"
    );
    texts(client, &sql, &[])
}

/// Changes rows until told to stop; how often.
fn change_on(cluster: &Cluster, database: &str, changes: &[String], stop: &AtomicBool) -> i64 {
    let mut client = cluster.connect_as(OWNER, database);
    let mut number: i64 = 1000;
    while !stop.load(Ordering::Relaxed) {
        for change in changes {
            number += 1;
            let done = client.execute(change, &[&number]);
            done.unwrap_or_else(|e| panic!("{change}: {}", fault::describe(&e)));
        }
    }
    number
}

fn convert(cluster: &Cluster, database: &str, schema: &RandomSchema) {
    let mut app = cluster.connect_as(OWNER, database);
    must(&mut app, "SET timezone = 'UTC'; SET statement_timeout = 0");
    let literal = schema.table.replace('\'', "''");
    let column = schema.column.replace('\'', "''");
    Conversion::of(&literal, &column, schema.interval)
        .with("premake => 1")
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    must(
        &mut app,
        &format!("CALL wait_for_conversion('{literal}', '240 s')"),
    );
}

/// What partitions have that the table had: the same lines, under other names.
struct Rules<'a> {
    before: &'a Dump,
    table: &'a str,
    /// The partition column as SQL writes it.
    keys: [String; 2],
}

impl Rules<'_> {
    /// A line as both a table and a partitioned one have it.
    fn alike(&self, line: &str) -> String {
        let mut line = line
            .replace(" ON ONLY ", " ON ")
            .replace("ALTER TABLE ONLY ", "ALTER TABLE ");
        if line.contains(" UNIQUE ") || line.contains(" PRIMARY KEY ") {
            for key in &self.keys {
                line = line.replace(&format!(", {key})"), ")");
            }
        }
        line
    }

    /// What a line about a partition says, in words of its table.
    fn of_table(&self, line: &str) -> String {
        let (_, name) = self.table.split_once(".\"").expect("it has a schema");
        let mut text = line.replace("{partition}", &format!("\"{name}"));
        while let Some((said, after)) = text.split_once(" of partition}") {
            let (before, index) = said.rsplit_once('{').expect("it is in braces");
            let is_bare = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let index = match index.chars().all(is_bare) {
                true => index.to_owned(),
                false => format!("\"{}\"", index.replace('"', "\"\"")),
            };
            text = format!("{before}{index}{after}");
        }
        without_serial(without_comma(&self.alike(&text)))
    }

    /// Whether what a partition has is what its table has, or had.
    fn is_inherited(&self, line: &str) -> bool {
        let wanted = self.of_table(line);
        let mut lines = self.before.lines();
        line.contains(" ATTACH PARTITION ") || lines.any(|had| same_line(&self.alike(had), &wanted))
    }

    /// What the table had, of itself and of its indexes, that is said of no partition.
    fn not_inherited(&self, differences: &[String]) -> Findings {
        let said = differences.iter().filter_map(|difference| {
            let (title, change) = difference.split_once("] + ")?;
            let is_of_partition = [title, change]
                .iter()
                .any(|text| text.contains("partition}"));
            is_of_partition.then(|| self.of_table(change))
        });
        let said: Vec<String> = said.collect();
        let raw = self.table[1..self.table.len() - 1]
            .replace("\".\"", ".")
            .replace("\"\"", "\"");
        let of_itself = self
            .before
            .of_type("TABLE")
            .filter(|(name, _)| *name == raw);
        let is_on_table = |lines: &[String]| lines.iter().any(|line| line.contains(self.table));
        let of_indexes = self.before.of_type("INDEX");
        let of_indexes = of_indexes.filter(|(_, lines)| is_on_table(lines));
        let wanted = of_itself.chain(of_indexes).flat_map(|(_, lines)| lines);
        let lacks = |line: &&String| {
            let line = self.alike(line);
            !said.iter().any(|said| same_line(&line, said))
        };
        let lacking = wanted.filter(lacks);
        lacking
            .map(|line| format!("no partition has: {line}"))
            .collect()
    }

    /// What is not as it should be.
    fn check(&self, differences: &[String]) -> Findings {
        // What is gone and what came instead, where both are the same.
        let mut open: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut findings = Findings::new();
        for difference in differences {
            let (title, change) = difference.split_once("] ").expect("it has a title");
            if change.contains("{partition}") || change.contains(" of partition}") {
                let line = change.strip_prefix("+ ").unwrap_or(change);
                if !self.is_inherited(line) {
                    findings.push(difference.clone());
                }
                continue;
            }
            if title.contains("{partition}") {
                let line = change.strip_prefix("+ ").unwrap_or(change);
                if !self.is_inherited(line) {
                    findings.push(difference.clone());
                }
                continue;
            }
            if is_about_partitioning(title, change) {
                continue;
            }
            let (sign, line) = change.split_at(2.min(change.len()));
            let times = if sign == "+ " { 1 } else { -1 };
            *open
                .entry((title.to_owned(), self.alike(line)))
                .or_default() += times;
        }
        let left = open.into_iter().filter(|(_, times)| *times != 0);
        findings.extend(left.map(|((title, line), times)| format!("{title}] {times:+} {line}")));
        findings.extend(self.not_inherited(differences));
        findings
    }
}

fn without_comma(line: &str) -> &str {
    line.trim_end_matches([',', ';']).trim()
}

/// A serial's default is dumped apart from its column; a partition's with it.
fn without_serial(line: &str) -> String {
    let found = line
        .split_once(" DEFAULT nextval('")
        .and_then(|(before, rest)| {
            let (_, after) = rest.split_once("'::regclass)")?;
            Some(format!("{before}{after}"))
        });
    found.unwrap_or_else(|| line.to_owned())
}

/// Constraints NOT NULL have names since 18, and those of partitions are written down.
fn same_line(had: &str, wanted: &str) -> bool {
    let had = without_comma(had);
    had == wanted || {
        let bare = |line: &str| {
            let (before, rest) = line.split_once(" CONSTRAINT \"")?;
            let (_, after) = rest.split_once("_not_null\"")?;
            Some(format!("{before}{after}"))
        };
        let bare = |line: &str| bare(line).unwrap_or_else(|| line.to_owned());
        bare(had) == bare(wanted)
    }
}

/// A partitioned table says how, takes no storage parameters, and is not clustered; and the order in which
/// privileges are listed means nothing.
fn is_about_partitioning(title: &str, change: &str) -> bool {
    let says_how = ["+ PARTITION BY RANGE (", "- WITH ("];
    title.starts_with("[TABLE ")
        && (says_how.iter().any(|how| change.starts_with(how)) || ["+ )", "- );"].contains(&change))
        || change.starts_with("- ALTER TABLE ") && change.contains(" CLUSTER ON ")
        || title.starts_with("[ACL ") && change == "lines are in another order"
}

fn try_seed(cluster: &Cluster, seed: u64) {
    let schema = RandomSchema::of(seed);
    let database = format!("seed_{seed}");
    create_database(cluster, &database);
    let mut admin = cluster.connect_as(SUPERUSER, &database);
    must(&mut admin, "GRANT ALL ON SCHEMA public TO app");
    let mut app = cluster.connect_as(OWNER, &database);
    for sql in [AROUND, &schema.ddl] {
        must(&mut app, sql);
    }
    oracle::assert_none("before", &wrong_rows(&mut admin, &schema.table));
    let before = Dump::of(cluster, &database);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| change_on(cluster, &database, &schema.changes, &stop));
        let converted = std::panic::catch_unwind(|| convert(cluster, &database, &schema));
        stop.store(true, Ordering::Relaxed);
        let changes = client.join().expect("the client met no error");
        converted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(changes > 1000, "nobody changed anything");
    });
    oracle::assert_none("rows", &wrong_rows(&mut admin, &schema.table));
    // Keys of the retired table go first, where there are some.
    app.execute(
        "SELECT finish_conversion($1::text::regclass)",
        &[&schema.table],
    )
    .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    let retired = "SELECT count(*)::text FROM pg_class WHERE relname ~ '_retired$'";
    poll::expect(
        "the retired table to go",
        partman_rig::stage::PATIENCE,
        || texts(&mut admin, retired, &[]) == ["0"],
    );
    let after = Dump::of(cluster, &database);
    let differences = Partitions::of(&mut admin, &schema.table).fold(&before.differences(&after));
    let raw = schema.column.clone();
    let rules = Rules {
        before: &before,
        table: &schema.table,
        keys: [raw.clone(), format!("\"{}\"", raw.replace('"', "\"\""))],
    };
    oracle::assert_none("the definition", &rules.check(&differences));
    let restored = Dump::of_restored(cluster, &database, &format!("{database}_again"));
    oracle::assert_none("the restored definition", &after.differences(&restored));
    oracle::assert_none("rows after the end", &wrong_rows(&mut admin, &schema.table));
    must(
        &mut cluster.connect(),
        &format!("DROP DATABASE {database}_again"),
    );
}

/// Those that are asked for, or else these.
fn seeds(usual: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("PARTMAN_SEEDS") {
        Err(_) => usual.collect(),
        Ok(asked) => {
            let (first, last) = asked.split_once('-').unwrap_or((&asked, &asked));
            let number = |text: &str| text.parse::<u64>().expect("PARTMAN_SEEDS is 7, or 7-9");
            (number(first)..=number(last)).collect()
        }
    }
}

fn try_all(seeds: &[u64]) {
    let cluster = Cluster::builder().setting("wal_level", "logical").start();
    must(&mut cluster.connect(), "CREATE ROLE reader");
    for seed in seeds {
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            try_seed(&cluster, *seed);
        }));
        if let Err(panic) = tried {
            eprintln!("---- seed {seed} ----\n{}", RandomSchema::of(*seed).ddl);
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn fifteen_random_tables_are_what_they_were() {
    try_all(&seeds(0..15));
}

#[test]
fn fifteen_more_random_tables_are_what_they_were() {
    try_all(&seeds(15..30));
}
