\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Rows move out of a default partition into partitions that are partitioned themselves, as their siblings are.
\set ECHO none
-- A tree of tables, with what each has for itself.
CREATE FUNCTION tests.grown(parent regclass) RETURNS TABLE (partition text, bounds text, key text, facts text, rows bigint)
LANGUAGE plpgsql SET TimeZone = 'UTC' AS $$
DECLARE one record;
BEGIN
    FOR one IN
        SELECT c.oid, c.relname, t.level, t.isleaf FROM pg_partition_tree(grown.parent) t JOIN pg_class c ON c.oid = t.relid WHERE t.level > 0
         ORDER BY (SELECT array_agg(r.relname::text COLLATE "C" ORDER BY a.n DESC) FROM pg_partition_ancestors(c.oid) WITH ORDINALITY a(relid, n) JOIN pg_class r ON r.oid = a.relid)
    LOOP
        partition := repeat('  ', one.level - 1) || one.relname;
        SELECT pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid),
               concat_ws(' ', nullif(pg_get_userbyid(c.relowner)::text, current_user::text), array_to_string(c.reloptions, ','),
                         (SELECT string_agg(format('%s:%s', a.grantee::regrole, a.privilege_type), ' ' ORDER BY a.privilege_type) FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner),
                         CASE WHEN c.relrowsecurity THEN 'rls' END, nullif(c.relreplident, 'd'),
                         (SELECT count(*) || ' parts of indexes' FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisvalid AND x.relispartition),
                         (SELECT string_agg(format('%s (%s triggers)', k.conname, (SELECT count(*) FROM pg_trigger g WHERE g.tgconstraint = k.oid)), ' ') FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid <> 0),
                         (SELECT string_agg(k.conname, ' ' ORDER BY k.conname COLLATE "C") FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'),
                         (SELECT 'policy' FROM partman_rs.policy p WHERE p.parent = c.oid))
          INTO bounds, key, facts FROM pg_class c WHERE c.oid = one.oid;
        rows := NULL;
        IF one.isleaf THEN
            EXECUTE format('SELECT count(*) FROM %s WHERE %s', one.oid::regclass, coalesce(pg_get_partition_constraintdef(one.oid), 'true')) INTO rows;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE FUNCTION tests.made(parent regclass) RETURNS TABLE (action text, partition text, lower_bound text, upper_bound text, outcome text)
LANGUAGE sql AS $$ SELECT action, partition, lower_bound, upper_bound, outcome FROM ensure_partitions(made.parent) $$;
\set ECHO all
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
CREATE ROLE regress_grower;
CREATE ROLE regress_reader;
GRANT CREATE, USAGE ON SCHEMA public TO regress_grower;

-- Ranges, then tenants, and one of them by hash below that. Columns were dropped, and a foreign key guards the rows.
SET ROLE regress_grower;
CREATE TABLE tenants (id int PRIMARY KEY);
INSERT INTO tenants SELECT generate_series(0, 9);
CREATE TABLE events (gone int, at int NOT NULL, tenant int NOT NULL REFERENCES tenants, id bigint, v text CHECK (v <> ''), PRIMARY KEY (at, tenant, id)) PARTITION BY RANGE (at);
CREATE TABLE events_p100 PARTITION OF events FOR VALUES FROM (100) TO (200) PARTITION BY LIST (tenant);
CREATE TABLE events_p100_large PARTITION OF events_p100 FOR VALUES IN (1) PARTITION BY HASH (id, tenant);
CREATE TABLE events_p100_large_0 PARTITION OF events_p100_large FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (fillfactor = 80);
CREATE TABLE events_p100_large_1 PARTITION OF events_p100_large FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE events_p100_large_3 PARTITION OF events_p100_large FOR VALUES WITH (MODULUS 4, REMAINDER 3);
CREATE TABLE events_p100_some PARTITION OF events_p100 FOR VALUES IN (2, 3) WITH (fillfactor = 70, toast.autovacuum_enabled = off);
ALTER TABLE events_p100_some REPLICA IDENTITY FULL;
CREATE TABLE events_p100_rest PARTITION OF events_p100 DEFAULT;
CREATE TABLE events_default PARTITION OF events DEFAULT;
ALTER TABLE events DROP COLUMN gone;
ALTER TABLE events ADD COLUMN later int DEFAULT 7;
CREATE INDEX events_v ON events (v);
CREATE INDEX ON events (tenant, id) WHERE v <> 'x';
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON events TO regress_reader;
RESET ROLE;
GRANT SELECT ON events_default TO regress_reader;
INSERT INTO events SELECT 160 + n / 8, n % 7, n, 'v' || n FROM generate_series(0, 1999) n;
-- A stray row that is nobody's stays where it is.
INSERT INTO events VALUES (-100000000, 1, 1, 'x'), (100000000, 1, 1, 'x');
CREATE TABLE before AS SELECT * FROM events;
SELECT set_partition_policy('events', '100', premake => 1);
SELECT * FROM tests.made('events');
CALL tests.wait_for_end('events');
SELECT * FROM tests.grown('events');
SELECT count(*) FROM (TABLE events EXCEPT TABLE before) AS more;
SELECT count(*) FROM (TABLE before EXCEPT TABLE events) AS fewer;
SELECT conname, conparentid <> 0 AS is_part, convalidated FROM pg_constraint WHERE conrelid = 'events_p200'::regclass AND contype = 'f';
DELETE FROM tenants WHERE id = 1;
UPDATE events SET v = 'w' WHERE id = 700;
INSERT INTO events VALUES (300, 11, 1, 'x');
SELECT action, outcome FROM partman_rs.runs WHERE relation = 'events'::regclass AND action = 'drain' ORDER BY outcome;
-- Nothing has drifted.
SELECT * FROM tests.made('events') WHERE outcome !~ 'lie far';
DROP TABLE events, before;

-- Tenants, then ranges: each gets the ranges that its rows want, and the policy of the sibling. No key: rows themselves are logged.
CREATE TABLE lists (tenant text, at int NOT NULL, v int) PARTITION BY LIST (tenant);
CREATE TABLE lists_a PARTITION OF lists FOR VALUES IN ('a') PARTITION BY RANGE (at);
CREATE TABLE lists_a_p100 PARTITION OF lists_a FOR VALUES FROM (100) TO (200);
CREATE TABLE lists_a_p200 PARTITION OF lists_a FOR VALUES FROM (200) TO (300);
CREATE TABLE lists_a_p300 PARTITION OF lists_a FOR VALUES FROM (300) TO (400);
CREATE TABLE lists_default PARTITION OF lists DEFAULT;
CREATE INDEX ON lists (at);
CREATE INDEX ON lists (tenant);
SELECT set_partition_policy('lists_a', '100', premake => 0);
SELECT set_partition_policy('lists', new_values => true);
INSERT INTO lists SELECT t, 240 + 3 * n, n FROM unnest('{b,null}'::text[]) t, generate_series(0, 39) n;
-- One of these has rows that none would take: it is told, and the others get theirs.
INSERT INTO lists SELECT 'old', n - 300, n FROM generate_series(0, 39) n;
SET pg_partman_rs.new_value_max_rows = 10;
SELECT action, partition, lower_bound, outcome FROM tests.made('lists') ORDER BY lower_bound;
CALL tests.wait_for_end('lists');
SELECT partition, bounds, key, facts, rows FROM tests.grown('lists');
-- With a range for them, or a default partition, in the youngest sibling they have a place.
CREATE TABLE lists_b_rest PARTITION OF lists_b DEFAULT;
CREATE TABLE lists_null_rest PARTITION OF lists_null DEFAULT;
SELECT action, partition, lower_bound, outcome FROM tests.made('lists');
CALL tests.wait_for_end('lists');
SELECT partition, bounds, rows FROM tests.grown('lists_old');
SELECT count(*), count(DISTINCT (tenant, v)) FROM lists;
RESET pg_partman_rs.new_value_max_rows;
DROP TABLE lists;

-- Ranges of the table's own column, which is divided further; cut to what each one takes.
CREATE TABLE nest (id int NOT NULL PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE nest_p0 PARTITION OF nest FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE nest_p0_0 PARTITION OF nest_p0 FOR VALUES FROM (0) TO (50);
CREATE TABLE nest_p0_50 PARTITION OF nest_p0 FOR VALUES FROM (50) TO (100);
CREATE TABLE nest_default PARTITION OF nest DEFAULT;
INSERT INTO nest SELECT generate_series(-30, 270, 10);
SELECT set_partition_policy('nest', '100', premake => 0);
SELECT * FROM tests.made('nest');
CALL tests.wait_for_end('nest');
SELECT partition, bounds, rows FROM tests.grown('nest');
DROP TABLE nest;

-- What cannot be had is told. Partitions that are made ahead are made all the same.
CREATE TABLE odd (id int NOT NULL, tenant text, n int) PARTITION BY RANGE (id);
CREATE TABLE odd_p0 PARTITION OF odd FOR VALUES FROM (0) TO (10) PARTITION BY LIST (lower(tenant));
CREATE TABLE odd_p0_rest PARTITION OF odd_p0 DEFAULT;
CREATE TABLE odd_default PARTITION OF odd DEFAULT;
INSERT INTO odd VALUES (5, 'A', 1), (25, 'A', 1);
SELECT set_partition_policy('odd', premake => 1);
SELECT * FROM tests.made('odd');
DROP TABLE odd_p0, odd_p10;
CREATE TABLE odd_p0 PARTITION OF odd FOR VALUES FROM (0) TO (10) PARTITION BY LIST (tenant);
CREATE TABLE odd_p0_a PARTITION OF odd_p0 FOR VALUES IN ('A', 'B');
INSERT INTO odd VALUES (5, 'A', 1), (25, 'c', 1), (26, NULL, 1), (27, 'B', 1), (18, 'A', 1);
-- Ranges whose rows all have a place are not kept by the others.
SELECT * FROM tests.made('odd') WHERE action <> 'repair';
CALL tests.wait_for_end('odd');
SELECT tableoid::regclass, id, tenant FROM odd ORDER BY id;
DELETE FROM odd WHERE tenant = 'c' OR tenant IS NULL;
CREATE UNIQUE INDEX alone ON odd_default (id);
SELECT * FROM tests.made('odd') WHERE action <> 'repair';
DROP INDEX alone;
SELECT * FROM tests.made('odd') WHERE action <> 'repair';
CALL tests.wait_for_end('odd');
SELECT partition, bounds, rows FROM tests.grown('odd');
DROP TABLE odd;
DROP TABLE tenants;
DROP FUNCTION tests.made, tests.grown;
DROP OWNED BY regress_grower;
DROP ROLE regress_grower, regress_reader;
TABLE tests.residue;
