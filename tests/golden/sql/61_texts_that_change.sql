\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What PostgreSQL has stored it does not always write down as it would store it again: s IN ('a', 'b') over a varchar, a AND b AND c.
SET client_min_messages = warning;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, s varchar(9) DEFAULT 'a', c char(3), g bool GENERATED ALWAYS AS (s IN ('a', 'b') AND k BETWEEN 1 AND 9 AND id > 0) STORED,
    CHECK (s IN ('a', 'b')), CHECK (k BETWEEN 1 AND 900 AND id > 0), CHECK (c NOT IN ('x', 'y') OR c IS NULL), CHECK (s = ANY (ARRAY['a', 'b', 'c']::varchar[]) OR (k > 3 OR k < -5) OR id > 7));
ALTER TABLE t ADD d text[] DEFAULT ARRAY['a', 'b']::varchar[];
CREATE INDEX partial ON t (k) WHERE s IN ('a', 'b') AND k BETWEEN 1 AND 90 AND id > 0;
CREATE INDEX expression ON t ((s IN ('a', 'b') AND k BETWEEN 1 AND 90 AND id > 0));
CREATE STATISTICS counted ON (s IN ('a', 'b') AND k BETWEEN 1 AND 90 AND id > 0), k FROM t;
CREATE VIEW v AS SELECT *, s IN ('a', 'b') AS is_in FROM t WHERE s IN ('a','b') AND k BETWEEN 1 AND 9 AND id > 0;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t WHERE s IN ('a','b') AND k BETWEEN 1 AND 9 AND id > 0;
CREATE POLICY p ON t USING (s IN ('a', 'b') AND k BETWEEN 1 AND 90 AND id > 0) WITH CHECK (s NOT IN ('x', 'y'));
CREATE TABLE other (s varchar);
CREATE POLICY p ON other USING (s IN ('a', 'b') AND EXISTS (SELECT FROM t WHERE t.s IN ('a', 'b') AND k BETWEEN 1 AND 9 AND id > 0));
CREATE RULE r AS ON DELETE TO t WHERE OLD.s IN ('a','b') AND OLD.k BETWEEN 1 AND 9 AND OLD.id > 800 DO INSTEAD NOTHING;
CREATE RULE r AS ON DELETE TO other WHERE OLD.s IN ('a', 'b') DO ALSO DELETE FROM t WHERE s IN ('x', 'y') AND k BETWEEN 1 AND 9 AND id > 0;
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t WHERE s IN ('a','b') AND k BETWEEN 1 AND 9 AND id > 0; END;
CREATE FUNCTION of_row(r t, x varchar DEFAULT 'a') RETURNS bool LANGUAGE sql RETURN ((r).s IN ('a', 'b') AND (r).k BETWEEN 1 AND 9 AND (r).id > 0 AND x IN ('a', 'b'));
CREATE TRIGGER w BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.s IN ('a', 'b') AND OLD.k BETWEEN 1 AND 9 AND OLD.id > 0) EXECUTE FUNCTION suppress_redundant_updates_trigger();
SET client_min_messages = error;
CREATE PUBLICATION pub FOR TABLE t WHERE (k BETWEEN 1 AND 9 AND id > 0) WITH (publish_via_partition_root, publish = 'insert');
INSERT INTO t (id, k) SELECT i, i FROM generate_series(1, 100) i;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '10', premake => 0);
CALL wait_for_conversion('t');
SELECT relkind, (SELECT count(*) FROM t) AS rows, (SELECT count(*) FROM v) AS in_view, f() FROM pg_class WHERE oid = 't'::regclass;
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c' ORDER BY 1;
SELECT finish_conversion('t');
INSERT INTO t (id, k) VALUES (900, 105);
SELECT set_partition_policy('t', premake => 1, default_partition => true);
SELECT action, outcome FROM ensure_partitions('t') ORDER BY 1, 2;
SET client_min_messages = error;
DROP PUBLICATION pub;
DROP TABLE other;
DROP MATERIALIZED VIEW m;
DROP VIEW v;
DROP FUNCTION f;
SET client_min_messages = error;
DROP TABLE t CASCADE;

-- Partitioned by hand, with rows in the default partition: the new partitions are given what the table has stored, not what its text means.
SET client_min_messages = warning;
CREATE TABLE h (id int, k int NOT NULL, s varchar(9), CONSTRAINT c CHECK (s IN ('a', 'b')), CONSTRAINT d CHECK (k BETWEEN 1 AND 900 AND id > 0),
    g bool GENERATED ALWAYS AS (s IN ('a', 'b') AND k BETWEEN 1 AND 9 AND id > 0) STORED) PARTITION BY RANGE (k);
CREATE INDEX partial ON h (k) WHERE s IN ('a', 'b') AND k BETWEEN 1 AND 90 AND id > 0;
CREATE INDEX expression ON h ((s IN ('a', 'b') AND k BETWEEN 1 AND 90 AND id > 0));
CREATE TABLE h_0 PARTITION OF h FOR VALUES FROM (0) TO (10);
CREATE TABLE h_10 PARTITION OF h FOR VALUES FROM (10) TO (20);
CREATE TABLE h_default PARTITION OF h DEFAULT;
INSERT INTO h SELECT i, i, 'a' FROM generate_series(1, 44) i;
SELECT set_partition_policy('h', premake => 1);
SELECT count(*) AS skipped_or_begun FROM ensure_partitions('h');
CALL tests.wait_for_end('h');
SELECT phase, last_error, last_error_detail FROM partman_rs.conversions WHERE source::text = 'h_default';
SELECT tableoid::regclass AS partition, count(*) FROM h GROUP BY 1 ORDER BY min(k);
-- Each index has one part on each partition.
SELECT indrelid::regclass AS partition, count(*), bool_and(indexrelid IN (SELECT inhrelid FROM pg_inherits)) AS attached FROM pg_index WHERE indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'h'::regclass) GROUP BY 1 ORDER BY 1::text;
CALL tests.workers_are_gone();
DROP TABLE h;
TABLE tests.residue;
