//! Where keys lie among the bounds of a table's partitions, as PostgreSQL itself compares them.

use super::relation::Relation;
use super::tuple::{self, Value};
use crate::error::Error;
use pgrx::pg_sys;
use std::cmp::Ordering;
use std::collections::HashMap;

/// How a table is partitioned by one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOrder {
    pub is_list: bool,
    pub attnum: i16,
    /// The btree operator class of the key.
    pub operator_class: pg_sys::Oid,
    pub collation: pg_sys::Oid,
}

/// The bounds at one moment: what becomes of the table's partitions later does not change them. They are as
/// good as the memory context in which they were read.
pub struct Bounds {
    is_list: bool,
    /// Ascending.
    bounds: Vec<Bound>,
    /// For a list, who takes each. For ranges, who takes what lies below each, and behind the last.
    takers: Vec<Option<usize>>,
    null: Option<usize>,
    default: Option<usize>,
    compare: pg_sys::FmgrInfo,
    collation: pg_sys::Oid,
    /// Where the key before was found.
    last: usize,
}

#[derive(Clone, Copy)]
enum Bound {
    Least,
    Value(pg_sys::Datum),
    Greatest,
}

impl Bounds {
    /// Reads those of a table that is partitioned in that order. Partitions are told by their place among
    /// `partitions`; others take nothing.
    pub fn of(
        parent: &Relation,
        partitions: &[pg_sys::Oid],
        order: &PartitionOrder,
    ) -> Result<Bounds, Error> {
        let mut columns = parent.columns().into_iter();
        let key = columns
            .find(|column| column.number == order.attnum)
            .ok_or_else(|| Error::Internal("a partition key without its column".to_owned()))?;
        let mut found = Bounds {
            is_list: order.is_list,
            bounds: Vec::new(),
            takers: Vec::new(),
            null: None,
            default: None,
            compare: comparison(order),
            collation: order.collation,
            last: 0,
        };
        // SAFETY: an open, locked, partitioned table has a descriptor, which lives in the relation cache for as
        // long as it is open; what is kept of it is copied. It has as many bounds, indexes and kinds as it says,
        // for ranges one index more, and for lists no kinds.
        unsafe {
            let desc = &*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true);
            if desc.nparts == 0 {
                found.takers.push(None);
                return Ok(found);
            }
            let bounds = &*desc.boundinfo;
            let places = partitions.iter().enumerate();
            let places: HashMap<_, _> = places.map(|(place, oid)| (*oid, place)).collect();
            let place = |index: i32| {
                let index = usize::try_from(index).ok()?;
                places.get(&*desc.oids.add(index)).copied()
            };
            let count = usize::try_from(bounds.ndatums).unwrap_or(0);
            found.bounds = (0..count)
                .map(|at| {
                    let kind = match order.is_list {
                        true => pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_VALUE,
                        false => **bounds.kind.add(at),
                    };
                    match kind {
                        pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => {
                            Bound::Least
                        }
                        pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => {
                            Bound::Greatest
                        }
                        _ => Bound::Value(tuple::copy(**bounds.datums.add(at), &key)),
                    }
                })
                .collect();
            let indexes = count + usize::from(!order.is_list);
            found.takers = (0..indexes)
                .map(|at| place(*bounds.indexes.add(at)))
                .collect();
            found.null = place(bounds.null_index);
            found.default = place(bounds.default_index);
        }
        Ok(found)
    }

    /// The place of the partition that takes a key of the column's type; `None` where there is none.
    pub fn place_of(&mut self, key: Value) -> Option<usize> {
        if key.is_null {
            // Of ranges none takes it.
            return self.null.or(self.default);
        }
        if self.is_here(self.last, key) {
            return self.taker(self.last);
        }
        let (place, is_equal) = self.search(key);
        if self.is_list && !is_equal {
            return self.default;
        }
        // Of ranges, what begins with a bound lies behind it.
        self.last = place + usize::from(!self.is_list && is_equal);
        self.taker(self.last)
    }

    /// The first bound that is not less than a key, and whether it is equal to it.
    fn search(&mut self, key: Value) -> (usize, bool) {
        let (mut from, mut to) = (0, self.bounds.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.order(middle, key) {
                Ordering::Equal => return (middle, true),
                Ordering::Less => from = middle + 1,
                Ordering::Greater => to = middle,
            }
        }
        (from, false)
    }

    fn taker(&self, place: usize) -> Option<usize> {
        self.takers.get(place).copied().flatten().or(self.default)
    }

    /// Whether that is the place of the key: rows arrive in runs.
    fn is_here(&mut self, place: usize, key: Value) -> bool {
        if self.is_list {
            return place < self.bounds.len() && self.order(place, key).is_eq();
        }
        (place == 0 || self.order(place - 1, key).is_le())
            && (place == self.bounds.len() || self.order(place, key).is_gt())
    }

    /// How a bound compares with a key.
    fn order(&mut self, place: usize, key: Value) -> Ordering {
        let bound = match self.bounds[place] {
            Bound::Least => return Ordering::Less,
            Bound::Greatest => return Ordering::Greater,
            Bound::Value(bound) => bound,
        };
        // SAFETY: the comparison function of the key's operator class; both are values of its type, and not null.
        let found = unsafe {
            pg_sys::FunctionCall2Coll(&mut self.compare, self.collation, bound, key.datum)
        };
        (found.value() as i32).cmp(&0)
    }
}

