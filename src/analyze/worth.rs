//! Is it worth it? Every test that a table passes or fails says so in a sentence with its numbers.

use super::facts::{ServerFacts, TableFacts, Thresholds};
use super::words;

const SECONDS_A_MONTH: f64 = 30.4375 * 86_400.0;

/// What a table gains by partitioning, and what it does not.
pub struct Worth {
    pub is_worth_it: bool,
    pub reasons: Vec<String>,
}

/// Judges a table of at least the small size. `growth` is in bytes a second, where some column
/// tells it.
pub fn judge(
    table: &TableFacts,
    server: &ServerFacts,
    thresholds: &Thresholds,
    total_bytes: i64,
    rows: f64,
    growth: Option<f64>,
    retention_seconds: Option<f64>,
) -> Worth {
    let mut for_it = Vec::new();
    let mut against = Vec::new();
    let size = words::bytes(total_bytes as f64);
    let large = words::bytes(thresholds.large_bytes as f64);
    if total_bytes >= thresholds.large_bytes {
        for_it.push(format!(
            "Table and indexes are {size}, and from {large} on that is large (pg_partman_rs.analyze_large_size)."
        ));
    } else {
        against.push(format!(
            "Table and indexes are {size}, less than {large} (pg_partman_rs.analyze_large_size)."
        ));
    }
    if total_bytes > server.cache_bytes {
        for_it.push(format!(
            "That is more than the {} of memory that effective_cache_size tells of.",
            words::bytes(server.cache_bytes as f64)
        ));
    }
    let months = growth
        .filter(|growth| *growth > 0.0 && total_bytes < thresholds.large_bytes)
        .map(|growth| (thresholds.large_bytes - total_bytes) as f64 / growth / SECONDS_A_MONTH);
    if let Some((months, growth)) = months.zip(growth) {
        let pace = words::bytes(growth * SECONDS_A_MONTH);
        if months <= thresholds.growth_months {
            for_it.push(format!(
                "It grows by {pace} a month and will be {large} in {months:.0} months."
            ));
        } else {
            against.push(format!(
                "At {pace} a month it will not be {large} within {:.0} months (pg_partman_rs.analyze_growth_months).",
                thresholds.growth_months
            ));
        }
    }
    // Counters may have been reset since the rows came: then those that are there, and those that
    // are gone, are more than were inserted.
    let ever = (table.inserted as f64)
        .max(rows + table.deleted as f64)
        .max(1.0);
    let deleted = table.deleted as f64 / ever;
    if deleted >= thresholds.deleted_share {
        for_it.push(format!(
            "{} rows were deleted, {} of those that there were; where they are deleted by age, dropping a partition \
             does the same at once and leaves nothing to vacuum.",
            words::count(table.deleted as f64),
            words::percent(deleted)
        ));
    }
    let dead = table.dead as f64 / (table.dead as f64 + table.live as f64).max(1.0);
    if dead >= thresholds.dead_share {
        for_it.push(format!(
            "{} of its row versions are dead ({}): vacuum is done sooner with a partition than with the whole.",
            words::percent(dead),
            words::count(table.dead as f64)
        ));
    }
    for_it.extend(slow_vacuum(table, thresholds, total_bytes));
    if let Some(retention) = retention_seconds {
        for_it.push(format!(
            "Rows are to be kept for {}: dropping partitions does that without DELETE.",
            words::seconds(retention)
        ));
    }
    let index_bytes = table.index_bytes.unwrap_or(0);
    if index_bytes > server.cache_bytes {
        for_it.push(format!(
            "Its indexes alone ({}) do not fit in memory.",
            words::bytes(index_bytes as f64)
        ));
    }
    let is_worth_it = !for_it.is_empty();
    Worth {
        is_worth_it,
        // Why not is of interest only where it is not.
        reasons: if is_worth_it { for_it } else { against },
    }
}

/// Whether vacuum takes long: as it does just now, else as it was measured, else as the settings
/// make it.
fn slow_vacuum(table: &TableFacts, thresholds: &Thresholds, total_bytes: i64) -> Option<String> {
    let vacuum = &table.vacuum;
    let slow = |seconds: &f64| *seconds >= thresholds.vacuum_seconds;
    let took = if let Some(seconds) = vacuum.running_seconds.filter(slow) {
        format!(
            "A vacuum of it has been running for {}",
            words::seconds(seconds)
        )
    } else if let Some(seconds) = vacuum.average_seconds().filter(slow) {
        format!("A vacuum of it took {} on average", words::seconds(seconds))
    } else {
        // What was measured to be quick is quick, whatever the settings say.
        let seconds = vacuum
            .pass_seconds(total_bytes)
            .filter(|_| vacuum.average_seconds().is_none())
            .filter(slow)?;
        format!(
            "A vacuum that has to read all of it spends about {} on the pauses that autovacuum_vacuum_cost_delay and \
             autovacuum_vacuum_cost_limit ask for",
            words::seconds(seconds)
        )
    };
    Some(format!(
        "{took} (pg_partman_rs.analyze_vacuum_time): partitions are vacuumed one by one, and old ones hardly ever."
    ))
}

