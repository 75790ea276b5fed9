-- The table as an application has it: one heap, a key that knows nothing of partitions, two more indexes.
-- It belongs to an ordinary role; only the extension is created by a superuser.

\set ON_ERROR_STOP on

CREATE EXTENSION pg_partman_rs;
CREATE ROLE dispatcher LOGIN;
CREATE SCHEMA airline AUTHORIZATION dispatcher;
ALTER ROLE dispatcher SET search_path = airline, public;

\connect - dispatcher

CREATE TABLE flights (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time_hour       timestamptz NOT NULL,
    carrier         text NOT NULL,
    flight          integer NOT NULL,
    tailnum         text,
    origin          text NOT NULL,
    dest            text NOT NULL,
    sched_dep_time  smallint NOT NULL,
    dep_delay       integer,
    arr_delay       integer,
    air_time        integer,
    distance        integer NOT NULL CHECK (distance > 0)
);
CREATE INDEX flights_time_hour_idx ON flights (time_hour);
CREATE INDEX flights_tailnum_idx ON flights (tailnum);
COMMENT ON TABLE flights IS 'every flight that left New York City in 2013';

\copy flights (time_hour, carrier, flight, tailnum, origin, dest, sched_dep_time, dep_delay, arr_delay, air_time, distance) FROM PROGRAM 'gzip -dc "$DEMO_DATA/flights.csv.gz"' (FORMAT csv, HEADER)
ANALYZE flights;

-- What the application did, row by row, written in the transaction that did it.
CREATE TABLE ledger (
    entry  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deed   text NOT NULL CHECK (deed IN ('insert', 'update', 'delete')),
    LIKE flights
);

-- The rows before the application began, for the comparison at the end.
CREATE TABLE loaded AS TABLE flights;
CREATE INDEX ON loaded (id);
ANALYZE loaded;
