\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Foreign keys of other tables that point at the table: with actions, MATCH, deferrability, validity, comments. At any time those act
-- that point at the table in use, and no others.
SET client_min_messages = error;
CREATE ROLE regress_owner;
CREATE ROLE regress_other;
CREATE SCHEMA "odd schema" AUTHORIZATION regress_other;
GRANT USAGE, CREATE ON SCHEMA public TO regress_owner, regress_other;
SET client_min_messages = warning;
CREATE TABLE t (gone int, id int PRIMARY KEY, k int NOT NULL, UNIQUE (k, id));
ALTER TABLE t DROP COLUMN gone;
INSERT INTO t (id, k) SELECT i, i % 10 FROM generate_series(1, 300) i;
ALTER TABLE t OWNER TO regress_owner;
GRANT REFERENCES (id, k), SELECT ON t TO regress_other;
CREATE TABLE items (n int PRIMARY KEY, t int, k int, other int DEFAULT 1, note text);
INSERT INTO items SELECT i, i, i % 10, i FROM generate_series(1, 300) i;
CREATE TABLE "odd schema"."It""ems" (t int, k int);
INSERT INTO "odd schema"."It""ems" SELECT i, i % 10 FROM generate_series(1, 300) i;
ALTER TABLE "odd schema"."It""ems" OWNER TO regress_other;
ALTER TABLE items ADD CONSTRAINT cascades FOREIGN KEY (t) REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE items ADD CONSTRAINT "no action" FOREIGN KEY (other) REFERENCES t;
ALTER TABLE items ADD CONSTRAINT sets FOREIGN KEY (k, t) REFERENCES t (k, id) ON DELETE SET NULL (k) ON UPDATE SET DEFAULT;
ALTER TABLE "odd schema"."It""ems" ADD CONSTRAINT "full ""q""" FOREIGN KEY (t, k) REFERENCES t (id, k) MATCH FULL ON DELETE RESTRICT;
ALTER TABLE "odd schema"."It""ems" ADD CONSTRAINT deferred FOREIGN KEY (t) REFERENCES t DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE loose (t int);
INSERT INTO loose VALUES (1), (-1);
ALTER TABLE loose ADD CONSTRAINT loose FOREIGN KEY (t) REFERENCES t NOT VALID;
COMMENT ON CONSTRAINT cascades ON items IS 'goes along';
CREATE VIEW keys AS
SELECT conrelid::regclass AS of, replace(conname, k.oid::text, 'OID') AS conname, confrelid::regclass AS to, pg_get_constraintdef(k.oid) AS definition, convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = confrelid) AS there,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = conrelid) AS here
  FROM pg_constraint k WHERE contype = 'f' AND conparentid = 0 AND connamespace IN ('public'::regnamespace, '"odd schema"'::regnamespace);
CREATE TEMP TABLE before AS TABLE keys;
SELECT of, conname, definition, valid, comment FROM keys ORDER BY of::text COLLATE "C", conname COLLATE "C";
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'id') WHERE kind = 'foreign key';
SELECT phase, regexp_replace(statement, '(partman_rs_key_)\d+', '\1OID') AS statement, lock, details ->> 'run_as' AS run_as
  FROM convert_to_partitioned('t', 'id', 'range', '100', premake => 0, dry_run => true) WHERE statement ~ 'odd schema';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '100', premake => 0);
CALL tests.comes_to('swapping');
-- The reader lets nobody swap; what is made ahead is made when he has gone, or now and then.
CALL tests.until($$SELECT count(*) = 12 FROM keys$$);
SELECT of, "to", regexp_replace(conname, '\d+', 'OID') AS conname, definition, valid, there, here FROM keys WHERE "to" = 't_twin'::regclass
 ORDER BY of::text COLLATE "C", definition COLLATE "C";
