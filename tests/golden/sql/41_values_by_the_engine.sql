\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- New values of lists whose rows are many, or lie in a large default partition: moved by the engine of conversions.
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET pg_partman_rs.new_value_max_rows = 10;
-- Rows that lie where PostgreSQL does not look for them.
CREATE FUNCTION tests.misplaced(parent regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE leaf regclass; n bigint; all_of_them bigint := 0;
BEGIN
    FOR leaf IN SELECT inhrelid FROM pg_inherits WHERE inhparent = parent LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE NOT (%s)', leaf, coalesce(pg_get_partition_constraintdef(leaf), 'true')) INTO n;
        all_of_them := all_of_them + n;
    END LOOP;
    RETURN all_of_them;
END $$;
CREATE TABLE l (country text, id int, v text DEFAULT 'x', PRIMARY KEY (country, id)) PARTITION BY LIST (country);
CREATE TABLE l_de PARTITION OF l FOR VALUES IN ('de', 'at');
CREATE TABLE l_default PARTITION OF l DEFAULT;
CREATE INDEX ON l (v);
INSERT INTO l SELECT c, n FROM unnest('{de,fr,it,"it''s","quo\"ted"}'::text[]) c, generate_series(1, 100) n;
INSERT INTO l SELECT 'few', n FROM generate_series(1, 5) n;
SELECT set_partition_policy('l', new_values => true);
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l', dry_run => true);
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
-- Nothing else is made meanwhile.
CALL tests.wait_for_end('l');
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds, (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid) AS indexes,
       (SELECT string_agg(conname, ', ') FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c') AS checks, (SELECT count(*) FROM l WHERE l.tableoid = c.oid) AS rows
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'l'::regclass ORDER BY c.relname COLLATE "C";
SELECT tests.misplaced('l'), count(*), count(DISTINCT (country, id)) FROM l;
SELECT action, partition, outcome FROM partman_rs.runs WHERE relation = 'l'::regclass AND action = 'drain' ORDER BY outcome;
-- Few rows are moved one by one, as ever.
INSERT INTO l SELECT 'nl', n FROM generate_series(1, 5) n;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
-- Not so in a default partition that would be looked through for long, nor where DELETE sets something off.
INSERT INTO l SELECT 'be', n FROM generate_series(1, 5) n;
SET pg_partman_rs.default_scan_limit = 0;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
RESET pg_partman_rs.default_scan_limit;
CALL tests.wait_for_end('l');
SELECT tableoid::regclass, count(*) FROM l WHERE country = 'be' GROUP BY 1;
-- What cannot be had is told: small values go their way.
CREATE POLICY own ON l_default USING (true);
INSERT INTO l SELECT c, n FROM unnest('{es,pt}'::text[]) c, generate_series(1, 100) n WHERE c = 'es' OR n < 5;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
DROP TABLE l;
-- Partitions with levels of their own.
CREATE TABLE two (tenant int, id int) PARTITION BY LIST (tenant);
CREATE TABLE two_1 PARTITION OF two FOR VALUES IN (1) PARTITION BY HASH (id);
CREATE TABLE two_1_0 PARTITION OF two_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE two_default PARTITION OF two DEFAULT;
INSERT INTO two SELECT t, n FROM generate_series(1, 2) t, generate_series(1, 100) n;
SELECT set_partition_policy('two', new_values => true);
SELECT action, lower_bound, outcome FROM ensure_partitions('two') WHERE action <> 'policy';
CALL tests.wait_for_end('two');
SELECT tableoid::regclass, count(*) FROM two GROUP BY 1 ORDER BY tableoid::regclass::text;
DROP TABLE two;

-- Types: values that are equal and look different are one; nulls get a partition, too.
CREATE TYPE humour AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TABLE m_numeric (k numeric, id int) PARTITION BY LIST (k);
CREATE TABLE m_enum (k humour, id int) PARTITION BY LIST (k);
CREATE TABLE m_varchar (k varchar(20), id int) PARTITION BY LIST (k);
CREATE TABLE m_date (k date, id int) PARTITION BY LIST (k);
CREATE TABLE m_bool (k bool, id int) PARTITION BY LIST (k);
CREATE TABLE m_char (k char(5), id int) PARTITION BY LIST (k);
CREATE TABLE m_c (k text COLLATE "C", id int) PARTITION BY LIST (k);
SELECT format('CREATE TABLE %s_default PARTITION OF %1$s DEFAULT', relname) FROM pg_class WHERE relname ~ '^m_' AND relkind = 'p' ORDER BY relname \gexec
INSERT INTO m_numeric SELECT (CASE WHEN n % 2 = 0 THEN '1.0' ELSE '1.000' END)::numeric + (n % 3), n FROM generate_series(1, 300) n;
INSERT INTO m_enum SELECT (enum_range(NULL::humour))[n % 3 + 1], n FROM generate_series(1, 300) n;
INSERT INTO m_varchar SELECT 'v ' || n % 3, n FROM generate_series(1, 300) n;
INSERT INTO m_date SELECT date '2020-01-01' + n % 3, n FROM generate_series(1, 300) n;
INSERT INTO m_bool SELECT n % 2 = 0, n FROM generate_series(1, 300) n;
INSERT INTO m_char SELECT n % 3, n FROM generate_series(1, 300) n;
INSERT INTO m_c SELECT (ARRAY['a', 'B', 'ä'])[n % 3 + 1], n FROM generate_series(1, 300) n;
SELECT format('INSERT INTO %s VALUES (NULL, 0)', relname) FROM pg_class WHERE relname ~ '^m_' AND relkind = 'p' ORDER BY relname \gexec
SELECT set_partition_policy(oid, new_values => true) FROM pg_class WHERE relname ~ '^m_' AND relkind = 'p' ORDER BY relname;
SELECT parent, outcome FROM ensure_partitions() WHERE action = 'drain' ORDER BY parent::text COLLATE "C";
SELECT format('CALL tests.wait_for_end(%L)', relname) FROM pg_class WHERE relname ~ '^m_' AND relkind = 'p' ORDER BY relname \gexec
SELECT relname, tests.misplaced(oid), (SELECT count(*) FROM pg_inherits WHERE inhparent = c.oid) AS partitions,
       (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1] AS rows,
       (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s_default', c.relname), false, true, '')))[1] AS left
  FROM pg_class c WHERE relname ~ '^m_' AND relkind = 'p' ORDER BY relname;
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c WHERE c.relname ~ '^m_' AND c.relpartbound IS NOT NULL AND c.relname !~ 'default$' ORDER BY c.relname COLLATE "C";
SELECT format('DROP TABLE %s', relname) FROM pg_class WHERE relname ~ '^m_' AND relkind = 'p' ORDER BY relname \gexec
DROP TYPE humour;

-- PostgreSQL attaches them, and what is left, without a look at their rows: also where there are very many values, and a partition for
-- nulls. The table beside, whose values are few, was read as often.
CREATE TABLE few (k text, id int) PARTITION BY LIST (k);
CREATE TABLE many (k text, id int) PARTITION BY LIST (k);
CREATE TABLE odd (k varchar(9), id int) PARTITION BY LIST (k);
DO $$ BEGIN
    FOR n IN 1 .. 120 LOOP
        EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES IN (''m%1$s'')', n);
        EXECUTE format('CREATE TABLE odd_%s PARTITION OF odd FOR VALUES IN (''m%1$s'')', n);
    END LOOP;
END $$;
CREATE TABLE many_null PARTITION OF many FOR VALUES IN (NULL);
CREATE TABLE few_default PARTITION OF few DEFAULT;
CREATE TABLE many_default PARTITION OF many DEFAULT;
CREATE TABLE odd_default PARTITION OF odd DEFAULT;
INSERT INTO few SELECT 'm1000', n FROM generate_series(1, 100) n;
INSERT INTO many SELECT 'm1000', n FROM generate_series(1, 100) n;
INSERT INTO odd SELECT 'm1000', n FROM generate_series(1, 100) n;
SELECT set_partition_policy('few', new_values => true), set_partition_policy('many', new_values => true), set_partition_policy('odd', new_values => true);
SELECT parent, lower_bound, outcome FROM ensure_partitions() WHERE action IN ('create', 'drain') ORDER BY parent::text COLLATE "C", outcome COLLATE "C";
CALL tests.wait_for_end('few');
CALL tests.wait_for_end('many');
CALL tests.all_is_counted();
SELECT pg_stat_get_numscans('many_m1000'::regclass) - pg_stat_get_numscans('few_m1000'::regclass) AS more_for_one,
       pg_stat_get_numscans('many_default'::regclass) - pg_stat_get_numscans('few_default'::regclass) AS more_for_the_rest,
       pg_stat_get_numscans('few_m1000'::regclass) > 0 AS is_counted;
DROP TABLE few, many, odd;
DROP FUNCTION tests.misplaced;

-- Nulls: told, with values or without; moved with few rows in a transaction, with many by the engine. A value may be called like them.
CREATE TABLE n (k text, v int) PARTITION BY LIST (k);
CREATE TABLE n_a PARTITION OF n FOR VALUES IN ('a', 'A', 'ä');
CREATE TABLE n_default PARTITION OF n DEFAULT;
INSERT INTO n SELECT NULL, g FROM generate_series(1, 50) g;
SELECT set_partition_policy('n');
SELECT action, lower_bound, outcome FROM ensure_partitions('n');
SELECT set_partition_policy('n', new_values => true);
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'n'::regclass;
SET pg_partman_rs.new_value_max_rows = 49;
SELECT action, lower_bound, outcome FROM ensure_partitions('n', dry_run => true);
SET pg_partman_rs.new_value_max_rows = 50;
INSERT INTO n VALUES ('null', 0), ('A', 0);
SELECT action, lower_bound, replace(partition, 'public.', '') AS partition, outcome FROM ensure_partitions('n');
SELECT tableoid::regclass, k, count(*) FROM n GROUP BY 1, 2 ORDER BY 1, 2;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'n'::regclass;
-- A partition of several values stays what it is; one that takes nulls with others takes all of them.
CREATE TABLE s (k int, v int) PARTITION BY LIST (k);
CREATE TABLE s_some PARTITION OF s FOR VALUES IN (1, NULL, 3);
CREATE TABLE s_default PARTITION OF s DEFAULT;
INSERT INTO s VALUES (NULL, 1), (3, 1), (2, 1);
SELECT set_partition_policy('s', new_values => true);
SELECT action, lower_bound, outcome FROM ensure_partitions('s');
SELECT relid::regclass, pg_get_expr(relpartbound, oid) FROM pg_partition_tree('s') JOIN pg_class ON oid = relid WHERE isleaf ORDER BY 1;
DROP TABLE s;
-- With a key, and many rows; the rest is attached without a look.
DROP TABLE n;
CREATE TABLE n (k int, v int) PARTITION BY LIST (k);
CREATE TABLE n_default PARTITION OF n DEFAULT;
CREATE INDEX ON n (k);
INSERT INTO n SELECT NULLIF(g % 4, 0), g FROM generate_series(1, 400) g;
SELECT set_partition_policy('n', new_values => true);
SELECT action, lower_bound, outcome FROM ensure_partitions('n');
CALL tests.comes_to('finished');
SELECT tableoid::regclass, k, count(*) FROM n GROUP BY 1, 2 ORDER BY k;
INSERT INTO n VALUES (NULL, 0), (1, 0);
DELETE FROM n_null WHERE v = 0 AND k IS NULL;
SELECT relid::regclass, pg_get_expr(relpartbound, oid) FROM pg_partition_tree('n') JOIN pg_class ON oid = relid WHERE isleaf ORDER BY 1;
-- Where only nulls lie there.
DROP TABLE n;
CREATE TABLE n (k int, v int) PARTITION BY LIST (k);
CREATE TABLE n_default PARTITION OF n DEFAULT;
INSERT INTO n SELECT NULL, g FROM generate_series(1, 400) g;
SELECT set_partition_policy('n', new_values => true);
SELECT action, lower_bound, outcome FROM ensure_partitions('n');
CALL tests.comes_to('finished');
SELECT tableoid::regclass, k, count(*) FROM n GROUP BY 1, 2 ORDER BY k;
RESET pg_partman_rs.new_value_max_rows;
DROP TABLE n;
TABLE tests.residue;
