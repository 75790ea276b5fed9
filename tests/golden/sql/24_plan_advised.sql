\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- A call that names nothing but the table: column and interval are those of the analysis.
CREATE TABLE trades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    traded_at timestamptz NOT NULL,
    symbol text NOT NULL,
    price numeric NOT NULL
);
CREATE INDEX ON trades (traded_at);
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', dry_run => true)$$) AS refusal;
INSERT INTO trades (traded_at, symbol, price)
SELECT timestamptz '2025-01-01 00:00+00' + n * interval '10 minutes', 'S' || n % 50, n % 100 FROM generate_series(0, 19999) n;
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', dry_run => true)$$) AS refusal;
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', 'traded_at', dry_run => true)$$) AS refusal;
VACUUM ANALYZE trades;
SET client_min_messages = notice;
SET pg_partman_rs.analyze_small_size = '100kB';
SET pg_partman_rs.analyze_large_size = '500kB';
-- The detail is that of the analysis; it counts ranges up to the present.
\set VERBOSITY terse
SELECT count(*) > 50 AS steps, count(*) FILTER (WHERE statement LIKE 'CREATE TABLE public.trades_p%') AS ranges
  FROM convert_to_partitioned('trades', time_zone => 'UTC', range_end => '2025-06-01', dry_run => true);
\set VERBOSITY default
-- One of them may be given.
SELECT count(*) FILTER (WHERE statement LIKE 'CREATE TABLE public.trades_p%') AS ranges
  FROM convert_to_partitioned('trades', partition_interval => '1 month', time_zone => 'UTC', range_end => '2025-06-01', dry_run => true);
SELECT count(*) FILTER (WHERE statement LIKE 'CREATE TABLE public.trades_p%') AS ranges
  FROM convert_to_partitioned('trades', 'id', range_end => '20001', dry_run => true);
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', 'symbol', dry_run => true)$$) AS refusal;
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', 'price', dry_run => true)$$) AS refusal;
CREATE TABLE heap (a text, b boolean, c text);
INSERT INTO heap SELECT 'x' || n, n % 2 = 0, md5(n::text) FROM generate_series(1, 10000) n;
ANALYZE heap;
SELECT tests.refusal($$SELECT convert_to_partitioned('heap', dry_run => true)$$) AS refusal;
CREATE VIEW over_heap AS SELECT * FROM heap;
ALTER TABLE heap ADD CONSTRAINT own CHECK (a <> '') NO INHERIT;
SELECT tests.refusal($$SELECT convert_to_partitioned('heap', dry_run => true)$$) AS refusal;
SELECT tests.refusal($$SELECT convert_to_partitioned('over_heap', dry_run => true)$$) AS refusal;
SET client_min_messages = warning;

-- What it will take: rows and disk of the whole, and of each partition's indexes.
CREATE TABLE plan AS
SELECT * FROM convert_to_partitioned('trades', 'traded_at', 'range', '1 month', time_zone => 'UTC', range_end => '2025-06-01', dry_run => true);
SELECT phase, count(*), max(rows_estimate) AS rows, sum(disk_bytes_estimate) > 0 AS disk, sum(wal_bytes_estimate) > 0 AS wal, sum(time_estimate) > '0' AS time
  FROM plan WHERE rows_estimate IS NOT NULL GROUP BY phase ORDER BY min(step);
-- By the statistics: March has 31 of 139 days.
SELECT details->>'partition' AS partition, rows_estimate BETWEEN 4300 AND 4600 AS rows
  FROM plan WHERE statement LIKE 'CREATE INDEX trades_p2025_03%';
SELECT DISTINCT jsonb_object_keys(details) FROM plan ORDER BY 1;
SELECT details->'locks' AS locks FROM plan WHERE step = 1;

