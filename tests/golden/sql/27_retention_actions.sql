\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What becomes of retired partitions: moved to a schema, or put into the recycle bin and had back.
\set ECHO none
CREATE FUNCTION tests.made(parent regclass) RETURNS TABLE (action text, partition text, lower_bound text, upper_bound text, outcome text)
LANGUAGE sql AS $$ SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions(made.parent) $$;
-- Names and bounds of partitions.
CREATE FUNCTION tests.bounds(parent regclass) RETURNS TABLE (partition text, bounds text) LANGUAGE sql AS $$
SELECT inhrelid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = parent
 ORDER BY length(c.relname), c.relname COLLATE "C" $$;
\set ECHO all
SET client_min_messages = notice;
SET TimeZone = 'UTC';
CREATE ROLE regress_owner;
CREATE ROLE regress_reader;
CREATE ROLE regress_stranger;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner;
GRANT USAGE ON SCHEMA tests TO regress_owner, regress_stranger;
CREATE SCHEMA "arch ive";
CREATE SCHEMA closed;

-- The partitions of a table of numbers, a hundred each; the newest row is 550.
\set ECHO none
CREATE PROCEDURE tests.numbers(name text) LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)', name);
    FOR n IN 0 .. 5 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', name || '_p' || n * 100, name, n * 100, n * 100 + 100);
    END LOOP;
    EXECUTE format('INSERT INTO %I SELECT generate_series(0, 550, 10)', name);
END $$;
\set ECHO all

-- Move: what has a name that is taken there gets a number; nobody gets a right by it.
SET ROLE regress_owner;
CALL tests.numbers('m');
GRANT SELECT ON m_p0 TO regress_reader;
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'move')$$);
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'move', retention_schema => 'nowhere')$$);
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'move', retention_schema => 'arch ive')$$);
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'move', retention_schema => 'none')$$);
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'drop', retention_schema => 'public')$$);
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'move', retention_schema => 'public', grace_period => '1 day')$$);
RESET ROLE;
GRANT CREATE, USAGE ON SCHEMA "arch ive" TO regress_owner;
CREATE TABLE "arch ive".m_p0 (id int);
CREATE TABLE "arch ive".m_p100_pkey (id int);
SELECT tests.refusal($$SELECT set_partition_policy('m', retention_action => 'move', retention_schema => 'pg_catalog')$$);
SELECT set_partition_policy('m', '100', premake => 0, retention => '350', retention_action => 'move', retention_schema => 'arch ive');
ALTER DEFAULT PRIVILEGES FOR ROLE regress_owner IN SCHEMA "arch ive" GRANT ALL ON TABLES TO regress_stranger;
SELECT * FROM tests.made('m');
SELECT c.oid::regclass, c.relkind, c.relowner::regrole, c.relacl IS NOT NULL AS has_grants, has_table_privilege('regress_stranger', c.oid, 'SELECT') AS widened
  FROM pg_class c WHERE c.relnamespace = '"arch ive"'::regnamespace AND c.relowner = 'regress_owner'::regrole AND c.relkind IN ('r', 'i') ORDER BY c.relname COLLATE "C";
SELECT has_table_privilege('regress_reader', '"arch ive".m_p0_1', 'SELECT') AS kept, count(*) FROM "arch ive".m_p0_1;
SELECT action, partition, outcome FROM partman_rs.runs WHERE relation = 'm'::regclass ORDER BY run;
SELECT * FROM tests.bounds('m');
-- The schema may be gone, or closed, by the time it is needed: nothing is retired then, and it is told.
REVOKE CREATE ON SCHEMA "arch ive" FROM regress_owner;
INSERT INTO m VALUES (599);
SELECT set_partition_policy('m', retention => '100', retention_action => 'move', retention_schema => 'closed');
GRANT CREATE, USAGE ON SCHEMA closed TO regress_owner;
SELECT set_partition_policy('m', retention => '100', retention_schema => 'closed');
ALTER SCHEMA closed RENAME TO elsewhere;
SELECT * FROM tests.made('m');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'm'::regclass;
SELECT * FROM tests.bounds('m');
-- Another action has no use for it.
SELECT set_partition_policy('m', retention_action => 'detach');
SELECT retention_action, retention_schema, grace_period FROM partman_rs.policies WHERE parent = 'm'::regclass;
DROP TABLE m, "arch ive".m_p0, "arch ive".m_p100_pkey, "arch ive".m_p0_1, "arch ive".m_p100;

