-- Sizes and counters of given relations, or of all tables that could be converted: a document for each.
-- $1: the relations, or none for all. $2: tables of which a conversion is under way.
-- Who runs it: whoever asks, with his own rights. Locks: ACCESS SHARE on each table and its indexes, while their sizes are
-- taken and no longer. Nobody is waited for: where such a lock would queue, sizes are null.
WITH locked AS MATERIALIZED (
    SELECT DISTINCT l.relation
      FROM pg_locks l
     WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
), locked_tables AS MATERIALIZED (
    -- By themselves, by an index, or by their TOAST table or its index.
    SELECT o.relation FROM (
           SELECT l.relation FROM locked l
            UNION ALL
           SELECT i.indrelid FROM locked l JOIN pg_index i ON i.indexrelid = l.relation) o
), wanted AS (
    SELECT c.* FROM unnest($1::oid[]) AS given(oid) JOIN pg_class c ON c.oid = given.oid
     UNION ALL
    SELECT c.* FROM pg_class c
     WHERE cardinality($1) = 0 AND c.relkind = 'r' AND c.relpersistence <> 't' AND NOT c.relispartition
       AND NOT EXISTS (SELECT FROM pg_namespace n
                        WHERE n.oid = c.relnamespace
                          AND n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'partman_rs'))
       AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), chosen AS MATERIALIZED (
    SELECT w.*, EXISTS (SELECT FROM locked_tables l WHERE l.relation IN (w.oid, w.reltoastrelid)) AS is_locked FROM wanted w
)
SELECT json_build_object(
         'oid', c.oid::int8,
         'name', c.relname,
         'is_readable', has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'),
         'is_locked', c.is_locked,
         'may_convert', pg_has_role(c.relowner, CASE WHEN current_setting('server_version_num')::int >= 160000
                                                     THEN 'SET' ELSE 'MEMBER' END),
         'is_converting', c.oid = ANY ($2::oid[]),
         'rows', CASE WHEN c.reltuples >= 0 THEN c.reltuples END,
         'table_bytes', CASE WHEN NOT c.is_locked THEN pg_table_size(c.oid) END,
         'index_bytes', CASE WHEN NOT c.is_locked THEN pg_indexes_size(c.oid) END,
         'inserted', pg_stat_get_tuples_inserted(c.oid),
         'updated', pg_stat_get_tuples_updated(c.oid),
         'deleted', pg_stat_get_tuples_deleted(c.oid),
         'live', pg_stat_get_live_tuples(c.oid),
         'dead', pg_stat_get_dead_tuples(c.oid),
         'changed_since_analyze', pg_stat_get_mod_since_analyze(c.oid),
         -- No index finds them: IN reads the constraints once for all tables.
         'has_incoming_keys', c.oid IN (SELECT k.confrelid FROM pg_constraint k
                                         WHERE k.contype = 'f' AND k.conrelid <> k.confrelid),
         'tablespace', (CASE WHEN c.reltablespace <> 0 THEN c.reltablespace
                             ELSE (SELECT d.dattablespace FROM pg_database d WHERE d.datname = current_database()) END)::int8)::text
  FROM chosen c
