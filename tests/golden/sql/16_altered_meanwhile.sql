\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What is done to the table by hand while it is converted. A prepared transaction keeps the swap away until it was done.
-- A change of the definition is noticed before the swap is tried, and named. Undone, the conversion goes on; privileges and
-- comments may stay.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
CREATE INDEX t_v ON t (v);
CREATE VIEW w AS SELECT id FROM t;
GRANT SELECT ON t TO PUBLIC;
COMMENT ON COLUMN t.v IS 'a comment';
CALL tests.comes_to('failed');
SELECT tests.last_error();
UPDATE t SET v = 'while it has failed' WHERE id = 1;
COMMIT PREPARED 'reader';
DROP INDEX t_v;
DROP VIEW w;
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT count(*), count(*) FILTER (WHERE v = 'while it has failed') AS changed FROM t;
SELECT has_table_privilege('public', 't', 'SELECT') AS may_read, col_description('t'::regclass, 2);
-- Gone back by hand, and finished: the table in use is not dropped.
BEGIN;
ALTER TABLE t RENAME TO t_new;
ALTER TABLE t_retired RENAME TO t;
COMMIT;
SELECT tests.refusal($$SELECT finish_conversion('t')$$);
SELECT tests.refusal($$SELECT finish_conversion('t_new')$$);
SELECT count(*) FROM t;
ALTER TABLE t RENAME TO t_retired;
ALTER TABLE t_new RENAME TO t;
SELECT finish_conversion('t');
DROP TABLE t;
-- All kinds of privileges and comments: given, taken back, changed; by grantors who lose what they had; to a role that gets another name.
CREATE ROLE regress_a;
CREATE ROLE regress_b;
CREATE ROLE regress_c;
CREATE ROLE regress_d;
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY CONSTRAINT t_key PRIMARY KEY, v text CONSTRAINT t_check CHECK (v <> ''), w serial);
CREATE INDEX t_v ON t (v);
INSERT INTO t (v) SELECT 'row ' || i FROM generate_series(1, 100) i;
GRANT SELECT, REFERENCES ON t TO regress_a WITH GRANT OPTION;
GRANT INSERT, UPDATE (v, w), SELECT (w) ON t TO regress_c;
GRANT UPDATE ON SEQUENCE t_id_seq TO regress_c;
GRANT SELECT, DELETE ON t TO regress_d;
GRANT SELECT (v) ON t TO regress_d;
SET ROLE regress_a;
GRANT SELECT ON t TO regress_b WITH GRANT OPTION;
GRANT REFERENCES (v) ON t TO regress_c;
SET ROLE regress_b;
GRANT SELECT ON t TO regress_c;
RESET ROLE;
COMMENT ON TABLE t IS 'a table';
COMMENT ON INDEX t_v IS 'an index';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
REVOKE SELECT ON t FROM regress_a CASCADE;
REVOKE GRANT OPTION FOR REFERENCES ON t FROM regress_a CASCADE;
GRANT SELECT ON t TO regress_b WITH GRANT OPTION;
SET ROLE regress_b;
GRANT SELECT (v) ON t TO regress_c;
GRANT SELECT ON t TO regress_a;
RESET ROLE;
REVOKE UPDATE (v) ON t FROM regress_c;
-- Takes it from the columns, too.
REVOKE SELECT ON t FROM regress_d;
GRANT SELECT (id) ON t TO regress_d;
GRANT INSERT (id) ON t TO PUBLIC;
REVOKE TRUNCATE ON t FROM CURRENT_USER;
REVOKE UPDATE ON SEQUENCE t_id_seq FROM regress_c;
GRANT SELECT ON SEQUENCE t_id_seq TO PUBLIC;
GRANT USAGE ON SEQUENCE t_w_seq TO regress_d;
ALTER ROLE regress_c RENAME TO regress_e;
COMMENT ON TABLE t IS NULL;
COMMENT ON COLUMN t.v IS $$a 'column'$$;
COMMENT ON CONSTRAINT t_check ON t IS 'a check';
COMMENT ON CONSTRAINT t_key ON t IS 'a key';
COMMENT ON INDEX t_key IS 'the index of a key';
COMMENT ON INDEX t_v IS 'an index, still';
COMMENT ON SEQUENCE t_id_seq IS 'a sequence';
COMMENT ON SEQUENCE t_w_seq IS 'a sequence that moves over';
CREATE TABLE before AS SELECT fact FROM tests.shape('t');
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
(TABLE before EXCEPT SELECT fact FROM tests.shape('t')) UNION ALL (SELECT fact FROM tests.shape('t') EXCEPT TABLE before);
SELECT * FROM tests.shape('t') WHERE fact ~ 'granted to (regress|PUBLIC)|comment [^N]' ORDER BY fact COLLATE "C";
-- Partitions have the same privileges.
SELECT p.partition FROM partman_rs.partitions p
 WHERE p.parent = 't'::regclass
   AND ARRAY(SELECT fact FROM tests.shape(p.partition) WHERE fact ~ '^(table|column).* granted to ' ORDER BY fact)
       <> ARRAY(SELECT fact FROM tests.shape('t') WHERE fact ~ '^(table|column).* granted to ' ORDER BY fact);
