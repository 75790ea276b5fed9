use super::super::facts::{GB, Slot, Statistics};
use super::*;
use crate::plan::facts::IndexConstraint;

const DAY: i64 = 86_400_000_000;
const NOW: i64 = 9_000 * DAY;
const TIMESTAMPTZ: u32 = 1184;
const BIGINT: u32 = 20;
const TEXT: u32 = 25;
const UUID: u32 = 2950;

const TYPES: Types = Types {
    key: |oid| match oid {
        TIMESTAMPTZ => Some(KeyType::TimestampTz),
        BIGINT => Some(KeyType::BigInt),
        _ => None,
    },
    is_listable: |oid| oid == TEXT,
};

/// A table in the making, with what its statistics say.
struct Case {
    table: TableFacts,
    facts: Facts,
    columns: Vec<ColumnFacts>,
    server: ServerFacts,
    wish: Wish,
    free_bytes: Option<i64>,
}

impl Case {
    fn new(bytes: i64, rows: f64) -> Case {
        Case {
            table: TableFacts {
                is_readable: true,
                may_convert: true,
                rows: Some(rows),
                live: rows as i64,
                table_bytes: Some(bytes * 3 / 4),
                index_bytes: Some(bytes / 4),
                ..TableFacts::default()
            },
            facts: Facts::of_a_plain_table(),
            columns: Vec::new(),
            server: ServerFacts {
                cache_bytes: 64 * GB,
                now: NOW,
                lock_slots: 100_000,
                worker_slots: 8,
                ..ServerFacts::default()
            },
            wish: Wish::default(),
            free_bytes: None,
        }
    }

    fn column(mut self, name: &str, type_oid: u32, statistics: Option<Statistics>) -> Case {
        let attnum = i16::try_from(self.columns.len() + 1).unwrap();
        self.facts.columns.push(
            serde_json::from_value(json!({
                "attnum": attnum, "name": name, "type_name": "some type", "type_oid": type_oid,
                "not_null": true, "has_default": false, "generated": "", "identity": "",
                "statistics": null, "options": null, "storage": "p", "compression": "",
                "default_text": null, "collation": 0, "comment": null, "grants": [], "sequences": []
            }))
            .unwrap(),
        );
        self.columns.push(ColumnFacts {
            attnum,
            statistics,
            ..ColumnFacts::default()
        });
        self
    }

    fn unique(mut self, name: &str, attnums: &[i16]) -> Case {
        let columns: Vec<String> = attnums
            .iter()
            .map(|attnum| self.facts.column_at(*attnum).unwrap().name.clone())
            .collect();
        let mut index: Index = serde_json::from_value(json!({
            "oid": 1, "name": name, "method": "btree", "is_unique": true, "is_primary": true,
            "is_exclusion": false, "is_valid": true, "is_clustered": false,
            "nulls_not_distinct": false, "immediate": true, "has_expressions": false, "calls": [],
            "has_whole_row": false, "extensions": [], "exclusion": null,
            "predicate": null, "key_attnums": attnums, "constraint": null, "columns": columns,
            "include": [], "statistics": [], "options": null, "tablespace": null, "comment": null
        }))
        .unwrap();
        index.constraint = Some(IndexConstraint {
            name: name.to_owned(),
            kind: "p".to_owned(),
            deferrable: false,
            deferred: false,
            without_overlaps: false,
            grouped_by: Vec::new(),
            comment: None,
        });
        self.facts.indexes.push(index);
        self
    }

    fn advice(&self) -> Advice {
        let closer = Closer {
            facts: &self.facts,
            columns: &self.columns,
            free_bytes: self.free_bytes,
            workers_wanted: 2,
        };
        decide(
            &self.table,
            &closer,
            &self.server,
            &Thresholds::default(),
            &self.wish,
            &TYPES,
        )
    }
}

