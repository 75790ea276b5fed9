//! What drivers do on the wire, through the swap and through maintenance afterwards: statements that are parsed once and run
//! thousands of times, with plans for their values and with generic ones; portals and held cursors that are fetched in
//! pieces; COPY in pieces; pipelines; each isolation level. They meet no error but those that `docs/limits.md` tells of,
//! each sees what it has written, and no change that was acknowledged is lost or there twice.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partman_rig::cluster::Login;
use partman_rig::pgbench::Pgbench;
use partman_rig::stage::{OWNER, PATIENCE, Stage};
use partman_rig::workload::Report;
use partman_rig::{conversion, fault, oracle, poll, shapes};
use postgres::{Client, Error, Statement};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::maintained::{builder, must, number, set_clock};

const ROWS: i64 = 8_000;
/// Rows that each client has for itself, and those that all of them want.
const OWN: i64 = 400;
const SHARED: std::ops::Range<i64> = 7_001..7_011;

const INSERT: &str = "INSERT INTO orders (placed_at, customer, amount, details, op)
    VALUES (timestamptz '2026-04-05 06:07+00' + ($1::bigint * 7919 % 302400) * interval '1 minute', 'customer', 1, '{}', $2)
    RETURNING id, NULL::bigint, rig.image(orders::text)";
const UPDATE: &str =
    "UPDATE orders SET amount = $1::bigint % 1000, before = op, op = $2 WHERE id = $3
    RETURNING id, before, rig.image(orders::text)";
const MOVE: &str = "UPDATE orders SET placed_at = timestamptz '2026-04-05 06:07+00' + ($1::bigint * 7919 % 302400) * interval '1 minute',
    before = op, op = $2 WHERE id = $3 RETURNING id, before, rig.image(orders::text)";
const DELETE: &str = "DELETE FROM orders WHERE id = $3 AND $1::bigint >= 0 AND $2::bigint > 0 RETURNING id, op, NULL::text";
const READ: &str = "SELECT op FROM orders WHERE id = $1";
const READ_ALL: &str = "SELECT id, op FROM orders WHERE id = ANY ($1) ORDER BY id";
const NOTE: &str =
    "INSERT INTO rig.ledger (op, before, kind, number, image) VALUES ($1, $2, 'wire', $3, $4)";
const WHOLE_ROW: &str = "SELECT o FROM orders o WHERE id = $1";

/// A transaction that is sent as one batch, behind which the client waits for the first time.
const PIPELINE: &str = "
\\set id random(7501, 8000)
\\set at random(1, 300000)
\\startpipeline
BEGIN;
WITH w AS (UPDATE orders SET amount = (amount + 1) % 1000, before = op, op = nextval('rig.piped') WHERE id = :id RETURNING orders.*)
 INSERT INTO rig.ledger (op, before, kind, number, image) SELECT w.op, w.before, 'piped', w.id, rig.image(w::text) FROM w;
SELECT amount FROM orders WHERE id = :id;
WITH w AS (INSERT INTO orders (placed_at, customer, amount, op)
           VALUES (timestamptz '2026-04-05 06:07+00' + :at * interval '1 minute', 'piped', 1, nextval('rig.piped')) RETURNING orders.*)
 INSERT INTO rig.ledger (op, kind, number, image) SELECT w.op, 'piped', w.id, rig.image(w::text) FROM w;
COMMIT;
\\endpipeline
";
const PIPED: i64 = 1 << 60;

/// What is parsed once.
struct Parsed {
    insert: Statement,
    update: Statement,
    shift: Statement,
    delete: Statement,
    read: Statement,
    read_all: Statement,
    note: Statement,
    whole_row: Statement,
}

impl Parsed {
    fn of(client: &mut Client) -> Parsed {
        let mut parse = |sql| {
            let statement = client.prepare(sql);
            statement.unwrap_or_else(|e| panic!("{sql}: {}", fault::describe(&e)))
        };
        Parsed {
            insert: parse(INSERT),
            update: parse(UPDATE),
            shift: parse(MOVE),
            delete: parse(DELETE),
            read: parse(READ),
            read_all: parse(READ_ALL),
            note: parse(NOTE),
            whole_row: parse(WHOLE_ROW),
        }
    }
}