/// The values that the partitions of a table take which is partitioned by list, with more that they are going
/// to take, each as its type writes it, in the order in which PostgreSQL keeps them; and whether one takes nulls.
pub fn listed(
    parent: &Relation,
    order: &PartitionOrder,
    more: &[String],
) -> Result<(Vec<String>, bool), Error> {
    let mut there = Bounds::of(parent, &[], order)?;
    let of_type = parent.columns().into_iter();
    let of_type = of_type
        .map(|column| (column.number, column.type_oid))
        .find(|(number, _)| *number == order.attnum)
        .map_or(pg_sys::InvalidOid, |(_, of_type)| of_type);
    // SAFETY: the type's own functions, called with what they are made for; an open, locked, partitioned table has a
    // descriptor, and one that has partitions has bounds.
    let (read, written, has_null) = unsafe {
        let (mut read, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
        pg_sys::getTypeInputInfo(of_type, &mut read, &mut parameter);
        let (mut write, mut is_varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo(of_type, &mut write, &mut is_varlena);
        let read = move |text: &String| {
            let text = std::ffi::CString::new(text.as_str()).ok()?;
            let text = pg_sys::pstrdup(text.as_ptr());
            Some(pg_sys::OidInputFunctionCall(read, text, parameter, -1))
        };
        let written = move |value| {
            let text = pg_sys::OidOutputFunctionCall(write, value);
            std::ffi::CStr::from_ptr(text).to_str().map(str::to_owned)
        };
        let desc = &*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true);
        let has_null = desc.nparts > 0 && (*desc.boundinfo).null_index >= 0;
        (read, written, has_null)
    };
    for value in more {
        let value =
            read(value).ok_or_else(|| Error::Internal("a value with a zero in it".to_owned()))?;
        let key = Value {
            datum: value,
            is_null: false,
        };
        let (from, is_there) = there.search(key);
        if !is_there {
            there.bounds.insert(from, Bound::Value(value));
        }
    }
    let values = there.bounds.into_iter().filter_map(|bound| match bound {
        Bound::Value(value) => Some(written(value)),
        Bound::Least | Bound::Greatest => None,
    });
    let values = values.collect::<Result<Vec<String>, _>>();
    let values =
        values.map_err(|_| Error::Internal("a value that is not written in UTF-8".to_owned()))?;
    Ok((values, has_null))
}

/// The number of that function in a btree operator class, which pgrx does not name.
const BTORDER_PROC: i16 = 1;

/// The function by which PostgreSQL compares keys of that order.
fn comparison(order: &PartitionOrder) -> pg_sys::FmgrInfo {
    let mut found = pg_sys::FmgrInfo::default();
    // SAFETY: reads the catalog. Each btree operator class compares its own type; raises an ERROR otherwise.
    unsafe {
        let family = pg_sys::get_opclass_family(order.operator_class);
        let input = pg_sys::get_opclass_input_type(order.operator_class);
        let function = pg_sys::get_opfamily_proc(family, input, input, BTORDER_PROC);
        pg_sys::fmgr_info(function, &mut found);
    }
    found
}
