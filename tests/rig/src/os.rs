//! The little that differs between being root and being an ordinary user.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Names the user to whom root's servers belong, for PostgreSQL refuses to run as root.
const SERVER_USER_ENV: &str = "PARTMAN_SERVER_USER";

/// The user that `PARTMAN_SERVER_USER` names, or `postgres`, or where there is none, `nobody`.
fn server_user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| {
        let named = std::env::var(SERVER_USER_ENV).ok();
        let wanted = named.unwrap_or_else(|| "postgres".to_owned());
        let known = Command::new("id").args(["-u", &wanted]).output();
        let is_known = known.is_ok_and(|output| output.status.success());
        if is_known {
            wanted
        } else {
            "nobody".to_owned()
        }
    })
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0))
}

/// Prepares a command that runs as the user who owns the servers.
pub fn as_server_user(program: impl AsRef<OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let (user, group) = (id_of("-u").to_string(), id_of("-g").to_string());
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &group, "--init-groups"]);
    command.arg(program);
    command
}

/// Gives a file or directory to the user who owns the servers.
pub fn give_to_server_user(path: &Path) {
    if is_root() {
        let (uid, gid) = (id_of("-u"), id_of("-g"));
        chown(path, Some(uid), Some(gid)).expect("root may give away its own files");
    }
}

fn id_of(which: &str) -> u32 {
    let user = server_user();
    let output = Command::new("id").args([which, user]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let id = text.ok().and_then(|text| text.parse().ok());
    id.unwrap_or_else(|| panic!("root needs a user for its servers to run as; there is no {user}"))
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started or does not succeed; the message carries both of its streams.
pub fn must_run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// Sends SIGKILL. A process that is gone already is no error.
pub fn sigkill(pid: i32) {
    signal(pid, Signal::KILL);
}

/// Sends SIGALRM, likewise.
pub fn sigalrm(pid: u32) {
    signal(i32::try_from(pid).expect("a process number"), Signal::ALARM);
}

/// By the system call: a bare machine has no program for it.
fn signal(pid: i32, signal: Signal) {
    let process = Pid::from_raw(pid).expect("a process number");
    match kill_process(process, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => panic!("signal {signal:?} to process {pid}: {error}"),
    }
}
