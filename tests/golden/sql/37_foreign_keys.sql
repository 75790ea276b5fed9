\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Foreign keys of the table, to others: with actions, MATCH, deferrability, comments; at any time those of the table in use act, and no
-- others.
SET client_min_messages = error;
CREATE ROLE regress_owner;
CREATE SCHEMA "odd schema";
GRANT USAGE ON SCHEMA "odd schema" TO regress_owner;
GRANT CREATE ON SCHEMA public TO regress_owner;
SET client_min_messages = warning;
CREATE TABLE "odd schema"."Ref ""q""" (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, UNIQUE (a, b));
INSERT INTO "odd schema"."Ref ""q""" SELECT i, i, i FROM generate_series(0, 100) i;
CREATE TABLE customer (id int PRIMARY KEY);
INSERT INTO customer SELECT generate_series(0, 100);
GRANT REFERENCES (id), SELECT ON customer TO regress_owner;
GRANT REFERENCES ON "odd schema"."Ref ""q""" TO regress_owner;
CREATE TABLE t (id int PRIMARY KEY, gone int, k int NOT NULL, customer int DEFAULT 0, a int, b int, c int, d int);
ALTER TABLE t DROP COLUMN gone;
ALTER TABLE t OWNER TO regress_owner;
INSERT INTO t (id, k, customer, a, b, c, d) SELECT i, i, i % 100, i % 100, i % 100, i % 100, i % 100 FROM generate_series(1, 300) i;
ALTER TABLE t ADD CONSTRAINT "no action" FOREIGN KEY (customer) REFERENCES customer;
ALTER TABLE t ADD CONSTRAINT cascades FOREIGN KEY (a) REFERENCES customer ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE t ADD CONSTRAINT "full" FOREIGN KEY (a, b) REFERENCES "odd schema"."Ref ""q""" (a, b) MATCH FULL ON DELETE RESTRICT;
ALTER TABLE t ADD CONSTRAINT sets FOREIGN KEY (c, d) REFERENCES "odd schema"."Ref ""q""" (a, b) ON DELETE SET NULL (d) ON UPDATE SET DEFAULT;
ALTER TABLE t ADD CONSTRAINT deferred FOREIGN KEY (d) REFERENCES customer DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE t ADD CONSTRAINT "de""ferrable" FOREIGN KEY (c) REFERENCES customer DEFERRABLE;
COMMENT ON CONSTRAINT cascades ON t IS 'goes along';
CREATE VIEW keys AS
SELECT conrelid::regclass AS of, conname, confrelid::regclass AS to, pg_get_constraintdef(k.oid) AS definition, convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = confrelid) AS there,
       (SELECT string_agg(DISTINCT t.tgenabled, '') FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = conrelid) AS here
  FROM pg_constraint k WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace;
