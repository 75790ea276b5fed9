\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- The row type of a table is another one when the table is partitioned. What names it is bound to that; what holds values of it, or
-- cannot be bound anew, is refused, with the reason.
SET client_min_messages = error;
CREATE ROLE regress_reader;
CREATE SCHEMA "odd schema";
GRANT USAGE ON SCHEMA "odd schema" TO regress_reader;
SET search_path = "odd schema", public;
CREATE TABLE "T 😀 ""q""" (id int PRIMARY KEY, gone int, k int NOT NULL, "V v" text);
ALTER TABLE "T 😀 ""q""" DROP COLUMN gone;
INSERT INTO "T 😀 ""q""" SELECT i, i, 'v' || i FROM generate_series(1, 300) i;
CREATE TABLE other (id int PRIMARY KEY, of int);
INSERT INTO other VALUES (1, 1);
CREATE VIEW whole AS SELECT row_to_json(t.*) AS json, (t."V v" IS NULL) AS is_null, count(t.*) AS n, NULL::"T 😀 ""q""" IS NULL AS typed FROM "T 😀 ""q""" t WHERE t.id = 7 GROUP BY t.id, t.k, t."V v", t.*;
CREATE VIEW type_only AS SELECT (jsonb_populate_record(NULL::"T 😀 ""q""", '{"id": 5, "k": 6}')).k, '{}'::"T 😀 ""q"""[] = '{}' AS empty;
CREATE MATERIALIZED VIEW held AS SELECT (jsonb_populate_record(NULL::"T 😀 ""q""", '{"id": 5}')).id;
CREATE FUNCTION in_body(doc jsonb DEFAULT to_jsonb(NULL::"T 😀 ""q""")) RETURNS text LANGUAGE sql
    BEGIN ATOMIC SELECT (jsonb_populate_record(NULL::"T 😀 ""q""", doc))."V v"; END;
CREATE FUNCTION in_default(int DEFAULT CASE WHEN NULL::"T 😀 ""q""" IS NULL THEN 3 END) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION compiled() RETURNS text LANGUAGE plpgsql AS $$
DECLARE line "T 😀 ""q"""; again "T 😀 ""q"""%ROWTYPE;
BEGIN
    SELECT * INTO line FROM "T 😀 ""q""" WHERE id = 7;
    again := line;
    RETURN again."V v";
END $$;
SELECT compiled();
CREATE VIEW calls AS SELECT in_body('{"V v": "called"}'), in_default();
CREATE POLICY typed ON other USING (NULL::"T 😀 ""q""" IS NULL AND id < 5);
CREATE POLICY typed ON "T 😀 ""q""" USING (NULL::"T 😀 ""q"""[] IS NULL);
CREATE RULE typed AS ON UPDATE TO other WHERE NULL::"T 😀 ""q""" IS NOT NULL DO INSTEAD NOTHING;
CREATE TRIGGER typed BEFORE UPDATE ON "T 😀 ""q""" FOR EACH ROW WHEN (OLD IS NOT DISTINCT FROM NEW) EXECUTE FUNCTION suppress_redundant_updates_trigger();
REVOKE ALL ON TYPE "T 😀 ""q""" FROM PUBLIC;
GRANT USAGE ON TYPE "T 😀 ""q""" TO regress_reader WITH GRANT OPTION;
SET ROLE regress_reader;
GRANT USAGE ON TYPE "odd schema"."T 😀 ""q""" TO pg_monitor;
RESET ROLE;
COMMENT ON TYPE "T 😀 ""q""" IS 'a row';
ALTER INDEX "T 😀 ""q""_pkey" DEPENDS ON EXTENSION plpgsql;
SET client_min_messages = warning;
SELECT kind, object, fate, reason FROM conversion_manifest('"T 😀 ""q"""', 'k') WHERE kind NOT IN ('column', 'not-null constraint');
CREATE TEMP TABLE before AS SELECT oid, proname AS name FROM pg_proc WHERE pronamespace = '"odd schema"'::regnamespace;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"T 😀 ""q"""', 'k', 'range', '100', premake => 0);
CALL wait_for_conversion('"T 😀 ""q"""');
SELECT typname, typacl, obj_description(oid, 'pg_type') AS comment FROM pg_type WHERE typrelid = '"T 😀 ""q"""'::regclass;
SELECT name FROM before JOIN pg_proc p USING (oid) ORDER BY 1;
SELECT pg_describe_object(classid, objid, objsubid) AS named_by FROM pg_depend
 WHERE refobjid IN ('"T 😀 ""q"""'::regtype, '"T 😀 ""q"""[]'::regtype) AND deptype = 'n' ORDER BY 1;
SELECT pg_describe_object(classid, objid, objsubid) AS left_behind FROM pg_depend
 WHERE refobjid IN ('"T 😀 ""q""_retired"'::regtype, '"T 😀 ""q""_retired"[]'::regtype) AND deptype = 'n' ORDER BY 1;
SELECT objid::regclass, deptype FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'x' AND classid = 'pg_class'::regclass ORDER BY 1;
TABLE whole;
TABLE type_only;
REFRESH MATERIALIZED VIEW held;
TABLE held;
TABLE calls;
SELECT compiled();
UPDATE other SET of = 2;
SELECT finish_conversion('"T 😀 ""q"""');
DROP SCHEMA "odd schema" CASCADE;
RESET search_path;
DROP ROLE regress_reader;

