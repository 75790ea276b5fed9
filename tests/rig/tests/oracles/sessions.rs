//! Clients of every kind work through the swap: with prepared statements, functions, cursors, COPY, and at
//! each isolation level. They meet no error but those that `docs/limits.md` tells of, and no change that
//! was acknowledged is lost.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{Conversion, wait_until_swapped};
use partman_rig::fault;
use partman_rig::poll;
use partman_rig::stage::{OWNER, PATIENCE, create_database};
use postgres::{Client, Error, IsolationLevel};

use crate::maintained::{must, number};

const DATABASE: &str = "bank";
const ROWS: i64 = 6_000;

const SCHEMA: &str = "
    CREATE TABLE accounts (id bigint PRIMARY KEY, opened timestamptz NOT NULL, version bigint NOT NULL DEFAULT 0, note text);
    CREATE SEQUENCE fresh START 1000000;
    CREATE FUNCTION bump(which bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE line accounts%ROWTYPE; n bigint := 0;
    BEGIN
        FOR line IN SELECT * FROM accounts WHERE id BETWEEN which AND which + 2 ORDER BY id LOOP
            UPDATE accounts SET version = line.version + 1 WHERE id = line.id AND version = line.version;
            IF FOUND THEN n := n + 1; END IF;
        END LOOP;
        PERFORM count(*) FROM accounts WHERE id = which;
        RETURN n;
    END $$;";

/// One round of a client, on the row of that number and the next two; how many rows it has changed.
type Round = fn(&mut Client, i64) -> Result<i64, Error>;

fn functions(client: &mut Client, id: i64) -> Result<i64, Error> {
    let row = client.query_one("SELECT bump($1)", &[&id])?;
    Ok(row.get(0))
}

#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is what the server said"
)]
fn cursors(client: &mut Client, id: i64) -> Result<i64, Error> {
    client.batch_execute(&format!(
        "BEGIN;
         DECLARE here SCROLL CURSOR FOR SELECT id FROM accounts WHERE id BETWEEN {id} AND {id} + 2;
         FETCH 2 FROM here; FETCH BACKWARD 1 FROM here;
         DECLARE mine CURSOR FOR SELECT id FROM accounts WHERE id = {id} FOR UPDATE;
         FETCH mine;
         UPDATE accounts SET version = version + 1 WHERE CURRENT OF mine;
         DECLARE held CURSOR WITH HOLD FOR SELECT id FROM accounts WHERE id < 500;
         COMMIT;"
    ))?;
    let held = client.query("FETCH ALL FROM held", &[])?.len();
    client.batch_execute("CLOSE held")?;
    assert_eq!(held, 499, "a cursor that is held shows what it held");
    Ok(1)
}

#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is what the server said"
)]
fn copies(client: &mut Client, id: i64) -> Result<i64, Error> {
    let fresh: i64 = client.query_one("SELECT nextval('fresh')", &[])?.get(0);
    let mut writer = client.copy_in("COPY accounts (id, opened, version) FROM STDIN")?;
    let line = format!("{fresh}\t2026-02-03 00:00+00\t1\n");
    writer
        .write_all(line.as_bytes())
        .expect("the server takes it");
    writer.finish()?;
    let mut text = String::new();
    let sql =
        format!("COPY (SELECT id FROM accounts WHERE id BETWEEN {id} AND {id} + 2) TO STDOUT");
    let mut reader = client.copy_out(&sql)?;
    reader
        .read_to_string(&mut text)
        .expect("the server sends it");
    assert_eq!(text.lines().count(), 3, "all of them are there");
    Ok(1)
}

fn copies_the_table(client: &mut Client, _: i64) -> Result<i64, Error> {
    let mut bytes = Vec::new();
    let mut reader = client.copy_out("COPY accounts TO STDOUT")?;
    reader.read_to_end(&mut bytes).expect("the server sends it");
    Ok(0)
}

fn at(client: &mut Client, id: i64, level: IsolationLevel) -> Result<i64, Error> {
    let mut work = client.build_transaction().isolation_level(level).start()?;
    work.query_one("SELECT count(*) FROM accounts WHERE id < 100", &[])?;
    let changed = work.execute(
        "UPDATE accounts SET version = version + 1 WHERE id = $1",
        &[&id],
    )?;
    work.query_one(
        "SELECT sum(version)::bigint FROM accounts WHERE id > 5900",
        &[],
    )?;
    work.commit()?;
    Ok(i64::try_from(changed).expect("one row"))
}

fn read_committed(client: &mut Client, id: i64) -> Result<i64, Error> {
    at(client, id, IsolationLevel::ReadCommitted)
}

fn repeatable_read(client: &mut Client, id: i64) -> Result<i64, Error> {
    at(client, id, IsolationLevel::RepeatableRead)
}

fn serializable(client: &mut Client, id: i64) -> Result<i64, Error> {
    at(client, id, IsolationLevel::Serializable)
}

