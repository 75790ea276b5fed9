//! What is kept as JSON, of jobs and of what is asked of them.

use crate::error::Error;
use pgrx::JsonB;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a document says; fails where it is not one of that kind.
pub fn read<T: DeserializeOwned>(json: JsonB) -> Result<T, Error> {
    serde_json::from_value(json.0)
        .map_err(|error| Error::Internal(format!("a document of a job cannot be read: {error}")))
}

/// The document of a value.
pub fn write<T: Serialize>(value: &T) -> Result<JsonB, Error> {
    serde_json::to_value(value)
        .map(JsonB)
        .map_err(|error| Error::Internal(format!("a document of a job cannot be written: {error}")))
}
