//! Acting as another role, for the length of a closure.

use pgrx::pg_sys;

/// What is forbidden meanwhile.
#[derive(Clone, Copy)]
pub enum Restriction {
    /// Code of the role may run (index expressions, for instance): it must not be able to
    /// change the session or leave the role. As VACUUM and REINDEX do.
    SecurityRestricted,
    /// The same with all rows in sight, those too that FORCE ROW LEVEL SECURITY hides from the owner: as
    /// foreign keys are checked.
    SecurityRestrictedAllRows,
    /// Only our own fixed statements on our own tables run.
    LocalChange,
}

struct Switched {
    role: pg_sys::Oid,
    context: i32,
    nest_level: i32,
}

impl Drop for Switched {
    fn drop(&mut self) {
        // SAFETY: restores what `acting_as` saved. On the path of an ERROR the end of the
        // transaction does the same, whether or not this runs.
        unsafe {
            pg_sys::AtEOXact_GUC(false, self.nest_level);
            pg_sys::SetUserIdAndSecContext(self.role, self.context);
        }
    }
}

/// Runs `work` as `role`, with `search_path` and how strings are read pinned; settings made within do not outlive it.
///
/// The caller has checked that the role may be assumed.
pub fn acting_as<T>(role: pg_sys::Oid, restriction: Restriction, work: impl FnOnce() -> T) -> T {
    let mut saved = Switched {
        role: pg_sys::InvalidOid,
        context: 0,
        nest_level: 0,
    };
    // SAFETY: plain reads and writes of backend-local state.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut saved.role, &mut saved.context);
        saved.nest_level = pg_sys::NewGUCNestLevel();
        let flag = match restriction {
            Restriction::SecurityRestricted => pg_sys::SECURITY_RESTRICTED_OPERATION,
            Restriction::SecurityRestrictedAllRows => {
                pg_sys::SECURITY_RESTRICTED_OPERATION | pg_sys::SECURITY_NOFORCE_RLS
            }
            Restriction::LocalChange => pg_sys::SECURITY_LOCAL_USERID_CHANGE,
        };
        pg_sys::SetUserIdAndSecContext(role, saved.context | flag as i32);
    }
    super::settings::set_local(c"search_path", c"pg_catalog, pg_temp");
    // Definitions that PostgreSQL wrote down are read back as it wrote them.
    super::settings::set_local(c"standard_conforming_strings", c"on");
    let guard = saved;
    let value = work();
    drop(guard);
    value
}

/// The role whose rights count now.
pub fn current() -> pg_sys::Oid {
    // SAFETY: reads backend-local state.
    unsafe { pg_sys::GetUserId() }
}

/// Whether the current role has that role's rights without SET ROLE.
pub fn has_rights_of(role: pg_sys::Oid) -> bool {
    // SAFETY: reads the catalog of roles, through its cache.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), role) }
}

/// The role that logged in, or was set by SET SESSION AUTHORIZATION.
pub fn session() -> pg_sys::Oid {
    // SAFETY: reads backend-local state.
    unsafe { pg_sys::GetSessionUserId() }
}
