//! Configuration settings of the running session.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Sets a setting until the end of the current nest level or transaction, as SET LOCAL does.
pub fn set_local(name: &CStr, value: &CStr) {
    set(
        name,
        value,
        pg_sys::GucContext::PGC_USERSET,
        pg_sys::GucAction::GUC_ACTION_LOCAL,
    );
}

/// The same of a setting that is for superusers, by a value of our own: whose role is current plays no part.
pub fn set_local_of_superusers(name: &CStr, value: &CStr) {
    set(
        name,
        value,
        pg_sys::GucContext::PGC_SUSET,
        pg_sys::GucAction::GUC_ACTION_LOCAL,
    );
}

/// Sets a setting for the rest of the session.
pub fn set_session(name: &CStr, value: &CStr) {
    set(
        name,
        value,
        pg_sys::GucContext::PGC_USERSET,
        pg_sys::GucAction::GUC_ACTION_SET,
    );
}

fn set(
    name: &CStr,
    value: &CStr,
    context: pg_sys::GucContext::Type,
    action: pg_sys::GucAction::Type,
) {
    // SAFETY: both texts are NUL-terminated and outlive the call. The source is the session, as for SET.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            context,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// Whether a boolean setting, of which the server has one of that name, is on.
pub fn is_on(name: &CStr) -> bool {
    // SAFETY: the name is NUL-terminated; an unknown one is NULL, and else it is a text that stays as
    // long as nothing is set.
    let value = unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value))
    };
    value == Some(c"on")
}

/// How PostgreSQL writes expressions and values down, whatever the session prefers: so that the
/// same definition gives the same text in every session.
pub const AS_WRITTEN: [(&CStr, &CStr); 8] = [
    (c"TimeZone", c"UTC"),
    (c"DateStyle", c"ISO, YMD"),
    (c"IntervalStyle", c"postgres"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
    (c"quote_all_identifiers", c"off"),
    (c"standard_conforming_strings", c"on"),
    (c"search_path", c"pg_catalog, pg_temp"),
];

/// Runs `work` under other settings. After an ERROR the transaction's end takes them back.
pub fn within<T>(settings: &[(&CStr, &CStr)], work: impl FnOnce() -> T) -> T {
    // SAFETY: opens a nest level of settings.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in settings {
        set_local(name, value);
    }
    let value = work();
    // SAFETY: closes the level opened above.
    unsafe { pg_sys::AtEOXact_GUC(false, level) };
    value
}
