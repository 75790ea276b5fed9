//! A second server that follows.

use super::keeper::{self, Keeper};
use super::{Cluster, SUPERUSER, builder};
use crate::os;

impl Cluster {
    /// Makes a standby of this server, and starts it: it has a directory and a socket of its own.
    pub fn standby(&self) -> Cluster {
        let mut dir = builder::short_temp_dir();
        dir.disable_cleanup(keeper::asked_to_keep());
        let data = dir.path().join("data");
        os::must_run(
            os::as_server_user(self.bin().server_program("pg_basebackup"))
                .current_dir(dir.path())
                .args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf"])
                .args(["--username", SUPERUSER, "--host"])
                .arg(self.socket_dir())
                .arg("--pgdata")
                .arg(&data),
        );
        let keeper = Keeper::watch(self.bin().server_program("pg_ctl"), dir.path());
        let standby = Cluster {
            bin: self.bin().clone(),
            dir,
            keeper,
        };
        let sockets = standby.socket_dir().display().to_string();
        standby.set_while_stopped("unix_socket_directories", &sockets);
        standby.start();
        standby
    }

    /// Makes a standby the primary, and waits until it takes writes.
    pub fn promote(&self) {
        os::must_run(&mut self.pg_ctl("promote"));
    }
}
