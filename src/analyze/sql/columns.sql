-- What the statistics say about the columns of one table: one document.
-- Who runs it: whoever asks, with his own rights; pg_stats hides what he may not read. Locks: none on the table.
-- Values of the types that are keys come as the numbers that keys are compared by, infinite ones as nulls; values of types
-- that may hold a time in disguise come as text.
WITH s AS MATERIALIZED (
    -- By name, known beforehand: the view is a barrier that a join would read as a whole.
    SELECT * FROM pg_stats
     WHERE schemaname = (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1)
       AND tablename = (SELECT c.relname FROM pg_class c WHERE c.oid = $1)
       AND NOT inherited
)
SELECT coalesce(jsonb_agg(jsonb_build_object(
         'attnum', a.attnum,
         'leads_index', EXISTS (
             SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
              WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indpred IS NULL
                AND i.indisvalid AND m.amname = 'btree'
                -- Others the planner would pass over, and scan the table.
                AND NOT i.indcheckxmin AND (SELECT o.opcdefault FROM pg_opclass o WHERE o.oid = i.indclass[0])),
         'statistics', CASE WHEN s.null_frac IS NOT NULL THEN jsonb_build_object(
             'null_fraction', s.null_frac,
             'n_distinct', s.n_distinct,
             'correlation', s.correlation,
             'histogram', coalesce(h.numbers, '[]'),
             'common', coalesce(m.numbers, '[]'),
             'frequencies', CASE WHEN m.numbers IS NOT NULL THEN to_jsonb(s.most_common_freqs) ELSE '[]' END,
             'samples', coalesce(t.samples, '[]')) END)
         ORDER BY a.attnum), '[]')
  FROM pg_attribute a
  LEFT JOIN s ON s.attname = a.attname
 CROSS JOIN LATERAL (
       SELECT a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype, 'int2'::regtype, 'int4'::regtype,
                             'int8'::regtype) AS is_key,
              a.atttypid IN ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text
       ) k
 CROSS JOIN LATERAL (SELECT jsonb_agg(CASE a.atttypid
              WHEN 'timestamptz'::regtype THEN CASE WHEN isfinite(v.value::timestamptz)
                   THEN ((extract(epoch FROM v.value::timestamptz) - 946684800) * 1000000)::bigint END
              WHEN 'timestamp'::regtype THEN CASE WHEN isfinite(v.value::timestamp)
                   THEN ((extract(epoch FROM v.value::timestamp) - 946684800) * 1000000)::bigint END
              WHEN 'date'::regtype THEN CASE WHEN isfinite(v.value::date) THEN v.value::date - date '2000-01-01' END
              ELSE v.value::bigint END ORDER BY v.place) AS numbers
         FROM unnest(CASE WHEN k.is_key THEN s.histogram_bounds::text::text[] END) WITH ORDINALITY AS v(value, place)) h
 CROSS JOIN LATERAL (SELECT jsonb_agg(CASE a.atttypid
              WHEN 'timestamptz'::regtype THEN CASE WHEN isfinite(v.value::timestamptz)
                   THEN ((extract(epoch FROM v.value::timestamptz) - 946684800) * 1000000)::bigint END
              WHEN 'timestamp'::regtype THEN CASE WHEN isfinite(v.value::timestamp)
                   THEN ((extract(epoch FROM v.value::timestamp) - 946684800) * 1000000)::bigint END
              WHEN 'date'::regtype THEN CASE WHEN isfinite(v.value::date) THEN v.value::date - date '2000-01-01' END
              ELSE v.value::bigint END ORDER BY v.place) AS numbers
         FROM unnest(CASE WHEN k.is_key THEN s.most_common_vals::text::text[] END) WITH ORDINALITY AS v(value, place)) m
 CROSS JOIN LATERAL (SELECT jsonb_agg(left(v.value, 64)) AS samples
         FROM unnest(CASE WHEN k.is_text THEN s.histogram_bounds::text::text[] END) AS v(value)) t
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
