-- Everything the planner needs to know about some relations: a document of each.
-- Who runs it: the session that asks for a conversion or an analysis, and the worker before the swap.
-- Locks: ACCESS SHARE on system catalogs, and on the relations themselves while expressions are written down. Rows: one
-- for each relation that is there.
-- Every list has a fixed order, so that equal definitions give equal documents.
SELECT document.facts::text
  FROM unnest($1::oid[]) AS wanted(oid)
 CROSS JOIN LATERAL (
WITH
  acl_items AS (
    -- One line per privilege; the owner's defaults are spelled out where nothing was ever granted.
    SELECT c.oid AS relation, 0 AS attnum, a.*
      FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
     WHERE c.oid = wanted.oid
    UNION ALL
    SELECT att.attrelid, att.attnum, a.*
      FROM pg_attribute att, aclexplode(att.attacl) a
     WHERE att.attrelid = wanted.oid AND NOT att.attisdropped
  ),
  grants AS (
    SELECT relation, attnum,
           json_agg(json_build_object(
             'grantor', grantor::int8,
             'grantor_name', pg_get_userbyid(grantor),
             'grantee', CASE WHEN grantee = 0 THEN NULL ELSE pg_get_userbyid(grantee) END,
             'privilege', privilege_type,
             'grantable', is_grantable)
             ORDER BY grantor, grantee, privilege_type) AS items
      FROM acl_items GROUP BY relation, attnum
  ),
  owned_sequence AS (
    SELECT d.refobjsubid AS attnum, d.deptype, s.oid, s.relname, n.nspname, s.relowner,
           coalesce((SELECT json_agg(json_build_object(
               'grantor', a.grantor::int8,
               'grantor_name', pg_get_userbyid(a.grantor),
               'grantee', CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
               'privilege', a.privilege_type,
               'grantable', a.is_grantable)
               ORDER BY a.grantor, a.grantee, a.privilege_type)
             FROM aclexplode(coalesce(s.relacl, acldefault('s', s.relowner))) a), '[]') AS grants,
           (SELECT d.description FROM pg_description d
                         WHERE d.objoid = s.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0) AS comment,
           format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s',
                  q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
                  CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS parameters
      FROM pg_depend d
      JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
      JOIN pg_namespace n ON n.oid = s.relnamespace
      JOIN pg_sequence q ON q.seqrelid = s.oid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.refobjid = wanted.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  ),
  columns AS (
    SELECT json_agg(json_build_object(
             'attnum', a.attnum,
             'name', a.attname,
             'type_name', format_type(a.atttypid, a.atttypmod),
             'type_oid', a.atttypid::int8,
             -- Since 18 attnotnull is also set where NOT NULL is NOT VALID: such a column may hold nulls.
             'not_null', a.attnotnull AND NOT EXISTS (
                 SELECT FROM pg_constraint k
                  WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated),
             'has_default', a.atthasdef,
             'generated', a.attgenerated::text,
             'identity', a.attidentity::text,
             'statistics', nullif(a.attstattarget, -1),
             -- Names with pg_ are the server's own notes, not settings (15.20 keeps one per column).
             'options', (SELECT array_agg(o ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_%'),
             'storage', a.attstorage::text,
             'compression', a.attcompression::text,
             'default_text', CASE WHEN a.atthasdef THEN
               (SELECT pg_get_expr(ad.adbin, ad.adrelid) FROM pg_attrdef ad
                 WHERE ad.adrelid = a.attrelid AND ad.adnum = a.attnum) END,
             'collation', a.attcollation::int8,
             'comment', (SELECT d.description FROM pg_description d
                         WHERE d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum),
             'grants', coalesce((SELECT g.items FROM grants g WHERE g.attnum = a.attnum), '[]'),
             'sequences', coalesce((SELECT json_agg(json_build_object(
                 'oid', s.oid::int8, 'schema', s.nspname, 'name', s.relname,
                 'is_identity', s.deptype = 'i', 'parameters', s.parameters, 'grants', s.grants, 'comment', s.comment)
                 ORDER BY s.relname)
               FROM owned_sequence s WHERE s.attnum = a.attnum), '[]'))
             ORDER BY a.attnum) AS list
      FROM pg_attribute a
     WHERE a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped
  ),
  -- What constraints and indexes use of what does not come with the server: a text does not say which of several functions or
  -- operators of a name it was.
  calling AS (
    SELECT d.classid, d.objid,
           json_agg(DISTINCT CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid::regprocedure::text
                                               ELSE d.refobjid::regoperator::text END) AS list
      FROM (SELECT 'pg_constraint'::regclass AS class, k.oid FROM pg_constraint k WHERE k.conrelid = wanted.oid
             UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE i.indrelid = wanted.oid) part
      JOIN pg_depend d ON d.classid = part.class AND d.objid = part.oid
       AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
     GROUP BY d.classid, d.objid
  ),
  checks AS (
    SELECT json_agg(json_build_object(
             'name', k.conname,
             'definition', pg_get_constraintdef(k.oid),
             'calls', coalesce((SELECT c.list FROM calling c WHERE c.classid = 'pg_constraint'::regclass AND c.objid = k.oid), '[]'),
             'valid', k.convalidated,
             'no_inherit', k.connoinherit,
             -- A Var of no column: whatever the strings in it say, they are not written as text there.
             'has_whole_row', k.conbin::text ~ '{VAR :varno \d+ :varattno 0 ',
             'comment', (SELECT d.description FROM pg_description d
                         WHERE d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass AND d.objsubid = 0))
             ORDER BY k.conname) AS list
      FROM pg_constraint k
     WHERE k.conrelid = wanted.oid AND k.contype = 'c'
  ),
  -- NOT NULL is a constraint with a name since 18, and there are none before.
  not_nulls AS (
    SELECT json_agg(json_build_object(
             'name', k.conname,
             'column', a.attname,
             'definition', pg_get_constraintdef(k.oid),
             'valid', k.convalidated,
             'no_inherit', k.connoinherit,
             'comment', (SELECT d.description FROM pg_description d
                         WHERE d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass AND d.objsubid = 0))
             ORDER BY k.conname) AS list
      FROM pg_constraint k
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
     WHERE k.conrelid = wanted.oid AND k.contype = 'n'
  ),
  indexes AS (
    SELECT json_agg(json_build_object(
             'oid', i.indexrelid::int8,
             'name', c.relname,
             'method', am.amname,
             'is_unique', i.indisunique,
             'is_primary', i.indisprimary,
             'is_exclusion', i.indisexclusion,
             'exclusion', (SELECT json_build_object(
                 'can_be_partitioned', current_setting('server_version_num')::int >= 170000,
                 'operators', json_agg(json_build_object(
                     'name', format('OPERATOR(%I.%s)', opn.nspname, op.oprname),
                     -- That of the operator class by which ranges are made: the types of partition columns have one each.
                     'is_equality', op.oprname = '=' AND opn.nspname = 'pg_catalog' AND op.oprleft = op.oprright
                                AND op.oprleft IS NOT DISTINCT FROM (SELECT a.atttypid FROM pg_attribute a
                                     WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[x.place - 1] AND a.attnum <> 0))
                     ORDER BY x.place))
               FROM pg_constraint k
              CROSS JOIN unnest(k.conexclop) WITH ORDINALITY AS x(operator, place)
               JOIN pg_operator op ON op.oid = x.operator
               JOIN pg_namespace opn ON opn.oid = op.oprnamespace
              WHERE i.indisexclusion AND k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
             HAVING count(*) > 0),
             'is_valid', i.indisvalid AND i.indisready AND i.indislive,
             'is_clustered', i.indisclustered,
             'nulls_not_distinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
             'immediate', i.indimmediate,
             'has_expressions', i.indexprs IS NOT NULL,
             'calls', coalesce((SELECT c.list FROM calling c WHERE c.classid = 'pg_class'::regclass AND c.objid = i.indexrelid), '[]'),
             'has_whole_row', concat(i.indexprs::text, i.indpred::text) ~ '{VAR :varno \d+ :varattno 0 ',
             'extensions', coalesce((SELECT json_agg(e.extname ORDER BY e.extname)
                FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
               WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                 AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'x'), '[]'),
             'predicate', pg_get_expr(i.indpred, i.indrelid),
             'key_attnums', (SELECT json_agg(i.indkey[p]) FROM generate_series(0, i.indnkeyatts - 1) p),
             'constraint', (SELECT json_build_object(
                 'name', k.conname, 'kind', k.contype::text,
                 'deferrable', k.condeferrable, 'deferred', k.condeferred,
                 'without_overlaps', coalesce((to_jsonb(k) ->> 'conperiod')::bool, false),
                 'grouped_by', coalesce((SELECT json_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid))
                    FROM pg_depend d
                   WHERE k.contype = 'p' AND d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid
                     AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass, 'pg_policy'::regclass)), '[]'),
                 'comment', (SELECT d.description FROM pg_description d
                         WHERE d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass AND d.objsubid = 0))
               FROM pg_constraint k
              WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid
                AND k.contype IN ('p', 'u', 'x')),
             'columns', (SELECT json_agg(
                 CASE WHEN i.indkey[p] = 0
                      THEN format('(%s)', pg_get_indexdef(i.indexrelid, p + 1, false))
                      ELSE pg_get_indexdef(i.indexrelid, p + 1, false) END
                 || CASE WHEN i.indcollation[p] <> 0
                          AND i.indcollation[p] IS DISTINCT FROM
                              (SELECT a.attcollation FROM pg_attribute a
                                WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[p] AND i.indkey[p] <> 0)
                    THEN (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname)
                            FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                           WHERE co.oid = i.indcollation[p]) ELSE '' END
                 || CASE WHEN NOT oc.opcdefault OR opt.options IS NOT NULL
                    THEN format(' %I.%I', ocn.nspname, oc.opcname) ELSE '' END
                 || CASE WHEN opt.options IS NOT NULL THEN format(' (%s)', opt.options) ELSE '' END
                 || CASE WHEN pg_indexam_has_property(am.oid, 'can_order') THEN
                      CASE WHEN i.indoption[p] & 1 = 1 THEN ' DESC' ELSE '' END
                      || CASE i.indoption[p] & 3 WHEN 1 THEN ' NULLS LAST' WHEN 2 THEN ' NULLS FIRST' ELSE '' END
                    ELSE '' END
                 ORDER BY p)
               FROM generate_series(0, i.indnkeyatts - 1) p
               JOIN pg_opclass oc ON oc.oid = i.indclass[p]
               JOIN pg_namespace ocn ON ocn.oid = oc.opcnamespace
               CROSS JOIN LATERAL (
                 SELECT string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ') AS options
                   FROM pg_attribute ia, unnest(ia.attoptions) o
                  WHERE ia.attrelid = i.indexrelid AND ia.attnum = p + 1 AND o NOT LIKE 'pg\_%') opt),
             'include', coalesce((SELECT json_agg(pg_get_indexdef(i.indexrelid, p + 1, false) ORDER BY p)
               FROM generate_series(i.indnkeyatts, i.indnatts - 1) p), '[]'),
             'statistics', coalesce((SELECT json_agg(json_build_array(ia.attnum, ia.attstattarget) ORDER BY ia.attnum)
               FROM pg_attribute ia WHERE ia.attrelid = i.indexrelid AND ia.attstattarget >= 0), '[]'),
             'options', c.reloptions,
             'tablespace', (SELECT t.spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace),
             'comment', (SELECT d.description FROM pg_description d
                         WHERE d.objoid = i.indexrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0))
             ORDER BY i.indisprimary DESC, c.relname) AS list
      FROM pg_index i
      JOIN pg_class c ON c.oid = i.indexrelid
      JOIN pg_am am ON am.oid = c.relam
     WHERE i.indrelid = wanted.oid
  ),
  -- What depends on the table, or on its row type, and is not part of its own definition. Whatever kind of
  -- object a later release of PostgreSQL invents shows up here too, and is refused rather than lost.
  -- (Kinds are looked up one by one: EXISTS would become a hash of the whole catalog.)
  dependents AS (
    SELECT DISTINCT d.classid, d.objid, used.class = 'pg_type'::regclass AS by_type,
           pg_identify.type AS kind, pg_describe_object(d.classid, d.objid, d.objsubid) AS description
      FROM (SELECT 'pg_class'::regclass AS class, wanted.oid AS object
             UNION ALL
            SELECT 'pg_type'::regclass, r.reltype FROM pg_class r WHERE r.oid = wanted.oid
             UNION ALL
            SELECT 'pg_type'::regclass, t.typarray FROM pg_class r JOIN pg_type t ON t.oid = r.reltype WHERE r.oid = wanted.oid) used
      JOIN pg_depend d ON d.refclassid = used.class AND d.refobjid = used.object
      CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) pg_identify
     WHERE NOT (d.classid = 'pg_class'::regclass AND d.objid = wanted.oid)
       AND NOT (d.classid = 'pg_type'::regclass AND d.deptype = 'i')
       AND NOT (used.class = 'pg_class'::regclass AND d.classid = 'pg_attrdef'::regclass)
       -- What names the row type itself would go on naming the old one.
       AND NOT (used.class = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass AND EXISTS (
             SELECT FROM pg_index i WHERE i.indexrelid = d.objid AND i.indrelid = wanted.oid))
       AND NOT (d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 
                AND (SELECT s.relkind FROM pg_class s WHERE s.oid = d.objid) IS NOT DISTINCT FROM 'S')
       AND NOT (d.classid = 'pg_class'::regclass AND d.deptype = 'i' 
                AND (SELECT s.relkind FROM pg_class s WHERE s.oid = d.objid) IS NOT DISTINCT FROM 't')
       -- Children are counted apart (is_inherited).
       AND NOT (d.classid = 'pg_class'::regclass AND d.deptype IN ('n', 'a') AND d.refobjsubid = 0 AND EXISTS (
             SELECT FROM pg_inherits h WHERE h.inhrelid = d.objid AND h.inhparent = wanted.oid))
       AND NOT (used.class = 'pg_class'::regclass AND d.classid = 'pg_constraint'::regclass AND EXISTS (
             -- Of a constraint trigger ('t') the trigger itself is listed, too.
             SELECT FROM pg_constraint k
              WHERE k.oid = d.objid AND k.conrelid = wanted.oid AND k.contype IN ('c', 'p', 'u', 'x', 'n', 't')))
       -- What a foreign key, of this table or of one that points at it, has for each partition is part of it.
       AND NOT (used.class = 'pg_class'::regclass AND d.classid = 'pg_constraint'::regclass AND EXISTS (
             SELECT FROM pg_constraint k JOIN pg_constraint p ON p.oid = k.conparentid
              WHERE k.oid = d.objid AND k.contype = 'f'
                AND ((k.conrelid = wanted.oid AND p.conrelid = wanted.oid) OR (k.confrelid = wanted.oid AND p.confrelid = wanted.oid))))
       AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (
             SELECT FROM pg_trigger t
              WHERE t.oid = d.objid AND t.tgrelid = wanted.oid
                AND (t.tgisinternal
                     -- Of the table that it is a partition of: a partition gets it when it is attached.
                     OR t.tgparentid <> 0
                     -- Ours, of this or (after a restore) an earlier conversion; not what only looks like them.
                     OR (t.tgfoid = to_regproc('partman_rs.capture_change') AND t.tgqual IS NULL AND t.tgattr::text = ''
                         AND (t.tgname, t.tgtype) IN (('partman_rs_capture', 29), ('partman_rs_capture_truncate', 32))))))
  ),
  -- Of an identity column another sequence takes the place, and what uses this one, a default or a view elsewhere, would go on
  -- using it. (One that a column merely owns goes over as it is.)
  sequence_users AS (
    SELECT DISTINCT d.classid, d.objid, false AS by_type, 'use of an identity sequence' AS kind, pg_describe_object(d.classid, d.objid, d.objsubid) AS description
      FROM owned_sequence s
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND s.deptype = 'i' AND d.deptype <> 'i'
  ),
  -- What is another one when the table is partitioned, beside the table itself.
  replaced AS (
    SELECT 'pg_class'::regclass AS class, c.oid FROM pg_class c WHERE c.oid = wanted.oid
    UNION ALL
    SELECT 'pg_class'::regclass, s.oid FROM owned_sequence s WHERE s.deptype = 'i'
    UNION ALL
    SELECT 'pg_type'::regclass, c.reltype FROM pg_class c WHERE c.oid = wanted.oid
    UNION ALL
    SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE i.indrelid = wanted.oid
  ),
  extras AS (
    SELECT classid, objid, by_type, kind, description FROM dependents
    UNION ALL
    SELECT classid, objid, by_type, kind, description FROM sequence_users
    UNION ALL
    SELECT 0, 0, false, 'extension', format('membership of %s in extension %s', pg_describe_object(d.classid, d.objid, 0), quote_ident(e.extname))
      -- Since 16 the row type goes along with its table.
      FROM replaced r
      JOIN pg_depend d ON d.classid = r.class AND d.objid = r.oid AND r.class = 'pg_class'::regclass
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND d.deptype = 'e'
  )
