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
-- Rows of the default partition get theirs by a conversion.
CREATE TABLE none_p0_0 PARTITION OF none_p0 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE none_rest PARTITION OF none DEFAULT;
INSERT INTO none VALUES ('2025-01-01'), ('2031-01-01');
SELECT * FROM tests.made('none');
CALL tests.wait_for_end('none');
SELECT tableoid::regclass, at FROM none ORDER BY at;
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

CALL tests.not_at_the_turn();
-- Years of months of hashes; the table goes on so, months of each by the calendar. Years are told from the present one.
\set ECHO none
CREATE FUNCTION tests.years(what text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE year int := extract(year FROM now()); BEGIN
    FOR i IN -3 .. 4 LOOP what := replace(what, (year + i)::text, 'Y' || CASE WHEN i = 0 THEN '' ELSE to_char(i, 'SGFM9') END); END LOOP;
    RETURN what;
END $$;
SELECT to_char(now() - interval '2 years', 'YYYY-01-01') AS before_last, to_char(now() - interval '1 year', 'YYYY-01-01') AS last_year,
       to_char(now(), 'YYYY-01-01') AS this_year, to_char(now() + interval '1 year', 'YYYY-01-01') AS next_year, to_char(now() + interval '1 year', '"y_p"YYYY') AS y_next,
       to_char(now(), '"t_b_p"YYYY') AS t_b_now \gset
\set ECHO all
CREATE TABLE y (at timestamptz NOT NULL, id int) PARTITION BY RANGE (at);
CREATE TABLE y_0 PARTITION OF y FOR VALUES FROM (:'this_year') TO (:'next_year') PARTITION BY RANGE (at);
\set ECHO none
SELECT format('CREATE TABLE y_0_%s PARTITION OF y_0 FOR VALUES FROM (%L) TO (%L) PARTITION BY HASH (id)', to_char(m, 'MM'), m, m + interval '1 month'),
       format('CREATE TABLE y_0_%s_all PARTITION OF y_0_%1$s FOR VALUES WITH (MODULUS 1, REMAINDER 0) WITH (fillfactor = 50)', to_char(m, 'MM'))
  FROM generate_series(:'this_year'::timestamptz, :'this_year'::timestamptz + interval '11 months', '1 month') m \gexec
\set ECHO all
CREATE TABLE y_0_rest PARTITION OF y_0 DEFAULT;
SELECT set_partition_policy('y', premake => 1, time_zone => 'UTC');
SELECT action, tests.years(partition) AS partition, tests.years(lower_bound) AS lower_bound, tests.years(upper_bound) AS upper_bound, outcome FROM tests.made('y');
SELECT level, tests.years(partition) AS partition, tests.years(bounds) AS bounds, facts FROM tests.tree('y', :'y_next') WHERE partition !~ '_(0[3-9]|1[01])(_all)?$';
SELECT count(*) FROM pg_partition_tree(:'y_next') WHERE isleaf;
DROP TABLE y;

-- Ranges of another time: those of the present and of the time to come, and the policy that the sibling has.
CREATE TABLE o (id bigint NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE o_p0 PARTITION OF o FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (at);
CREATE TABLE o_p0_a PARTITION OF o_p0 FOR VALUES FROM (:'last_year') TO (:'this_year');
CREATE TABLE o_p0_b PARTITION OF o_p0 FOR VALUES FROM (:'this_year') TO (:'next_year');
SELECT set_partition_policy('o', premake => 1);
SELECT set_partition_policy('o_p0', premake => 2, time_zone => 'UTC', retention => '1 year');
INSERT INTO o VALUES (5, :'last_year');
SELECT action, tests.years(partition) AS partition, tests.years(lower_bound) AS lower_bound, tests.years(upper_bound) AS upper_bound, outcome FROM tests.made('o');
SELECT level, tests.years(partition) AS partition, tests.years(bounds) AS bounds, facts FROM tests.tree('o');
SELECT parent, partition_interval, premake, time_zone, retention FROM partman_rs.policies WHERE parent::text LIKE 'o\_%' ORDER BY parent::text;
SELECT format('DROP TABLE %s', inhrelid::regclass) FROM pg_inherits WHERE inhparent = 'o_p10'::regclass
\set ECHO none
\gexec
\set ECHO all
CREATE TABLE o_p10_a PARTITION OF o_p10 FOR VALUES FROM (:'last_year') TO (:'this_year');
INSERT INTO o VALUES (15, :'last_year');
SELECT * FROM tests.made('o') WHERE lower_bound = '20';
SELECT tests.years(partition) AS partition, tests.years(bounds) AS bounds FROM tests.tree('o', 'o_p10') WHERE level > 0;
DROP TABLE o;
-- Lists of tenants, each of ranges with a policy of its own: a call for the table covers them.
CREATE TABLE t (tenant text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant, at)) PARTITION BY LIST (tenant);
CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a') PARTITION BY RANGE (at);
CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b') PARTITION BY RANGE (at);
CREATE TABLE t_b_x PARTITION OF t_b DEFAULT;
SELECT tests.refusal($$SELECT ensure_partitions('t')$$);
SELECT set_partition_policy('t_a', '1 year', premake => 2, time_zone => 'UTC', retention => '1 year', retention_action => 'drop');
SELECT set_partition_policy('t_b', '1 year', premake => 1, time_zone => 'UTC');
SELECT parent, action, partition, tests.years(lower_bound) AS lower_bound, tests.years(upper_bound) AS upper_bound, outcome FROM ensure_partitions('t', dry_run => true);
SELECT parent, action, tests.years(partition) AS partition, tests.years(lower_bound) AS lower_bound, outcome FROM ensure_partitions('t');
INSERT INTO t VALUES ('a', :'this_year'), ('b', :'this_year');
CREATE TABLE t_a_old PARTITION OF t_a FOR VALUES FROM (:'before_last') TO (:'last_year');
INSERT INTO t VALUES ('a', :'before_last');
SELECT parent, action, tests.years(partition) AS partition, tests.years(lower_bound) AS lower_bound, outcome FROM ensure_partitions('t_a');
SELECT parent, action, tests.years(partition) AS partition, tests.years(lower_bound) AS lower_bound, outcome FROM ensure_partitions('t_a');
DROP TABLE :"t_b_now";
SELECT parent, verdict, reason FROM partman_rs.health ORDER BY parent::text;
-- A new tenant, and two.
CREATE TABLE t_c PARTITION OF t FOR VALUES IN ('c') PARTITION BY RANGE (at);
CREATE TABLE t_h PARTITION OF t FOR VALUES IN ('h') PARTITION BY HASH (at);
SELECT * FROM ensure_partitions('t') WHERE action = 'policy';
CREATE TABLE "t_D" PARTITION OF t FOR VALUES IN ('D') PARTITION BY RANGE (at);
SELECT * FROM ensure_partitions('t', dry_run => true) WHERE action = 'policy';
DROP TABLE t;
-- Where the table has a policy itself, its health tells, too.
CREATE TABLE t (id int NOT NULL, day int NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE t_0 PARTITION OF t FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
CREATE TABLE t_10 PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
SELECT set_partition_policy('t', premake => 0), set_partition_policy('t_0', '10', premake => 0);
SELECT * FROM ensure_partitions('t');
SELECT parent, verdict, reason, next_command FROM partman_rs.health WHERE parent = 't'::regclass;
-- What lies in the recycle bin is left alone, and goes on when it is had back.
CREATE TABLE t_10_0 PARTITION OF t_10 FOR VALUES FROM (0) TO (10);
INSERT INTO t VALUES (5, 5), (5, 15);
CREATE INDEX ON t (day);
SELECT set_partition_policy('t', retention => '5', retention_action => 'recycle', grace_period => '1 day');
SELECT set_partition_policy('t_0', premake => 3, retention => '1', retention_action => 'drop');
SELECT * FROM ensure_partitions('t') WHERE parent = 't'::regclass AND action <> 'policy';
SELECT * FROM ensure_partitions('t_0');
SELECT parent, verdict, reason, next_command FROM partman_rs.health WHERE parent = 't_0'::regclass;
SELECT restore_partition('t_0');
SELECT * FROM ensure_partitions('t_0');
DROP TABLE t;

-- What becomes of a partition that is partitioned becomes of all below it.
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.w_0_1_id_idx ();
CREATE TABLE elsewhere.w_0_2 ();
CREATE TABLE w (day int NOT NULL, id int NOT NULL) PARTITION BY RANGE (day);
CREATE INDEX ON w (id);
SELECT format('CREATE TABLE w_%s PARTITION OF w FOR VALUES FROM (%1$s) TO (%s) PARTITION BY LIST (id)', d, d + 10),
       format('CREATE TABLE w_%s_1 PARTITION OF w_%1$s FOR VALUES IN (1) PARTITION BY HASH (day)', d),
       format('CREATE TABLE w_%s_1_0 PARTITION OF w_%1$s_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0)', d),
       format('CREATE TABLE w_%s_2 PARTITION OF w_%1$s FOR VALUES IN (2)', d)
  FROM generate_series(0, 60, 10) d \gexec
INSERT INTO w SELECT d, i FROM generate_series(0, 69) d, generate_series(1, 2) i;
INSERT INTO w SELECT 5, 1 FROM generate_series(1, 20000);
\set ECHO none
CREATE FUNCTION tests.whole(pattern text) RETURNS TABLE (name text, parent regclass, bounds text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE c record;
BEGIN
    FOR c IN SELECT k.oid, k.oid::regclass::text AS name, i.inhparent, pg_get_expr(k.relpartbound, k.oid) AS bounds FROM pg_class k LEFT JOIN pg_inherits i ON i.inhrelid = k.oid
              WHERE k.relname ~ pattern AND k.relkind IN ('r', 'p', 'I', 'i') ORDER BY k.relname COLLATE "C", k.oid::regclass::text COLLATE "C" LOOP
        name := c.name; parent := c.inhparent; bounds := c.bounds; rows := NULL;
        IF (SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = c.oid) THEN EXECUTE format('SELECT count(*) FROM %s', c.name) INTO rows; END IF;
        RETURN NEXT;
    END LOOP;
END $$;
\set ECHO all
-- Into a schema: with all below, and indexes. Names that are taken there get numbers.
SELECT set_partition_policy('w', premake => 0, retention => '50', retention_action => 'move', retention_schema => 'elsewhere');
SELECT action, partition, outcome FROM tests.made('w');
SELECT * FROM tests.whole('^w_0');
-- The bin, and back; nothing is done to what lies there, and a pin far below keeps it.
SELECT set_partition_policy('w', retention => '40', retention_action => 'recycle', retention_schema => 'elsewhere', grace_period => '1 day');
SELECT action, partition, outcome FROM tests.made('w');
SELECT * FROM tests.whole('^w_10');
SELECT tests.refusal($$INSERT INTO elsewhere.w_10_2 VALUES (9, 2)$$);
SELECT restore_partition('elsewhere.w_10');
SELECT * FROM tests.whole('^w_10');
SELECT unpin_partition('elsewhere.w_10'), pin_partition('elsewhere.w_10_1_0');
SELECT action, partition, outcome FROM tests.made('w');
SELECT unpin_partition('elsewhere.w_10_1_0');
SELECT action, partition, outcome FROM tests.made('w');
SELECT pin_partition('elsewhere.w_10_1_0');
SELECT set_partition_policy('w', grace_period => '0');
SELECT action, partition, outcome FROM tests.made('w');
SELECT unpin_partition('elsewhere.w_10_1_0');
SELECT action, partition, outcome FROM tests.made('w');
SELECT * FROM tests.whole('^w_10');
-- Its size is that of all below: by size it is the first to go, and more than half of all goes in no run.
DROP SCHEMA elsewhere CASCADE;
INSERT INTO w SELECT 25, 1 FROM generate_series(1, 20000);
SELECT set_partition_policy('w', retention => 'none', retention_action => 'drop', retention_size => '400 kB');
SET pg_partman_rs.retention_max_share = 50;
SELECT action, partition, outcome FROM tests.made('w');
RESET pg_partman_rs.retention_max_share;
-- A pin of the second level holds.
SELECT pin_partition('w_20_2');
SELECT set_partition_policy('w', retention => '30', retention_size => 'none');
SELECT action, partition, outcome FROM tests.made('w');
SELECT unpin_partition('w_20_2');
SELECT action, partition, outcome FROM tests.made('w');
SELECT count(*) FROM pg_class WHERE relname ~ '^w_20';
SELECT set_partition_policy('w', retention => '20', retention_action => 'detach');
SELECT action, partition, outcome FROM tests.made('w');
SELECT * FROM tests.whole('^w_30');
DROP TABLE w, w_30;
-- What has drifted further down is told and mended as at the first level: each is compared with what it is a partition of, and with its siblings.
SET ROLE regress_owner;
CREATE FUNCTION tells() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE d (id int NOT NULL, k int NOT NULL, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (id);
CREATE TRIGGER tells AFTER INSERT ON d FOR EACH ROW EXECUTE FUNCTION tells();
CREATE TABLE d_0 PARTITION OF d FOR VALUES FROM (0) TO (10) PARTITION BY LIST (k);
CREATE TABLE d_0_1 PARTITION OF d_0 FOR VALUES IN (1) PARTITION BY HASH (id);
CREATE TABLE d_0_1_0 PARTITION OF d_0_1 FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE d_0_1_1 PARTITION OF d_0_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1) WITH (fillfactor = 60);
CREATE TABLE d_0_1_2 PARTITION OF d_0_1 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE d_0_2 PARTITION OF d_0 FOR VALUES IN (2);
CREATE TABLE d_10 PARTITION OF d FOR VALUES FROM (10) TO (20);
INSERT INTO d SELECT i, 1 + i % 2, i FROM generate_series(0, 9) i;
SELECT set_partition_policy('d', premake => 0);
GRANT SELECT ON d, d_10, d_0 TO regress_reader;
GRANT DELETE ON d_0_1_2 TO regress_reader;
ALTER TABLE d ENABLE ROW LEVEL SECURITY;
ALTER TABLE d_10 ENABLE ROW LEVEL SECURITY;
ALTER TABLE d_0_1 ENABLE ROW LEVEL SECURITY;
ALTER TABLE d_0_1_0 REPLICA IDENTITY FULL;
ALTER TABLE d_0_1_1 DISABLE TRIGGER tells;
-- Indexes of the table alone, of one in the middle alone, and what will do.
CREATE INDEX d_v ON ONLY d (v) WHERE v <> '';
ALTER TABLE ONLY d ADD CONSTRAINT d_u UNIQUE (k, id) DEFERRABLE;
CREATE INDEX d_0_w ON ONLY d_0 (v DESC);
CREATE INDEX will_do ON d_0_1_2 (v) WHERE v <> '';
RESET ROLE;
CREATE TABLE d_0_3 (id int NOT NULL, k int NOT NULL, v text);
ALTER TABLE d_0 ATTACH PARTITION d_0_3 FOR VALUES IN (3);
SELECT action, partition, outcome FROM tests.made('d');
SELECT verdict, next_command FROM partman_rs.health WHERE parent = 'd'::regclass;
ALTER TABLE d_0_3 OWNER TO regress_owner;
SELECT set_partition_policy('d', repair => true);
SET client_min_messages = warning;
SELECT action, partition, outcome FROM tests.made('d');
SET client_min_messages = notice;
SELECT * FROM tests.made('d');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'd'::regclass;
SELECT level, partition, facts FROM tests.tree('d');
SELECT c.oid::regclass AS index, indrelid::regclass, indisvalid, inhparent::regclass FROM pg_index JOIN pg_class c ON c.oid = indexrelid LEFT JOIN pg_inherits ON inhrelid = c.oid
 WHERE indrelid::regclass::text ~ '^d(_|$)' AND c.relname !~ 'pkey' ORDER BY indrelid::regclass::text COLLATE "C", c.relname COLLATE "C";
SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'tells' AND tgenabled = 'D';
-- What another role has in the middle is told, with all below it.
ALTER TABLE d_0_1 OWNER TO regress_leak;
ALTER TABLE d_0_1_0 OWNER TO regress_leak;
SELECT set_partition_policy('d');
SELECT action, partition, outcome FROM tests.made('d');
-- With a policy of its own it is compared by its own runs.
CREATE TABLE d_20 PARTITION OF d FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (k);
CREATE TABLE d_20_0 PARTITION OF d_20 FOR VALUES FROM (0) TO (10);
ALTER TABLE d_20 OWNER TO regress_owner;
ALTER TABLE d_20_0 OWNER TO regress_owner;
GRANT SELECT ON d_20 TO regress_reader;
ALTER TABLE d_20 ENABLE ROW LEVEL SECURITY;
SELECT set_partition_policy('d_20', premake => 0);
SELECT parent, action, partition, outcome FROM ensure_partitions('d') WHERE partition ~ 'd_20';
DROP TABLE d;
DROP FUNCTION tells;
DROP VIEW two_p20_1_h1;

-- New values of a list whose partitions are partitioned: ranges of the present and ahead, and those that rows want.
CREATE TABLE n (tenant text NOT NULL, at timestamptz NOT NULL, twice int GENERATED ALWAYS AS (length(tenant) * 2) STORED, v int, PRIMARY KEY (tenant, at)) PARTITION BY LIST (tenant);
CREATE INDEX ON n (v);
CREATE TABLE n_default PARTITION OF n DEFAULT;
SELECT set_partition_policy('n', new_values => true);
-- Without siblings it is a plain one.
INSERT INTO n VALUES ('plain', '2024-01-01');
SELECT * FROM tests.made('n');
-- One that has no partitions is no model: the plain one is; without that none.
CREATE TABLE n_a PARTITION OF n FOR VALUES IN ('a') PARTITION BY RANGE (at);
INSERT INTO n VALUES ('Acme', '2024-03-16');
SELECT * FROM tests.made('n');
SELECT level, partition, bounds, key FROM tests.tree('n');
DROP TABLE n_acme, n_plain;
INSERT INTO n VALUES ('nova', '2024-03-16'), ('beta', '2024-03-16'), ('beta', '2024-01-31'), ('gone', '2023-01-01'), ('gone', '2024-03-15'), ('late', '2131-01-01');
SELECT * FROM tests.made('n') WHERE lower_bound = 'nova';
CREATE TABLE n_a_2024_01 PARTITION OF n_a FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') WITH (fillfactor = 70);
CREATE TABLE n_a_2024_02 PARTITION OF n_a FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE n_a_now PARTITION OF n_a FOR VALUES FROM ('2024-03-01') TO ('2124-03-01') WITH (fillfactor = 80);
SELECT set_partition_policy('n_a', '1 year', premake => 0, time_zone => 'UTC', retention => '100 years');
-- Ranges that the sibling does not have are not made up.
SELECT action, partition, lower_bound, outcome FROM tests.made('n') WHERE lower_bound !~ '^2';
SELECT * FROM tests.tree('n') WHERE partition !~ '^ *n_a_';
-- What was begun for the others has left nothing.
SELECT relname FROM pg_class WHERE relname ~ '^n_(gone|late)';
SELECT parent, partition_interval, premake, time_zone, retention FROM partman_rs.policies WHERE parent::text ~ '^n(_|$)' ORDER BY parent::text COLLATE "C";
SELECT tableoid::regclass AS partition, tenant, at, twice FROM n ORDER BY 1::text COLLATE "C", 3;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'n'::regclass;
-- A default partition takes what is left.
DROP TABLE n_nova, n_beta;
SELECT drop_partition_policy('n_a');
CREATE TABLE n_a_rest PARTITION OF n_a DEFAULT;
INSERT INTO n VALUES ('beta', '2024-03-16'), ('beta', '2024-01-31');
SET pg_partman_rs.new_value_max_rows = 1;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('n') WHERE parent = 'n'::regclass;
CALL tests.wait_for_end('n');
RESET pg_partman_rs.new_value_max_rows;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('n') WHERE parent = 'n'::regclass;
SELECT tableoid::regclass AS partition, tenant, at FROM n ORDER BY 1::text COLLATE "C", 3;
DROP TABLE n;
-- Infinite times, and ids that carry them; hashes above them.
CREATE TABLE n (k int NOT NULL, id bigint NOT NULL, at date) PARTITION BY LIST (k);
CREATE TABLE n_default PARTITION OF n DEFAULT;
CREATE TABLE n_1 PARTITION OF n FOR VALUES IN (1) PARTITION BY HASH (k, id);
CREATE TABLE n_1_h0 PARTITION OF n_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (at);
CREATE TABLE n_1_h0_past PARTITION OF n_1_h0 FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE n_1_h0_2024 PARTITION OF n_1_h0 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE n_1_h0_2025 PARTITION OF n_1_h0 FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
CREATE TABLE n_1_h1 PARTITION OF n_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT set_partition_policy('n', new_values => true);
INSERT INTO n SELECT k, i, at FROM (VALUES (2, '-infinity'::date), (3, 'infinity'), (4, '2024-05-05')) AS g(k, at), generate_series(1, 10) i;
INSERT INTO n SELECT 5, i, NULL FROM generate_series(1, 10) i;
SELECT action, lower_bound, regexp_replace(outcome, '\d+ of', 'some of') AS outcome FROM tests.made('n');
SELECT level, partition, bounds, key FROM tests.tree('n') WHERE partition ~ 'n_[2345]';
SELECT k, count(*), count(*) FILTER (WHERE tableoid = 'n_default'::regclass) AS left_behind FROM n GROUP BY k ORDER BY k;
DROP TABLE n;
CREATE TABLE n (k int NOT NULL, id uuid NOT NULL) PARTITION BY LIST (k);
CREATE TABLE n_default PARTITION OF n DEFAULT;
CREATE TABLE n_1 PARTITION OF n FOR VALUES IN (1) PARTITION BY RANGE (id);
CREATE TABLE n_1_old PARTITION OF n_1 FOR VALUES FROM ('018cc251-f400-0000-0000-000000000000') TO ('018d60f8-a000-0000-0000-000000000000');
CREATE TABLE n_1_older PARTITION OF n_1 FOR VALUES FROM ('01850000-0000-7000-8000-000000000000') TO ('018cc251-f400-0000-0000-000000000000');
CREATE TABLE n_1_new PARTITION OF n_1 FOR VALUES FROM ('018d60f8-a000-0000-0000-000000000000') TO ('03990000-0000-0000-0000-000000000000');
SELECT set_partition_policy('n', new_values => true), set_partition_policy('n_1', '1 month', key_codec => 'uuidv7', premake => 0, time_zone => 'UTC');
INSERT INTO n VALUES (2, '018cc251-f400-7000-8000-000000000001'), (3, '018d60f8-a000-7000-8000-000000000001');
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('n') WHERE parent = 'n'::regclass;
SELECT level, partition, bounds FROM tests.tree('n') WHERE partition ~ 'n_[23]';
DROP TABLE n;
-- Lists of its own values below a list are not another value's.
CREATE TABLE n (k int NOT NULL) PARTITION BY LIST (k);
CREATE TABLE n_default PARTITION OF n DEFAULT;
CREATE TABLE n_1 PARTITION OF n FOR VALUES IN (1, 2) PARTITION BY LIST (k);
CREATE TABLE n_1_1 PARTITION OF n_1 FOR VALUES IN (1);
SELECT set_partition_policy('n', new_values => true);
INSERT INTO n VALUES (3);
SELECT * FROM tests.made('n');
DROP TABLE n;
-- By hash: all ranges that the sibling has, rows of any time being refused; lists and ranges of the same column, too.
CREATE TABLE n (id int NOT NULL, at timestamptz NOT NULL) PARTITION BY HASH (id);
CREATE TABLE n_p0 PARTITION OF n FOR VALUES WITH (MODULUS 4, REMAINDER 0) PARTITION BY RANGE (at);
CREATE TABLE n_p1 PARTITION OF n FOR VALUES WITH (MODULUS 4, REMAINDER 1) PARTITION BY RANGE (at);
SELECT set_partition_policy('n');
SELECT * FROM tests.made('n');
CREATE TABLE n_p0_2023 PARTITION OF n_p0 FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY RANGE (id);
CREATE TABLE n_p0_2023_x PARTITION OF n_p0_2023 FOR VALUES FROM (0) TO (1000);
CREATE TABLE n_p0_2024 PARTITION OF n_p0 FOR VALUES FROM ('2024-01-01') TO ('2124-01-01');
SELECT set_partition_policy('n_p0', '1 year', premake => 0, time_zone => 'UTC');
SELECT * FROM tests.made('n') WHERE lower_bound ~ 'MODULUS';
SELECT level, partition, bounds, facts FROM tests.tree('n') WHERE partition ~ 'n_p[23]';
INSERT INTO n SELECT i, '2023-05-05' FROM generate_series(0, 99) i WHERE satisfies_hash_partition('n'::regclass, 4, 2, i);
DROP TABLE n;

DROP FUNCTION tests.made, tests.tree, tests.whole, tests.years;
DROP OWNED BY regress_owner;
REVOKE ALL ON SCHEMA public FROM regress_owner;
DROP ROLE regress_owner, regress_reader, regress_leak;
