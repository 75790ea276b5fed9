\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- The statements of a plan, run by hand one by one: each locks what the plan says, and nothing else.
CREATE TABLE trades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    number serial,
    symbol text NOT NULL DEFAULT 'ACME' CHECK (symbol <> ''),
    price numeric(12,4),
    code int UNIQUE
);
CREATE INDEX trades_at_idx ON trades (at);
CREATE INDEX trades_next_idx ON trades ((number + 1));
ALTER INDEX trades_next_idx ALTER COLUMN 1 SET STATISTICS 50;
ALTER TABLE trades ADD CONSTRAINT later CHECK (price > 0) NOT VALID;
ALTER TABLE trades ALTER symbol SET STATISTICS 200, ALTER symbol SET (n_distinct = 5);
COMMENT ON TABLE trades IS 'what was traded';
COMMENT ON COLUMN trades.number IS 'a number';
COMMENT ON INDEX trades_next_idx IS 'of an expression';
COMMENT ON CONSTRAINT trades_pkey ON trades IS 'the key';
COMMENT ON CONSTRAINT later ON trades IS 'checked later';
COMMENT ON SEQUENCE trades_id_seq IS 'for id';
CREATE ROLE regress_reader;
GRANT SELECT, UPDATE (price) ON trades TO regress_reader;
GRANT USAGE ON SEQUENCE trades_id_seq TO regress_reader;
INSERT INTO trades (at, price) VALUES ('2013-01-15 12:00+00', 1), ('2013-02-28 23:59:59+00', 2);

CREATE TABLE tests.step_lock (step int, relation text, mode text, is_new boolean, by_whom text);
-- Lock modes, the weakest first.
CREATE FUNCTION tests.strength(mode text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
SELECT array_position(ARRAY['accessshare', 'rowshare', 'rowexclusive', 'shareupdateexclusive', 'share', 'sharerowexclusive', 'exclusive', 'accessexclusive'],
                      lower(replace(replace(mode, ' ', ''), 'Lock', '')))
$$;
CREATE PROCEDURE tests.run_plan() LANGUAGE plpgsql AS $$
DECLARE
    s record;
    before oid;
BEGIN
    CREATE TABLE tests.plan AS
        SELECT * FROM convert_to_partitioned('trades', 'at', 'range', '1 month', time_zone => 'UTC', range_end => '2013-03-01', dry_run => true);
    COMMIT;
    FOR s IN SELECT * FROM tests.plan ORDER BY step LOOP
        CONTINUE WHEN s.statement LIKE '--%' OR s.phase = 'reversible';
        INSERT INTO tests.step_lock
        SELECT s.step, r.relation::text, l->>'mode', (l->>'new')::boolean, 'plan'
          FROM jsonb_array_elements(s.details->'locks') l,
               LATERAL (SELECT to_regclass(l->>'relation') AS relation WHERE l->>'of' <> 'indexes'
                        UNION ALL
                        SELECT i.inhrelid::regclass FROM pg_inherits i
                         WHERE l->>'of' = 'with_partitions' AND i.inhparent = to_regclass(l->>'relation')
                        UNION ALL
                        SELECT x.indexrelid::regclass FROM pg_index x
                         WHERE l->>'of' = 'indexes'
                           AND (x.indrelid = to_regclass(l->>'relation')
                                OR x.indrelid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = to_regclass(l->>'relation')))) r;
        -- What is made from here on has a higher OID.
        before := lo_create(0);
        PERFORM lo_unlink(before);
        COMMIT;
        -- What is dropped cannot be named afterwards.
        IF s.statement LIKE 'DROP TABLE%' THEN
            CONTINUE;
        END IF;
        EXECUTE s.statement;
        INSERT INTO tests.step_lock
        SELECT s.step, c.oid::regclass::text, l.mode, NULL, 'server'
          FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
         WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.oid < before
           AND c.relnamespace IN ('public'::regnamespace, 'partman_rs'::regnamespace);
        COMMIT;
    END LOOP;
END $$;
CALL tests.run_plan();
-- After a renaming the server tells of the new name.
CREATE VIEW tests.compared AS
WITH renamed AS (
    SELECT p.step, m[1] AS relation, m[2] AS new_name
      FROM tests.plan p, regexp_match(p.statement, '^ALTER \w+ public\.(\S+) RENAME TO (\S+)$') m
), taken AS (
    SELECT l.step, coalesce(r.relation, l.relation) AS relation, max(tests.strength(l.mode)) FILTER (WHERE l.by_whom = 'plan') AS planned,
           max(tests.strength(l.mode)) FILTER (WHERE l.by_whom = 'server') AS taken, bool_or(l.is_new) AS is_new
      FROM tests.step_lock l LEFT JOIN renamed r ON r.step = l.step AND r.new_name = l.relation
     GROUP BY 1, 2
)
SELECT t.*, p.statement FROM taken t JOIN tests.plan p USING (step) WHERE p.statement !~ '^DROP TABLE';
-- On what applications use, exactly what is said; on what the conversion made, no more than that.
SELECT step, relation, planned, taken, is_new, tests.alike(left(statement, 100)) AS statement FROM tests.compared
 WHERE CASE WHEN is_new THEN taken > planned
            -- Not all minor releases lock the sequence that a default names.
            WHEN relation = 'trades_number_seq' AND taken IS NULL THEN planned > 1
            ELSE planned IS DISTINCT FROM taken END
 ORDER BY step, relation;
SELECT count(*) > 100 AS locks, count(DISTINCT step) > 50 AS steps, count(*) FILTER (WHERE is_new IS NOT TRUE) > 15 AS on_tables_in_use,
       count(*) FILTER (WHERE taken IS NOT NULL) > 60 AS seen FROM tests.compared;
-- All statements are there: the result is what a conversion makes.
SELECT fact FROM tests.shape('trades') WHERE fact ~ '^(index|constraint)' AND fact !~ 'NOT NULL' ORDER BY 1;
-- Who would be in the way is named.
CREATE TABLE quiet (at date NOT NULL, n int);
BEGIN;
INSERT INTO quiet VALUES ('2020-01-01', 1);
PREPARE TRANSACTION 'writer';
SELECT phase, left(statement, 40) AS statement, regexp_replace(note, 'since [^)]*', 'since …') AS note,
       details->'in_the_way'->0->>'prepared_transaction' AS prepared, details->'in_the_way'->0->'modes' AS modes
  FROM convert_to_partitioned('quiet', 'at', 'range', '1 year', dry_run => true) WHERE details ? 'in_the_way';
ROLLBACK PREPARED 'writer';
BEGIN;
SELECT FROM quiet;
PREPARE TRANSACTION 'reader';
SELECT phase, left(statement, 40) AS statement, details->'in_the_way'->0->'modes' AS modes
  FROM convert_to_partitioned('quiet', 'at', 'range', '1 year', dry_run => true) WHERE details ? 'in_the_way';
ROLLBACK PREPARED 'reader';
SELECT format('DROP TABLE partman_rs.change_log_%s', 'trades_retired'::regclass::oid) AS drop_log \gset
:drop_log;
DROP TABLE trades, trades_retired, quiet, tests.step_lock, tests.plan CASCADE;
DROP FUNCTION tests.strength;
DROP PROCEDURE tests.run_plan;
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
TABLE tests.residue;
