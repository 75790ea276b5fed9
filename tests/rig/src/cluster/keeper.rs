//! Sees to it that no server outlives the test that started it.
//!
//! A shell waits for the end of a pipe that only this process holds open. The pipe ends when the
//! cluster is put away, and just so when the process is interrupted, killed or crashes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::os;

const SCRIPT: &str = r#"
read -r _
"$1" stop -D "$2/data" -m immediate -s >/dev/null 2>&1
[ -n "$KEEP" ] || rm -rf "$2"
"#;

/// Set, it leaves the directories of clusters behind for a look at them.
const KEEP_ENV: &str = "PARTMAN_RIG_KEEP";

/// Whether the directories are to be left behind.
pub(super) fn asked_to_keep() -> bool {
    std::env::var_os(KEEP_ENV).is_some_and(|value| !value.is_empty())
}

pub(super) struct Keeper {
    shell: Child,
}

impl Keeper {
    pub(super) fn watch(pg_ctl: PathBuf, dir: &Path) -> Self {
        // A session of its own, so that Ctrl-C reaches the tests but not the one who tidies up.
        let mut command = Command::new("setsid");
        let server_side = os::as_server_user("sh");
        command
            .arg(server_side.get_program())
            .args(server_side.get_args());
        command.args(["-c", SCRIPT, "keeper"]).arg(pg_ctl).arg(dir);
        command.env("KEEP", std::env::var_os(KEEP_ENV).unwrap_or_default());
        command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self {
            shell: command.spawn().expect("setsid(1) and sh(1) are there"),
        }
    }

    /// Stops the server and removes its directory, now.
    pub(super) fn put_away(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
