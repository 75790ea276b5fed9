//! The partitions of a table, from the relation cache: PostgreSQL keeps them sorted there.

use super::relation::Relation;
use pgrx::pg_sys;

/// A partition by range of one column of a type that is passed by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangePartition {
    pub oid: pg_sys::Oid,
    /// Inclusive, as a 64-bit datum; `None` is MINVALUE.
    pub lower: Option<i64>,
    /// Exclusive; `None` is MAXVALUE.
    pub upper: Option<i64>,
}

/// The partitions of a table that is partitioned by ranges: those with bounds, ascending, and the
/// default partition. What is being detached is left out.
///
/// The caller has made sure of the strategy, of the single column, and of its type: `as_number`
/// takes its datums.
pub fn ranges(
    parent: &Relation,
    as_number: fn(pg_sys::Datum) -> i64,
) -> (Vec<RangePartition>, Option<pg_sys::Oid>) {
    // SAFETY: an open, locked, partitioned table has a descriptor, which lives in the relation cache
    // for as long as it is open.
    let (desc, bounds) = unsafe {
        let desc = &*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true);
        if desc.nparts == 0 {
            return (Vec::new(), None);
        }
        (desc, &*desc.boundinfo)
    };
    // SAFETY: indexes into the arrays of the descriptor, as the bounds have them.
    let oid_at = |index: i32| unsafe { *desc.oids.add(index as usize) };
    // SAFETY: there are `ndatums` bounds of one column each, with the kind of each.
    let bound_at = |place: usize| unsafe {
        let kind = **bounds.kind.add(place);
        let is_value = kind == pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_VALUE;
        is_value.then(|| as_number(**bounds.datums.add(place)))
    };
    let mut found = Vec::with_capacity(desc.nparts as usize);
    // The range before the first bound, and the one behind the last, are nobody's.
    for place in 1..usize::try_from(bounds.ndatums).unwrap_or(0) {
        // SAFETY: for ranges there is one index more than bounds.
        let index = unsafe { *bounds.indexes.add(place) };
        if index >= 0 {
            found.push(RangePartition {
                oid: oid_at(index),
                lower: bound_at(place - 1),
                upper: bound_at(place),
            });
        }
    }
    let default = (bounds.default_index >= 0).then(|| oid_at(bounds.default_index));
    (found, default)
}
