\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Foreign keys of the table that point at itself: validated on the new table before the swap.
SET client_min_messages = error;
CREATE ROLE regress_owner;
GRANT CREATE ON SCHEMA public TO regress_owner;
SET client_min_messages = warning;
CREATE TABLE "Tree" (gone int, id int PRIMARY KEY, k int NOT NULL, parent int, "The k" int, boss int DEFAULT 1, UNIQUE (k, id));
ALTER TABLE "Tree" DROP COLUMN gone;
INSERT INTO "Tree" (id, k, parent, "The k") SELECT i, i % 10, nullif(i / 2, 0), CASE WHEN i > 1 THEN i / 2 % 10 END FROM generate_series(1, 300) i;
ALTER TABLE "Tree" OWNER TO regress_owner;
ALTER TABLE "Tree" ADD CONSTRAINT "grows ""q""" FOREIGN KEY (parent) REFERENCES "Tree" ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "Tree" ADD CONSTRAINT "both" FOREIGN KEY ("The k", parent) REFERENCES "Tree" (k, id) ON DELETE SET NULL ("The k");
ALTER TABLE "Tree" ADD CONSTRAINT deferred FOREIGN KEY (boss) REFERENCES "Tree" DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE "Tree" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON CONSTRAINT "grows ""q""" ON "Tree" IS 'upwards';
CREATE TABLE leaf (tree int REFERENCES "Tree");
CREATE VIEW keys AS
SELECT conrelid::regclass::text AS of, conname, confrelid::regclass::text AS to, pg_get_constraintdef(k.oid) AS definition, convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid) AS fires
  FROM pg_constraint k WHERE contype = 'f' AND conparentid = 0 AND conrelid = confrelid;
CREATE TEMP TABLE before AS TABLE keys;
SELECT kind, object, fate, reason FROM conversion_manifest('"Tree"', 'id') WHERE kind = 'foreign key';
SELECT phase, statement, lock, note FROM convert_to_partitioned('"Tree"', 'id', 'range', '100', premake => 0, dry_run => true) WHERE statement ~ 'ADD CONSTRAINT ("both|deferred|"grows)';
-- Who writes there keeps the swap off.
BEGIN;
LOCK TABLE leaf IN ROW EXCLUSIVE MODE;
PREPARE TRANSACTION 'writer';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"Tree"', 'id', 'range', '100', premake => 0);
CALL tests.comes_to('swapping');
CALL tests.until($$SELECT count(*) = 6 FROM keys$$);
SELECT * FROM keys WHERE of = '"Tree_twin"' ORDER BY conname COLLATE "C";
-- Those of the table act.
DELETE FROM "Tree" WHERE id = 100;
UPDATE "Tree" SET id = 1000 WHERE id = 60;
SELECT id, parent FROM "Tree" WHERE parent IN (60, 100, 1000) ORDER BY id;
SELECT tests.refusal('INSERT INTO "Tree" VALUES (1001, 1, -1)');
-- What comes and goes meanwhile is followed.
ALTER TABLE "Tree" DROP CONSTRAINT "both";
ALTER TABLE "Tree" ADD CONSTRAINT late FOREIGN KEY (k, id) REFERENCES "Tree" (k, id);
COMMENT ON CONSTRAINT deferred ON "Tree" IS 'made meanwhile';
COMMIT PREPARED 'writer';
CALL wait_for_conversion('"Tree"', '240 s');
SELECT * FROM keys WHERE of = '"Tree"' EXCEPT TABLE before ORDER BY 2;
TABLE before EXCEPT SELECT * FROM keys ORDER BY 2;
-- Each acts, across partitions.
SELECT tests.refusal('INSERT INTO "Tree" VALUES (1001, 1, -1)');
UPDATE "Tree" SET id = 1002 WHERE id = 1000;
SELECT id, parent FROM "Tree" WHERE parent = 1002 ORDER BY id;
BEGIN;
INSERT INTO "Tree" VALUES (1003, 1, NULL, NULL, 4000);
SELECT tests.refusal('SET CONSTRAINTS deferred IMMEDIATE');
ROLLBACK;
DELETE FROM "Tree" WHERE id = 3;
SELECT count(*) AS orphans FROM "Tree" t WHERE NOT EXISTS (SELECT FROM "Tree" p WHERE p.id = t.parent) AND parent IS NOT NULL;
CALL tests.until($$SELECT foreign_keys_to_validate = 0 FROM partman_rs.conversions WHERE source = '"Tree"'::regclass$$);
SELECT finish_conversion('"Tree"');
DROP TABLE "Tree" CASCADE;

-- Rows that violate a key that claims to be valid stop the conversion, until they are mended.
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t);
INSERT INTO t VALUES (1, NULL), (2, 1);
SET session_replication_role = replica;
INSERT INTO t VALUES (11, 9);
RESET session_replication_role;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL tests.comes_to('failed');
SELECT last_error, last_error_detail, last_error_hint, last_sqlstate FROM partman_rs.conversions WHERE source = 't'::regclass;
UPDATE t SET parent = 2 WHERE id = 11;
SELECT resume_conversion('t');
CALL wait_for_conversion('t', '240 s');
SELECT * FROM keys WHERE of = 't';
SELECT finish_conversion('t');
DROP TABLE t;

-- What is taken back leaves nothing.
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t);
INSERT INTO t SELECT i, 1 FROM generate_series(1, 10) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL tests.until($$SELECT count(*) = 2 FROM keys$$);
SELECT cancel_conversion('t');
COMMIT PREPARED 'reader';
CALL tests.comes_to('cancelled');
SELECT * FROM keys;
DROP TABLE t;

-- What cannot be carried.
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, parent int);
ALTER TABLE t OWNER TO regress_owner;
CREATE FUNCTION tests.with_key(ddl text, key text DEFAULT 'id') RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    BEGIN
        EXECUTE ddl;
        answer := tests.refusal(format($q$SELECT convert_to_partitioned('t', %L, 'range', '10')$q$, key));
        RAISE EXCEPTION USING ERRCODE = 'P0098';
    EXCEPTION WHEN SQLSTATE 'P0098' THEN
        RETURN answer;
    END;
END $$;
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES t', 'k');
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES t; ALTER TABLE t DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES t; REVOKE ALL ON t FROM regress_owner; GRANT SELECT, TRIGGER ON t TO regress_owner');
DROP FUNCTION tests.with_key(text, text);
DROP VIEW keys;
DROP TABLE t, leaf;
SET client_min_messages = error;
REVOKE ALL ON SCHEMA public FROM regress_owner;
DROP ROLE regress_owner;
TABLE tests.residue;
