use super::*;
use crate::plan::bounds::ZoneError;
use crate::plan::interval::KeyType::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Utc;

impl Zone for Utc {
    fn to_local(&self, utc_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Ok(utc_micros.to_vec())
    }

    fn to_utc(&self, local_micros: &[i64]) -> Result<Vec<i64>, ZoneError> {
        Ok(local_micros.to_vec())
    }
}

/// Rows by id, with the days on which they were made; intervals are months.
struct Table {
    rows: BTreeMap<i64, i64>,
    looks: usize,
}

impl Table {
    fn of(rows: impl IntoIterator<Item = (i64, i64)>) -> Table {
        Table {
            rows: rows.into_iter().collect(),
            looks: 0,
        }
    }

    fn ids(&self) -> Coverage {
        Coverage {
            first: *self.rows.keys().next().unwrap(),
            last: *self.rows.keys().last().unwrap(),
        }
    }

    fn cuts(&mut self) -> Vec<Cut> {
        let ids = self.ids();
        cuts(self, ids, 10_000).unwrap()
    }

    fn found(&mut self) -> Vec<i64> {
        self.cuts().iter().map(|cut| cut.id).collect()
    }

    /// The first id of each month, in the order of ids.
    fn exact(&self) -> Vec<i64> {
        let mut seen = BTreeMap::new();
        for (id, day) in &self.rows {
            seen.entry(month(*day).lower.key).or_insert(*id);
        }
        seen.into_values().collect()
    }

    fn order(&mut self) -> Order {
        let (cuts, ids) = (self.cuts(), self.ids());
        order(self, &cuts, ids).unwrap()
    }
}

fn month(day: i64) -> Span {
    let cover = Coverage {
        first: day,
        last: day,
    };
    let months = PartitionInterval::Months(1);
    range_spans(Date, months, cover, day, 0, 1, &Utc)
        .unwrap()
        .remove(0)
}

impl Look for Table {
    type Error = BoundsError;

    fn row_from(&mut self, id: i64) -> Result<Option<Row>, BoundsError> {
        self.looks += 1;
        let row = self.rows.range(id..).next();
        Ok(row.map(|(id, time)| Row {
            id: *id,
            time: *time,
        }))
    }

    fn interval_of(&mut self, time: i64) -> Result<Span, BoundsError> {
        Ok(month(time))
    }
}

fn labels(spans: &[Span]) -> Vec<String> {
    spans
        .iter()
        .map(|span| {
            format!(
                "{}: {} to {}",
                span.label, span.lower.literal, span.upper.literal
            )
        })
        .collect()
}

#[test]
fn months_become_partitions_and_steps_follow() {
    // 100 ids a day, from the 20th of January 2000.
    let mut table = Table::of((1..=10_000).map(|id| (id, 19 + id / 100)));
    let cuts = table.cuts();
    let ids = table.ids();
    let step = step(&cuts, ids, BigInt).unwrap();
    let spans = spans(BigInt, &cuts, ids, step, 2, &Utc).unwrap();
    assert_eq!(
        labels(&spans),
        [
            "p2000_01: 0 to 1200",
            "p2000_02: 1200 to 4100",
            "p2000_03: 4100 to 7200",
            "p2000_04: 7200 to 12000",
            "p12000: 12000 to 15000",
            "p15000: 15000 to 18000",
        ]
    );
}

#[test]
fn the_last_partition_gets_half_a_step_at_least() {
    let mut table = Table::of((1..=7_201).map(|id| (id, 19 + id / 100)));
    let (cuts, ids) = (table.cuts(), table.ids());
    let spans = spans(BigInt, &cuts, ids, 3_600, 1, &Utc).unwrap();
    assert_eq!(
        labels(&spans)[3..],
        ["p2000_04: 7200 to 10800", "p10800: 10800 to 14400"]
    );
}

#[test]
fn few_rows_have_few_borders() {
    assert_eq!(Table::of([(5, 3)]).found(), [5]);
    assert_eq!(Table::of([(-5, 3), (7, 3)]).found(), [-5]);
    assert_eq!(Table::of([(-5, 3), (7, 40)]).found(), [-5, 7]);
    let one = Table::of([(5, 3)]).cuts();
    let ids = Coverage { first: 5, last: 5 };
    assert_eq!(step(&one, ids, BigInt), None);
    assert_eq!(step(&[], ids, BigInt), None);
    assert_eq!(spans(BigInt, &[], ids, 10, 4, &Utc), Ok(Vec::new()));
    let nothing = &mut Table::of([]);
    assert_eq!(cuts(nothing, ids, 10), Ok(Vec::new()));
}

#[test]
fn the_ends_of_a_type_are_kept() {
    let rows = [(i64::MIN, 0), (0, 40), (i64::MAX, 80)];
    let mut table = Table::of(rows);
    let (cuts, ids) = (table.cuts(), table.ids());
    assert_eq!(table.found(), rows.map(|(id, _)| id));
    let step = step(&cuts, ids, BigInt).unwrap();
    assert_eq!(step, i64::MAX);
    let spans = spans(BigInt, &cuts, ids, step, 4, &Utc).unwrap();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].lower.key, i64::MIN);
    assert_eq!(spans[1].upper.key, i64::MAX);
}

