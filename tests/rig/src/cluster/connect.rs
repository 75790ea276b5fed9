//! Sessions on a cluster.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use postgres::{Client, Config, Error, NoTls};

use super::{Cluster, SUPERUSER};

/// No statement of a test may take longer, so that nothing hangs for ever: [`PATIENCE`](crate::poll::PATIENCE).
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=600s";

/// What it takes to open a session; cheap to copy into threads.
#[derive(Debug, Clone)]
pub struct Login(Config);

impl Login {
    /// Opens a session.
    pub fn open(&self) -> Result<Client, Error> {
        self.0.connect(NoTls)
    }

    /// Replaces the session's start-up options, such as `-c statement_timeout=1s`.
    pub fn with_options(&self, options: &str) -> Self {
        let mut config = self.0.clone();
        config.options(options);
        Self(config)
    }
}

impl Cluster {
    /// Opens a superuser's session on the database `postgres`.
    pub fn connect(&self) -> Client {
        self.connect_as(SUPERUSER, "postgres")
    }

    /// Opens a session.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn connect_as(&self, user: &str, database: &str) -> Client {
        self.login(user, database)
            .open()
            .unwrap_or_else(|e| panic!("cannot connect as {user} to {database}: {e:?}"))
    }

    /// What it takes to open a session.
    pub fn login(&self, user: &str, database: &str) -> Login {
        let mut config = Config::new();
        config
            .host_path(self.socket_dir())
            .user(user)
            .dbname(database)
            .application_name("rig");
        config
            .options(STATEMENT_TIMEOUT)
            .connect_timeout(Duration::from_secs(10));
        Login(config)
    }

    /// Runs a script in psql, stopping at the first error, and returns what it printed (unaligned, rows only).
    ///
    /// # Panics
    /// When the script fails; the message holds psql's words.
    pub fn psql(&self, database: &str, script: &str) -> String {
        let mut command = self.client_program("psql", database);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("psql can be run");
        let mut input = child.stdin.take().expect("stdin was asked for");
        input
            .write_all(script.as_bytes())
            .expect("psql reads its script");
        drop(input);
        let output = child.wait_with_output().expect("psql ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "psql failed:\n{errors}\nscript:\n{script}"
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn try_connect(&self, database: &str) -> Result<Client, Error> {
        self.login(SUPERUSER, database).open()
    }
}
