//! The full mix of the workload, from before the conversion to after the swap, on every shape.

use std::sync::Arc;

use partman_rig::cluster::{Cluster, ClusterBuilder};
use partman_rig::shape::Shape;
use partman_rig::shapes;
use partman_rig::stage::Stage;
use partman_rig::workload::Workload;

/// Autovacuum meddles as often as it can.
fn busy_cluster() -> Arc<Cluster> {
    Arc::new(busy().start())
}

fn busy() -> ClusterBuilder {
    Cluster::builder()
        .setting("autovacuum_naptime", "1s")
        .setting("autovacuum_vacuum_threshold", "0")
        .setting("autovacuum_vacuum_scale_factor", "0")
        .setting("autovacuum_vacuum_insert_scale_factor", "0")
        .setting("vacuum_freeze_min_age", "0")
}

fn nothing_is_lost_under_the_full_mix(shape: Shape, rows: i64) {
    let stage = Stage::on(busy_cluster(), "shop", shape, rows);
    let load = stage.workload();
    nothing_is_lost(&stage, load);
}

fn nothing_is_lost(stage: &Stage, load: Workload) {
    let mut app = stage.app();
    let load = load.start();
    load.await_more(300);
    stage.convert(&mut app);
    stage.await_swapped(&mut app);
    load.await_more(600);
    let report = load.stop();
    stage.assert_converted(Some(&report));
}

#[test]
fn with_an_identity_key() {
    nothing_is_lost_under_the_full_mix(shapes::orders(), 30_000);
}

#[test]
fn with_a_key_of_text_and_uuid() {
    nothing_is_lost_under_the_full_mix(shapes::readings(), 30_000);
}

#[test]
fn with_the_partition_column_in_the_key() {
    nothing_is_lost_under_the_full_mix(shapes::events(), 30_000);
}

#[test]
fn by_ranges_of_an_integer_key_that_changes() {
    nothing_is_lost_under_the_full_mix(shapes::cells(), 30_000);
}

#[test]
fn without_a_key() {
    nothing_is_lost_under_the_full_mix(shapes::log_lines(), 30_000);
}

#[test]
fn with_values_out_of_line() {
    // One COPY of such rows takes longer than others are made to wait for the swap, and so would one always be under
    // way: when it comes would be a matter of luck.
    let cluster = busy().setting("pg_partman_rs.swap_lock_timeout", "2s");
    let stage = Stage::on(
        Arc::new(cluster.start()),
        "shop",
        shapes::documents(),
        1_000,
    );
    let load = stage.workload().rate(Some(25.0));
    nothing_is_lost(&stage, load);
}

#[test]
fn with_two_copy_workers_and_clients_that_never_pause() {
    let stage = Stage::on(busy_cluster(), "shop", shapes::orders(), 60_000);
    let mut app = stage.app();
    let load = stage.workload().rate(None).start();
    load.await_more(300);
    let conversion = stage.conversion().with("copy_workers => 2");
    conversion
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", partman_rig::fault::describe(&e)));
    stage.await_swapped(&mut app);
    load.await_more(600);
    let report = load.stop();
    stage.assert_converted(Some(&report));
}

#[test]
fn of_two_tables_of_one_database_at_once() {
    let cluster = busy_cluster();
    let orders = Stage::on(Arc::clone(&cluster), "shop", shapes::orders(), 20_000);
    let cells = Stage::on(cluster, "lab", shapes::cells(), 20_000);
    // A second table beside the first, without a load of its own.
    let mut app = orders.app();
    app.batch_execute(
        "CREATE TABLE plain (id int PRIMARY KEY, on_day date NOT NULL);
         INSERT INTO plain SELECT n, date '2026-06-01' + n % 90 FROM generate_series(1, 20000) n",
    )
    .expect("a table can be created");
    let loads = [
        orders.workload().clients(2).start(),
        cells.workload().clients(2).start(),
    ];
    let plain = partman_rig::conversion::Conversion::of("plain", "on_day", "1 month");
    plain
        .start(&mut app)
        .unwrap_or_else(|e| panic!("{}", partman_rig::fault::describe(&e)));
    orders.convert(&mut app);
    cells.convert(&mut cells.app());
    orders.await_swapped(&mut app);
    cells.await_swapped(&mut cells.app());
    partman_rig::conversion::wait_until_swapped(&mut app, "plain", partman_rig::stage::PATIENCE);
    for (stage, load) in [&orders, &cells].into_iter().zip(loads) {
        load.await_more(100);
        let report = load.stop();
        report.assert_no_failures();
        partman_rig::oracle::assert_none(
            "after the swap",
            &stage.findings_of_content(Some(&report)),
        );
    }
    let sum = app
        .query_one(
            "SELECT count(*), sum(id), sum(on_day - date '2026-06-01') FROM plain",
            &[],
        )
        .expect("it is there");
    let days: i64 = (1..=20_000).map(|n| n % 90).sum();
    assert_eq!(
        (
            sum.get::<_, i64>(0),
            sum.get::<_, i64>(1),
            sum.get::<_, i64>(2)
        ),
        (20_000, 200_010_000, days)
    );
}
