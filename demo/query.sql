EXPLAIN (COSTS off)
SELECT carrier, avg(dep_delay) FROM flights
 WHERE time_hour >= '2013-07-01' AND time_hour < '2013-08-01' GROUP BY carrier;
