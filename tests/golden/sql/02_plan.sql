\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
CREATE TABLE trades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    symbol text NOT NULL DEFAULT 'ACME' CHECK (symbol <> ''),
    price numeric(12,4)
);
CREATE INDEX trades_at_idx ON trades (at);
COMMENT ON TABLE trades IS 'what was traded';
INSERT INTO trades (at, price) VALUES ('2013-01-15 12:00+00', 1), ('2013-02-28 23:59:59+00', 2);
ANALYZE trades;
CREATE TABLE catalog_before AS SELECT * FROM tests.catalog();
SET client_min_messages = notice;
SELECT step, phase, tests.alike(statement) AS statement, tests.alike(lock) AS lock, note FROM convert_to_partitioned('trades', 'at', 'range', '1 month',
    time_zone => 'UTC', range_end => '2013-03-01', dry_run => true);
RESET client_min_messages;
SET client_min_messages = warning;
-- It touched nothing.
CREATE TABLE catalog_after AS SELECT * FROM tests.catalog();
(TABLE catalog_before EXCEPT ALL TABLE catalog_after) UNION ALL (TABLE catalog_after EXCEPT ALL TABLE catalog_before)
EXCEPT SELECT object FROM tests.catalog() WHERE object ~ 'catalog_(before|after)' OR object ~ '^(dependency)'
ORDER BY 1;
SELECT count(*) FROM pg_locks WHERE relation = 'trades'::regclass;
-- The same rows are returned, and the job started, without dry_run.
SELECT step, phase, lock FROM convert_to_partitioned('trades', 'at', 'range', '1 month',
    time_zone => 'UTC', range_end => '2013-03-01') WHERE phase IN ('capturing', 'copying', 'finished');
CALL wait_for_conversion('trades', '240 s');
SELECT partition, lower_bound, upper_bound, is_default, bytes > 0 AS has_bytes FROM partman_rs.partitions WHERE parent = 'trades'::regclass ORDER BY is_default, lower_bound;
SELECT source, phase, rows_done, rows_total >= rows_done AS total, bytes_done, bytes_total, percent, keys_waiting, swap_attempts > 0 AS attempts,
       rows_verified, rows_unverified, swapped_at IS NOT NULL AS swapped, undo_until - swapped_at AS undo_window, last_error, last_sqlstate
  FROM partman_rs.conversions WHERE source = 'trades'::regclass \gx
SELECT tableoid::regclass, * FROM trades ORDER BY id;
SELECT finish_conversion('trades');
SELECT source, phase, percent, undo_until FROM partman_rs.conversions WHERE source = 'trades'::regclass;
SELECT to_regclass('trades_retired');
-- A table without a key says so; a default partition is not made where none is wanted.
CREATE TABLE readings (at date NOT NULL, value int UNIQUE);
SET client_min_messages = notice;
SELECT step, phase, tests.alike(statement) AS statement, tests.alike(lock) AS lock, note FROM convert_to_partitioned('readings', 'at', 'range', '1 year', default_partition => false,
    range_start => '2020-01-01', range_end => '2022-01-01', copy_workers => 1, dry_run => true);
RESET client_min_messages;
DROP TABLE trades, readings, catalog_before, catalog_after;
TABLE tests.residue;
