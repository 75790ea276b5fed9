\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Partitions of a table with a guard are retired: the keys of their rows go from the guard with them, unless rows of another table point at
-- one. Whatever stays has its keys.
SET client_min_messages = error;
CREATE ROLE regress_owner;
CREATE ROLE regress_other;
GRANT USAGE, CREATE ON SCHEMA public TO regress_owner, regress_other;
CREATE SCHEMA attic AUTHORIZATION regress_owner;
SET client_min_messages = warning;
CREATE TABLE "Orders" ("Id" bigint, note text, at timestamptz NOT NULL, region text NOT NULL DEFAULT 'x', CONSTRAINT "Orders key" PRIMARY KEY (region, "Id"));
-- Every month of 2024 has about a hundred rows; October has 2500 more.
INSERT INTO "Orders" SELECT i, 'n', '2024-01-01 00:00+00'::timestamptz + i * interval '7 hours' FROM generate_series(1, 1200) i;
INSERT INTO "Orders" SELECT 10000 + i, 'n', '2024-10-10 00:00+00'::timestamptz + i / 2 * interval '1 minute' FROM generate_series(1, 2500) i;
ALTER TABLE "Orders" OWNER TO regress_owner;
CREATE TABLE items (order_id bigint NOT NULL, region text NOT NULL DEFAULT 'x', FOREIGN KEY (region, order_id) REFERENCES "Orders" ON DELETE CASCADE ON UPDATE CASCADE);
CREATE INDEX ON items (order_id);
CREATE TABLE payments (order_id bigint, region text DEFAULT 'x', CONSTRAINT pays FOREIGN KEY (region, order_id) REFERENCES "Orders" ON DELETE SET NULL);
CREATE INDEX ON payments (order_id);
ALTER TABLE items OWNER TO regress_owner;
ALTER TABLE payments OWNER TO regress_owner;
INSERT INTO items SELECT "Id" FROM "Orders" WHERE at >= '2024-11-01';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('"Orders"', 'at', 'range', '1 month', unique_guard => true, range_end => '2025-01-01', default_partition => false);
CALL wait_for_conversion('"Orders"', '240 s');
CALL tests.until($$SELECT foreign_keys_to_validate = 0 AND last_error IS NULL FROM partman_rs.conversions ORDER BY started_at DESC LIMIT 1$$);
SELECT finish_conversion('"Orders"');
CALL tests.until($$SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_partman_rs'$$);
CREATE VIEW differences AS
SELECT "Id", region, at, 'has no key' AS what FROM (SELECT "Id", region, at FROM "Orders" EXCEPT ALL SELECT "Id", region, at FROM "Orders key_guard") o
UNION ALL
SELECT "Id", region, at, 'has no row' FROM (SELECT "Id", region, at FROM "Orders key_guard" EXCEPT ALL SELECT "Id", region, at FROM "Orders") g;
-- What the guard's foreign key has for partitions, and what of it and of the guard is left on tables that were partitions.
CREATE VIEW parts AS
SELECT (SELECT count(*) FROM pg_partition_tree('"Orders"') WHERE level > 0)
     = (SELECT count(*) FROM pg_constraint WHERE conrelid = '"Orders key_guard"'::regclass AND contype = 'f' AND conparentid <> 0) AS one_for_each,
       (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relname ~ '^Orders_(p|2)' AND NOT c.relispartition) AS triggers_left,
       (SELECT count(*) FROM pg_constraint k JOIN pg_class c ON c.oid IN (k.conrelid, k.confrelid) WHERE k.contype = 'f' AND c.relname ~ '^Orders_(p|2)' AND NOT c.relispartition) AS keys_left;
-- What a run does about partitions up to that month, which are to go.
CREATE FUNCTION tests.retired(month date, is_dry boolean DEFAULT false) RETURNS TABLE (action text, partition text, outcome text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_partition_policy('"Orders"', retention => ('2024-12-01' - (month + interval '45 days'))::text);
    RETURN QUERY SELECT e.action, e.partition, e.outcome FROM ensure_partitions('"Orders"', dry_run => is_dry) e
                  WHERE e.action IN ('drop', 'detach', 'move', 'recycle') ORDER BY e.lower_bound::timestamptz;
END$$;
TABLE differences;
TABLE parts;
SET pg_partman_rs.retention_max_share = 100;
-- Somebody points at a row: whatever his key says, it stays, and nothing is touched. The one before it has no rows.
INSERT INTO payments VALUES (15);
SELECT set_partition_policy('"Orders"', '1 month', premake => 0, retention_action => 'drop');
SELECT * FROM tests.retired('2024-01-01', is_dry => true);
SELECT * FROM tests.retired('2024-01-01');
UPDATE payments SET order_id = 1000;
INSERT INTO items VALUES (6);
SELECT * FROM tests.retired('2024-01-01');
TABLE differences;
SELECT count(*) FROM items WHERE order_id = 6;
DELETE FROM items WHERE order_id = 6;
-- It goes, by each action. Rows in it may have come, moved and gone.
INSERT INTO "Orders" VALUES (90001, 'late', '2024-01-15');
UPDATE "Orders" SET at = '2024-01-16' WHERE "Id" IN (90001, 1100);
UPDATE "Orders" SET at = '2024-06-06' WHERE "Id" = 7;
UPDATE "Orders" SET "Id" = 90008 WHERE "Id" = 8;
DELETE FROM "Orders" WHERE "Id" = 9;
SELECT * FROM tests.retired('2024-01-01', is_dry => true);
-- What 1100 moved along with it is pointed at.
SELECT * FROM tests.retired('2024-01-01');
DELETE FROM items WHERE order_id = 1100;
SELECT * FROM tests.retired('2024-01-01');
TABLE differences;
TABLE parts;
SELECT "Id", at FROM "Orders" WHERE "Id" IN (1, 7, 1100, 90001, 90008);
-- Its keys are free, and nobody can point at them.
SELECT tests.refusal('INSERT INTO items VALUES (1)') ~ '^23503' AS is_refused;
INSERT INTO "Orders" VALUES (1, 'anew', '2024-07-07');
SELECT set_partition_policy('"Orders"', '1 month', retention_action => 'detach');
SELECT * FROM tests.retired('2024-02-01');
SELECT set_partition_policy('"Orders"', '1 month', retention_action => 'move', retention_schema => 'attic');
SELECT * FROM tests.retired('2024-03-01');
SELECT set_partition_policy('"Orders"', '1 month', retention_action => 'recycle', retention_schema => 'none', grace_period => '30 days');
SELECT * FROM tests.retired('2024-04-01');
TABLE differences;
TABLE parts;
SELECT c.oid::regclass, count(o.*) FROM pg_class c CROSS JOIN LATERAL (SELECT FROM "Orders" WHERE tableoid = c.oid) o WHERE c.relname ~ '^Orders_p' GROUP BY c.oid ORDER BY 1;
-- A transaction that does not see all keys leaves it; a pin does, and a fuse.
SELECT set_partition_policy('"Orders"', '1 month', retention_action => 'drop');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM tests.retired('2024-05-01');
ROLLBACK;
SELECT pin_partition('"Orders_p2024_05"');
SELECT * FROM tests.retired('2024-05-01');
SELECT unpin_partition('"Orders_p2024_05"');
SET pg_partman_rs.retention_max_partitions = 0;
SELECT * FROM tests.retired('2024-05-01');
RESET pg_partman_rs.retention_max_partitions;
-- Keys are found by an index.
DROP INDEX "Orders key_guard_at_idx";
SELECT * FROM tests.retired('2024-05-01');
CREATE INDEX ON "Orders key_guard" (at);
-- What the owner may not read may point at it.
GRANT REFERENCES ON "Orders key_guard" TO regress_other;
SET ROLE regress_other;
CREATE TABLE claims (order_id bigint, region text, CONSTRAINT claimed FOREIGN KEY (region, order_id) REFERENCES "Orders key_guard");
RESET ROLE;
SELECT * FROM tests.retired('2024-05-01');
GRANT SELECT ON claims TO regress_owner;
ALTER TABLE claims ENABLE ROW LEVEL SECURITY;
SELECT * FROM tests.retired('2024-05-01');
ALTER TABLE claims DISABLE ROW LEVEL SECURITY;
-- Columns may have got other names.
ALTER TABLE "Orders" RENAME at TO placed;
ALTER TABLE "Orders" RENAME "Id" TO number;
ALTER TABLE claims RENAME order_id TO "of";
SELECT * FROM tests.retired('2024-05-01');
ALTER TABLE "Orders" RENAME placed TO at;
ALTER TABLE "Orders" RENAME number TO "Id";
DROP TABLE claims;
TABLE differences;
TABLE parts;
-- Out of the recycle bin it comes with its keys, unless another row has one of them by now.
INSERT INTO "Orders" VALUES (400, 'anew', '2024-08-08');
SELECT tests.refusal($$SELECT restore_partition('"Orders_p2024_04"')$$);
DELETE FROM "Orders" WHERE "Id" = 400;
BEGIN;
ALTER TABLE "Orders key_guard" OWNER TO regress_other;
SELECT tests.refusal($$SELECT restore_partition('"Orders_p2024_04"')$$);
SELECT * FROM tests.retired('2024-06-01', is_dry => true);
ROLLBACK;
BEGIN;
SELECT restore_partition('"Orders_p2024_04"');
TABLE differences;
INSERT INTO items VALUES (400);
SELECT tests.refusal($$INSERT INTO "Orders" VALUES (401, 'again', '2024-08-08')$$) ~ '^23505' AS is_refused;
ROLLBACK;
-- Also where the guard looks for rows, as when it was restored from a dump.
ALTER TABLE "Orders key_guard" ENABLE TRIGGER ALL;
SELECT tests.refusal($$INSERT INTO "Orders key_guard" VALUES ('x', 400, '2024-04-27')$$) ~ '^23503' AS is_refused;
SELECT restore_partition('"Orders_p2024_04"');
TABLE differences;
TABLE parts;
-- It is retired again when its pin is taken away, the foreign key looking or not.
SELECT unpin_partition('"Orders_p2024_04"');
SELECT set_partition_policy('"Orders"', '1 month', retention_action => 'drop');
SELECT * FROM tests.retired('2024-05-01');
TABLE differences;
TABLE parts;
-- Beside a default partition.
CREATE TABLE "Orders_default" PARTITION OF "Orders" DEFAULT;
ALTER TABLE "Orders_default" OWNER TO regress_owner;
INSERT INTO "Orders" VALUES (90100, 'far', '2009-01-01');
SELECT * FROM tests.retired('2024-06-01');
DELETE FROM "Orders" WHERE "Id" = 90100;
ALTER TABLE "Orders" DETACH PARTITION "Orders_default";
TABLE differences;
-- A worker was stopped when it had taken some keys. Health tells; the next run goes on …
CREATE PROCEDURE tests.interrupted(partition regclass) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO partman_rs.leaving VALUES (partition, '"Orders"', '"Orders key_guard"');
    EXECUTE format('DELETE FROM "Orders key_guard" g USING %s p WHERE (g.region, g."Id", g.at) = (p.region, p."Id", p.at) AND p."Id" %% 2 = 0', partition);
END$$;
CALL tests.interrupted('"Orders_p2024_07"');
SELECT verdict, told FROM partman_rs.health CROSS JOIN LATERAL regexp_split_to_table(reason, E'\n') told WHERE parent = '"Orders"'::regclass AND told ~ 'keys';
SELECT * FROM tests.retired('2024-07-01');
TABLE differences;
TABLE partman_rs.leaving;
-- … or gives them back, as after a pin. A row whose key was changed, that has come or gone meanwhile has what is its own.
CALL tests.interrupted('"Orders_p2024_08"');
UPDATE "Orders" SET "Id" = 90200 WHERE "Id" = 750;
UPDATE "Orders" SET at = '2024-09-09' WHERE "Id" = 752;
UPDATE "Orders" SET at = '2024-08-09' WHERE "Id" = 754;
DELETE FROM "Orders" WHERE "Id" = 756;
INSERT INTO "Orders" VALUES (90202, 'late', '2024-08-09');
SELECT pin_partition('"Orders_p2024_08"');
SELECT action, partition, outcome FROM ensure_partitions('"Orders"', dry_run => true) WHERE action = 'keys';
SELECT action, partition, outcome FROM ensure_partitions('"Orders"') WHERE action = 'keys';
TABLE differences;
TABLE partman_rs.leaving;
-- Meanwhile such a key can be given to another row. That is told until one of the two is gone.
CALL tests.interrupted('"Orders_p2024_08"');
INSERT INTO "Orders" VALUES (760, 'again', '2024-11-11');
SELECT action, partition, outcome FROM ensure_partitions('"Orders"') WHERE action = 'keys';
SELECT tests.refusal($$SELECT drop_partition_policy('"Orders"')$$);
SELECT "Id", at AT TIME ZONE 'UTC' AS at, what FROM differences;
SELECT verdict, told FROM partman_rs.health CROSS JOIN LATERAL regexp_split_to_table(reason, E'\n') told WHERE parent = '"Orders"'::regclass AND told ~ 'keys';
DELETE FROM "Orders_p2024_08" WHERE "Id" = 760;
SELECT action, partition, outcome FROM ensure_partitions('"Orders"') WHERE action = 'keys';
TABLE differences;
-- Without a policy there would be no next run.
CALL tests.interrupted('"Orders_p2024_08"');
SELECT drop_partition_policy('"Orders"');
TABLE differences;
TABLE partman_rs.leaving;
-- One that somebody else has detached is none any more.
CALL tests.interrupted('"Orders_p2024_08"');
DELETE FROM "Orders key_guard" g USING "Orders_p2024_08" p WHERE (g.region, g."Id", g.at) = (p.region, p."Id", p.at);
SELECT unpin_partition('"Orders_p2024_08"');
ALTER TABLE "Orders" DETACH PARTITION "Orders_p2024_08";
SELECT set_partition_policy('"Orders"', '1 month', premake => 0, retention => '140 days', retention_action => 'detach');
SELECT action, partition, outcome FROM ensure_partitions('"Orders"') WHERE action = 'keys';
TABLE partman_rs.leaving;
-- One that has partitions itself.
CREATE TABLE "Orders_2023" PARTITION OF "Orders" FOR VALUES FROM ('2023-01-01') TO ('2023-02-01') PARTITION BY HASH ("Id");
CREATE TABLE "Orders_2023_0" PARTITION OF "Orders_2023" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Orders_2023_1" PARTITION OF "Orders_2023" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE "Orders_2023" OWNER TO regress_owner;
ALTER TABLE "Orders_2023_0" OWNER TO regress_owner;
ALTER TABLE "Orders_2023_1" OWNER TO regress_owner;
INSERT INTO "Orders" SELECT 91000 + i, 'n', '2023-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 100) i;
TABLE parts;
CALL tests.interrupted('"Orders_2023"');
SELECT pin_partition('"Orders_2023_1"');
SELECT action, partition, outcome FROM ensure_partitions('"Orders"') WHERE action = 'keys';
TABLE differences;
SELECT unpin_partition('"Orders_2023_1"');
SELECT set_partition_policy('"Orders"', '1 month', retention_action => 'recycle', grace_period => '30 days');
SELECT * FROM tests.retired('2024-07-01');
TABLE differences;
TABLE parts;
SELECT restore_partition('"Orders_2023"');
TABLE differences;
TABLE parts;
SELECT unpin_partition('"Orders_2023"');
-- A session leaves many keys to a worker.
SELECT * FROM tests.retired('2024-09-01');
SELECT * FROM tests.retired('2024-10-01', is_dry => true);
UPDATE payments SET order_id = 1150;
SELECT * FROM tests.retired('2024-10-01', is_dry => true);
-- Each key that is taken looks for what points at it: without an index that reads all of the table, so many times.
DROP INDEX payments_order_id_idx;
INSERT INTO payments (order_id) SELECT NULL FROM generate_series(1, 300000);
ANALYZE payments;
SELECT * FROM tests.retired('2024-10-01', is_dry => true);
CREATE INDEX ON payments (order_id);
SELECT * FROM tests.retired('2024-10-01', is_dry => true);
DELETE FROM payments WHERE order_id IS NULL;
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET pg_partman_rs.retention_max_share = 100', current_database()); END$$;
SELECT * FROM tests.retired('2024-10-01');
CALL tests.until($$SELECT relpartbound IS NULL FROM pg_class WHERE relname = 'Orders_p2024_10'$$);
CALL tests.until($$SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_partman_rs'$$);
SELECT count(*) FROM "Orders_p2024_10";
SELECT action, partition, outcome FROM partman_rs.runs WHERE relation = '"Orders"'::regclass AND partition ~ 'p2024_10' ORDER BY run;
TABLE partman_rs.leaving;
TABLE differences;
TABLE parts;
SELECT drop_partition_policy('"Orders"');
DO $$BEGIN EXECUTE format('ALTER DATABASE %I RESET pg_partman_rs.retention_max_share', current_database()); END$$;
DROP FUNCTION tests.retired(date, boolean);
DROP VIEW differences, parts;
DROP TABLE items, payments, "Orders key_guard", "Orders";
DROP FUNCTION "Orders key_guard"();
DROP PROCEDURE tests.interrupted(regclass);
SELECT format('DROP TABLE %s', c.oid::regclass) FROM pg_class c WHERE c.relname ~ '^Orders' AND c.relkind IN ('r', 'p') AND NOT c.relispartition \gexec
DELETE FROM partman_rs.recycled;
SET client_min_messages = error;
DROP OWNED BY regress_owner, regress_other;
DROP ROLE regress_owner, regress_other;
TABLE tests.residue;
