//! Leads a conversion from point to point and lets the test act at each.

use partman_rig::failpoint::{Action, OPEN_TO_WRITERS, at};
use partman_rig::hand::Hand;
use partman_rig::stage::Stage;

/// Rows in the tables of these tests: two block ranges where they are wide, and still quickly copied.
pub const ROWS: i64 = 20_000;

/// Rows that a test acts on at each point.
const ROWS_PER_POINT: i64 = 24;

/// Converts the table, stopping at every point where writers are free; `act` gets the place's own
/// rows, spread over the table, that no other place gets.
///
/// The first thing `act` does must change rows, or there may be nothing to catch up with later.
pub fn convert(stage: &Stage, mut act: impl FnMut(&mut Hand, &str, &[i64])) {
    convert_stopping_at(stage, &OPEN_TO_WRITERS, |hand, point, rows| {
        act(hand, point, rows)
    });
}

/// The same with points of the test's choice, in the conversion's order.
pub fn convert_stopping_at(
    stage: &Stage,
    points: &[&str],
    mut act: impl FnMut(&mut Hand, &str, &[i64]),
) {
    let failpoints = stage.failpoints();
    let (mut app, mut hand) = (stage.app(), Hand::new(stage.app(), &stage.shape));
    failpoints.set(points[0], Action::Wait);
    stage.convert(&mut app);
    for (place, point) in points.iter().enumerate() {
        failpoints.await_parked(point);
        act(&mut hand, point, &rows_of(place, points.len()));
        if let Some(next) = points.get(place + 1) {
            failpoints.set(next, Action::Wait);
        }
        failpoints.clear(point);
    }
    stage.await_swapped(&mut app);
}

/// Starts the conversion and waits until it stands at a point.
pub fn convert_up_to(stage: &Stage, point: &str) {
    stage.failpoints().set(point, Action::Wait);
    stage.convert(&mut stage.app());
    stage.failpoints().await_parked(point);
}

/// The same for any point, also those that a conversion passes only when there is something to
/// catch up with: where changes are captured before it, `change` makes some.
pub fn convert_with_changes_up_to(stage: &Stage, point: &str, change: impl FnOnce(&mut Hand)) {
    if ["prepare", "capture"]
        .iter()
        .any(|early| point.starts_with(early))
    {
        return convert_up_to(stage, point);
    }
    convert_up_to(stage, at::CAPTURING);
    change(&mut Hand::new(stage.app(), &stage.shape));
    go_on_to(stage, at::CAPTURING, point);
}

/// Lets go on at one point and waits until the conversion stands at another.
pub fn go_on_to(stage: &Stage, from: &str, to: &str) {
    stage.failpoints().set(to, Action::Wait);
    stage.failpoints().clear(from);
    stage.failpoints().await_parked(to);
}

/// Lets go on at a point and waits for the swap.
pub fn finish_from(stage: &Stage, point: &str) {
    stage.failpoints().clear(point);
    stage.await_swapped(&mut stage.app());
}

fn rows_of(place: usize, places: usize) -> Vec<i64> {
    let (place, places) = (place as i64, places as i64);
    let stride = ROWS / (places * ROWS_PER_POINT);
    (0..ROWS_PER_POINT)
        .map(|row| 1 + (row * places + place) * stride)
        .collect()
}
