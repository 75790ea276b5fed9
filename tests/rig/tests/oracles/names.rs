//! What is remembered of tables means the same tables whatever they are called, and wherever a dump
//! brings them.

use std::process::{Output, Stdio};

use partman_rig::cluster::Cluster;
use postgres::Client;

use crate::maintained::{must, number, texts};

/// Policies, a pin and a recycled partition, under odd names; a table with a policy that is gone.
const TABLES: &str = r#"
    CREATE EXTENSION pg_partman_rs;
    CREATE SCHEMA "shop ""1";
    CREATE TABLE "shop ""1"."odd ""name" (gone int, id int PRIMARY KEY) PARTITION BY RANGE (id);
    ALTER TABLE "shop ""1"."odd ""name" DROP COLUMN gone;
    CREATE TABLE "shop ""1".pinned PARTITION OF "shop ""1"."odd ""name" FOR VALUES FROM (0) TO (10);
    CREATE TABLE "shop ""1"."old ""one" PARTITION OF "shop ""1"."odd ""name" FOR VALUES FROM (10) TO (20);
    CREATE TABLE "shop ""1".new PARTITION OF "shop ""1"."odd ""name" FOR VALUES FROM (20) TO (30);
    INSERT INTO "shop ""1"."odd ""name" VALUES (5), (15), (25);
    CREATE TABLE gone (id int) PARTITION BY RANGE (id);
    SELECT set_partition_policy('gone', '10');
    DROP TABLE gone;
    SELECT pin_partition('"shop ""1".pinned', 'why');
    CREATE SCHEMA "attic ""1";
    SELECT set_partition_policy('"shop ""1"."odd ""name"', '10', premake => 1, retention => '4', retention_action => 'recycle',
                                retention_schema => 'attic "1', grace_period => '1 day', quiet_from => '22:00', quiet_until => '06:00',
                                maintenance_interval => '1 hour', repair => true);
    SELECT ensure_partitions();"#;

/// Everything has another name than when it was taken in hand.
const RENAMED: &str = r#"
    ALTER TABLE "shop ""1"."odd ""name" RENAME COLUMN id TO "the ""key";
    ALTER TABLE "shop ""1"."odd ""name" RENAME TO "new ""name";
    -- What was detached before is a table by itself.
    ALTER TABLE "attic ""1"."old ""one" RENAME COLUMN id TO "the ""key";
    ALTER TABLE "shop ""1".pinned RENAME TO "still ""pinned";
    ALTER TABLE "shop ""1".new SET SCHEMA public;
    ALTER TABLE "attic ""1"."old ""one" RENAME TO "oldest ""one";
    ALTER SCHEMA "shop ""1" RENAME TO "shop ""2";"#;

const POLICY: &str =
    "SELECT (to_jsonb(p) - 'last_run_at' - 'next_run_at')::text FROM partman_rs.policies p";
const PINS: &str = "SELECT concat_ws(' ', partition, reason) FROM partman_rs.pin ORDER BY 1";
const PARTITIONS: &str = r#"SELECT concat_ws(' ', c.oid::regclass, pg_get_expr(c.relpartbound, c.oid))
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = '"shop ""2"."new ""name"'::regclass ORDER BY pg_get_expr(c.relpartbound, c.oid)"#;

fn server() -> (Cluster, Client) {
    let cluster = Cluster::builder().start();
    let mut admin = cluster.connect();
    must(&mut admin, TABLES);
    must(&mut admin, RENAMED);
    (cluster, admin)
}

/// The table goes on as it was begun, under the names that all has by now.
fn assert_goes_on(client: &mut Client) {
    must(
        client,
        r#"SELECT restore_partition('"attic ""1"."oldest ""one"')"#,
    );
    must(client, r#"INSERT INTO "shop ""2"."new ""name" VALUES (35)"#);
    let done = "SELECT concat_ws(' ', action, outcome) FROM ensure_partitions() WHERE outcome <> 'skipped: it is pinned'";
    // The one in public is old by now; those before it are pinned, by hand and by being restored.
    assert_eq!(
        texts(client, done, &[]),
        ["create created", "recycle recycled"]
    );
    assert_eq!(
        texts(client, PARTITIONS, &[]),
        [
            r#""shop ""2"."still ""pinned" FOR VALUES FROM (0) TO (10)"#,
            r#""attic ""1"."oldest ""one" FOR VALUES FROM (10) TO (20)"#,
            r#""shop ""2"."odd ""name_p30" FOR VALUES FROM (30) TO (40)"#,
            r#""shop ""2"."new ""name_p40" FOR VALUES FROM (40) TO (50)"#,
        ]
    );
    assert_eq!(
        texts(client, PINS, &[]),
        [
            r#""attic ""1"."oldest ""one" restored from the recycle bin"#,
            r#""shop ""2"."still ""pinned" why"#
        ]
    );
    let bin = "SELECT concat_ws(' ', partition, parent) FROM partman_rs.recycle_bin";
    assert_eq!(
        texts(client, bin, &[]),
        [r#""attic ""1".new "shop ""2"."new ""name""#]
    );
    let unwell = "SELECT count(*) FROM partman_rs.health WHERE verdict <> 'ok'";
    assert_eq!(number(client, unwell), 0);
}

/// Pain 24: tables, partitions, columns and schemas are renamed after they were taken in hand.
#[test]
fn pain_24_policies_survive_renames() {
    let (_cluster, mut admin) = server();
    assert_eq!(
        number(&mut admin, "SELECT count(*) FROM partman_rs.policies"),
        1
    );
    assert_goes_on(&mut admin);
}

fn dump(cluster: &Cluster, format: &str) -> Vec<u8> {
    let mut command = cluster.client_program("pg_dump", "postgres");
    succeeded(
        command
            .args(["--format", format])
            .output()
            .expect("pg_dump can be run"),
    )
    .stdout
}

fn succeeded(output: Output) -> Output {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    output
}

fn restore_custom(cluster: &Cluster, database: &str, dump: &[u8]) {
    use std::io::Write as _;
    let mut command = cluster.client_program("pg_restore", database);
    command.args(["--exit-on-error", "--dbname", database]);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("pg_restore can be run");
    let mut input = child.stdin.take().expect("stdin was asked for");
    input.write_all(dump).expect("pg_restore reads the dump");
    drop(input);
    succeeded(child.wait_with_output().expect("pg_restore ends"));
}

/// Pain 24: policies, pins and the recycle bin come back from a dump in each format, and mean the same
/// tables, whose OIDs and column numbers are others there.
#[test]
fn pain_24_policies_survive_a_dump() {
    let (cluster, mut admin) = server();
    let policy = texts(&mut admin, POLICY, &[]);
    let pins = texts(&mut admin, PINS, &[]);
    must(&mut admin, "CREATE DATABASE plain");
    must(&mut admin, "CREATE DATABASE custom");
    let script = dump(&cluster, "plain");
    cluster.psql("plain", &String::from_utf8_lossy(&script));
    restore_custom(&cluster, "custom", &dump(&cluster, "custom"));
    for database in ["plain", "custom"] {
        let mut restored = cluster.connect_as("postgres", database);
        assert_eq!(texts(&mut restored, POLICY, &[]), policy, "{database}");
        assert_eq!(texts(&mut restored, PINS, &[]), pins, "{database}");
        // That of the table that is gone stayed behind.
        assert_eq!(
            number(&mut restored, "SELECT count(*) FROM partman_rs.policy"),
            1
        );
        assert_goes_on(&mut restored);
    }
}
