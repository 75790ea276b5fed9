//! Partitions a table the old way, under one long lock: a stand-in for the engine.

use partman_rig::stage::{OWNER, Stage};

/// Replaces the table by a partitioned one of the same name.
pub fn partition(stage: &Stage) {
    let (table, column) = (stage.shape.table, stage.shape.partition_column);
    let (key, identity) = match table {
        "orders" => ("CONSTRAINT orders_pkey PRIMARY KEY (id, placed_at)", true),
        "events" => ("CONSTRAINT events_pk PRIMARY KEY (id, at)", false),
        other => panic!("nobody has written down how to partition {other} by hand"),
    };
    let restart = if identity {
        format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}_retired));"
        )
    } else {
        String::new()
    };
    stage.cluster.psql(
        &stage.database,
        &format!(
            "SET ROLE {OWNER};
             SET lock_timeout = '200ms';
             BEGIN;
             DO $$ BEGIN
                 LOOP
                     -- Short waits: a client that queues behind us cannot end its prepared transaction.
                     BEGIN
                         LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;
                         EXIT;
                     EXCEPTION WHEN lock_not_available THEN
                         PERFORM pg_sleep(0.02);
                     END;
                 END LOOP;
             END $$;
             DO $$ DECLARE i regclass; BEGIN
                 FOR i IN SELECT indexrelid FROM pg_index WHERE indrelid = '{table}'::regclass LOOP
                     EXECUTE format('ALTER INDEX %s RENAME TO %I', i, i::text || '_retired');
                 END LOOP;
             END $$;
             ALTER TABLE {table} RENAME TO {table}_retired;
             CREATE TEMP TABLE remade ON COMMIT DROP AS
                 SELECT replace(replace(pg_get_indexdef(indexrelid), '_retired ON', ' ON'), '{table}_retired', '{table}') AS sql
                   FROM pg_index WHERE indrelid = '{table}_retired'::regclass AND NOT indisunique;
             CREATE TABLE {table} (LIKE {table}_retired INCLUDING ALL EXCLUDING INDEXES, {key}) PARTITION BY RANGE ({column});
             SELECT format('CREATE TABLE {table}_p%s PARTITION OF {table} FOR VALUES FROM (%L) TO (%L)',
                           to_char(m, 'YYYY_MM'), m, m + interval '1 month')
               FROM generate_series(timestamptz '2026-04-01 00:00+00', '2026-10-01 00:00+00', '1 month') m
             \\gexec
             CREATE TABLE {table}_default PARTITION OF {table} DEFAULT;
             SELECT sql FROM remade \\gexec
             INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}_retired;
             {restart}
             COMMIT;"
        ),
    );
}
