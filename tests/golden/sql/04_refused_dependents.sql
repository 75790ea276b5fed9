\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Whatever the conversion cannot carry is refused, one case at a time; each is undone again.
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v text, r int4range);
CREATE TABLE other (id int PRIMARY KEY);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
SELECT tests.with_it('');
SELECT tests.with_it('CREATE VIEW w AS SELECT id FROM t');
SELECT tests.with_it('CREATE VIEW w AS SELECT id FROM ONLY t');
SELECT tests.with_it('CREATE POLICY p ON other USING (EXISTS (SELECT FROM ONLY t))');
SELECT tests.with_it('CREATE RULE r AS ON INSERT TO t DO ALSO UPDATE ONLY t SET v = v');
SELECT tests.with_it('CREATE TEMP VIEW w AS SELECT id FROM t');
SELECT tests.with_it('CREATE MATERIALIZED VIEW w AS SELECT count(*) FROM t');
SELECT tests.with_it('CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING');
SELECT tests.with_it('CREATE RULE r AS ON INSERT TO other DO ALSO DELETE FROM t');
SELECT tests.with_it('CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()');
SELECT tests.with_it('CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION nothing()');
SELECT tests.with_it('CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing(); ALTER TABLE t DISABLE TRIGGER g');
SELECT tests.with_it('CREATE TRIGGER partman_rs_capture AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()');
-- What looks like our own triggers, and is not.
SELECT tests.with_it('CREATE TRIGGER partman_rs_capture AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()');
SELECT tests.with_it('CREATE TRIGGER partman_rs_capture AFTER INSERT OR UPDATE OF v OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()');
SELECT tests.with_it('CREATE TRIGGER partman_rs_capture AFTER UPDATE ON t FOR EACH ROW WHEN (OLD.k <> NEW.k) EXECUTE FUNCTION partman_rs.capture_change()');
SELECT tests.with_it('CREATE TRIGGER partman_rs_capture_truncate AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()');
SELECT tests.with_it('CREATE TRIGGER other_name AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change()');
-- Those of a table that was dumped in the middle of a conversion, and restored.
SELECT tests.with_it('CREATE TRIGGER partman_rs_capture AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION partman_rs.capture_change(); CREATE TRIGGER partman_rs_capture_truncate AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION partman_rs.capture_change()');
SELECT tests.with_it('CREATE TRIGGER g AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION nothing()');
SELECT tests.with_it('CREATE POLICY p ON t');
SELECT tests.with_it('CREATE POLICY p ON other USING (EXISTS (SELECT FROM t))');
SELECT tests.with_it('ALTER TABLE t ENABLE ROW LEVEL SECURITY');
SELECT tests.with_it('ALTER TABLE t FORCE ROW LEVEL SECURITY');
SELECT tests.with_it('ALTER TABLE t REPLICA IDENTITY FULL');
SELECT tests.with_it('ALTER TABLE t REPLICA IDENTITY NOTHING');
SELECT tests.with_it('ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey');
SELECT tests.with_it('CREATE STATISTICS s ON k, v FROM t');
SELECT tests.with_it('CREATE STATISTICS s ON (k + 1) FROM t');
SELECT tests.with_it('ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES other');
SELECT tests.with_it('ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES other NOT VALID')
    ~ CASE WHEN current_setting('server_version_num')::int < 180000 THEN 'Foreign key "t_k_fkey" is NOT VALID' ELSE '^not refused$' END AS as_the_server_can;
