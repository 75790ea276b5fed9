//! Security labels, of a provider that only builds for tests have.

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{Conversion, await_job, steer, wait_until_swapped};
use partman_rig::poll::PATIENCE;
use postgres::Client;

use crate::maintained::{must, texts};

const TABLE: &str = "CREATE EXTENSION pg_partman_rs;
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, dropped int, k int NOT NULL, \"A card\" text, PRIMARY KEY (id, k));
    ALTER TABLE orders DROP dropped;
    INSERT INTO orders (k) SELECT i FROM generate_series(1, 3000) i;
    CREATE FUNCTION first_of(orders) RETURNS orders LANGUAGE sql AS 'SELECT $1';
    SECURITY LABEL FOR test ON TABLE orders IS 'it''s the table';
    SECURITY LABEL FOR test ON COLUMN orders.\"A card\" IS 'masked';
    SECURITY LABEL FOR test ON SEQUENCE orders_id_seq IS 'numbers';
    SECURITY LABEL FOR test ON TYPE orders IS 'rows';
    SECURITY LABEL FOR test ON FUNCTION first_of IS 'a function'";

/// All labels but those of partitions and of what was retired.
const LABELS: &str = "SELECT label FROM (SELECT format('%s %s: %s', pg_identify_object(l.classoid, l.objoid, l.objsubid), l.provider, l.label) AS label \
    FROM pg_seclabel l LEFT JOIN pg_class c ON l.classoid = 'pg_class'::regclass AND c.oid = l.objoid \
      LEFT JOIN pg_type t ON l.classoid = 'pg_type'::regclass AND t.oid = l.objoid \
   WHERE NOT coalesce(c.relispartition, false) AND coalesce(c.relname, t.typname, '') NOT LIKE '%retired%' \
  ) labels ORDER BY label COLLATE \"C\"";

/// What the partitions say that is not what the table says.
const UNLIKE: &str = "SELECT format('%s: %s', i.inhrelid::regclass, w) FROM pg_inherits i, \
      LATERAL (SELECT coalesce((SELECT string_agg(format('%s %s', a.attname, l.label), ', ' ORDER BY a.attname) FROM pg_seclabel l \
                 LEFT JOIN pg_attribute a ON a.attrelid = l.objoid AND a.attnum = l.objsubid AND a.attnum > 0 \
                WHERE l.objoid = i.inhrelid AND l.provider = 'test'), '') AS w) of_leaf \
   WHERE i.inhparent = 'orders'::regclass AND w <> $1";

const OF_EACH: &str = "A card masked,  it's the table";

fn cluster() -> (Cluster, Client) {
    let cluster = Cluster::builder()
        .setting("shared_preload_libraries", "pg_partman_rs")
        .setting("pg_partman_rs.maintenance_interval", "0")
        .start();
    let mut client = cluster.connect();
    must(&mut client, TABLE);
    (cluster, client)
}

#[test]
fn security_labels_are_given_to_the_result_and_to_all_its_partitions() {
    let (_cluster, mut client) = cluster();
    let before = texts(&mut client, LABELS, &[]);
    assert_eq!(before.len(), 5);
    Conversion::of("orders", "k", "1000")
        .start(&mut client)
        .expect("the table can be converted");
    wait_until_swapped(&mut client, "orders", PATIENCE);
    assert_eq!(texts(&mut client, LABELS, &[]), before);
    assert_eq!(texts(&mut client, UNLIKE, &[&OF_EACH]), [""; 0]);
    // ... and to those that are made later.
    must(
        &mut client,
        "SELECT finish_conversion('orders'); SELECT set_partition_policy('orders', premake => 9); SELECT ensure_partitions('orders')",
    );
    assert_eq!(texts(&mut client, UNLIKE, &[&OF_EACH]), [""; 0]);
    // One that has drifted is told of, and mended.
    must(
        &mut client,
        "SECURITY LABEL FOR test ON COLUMN orders_p1000.\"A card\" IS NULL; SELECT set_partition_policy('orders', repair => true)",
    );
    assert_eq!(
        texts(
            &mut client,
            "SELECT outcome FROM ensure_partitions('orders')",
            &[]
        ),
        ["repaired: the test security label of column \"A card\" is not that of the table"]
    );
    assert_eq!(texts(&mut client, UNLIKE, &[&OF_EACH]), [""; 0]);
}

#[test]
fn a_label_that_its_provider_does_not_agree_with_stops_the_conversion_before_a_row_is_copied() {
    let (_cluster, mut client) = cluster();
    // As one that was given before the provider became strict.
    must(
        &mut client,
        "UPDATE pg_seclabel SET label = 'unfit' WHERE objsubid > 0",
    );
    Conversion::of("orders", "k", "1000")
        .start(&mut client)
        .expect("the plan does not know");
    let failed = await_job(&mut client, "orders", "the failure", PATIENCE, |job| {
        job.phase == "failed"
    });
    assert_eq!(
        failed.last_error.as_deref(),
        Some("the label \"unfit\" does not fit")
    );
    // What is planned by then is that label.
    steer(&mut client, "cancel", "orders").expect("the job can be taken back");
    await_job(&mut client, "orders", "its end", PATIENCE, |job| {
        job.phase == "cancelled"
    });
    must(
        &mut client,
        "SECURITY LABEL FOR test ON COLUMN orders.\"A card\" IS 'masked'",
    );
    Conversion::of("orders", "k", "1000")
        .start(&mut client)
        .expect("the table can be converted");
    wait_until_swapped(&mut client, "orders", PATIENCE);
    assert_eq!(texts(&mut client, UNLIKE, &[&OF_EACH]), [""; 0]);
}
