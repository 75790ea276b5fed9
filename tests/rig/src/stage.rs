//! One server, one database, one table under test: what most tests start from.
//!
//! The database and the table belong to `app`, an ordinary role, which also calls the engine: what
//! works here needs no superuser.

use std::sync::Arc;
use std::thread::JoinHandle;

use postgres::Client;

use crate::cluster::{Cluster, SUPERUSER};
use crate::conversion::{self, Conversion};
use crate::failpoint::Failpoints;
use crate::oracle::litter::{Inventory, Retired};
use crate::oracle::{self, Findings, content, definition, litter, placement};
pub use crate::poll::PATIENCE;
use crate::shape::Shape;
use crate::workload::{Report, Workload};
use crate::{ledger, poll};

/// The role that owns everything in the database.
pub const OWNER: &str = "app";

/// A table on a server, ready to be converted.
pub struct Stage {
    pub cluster: Arc<Cluster>,
    pub database: String,
    pub shape: Shape,
    seeds: i64,
    inventory: Inventory,
    columns: Vec<String>,
}

impl Stage {
    /// A table filled with `rows` rows, on a server of its own.
    pub fn new(shape: Shape, rows: i64) -> Self {
        Self::on(Arc::new(Cluster::builder().start()), "shop", shape, rows)
    }

    /// The same on a server that is there already, in a new database.
    pub fn on(cluster: Arc<Cluster>, database: &str, shape: Shape, rows: i64) -> Self {
        create_database(&cluster, database);
        let mut app = cluster.connect_as(OWNER, database);
        ledger::create(&mut app).expect("the ledger can be created");
        app.batch_execute(&shape.create_sql())
            .unwrap_or_else(|e| panic!("{}", crate::fault::describe(&e)));
        ledger::seed(&mut app, &shape, rows)
            .unwrap_or_else(|e| panic!("{}", crate::fault::describe(&e)));
        Self::adopt(cluster, database, shape, rows)
    }

    /// The same where database, ledger and rows are there already.
    pub fn adopt(cluster: Arc<Cluster>, database: &str, shape: Shape, rows: i64) -> Self {
        let mut admin = cluster.connect_as(SUPERUSER, database);
        let inventory = Inventory::of(&mut admin);
        let columns = definition::columns(&mut admin, shape.table);
        Self {
            cluster,
            database: database.to_owned(),
            shape,
            seeds: rows,
            inventory,
            columns,
        }
    }

    /// The same table on another server that everything was taken over to.
    pub fn moved(mut self, cluster: Arc<Cluster>) -> Self {
        self.cluster = cluster;
        self
    }

    /// Takes stock anew, where a test has changed the table before it is converted.
    pub fn take_stock(&mut self) {
        let mut admin = self.admin();
        self.inventory = Inventory::of(&mut admin);
        self.columns = definition::columns(&mut admin, self.shape.table);
    }

    /// A session of the table's owner.
    pub fn app(&self) -> Client {
        self.cluster.connect_as(OWNER, &self.database)
    }

    /// A superuser's session on the same database.
    pub fn admin(&self) -> Client {
        self.cluster.connect_as(SUPERUSER, &self.database)
    }

    /// The usual load on the table, to be changed at will.
    pub fn workload(&self) -> Workload {
        Workload::on(
            &self.shape,
            self.cluster.login(OWNER, &self.database),
            self.seeds,
        )
    }

    /// The conversion that the shape asks for.
    pub fn conversion(&self) -> Conversion {
        Conversion::of_shape(&self.shape)
    }

    pub fn failpoints(&self) -> Failpoints {
        Failpoints::of(&self.cluster)
    }

    /// Makes the call that starts the conversion.
    pub fn convert(&self, app: &mut Client) {
        let started = self.conversion().start(app);
        started.unwrap_or_else(|e| {
            panic!(
                "the conversion of {} is refused: {}",
                self.shape.table,
                crate::fault::describe(&e)
            )
        });
    }

    /// Waits for the swap.
    pub fn await_swapped(&self, app: &mut Client) {
        conversion::wait_until_swapped(app, self.shape.table, PATIENCE);
    }

    /// All there is to say against the state after the swap; `report` is the load's.
    pub fn findings_after_swap(&self, report: Option<&Report>) -> Findings {
        let (table, mut admin) = (self.shape.table, self.admin());
        let mut findings = self.findings_of_content(report);
        findings.extend(placement::check_partitioned(
            &mut admin,
            table,
            self.shape.partition_column,
        ));
        findings.extend(oracle::soundness(&mut admin, table));
        findings.extend(litter::check_converted(
            &mut admin,
            &self.inventory,
            table,
            Retired::Kept,
        ));
        let columns = definition::columns(&mut admin, table);
        findings.extend(definition::column_changes(
            &self.columns,
            &columns,
            self.shape.partition_column,
        ));
        findings
    }

