//! Premaking and retiring, over days and integers: time zones are tested with the bounds themselves.

use super::set::{Leaf, PartitionSet, Position};
use super::{premake, retire};
use crate::plan::bounds::{Zone, ZoneError};
use crate::plan::interval::{KeyType, Lattice, PartitionInterval, PartitionOffset};
use proptest::prelude::*;

/// Nobody asks.
pub(super) struct NoZone;

impl Zone for NoZone {
    fn to_local(&self, _: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Err(ZoneError("asked".to_owned()))
    }

    fn to_utc(&self, _: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Err(ZoneError("asked".to_owned()))
    }
}

fn leaf(number: u32, lower: Option<i64>, upper: Option<i64>) -> Leaf {
    Leaf {
        oid: number,
        lower,
        upper,
        bytes: 100,
        rows: None,
        is_pinned: false,
        obstacle: None,
    }
}

fn set(key: KeyType, ranges: &[(i64, i64)]) -> PartitionSet {
    let leaves = ranges
        .iter()
        .zip(1..)
        .map(|((lower, upper), number)| leaf(number, Some(*lower), Some(*upper)))
        .collect();
    PartitionSet { key, leaves }
}

fn weekly(premake: u32) -> premake::Wish {
    premake::Wish {
        lattice: PartitionInterval::Days(7).into(),
        premake,
        most: 100,
    }
}

fn at(now: i64, newest: Option<i64>) -> Position {
    Position {
        now: Some(now),
        newest: newest.map(|key| (key, key)),
    }
}

/// Weeks begin on Mondays: 2000-01-03 is day 2.
fn made(set: &PartitionSet, wish: &premake::Wish, position: Position) -> Vec<(i64, i64)> {
    let premade = premake::decide(set, wish, position, None, &NoZone).unwrap();
    assert_eq!(premade.skipped, Vec::<String>::new());
    ranges(&premade)
}

fn ranges(premade: &premake::Premade) -> Vec<(i64, i64)> {
    let ends = |span: &crate::plan::bounds::Span| (span.lower.key, span.upper.key);
    premade.spans.iter().map(ends).collect()
}

#[test]
fn a_quiet_table_gets_partitions_by_the_clock() {
    let set = set(KeyType::Date, &[(2, 9), (9, 16)]);
    assert_eq!(made(&set, &weekly(2), at(10, None)), [(16, 23), (23, 30)]);
    // Four weeks later nobody has written, or called.
    assert_eq!(
        made(&set, &weekly(1), at(38, Some(5))),
        [(16, 23), (23, 30), (30, 37), (37, 44), (44, 51)]
    );
}

#[test]
fn what_is_there_is_not_made_again() {
    let set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23), (23, 30)]);
    assert_eq!(made(&set, &weekly(2), at(10, None)), []);
    assert_eq!(made(&set, &weekly(3), at(10, None)), [(30, 37)]);
}

#[test]
fn data_that_is_ahead_counts() {
    let set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23)]);
    assert_eq!(
        made(&set, &weekly(2), at(3, Some(17))),
        [(23, 30), (30, 37)]
    );
}

#[test]
fn gaps_are_filled_and_irregular_partitions_stay() {
    let set = set(KeyType::Date, &[(2, 9), (20, 25), (25, 44)]);
    assert_eq!(
        made(&set, &weekly(1), at(26, None)),
        // The rest of a week up to the partition that is there; then on from its odd end.
        [(9, 16), (16, 20), (44, 51)]
    );
}

#[test]
fn an_empty_set_begins_with_the_present() {
    let set = set(KeyType::Date, &[]);
    assert_eq!(made(&set, &weekly(1), at(10, None)), [(9, 16), (16, 23)]);
    let numbers = PartitionSet {
        key: KeyType::BigInt,
        leaves: Vec::new(),
    };
    let wish = premake::Wish {
        lattice: PartitionInterval::Width(100).into(),
        premake: 1,
        most: 10,
    };
    assert_eq!(
        made(&numbers, &wish, Position::default()),
        [(0, 100), (100, 200)]
    );
}

#[test]
fn integers_follow_the_data() {
    let set = set(KeyType::BigInt, &[(0, 100), (100, 200)]);
    let wish = premake::Wish {
        lattice: PartitionInterval::Width(100).into(),
        premake: 2,
        most: 10,
    };
    let with_data = Position {
        now: None,
        newest: Some((150, 150)),
    };
    assert_eq!(made(&set, &wish, with_data), [(200, 300), (300, 400)]);
    assert_eq!(made(&set, &wish, Position::default()), []);
}

