-- What hangs on some relations, and can be made again on another one: a document of each, with the OID of the relation.
-- Who runs it: as facts.sql, and right after it. What is not listed here, facts.sql finds in pg_depend, and is refused.
-- $2: whether the texts are wanted from which they are made again; without, nothing but system catalogs is locked.
-- Locks: ACCESS SHARE on system catalogs, and on all relations that the texts mention while they are written down. Rows:
-- one for each relation that is there. Every list has a fixed order. What somebody has just dropped has no text, and is left out.
SELECT wanted.oid, document.dependents::text
  FROM unnest($1::oid[]) AS wanted(oid)
 CROSS JOIN LATERAL (
WITH
  relation AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = wanted.oid
  ),
  -- Of a trigger only pg_get_triggerdef() writes down all; what it begins with is put together here, to know where
  -- the table's name ends.
  trigger_head AS (
    SELECT t.*, CASE WHEN $2 THEN pg_get_triggerdef(t.oid) END AS definition,
           format('CREATE %sTRIGGER %I ', CASE WHEN t.tgconstraint <> 0 THEN 'CONSTRAINT ' ELSE '' END, t.tgname) AS before_event,
           CASE WHEN t.tgtype & 2 <> 0 THEN 'BEFORE ' ELSE 'AFTER ' END || concat_ws(' OR ',
             CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' END,
             CASE WHEN t.tgtype & 8 <> 0 THEN 'DELETE' END,
             CASE WHEN t.tgtype & 16 <> 0 THEN 'UPDATE' || coalesce((
               SELECT ' OF ' || string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
                 FROM unnest(t.tgattr) WITH ORDINALITY AS k(attnum, place)
                 JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = k.attnum), '') END,
             CASE WHEN t.tgtype & 32 <> 0 THEN 'TRUNCATE' END) AS event
      FROM pg_trigger t
     WHERE t.tgrelid = wanted.oid AND NOT t.tgisinternal AND t.tgparentid = 0
       AND t.tgfoid IS DISTINCT FROM to_regproc('partman_rs.capture_change')
  ),
  row_type AS (
    SELECT t.oid, t.typarray, json_build_object(
             'grants', coalesce((SELECT json_agg(json_build_object(
                   'grantor', a.grantor::int8,
                   'grantor_name', pg_get_userbyid(a.grantor),
                   'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
                   'privilege', a.privilege_type,
                   'grantable', a.is_grantable) ORDER BY a.grantor <> t.typowner, a.grantor, a.grantee)
                FROM aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a), '[]'),
             'comment', obj_description(t.oid, 'pg_type')) AS document
      FROM relation r JOIN pg_type t ON t.oid = r.reltype
  ),
  -- What reads or writes the table, or speaks of its row type.
  naming AS (
    SELECT DISTINCT d.classid, d.objid
      FROM (SELECT 'pg_class'::regclass AS class, wanted.oid AS object
             UNION ALL SELECT 'pg_type'::regclass, t.oid FROM row_type t
             UNION ALL SELECT 'pg_type'::regclass, t.typarray FROM row_type t) used
      JOIN pg_depend d ON d.refclassid = used.class AND d.refobjid = used.object AND d.deptype = 'n'
     WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass)
  ),
  -- Others may speak of the row type in a body or a default, which CREATE OR REPLACE makes anew.
  taking_rows AS (
    SELECT p.oid AS objid
      FROM naming u
      JOIN pg_proc p ON u.classid = 'pg_proc'::regclass AND p.oid = u.objid
      JOIN row_type t ON ARRAY[t.oid, t.typarray] && (p.prorettype || p.proargtypes::oid[] || p.proallargtypes)
  ),
  -- An aggregate may take none, and be made of functions that do.
  row_routines AS (
    SELECT objid FROM taking_rows
     UNION
    SELECT p.oid
      FROM taking_rows t
      JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = t.objid AND d.deptype = 'n'
      JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid AND p.prokind = 'a'
  ),
  used AS (
    SELECT classid, objid FROM naming
     UNION
    SELECT d.classid, d.objid
      FROM row_routines r
      JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = r.objid AND d.deptype = 'n'
     WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass)
  ),
  -- What each of them uses of what does not come with the server: a text does not say which of several functions or
  -- operators of a name it was.
  calling AS (
    SELECT d.classid, d.objid,
           json_agg(DISTINCT CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid::regprocedure::text
                                               ELSE d.refobjid::regoperator::text END) AS list
      FROM (SELECT classid, objid FROM used
             UNION SELECT 'pg_proc'::regclass, objid FROM row_routines
             UNION SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w WHERE w.ev_class = wanted.oid
             UNION SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p WHERE p.polrelid = wanted.oid
             UNION SELECT 'pg_trigger'::regclass, t.oid FROM trigger_head t
             UNION SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s WHERE s.stxrelid = wanted.oid) u
      JOIN pg_depend d ON d.classid = u.classid AND d.objid = u.objid
       AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
     GROUP BY d.classid, d.objid
  ),
  triggers AS (
    SELECT json_agg(json_build_object(
             'oid', t.oid::int8,
             'name', t.tgname,
             'is_constraint', t.tgconstraint <> 0,
             'event', t.event,
             'rest', coalesce(substr(t.definition, length(concat(t.before_event, t.event, ' ON ', r.name, ' ')) + 1), ''),
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_trigger'::regclass AND k.objid = t.oid), '[]'),
             'for_each_row', t.tgtype & 1 <> 0,
             'has_transition_tables', t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL,
             'enabled', t.tgenabled::text,
             'function', t.tgfoid::regprocedure::text,
             'owner_may_execute', has_function_privilege(r.relowner, t.tgfoid, 'EXECUTE'),
             'extensions', coalesce((SELECT json_agg(e.extname ORDER BY e.extname)
                FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
               WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                 AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'x'), '[]'),
             'comment', obj_description(t.oid, 'pg_trigger'))
             ORDER BY t.tgname) AS list
      FROM trigger_head t, relation r
     WHERE NOT $2 OR starts_with(t.definition, concat(t.before_event, t.event, ' ON ', r.name, ' '))
  ),
  policies AS (
    SELECT json_agg(json_build_object(
             'oid', p.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_policy'::regclass AND k.objid = p.oid), '[]'),
             'name', p.polname,
             'permissive', p.polpermissive,
             'command', p.polcmd::text,
             -- Null is PUBLIC.
             'roles', (SELECT json_agg(CASE WHEN role <> 0 THEN pg_get_userbyid(role) END ORDER BY role) FROM unnest(p.polroles) role),
             'using', CASE WHEN $2 THEN pg_get_expr(p.polqual, p.polrelid) END,
             'check', CASE WHEN $2 THEN pg_get_expr(p.polwithcheck, p.polrelid) END,
             'comment', obj_description(p.oid, 'pg_policy'))
             ORDER BY p.polname) AS list
      FROM pg_policy p WHERE p.polrelid = wanted.oid
  ),
  -- Rules on the table itself, ...
  rules AS (
    SELECT json_agg(json_build_object(
             'oid', w.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_rewrite'::regclass AND k.objid = w.oid), '[]'),
             'name', w.rulename,
             'definition', written.text,
             'enabled', w.ev_enabled::text,
             'comment', obj_description(w.oid, 'pg_rewrite'))
             ORDER BY w.rulename) AS list
      FROM pg_rewrite w
     CROSS JOIN LATERAL (SELECT CASE WHEN $2 THEN pg_get_ruledef(w.oid) ELSE '' END OFFSET 0) AS written(text)
     WHERE w.ev_class = wanted.oid AND written.text IS NOT NULL
  ),
  -- PostgreSQL has no function that writes one down.
  aggregate AS (
    SELECT p.oid, format('CREATE AGGREGATE %I.%I(%s) (%s)', n.nspname, p.proname,
             coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*'),
             concat_ws(', ',
               'SFUNC = ' || a.aggtransfn,
               'STYPE = ' || format_type(a.aggtranstype, NULL),
               'SSPACE = ' || nullif(a.aggtransspace, 0),
               'FINALFUNC = ' || nullif(a.aggfinalfn::oid, 0)::regproc,
               CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
               'FINALFUNC_MODIFY = ' || CASE WHEN a.aggfinalfn::oid <> 0 THEN
                 CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
               'COMBINEFUNC = ' || nullif(a.aggcombinefn::oid, 0)::regproc,
               'SERIALFUNC = ' || nullif(a.aggserialfn::oid, 0)::regproc,
               'DESERIALFUNC = ' || nullif(a.aggdeserialfn::oid, 0)::regproc,
               'INITCOND = ' || quote_literal(a.agginitval),
               'MSFUNC = ' || nullif(a.aggmtransfn::oid, 0)::regproc,
               'MINVFUNC = ' || nullif(a.aggminvtransfn::oid, 0)::regproc,
               'MSTYPE = ' || CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END,
               'MSSPACE = ' || nullif(a.aggmtransspace, 0),
               'MFINALFUNC = ' || nullif(a.aggmfinalfn::oid, 0)::regproc,
               CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
               'MFINALFUNC_MODIFY = ' || CASE WHEN a.aggmfinalfn::oid <> 0 THEN
                 CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
               'MINITCOND = ' || quote_literal(a.aggminitval),
               (SELECT format('SORTOP = OPERATOR(%I.%s)', s.nspname, o.oprname)
                  FROM pg_operator o JOIN pg_namespace s ON s.oid = o.oprnamespace WHERE o.oid = a.aggsortop),
               'PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' END,
               CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END)) AS definition
      FROM row_routines r
      JOIN pg_proc p ON p.oid = r.objid
      JOIN pg_aggregate a ON a.aggfnoid = p.oid
      JOIN pg_namespace n ON n.oid = p.pronamespace
  ),
  -- What is made again names all that it uses with its schema, which whoever makes it must be able to use.
  reached AS (
    SELECT DISTINCT u.classid, u.objid, n.oid AS namespace, n.nspname
      FROM used u
      JOIN pg_depend d ON d.classid = u.classid AND d.objid = u.objid AND d.deptype = 'n'
      LEFT JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
      LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
      LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
      LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
      JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, p.pronamespace, t.typnamespace, o.oprnamespace)
     UNION
    -- The type of an aggregate's state is noted nowhere else.
    SELECT 'pg_proc'::regclass, r.objid, n.oid, n.nspname
      FROM row_routines r
      JOIN pg_aggregate a ON a.aggfnoid = r.objid
      JOIN pg_type t ON t.oid IN (a.aggtranstype, a.aggmtranstype)
      JOIN pg_namespace n ON n.oid = t.typnamespace
  ),
  -- Why the owner of a function cannot make it, in a few words.
  function_obstacle AS (
    SELECT p.oid, CASE
             WHEN r.rolsuper THEN NULL
             WHEN p.prokind <> 'a' AND NOT l.lanpltrusted THEN format('only a superuser can make functions in language "%s"', l.lanname)
             WHEN p.prokind <> 'a' AND NOT has_language_privilege(r.oid, l.oid, 'USAGE') THEN format('it may not use language "%s"', l.lanname)
             WHEN p.proleakproof THEN 'only a superuser can make a LEAKPROOF function'
             WHEN p.prosupport <> 0 THEN 'only a superuser can give it a support function'
             WHEN 'internal'::regtype IN (a.aggtranstype, a.aggmtranstype) THEN 'only a superuser can make an aggregate whose state is internal'
             ELSE coalesce(
               (SELECT min(format('it may not execute function %s', f::regprocedure))
                  FROM unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                                    a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::oid[]) f
                 WHERE f <> 0 AND NOT has_function_privilege(r.oid, f, 'EXECUTE')),
               (SELECT min(format('it may not set parameter "%s"', s.name))
                  FROM unnest(p.proconfig) c JOIN pg_settings s ON s.name = split_part(c, '=', 1)
                 WHERE s.context = 'superuser' AND NOT has_parameter_privilege(r.oid, s.name, 'SET')),
               (SELECT min(format('it may not use type %s', format_type(t, NULL)))
                  FROM unnest(ARRAY[p.prorettype, a.aggtranstype, a.aggmtranstype] || coalesce(p.proallargtypes, p.proargtypes::oid[])) t
                 WHERE t NOT IN (SELECT unnest(ARRAY[y.oid, y.typarray]) FROM row_type y) AND NOT has_type_privilege(r.oid, t, 'USAGE')))
           END AS text
      FROM used u
      JOIN pg_proc p ON u.classid = 'pg_proc'::regclass AND p.oid = u.objid
      JOIN pg_language l ON l.oid = p.prolang
      JOIN pg_roles r ON r.oid = p.proowner
      LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
  ),
  rules_elsewhere AS (
    SELECT json_agg(json_build_object(
             'oid', w.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_rewrite'::regclass AND k.objid = w.oid), '[]'),
             'relation', e.oid::int8, 'schema', n.nspname, 'relation_name', e.relname, 'owner', e.relowner::int8,
             'name', w.rulename,
             'definition', written.text,
             'unreachable', (SELECT min(s.nspname) FROM reached s
                WHERE s.classid = 'pg_rewrite'::regclass AND s.objid = w.oid AND NOT has_schema_privilege(e.relowner, s.namespace, 'USAGE')))
             ORDER BY n.nspname, e.relname, w.rulename) AS list
      FROM used u
      JOIN pg_rewrite w ON u.classid = 'pg_rewrite'::regclass AND w.oid = u.objid
      JOIN pg_class e ON e.oid = w.ev_class
      JOIN pg_namespace n ON n.oid = e.relnamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN $2 THEN pg_get_ruledef(w.oid) ELSE '' END OFFSET 0) AS written(text)
     WHERE e.oid <> wanted.oid AND w.rulename <> '_RETURN' AND written.text IS NOT NULL
  ),
  views AS (
    SELECT json_agg(json_build_object(
             'oid', w.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_rewrite'::regclass AND k.objid = w.oid), '[]'),
             'relation', v.oid::int8, 'schema', n.nspname, 'name', v.relname,
             'owner', v.relowner::int8, 'owner_name', pg_get_userbyid(v.relowner),
             'options', coalesce(v.reloptions, '{}'),
             'definition', written.text,
             'is_materialized', v.relkind = 'm',
             'is_temporary', v.relpersistence = 't',
             'unreachable', (SELECT min(s.nspname) FROM reached s
                WHERE s.classid = 'pg_rewrite'::regclass AND s.objid = w.oid AND NOT has_schema_privilege(v.relowner, s.namespace, 'USAGE')),
             'owner_may_create', has_schema_privilege(v.relowner, n.oid, 'CREATE'))
             ORDER BY n.nspname, v.relname) AS list
      FROM used u
      JOIN pg_rewrite w ON u.classid = 'pg_rewrite'::regclass AND w.oid = u.objid AND w.rulename = '_RETURN'
      JOIN pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
      JOIN pg_namespace n ON n.oid = v.relnamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN $2 THEN pg_get_viewdef(v.oid) ELSE '' END OFFSET 0) AS written(text)
     WHERE written.text IS NOT NULL
  ),
  policies_elsewhere AS (
    SELECT json_agg(json_build_object(
             'oid', p.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_policy'::regclass AND k.objid = p.oid), '[]'),
             'relation', e.oid::int8, 'schema', n.nspname, 'relation_name', e.relname, 'owner', e.relowner::int8,
             'name', p.polname,
             'using', CASE WHEN $2 THEN pg_get_expr(p.polqual, p.polrelid) END,
             'check', CASE WHEN $2 THEN pg_get_expr(p.polwithcheck, p.polrelid) END,
             'unreachable', (SELECT min(s.nspname) FROM reached s
                WHERE s.classid = 'pg_policy'::regclass AND s.objid = p.oid AND NOT has_schema_privilege(e.relowner, s.namespace, 'USAGE')))
             ORDER BY n.nspname, e.relname, p.polname) AS list
      FROM used u
      JOIN pg_policy p ON u.classid = 'pg_policy'::regclass AND p.oid = u.objid
      JOIN pg_class e ON e.oid = p.polrelid
      JOIN pg_namespace n ON n.oid = e.relnamespace
     WHERE e.oid <> wanted.oid
  ),
  row_casts AS (
    SELECT c.* FROM row_type t JOIN pg_cast c ON ARRAY[c.castsource, c.casttarget] && ARRAY[t.oid, t.typarray]
  ),
  -- Those whose body is parsed when they are made; others look the table up by its name.
  functions AS (
    SELECT json_agg(json_build_object(
             'oid', p.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_proc'::regclass AND k.objid = p.oid), '[]'),
             'name', p.oid::regprocedure::text,
             'owner', p.proowner::int8, 'owner_name', pg_get_userbyid(p.proowner), 'schema', n.nspname,
             'definition', written.text,
             'obstacle', (SELECT o.text FROM function_obstacle o WHERE o.oid = p.oid),
             'unreachable', (SELECT min(s.nspname) FROM reached s
                WHERE s.classid = 'pg_proc'::regclass AND s.objid = p.oid AND NOT has_schema_privilege(p.proowner, s.namespace, 'USAGE')),
             'owner_may_create', has_schema_privilege(p.proowner, n.oid, 'CREATE'))
             ORDER BY p.oid::regprocedure::text COLLATE "C") AS list
      FROM used u
      JOIN pg_proc p ON u.classid = 'pg_proc'::regclass AND p.oid = u.objid
      JOIN pg_namespace n ON n.oid = p.pronamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN NOT $2 THEN '' WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END OFFSET 0) AS written(text)
     WHERE p.oid NOT IN (SELECT objid FROM row_routines) AND written.text IS NOT NULL
  ),
  -- Those that take or return rows of the table, or arrays of them, and aggregates of such.
  row_functions AS (
    SELECT json_agg(json_build_object(
             'oid', p.oid::int8,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_proc'::regclass AND k.objid = p.oid), '[]'),
             'name', p.oid::regprocedure::text,
             'is_aggregate', p.prokind = 'a',
             'owner', p.proowner::int8, 'owner_name', pg_get_userbyid(p.proowner), 'schema', n.nspname,
             'definition', written.text,
             'obstacle', (SELECT o.text FROM function_obstacle o WHERE o.oid = p.oid),
             'unreachable', (SELECT min(s.nspname) FROM reached s
                WHERE s.classid = 'pg_proc'::regclass AND s.objid = p.oid AND NOT has_schema_privilege(p.proowner, s.namespace, 'USAGE')),
             'owner_may_create', has_schema_privilege(p.proowner, n.oid, 'CREATE'),
             -- Null is PUBLIC.
             'grants', coalesce((SELECT json_agg(json_build_object(
                   'grantor', a.grantor::int8,
                   'grantor_name', pg_get_userbyid(a.grantor),
                   'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
                   'privilege', a.privilege_type,
                   'grantable', a.is_grantable) ORDER BY a.grantee, a.grantor)
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a), '[]'),
             -- Whoever may execute it when it has just been made.
             'strangers', (SELECT json_agg(CASE WHEN role <> 0 THEN pg_get_userbyid(role) END ORDER BY role)
                FROM (SELECT 0::oid AS role
                       UNION SELECT p.proowner
                       UNION SELECT a.grantee FROM pg_default_acl d, aclexplode(d.defaclacl) a
                              WHERE d.defaclrole = p.proowner AND d.defaclobjtype = 'f'
                                AND d.defaclnamespace IN (0, p.pronamespace)) able),
             'comment', obj_description(p.oid, 'pg_proc'),
             'labels', coalesce((SELECT json_agg(json_build_array(l.provider, l.label) ORDER BY l.provider) FROM pg_seclabel l
                                  WHERE l.classoid = 'pg_proc'::regclass AND l.objoid = p.oid), '[]'),
             -- What is made again is bound to the new one.
             'users', coalesce((SELECT json_agg(pg_describe_object(d.classid, d.objid, d.objsubid)
                                                ORDER BY d.classid, d.objid, d.objsubid)
                FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
                 AND NOT EXISTS (SELECT FROM used u WHERE u.classid = d.classid AND u.objid = d.objid)
                 AND NOT (d.classid = 'pg_cast'::regclass AND d.objid IN (SELECT c.oid FROM row_casts c))), '[]'),
             'has_more', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                                    AND d.refclassid = 'pg_extension'::regclass))
             ORDER BY p.oid::regprocedure::text COLLATE "C") AS list
      FROM row_routines u
      JOIN pg_proc p ON p.oid = u.objid
      JOIN pg_namespace n ON n.oid = p.pronamespace
      LEFT JOIN aggregate a ON a.oid = p.oid
     CROSS JOIN LATERAL (SELECT CASE WHEN NOT $2 THEN '' WHEN p.prokind = 'a' THEN a.definition ELSE pg_get_functiondef(p.oid) END
                         OFFSET 0) AS written(text)
     WHERE written.text IS NOT NULL
  ),
  casts AS (
    SELECT json_agg(json_build_object(
             'oid', c.oid::int8,
             'source', format_type(c.castsource, NULL),
             'target', format_type(c.casttarget, NULL),
             -- None: through text. (Rows are never taken for something else without a function.)
             'function', CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END,
             'context', CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END,
             'obstacle', coalesce(
               (SELECT min(format('it may not use type %s', format_type(t, NULL)))
                  FROM unnest(ARRAY[c.castsource, c.casttarget]) t
                 WHERE t NOT IN (SELECT unnest(ARRAY[y.oid, y.typarray]) FROM row_type y) AND NOT has_type_privilege(r.relowner, t, 'USAGE')),
               (SELECT min(format('it may not use schema %I', n.nspname))
                  FROM (SELECT typnamespace FROM pg_type WHERE oid IN (c.castsource, c.casttarget)
                         UNION SELECT pronamespace FROM pg_proc WHERE oid = c.castfunc) AS named(namespace)
                  JOIN pg_namespace n ON n.oid = named.namespace
                 WHERE NOT has_schema_privilege(r.relowner, n.oid, 'USAGE'))),
             'comment', obj_description(c.oid, 'pg_cast'),
             'has_more', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid
                                    AND d.refclassid = 'pg_extension'::regclass))
             ORDER BY format_type(c.castsource, NULL) COLLATE "C", format_type(c.casttarget, NULL) COLLATE "C") AS list
      FROM row_casts c, relation r
  ),
  statistics AS (
    SELECT json_agg(json_build_object(
             'oid', s.oid::int8,
             'schema', n.nspname, 'name', s.stxname,
             'owner', s.stxowner::int8,
             'kinds', array_to_json(s.stxkind::text[]),
             'columns', written.text,
             'calls', coalesce((SELECT k.list FROM calling k WHERE k.classid = 'pg_statistic_ext'::regclass AND k.objid = s.oid), '[]'),
             'target', nullif(s.stxstattarget, -1),
             'comment', obj_description(s.oid, 'pg_statistic_ext'))
             ORDER BY n.nspname, s.stxname) AS list
      FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN $2 THEN pg_get_statisticsobjdef_columns(s.oid) ELSE '' END OFFSET 0) AS written(text)
     WHERE s.stxrelid = wanted.oid AND written.text IS NOT NULL
  ),
  -- Named there, or with all of its schema, or with everything; and those that a table is in that it is a partition of.
  publications AS (
    SELECT json_agg(json_build_object(
             'oid', coalesce(x.oid, 0)::int8,
             'name', p.pubname,
             'owner', p.pubowner::int8, 'owner_name', pg_get_userbyid(p.pubowner),
             'via_root', p.pubviaroot,
             'columns', (SELECT json_agg(a.attname ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = wanted.oid AND a.attnum = ANY (x.prattrs::int2[])),
             'filter', CASE WHEN $2 THEN pg_get_expr(x.prqual, x.prrelid) END,
             'sends_changes', p.pubupdate OR p.pubdelete,
             'owner_may_act_as_owner', x.oid IS NULL OR pg_has_role(p.pubowner, r.relowner, 'USAGE'))
             ORDER BY p.pubname) AS list
      FROM relation r CROSS JOIN pg_publication p
      LEFT JOIN pg_publication_rel x ON x.prpubid = p.oid AND x.prrelid = wanted.oid
     WHERE x.oid IS NOT NULL
        OR p.puballtables
        OR EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = r.relnamespace)
        OR EXISTS (SELECT FROM pg_partition_ancestors(wanted.oid) up(relid) JOIN pg_class c ON c.oid = up.relid
                    WHERE up.relid <> wanted.oid
                      AND (EXISTS (SELECT FROM pg_publication_rel o WHERE o.prpubid = p.oid AND o.prrelid = c.oid)
                           OR EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace)))
  ),
  subscriptions AS (
    SELECT json_agg(json_build_object('name', s.subname, 'is_ready', x.srsubstate = 'r') ORDER BY s.subname) AS list
      FROM pg_subscription_rel x JOIN pg_subscription s ON s.oid = x.srsubid
     WHERE x.srrelid = wanted.oid
  ),
  -- To other tables, and not those of the table that it is a partition of: a partition gets them when it is attached. Of a
  -- partitioned table all are read, for its own partitions.
  foreign_keys AS (
    SELECT json_agg(json_build_object(
             'oid', k.oid::int8,
             'name', k.conname,
             'relation', e.oid::int8, 'schema', n.nspname, 'relation_name', e.relname,
             'is_to_partitioned', e.relkind = 'p',
             'is_to_unlogged', e.relpersistence = 'u' AND e.oid <> wanted.oid,
             'definition', pg_get_constraintdef(k.oid),
             'needs_validation', NOT k.convalidated AND current_setting('server_version_num')::int < 180000,
             -- Also on the partitions of what it points at.
             'acts', (WITH RECURSIVE parts AS (
                        SELECT k.oid UNION ALL SELECT p.oid FROM parts JOIN pg_constraint p ON p.conparentid = parts.oid AND p.conrelid = k.conrelid)
                      SELECT coalesce(bool_and(t.tgenabled = 'O'), true) FROM parts JOIN pg_trigger t ON t.tgconstraint = parts.oid),
             'owner_may_reference', has_schema_privilege(r.relowner, n.oid, 'USAGE')
               AND (has_table_privilege(r.relowner, e.oid, 'REFERENCES')
                    OR (SELECT bool_and(has_column_privilege(r.relowner, e.oid, a, 'REFERENCES')) FROM unnest(k.confkey) a)),
             'comment', obj_description(k.oid, 'pg_constraint'))
             -- In the order in which they act, which is that of the names of their triggers.
             ORDER BY (SELECT min(t.tgname::text COLLATE "C") FROM pg_trigger t
                        WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid), k.conname) AS list
      FROM pg_constraint k
      JOIN pg_class e ON e.oid = k.confrelid
      JOIN pg_namespace n ON n.oid = e.relnamespace, relation r
     WHERE k.conrelid = wanted.oid AND k.contype = 'f' AND (k.conparentid = 0 OR r.relkind = 'p') AND k.confrelid <> k.conrelid
       -- What a key of the table has for each partition of the table that it points at, which may be itself, is part of it.
       AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
  ),
  -- Of other tables, and not those of a table that theirs is a partition of. Of the text, what stands before and behind the
  -- name of the table that they point at.
  incoming_keys AS (
    SELECT json_agg(json_build_object(
             'oid', k.oid::int8,
             'name', k.conname,
             'relation', e.oid::int8, 'schema', n.nspname, 'relation_name', e.relname,
             'owner', e.relowner::int8, 'owner_name', pg_get_userbyid(e.relowner),
             'is_of_partitioned', e.relkind = 'p',
             'head', head.text,
             'rest', regexp_replace(substr(written.text, length(concat(head.text, r.name)) + 1), ' NOT VALID$', ''),
             'referenced', array_to_json(k.confkey),
             'is_valid', k.convalidated,
             -- Also on the partitions of either table.
             'acts', (WITH RECURSIVE part AS (
                          SELECT k.oid UNION ALL SELECT p.oid FROM pg_constraint p JOIN part ON p.conparentid = part.oid)
                      SELECT coalesce(bool_and(t.tgenabled = 'O'), true) FROM pg_trigger t JOIN part ON t.tgconstraint = part.oid),
             'owner_may_reference', has_schema_privilege(e.relowner, r.relnamespace, 'USAGE')
               AND has_schema_privilege(e.relowner, n.oid, 'USAGE')
               AND (has_table_privilege(e.relowner, r.oid, 'REFERENCES')
                    OR (SELECT bool_and(has_column_privilege(e.relowner, r.oid, a, 'REFERENCES')) FROM unnest(k.confkey) a)),
             'comment', obj_description(k.oid, 'pg_constraint'),
             'parts', coalesce((WITH RECURSIVE part AS (
                                    SELECT p.oid FROM pg_constraint p WHERE p.conparentid = k.oid AND p.confrelid = wanted.oid
                                     UNION ALL SELECT p.oid FROM part JOIN pg_constraint p ON p.conparentid = part.oid AND p.confrelid = wanted.oid)
                                SELECT json_agg(part.oid::int8 ORDER BY part.oid) FROM part), '[]'))
             -- In the order in which they act, as above.
             ORDER BY (SELECT min(t.tgname::text COLLATE "C") FROM pg_trigger t
                        WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid), k.oid) AS list
      FROM pg_constraint k
      JOIN pg_class e ON e.oid = k.conrelid
      JOIN pg_namespace n ON n.oid = e.relnamespace, relation r
     CROSS JOIN LATERAL (SELECT format('FOREIGN KEY (%s) REFERENCES ', string_agg(quote_ident(a.attname), ', ' ORDER BY c.place))
                           FROM unnest(k.conkey) WITH ORDINALITY AS c(attnum, place)
                           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum) AS head(text)
     CROSS JOIN LATERAL (SELECT pg_get_constraintdef(k.oid) OFFSET 0) AS written(text)
     WHERE k.confrelid = wanted.oid AND k.contype = 'f' AND k.conparentid = 0 AND k.confrelid <> k.conrelid
       AND starts_with(written.text, concat(head.text, r.name, '('))
  ),
  -- Of the table itself, that point at it.
  self_keys AS (
    SELECT json_agg(json_build_object(
             'oid', k.oid::int8,
             'name', k.conname,
             'head', head.text,
             'rest', substr(written.text, length(concat(head.text, r.name)) + 1),
             'columns', array_to_json(k.conkey),
             'referenced', array_to_json(k.confkey),
             'needs_validation', NOT k.convalidated AND current_setting('server_version_num')::int < 180000,
             'acts', (WITH RECURSIVE part AS (
                          SELECT k.oid UNION ALL SELECT p.oid FROM pg_constraint p JOIN part ON p.conparentid = part.oid)
                      SELECT coalesce(bool_and(t.tgenabled = 'O'), true) FROM pg_trigger t JOIN part ON t.tgconstraint = part.oid),
             'owner_may_reference', has_table_privilege(r.relowner, r.oid, 'REFERENCES')
               OR (SELECT bool_and(has_column_privilege(r.relowner, r.oid, a, 'REFERENCES')) FROM unnest(k.confkey) a),
             'comment', obj_description(k.oid, 'pg_constraint'),
             'parts', coalesce((SELECT json_agg(p.oid::int8 ORDER BY p.oid) FROM pg_constraint p WHERE p.conparentid = k.oid), '[]'))
             ORDER BY (SELECT min(t.tgname::text COLLATE "C") FROM pg_trigger t WHERE t.tgconstraint = k.oid), k.oid) AS list
      FROM pg_constraint k, relation r
     CROSS JOIN LATERAL (SELECT format('FOREIGN KEY (%s) REFERENCES ', string_agg(quote_ident(a.attname), ', ' ORDER BY c.place))
                           FROM unnest(k.conkey) WITH ORDINALITY AS c(attnum, place)
                           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum) AS head(text)
     CROSS JOIN LATERAL (SELECT pg_get_constraintdef(k.oid) OFFSET 0) AS written(text)
     WHERE k.conrelid = wanted.oid AND k.confrelid = wanted.oid AND k.contype = 'f' AND k.conparentid = 0
       AND starts_with(written.text, concat(head.text, r.name, '('))
  )
