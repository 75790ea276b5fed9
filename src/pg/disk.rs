//! Room on disk.

use pgrx::pg_sys;
use std::ffi::CString;

/// Bytes that the server may still write where a tablespace lies; `None` where the system does not
/// tell.
pub fn free_bytes(tablespace: pg_sys::Oid) -> Option<i64> {
    // The server's working directory is its data directory, in which the two tablespaces lie that
    // every cluster has.
    let path = match tablespace {
        pg_sys::DEFAULTTABLESPACE_OID | pg_sys::GLOBALTABLESPACE_OID => "base".to_owned(),
        other => format!("pg_tblspc/{}", other.to_u32()),
    };
    let path = CString::new(path).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is NUL-terminated, and the structure is written before it is read.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    i64::try_from(u128::from(found.f_bavail) * u128::from(found.f_frsize)).ok()
}