/// A change of the transaction under way, and what it makes of a row of the client's own: its last operation, if it is there.
struct Change {
    op: i64,
    own: Option<(i64, Option<i64>)>,
}

struct Wire {
    client: Client,
    parsed: Parsed,
    rng: SmallRng,
    place: i64,
    operations: i64,
    /// Of each row that only this client changes, its last operation.
    own: BTreeMap<i64, i64>,
    pending: Vec<Change>,
    report: Report,
    met: BTreeMap<String, (i64, String)>,
    findings: Vec<String>,
}

/// What a client does, and the SQLSTATEs that it may meet: as `docs/limits.md` has it.
struct Kind {
    name: &'static str,
    settings: &'static str,
    round: fn(&mut Wire) -> Result<(), Error>,
    may_meet: &'static [&'static str],
}

const fn kind(name: &'static str, round: fn(&mut Wire) -> Result<(), Error>) -> Kind {
    Kind {
        name,
        settings: "",
        round,
        may_meet: &[],
    }
}

const GENERIC: &str = "SET plan_cache_mode = force_generic_plan";

const CLIENTS: [Kind; 13] = [
    kind("statements", Wire::one_statement),
    Kind {
        settings: GENERIC,
        ..kind("generic plans", Wire::one_statement)
    },
    kind("transactions", Wire::some_statements),
    Kind {
        settings: GENERIC,
        ..kind("transactions with generic plans", Wire::some_statements)
    },
    kind("portals", Wire::portal),
    Kind {
        settings: GENERIC,
        ..kind("portals of generic plans", Wire::portal)
    },
    kind("held cursors", Wire::held),
    kind("copies", Wire::copy),
    // A row that it waits for may be moved: as of any partitioned table.
    Kind {
        may_meet: &["40001"],
        ..kind("read committed", Wire::shared_row)
    },
    Kind {
        settings: "SET default_transaction_isolation = 'repeatable read'",
        may_meet: &["40001"],
        ..kind("repeatable read", Wire::shared_row)
    },
    Kind {
        settings: "SET default_transaction_isolation = 'serializable'",
        may_meet: &["40001"],
        ..kind("serializable", Wire::shared_row)
    },
    Kind {
        settings: "SET default_transaction_isolation = 'serializable'; SET plan_cache_mode = force_generic_plan",
        may_meet: &["40001"],
        ..kind("serializable with generic plans", Wire::shared_row)
    },
    // The type of whole rows is another.
    Kind {
        may_meet: &["0A000"],
        ..kind("whole rows", Wire::whole_row)
    },
];