/// A year of evenly spread times.
fn a_year() -> Option<Statistics> {
    Some(Statistics {
        n_distinct: -1.0,
        correlation: Some(1.0),
        histogram: (0..=100)
            .map(|n| Some(NOW - 365 * DAY + n * 365 * DAY / 100))
            .collect(),
        ..Statistics::default()
    })
}

/// A counter.
fn counter(rows: i64) -> Option<Statistics> {
    Some(Statistics {
        n_distinct: -1.0,
        correlation: Some(1.0),
        histogram: (0..=100).map(|n| Some(1 + n * rows / 100)).collect(),
        ..Statistics::default()
    })
}

fn random_texts() -> Option<Statistics> {
    Some(Statistics {
        n_distinct: -1.0,
        correlation: Some(0.01),
        samples: (0..20).map(|n| format!("{n:032x}")).collect(),
        ..Statistics::default()
    })
}

fn event_log() -> Case {
    Case::new(100 * GB, 1e9)
        .column("id", BIGINT, counter(1_000_000_000))
        .column("at", TIMESTAMPTZ, a_year())
        .unique("t_pkey", &[1])
}

fn chosen(advice: &Advice) -> (Option<bool>, Option<&str>, Option<&str>) {
    (
        advice.needs_partitioning,
        advice
            .choice
            .as_ref()
            .map(|choice| choice.column.name.as_str()),
        advice
            .choice
            .as_ref()
            .map(|choice| choice.period.argument.as_str()),
    )
}

#[test]
fn a_large_log_is_partitioned_by_its_time() {
    let case = event_log();
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(true), Some("at"), Some("1 month")));
    assert_eq!(advice.blockers, []);
    assert_eq!(advice.partitions(), Some(12 + 4 + 1));
    assert_eq!(
        advice.key_changes,
        [
            "Primary key \"t_pkey\" (id) becomes (id, at): nothing keeps id unique by itself any more."
        ]
    );
    assert_eq!(
        advice.next_step(&case.facts).unwrap(),
        "SELECT * FROM convert_to_partitioned('public.t', 'at', 'range', '1 month', dry_run => true);"
    );
}

#[test]
fn a_key_that_others_refer_to_is_kept_as_it_is() {
    let mut case = event_log();
    case.table.has_incoming_keys = true;
    assert_eq!(
        chosen(&case.advice()),
        (Some(true), Some("id"), Some("50000000"))
    );
}

#[test]
fn a_key_that_holds_the_time_stays_as_it_is() {
    let case = Case::new(100 * GB, 1e9)
        .column("id", BIGINT, counter(1_000_000_000))
        .column("at", TIMESTAMPTZ, a_year())
        .unique("t_pkey", &[1, 2]);
    let advice = case.advice();
    assert_eq!(advice.key_changes, Vec::<String>::new());
    assert!(
        advice
            .reasons
            .iter()
            .any(|reason| reason.contains("every unique key"))
    );
}

#[test]
fn what_cannot_be_told_is_null() {
    let mut never = event_log();
    never.table.rows = None;
    assert_eq!(never.advice().needs_partitioning, None);
    let mut locked = event_log();
    locked.table.table_bytes = None;
    assert_eq!(locked.advice().needs_partitioning, None);
    let mut hidden = event_log();
    hidden.table.is_readable = false;
    assert_eq!(hidden.advice().needs_partitioning, None);
    let mut unknown = event_log();
    unknown
        .columns
        .iter_mut()
        .for_each(|column| column.statistics = None);
    assert_eq!(chosen(&unknown.advice()), (None, None, None));
}

#[test]
fn empty_and_small_tables_are_not_worth_it() {
    let mut empty = event_log();
    empty.table.table_bytes = Some(0);
    assert_eq!(empty.advice().needs_partitioning, Some(false));
    let mut small = event_log();
    small.table.table_bytes = Some(GB / 4);
    small.table.index_bytes = Some(GB / 4);
    let advice = small.advice();
    assert_eq!(chosen(&advice), (Some(false), Some("at"), Some("1 month")));
    assert!(advice.reasons[0].contains("512 MB, less than 1 GB"));
    small.wish.retention_seconds = Some(86_400.0);
    assert_eq!(small.advice().needs_partitioning, Some(false));
}

