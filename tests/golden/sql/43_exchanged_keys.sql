\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Rows move out of the default partition of a table that foreign keys of other tables point at.
SET client_min_messages = notice;
CREATE ROLE regress_keeper;
CREATE ROLE regress_other;
GRANT CREATE, USAGE ON SCHEMA public TO regress_keeper, regress_other;
SET ROLE regress_keeper;
CREATE TABLE o (id int, code text COLLATE "C", v text, PRIMARY KEY (id), UNIQUE (code, id)) PARTITION BY RANGE (id);
CREATE TABLE o_p0 PARTITION OF o FOR VALUES FROM (0) TO (100);
CREATE TABLE o_default PARTITION OF o DEFAULT;
INSERT INTO o SELECT n, n, repeat('x', 20) FROM generate_series(0, 349) n;
INSERT INTO o VALUES (1000000, '1000000', 'far');
GRANT REFERENCES (id) ON o TO regress_other;
CREATE TABLE "odd ""item""" (n int, "o;id" int CONSTRAINT "ca""scades" REFERENCES o ON DELETE CASCADE ON UPDATE CASCADE);
COMMENT ON CONSTRAINT "ca""scades" ON "odd ""item""" IS 'it''s kept';
CREATE TABLE pays (id int CONSTRAINT deferred REFERENCES o DEFERRABLE INITIALLY DEFERRED, code text, other int,
    CONSTRAINT "full" FOREIGN KEY (code, id) REFERENCES o (code, id) MATCH FULL ON DELETE SET NULL (code, id) ON UPDATE SET DEFAULT);
INSERT INTO "odd ""item""" SELECT n, n * 10 % 340 FROM generate_series(1, 300) n;
INSERT INTO pays SELECT n, n, NULL FROM generate_series(90, 320, 10) n;
-- One that rows violate, and is not valid: it stays so, and stays what it is.
INSERT INTO pays VALUES (NULL, NULL, -5);
ALTER TABLE pays ADD CONSTRAINT loose FOREIGN KEY (other) REFERENCES o NOT VALID;
RESET ROLE;
SET ROLE regress_other;
CREATE TABLE others (o int CONSTRAINT of_another REFERENCES o);
INSERT INTO others VALUES (7), (333), (1000000);
RESET ROLE;
CREATE VIEW keys AS
SELECT k.conrelid::regclass AS "table", k.conname, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgconstraint = k.oid) AS acts,
       rank() OVER (ORDER BY (SELECT min(tgname::text COLLATE "C") FROM pg_trigger WHERE tgconstraint = k.oid AND tgrelid = k.confrelid)) AS place,
       (SELECT count(*) FROM pg_constraint p WHERE p.conparentid = k.oid) = (SELECT count(*) FROM pg_inherits WHERE inhparent = 'o'::regclass) AS on_all
  FROM pg_constraint k WHERE k.confrelid = 'o'::regclass AND k.conparentid = 0;
CREATE TABLE before AS SELECT * FROM keys;
SELECT * FROM before ORDER BY place;
SELECT set_partition_policy('o', '100', premake => 1);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('o', dry_run => true);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('o');
CALL tests.comes_to('finished');
SELECT tests.last_error();
TABLE keys EXCEPT TABLE before;
TABLE before EXCEPT TABLE keys;
SELECT c.relname, count(*), min(id), max(id) FROM o JOIN pg_class c ON c.oid = o.tableoid GROUP BY 1 ORDER BY c.relname COLLATE "C";
-- They hold, and act, in new partitions as in old ones.
SELECT tests.refusal('INSERT INTO others VALUES (5000)');
SELECT tests.refusal('INSERT INTO pays (other) VALUES (-5)');
SELECT tests.refusal_by_part('DELETE FROM o WHERE id = 333');
UPDATE o SET id = 355 WHERE id = 330;
DELETE FROM o WHERE id = 200;
SELECT count(*), count(*) FILTER (WHERE "o;id" = 355) AS updated, count(*) FILTER (WHERE "o;id" = 200) AS left FROM "odd ""item""";
SELECT count(*) FROM pays WHERE code = '200' OR id = 200;
-- They stay what they are, whatever rows violate them, whose triggers act on their own table, and whoever may not make them again; and one of a partition, too.
INSERT INTO o SELECT n, n, '' FROM generate_series(900, 999) n;
ALTER TABLE others DISABLE TRIGGER ALL;
INSERT INTO others VALUES (-77);
REVOKE REFERENCES (id) ON o FROM regress_other;
ALTER TABLE o_p0 ADD CONSTRAINT own FOREIGN KEY (id) REFERENCES o;
DROP TABLE before;
CREATE TABLE before AS SELECT * FROM keys;
SELECT conname, acts FROM before WHERE acts <> 'O';
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('o');
CALL tests.comes_to('finished');
SELECT tests.last_error();
TABLE keys EXCEPT TABLE before;
TABLE before EXCEPT TABLE keys;
ALTER TABLE others ENABLE TRIGGER ALL;
DELETE FROM others WHERE o = -77;
ALTER TABLE o_p0 DROP CONSTRAINT own;

