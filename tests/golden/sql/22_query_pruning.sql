\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Which queries will prune: statements of pg_stat_statements, planned on a partitioned copy that is rolled back.
CREATE TABLE deals (gone text, id int PRIMARY KEY, at timestamptz NOT NULL, note text, payload text DEFAULT 'x');
ALTER TABLE deals DROP COLUMN gone;
-- Later than now, so that the number of partitions does not depend on when this is run.
INSERT INTO deals SELECT n, timestamptz '2090-01-01 00:00+00' + n * interval '1 hour', 'n' || n % 40 FROM generate_series(1, 8700) n;
CREATE INDEX deals_at ON deals (at);
CREATE INDEX deals_note ON deals (note, at);
VACUUM ANALYZE deals;
CREATE TABLE days (day timestamptz PRIMARY KEY, label text);
INSERT INTO days SELECT timestamptz '2090-12-01 00:00+00' + n * interval '1 day', 'd' || n FROM generate_series(0, 1) n;
ANALYZE days;

-- Without the extension there is nothing to say; a view of that name is not taken for it.
SELECT tests.refusal('SELECT query_pruning(''deals'', ''at'', ''1 month'')');
CREATE VIEW pg_stat_statements AS SELECT 1::bigint AS queryid, 10::oid AS userid, 'DROP TABLE deals'::text AS query, 1::bigint AS calls, 1::float8 AS total_exec_time, (SELECT oid FROM pg_database WHERE datname = current_database()) AS dbid;
SELECT tests.refusal('SELECT query_pruning(''deals'', ''at'', ''1 month'')');
DROP VIEW pg_stat_statements;
SELECT reasons ~ 'statements' AS speaks_of_statements, details -> 'queries' AS queries FROM analyze_table_for_partitioning('deals');
CREATE SCHEMA elsewhere;
GRANT USAGE ON SCHEMA elsewhere TO PUBLIC;
CREATE EXTENSION pg_stat_statements SCHEMA elsewhere;

-- What was run.
CREATE VIEW recent AS SELECT id, at AS moment, note FROM deals;
CREATE TABLE gone_soon (id int);
SELECT elsewhere.pg_stat_statements_reset() IS NULL AS reset \g /dev/null
\o /dev/null
SELECT * FROM deals WHERE id = 7;
SELECT * FROM deals WHERE at = '2090-05-05';
SELECT * FROM deals WHERE at >= '2090-05-05' AND at < '2090-05-06';
SELECT * FROM deals WHERE at IN ('2090-05-05', '2090-05-06');
SELECT * FROM deals WHERE at IS NULL;
SELECT count(*) FROM deals;
SELECT count(*) FROM ONLY deals;
SELECT d FROM deals d WHERE d.note = 'n1' AND d.at > timestamp '2090-12-24 00:00';
SELECT count(*) FROM deals WHERE at > now() - interval '1 day';
SELECT extract(month FROM at), count(*) FROM deals GROUP BY 1;
SELECT * FROM recent WHERE moment > '2090-12-24' AND note = 'n3';
SELECT days.label, deals.id FROM days JOIN deals ON deals.at = days.day;
SELECT count(*) FROM gone_soon JOIN deals USING (id);
WITH last AS (SELECT max(at) AS at FROM deals) SELECT deals.* FROM deals JOIN last USING (at);
SELECT * FROM (SELECT id, at FROM deals UNION ALL SELECT id, at FROM deals) both_of WHERE at = '2090-05-05';
INSERT INTO deals (id, at) VALUES (8701, '2090-12-31');
INSERT INTO deals (id, at) VALUES (8701, '2090-12-31') ON CONFLICT (id) DO NOTHING;
INSERT INTO deals (id, at) VALUES (8701, '2090-12-31') ON CONFLICT ON CONSTRAINT deals_pkey DO UPDATE SET note = excluded.note;
INSERT INTO days SELECT at, 'more' FROM deals WHERE at = '2090-01-05 07:30';
UPDATE deals SET note = 'u' WHERE at = '2090-05-05';
UPDATE deals SET note = 'u' WHERE id = 3;
DELETE FROM deals USING days WHERE deals.at = days.day AND days.label = 'none';
PREPARE by_note (text, timestamptz) AS SELECT * FROM deals WHERE note = $1 AND at = $2;
EXECUTE by_note ('n1', '2090-05-05');
DEALLOCATE by_note;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM deals WHERE at = '2090-05-05';
COMMIT;
COPY deals TO '/dev/null';
SELECT * FROM days;
SELECT 'deals', 'another table' AS deals;
\o
DROP TABLE gone_soon;

