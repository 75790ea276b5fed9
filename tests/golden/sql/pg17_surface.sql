\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What PostgreSQL 17 brought, as far as a conversion meets it.
-- Infinite intervals.
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at date NOT NULL);
INSERT INTO t (at) VALUES ('2024-01-10'), ('2024-02-10');
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 'at', 'range', %L)$$, w)) FROM unnest('{infinity,-infinity}'::text[]) w;
SELECT w, tests.refusal(format($$SELECT convert_to_partitioned('t', 'at', 'range', '1 month', undo_window => %L)$$, w)) FROM unnest('{infinity,-infinity}'::text[]) w;
CREATE TABLE kept (id int) PARTITION BY RANGE (id);
SELECT w, tests.refusal(format($$SELECT set_partition_policy('kept', '10', retention_action => 'recycle', grace_period => %L)$$, w)) FROM unnest('{infinity,-infinity}'::text[]) w;
DROP TABLE kept;
-- A partition shares the identity of its table's column.
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('t', 'at', 'range', '1 month', range_end => '2024-03-01');
CALL wait_for_conversion('t', 'infinity');
SELECT attrelid::regclass, attidentity FROM pg_attribute WHERE attrelid::regclass::text ~ '^t_' AND attname = 'id' AND attrelid::regclass::text !~ '(pkey|seq)' ORDER BY 1;
INSERT INTO t (at) VALUES ('2024-01-11') RETURNING id;
INSERT INTO t_p2024_02 (at) VALUES ('2024-02-11') RETURNING id;
SELECT finish_conversion('t');
DROP TABLE t;
-- The privilege MAINTAIN.
CREATE ROLE regress_boss;
CREATE ROLE regress_a;
CREATE ROLE regress_b;
CREATE SCHEMA house AUTHORIZATION regress_boss;
GRANT USAGE ON SCHEMA house TO PUBLIC;
SET ROLE regress_boss;
CREATE TABLE house.t (id int PRIMARY KEY, v text);
INSERT INTO house.t SELECT i, 'x' FROM generate_series(1, 19) i;
GRANT MAINTAIN ON house.t TO regress_a WITH GRANT OPTION;
SET ROLE regress_a;
GRANT MAINTAIN ON house.t TO regress_b;
RESET ROLE;
SELECT statement FROM convert_to_partitioned('house.t', 'id', 'range', '10', premake => 0) WHERE statement ~ '^GRANT';
CALL wait_for_conversion('house.t', '240 s');
SELECT relname, relacl FROM pg_class WHERE relnamespace = 'house'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1;
SELECT finish_conversion('house.t');
-- Without it the owner cannot ANALYZE; the result has its statistics all the same.
SET ROLE regress_boss;
CREATE TABLE house.bare (id int PRIMARY KEY, v text);
INSERT INTO house.bare SELECT i, 'x' FROM generate_series(1, 19) i;
REVOKE MAINTAIN ON house.bare FROM regress_boss;
RESET ROLE;
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('house.bare', 'id', 'range', '10', premake => 0);
CALL wait_for_conversion('house.bare', '240 s');
SELECT relname, relacl, reltuples FROM pg_class WHERE relnamespace = 'house'::regnamespace AND relname ~ '^bare' AND relkind IN ('r', 'p') AND relname !~ 'retired' ORDER BY 1;
SELECT tablename, attname, n_distinct FROM pg_stats WHERE tablename = 'bare' AND inherited ORDER BY 2;
SELECT finish_conversion('house.bare');
DROP SCHEMA house CASCADE;
DROP ROLE regress_boss, regress_a, regress_b;
-- A transaction may take as long as it takes, whatever the database says of its sessions.
CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.05); RETURN $1; END';
CREATE TABLE t (id int NOT NULL, at int NOT NULL);
CREATE INDEX slow_index ON t (slow(id));
INSERT INTO t SELECT i, 1 FROM generate_series(1, 12) i;
ALTER DATABASE contrib_regression SET transaction_timeout = '300 ms';
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('t', 'at', 'range', '10', premake => 0);
CALL wait_for_conversion('t', '240 s');
ALTER DATABASE contrib_regression RESET transaction_timeout;
SELECT tableoid::regclass, count(*) FROM t GROUP BY 1;
SELECT finish_conversion('t');
DROP TABLE t;
DROP FUNCTION slow(int);
TABLE tests.residue;
