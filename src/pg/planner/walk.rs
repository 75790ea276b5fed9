//! Makes plans, and reads out of them which partitions they read.

use super::{Stand, members, prune};
use crate::pg::version;
use pgrx::pg_sys;
use std::collections::BTreeSet;
use std::ffi::CStr;

/// What a plan does with the twin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Partitions that are locked, as OIDs.
    pub locked: BTreeSet<u32>,
    /// Partitions that the plan has a part for.
    pub planned: BTreeSet<u32>,
    /// Those of them that are read when parameters have the value that the stand gives them.
    pub read: BTreeSet<u32>,
    /// Whether some are left out only when the values of parameters are known.
    pub is_pruned_at_run_time: bool,
    /// Whether that depends on a range of values, which may be wide or narrow.
    pub is_pruned_by_range: bool,
    /// Whether it inserts rows into the twin.
    pub inserts: bool,
    /// Whether it reads the source with ONLY, which leaves partitions out.
    pub names_only: bool,
}

/// Makes the plan of an analysed and rewritten query, for parameters of any value.
pub fn plan(query: *mut pg_sys::Query, text: &CStr) -> *mut pg_sys::PlannedStmt {
    // SAFETY: a query from the rewriter, with its text; the caller has an active snapshot, as
    // every function that is run by a query.
    unsafe {
        pg_sys::pg_plan_query(
            query,
            text.as_ptr(),
            pg_sys::CURSOR_OPT_PARALLEL_OK as i32,
            std::ptr::null_mut(),
        )
    }
}

/// Adds what a plan does to what is known.
pub fn look(statement: *mut pg_sys::PlannedStmt, stand: &Stand, planned: &mut Planned) {
    // SAFETY: a plan fresh from the planner, or NULL for a command that is not planned.
    unsafe {
        if statement.is_null() {
            return;
        }
        let relations: Vec<pg_sys::Oid> = members::<pg_sys::RangeTblEntry>((*statement).rtable)
            .into_iter()
            .map(|entry| match (*entry).rtekind {
                pg_sys::RTEKind::RTE_RELATION => (*entry).relid,
                _ => pg_sys::InvalidOid,
            })
            .collect();
        planned.locked.extend(
            relations
                .iter()
                .filter(|relation| stand.leaves.contains_key(relation))
                .map(|relation| relation.to_u32()),
        );
        let mut walk = Walk {
            statement,
            relations,
            stand,
            planned,
        };
        walk.visit((*statement).planTree, true);
        for subplan in members::<pg_sys::Plan>((*statement).subplans) {
            walk.visit(subplan, true);
        }
    }
}

struct Walk<'a> {
    statement: *mut pg_sys::PlannedStmt,
    /// By number in the range table, from 0.
    relations: Vec<pg_sys::Oid>,
    stand: &'a Stand,
    planned: &'a mut Planned,
}

impl Walk<'_> {
    /// # Safety
    /// `plan` is a node of the statement's plan, or NULL.
    unsafe fn visit(&mut self, plan: *mut pg_sys::Plan, is_read: bool) {
        use pg_sys::NodeTag as Tag;
        if plan.is_null() {
            return;
        }
        // SAFETY: the caller's promise; each cast is to the type that the tag names, and every
        // kind of scan begins with a Scan.
        unsafe {
            pg_sys::check_stack_depth();
            match (*plan).type_ {
                Tag::T_Append => {
                    let append = plan.cast::<pg_sys::Append>();
                    let prune = version::pruning_of_append(self.statement, append);
                    self.visit_all((*append).appendplans, prune, is_read);
                }
                Tag::T_MergeAppend => {
                    let append = plan.cast::<pg_sys::MergeAppend>();
                    let prune = version::pruning_of_merge_append(self.statement, append);
                    self.visit_all((*append).mergeplans, prune, is_read);
                }
                Tag::T_SubqueryScan => {
                    self.visit((*plan.cast::<pg_sys::SubqueryScan>()).subplan, is_read);
                }
                Tag::T_CustomScan => {
                    let custom = plan.cast::<pg_sys::CustomScan>();
                    self.scan((*custom).scan.scanrelid, is_read);
                    for child in members((*custom).custom_plans) {
                        self.visit(child, is_read);
                    }
                }
                Tag::T_ModifyTable => {
                    let modify = plan.cast::<pg_sys::ModifyTable>();
                    let first = (*modify).nominalRelation;
                    self.planned.inserts |= (*modify).operation == pg_sys::CmdType::CMD_INSERT
                        && self.relation(first) == Some(self.stand.twin);
                }
                Tag::T_SeqScan
                | Tag::T_SampleScan
                | Tag::T_IndexScan
                | Tag::T_IndexOnlyScan
                | Tag::T_BitmapHeapScan
                | Tag::T_TidScan
                | Tag::T_TidRangeScan
                | Tag::T_ForeignScan => {
                    self.scan((*plan.cast::<pg_sys::Scan>()).scanrelid, is_read);
                }
                _ => {}
            }
            self.visit((*plan).lefttree, is_read);
            self.visit((*plan).righttree, is_read);
        }
    }

    /// # Safety
    /// As `visit`; `prune` is what PostgreSQL will prune these plans by, or NULL.
    unsafe fn visit_all(
        &mut self,
        plans: *mut pg_sys::List,
        prune: *mut pg_sys::PartitionPruneInfo,
        is_read: bool,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let plans = members::<pg_sys::Plan>(plans);
            let left = prune::survivors(prune, self.stand, |number| self.relation(number));
            self.planned.is_pruned_at_run_time |= left.is_some();
            self.planned.is_pruned_by_range |= left.as_ref().is_some_and(|left| left.by_range);
            for (plan, number) in plans.into_iter().zip(0..) {
                let survives = left
                    .as_ref()
                    .is_none_or(|left| left.subplans.contains(&number));
                self.visit(plan, is_read && survives);
            }
        }
    }

    fn relation(&self, number: pg_sys::Index) -> Option<pg_sys::Oid> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.relations.get(place).copied()
    }

    fn scan(&mut self, number: pg_sys::Index, is_read: bool) {
        let leaf = self
            .relation(number)
            .filter(|relation| self.stand.leaves.contains_key(relation));
        if let Some(leaf) = leaf {
            self.planned.planned.insert(leaf.to_u32());
            if is_read {
                self.planned.read.insert(leaf.to_u32());
            }
        }
    }
}
