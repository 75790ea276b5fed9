\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Event triggers for logins, which there are since PostgreSQL 17, do not fire for workers.
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid()) <> 'client backend' THEN RAISE EXCEPTION 'clients only'; END IF;
END $$;
CREATE EVENT TRIGGER regress_login ON login EXECUTE FUNCTION refuse();
ALTER EVENT TRIGGER regress_login ENABLE ALWAYS;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 300) i;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('t', 'k', 'range', '100', premake => 0);
CALL wait_for_conversion('t', '240 s');
SELECT finish_conversion('t');
DROP EVENT TRIGGER regress_login;
DROP FUNCTION refuse;
DROP TABLE t;
TABLE tests.residue;
