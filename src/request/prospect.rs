//! What a conversion is going to take: sizes and rates are read, the arithmetic is
//! [`crate::plan::estimate`].

use super::as_owner_of;
use crate::analyze;
use crate::catalog::{rates, size};
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::estimate::{Estimate, Sizes, even_shares};
use crate::plan::facts::Facts;
use pgrx::pg_sys;

/// Estimates a plan.
pub fn estimate(facts: &Facts, plan: &Plan, sizes: &Sizes) -> Result<Estimate, Error> {
    let shares = shares(facts, plan)?;
    let mut rates = rates::measured()?;
    if facts.is_unlogged() {
        (rates.table_wal, rates.index_wal) = (0.0, 0.0);
    }
    Ok(Estimate::new(facts, plan, sizes, shares, rates))
}

/// How large the table is.
pub fn sizes(facts: &Facts) -> Result<Sizes, Error> {
    as_owner_of(facts, || {
        size::of(pg_sys::Oid::from(facts.oid), &facts.qualified_name())
    })
}

/// Each partition's share of the rows, by the statistics of the partition column.
fn shares(facts: &Facts, plan: &Plan) -> Result<Vec<f64>, Error> {
    let source = pg_sys::Oid::from(facts.oid);
    let mut columns = as_owner_of(facts, || analyze::statistics_of(&[source]))?;
    let statistics = columns
        .remove(&facts.oid)
        .unwrap_or_default()
        .into_iter()
        .find(|column| column.attnum == plan.key.attnum)
        .and_then(|column| column.statistics)
        // Else the numbers of the bounds are not those of the column.
        .filter(|_| plan.key.key_type.is_some());
    let Some(statistics) = statistics else {
        return Ok(even_shares(plan.partitions.len()));
    };
    // The default partition comes last, and takes what the others leave.
    let partitions = plan.partitions.iter();
    let ranges = partitions.filter_map(|partition| partition.range.as_ref());
    let ranges = ranges.map(|(lower, upper)| (lower.key, upper.key));
    let mut shares = analyze::facts::shares(ranges, |key| statistics.share_below(key));
    shares.truncate(plan.partitions.len());
    Ok(shares)
}