-- Nothing is left behind, and it runs in any transaction that may write.
CREATE TABLE before (object text, count bigint);
INSERT INTO before SELECT object, count(*) FROM tests.catalog() GROUP BY 1;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
BEGIN;
SAVEPOINT here;
-- Since 18 lists of constants are written shorter; 16 counts the constants of one statement otherwise; locks after the conversion differ between majors, and have a test elsewhere.
SELECT regexp_replace(replace(statement, ' /*, ... */', ', $2'), '(INSERT INTO days .*) = \$\d', '\1 = $2') AS statement, partitions_before AS before, partitions_after AS after, pruned, locks_before AS locks,
       locks_after >= locks_before AS grow, note
  FROM query_pruning('deals', 'at', '1 month')
 WHERE statement !~ 'CREATE|VACUUM|ANALYZE|DECLARE'
 ORDER BY statement COLLATE "C" \gx
SELECT mode, count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'deals'::regclass GROUP BY 1;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation NOT IN (SELECT oid FROM pg_class);
COMMIT;
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT object, count(*) FROM tests.catalog() GROUP BY 1 EXCEPT TABLE before;
SELECT * FROM tests.residue;
DROP TABLE before;
-- Shares are of the time of the statements on the table.
SELECT round(sum(share_of_time)::numeric, 2) AS all_of_it, bool_and(calls > 0 AND total_time > 0) AS counted, count(*) = count(DISTINCT statement) AS once_each
  FROM query_pruning('deals', 'at', '1 month') WHERE statement IS NOT NULL;
-- A cursor's query; before 16 its constants are kept.
SELECT partitions_after, pruned IN ('plan time', 'run time') AS pruned FROM query_pruning('deals', 'at', '1 month') WHERE statement ~ '^DECLARE';
-- What is not given is what the analysis advises.
SELECT max(partitions_before) FROM query_pruning('deals');
SELECT max(partitions_before) FROM query_pruning('deals', partition_interval => '3 months');
SELECT max(partitions_before) FROM query_pruning('deals', 'id', '1000');
-- The analysis says the same in a sentence, and knows by what rows are chosen.
SELECT regexp_replace(line, '\d+ %|less than 1 %', 'N %', 'i') AS line
  FROM analyze_table_for_partitioning('deals') a, regexp_split_to_table(a.reasons || E'\n' || a.warnings, '\n') line WHERE line ~* 'statements';
SELECT jsonb_typeof(details -> 'queries' -> 'statements') AS statements, details -> 'queries' ? 'share_that_gains' AS share FROM analyze_table_for_partitioning('deals');

-- Only so many are looked at.
SET pg_partman_rs.analyze_queries = 3;
SELECT count(*) AS rows, count(statement) AS statements, count(note) FILTER (WHERE note ~ 'more statements name the table') AS told FROM query_pruning('deals', 'at', '1 month');
SET pg_partman_rs.analyze_queries = 0;
SELECT tests.refusal('SELECT query_pruning(''deals'', ''at'', ''1 month'')');
SELECT details -> 'queries' AS queries FROM analyze_table_for_partitioning('deals');
RESET pg_partman_rs.analyze_queries;

-- What it refuses.
CREATE TABLE parted (k int) PARTITION BY RANGE (k);
CREATE TABLE unanalysed (k int) WITH (autovacuum_enabled = off);
CREATE TABLE family (k int); CREATE TABLE child () INHERITS (family);
SELECT call, tests.refusal('SELECT query_pruning(' || call || ')') FROM unnest(ARRAY[
    'NULL', '0', '''absent''', '''recent''', '''parted''', '''pg_class''', '''deals'', ''absent''', '''deals'', ''note''', '''deals'', ''note'', ''1 month''',
    '''deals'', ''at'', ''1 fortnight''', '''deals'', ''at'', ''1 month 1 day''', '''deals'', ''id'', ''0''', '''deals'', ''at'', ''1 minute''',
    '''unanalysed'', ''k'', ''10''', '''family'', ''k'', ''10''', '''deals; DROP TABLE deals''', '''deals'', ''at); DROP TABLE deals; --'', ''1 month''']) call;
BEGIN READ ONLY;
SELECT tests.refusal('SELECT query_pruning(''deals'', ''at'', ''1 month'')');
SELECT needs_partitioning, details -> 'queries' AS queries FROM analyze_table_for_partitioning('deals');
COMMIT;
SET pg_partman_rs.max_partitions = 100000;
SELECT tests.refusal('SELECT query_pruning(''deals'', ''at'', ''1 hour'')');
RESET pg_partman_rs.max_partitions;
DROP TABLE parted, unanalysed, family, child;

