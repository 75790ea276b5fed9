\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Rows in a default partition: moved where they belong, told where not.
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
CREATE TABLE n (id bigint PRIMARY KEY, v text DEFAULT 'x', CHECK (v <> '')) PARTITION BY RANGE (id);
CREATE INDEX n_v ON n (v);
CREATE TABLE n_p0 PARTITION OF n FOR VALUES FROM (0) TO (100);
CREATE TABLE "n Default" PARTITION OF n DEFAULT;
CREATE INDEX "own index" ON "n Default" (v, id);
COMMENT ON TABLE "n Default" IS 'the rest';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note AFTER INSERT ON n FOR EACH ROW EXECUTE FUNCTION noted();
INSERT INTO n SELECT generate_series(-150, 450, 7);
INSERT INTO n VALUES (9000000000000000000);
SELECT set_partition_policy('n', '100', premake => 1);
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('n', dry_run => true);
-- What maintains itself is moved by a worker, from the commit on.
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('n');
CALL tests.wait_for_end('n');
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds, obj_description(c.oid) AS comment,
       (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) AS indexes,
       (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid) AS triggers,
       (SELECT string_agg(conname, ', ' ORDER BY conname COLLATE "C") FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n') AS constraints,
       (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1] AS rows
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'n'::regclass
 ORDER BY pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.relname COLLATE "C";
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = '"n Default"'::regclass ORDER BY 1::text COLLATE "C";
SELECT count(*), count(DISTINCT id) FROM n;
SELECT action, relation, partition, outcome, error FROM partman_rs.runs WHERE relation = 'n'::regclass ORDER BY action COLLATE "C", outcome COLLATE "C";
-- Nothing is left to be done but what lies too far.
SELECT action, outcome FROM ensure_partitions('n');
SELECT relname FROM pg_class WHERE relname LIKE '%retired%' OR relname LIKE '%rest%' OR relname LIKE '%twin%';

-- A foreign key that points at the default partition itself is in the way, and is named; partitions that none of the rows belong to are made all the same.
CREATE TABLE target (id int PRIMARY KEY);
INSERT INTO target SELECT generate_series(0, 500);
CREATE TABLE k (id int PRIMARY KEY REFERENCES target) PARTITION BY RANGE (id);
CREATE TABLE k_p0 PARTITION OF k FOR VALUES FROM (0) TO (100);
CREATE TABLE k_default PARTITION OF k DEFAULT;
CREATE TABLE child (id int REFERENCES k_default);
INSERT INTO k VALUES (50), (150);
SELECT set_partition_policy('k', premake => 1);
SELECT action, outcome FROM ensure_partitions('k');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'k'::regclass;
-- A policy of the default partition itself, and another owner.
DROP TABLE child, k;
CREATE ROLE regress_other;
CREATE TABLE k (id int) PARTITION BY RANGE (id);
CREATE TABLE k_p0 PARTITION OF k FOR VALUES FROM (0) TO (100);
CREATE TABLE k_default PARTITION OF k DEFAULT;
INSERT INTO k VALUES (50), (150);
CREATE POLICY own ON k_default USING (true);
ALTER TABLE k_default OWNER TO regress_other;
GRANT CREATE ON SCHEMA public TO regress_other;
SELECT set_partition_policy('k', premake => 1);
SELECT action, outcome FROM ensure_partitions('k');
REVOKE CREATE ON SCHEMA public FROM regress_other;
DROP TABLE k;
DROP ROLE regress_other;

-- Rows older than what is kept stay; nulls and infinite keys too.
CREATE TABLE t (at date) PARTITION BY RANGE (at);
CREATE TABLE t_new PARTITION OF t FOR VALUES FROM ('2020-03-01') TO ('2020-04-01');
CREATE TABLE t_default PARTITION OF t DEFAULT;
INSERT INTO t VALUES (NULL), ('infinity'), ('2019-01-01'), ('2020-01-31'), ('2020-03-15');
SELECT set_partition_policy('t', '1 month', premake => 0, retention => '1 year');
SELECT count(*), min(lower_bound), max(upper_bound) > now()::text AS ahead FROM ensure_partitions('t') WHERE outcome = 'draining';
CALL tests.wait_for_end('t');
SELECT tableoid::regclass, * FROM t ORDER BY at;

DROP TABLE t, n, target CASCADE;
SELECT count(*) FROM ensure_partitions();
TABLE tests.residue;
