\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What PostgreSQL 18 brought, as far as a conversion meets it: NOT NULL constraints with names, which may be NOT VALID,
-- constraints that are not enforced, and generated columns that are not stored.
CREATE TABLE t (
    gone int,
    id int CONSTRAINT "it's there" NOT NULL,
    at date CONSTRAINT has_a_day NOT NULL,
    low int NOT NULL,
    note text,
    doubled int GENERATED ALWAYS AS (low * 2) VIRTUAL CONSTRAINT not_nothing NOT NULL,
    marked text GENERATED ALWAYS AS (upper(note)) VIRTUAL,
    stored int GENERATED ALWAYS AS (low + 1) STORED,
    gone_too int GENERATED ALWAYS AS (low + 2) VIRTUAL,
    CONSTRAINT t_pkey PRIMARY KEY (id, at),
    CONSTRAINT only_said CHECK (low > 0) NOT ENFORCED,
    CONSTRAINT virtually CHECK (doubled > -100)
);
INSERT INTO t (id, at, low, note) SELECT i, '2024-01-10'::date + i, i - 5, CASE WHEN i % 3 > 0 THEN 'note ' || i END FROM generate_series(1, 40) i;
ALTER TABLE t DROP gone, DROP gone_too;
ALTER TABLE t ADD COLUMN late int GENERATED ALWAYS AS (low - 1) VIRTUAL;
ALTER TABLE t ADD CONSTRAINT noted NOT NULL note NOT VALID;
COMMENT ON CONSTRAINT has_a_day ON t IS 'a day';
COMMENT ON CONSTRAINT noted ON t IS 'not yet';
COMMENT ON CONSTRAINT only_said ON t IS 'who knows';
CREATE TABLE before AS SELECT * FROM tests.shape('t');
CREATE TABLE rows_before AS SELECT id, t::text AS line, doubled, marked, stored, late FROM t;
CREATE TABLE leaf_before AS SELECT * FROM tests.leaf_shape('t');
SELECT * FROM before WHERE fact ~ '^(constraint|column)' ORDER BY fact COLLATE "C";
SELECT statement FROM convert_to_partitioned('t', 'at', 'range', '1 month', range_start => '2024-01-01', range_end => '2024-03-01')
 WHERE phase = 'prepared' AND statement !~ '^(GRANT|REVOKE)';
CALL wait_for_conversion('t', '240 s');
SELECT * FROM (
    SELECT 'before' AS side, * FROM (TABLE before EXCEPT ALL SELECT * FROM tests.shape('t')) b
    UNION ALL
    SELECT 'after', * FROM (SELECT * FROM tests.shape('t') EXCEPT ALL TABLE before) a) d
 ORDER BY fact COLLATE "C", side DESC;
SELECT p.partition, d.side, d.fact FROM partman_rs.partitions p CROSS JOIN LATERAL (
    SELECT 'before' AS side, * FROM (TABLE leaf_before EXCEPT ALL SELECT * FROM tests.leaf_shape(p.partition)) b
    UNION ALL
    SELECT 'after', * FROM (SELECT * FROM tests.leaf_shape(p.partition) EXCEPT ALL TABLE leaf_before) a) d
 WHERE p.parent = 't'::regclass
 ORDER BY p.partition::text COLLATE "C", d.fact COLLATE "C", d.side DESC;
SELECT count(*) FROM rows_before b FULL JOIN t USING (id)
 WHERE b.line IS DISTINCT FROM t::text OR (b.doubled, b.marked, b.stored, b.late) IS DISTINCT FROM (t.doubled, t.marked, t.stored, t.late);
