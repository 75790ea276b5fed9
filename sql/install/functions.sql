-- The functions that users call. None is SECURITY DEFINER: each checks that the caller may act
-- as the table's owner. search_path is pinned, so that names in definitions come out qualified
-- and no other schema's operators are used.

-- What the analysis says of a table. A type, so that arguments and columns may share names.
CREATE TYPE partman_rs.advice AS (
    source regclass,
    needs_partitioning boolean,
    partition_column text,
    recommended_strategy text,
    partition_interval text,
    estimated_partitions bigint,
    partition_bytes bigint,
    total_bytes bigint,
    rows_estimate bigint,
    reasons text,
    blockers text,
    warnings text,
    key_changes text,
    next_step text,
    details jsonb
);
COMMENT ON TYPE partman_rs.advice IS 'what the analysis says of a table';
COMMENT ON COLUMN partman_rs.advice.source IS 'the table';
COMMENT ON COLUMN partman_rs.advice.needs_partitioning IS 'whether partitioning is worth it; null where that cannot be told, for the reason given';
COMMENT ON COLUMN partman_rs.advice.partition_column IS 'the column to partition by, whether it is worth it or not; null where none will do, or the table was not looked at closely';
COMMENT ON COLUMN partman_rs.advice.recommended_strategy IS 'what convert_to_partitioned is to be given as strategy';
COMMENT ON COLUMN partman_rs.advice.partition_interval IS 'what it is to be given as partition_interval';
COMMENT ON COLUMN partman_rs.advice.estimated_partitions IS 'how many partitions it would make, those ahead and the default partition among them';
COMMENT ON COLUMN partman_rs.advice.partition_bytes IS 'estimated size of a partition with its indexes';
COMMENT ON COLUMN partman_rs.advice.total_bytes IS 'size of the table with indexes and TOAST';
COMMENT ON COLUMN partman_rs.advice.rows_estimate IS 'rows, as of the last VACUUM or ANALYZE; null where there was none';
COMMENT ON COLUMN partman_rs.advice.reasons IS 'why, a sentence a line';
COMMENT ON COLUMN partman_rs.advice.blockers IS 'all that convert_to_partitioned would refuse, and what to do about it, a line each';
COMMENT ON COLUMN partman_rs.advice.warnings IS 'what to know or to mend before, a line each';
COMMENT ON COLUMN partman_rs.advice.key_changes IS 'what becomes of unique keys that lack the column, a line each';
COMMENT ON COLUMN partman_rs.advice.next_step IS 'the call that shows the plan; null where it would be refused';
COMMENT ON COLUMN partman_rs.advice.details IS 'for programs: blockers apart from their hints, why other columns will not do, and more numbers';

CREATE FUNCTION partition_candidates() RETURNS SETOF partman_rs.advice
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'partition_candidates_wrapper';
COMMENT ON FUNCTION partition_candidates() IS
    'says which tables of the database are worth partitioning and why, those first that are: reads catalog and statistics only';

CREATE FUNCTION analyze_table_for_partitioning(
    source regclass,
    partition_column text DEFAULT NULL,
    retention interval DEFAULT NULL
) RETURNS SETOF partman_rs.advice
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'analyze_table_for_partitioning_wrapper';
COMMENT ON FUNCTION analyze_table_for_partitioning(regclass, text, interval) IS
    'says whether a table is worth partitioning, by which column and interval, and all that stands in the way: reads catalog, statistics and ends of indexes only';

-- What becomes of a statement when its table is partitioned.
CREATE TYPE partman_rs.query_report AS (
    statement text,
    calls bigint,
    total_time double precision,
    share_of_time double precision,
    partitions_before bigint,
    partitions_after bigint,
    pruned text,
    locks_before bigint,
    locks_after bigint,
    note text
);
COMMENT ON TYPE partman_rs.query_report IS 'what becomes of a statement when its table is partitioned';
COMMENT ON COLUMN partman_rs.query_report.statement IS 'as pg_stat_statements has it; null for several statements together, which the note tells of';
COMMENT ON COLUMN partman_rs.query_report.calls IS 'how often it was run since pg_stat_statements was reset';
COMMENT ON COLUMN partman_rs.query_report.total_time IS 'milliseconds that its execution took in all';
COMMENT ON COLUMN partman_rs.query_report.share_of_time IS 'share of the time of all statements on the table, from 0 to 1; null for commands, whose time is not counted, and where it is not known to be on it';
COMMENT ON COLUMN partman_rs.query_report.partitions_before IS 'partitions that hold what it reads now: all of them; null where it could not be planned';
COMMENT ON COLUMN partman_rs.query_report.partitions_after IS 'partitions that are left of them by pruning, with the newest key for each parameter that the partition column is compared with';
COMMENT ON COLUMN partman_rs.query_report.pruned IS 'when partitions are left out: plan time, run time, or never; null where it reads none, or could not be planned';
COMMENT ON COLUMN partman_rs.query_report.locks_before IS 'locks that it takes now, on the table and its indexes';
COMMENT ON COLUMN partman_rs.query_report.locks_after IS 'locks that it would take on the table, its partitions and their indexes';
COMMENT ON COLUMN partman_rs.query_report.note IS 'why it could not be planned, or what else there is to know';