    /// All there is to say against the state after a cancelled conversion.
    pub fn findings_after_cancel(&self, report: Option<&Report>) -> Findings {
        let (table, mut admin) = (self.shape.table, self.admin());
        let mut findings = self.findings_of_content(report);
        findings.extend(litter::check_unchanged(&mut admin, &self.inventory));
        findings.extend(oracle::soundness(&mut admin, table));
        findings
    }

    /// What is wrong with the rows.
    pub fn findings_of_content(&self, report: Option<&Report>) -> Findings {
        let mut admin = self.admin();
        let mut findings = content::check(&mut admin, self.shape.table);
        if let Some(report) = report {
            findings.extend(content::check_report(&mut admin, report));
        }
        findings
    }

    /// Calls `finish_conversion` and says what is wrong then.
    pub fn finish(&self, report: Option<&Report>) -> Findings {
        let (table, mut app) = (self.shape.table, self.app());
        let finished = conversion::steer(&mut app, "finish", table);
        finished.unwrap_or_else(|e| panic!("finish_conversion: {}", crate::fault::describe(&e)));
        conversion::await_job(&mut app, table, "the end", PATIENCE, |job| {
            job.phase == "finished"
        });
        let mut findings = self.findings_of_content(report);
        findings.extend(litter::check_converted(
            &mut self.admin(),
            &self.inventory,
            table,
            Retired::Dropped,
        ));
        findings
    }

    /// What a test usually ends with: everything right after the swap, and again after the finish.
    ///
    /// # Panics
    /// With all that is wrong.
    pub fn assert_converted(&self, report: Option<&Report>) {
        if let Some(report) = report {
            report.assert_no_failures();
            println!("{}: {}", self.shape.table, report.summary());
        }
        oracle::assert_none("after the swap", &self.findings_after_swap(report));
        oracle::assert_none("after the finish", &self.finish(report));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let login = self.cluster.login(SUPERUSER, &self.database);
            let jobs = login.open().and_then(|mut c| {
                c.query(
                    "SELECT row_to_json(c)::text FROM partman_rs.conversions c",
                    &[],
                )
            });
            for row in jobs.iter().flatten() {
                eprintln!("job: {}", row.get::<_, String>(0));
            }
        }
    }
}

/// Creates a database that belongs to [`OWNER`], with our extension where the server has it.
pub fn create_database(cluster: &Cluster, database: &str) {
    let mut admin = cluster.connect();
    let known = admin
        .query("SELECT FROM pg_roles WHERE rolname = $1", &[&OWNER])
        .expect("the catalog can be read");
    if known.is_empty() {
        admin
            .batch_execute(&format!("CREATE ROLE {OWNER} LOGIN"))
            .expect("a role can be created");
    }
    admin
        .batch_execute(&format!("CREATE DATABASE {database} OWNER {OWNER}"))
        .expect("a database can be created");
    let mut admin = cluster.connect_as(SUPERUSER, database);
    for extension in ["amcheck", "pg_visibility", "pg_partman_rs"] {
        let sql = "SELECT FROM pg_available_extensions WHERE name = $1";
        if !admin
            .query(sql, &[&extension])
            .expect("the catalog can be read")
            .is_empty()
        {
            let created = admin.batch_execute(&format!("CREATE EXTENSION {extension}"));
            created.unwrap_or_else(|e| {
                panic!(
                    "CREATE EXTENSION {extension}: {}",
                    crate::fault::describe(&e)
                )
            });
        }
    }
}

/// Waits until a session waits for a lock.
pub fn await_blocked(client: &mut Client, pid: i32) {
    poll::expect(
        &format!("process {pid} to wait for a lock"),
        PATIENCE,
        || {
            let sql = "SELECT cardinality(pg_blocking_pids($1)) > 0";
            client.query_one(sql, &[&pid]).is_ok_and(|row| row.get(0))
        },
    );
}

/// Runs something in a session on a thread of its own, and goes on when it has ended, or waits for what others hold: a
/// lock, or a page.
pub fn run_until_it_waits<T: Send + 'static>(
    watcher: &mut Client,
    mut session: Client,
    work: impl FnOnce(&mut Client) -> T + Send + 'static,
) -> JoinHandle<T> {
    let pid = backend_pid(&mut session);
    let thread = std::thread::spawn(move || work(&mut session));
    let sql = "SELECT cardinality(pg_blocking_pids($1)) > 0
                   OR EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'BufferPin')";
    poll::expect("it to end, or to wait", PATIENCE, || {
        thread.is_finished() || watcher.query_one(sql, &[&pid]).is_ok_and(|row| row.get(0))
    });
    thread
}

/// The process that serves a session.
pub fn backend_pid(client: &mut Client) -> i32 {
    client
        .query_one("SELECT pg_backend_pid()", &[])
        .expect("the session is open")
        .get(0)
}
