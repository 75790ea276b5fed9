//! What the caller left open: column and interval, as the analysis advises them.

use super::Arguments;
use crate::analyze::{self, Wish};
use crate::error::Error;
use crate::plan::facts::Facts;

/// Column and interval of a conversion, and why, where they were not given.
pub struct Chosen {
    pub column: String,
    pub interval: String,
    /// Sentences; none where nothing was left open.
    pub reasons: Vec<String>,
}

/// Completes what was given. Fails where nothing can be advised, with the reasons.
pub fn complete(arguments: &Arguments, facts: &Facts) -> Result<Chosen, Error> {
    if let (Some(column), Some(interval)) =
        (&arguments.partition_column, &arguments.partition_interval)
    {
        return Ok(Chosen {
            column: column.clone(),
            interval: interval.clone(),
            reasons: Vec::new(),
        });
    }
    // An interval of times, where bounds go by those.
    let interval_of = (arguments.bounds_by.as_ref()).or(arguments.partition_column.as_ref());
    let wish = Wish {
        column: interval_of.cloned(),
        retention_seconds: None,
    };
    let (found, advice) = analyze::advice(arguments.source, &wish)?;
    let reasons = advice.why_no_column(&found, &wish);
    let Some(choice) = advice.choice else {
        return Err(Error::NoAdvice {
            relation: facts.name.clone(),
            column: wish.column,
            reasons,
        });
    };
    // An interval that was given is another one than that of which the reasons speak.
    let reasons = match arguments.partition_interval {
        Some(_) => choice.reasons,
        None => advice.reasons,
    };
    Ok(Chosen {
        column: arguments
            .partition_column
            .clone()
            .unwrap_or(choice.column.name),
        interval: arguments
            .partition_interval
            .clone()
            .unwrap_or(choice.period.argument),
        reasons,
    })
}
