\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- What keeps an old partition from being detached is found out before anybody waits for a lock, and how much goes in one run.
\set ECHO none
CREATE FUNCTION tests.made(parent regclass, dry_run boolean DEFAULT false) RETURNS TABLE (action text, partition text, outcome text)
LANGUAGE sql AS $$ SELECT action, partition, outcome FROM ensure_partitions(made.parent, made.dry_run) $$;
CREATE FUNCTION tests.locks(relation regclass) RETURNS TABLE (mode text) LANGUAGE sql AS $$
SELECT mode FROM pg_locks WHERE pg_locks.relation = locks.relation::oid AND pid = pg_backend_pid() ORDER BY mode $$;
\set ECHO all
SET client_min_messages = notice;
CREATE ROLE regress_owner;
CREATE ROLE regress_other;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner, regress_other;
GRANT USAGE ON SCHEMA tests TO regress_owner;
SET ROLE regress_owner;
CREATE TABLE o (id int PRIMARY KEY, up int REFERENCES o, v text) PARTITION BY RANGE (id);
CREATE TABLE o_p0 PARTITION OF o FOR VALUES FROM (0) TO (10);
CREATE TABLE o_p10 PARTITION OF o FOR VALUES FROM (10) TO (20);
CREATE TABLE o_p20 (v text, up int, gone int, id int NOT NULL);
ALTER TABLE o_p20 DROP COLUMN gone;
ALTER TABLE o ATTACH PARTITION o_p20 FOR VALUES FROM (20) TO (30);
CREATE TABLE o_p30 PARTITION OF o FOR VALUES FROM (30) TO (40);
CREATE TABLE o_p40 PARTITION OF o FOR VALUES FROM (40) TO (50);
INSERT INTO o SELECT g, NULL FROM generate_series(0, 45, 5) g;
-- Rows of the partition itself keep it as well as those of another one: PostgreSQL makes no difference.
UPDATE o SET up = 0 WHERE id = 5;
UPDATE o SET up = 15 WHERE id = 20;
CREATE TABLE "odd item" (n int, "o;id" int REFERENCES o) PARTITION BY RANGE (n);
CREATE TABLE item_1 PARTITION OF "odd item" FOR VALUES FROM (0) TO (10);
INSERT INTO "odd item" VALUES (1, 20), (2, NULL);
SELECT set_partition_policy('o', '10', premake => 0, retention => '5', retention_action => 'detach');
SELECT * FROM tests.made('o', true);
SELECT verdict, reason, next_command, overdue FROM partman_rs.health WHERE parent = 'o'::regclass;
-- One that stays does not count as one that goes.
SET pg_partman_rs.retention_max_partitions = 1;
SELECT * FROM tests.made('o');
SELECT * FROM tests.made('o');
RESET pg_partman_rs.retention_max_partitions;
-- Nothing is locked for what is not done, nor kept locked of what was read.
BEGIN;
SELECT * FROM tests.made('o');
SELECT mode AS lock_of_table FROM tests.locks('o');
SELECT mode AS lock_of_key FROM tests.locks('"odd item"');
COMMIT;
-- Whose rows cannot be read, or not in a short time.
RESET ROLE;
ALTER TABLE "odd item" OWNER TO regress_other;
SELECT * FROM tests.made('o');
ALTER TABLE "odd item" OWNER TO regress_owner;
SET seq_page_cost = 1e6;
SELECT * FROM tests.made('o');
RESET seq_page_cost;
-- They are referenced no more.
UPDATE o SET up = NULL;
DELETE FROM "odd item" WHERE n = 1;
SELECT * FROM tests.made('o');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'o'::regclass;
DROP TABLE "odd item", o, o_p0, o_p10, o_p20, o_p30;

-- A key that points at a partition by itself: it can be detached, and not be dropped. Texts, and more columns than one.
CREATE TABLE c (id int, code text COLLATE "C", v text, PRIMARY KEY (id, code)) PARTITION BY RANGE (id);
CREATE TABLE c_p0 PARTITION OF c FOR VALUES FROM (0) TO (10);
CREATE TABLE c_p10 PARTITION OF c FOR VALUES FROM (10) TO (20);
CREATE TABLE c_p20 PARTITION OF c FOR VALUES FROM (20) TO (30);
INSERT INTO c VALUES (1, 'a'), (11, 'a'), (21, 'a');
CREATE TABLE to_one (id int, code text COLLATE "C", CONSTRAINT points FOREIGN KEY (id, code) REFERENCES c_p0);
CREATE TABLE to_all (id bigint, code varchar, CONSTRAINT points FOREIGN KEY (code, id) REFERENCES c (code, id));
INSERT INTO to_all VALUES (11, 'a'), (1, NULL);
SELECT set_partition_policy('c', '10', premake => 0, retention => '1', retention_action => 'drop');
SELECT * FROM tests.made('c');
SELECT set_partition_policy('c', retention_action => 'detach');
SELECT * FROM tests.made('c');
DROP TABLE to_one, to_all, c, c_p0;

