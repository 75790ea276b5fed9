\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- A table is replaced under its name between the call and the work: what was asked for one table never happens to another.
CREATE FUNCTION tests.last() RETURNS TABLE (phase text, last_error text, detail text, sqlstate text) LANGUAGE sql AS $$
SELECT phase, last_error, last_error_detail, last_sqlstate FROM partman_rs.job ORDER BY id DESC LIMIT 1
$$;
CREATE ROLE regress_eve LOGIN;
CREATE ROLE regress_admin LOGIN;
CREATE SCHEMA eve AUTHORIZATION regress_eve;
SELECT current_database() AS db \gset
GRANT CREATE ON DATABASE :"db" TO regress_eve;
GRANT USAGE ON SCHEMA tests TO regress_eve;
GRANT CREATE, USAGE ON SCHEMA eve TO regress_admin;
\c - regress_eve
CREATE TABLE eve.kept (id int PRIMARY KEY, v text);
INSERT INTO eve.kept SELECT i, 'kept' FROM generate_series(1, 100) i;
-- A view takes its place before the transaction has ended, and before the work has begun.
CREATE TABLE eve.t (id int PRIMARY KEY, v text);
BEGIN;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.t', 'id', 'range', '50', premake => 0, range_start => '0', range_end => '100');
DROP TABLE eve.t;
CREATE VIEW eve.t AS TABLE eve.kept;
COMMIT;
\c - postgres
CALL tests.comes_to('cancelled');
SELECT * FROM tests.last();
TABLE tests.residue;
\c - regress_eve
DROP VIEW eve.t;
CREATE TABLE eve.t (id int PRIMARY KEY, v text);
INSERT INTO eve.t SELECT i, 'hers' FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.t', 'id', 'range', '50', premake => 0);
SELECT pause_conversion('eve.t');
COMMIT;
\c - postgres
CALL tests.comes_to('paused');
\c - regress_eve
-- It is called otherwise by now, and another table has its name.
ALTER TABLE eve.t RENAME TO mine;
ALTER TABLE eve.kept RENAME TO t;
SELECT tests.refusal($$SELECT resume_conversion('eve.t')$$);
SELECT resume_conversion('eve.mine');
\c - postgres
CALL tests.comes_to('failed');
SELECT * FROM tests.last();
SELECT cancel_conversion('eve.mine');
CALL tests.comes_to('cancelled');
TABLE tests.residue;
SELECT relname, relkind, relowner::regrole FROM pg_class WHERE relnamespace = 'eve'::regnamespace AND relkind <> 'i' ORDER BY 1;
SELECT v, count(*) FROM eve.t GROUP BY 1;
\c - regress_eve
ALTER TABLE eve.t RENAME TO kept;
ALTER TABLE eve.mine RENAME TO t;
-- The same with whole schemas, which no lock of a table keeps from being renamed: just before the swap.
CREATE SCHEMA eve2;
GRANT CREATE, USAGE ON SCHEMA eve2 TO regress_admin;
\c - regress_admin
CREATE TABLE eve2.t (id int PRIMARY KEY, v text);
INSERT INTO eve2.t SELECT i, 'of the admin' FROM generate_series(1, 100) i;
\c - postgres
BEGIN;
LOCK TABLE eve.t IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
\c - regress_eve
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.t', 'id', 'range', '50', premake => 0);
\c - postgres
CALL tests.comes_to('swapping');
\c - regress_eve
BEGIN;
ALTER SCHEMA eve RENAME TO eve1;
ALTER SCHEMA eve2 RENAME TO eve;
COMMIT;
\c - postgres
COMMIT PREPARED 'reader';
CALL tests.comes_to('failed');
SELECT * FROM tests.last();
SELECT cancel_conversion('eve1.t');
CALL tests.comes_to('cancelled');
TABLE tests.residue;
SELECT relnamespace::regnamespace AS schema, relname, relkind, relowner::regrole FROM pg_class
 WHERE relnamespace IN ('eve'::regnamespace, 'eve1'::regnamespace) AND relkind <> 'i' ORDER BY 1, 2;
SELECT v, count(*) FROM eve.t GROUP BY 1;
\c - regress_eve
BEGIN;
ALTER SCHEMA eve RENAME TO eve2;
ALTER SCHEMA eve1 RENAME TO eve;
COMMIT;
-- Somebody else's table in a schema of hers: she may drop what lies in it, the half-made copy too, and put her own there.
\c - postgres
BEGIN;
LOCK TABLE eve2.t IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
\c - regress_admin
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve2.t', 'id', 'range', '100', premake => 0, default_partition => false);
\c - postgres
CALL tests.comes_to('swapping');
\c - regress_eve
DROP TABLE eve2.t_twin;
CREATE TABLE eve2.t_twin (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE eve2.t_p0 PARTITION OF eve2.t_twin FOR VALUES FROM (0) TO (100);
INSERT INTO eve2.t_twin VALUES (1, 'of eve');
\c - postgres
COMMIT PREPARED 'reader';
CALL tests.comes_to('failed');
SELECT * FROM tests.last();
SELECT cancel_conversion('eve2.t');
CALL tests.comes_to('cancelled');
TABLE tests.residue;
SELECT relname, relkind, relowner::regrole FROM pg_class WHERE relnamespace = 'eve2'::regnamespace ORDER BY 1;
SELECT v, count(*) FROM eve2.t GROUP BY 1;
SET client_min_messages = warning;
DROP SCHEMA eve, eve2 CASCADE;
REVOKE CREATE ON DATABASE :"db" FROM regress_eve;
REVOKE USAGE ON SCHEMA tests FROM regress_eve;
DROP FUNCTION tests.last;
DROP ROLE regress_eve, regress_admin;
TABLE tests.residue;
