//! What is left of a plan when its parameters have values.

use super::{Stand, members, numbers};
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::plan::interval::KeyType;
use pgrx::pg_sys;
use std::collections::BTreeSet;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// What of the subplans of one node is run.
#[derive(Default)]
pub struct Survivors {
    /// Their numbers, from 0.
    pub subplans: BTreeSet<i32>,
    /// Whether a range of values decides, not single ones.
    pub by_range: bool,
}

/// The numbers of the subplans that are run when each parameter that the partition column is
/// compared with has the stand's value; `None` where none of the twin's would be left out.
///
/// # Safety
/// `info` is of a fresh plan, or NULL; `relation_at` tells the relations of its range table.
pub unsafe fn survivors(
    info: *mut pg_sys::PartitionPruneInfo,
    stand: &Stand,
    relation_at: impl Fn(pg_sys::Index) -> Option<pg_sys::Oid>,
) -> Option<Survivors> {
    if info.is_null() {
        return None;
    }
    let mut is_twins = false;
    let mut left = Survivors::default();
    // SAFETY: the caller's promise. A prune info has a list for each partitioned table below the
    // plan; the twin's has one member, as its partitions are not partitioned themselves. Of other
    // tables nothing is left out here.
    unsafe {
        left.subplans.extend(numbers((*info).other_subplans));
        for hierarchy in members::<pg_sys::List>((*info).prune_infos) {
            for prune in members::<pg_sys::PartitionedRelPruneInfo>(hierarchy) {
                let mut present = numbers((*prune).present_parts);
                if relation_at((*prune).rtindex) == Some(stand.twin) {
                    is_twins = true;
                    for steps in [(*prune).initial_pruning_steps, (*prune).exec_pruning_steps] {
                        if !steps.is_null() {
                            let matching = matching(steps, stand, &mut left.by_range);
                            present.retain(|partition| matching.contains(partition));
                        }
                    }
                }
                left.subplans.extend(
                    present
                        .into_iter()
                        .filter_map(|partition| usize::try_from(partition).ok())
                        .map(|partition| *(*prune).subplan_map.add(partition))
                        .filter(|subplan| *subplan >= 0),
                );
            }
        }
    }
    is_twins.then_some(left)
}

/// The partitions that meet pruning steps, by their place among the twin's.
///
/// # Safety
/// `steps` are the twin's.
unsafe fn matching(steps: *mut pg_sys::List, stand: &Stand, by_range: &mut bool) -> BTreeSet<i32> {
    // The twin is ours alone: no lock is waited for.
    let twin = Relation::open(stand.twin, Mode::AccessShare);
    // SAFETY: the steps are copied before they are changed. The context is as PostgreSQL's planner
    // makes it when it prunes by constants, which all values are by now: then neither a plan
    // state nor an expression context is looked at. The bounds live as long as the relation is open.
    unsafe {
        let steps: *mut pg_sys::List = pg_sys::copyObjectImpl(steps.cast()).cast();
        for step in members::<pg_sys::Node>(steps) {
            if (*step).type_ == pg_sys::NodeTag::T_PartitionPruneStepOp {
                *by_range |= give_values(step.cast(), stand);
            }
        }
        let partitions = pg_sys::RelationGetPartitionDesc(twin.as_ptr(), true);
        let key = pg_sys::lookup_type_cache(
            type_of(stand.key_type),
            pg_sys::TYPECACHE_CMP_PROC_FINFO as i32,
        );
        let count = members::<pg_sys::Node>(steps).len();
        let functions = pg_sys::palloc0(count * size_of::<pg_sys::FmgrInfo>());
        let mut collation = pg_sys::InvalidOid;
        let mut context = pg_sys::PartitionPruneContext {
            strategy: b'r' as std::ffi::c_char,
            partnatts: 1,
            nparts: (*partitions).nparts,
            boundinfo: (*partitions).boundinfo,
            partcollation: &mut collation,
            partsupfunc: &mut (*key).cmp_proc_finfo,
            stepcmpfuncs: functions.cast(),
            ppccontext: pg_sys::CurrentMemoryContext,
            ..pg_sys::PartitionPruneContext::default()
        };
        numbers(pg_sys::get_matching_partitions(&mut context, steps))
            .into_iter()
            .collect()
    }
}

