-- What users see. Each sees the conversions of tables whose owner's rights they have.

CREATE VIEW partman_rs.conversions WITH (security_barrier) AS
WITH progress AS (
    SELECT r.job, sum(r.rows) AS rows_done, sum(r.bytes) AS bytes_done
      FROM partman_rs.copy_range r
     WHERE r.is_done
     GROUP BY r.job
), worker AS (
    -- A worker holds a lock on its job for as long as it lives.
    SELECT l.objid, min(l.pid) AS pid
      FROM pg_catalog.pg_locks l
     WHERE l.locktype = 'object' AND l.granted AND l.mode = 'ExclusiveLock'
       AND l.classid = 'partman_rs.job'::regclass AND l.objsubid = 0
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
     GROUP BY l.objid
), job AS (
    SELECT j.*,
           coalesce(j.rows_copied, p.rows_done, 0)::bigint AS rows_done,
           coalesce(j.bytes_copied, p.bytes_done, 0)::bigint AS bytes_done,
           w.pid AS worker_pid,
           CASE WHEN j.phase IN ('planned', 'prepared', 'capturing') THEN 0
                WHEN j.phase IN ('reversible', 'finished') THEN 100
                WHEN j.bytes_total = 0 THEN NULL
                ELSE least(100, 100.0 * coalesce(p.bytes_done, 0) / j.bytes_total) END AS percent,
           coalesce(j.rows_copied, p.rows_done, 0)
               / nullif(extract(epoch FROM
                     coalesce(j.copy_ended_at, clock_timestamp()) - j.copy_started_at), 0) AS rate
      FROM partman_rs.job j
      LEFT JOIN progress p ON p.job = j.id
      LEFT JOIN worker w ON w.objid = j.id::oid
)
SELECT CASE WHEN j.phase IN ('reversible', 'finished')
            THEN coalesce(j.twin, (j.plan #>> '{default_of,oid}')::oid) ELSE j.source END::regclass AS source,
       j.phase,
       j.worker_pid,
       j.started_at,
       j.phase_at AS phase_since,
       j.rows_done,
       greatest(j.rows_total, j.rows_done) AS rows_total,
       j.bytes_done,
       j.bytes_total,
       round(j.percent::numeric, 1) AS percent,
       round(j.rate::numeric) AS rows_per_second,
       CASE WHEN j.phase = 'copying' AND j.rate > 0
            THEN make_interval(secs => round(greatest(j.rows_total - j.rows_done, 0) / j.rate)) END AS eta,
       j.keys_waiting,
       j.swap_attempts,
       j.rows_verified,
       j.rows_unverified,
       j.swapped_at,
       CASE WHEN j.phase = 'reversible' THEN j.undo_until END AS undo_until,
       j.last_error,
       j.last_error_detail,
       j.last_error_hint,
       j.last_sqlstate,
       cardinality(j.keys_to_validate) AS foreign_keys_to_validate
  FROM job j
 WHERE pg_catalog.pg_has_role(j.owner, 'USAGE');

COMMENT ON VIEW partman_rs.conversions IS
    'conversions of tables: where each one is, how fast it goes, and what went wrong';
COMMENT ON COLUMN partman_rs.conversions.source IS 'the table; after the swap, the partitioned table of that name';
COMMENT ON COLUMN partman_rs.conversions.phase IS 'planned, prepared, capturing, copying, indexing, catching_up, verifying, swapping, reversible, finished; or paused, failed, cancelling, cancelled';
COMMENT ON COLUMN partman_rs.conversions.worker_pid IS 'process that works on it; null when none does';
COMMENT ON COLUMN partman_rs.conversions.started_at IS 'when it was asked for';
COMMENT ON COLUMN partman_rs.conversions.phase_since IS 'when it came into this phase';
COMMENT ON COLUMN partman_rs.conversions.rows_done IS 'rows copied';
COMMENT ON COLUMN partman_rs.conversions.rows_total IS 'rows to copy, as estimated when the copy began';
COMMENT ON COLUMN partman_rs.conversions.bytes_done IS 'bytes of the table read by the copy';
COMMENT ON COLUMN partman_rs.conversions.bytes_total IS 'bytes of the table to read';
COMMENT ON COLUMN partman_rs.conversions.percent IS 'share of the copy that is done';
COMMENT ON COLUMN partman_rs.conversions.rows_per_second IS 'rows copied per second';
COMMENT ON COLUMN partman_rs.conversions.eta IS 'time until the copy is done, at this rate; index builds follow it';
COMMENT ON COLUMN partman_rs.conversions.keys_waiting IS 'changes in the change log that are still to be applied';
COMMENT ON COLUMN partman_rs.conversions.swap_attempts IS 'how often the lock for the swap was asked for';
COMMENT ON COLUMN partman_rs.conversions.rows_verified IS 'rows compared and found equal before the swap';
COMMENT ON COLUMN partman_rs.conversions.rows_unverified IS 'rows left out of the comparison because they, or rows that share a checksum with them, were being changed';
COMMENT ON COLUMN partman_rs.conversions.swapped_at IS 'when the partitioned table took the table''s place';
COMMENT ON COLUMN partman_rs.conversions.undo_until IS 'when the retired table may be dropped by itself';
COMMENT ON COLUMN partman_rs.conversions.last_error IS 'why it failed, or what it last waited for';
COMMENT ON COLUMN partman_rs.conversions.last_error_detail IS 'DETAIL of last_error';
COMMENT ON COLUMN partman_rs.conversions.last_error_hint IS 'HINT of last_error: what to do about it';
COMMENT ON COLUMN partman_rs.conversions.last_sqlstate IS 'SQLSTATE of last_error';
COMMENT ON COLUMN partman_rs.conversions.foreign_keys_to_validate IS 'foreign keys of other tables that have pointed at the table since the swap and are still to be validated';

CREATE VIEW partman_rs.partitions AS
SELECT i.inhparent::regclass AS parent,
       c.oid::regclass AS partition,
       b.lower_bound,
       b.upper_bound,
       e.expression = 'DEFAULT' AS is_default,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows_estimate,
       pg_catalog.pg_total_relation_size(c.oid) AS bytes
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
  JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = p.oid AND t.partstrat = 'r'
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS expression) e
 CROSS JOIN LATERAL (
       SELECT pg_catalog.regexp_match(e.expression, CASE t.partnatts
                  WHEN 1 THEN '^FOR VALUES FROM \((''(?:[^'']|'''')*''|[^'']*)\) TO \((''(?:[^'']|'''')*''|[^'']*)\)$'
                  ELSE '^FOR VALUES FROM \((.*)\) TO \((.*)\)$' END) AS ends
       ) m
 CROSS JOIN LATERAL (
       SELECT max(v.value) FILTER (WHERE v.place = 1) AS lower_bound,
              max(v.value) FILTER (WHERE v.place = 2) AS upper_bound
         FROM (SELECT u.place,
                      -- Some numbers come with quotes and some without: all are shown without.
                      CASE WHEN t.partnatts > 1 THEN u.bound
                           WHEN u.bound IN ('MINVALUE', 'MAXVALUE') THEN NULL
                           WHEN left(u.bound, 1) = '''' THEN replace(substr(u.bound, 2, length(u.bound) - 2), '''''', '''')
                           ELSE u.bound END AS value
                 FROM pg_catalog.unnest(m.ends) WITH ORDINALITY AS u(bound, place)) v
       ) b
 WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE')
    OR pg_catalog.has_table_privilege(c.oid, 'SELECT');

COMMENT ON VIEW partman_rs.partitions IS
    'partitions of range-partitioned tables: bounds, size, estimated rows';
COMMENT ON COLUMN partman_rs.partitions.parent IS 'the partitioned table';
COMMENT ON COLUMN partman_rs.partitions.partition IS 'the partition';
COMMENT ON COLUMN partman_rs.partitions.lower_bound IS 'inclusive lower bound: a value of the key''s type, as text; null where there is none; for a key of several columns, the list as SQL';
COMMENT ON COLUMN partman_rs.partitions.upper_bound IS 'exclusive upper bound, likewise';
COMMENT ON COLUMN partman_rs.partitions.is_default IS 'whether it takes the rows that no other partition takes';
COMMENT ON COLUMN partman_rs.partitions.rows_estimate IS 'rows, as of the last ANALYZE or index build; null where unknown';
COMMENT ON COLUMN partman_rs.partitions.bytes IS 'size with indexes and TOAST';

CREATE VIEW partman_rs.runs WITH (security_barrier) AS
SELECT j.id AS run,
       'convert' AS action,
       CASE WHEN j.swapped_at IS NOT NULL
            THEN coalesce(j.twin, (j.plan #>> '{default_of,oid}')::oid) ELSE j.source END::regclass AS relation,
       j.source_name AS relation_name,
       j.started_at,
       CASE WHEN j.swapped_at IS NOT NULL THEN j.swapped_at
            WHEN j.phase IN ('cancelled', 'failed') THEN j.phase_at END AS ended_at,
       CASE WHEN j.swapped_at IS NOT NULL THEN 'swapped'
            WHEN j.phase IN ('cancelled', 'failed') THEN j.phase
            ELSE 'running' END AS outcome,
       j.last_sqlstate AS sqlstate,
       j.last_error AS error,
       (j.estimate->>'rows')::float8::bigint AS rows_estimate,
       j.rows_verified + j.rows_unverified AS rows,
       (j.estimate->>'disk_bytes')::float8::bigint AS disk_bytes_estimate,
       j.twin_table_bytes + j.twin_index_bytes AS disk_bytes,
       (j.estimate->>'wal_bytes')::float8::bigint AS wal_bytes_estimate,
       j.table_wal_bytes + j.index_wal_bytes AS wal_bytes,
       make_interval(secs => (j.estimate->>'seconds')::float8) AS time_estimate,
       CASE WHEN j.swapped_at IS NOT NULL THEN (
            SELECT make_interval(secs => sum(p.value::float8))
              FROM jsonb_each_text(j.phase_seconds) p
             WHERE p.key NOT IN ('paused', 'failed', 'reversible')) END AS time_taken,
       j.phase_seconds,
       NULL::text AS partition
  FROM partman_rs.job j
 WHERE pg_catalog.pg_has_role(j.owner, 'USAGE')
UNION ALL
SELECT r.id, r.action, r.parent::regclass, r.relation_name, r.started_at, r.ended_at, r.outcome, r.sqlstate, r.error,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.ended_at - r.started_at, NULL, r.partition
  FROM partman_rs.run r
 WHERE pg_catalog.pg_has_role(r.owner, 'USAGE');

COMMENT ON VIEW partman_rs.runs IS
    'what was done, how it ended, and what it took beside what was estimated';
COMMENT ON COLUMN partman_rs.runs.run IS 'its number: conversions have theirs, and actions of maintenance theirs';
COMMENT ON COLUMN partman_rs.runs.action IS 'convert: a conversion by convert_to_partitioned; create, detach, drop, move, recycle, finalize: of a partition, by maintenance; restore: by restore_partition; look: maintenance that did not come to that';
COMMENT ON COLUMN partman_rs.runs.relation IS 'the table; after the swap of a conversion, the partitioned table';
COMMENT ON COLUMN partman_rs.runs.relation_name IS 'the name it had, without its schema';
COMMENT ON COLUMN partman_rs.runs.started_at IS 'when it was asked for, or began';
COMMENT ON COLUMN partman_rs.runs.ended_at IS 'when it had swapped, was done, was taken back or failed; null while it runs';
COMMENT ON COLUMN partman_rs.runs.outcome IS 'running, swapped, cancelled, failed; created, detached, dropped, moved, recycled, restored';
COMMENT ON COLUMN partman_rs.runs.sqlstate IS 'SQLSTATE of error';
COMMENT ON COLUMN partman_rs.runs.error IS 'why it failed, or what it last waited for';
COMMENT ON COLUMN partman_rs.runs.rows_estimate IS 'rows, as estimated before';
COMMENT ON COLUMN partman_rs.runs.rows IS 'rows of the partitioned table before the swap';
COMMENT ON COLUMN partman_rs.runs.disk_bytes_estimate IS 'bytes of the partitioned table with its indexes, as estimated before';
COMMENT ON COLUMN partman_rs.runs.disk_bytes IS 'bytes that it had before the swap';
COMMENT ON COLUMN partman_rs.runs.wal_bytes_estimate IS 'bytes of WAL to copy rows and build indexes, as estimated before';
COMMENT ON COLUMN partman_rs.runs.wal_bytes IS 'bytes of WAL that the workers wrote for that';
COMMENT ON COLUMN partman_rs.runs.time_estimate IS 'time to the swap, as estimated before';
COMMENT ON COLUMN partman_rs.runs.time_taken IS 'time to the swap, without what it was paused or failed; time that an action of maintenance took, waiting for locks included';
COMMENT ON COLUMN partman_rs.runs.phase_seconds IS 'seconds in each phase';
COMMENT ON COLUMN partman_rs.runs.partition IS 'the partition that was made or retired, as it was called';

CREATE VIEW partman_rs.policies WITH (security_barrier) AS
SELECT p.parent,
       p.partition_interval,
       p.premake,
       p.retention,
       p.retention_partitions,
       p.retention_bytes,
       p.retention_action,
       p.time_zone,
       m.last_run_at,
       coalesce(m.last_run_at, now()) + make_interval(secs => partman_rs.maintenance_delay(coalesce(m.failures, 0), extract(epoch FROM p.maintenance_interval::interval)::float8)) * (m.parent IS NOT NULL)::int AS next_run_at,
       p.partition_offset,
       p.retention_schema,
       p.grace_period,
       p.repair,
       p.key_codec,
       p.quiet_from,
       p.quiet_until,
       p.maintenance_interval,
       p.default_partition,
       p.new_values
  FROM partman_rs.policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.parent
  LEFT JOIN partman_rs.maintenance m ON m.parent = p.parent
 WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');

COMMENT ON VIEW partman_rs.policies IS
    'how partitioned tables are to be kept: set_partition_policy writes here';
COMMENT ON COLUMN partman_rs.policies.parent IS 'the partitioned table';
COMMENT ON COLUMN partman_rs.policies.partition_interval IS 'width of a new partition: an interval, or a number of integers; null for a table that is partitioned by list or hash';
COMMENT ON COLUMN partman_rs.policies.new_values IS 'whether values that lie in the default partition get partitions of their own; for a table that is partitioned by list';
COMMENT ON COLUMN partman_rs.policies.premake IS 'partitions to have ready ahead of the present, and of the data; 0 for a table that is partitioned by list or hash';
COMMENT ON COLUMN partman_rs.policies.retention IS 'age from which on a partition is retired: an interval, or a number of integers; null where none is for its age';
COMMENT ON COLUMN partman_rs.policies.retention_partitions IS 'most partitions in use; null where their number is no limit';
COMMENT ON COLUMN partman_rs.policies.retention_bytes IS 'most bytes of all partitions, with indexes and TOAST; null where size is no limit';
COMMENT ON COLUMN partman_rs.policies.retention_action IS 'drop, detach, move or recycle';
COMMENT ON COLUMN partman_rs.policies.time_zone IS 'zone whose calendar the bounds of timestamp with time zone follow, and by whose clock it is today; null for integers';
COMMENT ON COLUMN partman_rs.policies.last_run_at IS 'when maintenance last looked at the table';
COMMENT ON COLUMN partman_rs.policies.quiet_from IS 'time of day from which on the worker leaves the table alone, in its zone, or UTC where it has none; null where it never does';
COMMENT ON COLUMN partman_rs.policies.quiet_until IS 'time of day when that ends';
COMMENT ON COLUMN partman_rs.policies.maintenance_interval IS 'time between two runs of the worker; null where it is that of pg_partman_rs.maintenance_interval';
COMMENT ON COLUMN partman_rs.policies.next_run_at IS 'when the worker will look next, or after the quiet hours in which that lies; null where none will: the library is not preloaded, or pg_partman_rs.maintenance_interval is 0';
COMMENT ON COLUMN partman_rs.policies.repair IS 'whether partitions that have drifted from the table are mended, or only told of';

COMMENT ON COLUMN partman_rs.policies.retention_schema IS 'schema where retired partitions go; null where they stay in theirs, or are dropped';
COMMENT ON COLUMN partman_rs.policies.default_partition IS 'whether there is to be a default partition; null where either will do';
COMMENT ON COLUMN partman_rs.policies.grace_period IS 'how long a recycled partition can be had back before it is dropped';

CREATE VIEW partman_rs.recycle_bin WITH (security_barrier) AS
SELECT r.partition,
       r.parent,
       r.lower_bound,
       r.upper_bound,
       r.recycled_at,
       CASE p.retention_action WHEN 'recycle' THEN r.recycled_at + p.grace_period::interval END AS dropped_from,
       pg_catalog.pg_total_relation_size(c.oid) AS bytes
  FROM partman_rs.recycled r
  JOIN pg_catalog.pg_class c ON c.oid = r.partition AND NOT c.relispartition
  LEFT JOIN partman_rs.policy p ON p.parent = r.parent
 WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');

COMMENT ON VIEW partman_rs.recycle_bin IS
    'partitions that retention has recycled: restore_partition takes one back, DROP TABLE drops it now';
COMMENT ON COLUMN partman_rs.recycle_bin.partition IS 'the table that was a partition';
COMMENT ON COLUMN partman_rs.recycle_bin.parent IS 'the partitioned table that it was detached from';
COMMENT ON COLUMN partman_rs.recycle_bin.lower_bound IS 'its inclusive lower bound; times in UTC; null where it had none';
COMMENT ON COLUMN partman_rs.recycle_bin.upper_bound IS 'its exclusive upper bound, likewise';
COMMENT ON COLUMN partman_rs.recycle_bin.recycled_at IS 'when it was detached';
COMMENT ON COLUMN partman_rs.recycle_bin.dropped_from IS 'from when on maintenance drops it; null where it does not: the table''s policy is gone, or its action another';
COMMENT ON COLUMN partman_rs.recycle_bin.bytes IS 'size with indexes and TOAST';

CREATE VIEW partman_rs.health WITH (security_barrier) AS
SELECT h.parent,
       h.verdict,
       h.reason,
       h.next_command,
       h.partitions_ahead,
       justify_hours(make_interval(secs => h.runway_seconds)) AS runway,
       h.keys_left,
       h.default_has_rows,
       h.gaps,
       h.overdue,
       p.last_run_at,
       p.next_run_at,
       m.last_error,
       m.last_sqlstate
  FROM partman_rs.check_policies() h
  JOIN partman_rs.policies p ON p.parent = h.parent
  LEFT JOIN partman_rs.maintenance m ON m.parent = h.parent::oid;

COMMENT ON COLUMN partman_rs.policies.partition_offset IS 'how far bounds are moved from where the interval puts them; null where they are not';
COMMENT ON COLUMN partman_rs.policies.key_codec IS 'how ids in the partition column carry a time: uuidv7, ulid, or snowflake with its epoch and shift; null where they do not';

COMMENT ON VIEW partman_rs.health IS
    'whether all is well with the tables that have a policy, and what to do if not; looks at each of them';
COMMENT ON COLUMN partman_rs.health.parent IS 'the partitioned table';
COMMENT ON COLUMN partman_rs.health.verdict IS 'ok, warning, critical: rows are being refused, or the table cannot be maintained';
COMMENT ON COLUMN partman_rs.health.reason IS 'what is not well, a line each, the most urgent first';
COMMENT ON COLUMN partman_rs.health.next_command IS 'what to do about the first of them';
COMMENT ON COLUMN partman_rs.health.partitions_ahead IS 'partitions that begin behind the present, and behind the data; null by list and by hash';
COMMENT ON COLUMN partman_rs.health.runway IS 'time until the last partition ends; null for integers, by list and by hash, and where it has no end';
COMMENT ON COLUMN partman_rs.health.keys_left IS 'integers between the newest row and the end of the last partition; null for times, and where it has no end';
COMMENT ON COLUMN partman_rs.health.default_has_rows IS 'whether there are rows in the default partition';
COMMENT ON COLUMN partman_rs.health.gaps IS 'ranges between partitions that no partition takes, without what was retired; by hash, remainders that none takes';
COMMENT ON COLUMN partman_rs.health.overdue IS 'partitions that are to be retired, and are not yet';
COMMENT ON COLUMN partman_rs.health.last_run_at IS 'when maintenance last looked at the table';
COMMENT ON COLUMN partman_rs.health.next_run_at IS 'when the worker will look next; null where none will';
COMMENT ON COLUMN partman_rs.health.last_error IS 'why the last run failed; null where it did not';
COMMENT ON COLUMN partman_rs.health.last_sqlstate IS 'SQLSTATE of last_error';

REVOKE ALL ON ALL TABLES IN SCHEMA partman_rs FROM PUBLIC;
GRANT SELECT ON partman_rs.conversions, partman_rs.partitions, partman_rs.runs, partman_rs.policies, partman_rs.recycle_bin, partman_rs.health TO PUBLIC;
GRANT USAGE ON SCHEMA partman_rs TO PUBLIC;