impl Wire {
    fn open(login: &Login, place: usize) -> Wire {
        let mut client = login.open().expect("clients are let in");
        must(&mut client, CLIENTS[place].settings);
        let place = i64::try_from(place).expect("few");
        let first = place * OWN + 1;
        Wire {
            parsed: Parsed::of(&mut client),
            client,
            rng: SmallRng::seed_from_u64(place as u64),
            place,
            operations: 0,
            own: (first..first + OWN).map(|id| (id, -id)).collect(),
            pending: Vec::new(),
            report: Report::default(),
            met: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    fn work(mut self, seen: &Seen) -> Wire {
        let kind = &CLIENTS[usize::try_from(self.place).expect("it was one")];
        while !seen.stop.load(Ordering::Relaxed) && self.findings.len() < 10 {
            let done = (kind.round)(&mut self);
            let kept = done.is_ok();
            if let Err(error) = done {
                let code = fault::sqlstate(&error).unwrap_or_default();
                let met = self.met.entry(code.clone());
                let met = met.or_insert_with(|| (0, fault::describe(&error)));
                met.0 += 1;
                if !kind.may_meet.contains(&code.as_str()) {
                    self.findings.push(fault::describe(&error));
                }
                if code == "0A000" {
                    self.parsed = Parsed::of(&mut self.client);
                }
                must(&mut self.client, "ROLLBACK");
            } else {
                seen.rounds[self.place as usize].fetch_add(1, Ordering::Relaxed);
            }
            self.enter(kept);
            // There is to be a moment now and then in which none of them has the table.
            std::thread::sleep(Duration::from_millis(25));
        }
        self
    }

    /// Books what the transaction has changed, which has ended.
    fn enter(&mut self, kept: bool) {
        for change in self.pending.drain(..) {
            if !kept {
                self.report.rolled_back.insert(change.op);
                continue;
            }
            self.report.committed.insert(change.op);
            match change.own {
                Some((id, Some(op))) => drop(self.own.insert(id, op)),
                Some((id, None)) => drop(self.own.remove(&id)),
                None => {}
            }
        }
    }

    fn next_op(&mut self) -> i64 {
        self.operations += 1;
        ((self.place + 1) << 40) | self.operations
    }

    fn own_row(&mut self) -> i64 {
        let place = self.rng.random_range(0..self.own.len());
        *self.own.keys().nth(place).expect("there are so many")
    }

    /// What one statement does to a row: its change is written down by another.
    fn change(&mut self, statement: &Statement, id: Option<i64>) -> Result<(), Error> {
        let (random, op) = (self.rng.random_range(0..1_i64 << 31), self.next_op());
        let rows = match &id {
            Some(id) => self.client.query(statement, &[&random, &op, id])?,
            None => self.client.query(statement, &[&random, &op])?,
        };
        let is_own = id.is_none_or(|id| self.own.contains_key(&id));
        let [row] = rows.as_slice() else {
            let at = self.isolation()?;
            // A snapshot from just before the swap may miss what was written last.
            if is_own && at == "read committed" {
                self.findings
                    .push(format!("{} rows have the id {id:?}", rows.len()));
            }
            return Ok(());
        };
        let (id, before, image): (i64, Option<i64>, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        self.client
            .execute(&self.parsed.note, &[&op, &before, &id, &image])?;
        let own = is_own.then_some((id, image.is_some().then_some(op)));
        self.pending.push(Change { op, own });
        Ok(())
    }

    fn isolation(&mut self) -> Result<String, Error> {
        let row = self
            .client
            .query_one("SELECT current_setting('transaction_isolation')", &[])?;
        Ok(row.get(0))
    }

    /// A row of its own is as it was left.
    fn read(&mut self, id: i64) -> Result<(), Error> {
        let rows = self.client.query(&self.parsed.read, &[&id])?;
        let ops: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        // Changes of this transaction come last.
        let latest = self.pending.iter().rev().find_map(|change| {
            let (changed, op) = change.own?;
            (changed == id).then_some(op)
        });
        let wanted = latest.unwrap_or(self.own.get(&id).copied());
        let wanted: Vec<i64> = wanted.into_iter().collect();
        if ops != wanted {
            self.findings
                .push(format!("row {id} is {ops:?}, should be {wanted:?}"));
        }
        Ok(())
    }

    fn any_change(&mut self) -> Result<(), Error> {
        let id = self.own_row();
        let few = self.own.len() < OWN as usize / 2;
        match self.rng.random_range(0..8) {
            0 | 1 => self.change(&self.parsed.insert.clone(), None),
            2 if !few => self.change(&self.parsed.delete.clone(), Some(id)),
            3 => self.change(&self.parsed.shift.clone(), Some(id)),
            _ => self.change(&self.parsed.update.clone(), Some(id)),
        }
    }

    /// A change, or a look that is a transaction by itself.
    fn one_statement(&mut self) -> Result<(), Error> {
        let id = self.own_row();
        self.read(id)?;
        self.client.batch_execute("BEGIN")?;
        self.any_change()?;
        self.client.batch_execute("COMMIT")
    }

    fn some_statements(&mut self) -> Result<(), Error> {
        self.client.batch_execute("BEGIN")?;
        for _ in 0..3 {
            let id = self.own_row();
            // One that this transaction has deleted is not to be changed again.
            let changed = |change: &Change| change.own.is_some_and(|(other, _)| other == id);
            if !self.pending.iter().any(changed) {
                self.change(&self.parsed.update.clone(), Some(id))?;
            }
            self.read(id)?;
            self.change(&self.parsed.insert.clone(), None)?;
        }
        self.client.batch_execute("COMMIT")
    }

    /// All rows of its own, while it goes on to change them: the portal shows them as they were.
    fn portal(&mut self) -> Result<(), Error> {
        let ids: Vec<i64> = self.own.keys().copied().collect();
        let id = self.own_row();
        let (random, op) = (self.rng.random_range(0..1_i64 << 31), self.next_op());
        let mut work = self.client.transaction()?;
        let portal = work.bind(&self.parsed.read_all, &[&ids])?;
        let mut found = BTreeMap::new();
        let mut pieces = 0;
        loop {
            let rows = work.query_portal(&portal, 70)?;
            found.extend(
                rows.iter()
                    .map(|row| -> (i64, i64) { (row.get(0), row.get(1)) }),
            );
            pieces += 1;
            if pieces == 2 {
                let row = work.query_one(&self.parsed.update, &[&random, &op, &id])?;
                let (before, image): (Option<i64>, Option<String>) = (row.get(1), row.get(2));
                work.execute(&self.parsed.note, &[&op, &before, &id, &image])?;
                let own = Some((id, Some(op)));
                self.pending.push(Change { op, own });
            }
            if rows.len() < 70 {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        work.commit()?;
        if found != self.own {
            self.findings
                .push("a portal shows what was not there when it was opened".to_owned());
        }
        Ok(())
    }

    /// As the portal; but the cursor outlives its transaction, and the swap.
    fn held(&mut self) -> Result<(), Error> {
        let ids: Vec<String> = self.own.keys().map(i64::to_string).collect();
        let ids = ids.join(", ");
        self.client.batch_execute(&format!(
            "BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT id, op FROM orders WHERE id IN ({ids}); COMMIT"
        ))?;
        let wanted = self.own.clone();
        let mut found = BTreeMap::new();
        loop {
            let rows = self.client.query("FETCH 100 FROM held", &[])?;
            found.extend(
                rows.iter()
                    .map(|row| -> (i64, i64) { (row.get(0), row.get(1)) }),
            );
            if rows.is_empty() {
                break;
            }
            self.client.batch_execute("BEGIN")?;
            self.any_change()?;
            self.client.batch_execute("COMMIT")?;
            self.enter(true);
        }
        self.client.batch_execute("CLOSE held")?;
        if found != wanted {
            self.findings
                .push("a held cursor shows what was not there when it was opened".to_owned());
        }
        Ok(())
    }

    /// Lines that come one by one, and a pause between them.
    fn copy(&mut self) -> Result<(), Error> {
        self.client.batch_execute("BEGIN")?;
        let lines: Vec<(i64, i64)> = (0..5)
            .map(|_| {
                let op = self.next_op();
                (10_000_000 + self.operations, op)
            })
            .collect();
        let mut writer = self
            .client
            .copy_in("COPY orders (id, placed_at, customer, amount, details, op) FROM STDIN")?;
        for (id, op) in &lines {
            let (month, day) = (5 + id % 5, 1 + id % 28);
            let line = format!("{id}\t2026-{month:02}-{day:02} 10:00+00\tcopied\t2\t{{}}\t{op}\n");
            // An error of the server shows at the end.
            let _ = writer
                .write_all(line.as_bytes())
                .and_then(|()| writer.flush());
            std::thread::sleep(Duration::from_millis(2));
        }
        writer.finish()?;
        let ids: Vec<i64> = lines.iter().map(|(id, _)| *id).collect();
        let noted = self.client.execute(
            "INSERT INTO rig.ledger (op, kind, number, image)
             SELECT o.op, 'copy', o.id, rig.image(o::text) FROM orders o WHERE o.id = ANY ($1)",
            &[&ids],
        )?;
        if noted != 5 {
            self.findings.push(format!("{noted} rows of 5 were copied"));
        }
        let changes = lines.into_iter().map(|(id, op)| Change {
            op,
            own: Some((id, Some(op))),
        });
        self.pending.extend(changes);
        self.client.batch_execute("COMMIT")
    }

    /// One of the rows that all want, between rows of its own.
    fn shared_row(&mut self) -> Result<(), Error> {
        let shared = self.rng.random_range(SHARED);
        self.client.batch_execute("BEGIN")?;
        let first: Vec<i64> = self
            .client
            .query(&self.parsed.read, &[&shared])?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let id = self.own_row();
        self.change(&self.parsed.update.clone(), Some(id))?;
        let again: Vec<i64> = self
            .client
            .query(&self.parsed.read, &[&shared])?
            .iter()
            .map(|row| row.get(0))
            .collect();
        if first.len() != 1 || again.len() != 1 {
            self.findings
                .push(format!("row {shared} is {first:?}, then {again:?}"));
        }
        if self.isolation()? != "read committed" && first != again {
            self.findings
                .push(format!("row {shared} was {first:?}, is {again:?}"));
        }
        let shifts = self.rng.random_range(0..5) == 0;
        let statement = match shifts {
            true => self.parsed.shift.clone(),
            false => self.parsed.update.clone(),
        };
        self.change(&statement, Some(shared))?;
        self.client.batch_execute("COMMIT")
    }

    fn whole_row(&mut self) -> Result<(), Error> {
        let id = self.own_row();
        let rows = self.client.query(&self.parsed.whole_row, &[&id])?;
        if rows.len() != 1 {
            self.findings
                .push(format!("{} rows have the id {id}", rows.len()));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    rounds: [AtomicI64; CLIENTS.len()],
}

impl Seen {
    /// Waits until each client has done so many rounds more.
    fn await_more(&self, rounds: i64) {
        let now = || self.rounds.iter().map(|n| n.load(Ordering::Relaxed));
        let before: Vec<i64> = now().collect();
        let found = poll::until(PATIENCE, || {
            (self.stop.load(Ordering::Relaxed)
                || now()
                    .zip(&before)
                    .all(|(now, before)| now >= before + rounds))
            .then_some(())
        });
        let names = CLIENTS.iter().map(|kind| kind.name);
        let done: Vec<String> = names
            .zip(now().zip(&before))
            .map(|(name, (now, before))| format!("{name}: {}", now - before))
            .collect();
        assert!(found.is_some(), "clients do not go on: {}", done.join(", "));
    }
}

/// Lets the clock go on until maintenance, which may have to wait for a lock until it is due again, has done it.
fn minute_by_minute(
    admin: &mut Client,
    what: &str,
    day: &str,
    mut done: impl FnMut(&mut Client) -> bool,
) {
    let mut minutes = 13 * 60;
    poll::expect(what, PATIENCE, || {
        minutes += 1;
        let (hour, minute) = (minutes / 60, minutes % 60);
        set_clock(admin, &format!("{day} {hour:02}:{minute:02}+00"));
        std::thread::sleep(Duration::from_secs(1));
        done(admin)
    });
}

fn clients_go_on(default_partition: bool) {
    let cluster = builder("1s")
        .setting("pg_partman_rs.test_clock", "2026-11-25 12:00+00")
        .setting("pg_partman_rs.swap_lock_timeout", "2s");
    let cluster = Arc::new(cluster.start());
    let stage = Stage::on(cluster, "shop", shapes::orders(), ROWS);
    let (mut app, mut admin) = (stage.app(), stage.admin());
    must(
        &mut app,
        &format!("CREATE SEQUENCE rig.piped START {PIPED}"),
    );
    let login = stage.cluster.login(OWNER, &stage.database);
    let piped = Pgbench::until_stopped(&stage.cluster, &stage.database, 1)
        .arg("--protocol=prepared")
        .arg("--rate=40")
        .script(PIPELINE)
        .start();
    let seen = Seen::default();
    let all: Mutex<Vec<Wire>> = Mutex::default();
    let done = std::thread::scope(|scope| {
        for place in 0..CLIENTS.len() {
            let (login, seen, all) = (&login, &seen, &all);
            scope.spawn(move || {
                let wire = Wire::open(login, place).work(seen);
                all.lock().expect("nobody failed").push(wire);
            });
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            seen.await_more(15);
            stage
                .conversion()
                .with("range_start => '2026-01-01'")
                .with(&format!("default_partition => {default_partition}"))
                .start(&mut app)
                .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
            stage.await_swapped(&mut app);
            seen.await_more(25);
            conversion::steer(&mut app, "finish", "orders")
                .unwrap_or_else(|e| panic!("{}", fault::describe(&e)));
            // Of the newest row, which is of the end of October.
            must(
                &mut app,
                "SELECT set_partition_policy('orders', retention => '240 days', retention_action => 'drop')",
            );
            let months = |admin: &mut Client, which: &str| {
                number(
                    admin,
                    &format!(
                        "SELECT count(*) FROM partman_rs.partitions WHERE parent = 'orders'::regclass AND partition::text ~ '{which}'"
                    ),
                )
            };
            minute_by_minute(
                &mut admin,
                "January and February to be dropped",
                "2026-11-25",
                |admin| months(admin, "2026_0[12]") == 0,
            );
            assert_eq!(months(&mut admin, "2026_03"), 1);
            seen.await_more(15);
            must(
                &mut app,
                "SELECT set_partition_policy('orders', retention => '190 days')",
            );
            let ahead = months(&mut admin, "2027_");
            minute_by_minute(
                &mut admin,
                "March to be dropped, and more to be made",
                "2026-12-26",
                |admin| months(admin, "2026_03") == 0 && months(admin, "2027_") > ahead,
            );
            must(
                &mut app,
                "SELECT set_partition_policy('orders', premake => 9)",
            );
            must(&mut app, "SELECT count(*) FROM ensure_partitions('orders')");
            assert_eq!(months(&mut admin, "2027_"), 9);
            seen.await_more(25);
        }));
        seen.stop.store(true, Ordering::Relaxed);
        done
    });
    let piped = piped.stop();
    let mut report = Report::default();
    let mut findings = Vec::new();
    for wire in all.into_inner().expect("nobody failed") {
        let name = CLIENTS[wire.place as usize].name;
        println!(
            "{name}: {} changes, met {:?}",
            wire.report.committed.len(),
            wire.met
        );
        findings.extend(wire.findings.iter().map(|what| format!("{name}: {what}")));
        if name == "whole rows" {
            assert_eq!(
                wire.met.get("0A000").map_or(0, |met| met.0),
                1,
                "of one swap"
            );
        }
        report.merge(wire.report);
    }
    oracle::assert_none("what clients met", &findings);
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    piped.assert_no_errors();
    let rows = admin
        .query("SELECT op FROM rig.ledger WHERE kind = 'piped'", &[])
        .expect("the ledger can be read");
    assert_eq!(rows.len() as i64, 2 * piped.transactions);
    report
        .committed
        .extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    oracle::assert_none("the table", &stage.findings_of_content(Some(&report)));
    oracle::assert_none("the table", &oracle::soundness(&mut admin, "orders"));
}

#[test]
fn drivers_of_every_kind_go_on_through_swap_and_maintenance() {
    clients_go_on(true);
}

/// Partitions are detached CONCURRENTLY there.
#[test]
fn drivers_go_on_while_partitions_are_detached_concurrently() {
    clients_go_on(false);
}
