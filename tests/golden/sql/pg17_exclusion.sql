\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Exclusion constraints, which a partitioned table can have since PostgreSQL 17.
SET client_min_messages = error;
CREATE EXTENSION btree_gist;
CREATE SCHEMA "odd schema";
CREATE FUNCTION "odd schema".same(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2';
SET client_min_messages = warning;
CREATE TABLE t (
    id int PRIMARY KEY, room int NOT NULL, "during it" int4range, k int NOT NULL, deleted bool NOT NULL DEFAULT false,
    CONSTRAINT "no ""overlap""" EXCLUDE USING gist (room WITH =, k WITH =, "during it" WITH &&) INCLUDE (id) WITH (fillfactor = 80) WHERE (NOT deleted),
    CONSTRAINT late EXCLUDE USING gist (k WITH =, (room + 1) WITH =, "during it" range_ops WITH &&) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT plain EXCLUDE (id WITH =, k WITH =)
);
COMMENT ON CONSTRAINT late ON t IS 'late';
INSERT INTO t SELECT i, i % 5, int4range(i, i + 3), i, i % 7 = 0 FROM generate_series(1, 300) i;
CREATE VIEW exclusions AS
SELECT conname, condeferrable, condeferred, pg_get_constraintdef(c.oid) AS definition, obj_description(c.oid, 'pg_constraint') AS comment, indisvalid, reloptions
  FROM pg_constraint c JOIN pg_index ON indexrelid = conindid JOIN pg_class r ON r.oid = indexrelid
 WHERE conrelid = to_regclass('t') AND contype = 'x';
CREATE TEMP TABLE before AS TABLE exclusions;
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE kind ~ 'constraint' AND kind <> 'not-null constraint';
SELECT statement FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0, dry_run => true) WHERE statement ~ 'EXCLUDE' AND statement !~ 't_p[12]00|t_default';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL tests.until('t', 'swapping');
-- Rows that exchange what excludes them pass through a state that the constraint would refuse.
BEGIN;
INSERT INTO t VALUES (1000, 0, '[50,53)', 50, true);
DELETE FROM t WHERE id = 50;
COMMIT;
UPDATE t SET "during it" = int4range(250, 252) WHERE id BETWEEN 80 AND 90;
DELETE FROM t WHERE id BETWEEN 60 AND 70;
INSERT INTO t SELECT i, i % 5, int4range(i, i + 3), i, false FROM generate_series(60, 65) i;
CREATE TEMP TABLE rows_before AS TABLE t;
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
SELECT (SELECT count(*) FROM t) AS now, (SELECT count(*) FROM rows_before) AS before, count(*) AS differ FROM (TABLE rows_before EXCEPT ALL TABLE t) d;
SELECT * FROM (
    SELECT 'before' AS side, * FROM (TABLE before EXCEPT TABLE exclusions) b
    UNION ALL
    SELECT 'after', * FROM (TABLE exclusions EXCEPT TABLE before) a) d;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't_p100'::regclass AND contype = 'x' ORDER BY 1;
SELECT conname, p.conparentid <> 0 AS is_part FROM pg_constraint p WHERE conrelid = 't_default'::regclass AND contype = 'x' ORDER BY 1;
-- They act, within a partition and, by the partition column, in all of them.
SELECT tests.refusal($$INSERT INTO t VALUES (2000, 1, '[101,300)', 101)$$);
SELECT tests.refusal($$INSERT INTO t VALUES (2000, 1, '[200,300)', 1), (2001, 1, '[250,300)', 1)$$);
SELECT tests.refusal($$INSERT INTO t VALUES (2000, 1, '[200,300)', 5000), (2001, 1, '[250,300)', 5000)$$);
SELECT tests.refusal($$INSERT INTO t VALUES (2000, 1, '[200,300)', 150, false), (2001, 1, '[250,300)', 150, true)$$);
-- Partitions made later have them, too.
SELECT set_partition_policy('t', premake => 2);
SELECT count(*) FROM ensure_partitions('t') WHERE outcome = 'created';
SELECT count(DISTINCT conrelid), count(*) FROM pg_constraint WHERE contype = 'x' AND conparentid <> 0;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 't'::regclass;
SELECT finish_conversion('t');
DROP VIEW exclusions;
DROP TABLE t;
-- What is compared otherwise, or not at all, each partition would allow.
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, r int4range);
SELECT * FROM unnest(ARRAY['EXCLUDE USING gist (r WITH &&)', 'EXCLUDE USING gist (k WITH <>)', 'EXCLUDE USING gist (r WITH &&, (k + 0) WITH =)', 'EXCLUDE USING gist (k WITH =, r WITH &&)']) AS made
 CROSS JOIN LATERAL (SELECT tests.refusal(format('ALTER TABLE t ADD CONSTRAINT x %s; SELECT convert_to_partitioned(''t'', ''k'', ''range'', ''10'')', made))) a;
DROP TABLE t;
DROP EXTENSION btree_gist;
DROP SCHEMA "odd schema" CASCADE;
TABLE tests.residue;
