//! Finds the programs of the server under test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the bin directory of a PostgreSQL that has our extension installed.
const ENV: &str = "PARTMAN_SERVER_BIN";

/// Names that of an older PostgreSQL, for tests that upgrade from one to the other.
const OLD_ENV: &str = "PARTMAN_OLD_SERVER_BIN";

/// A PostgreSQL bin directory.
#[derive(Debug, Clone)]
pub struct ServerBin(PathBuf);

impl ServerBin {
    /// The tree that has our extension.
    ///
    /// # Panics
    /// When the environment does not say where it is.
    pub fn from_env() -> Self {
        Self::named_by_env(ENV).unwrap_or_else(|| {
            panic!(
                "{ENV} is not set. It names the bin directory of a PostgreSQL in which pg_partman_rs is \
                 installed with the feature `failpoints`; the Makefile's test targets build one and set it."
            )
        })
    }

    /// The tree that has our extension, or else the system's PostgreSQL.
    pub fn from_env_or_system() -> Self {
        Self::named_by_env(ENV).unwrap_or_else(Self::of_system)
    }

    /// The tree to upgrade from: an older one where it is named, or else the one under test.
    pub fn older_from_env() -> Self {
        Self::named_by_env(OLD_ENV).unwrap_or_else(Self::from_env)
    }

    fn named_by_env(variable: &str) -> Option<Self> {
        let dir = PathBuf::from(std::env::var_os(variable).filter(|value| !value.is_empty())?);
        assert!(
            dir.join("postgres").exists(),
            "{variable} is {}, where there is no postgres",
            dir.display()
        );
        Some(Self(dir))
    }

    fn of_system() -> Self {
        Self(pg_config_bindir().expect("pg_config is on the PATH when no server is named"))
    }

    /// The path of a server program, such as `initdb`.
    pub fn server_program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path of a client program, such as `pgbench`: the server's own, or the system's where a
    /// private tree holds only the server.
    pub fn client_program(&self, name: &str) -> PathBuf {
        let system = || pg_config_bindir().map(|dir| dir.join(name));
        [Some(self.0.join(name)), system()]
            .into_iter()
            .flatten()
            .find(|path| path.exists())
            .unwrap_or_else(|| name.into())
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    dir.join("postgres").exists().then_some(dir)
}
