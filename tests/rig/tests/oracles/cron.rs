//! Maintenance by pg_cron, where the distribution has a package of it for the server under test: then
//! `make test-oracle` installs it.

use partman_rig::cluster::Cluster;
use partman_rig::poll;
use partman_rig::poll::PATIENCE;

use crate::maintained::{must, number, texts};

const JOBS: &str = "
    CREATE EXTENSION pg_partman_rs;
    CREATE EXTENSION pg_cron;
    CREATE ROLE keeper LOGIN;
    GRANT USAGE ON SCHEMA cron TO keeper;
    CREATE SCHEMA shop AUTHORIZATION keeper;
    CREATE TABLE mine (id int) PARTITION BY RANGE (id);
    SELECT set_partition_policy('mine', '10', premake => 1);
    CREATE TABLE nightly (id int) PARTITION BY RANGE (id);
    SELECT set_partition_policy('nightly', '10', premake => 1);
    CREATE PROCEDURE run() LANGUAGE plpgsql AS $$ BEGIN PERFORM * FROM ensure_partitions('nightly'); END $$;
    SET ROLE keeper;
    CREATE TABLE shop.t (id int) PARTITION BY RANGE (id);
    CREATE TABLE shop.t_p0 PARTITION OF shop.t FOR VALUES FROM (0) TO (10);
    CREATE TABLE shop.t_p10 PARTITION OF shop.t FOR VALUES FROM (10) TO (20);
    CREATE INDEX ON shop.t (id);
    INSERT INTO shop.t VALUES (3), (19);
    SELECT set_partition_policy('shop.t', premake => 1, retention => '5', retention_action => 'drop');
    SELECT cron.schedule('of the owner', '* * * * *', 'SELECT ensure_partitions()');
    RESET ROLE;
    SELECT cron.schedule('of the superuser', '* * * * *', $$SELECT ensure_partitions('mine')$$);
    SELECT cron.schedule('of a procedure', '* * * * *', 'CALL run()');";

#[test]
fn pain_15_maintenance_by_pg_cron() {
    let plain = Cluster::builder().start();
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'";
    if number(&mut plain.connect(), available) == 0 {
        eprintln!("pg_cron is not installed for this server: nothing to test");
        return;
    }
    drop(plain);
    let cluster = Cluster::builder()
        .setting("shared_preload_libraries", "pg_cron")
        .setting("cron.use_background_workers", "on")
        .start();
    let mut admin = cluster.connect();
    must(&mut admin, JOBS);
    let ended = "SELECT count(DISTINCT jobid) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')";
    poll::expect("three jobs", PATIENCE, || number(&mut admin, ended) == 3);
    let failed = "SELECT return_message FROM cron.job_run_details WHERE status = 'failed'";
    assert_eq!(texts(&mut admin, failed, &[]), Vec::<String>::new());
    let made = "SELECT inhrelid::regclass || ' ' || c.relowner::regrole FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r' ORDER BY 1";
    assert_eq!(
        texts(&mut admin, made, &[]),
        [
            "mine_p0 postgres",
            "mine_p10 postgres",
            "nightly_p0 postgres",
            "nightly_p10 postgres",
            "shop.t_p10 keeper",
            "shop.t_p20 keeper",
        ]
    );
}