#[test]
fn what_this_release_cannot_do_is_said_in_words_only() {
    let millis = 946_684_800_000 + NOW / 1000;
    let mut v7 = random_texts().unwrap();
    v7.correlation = Some(1.0);
    v7.samples = (0..20)
        .map(|n| format!("{:012x}7abc8def0123456789ab", millis - n * 1_000_000))
        .collect();
    let case = Case::new(100 * GB, 1e9)
        .column("id", UUID, Some(v7))
        .unique("t_pkey", &[1]);
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(true), None, None));
    assert!(
        advice
            .reasons
            .iter()
            .any(|reason| reason.contains("UUIDs of version 7"))
    );
    assert_eq!(advice.blockers.len(), 1);
    assert_eq!(advice.next_step(&case.facts), None);

    let tenants = Some(Statistics {
        n_distinct: 12.0,
        correlation: Some(0.1),
        frequencies: vec![1.0 / 12.0; 12],
        ..Statistics::default()
    });
    let case = Case::new(100 * GB, 1e9)
        .column("id", UUID, random_texts())
        .column("tenant", TEXT, tenants)
        .unique("t_pkey", &[1]);
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(true), None, None));
    assert!(
        advice
            .reasons
            .iter()
            .any(|reason| reason.contains("12 different values"))
    );
}

#[test]
fn a_large_table_that_nothing_divides_is_left_alone() {
    let case = Case::new(100 * GB, 1e9)
        .column("id", UUID, random_texts())
        .unique("t_pkey", &[1]);
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(false), None, None));
    assert!(
        advice
            .reasons
            .last()
            .unwrap()
            .starts_with("But none of its columns")
    );
}

#[test]
fn a_column_that_the_caller_names_is_judged_alone() {
    let mut case = event_log();
    case.wish.column = Some("id".to_owned());
    assert_eq!(
        chosen(&case.advice()),
        (Some(true), Some("id"), Some("50000000"))
    );
    let mut case = event_log().column("note", TEXT, random_texts());
    case.wish.column = Some("note".to_owned());
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(false), None, None));
    assert_eq!(
        advice.blockers,
        [blockers::unsupported_type(&case.facts.columns[2])]
    );
}

/// A year of times, in another order than that of the rows.
fn a_shuffled_year() -> Option<Statistics> {
    a_year().map(|statistics| Statistics {
        correlation: Some(0.07),
        ..statistics
    })
}

#[test]
fn a_time_out_of_order_will_do_where_nothing_better_is_there() {
    let named = |name: &str| {
        Case::new(100 * GB, 1e9)
            .column("id", UUID, random_texts())
            .column(name, TIMESTAMPTZ, a_shuffled_year())
            .unique("t_pkey", &[1])
    };
    let advice = named("time_hour").advice();
    assert_eq!(
        chosen(&advice),
        (Some(true), Some("time_hour"), Some("1 month"))
    );
    for name in ["birthday", "last_seen"] {
        assert_eq!(chosen(&named(name).advice()), (Some(false), None, None));
    }
    // What is updated may be that column.
    let mut rewritten = named("time_hour");
    rewritten.table.updated = 200_000_000;
    assert_eq!(chosen(&rewritten.advice()).1, None);
    let mut nullable = named("time_hour");
    nullable.facts.columns[1].not_null = false;
    assert_eq!(chosen(&nullable.advice()).1, None);
    // A key that grows is better.
    let with_counter = Case::new(100 * GB, 1e9)
        .column("at", TIMESTAMPTZ, a_shuffled_year())
        .column("id", BIGINT, counter(1_000_000_000))
        .unique("t_pkey", &[2]);
    assert_eq!(chosen(&with_counter.advice()).1, Some("id"));
}