SELECT tests.with_it('ALTER TABLE other ADD FOREIGN KEY (id) REFERENCES t');
SELECT tests.with_it('ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES t');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS ''SELECT 1''');
SELECT tests.with_it('CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql AS ''SELECT * FROM t''');
SELECT tests.with_it('CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS ''SELECT 1''; ALTER FUNCTION f DEPENDS ON EXTENSION plpgsql');
SELECT tests.with_it('CREATE FUNCTION f(t[]) RETURNS int LANGUAGE sql AS ''SELECT 1''');
SELECT tests.with_it('CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END');
SELECT tests.with_it('ALTER TABLE other ADD COLUMN whole t');
SELECT tests.with_it('ALTER TABLE other ADD COLUMN many t[]');
SELECT tests.with_it('CREATE TYPE c AS (whole t)');
SELECT tests.with_it('CREATE DOMAIN d AS t');
SELECT tests.with_it('CREATE TABLE typed (LIKE t); CREATE VIEW w AS SELECT t FROM t');
-- Without the warning that wal_level is too low to publish, which the majors of PostgreSQL word differently.
SET client_min_messages = error;
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLE t');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLE t (id) WHERE (id > 0)');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLE t (id) WITH (publish_via_partition_root)');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLE t (id) WITH (publish_via_partition_root, publish = ''insert, truncate'')');
SELECT tests.with_it('CREATE PUBLICATION p FOR ALL TABLES');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLES IN SCHEMA public');
-- Those of the whole database or schema are no reason, and what the extension remembers is sent to nobody.
SELECT tests.with_it('CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLES IN SCHEMA public WITH (publish_via_partition_root)');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLE other');
SELECT tests.with_it('CREATE PUBLICATION p FOR TABLES IN SCHEMA partman_rs');
-- A subscription, with its table in the state it would get to by itself, if there were a publisher.
CREATE FUNCTION tests.subscribed(state "char") RETURNS text LANGUAGE sql AS $$
    SELECT format($q$CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false);
                     INSERT INTO pg_subscription_rel SELECT oid, 't'::regclass, %L FROM pg_subscription WHERE subname = 's'$q$, state);
$$;
SELECT tests.with_it(tests.subscribed('d'));
SELECT tests.with_it(tests.subscribed('r'));
SELECT tests.with_it(tests.subscribed('r') || '; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, k)');
SELECT tests.with_it(tests.subscribed('r') || '; ALTER TABLE t DROP CONSTRAINT t_pkey');
SET client_min_messages = warning;
SELECT tests.with_it('ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&)')
    ~ CASE WHEN current_setting('server_version_num')::int < 170000 THEN '"t_r_excl" is an exclusion constraint, which a partitioned table can have since PostgreSQL 17 only.$'
           ELSE 'Exclusion constraint "t_r_excl" does not compare column "k" for equality: each partition would allow what it excludes in another.\nHINT: Make it again with that column WITH =.$' END AS as_the_server_can;
SELECT tests.with_it('ALTER TABLE t ADD EXCLUDE (k WITH =)')
    ~ CASE WHEN current_setting('server_version_num')::int < 170000 THEN '"t_k_excl" is an exclusion constraint' ELSE '^not refused$' END AS as_the_server_can;
SELECT tests.with_it('ALTER TABLE t ADD CONSTRAINT c CHECK (k > 0) NO INHERIT');
SELECT tests.with_it('ALTER TABLE t CLUSTER ON t_pkey');
SELECT tests.with_it($$UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_pkey'::regclass$$);
SELECT tests.with_it('ALTER EXTENSION plpgsql ADD TABLE t');
-- A sequence of this table that other tables use as well would lose them with the retired table.
SELECT tests.with_it('ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY; ALTER TABLE other ALTER id SET DEFAULT nextval(''t_id_seq'')');
-- An index of 32 columns has no room for one more.
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (k int NOT NULL, ' || (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, 32) i)
    || ', UNIQUE (' || (SELECT string_agg('c' || i, ', ') FROM generate_series(1, 32) i) || '))'; END $$;
SELECT tests.refusal($$SELECT convert_to_partitioned('wide', 'k', 'range', '10')$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('wide', 'c1', 'range', '10')$$);
-- All of it in one error.
CREATE VIEW first_view AS SELECT k FROM t;
CREATE VIEW second_view AS SELECT * FROM t;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE t REPLICA IDENTITY FULL;
ALTER TABLE t ALTER k DROP NOT NULL;
ALTER TABLE t ADD CONSTRAINT c CHECK (k > 0) NO INHERIT;
ALTER TABLE t CLUSTER ON t_pkey;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE other ADD FOREIGN KEY (id) REFERENCES t;
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'k', 'range', '10', default_partition => false)$$);
SELECT tests.refusal($$SELECT convert_to_partitioned('t', 'v', 'range', '10')$$);
DROP TABLE t, other, wide CASCADE;
DROP FUNCTION nothing(), tests.subscribed("char");
TABLE tests.residue;
