\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Small schemas of many kinds, judged by thresholds that are as small. Expected: verdict, column, strategy, interval.
CREATE TABLE expected (source regclass, verdict boolean, "column" text, strategy text, "interval" text, blocked boolean DEFAULT false, refusal text);
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
INSERT INTO expected VALUES ('orders', true, 'id', 'range', '1000');
CREATE TABLE order_items (order_id bigint NOT NULL REFERENCES orders, line int NOT NULL, added timestamptz NOT NULL, PRIMARY KEY (order_id, line));
INSERT INTO order_items SELECT 1 + n / 2, n % 2, ago(n / 12000.0, '1 year') FROM generate_series(0, 11999) n;
INSERT INTO expected VALUES ('order_items', true, 'added', 'range', '1 month');
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

-- The four tables of pgbench, as pgbench -i makes them, and after 12,000 transactions of ten days.
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100);
INSERT INTO pgbench_branches VALUES (1, 0);
INSERT INTO pgbench_tellers SELECT n, 1, 0 FROM generate_series(1, 10) n;
INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM generate_series(1, 100000) n;
ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid);
ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid);
ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
INSERT INTO pgbench_history SELECT n % 10, 1, n % 1000, 5, ago(n / 12000.0, '10 days') AT TIME ZONE 'UTC', NULL FROM generate_series(1, 12000) n;
INSERT INTO expected VALUES
    ('pgbench_accounts', true, 'aid', 'range', '10000'),
    ('pgbench_branches', false, NULL, NULL, NULL),
    ('pgbench_tellers', false, 'tid', 'range', '1000'),
    ('pgbench_history', true, 'mtime', 'range', '1 day');

-- Real flights, and what belongs to them.
CREATE TABLE flights (time_hour timestamptz NOT NULL, carrier text NOT NULL, flight int NOT NULL, tailnum text, origin text NOT NULL, dest text NOT NULL,
                      sched_dep_time int, dep_delay int, arr_delay int, air_time int, distance int);