#[test]
fn the_first_column_of_a_key_that_grows_will_do() {
    let of = |numbers| {
        Case::new(100 * GB, 1e9)
            .column("parent", BIGINT, numbers)
            .column("line", TEXT, random_texts())
            .unique("t_pkey", &[1, 2])
            .advice()
    };
    let advice = of(counter(1_000_000_000));
    assert_eq!(
        chosen(&advice),
        (Some(true), Some("parent"), Some("50000000"))
    );
    // Ten regions, one after the other.
    assert_eq!(chosen(&of(counter(10))).1, None);
}

#[test]
fn a_key_is_not_extended_by_what_may_be_null() {
    let mut case = event_log();
    case.facts.columns[1].not_null = false;
    assert_eq!(chosen(&case.advice()).1, Some("id"));
}

#[test]
fn days_that_are_numbers_are_cut_by_years() {
    let days = Statistics {
        n_distinct: 4_000.0,
        correlation: Some(1.0),
        histogram: (0..=100)
            .map(|n| Some((2012 + n / 9) * 10_000 + (1 + n % 9) * 100 + 15))
            .collect(),
        ..Statistics::default()
    };
    let advice = Case::new(100 * GB, 1e9)
        .column("date_key", BIGINT, Some(days))
        .advice();
    assert_eq!(
        chosen(&advice),
        (Some(true), Some("date_key"), Some("10000"))
    );
}

#[test]
fn columns_that_change_or_are_out_of_order_lose() {
    let case = Case::new(100 * GB, 1e9)
        .column("updated_at", TIMESTAMPTZ, a_year())
        .column("created_at", TIMESTAMPTZ, a_year());
    assert_eq!(chosen(&case.advice()).1, Some("created_at"));
    let mut scattered = a_year().unwrap();
    scattered.correlation = Some(0.2);
    let case = Case::new(100 * GB, 1e9).column("birthday", TIMESTAMPTZ, Some(scattered));
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(false), None, None));
    assert!(advice.refused[0].1.contains("correlation 0.20"));
    let mut nulls = a_year().unwrap();
    nulls.null_fraction = 0.5;
    let case = Case::new(100 * GB, 1e9).column("paid_at", TIMESTAMPTZ, Some(nulls));
    assert_eq!(case.advice().refused[0].1, "is null in 50 % of the rows");
}

#[test]
fn what_queries_compare_counts() {
    let mut case = Case::new(100 * GB, 1e9)
        .column("created_at", TIMESTAMPTZ, a_year())
        .column("booked_at", TIMESTAMPTZ, a_year());
    assert_eq!(chosen(&case.advice()).1, Some("created_at"));
    case.columns[0].compared = 0.1;
    case.columns[1].compared = 0.61;
    let advice = case.advice();
    assert_eq!(chosen(&advice).1, Some("booked_at"));
    let sentence =
        "Statements that choose rows by \"booked_at\" take 61 % of the time of all on the table.";
    assert!(advice.reasons.iter().any(|reason| reason == sentence));
}

#[test]
fn a_time_out_of_order_is_preferred_where_queries_ask_for_it() {
    let mut scattered = a_year().unwrap();
    scattered.correlation = Some(0.1);
    let growing = Statistics {
        n_distinct: -1.0,
        correlation: Some(1.0),
        histogram: (0..=100).map(|n| Some(n * 10_000_000)).collect(),
        ..Statistics::default()
    };
    let mut case = Case::new(100 * GB, 1e9)
        .column("id", BIGINT, Some(growing))
        .column("booked_at", TIMESTAMPTZ, Some(scattered))
        .unique("t_pkey", &[1]);
    assert_eq!(chosen(&case.advice()).1, Some("id"));
    case.columns[1].compared = 0.4;
    assert_eq!(chosen(&case.advice()).1, Some("id"));
    case.columns[1].compared = 0.9;
    assert_eq!(chosen(&case.advice()).1, Some("booked_at"));
}

