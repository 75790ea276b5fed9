\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Partitions that are partitioned themselves.
\set ECHO none
CREATE FUNCTION tests.made(parent regclass) RETURNS TABLE (action text, partition text, lower_bound text, upper_bound text, outcome text)
LANGUAGE sql AS $$ SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions(made.parent) $$;
-- A tree of tables, those of the last partition of the first level only where that is wanted.
CREATE FUNCTION tests.tree(parent regclass, only_below regclass DEFAULT NULL) RETURNS TABLE (level int, partition text, bounds text, key text, facts text)
LANGUAGE sql SET TimeZone = 'UTC' AS $$
SELECT t.level, repeat('  ', t.level - 1) || c.relname, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid),
       concat_ws(' ', pg_get_userbyid(c.relowner), array_to_string(c.reloptions, ','),
                 (SELECT string_agg(format('%s:%s', a.grantee::regrole, a.privilege_type), ' ' ORDER BY a.grantee::regrole::text COLLATE "C", a.privilege_type) FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner),
                 CASE WHEN c.relrowsecurity THEN 'rls' END, nullif(c.relreplident, 'd'),
                 (SELECT spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace),
                 (SELECT count(*) || ' indexes' FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid),
                 (SELECT 'policy' FROM partman_rs.policy p WHERE p.parent = c.oid))
  FROM pg_partition_tree(coalesce(only_below, tree.parent)) t JOIN pg_class c ON c.oid = t.relid
 WHERE t.level > 0 OR only_below IS NOT NULL
 ORDER BY (SELECT array_agg(r.relname ORDER BY a.n DESC) FROM pg_partition_ancestors(c.oid) WITH ORDINALITY a(relid, n) JOIN pg_class r ON r.oid = a.relid) $$;
\set ECHO all
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
CREATE ROLE regress_owner;
CREATE ROLE regress_reader;
CREATE ROLE regress_leak;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner;

