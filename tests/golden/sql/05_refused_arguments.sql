\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
CREATE TABLE t (id int PRIMARY KEY, i int NOT NULL, s smallint NOT NULL, b bigint NOT NULL,
                d date NOT NULL, ts timestamp NOT NULL, tz timestamptz NOT NULL);
INSERT INTO t VALUES (1, 1, 1, 1, '2024-02-29', '2024-02-29 12:00', '2024-02-29 12:00+00');
-- Nulls, where something must be said.
SELECT tests.refusal($$SELECT convert_to_partitioned(NULL, 'i', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', NULL, 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', NULL, '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', NULL)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', premake => NULL)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', default_partition => NULL)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', dry_run => NULL)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', undo_window => NULL, time_zone => NULL, range_start => NULL, range_end => NULL, copy_workers => NULL)$$);
-- Simple ones.
SELECT s, tests.refusal(format($$SELECT convert_to_partitioned('t', 'i', %L, '10')$$, s)) FROM unnest('{list,hash,attach,RANGE,""}'::text[]) s;
SELECT p, tests.refusal(format($$SELECT convert_to_partitioned('t', 'i', 'range', '10', premake => %s)$$, p)) FROM unnest('{-1,0,100000,100001,-2147483648,2147483647}'::int[]) p;
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 'i', 'range', '10', copy_workers => %s)$$, w)) FROM unnest('{-1,0,1,64,65}'::int[]) w;
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 'i', 'range', '10', undo_window => %L)$$, w)) FROM unnest('{0,1 year,-1 second,-1 day +25 hours,1 month -31 days,100000000 years}'::text[]) w;
-- Widths.
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 's', 'range', %L)$$, w))
  FROM unnest('{0,-1,32767,32768,abc,1.5,1e3,1 day,"",  10 ,+10,1_000,99999999999999999999}'::text[]) w;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '2147483648')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '9223372036854775808')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '9223372036854775807')$$);
-- Intervals.
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 'tz', 'range', %L, time_zone => 'UTC', range_end => '2024-03-01')$$, w))
  FROM unnest('{0,-1 month,1 month 1 day,1 day 1 hour,24 hours,25 hours,7 hours,45 seconds,90 seconds,1.5 seconds,1 microsecond,1001 years,1000 years,365243 days,10,nonsense,"",1 mon -30 days,900000 hours}'::text[]) w;
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 'd', 'range', %L, range_end => '2024-03-01')$$, w))
  FROM unnest('{1 day,1 hour,12 hours,0,-1 day,1 day 1 month}'::text[]) w;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'ts', 'range', '1'')); DROP TABLE t; --')$$);
