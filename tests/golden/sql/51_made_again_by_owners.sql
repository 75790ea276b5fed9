\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What is made again is made by its owner: what that cannot do is found beforehand, not when the swap tries it.
SET client_min_messages = error;
CREATE ROLE regress_lowly;
CREATE SCHEMA hidden;
GRANT CREATE, USAGE ON SCHEMA public, hidden TO regress_lowly;
SET client_min_messages = warning;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v text);
INSERT INTO t SELECT i, i, i FROM generate_series(1, 300) i;
CREATE TABLE other (id int PRIMARY KEY);
CREATE DOMAIN own AS int;
REVOKE USAGE ON TYPE own FROM PUBLIC;
CREATE FUNCTION hidden.f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE internal AS ''hash_record''');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE internal AS ''hash_record''; ALTER FUNCTION f OWNER TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE plpgsql AS ''BEGIN RETURN 1; END''; ALTER FUNCTION f OWNER TO regress_lowly; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LEAKPROOF LANGUAGE sql AS ''SELECT 1''; ALTER FUNCTION f OWNER TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f() RETURNS bigint LEAKPROOF LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END; ALTER FUNCTION f OWNER TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql SET log_min_messages = error AS ''SELECT 1''; ALTER FUNCTION f OWNER TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql SET log_min_messages = error SET work_mem = ''1MB'' AS ''SELECT 1''; ALTER FUNCTION f OWNER TO regress_lowly; GRANT SET ON PARAMETER log_min_messages TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f(t, own) RETURNS int LANGUAGE sql AS ''SELECT 1''; ALTER FUNCTION f OWNER TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS TABLE (x own) LANGUAGE sql AS ''SELECT 1''; ALTER FUNCTION f OWNER TO regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS ''SELECT 1''; ALTER FUNCTION f OWNER TO regress_lowly; REVOKE USAGE ON TYPE t FROM PUBLIC');
SELECT tests.with_it('CREATE VIEW w AS SELECT hidden.f(id) FROM t; ALTER VIEW w OWNER TO regress_lowly; REVOKE USAGE ON SCHEMA hidden FROM regress_lowly');
SELECT tests.with_it('CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT sum(hidden.f(id)) FROM t; END; ALTER FUNCTION f OWNER TO regress_lowly; REVOKE USAGE ON SCHEMA hidden FROM regress_lowly');
SELECT tests.with_it('ALTER TABLE other OWNER TO regress_lowly; CREATE RULE r AS ON INSERT TO other DO ALSO UPDATE t SET k = hidden.f(k); REVOKE USAGE ON SCHEMA hidden FROM regress_lowly');
SELECT tests.with_it('ALTER TABLE other OWNER TO regress_lowly; CREATE POLICY p ON other USING (id IN (SELECT hidden.f(id) FROM t)); REVOKE USAGE ON SCHEMA hidden FROM regress_lowly');
-- What is left is made by whoever owns it.
CREATE FUNCTION hashed(t) RETURNS int LANGUAGE internal IMMUTABLE LEAKPROOF AS 'hash_record';
CREATE FUNCTION lowly(t, OUT x int) LANGUAGE sql SET work_mem = '1MB' AS 'SELECT $1.id';
ALTER FUNCTION lowly OWNER TO regress_lowly;
CREATE VIEW lowly_view AS SELECT hidden.f(id) AS id FROM t;
ALTER VIEW lowly_view OWNER TO regress_lowly;
GRANT SELECT ON t TO regress_lowly;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL wait_for_conversion('t', '240 s');
SELECT proname, proowner::regrole, proleakproof, proconfig FROM pg_proc WHERE proname IN ('hashed', 'lowly') ORDER BY 1;
SELECT hashed(t) = hash_record(t) AS hashed, (lowly(t)) FROM t WHERE id = 7;
SELECT count(*) FROM lowly_view;
SELECT finish_conversion('t');
DROP TABLE t, other CASCADE;
DROP SCHEMA hidden CASCADE;
DROP DOMAIN own;

-- Settings reach partitions that are made later, too; default privileges do not.
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, k int NOT NULL, v text, own serial, UNIQUE (k));
ALTER TABLE t ALTER v SET STATISTICS 17, ALTER v SET STORAGE EXTERNAL, ALTER v SET COMPRESSION pglz, ALTER k SET (n_distinct = -0.5, n_distinct_inherited = 7);
ALTER TABLE t SET (fillfactor = 70, toast.autovacuum_enabled = false, autovacuum_analyze_threshold = 77);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_k_key;
CREATE INDEX by_expression ON t ((k + 1), (upper(v)));
ALTER INDEX by_expression ALTER COLUMN 2 SET STATISTICS 55;
GRANT SELECT, INSERT (k) ON t TO regress_lowly;
INSERT INTO t (k, v) SELECT i, 'v' || i FROM generate_series(1, 300) i;
ALTER SEQUENCE t_own_seq RENAME TO "Shared";
CREATE TABLE shares (n int DEFAULT nextval('"Shared"'));
GRANT USAGE ON SEQUENCE "Shared" TO regress_lowly;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_lowly;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TYPES TO regress_lowly;
CREATE TABLE before AS SELECT * FROM tests.leaf_shape('t');
CREATE TABLE shape_before AS SELECT * FROM tests.shape('t') WHERE fact !~ '^table: owner';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL wait_for_conversion('t', '240 s');
SELECT set_partition_policy('t', premake => 2);
SELECT partition FROM ensure_partitions('t') WHERE outcome = 'created';
SELECT 'before' AS side, * FROM (TABLE shape_before EXCEPT ALL SELECT * FROM tests.shape('t')) b
 UNION ALL
SELECT 'after', * FROM (SELECT * FROM tests.shape('t') WHERE fact !~ '^table: owner' EXCEPT ALL TABLE shape_before) a;
SELECT p.partition, d.side, d.fact FROM partman_rs.partitions p CROSS JOIN LATERAL (
    SELECT 'before' AS side, * FROM (TABLE before EXCEPT ALL SELECT * FROM tests.leaf_shape(p.partition)) b
    UNION ALL
    SELECT 'after', * FROM (SELECT * FROM tests.leaf_shape(p.partition) EXCEPT ALL TABLE before) a) d
 WHERE p.parent = 't'::regclass ORDER BY p.partition::text COLLATE "C", d.fact COLLATE "C", d.side DESC;
SELECT relname, relreplident, (SELECT array_agg(coalesce(attstattarget, -1) ORDER BY attnum) FROM pg_attribute WHERE attrelid = i.inhrelid) AS targets
  FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'by_expression'::regclass ORDER BY 1;
SELECT c.relname, c.relreplident FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 't'::regclass ORDER BY 1;
INSERT INTO shares DEFAULT VALUES RETURNING n;
INSERT INTO t (k) VALUES (301) RETURNING id, own;
SELECT pg_get_serial_sequence('t', 'own');
SELECT finish_conversion('t');
-- Of a list and of a hash likewise.
CREATE TABLE h (k int NOT NULL, v text) PARTITION BY HASH (k);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
ALTER TABLE h ALTER v SET STATISTICS 17;
CREATE INDEX by_hash ON h ((k + 1));
ALTER INDEX by_hash ALTER COLUMN 1 SET STATISTICS 55;
SELECT set_partition_policy('h');
SELECT partition FROM ensure_partitions('h') WHERE outcome = 'created';
SELECT attname, attstattarget FROM pg_attribute WHERE attrelid = 'h_p1'::regclass AND attname = 'v';
SELECT attstattarget FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid JOIN pg_attribute ON attrelid = indexrelid WHERE inhparent = 'by_hash'::regclass AND indrelid = 'h_p1'::regclass;
DROP TABLE t, before, shape_before, shares, h;
DROP OWNED BY regress_lowly;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM regress_lowly;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM PUBLIC;
DROP ROLE regress_lowly;
TABLE tests.residue;
