\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Keys WITHOUT OVERLAPS, and foreign keys with PERIOD, which there are since PostgreSQL 18.
SET client_min_messages = error;
CREATE EXTENSION btree_gist;
SET client_min_messages = warning;
CREATE TABLE periods (id int, during int4range, PRIMARY KEY (id, during WITHOUT OVERLAPS));
INSERT INTO periods SELECT i, int4range(0, 1000) FROM generate_series(0, 10) i;
CREATE TABLE t (
    k int, during int4range, room int NOT NULL, v text,
    CONSTRAINT "the key" PRIMARY KEY (k, during WITHOUT OVERLAPS),
    CONSTRAINT once UNIQUE (room, k, during WITHOUT OVERLAPS) DEFERRABLE,
    FOREIGN KEY (room, PERIOD during) REFERENCES periods (id, PERIOD during)
);
COMMENT ON CONSTRAINT once ON t IS 'once';
INSERT INTO t SELECT i, int4range(i, i + 3), i % 5, 'v' || i FROM generate_series(1, 300) i;
CREATE VIEW keys AS
SELECT conname, contype, conperiod, condeferrable, pg_get_constraintdef(oid) AS definition, obj_description(oid, 'pg_constraint') AS comment
  FROM pg_constraint WHERE conrelid = to_regclass('t') AND contype IN ('p', 'u', 'f');
CREATE TEMP TABLE before AS TABLE keys;
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE kind NOT IN ('column', 'not-null constraint', 'table');
SELECT statement FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0, dry_run => true) WHERE statement ~ 'OVERLAPS' AND statement !~ 't_p[12]00|t_default';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL tests.until('t', 'swapping');
UPDATE t SET v = 'changed', during = int4range(500, 600) WHERE k % 10 = 0;
DELETE FROM t WHERE k % 10 = 1;
INSERT INTO t SELECT k, int4range(700, 701), room, v FROM t WHERE k < 50;
COMMIT PREPARED 'reader';
CREATE TEMP TABLE rows_before AS SELECT k, during, room, v FROM t;
CALL wait_for_conversion('t', '240 s');
SELECT * FROM (TABLE before EXCEPT TABLE keys) b;
SELECT count(*) FROM (SELECT k, during, room, v FROM t EXCEPT ALL TABLE rows_before) d;
SELECT (SELECT count(*) FROM t) = (SELECT count(*) FROM rows_before) AS same;
SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't_p100'::regclass AND contype IN ('p', 'u') ORDER BY 1;
SELECT tests.refusal($$INSERT INTO t SELECT k, int4range(1, 100000), room, v FROM t WHERE k = 105$$);
SELECT tests.refusal($$INSERT INTO t VALUES (110, 'empty', 1, '')$$);
SELECT tests.refusal($$DELETE FROM periods WHERE id = 1$$);
SELECT tests.refusal($$INSERT INTO t VALUES (110, '[900,1500)', 1, '')$$);
SELECT finish_conversion('t');
DROP VIEW keys;
DROP TABLE t;
-- Without the partition column each partition would allow what overlaps in another.
CREATE TABLE t (id int, during int4range, k int NOT NULL, CONSTRAINT x PRIMARY KEY (id, during WITHOUT OVERLAPS));
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'id', 'range', '10')$$);
DROP TABLE t, periods;
DROP EXTENSION btree_gist;
TABLE tests.residue;
