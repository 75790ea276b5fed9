\getenv dir PG_ABS_SRCDIR
\set setup :dir '/setup.psql'
\i :setup
-- Every function, with what it takes and gives.
SELECT p.oid::regprocedure AS function, pg_get_function_result(p.oid) AS result, p.provolatile AS volatile, p.proisstrict AS strict,
       p.proparallel AS parallel, p.prosecdef AS definer, p.proconfig AS config
  FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = 'pg_partman_rs' AND p.proname NOT LIKE 'failpoint%'
 ORDER BY p.oid::regprocedure::text COLLATE "C" \gx
SELECT pg_get_function_arguments('convert_to_partitioned'::regproc);
-- Each has a comment, and so have the views and all of their columns.
SELECT p.oid::regprocedure AS without_comment
  FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = 'pg_partman_rs' AND p.proname NOT LIKE 'failpoint%' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.relname, a.attname AS column_without_comment
  FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL
 WHERE c.relnamespace = 'partman_rs'::regnamespace AND c.relkind = 'v'
   AND (a.attname IS NOT NULL OR obj_description(c.oid, 'pg_class') IS NULL)
 ORDER BY 1, 2;
-- What others than the owner may do.
SELECT c.relname, c.relkind, a.privilege_type
  FROM pg_class c, aclexplode(c.relacl) a
 WHERE c.relnamespace = 'partman_rs'::regnamespace AND a.grantee = 0
 ORDER BY 1, 3;
SELECT privilege_type FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'partman_rs' AND grantee = 0;
-- Settings.
LOAD 'pg_partman_rs';
SELECT name, setting, unit, context, min_val, max_val FROM pg_settings WHERE name LIKE 'pg\_partman\_rs.%' ORDER BY name;
SELECT tests.refusal('SET pg_partman_rs.no_such_setting = 1');
SELECT tests.refusal('SET pg_partman_rs.copy_workers = 0');
-- Views without any conversion.
SELECT * FROM partman_rs.conversions;
SELECT * FROM partman_rs.partitions;
