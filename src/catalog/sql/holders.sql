-- Who would hold up a lock on a table now: sessions and prepared transactions that hold one on it or its indexes, and
-- sessions whose snapshot is older than a second, which the swap waits for. A document for each.
-- Who runs it: the extension's owner, so that nobody's transaction is hidden. Locks: none.
SELECT jsonb_strip_nulls(jsonb_build_object(
         'pid', h.pid,
         'prepared_transaction', p.gid,
         'application', nullif(a.application_name, ''),
         'backend_type', a.backend_type,
         'transaction_began', coalesce(a.xact_start, p.prepared),
         'modes', h.modes))
  FROM (SELECT l.pid, l.virtualtransaction, jsonb_agg(DISTINCT l.mode ORDER BY l.mode) AS modes
          FROM pg_locks l
         WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() AND l.mode <> 'SIReadLock'
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           AND (l.relation = $1 OR l.relation IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = $1))
         GROUP BY l.pid, l.virtualtransaction
        UNION ALL
        SELECT s.pid, NULL, NULL
          FROM pg_stat_activity s
         WHERE s.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           AND s.backend_type = 'client backend' AND s.pid <> pg_backend_pid() AND s.backend_xmin IS NOT NULL
           AND s.xact_start < clock_timestamp() - interval '1 second'
           AND NOT EXISTS (SELECT FROM pg_locks l
                            WHERE l.pid = s.pid AND l.locktype = 'relation' AND l.granted
                              AND (l.relation = $1 OR l.relation IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = $1)))
       ) h
  LEFT JOIN pg_stat_activity a ON a.pid = h.pid
  -- A prepared transaction has no process, but it holds the lock on its own number.
  LEFT JOIN pg_locks x ON h.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid'
                      AND x.virtualtransaction = h.virtualtransaction
  LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
 ORDER BY coalesce(a.xact_start, p.prepared), h.pid