/// Replaces what a step compares the key with by constants. Whether it compares a parameter as the
/// end of a range.
///
/// # Safety
/// `step` is ours to change.
unsafe fn give_values(step: *mut pg_sys::PartitionPruneStepOp, stand: &Stand) -> bool {
    let mut is_range = false;
    // SAFETY: the caller's promise; a list has as many cells as its length says.
    unsafe {
        let list = (*step).exprs;
        if list.is_null() {
            return false;
        }
        for place in 0..(*list).length as usize {
            let cell = (*list).elements.add(place);
            let expression: *mut pg_sys::Expr = (*cell).ptr_value.cast();
            if (*expression).type_ != pg_sys::NodeTag::T_Const {
                is_range |= (*step).opstrategy != pg_sys::BTEqualStrategyNumber as u16
                    && has_parameter(expression.cast());
                (*cell).ptr_value = constant(expression, stand).cast();
            }
        }
    }
    is_range
}

/// An expression's value: what it is now where it has no parameter, else the stand's.
///
/// # Safety
/// `expression` is live.
unsafe fn constant(expression: *mut pg_sys::Expr, stand: &Stand) -> *mut pg_sys::Expr {
    // SAFETY: the caller's promise. An expression of a pruning step has no columns: without
    // parameters it can be evaluated by itself, as the executor would when it starts.
    unsafe {
        let node: *mut pg_sys::Node = expression.cast();
        let type_oid = pg_sys::exprType(node);
        let (typmod, collation) = (pg_sys::exprTypmod(node), pg_sys::exprCollation(node));
        if !has_parameter(node) {
            return pg_sys::evaluate_expr(expression, type_oid, typmod, collation);
        }
        let (mut length, mut by_value) = (0, false);
        pg_sys::get_typlenbyval(type_oid, &mut length, &mut by_value);
        let value = datum(stand.key, stand.key_type, type_oid);
        pg_sys::makeConst(
            type_oid,
            typmod,
            collation,
            length.into(),
            value.unwrap_or(pg_sys::Datum::null()),
            value.is_none(),
            by_value,
        )
        .cast()
    }
}

/// # Safety
/// `node` is live.
unsafe fn has_parameter(node: *mut pg_sys::Node) -> bool {
    unsafe extern "C-unwind" fn find(
        node: *mut pg_sys::Node,
        context: *mut std::ffi::c_void,
    ) -> bool {
        // SAFETY: nodes of a live tree.
        unsafe {
            !node.is_null()
                && ((*node).type_ == pg_sys::NodeTag::T_Param
                    || crate::pg::version::expression_tree_walker(node, find, context))
        }
    }
    // SAFETY: the caller's promise.
    unsafe { crate::pg::version::walk(node, find, std::ptr::null_mut()) }
}

fn type_of(key_type: KeyType) -> pg_sys::Oid {
    match key_type {
        KeyType::TimestampTz => pg_sys::TIMESTAMPTZOID,
        KeyType::Timestamp => pg_sys::TIMESTAMPOID,
        KeyType::Date => pg_sys::DATEOID,
        KeyType::SmallInt => pg_sys::INT2OID,
        KeyType::Integer => pg_sys::INT4OID,
        KeyType::BigInt => pg_sys::INT8OID,
    }
}

/// A key as a value of the type that it is compared as, which may be another of the same family.
fn datum(key: i64, key_type: KeyType, wanted: pg_sys::Oid) -> Option<pg_sys::Datum> {
    let micros = match key_type {
        KeyType::Date => key.saturating_mul(MICROS_A_DAY),
        _ => key,
    };
    match wanted {
        pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID => Some(micros.into()),
        pg_sys::DATEOID => i32::try_from(micros.div_euclid(MICROS_A_DAY))
            .ok()
            .map(Into::into),
        pg_sys::INT8OID => Some(key.into()),
        pg_sys::INT4OID => Some((key.clamp(i32::MIN.into(), i32::MAX.into()) as i32).into()),
        pg_sys::INT2OID => Some((key.clamp(i16::MIN.into(), i16::MAX.into()) as i16).into()),
        _ => None,
    }
}