#[test]
fn a_partition_without_an_end_leaves_nothing_to_make() {
    let mut set = set(KeyType::Date, &[(2, 9)]);
    set.leaves.push(leaf(2, Some(9), None));
    assert_eq!(made(&set, &weekly(4), at(100, None)), []);
}

#[test]
fn the_present_has_a_partition_where_all_lie_ahead() {
    let set = set(KeyType::Date, &[(20, 27), (27, 34)]);
    assert_eq!(made(&set, &weekly(2), at(10, None)), [(9, 16), (16, 20)]);
}

#[test]
fn a_long_silence_is_not_filled_but_the_present_is() {
    let set = set(KeyType::Date, &[(2, 9)]);
    let wish = premake::Wish {
        most: 10,
        ..weekly(1)
    };
    let premade = premake::decide(&set, &wish, at(7000, None), None, &NoZone).unwrap();
    assert_eq!(ranges(&premade), [(6995, 7002), (7002, 7009)]);
    assert_eq!(premade.skipped.len(), 1, "{:?}", premade.skipped);
}

#[test]
fn the_present_has_a_partition_however_far_ahead_all_lie() {
    let wish = premake::Wish {
        most: 10,
        ..weekly(2)
    };
    let decide = |ranges_before: &[(i64, i64)], position| {
        let before = set(KeyType::Date, ranges_before);
        let premade = premake::decide(&before, &wish, position, None, &NoZone).unwrap();
        assert!(!premade.skipped.is_empty());
        ranges(&premade)
    };
    let far = (7002, 7009);
    let near = [(9, 16), (16, 23), (23, 30)];
    assert_eq!(decide(&[far], at(10, None)), near[..]);
    // So it goes on when the clock has come into the gap that is left.
    let before = [near[0], near[1], near[2], far];
    assert_eq!(decide(&before, at(24, None)), [(30, 37), (37, 44)]);
    assert_eq!(
        decide(&before, at(38, None)),
        [(37, 44), (44, 51), (51, 58)]
    );
    // Data in what lies ahead keeps nobody from writing today.
    let premade = premake::decide(
        &set(KeyType::Date, &[far]),
        &wish,
        at(10, Some(7003)),
        None,
        &NoZone,
    );
    assert_eq!(
        ranges(&premade.unwrap()),
        [near[0], near[1], near[2], (7009, 7016), (7016, 7023)]
    );
}

#[test]
fn what_is_needed_first_is_made_first() {
    // Seven weeks are missing before the present, the present itself, and two ahead.
    let set = set(KeyType::Date, &[(2, 9), (58, 65)]);
    let wish = |most| premake::Wish { most, ..weekly(2) };
    let premade = |most| {
        let premade = premake::decide(&set, &wish(most), at(59, None), None, &NoZone).unwrap();
        assert_eq!(premade.skipped.len(), 1, "{:?}", premade.skipped);
        ranges(&premade)
    };
    assert_eq!(
        premade(8),
        [
            (16, 23),
            (23, 30),
            (30, 37),
            (37, 44),
            (44, 51),
            (51, 58),
            (65, 72),
            (72, 79)
        ]
    );
}

#[test]
fn what_was_retired_is_not_made_again() {
    let set = set(KeyType::Date, &[(2, 9), (30, 37)]);
    let premade = premake::decide(&set, &weekly(0), at(31, None), Some(25), &NoZone).unwrap();
    assert_eq!(ranges(&premade), [(25, 30)]);
    let premade = premake::decide(&set, &weekly(0), at(31, None), Some(30), &NoZone).unwrap();
    assert_eq!(ranges(&premade), []);
}

#[test]
fn what_was_retired_beside_a_pinned_one_is_not_made_again() {
    let mut set = set(KeyType::Date, &[(2, 9), (30, 37), (44, 51)]);
    let limits = |most_partitions| retire::Wish {
        most_partitions,
        ..retire::Wish::default()
    };
    set.leaves[0].is_pinned = true;
    assert_eq!(retire::fill_from(&set, &limits(Some(2))), Some(30));
    assert_eq!(retire::fill_from(&set, &limits(None)), None);
    assert_eq!(retire::fill_from(&set, &old_from(10)), Some(10));
    let both = retire::Wish {
        most_partitions: Some(2),
        ..old_from(40)
    };
    assert_eq!(retire::fill_from(&set, &both), Some(40));
}

