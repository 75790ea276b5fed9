-- Two tables on which everything hangs that can hang on a table, each class of it at least twice, under names that
-- need care. Run by psql as a superuser, in an empty database that belongs to app. Who adds a class adds what uses
-- it to behaviour.sql, and what becomes of it otherwise than before, with the reason, to expected.txt.
-- Rows with an id below 1000 are the behaviour's; those above are the load's.
CREATE ROLE "Röle ""one""" NOLOGIN;
CREATE ROLE "role two" NOLOGIN;
CREATE ROLE stranger NOLOGIN;
GRANT "Röle ""one""", "role two", stranger TO app;
CREATE SCHEMA "Sch""ema 😀" AUTHORIZATION app;
CREATE SCHEMA elsewhere AUTHORIZATION app;
GRANT USAGE ON SCHEMA "Sch""ema 😀", elsewhere TO "Röle ""one""", "role two", stranger;
GRANT ALL ON SCHEMA public TO app;
SET ROLE app;
SET search_path = "Sch""ema 😀", public;
SET client_min_messages = warning;

-- Types and functions that columns, defaults and indexes use.
CREATE TYPE "Mood 'x'" AS ENUM ('so', 'la "la"');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE COLLATION "Col lation" FROM "C";
CREATE FUNCTION "half of"(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN $1 / 2;
CREATE SEQUENCE "shared ""seq""" INCREMENT 5 START 1000000 CACHE 1;
CREATE SEQUENCE "owned 😀" START 500000;

-- What foreign keys point at.
CREATE TABLE "Customer" (id int PRIMARY KEY, region int NOT NULL DEFAULT 1, UNIQUE (region, id));
CREATE TABLE elsewhere."pay er" (code text COLLATE "C" PRIMARY KEY, alt int UNIQUE);
INSERT INTO "Customer" SELECT i, i % 3 FROM generate_series(1, 300) i;
INSERT INTO elsewhere."pay er" SELECT 'p' || i, i FROM generate_series(1, 300) i;

-- What a policy reads.
CREATE TABLE allowed AS SELECT 7 * i AS id FROM generate_series(1, 20) i;
GRANT SELECT ON allowed TO PUBLIC;

-- What triggers write to, and the image of all rows that they keep.
CREATE TABLE noted (at bigserial, who text, what text, about bigint);
CREATE TABLE mirror (tab text, id bigint, image jsonb, PRIMARY KEY (tab, id));
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = "Sch""ema 😀", pg_temp AS $$
BEGIN
    INSERT INTO noted (who, what, about) VALUES (TG_NAME, concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, TG_TABLE_NAME ~ '_p[0-9]' AND TG_LEVEL = 'STATEMENT', TG_ARGV[0]),
        CASE WHEN TG_LEVEL = 'ROW' THEN coalesce((to_jsonb(NEW) ->> 'id')::bigint, (to_jsonb(OLD) ->> 'id')::bigint) END);
    RETURN coalesce(NEW, OLD);
END $$;
CREATE FUNCTION "note, all of them"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = "Sch""ema 😀", pg_temp AS $$
DECLARE n bigint;
BEGIN
    -- One of the two, or both.
    IF TG_OP = 'DELETE' THEN SELECT count(*) INTO n FROM was; ELSE SELECT count(*) INTO n FROM "Is"; END IF;
    INSERT INTO noted (who, what, about) VALUES (TG_NAME, TG_OP, n);
    RETURN NULL;
END $$;
CREATE FUNCTION keep_image() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = "Sch""ema 😀", pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM mirror WHERE tab = TG_ARGV[0] AND id = OLD.id AND image = to_jsonb(OLD);
        IF NOT FOUND THEN RAISE 'row % of % was never seen', OLD.id, TG_ARGV[0]; END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO mirror VALUES (TG_ARGV[0], NEW.id, to_jsonb(NEW));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION refuse_odd() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount = 13.13 THEN RAISE 'unlucky' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME; END IF;
    RETURN NULL;
END $$;

