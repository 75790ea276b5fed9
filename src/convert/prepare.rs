//! Making the twin: partitioned, empty, inert.

use super::definition::{check_definition, open_source};
use super::{as_owner, foreign_keys, guard, incoming_keys, relation_oid, run_step};
use crate::catalog::job::{self, Job, Outline};
use crate::catalog::{decoding, leaf, table};
use crate::db;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::pg::depend::{self, Hold};
use crate::pg::lock::Mode;
use crate::pg::relation::Relation;
use crate::pg::role::{Restriction, acting_as};
use crate::pg::transaction::{Failure, unit};
use crate::plan::names::{QualifiedName, quote_role};
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use pgrx::pg_sys;

/// Makes the twin, all in one transaction: it is there whole, or not at all.
pub fn make_twin(job: &Job) -> Result<(), Failure> {
    unit(|| {
        // ACCESS SHARE on the source, while the twin is made after its image.
        let _source = open_source(job, Mode::AccessShare)?;
        check_definition(job)?;
        as_owner(job, || {
            job.plan
                .prepare
                .iter()
                .take_while(|step| !is_grant(&step.statement))
                .try_for_each(run_step)?;
            forget_default_privileges(job)?;
            job.plan
                .prepare
                .iter()
                .skip_while(|step| !is_grant(&step.statement))
                .try_for_each(run_step)
        })?;
        let leaves = job
            .plan
            .partitions
            .iter()
            .map(|partition| relation_oid(&partition.name))
            .collect::<Result<Vec<pg_sys::Oid>, _>>()?;
        leaf::insert_all(job.id, &leaves)?;
        decoding::leave_out(&leaves, job.source)?;
        let twin = relation_oid(&job.plan.twin)?;
        // Near the end: what they point at is locked for it.
        foreign_keys::make_at_rest(job, twin)?;
        guard::make(job)?;
        // Until the swap the twin is nothing without the extension, and goes with it.
        depend::on_extension(twin)?;
        // A serial's sequence goes with the source if that is dropped, and is not to be in its
        // way because the twin draws from it too.
        for (default, sequence) in table::drawing_defaults(twin, job.source)? {
            depend::hold_sequence(default, sequence, Hold::GoesWith);
        }
        job::set_twin(job.id, Some((twin, table::twin_shape(twin)?)))?;
        job::transition(job, Phase::Prepared)?;
        failpoint("prepare:before_commit")
    })
}

fn is_grant(statement: &str) -> bool {
    statement.starts_with("REVOKE") || statement.starts_with("GRANT")
}

/// ALTER DEFAULT PRIVILEGES may have granted rights on the new tables and sequences that the
/// source never granted: they are taken back before the source's own are given.
fn forget_default_privileges(job: &Job) -> Result<(), Error> {
    let below = job.plan.every_partition().map(|partition| &partition.name);
    for relation in std::iter::once(&job.plan.twin).chain(below) {
        revoke_foreign(relation_oid(relation)?, relation, "TABLE")?;
    }
    let sequences = db::rows(
        "SELECT s.oid, n.nspname::text, s.relname::text FROM pg_depend d \
           JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
           JOIN pg_namespace n ON n.oid = s.relnamespace \
          WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
            AND d.refobjid = $1 AND d.deptype = 'i'",
        &[relation_oid(&job.plan.twin)?.into()],
        |row| {
            let name = row.qualified_name(2)?;
            Ok((row.get::<pg_sys::Oid>(1)?, name))
        },
    )?;
    sequences
        .iter()
        .try_for_each(|(oid, name)| revoke_foreign(*oid, name, "SEQUENCE"))
}

/// Takes all rights on a relation from everybody but its owner.
pub fn revoke_foreign(oid: pg_sys::Oid, name: &QualifiedName, kind: &str) -> Result<(), Error> {
    let grantees: Vec<Option<String>> = db::kept_rows(
        "SELECT DISTINCT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee)::text END \
           FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1 AND a.grantee <> c.relowner",
        &[oid.into()],
        |row| row.find(1),
    )?;
    for grantee in grantees {
        let statement = Sql::template("REVOKE ALL ON {kind} {relation} FROM {grantee}")
            .trusted("kind", kind)
            .name("relation", name)
            .trusted("grantee", &quote_role(grantee.as_deref()));
        db::run(&statement.build(), &[])?;
    }
    Ok(())
}

/// Takes the twin away again, and what is known about it. The capture stays.
pub fn drop_twin(job: &Outline) -> Result<(), Error> {
    if let Some(twin) = job.twin {
        incoming_keys::drop_now(job)?;
        guard::drop_now(job)?;
        foreign_keys::lock_referenced(twin)?;
        // ACCESS EXCLUSIVE on the twin, which nobody else uses, until commit.
        let found =
            Relation::try_open(twin, Mode::AccessExclusive).map(|twin| (twin.name(), twin.owner()));
        if let Some((name, owner)) = found {
            acting_as(owner, Restriction::SecurityRestricted, || {
                super::drop_table(twin, &name)
            })?;
        }
        job::set_twin(job.id, None)?;
    }
    leaf::forget(job.id)
}

/// Goes back to the beginning: what was copied counts for nothing. Changes go on being captured;
/// what they say about rows that nobody has copied yet does no harm.
pub fn start_again(job: &Job) -> Result<(), Failure> {
    unit(|| {
        drop_twin(job)?;
        job::transition(job, Phase::Planned)
    })
}