-- The old ones act, and the new ones are in nobody's way.
BEGIN;
INSERT INTO t VALUES (1000, 0);
INSERT INTO items VALUES (1000, 1000, 0, 1);
UPDATE items SET other = 1000, t = 8, k = 8 WHERE n = 7;
COMMIT;
SELECT tests.refusal('INSERT INTO items VALUES (1001, 1001, 0, 1)');
SELECT tests.refusal('DELETE FROM t WHERE id = 1000');
-- What comes and goes meanwhile is followed.
BEGIN;
LOCK TABLE "odd schema"."It""ems" IN ROW EXCLUSIVE MODE;
PREPARE TRANSACTION 'writer';
COMMIT PREPARED 'reader';
ALTER TABLE items DROP CONSTRAINT sets;
ALTER TABLE items ADD CONSTRAINT late FOREIGN KEY (n) REFERENCES t;
ALTER TABLE items RENAME CONSTRAINT "no action" TO "no other action";
ALTER TABLE items ALTER CONSTRAINT "no other action" DEFERRABLE;
COMMENT ON CONSTRAINT loose ON loose IS 'loose';
ALTER TABLE loose RENAME TO "Loose";
COMMIT PREPARED 'writer';
CALL wait_for_conversion('t', '240 s');
SELECT tests.refusal('INSERT INTO items VALUES (1001, 1001, 0, 1)') ~ '^23503' AS is_refused;
CALL tests.until($$SELECT foreign_keys_to_validate = 0 AND last_error IS NULL AND NOT EXISTS (SELECT FROM keys WHERE "to" <> 't'::regclass OR conname ~ '^partman') FROM partman_rs.conversions WHERE source = 't'::regclass$$);
SELECT of, conname, definition, valid, comment, there, here FROM keys ORDER BY of::text COLLATE "C", conname COLLATE "C";
SELECT of, conname, definition, valid, comment FROM keys EXCEPT SELECT of, conname, definition, valid, comment FROM before ORDER BY 1, 2;
SELECT last_error FROM partman_rs.conversions WHERE source = 't'::regclass;
-- Each acts.
SELECT tests.refusal('INSERT INTO items VALUES (1001, 1001, 0, 1)');
SELECT tests.refusal('UPDATE items SET other = -1 WHERE n = 1');
SELECT tests.refusal('DELETE FROM t WHERE id = 1000') ~ '^23503' AS is_refused;
SELECT tests.refusal('DELETE FROM t WHERE id = 20') ~ '^23(001|503)' AS is_refused;
SELECT tests.refusal('INSERT INTO "Loose" VALUES (-2)');
BEGIN;
INSERT INTO "odd schema"."It""ems" VALUES (NULL, NULL), (-5, NULL) ON CONFLICT DO NOTHING;
ROLLBACK;
BEGIN;
UPDATE "odd schema"."It""ems" SET t = -5, k = NULL WHERE t = 30;
ROLLBACK;
BEGIN;
ALTER TABLE "odd schema"."It""ems" DROP CONSTRAINT "full ""q""";
INSERT INTO "odd schema"."It""ems" VALUES (-5);
SELECT tests.refusal('SET CONSTRAINTS "odd schema".deferred IMMEDIATE');
ROLLBACK;
DELETE FROM "odd schema"."It""ems" WHERE t = 30;
ALTER TABLE items DROP CONSTRAINT late;
UPDATE items SET other = 1 WHERE other = 30;
DELETE FROM t WHERE id = 30;
SELECT count(*) AS cascaded FROM items WHERE n = 30;
-- Partitions that are made have them, too.
INSERT INTO t VALUES (5000, 0);
INSERT INTO items VALUES (5000, NULL, NULL, 5000);
SELECT tests.refusal_by_part('DELETE FROM t WHERE id = 5000');
SELECT finish_conversion('t');
DROP TABLE t CASCADE;
SELECT count(*) FROM keys;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'items'::regclass;

