//! Settings, all with the prefix `pg_partman_rs`.

use crate::analyze::facts::Thresholds;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::time::Duration;

/// Longest wait for a lock that others queue behind.
static SWAP_LOCK_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(100);
static SNAPSHOT_WAIT_TIMEOUT_S: GucSetting<i32> = GucSetting::<i32>::new(3600);
static COPY_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(2);
static MAX_PARTITIONS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static RETENTION_FUSE: GucSetting<i32> = GucSetting::<i32>::new(10);
static RETENTION_PERCENT: GucSetting<i32> = GucSetting::<i32>::new(100);
static MAINTENANCE_INTERVAL_S: GucSetting<i32> = GucSetting::<i32>::new(600);
/// In minutes: the coarsest unit that settings have, and a day is written as `1d`.
static COMPARISON_INTERVAL_S: GucSetting<i32> = GucSetting::<i32>::new(3600);
static RUN_HISTORY_MIN: GucSetting<i32> = GucSetting::<i32>::new(90 * 24 * 60);
/// In kB, as all settings of size are.
static DEFAULT_SCAN_LIMIT_KB: GucSetting<i32> = GucSetting::<i32>::new(64 * 1024);
static NEW_VALUE_ROWS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static LAUNCHER_NAPTIME_S: GucSetting<i32> = GucSetting::<i32>::new(10);
/// In kB, as all settings of size are.
static ANALYZE_SMALL_SIZE_KB: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);
static ANALYZE_LARGE_SIZE_KB: GucSetting<i32> = GucSetting::<i32>::new(10 * 1024 * 1024);
static TARGET_PARTITION_SIZE_KB: GucSetting<i32> = GucSetting::<i32>::new(4 * 1024 * 1024);
static ANALYZE_DELETED_PERCENT: GucSetting<i32> = GucSetting::<i32>::new(20);
static ANALYZE_DEAD_PERCENT: GucSetting<i32> = GucSetting::<i32>::new(20);
static ANALYZE_GROWTH_MONTHS: GucSetting<i32> = GucSetting::<i32>::new(12);
static ANALYZE_VACUUM_TIME_MIN: GucSetting<i32> = GucSetting::<i32>::new(60);
static ANALYZE_FREEZE_PERCENT: GucSetting<i32> = GucSetting::<i32>::new(90);
static ANALYZE_SLOT_LAG_KB: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);
static ANALYZE_CORRELATION: GucSetting<f64> = GucSetting::<f64>::new(0.8);
static ANALYZE_QUERIES: GucSetting<i32> = GucSetting::<i32>::new(50);
static ANALYZE_NULL_PERCENT: GucSetting<i32> = GucSetting::<i32>::new(5);
/// Read by [`crate::clock`].
#[cfg(feature = "failpoints")]
static TEST_CLOCK: GucSetting<Option<std::ffi::CString>> =
    GucSetting::<Option<std::ffi::CString>>::new(Some(c""));

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
        c"pg_partman_rs.retention_max_partitions",
        c"Most partitions of a table that one run of maintenance retires.",
        c"A fuse: where a policy or the data is wrong, not all is gone at once. Those left go with the next runs.",
        &RETENTION_FUSE,
        0,
        100_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.retention_max_share",
        c"Most of a table that one run of maintenance retires, in percent of its bytes, and of its rows.",
        c"A fuse beside retention_max_partitions, for tables of few large partitions. What would go \
          beyond it is spared, and told. With 100 it is off.",
        &RETENTION_PERCENT,
        0,
        100,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.launcher_naptime",
        c"Time between two looks for conversions that have lost their worker, and for maintenance that is due.",
        c"Used only where the library is in shared_preload_libraries.",
        &LAUNCHER_NAPTIME_S,
        1,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.default_scan_limit",
        c"Size of a default partition up to which maintenance attaches partitions beside it.",
        c"PostgreSQL looks through the default partition meanwhile, and nobody can use it. Raise it \
          where such a stall does no harm.",
        &DEFAULT_SCAN_LIMIT_KB,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.new_value_max_rows",
        c"Most rows of a new value that maintenance moves out of a default partition into one of their own.",
        c"For tables that are partitioned by list. They are moved in one go, while nobody can use the table: some \
          milliseconds for each 1000 of them. More are moved by a worker, while readers and writers go on.",
        &NEW_VALUE_ROWS,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.maintenance_interval",
        c"Time between two runs of maintenance over a table that has a policy.",
        c"Used only where the library is in shared_preload_libraries. Lower it where partitions are \
          made for less than an hour each. After failures it doubles with each, up to an hour. Zero: \
          only calls of ensure_partitions maintain.",
        &MAINTENANCE_INTERVAL_S,
        0,
        604_800,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.comparison_interval",
        c"Time between two comparisons of a table's partitions with the table.",
        c"Indexes, owner, privileges and the like of all partitions are read for it, which takes 15 ms with 1000 of \
          them. Zero: with every run of maintenance.",
        &COMPARISON_INTERVAL_S,
        0,
        604_800,
        GucContext::Userset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.run_history",
        c"Time for which partman_rs.runs shows what maintenance did.",
        c"Older rows are deleted.",
        &RUN_HISTORY_MIN,
        1,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    define_analysis();
    #[cfg(feature = "failpoints")]
    GucRegistry::define_string_guc(
        c"pg_partman_rs.test_clock",
        c"Moment that maintenance takes for the present, as 2013-03-31 00:30:00+00. Empty: the server's clock.",
        c"For tests; other builds do not have it.",
        &TEST_CLOCK,
        GucContext::Suset,
        GucFlags::NO_SHOW_ALL,
    );
    #[allow(unsafe_code, reason = "a call into PostgreSQL")]
    // SAFETY: called while the library is being loaded, after its settings were defined.
    unsafe {
        pgrx::pg_sys::MarkGUCPrefixReserved(c"pg_partman_rs".as_ptr());
    }
}

