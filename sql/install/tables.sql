-- What the extension remembers. Only the extension's owner writes here; users see the views.

CREATE TABLE partman_rs.job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The table that was there before. Its OID stays with it through renames and the swap.
    source oid NOT NULL,
    source_name text NOT NULL,
    -- The partitioned table; until the swap under the name "…_twin".
    twin oid,
    -- What the twin and its leaves were when they were made: nobody else is to alter them.
    twin_shape text,
    owner oid NOT NULL,
    -- Whose wish it was: the role whose rights counted, and the role that logged in.
    requested_by oid NOT NULL,
    connect_as oid NOT NULL,
    phase text NOT NULL DEFAULT 'planned',
    -- Where a paused or failed job goes on.
    resume_phase text,
    plan jsonb NOT NULL,
    -- Settings of sessions that have resumed it, by name, where those differ from the plan's.
    settings jsonb NOT NULL DEFAULT '{}',
    -- The definition of the source that the plan was made for.
    definition jsonb NOT NULL,
    -- What release can read these documents and the horizon; see src/catalog/job.rs.
    document_version integer NOT NULL,
    -- The system identifier of the cluster that it was begun in: it does not go on in another one.
    cluster bigint NOT NULL,
    -- See the comments in src/plan/horizon.rs.
    horizon jsonb,
    -- The file that the block ranges speak of.
    source_file oid,
    -- The capture triggers as they were made: any ALTER of them would show.
    capture_triggers text,
    rows_total bigint NOT NULL DEFAULT 0,
    bytes_total bigint NOT NULL DEFAULT 0,
    -- What the ranges added up to, when they are no longer needed.
    rows_copied bigint,
    bytes_copied bigint,
    keys_waiting bigint NOT NULL DEFAULT 0,
    swap_attempts integer NOT NULL DEFAULT 0,
    -- Whether the twin has statistics for the planner.
    is_analyzed boolean NOT NULL DEFAULT false,
    -- What verification saw: rows compared, and rows left out because they were changing; how large the twin was then.
    rows_verified bigint,
    rows_unverified bigint,
    twin_table_bytes bigint,
    twin_index_bytes bigint,
    -- What was estimated before: see src/plan/estimate.rs.
    estimate jsonb NOT NULL,
    -- What the workers wrote into the WAL to copy rows, and to build indexes.
    table_wal_bytes bigint,
    index_wal_bytes bigint,
    -- How long the job was in each phase.
    phase_seconds jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    copy_started_at timestamptz,
    copy_ended_at timestamptz,
    phase_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    swapped_at timestamptz,
    undo_until timestamptz,
    last_error text,
    last_error_detail text,
    last_error_hint text,
    last_sqlstate text,
    -- Foreign keys that point at the result, and are still to be validated.
    keys_to_validate oid[] NOT NULL DEFAULT '{}',
    -- Those that were not: rows violate them, or the conversion was finished before.
    keys_left_not_valid oid[] NOT NULL DEFAULT '{}',
    -- The table that keeps the key unique across partitions, where that was asked for.
    guard oid
);

-- One conversion of a table at a time.
CREATE UNIQUE INDEX job_active ON partman_rs.job (source)
    WHERE phase NOT IN ('finished', 'cancelled');

-- The source in ranges of blocks. A range is marked done by the transaction that copied it.
CREATE TABLE partman_rs.copy_range (
    job bigint NOT NULL REFERENCES partman_rs.job ON DELETE CASCADE,
    first_block bigint NOT NULL,
    block_count bigint NOT NULL,
    is_done boolean NOT NULL DEFAULT false,
    rows bigint,
    bytes bigint,
    wal_bytes bigint,
    -- What the copying transaction saw; for tables without a key.
    snapshot pg_snapshot,
    PRIMARY KEY (job, first_block)
);

-- The leaves of a twin, and whether their indexes are built.
CREATE TABLE partman_rs.leaf (
    job bigint NOT NULL REFERENCES partman_rs.job ON DELETE CASCADE,
    ordinal integer NOT NULL,
    relation oid NOT NULL,
    -- How large it is after the copy.
    bytes bigint,
    is_indexed boolean NOT NULL DEFAULT false,
    -- What building its indexes wrote into the WAL.
    wal_bytes bigint,
    PRIMARY KEY (job, ordinal)
);

