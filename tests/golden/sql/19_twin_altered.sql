\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- The half-made copy is nobody else's business. Who alters it all the same gets an error, and keeps all rows.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
-- A reader keeps the swap away until the copy was altered.
\set begin 'BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; PREPARE TRANSACTION \'reader\'; SELECT count(*) > 0 AS started FROM convert_to_partitioned(\'t\', \'id\', \'range\', \'50\', premake => 0); CALL tests.comes_to(\'swapping\');'
\set fail 'CALL tests.comes_to(\'failed\'); SELECT tests.last_error();'
\set cancel 'SELECT cancel_conversion(\'t\'); CALL tests.comes_to(\'cancelled\'); SELECT count(*) FROM t;'
-- A partition is dropped.
:begin
DROP TABLE t_p50;
COMMIT PREPARED 'reader';
:fail
SELECT tests.refusal($$SELECT finish_conversion('t')$$);
:cancel
-- A partition is detached.
:begin
ALTER TABLE t_twin DETACH PARTITION t_p50;
COMMIT PREPARED 'reader';
:fail
:cancel
DROP TABLE t_p50;
-- The copy gets another name, another privilege.
:begin
ALTER TABLE t_twin RENAME TO t_other;
COMMIT PREPARED 'reader';
:fail
ALTER TABLE t_other RENAME TO t_twin;
GRANT SELECT ON t_twin TO PUBLIC;
SELECT resume_conversion('t');
:fail
REVOKE SELECT ON t_twin FROM PUBLIC;
:cancel
DROP TABLE t;
TABLE tests.residue;
