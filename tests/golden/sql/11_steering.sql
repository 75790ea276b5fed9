\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Pause, resume, cancel, finish; and each of them in the phases where it makes no sense. A prepared transaction that
-- holds a lock on the table keeps the conversion where the test wants it.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
CREATE FUNCTION tests.answers() RETURNS TABLE (call text, answer text) LANGUAGE sql AS $$
SELECT f, tests.refusal(format('SELECT %s(''t'')', f)) FROM unnest('{pause_conversion,resume_conversion,cancel_conversion,finish_conversion}'::text[]) f
UNION ALL
SELECT 'convert_to_partitioned', tests.refusal($q$SELECT convert_to_partitioned('t', 'id', 'range', '10')$q$)
UNION ALL
SELECT 'dry_run', tests.refusal($q$SELECT convert_to_partitioned('t', 'id', 'range', '10', dry_run => true)$q$)
$$;
-- Held before the capture, by a writer.
BEGIN;
UPDATE t SET v = 'held' WHERE id = 1;
PREPARE TRANSACTION 'writer';
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.until('t', 'capturing');
SELECT * FROM tests.answers();
CALL wait_for_conversion('t', '100 ms');
SELECT pause_conversion('t');
CALL tests.until('t', 'paused');
SELECT * FROM tests.answers();
SELECT resume_conversion('t');
CALL tests.until('t', 'capturing');
-- What is asked for is done in its order.
SELECT pause_conversion('t');
SELECT cancel_conversion('t');
CALL tests.until('t', 'cancelled');
SELECT * FROM tests.answers();
CALL wait_for_conversion('t', '100 ms');
COMMIT PREPARED 'writer';
TABLE tests.residue;
SELECT relkind FROM pg_class WHERE oid = 't'::regclass;
-- Held before the swap, by a reader. Changes go on being captured while it is paused.
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.until('t', 'swapping');
SELECT * FROM tests.answers();
SELECT phase, worker_pid IS NOT NULL AS works, rows_done, percent, eta, rows_verified, swapped_at, undo_until FROM partman_rs.conversions WHERE source = 't'::regclass AND phase <> 'cancelled';
SELECT pause_conversion('t');
CALL tests.until('t', 'paused');
UPDATE t SET v = 'while paused' WHERE id = 2;
DELETE FROM t WHERE id = 3;
INSERT INTO t VALUES (101, 'while paused');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname LIKE 'partman%';
-- A request that is rolled back was never made.
BEGIN;
SELECT resume_conversion('t');
ROLLBACK;
SELECT pg_sleep(0.3);
-- (Whether a worker is there says nothing: the pause has brought a second one, which may come late.)
SELECT phase, (SELECT count(*) FROM partman_rs.request) AS requests FROM partman_rs.conversions WHERE source = 't'::regclass AND phase <> 'cancelled';
BEGIN;
SELECT resume_conversion('t');
PREPARE TRANSACTION 'steering';
SELECT resume_conversion('t');
CALL tests.until('t', 'swapping');
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
CALL wait_for_conversion('t');
CALL wait_for_conversion('t_retired');
SELECT * FROM tests.answers();
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE v = 'while paused') AS changed FROM t GROUP BY 1 ORDER BY 1;
-- It can be called by the name of the retired table as well.
SELECT finish_conversion('t_retired');
SELECT * FROM tests.answers();
CALL wait_for_conversion('t');
TABLE tests.residue;
-- Cancelled in the middle: nothing is left beside the table, and it can be converted again.
CREATE TABLE c (id int PRIMARY KEY, v text);
INSERT INTO c SELECT i, 'row ' || i FROM generate_series(1, 100) i;
CREATE TABLE catalog_before AS SELECT * FROM tests.catalog() WHERE object !~ '^job';
CREATE TABLE shape_before AS SELECT * FROM tests.shape('c');
BEGIN;
SELECT count(*) FROM c;
PREPARE TRANSACTION 'reader';
SELECT count(*) FROM convert_to_partitioned('c', 'id', 'range', '50', premake => 0);
CALL tests.until('c', 'swapping');
SELECT cancel_conversion('c');
CALL tests.until('c', 'cancelling');
SELECT f, tests.refusal(format('SELECT %s(''c'')', f)) FROM unnest('{pause_conversion,resume_conversion,finish_conversion}'::text[]) f;
COMMIT PREPARED 'reader';
CALL tests.until('c', 'cancelled');
TABLE tests.residue;
SELECT object FROM tests.catalog() WHERE object !~ '^job' AND object !~ 'catalog_before|shape_before' AND object !~ '^dependency'
EXCEPT SELECT object FROM catalog_before ORDER BY 1;
SELECT * FROM tests.shape('c') EXCEPT ALL TABLE shape_before;
SELECT count(*) FROM convert_to_partitioned('c', 'id', 'range', '50', premake => 0);
CALL wait_for_conversion('c', '240 s');
SELECT finish_conversion('c');
SELECT source_name, phase, count(*) FROM partman_rs.job WHERE source_name = 'c' GROUP BY 1, 2 ORDER BY 2;
-- The source altered, the source dropped.
CREATE TABLE a (id int PRIMARY KEY, v text);
INSERT INTO a VALUES (1, 'x');
BEGIN;
SELECT count(*) FROM a;
PREPARE TRANSACTION 'reader';
SELECT count(*) FROM convert_to_partitioned('a', 'id', 'range', '50', premake => 0);
CALL tests.until('a', 'swapping');
ALTER TABLE a SET (fillfactor = 90);
COMMIT PREPARED 'reader';
CALL wait_for_conversion('a', '240 s');
SELECT phase, last_error, last_error_detail, last_error_hint, last_sqlstate FROM partman_rs.conversions WHERE source = 'a'::regclass \gx
SELECT tests.refusal($$SELECT pause_conversion('a')$$);
SELECT cancel_conversion('a');
CALL tests.until('a', 'cancelled');
BEGIN;
SELECT count(*) FROM a;
PREPARE TRANSACTION 'reader';
SELECT count(*) FROM convert_to_partitioned('a', 'id', 'range', '50', premake => 0);
CALL tests.until('a', 'swapping');
COMMIT PREPARED 'reader';
CALL wait_for_conversion('a', '240 s');
-- After the swap, the undo window may be over at once.
CREATE TABLE b (id int PRIMARY KEY);
SELECT count(*) FROM convert_to_partitioned('b', 'id', 'range', '50', premake => 0, undo_window => '0');
CALL wait_for_conversion('b', '240 s');
CALL tests.until('b', 'finished');
SELECT to_regclass('b_retired');
-- Dropped by hand after the swap.
DROP TABLE a_retired;
SELECT finish_conversion('a');
SELECT phase FROM partman_rs.job WHERE source_name = 'a' ORDER BY id;
DROP TABLE t, a, b, c, catalog_before, shape_before;
DROP FUNCTION tests.answers;
TABLE tests.residue;
