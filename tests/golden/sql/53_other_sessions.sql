\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What other sessions have prepared goes on; event triggers see what is run; the planner knows the result from its first moment.
SET client_min_messages = error;
CREATE ROLE regress_owner;
GRANT CREATE ON SCHEMA public TO regress_owner;
SET client_min_messages = warning;
CREATE TABLE t (id int PRIMARY KEY, gone int, k int NOT NULL, kind text, v numeric);
ALTER TABLE t DROP COLUMN gone;
ALTER TABLE t OWNER TO regress_owner;
INSERT INTO t SELECT i, i, 'kind ' || i % 7, i % 7 FROM generate_series(1, 3000) i;
CREATE STATISTICS together (ndistinct, dependencies, mcv) ON kind, v FROM t;
CREATE STATISTICS computed ON (k % 10), (upper(kind)) FROM t;
ALTER STATISTICS together OWNER TO regress_owner;
ALTER STATISTICS computed OWNER TO regress_owner;
CREATE INDEX by_expression ON t ((k % 100));
ALTER TABLE t ALTER kind SET STATISTICS 50;
-- Prepared, with plans for any value, and the same ones before and after the worker has completed its statistics.
SET plan_cache_mode = force_generic_plan;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
PREPARE reads(int) AS SELECT * FROM t WHERE k = $1;
PREPARE counts AS SELECT count(*) FROM t;
PREPARE writes(int) AS UPDATE t SET v = v + 1 WHERE k = $1 RETURNING id, v;
PREPARE adds(int) AS INSERT INTO t (id, k, kind) VALUES ($1, $1, 'new') RETURNING id;
PREPARE deletes(int) AS DELETE FROM t WHERE id = $1 RETURNING k;
PREPARE whole AS SELECT t FROM t WHERE k = 1;
CREATE FUNCTION in_function(which int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line t; again t%ROWTYPE; answer text;
BEGIN
    SELECT * INTO line FROM t WHERE k = which;
    again := line;
    UPDATE t SET v = v + 1 WHERE k = which RETURNING v::text INTO answer;
    FOR line IN SELECT * FROM t WHERE k = which LOOP answer := answer || ' ' || line.kind || ' ' || again.id; END LOOP;
    RETURN answer;
END $$;
EXECUTE reads(5);
EXECUTE counts;
EXECUTE writes(5);
EXECUTE adds(5000);
EXECUTE deletes(5000);
EXECUTE whole;
SELECT in_function(5);
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT id, k FROM t WHERE k < 4 ORDER BY k;
FETCH held;
COMMIT;
-- An event trigger that writes down what is run, and by whom. Of partitions, each is as the other: two workers index them at once.
CREATE TABLE written (place serial, tag text, who text, object text);
GRANT INSERT ON written TO regress_owner;
GRANT USAGE ON SEQUENCE written_place_seq TO regress_owner;
CREATE FUNCTION write() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.written (tag, who, object) SELECT tg_tag, current_user, regexp_replace(c.object_identity, '(t_p|_)\d+', '\1…') FROM pg_event_trigger_ddl_commands() c;
END $$;
CREATE EVENT TRIGGER regress_write ON ddl_command_end EXECUTE FUNCTION write();
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '1000', premake => 0, default_partition => false);
CALL wait_for_conversion('t', '240 s');
DROP EVENT TRIGGER regress_write;
SELECT tag, who, object, count(*) FROM written WHERE tag !~ 'GRANT|REVOKE' AND object !~ 'not_null' GROUP BY 1, 2, 3 ORDER BY min(place);
-- What the planner knows: of each partition, and of all together.
SELECT c.relname, c.relkind, s.inherited, count(*) AS columns, (SELECT reltuples FROM pg_class WHERE oid = c.oid) AS rows
  FROM pg_partition_tree('t') p JOIN pg_class c ON c.oid = p.relid LEFT JOIN pg_stats s ON s.schemaname = 'public' AND s.tablename = c.relname
 GROUP BY c.oid, c.relname, c.relkind, s.inherited ORDER BY 1;