-- What is refused, one by one; each is undone again.
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v text, i int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE other (id int PRIMARY KEY);
-- Values of the row type are stored elsewhere.
SELECT tests.with_it('ALTER TABLE other ADD COLUMN whole t');
SELECT tests.with_it('ALTER TABLE other ADD COLUMN many t[]');
SELECT tests.with_it('CREATE TYPE c AS (whole t); ALTER TABLE other ADD x c[]');
SELECT tests.with_it('CREATE DOMAIN d AS t[]; ALTER TABLE other ADD x d');
SELECT tests.with_it('CREATE TYPE r AS RANGE (subtype = t)');
SELECT tests.with_it('CREATE VIEW w AS SELECT t FROM t');
SELECT tests.with_it('CREATE VIEW w AS SELECT array_agg(t) AS all_of_it FROM t');
SELECT tests.with_it('CREATE MATERIALIZED VIEW w AS SELECT t FROM t');
-- What names it and is not made anew.
SELECT tests.with_it('ALTER TABLE other ADD x bool DEFAULT (NULL::t IS NULL)');
SELECT tests.with_it('ALTER TABLE other ADD CHECK (NULL::t IS NULL)');
SELECT tests.with_it('CREATE INDEX ON other (id) WHERE NULL::t IS NULL');
SELECT tests.with_it('CREATE FUNCTION f(t, t) RETURNS bool LANGUAGE sql AS ''SELECT $1.id = $2.id''; CREATE OPERATOR === (LEFTARG = t, RIGHTARG = t, FUNCTION = f)');
-- Of the table itself, what is made when the name is still the source's.
SELECT tests.with_it('ALTER TABLE t ALTER v SET DEFAULT (NULL::t IS NULL)::text');
SELECT tests.with_it('ALTER TABLE t ADD CHECK (NULL::t IS NULL)');
SELECT tests.with_it('CREATE INDEX ON t (id) WHERE NULL::t IS NULL');
SELECT tests.with_it('CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (NULL::t IS NULL) EXECUTE FUNCTION suppress_redundant_updates_trigger()');
-- Whole rows.
SELECT tests.with_it('ALTER TABLE t ADD CHECK (t IS NOT NULL), ADD CHECK (''{VAR :varno 1 :varattno 0 '' <> v)');
SELECT tests.with_it('CREATE INDEX ON t ((t IS NULL)); CREATE INDEX ON t (id) WHERE t IS NOT NULL');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS bool IMMUTABLE LANGUAGE sql AS ''SELECT $1.id > 0''; CREATE INDEX ON t (f(t))');
-- Extensions, of the table and of what is made anew with it.
SELECT tests.with_it('ALTER EXTENSION plpgsql ADD TABLE t');
SELECT tests.with_it('ALTER EXTENSION plpgsql ADD SEQUENCE t_i_seq');
SELECT tests.with_it('CREATE SEQUENCE s OWNED BY t.k; ALTER EXTENSION plpgsql ADD SEQUENCE s');
-- Uses of the sequence of an identity column.
SELECT tests.with_it('ALTER TABLE other ALTER id SET DEFAULT nextval(''t_i_seq'')');
SELECT tests.with_it('CREATE VIEW w AS SELECT last_value FROM t_i_seq');
SELECT tests.with_it('ALTER TABLE t ALTER v SET DEFAULT currval(''t_i_seq'')::text');
-- A primary key that is extended determines nothing by itself any more.
SELECT tests.with_it('CREATE VIEW w AS SELECT id, k, v FROM t GROUP BY id');
SELECT tests.with_it('ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, k); CREATE VIEW w AS SELECT id, k, v FROM t GROUP BY id, k');
SELECT tests.with_it('CREATE FUNCTION f() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT v FROM t GROUP BY id; END');
-- The manifest tells each.
ALTER TABLE other ADD COLUMN whole t;
ALTER TABLE other ALTER id SET DEFAULT nextval('t_i_seq');
ALTER EXTENSION plpgsql ADD TABLE t;
INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'some provider', 'it''s secret'),
    ('t'::regclass, 'pg_class'::regclass, 2, 'dummy', 'secret'), ('t'::regtype, 'pg_type'::regclass, 0, 'dummy', 'of rows'),
    ('t_i_seq'::regclass, 'pg_class'::regclass, 0, 'dummy', 'of numbers'), ('other'::regclass, 'pg_class'::regclass, 0, 'dummy', 'of another');
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE fate = 'refused' OR kind = 'security label';
-- Security labels are given to what is made anew, partitions among them.
ALTER EXTENSION plpgsql DROP TABLE t;
ALTER TABLE other DROP COLUMN whole, ALTER id DROP DEFAULT;
SELECT phase, statement FROM convert_to_partitioned('t', 'k', 'range', '10', range_start => '0', range_end => '10', premake => 0, dry_run => true)
 WHERE statement LIKE 'SECURITY LABEL%';
DELETE FROM pg_seclabel;
DROP TABLE t, other;
TABLE tests.residue;
