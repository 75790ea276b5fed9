\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Tables that follow a composite type (CREATE TABLE … OF): the partitioned table follows it too. No partition can follow a type, but each
-- changes along with its table, those made later too.
CREATE SCHEMA "odd schema";
CREATE TYPE "odd schema"."T 😀 ""q""" AS (id int, gone text, k int, "V v" text);
CREATE TABLE t OF "odd schema"."T 😀 ""q""" (id PRIMARY KEY, k WITH OPTIONS NOT NULL DEFAULT 7, CHECK (k > 0));
ALTER TYPE "odd schema"."T 😀 ""q""" DROP ATTRIBUTE gone CASCADE;
INSERT INTO t SELECT i, i, 'v' || i FROM generate_series(1, 300) i;
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE kind = 'type that it follows';
SELECT tests.alike(statement) AS statement FROM convert_to_partitioned('t', 'k', 'range', '100', default_partition => true, dry_run => true) WHERE statement ~ ' OF "odd';
CREATE TEMP TABLE rows_before AS TABLE t;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', default_partition => true);
CALL tests.until('t', 'swapping');
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t');
SELECT (SELECT count(*) FROM t) AS now, (SELECT count(*) FROM rows_before) AS before, count(*) AS differ
  FROM (SELECT * FROM rows_before EXCEPT ALL SELECT * FROM t) d;
SELECT relname, relkind, reloftype::regtype FROM pg_class WHERE oid = 't'::regclass OR oid IN (SELECT relid FROM pg_partition_tree('t')) ORDER BY 1;
ALTER TABLE t ADD COLUMN other int;
ALTER TYPE "odd schema"."T 😀 ""q""" ADD ATTRIBUTE added int;
ALTER TYPE "odd schema"."T 😀 ""q""" ADD ATTRIBUTE added int CASCADE, ALTER ATTRIBUTE "V v" TYPE varchar(20) CASCADE;
SELECT count(*) AS partitions, count(*) FILTER (WHERE a.attname IS NOT NULL) AS have_it
  FROM pg_partition_tree('t') p LEFT JOIN pg_attribute a ON a.attrelid = p.relid AND a.attname = 'added' WHERE p.isleaf;
SELECT finish_conversion('t');
-- Those made later, and rows that move out of the default partition.
INSERT INTO t VALUES (1000, 1000, 'far', 3);
SELECT set_partition_policy('t', premake => 2);
SELECT action, partition, outcome FROM ensure_partitions('t');
CALL tests.wait_for_end('t');
SELECT tableoid::regclass, * FROM t WHERE id = 1000;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 't'::regclass;
DROP TYPE "odd schema"."T 😀 ""q""";
ALTER TABLE t NOT OF;
DROP SCHEMA "odd schema" CASCADE;
DROP TABLE t;
-- The type changes while rows are copied: both tables follow it, and the conversion ends as with any other column.
CREATE TYPE meanwhile AS (id int, k int);
CREATE TABLE t OF meanwhile (PRIMARY KEY (id), k WITH OPTIONS NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 30) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0);
CALL tests.until('t', 'swapping');
SELECT pause_conversion('t');
CALL tests.until('t', 'paused');
COMMIT PREPARED 'reader';
ALTER TYPE meanwhile ADD ATTRIBUTE added int CASCADE;
SELECT resume_conversion('t');
CALL tests.comes_to('failed');
SELECT tests.last_error();
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
SELECT relkind, reloftype::regtype, (SELECT count(*) FROM t) FROM pg_class WHERE oid = 't'::regclass;
DROP TABLE t;
DROP TYPE meanwhile;
TABLE tests.residue;
