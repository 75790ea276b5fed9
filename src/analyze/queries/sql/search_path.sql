-- The search_path that a session of role $1 begins with, as far as it can be known: what was set for the role or this database,
-- else what the caller's session began with where nothing was set for him, else PostgreSQL's own.
-- Who runs it: whoever asks. Locks: none.
WITH place AS (SELECT d.oid AS database FROM pg_database d WHERE d.datname = current_database()),
set_for AS (
    SELECT s.setrole, s.setdatabase, substr(c.setting, length('search_path=') + 1) AS path
      FROM place, pg_db_role_setting s, unnest(s.setconfig) AS c(setting)
     WHERE s.setdatabase IN (0, place.database) AND c.setting LIKE 'search\_path=%'
)
SELECT coalesce(
    (SELECT path FROM set_for WHERE setrole IN (0, $1) ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1),
    (SELECT reset_val FROM pg_settings WHERE name = 'search_path'
      AND NOT EXISTS (SELECT FROM set_for WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)))),
    '"$user", public')