SELECT json_build_object(
         'oid', c.oid::int8,
         'schema', n.nspname,
         'name', c.relname,
         'kind', c.relkind::text,
         'persistence', c.relpersistence::text,
         'access_method', coalesce((SELECT am.amname FROM pg_am am WHERE am.oid = c.relam), ''),
         'owner', c.relowner::int8,
         'owner_name', pg_get_userbyid(c.relowner),
         'is_partition', c.relispartition,
         'is_system', n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'partman_rs'),
         'of_type', (SELECT json_build_object('schema', n.nspname, 'name', t.typname)
                       FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = c.reloftype),
         'inherits', EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid),
         'is_inherited', EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid),
         'row_security', c.relrowsecurity,
         'force_row_security', c.relforcerowsecurity,
         'replica_identity', c.relreplident::text,
         'replica_index', (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                            WHERE i.indrelid = c.oid AND i.indisreplident),
         'options', coalesce(c.reloptions, '{}')
           || coalesce((SELECT array_agg('toast.' || o ORDER BY o)
                          FROM pg_class t, unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid), '{}'),
         'tablespace', (SELECT t.spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace),
         'grants', coalesce((SELECT g.items FROM grants g WHERE g.attnum = 0), '[]'),
         'comment', (SELECT d.description FROM pg_description d
                         WHERE d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0),
         'labels', coalesce((SELECT json_agg(json_build_object('provider', l.provider, 'text', l.label, 'of',
               CASE WHEN l.classoid = 'pg_type'::regclass THEN '"row_type"'::json
                    WHEN l.objoid <> c.oid THEN json_build_object('sequence_of', (
                           SELECT a.attname FROM owned_sequence s JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = s.attnum
                            WHERE s.oid = l.objoid))
                    WHEN l.objsubid = 0 THEN '"table"'::json
                    ELSE json_build_object('column', (
                           SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = l.objsubid)) END)
               ORDER BY l.classoid DESC, l.objoid <> c.oid, l.objoid, l.objsubid, l.provider)
             FROM replaced r JOIN pg_seclabel l ON l.classoid = r.class AND l.objoid = r.oid), '[]'),
         'has_dropped_columns', EXISTS (SELECT FROM pg_attribute a
                                         WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attisdropped),
         'columns', coalesce(columns.list, '[]'),
         'checks', coalesce(checks.list, '[]'),
         'not_nulls', coalesce(not_nulls.list, '[]'),
         'indexes', coalesce(indexes.list, '[]'),
         'extras', coalesce((SELECT json_agg(json_build_object('class', x.classid::regclass::text, 'object', x.objid::int8, 'by_type', x.by_type,
                                                                'kind', x.kind, 'description', x.description)
                                              ORDER BY x.kind, x.description)
                            -- What somebody has just dropped has none.
                            FROM extras x WHERE x.description IS NOT NULL), '[]'),
         'owner_may_read_and_capture', has_table_privilege(c.relowner, c.oid, 'SELECT')
                                   AND has_table_privilege(c.relowner, c.oid, 'TRIGGER'),
         'owner_may_set_sequences', NOT EXISTS (
             SELECT FROM owned_sequence s
              WHERE s.deptype = 'i'
                AND NOT (has_sequence_privilege(c.relowner, s.oid, 'SELECT')
                     AND has_sequence_privilege(c.relowner, s.oid, 'UPDATE'))),
         'owner_may_create', has_schema_privilege(c.relowner, n.oid, 'CREATE'),
         'owner_may_use_tablespaces', NOT EXISTS (
             SELECT FROM pg_class r
               JOIN pg_tablespace t ON t.oid = r.reltablespace
              WHERE (r.oid = c.oid OR r.oid IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid))
                AND NOT has_tablespace_privilege(c.relowner, t.oid, 'CREATE'))
       ) AS facts
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN columns CROSS JOIN checks CROSS JOIN not_nulls CROSS JOIN indexes
 WHERE c.oid = wanted.oid
) document
