\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- A key that loses its uniqueness to the partition column keeps it by a guard: a table of all keys, which foreign keys of other tables
-- then point at. Rows that come, go and move, whatever way, leave it exact; nobody gets in a second row of a key.
SET client_min_messages = error;
CREATE ROLE regress_owner;
CREATE ROLE regress_writer;
GRANT USAGE, CREATE ON SCHEMA public TO regress_owner;
GRANT USAGE ON SCHEMA tests TO regress_writer;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
SET client_min_messages = warning;
CREATE TABLE "Orders" (gone int, "Id" bigint, note text, at timestamptz NOT NULL, region text NOT NULL DEFAULT 'x',
                       CONSTRAINT "Orders key" PRIMARY KEY (region, "Id"));
ALTER TABLE "Orders" DROP COLUMN gone;
CREATE INDEX ON "Orders" (at);
INSERT INTO "Orders" SELECT i, 'n', '2024-01-01 00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(1, 3000) i;
ALTER TABLE "Orders" OWNER TO regress_owner;
REVOKE ALL ON "Orders" FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON "Orders" TO regress_writer;
CREATE TABLE items (order_id bigint NOT NULL, region text NOT NULL DEFAULT 'x', line int);
CREATE INDEX ON items (order_id);
ALTER TABLE items ADD CONSTRAINT "of order" FOREIGN KEY (order_id, region) REFERENCES "Orders" ("Id", region) ON DELETE CASCADE ON UPDATE CASCADE;
COMMENT ON CONSTRAINT "of order" ON items IS 'goes along';
INSERT INTO items SELECT i, 'x', 1 FROM generate_series(1, 3000) i;
CREATE TABLE payments (order_id bigint, region text DEFAULT 'x', CONSTRAINT pays FOREIGN KEY (region, order_id) REFERENCES "Orders");
INSERT INTO payments SELECT i FROM generate_series(1, 3000, 100) i;
CREATE TABLE deferred (order_id bigint, region text DEFAULT 'x', CONSTRAINT later FOREIGN KEY (region, order_id) REFERENCES "Orders" DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE orphans (order_id bigint, region text DEFAULT 'x');
INSERT INTO orphans VALUES (-1);
ALTER TABLE orphans ADD CONSTRAINT "not all" FOREIGN KEY (region, order_id) REFERENCES "Orders" ON DELETE SET NULL NOT VALID;
ALTER TABLE items OWNER TO regress_owner;
ALTER TABLE payments OWNER TO regress_owner;
ALTER TABLE deferred OWNER TO regress_owner;
ALTER TABLE orphans OWNER TO regress_owner;
-- The refusal offers it.
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'at', 'range', '1 month')$$);
-- What stands in its way.
CREATE FUNCTION tests.guarded() RETURNS text LANGUAGE sql AS
$$SELECT tests.refusal($call$SELECT convert_to_partitioned('"Orders"', 'at', 'range', '1 month', unique_guard => true)$call$)$$;
BEGIN;
ALTER TABLE "Orders" ADD code text UNIQUE, ADD parent bigint;
ALTER TABLE "Orders" ADD CONSTRAINT own FOREIGN KEY (region, parent) REFERENCES "Orders";
ALTER TABLE "Orders" FORCE ROW LEVEL SECURITY;
ALTER TABLE "Orders" ALTER at DROP NOT NULL;
CREATE TABLE by_code (code text REFERENCES "Orders" (code));
CREATE TABLE others (order_id bigint, region text, FOREIGN KEY (region, order_id) REFERENCES "Orders");
CREATE FUNCTION tests.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER " first" AFTER UPDATE OR INSERT ON "Orders" FOR EACH ROW EXECUTE FUNCTION tests.nothing();
CREATE TRIGGER " statement" AFTER INSERT ON "Orders" EXECUTE FUNCTION tests.nothing();
CREATE TRIGGER " before" BEFORE INSERT ON "Orders" FOR EACH ROW EXECUTE FUNCTION tests.nothing();
SET LOCAL client_min_messages = error;
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true);
SELECT tests.guarded();
ROLLBACK;
BEGIN;
DROP TABLE items, payments, deferred, orphans;
ALTER TABLE "Orders" DROP CONSTRAINT "Orders key", ADD CONSTRAINT "Orders key" PRIMARY KEY (region, "Id") DEFERRABLE;
SELECT tests.guarded();
ALTER TABLE "Orders" DROP CONSTRAINT "Orders key", ADD CONSTRAINT "Orders key" PRIMARY KEY ("Id", at);
SELECT tests.guarded();
ALTER TABLE "Orders" DROP CONSTRAINT "Orders key";
SELECT tests.guarded();
CREATE DOMAIN named AS text;
ALTER TABLE "Orders" ALTER region DROP DEFAULT, ALTER region TYPE named, ALTER "Id" SET NOT NULL;
CREATE UNIQUE INDEX ON "Orders" (region, "Id" DESC);
SELECT tests.guarded();
ROLLBACK;
-- What it says beforehand.
SELECT kind, object, fate, reason FROM conversion_manifest('"Orders"', 'at', unique_guard => true) WHERE kind IN ('primary key', 'foreign key');
SELECT phase, regexp_replace(statement, '(partman_rs_key_)\d+', '\1OID') AS statement, lock, note
  FROM convert_to_partitioned('"Orders"', 'at', 'range', '1 month', range_end => '2024-06-01', unique_guard => true, dry_run => true)
 WHERE statement ~ 'guard' AND statement !~ 'LANGUAGE plpgsql';
