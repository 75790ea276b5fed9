\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- The extension cannot be dropped under a conversion by mistake; on purpose it can, and the table goes on as it was.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
CREATE TABLE swapped (id int PRIMARY KEY, v text);
INSERT INTO swapped SELECT i, 'row ' || i FROM generate_series(1, 100) i;
SELECT count(*) FROM convert_to_partitioned('swapped', 'id', 'range', '50', premake => 0);
CALL wait_for_conversion('swapped', '240 s');
BEGIN;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SELECT count(*) FROM convert_to_partitioned('t', 'id', 'range', '50', premake => 0);
CALL tests.until('t', 'swapping');
-- Who drops all tables while a worker reads one after the other may be in a circle with it, and tries again.
CREATE FUNCTION tests.dropping(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    LOOP
        answer := tests.refusal(statement);
        IF answer !~ '^40P01' THEN RETURN regexp_replace(answer, 'DETAIL: .*', 'DETAIL: …'); END IF;
    END LOOP;
END $$;
SELECT tests.dropping('DROP EXTENSION pg_partman_rs');
SELECT tests.dropping('DROP SCHEMA partman_rs');
-- The reader that holds the table would hold up dropping its triggers as well.
COMMIT PREPARED 'reader';
SELECT tests.dropping('DROP VIEW tests.residue; DROP EXTENSION pg_partman_rs CASCADE');
CALL wait_for_conversion('t', '240 s');
SELECT tableoid::regclass, count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT finish_conversion('t');
CREATE TABLE u (id int PRIMARY KEY, v text);
INSERT INTO u SELECT i, 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM u;
PREPARE TRANSACTION 'reader';
SELECT count(*) FROM convert_to_partitioned('u', 'id', 'range', '50', premake => 0);
CALL tests.until('u', 'swapping');
SELECT pause_conversion('u');
CALL tests.until('u', 'paused');
COMMIT PREPARED 'reader';
DROP VIEW tests.residue;
DROP EXTENSION pg_partman_rs CASCADE;
UPDATE u SET v = 'still mine' WHERE id = 1;
SELECT relname, relkind FROM pg_class WHERE relname ~ '^(t|u|swapped)(_|$)' ORDER BY 1;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'partman%';
SELECT nspname FROM pg_namespace WHERE nspname = 'partman_rs';
-- Partitioned tables do without the extension.
INSERT INTO swapped VALUES (1000, 'new');
SELECT tableoid::regclass, count(*) FROM swapped GROUP BY 1 ORDER BY 1;
-- And it can come back, in another schema.
CREATE SCHEMA elsewhere;
CREATE EXTENSION pg_partman_rs SCHEMA elsewhere;
SELECT count(*) FROM elsewhere.convert_to_partitioned('u', 'id', 'range', '50', premake => 0);
CALL elsewhere.wait_for_conversion('u', '240 s');
SELECT elsewhere.finish_conversion('u');
DROP EXTENSION pg_partman_rs;
CREATE EXTENSION pg_partman_rs;
DROP TABLE t, u, swapped, swapped_retired;
DROP SCHEMA elsewhere;
DROP FUNCTION tests.dropping;
\i :setup
TABLE tests.residue;
