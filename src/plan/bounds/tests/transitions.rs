//! Every zone of the tz database, at every change of its clock from 1970 to 2037.

use super::*;

/// Clocks are looked at so far apart; two changes between two looks that undo each other are missed.
const STEP: i64 = DAY / 4;

/// The moments at which a zone's clock jumps, to the microsecond.
fn jumps(zone: Tz) -> Vec<i64> {
    let offset = |utc: i64| seconds(&zone.offset_from_utc_datetime(&naive(utc)));
    let (first, last) = (at(Timestamp, "1970-01-01"), at(Timestamp, "2038-01-01"));
    let mut jumps = Vec::new();
    let (mut before, mut known) = (first, offset(first));
    while before < last {
        let after = before + STEP;
        let found = offset(after);
        if found != known {
            let (mut below, mut above) = (before, after);
            while above - below > 1 {
                let middle = below + (above - below) / 2;
                match offset(middle) == known {
                    true => below = middle,
                    false => above = middle,
                }
            }
            jumps.push(above);
        }
        (before, known) = (after, found);
    }
    jumps
}

/// What a bound shows on the clock of the zone, when the clock did not jump there.
fn begins(interval: PartitionInterval, local: i64) -> bool {
    let shown = naive(local);
    let midnight = local.rem_euclid(DAY) == 0;
    use chrono::Datelike;
    match interval {
        Seconds(width) => local.rem_euclid(DAY) % (i64::from(width) * 1_000_000) == 0,
        Days(1) => midnight,
        Days(_) => midnight && shown.weekday() == chrono::Weekday::Mon,
        _ => midnight && shown.day() == 1,
    }
}

/// Partitions around a jump: without gap or overlap, each instant in one, beginning where the
/// zone's clock says so, and the same whatever else is covered.
fn check(zone: Tz, jump: i64, interval: PartitionInterval) {
    let what = || format!("{zone} {interval:?} at {}", naive(jump));
    let rules = Rules(zone);
    let reach = match interval {
        Seconds(_) => 150 * 60_000_000,
        Days(1) => 30 * DAY / 24,
        _ => 1,
    };
    let (first, last) = (jump - reach, jump + reach);
    let spans = spans(TimestampTz, interval, first, last, &rules).unwrap();
    for pair in spans.windows(2) {
        assert_eq!(pair[0].upper, pair[1].lower, "{}", what());
    }
    assert!(spans[0].lower.key <= first, "{}", what());
    assert!(spans[spans.len() - 1].upper.key > last, "{}", what());
    for span in &spans {
        assert!(span.lower.key < span.upper.key, "{}", what());
        let shown = rules
            .to_local(&[span.lower.key - 1, span.lower.key])
            .unwrap();
        let jumps_forward = shown[1] - shown[0] > 1;
        assert!(
            jumps_forward || begins(interval, shown[1]),
            "{}: {}",
            what(),
            span.label
        );
    }
    for instant in [first, jump - 1, jump, jump + 1, last] {
        let holders: Vec<&Span> = spans
            .iter()
            .filter(|span| span.lower.key <= instant && instant < span.upper.key)
            .collect();
        assert_eq!(holders.len(), 1, "{}", what());
        let alone = super::spans(TimestampTz, interval, instant, instant, &rules).unwrap();
        assert_eq!(alone, [holders[0].clone()], "{}", what());
    }
}

#[test]
fn every_zone_at_every_change_of_its_clock() {
    // Many names share one clock.
    let mut clocks = HashSet::new();
    let (mut zones, mut changes) = (0, 0);
    for zone in chrono_tz::TZ_VARIANTS {
        zones += 1;
        let jumps = jumps(zone);
        let offsets: Vec<(i64, i64)> = jumps
            .iter()
            .map(|jump| {
                (
                    *jump,
                    seconds(&zone.offset_from_utc_datetime(&naive(*jump))),
                )
            })
            .collect();
        if !clocks.insert(offsets) {
            continue;
        }
        for jump in jumps {
            changes += 1;
            for interval in [Seconds(3600), Days(1), Days(7), Months(1)] {
                check(zone, jump, interval);
            }
        }
    }
    println!("{zones} zones, {} clocks, {changes} changes", clocks.len());
    assert!(
        zones > 500 && changes > 10_000,
        "{zones} zones, {changes} changes"
    );
}