/// What clients may meet, and why: as `docs/limits.md` has it.
const CLIENTS: [(&str, Round, &[&str]); 7] = [
    ("functions", functions, &[]),
    ("cursors", cursors, &[]),
    ("copies", copies, &[]),
    // COPY t TO is not for partitioned tables.
    ("copies of the table", copies_the_table, &["42809"]),
    ("read committed", read_committed, &[]),
    // Two of them met at a row, as ever.
    ("repeatable read", repeatable_read, &["40001"]),
    ("serializable", serializable, &["40001"]),
];

/// Of each client and SQLSTATE: how often, and one of them in full.
type Errors = BTreeMap<(&'static str, String), (i64, String)>;

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    changed: AtomicI64,
    rounds: Mutex<BTreeMap<&'static str, i64>>,
    errors: Mutex<Errors>,
}

impl Seen {
    fn rounds(&self) -> BTreeMap<&'static str, i64> {
        self.rounds.lock().expect("nobody failed").clone()
    }

    fn has_met(&self, who: &'static str, code: &str) -> bool {
        let errors = self.errors.lock().expect("nobody failed");
        errors.contains_key(&(who, code.to_owned()))
    }

    fn note(&self, who: &'static str, done: Result<i64, Error>) {
        match done {
            Ok(changed) => {
                self.changed.fetch_add(changed, Ordering::Relaxed);
                *self
                    .rounds
                    .lock()
                    .expect("nobody failed")
                    .entry(who)
                    .or_default() += 1;
            }
            Err(error) => {
                let code = fault::sqlstate(&error).unwrap_or_default();
                let mut errors = self.errors.lock().expect("nobody failed");
                let seen = errors
                    .entry((who, code))
                    .or_insert_with(|| (0, fault::describe(&error)));
                seen.0 += 1;
            }
        }
    }
}

fn work(cluster: &Cluster, seen: &Seen, place: usize) {
    let (who, round, _) = CLIENTS[place];
    let mut client = cluster.connect_as(OWNER, DATABASE);
    // Of each client its own rows, and some that all of them want.
    let first = 700 * i64::try_from(place).expect("few") + 500;
    for turn in 0_i64.. {
        if seen.stop.load(Ordering::Relaxed) {
            break;
        }
        let id = if turn % 10 == 0 {
            77
        } else {
            first + turn % 600
        };
        seen.note(who, round(&mut client, id));
        // One that failed in the middle of a transaction is out of it.
        let _ = client.batch_execute("ROLLBACK");
    }
}

#[test]
fn clients_of_every_kind_go_on_through_the_swap() {
    let cluster = Cluster::builder().start();
    create_database(&cluster, DATABASE);
    let mut app = cluster.connect_as(OWNER, DATABASE);
    must(&mut app, SCHEMA);
    must(
        &mut app,
        &format!(
            "INSERT INTO accounts SELECT i, timestamptz '2026-01-01 00:00+00' + i % 100 * interval '1 day', 0, repeat('n', 100)
               FROM generate_series(1, {ROWS}) i"
        ),
    );
    let seen = Seen::default();
    let went_on = |rounds: i64| {
        let before = seen.rounds();
        poll::expect("each client to go on", PATIENCE, || {
            let now = seen.rounds();
            CLIENTS.iter().all(|(who, _, may_fail)| {
                let of = |map: &BTreeMap<&str, i64>| map.get(who).copied().unwrap_or(0);
                may_fail.contains(&"42809") || of(&now) >= of(&before) + rounds
            })
        });
    };
    std::thread::scope(|scope| {
        let (cluster, seen) = (&cluster, &seen);
        for place in 0..CLIENTS.len() {
            scope.spawn(move || work(cluster, seen, place));
        }
        let converted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            went_on(20);
            Conversion::of("accounts", "opened", "1 month")
                .start(&mut app)
                .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
            wait_until_swapped(&mut app, "accounts", PATIENCE);
            went_on(20);
            poll::expect("the table to be copied no more", PATIENCE, || {
                seen.has_met("copies of the table", "42809")
            });
        }));
        seen.stop.store(true, Ordering::Relaxed);
        converted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let errors = seen.errors.lock().expect("nobody failed");
    let unforeseen: Vec<String> = errors
        .iter()
        .filter(|((who, code), _)| {
            let client = CLIENTS.iter().find(|(name, ..)| name == who);
            !client.is_some_and(|(_, _, may_meet)| may_meet.contains(&code.as_str()))
        })
        .map(|((who, _), (times, what))| format!("{who}, {times} times: {what}"))
        .collect();
    partman_rig::oracle::assert_none("what clients met", &unforeseen);
    let versions = number(&mut app, "SELECT sum(version)::bigint FROM accounts");
    assert_eq!(
        versions,
        seen.changed.load(Ordering::Relaxed),
        "each change that was acknowledged counts once"
    );
}
