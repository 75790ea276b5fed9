//! By which columns of a relation a query chooses or joins its rows.

use super::members;
use crate::pg::version;
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// The columns that are compared with something which is not of the relation itself, in
/// conditions that every row must meet, by an operator that btree indexes know.
///
/// # Safety
/// Called from the planner, about a relation whose restrictions it has collected.
pub unsafe fn columns(
    root: *mut pg_sys::PlannerInfo,
    info: *mut pg_sys::RelOptInfo,
) -> BTreeSet<i16> {
    let mut found = BTreeSet::new();
    // SAFETY: the caller's promise.
    unsafe {
        let number = (*info).relid;
        let clauses = members::<pg_sys::RestrictInfo>((*info).baserestrictinfo)
            .into_iter()
            .chain(members((*info).joininfo));
        for clause in clauses {
            found.extend(of_clause(root, (*clause).clause.cast(), number));
        }
        // Conditions of the form a = b are kept apart, by what is equal.
        for class in members::<pg_sys::EquivalenceClass>((*root).eq_classes) {
            let all = members::<pg_sys::EquivalenceMember>((*class).ec_members);
            let own: Vec<i16> = all
                .iter()
                .filter_map(|member| column((**member).em_expr.cast(), number))
                .collect();
            if own.len() < all.len() && !(*class).ec_has_volatile {
                found.extend(own);
            }
        }
    }
    found
}

/// # Safety
/// `clause` is a live expression.
unsafe fn of_clause(
    root: *mut pg_sys::PlannerInfo,
    clause: *mut pg_sys::Node,
    number: pg_sys::Index,
) -> BTreeSet<i16> {
    use pg_sys::NodeTag as Tag;
    // SAFETY: the caller's promise; each cast is to the type that the tag names.
    unsafe {
        match (*clause).type_ {
            Tag::T_RestrictInfo => of_clause(
                root,
                (*clause.cast::<pg_sys::RestrictInfo>()).clause.cast(),
                number,
            ),
            Tag::T_OpExpr => {
                let clause = clause.cast::<pg_sys::OpExpr>();
                of_comparison(root, (*clause).opno, (*clause).args, number)
            }
            Tag::T_ScalarArrayOpExpr => {
                let clause = clause.cast::<pg_sys::ScalarArrayOpExpr>();
                match (*clause).useOr {
                    true => of_comparison(root, (*clause).opno, (*clause).args, number),
                    false => BTreeSet::new(),
                }
            }
            Tag::T_BoolExpr => {
                let clause = clause.cast::<pg_sys::BoolExpr>();
                let mut arms = members::<pg_sys::Node>((*clause).args)
                    .into_iter()
                    .map(|arm| of_clause(root, arm, number))
                    .collect::<Vec<_>>()
                    .into_iter();
                match (*clause).boolop {
                    pg_sys::BoolExprType::AND_EXPR => arms.flatten().collect(),
                    // Only what every arm compares.
                    pg_sys::BoolExprType::OR_EXPR => {
                        arms.next().map_or_else(BTreeSet::new, |first| {
                            arms.fold(first, |all, arm| all.intersection(&arm).copied().collect())
                        })
                    }
                    _ => BTreeSet::new(),
                }
            }
            _ => BTreeSet::new(),
        }
    }
}

/// # Safety
/// `args` are those of an operator.
unsafe fn of_comparison(
    root: *mut pg_sys::PlannerInfo,
    operator: pg_sys::Oid,
    args: *mut pg_sys::List,
    number: pg_sys::Index,
) -> BTreeSet<i16> {
    // SAFETY: the caller's promise.
    unsafe {
        let args = members::<pg_sys::Node>(args);
        let &[left, right] = args.as_slice() else {
            return BTreeSet::new();
        };
        if !version::orders(operator) {
            return BTreeSet::new();
        }
        let is_elsewhere = |side: *mut pg_sys::Node| {
            !pg_sys::bms_is_member(number as i32, pg_sys::pull_varnos(root, side))
        };
        [(left, right), (right, left)]
            .into_iter()
            .filter(|(_, other)| is_elsewhere(*other))
            .filter_map(|(side, _)| column(side, number))
            .collect()
    }
}

/// The column of the relation that an expression is, if it is one.
///
/// # Safety
/// `expression` is live.
unsafe fn column(expression: *mut pg_sys::Node, number: pg_sys::Index) -> Option<i16> {
    // SAFETY: the caller's promise; each cast is to the type that the tag names.
    unsafe {
        match (*expression).type_ {
            pg_sys::NodeTag::T_RelabelType => column(
                (*expression.cast::<pg_sys::RelabelType>()).arg.cast(),
                number,
            ),
            pg_sys::NodeTag::T_Var => {
                let var = &*expression.cast::<pg_sys::Var>();
                let is_its = var.varno as u32 == number && var.varlevelsup == 0;
                (is_its && var.varattno > 0).then_some(var.varattno)
            }
            _ => None,
        }
    }
}
