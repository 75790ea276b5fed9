\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Unique constraints that are deferrable, or take nulls for equal: carried, and no rows that exchange their values are in the way.
CREATE TABLE t (
    id int, k int NOT NULL, a int, b int, v text,
    CONSTRAINT "the ""key""" PRIMARY KEY (id, k) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT later UNIQUE (k, a) DEFERRABLE,
    CONSTRAINT "no nulls twice" UNIQUE NULLS NOT DISTINCT (k, b) INCLUDE (v) WITH (fillfactor = 80),
    CONSTRAINT all_three UNIQUE NULLS NOT DISTINCT (b, a, k) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT extended UNIQUE NULLS NOT DISTINCT (a) DEFERRABLE
);
CREATE UNIQUE INDEX by_index ON t (k, (coalesce(b, -1))) NULLS NOT DISTINCT WHERE id > 0;
COMMENT ON CONSTRAINT all_three ON t IS 'both';
INSERT INTO t SELECT i, i % 300, i, CASE WHEN i > 300 THEN i END, 'v' || i FROM generate_series(1, 600) i;
CREATE VIEW keys AS
SELECT conname, contype, condeferrable, condeferred, pg_get_constraintdef(oid) AS definition, obj_description(oid, 'pg_constraint') AS comment FROM pg_constraint WHERE conrelid = to_regclass('t') AND contype IN ('p', 'u')
UNION ALL
SELECT 'index', '', false, false, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON '), NULL FROM pg_index WHERE indrelid = to_regclass('t') AND indexrelid = to_regclass('by_index');
CREATE TEMP TABLE before AS TABLE keys;
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE kind ~ 'key|unique|index';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL tests.until('t', 'swapping');
-- Values change places, within a transaction and within a statement; keys too, and nulls come and go.
UPDATE t SET a = CASE a WHEN 10 THEN 310 ELSE 10 END WHERE a IN (10, 310);
BEGIN;
UPDATE t SET id = 320 WHERE id = 20 AND k = 20;
UPDATE t SET b = 20 WHERE v = 'v20';
UPDATE t SET id = 20, b = NULL, v = 'was 320' WHERE id = 320 AND v = 'v320';
COMMIT;
DELETE FROM t WHERE k = 30 AND b IS NULL;
UPDATE t SET b = NULL WHERE k = 30;
UPDATE t SET k = k + 100 WHERE id = 340;
CREATE TEMP TABLE rows_before AS TABLE t;
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
SELECT (SELECT count(*) FROM t) AS now, (SELECT count(*) FROM rows_before) AS before, count(*) AS differ FROM (TABLE rows_before EXCEPT ALL TABLE t) d;
SELECT 'before' AS side, * FROM (TABLE before EXCEPT TABLE keys) b
 UNION ALL
SELECT 'after', * FROM (TABLE keys EXCEPT TABLE before) a;
SELECT conname, condeferrable, condeferred, pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 't_p100'::regclass AND contype IN ('p', 'u') ORDER BY 1;
SELECT tests.refusal($$INSERT INTO t VALUES (1000, 50, 1000, NULL, 'x')$$);
SELECT tests.refusal($$INSERT INTO t VALUES (1000, 50, 50, 1000, 'x')$$);
BEGIN;
INSERT INTO t VALUES (50, 50, 1000, 1000, 'x');
DELETE FROM t WHERE v = 'v50';
COMMIT;
SELECT finish_conversion('t');
DROP VIEW keys;
DROP TABLE t;
TABLE tests.residue;
