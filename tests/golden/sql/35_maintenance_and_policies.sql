\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Row-level security that is forced upon the owner: rows that nobody is shown want their partition all the same, and
-- a worker, which reads with row_security off, does not fail.
SET TimeZone = 'UTC';
CREATE ROLE regress_owner;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner;
SET ROLE regress_owner;
CREATE TABLE f (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE f_p0 PARTITION OF f FOR VALUES FROM (0) TO (100);
CREATE TABLE f_p100 PARTITION OF f FOR VALUES FROM (100) TO (200);
CREATE TABLE f_default PARTITION OF f DEFAULT;
INSERT INTO f VALUES (50), (150), (250);
ALTER TABLE f ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nothing ON f USING (false);
SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', inhrelid::regclass)
  FROM pg_inherits WHERE inhparent = 'f'::regclass ORDER BY inhrelid::regclass::text COLLATE "C" \gexec
SELECT set_partition_policy('f', '100', premake => 1, retention => '60');
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('f', dry_run => true);
-- As the worker reads.
SET row_security = off;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('f');
RESET ROLE;
CALL tests.wait_for_end('f');
SET ROLE regress_owner;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'f'::regclass;
SELECT count(*) FROM f;
RESET row_security;
SELECT count(*) FROM f;
RESET ROLE;
SELECT tableoid::regclass, id FROM f ORDER BY id;
DROP TABLE f;
REVOKE ALL ON SCHEMA public FROM regress_owner;
DROP ROLE regress_owner;
