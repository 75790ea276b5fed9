\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Foreign keys of a table to itself, where what they point at is guarded: they point at the guard from the swap on, and act as they did.
SET client_min_messages = error;
CREATE ROLE regress_owner;
CREATE ROLE regress_writer;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner;
GRANT USAGE ON SCHEMA tests TO regress_writer;
SET client_min_messages = warning;
CREATE TABLE "Comments" (gone int, id bigint PRIMARY KEY, at timestamptz NOT NULL, "Parent" bigint, quoted int, thread bigint, note text, k int UNIQUE);
ALTER TABLE "Comments" DROP COLUMN gone;
CREATE INDEX ON "Comments" ("Parent");
CREATE INDEX ON "Comments" (quoted);
INSERT INTO "Comments" (id, at, "Parent", quoted, thread)
SELECT i, '2024-01-01 00:00+00'::timestamptz + i * interval '5 hours', nullif(i / 2, 0), nullif(i / 3, 0), CASE WHEN i % 10 = 5 THEN 1 END FROM generate_series(1, 500) i;
ALTER TABLE "Comments" OWNER TO regress_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON "Comments" TO regress_writer;
ALTER TABLE "Comments" ADD CONSTRAINT "replies ""to""" FOREIGN KEY ("Parent") REFERENCES "Comments" ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "Comments" ADD CONSTRAINT quotes FOREIGN KEY (quoted) REFERENCES "Comments" (id) ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Comments" ADD CONSTRAINT "in thread" FOREIGN KEY (thread) REFERENCES "Comments" DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT "replies ""to""" ON "Comments" IS 'upwards';
CREATE TABLE likes (comment bigint REFERENCES "Comments" ON DELETE CASCADE ON UPDATE CASCADE);
ALTER TABLE likes OWNER TO regress_owner;
INSERT INTO likes SELECT i FROM generate_series(1, 500) i;
CREATE VIEW keys AS
SELECT conrelid::regclass::text AS of, conname, confrelid::regclass::text AS to, pg_get_constraintdef(k.oid) AS definition, convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid) AS fires
  FROM pg_constraint k WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace;
CREATE TEMP TABLE before AS TABLE keys;
-- What points at another key is refused.
CREATE FUNCTION tests.guarded() RETURNS text LANGUAGE sql AS
$$SELECT tests.refusal($call$SELECT convert_to_partitioned('"Comments"', 'at', 'range', '1 month', unique_guard => true)$call$)$$;
BEGIN;
ALTER TABLE "Comments" ADD COLUMN other int, ADD CONSTRAINT elsewhere FOREIGN KEY (other) REFERENCES "Comments" (k);
SELECT tests.guarded();
ROLLBACK;
SELECT kind, object, fate, reason FROM conversion_manifest('"Comments"', 'at', unique_guard => true) WHERE kind = 'foreign key';
SELECT phase, statement, lock, note FROM convert_to_partitioned('"Comments"', 'at', 'range', '1 month', range_end => '2024-05-01', unique_guard => true, dry_run => true)
 WHERE statement ~ 'ADD CONSTRAINT (quotes|"(in|replies) )';
-- Taken back, when they are made, it leaves nothing.
CREATE TEMP TABLE relations AS SELECT oid FROM pg_class;
BEGIN;
SELECT count(*) FROM "Comments";
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"Comments"', 'at', 'range', '1 month', range_end => '2024-05-01', unique_guard => true);
CALL tests.until($$SELECT count(*) = 5 FROM keys WHERE "to" = '"Comments_pkey_guard"' OR of = '"Comments_pkey_guard"'$$);
SELECT cancel_conversion('"Comments"');
COMMIT PREPARED 'reader';
CALL tests.comes_to('cancelled');
SELECT oid::regclass FROM pg_class WHERE oid NOT IN (SELECT oid FROM relations) AND relnamespace = 'public'::regnamespace;
SELECT oid::regprocedure FROM pg_proc WHERE proname ~ 'key_guard' AND pronamespace = 'public'::regnamespace;
TABLE before EXCEPT TABLE keys;
-- What comes and goes meanwhile is followed, and those of the table act. Who writes to the other table keeps the swap off.
BEGIN;
LOCK TABLE likes IN ROW EXCLUSIVE MODE;
PREPARE TRANSACTION 'writer';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"Comments"', 'at', 'range', '1 month', range_end => '2024-05-01', unique_guard => true);
CALL tests.until($$SELECT count(*) = 4 FROM keys WHERE "to" = '"Comments_pkey_guard"' OR of = '"Comments_pkey_guard"'$$);
SELECT * FROM keys WHERE of = '"Comments_twin"' ORDER BY conname COLLATE "C";
DELETE FROM "Comments" WHERE id = 100;
UPDATE "Comments" SET id = 1000 WHERE id = 60;
UPDATE "Comments" SET at = at + interval '1 month' WHERE id BETWEEN 200 AND 210;
INSERT INTO "Comments" VALUES (1001, '2024-02-02', 1002, NULL, 1002), (1002, '2024-01-02', NULL, 1000, 1001);
SELECT id, "Parent" FROM "Comments" WHERE "Parent" IN (60, 100, 1000) ORDER BY id;
ALTER TABLE "Comments" DROP CONSTRAINT quotes;
ALTER TABLE "Comments" ADD CONSTRAINT late FOREIGN KEY (quoted) REFERENCES "Comments" ON DELETE SET NULL ON UPDATE CASCADE;
COMMENT ON CONSTRAINT "in thread" ON "Comments" IS 'made meanwhile';
COMMIT PREPARED 'writer';
CALL wait_for_conversion('"Comments"', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 AND last_error IS NULL AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname ~ '^partman_rs_key') FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1$$);
SELECT * FROM keys WHERE of <> '"Comments_retired"' ORDER BY of, conname COLLATE "C";
SELECT finish_conversion('"Comments"');
SELECT * FROM keys ORDER BY of, conname COLLATE "C";
CREATE VIEW differences AS
SELECT id, at, 'has no key' AS what FROM (SELECT id, at FROM "Comments" EXCEPT ALL SELECT id, at FROM "Comments_pkey_guard") o
UNION ALL
SELECT id, at, 'has no row' FROM (SELECT id, at FROM "Comments_pkey_guard" EXCEPT ALL SELECT id, at FROM "Comments") g
UNION ALL
SELECT id, at, 'points at nothing' FROM "Comments" c
 WHERE ("Parent" IS NOT NULL AND NOT EXISTS (SELECT FROM "Comments" p WHERE p.id = c."Parent"))
    OR (quoted IS NOT NULL AND NOT EXISTS (SELECT FROM "Comments" p WHERE p.id = c.quoted))
    OR (thread IS NOT NULL AND NOT EXISTS (SELECT FROM "Comments" p WHERE p.id = c.thread));
TABLE differences;
-- Whoever may write the table needs no more. A row that points at itself; rows that point at each other; those that come before
-- what they point at, in one statement.
SET ROLE regress_writer;
INSERT INTO "Comments" VALUES (2001, '2024-02-02', 2001, 2001, 2001);
INSERT INTO "Comments" VALUES (2002, '2024-02-02', 2003, NULL, NULL), (2003, '2024-03-03', 2002, NULL, NULL);
INSERT INTO "Comments" VALUES (2004, '2024-02-02', 2005, 2006, NULL), (2005, '2024-03-03', 2006, 2004, NULL), (2006, '2030-03-03', 2001, NULL, NULL);
COPY "Comments" (id, at, "Parent") FROM stdin;
2007	2024-02-02 00:00	2008
2008	2024-03-02 00:00	2009
2009	2024-01-02 00:00	1
\.
WITH child AS (INSERT INTO "Comments" VALUES (2010, '2024-02-02', 2011)) INSERT INTO "Comments" VALUES (2011, '2024-03-02', 1);
SELECT tests.refusal($$INSERT INTO "Comments" VALUES (2020, '2024-02-02', -1)$$);
SELECT tests.refusal($$INSERT INTO "Comments" VALUES (2020, '2024-02-02', 2021), (2021, '2024-02-02', 1), (2021, '2024-03-02', 1)$$);
SELECT tests.refusal($$INSERT INTO "Comments" VALUES (2020, '2024-02-02', 2021), (2021, '2024-02-02', 2022)$$);
SELECT tests.refusal($$UPDATE "Comments" SET "Parent" = -1 WHERE id = 2001$$);
RESET ROLE;
INSERT INTO "Comments_p2024_02" (id, at, "Parent") VALUES (2012, '2024-02-03', 2013), (2013, '2024-02-04', 2012);
TABLE differences;
-- What is deferred.
BEGIN;
INSERT INTO "Comments" (id, at, thread) VALUES (2030, '2024-02-02', 2031);
INSERT INTO "Comments" (id, at, thread) VALUES (2031, '2024-02-02', 2030);
COMMIT;
BEGIN;
INSERT INTO "Comments" (id, at, thread) VALUES (2032, '2024-02-02', 2033);
SELECT tests.refusal('SET CONSTRAINTS "in thread" IMMEDIATE');
ROLLBACK;
-- Rows move, with all that points at them; they get other keys; they go.
UPDATE "Comments" SET thread = NULL WHERE id = 2001;
UPDATE "Comments" SET at = at + interval '1 month' WHERE id BETWEEN 2001 AND 2012;
SELECT count(*), count(DISTINCT tableoid) FROM "Comments" WHERE id > 2000;
UPDATE "Comments" SET id = 3001 WHERE id = 2001;
SELECT id, "Parent", quoted, thread FROM "Comments" WHERE 3001 IN (id, "Parent") ORDER BY id;
SELECT tests.refusal('DELETE FROM "Comments" WHERE id = 2030; SET CONSTRAINTS "in thread" IMMEDIATE') ~ '^23503' AS is_refused;
UPDATE "Comments" SET thread = NULL WHERE id IN (2030, 2031);
INSERT INTO likes SELECT id FROM "Comments" WHERE id > 2000;
DELETE FROM "Comments" WHERE id = 3001;
SELECT id, "Parent", quoted FROM "Comments" WHERE id > 2000 ORDER BY id;
DELETE FROM "Comments" WHERE id IN (2012, 2013);
DELETE FROM "Comments" WHERE id = 2003;
SELECT comment FROM likes WHERE comment > 2000 ORDER BY 1;
TABLE differences;
-- Parents and children at once, whatever the order.
UPDATE "Comments" SET thread = NULL;
DELETE FROM "Comments" WHERE id IN (2, 4, 5, 8);
SELECT count(*) FROM "Comments";
SELECT count(*) FROM likes l WHERE NOT EXISTS (SELECT FROM "Comments" c WHERE c.id = l.comment);
-- A trigger of the user that writes to the parent, and one that inserts it.
CREATE FUNCTION tests.counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE "Comments" SET k = coalesce(k, NEW.id::int * 10) + 1, at = at + CASE NEW.note WHEN 'moves it' THEN interval '1 month' ELSE '0' END WHERE id = NEW."Parent";
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON "Comments" FOR EACH ROW WHEN (NEW.note IN ('counted', 'moves it')) EXECUTE FUNCTION tests.counted();
INSERT INTO "Comments" (id, at, "Parent", note) VALUES (4001, '2024-02-02', 4003, 'counted'), (4002, '2024-03-02', 4003, 'counted'), (4003, '2024-02-03', NULL, NULL);
INSERT INTO "Comments" (id, at, "Parent", note) VALUES (4004, '2024-02-02', 4003, 'moves it');
SELECT id, at AT TIME ZONE 'UTC' AS at, "Parent", k FROM "Comments" WHERE id > 4000 ORDER BY id;
DROP TRIGGER counted ON "Comments";
CREATE FUNCTION tests.with_parent() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO "Comments" (id, at) VALUES (NEW."Parent", NEW.at); RETURN NEW; END$$;
CREATE TRIGGER with_parent BEFORE INSERT ON "Comments" FOR EACH ROW WHEN (NEW.note = 'with parent') EXECUTE FUNCTION tests.with_parent();
INSERT INTO "Comments" (id, at, "Parent", note) VALUES (4010, '2024-02-02', 4011, 'with parent'), (4012, '2024-02-02', 4013, 'with parent');
DROP TRIGGER with_parent ON "Comments";
TABLE differences;
-- One UPDATE that gives new keys to rows, and to what points at them: some orders of rows are refused, none is wrong.
SELECT tests.refusal('UPDATE "Comments" SET id = id + 10000, "Parent" = "Parent" + 10000 WHERE id > 4009') ~ '^(23503|not refused)' AS is_told;
TABLE differences;
-- What is wrong with it is told.
SELECT set_partition_policy('"Comments"', '1 month', premake => 0);
SELECT * FROM check_unique_guard('"Comments"');
SELECT reason FROM partman_rs.health WHERE parent = '"Comments"'::regclass AND reason ~ 'guard';
SET ROLE regress_writer;
SELECT tests.refusal($$SELECT * FROM check_unique_guard('"Comments"')$$);
RESET ROLE;
SELECT tests.refusal($$SELECT * FROM check_unique_guard('likes')$$);
SELECT tests.refusal($$SELECT * FROM check_unique_guard(NULL)$$);
BEGIN;
ALTER TABLE "Comments" DISABLE TRIGGER "!unique_guard";
INSERT INTO "Comments" (id, at) VALUES (4020, '2024-02-02 00:00+00');
ALTER TABLE ONLY "Comments" ENABLE TRIGGER "!unique_guard";
DELETE FROM likes;
UPDATE "Comments" SET "Parent" = NULL, quoted = NULL;
ALTER TABLE "Comments_pkey_guard" DISABLE TRIGGER ALL;
DELETE FROM "Comments_pkey_guard" WHERE id = 4013;
ALTER TABLE "Comments_p2024_01" DISABLE TRIGGER ALL;
DELETE FROM "Comments" WHERE id = 1;
UPDATE "Comments_pkey_guard" SET at = NULL WHERE id = 4012;
SELECT * FROM check_unique_guard('"Comments"') ORDER BY kind, key COLLATE "C", reason COLLATE "C";
SELECT verdict, reason FROM (SELECT verdict, regexp_split_to_table(reason, '\n') AS reason FROM partman_rs.health WHERE parent = '"Comments"'::regclass) h WHERE reason ~ '^trigger.*guard';
ROLLBACK;
BEGIN;
ALTER TABLE "Comments_pkey_guard" DROP CONSTRAINT "Comments_pkey_guard_fkey";
SELECT * FROM check_unique_guard('"Comments"');
DROP TRIGGER "!unique_guard" ON "Comments";
SELECT reason ~ 'foreign key of guard .* is missing' AND reason ~ 'trigger "!unique_guard" is missing on table public."Comments":' AS is_told FROM partman_rs.health WHERE parent = '"Comments"'::regclass;
ROLLBACK;
-- New partitions have the keys as well.
CREATE TABLE "Comments_old" PARTITION OF "Comments" FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
CREATE TABLE older (LIKE "Comments" INCLUDING DEFAULTS);
INSERT INTO older (id, at, "Parent") VALUES (5001, '2019-01-10', -1);
SELECT tests.refusal($$ALTER TABLE "Comments" ATTACH PARTITION older FOR VALUES FROM ('2019-01-01') TO ('2019-02-01')$$) ~ '^23503' AS is_refused;
INSERT INTO "Comments" (id, at, "Parent") VALUES (5002, '2020-01-10', 5003), (5003, '2020-01-11', 1);
SELECT tests.refusal($$INSERT INTO "Comments_old" (id, at, "Parent") VALUES (5004, '2020-01-11', -1)$$) ~ '^23503' AS is_refused;
DELETE FROM "Comments_old";
ALTER TABLE "Comments" DETACH PARTITION "Comments_old";
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = '"Comments_old"'::regclass ORDER BY conname COLLATE "C";
DROP TABLE "Comments_old", older;
TABLE differences;
SELECT drop_partition_policy('"Comments"');
DROP VIEW differences, keys;
DROP TABLE likes, "Comments_pkey_guard", "Comments";
DROP FUNCTION "Comments_pkey_guard"(), tests.guarded(), tests.counted(), tests.with_parent();

-- Of several columns, to others that are in another order, some of them null; the table has keys to partitioned tables, too, which are made in the swap.
CREATE TABLE places (region text, PRIMARY KEY (region)) PARTITION BY LIST (region);
CREATE TABLE places_x PARTITION OF places DEFAULT;
INSERT INTO places VALUES ('x'), ('y');
CREATE TABLE staff (id int, region text REFERENCES places, since date NOT NULL, boss int, boss_region text, PRIMARY KEY (region, id),
                    CONSTRAINT "reports to" FOREIGN KEY (boss, boss_region) REFERENCES staff (id, region) ON UPDATE CASCADE);
INSERT INTO staff SELECT i, 'x', date '2024-01-01' + i, nullif(i / 10, 0), 'x' FROM generate_series(1, 100) i;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('staff', 'since', 'range', '1 month', range_end => '2024-05-01', unique_guard => true);
CALL wait_for_conversion('staff', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 FROM partman_rs.conversions WHERE source = 'staff'::regclass$$);
SELECT finish_conversion('staff');
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid = 'staff'::regclass ORDER BY 1;
INSERT INTO staff VALUES (201, 'y', '2024-02-01', 202, 'y'), (202, 'y', '2024-01-01', 203, NULL);
SELECT tests.refusal($$INSERT INTO staff VALUES (203, 'y', '2024-02-01', 202, 'x')$$) ~ '"reports to"' AS is_refused;
UPDATE staff SET region = 'y', boss_region = 'x' WHERE id = 1;
SELECT count(*) FROM staff WHERE boss = 1 AND boss_region = 'y';
SELECT tests.refusal($$DELETE FROM staff WHERE id = 1$$) ~ '"reports to"' AS is_refused;
SELECT count(*) FROM (SELECT region, id, since FROM staff EXCEPT ALL TABLE staff_pkey_guard UNION ALL (TABLE staff_pkey_guard EXCEPT ALL SELECT region, id, since FROM staff)) d;
DROP TABLE staff_pkey_guard, staff, places;
DROP FUNCTION staff_pkey_guard();
SET client_min_messages = error;
REVOKE ALL ON SCHEMA public FROM regress_owner;
REVOKE ALL ON SCHEMA tests FROM regress_writer;
DROP ROLE regress_owner, regress_writer;
TABLE tests.residue;