-- Taken back, it leaves nothing.
CREATE TEMP TABLE relations AS SELECT oid FROM pg_class;
BEGIN;
SELECT count(*) FROM "Orders";
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"Orders"', 'at', 'range', '1 month', range_end => '2024-06-01', unique_guard => true);
CALL tests.comes_to('swapping');
CALL tests.until($$SELECT count(*) = 4 FROM pg_constraint WHERE contype = 'f' AND conname ~ '^partman_rs_key' AND confrelid = '"Orders key_guard"'::regclass$$);
SELECT count(*) FROM "Orders key_guard";
SELECT cancel_conversion('"Orders"');
COMMIT PREPARED 'reader';
CALL tests.until($$SELECT phase = 'cancelled' FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1$$);
SELECT oid::regclass FROM pg_class WHERE oid NOT IN (SELECT oid FROM relations) AND relnamespace = 'public'::regnamespace;
SELECT oid::regprocedure FROM pg_proc WHERE proname ~ 'key_guard' AND pronamespace = 'public'::regnamespace;
SELECT conrelid::regclass AS of, conname, confrelid::regclass AS to FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1;
-- What is written meanwhile is followed: a row that moves, comes, goes, gets another key; and what another row had.
BEGIN;
SELECT count(*) FROM "Orders";
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"Orders"', 'at', 'range', '1 month', range_end => '2024-06-01', unique_guard => true);
CALL tests.comes_to('swapping');
UPDATE "Orders" SET at = at + interval '1 month' WHERE "Id" BETWEEN 700 AND 800;
UPDATE "Orders" SET "Id" = 5003 WHERE "Id" = 3;
UPDATE "Orders" SET "Id" = 3, at = at + interval '2 months' WHERE "Id" = 4;
INSERT INTO "Orders" VALUES (4001, 'late', '2024-02-02'), (4002, 'late', '2030-02-02');
DELETE FROM "Orders" WHERE "Id" IN (5, 4001);
COMMIT PREPARED 'reader';
CALL wait_for_conversion('"Orders"', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 AND last_error IS NULL AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname ~ '^partman_rs_key') FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1$$);
SELECT last_error FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1;
SELECT finish_conversion('"Orders"');
CREATE VIEW differences AS
SELECT "Id", region, at, 'has no key' AS what FROM (SELECT "Id", region, at FROM "Orders" EXCEPT ALL SELECT "Id", region, at FROM "Orders key_guard") o
UNION ALL
SELECT "Id", region, at, 'has no row' FROM (SELECT "Id", region, at FROM "Orders key_guard" EXCEPT ALL SELECT "Id", region, at FROM "Orders") g;
TABLE differences;
SELECT count(*), count(DISTINCT tableoid) FROM "Orders";
SELECT conrelid::regclass AS of, conname, pg_get_constraintdef(oid) AS definition, convalidated AS valid, obj_description(oid, 'pg_constraint') AS comment
  FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace ORDER BY 1;
