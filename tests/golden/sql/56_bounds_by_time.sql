\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Ranges of ids that begin where time passes its borders: for ids that grow with the time, and that foreign keys point at.
SET client_min_messages = warning;
SET TimeZone = 'Europe/Berlin';
SET DateStyle = 'ISO, YMD';
-- Not the same number each month, gaps, and a month without any.
CREATE TABLE "Orders" (id bigint PRIMARY KEY, "At" timestamptz NOT NULL, day date, note text);
INSERT INTO "Orders" SELECT i * 3, at, at::date, repeat('x', 50)
  FROM (SELECT row_number() OVER (ORDER BY at) - 500 AS i, at
          FROM generate_series('2024-01-09 17:00+01'::timestamptz, '2024-06-13', interval '40 min') at
         WHERE at NOT BETWEEN '2024-03-20' AND '2024-05-03') rows;
CREATE TABLE items (order_id bigint NOT NULL REFERENCES "Orders" ON DELETE CASCADE, line int);
INSERT INTO items SELECT id, 1 FROM "Orders";
ANALYZE;
-- To partition by the time would cost the key its uniqueness: what goes instead is offered.
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'At', 'range', '1 month')$$) AS answer \gset
\echo :answer
SELECT substring(tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'At', time_zone => 'Asia/Tokyo')$$) FROM 'Partition by.*\)\.') AS offer;
-- The plan: bounds, from when to when, and how it goes on.
SET client_min_messages = notice;
SELECT statement, note FROM convert_to_partitioned('"Orders"', 'id', partition_interval => '1 month', bounds_by => 'At', premake => 2, dry_run => true)
 WHERE statement ~ 'PARTITION OF' ORDER BY step;
SET client_min_messages = warning;
-- Each is where a scan would find it: months and weeks, of the zone's clock, and of a date.
CREATE FUNCTION tests.bounds(more text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE found bigint[];
BEGIN
    EXECUTE format($q$SELECT array_agg(substring(statement FROM 'FROM \(''(-?\d+)')::bigint ORDER BY step)
        FROM convert_to_partitioned('"Orders"', 'id', dry_run => true, premake => 0, %s)
       WHERE statement ~ 'FOR VALUES' AND phase = 'prepared'$q$, more) INTO found;
    RETURN found;
END $$;
SELECT more, cardinality(found) AS partitions, found[2:] = exact[2:] AS is_exact, found[1] <= exact[1] AS takes_all
  FROM (VALUES ($$partition_interval => '1 month', bounds_by => 'At'$$, (SELECT array_agg(id ORDER BY id) FROM (SELECT min(id) AS id FROM "Orders" GROUP BY date_trunc('month', "At")) m)),
               ($$partition_interval => '1 week', bounds_by => 'At', time_zone => 'Asia/Tokyo'$$, (SELECT array_agg(id ORDER BY id) FROM (SELECT min(id) AS id FROM "Orders" GROUP BY date_trunc('week', "At" AT TIME ZONE 'Asia/Tokyo')) m)),
               ($$partition_interval => '6 hours', bounds_by => 'At', time_zone => 'UTC'$$, (SELECT array_agg(id ORDER BY id) FROM (SELECT min(id) AS id FROM "Orders" GROUP BY date_bin('6 hours', "At", '2000-01-01 00:00Z')) m)),
               ($$partition_interval => '1 day', bounds_by => 'day'$$, (SELECT array_agg(id ORDER BY id) FROM (SELECT min(id) AS id FROM "Orders" GROUP BY day) m))) cases(more, exact),
       LATERAL (SELECT tests.bounds(more)) bounds(found);
-- A few rows out of order, without a time, or with one that never comes, move nothing; a NOTICE tells of those seen.
BEGIN;
SELECT (tests.bounds($$partition_interval => '1 month', bounds_by => 'At'$$))[2:] AS plain \gset
UPDATE "Orders" SET day = CASE id % 2 WHEN 0 THEN NULL ELSE 'infinity'::date END WHERE id BETWEEN 300 AND 1500;
UPDATE "Orders" SET day = '1970-01-01' WHERE id % 97 = 0;
INSERT INTO "Orders" VALUES (-9000, '2031-01-01', '2031-01-01'), (1000000, '2024-06-14', NULL);
SELECT (tests.bounds($$partition_interval => '1 month', bounds_by => 'At'$$))[2:] = :'plain' AS unmoved;
SET LOCAL client_min_messages = notice;
SELECT found[2] BETWEEN 300 AND 1503 AS has_moved, found[3:] = (:'plain'::bigint[])[2:] AS unmoved FROM tests.bounds($$partition_interval => '1 month', bounds_by => 'day'$$) found;
ROLLBACK;
-- No more than it must: a few hundred rows are read, and by the index.
BEGIN;
SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relid = '"Orders"'::regclass \gset before_
SELECT cardinality(tests.bounds($$partition_interval => '1 month', bounds_by => 'At'$$)) AS partitions;
SELECT seq_scan - :before_seq_scan AS scans, idx_scan - :before_idx_scan BETWEEN 400 AND 500 AS few_looks FROM pg_stat_xact_user_tables WHERE relid = '"Orders"'::regclass;
COMMIT;

-- What cannot be.
CREATE TABLE mixed (id int PRIMARY KEY, at timestamptz, other timestamp, at_once timestamptz NOT NULL DEFAULT '2024-01-05', fallen timestamptz, n int, amount numeric);
INSERT INTO mixed (id, at, other, fallen, n, amount) SELECT i, '2024-01-01'::timestamptz + interval '1 hour' * (i * 7919 % 5000), CASE WHEN i < 1000 THEN '2024-01-01'::timestamp + interval '1 hour' * i END,
       '2024-12-31'::timestamptz - interval '1 hour' * i, i, i FROM generate_series(1, 5000) i;
CREATE TABLE fallen (id int PRIMARY KEY, at timestamp);
INSERT INTO fallen SELECT i, '2024-01-30'::timestamp - interval '1 hour' * i FROM generate_series(1, 500) i;
CREATE TABLE nothing (id smallint PRIMARY KEY, at timestamptz);
CREATE TABLE unindexed (id int, at timestamptz);
CREATE TABLE by_time (at timestamptz PRIMARY KEY, day date);
SELECT call, tests.refusal(format('SELECT convert_to_partitioned(%s)', call)) FROM unnest(ARRAY[
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'at'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'fallen'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'at_once'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'other'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'n'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'amount'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'gone'$$,
    $$'mixed', partition_interval => '1 month', bounds_by => 'at'$$,
    $$'mixed', 'id', partition_interval => '1000', bounds_by => 'at'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'at', range_end => '7000'$$,
    $$'mixed', 'id', partition_interval => '1 month', bounds_by => 'at', time_zone => 'Nowhere'$$,
    $$'fallen', 'id', partition_interval => '1 month', bounds_by => 'at'$$,
    $$'nothing', 'id', partition_interval => '1 month', bounds_by => 'at'$$,
    $$'unindexed', 'id', partition_interval => '1 month', bounds_by => 'at'$$,
    $$'by_time', 'at', partition_interval => '1 month', bounds_by => 'day'$$,
    $$'"Orders"', 'id', partition_interval => '1 month', bounds_by => 'day', time_zone => 'UTC'$$]) AS call;
SET pg_partman_rs.max_partitions = 20;
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'id', partition_interval => '1 day', bounds_by => 'day')$$);
RESET pg_partman_rs.max_partitions;
-- Other ids than those of the offer are not said to grow with the time.
BEGIN;
UPDATE "Orders" SET "At" = '2025-01-01'::timestamptz - interval '1 hour' * id;
SELECT substring(tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'At', 'range', '1 month')$$) FROM 'Partition by.*?\)\.') AS offer;
ROLLBACK;

