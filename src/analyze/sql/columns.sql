-- What the statistics say about the columns of some tables: of each its OID, and a document.
-- Who runs it: whoever asks, with his own rights; pg_stats hides what he may not read. Locks: none on the tables.
-- Values of the types that are keys come as the numbers that keys are compared by, infinite ones as nulls; values of types
-- that may hold a time in disguise come as text.
SELECT c.oid, document.columns::text
  FROM unnest($1::oid[]) AS wanted(oid)
  JOIN pg_class c ON c.oid = wanted.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
SELECT coalesce(json_agg(json_build_object(
         'attnum', a.attnum,
         'leads_index', kind.is_key AND EXISTS (
             SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
              WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indpred IS NULL
                AND i.indisvalid AND m.amname = 'btree'
                -- Others the planner would pass over, and scan the table.
                AND NOT i.indcheckxmin AND (SELECT o.opcdefault FROM pg_opclass o WHERE o.oid = i.indclass[0])),
         'statistics', CASE WHEN s.null_frac IS NOT NULL THEN json_build_object(
             'null_fraction', s.null_frac,
             'n_distinct', s.n_distinct,
             'correlation', s.correlation,
             'histogram', coalesce(keys.histogram, '[]'),
             'common', coalesce(keys.common, '[]'),
             'frequencies', coalesce(to_json(s.most_common_freqs), '[]'),
             'samples', coalesce(texts.samples, '[]')) END)
         ORDER BY a.attnum), '[]') AS columns
  FROM pg_attribute a
  -- The view is a barrier: only what is compared with a value known beforehand gets past it.
  LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited AND s.attname = a.attname
 CROSS JOIN LATERAL (
       SELECT a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype, 'int2'::regtype, 'int4'::regtype,
                             'int8'::regtype) AS is_key,
              a.atttypid IN ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text
       ) kind
 CROSS JOIN LATERAL (
       SELECT json_agg(number.key ORDER BY number.place) FILTER (WHERE NOT number.is_common) AS histogram,
              json_agg(number.key ORDER BY number.place) FILTER (WHERE number.is_common) AS common
         FROM (SELECT v.is_common, v.place, CASE WHEN v.value NOT IN ('infinity', '-infinity') THEN CASE a.atttypid
                 WHEN 'timestamptz'::regtype THEN ((extract(epoch FROM v.value::timestamptz) - 946684800) * 1000000)::bigint
                 WHEN 'timestamp'::regtype THEN ((extract(epoch FROM v.value::timestamp) - 946684800) * 1000000)::bigint
                 WHEN 'date'::regtype THEN v.value::date - date '2000-01-01'
                 ELSE v.value::bigint END END AS key
                 FROM (SELECT false AS is_common, h.value, h.place
                         FROM unnest(CASE WHEN kind.is_key THEN s.histogram_bounds::text::text[] END)
                              WITH ORDINALITY AS h(value, place)
                        UNION ALL
                       SELECT true, m.value, m.place
                         FROM unnest(CASE WHEN kind.is_key THEN s.most_common_vals::text::text[] END)
                              WITH ORDINALITY AS m(value, place)) v) number
       ) keys
 CROSS JOIN LATERAL (
       SELECT json_agg(left(v.value, 64)) AS samples
         FROM unnest(CASE WHEN kind.is_text THEN s.histogram_bounds::text::text[] END) AS v(value)
       ) texts
 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) document
