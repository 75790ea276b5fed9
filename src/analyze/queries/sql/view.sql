-- Where pg_stat_statements shows its view, and how it calls the time; a view that is not the extension's own is not taken for it.
-- Who runs it: whoever asks. Locks: none on tables. Row: schema, name of the column with the total time, whether it may be read.
SELECT n.nspname::text,
       (SELECT a.attname::text FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attname IN ('total_exec_time', 'total_time') AND NOT a.attisdropped
         ORDER BY a.attname LIMIT 1),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  FROM pg_extension e
  JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                  AND d.classid = 'pg_class'::regclass
  JOIN pg_class c ON c.oid = d.objid AND c.relname = 'pg_stat_statements' AND c.relkind = 'v'
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE e.extname = 'pg_stat_statements'
