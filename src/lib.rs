//! Turns a live PostgreSQL table into a partitioned one while the application keeps writing.
//!
//! From the outside in: [`api`] are the SQL functions; [`request`] turns a call into a plan;
//! [`plan`] decides, without a server; [`analyze`] says which tables are worth it, and how; [`worker`] are the background processes; [`convert`] is
//! the engine that they drive; [`catalog`] is what is remembered; [`db`] and [`pg`] are the seams
//! to SQL and to C.

mod analyze;
mod api;
mod catalog;
mod clock;
mod convert;
mod db;
mod error;
mod failpoint;
mod guc;
#[cfg(feature = "failpoints")]
mod label_provider;
mod maintain;
mod pg;
mod plan;
mod request;
mod worker;

use pgrx::prelude::*;

pgrx::pg_module_magic!();

extension_sql!("CREATE SCHEMA partman_rs;", name = "schema", bootstrap);
extension_sql_file!(
    "../sql/install/tables.sql",
    name = "tables",
    requires = ["schema"]
);
extension_sql_file!(
    "../sql/install/functions.sql",
    name = "functions",
    requires = ["schema"]
);
extension_sql_file!(
    "../sql/install/views.sql",
    name = "views",
    requires = ["tables", "functions"],
    finalize
);

/// Called when the library is loaded.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    guc::define();
    #[cfg(feature = "failpoints")]
    label_provider::register();
    pg::planner::install();
    #[allow(unsafe_code, reason = "reads a variable of PostgreSQL")]
    // SAFETY: set by the postmaster while it loads shared_preload_libraries.
    let is_preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    // What pg_upgrade is reading, or has just restored, is not to change under it.
    if is_preloading && !pg::cluster::is_being_upgraded() {
        worker::launcher::register();
    }
}
