-- How fast the last conversions of this database were: how many are told of; bytes per second of copying, index builds and
-- verification; bytes of WAL per byte of table and of index. $1: seconds that an index of a partition takes besides its
-- bytes; $2: likewise the end of a conversion.
-- Who runs it: the extension's owner. Locks: none on users' tables.
SELECT count(*),
       sum(j.twin_table_bytes) / nullif(sum(j.copying), 0),
       sum(j.twin_index_bytes) / nullif(sum(greatest(j.indexing - $1 * j.leaf_indexes, j.indexing / 4)), 0),
       sum(j.twin_table_bytes) / nullif(sum(greatest(j.verifying - $2, j.verifying / 4)), 0),
       -- Of unlogged tables there is none.
       (sum(j.table_wal_bytes) FILTER (WHERE j.is_logged) / nullif(sum(j.twin_table_bytes) FILTER (WHERE j.is_logged), 0))::float8,
       (sum(j.index_wal_bytes) FILTER (WHERE j.is_logged) / nullif(sum(j.twin_index_bytes) FILTER (WHERE j.is_logged), 0))::float8
  FROM (SELECT j.*, j.definition->>'persistence' = 'p' AS is_logged,
               coalesce((j.phase_seconds->>'copying')::float8, 0) AS copying,
               coalesce((j.phase_seconds->>'indexing')::float8, 0) AS indexing,
               coalesce((j.phase_seconds->>'catching_up')::float8, 0) + coalesce((j.phase_seconds->>'verifying')::float8, 0)
                   AS verifying,
               jsonb_array_length(j.plan->'partitions') * jsonb_array_length(j.plan->'indexes') AS leaf_indexes
          FROM partman_rs.job j
         WHERE j.swapped_at IS NOT NULL AND j.twin_table_bytes > 16 * 1024 * 1024
         ORDER BY j.id DESC LIMIT 10) j