-- Ranges of ids, lists of tenants below, hash below those: a new partition has it all, as the newest one.
SET ROLE regress_owner;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO regress_leak;
CREATE TABLE two (id bigint NOT NULL, tenant text COLLATE "C" NOT NULL, v text CHECK (v <> ''), d int DEFAULT 7, PRIMARY KEY (id, tenant)) PARTITION BY RANGE (id);
CREATE INDEX ON two (v);
ALTER TABLE two ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON two TO regress_reader;
GRANT UPDATE (v) ON two TO regress_reader;
CREATE TABLE two_p0 PARTITION OF two FOR VALUES FROM (0) TO (10) PARTITION BY LIST (tenant);
CREATE TABLE two_p0_old PARTITION OF two_p0 DEFAULT;
CREATE TABLE two_p10 PARTITION OF two FOR VALUES FROM (10) TO (20) PARTITION BY LIST (tenant);
CREATE TABLE "two_p10_we""ird, 'x'" PARTITION OF two_p10 FOR VALUES IN ('we"ird', $$o'x\$$, 'NULL') WITH (fillfactor = 70, toast.autovacuum_enabled = off);
ALTER TABLE "two_p10_we""ird, 'x'" REPLICA IDENTITY FULL;
CREATE TABLE of_a PARTITION OF two_p10 FOR VALUES IN ('a') PARTITION BY HASH (id);
CREATE TABLE of_a_h0 PARTITION OF of_a FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (fillfactor = 80);
CREATE TABLE of_a_h1 PARTITION OF of_a FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE two_p10_rest PARTITION OF two_p10 DEFAULT;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM regress_leak;
RESET ROLE;
-- The grants that default privileges gave are those partitions' own: told of below.
REVOKE ALL ON two, two_p0, two_p0_old, two_p10, "two_p10_we""ird, 'x'", of_a, of_a_h0, of_a_h1, two_p10_rest FROM regress_leak;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_owner IN SCHEMA public GRANT SELECT ON TABLES TO regress_leak;
INSERT INTO two VALUES (15, 'a', 'x');
-- In the way: a name that is taken.
CREATE VIEW two_p20_1_h1 AS SELECT 1;
SELECT set_partition_policy('two', premake => 1);
SELECT * FROM tests.made('two') WHERE action = 'create';
SELECT * FROM tests.tree('two', 'two_p20');
INSERT INTO two SELECT 20 + n, t, 'y' FROM generate_series(0, 4) n, unnest(ARRAY['a', 'b', 'we"ird', $$o'x\$$]) t;
SELECT tableoid::regclass, count(*) FROM two WHERE id >= 20 GROUP BY tableoid ORDER BY tableoid::regclass::text COLLATE "C";
-- The next one is made like it, and no name grows.
SELECT * FROM tests.made('two') WHERE action = 'create';
SELECT level, partition, bounds, key FROM tests.tree('two', 'two_p30');
SELECT conname, conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('two_p30'::regclass, 'two_p30_1'::regclass) AND contype <> 'n' ORDER BY conname COLLATE "C", conrelid::regclass::text COLLATE "C";
-- Nothing is left to do, or has drifted.
SELECT * FROM tests.made('two');

-- One that has no partitions is no model; one that is not partitioned is.
SET ROLE regress_owner;
CREATE TABLE two_p40 PARTITION OF two FOR VALUES FROM (40) TO (50) PARTITION BY HASH (id);
RESET ROLE;
INSERT INTO two VALUES (35, 'a', 'x');
SELECT set_partition_policy('two', premake => 2);
SELECT action, partition, outcome FROM tests.made('two');
SELECT level, partition, key FROM tests.tree('two', 'two_p50');
SET ROLE regress_owner;
DROP TABLE two_p50;
CREATE TABLE two_p50 (LIKE two INCLUDING ALL);
ALTER TABLE two ATTACH PARTITION two_p50 FOR VALUES FROM (50) TO (60);
RESET ROLE;
SELECT set_partition_policy('two', premake => 3);
SELECT action, partition, outcome FROM tests.made('two');
SELECT level, partition, key FROM tests.tree('two', 'two_p60');
DROP TABLE two;
CREATE TABLE none (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE none_p0 PARTITION OF none FOR VALUES FROM ('2020-01-01') TO ('2030-01-01') PARTITION BY HASH (at);
SELECT set_partition_policy('none', '10 years', premake => 1, time_zone => 'UTC');
SELECT * FROM tests.made('none');
-- Rows in the default partition are told of: no conversion makes partitions with partitions.
CREATE TABLE none_p0_0 PARTITION OF none_p0 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE none_rest PARTITION OF none DEFAULT;
INSERT INTO none VALUES ('2025-01-01'), ('2031-01-01');
SELECT * FROM tests.made('none');
DROP TABLE none;
-- Operator classes and collations of keys, and expressions.
CREATE TABLE odd (id int NOT NULL, t text, n int) PARTITION BY RANGE (id);
CREATE TABLE odd_p0 PARTITION OF odd FOR VALUES FROM (0) TO (10) PARTITION BY LIST (lower(t) COLLATE "POSIX" text_pattern_ops);
CREATE TABLE odd_p0_a PARTITION OF odd_p0 FOR VALUES IN ('a') PARTITION BY RANGE (t COLLATE "C" text_pattern_ops, (n % 2));
CREATE TABLE odd_p0_a_1 PARTITION OF odd_p0_a FOR VALUES FROM (MINVALUE, MINVALUE) TO ('m', 1);
SELECT set_partition_policy('odd', premake => 1);
INSERT INTO odd VALUES (5, 'a', 1);
SELECT * FROM tests.made('odd');
SELECT level, partition, bounds, key FROM tests.tree('odd');
-- What the table's own column divides further is not another partition's, except by hash, or by ranges that have an interval.
CREATE TABLE odd_p20 PARTITION OF odd FOR VALUES FROM (20) TO (30) PARTITION BY LIST ((id % 4));
CREATE TABLE odd_p20_rest PARTITION OF odd_p20 DEFAULT;
INSERT INTO odd VALUES (25, 'a');
SELECT * FROM tests.made('odd');
DROP TABLE odd_p20;
CREATE TABLE odd_p20 PARTITION OF odd FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (id);
CREATE TABLE odd_p20_20 PARTITION OF odd_p20 FOR VALUES FROM (20) TO (30);
CREATE TABLE odd_p30 PARTITION OF odd FOR VALUES FROM (30) TO (40) PARTITION BY RANGE (id);
CREATE TABLE odd_p30_all PARTITION OF odd_p30 FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
INSERT INTO odd VALUES (35, 'a');
SELECT * FROM tests.made('odd');
DROP TABLE odd;

-- Years of months of hashes; the table goes on so, months of each by the calendar.
CREATE TABLE y (at timestamptz NOT NULL, id int) PARTITION BY RANGE (at);
CREATE TABLE y_2023 PARTITION OF y FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY RANGE (at);
SELECT format('CREATE TABLE y_2023_%s PARTITION OF y_2023 FOR VALUES FROM (%L) TO (%L) PARTITION BY HASH (id)', to_char(m, 'MM'), m, m + interval '1 month'),
       format('CREATE TABLE y_2023_%s_all PARTITION OF y_2023_%1$s FOR VALUES WITH (MODULUS 1, REMAINDER 0) WITH (fillfactor = 50)', to_char(m, 'MM'))
  FROM generate_series(timestamptz '2023-01-01', '2023-12-01', '1 month') m \gexec
CREATE TABLE y_2023_rest PARTITION OF y_2023 DEFAULT;
SET pg_partman_rs.test_clock = '2023-06-15 12:00+00';
SELECT set_partition_policy('y', premake => 1, time_zone => 'UTC');
SELECT * FROM tests.made('y');
SELECT level, partition, bounds, facts FROM tests.tree('y', 'y_p2024') WHERE partition ~ '(2024|0[12]|12|_all|rest)$' AND partition !~ '_(0[3-9]|1[01])_all';
SELECT count(*) FROM pg_partition_tree('y_p2024') WHERE isleaf;
DROP TABLE y;

-- Ranges of another time: those of the present and of the time to come, and the policy that the sibling has.
CREATE TABLE o (id bigint NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE o_p0 PARTITION OF o FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (at);
CREATE TABLE o_p0_p2022 PARTITION OF o_p0 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE o_p0_p2023 PARTITION OF o_p0 FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
SELECT set_partition_policy('o', premake => 1);
SELECT set_partition_policy('o_p0', premake => 2, time_zone => 'UTC', retention => '1 year');
INSERT INTO o VALUES (5, '2022-12-31');
SELECT * FROM tests.made('o');
SELECT level, partition, bounds, facts FROM tests.tree('o');
SELECT parent, partition_interval, premake, time_zone, retention FROM partman_rs.policies WHERE parent::text LIKE 'o\_%' ORDER BY parent::text;
SET pg_partman_rs.test_clock = '2033-06-15 12:00+00';
INSERT INTO o VALUES (15, '2023-12-31');
SELECT * FROM tests.made('o') WHERE lower_bound = '20';
SELECT level, partition, bounds FROM tests.tree('o') WHERE partition ~ 'p20';
DROP TABLE o;
RESET pg_partman_rs.test_clock;
DROP VIEW two_p20_1_h1;

DROP FUNCTION tests.made, tests.tree;
DROP OWNED BY regress_owner;
REVOKE ALL ON SCHEMA public FROM regress_owner;
DROP ROLE regress_owner, regress_reader, regress_leak;