-- A share of the table by its rows, where they were counted; of those never counted, by their size.
CREATE TABLE s (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE s_p0 PARTITION OF s FOR VALUES FROM (0) TO (1000);
CREATE TABLE s_p1000 PARTITION OF s FOR VALUES FROM (1000) TO (2000);
CREATE TABLE s_p2000 PARTITION OF s FOR VALUES FROM (2000) TO (3000);
-- Few bytes and many rows come first.
INSERT INTO s SELECT g FROM generate_series(0, 899) g;
INSERT INTO s SELECT g, repeat('x', 1500) FROM generate_series(1000, 2099, 11) g;
SELECT set_partition_policy('s', '1000', premake => 0, retention => '10', retention_action => 'detach');
SET pg_partman_rs.retention_max_share = 60;
SELECT * FROM tests.made('s', true);
ANALYZE s;
SELECT * FROM tests.made('s', true);
SET pg_partman_rs.retention_max_share = 95;
SELECT * FROM tests.made('s', true);
RESET pg_partman_rs.retention_max_share;
DROP TABLE s;

-- Whether there is to be a default partition. It takes after the last one; nobody waits for it.
SET ROLE regress_owner;
CREATE TABLE w (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE INDEX w_i ON w ((id % 2));
CREATE TABLE w_p0 PARTITION OF w FOR VALUES FROM (0) TO (10) WITH (fillfactor = 70);
GRANT SELECT ON w, w_p0 TO regress_other;
CREATE TABLE w_default (id int);
RESET ROLE;
SELECT set_partition_policy('w', premake => 0);
SELECT * FROM tests.made('w');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'w'::regclass;
SELECT set_partition_policy('w', default_partition => true);
SELECT default_partition FROM partman_rs.policies WHERE parent = 'w'::regclass;
SELECT verdict, reason, next_command FROM partman_rs.health WHERE parent = 'w'::regclass;
SELECT * FROM tests.made('w', true);
BEGIN;
SELECT * FROM tests.made('w');
SELECT mode AS lock_of_table FROM tests.locks('w');
SELECT mode AS lock_of_other FROM tests.locks('w_p0') WHERE mode LIKE '%Exclusive%';
COMMIT;
INSERT INTO w VALUES (77);
SELECT c.oid::regclass, c.relowner::regrole, pg_get_expr(c.relpartbound, c.oid), c.reloptions, has_table_privilege('regress_other', c.oid, 'SELECT') AS granted,
       (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid) AS indexes, (SELECT count(*) FROM w WHERE tableoid = c.oid) AS rows
  FROM pg_class c JOIN pg_inherits ON inhrelid = c.oid WHERE inhparent = 'w'::regclass ORDER BY c.relname;
DELETE FROM w;
SELECT * FROM tests.made('w');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'w'::regclass;
-- What is said once stays; and false makes nothing, but takes nothing away either.
SELECT set_partition_policy('w', premake => 0);
SELECT set_partition_policy('w', default_partition => false);
SELECT * FROM tests.made('w');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'w'::regclass;
SELECT format('ALTER TABLE w DETACH PARTITION %s', inhrelid::regclass) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
 WHERE inhparent = 'w'::regclass AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' \gexec
SELECT * FROM tests.made('w');
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'w'::regclass;
-- Either will do again.
SELECT set_partition_policy('w', default_partition_optional => true);
SELECT default_partition FROM partman_rs.policies WHERE parent = 'w'::regclass;
SELECT * FROM tests.made('w');
CREATE TABLE w_anew PARTITION OF w DEFAULT;
SELECT verdict, reason FROM partman_rs.health WHERE parent = 'w'::regclass;
SELECT tests.refusal($$SELECT set_partition_policy('w', default_partition => true, default_partition_optional => true)$$);
SELECT set_partition_policy('w', default_partition => true, default_partition_optional => false);
SELECT default_partition FROM partman_rs.policies WHERE parent = 'w'::regclass;
DROP TABLE w;

DROP FUNCTION tests.made, tests.locks;
DROP OWNED BY regress_owner, regress_other;
DROP ROLE regress_owner, regress_other;
SELECT count(*) FROM ensure_partitions();
TABLE tests.residue;
