-- What differs between a partitioned table and its partitions, a row for each difference.
-- Who runs it: maintenance, and the view of its health. Locks: ACCESS SHARE on system catalogs. Rows: few, or none; where siblings are
-- not all alike in their options, persistence or replica identity, all of them, since the majority is decided elsewhere.
WITH
  parent AS MATERIALIZED (
    SELECT c.oid, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl, c.relrowsecurity, c.relforcerowsecurity,
           c.relreplident::text AS identity, pg_get_userbyid(c.relowner)::text AS owner
      FROM pg_class c WHERE c.oid = $1
  ),
  leaf AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relkind, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl, c.relrowsecurity,
           c.relforcerowsecurity, c.relhastriggers, c.relpersistence::text AS persistence, c.relreplident::text AS identity,
           c.relnamespace, n.nspname,
           -- Most have none, and are spared the sorting.
           CASE WHEN c.reloptions IS NULL THEN '{}' ELSE ARRAY(SELECT o FROM unnest(c.reloptions) o ORDER BY 1) END
             || CASE WHEN t.reloptions IS NULL THEN '{}' ELSE ARRAY(SELECT 'toast.' || o FROM unnest(t.reloptions) o ORDER BY 1) END AS options
      FROM pg_inherits i
      JOIN pg_class c ON c.oid = i.inhrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_class t ON t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL
     WHERE i.inhparent = $1 AND NOT i.inhdetachpending
  ),
  parent_column AS MATERIALIZED (
    SELECT a.attname, ARRAY(SELECT x::text FROM unnest(a.attacl) x ORDER BY 1) AS acl
      FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl <> '{}'
  ),
  leaf_column AS MATERIALIZED (
    SELECT l.oid, a.attname, ARRAY(SELECT x::text FROM unnest(a.attacl) x ORDER BY 1) AS acl
      FROM leaf l
     -- By index: OFFSET keeps it from being a join, for which all columns of the database would be read.
     CROSS JOIN LATERAL (SELECT a.attname, a.attacl FROM pg_attribute a
                          WHERE a.attrelid = l.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl <> '{}' OFFSET 0) a
  ),
  column_grant AS (
    SELECT l.oid FROM leaf l CROSS JOIN parent_column p
     WHERE NOT EXISTS (SELECT FROM leaf_column c WHERE (c.oid, c.attname, c.acl) = (l.oid, p.attname, p.acl))
    UNION
    SELECT c.oid FROM leaf_column c WHERE NOT EXISTS (SELECT FROM parent_column p WHERE (c.attname, c.acl) = (p.attname, p.acl))
  ),
  -- By which index of the table itself, if by one.
  identity AS MATERIALIZED (
    SELECT l.oid, l.identity AS kind,
           CASE WHEN l.identity = 'i' THEN
             (SELECT coalesce(h.inhparent, x.indexrelid) FROM pg_index x LEFT JOIN pg_inherits h ON h.inhrelid = x.indexrelid
               WHERE x.indrelid = l.oid AND x.indisreplident) END AS by
      FROM leaf l WHERE l.relkind = 'r'
  ),
  leaf_index AS MATERIALIZED (
    SELECT l.oid, i.indexrelid, i.indisvalid
      FROM leaf l
     CROSS JOIN LATERAL (SELECT i.indexrelid, i.indisvalid FROM pg_index i WHERE i.indrelid = l.oid OFFSET 0) i
  ),
  inherited AS MATERIALIZED (
    SELECT inhparent, inhrelid FROM pg_inherits WHERE inhparent = ANY (ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = $1))
  ),
  -- As a rule there are as many parts as there have to be, one of each index on each partition: then none is looked for. Those on a
  -- partition that is half detached count, too, though that does not.
  census AS MATERIALIZED (
    SELECT (SELECT count(*) FROM inherited) <> (SELECT count(*) FROM pg_index WHERE indrelid = $1) * (SELECT count(*) FROM leaf WHERE relkind IN ('r', 'p'))
           OR EXISTS (SELECT FROM pg_inherits WHERE inhparent = $1 AND inhdetachpending) AS is_open
  ),
  -- Parts of the table's indexes, with the partitions that they are on.
  part AS MATERIALIZED (
    SELECT h.inhparent AS whole, i.oid, i.indisvalid
      FROM inherited h JOIN leaf_index i ON i.indexrelid = h.inhrelid
  ),
  publication AS MATERIALIZED (
    SELECT DISTINCT r.prpubid AS oid FROM pg_publication_rel r JOIN leaf l ON l.oid = r.prrelid
     WHERE NOT EXISTS (SELECT FROM pg_publication_rel o WHERE o.prpubid = r.prpubid AND o.prrelid = $1)
  ),
  difference (kind, oid, has, wanted, object, number) AS (
    SELECT 'owner', l.oid, pg_get_userbyid(l.relowner)::text, p.owner, NULL::text, NULL::oid
      FROM leaf l, parent p WHERE l.relowner <> p.relowner
    UNION ALL
    -- Grants name the owner: they are compared when it is the same.
    SELECT 'grants', l.oid, NULL, NULL, NULL, NULL
      FROM leaf l, parent p
     WHERE l.relowner = p.relowner
       AND (l.acl <> p.acl AND NOT (l.acl @> p.acl AND p.acl @> l.acl) OR l.oid IN (SELECT oid FROM column_grant))
    UNION ALL
    -- What only a partition has is meant to be, too.
    SELECT 'security label', l.oid, s.provider, s.label, a.attname::text, NULL
      FROM pg_seclabel s
      LEFT JOIN pg_attribute a ON a.attrelid = s.objoid AND a.attnum = s.objsubid AND a.attnum > 0
     CROSS JOIN leaf l
      LEFT JOIN pg_attribute own ON own.attrelid = l.oid AND own.attname = a.attname
     WHERE s.objoid = $1 AND s.classoid = 'pg_class'::regclass
       AND NOT EXISTS (SELECT FROM pg_seclabel o
                        WHERE o.objoid = l.oid AND o.classoid = 'pg_class'::regclass AND o.objsubid = coalesce(own.attnum, 0)
                          AND o.provider = s.provider AND o.label = s.label)
    UNION ALL
    -- A partition that is stricter than its table is meant to be.
    SELECT 'row security', l.oid, NULL, w.wanted, NULL, NULL
      FROM leaf l, parent p,
           LATERAL (VALUES ('ENABLE', p.relrowsecurity AND NOT l.relrowsecurity),
                           ('FORCE', p.relforcerowsecurity AND NOT l.relforcerowsecurity)) w (wanted, is_missing)
     WHERE l.relkind IN ('r', 'p') AND (p.relrowsecurity OR p.relforcerowsecurity) AND w.is_missing
    UNION ALL
    SELECT 'options', l.oid, to_json(l.options)::text, NULL, NULL, NULL
      FROM leaf l WHERE l.relkind = 'r' AND (SELECT count(DISTINCT options) FROM leaf WHERE relkind = 'r') > 1
    UNION ALL
    SELECT 'persistence', l.oid, l.persistence, NULL, NULL, NULL
      FROM leaf l WHERE l.relkind = 'r' AND (SELECT count(DISTINCT persistence) FROM leaf WHERE relkind = 'r') > 1
    UNION ALL
    SELECT 'replica identity', l.oid, l.kind, p.identity,
           (SELECT x.indexrelid::text FROM pg_index x WHERE p.identity = 'i' AND x.indrelid = $1 AND x.indisreplident), l.by
      FROM identity l, parent p
     WHERE EXISTS (SELECT FROM identity o WHERE o.kind <> p.identity OR o.kind = 'i')
    UNION ALL
    SELECT 'trigger', l.oid, t.tgenabled::text, o.tgenabled::text, t.tgname::text, CASE WHEN t.tgisinternal THEN t.tgconstraint END
      FROM leaf l
      JOIN pg_trigger t ON t.tgrelid = l.oid
      JOIN pg_trigger o ON o.oid = t.tgparentid AND o.tgrelid = $1
     WHERE l.relhastriggers AND t.tgenabled <> o.tgenabled
    UNION ALL
    SELECT 'index', l.oid, CASE l.relkind WHEN 'p' THEN 'partitioned' END, NULL, c.relname::text, x.indexrelid
      FROM pg_index x
      JOIN pg_class c ON c.oid = x.indexrelid AND c.relkind = 'I'
     CROSS JOIN leaf l
     WHERE (SELECT is_open FROM census) AND x.indrelid = $1 AND l.relkind IN ('r', 'p')
       -- Hashed, whatever the planner makes of their number.
       AND (x.indexrelid, l.oid) NOT IN (SELECT whole, oid FROM part)
    UNION ALL
    SELECT 'invalid index', l.oid, NULL, CASE WHEN ic.relispartition THEN 'attached' END, format('%I.%I', l.nspname, ic.relname), i.indexrelid
      FROM leaf l
      JOIN leaf_index i ON i.oid = l.oid AND NOT i.indisvalid
      -- Those that a worker is building, or will clear away, are not told of.
      JOIN pg_class ic ON ic.oid = i.indexrelid AND ic.relkind = 'i' AND ic.relname NOT LIKE 'partman\_rs\_build\_%'
    UNION ALL
    -- All partitions have their part, and yet nobody has called it valid.
    SELECT 'index of the table', x.indrelid, NULL, NULL, c.relname::text, x.indexrelid
      FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
     WHERE x.indrelid = $1 AND NOT x.indisvalid
       AND (SELECT count(*) FROM part WHERE whole = x.indexrelid AND part.indisvalid)
         = (SELECT count(*) FROM leaf WHERE relkind IN ('r', 'p'))
    UNION ALL
    SELECT 'publication', l.oid, NULL, NULL, b.pubname::text, b.oid
      FROM publication u
      JOIN pg_publication b ON b.oid = u.oid
     CROSS JOIN leaf l
     WHERE l.relkind IN ('r', 'p')
       AND NOT EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = u.oid AND r.prrelid = l.oid)
       AND NOT EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = u.oid AND s.pnnspid = l.relnamespace)
  )
SELECT d.kind, d.oid, coalesce(l.nspname, n.nspname)::text, coalesce(l.relname, c.relname)::text, d.has, d.wanted, d.object, d.number,
       CASE WHEN l.oid IS NULL THEN NULL
            WHEN NOT pg_has_role(p.relowner, l.relowner, 'USAGE')
            THEN format('role "%s" has not the rights of role "%s"', p.owner, pg_get_userbyid(l.relowner))
            WHEN d.kind = 'owner' AND NOT has_schema_privilege(p.relowner, l.relnamespace, 'CREATE')
            THEN format('role "%s" may not create in schema "%s"', p.owner, l.nspname) END
  FROM difference d
  JOIN parent p ON true
  JOIN pg_class c ON c.oid = p.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN leaf l ON l.oid = d.oid
 ORDER BY d.kind, l.nspname, l.relname COLLATE "C", d.object COLLATE "C", d.wanted COLLATE "C"
