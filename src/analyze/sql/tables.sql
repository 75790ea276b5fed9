-- Sizes and counters of one table, or of all that could be converted: a document for each.
-- $1: the table, or 0 for all. $2: tables of which a conversion is under way.
-- Who runs it: whoever asks, with his own rights. Locks: ACCESS SHARE on each table and its indexes, while their sizes are
-- taken and no longer. Nobody is waited for: where such a lock would queue, sizes are null.
WITH locked AS MATERIALIZED (
    SELECT DISTINCT l.relation
      FROM pg_locks l
     WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
), chosen AS MATERIALIZED (
    SELECT c.*,
           EXISTS (SELECT FROM locked l
                    WHERE l.relation IN (c.oid, c.reltoastrelid)
                       OR l.relation IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid IN (c.oid, c.reltoastrelid)))
               AS is_locked
      FROM pg_class c
     WHERE CASE WHEN $1::oid <> 0 THEN c.oid = $1
                ELSE c.relkind = 'r' AND c.relpersistence <> 't' AND NOT c.relispartition
                     AND NOT EXISTS (SELECT FROM pg_namespace n
                                      WHERE n.oid = c.relnamespace
                                        AND n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'partman_rs'))
                     AND NOT EXISTS (SELECT FROM pg_depend d
                                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
           END
)
SELECT jsonb_build_object(
         'oid', c.oid::int8,
         'name', c.relname,
         'owner', c.relowner::int8,
         'is_readable', has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'),
         'is_locked', c.is_locked,
         'is_plain', c.relkind = 'r' AND NOT c.relispartition,
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
         'has_incoming_keys', EXISTS (SELECT FROM pg_constraint k WHERE k.confrelid = c.oid AND k.contype = 'f'
                                                                     AND k.conrelid <> c.oid),
         'tablespace', (CASE WHEN c.reltablespace <> 0 THEN c.reltablespace
                             ELSE (SELECT d.dattablespace FROM pg_database d WHERE d.datname = current_database()) END)::int8)
  FROM chosen c
