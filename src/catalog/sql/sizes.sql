-- How large a table and its indexes are: one document.
-- Who runs it: the table's owner, who sees the statistics. Locks: ACCESS SHARE on the table and its indexes while their
-- sizes are taken. Rows and their width come from the planner: see size.rs.
WITH t AS MATERIALIZED (
    SELECT c.oid, c.relname, n.nspname, c.reltuples, c.reltoastrelid
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
), width AS MATERIALIZED (
    -- Of the table's columns; and of expressions, which the statistics keep under the index.
    SELECT s.tablename, s.attname, s.avg_width * (1 - s.null_frac) AS bytes
      FROM pg_stats s
     WHERE s.schemaname = (SELECT t.nspname FROM t) AND NOT s.inherited
       AND s.tablename IN (SELECT t.relname FROM t
                           UNION SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = $1)
)
SELECT jsonb_build_object(
         'table_bytes', pg_relation_size(t.oid),
         'toast_bytes', CASE WHEN t.reltoastrelid <> 0 THEN pg_total_relation_size(t.reltoastrelid) ELSE 0 END,
         'indexes', coalesce((
             SELECT jsonb_agg(jsonb_build_object(
                      'oid', x.oid::int8,
                      'bytes', pg_relation_size(x.oid),
                      'part', CASE WHEN x.reltuples >= 0 AND t.reltuples > 0 THEN least(x.reltuples / t.reltuples, 1) END,
                      'key_width', (
                          SELECT CASE WHEN count(w.bytes) = count(*) THEN sum(w.bytes) END
                            FROM pg_attribute a
                            LEFT JOIN pg_attribute of_table ON of_table.attrelid = t.oid AND of_table.attnum > 0
                                                           AND of_table.attnum = i.indkey[a.attnum - 1]
                            LEFT JOIN width w ON CASE WHEN of_table.attnum IS NULL
                                                      THEN w.tablename = x.relname AND w.attname = a.attname
                                                      ELSE w.tablename = t.relname AND w.attname = of_table.attname END
                           WHERE a.attrelid = x.oid)))
               FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = t.oid), '[]'))
  FROM t
