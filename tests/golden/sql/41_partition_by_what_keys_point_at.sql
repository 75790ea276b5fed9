\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Foreign keys point at a key that would be unique only together with the wished column: the refusal says what to do, and that does. (Ids that grow with
-- the wished column: 56_bounds_by_time.)
SET client_min_messages = warning;
CREATE TABLE "Orders" (id bigint PRIMARY KEY, at timestamptz NOT NULL, note text);
CREATE INDEX ON "Orders" (at);
INSERT INTO "Orders" SELECT i, '2024-11-29 09:00+00'::timestamptz - i * interval '1 hour', repeat('x', 200) FROM generate_series(1, 8000) i;
CREATE TABLE items (order_id bigint NOT NULL REFERENCES "Orders" ON DELETE CASCADE, line int);
INSERT INTO items SELECT i, 1 FROM generate_series(1, 8000) i;
CREATE TABLE payments (order_id bigint REFERENCES "Orders");
INSERT INTO payments SELECT i FROM generate_series(1, 8000, 100) i;
ANALYZE;
-- As many ranges as there are months.
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'at', 'range', '1 month')$$) AS answer \gset
\echo :answer
-- Without an interval, as wide as the analysis advises; and where months would have to be counted by a scan.
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'at')$$);
BEGIN;
DROP INDEX "Orders_at_idx";
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'at', 'range', '1 month')$$);
ROLLBACK;
-- Where they point at different columns there is no such way.
BEGIN;
ALTER TABLE "Orders" ADD code text UNIQUE;
CREATE TABLE by_code (code text REFERENCES "Orders" (code));
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'at', 'range', '1 month')$$);
ROLLBACK;
-- Other reasons are told beside it.
BEGIN;
ALTER TABLE "Orders" ADD CONSTRAINT c CHECK (id > 0) NO INHERIT;
SELECT tests.refusal($$SELECT convert_to_partitioned('"Orders"', 'at', 'range', '1 month')$$);
ROLLBACK;
SELECT format('SELECT count(*) > 0 AS started FROM %s', substring(:'answer' FROM 'convert_to_partitioned\([^)]*\)')) AS call \gset
\echo :call
:call;
CALL wait_for_conversion('"Orders"', '240 s');
SELECT count(*) AS partitions, min(rows) AS least, max(rows) AS most
  FROM (SELECT tableoid, count(*) AS rows FROM "Orders" GROUP BY 1) AS each;
CALL tests.until($$SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND NOT convalidated AND conparentid = 0)$$);
SELECT conrelid::regclass AS of, conname, pg_get_constraintdef(oid) AS definition, convalidated AS valid
  FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND confrelid = '"Orders"'::regclass ORDER BY 1;
SELECT tests.refusal('INSERT INTO items VALUES (-1)');
SELECT tests.refusal('DELETE FROM "Orders" WHERE id = 101') ~ '^23503' AS is_refused;
DELETE FROM "Orders" WHERE id = 102;
SELECT count(*) FROM items WHERE order_id = 102;
SELECT finish_conversion('"Orders"');
DROP TABLE items, payments, "Orders";
TABLE tests.residue;
