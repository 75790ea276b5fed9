//! Settings, all with the prefix `pg_partman_rs`.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::time::Duration;

/// Longest wait for a lock that others queue behind.
static SWAP_LOCK_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(100);
static SNAPSHOT_WAIT_TIMEOUT_S: GucSetting<i32> = GucSetting::<i32>::new(3600);
static COPY_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(2);
static MAX_PARTITIONS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static LAUNCHER_NAPTIME_S: GucSetting<i32> = GucSetting::<i32>::new(10);

/// Defines the settings and reserves their prefix.
pub fn define() {
    GucRegistry::define_int_guc(
        c"pg_partman_rs.swap_lock_timeout",
        c"Longest time that a conversion waits for a lock on the table before it lets others go first.",
        c"Other sessions queue behind this wait. Lower it where stalls matter more than an early swap.",
        &SWAP_LOCK_TIMEOUT_MS,
        1,
        60_000,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.snapshot_wait_timeout",
        c"Longest time that the swap waits for snapshots older than the copy.",
        c"A transaction with such a snapshot would not see all rows after the swap. When this has \
          passed, the conversion fails and can be resumed.",
        &SNAPSHOT_WAIT_TIMEOUT_S,
        1,
        604_800,
        GucContext::Userset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.copy_workers",
        c"Processes that copy a table and build its indexes, unless the call says otherwise.",
        c"Each takes a slot of max_worker_processes. With fewer free slots, fewer are used.",
        &COPY_WORKERS,
        1,
        64,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.max_partitions",
        c"Most partitions that a conversion makes.",
        c"Many partitions cost planning time, memory in each session, and locks.",
        &MAX_PARTITIONS,
        1,
        100_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.launcher_naptime",
        c"Time between two looks for conversions that have lost their worker.",
        c"Used only where the library is in shared_preload_libraries.",
        &LAUNCHER_NAPTIME_S,
        1,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    #[allow(unsafe_code, reason = "a call into PostgreSQL")]
    // SAFETY: called while the library is being loaded, after its settings were defined.
    unsafe {
        pgrx::pg_sys::MarkGUCPrefixReserved(c"pg_partman_rs".as_ptr());
    }
}

fn seconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_secs(u64::try_from(setting.get()).unwrap_or(1))
}

/// The settings that a worker takes over from the session that asked: names and values.
pub fn of_session() -> Vec<(String, String)> {
    vec![
        (
            "pg_partman_rs.swap_lock_timeout".to_owned(),
            SWAP_LOCK_TIMEOUT_MS.get().to_string(),
        ),
        (
            "pg_partman_rs.snapshot_wait_timeout".to_owned(),
            SNAPSHOT_WAIT_TIMEOUT_S.get().to_string(),
        ),
    ]
}

/// Longest the capture or the swap may wait for its lock before it backs off.
pub fn swap_lock_timeout() -> Duration {
    Duration::from_millis(u64::try_from(SWAP_LOCK_TIMEOUT_MS.get()).unwrap_or(100))
}

/// Longest the swap waits for old snapshots.
pub fn snapshot_wait_timeout() -> Duration {
    seconds(&SNAPSHOT_WAIT_TIMEOUT_S)
}

/// Processes per conversion.
pub fn copy_workers() -> u32 {
    u32::try_from(COPY_WORKERS.get()).unwrap_or(1)
}

/// Most partitions of a conversion.
pub fn max_partitions() -> u32 {
    u32::try_from(MAX_PARTITIONS.get()).unwrap_or(1)
}

/// Time between two looks of the launcher.
pub fn launcher_naptime() -> Duration {
    seconds(&LAUNCHER_NAPTIME_S)
}
