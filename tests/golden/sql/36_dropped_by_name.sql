\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Schemas change their names while a table is dropped by its name, and another table has it then: that one stays.
CREATE SCHEMA bin;
CREATE SCHEMA other;
CREATE TABLE other.n_p0 (precious text);
CREATE TABLE n (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE bin.n_p0 PARTITION OF n FOR VALUES FROM (0) TO (100);
CREATE TABLE n_p100 PARTITION OF n FOR VALUES FROM (100) TO (200);
CREATE TABLE n_p200 PARTITION OF n FOR VALUES FROM (200) TO (300);
INSERT INTO n VALUES (50), (250);
-- Before the name is looked up, and all locks are held.
CREATE FUNCTION tests.exchange() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF to_regnamespace('bin') IS NOT NULL AND to_regnamespace('third') IS NULL THEN
        ALTER SCHEMA bin RENAME TO third;
        ALTER SCHEMA other RENAME TO bin;
    END IF;
END $$;
CREATE EVENT TRIGGER regress_exchange ON ddl_command_start WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION tests.exchange();
SELECT set_partition_policy('n', '100', premake => 0, retention => '100', retention_action => 'drop');
SELECT action, partition, outcome FROM ensure_partitions('n');
SELECT count(*) FROM other.n_p0;
SELECT count(*) FROM n;
-- Of several neither.
INSERT INTO n VALUES (299);
SELECT set_partition_policy('n', retention => '50');
SELECT action, partition, outcome FROM ensure_partitions('n');
SELECT oid::regclass, relispartition FROM pg_class WHERE relname = 'n_p0' ORDER BY 2;
ALTER SCHEMA bin RENAME TO other;
ALTER SCHEMA third RENAME TO bin;
SELECT set_partition_policy('n', retention => '100');
-- Nor is it dropped in the place of one in the recycle bin.
SELECT set_partition_policy('n', retention_action => 'recycle', grace_period => '0');
SELECT action, partition, outcome FROM ensure_partitions('n');
SELECT action, partition, outcome FROM ensure_partitions('n');
SELECT count(*) FROM other.n_p0;
SELECT count(*) FROM bin.n_p0;
ALTER EVENT TRIGGER regress_exchange DISABLE;
SELECT action, partition, outcome FROM ensure_partitions('n');
DROP EVENT TRIGGER regress_exchange;
DROP TABLE n, other.n_p0;
DROP SCHEMA bin, other;
DROP FUNCTION tests.exchange;
SELECT count(*) FROM ensure_partitions();
