\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Partitions over ids that carry the time at which they were made.
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
\set ECHO none
-- Ids of a time, made by hand: what the extension computes is compared with it.
CREATE FUNCTION tests.uuid7(at timestamptz, rest text DEFAULT '7abc-89ab-0123456789ab') RETURNS uuid LANGUAGE sql AS $$
SELECT (overlay(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') PLACING '-' FROM 9 FOR 0) || '-' || rest)::uuid $$;
CREATE FUNCTION tests.ulid(at timestamptz, rest text DEFAULT 'TSV4RRFFQ69G5FAV') RETURNS text LANGUAGE sql AS $$
SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((extract(epoch FROM at) * 1000)::bigint >> (5 * place) & 31)::int + 1, 1), '' ORDER BY place DESC) || rest
  FROM generate_series(0, 9) place $$;
CREATE FUNCTION tests.flake(at timestamptz, rest int DEFAULT 4711) RETURNS bigint LANGUAGE sql AS $$
SELECT (((extract(epoch FROM at) * 1000)::bigint - 1288834974657) << 22) + rest $$;
-- Names and bounds of partitions.
CREATE FUNCTION tests.bounds(parent regclass) RETURNS TABLE (partition text, bounds text) LANGUAGE sql AS $$
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = parent
 ORDER BY pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.relname COLLATE "C" $$;
\set ECHO all

