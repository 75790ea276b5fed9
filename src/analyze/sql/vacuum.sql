-- What vacuum has to do with some tables: of each its OID, and a document. Times are seconds.
-- Who runs it: whoever asks; of other roles' processes he sees what pg_stat_activity shows him. Locks: none on the tables.
WITH running AS MATERIALIZED (
    SELECT p.relid, p.pid, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
      FROM pg_stat_progress_vacuum p JOIN pg_stat_activity a ON a.pid = p.pid
     WHERE p.datname = current_database()
), server AS MATERIALIZED (
    -- Negative ones stand for those of VACUUM.
    SELECT current_setting('autovacuum_freeze_max_age')::int8 AS freeze_max_age,
           coalesce(nullif(greatest(extract(epoch FROM current_setting('autovacuum_vacuum_cost_delay')::interval), -1), -1),
                    extract(epoch FROM current_setting('vacuum_cost_delay')::interval))::float8 AS cost_delay,
           coalesce(nullif(current_setting('autovacuum_vacuum_cost_limit')::float8, -1),
                    current_setting('vacuum_cost_limit')::float8) AS cost_limit,
           current_setting('vacuum_cost_page_miss')::float8 AS page_cost,
           current_setting('block_size')::float8 AS block_size,
           current_setting('server_version_num')::int >= 180000 AS measures_time
)
SELECT c.oid, json_build_object(
         'done', pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid),
         -- Measured since 18.
         'total_seconds', CASE WHEN server.measures_time THEN
             (SELECT ((to_jsonb(s) ->> 'total_vacuum_time')::float8 + (to_jsonb(s) ->> 'total_autovacuum_time')::float8) / 1000
                FROM pg_stat_all_tables s WHERE s.relid = c.oid) END,
         'last_ago', extract(epoch FROM clock_timestamp() - greatest(pg_stat_get_last_vacuum_time(c.oid),
                                                                     pg_stat_get_last_autovacuum_time(c.oid)))::float8,
         'running_pid', r.pid,
         'running_seconds', r.seconds,
         'frozen_age', CASE WHEN c.relkind = 'r' THEN age(c.relfrozenxid)::int8 END,
         'freeze_max_age', least(option.freeze_max_age, server.freeze_max_age),
         'cost_delay', coalesce(option.cost_delay / 1000, server.cost_delay),
         'cost_limit', coalesce(option.cost_limit, server.cost_limit),
         'page_cost', server.page_cost,
         'block_size', server.block_size)::text
  FROM unnest($1::oid[]) AS wanted(oid)
  JOIN pg_class c ON c.oid = wanted.oid
  LEFT JOIN running r ON r.relid = c.oid
 CROSS JOIN server
 CROSS JOIN LATERAL (
       SELECT max(o.value::int8) FILTER (WHERE o.name = 'autovacuum_freeze_max_age') AS freeze_max_age,
              max(o.value::float8) FILTER (WHERE o.name = 'autovacuum_vacuum_cost_delay' AND o.value::float8 >= 0) AS cost_delay,
              max(o.value::float8) FILTER (WHERE o.name = 'autovacuum_vacuum_cost_limit' AND o.value::float8 > 0) AS cost_limit
         FROM (SELECT e.option_name, e.option_value FROM pg_options_to_table(c.reloptions) e
                WHERE e.option_name IN ('autovacuum_freeze_max_age', 'autovacuum_vacuum_cost_delay',
                                        'autovacuum_vacuum_cost_limit')) o(name, value)
       ) option
