-- Sizes as the statistics have them, of a table ($1, first) and its indexes.
-- Who runs it: whoever asks. Locks: none.
SELECT c.oid, c.relpages::float8, greatest(c.reltuples, 0)::float8, c.relallvisible::float8
  FROM pg_class c
 WHERE c.oid = $1 OR c.oid IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = $1)
 ORDER BY c.oid <> $1, c.oid