-- What cannot be had.
CREATE FUNCTION tests.with_it_drained(ddl text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    BEGIN
        EXECUTE ddl;
        SELECT string_agg(action || ' ' || coalesce(outcome, ''), E'\n') INTO answer FROM ensure_partitions('o', dry_run => true) WHERE outcome ~ 'drain|moved';
        RAISE EXCEPTION USING ERRCODE = 'P0098';
    EXCEPTION WHEN SQLSTATE 'P0098' THEN
        RETURN answer;
    END;
END $$;
INSERT INTO o SELECT n, n, '' FROM generate_series(1300, 1350) n;
SELECT tests.with_it_drained('');
SELECT tests.with_it_drained('ALTER TABLE o ADD COLUMN up int, ADD CONSTRAINT itself FOREIGN KEY (up) REFERENCES o NOT DEFERRABLE; ALTER TABLE o_p0 DISABLE TRIGGER ALL');
SELECT tests.with_it_drained('ALTER TABLE o_default DISABLE TRIGGER ALL');
SELECT tests.with_it_drained('ALTER TABLE o_default ADD CONSTRAINT own FOREIGN KEY (id) REFERENCES o');
SELECT tests.with_it_drained('CREATE TABLE pointing (id int CONSTRAINT at_it REFERENCES o_default)');
SELECT tests.with_it_drained($x$ALTER TABLE o ADD COLUMN up int, ADD CONSTRAINT itself FOREIGN KEY (up) REFERENCES o; DO $do$ BEGIN FOR n IN 1 .. 250 LOOP EXECUTE format('CREATE TABLE o_m%s PARTITION OF o FOR VALUES FROM (-%s) TO (-%s)', n, n + 1, n); END LOOP; END $do$ $x$);
-- A table above, that a key points at.
CREATE TABLE above (id int, tenant text, PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
CREATE TABLE below PARTITION OF above FOR VALUES IN ('a') PARTITION BY RANGE (id);
CREATE TABLE below_p0 PARTITION OF below FOR VALUES FROM (0) TO (100);
CREATE TABLE below_default PARTITION OF below DEFAULT;
INSERT INTO above VALUES (1, 'a'), (150, 'a');
CREATE TABLE to_above (id int, tenant text, CONSTRAINT up FOREIGN KEY (tenant, id) REFERENCES above);
SELECT set_partition_policy('below', '100', premake => 1);
INSERT INTO to_above VALUES (150, 'a');
CREATE VIEW parts AS
SELECT k.confrelid::regclass::text COLLATE "C" AS "to", k.conparentid <> 0 AS is_part, (SELECT string_agg(t.tgfoid::regproc::text, ' ' ORDER BY 1) FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid AND t.tgenabled = 'O') AS acts
  FROM pg_constraint k WHERE k.conrelid = 'to_above'::regclass AND contype = 'f';
SELECT action, outcome FROM ensure_partitions('below');
CALL tests.comes_to('finished');
SELECT tableoid::regclass, id FROM above ORDER BY id;
SELECT * FROM parts ORDER BY 1;
SELECT tests.refusal_by_part('DELETE FROM above WHERE id = 150');
SELECT tests.refusal($$INSERT INTO to_above VALUES (151, 'a')$$);
-- One of such a table to itself.
ALTER TABLE above ADD COLUMN up int, ADD CONSTRAINT itself FOREIGN KEY (tenant, up) REFERENCES above;
INSERT INTO above VALUES (450, 'a');
SELECT action, outcome FROM ensure_partitions('below');
DROP TABLE to_above, above CASCADE;
DROP TABLE others, pays, "odd ""item""", o, before CASCADE;
DROP FUNCTION tests.with_it_drained;
REVOKE ALL ON SCHEMA public FROM regress_keeper, regress_other;
DROP ROLE regress_keeper, regress_other;

-- Keys of a partitioned table, and of the table itself: valid all the time, their parts called as before.
CREATE TABLE tree (id int PRIMARY KEY, up int CONSTRAINT itself REFERENCES tree ON DELETE CASCADE DEFERRABLE, v text) PARTITION BY RANGE (id);
COMMENT ON CONSTRAINT itself ON tree IS 'of itself';
CREATE TABLE tree_p0 (up int CONSTRAINT "called otherwise" REFERENCES tree ON DELETE CASCADE DEFERRABLE, v text, id int PRIMARY KEY);
ALTER TABLE tree ATTACH PARTITION tree_p0 FOR VALUES FROM (0) TO (100);
CREATE TABLE tree_default PARTITION OF tree DEFAULT;
INSERT INTO tree SELECT n, CASE WHEN n > 0 THEN n / 2 END FROM generate_series(0, 349) n;
CREATE TABLE leaves (id int, t int CONSTRAINT of_parts REFERENCES tree ON DELETE SET NULL ON UPDATE CASCADE) PARTITION BY LIST (id);
COMMENT ON CONSTRAINT of_parts ON leaves IS 'of parts';
CREATE TABLE leaves_1 PARTITION OF leaves FOR VALUES IN (1);
CREATE TABLE leaves_2 (t int CONSTRAINT "of a part" REFERENCES tree ON DELETE SET NULL ON UPDATE CASCADE, id int);
ALTER TABLE leaves ATTACH PARTITION leaves_2 FOR VALUES IN (2);
INSERT INTO leaves SELECT n % 2 + 1, n FROM generate_series(0, 340, 10) n;
CREATE TABLE twigs (t int CONSTRAINT of_twigs REFERENCES tree);
INSERT INTO twigs VALUES (7), (310);
CREATE VIEW keys AS
SELECT k.conrelid::regclass::text COLLATE "C" AS "table", k.conname, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment, k.conparentid <> 0 AS is_part,
       (SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgconstraint = k.oid) AS acts
  FROM pg_constraint k WHERE k.confrelid = 'tree'::regclass;
CREATE TABLE before AS SELECT * FROM keys;
SELECT * FROM before ORDER BY 1, 2;
SELECT set_partition_policy('tree', '100', premake => 1);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('tree');
CALL tests.comes_to('finished');
SELECT tests.last_error();
TABLE before EXCEPT TABLE keys;
SELECT * FROM keys EXCEPT TABLE before ORDER BY 1, 2;
SELECT tableoid::regclass, count(*), min(id), max(id) FROM tree GROUP BY 1 ORDER BY min(id);
-- They act in new partitions as in old ones.
SELECT tests.refusal('INSERT INTO tree VALUES (350, 5000)');
SELECT tests.refusal('INSERT INTO tree VALUES (-5, 5000)');
SELECT tests.refusal('INSERT INTO leaves VALUES (2, 5000)');
SELECT tests.refusal_by_part('DELETE FROM tree WHERE id = 310');
UPDATE tree SET id = 351 WHERE id = 330;
DELETE FROM tree WHERE id = 60;
SELECT count(*) FILTER (WHERE t IS NULL) AS loose, count(*) FILTER (WHERE t = 351) AS updated FROM leaves;
SELECT count(*), count(*) FILTER (WHERE id IN (60, 120, 240)) AS left FROM tree;
DROP TABLE twigs, leaves, tree, before CASCADE;

-- By list: rows of a value go by the engine where a DELETE would set something off.
CREATE TABLE l (k text PRIMARY KEY, v int) PARTITION BY LIST (k);
CREATE TABLE l_a PARTITION OF l FOR VALUES IN ('a');
CREATE TABLE l_default PARTITION OF l DEFAULT;
INSERT INTO l VALUES ('a'), ('b'), ('c');
CREATE TABLE to_l (k text REFERENCES l ON DELETE CASCADE);
INSERT INTO to_l VALUES ('a'), ('b'), ('b');
SELECT set_partition_policy('l', new_values => true);
SELECT action, lower_bound, outcome FROM ensure_partitions('l');
CALL tests.comes_to('finished');
SELECT tableoid::regclass, k FROM l ORDER BY k;
SELECT conname, convalidated FROM pg_constraint WHERE confrelid = 'l'::regclass AND conparentid = 0;
DELETE FROM l WHERE k = 'b';
TABLE to_l;
DROP TABLE to_l, l;
TABLE tests.residue;