-- What was offered goes, and goes on.
SELECT format('SELECT count(*) > 0 AS started FROM %s', substring(:'answer' FROM 'convert_to_partitioned\([^)]*\)')) AS call \gset
\echo :call
:call;
CALL wait_for_conversion('"Orders"', '240 s');
SELECT partition, lower_bound, upper_bound FROM partman_rs.partitions WHERE parent = '"Orders"'::regclass ORDER BY lower_bound::bigint;
SELECT tableoid::regclass AS partition, count(*), min("At"), max("At") FROM "Orders" GROUP BY 1 ORDER BY min(id);
SELECT partition_interval, premake, time_zone, partition_offset FROM partman_rs.policies WHERE parent = '"Orders"'::regclass;
-- Partitions that are there stay as they are; more are made of the step's width.
SELECT count(*) FROM ensure_partitions('"Orders"');
SELECT max(upper_bound::bigint) AS end FROM partman_rs.partitions WHERE parent = '"Orders"'::regclass \gset
INSERT INTO "Orders" VALUES (:end - 1, now());
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('"Orders"');
SELECT count(*) FROM ensure_partitions('"Orders"');
SELECT verdict FROM partman_rs.health WHERE parent = '"Orders"'::regclass;
SELECT tests.refusal('INSERT INTO items VALUES (-1)');
DELETE FROM "Orders" WHERE id = 300;
SELECT count(*) FROM items WHERE order_id = 300;
CALL tests.until($$SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND NOT convalidated AND conparentid = 0)$$);
SELECT finish_conversion('"Orders"');

-- No interval is whole yet: the rows so far tell how many ids one takes. Of those of a month alone, and of such as are just above a border.
CREATE TABLE young (id int PRIMARY KEY, at timestamptz NOT NULL);
INSERT INTO young SELECT i, '2024-05-01 12:00+02'::timestamptz + interval '1 hour' * i FROM generate_series(1, 100) i;
ANALYZE young;
SET client_min_messages = notice;
SELECT statement FROM convert_to_partitioned('young', 'id', partition_interval => '1 month', bounds_by => 'at', premake => 1, dry_run => true) WHERE statement ~ 'PARTITION OF' ORDER BY step;
INSERT INTO young SELECT -i, '2024-05-01 12:00+02'::timestamptz - interval '1 hour' * i FROM generate_series(0, 50) i;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('young', 'id', partition_interval => '1 month', bounds_by => 'at', premake => 1);
SET client_min_messages = warning;
CALL wait_for_conversion('young', '240 s');
SELECT tableoid::regclass AS partition, count(*), min(at), max(at) FROM young GROUP BY 1 ORDER BY min(id);
SELECT partition, lower_bound, upper_bound FROM partman_rs.partitions WHERE parent = 'young'::regclass ORDER BY lower_bound::bigint;
SELECT finish_conversion('young');
-- Of a table without any, what its refusal says goes.
SELECT tests.refusal($$SELECT convert_to_partitioned('nothing', 'id', partition_interval => '1 month', bounds_by => 'at')$$) AS answer \gset
SELECT format('SELECT count(*) > 0 AS started FROM %s', substring(:'answer' FROM 'convert_to_partitioned\([^)]*\)')) AS call \gset
:call;
CALL wait_for_conversion('nothing', '240 s');
SELECT partition, lower_bound, upper_bound FROM partman_rs.partitions WHERE parent = 'nothing'::regclass ORDER BY lower_bound::bigint;
SELECT finish_conversion('nothing');
DROP TABLE items, "Orders", mixed, fallen, nothing, unindexed, by_time, young;
DROP FUNCTION tests.bounds;
TABLE tests.residue;
