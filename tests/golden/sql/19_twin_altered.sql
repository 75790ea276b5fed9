\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- The half-made copy is nobody else's business. Who alters it all the same gets an error, and keeps all rows.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
-- A partition is dropped.
BEGIN;
LOCK TABLE t IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.until('t', 'swapping');
DROP TABLE t_p50;
COMMIT PREPARED 'reader';
CALL tests.until('t', 'failed');
SELECT tests.last_error();
SELECT tests.refusal($$SELECT finish_conversion('t')$$);
SELECT cancel_conversion('t');
CALL tests.until('t', 'cancelled');
SELECT count(*) FROM t;
-- A partition is detached.
CREATE TABLE u (id int PRIMARY KEY, v text);
INSERT INTO u SELECT i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
LOCK TABLE u IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('u', 'id', 'range', '50', premake => 0);
CALL tests.until('u', 'swapping');
ALTER TABLE u_twin DETACH PARTITION u_p50;
COMMIT PREPARED 'reader';
CALL tests.until('u', 'failed');
SELECT tests.last_error();
SELECT cancel_conversion('u');
CALL tests.until('u', 'cancelled');
SELECT count(*) FROM u;
DROP TABLE u_p50;
-- The copy gets another name, another privilege.
CREATE TABLE w (id int PRIMARY KEY, v text);
INSERT INTO w SELECT i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
LOCK TABLE w IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('w', 'id', 'range', '50', premake => 0);
CALL tests.until('w', 'swapping');
ALTER TABLE w_twin RENAME TO w_other;
COMMIT PREPARED 'reader';
CALL tests.until('w', 'failed');
SELECT tests.last_error();
ALTER TABLE w_other RENAME TO w_twin;
GRANT SELECT ON w_twin TO PUBLIC;
SELECT resume_conversion('w');
CALL tests.until('w', 'failed');
SELECT tests.last_error();
REVOKE SELECT ON w_twin FROM PUBLIC;
SELECT cancel_conversion('w');
CALL tests.until('w', 'cancelled');
SELECT count(*) FROM w;
DROP TABLE t, u, w;
TABLE tests.residue;