CREATE TEMP TABLE before AS SELECT conname, "to", definition, valid, comment FROM keys WHERE of = 't'::regclass;
SELECT kind, object, fate, reason FROM conversion_manifest('t', 'k') WHERE kind = 'foreign key';
SELECT phase, statement, lock FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0, dry_run => true) WHERE statement ~ 'odd schema';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL tests.comes_to('swapping');
SELECT of, conname, there, here FROM keys ORDER BY of::text COLLATE "C", conname COLLATE "C";
-- A row of the twin that is stale keeps nobody from deleting; what cascades, cascades.
BEGIN;
DELETE FROM t WHERE customer = 7;
DELETE FROM "odd schema"."Ref ""q""" WHERE id = 7;
DELETE FROM customer WHERE id = 7;
COMMIT;
UPDATE t SET customer = 1, c = NULL, d = 1 WHERE c = 9;
DELETE FROM customer WHERE id = 9;
SELECT count(*) AS cascaded FROM t WHERE a = 9;
SELECT tests.refusal('DELETE FROM customer WHERE id = 8');
SELECT tests.refusal('INSERT INTO t (id, k, customer) VALUES (1000, 1, 7)');
COMMENT ON CONSTRAINT deferred ON t IS 'made meanwhile';
COMMENT ON CONSTRAINT cascades ON t IS NULL;
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
SELECT conname, "to", definition, valid, comment FROM keys WHERE of = 't'::regclass EXCEPT TABLE before ORDER BY 1;
TABLE before EXCEPT SELECT conname, "to", definition, valid, comment FROM keys WHERE of = 't'::regclass ORDER BY 1;
SELECT DISTINCT there, here FROM keys WHERE of = 't'::regclass;
-- Each acts, and in the same order: what one would delete, another one refuses first.
SELECT tests.refusal('DELETE FROM customer WHERE id = 8');
SELECT tests.refusal('INSERT INTO t (id, k, customer) VALUES (1000, 1, 7)');
SELECT tests.refusal('UPDATE t SET a = 50, b = NULL WHERE id = 1');
SELECT tests.refusal('DELETE FROM "odd schema"."Ref ""q""" WHERE id = 20') ~ '^23(001|503): .*constraint "full"' AS is_refused;
BEGIN;
INSERT INTO t (id, k, customer, d) VALUES (1000, 1, 1, 4000);
SELECT tests.refusal('SET CONSTRAINTS deferred IMMEDIATE');
ROLLBACK;
UPDATE t SET a = NULL, b = NULL WHERE a = 30;
DELETE FROM "odd schema"."Ref ""q""" WHERE id = 30;
SELECT customer, c, d, count(*) FROM t WHERE c = 30 GROUP BY 1, 2, 3;
-- Partitions that are made have them, too.
INSERT INTO t (id, k, customer) VALUES (1001, 1001, 1);
SELECT tests.refusal('INSERT INTO t (id, k, customer) VALUES (1002, 1002, 7)');
SELECT count(*) AS violations FROM t WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = t.customer);
-- The keys of the retired table go, too.
CALL tests.until($$SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 't_retired'::regclass AND contype = 'f')$$);
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'customer'::regclass;
SELECT finish_conversion('t');
DROP TABLE t;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'customer'::regclass;

-- What is taken back leaves nothing at what it pointed at.
CREATE TABLE t (id int PRIMARY KEY, customer int REFERENCES customer ON DELETE CASCADE);
INSERT INTO t SELECT i, 1 FROM generate_series(1, 10) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL tests.comes_to('swapping');
SELECT cancel_conversion('t');
COMMIT PREPARED 'reader';
CALL tests.comes_to('cancelled');
SELECT of, conname, there, here FROM keys ORDER BY of::text COLLATE "C", conname COLLATE "C";
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'customer'::regclass;
-- A key that comes meanwhile stops the conversion.
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL tests.comes_to('swapping');
ALTER TABLE t ADD CONSTRAINT second FOREIGN KEY (customer) REFERENCES customer;
COMMIT PREPARED 'reader';
CALL tests.comes_to('failed');
SELECT tests.last_error();
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
DROP TABLE t;