\set load '\\copy flights FROM PROGRAM ''zcat ' :dir '/../../demo/data/flights.csv.gz'' WITH (FORMAT csv, HEADER)'
:load
INSERT INTO expected VALUES ('flights', true, 'time_hour', 'range', '1 month');
CREATE TABLE planes (tailnum text PRIMARY KEY, year int, type text, manufacturer text, model text, engines int, seats int, speed int, engine text);
\set load '\\copy planes FROM ' :dir '/../../demo/data/planes.csv WITH (FORMAT csv, HEADER, NULL ''NA'')'
:load
INSERT INTO expected VALUES ('planes', false, NULL, NULL, NULL);
CREATE TABLE airports (faa text PRIMARY KEY, name text, lat float8, lon float8, alt int, tz int, dst text, tzone text);
\set load '\\copy airports FROM ' :dir '/../../demo/data/airports.csv WITH (FORMAT csv, HEADER, NULL ''NA'')'
:load
INSERT INTO expected VALUES ('airports', false, NULL, NULL, NULL);
CREATE TABLE airlines (carrier text PRIMARY KEY, name text);
\set load '\\copy airlines FROM ' :dir '/../../demo/data/airlines.csv WITH (FORMAT csv, HEADER)'
:load
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
INSERT INTO expected VALUES ('cache', true, 'at', 'range', '1 month');
CREATE TABLE empty (at timestamptz NOT NULL);
INSERT INTO expected VALUES ('empty', false, NULL, NULL, NULL);
CREATE TABLE never_analysed (at timestamptz NOT NULL, body text) WITH (autovacuum_enabled = off);
INSERT INTO never_analysed SELECT ago(n / 8000.0, '1 year'), repeat('n', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('never_analysed', NULL, NULL, NULL, NULL);

-- More of the same, with what makes it harder.
CREATE TABLE by_uuid4 (id uuid PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), body text);
INSERT INTO by_uuid4 SELECT md5(n::text)::uuid, ago(n / 8000.0, '1 year'), repeat('4', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_uuid4', true, 'created_at', 'range', '1 month');
CREATE TABLE uuid4_only (id uuid PRIMARY KEY, body text);
INSERT INTO uuid4_only SELECT md5(n::text)::uuid, md5(n::text) || md5((-n)::text) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('uuid4_only', false, NULL, NULL, NULL);
CREATE TABLE by_ulid_and_time (id text PRIMARY KEY, made timestamptz NOT NULL, body text);
INSERT INTO by_ulid_and_time SELECT '01J' || lpad(n::text, 7, '0') || upper(translate(substr(md5(n::text), 1, 16), 'ilou', '1100')), ago(n / 8000.0, '1 year'), repeat('u', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_ulid_and_time', true, 'made', 'range', '1 month');
CREATE TABLE by_millis (ts bigint NOT NULL, device int NOT NULL, value float8, PRIMARY KEY (device, ts));
INSERT INTO by_millis SELECT (extract(epoch FROM ago(n / 9000.0, '30 days')) * 1000)::bigint, n % 20, n FROM generate_series(1, 9000) n;
INSERT INTO expected VALUES ('by_millis', true, 'ts', 'range', '86400000');
CREATE TABLE by_iso_text (at text NOT NULL, message text);
INSERT INTO by_iso_text SELECT to_char(ago(n / 8000.0, '1 year') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), repeat('i', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('by_iso_text', true, NULL, NULL, NULL, true);
-- A warehouse counts days as 20240131; ranges of 100 would be empty for 88 of a hundred.
CREATE TABLE facts_by_date_key (date_key int NOT NULL, product int NOT NULL, sold numeric, body text);
INSERT INTO facts_by_date_key SELECT to_char(ago(n / 9000.0, '12 years'), 'YYYYMMDD')::int, n % 70, n, repeat('f', 40) FROM generate_series(1, 9000) n;
INSERT INTO expected VALUES ('facts_by_date_key', true, 'date_key', 'range', '10000');
CREATE TABLE event_store (stream uuid, version int, recorded_at timestamptz NOT NULL DEFAULT now(), payload text, PRIMARY KEY (stream, version));
INSERT INTO event_store SELECT md5((n % 700)::text)::uuid, n / 700, ago(n / 8000.0, '1 year'), repeat('e', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('event_store', true, 'recorded_at', 'range', '1 month');
CREATE TABLE messages (conversation bigint, id bigint, sent_at timestamptz NOT NULL, body text, PRIMARY KEY (conversation, id));
INSERT INTO messages SELECT n % 300, n, ago(n / 8000.0, '1 year'), repeat('m', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('messages', true, 'sent_at', 'range', '1 month');
CREATE TABLE api_calls (called_at timestamptz NOT NULL DEFAULT now(), id bigint NOT NULL, path text, PRIMARY KEY (called_at, id));
INSERT INTO api_calls SELECT ago(n / 8000.0, '14 days'), n, repeat('/', 50) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('api_calls', true, 'called_at', 'range', '1 day');
CREATE TABLE positions (vehicle int NOT NULL, at timestamptz NOT NULL, lat float8, lon float8);
INSERT INTO positions SELECT n % 90, ago(n / 12000.0, '3 hours'), n, n FROM generate_series(1, 12000) n;
INSERT INTO expected VALUES ('positions', true, 'at', 'range', '1 hour');
CREATE TABLE archive (at date NOT NULL, body text);
INSERT INTO archive SELECT date '2005-01-01' + n * 3650 / 8000, repeat('a', 60) FROM generate_series(0, 7999) n;
INSERT INTO expected VALUES ('archive', true, 'at', 'range', '1 year');
CREATE TABLE balances (account int, month date, balance numeric, note text, PRIMARY KEY (account, month));
INSERT INTO balances SELECT n % 400, (date_trunc('month', current_date) - interval '23 months' + n / 400 * interval '1 month')::date, n, repeat('b', 30) FROM generate_series(0, 9599) n;
INSERT INTO expected VALUES ('balances', true, 'month', 'range', '1 month');
CREATE TABLE tenant_days (tenant int, day date, hits bigint, note text, PRIMARY KEY (tenant, day));
INSERT INTO tenant_days SELECT n % 25, current_date - 364 + n / 25, n, repeat('t', 30) FROM generate_series(0, 9124) n;
INSERT INTO expected VALUES ('tenant_days', true, 'day', 'range', '1 month');
CREATE TABLE skewed_tenants (tenant int NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL, body text);
INSERT INTO skewed_tenants (tenant, created_at, body) SELECT CASE WHEN n % 10 = 0 THEN n % 200 ELSE 7 END, ago(n / 8000.0, '1 year'), repeat('s', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('skewed_tenants', true, 'created_at', 'range', '1 month');
CREATE TABLE documents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), doc text);
ALTER TABLE documents ALTER doc SET STORAGE EXTERNAL;
INSERT INTO documents (created_at, doc) SELECT ago(n / 600.0, '1 year'), repeat(md5(n::text), 150) FROM generate_series(1, 600) n;
INSERT INTO expected VALUES ('documents', true, 'created_at', 'range', '1 month');
CREATE TABLE with_day (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, day date GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED, at timestamptz NOT NULL, body text);
INSERT INTO with_day (at, body) SELECT ago(n / 8000.0, '1 year'), repeat('g', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('with_day', true, 'at', 'range', '1 month');
-- Rollups: made hour by hour, and series by series.
CREATE TABLE rollup_by_hour (series int, bucket timestamptz, low float8, high float8, PRIMARY KEY (series, bucket));
INSERT INTO rollup_by_hour SELECT n % 5, date_trunc('hour', now()) - interval '90 days' + n / 5 * interval '1 hour', n, n FROM generate_series(0, 10799) n;
INSERT INTO expected VALUES ('rollup_by_hour', true, 'bucket', 'range', '1 week');
CREATE TABLE rollup_by_series (series int, bucket timestamptz, low float8, high float8, PRIMARY KEY (series, bucket));
INSERT INTO rollup_by_series SELECT n / 2160, date_trunc('hour', now()) - interval '90 days' + n % 2160 * interval '1 hour', n, n FROM generate_series(0, 10799) n;
INSERT INTO expected VALUES ('rollup_by_series', true, 'bucket', 'range', '1 week');
-- Times that come late, change, are absent, or lie far out.
CREATE TABLE late_arrivals (sensor int NOT NULL, measured timestamptz NOT NULL, value text);
INSERT INTO late_arrivals SELECT n % 40, ago(n / 8000.0, '60 days') - (hashint4(n) & 65535) * interval '2.6 seconds', repeat('v', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('late_arrivals', true, 'measured', 'range', '1 week');
CREATE TABLE contracts (expires_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL, body text);
INSERT INTO contracts (expires_at, updated_at, created_at, body) SELECT t + interval '2 years', t + (hashint4(n) & 1023) * interval '1 minute', t, repeat('c', 60)
  FROM generate_series(1, 8000) n, LATERAL (SELECT ago(n / 8000.0, '1 year') AS t) x;
INSERT INTO expected VALUES ('contracts', true, 'created_at', 'range', '1 month');
CREATE TABLE soft_deleted (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, deleted_at timestamptz, created_at timestamptz NOT NULL, body text);
INSERT INTO soft_deleted (deleted_at, created_at, body) SELECT CASE WHEN n % 5 = 0 THEN ago(n / 8000.0, '1 year') + interval '1 day' END, ago(n / 8000.0, '1 year'), repeat('d', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('soft_deleted', true, 'created_at', 'range', '1 month');
CREATE TABLE shipments (shipment bigint NOT NULL, shipped_at timestamptz, body text);
INSERT INTO shipments SELECT n, CASE WHEN n % 50 > 0 THEN ago(n / 8000.0, '1 year') END, repeat('s', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('shipments', true, 'shipped_at', 'range', '1 month');
-- A primary key cannot be extended by what may be null.
CREATE TABLE shipments_with_key (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shipped_at timestamptz, body text);
INSERT INTO shipments_with_key (shipped_at, body) SELECT CASE WHEN n % 50 > 0 THEN ago(n / 8000.0, '1 year') END, repeat('s', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('shipments_with_key', true, 'id', 'range', '1000');
CREATE TABLE far_future (at timestamptz NOT NULL, body text);
INSERT INTO far_future SELECT CASE WHEN n % 4000 = 0 THEN '9999-12-31 00:00+00' ELSE ago(n / 8000.0, '1 year') END, repeat('f', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('far_future', true, 'at', 'range', '1 month');
CREATE TABLE unknown_dates (booked date NOT NULL, body text);
INSERT INTO unknown_dates SELECT CASE WHEN n % 200 = 0 THEN '0001-01-01' ELSE ago(n / 8000.0, '1 year') END, repeat('u', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('unknown_dates', true, 'booked', 'range', '1 month');
CREATE TABLE since_ever (valid_from timestamptz NOT NULL, price numeric, body text);
INSERT INTO since_ever SELECT CASE WHEN n % 100 = 0 THEN '-infinity' ELSE ago(n / 8000.0, '1 year') END, n, repeat('p', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('since_ever', true, 'valid_from', 'range', '1 month');
-- A year, and nine tenths of it on one day.
CREATE TABLE burst (at timestamptz NOT NULL, body text);
INSERT INTO burst SELECT CASE WHEN n <= 400 THEN ago(n / 800.0, '1 year') WHEN n <= 7600 THEN ago(0.5, '1 year') + (n - 400) * interval '12 seconds' ELSE ago(0.5 + (n - 7600) / 800.0, '1 year') END, repeat('b', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('burst', true, 'at', 'range', '1 month');
CREATE TABLE stamped (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, changed timestamp NOT NULL, made timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, body text);
INSERT INTO stamped (changed, made, body) SELECT t, t, repeat('s', 60) FROM generate_series(1, 8000) n, LATERAL (SELECT ago(n / 8000.0, '90 days') AT TIME ZONE 'UTC' AS t) x;
INSERT INTO expected VALUES ('stamped', true, 'made', 'range', '1 week');
-- Deletions by age, with and without the space taken up again.
CREATE TABLE job_queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, enqueued_at timestamptz NOT NULL DEFAULT now(), state text, payload text) WITH (autovacuum_enabled = off);
INSERT INTO job_queue (enqueued_at, state, payload) SELECT ago(n / 8000.0, '24 days'), 'done', repeat('j', 20) FROM generate_series(1, 8000) n;
DELETE FROM job_queue WHERE enqueued_at < now() - interval '7 days';
INSERT INTO expected VALUES ('job_queue', true, 'enqueued_at', 'range', '1 day');
CREATE TABLE kept_for_a_month (at timestamptz NOT NULL DEFAULT now(), body text) WITH (autovacuum_enabled = off);
INSERT INTO kept_for_a_month SELECT ago(n / 8000.0, '60 days') - interval '15 days', repeat('k', 60) FROM generate_series(1, 8000) n;
DELETE FROM kept_for_a_month WHERE at < now() - interval '45 days';
VACUUM kept_for_a_month;
INSERT INTO kept_for_a_month SELECT ago(n / 2000.0, '15 days'), repeat('k', 60) FROM generate_series(1, 2000) n;
INSERT INTO expected VALUES ('kept_for_a_month', true, 'at', 'range', '1 week');
CREATE TABLE outbox_in_use (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), payload text) WITH (autovacuum_enabled = off);
INSERT INTO outbox_in_use (created_at, payload) SELECT ago(n / 500.0, '1 hour'), 'p' FROM generate_series(1, 500) n;
DELETE FROM outbox_in_use WHERE id <= 400;
INSERT INTO expected VALUES ('outbox_in_use', false, 'created_at', 'range', '1 hour');
CREATE TABLE after_reset (at timestamptz NOT NULL, body text);
INSERT INTO after_reset SELECT ago(n / 8000.0, '1 year'), repeat('r', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('after_reset', true, 'at', 'range', '1 month');
-- Numbers.
CREATE TABLE negative_ids (id bigint PRIMARY KEY, body text);
INSERT INTO negative_ids SELECT n, repeat('n', 60) FROM generate_series(-8000, -1) n;
INSERT INTO expected VALUES ('negative_ids', true, 'id', 'range', '1000');
CREATE TABLE counted_down (id int GENERATED ALWAYS AS IDENTITY (INCREMENT -1) PRIMARY KEY, body text);
INSERT INTO counted_down (body) SELECT repeat('c', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('counted_down', true, 'id', 'range', '1000');
CREATE TABLE order_lines (order_id bigint NOT NULL REFERENCES orders, line int NOT NULL, body text, PRIMARY KEY (order_id, line));
INSERT INTO order_lines SELECT 1 + n / 2, n % 2, repeat('l', 20) FROM generate_series(0, 23999) n;
INSERT INTO expected VALUES ('order_lines', true, 'order_id', 'range', '1000');
-- Small, hot, shapeless, or part of something else.
CREATE TABLE products (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, price numeric);
INSERT INTO products (name, price) SELECT 'product ' || n, n FROM generate_series(1, 3000) n;
INSERT INTO expected VALUES ('products', false, 'id', 'range', '1000');
CREATE TABLE currencies (id smallint PRIMARY KEY, code text NOT NULL);
INSERT INTO currencies SELECT n, 'C' || n FROM generate_series(1, 60) n;
INSERT INTO expected VALUES ('currencies', false, 'id', 'range', '1000');
CREATE TABLE counters (name text PRIMARY KEY, value bigint NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO counters SELECT 'counter ' || n, 0 FROM generate_series(1, 50) n;
UPDATE counters SET value = value + 1;
UPDATE counters SET value = value + 1;
INSERT INTO expected VALUES ('counters', false, NULL, NULL, NULL);
CREATE TABLE wallets (owner text PRIMARY KEY, balance bigint NOT NULL, note text) WITH (autovacuum_enabled = off);
INSERT INTO wallets SELECT md5(n::text), 0, repeat('w', 20) FROM generate_series(1, 1500) n;
DO $$ BEGIN FOR i IN 1 .. 6 LOOP UPDATE wallets SET balance = balance + 1; END LOOP; END $$;
INSERT INTO expected VALUES ('wallets', true, NULL, NULL, NULL, true);
CREATE TABLE shapeless (a float8, b text, c int);
INSERT INTO shapeless SELECT (hashint4(n) & 65535) / 7.0, md5(n::text), hashint4(n) & 65535 FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('shapeless', false, NULL, NULL, NULL);
CREATE TABLE customers (id uuid PRIMARY KEY, birthday date NOT NULL, name text);
INSERT INTO customers SELECT md5(n::text)::uuid, date '1950-01-01' + (hashint4(n) & 16383), md5(n::text) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('customers', false, NULL, NULL, NULL);
CREATE TABLE measured (at timestamptz NOT NULL, body text);
CREATE TABLE measured_here () INHERITS (measured);
INSERT INTO measured_here SELECT ago(n / 8000.0, '1 year'), repeat('h', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected VALUES ('measured_here', true, 'at', 'range', '1 month', true);
-- The parent itself holds nothing.
INSERT INTO expected VALUES ('measured', false, NULL, NULL, NULL, true);
CREATE TABLE by_month (at timestamptz NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE by_month_default PARTITION OF by_month DEFAULT;
INSERT INTO by_month SELECT ago(n / 8000.0, '1 year'), repeat('h', 60) FROM generate_series(1, 8000) n;
INSERT INTO expected (source, refusal) VALUES ('by_month', 'It is partitioned already.'), ('by_month_default', 'It is a partition of another table.');

SELECT pg_stat_force_next_flush();
SELECT count(*) FROM (SELECT pg_stat_reset_single_table_counters('after_reset'::regclass)) reset;
\o /dev/null
SELECT format('ANALYZE %s', source) FROM expected WHERE source <> 'never_analysed'::regclass \gexec
\o
LOAD 'pg_partman_rs';
SET pg_partman_rs.analyze_small_size = '128kB';
SET pg_partman_rs.analyze_large_size = '448kB';
-- An error is an answer too, and is shown as one.
CREATE TABLE judged AS SELECT e.*, a.*, NULL::text AS error FROM expected e, LATERAL (SELECT needs_partitioning, partition_column, recommended_strategy, partition_interval, blockers, next_step, reasons, warnings, key_changes FROM partition_candidates() LIMIT 0) a;
DO $$
DECLARE
    e expected;
    fact text;
BEGIN
    FOR e IN SELECT * FROM expected LOOP
        BEGIN
            INSERT INTO judged
            SELECT e.*, a.needs_partitioning, a.partition_column, a.recommended_strategy, a.partition_interval, a.blockers, a.next_step, a.reasons, a.warnings, a.key_changes
              FROM analyze_table_for_partitioning(e.source) a;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS fact = PG_EXCEPTION_DETAIL;
            INSERT INTO judged (source, verdict, "column", strategy, "interval", blocked, refusal, error)
            VALUES (e.source, e.verdict, e."column", e.strategy, e."interval", e.blocked, e.refusal, coalesce(nullif(fact, ''), SQLERRM));
        END;
    END LOOP;
END $$;
CREATE VIEW compared AS
SELECT *, needs_partitioning IS NOT DISTINCT FROM verdict AND error IS NOT DISTINCT FROM refusal AS verdict_right,
       (partition_column, recommended_strategy, partition_interval, blockers IS NOT NULL)
           IS NOT DISTINCT FROM ("column", strategy, "interval", blocked) AS recommendation_right
  FROM judged;
SELECT source, coalesce(error, needs_partitioning::text) AS verdict, partition_column AS "column", recommended_strategy AS strategy, partition_interval AS "interval",
       CASE WHEN NOT verdict_right THEN 'WRONG VERDICT' WHEN NOT recommendation_right THEN 'other' ELSE 'as expected' END AS judgement
  FROM compared ORDER BY source::text COLLATE "C";
-- What is different, if anything is.
SELECT source, verdict, "column", strategy, "interval", needs_partitioning, partition_column, partition_interval, blockers, reasons FROM compared
 WHERE NOT (verdict_right AND recommendation_right) ORDER BY source::text COLLATE "C" \gx
SELECT count(*) AS schemas, count(*) FILTER (WHERE verdict_right) AS verdicts_right,
       count(*) FILTER (WHERE verdict) AS to_recommend, count(*) FILTER (WHERE verdict AND recommendation_right) AS recommendations_right,
       bool_and(verdict_right) AND avg(recommendation_right::int) FILTER (WHERE verdict) >= 0.9 AND count(*) >= 55 AS passed
  FROM compared;
-- What is recommended can be done, and what is blocked cannot.
SELECT source, tests.refusal(next_step) FROM judged WHERE next_step IS NOT NULL AND tests.refusal(next_step) <> 'not refused';
SELECT source, partition_column FROM judged
 WHERE blockers IS NOT NULL AND partition_column IS NOT NULL
   AND tests.refusal(format('SELECT convert_to_partitioned(%L, %L, %L, %L, dry_run => true)', source, partition_column, recommended_strategy, partition_interval)) = 'not refused';
SELECT source FROM judged WHERE error IS NULL AND (next_step IS NULL) <> (partition_column IS NULL OR blockers IS NOT NULL);
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
-- By the thresholds that hold unless others are set, what pgbench and the demonstration make is small.
RESET pg_partman_rs.analyze_small_size;
RESET pg_partman_rs.analyze_large_size;
SELECT a.source, a.needs_partitioning, a.partition_column, a.partition_interval
  FROM unnest(ARRAY['flights', 'pgbench_accounts', 'pgbench_branches', 'pgbench_tellers', 'pgbench_history']::regclass[]) r, analyze_table_for_partitioning(r) a;
-- Where vacuum of it takes long, it is partitioned though it is not large.
SET pg_partman_rs.analyze_small_size = '128kB';
ALTER TABLE flights SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
SET pg_partman_rs.analyze_vacuum_time = '20min';
SELECT needs_partitioning FROM analyze_table_for_partitioning('flights');
SET pg_partman_rs.analyze_vacuum_time = '10min';
SELECT needs_partitioning, regexp_replace(split_part(reasons, E'\n', 1), '\d+ minutes', 'N minutes') AS reason FROM analyze_table_for_partitioning('flights') \gx
DROP VIEW compared;
DROP TABLE order_items, order_lines, measured_here, by_month_default;
SELECT format('DROP TABLE %s', source) FROM expected WHERE source::text !~ '^\d+$' ORDER BY source \gexec
DROP TABLE expected, judged;
DROP FUNCTION v7, ago;
