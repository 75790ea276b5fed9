-- The flights as they must be: the loaded rows, with the ledger's last word on each row that it speaks of. Compared
-- with the table in both directions; any difference is an error.

\set ON_ERROR_STOP on
\set QUIET on

CREATE TEMP TABLE last_word AS
SELECT DISTINCT ON (id) * FROM ledger ORDER BY id, entry DESC;

CREATE TEMP TABLE must_be AS
SELECT * FROM loaded AS l WHERE NOT EXISTS (SELECT FROM last_word AS w WHERE w.id = l.id)
UNION ALL
SELECT id, time_hour, carrier, flight, tailnum, origin, dest, sched_dep_time, dep_delay, arr_delay, air_time, distance
  FROM last_word
 WHERE deed <> 'delete';

CREATE TEMP TABLE missing AS TABLE must_be EXCEPT ALL TABLE flights;
CREATE TEMP TABLE surplus AS TABLE flights EXCEPT ALL TABLE must_be;

CREATE TEMP TABLE sums AS
SELECT 'as it must be' AS flights, count(*) AS rows, count(DISTINCT id) AS ids, sum(distance) AS distance,
       sum(dep_delay) AS dep_delay, sum(extract(epoch FROM time_hour)) AS time_hour
  FROM must_be
UNION ALL
SELECT 'as it is', count(*), count(DISTINCT id), sum(distance), sum(dep_delay), sum(extract(epoch FROM time_hour))
  FROM flights;

\pset footer off
SELECT deed, count(*) FROM ledger GROUP BY deed ORDER BY deed;
TABLE sums ORDER BY flights DESC;
SELECT (SELECT count(*) FROM missing) AS "rows missing", (SELECT count(*) FROM surplus) AS "rows too many";

DO $$
BEGIN
    IF EXISTS (TABLE missing) OR EXISTS (TABLE surplus)
        OR (SELECT count(DISTINCT (rows, ids, distance, dep_delay, time_hour)) FROM sums) <> 1
    THEN
        RAISE EXCEPTION 'the table is not what it must be';
    END IF;
END
$$;
