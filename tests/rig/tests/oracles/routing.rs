//! PostgreSQL puts a row where maintenance says that it belongs, to the microsecond, whatever the
//! session's zone.

use partman_rig::cluster::Cluster;
use partman_rig::fault;
use postgres::Client;

use crate::maintained::{must, number, texts};

/// Places with clocks of their own kind: half hours, quarters, midnights that are skipped or shown
/// twice, a day that never was, winter as the exception, and none of it.
const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Cairo",
    "America/Anchorage",
    "Europe/Dublin",
    "America/St_Johns",
    "Asia/Gaza",
    "UTC",
];

const SESSIONS: [&str; 3] = ["Asia/Kolkata", "America/New_York", "UTC"];

/// The hours before and after which the clock jumps, of three years; a plain one where it does not.
const CHANGES: &str = "
    SELECT coalesce((array_agg(t::text ORDER BY t))[1:2], '{2012-06-15 12:00:00+00}')
      FROM generate_series('2011-01-01'::timestamptz, '2014-01-01', '1 hour') AS t
     WHERE (t AT TIME ZONE $1) - ((t - interval '1 hour') AT TIME ZONE $1) <> interval '1 hour'";

/// Makes partitions around a moment, and puts the first, second and last value of each into it.
/// How many partitions there are.
fn try_out(
    admin: &mut Client,
    kind: &str,
    interval: &str,
    zone: Option<&str>,
    tick: &str,
) -> usize {
    must(
        admin,
        &format!("DROP TABLE IF EXISTS t; CREATE TABLE t (k {kind}) PARTITION BY RANGE (k)"),
    );
    let what = format!("{kind} by {interval} in {zone:?}");
    admin
        .execute(
            "SELECT set_partition_policy('t', $1, premake => 6, time_zone => $2)",
            &[&interval, &zone],
        )
        .unwrap_or_else(|e| panic!("{what}: {}", fault::describe(&e)));
    let rows = admin
        .query(
            "SELECT partition, lower_bound, upper_bound FROM ensure_partitions('t')",
            &[],
        )
        .unwrap_or_else(|e| panic!("{what}: {}", fault::describe(&e)));
    let mut upper_before: Option<String> = None;
    for row in &rows {
        let (partition, lower, upper): (String, String, String) =
            (row.get(0), row.get(1), row.get(2));
        assert!(
            upper_before.is_none_or(|before| before == lower),
            "{what}: a gap at {lower}"
        );
        for value in [
            format!("'{lower}'::{kind}"),
            format!("('{lower}'::{kind} + {tick})::{kind}"),
            format!("('{upper}'::{kind} - {tick})::{kind}"),
        ] {
            let sql = format!(
                "INSERT INTO t SELECT {value} WHERE {value} < '{upper}'::{kind} RETURNING tableoid::regclass::text"
            );
            for holder in texts(admin, &sql, &[]) {
                assert!(
                    partition.ends_with(&format!(".{holder}")),
                    "{what}: {value} of {partition} went to {holder}"
                );
            }
        }
        upper_before = Some(upper);
    }
    rows.len()
}

#[test]
fn rows_go_where_the_bounds_say() {
    let cluster = Cluster::builder().start();
    let mut admin = cluster.connect();
    must(&mut admin, "CREATE EXTENSION pg_partman_rs");
    let mut partitions = 0;
    for (place, zone) in ZONES.into_iter().enumerate() {
        let changes: Vec<String> = admin
            .query_one(CHANGES, &[&zone])
            .expect("the zone is known")
            .get(0);
        must(
            &mut admin,
            &format!("SET TimeZone = '{}'", SESSIONS[place % SESSIONS.len()]),
        );
        for change in changes {
            for (interval, before) in [
                ("1 hour", "3 hours"),
                ("20 minutes", "1 hour"),
                ("1 day", "2 days"),
                ("1 week", "2 weeks"),
                ("1 month", "1 month"),
            ] {
                let clock = format!(
                    "SELECT set_config('pg_partman_rs.test_clock', ('{change}'::timestamptz - interval '{before}')::text, false)"
                );
                must(&mut admin, &clock);
                let made = try_out(
                    &mut admin,
                    "timestamptz",
                    interval,
                    Some(zone),
                    "interval '1 microsecond'",
                );
                assert!(made >= 7, "{made} of {interval} in {zone}");
                partitions += made;
            }
        }
        for (kind, interval, tick) in [
            ("timestamp", "1 hour", "interval '1 microsecond'"),
            ("timestamp", "1 month", "interval '1 microsecond'"),
            ("date", "1 week", "1"),
        ] {
            partitions += try_out(&mut admin, kind, interval, Some(zone), tick);
        }
    }
    for (kind, width) in [
        ("smallint", "1000"),
        ("integer", "7"),
        ("bigint", "1000000000000"),
    ] {
        partitions += try_out(&mut admin, kind, width, None, "1::smallint");
    }
    println!("{partitions} partitions");
    assert!(partitions > 700, "{partitions}");
    assert_eq!(
        number(
            &mut admin,
            "SELECT count(*) FROM partman_rs.run WHERE outcome = 'failed'"
        ),
        0
    );
}
