\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Small schemas of many kinds, judged by thresholds that are as small. Expected: verdict, column, strategy, interval.
CREATE TABLE expected (source regclass, verdict boolean, "column" text, strategy text, "interval" text, blocked boolean DEFAULT false);
CREATE FUNCTION v7(at timestamptz, n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid $$;
CREATE FUNCTION ago(share float8, span interval) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT now() - span * (1 - share) $$;

-- Time series and logs.
CREATE TABLE event_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), kind text, payload text);
INSERT INTO event_log (at, kind, payload) SELECT ago(n / 8000.0, '1 year'), 'k' || n % 5, repeat('x', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('event_log', true, 'at', 'range', '1 month');
CREATE TABLE iot (device int, at timestamptz, value float8, PRIMARY KEY (device, at));
INSERT INTO iot SELECT n % 50, ago(n / 10000.0, '10 days'), n FROM generate_series(1, 10000) n;
INSERT INTO expected VALUES ('iot', true, 'at', 'range', '1 day');
CREATE TABLE ticks (symbol text NOT NULL, at timestamp NOT NULL, price numeric);
INSERT INTO ticks SELECT 's' || n % 20, ago(n / 12000.0, '12 hours') AT TIME ZONE 'UTC', n FROM generate_series(1, 12000) n;
INSERT INTO expected VALUES ('ticks', true, 'at', 'range', '1 hour');
CREATE TABLE audit_log (happened timestamp NOT NULL, who text, what text);
INSERT INTO audit_log SELECT ago(n / 8000.0, '60 days') AT TIME ZONE 'UTC', 'u' || n % 9, repeat('y', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('audit_log', true, 'happened', 'range', '1 week');
CREATE TABLE ledger (entry bigint NOT NULL, booked date NOT NULL, amount numeric NOT NULL, note text, PRIMARY KEY (entry, booked));
INSERT INTO ledger SELECT n, ago(n / 9000.0, '10 years')::date, n % 100, repeat('z', 30) FROM generate_series(1, 9000) n;
INSERT INTO expected VALUES ('ledger', true, 'booked', 'range', '1 year');
CREATE TABLE metrics_by_day (day date NOT NULL, metric int NOT NULL, value float8, PRIMARY KEY (day, metric));
INSERT INTO metrics_by_day SELECT current_date - 30 + n / 400, n % 400, n FROM generate_series(0, 11999) n;
INSERT INTO expected VALUES ('metrics_by_day', true, 'day', 'range', '1 day');
-- Two times, one of which changes.
CREATE TABLE tickets (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, updated_at timestamptz NOT NULL, created_at timestamptz NOT NULL, body text);
INSERT INTO tickets (updated_at, created_at, body) SELECT ago(n / 8000.0, '1 year'), ago(n / 8000.0, '1 year'), repeat('b', 40) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('tickets', true, 'created_at', 'range', '1 month');
-- Nulls, and infinity.
CREATE TABLE payments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, paid_at timestamptz, body text);
INSERT INTO payments (paid_at, body) SELECT CASE WHEN n % 2 = 0 THEN ago(n / 8000.0, '1 year') END, repeat('p', 40) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('payments', true, 'id', 'range', '1000');
CREATE TABLE leases (granted timestamptz NOT NULL, until timestamptz NOT NULL, body text);
INSERT INTO leases SELECT ago(n / 8000.0, '1 year'), 'infinity', repeat('l', 40) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('leases', true, 'granted', 'range', '1 month');

-- Orders, and what refers to them.
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ordered_at timestamptz NOT NULL, body text);
INSERT INTO orders (ordered_at, body) SELECT ago(n / 20000.0, '1 year'), repeat('o', 40) FROM generate_series(1, 20000) n;
INSERT INTO expected VALUES ('orders', true, 'id', 'range', '1000', true);
CREATE TABLE order_items (order_id bigint NOT NULL REFERENCES orders, line int NOT NULL, added timestamptz NOT NULL, PRIMARY KEY (order_id, line));
INSERT INTO order_items SELECT 1 + n / 2, n % 2, ago(n / 12000.0, '1 year') FROM generate_series(0, 11999) n;
INSERT INTO expected VALUES ('order_items', true, 'added', 'range', '1 month', true);
-- Tenants.
CREATE TABLE tenant_events (tenant int NOT NULL, id bigint NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY (tenant, id));
INSERT INTO tenant_events SELECT n % 30, n, ago(n / 9000.0, '1 year') FROM generate_series(1, 9000) n;
INSERT INTO expected VALUES ('tenant_events', true, 'created_at', 'range', '1 month');
CREATE TABLE tenant_objects (id uuid PRIMARY KEY, region text NOT NULL, body text);
INSERT INTO tenant_objects SELECT md5(n::text)::uuid, 'region ' || n % 8, repeat('t', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('tenant_objects', true, NULL, NULL, NULL, true);

-- Ids that begin with a time.
CREATE TABLE by_v7 (id uuid PRIMARY KEY, body text);
INSERT INTO by_v7 SELECT v7(ago(n / 8000.0, '1 year'), n), repeat('7', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_v7', true, NULL, NULL, NULL, true);
CREATE TABLE by_v7_and_time (id uuid PRIMARY KEY, created_at timestamptz NOT NULL, body text);
INSERT INTO by_v7_and_time SELECT v7(ago(n / 8000.0, '1 year'), n), ago(n / 8000.0, '1 year'), repeat('7', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_v7_and_time', true, 'created_at', 'range', '1 month');
CREATE TABLE by_ulid (id text PRIMARY KEY, body text);
INSERT INTO by_ulid SELECT '01J' || lpad(n::text, 7, '0') || upper(translate(substr(md5(n::text), 1, 16), 'ilou', '1100')), repeat('u', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_ulid', true, NULL, NULL, NULL, true);
CREATE TABLE by_snowflake (id bigint PRIMARY KEY, body text);
INSERT INTO by_snowflake SELECT (((extract(epoch FROM ago(n / 8000.0, '1 year')) * 1000)::bigint - 1288834974657) << 22) + n % 4096, repeat('s', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_snowflake', true, 'id', 'range', (30 * 86400000::bigint << 22)::text);
CREATE TABLE by_epoch (at bigint NOT NULL, body text);
INSERT INTO by_epoch SELECT extract(epoch FROM ago(n / 8000.0, '1 year'))::bigint, repeat('e', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_epoch', true, 'at', 'range', (30 * 86400)::text);

-- The four tables of pgbench.
CREATE TABLE pgbench_accounts (aid int NOT NULL PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
INSERT INTO pgbench_accounts SELECT n, 1 + n / 10000, 0, '' FROM generate_series(1, 10000) n;
INSERT INTO expected VALUES ('pgbench_accounts', true, 'aid', 'range', '1000');
CREATE TABLE pgbench_branches (bid int NOT NULL PRIMARY KEY, bbalance int, filler char(88));
INSERT INTO pgbench_branches VALUES (1, 0, '');
INSERT INTO expected VALUES ('pgbench_branches', false, NULL, NULL, NULL);
CREATE TABLE pgbench_tellers (tid int NOT NULL PRIMARY KEY, bid int, tbalance int, filler char(84));
INSERT INTO pgbench_tellers SELECT n, 1, 0, '' FROM generate_series(1, 10) n;
INSERT INTO expected VALUES ('pgbench_tellers', false, 'tid', 'range', '1000');
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
INSERT INTO pgbench_history SELECT n % 10, 1, n % 1000, 5, ago(n / 12000.0, '10 days') AT TIME ZONE 'UTC', NULL FROM generate_series(1, 12000) n;
INSERT INTO expected VALUES ('pgbench_history', true, 'mtime', 'range', '1 day');

-- Flights, and what belongs to them.
CREATE TABLE flights (year int, month int, day int, dep_time int, carrier text, flight int, tailnum text, origin text, time_hour timestamptz);
INSERT INTO flights SELECT 2013, extract(month FROM t), extract(day FROM t), n % 2400, 'c' || n % 16, n % 4000, 'N' || n % 900, 'EWR', t
  FROM generate_series(1, 10000) n, LATERAL (SELECT timestamptz '2013-01-01 05:00+00' + n * interval '52 minutes' AS t) x;
INSERT INTO expected VALUES ('flights', true, 'time_hour', 'range', '1 month');
CREATE TABLE planes (tailnum text PRIMARY KEY, year int, type text);
INSERT INTO planes SELECT 'N' || n, 1990 + n % 20, 'jet' FROM generate_series(1, 300) n;
INSERT INTO expected VALUES ('planes', false, NULL, NULL, NULL);
CREATE TABLE airlines (carrier text PRIMARY KEY, name text);
INSERT INTO airlines SELECT 'c' || n, 'Airline ' || n FROM generate_series(1, 16) n;
INSERT INTO expected VALUES ('airlines', false, NULL, NULL, NULL);

-- What need not, or cannot, be partitioned.
CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL);
INSERT INTO countries SELECT chr(65 + n / 26) || chr(65 + n % 26), 'Country ' || n FROM generate_series(0, 199) n;
INSERT INTO expected VALUES ('countries', false, NULL, NULL, NULL);
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), payload text);
INSERT INTO outbox (created_at, payload) SELECT ago(n / 100.0, '1 hour'), 'p' FROM generate_series(1, 100) n;
INSERT INTO expected VALUES ('outbox', false, 'created_at', 'range', '1 hour');
CREATE TABLE sessions (sid uuid PRIMARY KEY, last_seen timestamptz NOT NULL, data text);
INSERT INTO sessions SELECT md5(n::text)::uuid, ago((hashint4(n) & 65535) / 65536.0, '30 days'), md5(n::text) || md5(n::text) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('sessions', false, NULL, NULL, NULL);
CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE, birthday date, body text);
INSERT INTO users (email, birthday, body) SELECT n || '@example.com', date '1950-01-01' + (hashint4(n) & 16383), repeat('u', 40) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('users', true, 'id', 'range', '1000');
CREATE TABLE wide (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a text, b text, c text, d text);
INSERT INTO wide (a, b, c, d) SELECT repeat('a', 90), repeat('b', 90), repeat('c', 90), repeat('d', 90) FROM generate_series(1, 6000) n;
INSERT INTO expected VALUES ('wide', true, 'id', 'range', '1000');
CREATE TABLE settled (at date NOT NULL, note text);
INSERT INTO settled SELECT date '2001-01-01' + n / 10, repeat('s', 60) FROM generate_series(0, 2999) n;
INSERT INTO expected VALUES ('settled', false, 'at', 'range', '1 month');
CREATE TABLE swept (at timestamptz NOT NULL, note text);
INSERT INTO swept SELECT ago(n / 3000.0, '100 years'), repeat('s', 60) FROM generate_series(1, 3000) n;
DELETE FROM swept WHERE at < now() - interval '60 years';
INSERT INTO expected VALUES ('swept', true, 'at', 'range', '1 year');
CREATE UNLOGGED TABLE cache (at timestamptz NOT NULL, body text);
INSERT INTO cache SELECT ago(n / 8000.0, '1 year'), repeat('c', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('cache', true, 'at', 'range', '1 month', true);
CREATE TABLE empty (at timestamptz NOT NULL);
INSERT INTO expected VALUES ('empty', false, NULL, NULL, NULL);
CREATE TABLE never_analysed (at timestamptz NOT NULL, body text) WITH (autovacuum_enabled = off);
INSERT INTO never_analysed SELECT ago(n / 8000.0, '1 year'), repeat('n', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('never_analysed', NULL, NULL, NULL, NULL);

SELECT pg_stat_force_next_flush();
\o /dev/null
SELECT format('ANALYZE %s', source) FROM expected WHERE source <> 'never_analysed'::regclass \gexec
\o
LOAD 'pg_partman_rs';
SET pg_partman_rs.analyze_small_size = '128kB';
SET pg_partman_rs.analyze_large_size = '448kB';
CREATE TABLE judged AS
SELECT e.*, a.needs_partitioning, a.partition_column, a.recommended_strategy, a.partition_interval, a.blockers, a.next_step, a.reasons, a.warnings, a.key_changes
  FROM expected e CROSS JOIN LATERAL analyze_table_for_partitioning(e.source) a;
SELECT source, needs_partitioning AS verdict, partition_column AS "column", recommended_strategy AS strategy, partition_interval AS "interval",
       (needs_partitioning, partition_column, recommended_strategy, partition_interval, blockers IS NOT NULL)
           IS NOT DISTINCT FROM (verdict, "column", strategy, "interval", blocked) AS as_expected
  FROM judged ORDER BY source::text COLLATE "C";
-- What is different, if anything is.
SELECT source, verdict, "column", strategy, "interval", blockers, reasons FROM judged
 WHERE (needs_partitioning, partition_column, recommended_strategy, partition_interval, blockers IS NOT NULL)
       IS DISTINCT FROM (verdict, "column", strategy, "interval", blocked) \gx
-- What is recommended can be done, and what is blocked cannot.
SELECT source, tests.refusal(next_step) FROM judged WHERE next_step IS NOT NULL AND tests.refusal(next_step) <> 'not refused';
SELECT source, partition_column FROM judged
 WHERE blockers IS NOT NULL AND partition_column IS NOT NULL
   AND tests.refusal(format('SELECT convert_to_partitioned(%L, %L, %L, %L, dry_run => true)', source, partition_column, recommended_strategy, partition_interval)) = 'not refused';
SELECT source FROM judged WHERE (next_step IS NULL) <> (partition_column IS NULL OR blockers IS NOT NULL);
-- In words.
SELECT source, regexp_replace(reasons, '[\d.]+ (kB|MB)', 'N \1', 'g') AS reasons, blockers, key_changes FROM judged
 WHERE source IN ('by_v7'::regclass, 'by_ulid'::regclass, 'tenant_objects'::regclass, 'sessions'::regclass, 'never_analysed'::regclass, 'orders'::regclass, 'payments'::regclass, 'empty'::regclass)
 ORDER BY source::text COLLATE "C" \gx
-- The same verdicts at a glance over the whole database, those first that are worth it.
SELECT c.source, c.needs_partitioning, j.needs_partitioning
  FROM partition_candidates() c JOIN judged j ON j.source = c.source
 WHERE c.needs_partitioning IS DISTINCT FROM j.needs_partitioning;
SELECT array_agg(DISTINCT needs_partitioning) FROM (SELECT needs_partitioning, row_number() OVER () AS place FROM partition_candidates()) c
 WHERE place <= (SELECT count(*) FROM judged WHERE needs_partitioning);
DROP TABLE order_items;
SELECT format('DROP TABLE %s', source) FROM expected WHERE source::text !~ '^(\d+|order_items)$' \gexec
DROP TABLE expected, judged;
DROP FUNCTION v7, ago;
