\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What cannot be analysed, and how that is said.
CREATE VIEW v AS SELECT 1 AS k;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS k;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE ft (k int) SERVER nowhere;
CREATE TABLE parted (k int, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE SEQUENCE sq;
CREATE TYPE comp AS (k int);
CREATE TABLE plain (k int PRIMARY KEY, at timestamptz NOT NULL, u uuid, gone int, g int GENERATED ALWAYS AS (k + 1) STORED);
ALTER TABLE plain DROP COLUMN gone;
SELECT r, tests.refusal(format('SELECT analyze_table_for_partitioning(%L)', r))
  FROM unnest('{v,mv,ft,parted,part,parted_pkey,part_pkey,sq,comp,pg_class,pg_catalog.pg_attribute,information_schema.sql_features,partman_rs.job,partman_rs.conversions,nowhere,public.absent,4000000000,0,-1,"",a.b.c.d,plain; DROP TABLE plain}'::text[]) r;
SELECT tests.refusal('SELECT analyze_table_for_partitioning(NULL)');
SELECT tests.refusal('SELECT analyze_table_for_partitioning()');
-- Columns.
SELECT c, tests.refusal(format('SELECT analyze_table_for_partitioning(%L, %L)', 'plain', c))
  FROM unnest('{absent,gone,K,ctid,xmin,"","a b","k; DROP TABLE plain"}'::text[]) c;
SELECT tests.refusal(format('SELECT analyze_table_for_partitioning(%L, %L)', 'plain', repeat('x', 100)));
-- Retention.
SELECT r, tests.refusal(format('SELECT analyze_table_for_partitioning(%L, retention => %L)', 'plain', r))
  FROM unnest('{0,-1 day,-1 month +1 day,1 month -31 days,10001 years,178000000 years,nonsense,"",90}'::text[]) r;
SELECT tests.refusal($$SELECT analyze_table_for_partitioning('plain', retention => NULL, partition_column => NULL)$$);
-- Settings. Since 16 their ranges are told with units.
LOAD 'pg_partman_rs';
SELECT s, replace(tests.refusal(format('SET pg_partman_rs.%s', s)), ' kB', '') AS refusal
  FROM unnest('{analyze_small_size = 0,analyze_large_size = -1,target_partition_size = none,analyze_correlation = 1.1,analyze_deleted_percent = 0,analyze_dead_percent = 101,analyze_null_percent = -1,analyze_growth_months = 1201,analyze_freeze_percent = 0,analyze_slot_lag = 7}'::text[]) s;
-- An empty table; a named column of a type that no ranges are made of, and one that is generated.
SELECT source, needs_partitioning, partition_column, estimated_partitions, total_bytes > 0 AS has_bytes, rows_estimate, reasons, blockers, next_step
  FROM analyze_table_for_partitioning('plain') \gx
SELECT needs_partitioning, reasons, blockers FROM analyze_table_for_partitioning('plain', 'u') \gx
SELECT needs_partitioning, reasons, blockers FROM analyze_table_for_partitioning('plain', 'g') \gx

-- Tables that can be analysed, though not converted: everything in the way is said at once.
SET pg_partman_rs.analyze_small_size = '16kB';
SET pg_partman_rs.analyze_large_size = '64kB';
CREATE FUNCTION fill(name regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('INSERT INTO %s SELECT n, now() - n * interval ''1 hour'', repeat(''x'', 30) FROM generate_series(2000, 1, -1) n', name);
    EXECUTE format('ANALYZE %s', name);
END $$;
CREATE TEMP TABLE temporary (k int, at timestamptz NOT NULL, body text);
CREATE UNLOGGED TABLE unlogged (k int, at timestamptz NOT NULL, body text, CHECK (k > 0) NO INHERIT);
CREATE TABLE parent (k int, at timestamptz NOT NULL, body text);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE secured (k int PRIMARY KEY, at timestamptz NOT NULL, body text UNIQUE NULLS NOT DISTINCT DEFERRABLE, CHECK (k > 0) NO INHERIT);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured REPLICA IDENTITY FULL;
CREATE VIEW looks AS SELECT * FROM secured;
ALTER TABLE secured DROP CONSTRAINT secured_body_key;
CREATE SCHEMA "S""; x";
CREATE TABLE "S""; x"."T'$1 {source}" (k int, "at ""{x}"" $1" timestamptz NOT NULL, body text);
SELECT fill(r) FROM unnest(ARRAY['temporary', 'unlogged', 'parent', 'child', 'secured', '"S""; x"."T''$1 {source}"']::regclass[]) r;
SELECT a.source, a.needs_partitioning, a.partition_column, a.blockers, a.next_step, tests.refusal(a.next_step) AS refusal
  FROM unnest(ARRAY['temporary', 'unlogged', 'parent', 'child', 'secured', '"S""; x"."T''$1 {source}"']::regclass[]) r,
       analyze_table_for_partitioning(r) a \gx
-- Each of those is what a conversion is refused for.
SELECT r, string_to_array(a.blockers, E'\n') <> '{}' AS blocked,
       bool_and(strpos(tests.refusal(format('SELECT convert_to_partitioned(%L, %L, %L, %L)', r, a.partition_column, 'range', a.partition_interval)),
                       b ->> 'fact') > 0) AS all_in_the_refusal
  FROM unnest(ARRAY['temporary', 'unlogged', 'parent', 'child', 'secured']::regclass[]) r, analyze_table_for_partitioning(r) a,
       jsonb_array_elements(a.details -> 'blockers') b
 GROUP BY 1, 2 ORDER BY 1;

-- Other people's tables.
CREATE ROLE regress_owner;
CREATE ROLE regress_reader;
CREATE ROLE regress_stranger;
CREATE TABLE theirs (k int, at timestamptz NOT NULL, body text);
ALTER TABLE theirs OWNER TO regress_owner;
SELECT fill('theirs');
GRANT USAGE ON SCHEMA tests TO PUBLIC;
GRANT SELECT ON theirs TO regress_reader;
SET ROLE regress_stranger;
SELECT tests.refusal($$SELECT analyze_table_for_partitioning('theirs')$$);
SELECT tests.refusal($$SELECT analyze_table_for_partitioning('theirs', 'absent')$$);
SELECT source, needs_partitioning, partition_column, regexp_replace(reasons, '[\d.]+ (kB|MB)', 'N \1') AS reasons, blockers FROM partition_candidates() WHERE source = 'theirs'::regclass;
SET ROLE regress_reader;
SELECT needs_partitioning, partition_column, partition_interval, blockers, next_step FROM analyze_table_for_partitioning('theirs') \gx
SET ROLE regress_owner;
SELECT needs_partitioning, partition_column, partition_interval, blockers, next_step IS NOT NULL AS goes FROM analyze_table_for_partitioning('theirs') \gx
RESET ROLE;
-- An owner who has given up reading.
REVOKE SELECT ON theirs FROM regress_owner;
SELECT needs_partitioning, partition_column, blockers FROM analyze_table_for_partitioning('theirs') \gx
-- Code of the owner never runs with the caller's rights.
CREATE FUNCTION betray(k int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF current_user <> 'regress_owner' THEN RAISE WARNING 'ran as %', current_user; END IF; RETURN k; END $$;
CREATE TABLE trap (k int, at timestamptz NOT NULL, body text);
SELECT fill('trap');
SET client_min_messages = error;
CREATE INDEX ON trap (at, (betray(k)));
CREATE INDEX ON trap (at) WHERE betray(1) = 1;
SET client_min_messages = warning;
ALTER TABLE trap OWNER TO regress_owner;
SELECT needs_partitioning, partition_column FROM analyze_table_for_partitioning('trap');

-- Nobody is waited for, and nothing is kept locked but what was read through an index.
\c -
\pset null '∅'
LOAD 'pg_partman_rs';
SET client_min_messages = warning;
SET pg_partman_rs.analyze_small_size = '16kB';
SET pg_partman_rs.analyze_large_size = '64kB';
BEGIN;
SELECT count(*) > 0 AS found FROM partition_candidates();
SELECT count(*) AS locks FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'public'::regnamespace;
SELECT count(*) FROM analyze_table_for_partitioning('trap');
SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r';
COMMIT;
-- A prepared transaction holds the table.
BEGIN;
LOCK TABLE trap IN ACCESS EXCLUSIVE MODE;
PREPARE TRANSACTION 'holder';
SET lock_timeout = '2s';
SELECT needs_partitioning, total_bytes, reasons FROM analyze_table_for_partitioning('trap') \gx
SELECT needs_partitioning, total_bytes, reasons FROM partition_candidates() WHERE source = 'trap'::regclass \gx
SELECT needs_partitioning, warnings ~ 'Transaction "holder" is prepared' AS warned FROM analyze_table_for_partitioning('parent');
ROLLBACK PREPARED 'holder';
-- So does a slot hold WAL back that nobody reads.
SELECT count(*) FROM pg_create_physical_replication_slot('regress_idle', true);
SELECT warnings ~ 'Nobody reads replication slot "regress_idle"' AS warned FROM analyze_table_for_partitioning('parent');
SELECT pg_drop_replication_slot('regress_idle');
SELECT warnings ~ 'slot' AS warned FROM analyze_table_for_partitioning('parent');
-- A conversion is under way, and over again.
CREATE TABLE busy (k int PRIMARY KEY, at timestamptz NOT NULL, body text);
SELECT fill('busy');
BEGIN;
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('busy', 'at', 'range', '1 week');
SELECT pause_conversion('busy');
COMMIT;
CALL tests.until('busy', 'paused');
SELECT needs_partitioning, partition_column, reasons, next_step FROM analyze_table_for_partitioning('busy') \gx
SELECT needs_partitioning, reasons FROM partition_candidates() WHERE source = 'busy'::regclass \gx
SELECT cancel_conversion('busy');
CALL tests.until('busy', 'cancelled');
SELECT needs_partitioning, partition_column FROM analyze_table_for_partitioning('busy');
DROP TABLE busy;
DROP TABLE trap, theirs, secured, child, parent, unlogged, plain, parted CASCADE;
DROP FUNCTION fill, betray;
DROP SCHEMA "S""; x" CASCADE;
DROP FOREIGN TABLE ft;
DROP SERVER nowhere;
DROP FOREIGN DATA WRAPPER nowhere;
DROP VIEW v;
DROP MATERIALIZED VIEW mv;
DROP SEQUENCE sq;
DROP TYPE comp;
REVOKE USAGE ON SCHEMA tests FROM PUBLIC;
DROP ROLE regress_owner, regress_reader, regress_stranger;
TABLE tests.residue;