CREATE FUNCTION query_pruning(
    source regclass,
    partition_column text DEFAULT NULL,
    partition_interval text DEFAULT NULL
) RETURNS SETOF partman_rs.query_report
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'query_pruning_wrapper';
COMMENT ON FUNCTION query_pruning(regclass, text, text) IS
    'says which of a table''s statements would read fewer partitions: plans those of pg_stat_statements on an empty partitioned copy, which is rolled back';

CREATE FUNCTION convert_to_partitioned(
    source regclass,
    partition_column text DEFAULT NULL,
    strategy text DEFAULT 'range',
    partition_interval text DEFAULT NULL,
    premake integer DEFAULT 4,
    default_partition boolean DEFAULT true,
    time_zone text DEFAULT NULL,
    range_start text DEFAULT NULL,
    range_end text DEFAULT NULL,
    copy_workers integer DEFAULT NULL,
    undo_window interval DEFAULT '1 day',
    plan_hash text DEFAULT NULL,
    dry_run boolean DEFAULT false,
    unique_guard boolean DEFAULT false,
    bounds_by text DEFAULT NULL
) RETURNS TABLE (step integer, phase text, statement text, lock text, note text, rows_estimate bigint,
                 disk_bytes_estimate bigint, wal_bytes_estimate bigint, time_estimate interval, details jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'convert_to_partitioned_wrapper';
COMMENT ON FUNCTION convert_to_partitioned(regclass, text, text, text, integer, boolean, text, text, text, integer, interval, text, boolean, boolean, text) IS
    'turns a table into a partitioned one while it is used: returns the plan and, unless dry_run, starts the work in the background when the transaction commits';

CREATE FUNCTION conversion_manifest(
    source regclass,
    partition_column text DEFAULT NULL,
    unique_guard boolean DEFAULT false
) RETURNS TABLE (kind text, object text, fate text, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'conversion_manifest_wrapper';
COMMENT ON FUNCTION conversion_manifest(regclass, text, boolean) IS
    'what a table consists of and what hangs on it, and what a conversion makes of each item: kept, rebuilt, changed or refused';

CREATE FUNCTION pause_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'pause_conversion_wrapper';
COMMENT ON FUNCTION pause_conversion(regclass) IS
    'stops the work on a conversion before its swap; changes of the table are still captured';

CREATE FUNCTION resume_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'resume_conversion_wrapper';
COMMENT ON FUNCTION resume_conversion(regclass) IS
    'goes on with a conversion that was paused, has failed, or has lost its worker; takes the patience (pg_partman_rs.swap_lock_timeout, snapshot_wait_timeout) that the session has set';

CREATE FUNCTION cancel_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'cancel_conversion_wrapper';
COMMENT ON FUNCTION cancel_conversion(regclass) IS
    'takes a conversion back before its swap: the table stays as it is, and nothing is left beside it';

CREATE FUNCTION finish_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'finish_conversion_wrapper';
COMMENT ON FUNCTION finish_conversion(regclass) IS
    'ends a conversion after its swap: drops the retired table';

-- No SET clause here: a procedure with one cannot end its transaction.
CREATE PROCEDURE wait_for_conversion(source regclass, timeout interval DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'wait_for_conversion';
COMMENT ON PROCEDURE wait_for_conversion(regclass, interval) IS
    'returns when a conversion has made its swap, or fails with its error; holds no snapshot while it waits';

CREATE FUNCTION set_partition_policy(
    parent regclass,
    partition_interval text DEFAULT NULL,
    premake integer DEFAULT NULL,
    retention text DEFAULT NULL,
    retention_partitions integer DEFAULT NULL,
    retention_size text DEFAULT NULL,
    retention_action text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    partition_offset text DEFAULT NULL,
    retention_schema text DEFAULT NULL,
    grace_period text DEFAULT NULL,
    repair boolean DEFAULT NULL,
    key_codec text DEFAULT NULL,
    quiet_from text DEFAULT NULL,
    quiet_until text DEFAULT NULL,
    maintenance_interval text DEFAULT NULL,
    default_partition boolean DEFAULT NULL,
    new_values boolean DEFAULT NULL,
    default_partition_optional boolean DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'set_partition_policy_wrapper';
COMMENT ON FUNCTION set_partition_policy(regclass, text, integer, text, integer, text, text, text, text, text, text, boolean, text, text, text, text, boolean, boolean, boolean) IS
    'says how a partitioned table is to be kept: what is left out stays as it is, or is read from its partitions';

CREATE FUNCTION drop_partition_policy(parent regclass) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'drop_partition_policy_wrapper';
COMMENT ON FUNCTION drop_partition_policy(regclass) IS
    'leaves a partitioned table to itself; its partitions stay';

CREATE TYPE partman_rs.maintenance_action AS (
    parent regclass,
    action text,
    partition text,
    lower_bound text,
    upper_bound text,
    outcome text
);
COMMENT ON TYPE partman_rs.maintenance_action IS 'an action of ensure_partitions, and what came of it';
COMMENT ON COLUMN partman_rs.maintenance_action.parent IS 'the partitioned table';
COMMENT ON COLUMN partman_rs.maintenance_action.action IS 'create, detach, drop, move, recycle, finalize; look: it did not come to that';
COMMENT ON COLUMN partman_rs.maintenance_action.partition IS 'the partition, as it is called then; null where it was not made';
COMMENT ON COLUMN partman_rs.maintenance_action.lower_bound IS 'its inclusive lower bound; times in UTC; by list its value, by hash its modulus and remainder';
COMMENT ON COLUMN partman_rs.maintenance_action.upper_bound IS 'its exclusive upper bound; null by list and by hash';
COMMENT ON COLUMN partman_rs.maintenance_action.outcome IS 'created, detached, dropped, moved, recycled; skipped: and why; failed: SQLSTATE and message; to be done: with dry_run';

CREATE FUNCTION ensure_partitions(parent regclass DEFAULT NULL, dry_run boolean DEFAULT false)
RETURNS SETOF partman_rs.maintenance_action
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'ensure_partitions_wrapper';
COMMENT ON FUNCTION ensure_partitions(regclass, boolean) IS
    'makes partitions ahead and retires old ones, as the policies say: of one table, or of all that the caller may act for; a row for each action';

CREATE FUNCTION pin_partition(partition regclass, reason text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'pin_partition_wrapper';
COMMENT ON FUNCTION pin_partition(regclass, text) IS
    'keeps a partition, whatever its age';

CREATE FUNCTION unpin_partition(partition regclass) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'unpin_partition_wrapper';
COMMENT ON FUNCTION unpin_partition(regclass) IS
    'lets a partition be retired again when it is old';

CREATE FUNCTION restore_partition(partition regclass) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'restore_partition_wrapper';
COMMENT ON FUNCTION restore_partition(regclass) IS
    'takes a partition out of the recycle bin: attaches it again with the bounds it had, and pins it';

CREATE FUNCTION check_unique_guard(parent regclass) RETURNS TABLE (kind text, key text, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'check_unique_guard_wrapper';
COMMENT ON FUNCTION check_unique_guard(regclass) IS
    'what is wrong with the guard of a table''s key: keys without their row, rows without their key, and what no longer keeps it exact; no row when all is well';

CREATE FUNCTION partman_rs.check_policies() RETURNS TABLE (
    parent regclass, verdict text, reason text, next_command text, partitions_ahead bigint, runway_seconds float8,
    keys_left bigint, default_has_rows boolean, gaps bigint, overdue bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'check_policies_wrapper';
COMMENT ON FUNCTION partman_rs.check_policies() IS 'for the view partman_rs.health';

CREATE FUNCTION partman_rs.maintenance_delay(failures integer, own_interval float8) RETURNS float8
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'maintenance_delay_wrapper';
COMMENT ON FUNCTION partman_rs.maintenance_delay(integer, float8) IS
    'seconds between two runs of maintenance, after so many failures in a row, for a policy with an interval of its own or without; null where no worker runs it';
