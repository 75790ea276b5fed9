\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Partitions that have drifted from their table: told, then mended, then nothing to do.
\set ECHO none
CREATE FUNCTION tests.made(parent regclass) RETURNS TABLE (action text, partition text, outcome text)
LANGUAGE sql AS $$ SELECT action, partition, regexp_replace(outcome, 'build_\d+_\d+', 'build_…') FROM ensure_partitions(made.parent) $$;
\set ECHO all
SET client_min_messages = warning;
CREATE ROLE regress_owner;
CREATE ROLE regress_other;
CREATE ROLE regress_reader;
CREATE ROLE regress_stranger;
GRANT regress_other TO regress_owner;
GRANT USAGE ON SCHEMA tests TO regress_owner;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner, regress_other, regress_stranger;
SET ROLE regress_owner;
CREATE FUNCTION tells() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE t (id int NOT NULL, v text, w text NOT NULL DEFAULT '', PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TRIGGER tells AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tells();
CREATE TABLE t_p0 PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t_p10 PARTITION OF t FOR VALUES FROM (10) TO (20);
CREATE TABLE t_p20 PARTITION OF t FOR VALUES FROM (20) TO (30);
CREATE TABLE "t p30" PARTITION OF t FOR VALUES FROM (30) TO (40);
CREATE TABLE t_default PARTITION OF t DEFAULT;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(0, 29) i;
SELECT set_partition_policy('t', '10', premake => 1);
SELECT * FROM tests.made('t');
SELECT repair FROM partman_rs.policies;

-- Every kind of drift, one by one; the one that is made by hand has most of them.
GRANT SELECT ON t TO regress_reader;
GRANT UPDATE (v) ON t TO regress_reader;
GRANT DELETE ON t_p10 TO regress_reader;
GRANT INSERT (w) ON t_p20 TO PUBLIC;
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- Stricter than the table: left alone.
CREATE TABLE strict (id int) PARTITION BY RANGE (id);
CREATE TABLE strict_p0 PARTITION OF strict FOR VALUES FROM (0) TO (10);
ALTER TABLE strict_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE t_p10 SET (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE t_p20 REPLICA IDENTITY FULL;
ALTER TABLE "t p30" REPLICA IDENTITY USING INDEX "t p30_pkey";
ALTER TABLE t_p10 DISABLE TRIGGER tells;
ALTER TABLE t_p20 ENABLE ALWAYS TRIGGER tells;
-- Indexes: the template alone; a part on one partition that will do; expressions, a predicate, INCLUDE; UNIQUE.
CREATE INDEX t_v ON ONLY t (v);
CREATE INDEX will_do ON t_p0 (v);
CREATE INDEX will_not_do ON t_p10 (v DESC);
CREATE INDEX "t ""odd""" ON ONLY t (lower(v) COLLATE "C" DESC, id) INCLUDE (w) WITH (fillfactor = 80) WHERE w <> 'x';
ALTER TABLE ONLY t ADD CONSTRAINT t_unique UNIQUE (w, id) DEFERRABLE INITIALLY DEFERRED;
RESET ROLE;
-- By hand, by others.
SET ROLE regress_other;
CREATE TABLE by_hand (w text NOT NULL DEFAULT '', gone int, v text, id int NOT NULL);
ALTER TABLE by_hand DROP gone;
GRANT ALL ON by_hand TO PUBLIC;
RESET ROLE;
CREATE UNLOGGED TABLE not_ours (id int NOT NULL, v text, w text NOT NULL DEFAULT '');
ALTER TABLE not_ours OWNER TO regress_stranger;
ALTER TABLE t ATTACH PARTITION by_hand FOR VALUES FROM (40) TO (50);
ALTER TABLE t ATTACH PARTITION not_ours FOR VALUES FROM (-10) TO (0);
-- Since 17 the warning about wal_level is worded otherwise.
SET client_min_messages = error;
CREATE PUBLICATION regress_some FOR TABLE t_p0, t_p10;
SET client_min_messages = warning;
SET ROLE regress_owner;

-- Told, with what to do; the partitions stay as they are.
SET pg_partman_rs.comparison_interval = 0;
SELECT * FROM tests.made('t');
SELECT * FROM tests.made('t');
SELECT verdict, reason, next_command FROM partman_rs.health;
SELECT count(*) AS recorded FROM partman_rs.runs WHERE action = 'repair';
SELECT set_partition_policy('t', repair => true);
SELECT action, partition, outcome FROM ensure_partitions('t', dry_run => true) WHERE outcome NOT LIKE 'skipped%';

-- Mended; nobody else's partition is touched. Once more: nothing but what is left for hands.
SELECT * FROM tests.made('t');
SELECT * FROM tests.made('t');
SELECT action, outcome, count(*) FROM partman_rs.runs WHERE action = 'repair' AND outcome ~ 'belongs' GROUP BY 1, 2;
SELECT c.relname, relowner::regrole, relrowsecurity, relforcerowsecurity, reloptions, relreplident,
       (SELECT string_agg(tgenabled::text, '') FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS enabled,
       (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid) AS indexes
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 't'::regclass ORDER BY c.relname COLLATE "C";
SELECT c.relname, grantee::regrole, string_agg(privilege_type, ', ' ORDER BY privilege_type COLLATE "C") AS privileges
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid, aclexplode(relacl)
 WHERE inhparent = 't'::regclass AND grantee <> relowner GROUP BY 1, 2 ORDER BY c.relname COLLATE "C", 2;
SELECT c.relname, attname, grantee::regrole, privilege_type
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid JOIN pg_attribute ON attrelid = c.oid, aclexplode(attacl)
 WHERE inhparent = 't'::regclass ORDER BY c.relname COLLATE "C", attname;
-- Each has its part, and the table's own index has become valid.
SELECT c.relname, indisvalid, (SELECT count(*) FROM pg_inherits WHERE inhparent = indexrelid) AS parts
  FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 't'::regclass ORDER BY c.relname COLLATE "C";
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'by_hand'::regclass ORDER BY 1::text COLLATE "C";
SELECT conname, pg_get_constraintdef(oid), conparentid <> 0 AS of_table FROM pg_constraint WHERE conrelid = 'by_hand'::regclass AND contype IN ('p', 'u') ORDER BY 1;
RESET ROLE;
ALTER TABLE not_ours OWNER TO regress_other;
ALTER TABLE not_ours SET LOGGED;
DROP PUBLICATION regress_some;
SET ROLE regress_owner;
SELECT * FROM tests.made('t');
SELECT count(*) AS invalid FROM pg_index WHERE indrelid = 't'::regclass AND NOT indisvalid;
SELECT * FROM tests.made('t');
SELECT verdict, reason FROM partman_rs.health;
-- Nothing is compared before its time, but after a change of the policy.
RESET pg_partman_rs.comparison_interval;
ALTER TABLE t_p0 DISABLE TRIGGER tells;
SELECT * FROM tests.made('t');
SELECT set_partition_policy('t', repair => false);
SELECT * FROM tests.made('t');
SELECT set_partition_policy('t', repair => true);
SELECT * FROM tests.made('t');

-- Duplicates keep a unique index from being built, and that stops nothing else.
ALTER TABLE ONLY t ADD CONSTRAINT t_twice UNIQUE (v, id);
CREATE TABLE d (id int, k int) PARTITION BY RANGE (id);
CREATE TABLE d_p0 PARTITION OF d FOR VALUES FROM (0) TO (10);
INSERT INTO d VALUES (1, 1), (1, 1);
ALTER TABLE ONLY d ADD UNIQUE (id, k);
CREATE INDEX d_k ON ONLY d (k);
SELECT set_partition_policy('d', '10', premake => 0, repair => true);
SELECT * FROM tests.made('d');
SELECT verdict, regexp_replace(reason, 'build_\d+_\d+', 'build_…') AS reason FROM partman_rs.health WHERE parent = 'd'::regclass;
SELECT set_partition_policy('strict', '10', premake => 0, repair => true);
SELECT * FROM tests.made('strict');
-- A partition that is too large to keep writers waiting.
SET pg_partman_rs.default_scan_limit = 0;
SELECT outcome FROM tests.made('d') WHERE outcome LIKE '%d_k%';
SELECT outcome FROM tests.made('t') WHERE partition = 'public.t_p0';
RESET ROLE;
DROP TABLE t, d, strict;
DROP FUNCTION tells, tests.made;
DROP OWNED BY regress_owner, regress_other, regress_reader, regress_stranger;
DROP ROLE regress_owner, regress_other, regress_reader, regress_stranger;
SELECT count(*) FROM ensure_partitions();
TABLE tests.residue;