-- The planner must not conclude from the constraint that is not valid that there is no such row.
SELECT count(*) FROM t WHERE note IS NULL;
SELECT count(*) FROM t_p2024_01 WHERE note IS NULL;
SELECT tests.refusal($$INSERT INTO t (id, at, low) VALUES (50, '2024-02-02', 1)$$);
SELECT tests.refusal($$INSERT INTO t (id, at, note) VALUES (50, '2024-02-02', 'x')$$);
SELECT tests.refusal($$INSERT INTO t (id, at, low, note) VALUES (50, '2024-02-02', -50, 'x')$$);
INSERT INTO t (id, at, low, note) VALUES (50, '2024-02-02', -49, 'x') RETURNING doubled, marked, stored, late;
UPDATE t SET note = 'y' WHERE note IS NULL;
ALTER TABLE t VALIDATE CONSTRAINT noted;
SELECT finish_conversion('t');
DROP TABLE t, before, rows_before, leaf_before;
-- A column whose NOT NULL is not valid may hold nulls: it makes no key, and cannot join one.
CREATE TABLE t (id int, k int, CONSTRAINT once UNIQUE (id));
INSERT INTO t VALUES (1, 1), (NULL, 12), (NULL, NULL);
ALTER TABLE t ADD CONSTRAINT id_there NOT NULL id NOT VALID, ADD CONSTRAINT k_there NOT NULL k NOT VALID;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10', default_partition => false)$$);
SET client_min_messages = notice;
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0);
SET client_min_messages = warning;
CALL wait_for_conversion('t', '240 s');
SELECT tableoid::regclass, * FROM t ORDER BY id, k;
SELECT count(*) FROM t WHERE k IS NULL;
SELECT conrelid::regclass, conname, convalidated FROM pg_constraint WHERE conrelid::regclass::text ~ '^t' AND contype = 'n' ORDER BY 1, 2;
SELECT finish_conversion('t');
DROP TABLE t;
-- What cannot be carried is refused.
CREATE TABLE t (id int PRIMARY KEY, k int, v int GENERATED ALWAYS AS (id * 2) VIRTUAL, what int4range NOT NULL, during int4range NOT NULL);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'v', 'range', '10')$$);
ALTER TABLE t ADD CONSTRAINT mine_alone NOT NULL k NO INHERIT;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'id', 'range', '10')$$);
ALTER TABLE t ALTER CONSTRAINT mine_alone INHERIT;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'id', 'range', '10')$$) = 'not refused' AS accepted;
ALTER TABLE t ADD CONSTRAINT one_at_a_time UNIQUE (what, during WITHOUT OVERLAPS);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'id', 'range', '10')$$);
ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (what, during WITHOUT OVERLAPS);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'id', 'range', '10')$$);
ALTER TABLE t DROP CONSTRAINT t_pkey, DROP CONSTRAINT one_at_a_time, ADD PRIMARY KEY (id);
DROP TABLE t;
-- Foreign keys that are not enforced, from the table and to it: they stay so.
CREATE TABLE far (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, f int CONSTRAINT out_said REFERENCES far NOT ENFORCED, up int CONSTRAINT self_said REFERENCES t NOT ENFORCED);
CREATE TABLE other (id int CONSTRAINT in_said REFERENCES t NOT ENFORCED);
INSERT INTO t SELECT i, -i, -i FROM generate_series(1, 25) i;
INSERT INTO other VALUES (3), (99);
CREATE VIEW said AS SELECT conrelid::regclass::text AS of, conname, pg_get_constraintdef(oid) AS definition, convalidated, conenforced,
       (SELECT count(*) FROM pg_trigger WHERE tgconstraint = k.oid) AS triggers FROM pg_constraint k WHERE contype = 'f' AND conparentid = 0 AND conname ~ 'said';
CREATE TEMP TABLE before AS TABLE said;
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('t', 'id', 'range', '10', premake => 0);
CALL wait_for_conversion('t', '240 s');
SELECT finish_conversion('t');
TABLE said EXCEPT TABLE before;
TABLE before EXCEPT TABLE said;
-- And while rows move out of the default partition.
INSERT INTO t VALUES (55, -1, -1);
SELECT action, outcome FROM ensure_partitions('t') WHERE action = 'drain';
CALL tests.comes_to('finished');
SELECT tableoid::regclass, id FROM t WHERE id > 20 ORDER BY id;
TABLE said EXCEPT TABLE before;
TABLE before EXCEPT TABLE said;
DROP VIEW said;
DROP TABLE t, other, far, before;
-- What hangs on a table and says something new of it: columns that are not stored, old and new rows that are returned,
-- generated columns that are published.
SET client_min_messages = error;
CREATE TABLE t (gone int, id int CONSTRAINT there NOT NULL, low int, doubled int GENERATED ALWAYS AS (low * 2) VIRTUAL, stored int GENERATED ALWAYS AS (low + 1) STORED,
    PRIMARY KEY (id));