-- What users want of a running job. Apart from the job's own row, so that neither ever waits
-- for the other.
CREATE TABLE partman_rs.request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job bigint NOT NULL REFERENCES partman_rs.job ON DELETE CASCADE,
    action text NOT NULL CHECK (action IN ('pause', 'resume', 'cancel')),
    requested_by oid NOT NULL,
    -- Settings that the session has set itself: the worker notes them in the job.
    settings jsonb NOT NULL DEFAULT '{}',
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How partitioned tables are to be kept. Named by regclass: a policy survives renames, dumps and pg_upgrade.
CREATE TABLE partman_rs.policy (
    parent regclass PRIMARY KEY,
    -- Null for a table that is partitioned by list or hash.
    partition_interval text,
    premake integer NOT NULL,
    retention text,
    retention_partitions integer,
    retention_bytes bigint,
    retention_action text NOT NULL CHECK (retention_action IN ('drop', 'detach', 'move', 'recycle')),
    time_zone text,
    partition_offset text,
    -- By name: regnamespace would keep pg_upgrade from running.
    retention_schema text,
    grace_period text,
    repair boolean NOT NULL DEFAULT false,
    key_codec text,
    quiet_from time,
    quiet_until time,
    maintenance_interval text,
    default_partition boolean,
    new_values boolean NOT NULL DEFAULT false
);
-- Of tables that are gone nothing is dumped: their numbers would mean others.
SELECT pg_catalog.pg_extension_config_dump('partman_rs.policy', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = parent)');

-- Partitions that are kept whatever their age.
CREATE TABLE partman_rs.pin (
    partition regclass PRIMARY KEY,
    reason text,
    pinned_by regrole NOT NULL,
    pinned_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('partman_rs.pin', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = partition)');

-- The recycle bin: partitions that were detached, and are dropped when their grace period has passed.
CREATE TABLE partman_rs.recycled (
    partition regclass PRIMARY KEY,
    parent regclass NOT NULL,
    -- As PostgreSQL wrote them, and its ends as literals; null where it has none.
    bounds text NOT NULL,
    lower_bound text,
    upper_bound text,
    -- The CHECK that keeps rows within the bounds. A table without it is no longer ours to drop.
    constraint_name name NOT NULL,
    recycled_at timestamptz NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('partman_rs.recycled',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = partition) AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = parent)');

-- Partitions that are being detached by a statement that commits in its middle, and what is to become of them then: written
-- down before it begins, so that no crash forgets it.
CREATE TABLE partman_rs.retirement (
    partition regclass PRIMARY KEY,
    parent regclass NOT NULL,
    bounds text NOT NULL,
    lower_bound text,
    upper_bound text,
    constraint_name name NOT NULL,
    -- What its bounds say, and the CHECKs that it had: PostgreSQL gives it another one in their place.
    condition text NOT NULL,
    checks text[] NOT NULL,
    -- What has another name by now is left alone.
    schema_name name NOT NULL,
    partition_name name NOT NULL,
    action text NOT NULL CHECK (action IN ('drop', 'detach', 'move', 'recycle')),
    target_schema text,
    -- What the policy said about old partitions. Where it says otherwise by now, the table is only detached.
    terms text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('partman_rs.retirement',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = partition) AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = parent)');

-- Partitions whose keys are being taken out of their table's guard, so that they can be retired: noted before the first
-- is taken. As long as that is there, keys of their rows may be missing; they are given back, or the partition goes.
CREATE TABLE partman_rs.leaving (
    partition regclass PRIMARY KEY,
    parent regclass NOT NULL,
    guard regclass NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('partman_rs.leaving',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = partition) AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = parent) AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = guard)');

-- What maintenance did, or failed to do.
CREATE TABLE partman_rs.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent oid NOT NULL,
    relation_name text NOT NULL,
    -- Of the table then: by this role's rights it is seen, also when the table is gone.
    owner oid NOT NULL,
    action text NOT NULL,
    partition text,
    outcome text NOT NULL,
    sqlstate text,
    error text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX run_ended_at ON partman_rs.run (ended_at);

-- When maintenance last looked at a table, and how that went.
CREATE TABLE partman_rs.maintenance (
    parent oid PRIMARY KEY,
    last_run_at timestamptz NOT NULL,
    -- In a row. A worker counts a run before it begins, so that one that ends the server is counted too.
    failures integer NOT NULL,
    last_error text,
    last_sqlstate text,
    -- When its partitions were last compared with it, and nothing was left to be done.
    compared_at timestamptz
);

CREATE FUNCTION partman_rs.capture_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'capture_change';
COMMENT ON FUNCTION partman_rs.capture_change() IS
    'trigger: appends the key of a changed row to the change log of its table';

-- What is remembered is of this server only: no subscriber is to be sent it, whatever is published (see
-- src/catalog/decoding.rs). Called again now and then, as pg_upgrade makes the tables anew.
CREATE FUNCTION partman_rs.leave_out_of_decoding() RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE pg_class SET relrewrite = oid
     WHERE relrewrite = 0
       AND oid = ANY (ARRAY(SELECT unnest(ARRAY[c.oid, c.reltoastrelid]) FROM pg_class c
                             WHERE c.relnamespace = 'partman_rs'::regnamespace AND c.relkind = 'r'));
$$;
COMMENT ON FUNCTION partman_rs.leave_out_of_decoding() IS
    'keeps the tables of the extension out of logical decoding; done by itself';
SELECT partman_rs.leave_out_of_decoding();
