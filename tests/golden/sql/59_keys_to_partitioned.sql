\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Rows move out of the default partition of a table whose foreign keys point at partitioned tables: no row is looked at, and each
-- key is, in each new partition, what it is in those that were there.
CREATE ROLE regress_keeper;
GRANT CREATE, USAGE ON SCHEMA public TO regress_keeper;
SET ROLE regress_keeper;
CREATE TABLE "Or;ders" (id int, region text, note text, PRIMARY KEY (id, region)) PARTITION BY RANGE (id);
CREATE TABLE orders_p0 PARTITION OF "Or;ders" FOR VALUES FROM (0) TO (200);
CREATE TABLE orders_p200 PARTITION OF "Or;ders" FOR VALUES FROM (200) TO (400) PARTITION BY LIST (region);
CREATE TABLE orders_p200_a PARTITION OF orders_p200 FOR VALUES IN ('a');
CREATE TABLE orders_p200_b PARTITION OF orders_p200 DEFAULT;
CREATE TABLE shops (id int PRIMARY KEY);
INSERT INTO "Or;ders" SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END FROM generate_series(0, 399) i;
INSERT INTO shops SELECT generate_series(1, 3);
CREATE TABLE items (k int, o int, region text, shop int CONSTRAINT "to shops" REFERENCES shops ON UPDATE CASCADE,
    CONSTRAINT "to ""orders" FOREIGN KEY (o, region) REFERENCES "Or;ders" ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT deferred FOREIGN KEY (o, region) REFERENCES "Or;ders" DEFERRABLE INITIALLY DEFERRED) PARTITION BY RANGE (k);
COMMENT ON CONSTRAINT deferred ON items IS 'later';
CREATE TABLE items_p0 PARTITION OF items FOR VALUES FROM (0) TO (100);
CREATE TABLE items_default PARTITION OF items DEFAULT;
INSERT INTO items SELECT i, i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 1 + i % 3 FROM generate_series(0, 349) i;
INSERT INTO items VALUES (NULL, 7, 'b', 1);
RESET ROLE;
-- What a partition has of each key, its own triggers and those that its keys have elsewhere.
CREATE VIEW keys AS
SELECT t.relid::regclass AS "table", top.conname AS key, k.confrelid::regclass AS at, k.convalidated AS valid,
       (SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgconstraint = k.oid) AS acts,
       (SELECT count(*) FROM pg_trigger WHERE tgconstraint = k.oid AND tgrelid = t.relid) AS here,
       (SELECT count(*) FROM pg_trigger WHERE tgconstraint = k.oid AND tgrelid <> t.relid) AS elsewhere,
       (SELECT count(*) FROM pg_constraint p WHERE p.conparentid = k.oid AND p.conrelid = k.conrelid) AS parts
  FROM pg_class r, pg_partition_tree(r.oid) t JOIN pg_constraint k ON k.conrelid = t.relid AND k.contype = 'f'
  LEFT JOIN pg_constraint top ON top.oid = coalesce(nullif(k.conparentid, 0), k.oid) AND top.conparentid = 0
 WHERE r.relname IN ('items', 'lines');
SELECT * FROM keys ORDER BY "table"::text COLLATE "C", key COLLATE "C", at::text COLLATE "C";
SELECT set_partition_policy('items', '100', premake => 1);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('items');
CALL tests.comes_to('finished');
SELECT tests.last_error();
SELECT tableoid::regclass, count(*), min(k), max(k) FROM items GROUP BY 1 ORDER BY 3;
SELECT * FROM keys ORDER BY "table"::text COLLATE "C", key COLLATE "C", at::text COLLATE "C";
SELECT conname, obj_description(oid, 'pg_constraint') AS comment FROM pg_constraint WHERE conrelid = 'items'::regclass AND conparentid = 0 AND contype = 'f' ORDER BY 1;
SELECT count(*) AS stray FROM pg_constraint k WHERE k.contype = 'f' AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = k.conrelid);
-- They act, on both sides.
SELECT tests.refusal($$INSERT INTO items VALUES (210, 999, 'a', 1)$$);
SELECT tests.refusal($$INSERT INTO items VALUES (210, 1, 'b', 9)$$);
UPDATE shops SET id = 33 WHERE id = 3;
DELETE FROM "Or;ders" WHERE id = 220;
UPDATE "Or;ders" SET region = 'c' WHERE id = 301;
SELECT count(*) FILTER (WHERE shop = 33) AS shop, count(*) FILTER (WHERE o = 220) AS gone, count(*) FILTER (WHERE region = 'c') AS moved, count(*) FROM items;
-- Partitions come and go on both sides.
CREATE TABLE orders_p400 PARTITION OF "Or;ders" FOR VALUES FROM (400) TO (500);
INSERT INTO "Or;ders" VALUES (400, 'a');
INSERT INTO items VALUES (250, 400, 'a', 1);
SELECT tests.refusal('DELETE FROM shops WHERE id = 1');
DELETE FROM "Or;ders" WHERE id = 400;
SELECT count(*) FROM items WHERE o = 400;
ALTER TABLE items DETACH PARTITION items_p200;
SELECT tests.refusal($$INSERT INTO items_p200 VALUES (251, 999, 'a', 1)$$);
ALTER TABLE items ATTACH PARTITION items_p200 FOR VALUES FROM (200) TO (300);
SELECT DISTINCT key, at, valid, acts, here, elsewhere, parts FROM keys WHERE "table"::text ~ '_p' ORDER BY 1, 2;
-- Partitions that are partitioned themselves.
DROP TABLE items;
CREATE TABLE lines (k int, o int, region text,
    CONSTRAINT to_orders FOREIGN KEY (o, region) REFERENCES "Or;ders" ON DELETE CASCADE) PARTITION BY RANGE (k);