fn old_from(keep_from: i64) -> retire::Wish {
    retire::Wish {
        keep_from: Some(keep_from),
        fuse: 100,
        ..retire::Wish::default()
    }
}

fn retired(set: &PartitionSet, wish: &retire::Wish, position: Position) -> Vec<u32> {
    let retired = retire::decide(set, wish, position);
    retired.leaves.iter().map(|leaf| leaf.oid).collect()
}

#[test]
fn only_what_is_old_as_a_whole_is_retired() {
    // The first one is far wider than the interval: an old table that was attached.
    let set = set(KeyType::Date, &[(-1000, 20), (20, 27), (27, 34)]);
    let now = at(40, Some(33));
    assert_eq!(retired(&set, &old_from(19), now), Vec::<u32>::new());
    assert_eq!(retired(&set, &old_from(20), now), [1]);
    assert_eq!(retired(&set, &old_from(27), now), [1, 2]);
}

#[test]
fn nothing_is_old_by_the_clock_alone_or_by_a_stray_row() {
    let set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23)]);
    // Data stopped in the second week: what came last is kept, however late it is.
    assert_eq!(retired(&set, &old_from(1000), at(2000, Some(10))), [1]);
    // A row far ahead does not make the present old.
    assert_eq!(retired(&set, &old_from(1000), at(10, Some(1000))), [1]);
    // Without data there is nothing to compare with.
    assert_eq!(
        retired(&set, &old_from(1000), at(2000, None)),
        Vec::<u32>::new()
    );
}

#[test]
fn number_and_size_are_limits_too() {
    let set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23), (23, 30)]);
    let now = at(18, Some(18));
    let most = |partitions| retire::Wish {
        most_partitions: Some(partitions),
        fuse: 10,
        ..retire::Wish::default()
    };
    assert_eq!(retired(&set, &most(2), now), [1]);
    // The one in use stays even where none is wanted.
    assert_eq!(retired(&set, &most(0), now), [1, 2]);
    let bytes = |bytes| retire::Wish {
        most_bytes: Some(bytes),
        fuse: 10,
        ..retire::Wish::default()
    };
    assert_eq!(retired(&set, &bytes(400), now), Vec::<u32>::new());
    assert_eq!(retired(&set, &bytes(350), now), [1]);
    assert_eq!(retired(&set, &bytes(200), now), [1, 2]);
}

#[test]
fn pins_and_the_fuse_spare_partitions() {
    let mut set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23), (23, 30)]);
    set.leaves[0].is_pinned = true;
    let wish = retire::Wish {
        fuse: 1,
        ..old_from(23)
    };
    let retired = retire::decide(&set, &wish, at(40, Some(40)));
    assert_eq!(retired.leaves.len(), 1);
    assert_eq!(retired.leaves[0].oid, 2);
    let spared: Vec<(u32, &str)> = retired
        .spared
        .iter()
        .map(|(leaf, why)| (leaf.oid, why.as_str()))
        .collect();
    assert_eq!(
        spared,
        [
            (1, "it is pinned"),
            (3, "no more than 1 are retired in one run")
        ]
    );
}

#[test]
fn the_fuse_by_share_counts_bytes_and_keeps_the_order() {
    let mut set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23), (23, 30)]);
    // Of 1000 bytes in all.
    for (leaf, bytes) in set.leaves.iter_mut().zip([100, 300, 50, 550]) {
        leaf.bytes = bytes;
    }
    let now = at(40, Some(40));
    let share = |percent| retire::Wish {
        fuse_percent: Some(percent),
        ..old_from(23)
    };
    assert_eq!(retired(&set, &share(100), now), [1, 2, 3]);
    assert_eq!(retired(&set, &share(45), now), [1, 2, 3]);
    assert_eq!(retired(&set, &share(44), now), [1, 2]);
    // The third one alone would do, but is younger than the second.
    assert_eq!(retired(&set, &share(39), now), [1]);
    assert_eq!(retired(&set, &share(9), now), Vec::<u32>::new());
    let spared = retire::decide(&set, &share(39), now).spared;
    let spared: Vec<(u32, &str)> = spared
        .iter()
        .map(|(leaf, why)| (leaf.oid, why.as_str()))
        .collect();
    let why = "no more than 39 % of the table's bytes, or of its rows, are retired in one run";
    assert_eq!(spared, [(2, why), (3, why)]);
    // What holds nothing takes no share.
    for leaf in &mut set.leaves {
        leaf.bytes = 0;
    }
    assert_eq!(retired(&set, &share(0), now), [1, 2, 3]);
}

