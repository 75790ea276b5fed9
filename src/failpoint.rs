//! Named points at which a test can hold, fail or kill a worker. Empty without the cargo feature
//! `failpoints`.
//!
//! A point is armed by a file of its name in `pg_partman_rs.failpoints` in the data directory:
//! that works in any state of a transaction, and outlives a crash.

#[cfg(feature = "failpoints")]
/// All points, in the order in which a conversion passes them; at last those of maintenance, of foreign keys that point
/// at the table, and of sessions.
pub const NAMES: [&str; 35] = [
    "prepare:before_commit",
    "prepare:after_commit",
    "capture:before_commit",
    "capture:after_commit",
    "copy:in_range",
    "copy:before_mark",
    "copy:before_commit",
    "copy:after_commit",
    "index:in_leaf",
    "index:before_commit",
    "index:after_commit",
    "foreign_keys:guarded",
    "catch_up:after_delete",
    "catch_up:before_commit",
    "catch_up:after_commit",
    "verify:between",
    "verify:after_commit",
    "swap:before_lock",
    "swap:locked",
    "swap:before_rename",
    "swap:before_commit",
    "swap:after_commit",
    "cancel:before_commit",
    "maintain:before_commit",
    "retire:noted",
    "retire:keys_taken",
    "retire:keys_given_back",
    "detach:noted",
    "detach:detached",
    "foreign_keys:made",
    "foreign_keys:named",
    "foreign_keys:validated",
    "foreign_keys:of_itself",
    "foreign_keys:in_the_swap",
    "steer:looked",
];

#[cfg(not(feature = "failpoints"))]
mod implementation {
    use crate::error::Error;

    /// Does nothing in this build.
    #[inline(always)]
    pub fn failpoint(_name: &'static str) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(feature = "failpoints")]
mod implementation {
    use crate::error::Error;
    use crate::pg::interrupts;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// Does what the file of that name says, if there is one: at once, or where it begins with a number, when so many have
    /// passed.
    pub fn failpoint(name: &'static str) -> Result<(), Error> {
        debug_assert!(super::NAMES.contains(&name));
        let armed = file(name);
        let Ok(text) = fs::read_to_string(&armed) else {
            return Ok(());
        };
        let (passes, action) = match text.trim().split_once(' ') {
            Some((passes, action)) => (passes.parse::<u32>().unwrap_or(0), action),
            None => (0, text.trim()),
        };
        if passes > 0 {
            let _ = fs::write(&armed, format!("{} {action}", passes - 1));
            return Ok(());
        }
        match action {
            "wait" => park(&armed),
            "kill" => {
                forget(&armed);
                #[allow(unsafe_code, reason = "a test kills this very process")]
                // SAFETY: raise() takes any signal.
                unsafe {
                    libc::raise(libc::SIGKILL);
                }
            }
            _ => {
                forget(&armed);
                return Err(Error::Internal(format!("failpoint {name}")));
            }
        }
        Ok(())
    }

    /// Where points are armed, relative to the data directory, which is every server process's
    /// working directory.
    pub fn file(name: &str) -> PathBuf {
        Path::new("pg_partman_rs.failpoints").join(name)
    }

    /// The file that says that somebody waits at a point, and who: the number of the process.
    pub fn parked(armed: &Path) -> PathBuf {
        let mut name = armed.as_os_str().to_owned();
        name.push(".parked");
        PathBuf::from(name)
    }

    fn park(armed: &Path) {
        let sign = parked(armed);
        let _ = fs::write(&sign, std::process::id().to_string());
        while armed.exists() {
            interrupts::nap(Duration::from_millis(5));
        }
        forget(&sign);
    }

    fn forget(path: &Path) {
        let _ = fs::remove_file(path);
    }
}

pub use implementation::*;
