//! What the planner asks on its way: sizes, statistics, and by what rows are chosen.
//!
//! The hooks are set once, when the library is loaded, and do nothing until a [`Active`] lives.

use super::{Leaf, Size, Stand, compared, members};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::OnceLock;

unsafe extern "C-unwind" {
    // As a pointer that C calls: pgrx's own is a Rust function around it.
    #[link_name = "ReleaseSysCache"]
    fn release_cached(tuple: pg_sys::HeapTuple);
}

struct Previous {
    info: pg_sys::get_relation_info_hook_type,
    statistics: pg_sys::get_relation_stats_hook_type,
    paths: pg_sys::set_rel_pathlist_hook_type,
}

static PREVIOUS: OnceLock<Previous> = OnceLock::new();

/// Sets the hooks, before those that were there.
pub fn install() {
    // SAFETY: called once, while the library is loaded; the hooks are variables of this process.
    unsafe {
        let previous = Previous {
            info: pg_sys::get_relation_info_hook,
            statistics: pg_sys::get_relation_stats_hook,
            paths: pg_sys::set_rel_pathlist_hook,
        };
        if PREVIOUS.set(previous).is_ok() {
            pg_sys::get_relation_info_hook = Some(tell_size);
            pg_sys::get_relation_stats_hook = Some(tell_statistics);
            pg_sys::set_rel_pathlist_hook = Some(watch);
        }
    }
}

#[derive(Default)]
struct State {
    stand: Option<Rc<Stand>>,
    watched: Option<pg_sys::Oid>,
    compared: BTreeSet<i16>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// While it lives the hooks do something. An ERROR unwinds through it as any other panic.
pub struct Active;

impl Active {
    /// Partitions are as large as the stand says, and have the source's statistics.
    pub fn standing(stand: Rc<Stand>) -> Active {
        STATE.set(State {
            stand: Some(stand),
            ..State::default()
        });
        Active
    }

    /// Notes by which of its columns rows of a relation are chosen.
    pub fn watching(relation: pg_sys::Oid) -> Active {
        STATE.set(State {
            watched: Some(relation),
            ..State::default()
        });
        Active
    }

    /// What was noted.
    pub fn compared(self) -> Vec<i16> {
        STATE.with_borrow(|state| state.compared.iter().copied().collect())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        STATE.set(State::default());
    }
}

fn stand() -> Option<Rc<Stand>> {
    STATE.with_borrow(|state| state.stand.clone())
}

#[pg_guard]
unsafe extern "C-unwind" fn tell_size(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    is_parent: bool,
    info: *mut pg_sys::RelOptInfo,
) {
    if let Some(previous) = PREVIOUS.get().and_then(|previous| previous.info) {
        // SAFETY: hands on what PostgreSQL gave.
        unsafe { crate::pg::guarded(|| previous(root, relation, is_parent, info)) };
    }
    if let Some(stand) = stand()
        && let Some(leaf) = stand.leaves.get(&relation)
    {
        // SAFETY: PostgreSQL has just filled it.
        unsafe { resize(info, leaf, stand.size) };
    }
}

/// # Safety
/// `info` is complete.
unsafe fn resize(info: *mut pg_sys::RelOptInfo, leaf: &Leaf, source: Size) {
    let pages = |pages: f64| (pages * leaf.share).ceil().min(f64::from(u32::MAX - 1)) as u32;
    // SAFETY: the caller's promise.
    unsafe {
        (*info).pages = pages(source.pages);
        (*info).tuples = (source.rows * leaf.share).round();
        (*info).allvisfrac = match source.pages > 0.0 {
            true => (source.all_visible / source.pages).clamp(0.0, 1.0),
            false => 0.0,
        };
        for index in members::<pg_sys::IndexOptInfo>((*info).indexlist) {
            let Some(size) = leaf.indexes.get(&(*index).indexoid) else {
                continue;
            };
            (*index).pages = pages(size.pages).max(1);
            (*index).tuples = (size.rows * leaf.share).round();
            // Some 250 entries to a page of the upper levels.
            (*index).tree_height = f64::from((*index).pages).log(250.0).ceil() as i32;
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn tell_statistics(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    attnum: pg_sys::AttrNumber,
    data: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: what PostgreSQL gave is live; a tuple of the catalog cache is handed over together
    // with the function that gives it back.
    unsafe {
        if let Some(stand) = stand()
            && let Some(attnum) = attnum_of_source(&stand, (*entry).relid, attnum)
        {
            let tuple = pg_sys::SearchSysCache3(
                pg_sys::SysCacheIdentifier::STATRELATTINH as i32,
                stand.source.into(),
                attnum.into(),
                false.into(),
            );
            (*data).statsTuple = tuple;
            (*data).freefunc = (!tuple.is_null()).then_some(release_cached as _);
            // As for the source: what the statistics hold is only for those who may read it all.
            let may_read = pg_sys::pg_class_aclcheck(
                stand.source,
                pg_sys::GetUserId(),
                pg_sys::ACL_SELECT as pg_sys::AclMode,
            );
            (*data).acl_ok =
                may_read == pg_sys::AclResult::ACLCHECK_OK && (*entry).securityQuals.is_null();
            return true;
        }
        match PREVIOUS.get().and_then(|previous| previous.statistics) {
            Some(previous) => crate::pg::guarded(|| previous(root, entry, attnum, data)),
            None => false,
        }
    }
}

fn attnum_of_source(stand: &Stand, relation: pg_sys::Oid, attnum: i16) -> Option<i16> {
    if relation == stand.twin {
        return (attnum > 0).then_some(attnum);
    }
    stand.leaves.get(&relation)?;
    let place = usize::try_from(attnum).ok()?.checked_sub(1)?;
    stand.leaf_attnums.get(place).copied()
}

#[pg_guard]
unsafe extern "C-unwind" fn watch(
    root: *mut pg_sys::PlannerInfo,
    info: *mut pg_sys::RelOptInfo,
    number: pg_sys::Index,
    entry: *mut pg_sys::RangeTblEntry,
) {
    if let Some(previous) = PREVIOUS.get().and_then(|previous| previous.paths) {
        // SAFETY: hands on what PostgreSQL gave.
        unsafe { crate::pg::guarded(|| previous(root, info, number, entry)) };
    }
    let Some(watched) = STATE.with_borrow(|state| state.watched) else {
        return;
    };
    // SAFETY: live while the planner is at it.
    let found = unsafe {
        if (*entry).rtekind != pg_sys::RTEKind::RTE_RELATION || (*entry).relid != watched {
            return;
        }
        compared::columns(root, info)
    };
    STATE.with_borrow_mut(|state| state.compared.extend(found));
}