#[test]
fn the_fuse_by_share_counts_rows_where_they_were_counted() {
    let mut set = set(KeyType::Date, &[(2, 9), (9, 16), (16, 23), (23, 30)]);
    let share = |percent| retire::Wish {
        fuse_percent: Some(percent),
        ..old_from(23)
    };
    let now = at(40, Some(40));
    // A quarter of the bytes each, but half of the rows are in the first one.
    for (leaf, rows) in set.leaves.iter_mut().zip([50, 20, 20, 10]) {
        leaf.rows = Some(rows);
    }
    assert_eq!(retired(&set, &share(49), now), Vec::<u32>::new());
    assert_eq!(retired(&set, &share(50), now), [1]);
    assert_eq!(retired(&set, &share(70), now), [1, 2]);
    // Never counted: a third of 50 rows, of 66 in all.
    set.leaves[0].rows = None;
    assert_eq!(retired(&set, &share(25), now), [1]);
    // By bytes it is more.
    set.leaves[0].bytes = 300;
    assert_eq!(retired(&set, &share(49), now), Vec::<u32>::new());
    assert_eq!(retired(&set, &share(50), now), [1]);
}

#[test]
fn what_cannot_be_detached_is_spared_and_what_lies_behind_it_stays_missing() {
    let mut set = set(KeyType::Date, &[(2, 9), (16, 23), (23, 30)]);
    set.leaves[0].obstacle = Some("why".to_owned());
    let decided = retire::decide(&set, &old_from(23), at(40, Some(40)));
    assert_eq!(decided.spared, [(&set.leaves[0], "why".to_owned())]);
    assert_eq!(decided.leaves, [&set.leaves[1]]);
    let by_number = retire::Wish {
        most_partitions: Some(1),
        ..old_from(23)
    };
    assert_eq!(retire::fill_from(&set, &by_number), Some(23));
    let by_number_alone = retire::Wish {
        keep_from: None,
        ..by_number
    };
    assert_eq!(retire::fill_from(&set, &by_number_alone), Some(16));
}

