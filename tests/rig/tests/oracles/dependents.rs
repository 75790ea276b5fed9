//! What hangs on a table under load: views, functions, triggers and policies are used all the time,
//! also by transactions that use the table first and then the view, while they change hands.

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{Conversion, wait_until_swapped};
use partman_rig::fault;
use partman_rig::pgbench::Pgbench;
use partman_rig::poll;
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use postgres::Client;

use crate::maintained::{PATIENT_SWAP, must, number};

const ACCOUNTS: i64 = 20_000;
const CLIENTS: usize = 8;

/// Each transaction makes two updates, each of which a trigger notes.
const TABLE_FIRST: &str = "
\\set low random(1, 10000)
\\set high random(10001, 20000)
BEGIN;
UPDATE accounts SET balance = balance - 1 WHERE id = :low;
SELECT balance FROM balances WHERE id = :low;
SELECT balance FROM outer_balances WHERE id = :high;
UPDATE accounts SET balance = balance + 1 WHERE id = :high;
COMMIT;
";
const VIEW_FIRST: &str = "
\\set low random(1, 10000)
\\set high random(10001, 20000)
BEGIN;
SELECT balance_of(:low);
UPDATE balances SET balance = balance - 1 WHERE id = :low;
UPDATE balances SET balance = balance + 1 WHERE id = :high;
COMMIT;
";

fn bank() -> Cluster {
    let cluster = Cluster::builder().start();
    create_database(&cluster, "bank");
    let tables = format!(
        "CREATE TABLE accounts (id bigint PRIMARY KEY, opened timestamptz NOT NULL, balance bigint NOT NULL);
         INSERT INTO accounts SELECT n, timestamptz '2026-05-01 00:00+00' + n % 150 * interval '1 day', 1000
           FROM generate_series(1, {ACCOUNTS}) n;
         CREATE TABLE noted (id bigint, change bigint);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN INSERT INTO noted VALUES (NEW.id, NEW.balance - OLD.balance); RETURN NEW; END';
         CREATE TRIGGER note BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION note();
         CREATE VIEW balances AS SELECT id, balance FROM accounts WHERE id > 0 WITH CHECK OPTION;
         CREATE VIEW outer_balances AS SELECT id, balance FROM balances;
         CREATE FUNCTION balance_of(one bigint) RETURNS bigint LANGUAGE sql STABLE
           BEGIN ATOMIC SELECT balance FROM accounts WHERE id = one; END;
         CREATE MATERIALIZED VIEW months AS SELECT date_trunc('month', opened, 'UTC') AS month, count(*) AS n FROM accounts GROUP BY 1;
         CREATE STATISTICS two ON opened, balance FROM accounts;
         ANALYZE accounts"
    );
    cluster
        .connect_as(OWNER, "bank")
        .batch_execute(&tables)
        .expect("the tables can be created");
    cluster
}

#[test]
fn views_and_triggers_change_hands_under_their_users() {
    let cluster = bank();
    // No more than a slow machine has done at once, and what could not be done in time is left out: where clients are busy all the time,
    // one is always between the table and the view, and no swap comes between.
    let run = Pgbench::until_stopped(&cluster, "bank", CLIENTS)
        .arg("--protocol=prepared")
        .arg("--rate=60")
        .arg("--latency-limit=100")
        .script(TABLE_FIRST)
        .script(VIEW_FIRST);
    let run = run.start();
    let mut client = cluster.connect_as(OWNER, "bank");
    let noted = |client: &mut Client| number(client, "SELECT count(*) FROM noted");
    poll::expect("the clients to work", PATIENCE, || noted(&mut client) > 200);
    let mut app = cluster.connect_as(OWNER, "bank");
    must(&mut app, PATIENT_SWAP);
    let started = Conversion::of("accounts", "opened", "1 month").start(&mut app);
    started.unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    wait_until_swapped(&mut app, "accounts", PATIENCE);
    let before = noted(&mut client);
    poll::expect("the clients to go on", PATIENCE, || {
        noted(&mut client) > before + 1_000
    });
    let outcome = run.stop();
    outcome.assert_no_errors();
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM noted), (SELECT sum(change)::bigint FROM noted), \
                    (SELECT sum(balance)::bigint FROM outer_balances), (SELECT sum(balance)::bigint FROM accounts), \
                    (SELECT sum(n)::bigint FROM months), \
                    (SELECT relkind::text FROM pg_class WHERE oid = 'accounts'::regclass)",
            &[],
        )
        .expect("all can be read");
    let all: (i64, i64, i64, i64, i64, String) = (
        row.get(0),
        row.get(1),
        row.get(2),
        row.get(3),
        row.get(4),
        row.get(5),
    );
    let money = ACCOUNTS * 1_000;
    assert_eq!(
        all,
        (
            2 * outcome.transactions,
            0,
            money,
            money,
            ACCOUNTS,
            "p".to_owned()
        ),
        "each update fired the trigger once, and nothing was lost"
    );
    client
        .batch_execute("REFRESH MATERIALIZED VIEW months; ANALYZE accounts")
        .expect("the materialized view reads the new table");
}