-- The plan that was read is the plan that is carried out, or none.
SELECT details->>'plan_hash' AS hash FROM plan WHERE step = 1 \gset
SELECT count(DISTINCT details->>'plan_hash') AS hashes, bool_and(details->>'plan_hash' ~ '^[0-9a-f]{16}(-[0-9a-f]{16}){2}$') AS form FROM plan;
\set call 'convert_to_partitioned(''trades'', ''traded_at'', ''range'', ''1 month'', time_zone => ''UTC'', range_end => ''2025-06-01'', plan_hash => ' :'hash' ')'
SELECT count(*) > 0 AS same FROM convert_to_partitioned('trades', 'traded_at', 'range', '1 month', time_zone => 'UTC', range_end => '2025-06-01', plan_hash => :'hash', dry_run => true);
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', 'traded_at', 'range', '1 month', plan_hash => 'abc')$$) AS refusal;
SELECT tests.refusal($$SELECT convert_to_partitioned('trades', 'traded_at', 'range', '1 month', plan_hash => '')$$) AS refusal;
SELECT tests.refusal(format($$SELECT convert_to_partitioned('trades', 'traded_at', 'range', '1 week', time_zone => 'UTC', range_end => '2025-06-01', plan_hash => %L)$$, :'hash')) AS refusal;
-- Sizes and rows may change, the definition may not.
INSERT INTO trades (traded_at, symbol, price) VALUES ('2025-05-01', 'X', 1);
SELECT count(*) > 0 AS same FROM convert_to_partitioned('trades', 'traded_at', 'range', '1 month', time_zone => 'UTC', range_end => '2025-06-01', plan_hash => :'hash', dry_run => true);
REINDEX TABLE trades;
SELECT count(*) > 0 AS same FROM convert_to_partitioned('trades', 'traded_at', 'range', '1 month', time_zone => 'UTC', range_end => '2025-06-01', plan_hash => :'hash', dry_run => true);
COMMENT ON COLUMN trades.price IS 'in euros';
SELECT tests.refusal('SELECT ' || :'call') AS refusal;
COMMENT ON COLUMN trades.price IS NULL;
-- A row beyond the ranges: another plan.
INSERT INTO trades (traded_at, symbol, price) VALUES ('2024-11-01', 'X', 1);
SELECT tests.refusal('SELECT ' || :'call') AS refusal;
DELETE FROM trades WHERE traded_at < '2025-01-01';
-- A name that the plan wanted is taken.
CREATE TABLE trades_p2025_01 ();
SELECT tests.refusal('SELECT ' || :'call') AS refusal;
DROP TABLE trades_p2025_01;
SET pg_partman_rs.swap_lock_timeout = 50;
SELECT tests.refusal('SELECT ' || :'call') AS refusal;
RESET pg_partman_rs.swap_lock_timeout;
SELECT count(*) > 0 AS started FROM :call;
CALL wait_for_conversion('trades', '240 s');

-- What it took beside what was estimated.
SELECT action, relation, relation_name, ended_at > started_at AS ended, outcome, sqlstate, error, rows_estimate BETWEEN 19990 AND 20010 AS rows_estimated, rows,
       abs(disk_bytes_estimate - disk_bytes) < disk_bytes / 5 AS disk_within_a_fifth, wal_bytes > 0 AS wal, time_estimate > '0' AS time_estimate,
       time_taken > '0' AS time_taken
  FROM partman_rs.runs WHERE relation = 'trades'::regclass \gx
SELECT array_agg(key) AS phases FROM (SELECT key FROM partman_rs.runs, jsonb_object_keys(phase_seconds) key WHERE relation = 'trades'::regclass ORDER BY 1) k;
SELECT finish_conversion('trades');
-- One that fails, and is then taken back.
CREATE TABLE small (day date NOT NULL);
INSERT INTO small SELECT date '2025-01-01' + n FROM generate_series(0, 99) n;
BEGIN;
SELECT count(*) > 0 AS asked FROM convert_to_partitioned('small', 'day', 'range', '1 month', range_end => '2025-05-01', default_partition => false);
INSERT INTO small VALUES ('2030-01-01');
COMMIT;
CALL tests.comes_to('failed');
SELECT relation, outcome, sqlstate, error, rows, time_taken FROM partman_rs.runs WHERE relation = 'small'::regclass;
SELECT cancel_conversion('small');
CALL tests.comes_to('cancelled');
SELECT relation, outcome, ended_at >= started_at AS ended FROM partman_rs.runs WHERE relation = 'small'::regclass;
-- Others' runs are not shown.
CREATE ROLE regress_other;
SET ROLE regress_other;
SELECT count(*) FROM partman_rs.runs;
RESET ROLE;
DROP ROLE regress_other;
DROP TABLE trades, heap, small, plan CASCADE;
SELECT relation_name, outcome FROM partman_rs.runs ORDER BY run DESC LIMIT 2;
TABLE tests.residue;
