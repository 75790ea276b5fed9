\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Names that want quoting, are long, or are taken already.
CREATE SCHEMA "odd "" schema";
CREATE FUNCTION tests.make(schema text, name text, k text) RETURNS regclass LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %1$I.%2$I (id serial, %3$I int NOT NULL, PRIMARY KEY (id, %3$I), CHECK (%3$I > 0))', schema, name, k);
    EXECUTE format('CREATE INDEX ON %1$I.%2$I (%3$I)', schema, name, k);
    EXECUTE format('INSERT INTO %1$I.%2$I (%3$I) VALUES (1), (11)', schema, name, k);
    RETURN format('%I.%I', schema, name)::regclass;
END $$;
CREATE TABLE odd_names (number int, source regclass, k text);
INSERT INTO odd_names
SELECT number, tests.make(s, n, k), k FROM (VALUES
    (1, 'public', 'Upper Case', 'Key Column'), (2, 'public', 'dou"ble', 'k"ey'), (3, 'public', 'sin''gle', 'k''ey'),
    (4, 'public', 'a.b', 'k.k'), (5, 'public', 'select', 'user'), (6, 'public', 'büßer 🐘', 'schlüssel 🔑'),
    (7, 'public', repeat('t', 63), repeat('k', 63)), (8, 'public', repeat('ä', 31), repeat('ö', 31)),
    (9, 'public', E'new\nline\ttab\\back', E'k\\n'), (10, 'public', '1digit', '1'), (11, 'public', '%I%s $$ $1 {name}', '{column} %I'),
    (12, 'public', 'x"; DROP TABLE y--', 'k"); --'), (13, 'odd " schema', 'odd_table', 'k'), (14, 'public', 'taken', 'k'),
    (15, 'public', '_', '_')) v(number, s, n, k);
-- Names that the conversion would have chosen are taken.
CREATE TABLE taken_twin (); CREATE TABLE taken_retired (); CREATE SEQUENCE taken_default; CREATE TYPE taken_p0 AS ENUM (); CREATE VIEW taken_pkey_twin AS SELECT 1;
CREATE TABLE names_before AS SELECT number, fact FROM odd_names, tests.shape(source);
SELECT number, (SELECT count(*) > 0 FROM convert_to_partitioned(source, k, 'range', '10', premake => 0)) AS started FROM odd_names ORDER BY number;
SELECT format('CALL wait_for_conversion(%s, ''240 s'')', source::oid) FROM odd_names ORDER BY number
\set ECHO none
\gexec
\set ECHO all
SELECT j.source_name, p.partition, c.relname AS index
  FROM partman_rs.job j JOIN partman_rs.partitions p ON p.parent = j.twin JOIN pg_index i ON i.indrelid = p.partition JOIN pg_class c ON c.oid = i.indexrelid
 WHERE j.phase = 'reversible' ORDER BY j.id, p.partition::text COLLATE "C", 3;
SELECT source FROM odd_names ORDER BY number;
-- The results look as the tables did.
CREATE TABLE names_after AS SELECT o.number, f.fact FROM odd_names o JOIN partman_rs.job j ON j.source = o.source, tests.shape(j.twin) f;
(TABLE names_before EXCEPT ALL TABLE names_after) UNION ALL (TABLE names_after EXCEPT ALL TABLE names_before) ORDER BY 1, 2;
SELECT o.number, finish_conversion(j.twin) FROM odd_names o JOIN partman_rs.job j ON j.source = o.source ORDER BY 1;
SELECT format('DROP TABLE %s', j.twin::regclass) FROM odd_names o JOIN partman_rs.job j ON j.source = o.source
\set ECHO none
\gexec
\set ECHO all
DROP TABLE odd_names, names_before, names_after, taken_twin, taken_retired;
DROP SEQUENCE taken_default; DROP TYPE taken_p0; DROP VIEW taken_pkey_twin;
DROP SCHEMA "odd "" schema";
DROP FUNCTION tests.make;
TABLE tests.residue;