/// Disjoint ranges in order, some touching, some not.
fn any_ranges() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((0i64..30, 1i64..40), 0..12).prop_map(|steps| {
        let mut ranges = Vec::new();
        let mut end = 0;
        for (gap, width) in steps {
            ranges.push((end + gap, end + gap + width));
            end += gap + width;
        }
        ranges
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    /// Afterwards there is no gap from the first partition to the present and premake intervals
    /// beyond; nothing overlaps; and a second run has nothing to do.
    #[test]
    fn premaking_is_complete_disjoint_and_idempotent(
        ranges_before in any_ranges(),
        days in 1u32..20,
        premake in 0u32..6,
        now in 0i64..500,
        newest in prop::option::of(0i64..500),
    ) {
        let before = set(KeyType::Date, &ranges_before);
        let wish = premake::Wish { lattice: PartitionInterval::Days(days).into(), premake, most: 10_000 };
        let position = at(now, newest);
        let premade = premake::decide(&before, &wish, position, None, &NoZone).unwrap();
        prop_assert!(premade.skipped.is_empty());
        let mut all = ranges_before.clone();
        all.extend(ranges(&premade));
        all.sort_unstable();
        for pair in all.windows(2) {
            prop_assert_eq!(pair[0].1, pair[1].0);
        }
        let reach = now.max(newest.unwrap_or(now));
        prop_assert!(all.iter().any(|(lower, upper)| *lower <= reach && reach < *upper));
        let ahead = all.iter().filter(|(lower, _)| *lower > reach).count();
        prop_assert!(ahead >= premake as usize);
        let after = set(KeyType::Date, &all);
        let again = premake::decide(&after, &wish, position, None, &NoZone).unwrap();
        prop_assert_eq!(ranges(&again), vec![]);
    }

    /// Whatever is retired is older than the limit, and than the present, down to its last key.
    #[test]
    fn retiring_spares_all_that_is_young(
        before in any_ranges(),
        keep_from in prop::option::of(-10i64..500),
        most_partitions in prop::option::of(0u32..6),
        most_bytes in prop::option::of(0i64..900),
        fuse in 0u32..20,
        fuse_percent in prop::option::of(0u32..=100),
        now in 0i64..500,
        newest in prop::option::of(0i64..500),
    ) {
        let set = set(KeyType::Date, &before);
        let wish = retire::Wish { keep_from, most_partitions, most_bytes, fuse, fuse_percent };
        let retired = retire::decide(&set, &wish, at(now, newest));
        prop_assert!(retired.leaves.len() <= fuse as usize);
        // All are of one size.
        let percent = retired.leaves.len() * 100;
        prop_assert!(fuse_percent.is_none_or(|most| percent <= set.leaves.len() * most as usize));
        for leaf in &retired.leaves {
            let upper = leaf.upper.unwrap();
            prop_assert!(newest.is_some_and(|newest| upper <= newest.min(now)));
            if most_partitions.is_none() && most_bytes.is_none() {
                prop_assert!(keep_from.is_some_and(|keep| upper <= keep));
            }
        }
        // The oldest go first.
        let kept = set.leaves.len() - retired.leaves.len();
        let youngest = &set.leaves[set.leaves.len() - kept..];
        prop_assert!(retired.leaves.iter().all(|leaf| !youngest.contains(leaf)));
    }
}

#[test]
fn intervals_are_read_from_what_is_there() {
    let infer = |key, ranges: &[(i64, i64)]| {
        let found = super::infer::lattice(&set(key, ranges), &NoZone).unwrap();
        found.map(|found| (found.interval, found.offset.to_string()))
    };
    let regular = |interval| Some((interval, "0".to_owned()));
    let moved = |interval, offset: &str| Some((interval, offset.to_owned()));
    use PartitionInterval::{Days, Months, Seconds, Width};
    // January and February 2000; the year 2001; a quarter.
    assert_eq!(
        infer(KeyType::Date, &[(0, 31), (31, 60)]),
        regular(Months(1))
    );
    assert_eq!(infer(KeyType::Date, &[(366, 731)]), regular(Months(12)));
    assert_eq!(infer(KeyType::Date, &[(0, 91)]), regular(Months(3)));
    assert_eq!(infer(KeyType::Date, &[(2, 9), (9, 16)]), regular(Days(7)));
    let hour = 3_600_000_000;
    assert_eq!(
        infer(KeyType::Timestamp, &[(0, hour), (hour, 2 * hour)]),
        regular(Seconds(3600))
    );
    assert_eq!(
        infer(KeyType::BigInt, &[(0, 1000), (1000, 2000), (2000, 2500)]),
        regular(Width(1000))
    );
    // An old table that was attached as the first partition does not count for much.
    assert_eq!(
        infer(KeyType::Date, &[(-5000, 0), (0, 31), (31, 60)]),
        regular(Months(1))
    );
    assert_eq!(infer(KeyType::Date, &[]), None);
    assert_eq!(infer(KeyType::Timestamp, &[(0, 7 * hour)]), None);

    // Quarters from February; tax years from 6 April; weeks from Wednesday; days from six; a first id of 1.
    assert_eq!(
        infer(KeyType::Date, &[(31, 121), (121, 213)]),
        moved(Months(3), "1 month")
    );
    assert_eq!(
        infer(KeyType::Date, &[(96, 461), (461, 826)]),
        moved(Months(12), "3 months 5 days")
    );
    assert_eq!(
        infer(KeyType::Date, &[(4, 11), (11, 18)]),
        moved(Days(7), "2 days")
    );
    assert_eq!(
        infer(
            KeyType::Timestamp,
            &[(6 * hour, 30 * hour), (30 * hour, 54 * hour)]
        ),
        moved(Days(1), "6 hours")
    );
    assert_eq!(
        infer(KeyType::BigInt, &[(1, 1001), (1001, 2001)]),
        moved(Width(1000), "1")
    );
    // Where they lie on no lattice in common, new ones follow the calendar.
    assert_eq!(
        infer(KeyType::Date, &[(3, 10), (11, 18), (20, 27)]),
        regular(Days(7))
    );
}

proptest! {
    /// What was made with an offset is recognised, and goes on without a seam.
    #[test]
    fn an_offset_is_recognised_again(
        days in 1u32..15,
        shift in 0u32..15,
        first in -3000i64..3000,
    ) {
        prop_assume!(shift < days);
        let offset = PartitionOffset::from_calendar(0, shift as i32, 0).unwrap();
        let lattice = Lattice { interval: PartitionInterval::Days(days), offset };
        let wish = premake::Wish { lattice, premake: 11, most: 100 };
        let made = made(&set(KeyType::Date, &[]), &wish, at(first, None));
        let found = super::infer::lattice(&set(KeyType::Date, &made), &NoZone).unwrap();
        prop_assert_eq!(found, Some(lattice));
    }
}