-- The first: its name has 63 bytes, it is partitioned by a time which is in no key, and its replica identity is an index.
CREATE TABLE :A (
    gone int,
    id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "i'dentity 😀" START 2000 INCREMENT 3 CACHE 1),
    "At" timestamptz NOT NULL DEFAULT '2026-03-15 12:00+00',
    "Ünï ""text""" text COLLATE "Col lation" DEFAULT 'dé''fault',
    "gone, too" text,
    amount numeric(12,2) NOT NULL DEFAULT 1.5,
    tags text[] DEFAULT ARRAY['a', NULL, 'c "d"'],
    doc jsonb,
    net numeric GENERATED ALWAYS AS ("half of"(amount)) STORED,
    "up per" text GENERATED ALWAYS AS (upper("Ünï ""text""")) STORED,
    shared int DEFAULT nextval('"shared ""seq"""'),
    owned int DEFAULT nextval('"owned 😀"'),
    mood "Mood 'x'" DEFAULT 'so',
    pos positive,
    customer int,
    region int,
    payer text COLLATE "C",
    alt int,
    CONSTRAINT "Pri mary" PRIMARY KEY (id),
    CONSTRAINT "amount is 😀" CHECK (amount > -1000),
    CONSTRAINT "neither ""this""" CHECK ("Ünï ""text""" <> 'forbidden' AND "At" > '2000-01-01 00:00+00')
);
ALTER TABLE :A DROP gone, DROP "gone, too", ADD "added later" int NOT NULL DEFAULT 7;
ALTER SEQUENCE "owned 😀" OWNED BY :A.owned;

-- The second: partitioned by its key, of which a column was added when it had rows; replica identity FULL.
CREATE TABLE :B (
    id bigserial CONSTRAINT "B key" PRIMARY KEY,
    v text DEFAULT 'v',
    gone int DEFAULT 5,
    amount numeric DEFAULT nextval('"shared ""seq"""'),
    a bigint,
    customer int DEFAULT 1,
    twice int GENERATED ALWAYS AS (customer * 2) STORED,
    span int4range,
    bits bit varying(12) DEFAULT B'101',
    second int GENERATED BY DEFAULT AS IDENTITY,
    CONSTRAINT "sec ond" UNIQUE (id, second) DEFERRABLE INITIALLY DEFERRED
);

-- The image of all rows, from the first on.
CREATE TRIGGER "zz image" AFTER INSERT OR UPDATE OR DELETE ON :A FOR EACH ROW EXECUTE FUNCTION keep_image('A');
CREATE TRIGGER "zz image" AFTER INSERT OR UPDATE OR DELETE ON :B FOR EACH ROW EXECUTE FUNCTION keep_image('B');

INSERT INTO :A
       (id, "At", "Ünï ""text""", amount, doc, pos, customer, region, payer, alt)
    OVERRIDING SYSTEM VALUE
SELECT i, '2026-01-10 00:00+00'::timestamptz + i % 100 * interval '1 day', CASE WHEN i % 97 = 0 THEN repeat('x', 4000) ELSE 'text ' || i END,
       i % 50, jsonb_build_object('i', i, 'long', repeat(md5(i::text), i % 90)), 1 + i % 9, 1 + i % 290, (1 + i % 290) % 3, 'p' || 1 + i % 290, 1 + i % 290
  FROM generate_series(1, 1999) i;
INSERT INTO :B (id, v, a, customer, span)
SELECT i, 'b ' || i, i, 1 + i % 290, int4range(i, i + 5) FROM generate_series(1, 1999) i;
-- Constraints that some rows violate.
ALTER TABLE :A ADD CONSTRAINT "not ""valid""" CHECK (id <> 901) NOT VALID;
ALTER TABLE :B ADD CONSTRAINT "not 900" CHECK (v <> 'b 900') NOT VALID;
COMMENT ON CONSTRAINT "not 900" ON :B IS 'not for all';
SELECT setval(pg_get_serial_sequence(:'B', 'id'), 2000) \g /dev/null
ALTER TABLE :B DROP gone, ADD late text COLLATE "POSIX" DEFAULT 'made late';
UPDATE mirror SET image = to_jsonb(b) FROM :B b WHERE b.id = mirror.id AND tab = 'B';

