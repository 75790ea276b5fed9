//! The ledger and the table agree whatever the clients do.

use partman_rig::oracle;
use partman_rig::shape::Shape;
use partman_rig::shapes;
use partman_rig::workload::{Kind, Mix};

use crate::by_hand;
use crate::stage;

fn the_full_mix_leaves_table_and_ledger_equal(shape: Shape) {
    let stage = stage(shape, 2_000);
    let load = stage.workload().rate(Some(400.0)).start();
    load.await_more(3_000);
    let report = load.stop();
    report.assert_no_failures();
    println!(
        "{}: {} {:?}",
        stage.shape.table,
        report.summary(),
        report.done
    );
    oracle::assert_none("at the end", &stage.findings_of_content(Some(&report)));
    oracle::assert_none(
        "at the end",
        &oracle::soundness(&mut stage.admin(), stage.shape.table),
    );
}

#[test]
fn with_an_identity_key() {
    the_full_mix_leaves_table_and_ledger_equal(shapes::orders());
}

#[test]
fn with_a_composite_key() {
    the_full_mix_leaves_table_and_ledger_equal(shapes::readings());
}

#[test]
fn with_the_partition_column_in_the_key() {
    the_full_mix_leaves_table_and_ledger_equal(shapes::events());
}

#[test]
fn with_an_integer_key_that_changes() {
    the_full_mix_leaves_table_and_ledger_equal(shapes::cells());
}

#[test]
fn without_a_key() {
    the_full_mix_leaves_table_and_ledger_equal(shapes::log_lines());
}

#[test]
fn with_values_out_of_line() {
    the_full_mix_leaves_table_and_ledger_equal(shapes::documents());
}

#[test]
fn when_the_table_becomes_partitioned_under_the_clients() {
    for shape in [shapes::orders(), shapes::events()] {
        let stage = stage(shape, 2_000);
        let load = stage.workload().rate(Some(400.0)).start();
        load.await_more(1_000);
        by_hand::partition(&stage);
        load.await_more(2_000);
        let report = load.stop();
        report.assert_no_failures();
        println!(
            "{}: {} {:?}",
            stage.shape.table,
            report.summary(),
            report.done
        );
        oracle::assert_none("at the end", &stage.findings_of_content(Some(&report)));
        oracle::assert_none(
            "at the end",
            &oracle::soundness(&mut stage.admin(), stage.shape.table),
        );
    }
}

#[test]
fn when_the_table_is_truncated_under_the_clients() {
    let stage = stage(shapes::events(), 2_000);
    // Without rows that clients rely upon to be there.
    let mix = Mix::only(&[
        Kind::Touch,
        Kind::Shift,
        Kind::Insert,
        Kind::Delete,
        Kind::Reinsert,
        Kind::Upsert,
        Kind::Savepoint,
        Kind::Copy,
    ]);
    let load = stage.workload().mix(mix).start();
    for _ in 0..3 {
        load.await_more(300);
        partman_rig::ledger::truncate(&mut stage.app(), &stage.shape)
            .expect("the table can be truncated");
    }
    load.await_more(300);
    let report = load.stop();
    report.assert_no_failures();
    oracle::assert_none("at the end", &stage.findings_of_content(Some(&report)));
}

#[test]
fn when_the_server_crashes_under_the_clients() {
    let stage = stage(shapes::orders(), 2_000);
    let load = stage.workload().survives_restarts().start();
    for round in 0..3 {
        load.await_more(400);
        if round == 1 {
            let before = stage.cluster.incarnation().expect("the server is up");
            let victim = partman_rig::stage::backend_pid(&mut stage.admin());
            let _held = stage.admin();
            stage.cluster.sigkill(victim);
            drop(before);
        }
        stage.cluster.kill_immediate();
        stage.cluster.start();
    }
    load.await_more(400);
    let report = load.stop();
    report.assert_no_failures();
    println!("{}", report.summary());
    assert!(
        report.reconnects >= 4 && report.looked_up > 0,
        "the crashes went unnoticed: {}",
        report.summary()
    );
    oracle::assert_none("at the end", &stage.findings_of_content(Some(&report)));
}