SELECT tablename, inherited, attname, n_distinct FROM pg_stats WHERE tablename IN (SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'by_expression'::regclass) ORDER BY 1;
SELECT statistics_name, inherited, n_distinct, dependencies, most_common_vals IS NOT NULL AS mcv FROM pg_stats_ext WHERE tablename = 't' ORDER BY 1;
SELECT statistics_name, expr, inherited, n_distinct FROM pg_stats_ext_exprs WHERE tablename = 't' ORDER BY 1, 2;
-- What was prepared.
EXECUTE reads(5);
EXECUTE counts;
EXECUTE writes(5);
EXECUTE adds(0);
EXECUTE deletes(0);
SELECT in_function(5);
FETCH held;
CLOSE held;
EXPLAIN (COSTS OFF) EXECUTE reads(5);
-- Whole rows are of another type now; a client that prepares it again goes on.
EXECUTE whole;
DEALLOCATE whole;
PREPARE whole AS SELECT t FROM t WHERE k = 1;
EXECUTE whole;
DEALLOCATE ALL;
RESET plan_cache_mode;
RESET enable_indexscan;
RESET enable_bitmapscan;
SELECT finish_conversion('t');
DROP TABLE t, written;
DROP FUNCTION in_function, write;

-- An event trigger that refuses: at each stage the table is as it was, the job says what was refused, and goes on when it may.
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not on my watch: %', tg_tag; END $$;
CREATE FUNCTION refuse_renaming() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity ~ 'retired') THEN
        RAISE EXCEPTION 'no renaming' USING ERRCODE = 'insufficient_privilege', DETAIL = 'Rule 7.', HINT = 'Ask first.';
    END IF;
END $$;
CREATE FUNCTION refuse_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_type = 'trigger') THEN RAISE EXCEPTION 'no dropping'; END IF;
END $$;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v text);
INSERT INTO t SELECT i, i FROM generate_series(1, 300) i;
-- Which partition comes first is chance: several workers build indexes.
CREATE FUNCTION tests.told() RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(E'\n', phase, last_sqlstate, last_error, regexp_replace(last_error_detail, '_p\d+_', '_pN_'), last_error_hint,
                 (SELECT format('%s rows, %s', count(*), min(tableoid::regclass::text)) FROM t)) FROM partman_rs.conversions WHERE source = 't'::regclass $$;
-- Waits until the job has failed with such an error.
CREATE PROCEDURE tests.fails(how text) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 4800 LOOP
        COMMIT;
        IF EXISTS (SELECT FROM partman_rs.conversions WHERE source = 't'::regclass AND phase = 'failed' AND worker_pid IS NULL
                     AND concat(last_error, ' ', last_error_detail) ~ how) THEN RETURN; END IF;
        PERFORM pg_sleep(0.05);
    END LOOP;
    RAISE EXCEPTION 'did not fail like that: %', tests.told();
END $$;
CREATE EVENT TRIGGER regress_refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse();
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL tests.until('t', 'failed');
SELECT tests.told();
DROP EVENT TRIGGER regress_refuse;
CREATE EVENT TRIGGER regress_refuse ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION refuse();
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT tests.told();
DROP EVENT TRIGGER regress_refuse;
CREATE EVENT TRIGGER regress_refuse ON ddl_command_end WHEN TAG IN ('ALTER INDEX') EXECUTE FUNCTION refuse();
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT tests.told();
DROP EVENT TRIGGER regress_refuse;
CREATE EVENT TRIGGER regress_refuse ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse_renaming();
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT tests.told();
DROP EVENT TRIGGER regress_refuse;
CREATE EVENT TRIGGER regress_refuse ON sql_drop EXECUTE FUNCTION refuse_drop();
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT tests.told();
-- Nor can it be taken back then; when it may, it can.
SELECT cancel_conversion('t');
CALL tests.fails('no dropping.* ON public.t$');
SELECT tests.told();
DROP EVENT TRIGGER regress_refuse;
-- One whose function names a table without its schema: workers have no search_path.
CREATE TABLE written (tag text);
CREATE FUNCTION unqualified() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER regress_refuse ON ddl_command_end EXECUTE FUNCTION unqualified();
SELECT cancel_conversion('t');
CALL tests.fails('"written" does not exist');
SELECT tests.told();
ALTER FUNCTION unqualified SET search_path = public;
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
SELECT tests.told();
DROP EVENT TRIGGER regress_refuse;
SELECT count(*) > 0 AS something FROM written;
DROP TABLE t, written;
DROP FUNCTION refuse, refuse_renaming, refuse_drop, unqualified, tests.told;
DROP PROCEDURE tests.fails;
DROP OWNED BY regress_owner;
DROP ROLE regress_owner;
TABLE tests.residue;
