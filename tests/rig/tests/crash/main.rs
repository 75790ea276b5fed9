//! Every point of a conversion, and every way to die there.
//!
//! The points are asked of the server, so that none is forgotten. For each: the worker kills itself,
//! the server is stopped like in a crash, the session that made the call is killed, and an error is
//! raised; then the job is resumed, or goes on by itself where the library is preloaded, or is
//! cancelled. All the while two clients work on the table and a probe asks whether it is there.
//!
//! `PARTMAN_CRASH_ONLY=copy:` runs only the cases whose name holds that text.

mod case;
mod drive;
mod suite;

use std::collections::BTreeSet;

use partman_rig::cluster::Cluster;

use case::{After, Blow, Case};
use suite::Suite;

#[test]
fn a_conversion_that_is_struck_goes_on_when_resumed() {
    let suite = Suite::new(Cluster::builder());
    let points = suite.points();
    let mut cases = Vec::new();
    for blow in [
        Blow::WorkerKilled,
        Blow::ServerStopped,
        Blow::CallerKilled,
        Blow::ErrorRaised,
    ] {
        let struck = points.iter().filter(|point| blow.applies_to(point));
        cases.extend(struck.map(|point| Case::new(point, blow, After::Resume)));
    }
    suite.run(cases);
}

#[test]
fn a_conversion_that_is_struck_can_be_cancelled() {
    let suite = Suite::new(Cluster::builder());
    let points = suite.points();
    suite.run(
        points
            .iter()
            .map(|point| Case::new(point, Blow::WorkerKilled, After::Cancel))
            .collect(),
    );
}

#[test]
fn a_conversion_that_is_struck_goes_on_by_itself_where_the_library_is_preloaded() {
    let suite = Suite::new(Cluster::builder().setting("shared_preload_libraries", "pg_partman_rs"));
    let points = suite.points();
    let blows = [Blow::WorkerKilled, Blow::ServerStopped]
        .into_iter()
        .cycle();
    suite.run(
        points
            .iter()
            .zip(blows)
            .map(|(point, blow)| Case::new(point, blow, After::Nothing))
            .collect(),
    );
}

#[test]
fn the_points_that_other_tests_name_are_there() {
    let suite = Suite::new(Cluster::builder());
    let there: BTreeSet<String> = suite.points().into_iter().collect();
    let named = partman_rig::failpoint::OPEN_TO_WRITERS
        .into_iter()
        .chain([partman_rig::failpoint::at::SWAPPING]);
    let missing: Vec<&str> = named.filter(|name| !there.contains(*name)).collect();
    assert!(missing.is_empty(), "no such failpoints: {missing:?}");
}
