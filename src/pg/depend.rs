//! Dependencies between objects.

use crate::error::Error;
use pgrx::pg_sys;

/// Makes a relation depend on this extension: dropped with it, and a reason to refuse dropping
/// the extension alone.
pub fn on_extension(relation: pg_sys::Oid) -> Result<(), Error> {
    let (dependent, extension) = addresses(relation)?;
    // SAFETY: both addresses are complete; the catalog is locked within.
    unsafe {
        pg_sys::recordDependencyOn(
            &dependent,
            &extension,
            pg_sys::DependencyType::DEPENDENCY_NORMAL,
        );
    }
    Ok(())
}

/// Takes that dependency back: from now on the relation stands for itself.
pub fn not_on_extension(relation: pg_sys::Oid) -> Result<(), Error> {
    let (dependent, extension) = addresses(relation)?;
    // SAFETY: as above.
    unsafe {
        pg_sys::deleteDependencyRecordsForSpecific(
            dependent.classId,
            dependent.objectId,
            pg_sys::DependencyType::DEPENDENCY_NORMAL as std::ffi::c_char,
            extension.classId,
            extension.objectId,
        );
    }
    Ok(())
}

/// What becomes of a column default when the sequence that it draws from is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is a reason to refuse that, as it usually is.
    Refuses,
    /// It goes as well.
    GoesWith,
}

/// `AttrDefaultRelationId`, which pgrx does not name; the OIDs of catalogs never change.
const ATTRDEF: u32 = 2604;

/// Makes a column default hold on to its sequence in this way, and no longer in the other.
pub fn hold_sequence(default: pg_sys::Oid, sequence: pg_sys::Oid, hold: Hold) {
    use pg_sys::DependencyType::{DEPENDENCY_AUTO, DEPENDENCY_NORMAL};
    let (old, new) = match hold {
        Hold::Refuses => (DEPENDENCY_AUTO, DEPENDENCY_NORMAL),
        Hold::GoesWith => (DEPENDENCY_NORMAL, DEPENDENCY_AUTO),
    };
    let dependent = address(pg_sys::Oid::from(ATTRDEF), default);
    let referenced = address(pg_sys::RelationRelationId, sequence);
    // SAFETY: as above.
    unsafe {
        pg_sys::deleteDependencyRecordsForSpecific(
            dependent.classId,
            dependent.objectId,
            old as std::ffi::c_char,
            referenced.classId,
            referenced.objectId,
        );
        pg_sys::recordDependencyOn(&dependent, &referenced, new);
    }
}

fn address(class: pg_sys::Oid, object: pg_sys::Oid) -> pg_sys::ObjectAddress {
    pg_sys::ObjectAddress {
        classId: class,
        objectId: object,
        objectSubId: 0,
    }
}

fn addresses(
    relation: pg_sys::Oid,
) -> Result<(pg_sys::ObjectAddress, pg_sys::ObjectAddress), Error> {
    // SAFETY: a catalog look-up by a NUL-terminated name; InvalidOid where absent.
    let extension = unsafe { pg_sys::get_extension_oid(c"pg_partman_rs".as_ptr(), true) };
    if extension == pg_sys::InvalidOid {
        return Err(Error::Internal("the extension is gone".to_owned()));
    }
    Ok((
        address(pg_sys::RelationRelationId, relation),
        address(pg_sys::ExtensionRelationId, extension),
    ))
}
