\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Rows move out of a default partition of a table that is more than a table: what guards them goes along.
SET client_min_messages = notice;
SET TimeZone = 'UTC';

-- Row-level security, forced upon the owner, too: converting such a table makes a default partition that has it enabled.
CREATE ROLE regress_keeper;
CREATE ROLE regress_one;
CREATE ROLE regress_two;
GRANT CREATE, USAGE ON SCHEMA public TO regress_keeper;
SET ROLE regress_keeper;
CREATE TABLE notes (id int PRIMARY KEY, who text NOT NULL, v text);
INSERT INTO notes SELECT n, (ARRAY['regress_one', 'regress_two', 'nobody'])[n % 3 + 1], n FROM generate_series(0, 299) n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (who = current_user);
CREATE POLICY all_of_few ON notes FOR SELECT TO regress_keeper USING (id % 100 = 7);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO regress_one, regress_two;
RESET ROLE;
SELECT count(*) > 0 AS begun FROM convert_to_partitioned('notes', 'id', 'range', '100', premake => 1, undo_window => '1 day');
CALL tests.comes_to('reversible');
SELECT finish_conversion('notes');
INSERT INTO notes SELECT n, (ARRAY['regress_one', 'regress_two', 'nobody'])[n % 3 + 1], n FROM generate_series(600, 1199) n;
CREATE FUNCTION tests.seen() RETURNS TABLE (role text, n bigint, sum bigint, directly bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH role IN ARRAY ARRAY['regress_keeper', 'regress_one', 'regress_two'] LOOP
        EXECUTE format('SET ROLE %I', role);
        SELECT count(*), sum(notes.id) INTO n, seen.sum FROM notes;
        BEGIN
            SELECT count(*) INTO directly FROM notes_default;
        EXCEPTION WHEN insufficient_privilege THEN directly := NULL;
        END;
        RESET ROLE;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE TABLE seen AS SELECT * FROM tests.seen();
TABLE seen;
SELECT count(*) FROM notes_default;
SELECT action, outcome FROM ensure_partitions('notes');
CALL tests.wait_for_end('notes');
SELECT role, n, sum FROM tests.seen() EXCEPT SELECT role, n, sum FROM seen;
SELECT role, directly FROM tests.seen();
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies
  FROM pg_class c WHERE c.oid IN (SELECT relid FROM pg_partition_tree('notes')) ORDER BY c.relname COLLATE "C";
SELECT count(*) FROM notes_default;
-- What the default partition alone has is kept by it, and its rows are behind it wherever they go.
ALTER TABLE notes DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
INSERT INTO notes VALUES (1500, 'regress_one', '');
SELECT action, outcome FROM ensure_partitions('notes') WHERE action <> 'repair';
CALL tests.wait_for_end('notes');
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity
  FROM pg_class c WHERE c.relname IN ('notes_default', 'notes_p1500') ORDER BY 1;
-- A policy of its own names it, and is not made again.
CREATE POLICY mine ON notes_default USING (true);
INSERT INTO notes VALUES (1800, 'regress_one', '');
SELECT action, outcome FROM ensure_partitions('notes') WHERE action <> 'repair';
DROP TABLE notes, seen;
DROP FUNCTION tests.seen;
REVOKE ALL ON SCHEMA public FROM regress_keeper;
DROP ROLE regress_keeper, regress_one, regress_two;

-- Foreign keys of the table: its partitions have them from the beginning, and PostgreSQL takes them when it attaches.
CREATE TABLE ref (id int PRIMARY KEY, a int UNIQUE);
INSERT INTO ref SELECT n, n FROM generate_series(0, 2000) n;
CREATE TABLE k (id int PRIMARY KEY, r int, a int, CONSTRAINT r FOREIGN KEY (r) REFERENCES ref ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT "a ""q""" FOREIGN KEY (a) REFERENCES ref (a) ON UPDATE CASCADE ON DELETE SET NULL) PARTITION BY RANGE (id);
CREATE TABLE k_p0 PARTITION OF k FOR VALUES FROM (0) TO (100);
CREATE TABLE k_default PARTITION OF k DEFAULT;
INSERT INTO k SELECT n, n, 2000 - n FROM generate_series(0, 349) n;
INSERT INTO k VALUES (1000000, 2000, 0);
SELECT set_partition_policy('k', '100', premake => 1);
SELECT action, outcome FROM ensure_partitions('k');
CALL tests.wait_for_end('k');
SELECT c.relname, count(*) FROM k JOIN pg_class c ON c.oid = k.tableoid GROUP BY 1 ORDER BY c.relname COLLATE "C";
SELECT k.conrelid::regclass, k.conname, p.conname AS parent, k.convalidated, count(*) OVER (PARTITION BY k.conrelid) AS keys
  FROM pg_constraint k LEFT JOIN pg_constraint p ON p.oid = k.conparentid
 WHERE k.confrelid = 'ref'::regclass ORDER BY 1, 2;
SELECT c.relname, tgenabled, count(*) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
 WHERE tgrelid = 'ref'::regclass OR tgrelid IN (SELECT relid FROM pg_partition_tree('k')) GROUP BY 1, 2 ORDER BY c.relname COLLATE "C";
-- They hold, and act.
SELECT tests.refusal('INSERT INTO k VALUES (250000, 3000, 0); SET CONSTRAINTS ALL IMMEDIATE');
SELECT tests.refusal('UPDATE k SET a = 9000 WHERE id = 260');
DELETE FROM ref WHERE id = 250;
UPDATE ref SET a = -a WHERE id = 1800;
SELECT * FROM k WHERE id IN (200, 250, 1750);
-- Those of a table above, likewise.
CREATE TABLE above (id int, tenant text, r int REFERENCES ref) PARTITION BY LIST (tenant);
CREATE TABLE below PARTITION OF above FOR VALUES IN ('a') PARTITION BY RANGE (id);
CREATE TABLE below_p0 PARTITION OF below FOR VALUES FROM (0) TO (100);
CREATE TABLE below_default PARTITION OF below DEFAULT;
INSERT INTO above VALUES (1, 'a', 1), (150, 'a', 2);
SELECT set_partition_policy('below', '100', premake => 1);
SELECT action, outcome FROM ensure_partitions('below');
CALL tests.wait_for_end('below');
SELECT k.conrelid::regclass, k.conname, k.conparentid <> 0 AS is_inherited FROM pg_constraint k
 WHERE k.contype = 'f' AND k.conrelid IN (SELECT relid FROM pg_partition_tree('above')) ORDER BY k.conrelid::regclass::text COLLATE "C";
-- What lies below another table is attached without a look at its rows, too: partitions of both tables were read equally often.
CREATE TABLE beside (LIKE below, FOREIGN KEY (r) REFERENCES ref) PARTITION BY RANGE (id);
CREATE TABLE beside_p0 PARTITION OF beside FOR VALUES FROM (0) TO (100);
CREATE TABLE beside_default PARTITION OF beside DEFAULT;
INSERT INTO beside VALUES (1, 'a', 1), (150, 'a', 2);
SELECT set_partition_policy('beside', '100', premake => 1);
SELECT action, outcome FROM ensure_partitions('beside');
CALL tests.wait_for_end('beside');
CALL tests.all_is_counted();
SELECT pg_stat_get_numscans('below_p100'::regclass) - pg_stat_get_numscans('beside_p100'::regclass) AS more_for_one,
       pg_stat_get_numscans('below_default'::regclass) - pg_stat_get_numscans('beside_default'::regclass) AS more_for_the_rest,
       pg_stat_get_numscans('beside_p100'::regclass) > 0 AS is_counted;
DROP TABLE above, beside;
-- What cannot be had: a key that does not act, one to a partitioned table, and one that points at the default partition itself.
INSERT INTO k VALUES (777, 777, 777);
DO $$ BEGIN
    EXECUTE (SELECT format('ALTER TABLE ref DISABLE TRIGGER %I', tgname) FROM pg_trigger JOIN pg_constraint k ON k.oid = tgconstraint
              WHERE tgrelid = 'ref'::regclass AND k.conname = 'r' ORDER BY tgname LIMIT 1);
END $$;
CREATE TABLE refs (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE refs_all PARTITION OF refs DEFAULT;
INSERT INTO refs SELECT id FROM k;
ALTER TABLE k ADD CONSTRAINT to_refs FOREIGN KEY (id) REFERENCES refs;
CREATE TABLE pointing (id int CONSTRAINT at_it REFERENCES k_default);
SELECT action, outcome FROM ensure_partitions('k');
DROP TABLE pointing, k, ref, refs;

-- Ids that carry a time: they go where PostgreSQL finds that they belong, also beside bounds that lie between two times.
CREATE FUNCTION tests.uuid7(at timestamptz, rest text DEFAULT '7abc-89ab-0123456789ab') RETURNS uuid LANGUAGE sql AS $$
SELECT (overlay(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') PLACING '-' FROM 9 FOR 0) || '-' || rest)::uuid $$;
CREATE FUNCTION tests.ulid(at timestamptz, rest text DEFAULT 'TSV4RRFFQ69G5FAV') RETURNS text LANGUAGE sql AS $$
SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((extract(epoch FROM at) * 1000)::bigint >> (5 * place) & 31)::int + 1, 1), '' ORDER BY place DESC) || rest
  FROM generate_series(0, 9) place $$;
CREATE FUNCTION tests.flake(at timestamptz, rest int DEFAULT 4711) RETURNS bigint LANGUAGE sql AS $$
SELECT (((extract(epoch FROM at) * 1000)::bigint - 1288834974657) << 22) + rest $$;
CREATE TABLE i_uuid (id uuid PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id);
CREATE TABLE i_ulid (id text COLLATE "C" PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id);
CREATE TABLE i_varchar (id varchar(30) COLLATE "C" PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id);
CREATE TABLE i_flake (id bigint, at timestamptz) PARTITION BY RANGE (id);
CREATE INDEX ON i_flake (id);
CALL tests.not_at_the_turn();
-- A partition whose bounds lie between two times.
DO $$
DECLARE at timestamptz := date_trunc('month', now());
BEGIN
    EXECUTE format('CREATE TABLE i_uuid_1 PARTITION OF i_uuid FOR VALUES FROM (%L) TO (%L)', tests.uuid7(at, '7000-8000-000000000000'), tests.uuid7(at + interval '1 month', '7000-8000-000000000000'));
    EXECUTE format('CREATE TABLE i_ulid_1 PARTITION OF i_ulid FOR VALUES FROM (%L) TO (%L)', tests.ulid(at, ''), tests.ulid(at + interval '1 month', '8'));
    EXECUTE format('CREATE TABLE i_varchar_1 PARTITION OF i_varchar FOR VALUES FROM (%L) TO (%L)', tests.ulid(at, ''), tests.ulid(at + interval '1 month', '8'));
    EXECUTE format('CREATE TABLE i_flake_1 PARTITION OF i_flake FOR VALUES FROM (%s) TO (%s)', tests.flake(at, 7), tests.flake(at + interval '1 month', 7));
END $$;
CREATE TABLE i_uuid_default PARTITION OF i_uuid DEFAULT;
CREATE TABLE i_ulid_default PARTITION OF i_ulid DEFAULT;
CREATE TABLE i_varchar_default PARTITION OF i_varchar DEFAULT;
CREATE TABLE i_flake_default PARTITION OF i_flake DEFAULT;
-- Before and behind the partition, at its seams, and ids that tell times far away, or none.
CREATE TABLE times AS SELECT date_trunc('month', now()) + interval '1 hour' * h AS at FROM generate_series(-2500, 2500, 7) h
    UNION SELECT date_trunc('month', now()) + interval '1 month' * m + interval '1 ms' * l FROM generate_series(-2, 3) m, generate_series(-2, 2) l;
INSERT INTO i_uuid SELECT tests.uuid7(at, rest), at FROM times, unnest('{6fff-89ab-0123456789ab,7000-8000-000000000000,7abc-89ab-0123456789ab}'::text[]) rest;
INSERT INTO i_ulid SELECT tests.ulid(at, rest), at FROM times, unnest('{7SV4RRFFQ69G5FAV,8,8SV4RRFFQ69G5FAV,ZZZZZZZZZZZZZZZZ}'::text[]) rest;
INSERT INTO i_varchar TABLE i_ulid;
INSERT INTO i_flake SELECT tests.flake(at, rest), at FROM times, unnest('{0,6,7,8,4194303}'::int[]) rest;
INSERT INTO i_uuid SELECT overlay(md5(n::text) PLACING 'f' FROM 1 FOR 1)::uuid FROM generate_series(1, 98) n;
INSERT INTO i_ulid VALUES ('hello'), ('');
CREATE TABLE before AS SELECT relname, id FROM (
    SELECT 'i_uuid' AS relname, id::text FROM i_uuid UNION ALL SELECT 'i_ulid', id FROM i_ulid UNION ALL SELECT 'i_varchar', id FROM i_varchar UNION ALL SELECT 'i_flake', id::text FROM i_flake) AS all_ids;
SET client_min_messages = warning;
SELECT set_partition_policy('i_uuid', '1 month', premake => 2, key_codec => 'uuidv7'), set_partition_policy('i_ulid', '1 month', premake => 2, key_codec => 'ulid'),
       set_partition_policy('i_varchar', '1 month', premake => 2, key_codec => 'ulid'), set_partition_policy('i_flake', '1 month', premake => 2, key_codec => 'snowflake:1288834974657:22');
SET client_min_messages = notice;
SELECT parent, action, outcome FROM ensure_partitions() WHERE parent::regclass::text LIKE 'i\_%' ORDER BY parent::text;
CALL tests.wait_for_end('i_uuid');
CALL tests.wait_for_end('i_ulid');
CALL tests.wait_for_end('i_varchar');
CALL tests.wait_for_end('i_flake');
-- Nothing is lost, all is where PostgreSQL looks for it, and the times have their partitions.
CREATE FUNCTION tests.misplaced(parent regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE leaf regclass; n bigint; all_of_them bigint := 0;
BEGIN
    FOR leaf IN SELECT inhrelid FROM pg_inherits WHERE inhparent = parent LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE NOT (%s)', leaf, coalesce(pg_get_partition_constraintdef(leaf), 'true')) INTO n;
        all_of_them := all_of_them + n;
    END LOOP;
    RETURN all_of_them;
END $$;
SELECT c.relname, tests.misplaced(c.oid) AS misplaced, (SELECT count(*) - 1 FROM pg_inherits WHERE inhparent = c.oid) AS partitions,
       (SELECT count(*) FROM partman_rs.run r WHERE r.parent = c.oid AND r.outcome = 'drained') AS drained
  FROM pg_class c WHERE c.relname ~ '^i_(uuid|ulid|varchar|flake)$' ORDER BY c.relname;
SELECT relname, count(*) FROM (
    SELECT 'i_uuid' AS relname, id::text FROM i_uuid UNION ALL SELECT 'i_ulid', id FROM i_ulid UNION ALL SELECT 'i_varchar', id FROM i_varchar UNION ALL SELECT 'i_flake', id::text FROM i_flake EXCEPT ALL TABLE before) AS more GROUP BY 1;
SELECT 'i_uuid', count(*) FROM i_uuid_default UNION ALL SELECT 'i_ulid', count(*) FROM i_ulid_default
UNION ALL SELECT 'i_varchar', count(*) FROM i_varchar_default UNION ALL SELECT 'i_flake', count(*) FROM i_flake_default;
DROP TABLE i_uuid, i_ulid, i_varchar, i_flake, before, times;
DROP FUNCTION tests.misplaced, tests.uuid7, tests.ulid, tests.flake;
-- A gap that is not to be filled lies between the new partitions: its rows stay.
CREATE TABLE g (id int) PARTITION BY RANGE (id);
CREATE TABLE g_p0 PARTITION OF g FOR VALUES FROM (0) TO (100);
CREATE TABLE g_p500 PARTITION OF g FOR VALUES FROM (500) TO (600);
CREATE TABLE g_default PARTITION OF g DEFAULT;
INSERT INTO g VALUES (-50), (50), (300), (550), (650);
SELECT pin_partition('g_p0'), set_partition_policy('g', '100', premake => 1, retention_partitions => 1);
SELECT action, lower_bound, upper_bound, outcome FROM ensure_partitions('g');
CALL tests.wait_for_end('g');
SELECT tableoid::regclass, id, (SELECT count(*) FROM g AS again WHERE again.id = g.id) AS is_found FROM g ORDER BY id;
DROP TABLE g;
TABLE tests.residue;