-- Who forces policies upon himself has keys, too, and so have partitions that are made later, by a worker: it
-- wants to hear of rows that it is not shown. Their parts of an index have its statistics targets.
CREATE TABLE t (id int PRIMARY KEY, customer int REFERENCES customer);
INSERT INTO t SELECT i, 1 FROM generate_series(1, 10) i;
CREATE INDEX by_rest ON t ((id % 7));
ALTER INDEX by_rest ALTER COLUMN 1 SET STATISTICS 5;
ALTER TABLE t OWNER TO regress_owner;
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL wait_for_conversion('t', '240 s');
SET row_security = off;
SELECT set_partition_policy('t', premake => 2);
SELECT partition, outcome FROM ensure_partitions('t');
RESET row_security;
SELECT c.relname, c.relforcerowsecurity, (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f') AS keys,
       (SELECT a.attstattarget FROM pg_attribute a JOIN pg_index i ON i.indexrelid = a.attrelid WHERE i.indrelid = c.oid AND NOT i.indisunique) AS target
  FROM pg_class c WHERE c.relname ~ '^t_p' AND c.relkind = 'r' ORDER BY c.relname COLLATE "C";
SELECT finish_conversion('t');
DROP TABLE t;

-- To a partitioned table, which gets partitions meanwhile: the keys are made in the swap, and the source's dropped.
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (1000) PARTITION BY RANGE (id);
CREATE TABLE parts_high_100 PARTITION OF parts_high FOR VALUES FROM (100) TO (200);
CREATE TABLE parts_gone PARTITION OF parts FOR VALUES FROM (1000) TO (1100);
INSERT INTO parts SELECT generate_series(0, 199);
GRANT REFERENCES ON parts TO regress_owner;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int);
INSERT INTO t SELECT i, i % 200, i % 200, 1 + i % 5 FROM generate_series(1, 1000) i;
ALTER TABLE t ADD CONSTRAINT refuses FOREIGN KEY (b) REFERENCES parts DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE t ADD CONSTRAINT to_plain FOREIGN KEY (c) REFERENCES customer ON DELETE SET NULL;
ALTER TABLE t ADD CONSTRAINT cascades FOREIGN KEY (a) REFERENCES parts ON DELETE CASCADE ON UPDATE CASCADE;
COMMENT ON CONSTRAINT cascades ON t IS 'goes along';
ALTER TABLE t OWNER TO regress_owner;
TRUNCATE before;
INSERT INTO before SELECT conname, "to", definition, valid, comment FROM keys WHERE of = 't'::regclass;
CREATE VIEW there AS
SELECT t.tgrelid::regclass AS on, t.tgenabled AS fires, k.conrelid::regclass AS of, count(*) FROM pg_trigger t JOIN pg_constraint k ON k.oid = t.tgconstraint
 WHERE k.contype = 'f' AND (t.tgrelid IN ('parts'::regclass, 'customer'::regclass) OR t.tgrelid IN (SELECT relid FROM pg_partition_tree('parts'))) GROUP BY 1, 2, 3;
SELECT object, fate, reason FROM conversion_manifest('t', 'id') WHERE kind = 'foreign key';
SELECT phase, statement, lock FROM convert_to_partitioned('t', 'id', 'range', '500', premake => 0, dry_run => true) WHERE statement ~ 'CONSTRAINT (refuses|to_plain|cascades)|LOCK|triggers' OR lock ~ 'parts|customer';
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '500', premake => 0);
CALL tests.comes_to('swapping');
SELECT of, conname, there, here FROM keys WHERE of IN ('t'::regclass, 't_twin'::regclass) ORDER BY of::text COLLATE "C", conname COLLATE "C";
CREATE TABLE parts_new PARTITION OF parts FOR VALUES FROM (2000) TO (2100);
CREATE TABLE parts_high_200 PARTITION OF parts_high FOR VALUES FROM (200) TO (300);
INSERT INTO parts VALUES (2000), (200);
INSERT INTO t VALUES (990, 1, 2000, 1), (991, 200, 200, 1) ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = excluded.b;
SELECT tests.refusal_by_part('DELETE FROM parts WHERE id = 2000; SET CONSTRAINTS ALL IMMEDIATE');
COMMENT ON CONSTRAINT refuses ON t IS 'made meanwhile';
COMMIT PREPARED 'reader';
CALL wait_for_conversion('t', '240 s');
SELECT conname, "to", definition, valid, comment FROM keys WHERE of = 't'::regclass EXCEPT TABLE before ORDER BY 1;
TABLE before EXCEPT SELECT conname, "to", definition, valid, comment FROM keys WHERE of = 't'::regclass ORDER BY 1;
SELECT * FROM there ORDER BY 1, 2, 3;
SELECT conname FROM keys WHERE of = 't_retired'::regclass;
SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND conname ~ 'twin';
-- Each acts, and in the same order: what is to cascade does before it is refused.
SELECT tests.refusal_by_part('DELETE FROM parts WHERE id = 2000; SET CONSTRAINTS ALL IMMEDIATE');
SELECT tests.refusal('INSERT INTO t VALUES (3000, 7000, 1, 1)');
BEGIN;
INSERT INTO t VALUES (3000, 1, 7000, 1);
SELECT tests.refusal('SET CONSTRAINTS refuses IMMEDIATE');
ROLLBACK;
UPDATE t SET b = 1 WHERE b = 150;
DELETE FROM parts WHERE id = 150;
SELECT count(*) AS not_cascaded FROM t WHERE a = 150;
UPDATE t SET b = 1 WHERE b = 200;
UPDATE parts SET id = 2050 WHERE id = 200;
SELECT count(*) AS followed FROM t WHERE a = 2050;
DELETE FROM customer WHERE id = 3;
SELECT count(*) AS set_null FROM t WHERE c IS NULL;
-- What comes and goes at both ends afterwards is as ever.
CREATE TABLE parts_newer PARTITION OF parts FOR VALUES FROM (3000) TO (3100);
INSERT INTO parts VALUES (3000);
INSERT INTO t VALUES (1001, 1, 3000, 1);
SELECT tests.refusal_by_part('DELETE FROM parts WHERE id = 3000; SET CONSTRAINTS ALL IMMEDIATE');
SELECT tests.refusal_by_part('ALTER TABLE parts DETACH PARTITION parts_newer');
DELETE FROM t WHERE b = 3000;
ALTER TABLE parts DETACH PARTITION parts_newer;
SELECT set_partition_policy('t', '500', premake => 2);
SELECT outcome, count(*) FROM ensure_partitions('t') GROUP BY outcome;
SELECT count(*) AS partitions_without_keys FROM pg_inherits i WHERE inhparent = 't'::regclass
   AND 3 <> (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = i.inhrelid AND k.contype = 'f' AND k.convalidated);
