-- The statements of this database whose text holds one of the names in $1, those with the most time first; and those whose text
-- is hidden from the caller, which have no queryid.
-- Who runs it: whoever asks, with his own rights. Locks: none.
SELECT s.queryid, s.userid, r.rolname::text, CASE WHEN s.queryid IS NOT NULL THEN s.query END,
       sum(s.calls)::bigint, sum(s.{time})::double precision
  FROM {view} s
  LEFT JOIN pg_roles r ON r.oid = s.userid
 WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND (s.queryid IS NULL OR s.query IS NULL
        OR EXISTS (SELECT FROM unnest($1::text[]) AS given(name) WHERE strpos(lower(s.query), lower(given.name)) > 0))
 GROUP BY 1, 2, 3, 4
 ORDER BY 6 DESC, 5 DESC, 4
