\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Made again from its text, what was made before there was an overload would use that one (but where a cast tells them apart). The swap sees it, and leaves all as it was.
CREATE FUNCTION norm(anyelement) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN ''of any''; END';
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''told''; RETURN NEW; END';
CREATE FUNCTION same(anyelement, anyelement) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE OPERATOR === (LEFTARG = anyelement, RIGHTARG = anyelement, FUNCTION = same);
CREATE TABLE plain (id int PRIMARY KEY, k int NOT NULL, v varchar);
INSERT INTO plain VALUES (1, 1, NULL);
CREATE TABLE by_index (LIKE plain INCLUDING ALL);
CREATE INDEX i ON by_index (norm(v));
CREATE TABLE by_predicate (LIKE plain INCLUDING ALL);
CREATE INDEX p ON by_predicate (k) WHERE v === 'x'::varchar;
CREATE TABLE by_trigger (LIKE plain INCLUDING ALL);
CREATE TRIGGER w BEFORE INSERT ON by_trigger FOR EACH ROW WHEN (norm(NEW.v) = 'of any') EXECUTE FUNCTION tell();
CREATE TABLE by_statistics (LIKE plain INCLUDING ALL);
CREATE STATISTICS s ON norm(v), k FROM by_statistics;
CREATE TABLE by_check (LIKE plain INCLUDING ALL);
ALTER TABLE by_check ADD CONSTRAINT c CHECK (norm(v) = 'of any') NOT VALID;
-- This one is made from what is stored.
CREATE TABLE by_valid_check (LIKE plain INCLUDING ALL);
ALTER TABLE by_valid_check ADD CONSTRAINT c CHECK (norm(v) = 'of any'), ADD g text GENERATED ALWAYS AS (norm(v)) STORED, ALTER v SET DEFAULT norm('x'::varchar);
CREATE FUNCTION norm(varchar) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN ''of varchar''; END';
CREATE FUNCTION same(varchar, varchar) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN false; END';
CREATE OPERATOR === (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same);
SET client_min_messages = warning;
CREATE TABLE tried AS SELECT relname::text AS source FROM pg_class WHERE relname ~ '^by_[a-z_]+$' AND relkind = 'r';
SELECT count(*) FROM (SELECT source FROM tried ORDER BY source) t, LATERAL convert_to_partitioned(t.source::regclass, 'k', 'range', '10', premake => 0);
CALL tests.until('SELECT count(*) FILTER (WHERE phase IN (''failed'', ''reversible'')) = 6 FROM partman_rs.conversions WHERE source::text IN (SELECT source FROM tried)');
SELECT source, phase, last_error, last_error_detail FROM partman_rs.conversions WHERE source::text IN (SELECT source FROM tried) ORDER BY source::text;
SELECT count(CASE phase WHEN 'failed' THEN cancel_conversion(source) ELSE finish_conversion(source) END) FROM partman_rs.conversions WHERE source::text IN (SELECT source FROM tried);
CALL tests.workers_are_gone();
SELECT relname, relkind FROM pg_class WHERE relname IN (SELECT source FROM tried) ORDER BY 1;
INSERT INTO by_valid_check (id, k) VALUES (2, 2);
TABLE by_valid_check;
DROP TABLE tried, plain, by_index, by_predicate, by_trigger, by_statistics, by_check, by_valid_check;
DROP OPERATOR === (anyelement, anyelement);
DROP OPERATOR === (varchar, varchar);
DROP FUNCTION norm(anyelement), norm(varchar), same(anyelement, anyelement), same(varchar, varchar), tell;
CALL tests.workers_are_gone();
TABLE tests.residue;