-- Indexes of all kinds.
CREATE UNIQUE INDEX "identity index" ON :A ("At", id) INCLUDE (amount);
CREATE INDEX "Ex pression" ON :A (lower("Ünï ""text""") DESC NULLS LAST, ("half of"(amount)) NULLS FIRST) WITH (fillfactor = 71);
CREATE INDEX "par tial" ON :A ("Ünï ""text""" COLLATE "POSIX" text_pattern_ops) WHERE mood = 'so' AND amount > 3;
CREATE INDEX "gin 😀" ON :A USING gin (doc jsonb_path_ops, tags) WITH (fastupdate = off);
CREATE INDEX an_index_whose_name_is_as_long_as_a_name_may_be_that_is_63_byte ON :A USING brin ("At") WITH (pages_per_range = 8);
CREATE INDEX "hash" ON :A USING hash (payer);
CREATE INDEX "gist" ON :B USING gist (span);
CREATE UNIQUE INDEX "nulls ""alike""" ON :B (id, a) NULLS NOT DISTINCT;
CREATE INDEX "by customer" ON :B (customer) INCLUDE (v);
ALTER INDEX "Ex pression" ALTER COLUMN 1 SET STATISTICS 55;
ALTER TABLE :A REPLICA IDENTITY USING INDEX "identity index";
ALTER TABLE :B REPLICA IDENTITY FULL;
ALTER TABLE :A CLUSTER ON "identity index";
ALTER TABLE :B CLUSTER ON "by customer";

-- Settings of columns, relations and their TOAST.
ALTER TABLE :A
    ALTER "Ünï ""text""" SET STORAGE EXTERNAL, ALTER doc SET COMPRESSION pglz, ALTER amount SET STATISTICS 321,
    ALTER customer SET (n_distinct = -0.25, n_distinct_inherited = 300),
    SET (fillfactor = 77, autovacuum_vacuum_threshold = 1234, parallel_workers = 3, toast.autovacuum_vacuum_scale_factor = 0.17, user_catalog_table = false);
ALTER TABLE :B
    ALTER v SET STORAGE MAIN, ALTER v SET STATISTICS 11, ALTER a SET (n_distinct = 5), SET (autovacuum_enabled = off, toast_tuple_target = 256, toast.log_autovacuum_min_duration = 7);

-- Foreign keys, with each action, match and deferrability.
ALTER TABLE :A
    ADD CONSTRAINT "cas cades" FOREIGN KEY (customer) REFERENCES "Customer" ON DELETE CASCADE ON UPDATE CASCADE,
    ADD CONSTRAINT "both 😀" FOREIGN KEY (region, customer) REFERENCES "Customer" (region, id) MATCH FULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT "sets ""null""" FOREIGN KEY (payer) REFERENCES elsewhere."pay er" ON DELETE SET NULL ON UPDATE SET DEFAULT,
    ADD CONSTRAINT "restr'icts" FOREIGN KEY (alt) REFERENCES elsewhere."pay er" (alt) ON DELETE RESTRICT DEFERRABLE;
ALTER TABLE :B
    ADD CONSTRAINT "to default" FOREIGN KEY (customer) REFERENCES "Customer" ON DELETE SET DEFAULT ON UPDATE NO ACTION,
    ADD CONSTRAINT "again" FOREIGN KEY (customer) REFERENCES "Customer" ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED;

-- And those that point at the second, its own among them.
ALTER TABLE :B ADD parent bigint, ADD "pre vious" bigint;
UPDATE mirror SET image = to_jsonb(b) FROM :B b WHERE b.id = mirror.id AND tab = 'B';
UPDATE :B SET parent = id - 1, "pre vious" = id - 2 WHERE id BETWEEN 300 AND 320;
ALTER TABLE :B
    ADD CONSTRAINT "to it self" FOREIGN KEY (parent) REFERENCES :B ON DELETE SET NULL ON UPDATE CASCADE,
    ADD CONSTRAINT "self 😀" FOREIGN KEY ("pre vious") REFERENCES :B DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE "points at B" (nr int PRIMARY KEY, b bigint CONSTRAINT "in 😀" REFERENCES :B ON DELETE CASCADE ON UPDATE CASCADE,
                            b2 bigint CONSTRAINT "in, too" REFERENCES :B DEFERRABLE INITIALLY DEFERRED);
