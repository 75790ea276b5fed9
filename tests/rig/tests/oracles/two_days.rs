//! Two days in the life of an hourly table, by the clock of the tests: restarts, a crash, hours in
//! which the server was down, the hour that the clock skips, and a standby that takes over.

use std::time::Instant;

use partman_rig::cluster::Cluster;
use partman_rig::poll;
use partman_rig::poll::PATIENCE;
use postgres::Client;

use crate::maintained::{builder, must, number, set_clock, texts};

const HOURS: i64 = 48;
/// Every so often three rows come in.
const ROWS: &str = "(0), (15), (30)";
const KEPT_HOURS: i64 = 6;
const PREMAKE: i64 = 3;

const TABLE: &str = "
    CREATE EXTENSION pg_partman_rs;
    CREATE TABLE hours (at timestamptz NOT NULL) PARTITION BY RANGE (at);
    CREATE INDEX ON hours (at);
    SELECT set_partition_policy('hours', '1 hour', premake => 3, retention => '6 hours', retention_action => 'drop',
                                time_zone => 'Europe/Berlin');";

/// Half past the hour, so many hours after the beginning. 25 hours later, Berlin's clock skips one.
fn moment(hour: i64) -> String {
    format!(
        "2013-03-{} {:02}:30:00+00",
        30 + hour / 24,
        hour.rem_euclid(24)
    )
}

/// What is on the books beside the server: in which hours rows came in.
#[derive(Default)]
struct Books {
    hours: Vec<i64>,
}

impl Books {
    /// It is a new hour: rows come in before maintenance has noticed, and it must do its work then.
    fn pass(&mut self, admin: &mut Client, hour: i64) {
        let now = moment(hour);
        must(
            admin,
            &format!(
                "INSERT INTO hours SELECT '{now}'::timestamptz - interval '30 minutes' + m * interval '1 minute'
                   FROM (VALUES {ROWS}) AS v(m)"
            ),
        );
        self.hours.push(hour);
        set_clock(admin, &now);
        let done = format!(
            "SELECT count(*) FROM partman_rs.maintenance WHERE last_run_at = '{now}' AND failures = 0"
        );
        poll::expect(&format!("the run of {now}"), PATIENCE, || {
            number(admin, &done) == 1
        });
        self.check(admin, hour);
    }

    fn check(&self, admin: &mut Client, hour: i64) {
        let now = moment(hour);
        let limit = format!("'{now}'::timestamptz - interval '{KEPT_HOURS} hours'");
        // Not too early: all that is young is there.
        let young = self.hours.iter().filter(|past| **past > hour - KEPT_HOURS);
        let expected =
            young.count() as i64 * 3 + i64::from(self.hours.contains(&(hour - KEPT_HOURS)));
        let there = format!("SELECT count(*) FROM hours WHERE at >= {limit}");
        assert_eq!(number(admin, &there), expected, "rows kept at {now}");
        // Not too late: nothing is there that is old as a whole.
        let old = format!(
            "SELECT count(*) FROM partman_rs.partitions WHERE parent = 'hours'::regclass AND upper_bound::timestamptz <= {limit}"
        );
        assert_eq!(number(admin, &old), 0, "old partitions at {now}");
        let ahead = format!(
            "SELECT count(*) FROM partman_rs.partitions WHERE parent = 'hours'::regclass AND lower_bound::timestamptz > '{now}'"
        );
        assert!(
            number(admin, &ahead) >= PREMAKE,
            "partitions ahead of {now}"
        );
        let gaps = "SELECT count(*) FROM partman_rs.health WHERE gaps > 0 OR verdict <> 'ok'";
        assert_eq!(number(admin, gaps), 0, "health at {now}");
    }
}

fn workers(client: &mut Client) -> i64 {
    number(
        client,
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_partman_rs%'",
    )
}

#[test]
fn two_days_with_restarts_and_a_standby_that_takes_over() {
    let began = Instant::now();
    let mut primary = builder("30min")
        .setting("pg_partman_rs.test_clock", &moment(0))
        .start();
    let mut admin = primary.connect();
    must(&mut admin, TABLE);
    let first = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'hours'::regclass";
    poll::expect("the first partitions", PATIENCE, || {
        number(&mut admin, first) == PREMAKE + 1
    });
    let mut books = Books::default();
    let mut standby: Option<(Cluster, Client)> = None;
    let mut hour = 0;
    while hour < HOURS {
        match hour {
            9 => {
                primary.stop_fast();
                primary.start();
                admin = primary.connect();
                // It was down for two hours.
                hour += 2;
            }
            16 => {
                primary.kill_immediate();
                primary.start();
                admin = primary.connect();
                hour += 1;
            }
            26 => {
                let other = primary.standby();
                let session = other.connect();
                standby = Some((other, session));
            }
            34 => {
                let (other, mut session) = standby.take().expect("it was made");
                let behind = "SELECT count(*) FROM hours";
                let rows = number(&mut admin, behind);
                poll::expect("the standby to have all", PATIENCE, || {
                    number(&mut session, behind) == rows
                });
                assert_eq!(workers(&mut session), 0, "a standby maintains nothing");
                primary.kill_immediate();
                other.promote();
                primary = other;
                admin = primary.connect();
                hour += 1;
            }
            _ => {}
        }
        books.pass(&mut admin, hour);
        if let Some((_, session)) = &mut standby {
            // Machines have a clock each.
            set_clock(session, &moment(hour));
            assert_eq!(workers(session), 0, "a standby maintains nothing");
        }
        hour += 1;
    }
    let twice = "SELECT coalesce(string_agg(partition, ','), '') FROM (SELECT partition FROM partman_rs.run GROUP BY action, partition HAVING count(*) > 1) t";
    assert_eq!(texts(&mut admin, twice, &[]), [""]);
    let failed = "SELECT count(*) FROM partman_rs.run WHERE outcome = 'failed'";
    assert_eq!(number(&mut admin, failed), 0);
    println!("two days took {:?}", began.elapsed());
}