-- The recycle bin.
CALL tests.numbers('bin');
ALTER TABLE bin OWNER TO regress_owner;
SELECT format('ALTER TABLE %s OWNER TO regress_owner', partition) FROM partman_rs.partitions WHERE parent = 'bin'::regclass \gexec
ALTER TABLE bin_p100 ADD CONSTRAINT partman_rs_bounds CHECK (id > 0);
SELECT tests.refusal($$SELECT set_partition_policy('bin', retention_action => 'recycle')$$);
SELECT a, tests.refusal(format('SELECT set_partition_policy(%L, retention_action => %L, grace_period => %L)', 'bin', 'recycle', a)) FROM unnest('{x,-1 day}'::text[]) a;
SELECT set_partition_policy('bin', '100', premake => 0, retention => '250', retention_action => 'recycle', grace_period => '30 days');
SELECT * FROM tests.made('bin');
SELECT partition, parent, lower_bound, upper_bound, dropped_from - recycled_at AS grace, bytes > 0 AS has_bytes FROM partman_rs.recycle_bin ORDER BY lower_bound::int;
-- They are tables by themselves, and keep to their bounds.
SELECT * FROM tests.bounds('bin');
SELECT count(*), min(id) FROM bin_p0;
SELECT tests.refusal($$INSERT INTO bin_p0 VALUES (100)$$);
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conrelid IN ('bin_p0'::regclass, 'bin_p100'::regclass) AND contype = 'c' ORDER BY 1, 2;
-- Nothing is dropped before its time, nor made again.
SELECT * FROM tests.made('bin');
-- Had back, with the rows that it has by now, and pinned; once it was renamed, too.
DELETE FROM bin_p100 WHERE id < 150;
SELECT restore_partition('bin_p100');
ALTER TABLE bin_p0 RENAME TO "old; one";
SELECT restore_partition('"old; one"');
SELECT * FROM tests.bounds('bin');
SELECT partition, reason FROM partman_rs.pin ORDER BY partition::text;
SELECT conrelid::regclass, conname FROM pg_constraint WHERE conrelid IN ('"old; one"'::regclass, 'bin_p100'::regclass) AND contype = 'c';
SELECT count(*), min(id) FROM bin WHERE id < 200;
SELECT action, partition, outcome FROM partman_rs.runs WHERE relation = 'bin'::regclass ORDER BY run;
SELECT * FROM tests.made('bin');
SELECT partition FROM partman_rs.recycle_bin;
-- By number, the gap beside it is not filled.
SELECT set_partition_policy('bin', retention => 'none', retention_partitions => 4);
SELECT * FROM tests.made('bin');
SELECT set_partition_policy('bin', retention => '250', retention_partitions => 0);
-- Who may not is refused; so is what is not there, or does not fit.
SET ROLE regress_stranger;
SELECT tests.refusal($$SELECT restore_partition('bin_p200')$$);
SELECT count(*) AS seen FROM partman_rs.recycle_bin;
SELECT tests.refusal($$TABLE partman_rs.recycled$$);
RESET ROLE;
SELECT tests.refusal($$SELECT restore_partition('bin_p500')$$);
SELECT tests.refusal($$SELECT restore_partition(NULL)$$);
SELECT unpin_partition('bin_p100');
SELECT * FROM tests.made('bin');
CREATE TABLE bin_between PARTITION OF bin FOR VALUES FROM (150) TO (160);
SELECT tests.refusal($$SELECT restore_partition('bin_p100')$$);
DROP TABLE bin_between;
CREATE TABLE bin_default PARTITION OF bin DEFAULT;
ALTER TABLE bin_default OWNER TO regress_owner;
INSERT INTO bin VALUES (155);
SELECT tests.refusal($$SELECT restore_partition('bin_p100')$$);
SET pg_partman_rs.default_scan_limit = 0;
DELETE FROM bin_default;
INSERT INTO bin VALUES (100000);
SELECT tests.refusal($$SELECT restore_partition('bin_p100')$$);
RESET pg_partman_rs.default_scan_limit;
DROP TABLE bin_default;
-- Taken back with the transaction.
BEGIN;
SELECT restore_partition('bin_p100');
ROLLBACK;
SELECT partition FROM partman_rs.recycle_bin ORDER BY partition::text;
-- The table's columns have been renamed and altered since, and what lies in the bin has not followed.
BEGIN;
ALTER TABLE bin RENAME COLUMN id TO number;
SELECT tests.refusal($$SELECT restore_partition('bin_p200')$$);
ALTER TABLE bin_p200 RENAME COLUMN id TO number;
ALTER TABLE bin ADD COLUMN "more ""of it""" numeric(5, 2);
SELECT tests.refusal($$SELECT restore_partition('bin_p200')$$);
ALTER TABLE bin_p200 ADD COLUMN "more ""of it""" numeric(5, 1);
SELECT tests.refusal($$SELECT restore_partition('bin_p200')$$);
ALTER TABLE bin_p200 ALTER COLUMN "more ""of it""" TYPE numeric(5, 2);
SELECT tests.refusal($$SELECT restore_partition('bin_p200')$$);
ROLLBACK;
-- When the time has come it is dropped: not what somebody has taken over, nor more than one run may.
SELECT restore_partition('bin_p200');
SELECT unpin_partition('bin_p200');
SELECT outcome FROM tests.made('bin');
SELECT set_partition_policy('bin', grace_period => '0 seconds');
ALTER TABLE bin_p200 DROP CONSTRAINT partman_rs_bounds;
SET pg_partman_rs.retention_max_partitions = 0;
SELECT * FROM tests.made('bin');
RESET pg_partman_rs.retention_max_partitions;
SELECT * FROM tests.made('bin');
SELECT count(*) FROM bin_p200;
-- It can still be had back, and be dropped by hand.
SELECT restore_partition('bin_p200');
SELECT unpin_partition('bin_p200');
SELECT outcome FROM tests.made('bin');
DROP TABLE bin_p200;
SELECT count(*) FROM ensure_partitions() WHERE outcome LIKE 'failed%';
SELECT count(*) AS of_tables_gone FROM partman_rs.recycled;

