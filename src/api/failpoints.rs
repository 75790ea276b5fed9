//! Arming failpoints from SQL, in builds for tests.

use crate::error::Error;
use crate::failpoint::{NAMES, file, parked};
use crate::pg::interrupts;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::fs;
use std::time::{Duration, Instant};

#[pg_schema]
mod partman_rs {
    use super::*;

    #[pg_extern]
    fn failpoint_names() -> SetOfIterator<'static, &'static str> {
        SetOfIterator::new(NAMES)
    }

    #[pg_extern]
    fn failpoint_set(name: &str, action: &str) -> Result<(), ErrorReport> {
        let armed = file(known(name)?);
        let write = || {
            fs::create_dir_all(armed.parent().unwrap_or(&armed))?;
            fs::write(&armed, action)
        };
        Ok(write().map_err(|error| Error::Internal(error.to_string()))?)
    }

    #[pg_extern]
    fn failpoint_clear(name: &str) -> Result<(), ErrorReport> {
        let _ = fs::remove_file(file(known(name)?));
        Ok(())
    }

    #[pg_extern]
    fn failpoint_await(name: &str) -> Result<(), ErrorReport> {
        let sign = parked(&file(known(name)?));
        let begun = Instant::now();
        while !sign.exists() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(Error::Internal(format!("nobody came to failpoint {name}")).into());
            }
            interrupts::nap(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn known(name: &str) -> Result<&str, Error> {
    match NAMES.contains(&name) {
        true => Ok(name),
        false => Err(Error::Argument {
            message: format!("there is no failpoint \"{name}\""),
            detail: None,
            hint: None,
        }),
    }
}
