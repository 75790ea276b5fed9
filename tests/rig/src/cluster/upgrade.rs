//! From one cluster into another, as administrators change to a new PostgreSQL.

use super::{Cluster, ClusterBuilder, SUPERUSER, template};
use crate::os;

impl Cluster {
    /// Takes everything over into a new cluster by `pg_upgrade`, and starts that one. This one was
    /// stopped before; it stays as it is, and stopped.
    ///
    /// # Panics
    /// When `pg_upgrade` fails; the message holds what it said.
    pub fn upgrade(&self, into: ClusterBuilder) -> Cluster {
        // Each has a system identifier of its own, as elsewhere.
        let new = into.lay_out(template::initdb);
        os::must_run(
            os::as_server_user(new.bin().server_program("pg_upgrade"))
                // It writes a script there, and its sockets.
                .current_dir(new.socket_dir())
                .args([
                    "--no-sync",
                    "--jobs=4",
                    "--username",
                    SUPERUSER,
                    "--socketdir",
                ])
                .arg(new.socket_dir())
                .arg("--old-bindir")
                .arg(self.bin().dir())
                .arg("--new-bindir")
                .arg(new.bin().dir())
                .arg("--old-datadir")
                .arg(self.data_dir())
                .arg("--new-datadir")
                .arg(new.data_dir()),
        );
        new.start();
        new
    }
}
