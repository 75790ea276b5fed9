-- Run once in each test database, by the role that owns it. Takes no lock that matters.
--
-- One row says: operation `op` put the row `image` into the table, in place of the row that
-- operation `before` had put there. A deletion has no image, an insertion no predecessor.
CREATE SCHEMA rig;

CREATE TABLE rig.ledger (
    op     bigint PRIMARY KEY,
    before bigint,
    kind   text NOT NULL,
    number bigint,
    image  text,
    xid    xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE INDEX ON rig.ledger (before) WHERE before IS NOT NULL;

-- Ids of the entries that a TRUNCATE makes; clients count upwards from 0, seeds downwards.
CREATE SEQUENCE rig.truncated INCREMENT -1 START -1000000000000 MAXVALUE -1;

-- A whole row as text; long ones cut and hashed, so that the ledger stays small.
CREATE FUNCTION rig.image(row_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN length(row_text) <= 600 THEN row_text
               ELSE left(row_text, 300) || '... md5 ' || md5(row_text) END $$;

-- What the table must hold: every image that no other entry took the place of.
CREATE VIEW rig.expected AS
SELECT l.op, l.number, l.image
  FROM rig.ledger l
 WHERE l.image IS NOT NULL
   AND NOT EXISTS (SELECT FROM rig.ledger later WHERE later.before = l.op);
