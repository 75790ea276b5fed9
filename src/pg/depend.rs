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

fn addresses(
    relation: pg_sys::Oid,
) -> Result<(pg_sys::ObjectAddress, pg_sys::ObjectAddress), Error> {
    // SAFETY: a catalog look-up by a NUL-terminated name; InvalidOid where absent.
    let extension = unsafe { pg_sys::get_extension_oid(c"pg_partman_rs".as_ptr(), true) };
    if extension == pg_sys::InvalidOid {
        return Err(Error::Internal("the extension is gone".to_owned()));
    }
    let address = |class, object| pg_sys::ObjectAddress {
        classId: class,
        objectId: object,
        objectSubId: 0,
    };
    Ok((
        address(pg_sys::RelationRelationId, relation),
        address(pg_sys::ExtensionRelationId, extension),
    ))
}
