\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Functions, aggregates and casts that take or return rows of a table are made again with it, and what uses them is bound to those.
SET client_min_messages = error;
CREATE ROLE regress_reader;
CREATE SCHEMA "odd schema";
GRANT USAGE ON SCHEMA "odd schema" TO regress_reader;
SET search_path = "odd schema", public;
CREATE TABLE "T ""q""" (id int PRIMARY KEY, k int NOT NULL, "V v" text);
INSERT INTO "T ""q""" SELECT i, i, 'v' || i FROM generate_series(1, 30) i;
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO other VALUES (1), (7);
-- One is made of the other, which comes later by its name.
CREATE FUNCTION z_label("T ""q""") RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''row '' || $1.id';
CREATE FUNCTION "A loud"("T ""q""") RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT upper(z_label($1)); END;
CREATE FUNCTION latest(n int) RETURNS SETOF "T ""q""" STABLE LANGUAGE sql AS 'SELECT * FROM "odd schema"."T ""q""" ORDER BY id DESC LIMIT n';
CREATE FUNCTION overloaded("T ""q""") RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION overloaded(record) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END';
REVOKE ALL ON FUNCTION z_label("T ""q""") FROM PUBLIC;
GRANT EXECUTE ON FUNCTION z_label("T ""q""") TO regress_reader;
-- Casts; one of them is what a function is made of.
CREATE CAST ("T ""q""" AS text) WITH FUNCTION z_label("T ""q""") AS ASSIGNMENT;
COMMENT ON CAST ("T ""q""" AS text) IS 'a cast';
CREATE CAST (jsonb AS "T ""q""") WITH INOUT;
-- By functions of any row, which stay.
CREATE FUNCTION any_row(record) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 3; END';
CREATE CAST ("T ""q""" AS json) WITH FUNCTION row_to_json(record);
CREATE CAST ("T ""q""" AS int) WITH FUNCTION any_row(record);
CREATE CAST ("T ""q"""[] AS json) WITH FUNCTION array_to_json(anyarray);
CREATE FUNCTION a_cast("T ""q""") RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT '<' || $1::text || '>'; END;
-- Aggregates of each kind.
CREATE FUNCTION add_row(text, "T ""q""") RETURNS text LANGUAGE sql AS 'SELECT concat($1, ''+'', ($2).id)';
CREATE AGGREGATE rows_of(line "T ""q""") (SFUNC = add_row, STYPE = text, INITCOND = 'it''s ', PARALLEL = SAFE);
COMMENT ON AGGREGATE rows_of("T ""q""") IS 'an aggregate';
REVOKE ALL ON FUNCTION rows_of("T ""q""") FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rows_of("T ""q""") TO regress_reader;
CREATE FUNCTION largest("T ""q""", int) RETURNS "T ""q""" LANGUAGE sql AS 'SELECT CASE WHEN $1.id > $2 THEN $1 ELSE ROW($2, $2, ''made'')::"odd schema"."T ""q""" END';
CREATE FUNCTION its_id("T ""q""") RETURNS int LANGUAGE sql AS 'SELECT $1.id';
CREATE AGGREGATE largest_id(int) (SFUNC = largest, STYPE = "T ""q""", FINALFUNC = its_id, FINALFUNC_MODIFY = SHAREABLE);
CREATE FUNCTION array_length_of("T ""q"""[], "T ""q"""[]) RETURNS int LANGUAGE sql AS 'SELECT cardinality($1)';
CREATE AGGREGATE all_rows(VARIADIC "T ""q"""[]) (SFUNC = array_cat, STYPE = "T ""q"""[], SSPACE = 4096, FINALFUNC = array_length_of, FINALFUNC_EXTRA);
CREATE FUNCTION forth(int, "T ""q""") RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT coalesce($1, 0) + $2.id';
CREATE FUNCTION back(int, "T ""q""") RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 - $2.id';
CREATE AGGREGATE moving("T ""q""") (SFUNC = forth, STYPE = int, COMBINEFUNC = int4pl, MSFUNC = forth, MINVFUNC = back, MSTYPE = int, MINITCOND = '0', INITCOND = '0', PARALLEL = RESTRICTED);
CREATE FUNCTION rank_of(int, "T ""q""") RETURNS int LANGUAGE sql AS 'SELECT coalesce($1, 0) + 1';
CREATE AGGREGATE ranked(ORDER BY "T ""q""") (SFUNC = rank_of, STYPE = int);
-- What uses them.
CREATE VIEW labels AS SELECT t.id, z_label(t) AS label, "A loud"(t) AS loud, t::text AS cast_to, a_cast(t) AS cast_by, overloaded(t) FROM "T ""q""" t;
GRANT SELECT ON labels TO regress_reader;
CREATE VIEW of_function AS SELECT count(*) AS n FROM latest(5);
CREATE VIEW of_aggregate AS SELECT rows_of(t) FROM "T ""q""" t WHERE id < 4;
CREATE VIEW of_state AS SELECT largest_id(id) FROM other;
CREATE MATERIALIZED VIEW held AS SELECT id, z_label(t) AS label FROM "T ""q""" t WHERE id = 9;
CREATE FUNCTION labels_of(int) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT string_agg(z_label(t), ',' ORDER BY id) FROM "T ""q""" t WHERE id < $1; END;
CREATE FUNCTION count_latest() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM latest(4); END;
CREATE POLICY of_function ON other USING (id < (SELECT count(*) FROM latest(5)));
CREATE RULE of_function AS ON DELETE TO other WHERE (SELECT count(*) FROM latest(2)) = 2 DO INSTEAD NOTHING;
CREATE POLICY own ON "T ""q""" USING (z_label("T ""q""") <> 'row 30' OR current_user <> 'regress_reader');
CREATE RULE own AS ON UPDATE TO "T ""q""" WHERE z_label(NEW) = 'row 5' DO INSTEAD NOTHING;
ALTER TABLE "T ""q""" ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON "T ""q""" TO regress_reader;
CREATE VIEW effects AS
    SELECT 'labels' AS what, labels::text FROM labels WHERE id IN (7, 9)
    UNION ALL SELECT 'of_function', n::text FROM of_function
    UNION ALL SELECT 'of_aggregate', rows_of FROM of_aggregate
    UNION ALL SELECT 'of_state', largest_id::text FROM of_state
    UNION ALL SELECT 'held', held::text FROM held
    UNION ALL SELECT 'labels_of', labels_of(4)
    UNION ALL SELECT 'count_latest', count_latest()::text
    UNION ALL SELECT 'variadic', all_rows(t, t)::text FROM "T ""q""" t
    UNION ALL SELECT 'moving', max(m)::text FROM (SELECT moving(t) OVER (ORDER BY id ROWS 2 PRECEDING) AS m FROM "T ""q""" t) w
    UNION ALL SELECT 'ranked', ranked() WITHIN GROUP (ORDER BY t)::text FROM "T ""q""" t
    UNION ALL SELECT 'cast', concat(t::json, t::int, ARRAY[t]::json) FROM "T ""q""" t WHERE id = 8;