#[test]
fn everything_in_the_way_is_said_at_once() {
    let mut case = event_log();
    case.facts.inherits = true;
    case.facts.persistence = "t".to_owned();
    case.table.may_convert = false;
    case.free_bytes = Some(GB);
    case.server.oldest_transaction = Some(7_200.0);
    case.server.oldest_transaction_pid = Some(42);
    case.server.prepared = vec!["tx".to_owned()];
    case.server.slots = vec![Slot {
        name: "standby".to_owned(),
        ..Slot::default()
    }];
    case.server.worker_slots = 1;
    case.server.lock_slots = 10;
    case.table.changed_since_analyze = 900_000_000;
    let advice = case.advice();
    assert_eq!(advice.needs_partitioning, Some(true));
    assert_eq!(advice.blockers.len(), 3);
    assert_eq!(advice.warnings.len(), 7, "{:#?}", advice.warnings);
    assert_eq!(advice.next_step(&case.facts), None);
}

/// What is said about replication slots beside a conversion of 20 GB.
fn about_slots(slots: &[(bool, i64, Option<i64>)]) -> Vec<String> {
    let mut case = Case::new(20 * GB, 1e8).column("at", TIMESTAMPTZ, a_year());
    case.server.slots = slots
        .iter()
        .map(|(is_read, behind, room)| Slot {
            name: "s".to_owned(),
            is_read: *is_read,
            behind: *behind,
            room: *room,
        })
        .collect();
    let mut warnings = case.advice().warnings;
    warnings.retain(|warning| warning.contains("slot"));
    warnings
}

#[test]
fn slots_that_would_fall_behind_are_named() {
    assert!(about_slots(&[(true, 0, None), (true, GB / 2, Some(30 * GB))]).is_empty());
    let behind = about_slots(&[(true, 3 * GB, None)]);
    assert_eq!(
        behind,
        [
            "The reader of replication slot \"s\" is 3 GB behind (pg_partman_rs.analyze_slot_lag), and the conversion \
             writes about 20 GB of WAL."
        ]
    );
    let lost = about_slots(&[(true, 0, Some(10 * GB))]);
    assert_eq!(
        lost,
        [
            "Replication slot \"s\" is lost once 10 GB more of WAL are written than its reader takes \
             (max_slot_wal_keep_size), and the conversion writes about 20 GB."
        ]
    );
    assert_eq!(about_slots(&[(false, 3 * GB, Some(GB))]).len(), 2);
}

#[test]
fn vacuums_that_are_running_or_near_are_named() {
    let mut case = Case::new(20 * GB, 1e8).column("at", TIMESTAMPTZ, a_year());
    let about_vacuum = |case: &Case| {
        let mut warnings = case.advice().warnings;
        warnings.retain(|warning| warning.contains("vacuum"));
        warnings
    };
    case.table.vacuum.freeze_max_age = 200_000_000;
    case.table.vacuum.frozen_age = Some(150_000_000);
    assert!(about_vacuum(&case).is_empty());
    case.table.vacuum.frozen_age = Some(190_000_000);
    case.table.vacuum.running_pid = Some(7);
    case.table.vacuum.running_seconds = Some(600.0);
    let warnings = about_vacuum(&case);
    assert!(warnings[0].starts_with("Process 7 has been vacuuming it for 10 minutes"));
    assert!(
        warnings[1].contains("190 million transactions old, 95 % of autovacuum_freeze_max_age")
    );
}

#[test]
fn a_value_far_out_is_left_out() {
    let mut case = event_log();
    case.columns[1].ends = Some((NOW - 365 * DAY, NOW + 8_000 * 365 * DAY));
    let advice = case.advice();
    assert_eq!(chosen(&advice), (Some(true), Some("at"), Some("1 month")));
    assert_eq!(advice.partitions(), Some(12 + 4 + 1));
    assert!(advice.warnings[0].contains("range_end leaves what lies far out"));
    // Four months after 2024-08-22.
    assert!(
        advice
            .next_step(&case.facts)
            .unwrap()
            .contains(", range_end => '2024-12-21 00:00:00+00', dry_run")
    );
}
