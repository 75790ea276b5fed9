\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Owner and privileges, also those that others have passed on, and none that default privileges would add.
CREATE ROLE regress_boss;
CREATE ROLE regress_a;
CREATE ROLE regress_b;
CREATE ROLE "regress Odd ""Role";
CREATE ROLE regress_default;
CREATE SCHEMA house AUTHORIZATION regress_boss;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_boss IN SCHEMA house GRANT ALL ON TABLES TO regress_default;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_boss IN SCHEMA house GRANT ALL ON SEQUENCES TO regress_default, PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_boss GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_boss REVOKE TRUNCATE ON TABLES FROM regress_boss;
SET ROLE regress_boss;
CREATE TABLE house.t (id int GENERATED ALWAYS AS IDENTITY, k int NOT NULL, secret text, open text, n serial, PRIMARY KEY (id, k));
REVOKE ALL ON house.t FROM PUBLIC, regress_default;
REVOKE ALL ON SEQUENCE house.t_id_seq, house.t_n_seq FROM PUBLIC, regress_default;
GRANT SELECT, INSERT ON house.t TO regress_a WITH GRANT OPTION;
GRANT UPDATE ON house.t TO regress_a;
GRANT SELECT ON house.t TO "regress Odd ""Role";
GRANT SELECT (id, open), UPDATE (open) ON house.t TO PUBLIC;
GRANT REFERENCES (id) ON house.t TO regress_a WITH GRANT OPTION;
REVOKE DELETE ON house.t FROM regress_boss;
GRANT USAGE ON SEQUENCE house.t_id_seq TO regress_a WITH GRANT OPTION;
GRANT SELECT ON SEQUENCE house.t_id_seq TO PUBLIC;
GRANT USAGE ON SEQUENCE house.t_n_seq TO regress_b;
GRANT USAGE ON SCHEMA house TO PUBLIC;
SET ROLE regress_a;
GRANT SELECT ON house.t TO regress_b WITH GRANT OPTION;
GRANT REFERENCES (id) ON house.t TO regress_b;
GRANT USAGE ON SEQUENCE house.t_id_seq TO regress_b;
SET ROLE regress_b;
GRANT SELECT ON house.t TO "regress Odd ""Role";
RESET ROLE;
INSERT INTO house.t (k) SELECT i FROM generate_series(1, 20) i;
CREATE TABLE before AS SELECT * FROM tests.shape('house.t');
CREATE TABLE leaf_before AS SELECT * FROM tests.leaf_shape('house.t');
SELECT * FROM before WHERE fact ~ 'granted|^table' ORDER BY 1;
SELECT tests.alike(statement) AS statement, lock FROM convert_to_partitioned('house.t', 'k', 'range', '10', premake => 0) WHERE statement ~ '^(GRANT|REVOKE)';
CALL wait_for_conversion('house.t', '240 s');
SELECT * FROM (
    SELECT 'before' AS side, * FROM (TABLE before EXCEPT ALL SELECT * FROM tests.shape('house.t')) b
    UNION ALL
    SELECT 'after', * FROM (SELECT * FROM tests.shape('house.t') EXCEPT ALL TABLE before) a) d
 ORDER BY fact COLLATE "C", side DESC;
SELECT p.partition, d.side, d.fact FROM partman_rs.partitions p CROSS JOIN LATERAL (
    SELECT 'before' AS side, * FROM (TABLE leaf_before EXCEPT ALL SELECT * FROM tests.leaf_shape(p.partition)) b
    UNION ALL
    SELECT 'after', * FROM (SELECT * FROM tests.leaf_shape(p.partition) EXCEPT ALL TABLE leaf_before) a) d
 WHERE p.parent = 'house.t'::regclass
 ORDER BY p.partition::text COLLATE "C", d.fact COLLATE "C", d.side DESC;
SELECT c.relname, c.relowner::regrole FROM pg_class c WHERE c.relnamespace = 'house'::regnamespace ORDER BY 1;
SELECT finish_conversion('house.t');
-- No privileges at all, not even the owner's.
SET ROLE regress_boss;
CREATE TABLE house.bare (k int NOT NULL);
REVOKE ALL ON house.bare FROM PUBLIC, regress_default, regress_boss;
RESET ROLE;
SELECT tests.refusal($$SELECT convert_to_partitioned('house.bare', 'k', 'range', '10', premake => 0)$$);
-- The owner must be allowed to read it and to make triggers on it; without, nothing is begun.
GRANT SELECT ON house.bare TO regress_boss;
SELECT tests.refusal($$SELECT convert_to_partitioned('house.bare', 'k', 'range', '10', premake => 0)$$) = 'not refused' AS accepted;
GRANT TRIGGER ON house.bare TO regress_boss;
CREATE TABLE before_bare AS SELECT * FROM tests.shape('house.bare');
SELECT count(*) FROM convert_to_partitioned('house.bare', 'k', 'range', '10', premake => 0);
CALL wait_for_conversion('house.bare', '240 s');
SELECT * FROM tests.shape('house.bare') EXCEPT ALL TABLE before_bare;
SELECT relname, relacl FROM pg_class WHERE relnamespace = 'house'::regnamespace AND relname ~ 'bare' ORDER BY 1;
SELECT finish_conversion('house.bare');
-- The state of an identity's sequence is read and set by the owner at the swap.
SET ROLE regress_boss;
CREATE TABLE house.numbered (k int GENERATED ALWAYS AS IDENTITY, s serial);
REVOKE ALL ON SEQUENCE house.numbered_k_seq FROM PUBLIC;
REVOKE UPDATE ON SEQUENCE house.numbered_k_seq FROM regress_boss;
RESET ROLE;
SELECT tests.refusal($$SELECT convert_to_partitioned('house.numbered', 'k', 'range', '10', premake => 0)$$);
GRANT UPDATE ON SEQUENCE house.numbered_k_seq TO regress_boss;
REVOKE SELECT ON SEQUENCE house.numbered_k_seq FROM regress_boss;
SELECT tests.refusal($$SELECT convert_to_partitioned('house.numbered', 'k', 'range', '10', premake => 0)$$);
GRANT SELECT ON SEQUENCE house.numbered_k_seq TO regress_boss;
-- One of a serial only changes hands.
REVOKE ALL ON SEQUENCE house.numbered_s_seq FROM regress_boss;
SELECT count(*) > 0 AS accepted FROM convert_to_partitioned('house.numbered', 'k', 'range', '10', premake => 0);
CALL wait_for_conversion('house.numbered', '240 s');
SELECT finish_conversion('house.numbered');
DROP TABLE before, leaf_before, before_bare;
SET ROLE regress_boss;
ALTER DEFAULT PRIVILEGES IN SCHEMA house REVOKE ALL ON TABLES FROM regress_default;
ALTER DEFAULT PRIVILEGES IN SCHEMA house REVOKE ALL ON SEQUENCES FROM regress_default, PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO regress_boss;
RESET ROLE;
DROP SCHEMA house CASCADE;
DROP ROLE regress_boss, regress_a, regress_b, "regress Odd ""Role", regress_default;
TABLE tests.residue;
