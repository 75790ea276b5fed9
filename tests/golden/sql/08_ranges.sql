\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Bounds and names of partitions, by type of key, interval and zone. The bounds are shown in the zone of the job.
SET DateStyle = ISO;
CREATE FUNCTION tests.plan(source regclass, k text, width text, variadic more text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$SELECT regexp_replace(statement, '.* TABLE (\S+) PARTITION OF \S+ (FOR VALUES )?', '\1 ')
        FROM convert_to_partitioned(%L, %L, 'range', %L, dry_run => true%s) WHERE statement ~ ' PARTITION OF '$q$,
        source, k, width, coalesce((SELECT string_agg(', ' || m, '') FROM unnest(more) m), ''));
END $$;
CREATE TABLE keys (tz timestamptz, ts timestamp, d date, s smallint, i integer, b bigint);
-- An empty table: with bounds given, and for integers from zero.
SELECT * FROM tests.plan('keys', 'i', '100');
SELECT * FROM tests.plan('keys', 'i', '100', 'premake => 0', 'default_partition => true');
SELECT * FROM tests.plan('keys', 'd', '1 year', $$range_start => '2020-01-01'$$, $$range_end => '2022-01-01'$$);
INSERT INTO keys VALUES ('2024-03-31 00:30+00', '2024-03-31 02:30', '2024-03-31', -5, -5, -5), ('2024-03-31 23:30+00', '2024-03-31 22:30', '2024-04-01', 25, 25, 25);
-- Integers.
SELECT * FROM tests.plan('keys', 's', '10', 'premake => 1');
SELECT * FROM tests.plan('keys', 'i', '10', 'premake => 0');
SELECT * FROM tests.plan('keys', 'b', '10', $$range_start => '-7'$$, $$range_end => '21'$$);
SELECT * FROM tests.plan('keys', 'b', '1000000000000', 'premake => 0');
SELECT * FROM tests.plan('keys', 's', '30000');
SELECT * FROM tests.plan('keys', 's', '1', $$range_start => '32765'$$, $$range_end => '32767'$$);
SELECT * FROM tests.plan('keys', 's', '1000', $$range_start => '-32768'$$, $$range_end => '-31000'$$);
-- Dates.
SELECT * FROM tests.plan('keys', 'd', '1 day', $$range_end => '2024-04-02'$$);
SELECT * FROM tests.plan('keys', 'd', '7 days', $$range_end => '2024-04-02'$$);
SELECT * FROM tests.plan('keys', 'd', '1 week', $$range_end => '2024-04-02'$$);
SELECT * FROM tests.plan('keys', 'd', '1 month', $$range_end => '2024-05-01'$$);
SELECT * FROM tests.plan('keys', 'd', '3 months', $$range_end => '2024-05-01'$$);
SELECT * FROM tests.plan('keys', 'd', '1 year', $$range_end => '2024-05-01'$$);
SELECT * FROM tests.plan('keys', 'd', '10 years', $$range_end => '2024-05-01'$$);
SELECT * FROM tests.plan('keys', 'd', '1 century', $$range_start => '0001-01-01 BC'$$, $$range_end => '0101-01-01'$$);
-- Timestamps.
SELECT * FROM tests.plan('keys', 'ts', '1 hour', $$range_start => '2024-03-31 00:30'$$, $$range_end => '2024-03-31 04:00'$$);
SELECT * FROM tests.plan('keys', 'ts', '15 minutes', $$range_start => '2024-03-31 01:50'$$, $$range_end => '2024-03-31 02:16'$$);
SELECT * FROM tests.plan('keys', 'ts', '1 day', $$range_end => '2024-04-01'$$);
SELECT * FROM tests.plan('keys', 'ts', 'P1M', $$range_end => '2024-04-01 00:00:00.000001'$$);
-- Instants: the day on which clocks change, in several zones, and whatever the session's zone is.
SET TimeZone = 'Asia/Kathmandu';
SELECT z, p FROM unnest('{UTC,Europe/Berlin,America/New_York,Asia/Kathmandu,Pacific/Apia,+05:30}'::text[]) z,
       tests.plan('keys', 'tz', '1 day', format('time_zone => %L', z), $$range_end => '2024-04-02'$$) p;
