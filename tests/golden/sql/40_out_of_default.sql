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