SELECT relname, pg_get_userbyid(relowner), relacl, relrewrite FROM pg_class WHERE relname = 'Orders key_guard';
SELECT proname, pg_get_userbyid(proowner), prosecdef, proconfig, proacl FROM pg_proc WHERE proname ~ 'key_guard' AND pronamespace = 'public'::regnamespace;
-- Whoever may write the table needs no more.
SET ROLE regress_writer;
SELECT tests.refusal($$SELECT FROM "Orders key_guard"$$);
INSERT INTO "Orders" VALUES (6001, 'w', '2024-03-01');
-- Nobody gets in twice, by no way.
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (1, 'again', '2024-05-05')$$);
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (1, 'again', '2024-01-01 01:00+00')$$);
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (7001, 'one', '2024-05-05'), (7001, 'two', '2024-04-05')$$);
SELECT tests.refusal($$UPDATE "Orders" SET "Id" = 2 WHERE "Id" = 6001$$);
SELECT tests.refusal($$UPDATE "Orders" SET "Id" = 2, at = '2024-04-01' WHERE "Id" = 6001$$);
SELECT tests.refusal($$UPDATE "Orders" SET "Id" = 6002, at = '2024-04-01' WHERE "Id" = 6001$$);
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (1, 'again', '2024-05-05') ON CONFLICT (region, "Id") DO NOTHING$$);
INSERT INTO "Orders" VALUES (1, 'again', '2024-01-01 01:00+00') ON CONFLICT DO NOTHING;
INSERT INTO "Orders" VALUES (1, 'again', '2024-01-01 01:00+00') ON CONFLICT (region, "Id", at) DO UPDATE SET note = 'upserted' RETURNING note;
RESET ROLE;
SELECT tests.refusal($$INSERT INTO "Orders_p2024_05" ("Id", at) VALUES (1, '2024-05-05')$$);
SELECT tests.refusal($$MERGE INTO "Orders" o USING (VALUES (1)) v (id) ON o."Id" = -1 WHEN NOT MATCHED THEN INSERT ("Id", at) VALUES (v.id, '2024-04-04')$$);
-- Rows move, and what points at them stays.
INSERT INTO items VALUES (6001, 'x', 1), (6001, 'x', 2);
UPDATE "Orders" SET at = '2024-04-01' WHERE "Id" = 6001;
UPDATE "Orders" SET at = '2031-04-01' WHERE "Id" = 6001;
MERGE INTO "Orders" o USING (VALUES (6001)) v (id) ON o."Id" = v.id WHEN MATCHED THEN UPDATE SET at = '2024-01-15';
UPDATE "Orders" SET at = '2024-01-16', note = 'stays in its partition' WHERE "Id" = 6001;
SELECT count(*) FROM items WHERE order_id = 6001;
-- Back and forth within one transaction, with savepoints.
BEGIN;
UPDATE "Orders" SET at = '2024-04-01' WHERE "Id" = 6001;
SAVEPOINT a;
UPDATE "Orders" SET at = '2024-05-01' WHERE "Id" = 6001;
DELETE FROM "Orders" WHERE "Id" = 6001;
INSERT INTO "Orders" VALUES (6001, 'anew', '2024-02-01');
ROLLBACK TO a;
SELECT (SELECT count(*) FROM items WHERE order_id = 6001), (SELECT at FROM "Orders key_guard" WHERE "Id" = 6001);
COMMIT;
TABLE differences;
-- Many at once: all move; keys are moved up by one; keys are exchanged, which no unique key allows.
UPDATE "Orders" SET at = at + interval '1 month' WHERE "Id" BETWEEN 1000 AND 1200;
UPDATE "Orders" SET "Id" = "Id" + 100000 WHERE "Id" BETWEEN 1302 AND 1310;
SELECT tests.refusal($$UPDATE "Orders" SET "Id" = 2003 - "Id" WHERE "Id" IN (1001, 1002)$$) ~ '^23505' AS is_refused;
SELECT count(*) FROM items WHERE order_id BETWEEN 101302 AND 101310;
TABLE differences;
-- A row that takes the key of one that goes in the same statement.
WITH gone AS (DELETE FROM "Orders" WHERE "Id" = 1400 RETURNING *) INSERT INTO "Orders" SELECT "Id", 'moved by hand', '2024-02-20', region FROM gone;
SELECT count(*) FROM items WHERE order_id = 1400;
-- A trigger of the user that moves rows, and one that keeps them from going in.
CREATE FUNCTION tests.later() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.at := NEW.at + interval '1 month'; RETURN NEW; END$$;
CREATE TRIGGER zz BEFORE UPDATE ON "Orders" FOR EACH ROW WHEN (NEW.note = 'to be moved') EXECUTE FUNCTION tests.later();
UPDATE "Orders" SET note = 'to be moved' WHERE "Id" = 1500;
SELECT (SELECT tableoid::regclass FROM "Orders" WHERE "Id" = 1500), (SELECT count(*) FROM items WHERE order_id = 1500);
CREATE FUNCTION tests.suppressed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zzz BEFORE INSERT ON "Orders" FOR EACH ROW WHEN (NEW.note = 'to be lost') EXECUTE FUNCTION tests.suppressed();
INSERT INTO "Orders" VALUES (8001, 'to be lost', '2024-02-20');
UPDATE "Orders" SET note = 'to be lost', at = '2024-05-01' WHERE "Id" = 1502;
SELECT (SELECT count(*) FROM "Orders" WHERE "Id" = 1502) AS orders, (SELECT count(*) FROM items WHERE order_id = 1502) AS items;
-- That a row is lost while it moves PostgreSQL tells no foreign key. Its key is free all the same, and can be taken from the guard.
TABLE differences;
BEGIN;
INSERT INTO "Orders" VALUES (1502, 'anew', '2024-05-01');
TABLE differences;
ROLLBACK;
DELETE FROM "Orders key_guard" g WHERE NOT EXISTS (SELECT FROM "Orders" o WHERE (o.region, o."Id", o.at) = (g.region, g."Id", g.at));
SELECT count(*) FROM items WHERE order_id = 1502;
DROP TRIGGER zz ON "Orders";
DROP TRIGGER zzz ON "Orders";
-- A trigger that inserts what points at the new row, and all in one statement.
CREATE FUNCTION tests.with_item() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO items VALUES (NEW."Id", NEW.region, 7); RETURN NULL; END$$;
CREATE TRIGGER "!also" AFTER INSERT ON "Orders" FOR EACH ROW WHEN (NEW.note = 'with item') EXECUTE FUNCTION tests.with_item();
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (8002, 'with item', '2024-02-20')$$) ~ '^23503' AS fires_too_early;
ALTER TRIGGER "!also" ON "Orders" RENAME TO also;
INSERT INTO "Orders" VALUES (8002, 'with item', '2024-02-20');
DROP TRIGGER also ON "Orders";
WITH o AS (INSERT INTO "Orders" VALUES (8003, 'n', '2024-02-20') RETURNING "Id") INSERT INTO items SELECT "Id", 'x', 1 FROM o;
COPY "Orders" ("Id", note, at) FROM stdin;
8004	copied	2024-02-21
8005	copied	2024-03-21
\.
TABLE differences;
-- The foreign keys act.
SELECT tests.refusal($$INSERT INTO items VALUES (-1)$$);
SELECT tests.refusal($$DELETE FROM "Orders" WHERE "Id" = 101$$);
SELECT tests.refusal($$UPDATE "Orders" SET "Id" = -101 WHERE "Id" = 101$$);
UPDATE "Orders" SET at = '2024-05-03' WHERE "Id" = 101;
DELETE FROM "Orders" WHERE "Id" = 102;
DELETE FROM "Orders_p2024_02" WHERE "Id" = 8002;
SELECT count(*) FROM items WHERE order_id IN (102, 8002);
BEGIN;
INSERT INTO deferred VALUES (9001);
INSERT INTO "Orders" VALUES (9001, 'n', '2024-02-20');
COMMIT;
INSERT INTO orphans VALUES (9002 - 1);
DELETE FROM deferred;
DELETE FROM "Orders" WHERE "Id" = 9001;
SELECT * FROM orphans ORDER BY 1;
TABLE differences;
-- Partitions do not go while keys are in the guard.
SELECT tests.refusal('TRUNCATE "Orders"');
SELECT tests.refusal('TRUNCATE "Orders_p2024_03"');
SELECT tests.refusal('DROP TABLE "Orders_p2024_03"');
SELECT tests.refusal('ALTER TABLE "Orders" DETACH PARTITION "Orders_p2024_03"') ~ '^23503.* removing partition' AS is_refused;
-- Maintenance finds out before it locks anything whether somebody points at them; when the keys are deleted, so that what points at them has its say, they go.
INSERT INTO "Orders" VALUES (9005, 'in the default partition', '2024-06-10'), (9006, 'n', '2024-06-11');
INSERT INTO payments VALUES (9005);
SELECT set_partition_policy('"Orders"', '1 month', premake => 0, retention => '1 month', retention_action => 'recycle', grace_period => '30 days');
SET pg_partman_rs.retention_max_partitions = 1;
SET pg_partman_rs.retention_max_share = 100;
SELECT action, partition, regexp_replace(outcome, '\d+\), for one', '…), for one') AS outcome FROM ensure_partitions('"Orders"') WHERE action <> 'create' AND partition !~ '_p2024_0[2-5]' ORDER BY 2;
-- Rows move out of its default partition, and keep their keys.
CALL tests.comes_to('finished');
SELECT tests.last_error();
SELECT tableoid::regclass, "Id", note FROM "Orders" WHERE "Id" IN (9005, 9006) ORDER BY 2;
TABLE differences;
SELECT * FROM check_unique_guard('"Orders"');
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (9005, 'twice', '2023-12-24')$$);
SELECT tests.refusal('DELETE FROM "Orders" WHERE "Id" = 9005');
UPDATE "Orders" SET "Id" = 9007 WHERE "Id" = 9006;
INSERT INTO payments VALUES (9007);
DELETE FROM payments WHERE order_id = 1;
DELETE FROM "Orders key_guard" g USING "Orders_p2023_12" p WHERE (g.region, g."Id", g.at) = (p.region, p."Id", p.at);
SELECT action, partition, outcome FROM ensure_partitions('"Orders"') WHERE partition ~ '_p2023_12';
TABLE differences;
SELECT drop_partition_policy('"Orders"');
-- New ones are guarded as well; those without rows go.
CREATE TABLE "Orders_old" PARTITION OF "Orders" FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
INSERT INTO "Orders" VALUES (9003, 'n', '2020-01-10');
SELECT tests.refusal($$INSERT INTO "Orders_old" ("Id", at) VALUES (1100, '2020-01-11')$$) ~ '^23505' AS is_refused;
DELETE FROM "Orders_old";
ALTER TABLE "Orders" DETACH PARTITION "Orders_old";
DROP TABLE "Orders_old";
TABLE differences;
-- Where row-level security hides rows from the owner, a key is not taken for free.
BEGIN;
ALTER TABLE "Orders" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
INSERT INTO "Orders" VALUES (9004, 'n', '2024-05-05');
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (1100, 'again', '2024-05-05')$$);
ROLLBACK;
DROP VIEW differences;
DROP TABLE items, payments, deferred, orphans, "Orders key_guard", "Orders", "Orders_p2023_12";
-- What points at the key is partitioned: all that points there is made in the swap, valid, and points at the guard.
CREATE TABLE o (id int PRIMARY KEY, at date NOT NULL);
INSERT INTO o SELECT i, date '2024-01-01' + i FROM generate_series(1, 150) i;
CREATE TABLE parts (o int, line int) PARTITION BY RANGE (line);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (2);
CREATE TABLE parts_more PARTITION OF parts FOR VALUES FROM (2) TO (9) PARTITION BY RANGE (line);
CREATE TABLE parts_2 PARTITION OF parts_more FOR VALUES FROM (2) TO (3);
CREATE TABLE plain (o int CONSTRAINT plainly REFERENCES o);
INSERT INTO parts SELECT 1 + i % 100, 1 + i % 2 FROM generate_series(1, 200) i;
INSERT INTO plain VALUES (7);
ALTER TABLE parts ADD CONSTRAINT "of o" FOREIGN KEY (o) REFERENCES o ON DELETE CASCADE ON UPDATE CASCADE;
COMMENT ON CONSTRAINT "of o" ON parts IS 'goes along';
SELECT object, fate, reason FROM conversion_manifest('o', 'at', unique_guard => true) WHERE kind = 'foreign key';
SELECT phase, regexp_replace(statement, '(partman_rs_key_)\d+', '\1OID') AS statement, lock
  FROM convert_to_partitioned('o', 'at', 'range', '1 month', range_end => '2024-06-01', unique_guard => true, dry_run => true) WHERE lock ~ 'public.(parts|plain)';