#[test]
fn a_gap_in_ids_costs_few_looks() {
    let near = (1..=1000).map(|id| (id, id / 10));
    let far = (1..=1000).map(|id| (1 << 60 | id, 100 + id / 10));
    let mut table = Table::of(near.chain(far));
    assert_eq!(table.found(), table.exact());
    assert!(table.looks < 1000, "{}", table.looks);
}

/// The last rows tell no time.
#[test]
fn the_last_border_is_found_whatever_comes_behind() {
    for untold in [0, 1, 5, 4_000] {
        let mut table = Table::of((0..10_000).map(|id| (id, id / 20)));
        let ids = Coverage {
            first: -untold,
            last: 9_999 + untold,
        };
        let cuts = cuts(&mut table, ids, 100).unwrap();
        let found: Vec<i64> = cuts.iter().map(|cut| cut.id).collect();
        assert_eq!(found, table.exact(), "{untold}");
    }
}

#[test]
fn months_without_rows_are_left_out() {
    let mut table = Table::of((0..100).map(|id| (id, id * 45)));
    assert_eq!(table.found(), table.exact());
}

#[test]
fn a_row_of_another_time_moves_no_border() {
    for (id, day) in [
        (-7, 3_000),
        (5_000, -9_000),
        (4_999, 90_000),
        (9_990, 0),
        (-1 << 50, 400),
    ] {
        let mut table = Table::of((0..10_000).map(|id| (id, id / 20)));
        let exact = table.exact();
        table.rows.insert(id, day);
        let mut found = table.found();
        found[0] = found[0].max(0);
        assert_eq!(found, exact, "{id}");
        assert!(table.order().holds());
    }
}

#[test]
fn ids_without_order_are_known() {
    let noise = |id: i64| (id * 7_919 + 13) % 3_000;
    let mut any = Table::of((0..10_000).map(|id| (id, noise(id))));
    assert!(!any.order().holds(), "{:?}", any.order());
    let mut falling = Table::of((0..10_000).map(|id| (id, 3_000 - id / 3)));
    assert!(!falling.order().holds(), "{:?}", falling.order());
    let mut rising = Table::of((0..10_000).map(|id| (id, id / 3)));
    assert_eq!(rising.order().strayed, 0);
    // Made up to ten days early or late.
    let mut late = Table::of((0..10_000).map(|id| (id, id / 3 + noise(id) % 21 - 10)));
    let order = late.order();
    assert!(order.holds() && order.strayed > 0, "{order:?}");
}

#[test]
fn the_search_ends_when_there_are_too_many() {
    let mut table = Table::of((0..10_000).map(|id| (id, id * 40)));
    let ids = table.ids();
    assert_eq!(cuts(&mut table, ids, 5).unwrap().len(), 6);
}

#[test]
fn widths_are_easy_to_read_and_wide_enough() {
    let seen = [0, 1, 99, 100, 101, 1666, 123_456_789].map(easily_read);
    assert_eq!(seen, [1, 1, 99, 100, 110, 1700, 130_000_000]);
}

prop_compose! {
    /// Ids with gaps of all sizes, and days that go on with them.
    fn in_order()(steps in prop::collection::vec((prop_oneof![1..4_i64, 1..1_000_000_i64], prop_oneof![Just(0_i64), 0..70_i64]), 1..600),
                  start in -1_000_000..1_000_000_i64) -> Vec<(i64, i64)> {
        let mut at = (start, 0);
        steps.into_iter().map(|(id, days)| { at = (at.0 + id, at.1 + days); at }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Each border is where a scan would find it.
    #[test]
    fn ordered_rows_are_cut_exactly(rows in in_order()) {
        let mut table = Table::of(rows);
        let exact = table.exact();
        prop_assert_eq!(table.found(), exact);
        prop_assert_eq!(table.order().strayed, 0);
    }

    /// Whatever the rows: bounds ascend, cover all rows, and end.
    #[test]
    fn any_rows_are_cut_in_order(
        rows in prop::collection::btree_map(prop_oneof![-500..500_i64, any::<i64>()], -50_000..50_000_i64, 1..300),
        premake in 0..5_u32,
    ) {
        let mut table = Table::of(rows);
        let (cuts, ids) = (table.cuts(), table.ids());
        prop_assert!(cuts.windows(2).all(|pair| pair[0].id < pair[1].id));
        prop_assert!(cuts.windows(2).all(|pair| pair[0].interval.upper.key <= pair[1].interval.lower.key));
        prop_assert!(cuts.iter().all(|cut| table.rows.contains_key(&cut.id)));
        prop_assert_eq!(cuts[0].id, ids.first);
        // Each border is halved for at most 64 times.
        prop_assert!(table.looks <= SAMPLE * LOOKS_PER_ROW + 66 * (1 + cuts.len()));
        if let Some(step) = step(&cuts, ids, BigInt) {
            let spans = spans(BigInt, &cuts, ids, step, premake, &Utc).unwrap();
            prop_assert!(spans.iter().all(|span| span.lower.key < span.upper.key));
            prop_assert!(spans.windows(2).all(|pair| pair[0].upper == pair[1].lower));
            prop_assert!(spans[0].lower.key <= ids.first);
            let end = spans[spans.len() - 1].upper.key;
            prop_assert!(ids.last < end || end == i64::MAX);
            prop_assert!(spans.len() <= cuts.len() + premake as usize);
        }
    }
}
