//! Clients that write, and are refused, what foreign keys are about: each kind goes on in rounds, whatever happens
//! to the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use partman_rig::cluster::Cluster;
use partman_rig::failpoint::{Action, Failpoints};
use partman_rig::fault::{self, Fault};
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use partman_rig::workload::rest_after;
use postgres::{Client, Error};

/// A round of one client; the error that ended it where the server was lost.
pub type Round = fn(&mut Client) -> Result<(), Error>;

/// The clients.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<(Arc<AtomicI64>, JoinHandle<()>)>,
}

impl Load {
    /// One client for each kind of round.
    pub fn start(cluster: &Arc<Cluster>, kinds: &[Round]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = kinds.len();
        let client = |round: &Round| {
            let rounds = Arc::new(AtomicI64::new(0));
            let (cluster, round) = (Arc::clone(cluster), *round);
            let (stop, counter) = (Arc::clone(&stop), Arc::clone(&rounds));
            let run = move || {
                let mut client = cluster.connect();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    match round(&mut client) {
                        Ok(()) => {
                            counter.fetch_add(1, Ordering::Relaxed);
                        }
                        // As when one of the server's processes is killed.
                        Err(error) if fault::classify(&error) == Fault::Lost => {
                            std::thread::sleep(Duration::from_millis(200));
                            cluster.await_ready();
                            client = cluster.connect();
                        }
                        Err(error) => panic!("{}", fault::describe(&error)),
                    }
                    std::thread::sleep(rest_after(began.elapsed(), clients));
                }
            };
            (rounds, std::thread::spawn(run))
        };
        Load {
            clients: kinds.iter().map(client).collect(),
            stop,
        }
    }

    /// Waits until each kind of client has gone on for a while.
    pub fn await_more(&self, rounds: i64) {
        let now = || -> Vec<i64> {
            let counters = self.clients.iter();
            counters
                .map(|(rounds, _)| rounds.load(Ordering::Relaxed))
                .collect()
        };
        let before = now();
        poll::expect("the clients to go on", PATIENCE, || {
            assert!(
                self.clients.iter().all(|(_, client)| !client.is_finished()),
                "a client has failed"
            );
            now()
                .iter()
                .zip(&before)
                .all(|(now, before)| *now >= before + rounds)
        });
    }

    /// Ends them; none must have failed.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (_, client) in self.clients.drain(..) {
            client.join().expect("a client has failed");
        }
    }
}

/// Of a test that has failed, no client goes on beside those that come.
impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Does what brings a worker. Where that is to be killed at some point, waits until the server is back, and has
/// another session.
pub fn strike(
    cluster: &Cluster,
    admin: &mut Client,
    killed_at: Option<&str>,
    deed: impl FnOnce(&mut Client),
) {
    let before = cluster.incarnation().expect("the server runs");
    if let Some(point) = killed_at {
        Failpoints::of(cluster).set(point, Action::Kill);
    }
    deed(admin);
    if killed_at.is_some() {
        cluster.await_crash_restart(&before);
        *admin = cluster.connect();
    }
}

/// How many rows point at an order.
pub fn items_of(client: &mut Client, order: i64) -> Result<i64, Error> {
    let sql = "SELECT count(*) FROM items WHERE order_id = $1";
    Ok(client.query_one(sql, &[&order])?.get(0))
}

/// Makes or drops partitions of a table that a foreign key links with another. PostgreSQL locks both for that, and who
/// else uses both would be in a circle with it: whatever the order, it gives way, and tries again.
pub fn change_partitions(client: &mut Client, both: &str, ddl: &str) -> Result<(), Error> {
    loop {
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = '50ms'; LOCK TABLE {both} IN ACCESS EXCLUSIVE MODE; {ddl}; COMMIT"
        );
        match client.batch_execute(&sql) {
            Err(error) if fault::sqlstate(&error).as_deref() == Some("55P03") => {
                client.batch_execute("ROLLBACK")?;
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}

/// One that must be refused.
#[expect(
    clippy::panic_in_result_fn,
    reason = "an oracle's verdict is a panic; the error is that of a lost server"
)]
pub fn refused(client: &mut Client, sql: &str) -> Result<(), Error> {
    match client.batch_execute(sql) {
        Ok(()) => panic!("not refused: {sql}"),
        Err(error) if fault::sqlstate(&error).as_deref() == Some("23503") => Ok(()),
        Err(error) => Err(error),
    }
}