-- Into a schema, and back: it stays where it is. Times, and a lower bound that is none.
CREATE TABLE t (at timestamptz PRIMARY KEY) PARTITION BY RANGE (at);
CREATE TABLE t_old PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('2020-01-01 00:00+00');
CREATE TABLE t_2020 PARTITION OF t FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2021-01-01 00:00+00');
CREATE TABLE t_2021 PARTITION OF t FOR VALUES FROM ('2021-01-01 00:00+00') TO ('2022-01-01 00:00+00');
INSERT INTO t VALUES ('1999-01-01 00:00+00'), ('2020-01-01 00:00+00'), ('2021-06-01 00:00+00');
SELECT set_partition_policy('t', '1 year', premake => 0, retention => '1 day', retention_action => 'recycle', retention_schema => 'elsewhere', grace_period => '1 month');
SET TimeZone = 'Asia/Kolkata';
SELECT action, partition, outcome FROM tests.made('t') WHERE action <> 'create';
SELECT partition, lower_bound, upper_bound FROM partman_rs.recycle_bin ORDER BY upper_bound;
SELECT tests.refusal($$INSERT INTO elsewhere.t_2020 VALUES (NULL)$$);
SELECT restore_partition('elsewhere.t_old');
SELECT restore_partition('elsewhere.t_2020');
SET TimeZone = 'UTC';
SELECT partition, lower_bound, upper_bound FROM partman_rs.partitions WHERE parent = 't'::regclass AND upper_bound::timestamptz <= '2021-01-01 00:00+00' ORDER BY upper_bound;
SELECT count(*) FROM t;
DROP TABLE t;