SELECT finish_conversion('t');
DROP TABLE t;
SELECT count(*) AS triggers FROM there;
-- An attempt that fails leaves nothing, nor does one that is taken back.
CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES parts);
INSERT INTO t SELECT i, i % 100 FROM generate_series(1, 10) i;
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '5', premake => 0);
CALL tests.comes_to('swapping');
SELECT cancel_conversion('t');
COMMIT PREPARED 'reader';
CALL tests.comes_to('cancelled');
SELECT of, conname, there, here FROM keys;
DROP TABLE t;
SELECT count(*) AS triggers FROM there;
DROP VIEW there;
DROP TABLE parts_newer;

-- What cannot be carried.
CREATE TABLE t (id int PRIMARY KEY, customer int);
CREATE FUNCTION tests.with_key(ddl text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    BEGIN
        EXECUTE ddl;
        answer := tests.refusal($q$SELECT convert_to_partitioned('t', 'id', 'range', '10')$q$);
        RAISE EXCEPTION USING ERRCODE = 'P0098';
    EXCEPTION WHEN SQLSTATE 'P0098' THEN
        RETURN answer;
    END;
END $$;
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (customer) REFERENCES parts; ALTER TABLE parts_high_100 DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (customer) REFERENCES customer; ALTER TABLE customer DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (customer) REFERENCES customer; ALTER TABLE t DISABLE TRIGGER ALL');
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (customer) REFERENCES customer; REVOKE REFERENCES (id) ON customer FROM regress_owner; ALTER TABLE t OWNER TO regress_owner');
SELECT tests.with_key('ALTER TABLE t ADD FOREIGN KEY (customer) REFERENCES "odd schema"."Ref ""q"""; REVOKE USAGE ON SCHEMA "odd schema" FROM regress_owner; ALTER TABLE t OWNER TO regress_owner');
DROP FUNCTION tests.with_key(text);
DROP VIEW keys;
DROP TABLE t, parts, customer;
SET client_min_messages = error;
DROP SCHEMA "odd schema" CASCADE;
REVOKE ALL ON SCHEMA public FROM regress_owner;
DROP ROLE regress_owner;
TABLE tests.residue;
