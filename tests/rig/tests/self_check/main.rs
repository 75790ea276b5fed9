//! Who tests the test? These run on any PostgreSQL, with or without the extension: the workload
//! keeps exact books, also when the server crashes under it and when the table is partitioned
//! behind its back, and the oracles see each kind of damage they are there to see.

mod books_are_exact;
mod by_hand;
mod oracles_see_damage;
mod servers;

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::shape::Shape;
use partman_rig::stage::Stage;

fn stage(shape: Shape, rows: i64) -> Stage {
    Stage::on(
        Arc::new(Cluster::builder_without_extension().start()),
        "shop",
        shape,
        rows,
    )
}