-- Partitions that are partitioned themselves come back as a whole.
CREATE TABLE two (id int NOT NULL, part int NOT NULL) PARTITION BY RANGE (id);
CREATE INDEX ON two (id);
CREATE TABLE two_p0 PARTITION OF two FOR VALUES FROM (0) TO (10) PARTITION BY LIST (part);
CREATE TABLE two_p0_1 PARTITION OF two_p0 FOR VALUES IN (1);
CREATE TABLE two_p10 PARTITION OF two FOR VALUES FROM (10) TO (20) PARTITION BY LIST (part);
CREATE TABLE two_p10_1 PARTITION OF two_p10 FOR VALUES IN (1);
INSERT INTO two VALUES (5, 1), (15, 1);
SELECT set_partition_policy('two', '10', premake => 0, retention => '1', retention_action => 'recycle', grace_period => '1 day');
SELECT * FROM tests.made('two');
SELECT tests.refusal($$INSERT INTO two_p0 VALUES (10, 1)$$);
SELECT restore_partition('two_p0');
SELECT count(*) FROM two;
SELECT conname FROM pg_constraint WHERE conname LIKE 'partman\_rs\_bounds%';
DROP TABLE two;

-- No more than a share of the table in one run: what is beyond it is told, and health tells that it will not go by itself.
CALL tests.numbers('s');
INSERT INTO s SELECT g, repeat('x', 10) FROM generate_series(0, 599) g WHERE g % 10 <> 0;
SELECT set_partition_policy('s', '100', premake => 0, retention => '350', retention_action => 'drop');
SET pg_partman_rs.retention_max_share = 20;
SELECT * FROM tests.made('s');
SET pg_partman_rs.retention_max_share = 0;
SELECT * FROM tests.made('s');
SELECT verdict, reason, overdue FROM partman_rs.health WHERE parent = 's'::regclass;
RESET pg_partman_rs.retention_max_share;
SELECT * FROM tests.made('s');
DROP TABLE s;

-- When the worker works.
SELECT a, tests.refusal(format('SELECT set_partition_policy(%L, %s)', 'bin', a)) FROM unnest(ARRAY[
    $$quiet_from => '08:00'$$, $$quiet_until => '08:00'$$, $$quiet_from => '08:00', quiet_until => '8:00:00'$$, $$quiet_from => '25:00', quiet_until => 'x'$$,
    $$maintenance_interval => '0'$$, $$maintenance_interval => '8 days'$$, $$maintenance_interval => 'often'$$]) a;
SELECT set_partition_policy('bin', quiet_from => '22:00', quiet_until => '06:00', maintenance_interval => '1 hour');
SELECT set_partition_policy('bin', quiet_until => '07:30');
SELECT parent, quiet_from, quiet_until, maintenance_interval FROM partman_rs.policies WHERE parent = 'bin'::regclass;
SELECT set_partition_policy('bin', quiet_from => '00:00', quiet_until => '24:00');
SELECT count(*) FROM ensure_partitions('bin') WHERE outcome ~ 'quiet';
SELECT set_partition_policy('bin', quiet_from => 'none', maintenance_interval => 'none');
SELECT parent, quiet_from, quiet_until, maintenance_interval FROM partman_rs.policies WHERE parent = 'bin'::regclass;

DROP TABLE bin;
DROP PROCEDURE tests.numbers;
DROP FUNCTION tests.made, tests.bounds;
DROP OWNED BY regress_owner;
DROP SCHEMA "arch ive", elsewhere;
DROP OWNED BY regress_reader, regress_stranger;
DROP ROLE regress_owner, regress_reader, regress_stranger;
SELECT count(*) FROM ensure_partitions();
SELECT (SELECT count(*) FROM partman_rs.policy) AS policies, (SELECT count(*) FROM partman_rs.pin) AS pins, (SELECT count(*) FROM partman_rs.recycled) AS recycled;
TABLE tests.residue;
