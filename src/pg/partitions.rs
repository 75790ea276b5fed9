//! The partitions of a table, from the relation cache: PostgreSQL keeps them sorted there.

use super::relation::Relation;
use crate::plan::codec::Stored;
use pgrx::{FromDatum, Uuid, pg_sys};

/// A partition by range of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePartition {
    pub oid: pg_sys::Oid,
    /// Inclusive; `None` is MINVALUE.
    pub lower: Option<Stored>,
    /// Exclusive; `None` is MAXVALUE.
    pub upper: Option<Stored>,
}

/// The partitions of a table that is partitioned by ranges: those with bounds, ascending, and the
/// default partition. What is being detached is left out.
///
/// The caller has made sure of the strategy, of the single column, and that it is of `key_type`.
pub fn ranges(
    parent: &Relation,
    key_type: pg_sys::Oid,
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
        is_value
            .then(|| stored(**bounds.datums.add(place), key_type))
            .flatten()
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

/// Whether partitions of a partitioned table are partitioned themselves. What is being detached is left out.
pub fn has_branches(parent: &Relation) -> bool {
    // SAFETY: as for ranges; each partition has its place in `is_leaf`.
    unsafe {
        let desc = &*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true);
        (0..usize::try_from(desc.nparts).unwrap_or(0)).any(|place| !*desc.is_leaf.add(place))
    }
}

/// Whether `DETACH PARTITION … CONCURRENTLY` of a partition of a partitioned table has not ended.
pub fn has_half_detached(parent: &Relation) -> bool {
    // SAFETY: as for ranges.
    unsafe { (*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true)).detached_exist }
}

/// A datum of one of the types that keys are of; `None` for another type.
///
/// # Safety
/// The datum is one of that type, not null, and what it points at is there.
unsafe fn stored(datum: pg_sys::Datum, key_type: pg_sys::Oid) -> Option<Stored> {
    match key_type {
        pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID | pg_sys::INT8OID => {
            Some(Stored::Number(datum.value() as i64))
        }
        // Datums of shorter types have undefined upper bits.
        pg_sys::DATEOID | pg_sys::INT4OID => Some(Stored::Number(i64::from(datum.value() as i32))),
        pg_sys::INT2OID => Some(Stored::Number(i64::from(datum.value() as i16))),
        pg_sys::UUIDOID => {
            // SAFETY: the caller's word; the bytes are copied.
            let uuid = unsafe { Uuid::from_datum(datum, false) };
            uuid.map(|uuid| Stored::Uuid(*uuid.as_bytes()))
        }
        pg_sys::TEXTOID | pg_sys::VARCHAROID => {
            // SAFETY: likewise. Bytes, since a text need not be UTF-8.
            let text = unsafe { Vec::<u8>::from_datum(datum, false) };
            text.map(Stored::Text)
        }
        _ => None,
    }
}

/// A partition by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPartition {
    pub oid: pg_sys::Oid,
    pub modulus: u32,
    pub remainder: u32,
}

/// The partitions of a table that is partitioned by hash. What is being detached is left out.
///
/// The caller has made sure of the strategy.
pub fn hashes(parent: &Relation) -> Vec<HashPartition> {
    // SAFETY: as for ranges.
    let (desc, bounds) = unsafe {
        let desc = &*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true);
        if desc.nparts == 0 {
            return Vec::new();
        }
        (desc, &*desc.boundinfo)
    };
    let places = 0..usize::try_from(bounds.ndatums).unwrap_or(0);
    places
        .filter_map(|place| {
            // SAFETY: a modulus and a remainder for each partition, both int4, the remainder smaller;
            // for each remainder of the greatest modulus, of which all others are factors, there is the
            // index of the partition that takes it, or -1.
            let (modulus, remainder, index) = unsafe {
                let datums = *bounds.datums.add(place);
                let number = |at| (*datums.add(at)).value() as u32;
                let (modulus, remainder) = (number(0), number(1));
                (modulus, remainder, *bounds.indexes.add(remainder as usize))
            };
            let index = usize::try_from(index).ok()?;
            Some(HashPartition {
                // SAFETY: that index lies within the descriptor.
                oid: unsafe { *desc.oids.add(index) },
                modulus,
                remainder,
            })
        })
        .collect()
}
