//! Throw-away PostgreSQL servers.
//!
//! Each has its own directory, its own socket and no TCP port, so that any number of test runs can
//! go on side by side. Dropping a [`Cluster`] stops the server and removes all of it, and so does
//! the death of the test process, however it dies (see `keeper`).

mod bin;
mod builder;
mod connect;
mod control;
mod keeper;
mod standby;
mod template;
mod upgrade;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use bin::ServerBin;
pub use builder::ClusterBuilder;
pub use connect::Login;

use keeper::Keeper;

/// Name of the superuser in every cluster.
pub const SUPERUSER: &str = "postgres";

/// A running server and its directory.
pub struct Cluster {
    bin: ServerBin,
    dir: TempDir,
    keeper: Keeper,
}

impl Cluster {
    /// Starts describing a cluster whose server has our extension.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::new(ServerBin::from_env())
    }

    /// Starts describing a cluster to upgrade from: of an older PostgreSQL, where the environment names
    /// one that has our extension.
    pub fn builder_of_older() -> ClusterBuilder {
        ClusterBuilder::new(ServerBin::older_from_env())
    }

    /// Starts describing a cluster of any PostgreSQL, with or without our extension.
    pub fn builder_without_extension() -> ClusterBuilder {
        ClusterBuilder::new(ServerBin::from_env_or_system())
    }

    /// Where the server keeps its files.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where the server's socket lies; also what `PGHOST` should be.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The programs that belong to this server.
    pub fn bin(&self) -> &ServerBin {
        &self.bin
    }

    /// The last lines of the server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = std::env::var("PARTMAN_RIG_LOG_LINES")
                .ok()
                .and_then(|n| n.parse().ok());
            let tail = self.log_tail(lines.unwrap_or(60));
            eprintln!(
                "---- end of {} ----\n{tail}\n----",
                self.log_path().display()
            );
        }
        self.keeper.put_away();
    }
}