SELECT * FROM tests.plan('keys', 'tz', '1 day', $$range_end => '2024-04-01'$$);
SELECT * FROM tests.plan('keys', 'tz', '1 hour', $$time_zone => 'Europe/Berlin'$$, $$range_start => '2024-03-31 00:00'$$, $$range_end => '2024-03-31 05:00'$$);
SELECT * FROM tests.plan('keys', 'tz', '1 hour', $$time_zone => 'Europe/Berlin'$$, $$range_start => '2024-10-27 01:00'$$, $$range_end => '2024-10-27 04:00'$$);
SELECT * FROM tests.plan('keys', 'tz', '12 hours', $$time_zone => 'Europe/Berlin'$$, $$range_start => '2024-03-31'$$, $$range_end => '2024-04-01'$$);
-- Hours are those of the zone's clock; one that is shown twice is a long one, one that is never shown is none.
SELECT * FROM tests.plan('keys', 'tz', '6 hours', $$time_zone => 'Europe/Berlin'$$, $$range_start => '2024-10-27'$$, $$range_end => '2024-10-28'$$);
SELECT * FROM tests.plan('keys', 'tz', '30 minutes', $$time_zone => 'Europe/Berlin'$$, $$range_start => '2024-03-31 01:30'$$, $$range_end => '2024-03-31 03:30'$$);
SELECT * FROM tests.plan('keys', 'tz', '4 hours', $$time_zone => 'Asia/Kolkata'$$, $$range_start => '2024-03-31'$$, $$range_end => '2024-04-01'$$);
SELECT * FROM tests.plan('keys', 'tz', '20 minutes', $$time_zone => 'Australia/Lord_Howe'$$, $$range_start => '2024-10-06 01:40'$$, $$range_end => '2024-10-06 03:00'$$);
-- The bounds are where PostgreSQL says that the clock shows those times, in a year of each of these zones. Beyond those there are
-- intervals that begin with the clock's jump, because it leads over their beginning.
SET pg_partman_rs.max_partitions = 10000;
WITH zone(name) AS (VALUES ('Europe/Berlin'), ('America/New_York'), ('Asia/Kolkata'), ('Asia/Kathmandu'), ('Australia/Lord_Howe'), ('America/Havana'), ('America/St_Johns'), ('Asia/Beirut'), ('Pacific/Apia'), ('UTC')),
     width(name) AS (VALUES ('12 hours'), ('1 hour')),
     planned AS (
         SELECT z.name AS zone, w.name AS width, (regexp_match(p, 'FROM \(''(.*)''\) TO'))[1]::timestamptz AS bound
           FROM zone z, width w,
                tests.plan('keys', 'tz', w.name, format('time_zone => %L', z.name), $$range_start => '2011-01-01'$$, $$range_end => '2012-01-01'$$, 'default_partition => true') p
          WHERE p ~ 'FROM'),
     shown AS (
         -- A time that is never shown has no instant that shows it.
         SELECT z.name, w.name, local AT TIME ZONE z.name
           FROM zone z, width w, generate_series(timestamp '2011-01-01', '2011-12-31 23:59', w.name::interval) local
          WHERE local AT TIME ZONE z.name AT TIME ZONE z.name = local)
SELECT 'missing' AS what, * FROM (TABLE shown EXCEPT ALL TABLE planned) m
UNION ALL
SELECT 'too many', * FROM (TABLE planned EXCEPT ALL TABLE shown) t ORDER BY 1, 2, 3, 4;
RESET pg_partman_rs.max_partitions;
SELECT * FROM tests.plan('keys', 'tz', '1 month', $$time_zone => 'Europe/Berlin'$$, $$range_end => '2024-05-01'$$);
SELECT * FROM tests.plan('keys', 'tz', '3 months', $$time_zone => 'America/New_York'$$, $$range_end => '2024-05-01'$$);
SELECT * FROM tests.plan('keys', 'tz', '1 year', $$time_zone => 'UTC'$$, $$range_end => '2024-05-01'$$);
-- The day that Samoa skipped.
SELECT * FROM tests.plan('keys', 'tz', '1 day', $$time_zone => 'Pacific/Apia'$$, $$range_start => '2011-12-29'$$, $$range_end => '2012-01-01'$$);
-- A day that began an hour late (Beirut, clocks change at midnight).
SELECT * FROM tests.plan('keys', 'tz', '1 day', $$time_zone => 'Asia/Beirut'$$, $$range_start => '2024-03-30'$$, $$range_end => '2024-04-01'$$);
RESET TimeZone;
-- Converted: what no range holds goes to the default partition.
CREATE FUNCTION tests.rows(parent regclass) RETURNS TABLE (partition text, line text) LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE format('SELECT tableoid::regclass::text COLLATE "C", t::text COLLATE "C" FROM %s t ORDER BY 1, 2', parent); END $$;
CREATE TABLE odd AS SELECT * FROM keys;
INSERT INTO odd VALUES (NULL, NULL, NULL, NULL, NULL, NULL), ('infinity', '-infinity', 'infinity', 32767, 2147483647, 9223372036854775807),
    ('-infinity', 'infinity', '-infinity', -32768, -2147483648, -9223372036854775808), ('4713-01-01 BC', '294276-12-31', '5874897-12-31', 0, 0, 0);
