\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- The table, or what belongs to it, goes away while it is converted, or while its conversion rests.
CREATE FUNCTION tests.left_over() RETURNS TABLE (what text) LANGUAGE sql AS $$
SELECT * FROM tests.residue UNION ALL SELECT 'range' FROM partman_rs.copy_range
$$;
CREATE PROCEDURE tests.rest(source regclass) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM convert_to_partitioned(source, 'id', 'range', '50', premake => 0);
    COMMIT;
    CALL tests.comes_to('swapping');
    PERFORM pause_conversion(source);
    COMMIT;
    CALL tests.comes_to('paused');
END $$;
-- The reader keeps the swap away until the conversion rests.
CREATE SCHEMA shop;
CREATE TABLE shop.t (id serial PRIMARY KEY, v text);
INSERT INTO shop.t (v) SELECT 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM shop.t;
PREPARE TRANSACTION 'reader';
CALL tests.rest('shop.t');
COMMIT PREPARED 'reader';
SELECT 'shop.t'::regclass::oid AS source \gset
-- A serial's sequence does not stand in the way.
DROP TABLE shop.t;
SELECT count(*) > 0 AS something_is_left FROM tests.left_over();
SELECT source::oid = :source AS same, phase FROM partman_rs.conversions WHERE phase = 'paused';
-- It can only be given up.
SELECT cancel_conversion(:source);
CALL tests.comes_to('cancelled');
SELECT * FROM tests.left_over();
SELECT tests.refusal($$SELECT cancel_conversion($$ || :source || ')');
-- To resume it comes to the same.
CREATE TABLE shop.t (id serial PRIMARY KEY, v text);
INSERT INTO shop.t (v) SELECT 'row ' || i FROM generate_series(1, 100) i;
BEGIN;
SELECT count(*) FROM shop.t;
PREPARE TRANSACTION 'reader';
CALL tests.rest('shop.t');
COMMIT PREPARED 'reader';
SELECT 'shop.t'::regclass::oid AS source \gset
DROP TABLE shop.t;
SELECT resume_conversion(:source);
CALL tests.comes_to('cancelled');
SELECT last_error FROM partman_rs.job ORDER BY id DESC LIMIT 1;
SELECT * FROM tests.left_over();
-- The whole schema, and the role that owned all of it.
CREATE ROLE regress_shop LOGIN;
CREATE TABLE shop.t (id serial PRIMARY KEY, v text);
INSERT INTO shop.t (v) SELECT 'row ' || i FROM generate_series(1, 100) i;
ALTER SCHEMA shop OWNER TO regress_shop;
ALTER TABLE shop.t OWNER TO regress_shop;
BEGIN;
SELECT count(*) FROM shop.t;
PREPARE TRANSACTION 'reader';
CALL tests.rest('shop.t');
COMMIT PREPARED 'reader';
SELECT 'shop.t'::regclass::oid AS source \gset
DROP OWNED BY regress_shop CASCADE;
DROP ROLE regress_shop;
SELECT cancel_conversion(:source);
CALL tests.comes_to('cancelled');
SELECT * FROM tests.left_over();
-- A serial's sequence after the swap: it is the new table's, and goes with that; the retired one still draws from it.
CREATE TABLE s (id serial PRIMARY KEY, v text);
INSERT INTO s (v) SELECT 'row ' || i FROM generate_series(1, 100) i;
SELECT count(*) > 0 AS started FROM convert_to_partitioned('s', 'id', 'range', '50', premake => 0);
CALL wait_for_conversion('s', '240 s');
SELECT pg_get_serial_sequence('s', 'id'), pg_get_serial_sequence('s_retired', 'id');
INSERT INTO s (v) VALUES ('after the swap') RETURNING id, tableoid::regclass;
SELECT tests.refusal('DROP TABLE s');
BEGIN;
DROP TABLE s_retired;
INSERT INTO s (v) VALUES ('after the retired table is gone') RETURNING id;
ROLLBACK;
SELECT finish_conversion('s');
SELECT to_regclass('s_retired');
SELECT tests.refusal('DROP SEQUENCE s_id_seq');
DROP TABLE s;
SELECT to_regclass('s_id_seq');
DROP PROCEDURE tests.rest;
SELECT * FROM tests.left_over();
DROP FUNCTION tests.left_over;
