//! Configuration settings of the running session.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Sets a setting until the end of the current nest level or transaction, as SET LOCAL does.
pub fn set_local(name: &CStr, value: &CStr) {
    set(name, value, pg_sys::GucAction::GUC_ACTION_LOCAL);
}

/// Sets a setting for the rest of the session.
pub fn set_session(name: &CStr, value: &CStr) {
    set(name, value, pg_sys::GucAction::GUC_ACTION_SET);
}

fn set(name: &CStr, value: &CStr, action: pg_sys::GucAction::Type) {
    // SAFETY: both texts are NUL-terminated and outlive the call. The source is the session, as
    // for SET; the settings that this crate changes are all PGC_USERSET.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}
