\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Who may do what: the owner of the table and who may act as the owner; others see nothing of it.
CREATE ROLE regress_owner LOGIN;
CREATE ROLE regress_group NOLOGIN;
CREATE ROLE regress_member LOGIN IN ROLE regress_group;
CREATE ROLE regress_stranger LOGIN;
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop, tests TO PUBLIC;
GRANT CREATE ON SCHEMA shop TO regress_group;
CREATE TABLE shop.t (id int PRIMARY KEY, v text);
INSERT INTO shop.t SELECT i, 'row ' || i FROM generate_series(1, 100) i;
ALTER TABLE shop.t OWNER TO regress_group;
GRANT ALL ON shop.t TO regress_stranger;
-- A member of the owning role, which cannot log in itself.
\c - regress_member
BEGIN;
SELECT count(*) FROM shop.t;
COMMIT;
SELECT tests.refusal($$CREATE TABLE shop.mine (id int)$$);
SELECT count(*) FROM convert_to_partitioned('shop.t', 'id', 'range', '50', premake => 0);
CALL wait_for_conversion('shop.t', '240 s');
SELECT source, phase, rows_done FROM partman_rs.conversions;
SELECT count(*) FROM partman_rs.partitions;
\c - regress_stranger
SELECT count(*) FROM partman_rs.conversions;
SELECT parent, partition FROM partman_rs.partitions ORDER BY 2;
SELECT f, tests.refusal(format('SELECT %s(''shop.t'')', f)) FROM unnest('{pause_conversion,resume_conversion,cancel_conversion,finish_conversion}'::text[]) f;
CALL wait_for_conversion('shop.t', '1 s');
-- Our own tables are closed to everybody, and so is the log.
SELECT o, tests.refusal(o) FROM unnest(ARRAY['TABLE partman_rs.job', 'TABLE partman_rs.request', 'TABLE partman_rs.leaf', 'TABLE partman_rs.copy_range',
    $$INSERT INTO partman_rs.request (job, action, requested_by) SELECT 1, 'cancel', 10$$, 'DELETE FROM partman_rs.job', 'TRUNCATE partman_rs.job CASCADE',
    $$UPDATE partman_rs.job SET owner = 10$$, $$UPDATE partman_rs.conversions SET phase = 'x'$$, 'DELETE FROM partman_rs.conversions',
    'CREATE TABLE partman_rs.mine (id int)', 'CREATE TRIGGER x AFTER INSERT ON partman_rs.request FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()',
    'CREATE RULE x AS ON INSERT TO partman_rs.request DO NOTHING', 'DROP TABLE partman_rs.job CASCADE', 'LOCK TABLE partman_rs.job IN ACCESS EXCLUSIVE MODE',
    'LOCK TABLE partman_rs.job IN ACCESS SHARE MODE', 'ALTER FUNCTION convert_to_partitioned RESET ALL', 'DROP EXTENSION pg_partman_rs',
    $$SELECT setval('partman_rs.job_id_seq', 1)$$, $$SELECT nextval('partman_rs.request_id_seq')$$]) o;
-- The capture function by itself does nothing, and on a table without a log nothing either. Before a row it would make the row
-- vanish: there it is refused.
SELECT tests.refusal('SELECT partman_rs.capture_change()');
CREATE TEMP TABLE attached (id int, v text);
CREATE TRIGGER by_hand AFTER INSERT OR UPDATE OR DELETE ON attached FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change();
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON attached FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change();
INSERT INTO attached VALUES (0, 'zero');
DROP TRIGGER before_row ON attached;
CREATE TRIGGER by_statement AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON attached FOR EACH STATEMENT EXECUTE FUNCTION partman_rs.capture_change('arguments');
INSERT INTO attached VALUES (1, 'one');
UPDATE attached SET v = 'two';
DELETE FROM attached;
TRUNCATE attached;
DROP TABLE attached;
-- A session that goes on as a role which cannot log in: no worker could connect as that.
\c - postgres
CREATE TABLE shop.w (id int PRIMARY KEY);
ALTER TABLE shop.w OWNER TO regress_group;
SET SESSION AUTHORIZATION regress_group;
SELECT tests.refusal($$SELECT convert_to_partitioned('shop.w', 'id', 'range', '50')$$);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_member;
BEGIN;
SELECT count(*) FROM convert_to_partitioned('shop.w', 'id', 'range', '50', premake => 0);
SELECT pause_conversion('shop.w');
COMMIT;
RESET SESSION AUTHORIZATION;
CALL tests.until('shop.w', 'paused');
SET SESSION AUTHORIZATION regress_group;
SELECT phase FROM partman_rs.conversions WHERE source = 'shop.w'::regclass AND worker_pid IS NULL;
SELECT tests.refusal($$SELECT cancel_conversion('shop.w')$$);
RESET SESSION AUTHORIZATION;
SET ROLE regress_group;
SELECT cancel_conversion('shop.w');
RESET ROLE;
CALL tests.until('shop.w', 'cancelled');
SELECT phase FROM partman_rs.conversions WHERE source = 'shop.w'::regclass AND worker_pid IS NULL;
\c - regress_member
SELECT finish_conversion('shop.t');
SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace = 'shop'::regnamespace ORDER BY 1;
\c - postgres
-- Rights taken away in the middle: the worker notices.
CREATE TABLE shop.u (id int PRIMARY KEY);
INSERT INTO shop.u VALUES (1);
ALTER TABLE shop.u OWNER TO regress_group;
BEGIN;
SELECT count(*) FROM shop.u;
PREPARE TRANSACTION 'reader';
\c - regress_member
SELECT count(*) FROM convert_to_partitioned('shop.u', 'id', 'range', '50', premake => 0);
\c - postgres
CALL tests.until('shop.u', 'swapping');
REVOKE regress_group FROM regress_member;
CALL wait_for_conversion('shop.u', '240 s');
SELECT phase, last_error, last_sqlstate FROM partman_rs.conversions WHERE source = 'shop.u'::regclass;
\c - regress_member
SELECT tests.refusal($$SELECT resume_conversion('shop.u')$$);
SELECT count(*) FROM partman_rs.conversions;
\c - postgres
COMMIT PREPARED 'reader';
-- A superuser may take it back.
SELECT cancel_conversion('shop.u');
CALL tests.until('shop.u', 'cancelled');
SELECT phase FROM partman_rs.conversions WHERE source = 'shop.u'::regclass;
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
REVOKE USAGE ON SCHEMA tests FROM PUBLIC;
DROP ROLE regress_owner, regress_group, regress_member, regress_stranger;
TABLE tests.residue;