SELECT json_build_object(
         'triggers', coalesce(triggers.list, '[]'),
         'policies', coalesce(policies.list, '[]'),
         'rules', coalesce(rules.list, '[]'),
         'rules_elsewhere', coalesce(rules_elsewhere.list, '[]'),
         'policies_elsewhere', coalesce(policies_elsewhere.list, '[]'),
         'views', coalesce(views.list, '[]'),
         'functions', coalesce(functions.list, '[]'),
         'row_functions', coalesce(row_functions.list, '[]'),
         'casts', coalesce(casts.list, '[]'),
         'statistics', coalesce(statistics.list, '[]'),
         'publications', coalesce(publications.list, '[]'),
         'subscriptions', coalesce(subscriptions.list, '[]'),
         'foreign_keys', coalesce(foreign_keys.list, '[]'),
         -- Indexes and sequences have none.
         'row_type', coalesce((SELECT t.document FROM row_type t), '{"grants": [], "comment": null}'),
         'incoming_keys', coalesce(incoming_keys.list, '[]'),
         'self_keys', coalesce(self_keys.list, '[]')
       ) AS dependents
  FROM relation
 CROSS JOIN triggers CROSS JOIN policies CROSS JOIN rules CROSS JOIN rules_elsewhere CROSS JOIN policies_elsewhere
 CROSS JOIN views CROSS JOIN functions CROSS JOIN row_functions CROSS JOIN casts CROSS JOIN statistics CROSS JOIN publications CROSS JOIN subscriptions
 CROSS JOIN foreign_keys CROSS JOIN incoming_keys CROSS JOIN self_keys
) document
