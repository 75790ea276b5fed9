//! Everything goes over into a new cluster by `pg_upgrade`: of the same PostgreSQL, or from an older one
//! where `PARTMAN_OLD_SERVER_BIN` names one that has the extension.

use std::sync::Arc;

use partman_rig::cluster::Cluster;
use partman_rig::conversion::{await_job, steer};
use partman_rig::failpoint::{Action, at};
use partman_rig::stage::{PATIENCE, Stage};
use partman_rig::{fault, oracle, poll, shapes};
use postgres::Client;

use crate::at_each_point::convert_up_to;
use crate::draining;
use crate::maintained::{must, number, preloaded, set_clock, texts};

const NOON: &str = "2024-02-28 12:00:00+00";
const NEXT_NOON: &str = "2024-02-29 12:00:00+00";
/// All partitions that are there are old by then.
const YEARS_LATER: &str = "2026-02-28 12:00:00+00";

/// Tables that other tools partitioned, with policies that have something in every column; partitions
/// that are pinned, and in the recycle bin; a column was dropped, and a table that had a policy.
const KEPT: &str = r#"
    CREATE EXTENSION pg_partman_rs;
    CREATE ROLE keeper NOLOGIN;
    CREATE SCHEMA "the shop" AUTHORIZATION keeper;
    CREATE SCHEMA "the attic" AUTHORIZATION keeper;
    SET ROLE keeper;
    CREATE TABLE "the shop"."odd ""days" (gone int, at timestamptz NOT NULL, v text) PARTITION BY RANGE (at);
    ALTER TABLE "the shop"."odd ""days" DROP COLUMN gone;
    CREATE INDEX ON "the shop"."odd ""days" (at);
    CREATE TABLE "the shop".day_24 PARTITION OF "the shop"."odd ""days" FOR VALUES FROM ('2024-02-24 06:00+00') TO ('2024-02-25 06:00+00');
    CREATE TABLE "the shop".day_25 PARTITION OF "the shop"."odd ""days" FOR VALUES FROM ('2024-02-25 06:00+00') TO ('2024-02-26 06:00+00');
    CREATE TABLE "the shop".day_26 PARTITION OF "the shop"."odd ""days" FOR VALUES FROM ('2024-02-26 06:00+00') TO ('2024-02-27 06:00+00');
    CREATE TABLE "the shop".day_27 PARTITION OF "the shop"."odd ""days" FOR VALUES FROM ('2024-02-27 06:00+00') TO ('2024-02-28 06:00+00');
    INSERT INTO "the shop"."odd ""days" (at) SELECT '2024-02-24 07:00+00'::timestamptz + i * interval '1 day' FROM generate_series(0, 3) i;
    CREATE TABLE "the shop".ids (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE "the shop".unheld (id int) PARTITION BY RANGE (id);
    RESET ROLE;
    SELECT pin_partition('"the shop".day_24', 'a court''s order');
    SELECT set_partition_policy('"the shop"."odd ""days"', '1 day', premake => 1, retention => '2 days', retention_partitions => 90,
                                retention_size => '1 GB', retention_action => 'recycle', retention_schema => 'the attic',
                                grace_period => '2 days', time_zone => 'UTC', partition_offset => '6 hours', repair => true,
                                quiet_from => '22:00', quiet_until => '04:00', maintenance_interval => '1 hour');
    SELECT set_partition_policy('"the shop".ids', '10', premake => 1);
    SELECT set_partition_policy('"the shop".unheld', '10');
    DROP TABLE "the shop".unheld;
    SELECT ensure_partitions();
    INSERT INTO "the shop"."odd ""days" (at) VALUES ('2024-02-28 07:00+00');
    SELECT ensure_partitions();"#;

/// All that the extension remembers of these, and what there is; a line for each.
const MEMORY: &str = "
    SELECT 'policy ' || row_to_json(p) FROM partman_rs.policies p
     UNION ALL
    SELECT 'pin ' || row_to_json(p) FROM partman_rs.pin p
     UNION ALL
    -- Toast tables and the like may be larger or smaller in another PostgreSQL.
    SELECT 'bin ' || (to_jsonb(b) - 'bytes')::text FROM partman_rs.recycle_bin b
     UNION ALL
    SELECT 'run ' || row_to_json(r) FROM partman_rs.runs r
     UNION ALL
    SELECT format('relation %s %s %s %s', c.oid, c.oid::regclass, c.relowner::regrole, pg_get_expr(c.relpartbound, c.oid))
      FROM pg_class c WHERE c.relnamespace IN ('\"the shop\"'::regnamespace, '\"the attic\"'::regnamespace) AND c.relkind IN ('r', 'p')
     ORDER BY 1";

/// Tables whose conversions meet the upgrade, each in a database of its own.
struct Conversions {
    swapped: Stage,
    paused: Stage,
    copying: Stage,
    draining: Stage,
}

impl Conversions {
    fn begin(cluster: &Arc<Cluster>) -> Self {
        let stage = |name| Stage::on(Arc::clone(cluster), name, shapes::events(), 5_000);
        let swapped = stage("swapped");
        swapped.convert(&mut swapped.app());
        swapped.await_swapped(&mut swapped.app());
        let paused = stage("paused");
        convert_up_to(&paused, at::RANGE_COPIED);
        steer_must(&paused, "pause");
        paused.failpoints().clear(at::RANGE_COPIED);
        await_phase(&paused, "paused");
        let copying = stage("copying");
        convert_up_to(&copying, at::RANGE_COPIED);
        let draining = draining::stage(Arc::clone(cluster), "draining", shapes::cells(), 5_000);
        draining.failpoints().set(at::CAPTURING, Action::Wait);
        must(&mut draining.app(), "SELECT ensure_partitions('cells')");
        draining.failpoints().await_parked(at::CAPTURING);
        Self {
            swapped,
            paused,
            copying,
            draining,
        }
    }

    fn moved(self, cluster: &Arc<Cluster>) -> Self {
        let moved = |stage: Stage| stage.moved(Arc::clone(cluster));
        Self {
            swapped: moved(self.swapped),
            paused: moved(self.paused),
            copying: moved(self.copying),
            draining: moved(self.draining),
        }
    }

    fn end(self) {
        oracle::assert_none("the swapped one", &self.swapped.findings_after_swap(None));
        oracle::assert_none("the swapped one", &self.swapped.finish(None));
        // The worker tries by itself, and says why it cannot; so does the call.
        await_phase(&self.copying, "failed");
        let job = "SELECT concat_ws(' ', last_sqlstate, last_error) FROM partman_rs.conversions";
        let why = "55000 conversion of table \"events\" was begun in another cluster";
        assert_eq!(texts(&mut self.copying.app(), job, &[]), [why]);
        let resumed = steer(&mut self.paused.app(), "resume", "events");
        let refusal = fault::describe(&resumed.expect_err("it cannot go on"));
        assert!(
            refusal.contains("was begun in another cluster"),
            "{refusal}"
        );
        for stage in [&self.copying, &self.paused] {
            steer_must(stage, "cancel");
            await_phase(stage, "cancelled");
            oracle::assert_none("after cancel", &stage.findings_after_cancel(None));
            stage.convert(&mut stage.app());
            stage.await_swapped(&mut stage.app());
            stage.assert_converted(None);
        }
        // Nobody asked for that one: a run takes it back, and a later one begins anew.
        let mut app = self.draining.app();
        poll::expect("the default partition to be drained", PATIENCE, || {
            must(&mut app, "SELECT ensure_partitions('cells')");
            draining::drained(&self.draining) == 1
        });
        let unfinished = "SELECT count(*) FROM partman_rs.conversions WHERE phase NOT IN ('finished', 'cancelled')";
        poll::expect("the retired one to be dropped", PATIENCE, || {
            number(&mut app, unfinished) == 0
        });
        draining::assert_drained(&self.draining, None);
    }
}

fn steer_must(stage: &Stage, verb: &str) {
    steer(&mut stage.app(), verb, stage.shape.table)
        .unwrap_or_else(|e| panic!("{verb}: {}", fault::describe(&e)));
}

fn await_phase(stage: &Stage, phase: &str) {
    await_job(
        &mut stage.app(),
        stage.shape.table,
        phase,
        PATIENCE,
        |job| job.phase == phase,
    );
}

/// Pain 24: policies, pins, the recycle bin and the history survive `pg_upgrade`, and nothing is done
/// while it runs. Conversions that it met in their middle say that they cannot go on, and can be undone.
#[test]
fn pain_24_everything_survives_pg_upgrade() {
    let old = preloaded(Cluster::builder_of_older(), "1h");
    let old = Arc::new(old.setting("pg_partman_rs.test_clock", NOON).start());
    let memory = |cluster: &Cluster| texts(&mut cluster.connect(), MEMORY, &[]);
    must(&mut old.connect(), KEPT);
    let conversions = Conversions::begin(&old);
    let before = memory(&old);
    assert!(before.len() > 15, "{before:#?}");
    old.stop_fast();
    // Much would be due in the servers that pg_upgrade starts; now is not the time.
    old.set_while_stopped("pg_partman_rs.test_clock", YEARS_LATER);
    old.set_while_stopped("pg_partman_rs.maintenance_interval", "1s");
    let new = preloaded(Cluster::builder(), "1h").setting("pg_partman_rs.test_clock", NOON);
    let new = Arc::new(old.upgrade(new));
    assert_eq!(memory(&new), before);
    let conversions = conversions.moved(&new);
    goes_on(&mut new.connect());
    conversions.end();
}

/// Maintenance goes on where it was: with the same tables, the same names, the same bin.
fn goes_on(admin: &mut Client) {
    must(admin, r#"SELECT restore_partition('"the attic".day_25')"#);
    set_clock(admin, NEXT_NOON);
    let partitions = r#"SELECT concat_ws(' ', c.oid::regclass, c.relowner::regrole, pg_get_expr(c.relpartbound, c.oid))
                          FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = '"the shop"."odd ""days"'::regclass ORDER BY 1"#;
    poll::expect("the next day's partition", PATIENCE, || {
        texts(admin, partitions, &[]).len() == 7
    });
    let day = |name: &str, from: &str, to: &str| {
        format!(
            "{name} keeper FOR VALUES FROM ('2024-{from} 06:00:00+00') TO ('2024-{to} 06:00:00+00')"
        )
    };
    assert_eq!(
        texts(admin, partitions, &[]),
        [
            // Taken back from where it lay.
            day(r#""the attic".day_25"#, "02-25", "02-26"),
            day(
                r#""the shop"."odd ""days_p2024_02_28_0600""#,
                "02-28",
                "02-29"
            ),
            day(
                r#""the shop"."odd ""days_p2024_02_29_0600""#,
                "02-29",
                "03-01"
            ),
            day(
                r#""the shop"."odd ""days_p2024_03_01_0600""#,
                "03-01",
                "03-02"
            ),
            day(r#""the shop".day_24"#, "02-24", "02-25"),
            day(r#""the shop".day_26"#, "02-26", "02-27"),
            day(r#""the shop".day_27"#, "02-27", "02-28"),
        ]
    );
    must(admin, r#"INSERT INTO "the shop".ids VALUES (15)"#);
    let ids = r#"SELECT count(*) FROM pg_inherits WHERE inhparent = '"the shop".ids'::regclass"#;
    // The worker may be at it just now: then a session leaves that table alone.
    poll::expect("the next ids' partition", PATIENCE, || {
        must(admin, "SELECT ensure_partitions()");
        number(admin, ids) == 3
    });
    let failed = "SELECT count(*) FROM partman_rs.runs WHERE outcome = 'failed'";
    assert_eq!(number(admin, failed), 0);
    let unwell = "SELECT count(*) FROM partman_rs.health WHERE verdict <> 'ok'";
    assert_eq!(number(admin, unwell), 0);
}