-- Whose statements, and with whose rights: bob's code runs as bob only, and only for who may act as bob.
CREATE ROLE alice;
CREATE ROLE bob;
GRANT USAGE ON SCHEMA tests TO alice, bob;
CREATE SCHEMA bob AUTHORIZATION bob;
CREATE TABLE seen (what text);
GRANT SELECT ON deals TO bob;
GRANT SELECT ON days TO PUBLIC;
GRANT INSERT ON seen TO bob;
GRANT CREATE ON SCHEMA public TO alice;
ALTER TABLE deals OWNER TO alice;
CREATE SEQUENCE ran_as_bob;
CREATE SEQUENCE ran_as_another;
CREATE SEQUENCE under_strong_lock;
GRANT USAGE ON SEQUENCE ran_as_bob, ran_as_another, under_strong_lock TO PUBLIC;
SET ROLE bob;
CREATE TABLE bob.days (day timestamptz);
CREATE FUNCTION bob.tell() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- What sequences have drawn is not rolled back.
    IF current_user = 'bob' THEN PERFORM nextval('public.ran_as_bob'); ELSE PERFORM nextval('public.ran_as_another'); END IF;
    IF EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'public.deals'::regclass
                  AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')) THEN
        PERFORM nextval('public.under_strong_lock');
    END IF;
    INSERT INTO public.seen VALUES (current_user);
