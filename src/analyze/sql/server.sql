-- What the server has, and who would hold a conversion up: one document.
-- Who runs it: whoever asks; of other roles' transactions he sees what pg_stat_activity shows him. Locks: none.
SELECT json_build_object(
         'cache_bytes', pg_size_bytes(current_setting('effective_cache_size')),
         'now', ((extract(epoch FROM now()) - 946684800) * 1000000)::bigint,
         'version', current_setting('server_version_num')::int8,
         'wal_level', current_setting('wal_level'),
         'lock_slots', current_setting('max_locks_per_transaction')::int8
                       * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8),
         'worker_slots', current_setting('max_worker_processes')::int8,
         'workers', (SELECT count(*) FROM pg_stat_activity w
                      WHERE w.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker',
                                                   'background writer', 'checkpointer', 'walwriter', 'walsender',
                                                   'walreceiver', 'startup', 'archiver', 'walsummarizer', 'slotsync worker',
                                                   'io worker', 'logger', 'standalone backend')),
         'oldest_transaction', extract(epoch FROM clock_timestamp() - o.xact_start)::float8,
         'oldest_transaction_pid', o.pid,
         'prepared', coalesce((SELECT json_agg(p.gid ORDER BY p.prepared)
                                 FROM pg_prepared_xacts p WHERE p.database = current_database()), '[]'),
         -- Slots without a place in the WAL hold nothing back, and those that are lost never will again.
         'slots', coalesce((SELECT json_agg(json_build_object(
                                'name', r.slot_name,
                                'is_read', r.active,
                                'behind', pg_wal_lsn_diff(w.here, r.restart_lsn)::int8,
                                'room', r.safe_wal_size) ORDER BY r.slot_name)
                              FROM pg_replication_slots r
                             CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                                     ELSE pg_current_wal_lsn() END AS here) w
                             WHERE r.restart_lsn IS NOT NULL AND r.wal_status IS DISTINCT FROM 'lost'), '[]'))::text
  FROM (SELECT) one
  LEFT JOIN (SELECT a.xact_start, a.pid
               FROM pg_stat_activity a
              WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
                AND a.backend_type = 'client backend'
              ORDER BY a.xact_start LIMIT 1) o ON true
