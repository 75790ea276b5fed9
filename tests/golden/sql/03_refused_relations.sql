\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Relations that can never be converted.
CREATE VIEW v AS SELECT 1 AS k;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS k;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE ft (k int) SERVER nowhere;
CREATE TABLE parted (k int, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE SEQUENCE sq;
CREATE TYPE comp AS (k int);
CREATE TABLE toasted (k int, t text);
SELECT tests.refusal($$SELECT convert_to_partitioned('v', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('mv', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('ft', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('parted', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('part', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('sq', 'last_value', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('parted_pkey', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('part_pkey', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('comp', 'k', 'range', '10')$$);
SELECT regexp_replace(tests.refusal(format($$SELECT convert_to_partitioned(%s, 'chunk_id', 'range', '10')$$, reltoastrelid)), 'pg_toast_\d+', 'pg_toast_N')
  FROM pg_class WHERE oid = 'toasted'::regclass;
SELECT tests.refusal($$SELECT convert_to_partitioned('pg_class', 'relpages', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('information_schema.sql_features', 'feature_id', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('partman_rs.job', 'id', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('nowhere', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned(4000000000, 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned(0, 'k', 'range', '10')$$);
-- Kinds of tables that stand in the way of themselves.
CREATE TEMP TABLE temporary (k int);
CREATE UNLOGGED TABLE unlogged (k int);
CREATE TABLE parent (k int);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE columnless ();
SELECT tests.refusal($$SELECT convert_to_partitioned('temporary', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('unlogged', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('parent', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('child', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('grandchild', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('columnless', 'k', 'range', '10')$$);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE other_method (k int) USING heap2;
SELECT tests.refusal($$SELECT convert_to_partitioned('other_method', 'k', 'range', '10')$$);
-- Columns that cannot be the key.
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE keys (
    k int, n numeric, r float8, t text, u uuid, b boolean, j jsonb, a int[], ts time, i interval, d positive,
    g int GENERATED ALWAYS AS (k + 1) STORED, gone int
);
ALTER TABLE keys DROP COLUMN gone;
SELECT c, tests.refusal(format($$SELECT convert_to_partitioned('keys', %L, 'range', '10')$$, c))
  FROM unnest('{n,r,t,u,b,j,a,ts,i,d,g,gone,absent,K,ctid,xmin,"","a b"}'::text[]) c;
SELECT tests.refusal($$SELECT convert_to_partitioned('keys', 'k', 'range', '10', default_partition => false)$$);
-- A null has no place in a primary key.
CREATE TABLE nullable (id int PRIMARY KEY, k int);
SELECT tests.refusal($$SELECT convert_to_partitioned('nullable', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('nullable', 'k', 'range', '10', default_partition => false)$$);
-- Rights.
CREATE ROLE regress_owner;
CREATE ROLE regress_stranger;
CREATE ROLE regress_member IN ROLE regress_owner;
CREATE SCHEMA closed;
GRANT USAGE ON SCHEMA closed TO regress_owner, regress_stranger, regress_member;
GRANT USAGE ON SCHEMA tests TO PUBLIC;
CREATE TABLE closed.t (k int NOT NULL);
ALTER TABLE closed.t OWNER TO regress_owner;
SET ROLE regress_stranger;
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10', dry_run => true)$$);
-- Even what is wrong with it is nobody's business.
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'absent', 'range', '10', dry_run => true)$$);
SET ROLE regress_member;
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10')$$);
RESET ROLE;
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10')$$);
GRANT CREATE ON SCHEMA closed TO regress_owner;
SET ROLE regress_member;
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10')$$);
RESET ROLE;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_closed_space LOCATION '';
ALTER TABLE closed.t SET TABLESPACE regress_closed_space;
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10')$$);
CREATE INDEX ON closed.t (k) TABLESPACE regress_closed_space;
ALTER TABLE closed.t SET TABLESPACE pg_default;
SELECT tests.refusal($$SELECT convert_to_partitioned('closed.t', 'k', 'range', '10')$$);
DROP SCHEMA closed CASCADE;
DROP TABLESPACE regress_closed_space;
REVOKE USAGE ON SCHEMA tests FROM PUBLIC;
DROP ROLE regress_owner, regress_stranger, regress_member;
DROP TABLE parted, toasted, temporary, unlogged, grandchild, child, parent, columnless, other_method, keys, nullable;
DROP FOREIGN TABLE ft;
DROP SERVER nowhere;
DROP FOREIGN DATA WRAPPER nowhere;
DROP VIEW v;
DROP MATERIALIZED VIEW mv;
DROP SEQUENCE sq;
DROP TYPE comp;
DROP DOMAIN positive;
DROP ACCESS METHOD heap2;

TABLE tests.residue;