#[cfg(test)]
mod tests {
    use super::super::facts::GB;
    use super::*;

    fn judged(table: TableFacts, total: i64, growth: Option<f64>, retention: Option<f64>) -> Worth {
        let server = ServerFacts {
            cache_bytes: 100 * GB,
            ..ServerFacts::default()
        };
        judge(
            &table,
            &server,
            &Thresholds::default(),
            total,
            1e7,
            growth,
            retention,
        )
    }

    #[test]
    fn size_alone_is_a_reason() {
        let worth = judged(TableFacts::default(), 10 * GB, None, None);
        assert!(worth.is_worth_it);
        assert_eq!(
            worth.reasons,
            [
                "Table and indexes are 10 GB, and from 10 GB on that is large (pg_partman_rs.analyze_large_size)."
            ]
        );
        let worth = judged(TableFacts::default(), 200 * GB, None, None);
        assert_eq!(worth.reasons.len(), 2);
    }

    #[test]
    fn a_middling_table_needs_another_reason() {
        let middling =
            |table, growth, retention| judged(table, 5 * GB, growth, retention).is_worth_it;
        let per_month = |gigabytes: f64| Some(gigabytes * GB as f64 / SECONDS_A_MONTH);
        assert!(!middling(TableFacts::default(), None, None));
        assert!(middling(TableFacts::default(), None, Some(90.0 * 86_400.0)));
        assert!(middling(TableFacts::default(), per_month(1.0), None));
        assert!(!middling(TableFacts::default(), per_month(0.1), None));
        let deleting = TableFacts {
            inserted: 20_000_000,
            deleted: 9_000_000,
            ..TableFacts::default()
        };
        assert!(middling(deleting, None, None));
        let dead = TableFacts {
            live: 10,
            dead: 5,
            ..TableFacts::default()
        };
        assert!(middling(dead, None, None));
    }

    #[test]
    fn a_slow_vacuum_is_a_reason() {
        use super::super::facts::VacuumFacts;
        let reason = |vacuum: VacuumFacts| {
            let table = TableFacts {
                vacuum,
                ..TableFacts::default()
            };
            let worth = judged(table, 5 * GB, None, None);
            worth.is_worth_it.then(|| worth.reasons.concat())
        };
        // A pass over 5 GB sleeps for a little more than two hours.
        let limits = VacuumFacts {
            cost_delay: 1.2,
            cost_limit: 200.0,
            page_cost: 2.0,
            block_size: 8192.0,
            ..VacuumFacts::default()
        };
        assert!(reason(limits.clone()).is_some_and(|text| text.contains("about 2 hours")));
        let default_delay = VacuumFacts {
            cost_delay: 0.002,
            ..limits.clone()
        };
        assert_eq!(reason(default_delay.clone()), None);
        let running = VacuumFacts {
            running_pid: Some(7),
            running_seconds: Some(10_800.0),
            ..default_delay
        };
        assert!(reason(running).is_some_and(|text| text.contains("running for 3 hours")));
        let measured = |seconds| VacuumFacts {
            done: 2,
            total_seconds: Some(2.0 * seconds),
            ..limits.clone()
        };
        assert!(reason(measured(7_200.0)).is_some_and(|text| text.contains("2 hours on average")));
        assert_eq!(reason(measured(60.0)), None);
    }

    #[test]
    fn deletions_are_weighed_against_all_rows_that_there_were() {
        let share = |inserted, deleted| {
            let table = TableFacts {
                inserted,
                deleted,
                ..TableFacts::default()
            };
            judged(table, 5 * GB, None, None).reasons[0].clone()
        };
        assert!(share(20_000_000, 9_000_000).contains("45 %"));
        // The counters were reset after the rows had come.
        assert!(share(0, 10_000_000).contains("50 %"));
        assert!(!share(0, 2_000_000).contains("deleted"));
    }

    #[test]
    fn what_is_against_it_is_said_where_nothing_is_for_it() {
        let worth = judged(TableFacts::default(), 5 * GB, Some(1.0), None);
        assert_eq!(worth.reasons.len(), 2);
        assert!(worth.reasons[1].ends_with(
            "it will not be 10 GB within 12 months (pg_partman_rs.analyze_growth_months)."
        ));
    }
}