-- Zones.
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 day', time_zone => 'Nowhere/City')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 day', time_zone => '')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 day', time_zone => 'Nowhere/City', range_start => '2024-01-01')$$);
SELECT c, tests.refusal(format($$SELECT convert_to_partitioned('t', %L, 'range', '1', time_zone => 'UTC')$$, c)) FROM unnest('{s,i,b}'::text[]) c;
SELECT c, tests.refusal(format($$SELECT convert_to_partitioned('t', %L, 'range', '1 day', time_zone => 'UTC')$$, c)) FROM unnest('{d,ts}'::text[]) c;
-- Ranges.
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', range_start => '10', range_end => '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', range_start => '11', range_end => '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', range_start => 'x')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 's', 'range', '10', range_end => '32768')$$);
SELECT left(tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '10', range_end => '-9223372036854775808')$$), 5) AS state;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '10', range_start => '-9223372036854775808')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '10', range_end => '9223372036854775807')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_start => 'infinity')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_end => '-infinity')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 day', range_end => 'infinity')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_end => '2024-02-30')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_end => '')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_start => '2024-03-01', range_end => '2024-04-01', default_partition => false)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_start => '2024-02-01', range_end => '2024-02-29', default_partition => false)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_start => '2024-02-01', range_end => '2024-03-01', default_partition => false)$$);
-- A range that ends below all that the table holds, or below this moment where it holds nothing.
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_end => '2024-02-29')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 day', time_zone => 'UTC', range_end => '2024-02-29 12:00+00')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', range_end => '1')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', range_end => '-100')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', range_start => '-110', range_end => '-100', default_partition => false)$$);
SELECT statement FROM convert_to_partitioned('t', 'i', 'range', '10', range_start => '-110', range_end => '-100', dry_run => true) WHERE statement ~ 'PARTITION OF';
SELECT statement FROM convert_to_partitioned('t', 'i', 'range', '10', range_end => '2', dry_run => true) WHERE statement ~ 'PARTITION OF';
BEGIN;
TRUNCATE t;
SELECT statement FROM convert_to_partitioned('t', 'd', 'range', '1 month', range_end => '2020-03-15', dry_run => true) WHERE statement ~ 'PARTITION OF';
SELECT statement FROM convert_to_partitioned('t', 'i', 'range', '10', range_end => '-5', dry_run => true) WHERE statement ~ 'PARTITION OF';
ROLLBACK;
-- Too many.
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_start => '2020-01-01', range_end => '2024-01-01')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', premake => 1000)$$);
INSERT INTO t VALUES (2, 1, 1, 1, '2024-02-29', '2024-02-29 12:00', '52217-01-01 00:00+00');
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 month', time_zone => 'UTC')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 month', time_zone => 'UTC', range_end => '2025-01-01')$$);
UPDATE t SET d = '5874897-12-31' WHERE id = 2;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 month')$$);
UPDATE t SET d = '4714-11-24 BC' WHERE id = 2;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 month', range_end => '2025-01-01')$$);
UPDATE t SET tz = '294276-12-31 23:59:59.999999+00' WHERE id = 2;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'tz', 'range', '1 month', time_zone => 'UTC')$$);
UPDATE t SET b = 9223372036854775807 WHERE id = 2;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '9223372036854775807')$$);
SET pg_partman_rs.max_partitions = 3;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', premake => 2)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'i', 'range', '10', premake => 3)$$);
RESET pg_partman_rs.max_partitions;
-- Values that no range can hold, and no default partition to take them.
SELECT left(tests.refusal($$SELECT convert_to_partitioned('t', 'b', 'range', '9223372036854775807', default_partition => false)$$), 5) AS state;
UPDATE t SET d = 'infinity' WHERE id = 2;
SELECT left(tests.refusal($$SELECT convert_to_partitioned('t', 'd', 'range', '1 day', range_end => '2024-03-01', default_partition => false)$$), 5) AS state;
UPDATE t SET ts = '-infinity' WHERE id = 2;
SELECT left(tests.refusal($$SELECT convert_to_partitioned('t', 'ts', 'range', '1 day', range_end => '2024-03-01', default_partition => false)$$), 5) AS state;
SELECT statement FROM convert_to_partitioned('t', 'i', 'range', '10', range_start => '50', premake => 0, dry_run => true) WHERE statement ~ 'PARTITION OF';
-- Steering what is not there.
SELECT f, tests.refusal(format($$SELECT %s('t')$$, f)) FROM unnest('{pause_conversion,resume_conversion,cancel_conversion,finish_conversion}'::text[]) f;
SELECT f, tests.refusal(format($$SELECT %s(4000000000)$$, f)) FROM unnest('{pause_conversion,resume_conversion,cancel_conversion,finish_conversion}'::text[]) f;
SELECT f, tests.refusal(format($$SELECT %s('pg_class')$$, f)) FROM unnest('{pause_conversion,resume_conversion,cancel_conversion,finish_conversion}'::text[]) f;
SELECT pause_conversion(NULL), resume_conversion(NULL), cancel_conversion(NULL), finish_conversion(NULL);
CALL wait_for_conversion('t');
CALL wait_for_conversion(NULL);
CALL wait_for_conversion(4000000000);
SELECT tests.refusal($$CALL wait_for_conversion('t')$$);
BEGIN;
CALL wait_for_conversion('t');
ROLLBACK;
DROP TABLE t;
TABLE tests.residue;