INSERT INTO "points at B" SELECT i, 10 + i, 200 + i FROM generate_series(1, 50) i;
COMMENT ON CONSTRAINT "to it self" ON :B IS 'a key to itself';
COMMENT ON CONSTRAINT "in 😀" ON "points at B" IS 'a key that points at it';

-- Triggers of each kind and state.
CREATE TRIGGER " ON " BEFORE INSERT OR UPDATE OF "Ünï ""text""", tags ON :A FOR EACH ROW
    WHEN (NEW."Ünï ""text""" <> ' ON "Sch""ema 😀"."B.b" ') EXECUTE FUNCTION note('an arg''ument', '\');
CREATE TRIGGER "after 😀" AFTER UPDATE ON :A FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note();
CREATE TRIGGER statement AFTER UPDATE ON :A REFERENCING OLD TABLE AS was NEW TABLE AS "Is" FOR EACH STATEMENT EXECUTE FUNCTION "note, all of them"();
CREATE TRIGGER statement AFTER DELETE ON :B REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION "note, all of them"();
CREATE TRIGGER "before all" BEFORE INSERT OR UPDATE OR DELETE ON :B FOR EACH STATEMENT EXECUTE FUNCTION note('all');
CREATE TRIGGER truncated AFTER TRUNCATE ON :B EXECUTE FUNCTION note();
CREATE TRIGGER truncated BEFORE TRUNCATE ON :A EXECUTE FUNCTION note();
ALTER TRIGGER truncated ON :B DEPENDS ON EXTENSION plpgsql;
ALTER TRIGGER truncated ON :A DEPENDS ON EXTENSION plpgsql;
CREATE CONSTRAINT TRIGGER "un lucky" AFTER INSERT OR UPDATE ON :A DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_odd();
CREATE CONSTRAINT TRIGGER "un lucky" AFTER INSERT ON :B FROM "Customer" DEFERRABLE FOR EACH ROW WHEN (NEW.amount > 0) EXECUTE FUNCTION refuse_odd();
CREATE TRIGGER off BEFORE DELETE ON :A FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER DELETE ON :A FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER replica AFTER DELETE ON :A FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER off AFTER INSERT ON :B FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER always BEFORE UPDATE OF v ON :B FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER replica AFTER INSERT ON :B FOR EACH STATEMENT EXECUTE FUNCTION note();
ALTER TABLE :A DISABLE TRIGGER off, ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, ENABLE ALWAYS TRIGGER "zz image";
ALTER TABLE :B DISABLE TRIGGER off, ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica;

-- Row-level security: of the first also for its owner; policies for three roles, here and elsewhere.
CREATE POLICY owners ON :A TO app USING (true);
CREATE POLICY "few 😀" ON :A FOR SELECT TO "Röle ""one""", "role two"
    USING (id < 40 OR EXISTS (SELECT FROM allowed a WHERE a.id = :A.id));
CREATE POLICY "re stricts" ON :A AS RESTRICTIVE TO PUBLIC
    USING (amount < 900) WITH CHECK (amount < 800);
CREATE POLICY "writes" ON :A FOR INSERT TO "role two" WITH CHECK (id > 100);
CREATE POLICY "up dates" ON :A FOR UPDATE TO "Röle ""one""" USING (id % 2 = 0) WITH CHECK ("At" < '2027-01-01 00:00+00');
CREATE POLICY "of B" ON :B FOR SELECT TO "Röle ""one""", "role two", stranger
    USING (EXISTS (SELECT FROM :A t WHERE t.id = "B.b".a) OR id < 5);
CREATE POLICY "of B, too" ON :B FOR DELETE TO PUBLIC USING (current_user = 'role two');
CREATE POLICY "mentions" ON "Customer" FOR SELECT USING ((SELECT max(t.amount) FROM :B t WHERE t.customer = "Customer".id) IS NOT NULL OR current_user = 'app');
CREATE POLICY "mentions" ON elsewhere."pay er" FOR ALL TO "role two" USING (alt IN (SELECT t.alt FROM :A t)) WITH CHECK (alt > (SELECT count(*) FROM :B));
ALTER TABLE :A ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE :B ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Customer" ENABLE ROW LEVEL SECURITY;
ALTER TABLE elsewhere."pay er" ENABLE ROW LEVEL SECURITY;

-- Rules here and elsewhere.
CREATE RULE "al so" AS ON UPDATE TO :A WHERE OLD.id = 5 DO ALSO INSERT INTO noted (who, about) VALUES ('rule', OLD.id + NEW.amount);
CREATE RULE "off 😀" AS ON DELETE TO :A DO INSTEAD NOTHING;
ALTER TABLE :A DISABLE RULE "off 😀";
CREATE RULE protected AS ON DELETE TO :B WHERE OLD.id = 7 DO INSTEAD NOTHING;
CREATE RULE follows AS ON DELETE TO "Customer" DO ALSO UPDATE :B SET v = 'followed' WHERE customer = OLD.id;
CREATE RULE "follows, too" AS ON UPDATE TO elsewhere."pay er" WHERE NEW.alt = 999 DO ALSO
    INSERT INTO noted (who, about) SELECT 'follows', count(*) FROM :A WHERE id < 1000;
ALTER TABLE elsewhere."pay er" ENABLE ALWAYS RULE "follows, too";

-- Views upon views, three deep, with defaults, triggers, rules and options of their own.
CREATE VIEW "view ""1""" (nr, "Téxt", amount, "when") WITH (security_barrier, check_option = cascaded) AS
    SELECT id, "Ünï ""text""", amount, "At" FROM :A WHERE amount >= 0;
ALTER VIEW "view ""1""" ALTER "Téxt" SET DEFAULT 'by the view';
CREATE VIEW elsewhere."view 2" WITH (security_invoker) AS SELECT v.nr, v."Téxt", b.v AS "of B" FROM "view ""1""" v JOIN :B b ON b.a = v.nr;
CREATE VIEW "view 3" AS SELECT count(*) AS n, max(two.nr) AS "max" FROM elsewhere."view 2" two, :A t WHERE t.id = two.nr AND t.id < 1000;
CREATE VIEW whole AS SELECT t.* FROM (SELECT id, v FROM :B) t;
CREATE VIEW locked AS SELECT id, v FROM :B WHERE id < 1000 FOR UPDATE;
CREATE RECURSIVE VIEW counted (n) AS SELECT min(id) FROM :B UNION ALL SELECT n + 1 FROM counted WHERE n < 4;
CREATE RULE "in stead" AS ON DELETE TO whole DO INSTEAD DELETE FROM :B WHERE id = OLD.id;
CREATE RULE "_RETURN 2" AS ON INSERT TO locked DO INSTEAD INSERT INTO :B (id, v) VALUES (NEW.id, NEW.v || '!');
CREATE FUNCTION on_view() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE "Sch""ema 😀"."view ""1""" SET amount = amount + 1 WHERE nr = OLD.nr; RETURN NEW; END $$;
CREATE TRIGGER "in stead" INSTEAD OF UPDATE ON elsewhere."view 2" FOR EACH ROW EXECUTE FUNCTION on_view();

-- Materialized views with indexes, and views upon them.
CREATE MATERIALIZED VIEW "Held 😀" (i, "T") WITH (fillfactor = 60) AS SELECT id, max("Ünï ""text""") FROM :A WHERE id < 1000 GROUP BY id;
CREATE UNIQUE INDEX "held key" ON "Held 😀" (i);
CREATE INDEX "held text" ON "Held 😀" (lower("T")) WHERE i > 3;
ALTER MATERIALIZED VIEW "Held 😀" CLUSTER ON "held key";
ALTER MATERIALIZED VIEW "Held 😀" ALTER i SET STATISTICS 12;
CREATE MATERIALIZED VIEW elsewhere.unfilled AS SELECT count(*) AS n, sum(h.i) AS s FROM :B b JOIN "Held 😀" h ON h.i = b.id WITH NO DATA;
CREATE INDEX ON elsewhere.unfilled (n);
CREATE VIEW over_held AS SELECT count(*) AS n, max(i) AS i FROM "Held 😀";

-- Functions and procedures with a parsed body, and those that take or return rows.
CREATE FUNCTION "counts 😀"(above bigint DEFAULT 0) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET work_mem = '1MB'
    BEGIN ATOMIC SELECT count(*) FROM :A WHERE id BETWEEN above AND 999; END;
CREATE FUNCTION elsewhere.totals(OUT n bigint, OUT "Sum" numeric) LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT count(*), sum(b.id) FROM :B b JOIN "view ""1""" v ON v.nr = b.a WHERE v.nr < 1000; END;
CREATE PROCEDURE deletes(which bigint) LANGUAGE sql
    BEGIN ATOMIC DELETE FROM :A WHERE id = which; DELETE FROM :B WHERE id = which; END;
CREATE PROCEDURE elsewhere."moves it"(which bigint, "to" timestamptz) LANGUAGE sql
    BEGIN ATOMIC UPDATE :A SET "At" = "to" WHERE id = which; END;
CREATE FUNCTION label(:A) RETURNS text LANGUAGE sql STABLE AS $$SELECT $1."Ünï ""text""" || '!'$$;
CREATE FUNCTION latest(n int DEFAULT 2) RETURNS SETOF :B LANGUAGE plpgsql STABLE ROWS 5 AS
    'BEGIN RETURN QUERY SELECT * FROM elsewhere."B.b" WHERE id < 1000 ORDER BY id DESC LIMIT n; END';
CREATE PROCEDURE takes(INOUT n bigint, VARIADIC :B[]) LANGUAGE plpgsql AS 'BEGIN n := n + array_length($2, 1); END';
REVOKE ALL ON FUNCTION "counts 😀", latest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "counts 😀" TO "Röle ""one""";
GRANT EXECUTE ON FUNCTION latest TO "Röle ""one""" WITH GRANT OPTION;

-- Statistics.
CREATE STATISTICS "sta tistics" (ndistinct, mcv) ON id, customer FROM :A;
CREATE STATISTICS elsewhere."ex pression" ON ("half of"(amount)) FROM :A;
CREATE STATISTICS "of ""B""" (dependencies) ON customer, (a % 10), v FROM :B;
ALTER STATISTICS "sta tistics" SET STATISTICS 77;
ALTER STATISTICS "of ""B""" SET STATISTICS 0;

-- Publications.
CREATE PUBLICATION "Pub ""one""" FOR TABLE :A (id, "At", "Ünï ""text""") WHERE ("At" > '2026-02-01 00:00+00' AND id <> 7), TABLE "Customer" WITH (publish_via_partition_root);
CREATE PUBLICATION "pub 😀" FOR TABLE :B WHERE (v <> 'secret' OR customer > 3) WITH (publish_via_partition_root);
-- Since 18 the generated column, which is among the replica identity, must be.
SELECT current_setting('server_version_num')::int >= 180000 AS is_18 \gset
\if :is_18
    ALTER PUBLICATION "pub 😀" SET (publish_generated_columns = stored);
\endif
CREATE PUBLICATION inserts FOR TABLE :B (id, v), :A WHERE (amount > 3) WITH (publish_via_partition_root, publish = 'insert, truncate');

-- Privileges, of columns too; sequences have their own. What is made later is everybody's, which must not reach the partitions.
GRANT SELECT, INSERT, UPDATE ON :A TO "role two";
GRANT SELECT, UPDATE (amount, "At"), REFERENCES (id) ON :A TO "Röle ""one""";
GRANT SELECT ON :B TO "Röle ""one""" WITH GRANT OPTION;
SET ROLE "Röle ""one""";
GRANT SELECT ON :B TO stranger;
SET ROLE app;
GRANT SELECT (id, v, twice), DELETE ON :B TO "role two";
REVOKE TRUNCATE ON :B FROM app;
GRANT USAGE ON SEQUENCE "owned 😀" TO "role two";
GRANT SELECT ON SEQUENCE elsewhere."B.b_id_seq", "shared ""seq""" TO stranger;
GRANT USAGE ON SEQUENCE "shared ""seq""" TO "role two";
GRANT SELECT (nr) ON "view ""1""" TO "Röle ""one""";
GRANT SELECT ON elsewhere."view 2", "view 3", "Held 😀" TO "Röle ""one""", stranger WITH GRANT OPTION;
GRANT SELECT ON "Customer", elsewhere."pay er" TO "Röle ""one""", "role two", stranger;
GRANT SELECT (id) ON :A TO stranger;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA elsewhere, "Sch""ema 😀" GRANT SELECT, DELETE ON TABLES TO stranger WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO stranger;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Sch""ema 😀" GRANT EXECUTE ON FUNCTIONS TO stranger;

-- Comments on everything.
COMMENT ON TABLE :A IS E'the first''s\ncomment 😀';
COMMENT ON TABLE :B IS 'the second';
COMMENT ON COLUMN :A."Ünï ""text""" IS 'a "column"';
COMMENT ON COLUMN :B.twice IS 'generated';
COMMENT ON CONSTRAINT "Pri mary" ON :A IS 'a key';
COMMENT ON CONSTRAINT "amount is 😀" ON :A IS 'a check';
COMMENT ON CONSTRAINT "cas cades" ON :A IS 'a foreign key';
COMMENT ON CONSTRAINT "again" ON :B IS 'one more';
COMMENT ON CONSTRAINT "sec ond" ON :B IS 'deferred';
COMMENT ON INDEX "identity index" IS 'an index';
COMMENT ON INDEX "Pri mary" IS 'an index of a key';
COMMENT ON INDEX elsewhere."gist" IS 'another';
COMMENT ON TRIGGER " ON " ON :A IS 'a trigger';
COMMENT ON TRIGGER "un lucky" ON :B IS 'a constraint trigger';
COMMENT ON POLICY "few 😀" ON :A IS 'a policy';
COMMENT ON POLICY "of B" ON :B IS 'a policy';
COMMENT ON POLICY "mentions" ON "Customer" IS 'a policy elsewhere';
COMMENT ON RULE "al so" ON :A IS 'a rule';
COMMENT ON RULE protected ON :B IS 'a rule';
COMMENT ON RULE follows ON "Customer" IS 'a rule elsewhere';
COMMENT ON VIEW "view ""1""" IS 'a view';
COMMENT ON COLUMN "view ""1"""."Téxt" IS 'a column of a view';
COMMENT ON VIEW "view 3" IS 'three deep';
COMMENT ON MATERIALIZED VIEW "Held 😀" IS 'held';
COMMENT ON COLUMN "Held 😀"."T" IS 'held column';
COMMENT ON INDEX "held key" IS 'an index of a materialized view';
COMMENT ON TRIGGER "in stead" ON elsewhere."view 2" IS 'a trigger of a view';
COMMENT ON RULE "in stead" ON whole IS 'a rule of a view';
COMMENT ON FUNCTION "counts 😀" IS 'counts';
COMMENT ON PROCEDURE deletes IS 'deletes';
COMMENT ON FUNCTION label IS 'of a row';
COMMENT ON PROCEDURE takes IS 'takes rows';
COMMENT ON STATISTICS "sta tistics" IS 'statistics';
COMMENT ON STATISTICS "of ""B""" IS 'statistics';
COMMENT ON SEQUENCE "owned 😀" IS 'a sequence';
COMMENT ON SEQUENCE elsewhere."B.b_id_seq" IS 'a serial''s';
COMMENT ON SEQUENCE "i'dentity 😀" IS 'an identity''s';
COMMENT ON PUBLICATION "Pub ""one""" IS 'a publication';
ANALYZE :A, :B;
RESET ROLE;