CREATE TABLE lines_p0 PARTITION OF lines FOR VALUES FROM (0) TO (100) PARTITION BY LIST (region);
CREATE TABLE lines_p0_a PARTITION OF lines_p0 FOR VALUES IN ('a');
CREATE TABLE lines_p0_default PARTITION OF lines_p0 DEFAULT;
CREATE TABLE lines_default PARTITION OF lines DEFAULT;
ALTER TABLE lines OWNER TO regress_keeper;
ALTER TABLE lines_p0 OWNER TO regress_keeper;
ALTER TABLE lines_p0_a OWNER TO regress_keeper;
ALTER TABLE lines_p0_default OWNER TO regress_keeper;
ALTER TABLE lines_default OWNER TO regress_keeper;
INSERT INTO lines SELECT id, id, region FROM "Or;ders" WHERE id < 200;
SELECT set_partition_policy('lines', '100', premake => 1);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('lines');
CALL tests.comes_to('finished');
SELECT tests.last_error();
SELECT tableoid::regclass, count(*) FROM lines GROUP BY tableoid ORDER BY tableoid::regclass::text COLLATE "C";
SELECT * FROM keys ORDER BY "table"::text COLLATE "C", key COLLATE "C", at::text COLLATE "C";
DELETE FROM "Or;ders" WHERE id = 150;
SELECT tests.refusal($$INSERT INTO lines VALUES (150, 150, 'a')$$);
SELECT count(*) FROM lines WHERE k = 150;
-- A key is altered while rows are copied: new partitions would have another one. The next run begins anew.
INSERT INTO lines VALUES (210, 1, 'b');
BEGIN;
SELECT count(*) FROM lines;
PREPARE TRANSACTION 'reader';
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('lines');
CALL tests.comes_to('swapping');
SELECT pause_conversion('lines_default');
CALL tests.comes_to('paused');
COMMIT PREPARED 'reader';
ALTER TABLE lines ALTER CONSTRAINT to_orders DEFERRABLE;
SELECT resume_conversion('lines_default');
CALL tests.comes_to('failed');
SELECT tests.last_error();
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('lines');
CALL tests.comes_to('cancelled');
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('lines');
CALL tests.comes_to('finished');
SELECT tests.last_error();
SELECT DISTINCT conrelid::regclass::text COLLATE "C", condeferrable FROM pg_constraint WHERE conname = 'to_orders' AND conrelid::regclass::text ~ '^lines' ORDER BY 1;
-- Too many partitions there: making a key would keep who writes there waiting.
DO $$ BEGIN FOR i IN 1 .. 300 LOOP EXECUTE format('CREATE TABLE orders_n%s PARTITION OF "Or;ders" FOR VALUES FROM (%s) TO (%s)', i, -i, 1 - i); END LOOP; END $$;
INSERT INTO lines VALUES (310, 1, 'b');
SELECT action, outcome FROM ensure_partitions('lines');
-- A key to the guard of the table beside one to a partitioned table.
CREATE TABLE said (id int, k int NOT NULL, answers int, o int, region text);
ALTER TABLE said ADD PRIMARY KEY (id), ADD CONSTRAINT "to itself" FOREIGN KEY (answers) REFERENCES said,
    ADD CONSTRAINT to_orders FOREIGN KEY (o, region) REFERENCES "Or;ders";
INSERT INTO said SELECT i, i, nullif(i - 1, 0), 2, 'a' FROM generate_series(1, 150) i;
SET client_min_messages = warning;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('said', 'k', 'range', '100', premake => 0, default_partition => true, unique_guard => true);
CALL wait_for_conversion('said', '240 s');
CALL tests.until($$SELECT bool_and(convalidated) FROM pg_constraint WHERE contype = 'f' AND confrelid IN ('said'::regclass, 'said_pkey_guard'::regclass)$$);
SELECT finish_conversion('said');
RESET client_min_messages;
INSERT INTO said VALUES (250, 250, 7, 2, 'a');
SELECT action, outcome FROM ensure_partitions('said');
DROP TABLE said, said_pkey_guard;
DROP FUNCTION said_pkey_guard();
DROP VIEW keys;
DROP TABLE lines, "Or;ders", shops;
REVOKE ALL ON SCHEMA public FROM regress_keeper;
DROP ROLE regress_keeper;
TABLE tests.residue;
