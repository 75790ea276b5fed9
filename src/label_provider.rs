//! A provider of security labels for tests: PostgreSQL comes with none. Only in builds with the cargo feature
//! `failpoints`.

use pgrx::prelude::*;
use std::ffi::{CStr, c_char};

/// Registers the provider `test`, which agrees with every label but `unfit`.
#[allow(unsafe_code, reason = "hands a function to PostgreSQL")]
pub fn register() {
    // SAFETY: the name is copied, and the function lives as long as the process.
    unsafe { pg_sys::register_label_provider(c"test".as_ptr(), Some(judge)) }
}

#[pg_guard]
#[allow(unsafe_code, reason = "is called by PostgreSQL")]
unsafe extern "C-unwind" fn judge(_object: *const pg_sys::ObjectAddress, label: *const c_char) {
    // SAFETY: PostgreSQL passes the text of the statement, or null where a label is taken away.
    let is_unfit = !label.is_null() && unsafe { CStr::from_ptr(label) } == c"unfit";
    if is_unfit {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INVALID_NAME,
            "the label \"unfit\" does not fit"
        );
    }
}