CREATE VIEW description AS
    SELECT pg_describe_object(p.tableoid, p.oid, 0) AS what, concat_ws('|', coalesce(p.proacl, acldefault('f', p.proowner)), obj_description(p.oid, 'pg_proc'), p.proparallel,
           CASE p.prokind WHEN 'a' THEN (SELECT (to_jsonb(a) - 'aggfnoid' - 'aggtranstype' - 'aggmtranstype')::text FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
                          ELSE pg_get_functiondef(p.oid) END) AS is
      FROM pg_proc p WHERE p.pronamespace = '"odd schema"'::regnamespace
    UNION ALL SELECT concat('cast ', castsource::regtype, ' AS ', casttarget::regtype), concat_ws('|', castfunc::regprocedure, castmethod, castcontext, obj_description(oid, 'pg_cast'))
      FROM pg_cast WHERE oid >= 16384
    UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = '"odd schema"'::regnamespace AND relkind = 'v' AND relname <> 'description'
    UNION ALL SELECT 'policy ' || polname, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname IN ('of_function', 'own') AND polrelid <> coalesce(to_regclass('"T ""q""_retired"'), 0)
    UNION ALL SELECT 'rule ' || rulename, pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename IN ('of_function', 'own') AND ev_class <> coalesce(to_regclass('"T ""q""_retired"'), 0);
CREATE TEMP TABLE described AS TABLE description;
CREATE TEMP TABLE done AS TABLE effects;
SELECT * FROM done ORDER BY what COLLATE "C", labels COLLATE "C";
SET client_min_messages = warning;
SELECT kind, object, fate, reason FROM conversion_manifest('"T ""q"""', 'k') WHERE kind IN ('function', 'aggregate', 'cast', 'view', 'materialized view', 'rule', 'policy');
-- Functions come before what is made of them; until nothing is bound to the old ones these are there under another name.
SELECT regexp_replace(regexp_replace(statement, 'aside_\d+', 'aside_…'), '\s+', ' ', 'g') AS statement
  FROM convert_to_partitioned('"T ""q"""', 'k', 'range', '10', premake => 0, dry_run => true)
 WHERE statement ~ 'z_label|a_cast|rows_of|CAST ' AND statement ~ '^(CREATE (CAST|OR REPLACE FUNCTION|AGGREGATE)|DROP|ALTER ROUTINE|ALTER POLICY|COMMENT)' AND statement !~ 'labels_of';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"T ""q"""', 'k', 'range', '10', premake => 0);
CALL wait_for_conversion('"T ""q"""');
-- Nothing differs, nothing is left.
(TABLE description EXCEPT TABLE described) UNION ALL (TABLE described EXCEPT TABLE description);
(TABLE effects EXCEPT TABLE done) UNION ALL (TABLE done EXCEPT TABLE effects);
REFRESH MATERIALIZED VIEW held;
TABLE held;
SELECT pg_describe_object(classid, objid, objsubid) AS left_behind FROM pg_depend
 WHERE refobjid IN ('"T ""q""_retired"'::regtype, '"T ""q""_retired"[]'::regtype) AND deptype = 'n' ORDER BY 1;
-- The retired table shows no more than it did.
SELECT polname, pg_get_expr(polqual, polrelid) AS shows FROM pg_policy WHERE polrelid = '"T ""q""_retired"'::regclass;
SELECT rulename FROM pg_rewrite WHERE ev_class = '"T ""q""_retired"'::regclass;
SELECT proname FROM pg_proc WHERE proname LIKE 'partman_rs_aside%';
SET ROLE regress_reader;
SELECT count(*), max(z_label(t)) FROM "T ""q""" t;
SELECT overloaded(t) FROM "T ""q""" t LIMIT 1;
RESET ROLE;
UPDATE "T ""q""" SET "V v" = 'new' WHERE id IN (5, 6);
SELECT id FROM "T ""q""" WHERE "V v" = 'new';
SELECT finish_conversion('"T ""q"""');
TABLE effects EXCEPT TABLE done;
DROP TABLE described, done;
SET client_min_messages = error;
DROP SCHEMA "odd schema" CASCADE;
RESET search_path;

-- What is refused, one by one; each is undone again.
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v text);
CREATE TABLE other (id int PRIMARY KEY);
-- Somebody else uses it.
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS ''SELECT 1''; ALTER TABLE other ALTER id SET DEFAULT f(NULL)');
-- Made of each other.
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS ''SELECT 1''; CREATE FUNCTION g(t) RETURNS int LANGUAGE sql RETURN f($1) + 1; CREATE OR REPLACE FUNCTION f(t) RETURNS int LANGUAGE sql RETURN g($1) + 1');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql RETURN 1; CREATE OR REPLACE FUNCTION f(t) RETURNS int LANGUAGE sql RETURN CASE WHEN $1.id > 0 THEN f($1) END');
-- Of an extension.
SELECT tests.with_it('CREATE CAST (t AS json) WITH INOUT; ALTER EXTENSION plpgsql ADD CAST (t AS json)');
-- Those who have to make them cannot.
GRANT CREATE ON SCHEMA public TO regress_reader;
GRANT USAGE ON TYPE t TO regress_reader;
CREATE TYPE secret AS ENUM ('1');
REVOKE ALL ON TYPE secret FROM PUBLIC;
CREATE FUNCTION step(int, t) RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION step(int, t) FROM PUBLIC;
SELECT tests.with_it('CREATE AGGREGATE g(t) (SFUNC = step, STYPE = int); ALTER AGGREGATE g(t) OWNER TO regress_reader');
SELECT tests.with_it('CREATE FUNCTION s(internal, t) RETURNS internal LANGUAGE internal AS ''array_agg_transfn''; CREATE FUNCTION e(internal) RETURNS numeric LANGUAGE internal AS ''numeric_avg''; CREATE AGGREGATE g(t) (SFUNC = s, STYPE = internal, FINALFUNC = e); ALTER AGGREGATE g(t) OWNER TO regress_reader');
SELECT tests.with_it('ALTER TABLE t OWNER TO regress_reader; CREATE FUNCTION f(t) RETURNS secret LANGUAGE sql AS ''SELECT ''''1''''::secret''; CREATE CAST (t AS secret) WITH FUNCTION f(t)');
CREATE SCHEMA hidden;
CREATE TYPE hidden.state AS ENUM ('1');
CREATE FUNCTION s(hidden.state, t) RETURNS hidden.state LANGUAGE sql AS 'SELECT $1';
SELECT tests.with_it('CREATE AGGREGATE g(t) (SFUNC = s, STYPE = hidden.state); ALTER AGGREGATE g(t) OWNER TO regress_reader');
SET client_min_messages = error;
DROP SCHEMA hidden CASCADE;
DROP FUNCTION step;
-- What is bound to another function by the same text: it was made before there was this one. The swap sees that, and leaves all as it was.
CREATE FUNCTION lab(record) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN ''of any''; END';
CREATE VIEW w AS SELECT lab(t) FROM t;
CREATE FUNCTION lab(t) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN ''of t''; END';
INSERT INTO t VALUES (1, 1, 'v');
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0);
CALL wait_for_conversion('t');
TABLE w;
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
DROP VIEW w;
DROP FUNCTION lab(t), lab(record);
DROP TYPE secret;
DROP TABLE t, other;
REVOKE CREATE ON SCHEMA public FROM regress_reader;
DROP ROLE regress_reader;
TABLE tests.residue;