/// The thresholds of `analyze_table_for_partitioning`.
fn define_analysis() {
    let size = |name, short, long, setting: &'static GucSetting<i32>| {
        let (context, flags) = (GucContext::Userset, GucFlags::UNIT_KB);
        GucRegistry::define_int_guc(name, short, long, setting, 8, i32::MAX, context, flags);
    };
    size(
        c"pg_partman_rs.analyze_small_size",
        c"Size of table and indexes below which partitioning is never advised.",
        c"Partitions cost planning time and locks, which a small table does not give back.",
        &ANALYZE_SMALL_SIZE_KB,
    );
    size(
        c"pg_partman_rs.analyze_large_size",
        c"Size of table and indexes from which on partitioning is advised for size alone.",
        c"Lower it where vacuum or index builds of smaller tables already take too long.",
        &ANALYZE_LARGE_SIZE_KB,
    );
    size(
        c"pg_partman_rs.target_partition_size",
        c"Size of a partition with its indexes that advised intervals aim at.",
        c"Smaller ones are quicker to vacuum and to drop; many of them cost planning time.",
        &TARGET_PARTITION_SIZE_KB,
    );
    let whole = |name, short, long, setting: &'static GucSetting<i32>, least, most| {
        let (context, flags) = (GucContext::Userset, GucFlags::default());
        GucRegistry::define_int_guc(name, short, long, setting, least, most, context, flags);
    };
    whole(
        c"pg_partman_rs.analyze_deleted_percent",
        c"Share of rows deleted from which on partitioning is advised for deletion.",
        c"Counted since the table's statistics were last reset.",
        &ANALYZE_DELETED_PERCENT,
        1,
        100,
    );
    whole(
        c"pg_partman_rs.analyze_dead_percent",
        c"Share of dead row versions from which on partitioning is advised for vacuum.",
        c"Lower it where vacuum cannot keep up long before that.",
        &ANALYZE_DEAD_PERCENT,
        1,
        100,
    );
    whole(
        c"pg_partman_rs.analyze_growth_months",
        c"Months within which a table that will be large counts as worth partitioning now.",
        c"A table is converted the more cheaply the smaller it is.",
        &ANALYZE_GROWTH_MONTHS,
        0,
        1200,
    );
    GucRegistry::define_int_guc(
        c"pg_partman_rs.analyze_vacuum_time",
        c"Time of a vacuum from which on partitioning is advised for vacuum.",
        c"As measured, or as the pauses that autovacuum's cost limits ask for make it.",
        &ANALYZE_VACUUM_TIME_MIN,
        1,
        525_600,
        GucContext::Userset,
        GucFlags::UNIT_MIN,
    );
    whole(
        c"pg_partman_rs.analyze_freeze_percent",
        c"Share of autovacuum_freeze_max_age from which on the analysis warns of vacuum against wraparound.",
        c"Such a vacuum reads all that is not frozen, and a conversion waits for it.",
        &ANALYZE_FREEZE_PERCENT,
        1,
        100,
    );
    size(
        c"pg_partman_rs.analyze_slot_lag",
        c"WAL kept for a replication slot from which on the analysis warns that its reader is behind.",
        c"A conversion writes the table and its indexes to the WAL once more.",
        &ANALYZE_SLOT_LAG_KB,
    );
    whole(
        c"pg_partman_rs.analyze_null_percent",
        c"Share of nulls above which a column is not advised as partition column.",
        c"Rows with a null belong to the default partition.",
        &ANALYZE_NULL_PERCENT,
        0,
        100,
    );
    whole(
        c"pg_partman_rs.analyze_queries",
        c"Most statements of pg_stat_statements that the analysis plans for a table, those with the most time first.",
        c"Each takes about as long as planning it. With 0 nothing is planned.",
        &ANALYZE_QUERIES,
        0,
        10_000,
    );
    GucRegistry::define_float_guc(
        c"pg_partman_rs.analyze_correlation",
        c"Correlation with the order of rows from which on a column counts as arriving in order.",
        c"Between 0 and 1. Lower it where vacuum has made old space free for new rows.",
        &ANALYZE_CORRELATION,
        0.0,
        1.0,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// From where on something counts, for the analysis.
pub fn thresholds() -> Thresholds {
    let bytes = |setting: &GucSetting<i32>| i64::from(setting.get()) * 1024;
    let share = |setting: &GucSetting<i32>| f64::from(setting.get()) / 100.0;
    Thresholds {
        small_bytes: bytes(&ANALYZE_SMALL_SIZE_KB),
        large_bytes: bytes(&ANALYZE_LARGE_SIZE_KB),
        target_partition_bytes: bytes(&TARGET_PARTITION_SIZE_KB),
        deleted_share: share(&ANALYZE_DELETED_PERCENT),
        dead_share: share(&ANALYZE_DEAD_PERCENT),
        growth_months: f64::from(ANALYZE_GROWTH_MONTHS.get()),
        vacuum_seconds: f64::from(ANALYZE_VACUUM_TIME_MIN.get()) * 60.0,
        freeze_share: share(&ANALYZE_FREEZE_PERCENT),
        slot_lag_bytes: bytes(&ANALYZE_SLOT_LAG_KB),
        correlation: ANALYZE_CORRELATION.get(),
        null_share: share(&ANALYZE_NULL_PERCENT),
        max_partitions: MAX_PARTITIONS.get().into(),
    }
}

/// Most statements that are planned for a table.
pub fn analyze_queries() -> usize {
    usize::try_from(ANALYZE_QUERIES.get()).unwrap_or(0)
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

/// Most partitions that one run retires.
pub fn retention_fuse() -> u32 {
    u32::try_from(RETENTION_FUSE.get()).unwrap_or(0)
}

/// Most that one run retires, in percent of the table's bytes, and of its rows; `None` where that is no limit.
pub fn retention_percent() -> Option<u32> {
    u32::try_from(RETENTION_PERCENT.get())
        .ok()
        .filter(|percent| *percent < 100)
}

/// Size of a default partition up to which partitions are attached beside it, in bytes.
pub fn default_scan_limit() -> u64 {
    u64::try_from(DEFAULT_SCAN_LIMIT_KB.get()).unwrap_or(0) * 1024
}

/// Most rows of a new value that are moved out of a default partition.
pub fn new_value_rows() -> u32 {
    u32::try_from(NEW_VALUE_ROWS.get()).unwrap_or(0)
}

/// Time between two runs of maintenance over a table; `None` where no worker is to maintain.
pub fn maintenance_interval() -> Option<Duration> {
    Some(seconds(&MAINTENANCE_INTERVAL_S)).filter(|interval| !interval.is_zero())
}

/// Time between two comparisons of a table's partitions with it.
pub fn comparison_interval() -> Duration {
    seconds(&COMPARISON_INTERVAL_S)
}

/// How long runs of maintenance are remembered.
pub fn run_history() -> Duration {
    Duration::from_secs(u64::try_from(RUN_HISTORY_MIN.get()).unwrap_or(1) * 60)
}

/// Time between two looks of the launcher.
pub fn launcher_naptime() -> Duration {
    seconds(&LAUNCHER_NAPTIME_S)
}
