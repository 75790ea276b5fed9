\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Whatever code of a table's owner runs while the table is converted, runs with that owner's rights; and nobody's objects
-- are mistaken for PostgreSQL's own.
CREATE ROLE regress_eve LOGIN;
CREATE SCHEMA eve AUTHORIZATION regress_eve;
CREATE TABLE eve.canary (happened text, as_user name, session name, super boolean);
ALTER TABLE eve.canary OWNER TO regress_eve;
GRANT INSERT ON eve.canary TO PUBLIC;
GRANT USAGE ON SCHEMA eve TO PUBLIC;
\c - regress_eve
CREATE FUNCTION eve.sing(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- An IMMUTABLE function may not write, and may not be what it seems.
    PERFORM eve.sing_out(what);
    RETURN length(what);
END $$;
CREATE FUNCTION eve.sing_out(what text) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO eve.canary VALUES (what, current_user, session_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user));
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE FUNCTION eve.try(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM eve.sing_out('index ' || what);
    BEGIN EXECUTE 'RESET ROLE'; EXCEPTION WHEN OTHERS THEN PERFORM eve.sing_out('RESET ROLE refused'); END;
    BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; EXCEPTION WHEN OTHERS THEN PERFORM eve.sing_out('RESET SESSION AUTHORIZATION refused'); END;
    BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'CREATE TEMP TABLE trap (id int)'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'ALTER ROLE regress_eve SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
    PERFORM eve.sing_out('after ' || what);
    RETURN length(what);
END $$;
CREATE DOMAIN eve.checked AS text CHECK (eve.sing('domain ' || VALUE) > 0);
CREATE TABLE eve.t (
    id int NOT NULL, k int NOT NULL,
    d text DEFAULT eve.sing('default')::text,
    g int GENERATED ALWAYS AS (eve.sing('generated')) STORED,
    c eve.checked DEFAULT 'c',
    CONSTRAINT checked CHECK (eve.sing('check') > 0)
);
CREATE UNIQUE INDEX ON eve.t (id, k);
CREATE INDEX ON eve.t (eve.try(id::text));
CREATE INDEX ON eve.t (id) WHERE eve.sing('predicate') > 0;
-- Objects with the names of PostgreSQL's, found first by whoever looks into her schema first.
CREATE FUNCTION eve.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
CREATE FUNCTION eve.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM eve.sing_out('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR eve.= (LEFTARG = text, RIGHTARG = text, FUNCTION = eve.trap);
CREATE FUNCTION eve.trap(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM eve.sing_out('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR eve.= (LEFTARG = name, RIGHTARG = name, FUNCTION = eve.trap);
CREATE FUNCTION eve.pg_get_userbyid(oid) RETURNS name LANGUAGE plpgsql AS $$ BEGIN PERFORM eve.sing_out('function'); RETURN 'postgres'; END $$;
CREATE FUNCTION eve.pg_has_role(oid, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM eve.sing_out('function'); RETURN true; END $$;
CREATE FUNCTION eve.has_schema_privilege(oid, oid, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM eve.sing_out('function'); RETURN true; END $$;
CREATE TABLE eve.pg_class (oid oid, relname name);
INSERT INTO eve.t (id, k) SELECT i, i FROM generate_series(1, 20) i;
TRUNCATE eve.canary;
ALTER ROLE regress_eve SET search_path = eve, pg_catalog, public;
ALTER ROLE regress_eve SET default_transaction_read_only = off;
ALTER ROLE regress_eve SET statement_timeout = '1ms';
ALTER ROLE regress_eve SET client_min_messages = error;
-- A superuser with her search_path converts her table.
\c - postgres
SET search_path = eve, pg_catalog, public;
SELECT count(*) FROM convert_to_partitioned('eve.t', 'k', 'range', '10', premake => 0);
RESET search_path;
CALL wait_for_conversion('eve.t', '240 s');
-- (A query of her table by a superuser would have run her functions; so the canary is asked first.)
SELECT DISTINCT regexp_replace(happened, '\d+', 'N') AS happened, as_user, super FROM eve.canary ORDER BY 1, 2, 3;
SELECT tableoid::regclass, count(*) FROM eve.t GROUP BY 1 ORDER BY 1;
SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'regress%';
SELECT finish_conversion('eve.t');
-- The worker may still be gathering its statistics.
DROP TABLE eve.t;
TRUNCATE eve.canary;
-- She converts one herself: her settings reach neither the worker nor what it does. Her own session must have none from its
-- first moment: even SET takes longer than a millisecond now and then.
\c -reuse-previous=on "user=regress_eve options='-c statement_timeout=0'"
CREATE TABLE eve.u (id int NOT NULL PRIMARY KEY, v text DEFAULT eve.sing('default')::text);
INSERT INTO eve.u SELECT i FROM generate_series(1, 20) i;
CREATE INDEX ON eve.u (eve.try(id::text));
TRUNCATE eve.canary;
SELECT pg_catalog.count(*) FROM public.convert_to_partitioned('eve.u', 'id', 'range', '10', premake => 0);
CALL public.wait_for_conversion('eve.u', '240 s');
SELECT DISTINCT regexp_replace(happened, '\d+', 'N') AS happened, as_user, super FROM eve.canary ORDER BY 1, 2, 3;
-- The name of a table, a column, a role, an interval as SQL.
\c - postgres
SELECT tests.refusal($$SELECT convert_to_partitioned('eve.u', 'id; DROP TABLE eve.canary', 'range', '10')$$);
SELECT finish_conversion('eve.u');
SET client_min_messages = warning;
-- A worker that gathers statistics calls functions that write into another table: both would wait for each other.
CALL tests.workers_are_gone();
DROP SCHEMA eve CASCADE;
DROP ROLE regress_eve;
TABLE tests.residue;