-- What is taken back leaves nothing; a retired table that is to go at once stays until the keys are valid.
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 10);
TRUNCATE items;
INSERT INTO items SELECT i, i FROM generate_series(1, 10) i;
ALTER TABLE items ADD CONSTRAINT first FOREIGN KEY (t) REFERENCES t ON DELETE CASCADE;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL tests.until($$SELECT count(*) = 2 FROM keys$$);
-- Where somebody enables them, they are put to rest again.
ALTER TABLE items ENABLE TRIGGER ALL;
CALL tests.until($$SELECT here = 'D' FROM keys WHERE "to" = 't_twin'::regclass$$);
SELECT cancel_conversion('t');
COMMIT PREPARED 'reader';
CALL tests.comes_to('cancelled');
SELECT of, conname, "to", there, here FROM keys;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'items'::regclass;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0, undo_window => '0 s');
CALL tests.until($$SELECT EXISTS (SELECT FROM partman_rs.conversions WHERE source = 't'::regclass AND phase = 'finished')$$);
SELECT of, conname, "to", valid, there, here FROM keys;
DROP TABLE t CASCADE;

-- Rows that their owner is not shown count, too.
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 10);
ALTER TABLE items ADD CONSTRAINT first FOREIGN KEY (t) REFERENCES t;
ALTER TABLE t OWNER TO regress_owner;
ALTER TABLE items OWNER TO regress_owner;
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL wait_for_conversion('t', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 AND last_error IS NULL AND NOT EXISTS (SELECT FROM keys WHERE "to" <> 't'::regclass) FROM partman_rs.conversions WHERE source = 't'::regclass$$);
SELECT of, conname, "to", valid, there, here FROM keys;
SELECT last_error FROM partman_rs.conversions WHERE source = 't'::regclass;
SELECT finish_conversion('t');
DROP TABLE t CASCADE;
ALTER TABLE items OWNER TO CURRENT_USER, DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;

-- Rows that violate a key that claims to be valid are told, and left alone.
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 10);
ALTER TABLE items ADD CONSTRAINT first FOREIGN KEY (t) REFERENCES t;
SET session_replication_role = replica;
INSERT INTO items VALUES (99, 99);
RESET session_replication_role;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL wait_for_conversion('t', '240 s');
CALL tests.until($$SELECT last_sqlstate = '23503' FROM partman_rs.conversions WHERE source = 't'::regclass AND phase = 'reversible'$$);
SELECT last_error, last_error_detail, last_error_hint, foreign_keys_to_validate FROM partman_rs.conversions WHERE source = 't'::regclass AND phase = 'reversible';
SELECT of, conname, "to", definition, there, here FROM keys;
-- As long as it is so, it is warned of, whatever becomes of the conversion.
SELECT verdict, reason, next_command FROM partman_rs.health WHERE parent = 't'::regclass;
SELECT finish_conversion('t');
SELECT verdict, reason, next_command FROM partman_rs.health WHERE parent = 't'::regclass \gset
SELECT :'verdict', :'reason';
SELECT tests.refusal(:'next_command');
DELETE FROM items WHERE n = 99;
:next_command
SELECT verdict, reason, next_command FROM partman_rs.health WHERE parent = 't'::regclass;
DROP TABLE t CASCADE;

-- Of a partitioned table, which gets partitions meanwhile: they are made in the swap, valid, and the old ones dropped.
CREATE TABLE t (id int PRIMARY KEY, k int);
INSERT INTO t SELECT i, i FROM generate_series(1, 300) i;
CREATE TABLE parts (id int, t int) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (1000) PARTITION BY RANGE (id);
CREATE TABLE parts_high_100 PARTITION OF parts_high FOR VALUES FROM (100) TO (200);
CREATE TABLE plain (t int);
INSERT INTO parts SELECT i, i FROM generate_series(1, 199) i;
INSERT INTO plain SELECT generate_series(1, 300);
ALTER TABLE plain ADD CONSTRAINT "of ""plain""" FOREIGN KEY (t) REFERENCES t NOT VALID;
ALTER TABLE parts ADD CONSTRAINT "of parts" FOREIGN KEY (t) REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE parts ADD CONSTRAINT deferred FOREIGN KEY (t) REFERENCES t DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT "of parts" ON parts IS 'points at it';
CREATE VIEW all_keys AS
SELECT k.conrelid::regclass AS of, k.conname, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid) AS fires
  FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND k.confrelid IN ('t'::regclass, to_regclass('t_retired'));
