-- The names by which statements reach a table: its own, and those of the views over it.
-- Who runs it: whoever asks. Locks: none.
WITH RECURSIVE reached(oid) AS (
    SELECT $1::oid
     UNION
    SELECT w.ev_class FROM reached r
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_rewrite w ON w.oid = d.objid
)
SELECT DISTINCT c.relname::text FROM reached r JOIN pg_class c ON c.oid = r.oid ORDER BY 1
