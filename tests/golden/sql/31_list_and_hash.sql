\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Tables that are partitioned by list or by hash.
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';

-- By hash, of several columns and an expression: remainders that nobody takes get their partitions.
CREATE TABLE h (id int, v text, CHECK (v <> '')) PARTITION BY HASH (id, lower(v));
CREATE INDEX h_v ON h (v);
CREATE TABLE h_p0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (fillfactor = 70);
SELECT set_partition_policy('h');
SELECT verdict, reason, next_command, partitions_ahead, runway, keys_left, default_has_rows, gaps, overdue FROM partman_rs.health;
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('h', dry_run => true);
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('h');
SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions('h');
SELECT verdict, reason, gaps FROM partman_rs.health;
SELECT partition_interval, premake, retention_action, time_zone, repair, new_values FROM partman_rs.policies;
\d h_p1
-- One of modulus 2 was split in three, of which one is lost; a name is taken.
DROP TABLE h_p1;
CREATE TABLE h_p1 (id int);
CREATE TABLE h_a PARTITION OF h FOR VALUES WITH (MODULUS 6, REMAINDER 1);
CREATE TABLE h_b PARTITION OF h FOR VALUES WITH (MODULUS 6, REMAINDER 5);
SELECT verdict, reason, gaps FROM partman_rs.health;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('h');
INSERT INTO h SELECT i, i::text FROM generate_series(1, 100) i;
SELECT count(*) FROM h;
-- No more than max_partitions in one go.
CREATE TABLE w (id int) PARTITION BY HASH (id);
CREATE TABLE w_p0 PARTITION OF w FOR VALUES WITH (MODULUS 8, REMAINDER 0);
SELECT set_partition_policy('w');
SET pg_partman_rs.max_partitions = 2;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('w');
RESET pg_partman_rs.max_partitions;
SELECT reason FROM partman_rs.health WHERE parent = 'w'::regclass;
DROP TABLE w;
-- Nothing is known where there is no partition at all.
CREATE TABLE e (id int) PARTITION BY HASH (id);
SELECT set_partition_policy('e');
SELECT action, outcome FROM ensure_partitions('e');
SELECT verdict, reason, next_command FROM partman_rs.health WHERE parent = 'e'::regclass;
DROP TABLE e;
-- Drift, pins and what has no meaning.
ALTER TABLE h_p0 RESET (fillfactor);
GRANT SELECT ON h TO PUBLIC;
DROP INDEX h_v;
CREATE INDEX h_v ON ONLY h (v);
SELECT set_partition_policy('h', repair => true);
SELECT action, partition, outcome FROM ensure_partitions('h') ORDER BY partition COLLATE "C", outcome COLLATE "C";
SELECT action, partition, outcome FROM ensure_partitions('h', dry_run => true);
SELECT pin_partition('h_p0', 'kept');
SELECT tests.refusal($$SELECT set_partition_policy('h', '1 day', premake => 3, retention_partitions => 4, new_values => true)$$);
SELECT tests.refusal($$SELECT set_partition_policy('h', time_zone => 'UTC')$$);
SELECT drop_partition_policy('h');
DROP TABLE h, h_p1;