CREATE TABLE odd_tz AS TABLE odd; CREATE TABLE odd_ts AS TABLE odd; CREATE TABLE odd_d AS TABLE odd;
CREATE TABLE odd_s AS TABLE odd; CREATE TABLE odd_i AS TABLE odd; CREATE TABLE odd_b AS TABLE odd;
SELECT count(*) FROM convert_to_partitioned('odd_tz', 'tz', 'range', '1 day', time_zone => 'UTC', range_start => '2024-03-31', range_end => '2024-04-01');
SELECT count(*) FROM convert_to_partitioned('odd_ts', 'ts', 'range', '12 hours', range_start => '2024-03-31', range_end => '2024-04-01');
SELECT count(*) FROM convert_to_partitioned('odd_d', 'd', 'range', '1 month', range_start => '2024-03-31', range_end => '2024-04-02');
SELECT count(*) FROM convert_to_partitioned('odd_s', 's', 'range', '10000');
SELECT count(*) FROM convert_to_partitioned('odd_i', 'i', 'range', '1000000000');
SELECT count(*) FROM convert_to_partitioned('odd_b', 'b', 'range', '4000000000000000000');
CALL wait_for_conversion('odd_tz', '240 s');
CALL wait_for_conversion('odd_ts', '240 s');
CALL wait_for_conversion('odd_d', '240 s');
CALL wait_for_conversion('odd_s', '240 s');
CALL wait_for_conversion('odd_i', '240 s');
CALL wait_for_conversion('odd_b', '240 s');
SELECT t, r.partition, count(*) FROM unnest('{odd_tz,odd_ts,odd_d,odd_s,odd_i,odd_b}'::regclass[]) t, tests.rows(t) r GROUP BY 1, 2 ORDER BY t::text COLLATE "C", 2;
SELECT t, count(*) AS differences FROM unnest('{odd_tz,odd_ts,odd_d,odd_s,odd_i,odd_b}'::regclass[]) t,
       LATERAL (SELECT r.line FROM tests.rows(t) r EXCEPT ALL SELECT o::text COLLATE "C" FROM odd o) d GROUP BY 1 ORDER BY t::text COLLATE "C";
SELECT parent, partition, lower_bound, upper_bound FROM partman_rs.partitions WHERE NOT is_default AND parent::text ~ '^odd_' ORDER BY partition::text COLLATE "C";
SELECT finish_conversion(t) FROM unnest('{odd_tz,odd_ts,odd_d,odd_s,odd_i,odd_b}'::regclass[]) t;
-- No row, and one row.
CREATE TABLE none (k int PRIMARY KEY);
CREATE TABLE one (k int PRIMARY KEY);
INSERT INTO one VALUES (1234);
SELECT count(*) FROM convert_to_partitioned('none', 'k', 'range', '100', premake => 0, default_partition => false);
SELECT count(*) FROM convert_to_partitioned('one', 'k', 'range', '100', premake => 0, default_partition => false);
CALL wait_for_conversion('none', '240 s');
CALL wait_for_conversion('one', '240 s');
SELECT partition, lower_bound, upper_bound FROM partman_rs.partitions WHERE parent IN ('none'::regclass, 'one'::regclass) ORDER BY partition::text COLLATE "C";
SELECT tableoid::regclass, * FROM one;
SELECT * FROM none;
SELECT finish_conversion('none'), finish_conversion('one');
-- The view, for tables partitioned by hand: values as they are, whatever PostgreSQL quotes.
CREATE TABLE by_text (k text) PARTITION BY RANGE (k);
CREATE TABLE by_text_1 PARTITION OF by_text FOR VALUES FROM (MINVALUE) TO ('MAXVALUE');
CREATE TABLE by_text_2 PARTITION OF by_text FOR VALUES FROM ('MAXVALUE') TO ('a''b\c) TO (');
CREATE TABLE by_number (k numeric) PARTITION BY RANGE (k);
CREATE TABLE by_number_1 PARTITION OF by_number FOR VALUES FROM (-1.5) TO (0);
CREATE TABLE by_number_2 PARTITION OF by_number FOR VALUES FROM (0) TO (MAXVALUE);
CREATE TABLE by_two (k int, t text) PARTITION BY RANGE (k, t);
CREATE TABLE by_two_1 PARTITION OF by_two FOR VALUES FROM (-1, MINVALUE) TO (1, 'x');
CREATE TABLE by_two_2 PARTITION OF by_two DEFAULT;
SELECT partition, lower_bound, upper_bound, is_default FROM partman_rs.partitions WHERE parent::text ~ '^by_' ORDER BY partition::text COLLATE "C";
DROP TABLE by_text, by_number, by_two;
DROP TABLE keys, odd, odd_tz, odd_ts, odd_d, odd_s, odd_i, odd_b, none, one;
DROP FUNCTION tests.plan, tests.rows;
TABLE tests.residue;
