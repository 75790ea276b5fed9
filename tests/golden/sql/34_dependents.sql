\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What hangs on a table hangs on the result: the same description of everything before and after, and the same effects.
SET client_min_messages = error;
CREATE ROLE regress_reader;
CREATE ROLE regress_writer;
CREATE SCHEMA "odd schema";
GRANT USAGE ON SCHEMA "odd schema" TO regress_reader, regress_writer;
SET search_path = "odd schema", public;
CREATE TABLE noted (what text, n bigint);
CREATE TABLE other (id int PRIMARY KEY, v text);
CREATE TABLE third AS SELECT 7 AS id;
GRANT SELECT ON third TO regress_reader;
INSERT INTO other SELECT i, 'other ' || i FROM generate_series(1, 40) i;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = "odd schema" AS $$
BEGIN
    INSERT INTO noted VALUES (format('%s %s %s', TG_NAME, TG_WHEN, TG_OP), (SELECT count(*) FROM other));
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TABLE "T ON public.x " (id int PRIMARY KEY, k int NOT NULL, gone int, "V v" text COLLATE "C" DEFAULT 'x', tag text[]);
ALTER TABLE "T ON public.x " DROP COLUMN gone;
INSERT INTO "T ON public.x " SELECT i, i, 'v' || i, ARRAY['a'] FROM generate_series(1, 100) i;
-- Triggers, of each kind and state.
CREATE TRIGGER " ON " BEFORE INSERT OR UPDATE OF "V v", tag ON "T ON public.x " FOR EACH ROW WHEN (NEW."V v" <> ' ON "odd schema"."T ON public.x " ') EXECUTE FUNCTION noted('a''b', '\');
COMMENT ON TRIGGER " ON " ON "T ON public.x " IS 'a comment';
CREATE TRIGGER statement AFTER UPDATE ON "T ON public.x " REFERENCING OLD TABLE AS "was" NEW TABLE AS "is" FOR EACH STATEMENT EXECUTE FUNCTION noted();
CREATE TRIGGER truncated BEFORE TRUNCATE ON "T ON public.x " EXECUTE FUNCTION noted();
ALTER TRIGGER truncated ON "T ON public.x " DEPENDS ON EXTENSION plpgsql;
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR DELETE ON "T ON public.x " FROM other DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TRIGGER off AFTER DELETE ON "T ON public.x " FOR EACH ROW EXECUTE FUNCTION noted();
ALTER TABLE "T ON public.x " DISABLE TRIGGER off;
CREATE TRIGGER always AFTER DELETE ON "T ON public.x " FOR EACH ROW EXECUTE FUNCTION noted();
ALTER TABLE "T ON public.x " ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER replica AFTER DELETE ON "T ON public.x " FOR EACH STATEMENT EXECUTE FUNCTION noted();
ALTER TABLE "T ON public.x " ENABLE REPLICA TRIGGER replica;
-- Policies here and elsewhere.
CREATE POLICY few ON "T ON public.x " FOR SELECT TO regress_reader, regress_writer
    USING (id > 90 OR EXISTS (SELECT FROM third o WHERE o.id = "T ON public.x ".id));
CREATE POLICY "no nulls" ON "T ON public.x " AS RESTRICTIVE TO PUBLIC USING (true) WITH CHECK ("V v" IS NOT NULL);
CREATE POLICY writes ON "T ON public.x " FOR INSERT TO regress_writer WITH CHECK (id > 1000);
COMMENT ON POLICY few ON "T ON public.x " IS 'only few';
ALTER TABLE "T ON public.x " ENABLE ROW LEVEL SECURITY;
ALTER TABLE "T ON public.x " FORCE ROW LEVEL SECURITY;
CREATE POLICY mentions ON other FOR SELECT USING (EXISTS (SELECT FROM "T ON public.x " t WHERE t.id = other.id AND t."V v" = 'v9'));
CREATE POLICY writes ON other FOR INSERT TO regress_writer WITH CHECK (other.id IN (SELECT id FROM "T ON public.x "));
ALTER TABLE other ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON other TO regress_reader;
GRANT SELECT, INSERT ON "T ON public.x " TO regress_reader, regress_writer;
-- Rules here and elsewhere.
CREATE RULE also AS ON UPDATE TO "T ON public.x " WHERE OLD.id = 5 DO ALSO INSERT INTO noted VALUES ('also', OLD.id + NEW.k);
CREATE RULE off AS ON DELETE TO "T ON public.x " DO INSTEAD NOTHING;
ALTER TABLE "T ON public.x " DISABLE RULE off;
COMMENT ON RULE also ON "T ON public.x " IS 'a rule';
CREATE RULE follows AS ON DELETE TO other DO ALSO DELETE FROM "T ON public.x " WHERE id = OLD.id;
-- Views upon views, with privileges, comments, defaults, triggers and rules of their own.
CREATE VIEW inner_view ("I", "renamed column") WITH (security_barrier) AS
    SELECT id, "V v" FROM "T ON public.x " WHERE k > 3 WITH LOCAL CHECK OPTION;
ALTER VIEW inner_view ALTER "renamed column" SET DEFAULT 'by the view';
CREATE VIEW invoker WITH (security_invoker) AS SELECT count(*) AS n FROM "T ON public.x ";
CREATE VIEW outer_view AS SELECT a."I", b.n FROM inner_view a, invoker b, "T ON public.x " c WHERE c.id = a."I";
CREATE VIEW named AS SELECT "I" FROM inner_view;
CREATE RULE instead AS ON DELETE TO named DO INSTEAD DELETE FROM "T ON public.x " WHERE id = OLD."I";
CREATE FUNCTION on_view() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER instead INSTEAD OF UPDATE ON outer_view FOR EACH ROW EXECUTE FUNCTION on_view();
COMMENT ON VIEW inner_view IS 'a view';
COMMENT ON COLUMN inner_view."I" IS 'a column of a view';
GRANT SELECT ("I") ON inner_view TO regress_reader;
GRANT SELECT ON outer_view, invoker TO regress_reader WITH GRANT OPTION;
CREATE RECURSIVE VIEW counted (n) AS SELECT min(id) FROM "T ON public.x " UNION ALL SELECT n + 1 FROM counted WHERE n < 4;
-- Materialized views, and what is upon them: they keep what they hold.
CREATE MATERIALIZED VIEW held (i, "V") AS SELECT id, max("V v") FROM "T ON public.x " GROUP BY id;
CREATE UNIQUE INDEX held_key ON held (i);
CREATE MATERIALIZED VIEW unfilled AS SELECT count(*) FROM "T ON public.x ", held WITH NO DATA;
CREATE VIEW over_held AS SELECT count(*) AS n, max(i) AS i FROM held;
COMMENT ON MATERIALIZED VIEW held IS 'held';
GRANT SELECT ON held TO regress_reader;
-- Functions with a parsed body.
CREATE FUNCTION counts(above int DEFAULT 0) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET work_mem = '1MB'
    BEGIN ATOMIC SELECT count(*) FROM "T ON public.x " WHERE k > above; END;
CREATE PROCEDURE deletes(which int) LANGUAGE sql
    BEGIN ATOMIC DELETE FROM "T ON public.x " WHERE id = which; END;
REVOKE ALL ON FUNCTION counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION counts TO regress_reader;
COMMENT ON FUNCTION counts IS 'counts';
-- Those whose signature names the row type.
ALTER DEFAULT PRIVILEGES IN SCHEMA "odd schema" GRANT EXECUTE ON FUNCTIONS TO regress_writer;
CREATE FUNCTION label("T ON public.x ") RETURNS text LANGUAGE sql STABLE AS 'SELECT $1."V v" || ''!''';
CREATE FUNCTION latest(n int DEFAULT 2) RETURNS SETOF "T ON public.x " LANGUAGE plpgsql STABLE ROWS 5 AS
    'BEGIN RETURN QUERY SELECT * FROM "odd schema"."T ON public.x " ORDER BY id DESC LIMIT n; END';
CREATE PROCEDURE takes("T ON public.x "[]) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION count_below("T ON public.x ") RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM "T ON public.x " t WHERE t.id < $1.id; END;
REVOKE ALL ON FUNCTION latest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION latest TO regress_reader WITH GRANT OPTION;
COMMENT ON FUNCTION latest IS 'the latest';
-- Statistics, the replica identity, publications.
CREATE STATISTICS two (ndistinct) ON k, id FROM "T ON public.x ";
CREATE STATISTICS expression ON (k % 10) FROM "T ON public.x ";
CREATE STATISTICS public.mixed (mcv, dependencies) ON k, (id % 10), (upper("V v")) FROM "T ON public.x ";
ALTER STATISTICS two SET STATISTICS 77;
COMMENT ON STATISTICS two IS 'two columns';
ALTER TABLE "T ON public.x " REPLICA IDENTITY USING INDEX "T ON public.x _pkey";
CREATE INDEX by_k ON "T ON public.x " (k);
ALTER TABLE "T ON public.x " CLUSTER ON by_k;
CREATE PUBLICATION "regress Pub" FOR TABLE "T ON public.x " (id, k) WHERE (id > 5 AND id <> 7), TABLE other WITH (publish_via_partition_root);
CREATE PUBLICATION regress_plain FOR TABLE "T ON public.x " WITH (publish_via_partition_root, publish = 'insert');
SET client_min_messages = warning;

-- Only since 18 NOT NULL constraints are among it.
SELECT * FROM conversion_manifest('"T ON public.x "', 'k') WHERE kind <> 'not-null constraint';
-- All of it, in words that do not name an OID.
\set ECHO none
CREATE VIEW public.described AS
SELECT 'trigger' AS what, tgname::text AS name, concat_ws(' / ', pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger')) AS text
  FROM pg_trigger WHERE tgrelid = to_regclass('"odd schema"."T ON public.x "') AND NOT tgisinternal
UNION ALL
SELECT 'policy', polname, concat_ws(' / ', polrelid::regclass, polcmd, polpermissive, polroles::regrole[]::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), obj_description(oid, 'pg_policy'))
  FROM pg_policy WHERE polrelid::regclass::text !~ 'retired'
UNION ALL
SELECT 'rule', r.rulename, concat_ws(' / ', pg_get_ruledef(r.oid), ev_enabled, obj_description(r.oid, 'pg_rewrite'))
  FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE relnamespace = to_regnamespace('"odd schema"') AND c.relname !~ 'retired'
UNION ALL
SELECT 'relation', c.relname, concat_ws(' / ', CASE WHEN c.relkind IN ('v', 'm') THEN c.oid END, pg_get_viewdef(c.oid), c.relispopulated, CASE c.relkind WHEN 'm' THEN c.relfilenode END, c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, obj_description(c.oid, 'pg_class'),
       (SELECT string_agg(concat_ws(':', attname, attacl, col_description(attrelid, attnum)), ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))
  FROM pg_class c WHERE c.relnamespace = to_regnamespace('"odd schema"') AND c.relkind IN ('v', 'm', 'r', 'p') AND NOT c.relispartition AND c.relname !~ 'retired'
UNION ALL
SELECT 'function', p.proname, concat_ws(' / ', CASE WHEN p.proname NOT IN ('label', 'latest', 'takes', 'count_below') THEN p.oid END, pg_get_functiondef(p.oid), (SELECT array_agg(a ORDER BY a::text) FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a), p.proowner::regrole, obj_description(p.oid, 'pg_proc'))
  FROM pg_proc p WHERE p.pronamespace = to_regnamespace('"odd schema"')
UNION ALL
SELECT 'statistics', stxname, concat_ws(' / ', pg_get_statisticsobjdef(oid), nullif(stxstattarget, -1), obj_description(oid, 'pg_statistic_ext'))
  FROM pg_statistic_ext WHERE stxname !~ 'retired'
UNION ALL
SELECT 'publication', pubname, concat_ws(' / ', prrelid::regclass, prattrs, pg_get_expr(prqual, prrelid)) FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid;
CREATE PROCEDURE public.effects(run int) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM noted;
    INSERT INTO "T ON public.x " VALUES (2000, 2000, 'new', '{}');
    UPDATE "T ON public.x " SET "V v" = 'changed' WHERE id IN (5, 6);
    DELETE FROM "T ON public.x " WHERE id = 8;
    SET CONSTRAINTS ALL IMMEDIATE;
    INSERT INTO effect SELECT run, 'noted', what, n FROM noted;
    INSERT INTO effect SELECT run, 'inner view', "renamed column", count(*) FROM inner_view GROUP BY 3;
    INSERT INTO effect SELECT run, 'outer view', '', count(*) FROM outer_view;
    INSERT INTO effect SELECT run, 'recursive view', '', sum(n) FROM counted;
    INSERT INTO effect SELECT run, 'over a materialized view', '', n FROM over_held;
    REFRESH MATERIALIZED VIEW CONCURRENTLY held;
    INSERT INTO effect SELECT run, 'refreshed', '', sum(i) FROM held;
    INSERT INTO effect SELECT run, 'row function', label(t), count_below(t) FROM latest(3) t;
    INSERT INTO effect SELECT run, 'function', '', counts(50);
    DELETE FROM named WHERE "I" = 11;
    CALL deletes(12);
    INSERT INTO effect SELECT run, 'deleted', '', count(*) FROM "T ON public.x " WHERE id IN (11, 12);
    SET LOCAL ROLE regress_reader;
    INSERT INTO effect SELECT run, 'policy', "V v", id FROM "T ON public.x ";
    INSERT INTO effect SELECT run, 'policy elsewhere', v, id FROM other;
    INSERT INTO effect SELECT run, 'security invoker', '', n FROM invoker;
    RESET ROLE;
    DELETE FROM "T ON public.x " WHERE id = 2000;
    UPDATE "T ON public.x " SET "V v" = 'v' || id WHERE id IN (5, 6);
    INSERT INTO "T ON public.x " SELECT i, i, 'v' || i, ARRAY['a'] FROM unnest(ARRAY[8, 11, 12]) i;
END $$;
\set ECHO all
CREATE TABLE effect (run int, what text, about text, n bigint);
GRANT INSERT ON effect TO regress_reader;
CALL effects(1);
REFRESH MATERIALIZED VIEW held;
CREATE TEMP TABLE before AS TABLE described;
SELECT phase, count(*) FROM convert_to_partitioned('"T ON public.x "', 'k', 'range', '25', undo_window => '1 day') WHERE phase IN ('prepared', 'swapping') GROUP BY phase;
CALL wait_for_conversion('"T ON public.x "');
SELECT what, name, text FROM (TABLE described EXCEPT TABLE before) AS appeared ORDER BY 1, 2, 3;
SELECT what, name, text FROM (TABLE before EXCEPT TABLE described) AS lost ORDER BY 1, 2, 3;
SELECT what, count(*) FROM before GROUP BY what ORDER BY what;
REFRESH MATERIALIZED VIEW unfilled;
SELECT * FROM unfilled;
REFRESH MATERIALIZED VIEW held;
CALL effects(2);
(SELECT what, about, n FROM effect WHERE run = 1 EXCEPT ALL SELECT what, about, n FROM effect WHERE run = 2)
UNION ALL
(SELECT what, about, n FROM effect WHERE run = 2 EXCEPT ALL SELECT what, about, n FROM effect WHERE run = 1);
SELECT what, count(*), sum(n) FROM effect WHERE run = 2 GROUP BY what ORDER BY what;
SELECT about, n FROM effect WHERE run = 2 AND what = 'noted' ORDER BY about COLLATE "C", n;
-- What is upon a partition.
SELECT relrowsecurity, relforcerowsecurity, relreplident, (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid) AS triggers,
       (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies,
       (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisclustered) AS clustered_on
  FROM pg_class c WHERE relname = 'T ON public.x _p25';
-- And upon one that maintenance makes.
SELECT set_partition_policy('"T ON public.x "', premake => 6);
SELECT partition, outcome FROM ensure_partitions('"T ON public.x "');
SELECT relrowsecurity, relforcerowsecurity, relreplident, (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid) AS triggers,
       (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisreplident) AS identity
  FROM pg_class c WHERE relname ~ '^T ON public.x _p2' AND relkind = 'r' ORDER BY relname COLLATE "C";
-- Nothing hangs on the retired table.
SELECT finish_conversion('"T ON public.x "');
SELECT stxname FROM pg_statistic_ext ORDER BY 1;

-- What comes, goes and changes while rows are copied.
CREATE TABLE late (id int PRIMARY KEY, k int NOT NULL);
INSERT INTO late SELECT i, i FROM generate_series(1, 50) i;
CREATE TRIGGER first AFTER INSERT ON late EXECUTE FUNCTION on_view();
CREATE TRIGGER second AFTER INSERT ON late EXECUTE FUNCTION on_view();
CREATE STATISTICS first_of_late ON id, k FROM late;
CREATE POLICY first ON late;
CREATE VIEW over_late AS SELECT id FROM late;
BEGIN;
SELECT count(*) FROM late;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('late', 'k', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
ALTER TABLE late DISABLE TRIGGER first;
CREATE TRIGGER third AFTER INSERT ON late EXECUTE FUNCTION on_view();
COMMENT ON TRIGGER third ON late IS 'made meanwhile';
DROP STATISTICS first_of_late;
CREATE STATISTICS second_of_late ON id, k FROM late;
ALTER STATISTICS second_of_late SET STATISTICS 5;
CREATE OR REPLACE VIEW over_late AS SELECT id, k FROM late;
CREATE VIEW made_meanwhile AS SELECT k FROM late;
CREATE FUNCTION made_meanwhile() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM late; END;
CREATE POLICY on_other ON other USING (EXISTS (SELECT FROM late));
-- Since 17 the warning about wal_level is worded otherwise.
SET client_min_messages = error;
CREATE PUBLICATION regress_late FOR TABLE late WITH (publish_via_partition_root);
SET client_min_messages = warning;
COMMIT PREPARED 'reader';
CALL wait_for_conversion('late', '240 s');
SELECT tgname, tgenabled, obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgrelid = 'late'::regclass ORDER BY 1;
SELECT stxname, stxstattarget, stxrelid::regclass FROM pg_statistic_ext WHERE stxname ~ 'late' ORDER BY 1;
-- Since 16 columns of the only relation of a view are written without its name.
SELECT v, replace(pg_get_viewdef(v), 'late.', '') AS definition FROM unnest('{over_late,made_meanwhile}'::regclass[]) v;
SELECT made_meanwhile();
SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'on_other';
SELECT polname, polrelid::regclass FROM pg_policy WHERE polname = 'first' ORDER BY 2::text COLLATE "C";
SELECT prrelid::regclass FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE pubname = 'regress_late';
SELECT finish_conversion('late');
-- What nobody could make again, and comes meanwhile, stops the conversion; the table stays as it is.
CREATE TABLE late2 (id int PRIMARY KEY);
INSERT INTO late2 VALUES (1);
BEGIN;
SELECT count(*) FROM late2;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('late2', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
CREATE TRIGGER rows AFTER INSERT ON late2 REFERENCING NEW TABLE AS new FOR EACH ROW EXECUTE FUNCTION on_view();
COMMIT PREPARED 'reader';
CALL tests.comes_to('failed');
SELECT tests.last_error();
SELECT cancel_conversion('late2');
CALL tests.comes_to('cancelled');
SELECT relkind FROM pg_class WHERE oid = 'late2'::regclass;
DROP TABLE late2;

DROP PUBLICATION "regress Pub", regress_plain, regress_late;
RESET search_path;
DROP VIEW public.described;
DROP PROCEDURE public.effects(int);
SET client_min_messages = error;
DROP SCHEMA "odd schema" CASCADE;
DROP ROLE regress_reader, regress_writer;
TABLE tests.residue;
