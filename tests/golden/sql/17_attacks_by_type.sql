\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Code of a table's owner that hides in operators, casts, types and event triggers: it runs with the owner's rights.
CREATE ROLE regress_eve LOGIN;
CREATE SCHEMA eve AUTHORIZATION regress_eve;
CREATE TABLE eve.canary (happened text, as_user name, super boolean);
ALTER TABLE eve.canary OWNER TO regress_eve;
GRANT INSERT ON eve.canary TO PUBLIC;
GRANT USAGE ON SCHEMA eve TO PUBLIC;
\c - regress_eve
CREATE FUNCTION eve.sing(what text) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO eve.canary VALUES (what, current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user));
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
-- Comparison functions of an operator class; only a superuser can make the class, but the functions are hers.
CREATE FUNCTION eve.less(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM eve.sing('operator'); RETURN $1 < $2; END $$;
CREATE FUNCTION eve.same(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM eve.sing('operator'); RETURN $1 = $2; END $$;
CREATE FUNCTION eve.compare(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM eve.sing('operator class'); RETURN sign($1 - $2)::int; END $$;
CREATE OPERATOR eve.<< (LEFTARG = int, RIGHTARG = int, FUNCTION = eve.less);
CREATE OPERATOR eve.== (LEFTARG = int, RIGHTARG = int, FUNCTION = eve.same);
-- A range type whose index calls her function.
CREATE FUNCTION eve.difference(int, int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM eve.sing('range type'); RETURN $1 - $2; END $$;
CREATE TYPE eve.span AS RANGE (subtype = int, subtype_diff = eve.difference);
-- A cast of a type of hers.
CREATE TYPE eve.pair AS (a int, b int);
CREATE FUNCTION eve.pair_text(eve.pair) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM eve.sing('cast'); RETURN $1.a::text; END $$;
CREATE CAST (eve.pair AS text) WITH FUNCTION eve.pair_text(eve.pair) AS IMPLICIT;
\c - postgres
CREATE OPERATOR CLASS eve.int_ops FOR TYPE int USING btree AS
    OPERATOR 1 eve.<<, OPERATOR 3 eve.==, FUNCTION 1 eve.compare(int, int);
\c - regress_eve
CREATE TABLE eve.t (id int NOT NULL, k int NOT NULL, s eve.span, p eve.pair);
CREATE UNIQUE INDEX ON eve.t (id eve.int_ops, k);
CREATE INDEX ON eve.t USING gist (s);
CREATE INDEX ON eve.t ((p::text));
INSERT INTO eve.t SELECT i, i, eve.span(i, i + 3), ROW(i, i)::eve.pair FROM generate_series(1, 2000) i;
\c - postgres
-- A superuser converts it, while rows are changed.
BEGIN;
LOCK TABLE eve.t IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
TRUNCATE eve.canary;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.t', 'k', 'range', '1000', premake => 0);
CALL tests.until('eve.t', 'swapping');
\c - regress_eve
BEGIN;
UPDATE eve.t SET id = id + 10000, s = eve.span(1, 2) WHERE k < 100;
DELETE FROM eve.t WHERE k BETWEEN 100 AND 199;
-- What her own statements did does not count; the worker does not see the changes before this is over.
TRUNCATE eve.canary;
COMMIT;
\c - postgres
COMMIT PREPARED 'reader';
CALL wait_for_conversion('eve.t', '240 s');
SELECT DISTINCT happened, as_user, super FROM eve.canary ORDER BY 1, 2, 3;
SELECT tableoid::regclass, count(*) FROM eve.t GROUP BY 1 ORDER BY 1;
SELECT finish_conversion('eve.t');
-- The worker may still be gathering its statistics.
DROP TABLE eve.t;
-- The same from the beginning: the copy and the index builds.
\c - regress_eve
CREATE TABLE eve.u (id int NOT NULL, k int NOT NULL, s eve.span, p eve.pair);
CREATE UNIQUE INDEX ON eve.u (id eve.int_ops, k);
CREATE INDEX ON eve.u USING gist (s);
CREATE INDEX ON eve.u ((p::text));
INSERT INTO eve.u SELECT i, i, eve.span(i, i + 3), ROW(i, i)::eve.pair FROM generate_series(1, 2000) i;
TRUNCATE eve.canary;
\c - postgres
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.u', 'k', 'range', '1000', premake => 0);
CALL wait_for_conversion('eve.u', '240 s');
SELECT DISTINCT happened, as_user, super FROM eve.canary ORDER BY 1, 2, 3;
SELECT finish_conversion('eve.u');
-- An event trigger sees each statement with the rights of the table's owner; what it sees with others is in our own schema.
CREATE TABLE eve.seen (tag text, as_user name, object text);
GRANT INSERT ON eve.seen TO PUBLIC;
CREATE FUNCTION eve.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO eve.seen SELECT command_tag, current_user, regexp_replace(object_identity, '_\d+', '_N') FROM pg_event_trigger_ddl_commands();
END $$;
\c - regress_eve
CREATE TABLE eve.w (id int PRIMARY KEY);
INSERT INTO eve.w VALUES (1);
\c - postgres
CREATE EVENT TRIGGER regress_watch ON ddl_command_end EXECUTE FUNCTION eve.watch();
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.w', 'id', 'range', '10', premake => 0);
CALL wait_for_conversion('eve.w', '240 s');
SELECT finish_conversion('eve.w');
DROP EVENT TRIGGER regress_watch;
SELECT DISTINCT tag, as_user, object FROM eve.seen ORDER BY 1, 2, 3;
-- One that refuses: the job fails with its words, nothing is left half-made, and it goes on when the trigger is gone.
CREATE FUNCTION eve.veto() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no % here', tg_tag USING HINT = 'Ask eve.';
END $$;
CREATE TABLE eve.x (id int PRIMARY KEY);
INSERT INTO eve.x VALUES (1);
CREATE EVENT TRIGGER regress_veto ON ddl_command_end WHEN tag IN ('CREATE TRIGGER', 'DROP TRIGGER') EXECUTE FUNCTION eve.veto();
SELECT count(*) > 0 AS started FROM convert_to_partitioned('eve.x', 'id', 'range', '10', premake => 0);
CALL wait_for_conversion('eve.x', '240 s');
SELECT phase, last_error, last_error_hint, last_sqlstate FROM partman_rs.conversions WHERE source = 'eve.x'::regclass;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'eve.x'::regclass;
INSERT INTO eve.x VALUES (2);
DROP EVENT TRIGGER regress_veto;
SELECT resume_conversion('eve.x');
CALL wait_for_conversion('eve.x', '240 s');
SELECT tableoid::regclass, count(*) FROM eve.x GROUP BY 1;
SELECT finish_conversion('eve.x');
SET client_min_messages = warning;
-- A worker that gathers statistics calls functions that write into another table: both would wait for each other.
CALL tests.workers_are_gone();
DROP SCHEMA eve CASCADE;
DROP ROLE regress_eve;
TABLE tests.residue;
