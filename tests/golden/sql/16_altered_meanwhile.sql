\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What is done to the table by hand while it is converted. A prepared transaction keeps the swap away until it was done.
-- A change of the definition is noticed before the swap is tried, and named. Undone, the conversion goes on.
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
REVOKE SELECT ON t FROM PUBLIC;
COMMENT ON COLUMN t.v IS NULL;
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '30 s');
SELECT count(*), count(*) FILTER (WHERE v = 'while it has failed') AS changed FROM t;
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
CALL wait_for_conversion('t', '30 s');
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
CALL wait_for_conversion('t', '30 s');
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
CALL wait_for_conversion('t', '30 s');
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
    FOR i IN 1 .. times LOOP
        PERFORM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
        COMMIT;
        PERFORM pg_sleep(i * 0.004);
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
            CONTINUE;
        END IF;
        CALL tests.comes_to('paused');
        -- One after the other, read by the worker or not.
        PERFORM resume_conversion('t'), pause_conversion('t');
        COMMIT;
        PERFORM pg_sleep(i * 0.002);
        PERFORM resume_conversion('t');
        COMMIT;
        PERFORM pause_conversion('t');
        COMMIT;
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
