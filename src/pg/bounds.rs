//! Where keys lie among the bounds of a table's partitions, as PostgreSQL itself compares them.

use super::partition_key::Strategy;
use super::relation::Relation;
use super::tuple::{self, Value};
use crate::error::Error;
use pgrx::pg_sys;
use std::cmp::Ordering;
use std::collections::HashMap;

/// How a table is partitioned, by ranges or lists of one column, or by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOrder {
    pub strategy: Strategy,
    /// One for each column of the key; only by hash there may be several.
    pub columns: Vec<OrderColumn>,
}

/// A column of a partition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderColumn {
    pub name: String,
    pub attnum: i16,
    /// Of a btree, by hash of a hash index.
    pub operator_class: pg_sys::Oid,
    pub collation: pg_sys::Oid,
}

/// The bounds at one moment: what becomes of the table's partitions later does not change them. They are as
/// good as the memory context in which they were read.
pub enum Bounds {
    /// Of ranges or lists.
    Ordered(Ordered),
    Hashed(Hashed),
}

impl Bounds {
    /// Reads those of a table that is partitioned in that order. Partitions are told by their place among
    /// `partitions`; others take nothing.
    pub fn of(
        parent: &Relation,
        partitions: &[pg_sys::Oid],
        order: &PartitionOrder,
    ) -> Result<Bounds, Error> {
        Ok(match order.strategy {
            Strategy::Hash => Bounds::Hashed(Hashed::of(parent, partitions, order)),
            Strategy::List | Strategy::Range => {
                Bounds::Ordered(Ordered::of(parent, partitions, order)?)
            }
        })
    }

    /// The place of the partition that takes a row with these values in the columns of the key, each of its column's
    /// type; `None` where there is none.
    pub fn place_of(&mut self, key: impl Fn(usize) -> Value) -> Option<usize> {
        match self {
            Bounds::Ordered(bounds) => bounds.place_of(key(0)),
            Bounds::Hashed(bounds) => bounds.place_of(key),
        }
    }
}

/// Remainders of a hash.
pub struct Hashed {
    /// Who takes each remainder of the greatest modulus.
    takers: Vec<Option<usize>>,
    functions: Vec<pg_sys::FmgrInfo>,
    collations: Vec<pg_sys::Oid>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Hashed {
    fn of(parent: &Relation, partitions: &[pg_sys::Oid], order: &PartitionOrder) -> Hashed {
        let columns = order.columns.iter();
        Hashed {
            // SAFETY: an open, locked, partitioned table has a descriptor, which lives in the relation cache for as long as
            // it is open. By hash its bounds have as many indexes as they say.
            takers: unsafe {
                let desc = &*pg_sys::RelationGetPartitionDesc(parent.as_ptr(), true);
                match desc.nparts {
                    0 => Vec::new(),
                    _ => {
                        let bounds = &*desc.boundinfo;
                        let places = places(partitions);
                        let count = usize::try_from(bounds.nindexes).unwrap_or(0);
                        (0..count)
                            .map(|at| place(desc, &places, *bounds.indexes.add(at)))
                            .collect()
                    }
                }
            },
            functions: columns
                .clone()
                .map(|column| support(column, HASHEXTENDED_PROC))
                .collect(),
            collations: columns.map(|column| column.collation).collect(),
            values: vec![pg_sys::Datum::null(); order.columns.len()],
            nulls: vec![true; order.columns.len()],
        }
    }

    fn place_of(&mut self, key: impl Fn(usize) -> Value) -> Option<usize> {
        for column in 0..self.values.len() {
            let value = key(column);
            (self.values[column], self.nulls[column]) = (value.datum, value.is_null);
        }
        let count = i32::try_from(self.values.len()).unwrap_or(0);
        // SAFETY: as many functions, collations, values and nulls as said; the values are of their columns' types.
        let hash = unsafe {
            pg_sys::compute_partition_hash_value(
                count,
                self.functions.as_mut_ptr(),
                self.collations.as_mut_ptr(),
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            )
        };
        let modulus = u64::try_from(self.takers.len()).ok()?;
        let remainder = usize::try_from(hash.checked_rem(modulus)?).ok()?;
        self.takers.get(remainder).copied().flatten()
    }
}

/// Partitions by what they are, each with its place.
fn places(partitions: &[pg_sys::Oid]) -> HashMap<pg_sys::Oid, usize> {
    let partitions = partitions.iter().enumerate();
    partitions.map(|(place, oid)| (*oid, place)).collect()
}

/// The place of the partition that has that number in a descriptor.
///
/// # Safety
/// The number is below that of its partitions.
unsafe fn place(
    desc: &pg_sys::PartitionDescData,
    places: &HashMap<pg_sys::Oid, usize>,
    number: i32,
) -> Option<usize> {
    let number = usize::try_from(number).ok()?;
    // SAFETY: the caller's promise.
    places.get(unsafe { &*desc.oids.add(number) }).copied()
}

/// Bounds that have an order.
pub struct Ordered {
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

impl Ordered {
    fn of(
        parent: &Relation,
        partitions: &[pg_sys::Oid],
        order: &PartitionOrder,
    ) -> Result<Ordered, Error> {
        let by = by_one(order)?;
        let is_list = order.strategy == Strategy::List;
        let mut columns = parent.columns().into_iter();
        let key = columns
            .find(|column| column.number == by.attnum)
            .ok_or_else(|| Error::Internal("a partition key without its column".to_owned()))?;
        let mut found = Ordered {
            is_list,
            bounds: Vec::new(),
            takers: Vec::new(),
            null: None,
            default: None,
            compare: support(by, BTORDER_PROC),
            collation: by.collation,
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
            let places = places(partitions);
            let place = |number: i32| place(desc, &places, number);
            let count = usize::try_from(bounds.ndatums).unwrap_or(0);
            found.bounds = (0..count)
                .map(|at| {
                    let kind = match is_list {
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
            let indexes = count + usize::from(!is_list);
            found.takers = (0..indexes)
                .map(|at| place(*bounds.indexes.add(at)))
                .collect();
            found.null = place(bounds.null_index);
            found.default = place(bounds.default_index);
        }
        Ok(found)
    }

    /// The place of the partition that takes a key of the column's type; `None` where there is none.
    fn place_of(&mut self, key: Value) -> Option<usize> {
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
    let mut there = Ordered::of(parent, &[], order)?;
    let by = by_one(order)?;
    let of_type = parent.columns().into_iter();
    let of_type = of_type
        .map(|column| (column.number, column.type_oid))
        .find(|(number, _)| *number == by.attnum)
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
/// Likewise in a hash operator class.
const HASHEXTENDED_PROC: i16 = 2;

/// The only column of an order that is not by hash.
fn by_one(order: &PartitionOrder) -> Result<&OrderColumn, Error> {
    match (order.strategy, order.columns.as_slice()) {
        (Strategy::Range | Strategy::List, [column]) => Ok(column),
        _ => Err(Error::Internal(
            "a partition key of another kind".to_owned(),
        )),
    }
}

/// That function of a column's operator class.
fn support(column: &OrderColumn, number: i16) -> pg_sys::FmgrInfo {
    let mut found = pg_sys::FmgrInfo::default();
    // SAFETY: reads the catalog. Each operator class of these access methods has the function for its own type; raises
    // an ERROR otherwise.
    unsafe {
        let family = pg_sys::get_opclass_family(column.operator_class);
        let input = pg_sys::get_opclass_input_type(column.operator_class);
        let function = pg_sys::get_opfamily_proc(family, input, input, number);
        pg_sys::fmgr_info(function, &mut found);
    }
    found
}
