\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Unlogged tables: the partitions are unlogged, those made later too, and so is the change log: what a crash takes from the table it takes from
-- all of them. The partitioned table itself holds no rows; since PostgreSQL 18 it cannot be unlogged.
CREATE UNLOGGED TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, k int NOT NULL, v text, n serial);
INSERT INTO t (k, v) SELECT i, 'v' || i FROM generate_series(1, 300) i;
CREATE INDEX by_v ON t (v);
CREATE TABLE pointed_at (id int PRIMARY KEY);
INSERT INTO pointed_at SELECT generate_series(0, 1000);
ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES pointed_at;
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE kind IN ('persistence', 'sequence');
SELECT tests.alike(statement) AS statement FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0, dry_run => true) WHERE statement ~ '^CREATE' AND statement !~ 't_p[123]00';
SELECT sum(wal_bytes_estimate) < 100000 AS hardly_any_wal FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0, dry_run => true);
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL tests.until('t', 'swapping');
SELECT regexp_replace(relname, '\d{4,}', '…') AS relname, relkind, relpersistence FROM pg_class
 WHERE relname ~ '^(t_|change_log|by_v)' AND relname !~ 'p[123]00' AND relkind IN ('r', 'p', 'i', 'I', 'S') ORDER BY 1;
UPDATE t SET v = 'changed' WHERE k % 10 = 0;
DELETE FROM t WHERE k % 10 = 1;
CREATE TEMP TABLE rows_before AS TABLE t;
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
SELECT (SELECT count(*) FROM t) AS now, (SELECT count(*) FROM rows_before) AS before, count(*) AS differ FROM (TABLE rows_before EXCEPT ALL TABLE t) d;
SELECT set_partition_policy('t', premake => 2);
SELECT partition FROM ensure_partitions('t') WHERE outcome = 'created';
SELECT relname, relpersistence FROM pg_class WHERE oid IN (SELECT relid FROM pg_partition_tree('t')) ORDER BY 1;
SELECT relname, relpersistence FROM pg_class WHERE relname IN ('t_n_seq', 't_id_seq') ORDER BY 1;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 't'::regclass;
SELECT finish_conversion('t');
DROP TABLE t;
-- One that points at an unlogged table; and one that becomes logged meanwhile.
CREATE UNLOGGED TABLE also_unlogged (id int PRIMARY KEY);
CREATE UNLOGGED TABLE t (id int PRIMARY KEY REFERENCES also_unlogged, k int NOT NULL);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10')$$);
ALTER TABLE t DROP CONSTRAINT t_id_fkey;
-- A publication leaves it out, and would not leave out the partitioned table.
SET client_min_messages = error;
CREATE PUBLICATION all_of_it FOR ALL TABLES;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10')$$);
ALTER PUBLICATION all_of_it SET (publish_via_partition_root);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10')$$);
DROP PUBLICATION all_of_it;
SET client_min_messages = warning;
BEGIN;
SELECT count(*) FROM convert_to_partitioned('t', 'k', 'range', '10', range_end => '20') WHERE phase = 'planned';
SELECT pause_conversion('t');
COMMIT;
CALL tests.until('t', 'paused');
ALTER TABLE t SET LOGGED;
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT cancel_conversion('t');
CALL wait_for_conversion('t', '240 s');
DROP TABLE t, also_unlogged, pointed_at;
-- Foreign keys to the table itself, and of another unlogged table to it.
CREATE UNLOGGED TABLE t (k int PRIMARY KEY, parent int REFERENCES t);
INSERT INTO t SELECT i, nullif(i - 1, 0) FROM generate_series(1, 30) i;
CREATE UNLOGGED TABLE child (k int REFERENCES t ON DELETE CASCADE);
INSERT INTO child SELECT generate_series(1, 30);
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0);
CALL wait_for_conversion('t', '240 s');
DELETE FROM t WHERE k = 30;
SELECT count(*) FROM child;
CALL tests.until($$SELECT foreign_keys_to_validate = 0 FROM partman_rs.conversions WHERE source = 't'::regclass$$);
SELECT finish_conversion('t');
DROP TABLE t, child;
-- With a guard, which is unlogged, too; what points at it is. A key of the table to itself would be one of the partitioned table, which is not.
CREATE UNLOGGED TABLE t (id int PRIMARY KEY, k int NOT NULL, parent int CONSTRAINT own REFERENCES t);
INSERT INTO t SELECT i, i FROM generate_series(1, 30) i;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10', unique_guard => true)$$);
ALTER TABLE t DROP CONSTRAINT own;
CREATE UNLOGGED TABLE child (id int REFERENCES t ON DELETE CASCADE);
INSERT INTO child SELECT generate_series(1, 30);
SELECT statement FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0, unique_guard => true, dry_run => true) WHERE statement ~ '^CREATE UNLOGGED TABLE.*guard';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0, unique_guard => true);
CALL wait_for_conversion('t', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1$$);
SELECT finish_conversion('t');
SELECT relname, relpersistence FROM pg_class WHERE relname ~ 't_pkey_guard' ORDER BY 1;
SELECT conrelid::regclass AS of, pg_get_constraintdef(oid) AS definition, convalidated AS valid FROM pg_constraint
 WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace ORDER BY 1;
UPDATE t SET k = 30 - k WHERE id < 10;
DELETE FROM t WHERE id = 30;
INSERT INTO t VALUES (31, 5);
SELECT tests.refusal('INSERT INTO t VALUES (31, 25)');
SELECT count(*) FROM child;
SELECT count(*) FROM (SELECT id, k FROM t EXCEPT ALL TABLE t_pkey_guard UNION ALL (TABLE t_pkey_guard EXCEPT ALL SELECT id, k FROM t)) d;
DROP TABLE t_pkey_guard, t, child;
DROP FUNCTION t_pkey_guard();
TABLE tests.residue;
