\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- A conversion that another version of the extension began: it is not gone on with, but can be given up, or finished.
-- What a version writes. Where this differs, DOCUMENT_VERSION in src/catalog/job.rs is to be raised.
CREATE FUNCTION tests.keys(document jsonb) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(DISTINCT key #>> '{}', ' ') FROM jsonb_path_query(document, 'strict $.** ? (@.type() == "object").keyvalue().key') key
$$;
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text CHECK (v <> ''), w int UNIQUE);
COMMENT ON TABLE t IS 'a comment';
INSERT INTO t (v, w) SELECT 'row ' || i, i FROM generate_series(1, 100) i;
BEGIN;
LOCK TABLE t IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
SELECT pause_conversion('t');
CALL tests.comes_to('paused');
\pset format unaligned
\x on
-- Only since 18 there are NOT NULL constraints.
SELECT document_version, tests.keys(plan) AS plan, tests.keys(definition - 'not_nulls') AS definition, tests.keys(horizon) AS horizon
  FROM partman_rs.job WHERE source = 't'::regclass;
\x off
\pset format aligned
-- Cancelled.
UPDATE partman_rs.job SET document_version = document_version - 1, plan = plan - 'partitions', definition = '{}', horizon = '{}' WHERE phase = 'paused';
SELECT tests.refusal($$SELECT resume_conversion('t')$$);
SELECT tests.refusal($$SELECT finish_conversion('t')$$);
COMMIT PREPARED 'reader';
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
SELECT count(*) FROM t;
TABLE tests.residue;
-- Resumed just before the other version came: the worker says why it cannot go on.
BEGIN;
LOCK TABLE t IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'reader';
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.comes_to('swapping');
SELECT pause_conversion('t');
CALL tests.comes_to('paused');
BEGIN;
SELECT resume_conversion('t');
UPDATE partman_rs.job SET document_version = document_version + 1, plan = plan - 'partitions', definition = '{}', horizon = '{}' WHERE phase = 'paused';
COMMIT;
CALL tests.comes_to('failed');
SELECT tests.last_error();
COMMIT PREPARED 'reader';
SELECT tests.refusal($$SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0)$$);
SELECT cancel_conversion('t');
CALL tests.comes_to('cancelled');
TABLE tests.residue;
-- Finished.
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL wait_for_conversion('t', '240 s');
UPDATE partman_rs.job SET document_version = document_version + 1, plan = plan - 'partitions', definition = '{}', horizon = '{}' WHERE phase = 'reversible';
SELECT tests.refusal($$SELECT resume_conversion('t')$$);
SELECT finish_conversion('t');
SELECT count(*) FROM t;
DROP TABLE t;
DROP FUNCTION tests.keys;
TABLE tests.residue;
