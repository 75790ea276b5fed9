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

/// Makes a column default go with the sequence that it draws from, rather than stand in the way
/// when that is dropped.
pub fn default_goes_with(default: pg_sys::Oid, sequence: pg_sys::Oid) {
    replace_default(
        default,
        sequence,
        [
            pg_sys::DependencyType::DEPENDENCY_NORMAL,
            pg_sys::DependencyType::DEPENDENCY_AUTO,
        ],
    );
}

/// Makes a column default a reason to refuse dropping its sequence, as it usually is.
pub fn default_needs(default: pg_sys::Oid, sequence: pg_sys::Oid) {
    replace_default(
        default,
        sequence,
        [
            pg_sys::DependencyType::DEPENDENCY_AUTO,
            pg_sys::DependencyType::DEPENDENCY_NORMAL,
        ],
    );
}

/// `AttrDefaultRelationId`, which pgrx does not name; the OIDs of catalogs never change.
const ATTRDEF: u32 = 2604;

fn replace_default(
    default: pg_sys::Oid,
    sequence: pg_sys::Oid,
    [old, new]: [pg_sys::DependencyType::Type; 2],
) {
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