-- By list: what lies in the default partition is told.
CREATE TABLE l (country text, id int) PARTITION BY LIST (country);
SELECT set_partition_policy('l');
SELECT verdict, reason FROM partman_rs.health;
CREATE TABLE l_de PARTITION OF l FOR VALUES IN ('DE', 'AT');
CREATE TABLE l_default PARTITION OF l DEFAULT;
-- A policy of its own keeps rows from being moved by the engine of conversions, which is tested by itself.
CREATE POLICY own ON l_default USING (false);
SELECT verdict, reason, default_has_rows FROM partman_rs.health;
INSERT INTO l SELECT (ARRAY['DE', 'FR', 'it''s', NULL, 'SE', 'NO', 'DK'])[i % 7 + 1], i FROM generate_series(0, 69) i;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
SELECT verdict, reason, next_command, partitions_ahead, runway, default_has_rows, gaps, overdue FROM partman_rs.health;
CREATE INDEX ON l (country);
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
SET pg_partman_rs.max_partitions = 4;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
RESET pg_partman_rs.max_partitions;
SET pg_partman_rs.default_scan_limit = 0;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
DROP INDEX l_country_idx;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
RESET pg_partman_rs.default_scan_limit;
SELECT tests.refusal($$SELECT set_partition_policy('l', '1 day', partition_offset => '1', key_codec => 'ulid')$$);
SELECT tests.refusal($$SELECT set_partition_policy('l', retention => '1 day', retention_size => '1 GB', retention_action => 'drop')$$);
-- Drift, and pins.
CREATE INDEX l_id ON ONLY l (id);
GRANT SELECT ON l TO PUBLIC;
SELECT set_partition_policy('l', repair => true, maintenance_interval => '1 hour', quiet_from => '08:00', quiet_until => '09:00');
SELECT action, partition, outcome FROM ensure_partitions('l') ORDER BY outcome COLLATE "C", partition COLLATE "C";
SELECT pin_partition('l_de');
SELECT partition_interval, premake, repair, quiet_from, quiet_until, maintenance_interval, new_values FROM partman_rs.policies;
-- New values get partitions, with their rows; one with too many is told.
INSERT INTO l SELECT 'SE', i FROM generate_series(1, 100) i;
SELECT set_partition_policy('l', new_values => true);
SELECT verdict, reason, next_command FROM partman_rs.health;
SET pg_partman_rs.new_value_max_rows = 50;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l', dry_run => true);
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
SELECT tableoid::regclass AS partition, country, count(*) FROM l GROUP BY 1, 2 ORDER BY 1::text COLLATE "C", 2;
SELECT verdict, reason, next_command FROM partman_rs.health;
RESET pg_partman_rs.new_value_max_rows;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('l');
SELECT verdict, reason, default_has_rows FROM partman_rs.health;
\d l_se
SELECT count(*), count(DISTINCT id), pg_get_expr(relpartbound, oid) FROM l, pg_class WHERE oid = 'l_it_s'::regclass GROUP BY 3;
SELECT DISTINCT action, partition, outcome FROM partman_rs.runs WHERE relation = 'l'::regclass AND action = 'create' ORDER BY 2;
-- Names: cut, taken, of another schema's kind.
INSERT INTO l VALUES ('L', 1), ('de', 2), ('De', 3), ('', 4), ('Österreich', 5), ('"', 6), ('\', 7), (repeat('long ', 30), 8), ('default', 9);
SELECT action, partition, left(lower_bound, 20) AS lower_bound, outcome FROM ensure_partitions('l') ORDER BY partition COLLATE "C";
SELECT country, tableoid::regclass FROM l WHERE id < 10 AND country IN ('', '"', '\', 'default');
-- Without a default partition.
DROP TABLE l_default;
SELECT verdict, reason, next_command FROM partman_rs.health;
SELECT action, outcome FROM ensure_partitions('l');

-- What DELETE in the default partition would set off keeps rows there.
CREATE TABLE t (k int PRIMARY KEY, v int GENERATED ALWAYS AS (k * 2) STORED, w text) PARTITION BY LIST (k);
CREATE TABLE t_default (w text, k int NOT NULL, v int GENERATED ALWAYS AS (k * 2) STORED) WITH (fillfactor = 60);
ALTER TABLE t ATTACH PARTITION t_default DEFAULT;
CREATE POLICY own ON t_default USING (false);
SELECT set_partition_policy('t', new_values => true);
INSERT INTO t VALUES (-5, DEFAULT, 'a');
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER no BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION no();
SELECT action, outcome FROM ensure_partitions('t');
DROP TRIGGER no ON t;
CREATE TRIGGER inserted BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no();
CREATE TABLE child (k int REFERENCES t ON DELETE CASCADE);
SELECT action, outcome FROM ensure_partitions('t', dry_run => true);
DROP TABLE child;
CREATE RULE r AS ON DELETE TO t_default DO INSTEAD NOTHING;
SELECT action, outcome FROM ensure_partitions('t');
DROP RULE r ON t_default;
SET pg_partman_rs.default_scan_limit = 0;
SELECT action, outcome FROM ensure_partitions('t');
RESET pg_partman_rs.default_scan_limit;
-- Not row security, even of one who is no superuser.
CREATE ROLE regress_lister;
GRANT CREATE ON SCHEMA public TO regress_lister;
ALTER TABLE t OWNER TO regress_lister;
ALTER TABLE t_default OWNER TO regress_lister;
ALTER TABLE t_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE regress_lister;
SELECT count(*) FROM t_default;
SELECT action, partition, lower_bound, outcome FROM ensure_partitions('t') WHERE action = 'create';
RESET ROLE;
SELECT tableoid::regclass, * FROM t;
SELECT reloptions FROM pg_class WHERE relname = 't_minus_5';
DROP TABLE t;
REVOKE CREATE ON SCHEMA public FROM regress_lister;
DROP ROLE regress_lister;

-- Types: each value as it was, in one partition.
CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
CREATE DOMAIN code AS text CHECK (VALUE <> 'x');
\set ECHO none
CREATE FUNCTION tests.listed(type text, VARIADIC given text[]) RETURNS SETOF text LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
    one text;
BEGIN
    EXECUTE format('CREATE TABLE ty (k %s) PARTITION BY LIST (k)', type);
    CREATE TABLE ty_default PARTITION OF ty DEFAULT;
    FOREACH one IN ARRAY given LOOP
        EXECUTE format('INSERT INTO ty VALUES (%L), (%L), (NULL)', one, one);
    END LOOP;
    PERFORM set_partition_policy('ty', new_values => true);
    FOR i IN 1 .. 2 LOOP
        RETURN QUERY SELECT format('%s %s: %s', partition, lower_bound, outcome) FROM ensure_partitions('ty');
        IF i = 1 THEN
            CREATE INDEX ON ty (k);
            EXECUTE format('INSERT INTO ty VALUES (%L), (NULL)', given[1]);
        END IF;
    END LOOP;
    RETURN QUERY SELECT format('%s: %s of %L', tableoid::regclass, count(*), min(k::text)) FROM ty GROUP BY tableoid ORDER BY tableoid::regclass::text COLLATE "C";
    DROP TABLE ty;
END $$;
\set ECHO all
SELECT tests.listed('bool', 'f', 't');
SELECT tests.listed('mood', 'sad', 'it''s ok');
SELECT tests.listed('code', 'a', 'it''s');
SELECT tests.listed('numeric(10,2)', '1.5', '-0.25', 'NaN');
SELECT tests.listed('float8', '0.1', '1e300', '-0', '0', 'NaN');
SELECT tests.listed('timestamptz', '2024-01-31 12:00+02', 'infinity');
SELECT tests.listed('interval', '1 month', '30 days', '1 day');
SELECT tests.listed('char(5)', 'a', 'a  ', 'b');
SELECT tests.listed('"char"', 'a', 'b');
SELECT tests.listed('bytea', '\x00ff', '\x5c');
SELECT tests.listed('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
SELECT tests.listed('inet', '10.0.0.1', '10.0.0.0/8');
SELECT tests.listed('int[]', '{1,2}', '{}');
SELECT tests.listed('jsonb', '{"a": "it''s"}', '1');
SELECT tests.listed('regclass', 'pg_class', 'l');
SELECT tests.listed('varchar(3) COLLATE "C"', 'a', 'B');
-- Not told apart: refused, and the rest is maintained.
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE b (k text COLLATE blind) PARTITION BY LIST (k);
CREATE TABLE b_default PARTITION OF b DEFAULT;
INSERT INTO b VALUES ('a'), ('A');
SELECT tests.refusal($$SELECT set_partition_policy('b', new_values => true)$$);
SELECT set_partition_policy('b');
SELECT action, outcome FROM ensure_partitions('b');
DROP TABLE b;
CREATE TABLE b (k text) PARTITION BY LIST (k text_pattern_ops);
SELECT tests.refusal($$SELECT set_partition_policy('b', new_values => true)$$);
DROP TABLE b;
-- Keys that are no columns.
CREATE TABLE x (country text) PARTITION BY LIST (lower(country));
SELECT tests.refusal($$SELECT set_partition_policy('x')$$);
DROP TABLE x;
-- Ranges have no new values.
CREATE TABLE r (id int) PARTITION BY RANGE (id);
SELECT tests.refusal($$SELECT set_partition_policy('r', '10', new_values => true)$$);
DROP TABLE r;
DROP TABLE l;