CALL tests.not_at_the_turn();
CREATE TABLE u (id uuid PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE c (id text COLLATE "C" PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE b (id uuid PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE s (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
SELECT set_partition_policy('u', '1 month', premake => 2, key_codec => 'uuidv7');
SELECT set_partition_policy('c', '1 day', premake => 2, key_codec => 'ulid', time_zone => 'Europe/Berlin');
SELECT set_partition_policy('b', '1 day', premake => 2, key_codec => 'ulid');
SELECT set_partition_policy('s', '1 hour', premake => 2, key_codec => 'snowflake:1288834974657:22');
SELECT parent, action, outcome, count(*) FROM ensure_partitions() GROUP BY 1, 2, 3 ORDER BY parent::text;
SELECT parent, count(*), bool_and(upper_bound = next) AS adjoin FROM (SELECT *, lead(lower_bound, 1, upper_bound) OVER (PARTITION BY parent ORDER BY lower_bound) AS next FROM partman_rs.partitions) p
 WHERE parent::text IN ('u', 'c', 'b', 's') GROUP BY parent ORDER BY parent::text;
-- The bounds are the first ids of their times, and no id of a time lies beyond.
SELECT bool_and(lower_bound = tests.uuid7(to_date(right(partition::text, 7), 'YYYY_MM')::timestamptz, '0000-0000-000000000000')::text) AS first_ids
  FROM partman_rs.partitions WHERE parent = 'u'::regclass;
SELECT bool_and(lower_bound = tests.ulid(to_date(right(partition::text, 10), 'YYYY_MM_DD')::timestamp AT TIME ZONE 'Europe/Berlin', repeat('0', 16))) AS first_ids
  FROM partman_rs.partitions WHERE parent = 'c'::regclass;
SELECT bool_and(lower_bound = tests.flake(to_timestamp(right(partition::text, 15), 'YYYY_MM_DD_HH24MI'), 0)::text) AS first_ids
  FROM partman_rs.partitions WHERE parent = 's'::regclass;
INSERT INTO u SELECT tests.uuid7(date_trunc('month', now()) + interval '1 month' * m - interval '1 ms' * l, 'ffff-ffff-ffffffffffff') FROM generate_series(1, 2) m, generate_series(0, 1) l;
SELECT right(tableoid::regclass::text, 7) = to_char(date_trunc('month', now()) + interval '1 month' * (row_number() OVER (ORDER BY id) / 2), 'YYYY_MM') AS lies_where_it_belongs FROM u ORDER BY id;
INSERT INTO c SELECT tests.ulid(now());
INSERT INTO b SELECT tests.uuid7(now());
INSERT INTO s SELECT tests.flake(now());
SELECT parent, verdict, reason, partitions_ahead, runway > interval '0' AS has_runway, keys_left FROM partman_rs.health WHERE parent::text IN ('u', 'c', 'b', 's') ORDER BY parent::text;
-- The newest row counts: two of the next month, two ahead of that.
SELECT parent, outcome, count(*) FROM ensure_partitions() GROUP BY 1, 2 ORDER BY parent::text;
SELECT parent, partition_interval, time_zone, key_codec FROM partman_rs.policies WHERE parent::text IN ('u', 'c', 'b', 's') ORDER BY parent::text;

-- What is there is recognised: interval, gaps, age. Bounds that somebody else made between two times are made room for.
CREATE TABLE old (id uuid NOT NULL) PARTITION BY RANGE (id);
CREATE INDEX ON old (id);
DO $$ BEGIN
    EXECUTE format('CREATE TABLE old_1 PARTITION OF old FOR VALUES FROM (%L) TO (%L)', tests.uuid7('2026-01-01', '0000-0000-000000000000'), tests.uuid7('2026-02-01', '0000-0000-000000000000'));
    EXECUTE format('CREATE TABLE old_2 PARTITION OF old FOR VALUES FROM (%L) TO (%L)', tests.uuid7('2026-02-01', '0000-0000-000000000000'), tests.uuid7('2026-03-01', '0000-0000-000000000000'));
    EXECUTE format('CREATE TABLE old_4 PARTITION OF old FOR VALUES FROM (%L) TO (%L)', tests.uuid7('2026-04-01', '7000-8000-000000000000'), tests.uuid7('2026-05-01', '7000-8000-000000000000'));
END $$;
INSERT INTO old SELECT tests.uuid7(at::timestamptz) FROM unnest('{2026-01-31 23:59:59.999,2026-02-01,2026-04-15}'::text[]) at;
SET client_min_messages = notice;
SELECT set_partition_policy('old', premake => 0, retention => '1 month', retention_action => 'drop', key_codec => 'uuidv7');
SET client_min_messages = warning;
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('old') WHERE lower_bound < '2026-05';
SELECT * FROM tests.bounds('old') WHERE partition < 'old_p2026_05';
SELECT count(*) FROM ensure_partitions('old');

-- Bounds with the bits of version and variant in them: the interval is recognised, and new partitions adjoin exactly.
CREATE TABLE bits (id uuid NOT NULL) PARTITION BY RANGE (id);
DO $$ BEGIN
    EXECUTE format('CREATE TABLE bits_1 PARTITION OF bits FOR VALUES FROM (%L) TO (%L)', tests.uuid7(date_trunc('month', now()) - interval '2 months', '7000-8000-000000000000'),
        tests.uuid7(date_trunc('month', now()) - interval '1 month', '7000-8000-000000000000'));
    EXECUTE format('CREATE TABLE bits_3 PARTITION OF bits FOR VALUES FROM (%L) TO (%L)', tests.uuid7(date_trunc('month', now()), '7000-8000-000000000000'),
        tests.uuid7(date_trunc('month', now()) + interval '1 month', '7000-8000-000000000000'));
END $$;
SELECT set_partition_policy('bits', premake => 2, key_codec => 'uuidv7');
SELECT partition_interval, partition_offset FROM partman_rs.policies WHERE parent = 'bits'::regclass;
SELECT outcome FROM ensure_partitions('bits');
SELECT count(*), bool_and(upper_bound = next) AS adjoin FROM (SELECT *, lead(lower_bound, 1, upper_bound) OVER (ORDER BY lower_bound) AS next FROM partman_rs.partitions WHERE parent = 'bits'::regclass) p;
SELECT count(*) FROM ensure_partitions('bits');
DROP TABLE bits;
-- What was recycled goes back between such neighbours.
CREATE TABLE bin (id uuid PRIMARY KEY) PARTITION BY RANGE (id);
DO $$ BEGIN
    EXECUTE format('CREATE TABLE bin_1 PARTITION OF bin FOR VALUES FROM (%L) TO (%L)', tests.uuid7('2026-01-01', '7000-8000-000000000000'), tests.uuid7('2026-02-01', '7000-8000-000000000000'));
    EXECUTE format('CREATE TABLE bin_2 PARTITION OF bin FOR VALUES FROM (%L) TO (%L)', tests.uuid7('2026-02-01', '7000-8000-000000000000'), tests.uuid7('2026-03-01', '7000-8000-000000000000'));
END $$;
CREATE TABLE bin_default PARTITION OF bin DEFAULT;
INSERT INTO bin SELECT tests.uuid7(at::timestamptz) FROM unnest('{2026-01-15,2026-02-15}'::text[]) at;
SELECT set_partition_policy('bin', premake => 0, retention => '10 days', retention_action => 'recycle', grace_period => '1 year', key_codec => 'uuidv7');
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('bin') WHERE action <> 'create';
SELECT restore_partition('bin_1');
SELECT * FROM tests.bounds('bin') WHERE partition < 'bin_3';
SELECT count(*) FROM bin;
DROP TABLE bin;

-- Rows in a default partition with a policy of its own keep one from being made, as ever.
CREATE TABLE d (id text COLLATE "C" NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE d_default PARTITION OF d DEFAULT;
CREATE POLICY own ON d_default USING (true);
CREATE INDEX ON d (id);
INSERT INTO d VALUES (tests.ulid(now())), ('no ulid');
SELECT set_partition_policy('d', '1 year', premake => 1, key_codec => 'ulid');
SELECT outcome FROM ensure_partitions('d');
-- A row that tells no time, in the last partition: it counts as in use.
DELETE FROM d WHERE id <> 'no ulid';
SELECT outcome FROM ensure_partitions('d');
INSERT INTO d SELECT overlay(tests.ulid(date_trunc('year', now()) + interval '18 months') PLACING 'u' FROM 10);
SELECT count(*) FROM d_default;
SELECT outcome FROM ensure_partitions('d');

-- What cannot be: other collations, types and names; ids without a codec.
CREATE TABLE x (id text COLLATE "und-x-icu" NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE y (id text COLLATE "und-x-icu" NOT NULL) PARTITION BY RANGE (id COLLATE "C");
CREATE TABLE z (id text COLLATE "C" NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE z_a PARTITION OF z FOR VALUES FROM ('a') TO ('b');
SELECT a, tests.refusal(format('SELECT set_partition_policy(%s)', a)) FROM unnest(ARRAY[
    $$'x', '1 day', key_codec => 'ulid'$$, $$'y', '1 day', key_codec => 'ulid'$$, $$'z', '1 day', key_codec => 'ulid'$$, $$'d', key_codec => 'none'$$,
    $$'u', key_codec => 'ulid1'$$, $$'u', key_codec => 'snowflake:0:22'$$, $$'s', key_codec => 'uuidv7'$$, $$'s', key_codec => 'snowflake:0:64'$$,
    $$'s', '1000', key_codec => 'snowflake:0:22'$$, $$'old', '1000'$$]) a;
-- A bigint can do without: then it is a number, and what was said of times is forgotten.
SELECT tests.refusal($$SELECT set_partition_policy('s', '1 hour', key_codec => 'none')$$);
SELECT set_partition_policy('s', '1000000000000', key_codec => 'none');
SELECT partition_interval, premake, time_zone, key_codec FROM partman_rs.policies WHERE parent = 's'::regclass;

DROP TABLE u, c, b, s, old, d, x, y, z;
DROP FUNCTION tests.uuid7, tests.ulid, tests.flake, tests.bounds;
SELECT count(*) FROM ensure_partitions();
TABLE tests.residue;
