//! Describes a cluster, makes it and starts it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::keeper::{self, Keeper};
use super::{Cluster, ServerBin, template};
use crate::os;

/// The longest path that fits a Unix socket's address.
const LONGEST_SOCKET_PATH: usize = 107;

/// Settings that keep a test server small, quiet and deterministic.
const BASE: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("port", "5432"),
    ("max_connections", "150"),
    // Where the machine stands still for a second, whoever waits for another, if only for the moment that the other waits
    // for a lock, would be a deadlock's victim. Who waits for each other for ever still is.
    ("deadlock_timeout", "5s"),
    ("max_prepared_transactions", "40"),
    ("max_worker_processes", "32"),
    ("shared_buffers", "64MB"),
    ("min_wal_size", "80MB"),
    ("max_wal_size", "1GB"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %b %d "),
    ("log_checkpoints", "off"),
];

/// What a cluster is to be like.
pub struct ClusterBuilder {
    bin: ServerBin,
    fsync: bool,
    settings: Vec<(String, String)>,
}

impl ClusterBuilder {
    pub(super) fn new(bin: ServerBin) -> Self {
        Self {
            bin,
            fsync: false,
            settings: Vec::new(),
        }
    }

    /// Whether the server flushes to disk. Off by default: the rig kills servers, never the machine.
    pub fn fsync(mut self, on: bool) -> Self {
        self.fsync = on;
        self
    }

    /// Sets a configuration parameter; the last word on a name wins.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the cluster and starts its server.
    ///
    /// # Panics
    /// When `initdb` or the server fails; the message holds what they said.
    pub fn start(self) -> Cluster {
        let cluster = self.lay_out(template::copy);
        cluster.start();
        cluster
    }

    /// Makes the cluster, and leaves its server at rest.
    ///
    /// # Panics
    /// When `initdb` fails; the message holds what it said.
    pub(super) fn lay_out(self, make_data: fn(&ServerBin, &Path)) -> Cluster {
        let mut dir = short_temp_dir();
        dir.disable_cleanup(keeper::asked_to_keep());
        let data = dir.path().join("data");
        // From here on somebody tidies up, whatever ends this process.
        let keeper = Keeper::watch(self.bin.server_program("pg_ctl"), dir.path());
        make_data(&self.bin, &data);
        self.write_settings(&data, dir.path());
        Cluster {
            bin: self.bin,
            dir,
            keeper,
        }
    }

    fn write_settings(&self, data: &Path, socket_dir: &Path) {
        let fsync = if self.fsync { "on" } else { "off" };
        let socket_dir = socket_dir.display().to_string();
        let ours = [
            ("unix_socket_directories", socket_dir.as_str()),
            ("fsync", fsync),
        ];
        let theirs = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::new();
        for (name, value) in BASE.iter().copied().chain(ours).chain(theirs) {
            writeln!(text, "{name} = '{}'", value.replace('\'', "''"))
                .expect("a String takes anything");
        }
        let path = data.join("postgresql.auto.conf");
        std::fs::write(&path, text).expect("the cluster's configuration can be written");
        os::give_to_server_user(&path);
    }
}

/// A directory whose socket fits a socket address, which deep temporary directories do not.
pub(super) fn short_temp_dir() -> TempDir {
    let fits = |dir: &PathBuf| {
        dir.join("prig-XXXXXX/.s.PGSQL.5432").as_os_str().len() <= LONGEST_SOCKET_PATH
    };
    let parent = [std::env::temp_dir(), PathBuf::from("/tmp")]
        .into_iter()
        .find(fits);
    let parent = parent.expect("there is a temporary directory with a short name");
    let dir = tempfile::Builder::new()
        .prefix("prig-")
        .tempdir_in(parent)
        .expect("a temporary directory can be made");
    os::give_to_server_user(dir.path());
    dir
}