SELECT finish_conversion('t');
DROP TABLE before, t;
DROP ROLE regress_a, regress_b, regress_d, regress_e;
-- ALTER TABLE that rewrites values, as the swap is waited for: no trigger sees that.
CREATE TABLE t (id int PRIMARY KEY, v int, w text);
INSERT INTO t SELECT i, i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
UPDATE t SET v = v WHERE id = 1;
PREPARE TRANSACTION 'writer';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('capturing');
COMMIT PREPARED 'writer';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
CALL tests.comes_to('swapping');
SELECT pause_conversion('t');
CALL tests.comes_to('paused');
COMMIT PREPARED 'reader';
ALTER TABLE t ALTER v TYPE int USING v + 1000, ALTER w TYPE text USING upper(w);
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT relkind FROM pg_class WHERE oid = 't'::regclass;
SELECT count(*), min(v), max(v), count(*) FILTER (WHERE w ~ '^ROW') AS upper FROM t;
SELECT finish_conversion('t');
DROP TABLE t;
-- DROP TYPE … CASCADE takes a column from the table, and from the change log.
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE t (id int, size size NOT NULL DEFAULT 'small', v text, UNIQUE (id, size));
ALTER TABLE t ALTER id SET NOT NULL;
INSERT INTO t SELECT i, 'small', 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
SELECT pause_conversion('t');
CALL tests.comes_to('paused');
COMMIT PREPARED 'reader';
UPDATE t SET v = 'before' WHERE id = 1;
DROP TYPE size CASCADE;
UPDATE t SET v = 'after' WHERE id = 2;
INSERT INTO t VALUES (101, 'after');
DELETE FROM t WHERE id = 3;
SELECT resume_conversion('t');
CALL tests.comes_to('failed');
SELECT tests.last_error();
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
SELECT count(*), count(*) FILTER (WHERE v = 'after') AS after FROM t;
DROP TABLE t;
-- The capture's triggers, switched off for a moment: what was written meanwhile is not known.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
SELECT pause_conversion('t');
CALL tests.comes_to('paused');
COMMIT PREPARED 'reader';
BEGIN;
ALTER TABLE t DISABLE TRIGGER partman_rs_capture;
UPDATE t SET v = 'unseen' WHERE id = 1;
ALTER TABLE t ENABLE ALWAYS TRIGGER partman_rs_capture;
COMMIT;
SELECT resume_conversion('t');
CALL tests.comes_to('failed');
SELECT tests.last_error();
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
-- The function of the triggers, called by hand and from the triggers of other tables: it finds no log, or no row.
CREATE TABLE other (id int PRIMARY KEY, v text);
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
SELECT tests.refusal('SELECT partman_rs.capture_change()');
CREATE TRIGGER by_hand AFTER INSERT OR UPDATE OR DELETE ON other FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change();
INSERT INTO other VALUES (7, 'not of t');
UPDATE other SET id = 8;
CREATE TRIGGER before_row BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change('t');
SELECT tests.refusal($$INSERT INTO other VALUES (9, 'not of t')$$);
SELECT * FROM other;
DROP TABLE other;
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
SELECT count(*), count(*) FILTER (WHERE v = 'not of t') AS strange FROM t;
SELECT finish_conversion('t');
DROP TABLE t;
-- Who asks may write times and dates in another way than the worker does.
SET TimeZone = 'America/St_Johns';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -3;
SET bytea_output = escape;
SET quote_all_identifiers = on;
CREATE TABLE t (
    at timestamptz NOT NULL DEFAULT '05/06/2024 12:00 Europe/Berlin', f float8 DEFAULT 0.1, i interval DEFAULT '1 day 02:03:04', b bytea DEFAULT '\x00ff',
    CHECK (at > '01/02/2000 00:30'), CHECK (i < '400 days'), CHECK (f <> 0.30000000000000004)
);
CREATE INDEX ON t (at) WHERE at > '03/04/2024';
INSERT INTO t SELECT '05/06/2024 00:30 UTC'::timestamptz + n * interval '1 hour' FROM generate_series(0, 99) n;
SELECT statement FROM convert_to_partitioned('t', 'at', 'range', '12 hours', range_start => '05/06/2024', range_end => '07/06/2024') WHERE statement ~ ' PARTITION OF ';
CALL wait_for_conversion('t', '240 s');
SELECT phase, last_error FROM partman_rs.conversions WHERE source = 't'::regclass;
SELECT tableoid::regclass, count(*), min(at), max(at) FROM t GROUP BY 1 ORDER BY 3;
SELECT finish_conversion('t');
DROP TABLE t;
RESET ALL;
SET client_min_messages = warning;
-- Wishes in a hurry: none is lost, whatever the worker is just about to do.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
CREATE PROCEDURE tests.hurry(times int) LANGUAGE plpgsql AS $$
DECLARE has_swapped boolean;
BEGIN
    <<round>>
    FOR i IN 1 .. times LOOP
        PERFORM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
        COMMIT;
        PERFORM pg_sleep(i * 0.004);
        FOR turn IN 1 .. 2 LOOP
            has_swapped := false;
            BEGIN
                PERFORM pause_conversion('t');
            EXCEPTION WHEN object_not_in_prerequisite_state THEN
                has_swapped := true;
            END;
            COMMIT;
            IF has_swapped THEN
                PERFORM finish_conversion('t');
                DROP TABLE t;
                CREATE TABLE t (id int PRIMARY KEY, v text);
                INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 100) n;
                COMMIT;
                CONTINUE round;
            END IF;
            EXIT WHEN turn = 2;
            CALL tests.comes_to('paused');
            -- One after the other, read by the worker or not.
            PERFORM resume_conversion('t'), pause_conversion('t');
            COMMIT;
            PERFORM pg_sleep(i * 0.002);
            PERFORM resume_conversion('t');
            COMMIT;
        END LOOP;
        CALL tests.comes_to('paused');
        PERFORM cancel_conversion('t');
        COMMIT;
        CALL tests.comes_to('cancelled');
    END LOOP;
END $$;
CALL tests.hurry(15);
TABLE tests.residue;
SELECT count(*) FROM t;
DROP TABLE t;
DROP PROCEDURE tests.hurry;
TABLE tests.residue;
