//! The regular lattice that bounds lie on.
//!
//! Intervals are numbered. Their starts are in the units of the key; for days and months of a
//! timestamp with time zone they are wall-clock times, which [`Grid::keys`] turns into instants.

use chrono::Datelike;

use super::calendar::{DAY, moment, month_start, values_a_day};
use super::{BoundsError, KeyType, PartitionInterval, Zone, ZoneError};

pub(super) struct Grid<'z> {
    key: KeyType,
    step: Step,
    /// Present where starts are wall-clock times and keys are instants.
    zone: Option<&'z dyn Zone>,
}

enum Step {
    /// Counted from January of the year 1 BC, so that quarters, years and decades come out as
    /// those of the calendar.
    Months(i128),
    Even {
        width: i128,
        origin: i128,
    },
}

impl<'z> Grid<'z> {
    /// Fails when the interval does not suit the key type, as one from a catalog row may.
    pub(super) fn new(
        key: KeyType,
        interval: PartitionInterval,
        zone: &'z dyn Zone,
    ) -> Result<Self, BoundsError> {
        interval.check(key).map_err(BoundsError::Interval)?;
        let day = i128::from(values_a_day(key));
        let even = |width, origin| Step::Even { width, origin };
        let step = match interval {
            PartitionInterval::Months(months) => Step::Months(months.into()),
            // Weeks begin on Mondays; 2000-01-03 was one.
            PartitionInterval::Days(days) if days.is_multiple_of(7) => {
                even(i128::from(days) * day, 2 * day)
            }
            PartitionInterval::Days(days) => even(i128::from(days) * day, 0),
            PartitionInterval::Seconds(seconds) => even(i128::from(seconds) * 1_000_000, 0),
            PartitionInterval::Width(width) => even(width.into(), 0),
        };
        let by_calendar = matches!(
            interval,
            PartitionInterval::Months(_) | PartitionInterval::Days(_)
        );
        let zone = (key == KeyType::TimestampTz && by_calendar).then_some(zone);
        Ok(Self { key, step, zone })
    }

    /// The number of the interval that holds a key value.
    pub(super) fn index_of(&self, value: i64) -> Result<i128, BoundsError> {
        let Some(zone) = self.zone else {
            return self.floor(value);
        };
        let index = self.floor(zone.to_local(value).map_err(BoundsError::Zone)?)?;
        // Where the clock shows midnight twice (Havana, each autumn), the day begins at the
        // second: an instant between the two is of this date, yet before the bound.
        let begins = self.keys(&[self.start(index)])?;
        Ok(match begins.first() {
            Some(begin) if *begin > value => index - 1,
            _ => index,
        })
    }

    /// The last interval that begins within the key type's range.
    pub(super) fn last_index(&self) -> Result<i128, BoundsError> {
        self.floor(self.key.largest())
    }

    /// Where an interval begins, cut to the key type's range.
    pub(super) fn start(&self, index: i128) -> i64 {
        let (smallest, largest) = (self.key.smallest(), self.key.largest());
        let end_of_range = if index < 0 { smallest } else { largest };
        match self.step {
            Step::Months(months) => month_start(self.key, index * months),
            Step::Even { width, origin } => i64::try_from(index * width + origin).ok(),
        }
        .unwrap_or(end_of_range)
        .clamp(smallest, largest)
    }

    /// The key values of ascending starts.
    pub(super) fn keys(&self, starts: &[i64]) -> Result<Vec<i64>, BoundsError> {
        let Some(zone) = self.zone else {
            return Ok(starts.to_vec());
        };
        // Within a day of the calendar's ends a zone's offset would lead out of it.
        let (smallest, largest) = (self.key.smallest(), self.key.largest());
        let below = starts.partition_point(|start| *start < smallest + DAY);
        let above = starts.partition_point(|start| *start <= largest - DAY);
        let inner = starts.get(below..above).unwrap_or_default();
        let instants = zone.to_utc(inner).map_err(BoundsError::Zone)?;
        if instants.len() != inner.len() {
            return Err(BoundsError::Zone(ZoneError(format!(
                "Of {} wall-clock times, {} were converted.",
                inner.len(),
                instants.len()
            ))));
        }
        Ok(std::iter::repeat_n(smallest, below)
            .chain(instants)
            .chain(std::iter::repeat_n(largest, starts.len() - above))
            .collect())
    }

    fn floor(&self, start: i64) -> Result<i128, BoundsError> {
        let start = start.clamp(self.key.smallest(), self.key.largest());
        Ok(match self.step {
            Step::Months(months) => {
                let date = moment(self.key, start)?.date();
                (i128::from(date.year()) * 12 + i128::from(date.month0())).div_euclid(months)
            }
            Step::Even { width, origin } => (i128::from(start) - origin).div_euclid(width),
        })
    }
}
