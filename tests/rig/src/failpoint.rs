//! The points at which a server built with the feature `failpoints` can be held, failed or killed.
//!
//! A failpoint is a file in the data directory, so it can be set while no session is to be had, and
//! it outlives the server. Its content says what is to happen to the worker that comes by.

use std::path::PathBuf;

use postgres::Client;

use crate::cluster::Cluster;
use crate::{os, poll};

/// What happens at a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Whoever comes by waits until the point is cleared.
    Wait,
    /// So many come by before the one that waits.
    WaitAfter(u32),
    /// The first to come by fails.
    Error,
    /// The first to come by kills itself with SIGKILL.
    Kill,
}

/// Points at which a conversion stands still while everybody can go on writing, in the order in
/// which it comes by. What points there are at all is for [`names`] to say.
pub const OPEN_TO_WRITERS: [&str; 16] = [
    at::PREPARING,
    at::PREPARED,
    at::CAPTURING,
    at::IN_RANGE,
    "copy:before_mark",
    "copy:before_commit",
    at::RANGE_COPIED,
    at::IN_LEAF,
    "index:before_commit",
    "index:after_commit",
    "catch_up:after_delete",
    at::CATCHING_UP,
    "catch_up:after_commit",
    at::VERIFYING,
    "verify:after_commit",
    at::BEFORE_SWAP,
];

/// The points that tests name.
pub mod at {
    pub const PREPARING: &str = "prepare:before_commit";
    pub const PREPARED: &str = "prepare:after_commit";
    /// Changes are captured, nothing is copied yet.
    pub const CAPTURING: &str = "capture:after_commit";
    /// In the middle of copying a range of blocks.
    pub const IN_RANGE: &str = "copy:in_range";
    /// The first range is copied, others are not.
    pub const RANGE_COPIED: &str = "copy:after_commit";
    pub const IN_LEAF: &str = "index:in_leaf";
    pub const CATCHING_UP: &str = "catch_up:before_commit";
    /// Source and twin are being compared.
    pub const VERIFYING: &str = "verify:between";
    pub const BEFORE_SWAP: &str = "swap:before_lock";
    /// The table is locked.
    pub const SWAPPING: &str = "swap:before_rename";
}

/// The failpoints of a cluster.
pub struct Failpoints {
    dir: PathBuf,
}

impl Failpoints {
    pub fn of(cluster: &Cluster) -> Self {
        let dir = cluster.data_dir().join("pg_partman_rs.failpoints");
        if !dir.exists() {
            std::fs::create_dir(&dir).expect("the data directory can be written");
            os::give_to_server_user(&dir);
        }
        Self { dir }
    }

    /// Sets a point.
    pub fn set(&self, name: &str, action: Action) {
        let word = match action {
            Action::Wait => "wait".to_owned(),
            Action::WaitAfter(passes) => format!("{passes} wait"),
            Action::Error => "error".to_owned(),
            Action::Kill => "kill".to_owned(),
        };
        // Written aside and renamed: nobody ever sees half of it.
        let draft = self.dir.join(".draft");
        std::fs::write(&draft, word).expect("the failpoints' directory can be written");
        os::give_to_server_user(&draft);
        std::fs::rename(&draft, self.dir.join(name))
            .expect("a file can be renamed in its directory");
    }

    /// Clears a point, and lets go on whoever waits there.
    pub fn clear(&self, name: &str) {
        let _ = std::fs::remove_file(self.dir.join(name));
    }

    /// Clears every point, and the traces of workers that died while they waited.
    pub fn clear_all(&self) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(entry.path());
        }
    }

    /// Whether somebody waits there.
    pub fn is_parked(&self, name: &str) -> bool {
        self.parked(name).is_some()
    }

    /// The process that waits there.
    pub fn parked(&self, name: &str) -> Option<i32> {
        let sign = self.dir.join(format!("{name}.parked"));
        std::fs::read_to_string(sign).ok()?.parse().ok()
    }

    /// Whether a point with [`Action::Error`] or [`Action::Kill`] has done its work.
    pub fn has_fired(&self, name: &str) -> bool {
        !self.dir.join(name).exists()
    }

    /// Waits until somebody waits there.
    pub fn await_parked(&self, name: &str) {
        poll::expect(
            &format!("somebody to park at {name}"),
            poll::PATIENCE,
            || self.is_parked(name),
        );
    }
}

/// The names of all points there are.
///
/// # Panics
/// When the server was not built with the feature `failpoints`.
pub fn names(client: &mut Client) -> Vec<String> {
    let sql = "SELECT * FROM partman_rs.failpoint_names() ORDER BY 1";
    let rows = client
        .query(sql, &[])
        .expect("the server under test is built with the feature `failpoints`");
    rows.iter().map(|row| row.get(0)).collect()
}