ALTER TABLE t DROP gone;
INSERT INTO t (id, low) SELECT i, i FROM generate_series(1, 19) i;
CREATE FUNCTION tests.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '% to %', OLD.low, NEW.low; RETURN NULL; END $$;
CREATE TRIGGER noted AFTER UPDATE OF low ON t FOR EACH ROW WHEN (NEW.doubled > OLD.stored) EXECUTE FUNCTION tests.noted();
CREATE VIEW v AS SELECT id, doubled, stored FROM t WHERE doubled > 4;
CREATE POLICY even ON t USING (doubled > 2) WITH CHECK (low IS NOT NULL);
CREATE STATISTICS s ON low, stored FROM t;
CREATE FUNCTION raised(int) RETURNS text LANGUAGE sql
    BEGIN ATOMIC UPDATE t SET low = low + 5 WHERE id = $1 RETURNING format('%s, then %s', old.doubled, new.doubled); END;
CREATE PUBLICATION regress_all FOR TABLE t WITH (publish_via_partition_root, publish_generated_columns = stored);
CREATE PUBLICATION regress_few FOR TABLE t (id, stored) WITH (publish_via_partition_root);
SET client_min_messages = warning;
SELECT * FROM conversion_manifest('t', 'id');
CREATE TABLE before AS SELECT format('%s | %s | %s | %s', pg_get_viewdef('v'), pg_get_functiondef('raised'::regproc),
    (SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname = 'noted'),
    (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 't'::regclass)) AS text;
SELECT count(*) > 0 AS planned FROM convert_to_partitioned('t', 'id', 'range', '10', premake => 0);
CALL wait_for_conversion('t', '240 s');
SELECT text = format('%s | %s | %s | %s', pg_get_viewdef('v'), pg_get_functiondef('raised'::regproc),
    (SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname = 'noted'),
    (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 't'::regclass)) AS is_the_same FROM before;
SELECT raised(15);
SELECT * FROM v WHERE id > 14 ORDER BY id;
SELECT pubname, attnames FROM pg_publication_tables WHERE tablename = 't' ORDER BY 1;
SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = 't'::regclass;
SELECT finish_conversion('t');
SET client_min_messages = error;
DROP FUNCTION raised;
DROP TABLE t, before CASCADE;
DROP PUBLICATION regress_all, regress_few;
DROP FUNCTION tests.noted;
-- A partition is not detached while a key points at its rows that is not enforced: PostgreSQL makes no difference.
CREATE TABLE o (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE o_p0 PARTITION OF o FOR VALUES FROM (0) TO (10);
CREATE TABLE o_p10 PARTITION OF o FOR VALUES FROM (10) TO (20);
CREATE TABLE o_p20 PARTITION OF o FOR VALUES FROM (20) TO (30);
INSERT INTO o VALUES (1), (11), (25);
CREATE TABLE item (id int REFERENCES o NOT ENFORCED);
INSERT INTO item VALUES (1), (99);
SELECT tests.refusal($$ALTER TABLE o DETACH PARTITION o_p0$$);
SELECT set_partition_policy('o', '10', premake => 0, retention => '5', retention_action => 'detach');
SELECT action, partition, outcome FROM ensure_partitions('o', dry_run => true);
SELECT action, partition, outcome FROM ensure_partitions('o');
DELETE FROM item WHERE id = 1;
SELECT action, partition, outcome FROM ensure_partitions('o');
DROP TABLE o, o_p0, o_p10, item;
SELECT count(*) FROM ensure_partitions();
TABLE tests.residue;
