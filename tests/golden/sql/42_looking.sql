\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Who only looks takes no transaction id: none is written to the WAL, and none brings the wraparound nearer.
CREATE TABLE r (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE r_p0 PARTITION OF r FOR VALUES FROM (0) TO (10);
CREATE TABLE r_default PARTITION OF r DEFAULT;
CREATE TABLE l (k text) PARTITION BY LIST (k);
CREATE TABLE l_a PARTITION OF l FOR VALUES IN ('a');
CREATE TABLE l_default PARTITION OF l DEFAULT;
CREATE TABLE h (k text) PARTITION BY HASH (k);
CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE plain (id int PRIMARY KEY, at timestamptz);
INSERT INTO r VALUES (5), (25);
INSERT INTO l VALUES ('a'), ('b');
SELECT set_partition_policy('r', '10', premake => 1), set_partition_policy('l', new_values => true), set_partition_policy('h');
CREATE FUNCTION tests.takes_an_id(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN RAISE 'it has one already'; END IF;
    EXECUTE statement;
    RETURN pg_current_xact_id_if_assigned() IS NOT NULL;
END $$;
SELECT tests.takes_an_id('SELECT count(*) FROM partman_rs.health');
SELECT tests.takes_an_id('SELECT count(*) FROM ensure_partitions(dry_run => true)');
SELECT tests.takes_an_id('SELECT count(*) FROM partman_rs.policies, partman_rs.partitions, partman_rs.conversions, partman_rs.runs');
SELECT tests.takes_an_id('SELECT count(*) FROM partition_candidates()');
SELECT tests.takes_an_id($$SELECT count(*) FROM conversion_manifest('plain', 'id')$$);
SELECT tests.takes_an_id('CREATE TABLE made ()');
DROP TABLE r, l, h, plain, made;
DROP FUNCTION tests.takes_an_id;
