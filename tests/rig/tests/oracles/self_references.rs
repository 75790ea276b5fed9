//! Foreign keys of the table to itself hold at each moment, before, in and after the swap, and when the worker is
//! killed; and a table that changes all the time is validated without finding an orphan that is none.

use std::sync::Arc;

use partman_rig::conversion::{self, Conversion};
use partman_rig::fault;
use partman_rig::poll::PATIENCE;
use postgres::{Client, Error};

use crate::key_load::{Load, Round, refused, strike};
use crate::maintained::{builder, must, number, texts};

const TABLES: &str = "
    CREATE TABLE tree (
        id bigint PRIMARY KEY,
        parent bigint REFERENCES tree ON DELETE CASCADE ON UPDATE CASCADE,
        boss bigint REFERENCES tree DEFERRABLE INITIALLY DEFERRED,
        note text);
    CREATE INDEX ON tree (parent);
    CREATE INDEX ON tree (boss);
    CREATE SEQUENCE fresh START 100000 INCREMENT 10;
    INSERT INTO tree SELECT i FROM generate_series(30001, 30010) i;
    INSERT INTO tree SELECT i, nullif(i / 2, 0), 30001 + i % 10, repeat('x', 300) FROM generate_series(1, 20000) i;";

fn points_at_nothing(client: &mut Client) -> Result<(), Error> {
    refused(client, "INSERT INTO tree VALUES (-1, -2)")?;
    refused(client, "UPDATE tree SET parent = -1 WHERE id = 7")?;
    refused(client, "UPDATE tree SET boss = -1 WHERE id = 7")?;
    refused(client, "DELETE FROM tree WHERE id = 30001")?;
    refused(client, "UPDATE tree SET id = -30002 WHERE id = 30002")
}

/// Leaves of the tree change places, and get fresh parents that go with them.
fn grows_elsewhere(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let leaf = 10_001 + id / 10 % 9_000;
    let mut both = client.transaction()?;
    both.execute("INSERT INTO tree VALUES ($1, 5)", &[&id])?;
    both.execute("UPDATE tree SET parent = $1 WHERE id = $2", &[&id, &leaf])?;
    both.commit()?;
    let back = "UPDATE tree SET parent = $1::bigint / 2 WHERE id = $1";
    client.execute(back, &[&leaf])?;
    client.execute("DELETE FROM tree WHERE id = $1", &[&id])?;
    Ok(())
}

/// A tree of its own that moves, across partitions where there are any, and goes.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_and_goes(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let mut all = client.transaction()?;
    // What is deferred may come before what it points at.
    all.execute(
        "INSERT INTO tree VALUES ($1::bigint, 5, $1::bigint + 1)",
        &[&id],
    )?;
    all.execute(
        "INSERT INTO tree VALUES ($1::bigint + 1, $1::bigint), ($1::bigint + 2, $1::bigint), ($1::bigint + 3, $1::bigint + 2)",
        &[&id],
    )?;
    all.commit()?;
    let children = "SELECT count(*) FROM tree WHERE parent = $1";
    client.execute("UPDATE tree SET id = -id WHERE id = $1", &[&id])?;
    let moved: i64 = client.query_one(children, &[&-id])?.get(0);
    assert_eq!(moved, 2, "what was to follow did not");
    client.execute("UPDATE tree SET boss = NULL WHERE id = $1", &[&-id])?;
    client.execute("DELETE FROM tree WHERE id = $1", &[&-id])?;
    let sql = "SELECT count(*) FROM tree WHERE id BETWEEN $1::bigint AND $1::bigint + 3";
    let left: i64 = client.query_one(sql, &[&id])?.get(0);
    assert_eq!(left, 0, "what was to cascade did not");
    Ok(())
}

const KINDS: [Round; 4] = [
    points_at_nothing,
    grows_elsewhere,
    comes_and_goes,
    comes_and_goes,
];

const VIOLATIONS: &str = "SELECT count(*) FROM tree t
    WHERE (t.parent IS NOT NULL AND NOT EXISTS (SELECT FROM tree p WHERE p.id = t.parent))
       OR (t.boss IS NOT NULL AND NOT EXISTS (SELECT FROM tree p WHERE p.id = t.boss))";
/// The keys, as they are before and after.
const KEYS: &str = "SELECT format('%s %s %s %s', k.conname, pg_get_constraintdef(k.oid), k.convalidated,
           (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid))
      FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = 'tree'::regclass ORDER BY 1";

fn hold_under_load(killed_at: Option<&str>) {
    let cluster = Arc::new(builder("1h").start());
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, TABLES);
    let keys = texts(&mut admin, KEYS, &[]);
    assert_eq!(keys.len(), 2);
    let load = Load::start(&cluster, &KINDS);
    load.await_more(5);
    strike(&cluster, &mut admin, killed_at, |admin| {
        Conversion::of("tree", "id", "5000")
            .start(admin)
            .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    });
    conversion::wait_until_swapped(&mut admin, "tree", PATIENCE);
    load.await_more(8);
    assert_eq!(texts(&mut admin, KEYS, &[]), keys);
    load.stop();
    assert_eq!(number(&mut admin, VIOLATIONS), 0);
    must(&mut admin, "SELECT finish_conversion('tree')");
}

#[test]
fn self_references_hold_at_each_moment() {
    hold_under_load(None);
}

#[test]
fn self_references_hold_when_the_worker_is_killed_between_two_that_it_makes() {
    hold_under_load(Some("foreign_keys:of_itself"));
}

#[test]
fn self_references_hold_when_the_worker_is_killed_in_the_swap() {
    hold_under_load(Some("swap:before_commit"));
}

#[test]
fn self_references_hold_when_the_worker_is_killed_after_the_swap() {
    hold_under_load(Some("swap:after_commit"));
}
