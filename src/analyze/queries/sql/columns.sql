-- The columns of a table as CREATE TABLE takes them, in the order of their numbers, with a column in the place of each that was
-- dropped: so that another table can have the same numbers. Values are kept in the row, so that no TOAST table is needed.
-- Who runs it: the table's owner. Locks: ACCESS SHARE on the table for the moment that expressions are written down.
-- Rows: name, definition, whether it is to be dropped, whether it is stored in a form that can be told to stay in the row.
SELECT CASE WHEN a.attisdropped THEN format('dropped.%s', a.attnum) ELSE a.attname::text END,
       CASE WHEN a.attisdropped THEN 'integer'
            ELSE format_type(a.atttypid, a.atttypmod)
                 || coalesce((SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                                FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                               WHERE l.oid = a.attcollation), '')
                 -- A virtual column is computed where it is read, so that the planner looks into it.
                 || CASE WHEN a.attgenerated = 'v' THEN format(' GENERATED ALWAYS AS (%s) VIRTUAL', pg_get_expr(f.adbin, f.adrelid)) ELSE '' END
       END,
       a.attisdropped,
       NOT a.attisdropped AND a.attlen = -1 AND a.attgenerated <> 'v' AND t.typstorage <> 'p'
  FROM pg_attribute a
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
 WHERE a.attrelid = $1 AND a.attnum > 0
 ORDER BY a.attnum
