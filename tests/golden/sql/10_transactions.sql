\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- A conversion starts when its transaction commits, and not before.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
SELECT phase, worker_pid FROM partman_rs.conversions WHERE source = 't'::regclass;
SELECT pg_sleep(0.3);
SELECT phase, worker_pid FROM partman_rs.conversions WHERE source = 't'::regclass;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'id', 'range', '50')$$);
UPDATE t SET v = 'changed' WHERE id = 7;
ROLLBACK;
-- Rolled back, it has never been.
SELECT pg_sleep(0.3);
SELECT count(*) FROM partman_rs.conversions WHERE source = 't'::regclass;
SELECT relkind FROM pg_class WHERE oid = 't'::regclass;
-- Rolled back to a savepoint: the transaction goes on without it.
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
ROLLBACK TO s;
UPDATE t SET v = 'changed' WHERE id = 8;
COMMIT;
SELECT pg_sleep(0.3);
SELECT count(*) FROM partman_rs.conversions WHERE source = 't'::regclass;
SELECT relkind FROM pg_class WHERE oid = 't'::regclass;
-- A transaction that is prepared has no commit of its own.
BEGIN;
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
PREPARE TRANSACTION 'conversion';
SELECT gid FROM pg_prepared_xacts;
SELECT count(*) FROM partman_rs.conversions WHERE source = 't'::regclass;
-- An error later in the transaction takes it back as well.
BEGIN;
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
SELECT 1 / 0;
COMMIT;
SELECT count(*) FROM partman_rs.conversions WHERE source = 't'::regclass;
-- Not in a transaction that cannot write.
BEGIN READ ONLY;
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
ROLLBACK;
BEGIN READ ONLY;
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0, dry_run => true);
COMMIT;
-- A migration: made, filled and converted in one transaction, with work after the call.
BEGIN;
CREATE TABLE made (id int PRIMARY KEY, v text);
INSERT INTO made SELECT i, 'row ' || i FROM generate_series(1, 100) i;
SELECT count(*) FROM convert_to_partitioned('made', 'id', 'range', '50', premake => 0);
UPDATE made SET v = 'changed' WHERE id = 7;
CALL wait_for_conversion('made');
ROLLBACK;
BEGIN;
CREATE TABLE made (id int PRIMARY KEY, v text);
INSERT INTO made SELECT i, 'row ' || i FROM generate_series(1, 100) i;
SAVEPOINT s;
SELECT count(*) FROM convert_to_partitioned('made', 'id', 'range', '50', premake => 0);
RELEASE s;
UPDATE made SET v = 'changed' WHERE id = 7;
COMMIT;
CALL wait_for_conversion('made', '240 s');
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE v = 'changed') AS changed FROM made GROUP BY 1 ORDER BY 1;
-- Two in one transaction.
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u VALUES (1), (60);
BEGIN;
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
SELECT count(*) FROM convert_to_partitioned('u', 'id', 'range', '50', premake => 0);
COMMIT;
CALL wait_for_conversion('t', '240 s');
CALL wait_for_conversion('u', '240 s');
SELECT tableoid::regclass, count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT tableoid::regclass, count(*) FROM u GROUP BY 1 ORDER BY 1;
-- In a function, and in DO.
CREATE TABLE w (id int PRIMARY KEY);
DO $$ BEGIN PERFORM convert_to_partitioned('w', 'id', 'range', '50', premake => 0); END $$;
CALL wait_for_conversion('w', '240 s');
SELECT relkind FROM pg_class WHERE oid = 'w'::regclass;
-- Finishing can be rolled back too.
BEGIN;
SELECT finish_conversion('w');
ROLLBACK;
SELECT phase FROM partman_rs.conversions WHERE source = 'w'::regclass;
SELECT to_regclass('w_retired');
SELECT finish_conversion('w'), finish_conversion('t'), finish_conversion('u'), finish_conversion('made');
DROP TABLE t, u, w, made;
TABLE tests.residue;
