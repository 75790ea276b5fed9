//! Starts, stops and kills the server.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use super::{Cluster, SUPERUSER};
use crate::os;
use crate::poll::{self, PATIENCE};

impl Cluster {
    /// Starts the server and waits until it takes connections.
    pub fn start(&self) {
        let mut command = self.pg_ctl("start");
        command.arg("--log").arg(self.log_path());
        let output = command.output().expect("pg_ctl can be run");
        assert!(
            output.status.success(),
            "the server does not start:\n{}",
            self.log_tail(40)
        );
        self.await_ready();
    }

    /// Stops the server the orderly way (`-m fast`) and tells how long that took.
    pub fn stop_fast(&self) -> Duration {
        self.stop("fast")
    }

    /// Stops the server as a crash does (`-m immediate`).
    pub fn kill_immediate(&self) {
        self.stop("immediate");
    }

    /// Changes a setting of a server that is not running; the last word on a name wins.
    pub fn set_while_stopped(&self, name: &str, value: &str) {
        let path = self.data_dir().join("postgresql.auto.conf");
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .expect("the cluster has a configuration");
        writeln!(file, "{name} = '{}'", value.replace('\'', "''")).expect("it can be written");
    }

    /// Waits until the server takes connections, as after a crash restart.
    ///
    /// # Panics
    /// When it does not.
    pub fn await_ready(&self) {
        let ready = poll::until(PATIENCE, || self.try_connect("postgres").ok());
        assert!(
            ready.is_some(),
            "the server takes no connections:\n{}",
            self.log_tail(40)
        );
    }

    /// Sends SIGKILL to a server process. Unless it is the postmaster, all sessions end and the
    /// server recovers by itself.
    pub fn sigkill(&self, pid: i32) {
        os::sigkill(pid);
    }

    /// Moment the running postmaster last began to accept work; it changes with every crash restart.
    pub fn incarnation(&self) -> Option<String> {
        let mut client = self.try_connect("postgres").ok()?;
        let row = client.query_one("SELECT min(backend_start)::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'", &[]);
        row.ok()?.get(0)
    }

    /// Waits for the crash restart that ends the incarnation `before`.
    pub fn await_crash_restart(&self, before: &str) {
        let other = || self.incarnation().filter(|now| now != before);
        assert!(
            poll::until(PATIENCE, other).is_some(),
            "the server did not restart:\n{}",
            self.log_tail(40)
        );
    }

    /// A client program (`pgbench`, `pg_dump`, …) pointed at a database of this server.
    pub fn client_program(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.bin.client_program(name));
        command
            .env("PGHOST", self.socket_dir())
            .env("PGUSER", SUPERUSER)
            .env("PGDATABASE", database);
        command
            .env("PGTZ", "UTC")
            .env_remove("PGPORT")
            .env_remove("PGOPTIONS")
            .env_remove("PGSERVICE");
        command
    }

    fn stop(&self, mode: &str) -> Duration {
        let began = std::time::Instant::now();
        os::must_run(self.pg_ctl("stop").args(["--mode", mode]));
        began.elapsed()
    }

    pub(super) fn pg_ctl(&self, verb: &str) -> Command {
        let mut command = os::as_server_user(self.bin.server_program("pg_ctl"));
        command
            .current_dir(self.dir.path())
            .args([verb, "--wait", "--silent", "--pgdata"])
            .arg(self.data_dir());
        command
    }
}
