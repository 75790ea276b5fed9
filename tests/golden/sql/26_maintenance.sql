\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Policies, ensure_partitions, pins, health. Numbers in brackets: sections of what users of other tools complain of.
\set ECHO none
CREATE FUNCTION tests.made(parent regclass) RETURNS TABLE (action text, partition text, lower_bound text, upper_bound text, outcome text)
LANGUAGE sql AS $$ SELECT action, partition, lower_bound, upper_bound, regexp_replace(outcome, '_fkey\w*', '_fkey…') FROM ensure_partitions(made.parent) $$;
-- Names and bounds of partitions.
CREATE FUNCTION tests.bounds(parent regclass) RETURNS TABLE (partition text, bounds text) LANGUAGE sql AS $$
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = parent
 ORDER BY pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', length(c.relname), c.relname COLLATE "C" $$;
\set ECHO all
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';

-- Integers: as far as the data, and beyond.
CREATE TABLE n (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE n_p0 PARTITION OF n FOR VALUES FROM (0) TO (100);
CREATE TABLE n_p100 PARTITION OF n FOR VALUES FROM (100) TO (200);
SELECT set_partition_policy('n', premake => 2);
SELECT * FROM tests.made('n');
INSERT INTO n VALUES (150);
SELECT * FROM tests.made('n');
-- Twice does nothing.
SELECT * FROM tests.made('n');
-- A gap is found and filled; dry_run only tells.
DROP TABLE n_p100;
INSERT INTO n VALUES (350);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('n', dry_run => true);
SELECT * FROM tests.made('n');
SELECT * FROM tests.bounds('n');

-- (16, 19, 20, 11, 12) A new partition is as the parent and its siblings are; default privileges do not leak into it.
CREATE ROLE regress_owner;
CREATE ROLE regress_reader;
CREATE ROLE regress_stranger;
GRANT USAGE ON SCHEMA tests TO regress_stranger;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner;
SET ROLE regress_owner;
CREATE TABLE whole (
    id int GENERATED ALWAYS AS IDENTITY, at int NOT NULL DEFAULT 5, twice int GENERATED ALWAYS AS (at * 2) STORED, v text CHECK (v <> ''),
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
ALTER TABLE whole ALTER v SET STORAGE EXTERNAL;
CREATE INDEX whole_v ON whole (v);
CREATE TABLE whole_p0 PARTITION OF whole FOR VALUES FROM (0) TO (10) WITH (fillfactor = 70, toast.autovacuum_enabled = off);
ALTER TABLE whole_p0 REPLICA IDENTITY FULL;
GRANT SELECT ON whole, whole_p0 TO regress_reader;
GRANT UPDATE (v) ON whole TO regress_reader;
ALTER TABLE whole ENABLE ROW LEVEL SECURITY;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_stranger;
INSERT INTO whole (at, v) VALUES (7, 'x');
RESET ROLE;
SET client_min_messages = warning;
SELECT set_partition_policy('whole', '10', premake => 1);
SELECT * FROM tests.made('whole');
SELECT relname, relowner::regrole, relrowsecurity, relreplident, reloptions,
       (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid) AS toast_options
  FROM pg_class c WHERE relname ~ '^whole_p\d+$' ORDER BY 1;
SELECT relname, grantee::regrole, string_agg(privilege_type, ', ' ORDER BY privilege_type)
  FROM pg_class, aclexplode(relacl) WHERE relname = 'whole_p10' AND privilege_type <> 'MAINTAIN' GROUP BY 1, 2 ORDER BY 2::text;
SELECT attname, grantee::regrole, privilege_type FROM pg_attribute, aclexplode(attacl) WHERE attrelid = 'whole_p10'::regclass;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'whole_p10'::regclass;
INSERT INTO whole (at, v) VALUES (12, 'y') RETURNING tableoid::regclass, id > 1 AS drawn, twice;
SELECT tests.refusal($$INSERT INTO whole (at, v) VALUES (13, '')$$);

-- (11) Whoever runs it: the owner's rights count, and nobody else's.
SET ROLE regress_stranger;
SELECT tests.refusal($$SELECT set_partition_policy('whole')$$);
SELECT tests.refusal($$SELECT ensure_partitions('whole')$$);
SELECT tests.refusal($$SELECT drop_partition_policy('whole')$$);
SELECT tests.refusal($$SELECT pin_partition('whole_p0')$$);
SELECT count(*) FROM ensure_partitions();
SELECT count(*) AS policies FROM partman_rs.policies;
SELECT count(*) AS health FROM partman_rs.health;
SELECT count(*) AS runs FROM partman_rs.runs;
SELECT tests.refusal($$TABLE partman_rs.policy$$);
SET ROLE regress_owner;
SELECT parent, verdict, partitions_ahead, keys_left FROM partman_rs.health;
SELECT action, relation, outcome, partition FROM partman_rs.runs;
RESET ROLE;

CALL tests.not_at_the_turn();
-- (13) A quiet table gets partitions by the clock: months, weeks, hours; their interval is read off what is there.
CREATE TABLE months (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE weeks (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE hours (at timestamp NOT NULL) PARTITION BY RANGE (at);
DO $$
DECLARE month timestamptz := date_trunc('month', now()); week date := date_trunc('week', now()); hour timestamp := date_trunc('hour', localtimestamp);
BEGIN
    EXECUTE format('CREATE TABLE months_1 PARTITION OF months FOR VALUES FROM (%L) TO (%L)', month - interval '3 months', month - interval '2 months');
    EXECUTE format('CREATE TABLE weeks_1 PARTITION OF weeks FOR VALUES FROM (%L) TO (%L)', week - 14, week - 7);
    EXECUTE format('CREATE TABLE hours_1 PARTITION OF hours FOR VALUES FROM (%L) TO (%L)', hour - interval '3 hours', hour - interval '2 hours');
END $$;
SELECT set_partition_policy(t::regclass, premake => 2) FROM unnest('{months,weeks,hours}'::text[]) t;
SELECT parent, partition_interval, premake, time_zone, next_run_at FROM partman_rs.policies WHERE parent IN ('months'::regclass, 'weeks'::regclass, 'hours'::regclass) ORDER BY parent::text;
SELECT parent, verdict, reason, next_command FROM partman_rs.health WHERE parent = 'months'::regclass;
SELECT parent, action, outcome, count(*) FROM ensure_partitions() WHERE parent IN ('months'::regclass, 'weeks'::regclass, 'hours'::regclass) GROUP BY 1, 2, 3 ORDER BY parent::text;
SELECT parent, verdict, partitions_ahead, gaps, runway > interval '0' AS has_runway FROM partman_rs.health
 WHERE parent IN ('months'::regclass, 'weeks'::regclass, 'hours'::regclass) ORDER BY parent::text;
INSERT INTO months VALUES (now()), (now() + interval '1 month');
INSERT INTO weeks VALUES (now()), (now() + interval '1 week');
INSERT INTO hours VALUES (localtimestamp), (localtimestamp + interval '1 hour');

-- (10) Bounds follow the policy's zone, whatever the session's is.
CREATE TABLE zoned (at timestamptz NOT NULL) PARTITION BY RANGE (at);
SELECT set_partition_policy('zoned', '1 day', premake => 1, time_zone => 'America/New_York');
SET TimeZone = 'Asia/Kolkata';
SELECT outcome FROM tests.made('zoned');
SELECT bool_and((lower_bound::timestamptz AT TIME ZONE 'America/New_York')::time = '00:00') AS at_midnight, count(*)
  FROM partman_rs.partitions WHERE parent = 'zoned'::regclass;
SET TimeZone = 'UTC';

-- Weeks from Wednesday, days from six, quarters from February, ids from 1: an offset is read off what is there, or given.
CREATE TABLE o_week (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE o_week_1 PARTITION OF o_week FOR VALUES FROM ('2026-01-07') TO ('2026-01-14');
SELECT set_partition_policy('o_week', premake => 1);
CREATE TABLE o_day (at timestamptz NOT NULL) PARTITION BY RANGE (at);
SELECT set_partition_policy('o_day', '1 day', premake => 1, time_zone => 'Europe/Berlin', partition_offset => '6 hours');
CREATE TABLE o_quarter (at timestamp NOT NULL) PARTITION BY RANGE (at);
SELECT set_partition_policy('o_quarter', '3 months', premake => 3, partition_offset => '1 month');
CREATE TABLE o_id (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE o_id_p1 PARTITION OF o_id FOR VALUES FROM (1) TO (101);
INSERT INTO o_id VALUES (100);
SELECT set_partition_policy('o_id', premake => 2);
SELECT parent, action, outcome FROM ensure_partitions() WHERE parent::text LIKE 'o\_%' AND parent <> 'o_week'::regclass ORDER BY parent::text;
SELECT parent, count(*) >= 2, bool_and(extract(isodow FROM lower_bound::date) = 3) AS wednesdays, bool_and(partition::text ~ '^o_week_(1|p\d{4}_\d\d_\d\d)$') AS named
  FROM partman_rs.partitions WHERE parent = 'o_week'::regclass GROUP BY 1;
SELECT bool_and((lower_bound::timestamptz AT TIME ZONE 'Europe/Berlin')::time = '06:00') AS at_six, bool_and(partition::text ~ '_0600$') AS named, count(*)
  FROM partman_rs.partitions WHERE parent = 'o_day'::regclass;
SELECT bool_and(extract(month FROM lower_bound::timestamp) IN (2, 5, 8, 11)) AS from_february, bool_and(partition::text ~ '_(02|05|08|11)$') AS named, count(*)
  FROM partman_rs.partitions WHERE parent = 'o_quarter'::regclass;
SELECT * FROM tests.bounds('o_id');
SELECT parent, partition_interval, partition_offset FROM partman_rs.policies WHERE parent::text LIKE 'o\_%' ORDER BY parent::text;
-- It stays until another interval, or 'none', takes it away.
SELECT set_partition_policy('o_week', '1 week', premake => 2);
SELECT set_partition_policy('o_quarter', '1 year');
SELECT set_partition_policy('o_day', partition_offset => 'none');
SELECT parent, partition_interval, partition_offset FROM partman_rs.policies WHERE parent::text LIKE 'o\_%' ORDER BY parent::text;
SELECT a, tests.refusal(format('SELECT set_partition_policy(%s)', a)) FROM unnest(ARRAY[
    $$'o_week', '1 week', partition_offset => '7 days'$$, $$'o_week', '1 week', partition_offset => '1 hour'$$, $$'o_week', '1 week', partition_offset => '-1 day'$$,
    $$'o_day', partition_offset => '1 month'$$, $$'o_id', partition_offset => '100'$$, $$'o_id', partition_offset => '1 day'$$, $$'o_day', partition_offset => 'x'$$]) a;
DROP TABLE o_week, o_day, o_quarter, o_id;

-- Data ahead of the clock counts; one row far ahead does not make thousands of partitions. Irregular partitions are respected.
CREATE TABLE far (at date NOT NULL) PARTITION BY RANGE (at);
DO $$ BEGIN
    EXECUTE format('CREATE TABLE far_now PARTITION OF far FOR VALUES FROM (%L) TO (%L)', current_date - 3, current_date + 1);
    CREATE TABLE far_far PARTITION OF far FOR VALUES FROM ('5221-01-01') TO ('5221-01-02');
END $$;
INSERT INTO far VALUES ('5221-01-01');
SELECT set_partition_policy('far', '1 day', premake => 1);
SELECT action, lower_bound::date = current_date + 1 AS tomorrow, upper_bound = '5221-01-03' AS far, regexp_replace(outcome, '\d{5,}', '…', 'g') AS outcome FROM ensure_partitions('far');
DROP TABLE far;
-- Nor where all partitions lie far ahead, with data or without: rows of today have a place.
CREATE TABLE far (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE far_far PARTITION OF far FOR VALUES FROM ('5221-01-01') TO ('5221-01-02');
SELECT set_partition_policy('far', '1 day', premake => 1);
SELECT action, lower_bound::date - current_date AS days_ahead, regexp_replace(outcome, '\d{5,}', '…', 'g') AS outcome FROM ensure_partitions('far');
INSERT INTO far VALUES (current_date), ('5221-01-01');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'far'::regclass;
DROP TABLE far;

-- (3) Retention: only by the real upper bound, never what is in use. The first partition is an old table, far wider than the interval.
CREATE TABLE r (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE r_old PARTITION OF r FOR VALUES FROM (-1000) TO (200);
CREATE TABLE r_p200 PARTITION OF r FOR VALUES FROM (200) TO (300);
CREATE TABLE r_p300 PARTITION OF r FOR VALUES FROM (300) TO (400);
CREATE TABLE r_p400 PARTITION OF r FOR VALUES FROM (400) TO (500);
CREATE INDEX ON r (id);
INSERT INTO r SELECT generate_series(0, 350, 10);
SELECT set_partition_policy('r', '100', premake => 1, retention => '151', retention_action => 'drop');
SELECT * FROM tests.made('r');
SELECT set_partition_policy('r', retention => '150');
SELECT parent, verdict, reason, overdue FROM partman_rs.health WHERE parent = 'r'::regclass;
SELECT pin_partition('r_old', 'asked for by the court');
SELECT * FROM tests.made('r');
SELECT unpin_partition('r_old');
SELECT * FROM tests.made('r');
-- What was retired is not made again.
SELECT * FROM tests.made('r');
-- By number, and detached; what is in use stays, however few are wanted.
SELECT set_partition_policy('r', retention => 'none', retention_partitions => 1, retention_action => 'detach');
SELECT * FROM tests.made('r');
SELECT count(*) FROM r_p200;
SELECT * FROM tests.bounds('r');
DROP TABLE r_p200;
-- By size.
INSERT INTO r VALUES (450);
SELECT * FROM tests.made('r');
INSERT INTO r VALUES (550);
SELECT set_partition_policy('r', retention_partitions => 0, retention_size => '1 kB', retention_action => 'drop');
SET pg_partman_rs.retention_max_partitions = 0;
SELECT outcome FROM tests.made('r') WHERE action <> 'create';
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'r'::regclass;
RESET pg_partman_rs.retention_max_partitions;
SELECT * FROM tests.made('r');
SELECT set_partition_policy('r', retention_size => 'none');
-- Without data nothing is old.
TRUNCATE r;
SELECT set_partition_policy('r', retention => '1');
SELECT * FROM tests.made('r');
DROP TABLE r;

-- (7) A foreign key that points at a partition's rows keeps it, and is told. (14) One that fails stops no other.
CREATE TABLE f (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE f_p0 PARTITION OF f FOR VALUES FROM (0) TO (10);
CREATE TABLE f_p10 PARTITION OF f FOR VALUES FROM (10) TO (20);
CREATE TABLE f_p20 PARTITION OF f FOR VALUES FROM (20) TO (30);
CREATE TABLE points_at_f (id int REFERENCES f);
INSERT INTO f VALUES (5), (15), (25);
INSERT INTO points_at_f VALUES (5);
SELECT set_partition_policy('f', '10', premake => 1, retention => '5', retention_action => 'drop');
SELECT * FROM tests.made('f');
SELECT verdict, regexp_replace(reason, '_fkey\w*', '_fkey…') AS reason, next_command, last_sqlstate FROM partman_rs.health WHERE parent = 'f'::regclass;
DELETE FROM points_at_f;
-- What only DROP finds out is a failure.
CREATE VIEW looks_at_f AS SELECT id FROM f_p0;
SELECT parent, action, outcome FROM ensure_partitions() WHERE outcome LIKE 'failed%';
SELECT verdict, reason, next_command, last_sqlstate FROM partman_rs.health WHERE parent = 'f'::regclass;
SELECT action, outcome, sqlstate, error, partition FROM partman_rs.runs WHERE relation = 'f'::regclass ORDER BY run;
DROP VIEW looks_at_f;
SELECT * FROM tests.made('f');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'f'::regclass;
DROP TABLE points_at_f, f;

-- (30) Two levels: partitions that are partitioned are respected, dropped as a whole, and not taken for empty; new ones are as they are.
CREATE TABLE two (id int NOT NULL, part int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE two_p0 PARTITION OF two FOR VALUES FROM (0) TO (10) PARTITION BY LIST (part);
CREATE TABLE two_p0_1 PARTITION OF two_p0 FOR VALUES IN (1);
CREATE TABLE two_p10 PARTITION OF two FOR VALUES FROM (10) TO (20) PARTITION BY LIST (part);
CREATE TABLE two_p10_1 PARTITION OF two_p10 FOR VALUES IN (1);
INSERT INTO two VALUES (5, 1), (15, 1);
SELECT set_partition_policy('two', premake => 1, retention => '1', retention_action => 'drop');
SELECT * FROM tests.made('two');
INSERT INTO two VALUES (25, 1);
SELECT * FROM tests.made('two');
SELECT * FROM tests.bounds('two');
SELECT count(*) FROM pg_class WHERE relname LIKE 'two\_p0%';
DROP TABLE two;

-- (1) Rows in the default partition: told, with what to do; other partitions are made.
CREATE TABLE d (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE d_p0 PARTITION OF d FOR VALUES FROM (0) TO (10);
CREATE TABLE d_default PARTITION OF d DEFAULT;
-- What is bound to it keeps its rows from being moved.
CREATE VIEW of_default AS TABLE d_default;
INSERT INTO d VALUES (5), (25);
SELECT set_partition_policy('d', premake => 2);
SELECT * FROM tests.made('d');
SELECT verdict, reason, next_command, default_has_rows FROM partman_rs.health WHERE parent = 'd'::regclass;
-- An index makes no difference to that.
CREATE INDEX ON d (id);
SELECT * FROM tests.made('d');
DELETE FROM d_default;
SELECT * FROM tests.made('d');
SELECT verdict, reason, default_has_rows FROM partman_rs.health WHERE parent = 'd'::regclass;
-- It would be looked through under a lock: not where it is large.
INSERT INTO d VALUES (29), (1000000);
SET pg_partman_rs.default_scan_limit = 0;
SELECT * FROM tests.made('d');
RESET pg_partman_rs.default_scan_limit;
SELECT * FROM tests.made('d');
DROP VIEW of_default;
DROP TABLE d;

-- (22) What is not managed is refused, clearly.
CREATE TABLE several (a int, b int) PARTITION BY RANGE (a, b);
CREATE TABLE expressed (a timestamptz) PARTITION BY RANGE ((a AT TIME ZONE 'UTC'));
CREATE TABLE texts (a text) PARTITION BY RANGE (a);
CREATE TABLE plain (a int);
SELECT t, tests.refusal(format('SELECT set_partition_policy(%L)', t)) FROM unnest('{several,expressed,texts,plain}'::text[]) t;
DROP TABLE several, expressed, texts, plain;

-- Bad arguments.
SELECT a, tests.refusal(format('SELECT set_partition_policy(%s)', a)) FROM unnest(ARRAY[
    'NULL', $$'months', '0 days'$$, $$'months', '1 month 1 day'$$, $$'months', 'x'$$, $$'n', '1 day'$$, $$'n', '-1'$$, $$'months', premake => -1$$,
    $$'months', retention => '-1 day'$$, $$'n', retention => '1 day'$$, $$'n', retention => '0'$$, $$'months', retention_partitions => -1$$,
    $$'months', retention_size => 'x'$$, $$'months', retention_size => '0'$$, $$'months', retention_action => 'burn'$$,
    $$'months', time_zone => 'Mars/Olympus'$$, $$'weeks', time_zone => 'Mars/Olympus'$$, $$'n', time_zone => 'UTC'$$, $$4000000000::oid::regclass$$]) a;
SELECT tests.refusal($$SELECT ensure_partitions('n', NULL)$$);
SELECT tests.refusal($$SELECT ensure_partitions('n_p0')$$);
SELECT tests.refusal($$SELECT drop_partition_policy('n_p0')$$);
SELECT tests.refusal($$SELECT pin_partition('n')$$);
CREATE TABLE empty (id int) PARTITION BY RANGE (id);
SELECT tests.refusal($$SELECT set_partition_policy('empty')$$);
DROP TABLE empty;

-- (24) A policy follows renames; it is gone with its table.
ALTER TABLE n RENAME TO "renamed; DROP TABLE x";
INSERT INTO "renamed; DROP TABLE x" VALUES (450);
SELECT * FROM tests.made('"renamed; DROP TABLE x"');
DROP TABLE "renamed; DROP TABLE x";
SELECT count(*) FROM ensure_partitions() WHERE outcome LIKE 'failed%';
SELECT count(*) AS of_tables_gone FROM partman_rs.policy WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = parent);

-- Taken back with the transaction.
BEGIN;
INSERT INTO whole (at, v) VALUES (25, 'z');
SELECT * FROM tests.made('whole');
ROLLBACK;
SELECT * FROM tests.bounds('whole');
-- Who listens is told.
LISTEN partman_rs;
INSERT INTO whole (at, v) VALUES (25, 'z');
\o | sed 's/PID [0-9]*/PID …/'
SELECT outcome FROM tests.made('whole');
UNLISTEN partman_rs;
\o

-- One of several fails: the others are done, and each is told.
CREATE TABLE several (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE several_0 PARTITION OF several FOR VALUES FROM (0) TO (10);
INSERT INTO several VALUES (5);
SELECT set_partition_policy('several', '10', premake => 5);
SELECT action, outcome FROM tests.made('several');
INSERT INTO several VALUES (55);
CREATE VIEW of_one AS SELECT * FROM several_p10;
SELECT set_partition_policy('several', retention => '20', retention_action => 'drop', premake => 0);
SELECT action, outcome FROM tests.made('several');
SELECT action, partition, outcome, sqlstate FROM partman_rs.runs WHERE relation = 'several'::regclass AND action = 'drop' ORDER BY run;
DROP VIEW of_one;
SELECT action, outcome FROM tests.made('several');
DROP TABLE several;

-- Converting a table makes its policy.
CREATE TABLE conv (id int PRIMARY KEY);
INSERT INTO conv SELECT generate_series(1, 100);
SELECT count(*) > 0 AS started FROM convert_to_partitioned('conv', 'id', 'range', '50', premake => 1, undo_window => NULL);
CALL wait_for_conversion('conv', '240 s');
SELECT partition_interval, premake, retention, retention_action, time_zone FROM partman_rs.policies WHERE parent = 'conv'::regclass;
SELECT verdict, reason, next_command FROM partman_rs.health WHERE parent = 'conv'::regclass;
INSERT INTO conv VALUES (149);
SELECT * FROM tests.made('conv');
SELECT finish_conversion('conv');
SELECT * FROM tests.bounds('conv');
SELECT * FROM tests.made('conv');
DROP TABLE conv;

SELECT drop_partition_policy('whole');
SELECT tests.refusal($$SELECT drop_partition_policy('whole')$$);
DROP TABLE whole, months, weeks, hours, zoned;
DROP FUNCTION tests.made, tests.bounds;
DROP OWNED BY regress_owner;
DROP OWNED BY regress_reader, regress_stranger;
DROP ROLE regress_owner, regress_reader, regress_stranger;
SELECT count(*) FROM ensure_partitions();
TABLE partman_rs.policies;
TABLE tests.residue;
