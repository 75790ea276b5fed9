-- Uses everything that hangs on the tables of torture.sql, prints what comes of it, and takes it back.
\pset footer off
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL ROLE app;
SET LOCAL search_path = "Sch""ema 😀", public;
SET LOCAL timezone = 'UTC';
-- The name of a constraint, but for that of a key's index: each partition has its own.
CREATE FUNCTION public.refusal(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
    EXECUTE sql;
    RAISE '' USING ERRCODE = 'P0099';
EXCEPTION
    WHEN SQLSTATE 'P0099' THEN RETURN 'none';
    WHEN unique_violation THEN RETURN SQLSTATE;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
        RETURN concat_ws(' ', SQLSTATE, name);
END $$;
CREATE FUNCTION public.count_of(sql text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN EXECUTE sql; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
SELECT coalesce(max(at), 0) AS mark FROM noted \gset

\echo # defaults, identity, sequences, generated columns
INSERT INTO :A (customer) VALUES (NULL) RETURNING id AS id_1, shared AS shared_1, owned AS owned_1 \gset
INSERT INTO :A DEFAULT VALUES RETURNING id AS id_2, shared AS shared_2, owned AS owned_2 \gset
SELECT :id_2 - :id_1 AS id, :shared_2 - :shared_1 AS shared, :owned_2 - :owned_1 AS owned, currval('"i''dentity 😀"') - :id_2 AS current;
SELECT "At", "Ünï ""text""", amount, tags, doc, net, "up per", mood, pos, "added later" FROM :A WHERE id = :id_2;
INSERT INTO :B DEFAULT VALUES RETURNING id AS id_1, amount AS shared_1, second AS second_1 \gset
INSERT INTO :B (v) VALUES ('x') RETURNING id AS id_2, amount AS shared_2, second AS second_2 \gset
SELECT :id_2 - :id_1 AS id, :shared_2 - :shared_1 AS shared, :second_2 - :second_1 AS second;
SELECT v, a, customer, twice, span, bits, late FROM :B WHERE id = :id_2;
SELECT pg_get_serial_sequence(:'A', 'id'), pg_get_serial_sequence(:'A', 'owned'), pg_get_serial_sequence(:'B', 'id'), pg_get_serial_sequence(:'B', 'second');
\echo # what is refused
SELECT refusal(format('INSERT INTO %s (id) VALUES (7)', :'A')), refusal(format('INSERT INTO %s (id) OVERRIDING SYSTEM VALUE VALUES (7)', :'A')),
       refusal(format('INSERT INTO %s (id, "At") OVERRIDING SYSTEM VALUE SELECT id, "At" FROM %1$s WHERE id = 7', :'A'));
SELECT refusal(format('UPDATE %s SET net = 3', :'A')), refusal(format('UPDATE %s SET amount = NULL', :'A')), refusal(format('UPDATE %s SET amount = -1000', :'A')),
       refusal(format('UPDATE %s SET pos = 0 WHERE id = 3', :'A')), refusal(format('UPDATE %s SET "Ünï ""text""" = ''forbidden'' WHERE id = 3', :'A'));
SELECT count(*), refusal(format('UPDATE %s SET mood = NULL WHERE id = 901', :'A')) FROM :A WHERE id = 901;
SELECT count(*), refusal(format('UPDATE %s SET late = NULL WHERE id = 900', :'B')) FROM :B WHERE v = 'b 900';
SELECT refusal(format('INSERT INTO %s (v) VALUES (''b 900'')', :'B')), refusal(format('INSERT INTO %s (id) VALUES (3)', :'B')), refusal(format('UPDATE %s SET late = NULL, id = NULL', :'B'));
SELECT refusal(format('UPDATE %s SET customer = 1000 WHERE id = 3', :'A')), refusal(format('UPDATE %s SET payer = ''none'' WHERE id = 3', :'A')),
       refusal(format('SET CONSTRAINTS "both 😀" IMMEDIATE; UPDATE %s SET region = NULL WHERE id = 3', :'A')), refusal(format('UPDATE %s SET customer = 1000 WHERE id = 3', :'B'));
SELECT refusal('DELETE FROM elsewhere."pay er" WHERE alt = 3'), refusal('UPDATE "Customer" SET id = 1003 WHERE id = 3; SET CONSTRAINTS ALL IMMEDIATE');
SELECT refusal(format('UPDATE %s SET amount = 13.13 WHERE id = 3; SET CONSTRAINTS ALL IMMEDIATE', :'A')),
       refusal(format('INSERT INTO %s (amount) VALUES (13.13)', :'B')), refusal(format('SET CONSTRAINTS ALL DEFERRED; INSERT INTO %s (amount) VALUES (13.13)', :'B'));

\echo # triggers, in the order in which they fire for a row: of the rows nobody promises one
SELECT coalesce(max(at), 0) AS mark FROM noted \gset
INSERT INTO :A (id, "Ünï ""text""") OVERRIDING SYSTEM VALUE VALUES (0, 'new'), (-1, ' ON "Sch""ema 😀"."B.b" ');
UPDATE :A SET amount = amount + 1 WHERE id BETWEEN 5 AND 9;
UPDATE :A SET tags = '{}' WHERE id IN (5, 6);
UPDATE :A SET tags = '{}' WHERE id = 5;
UPDATE :A SET tags = '{}' WHERE false;
DELETE FROM :A WHERE id IN (0, -1);
UPDATE :B SET v = v || '!' WHERE id < 4;
UPDATE :B SET a = a WHERE id < 4;
DELETE FROM :B WHERE id IN (6, 7, 8);
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
SELECT who, what, about FROM noted WHERE at > :mark ORDER BY about, at;
SELECT v, count(*) FROM :B WHERE id < 10 GROUP BY v ORDER BY v;
SELECT coalesce(max(at), 0) AS mark FROM noted \gset
RESET ROLE;
SET LOCAL session_replication_role = replica;
INSERT INTO :B (id, v) VALUES (0, 'replicated');
UPDATE :B SET v = 'so' WHERE id = 0;
DELETE FROM :A WHERE id = 11;
SET LOCAL session_replication_role = origin;
SELECT who, what, about FROM noted WHERE at > :mark ORDER BY about, at;
SET LOCAL ROLE app;

\echo # cascades
DELETE FROM "Customer" WHERE id IN (20, 21);
SELECT id, v, customer FROM :B WHERE a IN (19, 20) ORDER BY id;
SELECT count(*) FROM :A WHERE customer IN (20, 21) OR id IN (19, 20);
ALTER TABLE elsewhere."pay er" DISABLE ROW LEVEL SECURITY;
UPDATE :A SET alt = NULL WHERE alt IN (22, 23);
DELETE FROM elsewhere."pay er" WHERE alt = 22;
SELECT id, payer, alt FROM :A WHERE id IN (21, 22) ORDER BY id;
UPDATE elsewhere."pay er" SET code = 'other', alt = 999 WHERE alt = 23;
SELECT refusal($$UPDATE elsewhere."pay er" SET alt = 1000 WHERE alt = 24$$), refusal($$UPDATE elsewhere."pay er" SET alt = 999 WHERE alt = 24$$);
UPDATE "Customer" SET region = 5 WHERE id = 30;
SELECT id, region, customer FROM :A WHERE customer = 30 AND id < 1000 ORDER BY id;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
ALTER TABLE elsewhere."pay er" ENABLE ROW LEVEL SECURITY;
UPDATE elsewhere."pay er" SET code = code WHERE alt = 999;
SELECT who, about FROM noted WHERE who = 'follows' AND at > :mark;

\echo # what points at the second: of a key whose row is deleted, each partition has a name of its own
DELETE FROM :B WHERE id IN (12, 305);
SELECT count(*) FROM "points at B" WHERE b = 12;
SELECT id, parent, "pre vious" FROM :B WHERE id IN (304, 306, 307) ORDER BY id;
UPDATE :B SET "pre vious" = NULL WHERE id = 307;
UPDATE :B SET id = 100000013 WHERE id = 13;
UPDATE :B SET id = 100000310 WHERE id = 310;
SELECT b FROM "points at B" WHERE nr = 3;
SELECT parent FROM :B WHERE id = 311;
SELECT left(refusal(format('DELETE FROM %s WHERE id = 210; SET CONSTRAINTS ALL IMMEDIATE', :'B')), 5),
       refusal('INSERT INTO "points at B" VALUES (99, -5)'), refusal(format('UPDATE %s SET parent = -5 WHERE id = 4', :'B'));
UPDATE :B SET "pre vious" = NULL WHERE "pre vious" > 0;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;

\echo # views
INSERT INTO "view ""1""" (nr, amount, "when") OVERRIDING SYSTEM VALUE VALUES (0, 3, '2026-02-02');
SELECT * FROM "view ""1""" WHERE nr < 3 ORDER BY nr;
SELECT refusal('UPDATE "view ""1""" SET amount = -5 WHERE nr = 0');
UPDATE "view ""1""" SET amount = 17 WHERE nr = 40;
UPDATE elsewhere."view 2" SET "Téxt" = 'x' WHERE nr = 41;
SELECT nr, "Téxt", "of B" FROM elsewhere."view 2" WHERE nr BETWEEN 38 AND 42 ORDER BY nr;
SELECT id, amount FROM :A WHERE id IN (40, 41) ORDER BY id;
TABLE "view 3";
SELECT sum(n) FROM counted;
DELETE FROM whole WHERE id IN (45, 46);
INSERT INTO locked VALUES (45, 'back');
SELECT * FROM locked WHERE id BETWEEN 44 AND 47 ORDER BY id;
TABLE over_held;
REFRESH MATERIALIZED VIEW CONCURRENTLY "Held 😀";
TABLE over_held;
SELECT refusal('TABLE elsewhere.unfilled');
REFRESH MATERIALIZED VIEW elsewhere.unfilled;
SELECT n > 0 AS has_rows, s FROM elsewhere.unfilled;

\echo # functions
SELECT "counts 😀"(), "counts 😀"(900), (elsewhere.totals()).*;
CALL deletes(50);
CALL elsewhere."moves it"(51, '2026-04-01 00:00+00');
SELECT id, "At", "counts 😀"() FROM :A t WHERE id BETWEEN 49 AND 52 ORDER BY id;
SELECT label(t), t.label FROM :A t WHERE id IN (52, 53) ORDER BY id;
SELECT id, v, late FROM latest(3);
CALL takes(40, NULL::elsewhere."B.b", NULL);

\echo # statements that name the tables
DECLARE c CURSOR FOR SELECT id, amount FROM :A WHERE id BETWEEN 70 AND 74 ORDER BY id FOR UPDATE;
MOVE 2 FROM c;
FETCH c;
UPDATE :A SET amount = 700 WHERE CURRENT OF c;
CLOSE c;
SELECT id, amount FROM :A WHERE id BETWEEN 70 AND 74 ORDER BY id;
-- Not to be had with row-level security in force.
RESET ROLE;
COPY :A (id, "At", amount) FROM stdin WITH (FORMAT csv);
-7,2026-03-03 00:00+00,4.5
-8,2019-03-03 00:00+00,4.6
\.
COPY (SELECT id, "At", amount, net FROM :A WHERE id < 0 ORDER BY id) TO stdout;
SET LOCAL ROLE app;
SELECT refusal(format('INSERT INTO %s (id, v) VALUES (81, ''again'') ON CONFLICT (id) DO NOTHING', :'B'));
SELECT id, v FROM :B WHERE id BETWEEN 79 AND 81 ORDER BY id;
SELECT count(*), sum(id) FROM :A WHERE lower("Ünï ""text""") ~>=~ 'text 5' AND id BETWEEN 1 AND 999;
SELECT count(*), min(id) FROM :A WHERE doc @> '{"i": 33}';
SELECT id FROM :B WHERE span @> 500 AND id < 1000 ORDER BY id;


\echo # as three roles
SET LOCAL ROLE "Röle ""one""";
SELECT count(*), sum(id), max(id) FROM :A WHERE id < 1000;
SELECT count(*), sum(a) FROM :B WHERE id < 1000;
SELECT count(*) FROM "Customer" WHERE id < 290;
SELECT count_of(format('UPDATE %s SET amount = 5 WHERE id < 1000', :'A')), refusal(format('UPDATE %s SET amount = 850 WHERE id = 32', :'A')),
       refusal(format('UPDATE %s SET "At" = ''2028-01-01'' WHERE id = 32', :'A')), refusal(format('UPDATE %s SET payer = NULL', :'A')),
       refusal(format('INSERT INTO %s DEFAULT VALUES', :'A')), refusal(format('DELETE FROM %s', :'B'));
SELECT count(nr) FROM "view ""1""" WHERE nr < 1000;
SELECT refusal('SELECT "Téxt" FROM "view ""1"""'), refusal('SELECT * FROM elsewhere."view 2"');
SELECT refusal('TABLE "view 3"'), (SELECT count(*) FROM "Held 😀");
SELECT "counts 😀"(), (SELECT count(*) FROM latest());
SET LOCAL ROLE "role two";
SELECT count(*), sum(id), max(id) FROM :A WHERE id < 1000;
SELECT refusal(format('SELECT a FROM %s', :'B')), count_of(format('DELETE FROM %s WHERE id BETWEEN 130 AND 140', :'B')), count(id) FROM :B WHERE id < 1000;
SELECT count(*) FROM elsewhere."pay er" WHERE alt < 290;
SELECT refusal(format('INSERT INTO %s (id) OVERRIDING SYSTEM VALUE VALUES (99)', :'A')), refusal(format('INSERT INTO %s (id, owned, shared) OVERRIDING SYSTEM VALUE VALUES (100000000, DEFAULT, DEFAULT)', :'A')),
       refusal(format('UPDATE %s SET amount = 1 WHERE id = 32', :'A')), refusal('SELECT "counts 😀"()'), refusal('SELECT latest()'), refusal('TABLE "view 3"');
SET LOCAL ROLE stranger;
SELECT refusal(format('TABLE %s', :'A')), count(*), sum(a) FROM :B WHERE id < 1000;
SELECT refusal('TABLE elsewhere."view 2"'), refusal('SELECT "counts 😀"()'), refusal(format('DELETE FROM %s', :'B'));
SET LOCAL ROLE app;
SELECT role, tab, privilege, bool_or(has_table_privilege(role, tab, privilege)) AS granted,
       string_agg(a.attname, ', ' ORDER BY attnum) FILTER (WHERE privilege IN ('SELECT', 'UPDATE') AND has_column_privilege(role, attrelid, attnum, privilege)) AS columns
  FROM unnest('{app,"Röle \"one\"","role two",stranger}'::name[]) role CROSS JOIN unnest(ARRAY[:'A', :'B']) tab
 CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) privilege
  JOIN pg_attribute a ON attrelid = tab::regclass AND attnum > 0 AND NOT attisdropped
 GROUP BY role, tab, privilege ORDER BY role, tab, privilege;

\echo # truncation
SET CONSTRAINTS ALL IMMEDIATE;
SELECT coalesce(max(at), 0) AS mark FROM noted \gset
TRUNCATE :A;
SELECT refusal(format('TRUNCATE %s CASCADE', :'B'));
RESET ROLE;
SELECT refusal(format('TRUNCATE %s', :'B'));
TRUNCATE :B CASCADE;
SELECT who, what, about FROM noted WHERE at > :mark ORDER BY about, at;
TABLE "view 3";

\echo # what subscribers and the planner are told
SELECT pubname, tablename, attnames, rowfilter FROM pg_publication_tables ORDER BY 1, 2;
SELECT DISTINCT statistics_name, statistics_schemaname, kinds, attnames::text, exprs::text FROM pg_stats_ext ORDER BY 1;
SELECT objoid::regclass AS of, attname, description AS said FROM pg_description LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
 WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text ~ 'Törture|B\.b' AND objoid::regclass::text !~ '_p[0-9]|_default' ORDER BY objoid::regclass::text, attname;
ROLLBACK;
