//! Whether source, twin and capture are still what the plan was made for: looked at again and again while a
//! conversion goes on.

use crate::catalog::job::Job;
use crate::catalog::table;
use crate::error::Error;
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::plan::facts::{Facts, describe_change};
use crate::plan::{blockers, dependents};

/// Opens the source of a job in this mode. It must still exist, belong to the same owner, and
/// have the columns that the twin was made with: all that handles its rows relies on that.
pub fn open_source(job: &Job, mode: Mode) -> Result<Relation, Error> {
    let source = Relation::try_open(job.source, mode).ok_or_else(|| Error::SourceGone {
        relation: job.source_name.clone(),
    })?;
    let altered = |what: &str| Error::SourceAltered {
        relation: job.source_name.clone(),
        detail: format!("What changed: {what}."),
    };
    if source.owner() != job.owner {
        return Err(altered("its owner"));
    }
    let columns = source.columns();
    let expected = &job.definition.columns;
    let same = columns.len() == expected.len()
        && columns.iter().zip(expected).all(|(column, expected)| {
            (column.number, column.type_oid.to_u32()) == (expected.attnum, expected.type_oid)
        });
    if !same {
        return Err(altered("its columns"));
    }
    Ok(source)
}

/// Refuses to go on where the source is not any more what the plan was made for, but for what is
/// carried over at the swap.
pub fn check_definition(job: &Job) -> Result<(), Error> {
    compare_definitions(job, &definition_now(job)?)
}

pub fn definition_now(job: &Job) -> Result<Facts, Error> {
    let facts = acting_as(job.owner, Restriction::SecurityRestricted, || {
        table::whole(job.source)
    })?;
    facts
        .map(|facts| facts.definition())
        .ok_or_else(|| Error::SourceGone {
            relation: job.source_name.clone(),
        })
}

pub fn compare_definitions(job: &Job, now: &Facts) -> Result<(), Error> {
    let comparable = |facts: &Facts| match job.plan.default_of {
        None => facts.without_carried().without_dependents(),
        // Of a default partition nothing is made again.
        Some(_) => facts.without_carried(),
    };
    let changed = |detail| {
        Err(Error::DefinitionChanged {
            relation: job.source_name.clone(),
            detail,
        })
    };
    let (before, after) = (comparable(&job.definition), comparable(now));
    if before != after {
        return changed(describe_change(&before, &after));
    }
    // Something may hang on it by now that nobody can make again.
    let mut refused = dependents::refused(now);
    refused.extend(blockers::undetermined(now, job.plan.key.attnum));
    refused.extend(match &job.plan.guard {
        None => dependents::refused_by_key(now, job.plan.key.attnum),
        Some(guard) => guard.refused_meanwhile(now),
    });
    refused.extend(dependents::refused_by_publications(
        now,
        job.plan.key.attnum,
    ));
    match refused.is_empty() {
        true => Ok(()),
        false => {
            let facts: Vec<String> = refused.into_iter().map(|blocker| blocker.fact).collect();
            changed(facts.join("\n"))
        }
    }
}

/// Refuses to go on where somebody touched the twin or its leaves.
pub fn check_twin(job: &Job) -> Result<(), Error> {
    let Some(twin) = job.twin else {
        return Ok(());
    };
    match job.twin_shape == Some(table::twin_shape(twin)?) {
        true => Ok(()),
        false => Err(twin_altered(job)),
    }
}

pub fn twin_altered(job: &Job) -> Error {
    Error::TwinAltered {
        relation: job.source_name.clone(),
        twin: job.plan.twin.name.clone(),
    }
}

/// Refuses to go on where somebody touched the capture triggers: changes may have been missed.
pub fn check_capture(job: &Job) -> Result<(), Error> {
    let now = table::capture_triggers(job.source)?;
    if job.capture_triggers.as_deref() == Some(now.as_str()) {
        return Ok(());
    }
    Err(Error::SourceAltered {
        relation: job.source_name.clone(),
        detail: "The triggers that capture its changes were altered or dropped.".to_owned(),
    })
}