END $$;
CREATE FUNCTION bob.evil() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM bob.tell(); RETURN 5; END $$;
-- These do nothing when the statement is run, and something when it is planned later.
CREATE FUNCTION bob.leaving() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF current_setting('tests.attack', true) = 'on' THEN PERFORM bob.leave(); END IF; RETURN 1; END $$;
CREATE FUNCTION bob.leave() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'RESET ROLE'; END $$;
CREATE FUNCTION bob.failing() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF current_setting('tests.attack', true) = 'on' THEN RETURN 1 / 0; END IF; RETURN 1; END $$;
RESET ROLE;
SELECT elsewhere.pg_stat_statements_reset() IS NULL AS reset \g /dev/null
SET search_path = bob, public;
ALTER ROLE bob SET search_path = bob, public;
SET ROLE bob;
\o /dev/null
SELECT count(*) FROM deals WHERE id = evil();
SELECT count(*) FROM deals WHERE id = leaving();
SELECT count(*) FROM deals WHERE id = failing();
SELECT id FROM deals WHERE id = 1 AND at IN (SELECT day FROM days);
SELECT id FROM deals WHERE id = 2;
\o
RESET ROLE;
RESET search_path;
SELECT setval('ran_as_bob', 1, false), setval('ran_as_another', 1, false), setval('under_strong_lock', 1, false) \g /dev/null
TRUNCATE seen;
SET tests.attack = on;
SELECT statement, partitions_after AS after, pruned, note FROM query_pruning('deals', 'at', '1 month') ORDER BY statement COLLATE "C";
SELECT (SELECT is_called FROM ran_as_bob) AS as_bob, (SELECT is_called FROM ran_as_another) AS as_another, (SELECT is_called FROM under_strong_lock) AS under_strong_lock, (SELECT count(*) FROM seen) AS written;
SELECT current_user, session_user;
RESET tests.attack;
-- A name that meant another function when the statement was run: bob's is not run with the rights of who ran it.
SELECT setval('ran_as_another', 1, false) \g /dev/null
CREATE SCHEMA trusted;
CREATE FUNCTION trusted.lim() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 5';
SET search_path = trusted, public;
\o /dev/null
SELECT count(*) FROM deals WHERE id = lim();
SELECT count(*) FROM deals WHERE id = trusted.lim();
\o
RESET search_path;
GRANT CREATE ON SCHEMA public TO bob;
SET ROLE bob;
CREATE FUNCTION public.lim() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('public.ran_as_another'); RETURN 5; END $$;
RESET ROLE;
SET enable_partition_pruning = off; -- what the caller's session plans with is not what others do
SELECT statement, partitions_after AS after, pruned, note FROM query_pruning('deals', 'id', '1000') WHERE statement ~ 'lim\(\)' ORDER BY statement COLLATE "C";
RESET enable_partition_pruning;
SELECT is_called AS as_another FROM ran_as_another;
DROP FUNCTION public.lim();
DROP SCHEMA trusted CASCADE;
REVOKE CREATE ON SCHEMA public FROM bob;
-- The owner may neither see bob's statements, nor act as bob.
SELECT setval('ran_as_bob', 1, false) \g /dev/null
SET ROLE alice;
SELECT statement, partitions_after AS after, regexp_replace(note, '\d+ statements', 'N statements') AS note FROM query_pruning('deals', 'at', '1 month') WHERE coalesce(statement, '') !~ 'ALTER' ORDER BY statement COLLATE "C";
RESET ROLE;
GRANT pg_read_all_stats TO alice;
SET ROLE alice;
SELECT statement, partitions_after AS after, regexp_replace(note, '\d+ statements', 'N statements') AS note FROM query_pruning('deals', 'at', '1 month') WHERE coalesce(statement, '') !~ 'ALTER' ORDER BY statement COLLATE "C";
RESET ROLE;
SELECT (SELECT is_called FROM ran_as_bob) AS as_bob, (SELECT is_called FROM ran_as_another) AS as_another;
-- Who may not act as the owner, and who may not read the view.
SET ROLE bob;
SELECT tests.refusal('SELECT public.query_pruning(''public.deals'', ''at'', ''1 month'')');
RESET ROLE;
REVOKE USAGE ON SCHEMA elsewhere FROM PUBLIC;
SET ROLE alice;
SELECT tests.refusal('SELECT query_pruning(''deals'', ''at'', ''1 month'')');
RESET ROLE;
-- The same statement of another role counts once; a temporary table of the session is none of theirs.
SET ROLE alice;
\o /dev/null
SELECT id FROM deals WHERE id = 2;
\o
RESET ROLE;
CREATE TEMPORARY TABLE deals (id int, at timestamptz);
SELECT statement, calls, partitions_after AS after, note FROM query_pruning('public.deals', 'at', '1 month') WHERE statement ~ 'SELECT id' ORDER BY statement COLLATE "C";
DROP TABLE pg_temp.deals;
-- A statement that is nested deeply; and a constraint that a partitioned table cannot have is left out.
ALTER TABLE deals ADD CONSTRAINT here_only CHECK (id > 0) NO INHERIT;
SELECT 'SELECT count(*) FROM deals WHERE at = ''2090-05-05'' AND id < ' || repeat('id + ', 1000) || 'id' AS deep \gset
\o /dev/null
:deep;
\o
SELECT partitions_after AS after, pruned, note FROM query_pruning('deals', 'at', '1 month') WHERE length(statement) > 5000;
ALTER TABLE deals DROP CONSTRAINT here_only;
-- A statement that takes long to plan can be cancelled.
CREATE FUNCTION slow() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(current_setting('tests.nap', true)::float8); RETURN 5; END $$;
\o /dev/null
SET tests.nap = 0;
SELECT count(*) FROM deals WHERE id = slow();
\o
SET tests.nap = 20;
SET statement_timeout = '300ms';
SELECT count(*) FROM query_pruning('deals', 'at', '1 month') WHERE statement ~ 'slow';
RESET statement_timeout;
SET tests.nap = 0;
SELECT partitions_after FROM query_pruning('deals', 'at', '1 month') WHERE statement ~ 'slow';
SELECT * FROM tests.residue;
-- The same while it is planned on the copy, which holds its locks; whoever catches the cancel has a sound transaction.
CREATE OR REPLACE FUNCTION slow() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) > 20 FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock') THEN PERFORM pg_sleep(20); END IF;
    RETURN 5;
END $$;
SET statement_timeout = '1500ms';
DO $$
BEGIN
    BEGIN
        PERFORM FROM query_pruning('deals', 'at', '1 month');
    EXCEPTION WHEN query_canceled THEN
        RAISE WARNING '%', SQLERRM;
    END;
    CREATE TEMPORARY TABLE sound AS SELECT current_user AS me;
END $$;
RESET statement_timeout;
SELECT me FROM sound;
SELECT count(*) FROM pg_class WHERE relname LIKE 'partman_rs_queries%';
DROP TABLE sound;
DROP FUNCTION slow;

DROP EXTENSION pg_stat_statements;
DROP VIEW recent;
DROP SCHEMA elsewhere;
DROP SCHEMA bob CASCADE;
DROP TABLE deals, days, seen;
DROP SEQUENCE ran_as_bob, ran_as_another, under_strong_lock;
REVOKE CREATE ON SCHEMA public FROM alice;
REVOKE USAGE ON SCHEMA tests FROM alice, bob;
REVOKE pg_read_all_stats FROM alice;
DROP ROLE bob;
DROP ROLE alice;