BEGIN;
SELECT count(*) FROM o;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('o', 'at', 'range', '1 month', range_end => '2024-06-01', unique_guard => true);
CALL tests.comes_to('swapping');
UPDATE o SET at = at + 60 WHERE id BETWEEN 20 AND 40;
DELETE FROM o WHERE id = 50;
INSERT INTO o VALUES (200, '2024-02-02');
INSERT INTO parts VALUES (200, 1), (200, 2);
COMMIT PREPARED 'reader';
CALL wait_for_conversion('o', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1$$);
SELECT last_error FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1;
SELECT finish_conversion('o');
SELECT conrelid::regclass AS of, conname, pg_get_constraintdef(oid) AS definition, convalidated AS valid, obj_description(oid, 'pg_constraint') AS comment
  FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND (conparentid = 0 OR conrelid::regclass::text ~ '^parts') ORDER BY 1, 2;
SELECT count(*) FROM (SELECT id, at FROM o EXCEPT ALL TABLE o_pkey_guard UNION ALL (TABLE o_pkey_guard EXCEPT ALL SELECT id, at FROM o)) d;
CREATE TABLE parts_3 PARTITION OF parts_more FOR VALUES FROM (3) TO (4);
INSERT INTO parts VALUES (200, 3);
SELECT tests.refusal('INSERT INTO parts VALUES (50, 3)');
SELECT tests.refusal('INSERT INTO parts_2 VALUES (50, 2)');
SELECT tests.refusal('DELETE FROM o WHERE id = 7') ~ 'plain' AS is_refused;
SELECT tests.refusal($$INSERT INTO o VALUES (200, '2024-05-05')$$) ~ '^23505' AS is_refused;
UPDATE o SET at = '2024-04-04' WHERE id = 200;
UPDATE o SET id = 201 WHERE id = 200;
SELECT o, line FROM parts WHERE o >= 200 ORDER BY 2;
DELETE FROM o WHERE id = 201;
SELECT count(*) FROM parts WHERE o >= 200;
DROP TABLE parts, plain, o_pkey_guard, o;
DROP FUNCTION o_pkey_guard();
DROP FUNCTION "Orders key_guard"(), tests.guarded(), tests.later(), tests.suppressed(), tests.with_item();
SET client_min_messages = error;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC;
DROP OWNED BY regress_owner, regress_writer;
DROP ROLE regress_owner, regress_writer;
TABLE tests.residue;
