//! Foreign keys of a table to itself whose key is guarded hold at each moment, before, in and after the swap, and when
//! the worker is killed, whatever the order in which a statement brings rows and what they point at.

use std::sync::Arc;

use partman_rig::conversion::{self, Conversion};
use partman_rig::fault;
use partman_rig::poll::{self, PATIENCE};
use postgres::{Client, Error};

use crate::key_load::{Load, Round, refused, strike};
use crate::maintained::{builder, must, number, texts};

/// What points at 30002 does not move: who moved it would wait for a deletion of that, which looks for what points at it.
const TABLES: &str = "
    CREATE TABLE comments (
        id bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        parent bigint REFERENCES comments ON DELETE CASCADE ON UPDATE CASCADE,
        quoted bigint REFERENCES comments ON DELETE SET NULL,
        thread bigint REFERENCES comments DEFERRABLE INITIALLY DEFERRED,
        note text);
    CREATE INDEX ON comments (parent);
    CREATE INDEX ON comments (quoted);
    CREATE INDEX ON comments (thread);
    CREATE TABLE likes (comment bigint NOT NULL REFERENCES comments ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE INDEX ON likes (comment);
    CREATE SEQUENCE fresh START 100000 INCREMENT 10;
    CREATE FUNCTION some_day() RETURNS timestamptz VOLATILE LANGUAGE sql AS
        $$SELECT timestamptz '2024-01-01 00:00+00' + random() * interval '180 days'$$;
    INSERT INTO comments VALUES (30001, '2024-02-02'), (30002, '2024-02-02');
    INSERT INTO comments SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '13 minutes', nullif(i / 2, 0), nullif(i / 3, 0), CASE WHEN i > 11500 THEN 30002 ELSE 30001 END, repeat('x', 200)
      FROM generate_series(1, 12000) i;
    INSERT INTO likes SELECT i FROM generate_series(1, 12000) i;";

fn points_at_nothing(client: &mut Client) -> Result<(), Error> {
    refused(
        client,
        "INSERT INTO comments VALUES (-1, '2024-02-02', -2), (-3, '2024-03-03', -1)",
    )?;
    refused(client, "UPDATE comments SET parent = -1 WHERE id = 905")?;
    refused(client, "UPDATE comments SET thread = -1 WHERE id = 906")?;
    refused(client, "DELETE FROM comments WHERE id = 30002")
}

/// Rows with others below them move, and leaves of the tree get other parents.
fn moves(client: &mut Client) -> Result<(), Error> {
    client.batch_execute(
        "UPDATE comments SET at = some_day() WHERE id = 1 + (random() * 900)::int;
         UPDATE comments SET at = at + interval '20 days' WHERE id BETWEEN 950 AND 960;
         UPDATE comments SET at = at - interval '20 days' WHERE id BETWEEN 950 AND 960;
         UPDATE comments SET parent = 1 + (random() * 900)::int WHERE id = 10000 + (random() * 900)::int",
    )
}

/// A tree of its own, children before their parents, that gets another key, moves, and goes.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
fn comes_and_goes(client: &mut Client) -> Result<(), Error> {
    let id: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    client.execute(
        "INSERT INTO comments
         SELECT $1::bigint + i, some_day(), CASE WHEN i = 3 THEN 5 ELSE $1::bigint + i + 1 END, CASE i WHEN 0 THEN $1::bigint + 2 END, $1::bigint + 1
           FROM generate_series(0, 3) i",
        &[&id],
    )?;
    client.execute(
        "INSERT INTO likes SELECT $1::bigint + i FROM generate_series(0, 3) i",
        &[&id],
    )?;
    client.execute(
        "UPDATE comments SET at = some_day() WHERE id BETWEEN $1::bigint AND $1::bigint + 3",
        &[&id],
    )?;
    let children = "SELECT count(*) FROM comments WHERE parent = $1::bigint";
    client.execute(
        "UPDATE comments SET id = -id WHERE id = $1::bigint + 3",
        &[&id],
    )?;
    let moved: i64 = client.query_one(children, &[&-(id + 3)])?.get(0);
    assert_eq!(moved, 1, "what was to follow did not");
    client.execute(
        "UPDATE comments SET thread = NULL WHERE id BETWEEN $1::bigint AND $1::bigint + 2 OR id = -$1::bigint - 3",
        &[&id],
    )?;
    client.execute("DELETE FROM comments WHERE id = -$1::bigint - 3", &[&id])?;
    let left = "SELECT (SELECT count(*) FROM comments WHERE id BETWEEN $1::bigint AND $1::bigint + 3)
                     + (SELECT count(*) FROM likes WHERE comment BETWEEN $1::bigint AND $1::bigint + 3 OR comment = -$1::bigint - 3)";
    let left: i64 = client.query_one(left, &[&id])?.get(0);
    assert_eq!(left, 0, "what was to cascade did not");
    Ok(())
}

const KINDS: [Round; 4] = [points_at_nothing, moves, comes_and_goes, comes_and_goes];

/// Rows that point at nothing, or are there twice.
const VIOLATIONS: &str = "SELECT
    (SELECT count(*) FROM comments c
      WHERE (c.parent IS NOT NULL AND NOT EXISTS (SELECT FROM comments p WHERE p.id = c.parent))
         OR (c.quoted IS NOT NULL AND NOT EXISTS (SELECT FROM comments p WHERE p.id = c.quoted))
         OR (c.thread IS NOT NULL AND NOT EXISTS (SELECT FROM comments p WHERE p.id = c.thread)))
  + (SELECT 12000 - count(*) FROM comments WHERE id BETWEEN 1 AND 12000)
  + (SELECT 12000 - count(DISTINCT comment) FROM likes WHERE comment BETWEEN 1 AND 12000)
  + (SELECT count(*) FROM (SELECT id FROM comments GROUP BY id HAVING count(*) > 1) AS twice)";
const DIFFERENCES: &str = "SELECT
    (SELECT count(*) FROM (SELECT id, at FROM comments EXCEPT ALL SELECT id, at FROM comments_pkey_guard) o)
  + (SELECT count(*) FROM (SELECT id, at FROM comments_pkey_guard EXCEPT ALL SELECT id, at FROM comments) g)";
/// The keys, as they are before and after.
const KEYS: &str = "SELECT format('%s: %s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated)
      FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.connamespace = 'public'::regnamespace ORDER BY 1";

fn hold_under_load(killed_at: Option<&str>) {
    let cluster = Arc::new(builder("1h").start());
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    must(&mut admin, TABLES);
    let keys = texts(&mut admin, KEYS, &[]);
    assert_eq!(keys.len(), 4);
    let load = Load::start(&cluster, &KINDS);
    load.await_more(5);
    strike(&cluster, &mut admin, killed_at, |admin| {
        Conversion::of("comments", "at", "1 month")
            .with("unique_guard => true")
            .with("range_end => '2024-06-01'")
            .start(admin)
            .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
    });
    conversion::wait_until_swapped(&mut admin, "comments", PATIENCE);
    load.await_more(8);
    let own = "comments_pkey_guard: comments_pkey_guard_fkey FOREIGN KEY (id, at) REFERENCES comments(id, at) ON UPDATE CASCADE ON DELETE CASCADE t";
    let mut wanted: Vec<String> = keys
        .iter()
        .map(|key| key.replace("comments(id)", "comments_pkey_guard(id)"))
        .chain([own.to_owned()])
        .collect();
    wanted.sort();
    poll::expect("the keys to be as they were", PATIENCE, || {
        let mut now = texts(&mut admin, KEYS, &[]);
        now.retain(|key| !key.starts_with("comments_retired"));
        now.sort();
        now == wanted
    });
    must(&mut admin, "SELECT finish_conversion('comments')");
    load.await_more(8);
    load.stop();
    assert_eq!(number(&mut admin, VIOLATIONS), 0);
    assert_eq!(number(&mut admin, DIFFERENCES), 0);
}

#[test]
fn a_guarded_tree_holds_at_each_moment() {
    hold_under_load(None);
}

#[test]
fn a_guarded_tree_holds_when_the_worker_is_killed_between_two_keys_that_it_makes() {
    hold_under_load(Some("foreign_keys:of_itself"));
}

#[test]
fn a_guarded_tree_holds_when_the_worker_is_killed_in_the_swap() {
    hold_under_load(Some("swap:before_commit"));
}

#[test]
fn a_guarded_tree_holds_when_the_worker_is_killed_after_the_swap() {
    hold_under_load(Some("swap:after_commit"));
}