CREATE TEMP TABLE before_partitioned AS TABLE all_keys;
SELECT object, fate, reason FROM conversion_manifest('t', 'id') WHERE kind = 'foreign key';
SELECT statement, lock FROM (
    SELECT regexp_replace(statement, '(partman_rs_key_)\d+', '\1N', 'g') AS statement, lock
      FROM convert_to_partitioned('t', 'id', 'range', '100', premake => 0, dry_run => true)) s WHERE lock ~ 'public.(parts|plain)';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '100', premake => 0);
CALL tests.comes_to('swapping');
TABLE all_keys EXCEPT TABLE before_partitioned;
INSERT INTO t VALUES (1000, 1000);
INSERT INTO parts VALUES (1, 1000);
SELECT tests.refusal('INSERT INTO parts VALUES (1, 7000)');
COMMENT ON CONSTRAINT deferred ON parts IS 'made meanwhile';
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '30 s');
TABLE all_keys EXCEPT TABLE before_partitioned ORDER BY 1, 2;
TABLE before_partitioned EXCEPT TABLE all_keys ORDER BY 1, 2;
SELECT count(*) FROM pg_constraint WHERE starts_with(conname, 'partman_rs_key');
-- Each acts, and in the same order, for what comes and goes, too.
CREATE TABLE parts_high_200 PARTITION OF parts_high FOR VALUES FROM (200) TO (300);
SELECT tests.refusal('INSERT INTO parts_high_200 VALUES (200, 7000)');
SELECT tests.refusal('INSERT INTO plain VALUES (7000)');
SELECT tests.refusal('DELETE FROM t WHERE id = 7') ~ 'on table "plain"' AS is_refused;
DELETE FROM plain;
DELETE FROM t WHERE id = 7;
UPDATE t SET id = 7 WHERE id = 150;
SELECT id, t FROM parts WHERE id IN (7, 150);
ALTER TABLE parts DETACH PARTITION parts_low;
ALTER TABLE parts ATTACH PARTITION parts_low FOR VALUES FROM (0) TO (100);
SELECT finish_conversion('t');
DROP VIEW all_keys;
DROP TABLE t, parts, plain;

-- What cannot be carried.
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL);
ALTER TABLE t OWNER TO regress_owner;
TRUNCATE items;
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
SELECT tests.with_key('ALTER TABLE items ADD FOREIGN KEY (t) REFERENCES t', 'k');
SELECT tests.with_key('CREATE TABLE parts (t int REFERENCES t) PARTITION BY LIST (t); CREATE TABLE p PARTITION OF parts DEFAULT; ALTER TABLE p DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE items ADD FOREIGN KEY (t) REFERENCES t; ALTER TABLE t DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE items ADD FOREIGN KEY (t) REFERENCES t; ALTER TABLE items DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE items ADD FOREIGN KEY (t) REFERENCES t; ALTER TABLE items OWNER TO regress_other');
SELECT tests.with_key('ALTER TABLE t ADD UNIQUE (k); GRANT REFERENCES (k) ON t TO regress_other; ALTER TABLE items ADD FOREIGN KEY (t) REFERENCES t(k); ALTER TABLE items OWNER TO regress_other; REVOKE USAGE ON SCHEMA public FROM PUBLIC, regress_other', 'k');
DROP FUNCTION tests.with_key(text, text);
DROP VIEW keys;
DROP TABLE t, items, "Loose";
SET client_min_messages = error;
DROP SCHEMA "odd schema" CASCADE;
REVOKE ALL ON SCHEMA public FROM regress_owner, regress_other;
DROP ROLE regress_owner, regress_other;
TABLE tests.residue;
