-- A partition and all below it: what a new one is made like, a row for each table.
-- Who runs it: maintenance, when a partition is made. Locks: ACCESS SHARE on system catalogs, and since 17 on the tables while bounds
-- are written down. Rows: one for each level and partition below one partition.
WITH RECURSIVE tree (oid, parent) AS (
  SELECT $1::oid, NULL::oid
   UNION ALL
  -- By index, here and below: OFFSET keeps it from being a join, for which all relations of the database would be read.
  SELECT i.inhrelid, i.inhparent
    FROM tree t
   CROSS JOIN LATERAL (SELECT i.* FROM pg_inherits i WHERE i.inhparent = t.oid AND NOT i.inhdetachpending OFFSET 0) i
)
SELECT c.oid, t.parent, c.relname::text, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(p.partrelid), p.partstrat,
       -- Whether it divides by the column that the table divides by: PostgreSQL notes the columns of a key as a part of the table.
       EXISTS (SELECT FROM pg_depend d JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attname = $2::name
                WHERE d.classid = 'pg_class'::regclass AND d.objid = p.partrelid
                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.partrelid AND d.refobjsubid = 0 AND d.deptype = 'i'),
       CASE WHEN c.relkind <> 'f' THEN
         coalesce(c.reloptions, '{}') || coalesce((SELECT array_agg('toast.' || o) FROM unnest(s.reloptions) o), '{}') END,
       m.amname::text, l.spcname::text, CASE WHEN c.relkind <> 'f' THEN c.relreplident::text END,
       -- Of a partitioned table it means nothing, and cannot be since 18.
       c.relpersistence = 'u' AND c.relkind = 'r'
  FROM tree t
  CROSS JOIN LATERAL (SELECT c.* FROM pg_class c WHERE c.oid = t.oid OFFSET 0) c
  LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
  LEFT JOIN pg_am m ON m.oid = c.relam
  LEFT JOIN pg_tablespace l ON l.oid = c.reltablespace
  LEFT JOIN LATERAL (SELECT s.reloptions FROM pg_class s WHERE s.oid = c.reltoastrelid OFFSET 0) s ON true
 ORDER BY pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.relname COLLATE "C"
