-- One transaction of the application: some flight is booked, delayed, put off by a month, or cancelled, and the same
-- transaction writes the row it left (or took away) into the ledger.
--
-- Each client keeps to flights of its own, so that no two of them wait for each other: what makes a client wait is then
-- the conversion, and nothing else. Entries about one flight are written while its row is locked, so their order is the
-- order of the deeds. The application knows a flight by its number and its hour: in a partitioned table a statement that
-- leaves out the partition column looks into every partition.

\set id random(0, 84193) * 4 + :client_id + 1
\set deed random(1, 100)
SELECT time_hour FROM loaded WHERE id = :id \gset

BEGIN;
\if :deed <= 35
WITH done AS (
    INSERT INTO flights (time_hour, carrier, flight, tailnum, origin, dest, sched_dep_time, distance)
    SELECT now() + make_interval(days => :deed), 'UA', 1000 + :deed, 'N14228', 'EWR', 'IAH', 515, 1400
    RETURNING *
)
INSERT INTO ledger OVERRIDING USER VALUE SELECT 0, 'insert', * FROM done;
\elif :deed <= 70
WITH done AS (
    UPDATE flights SET dep_delay = coalesce(dep_delay, 0) + 5, arr_delay = coalesce(arr_delay, 0) + 5
     WHERE id = :id AND time_hour = :time_hour::timestamptz
    RETURNING *
)
INSERT INTO ledger OVERRIDING USER VALUE SELECT 0, 'update', * FROM done;
\elif :deed <= 85
WITH done AS (
    UPDATE flights SET time_hour = time_hour + interval '1 month'
     WHERE id = :id AND time_hour = :time_hour::timestamptz
    RETURNING *
)
INSERT INTO ledger OVERRIDING USER VALUE SELECT 0, 'update', * FROM done;
\else
WITH done AS (
    DELETE FROM flights WHERE id = :id AND time_hour = :time_hour::timestamptz
    RETURNING *
)
INSERT INTO ledger OVERRIDING USER VALUE SELECT 0, 'delete', * FROM done;
\endif
COMMIT;
