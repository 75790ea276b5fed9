//! Lists and sets of the parser and the planner.

use pgrx::pg_sys;

/// The members of a list of nodes.
///
/// # Safety
/// `list` is a list of pointers to that type, or NULL.
pub unsafe fn members<T>(list: *const pg_sys::List) -> Vec<*mut T> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise; a list has as many cells as its length says.
    unsafe {
        let cells = std::slice::from_raw_parts((*list).elements, (*list).length as usize);
        cells.iter().map(|cell| cell.ptr_value.cast()).collect()
    }
}

/// The members of a set of small numbers, ascending.
///
/// # Safety
/// `set` is a live set, or NULL.
pub unsafe fn numbers(set: *const pg_sys::Bitmapset) -> Vec<i32> {
    let mut found = Vec::new();
    let mut last = -1;
    loop {
        // SAFETY: the caller's promise; NULL is the empty set.
        last = unsafe { pg_sys::bms_next_member(set, last) };
        if last < 0 {
            return found;
        }
        found.push(last);
    }
}
