//! The regular lattice that bounds lie on.
//!
//! Intervals are numbered. Their starts are in the units of the key; for a timestamp with time
//! zone they are wall-clock times, which [`Grid::keys`] turns into instants.
//!
//! The instant of a wall-clock time is the first from which on the clock shows that time or a
//! later one, for good. So where clocks are put back it is the second of the two, where they are
//! put forward it is the moment of the jump, and in either case instants come in the order of
//! the times, whatever the width of the intervals.

use chrono::Datelike;

use super::calendar::{DAY, moment, month_start, values_a_day};
use super::text::label;
use super::{
    BoundsError, KeyType, Lattice, PartitionInterval, PartitionOffset, RangeBound, Span, Zone,
    ZoneError,
};

pub(super) struct Grid<'z> {
    key: KeyType,
    lattice: Lattice,
    step: Step,
    /// Present where starts are wall-clock times and keys are instants.
    zone: Option<&'z dyn Zone>,
}

enum Step {
    /// Counted from January of the year 1 BC, so that quarters, years and decades come out as
    /// those of the calendar: so many at a time, the first one so many later. Each begins so much
    /// later than its month.
    Months {
        months: i128,
        first: i128,
        later: i64,
    },
    Even {
        width: i128,
        origin: i128,
    },
}

impl<'z> Grid<'z> {
    /// Fails when the interval does not suit the key type, as one from a catalog row may.
    pub(super) fn new(
        key: KeyType,
        lattice: Lattice,
        zone: &'z dyn Zone,
    ) -> Result<Self, BoundsError> {
        let Lattice { interval, offset } = lattice;
        interval
            .check(key)
            .and_then(|()| offset.check(interval, key))
            .map_err(BoundsError::Interval)?;
        let day = i128::from(values_a_day(key));
        let (first, later) = match offset {
            PartitionOffset::None => (0, 0),
            PartitionOffset::Calendar {
                months,
                days,
                seconds,
            } => (
                months,
                i64::from(days) * values_a_day(key) + i64::from(seconds) * 1_000_000,
            ),
            PartitionOffset::Keys(keys) => (0, keys),
        };
        let even = |width, origin| Step::Even {
            width,
            origin: origin + i128::from(later),
        };
        let step = match interval {
            PartitionInterval::Months(months) => Step::Months {
                months: months.into(),
                first: first.into(),
                later,
            },
            // Weeks begin on Mondays; 2000-01-03 was one.
            PartitionInterval::Days(days) if days.is_multiple_of(7) => {
                even(i128::from(days) * day, 2 * day)
            }
            PartitionInterval::Days(days) => even(i128::from(days) * day, 0),
            PartitionInterval::Seconds(seconds) => even(i128::from(seconds) * 1_000_000, 0),
            PartitionInterval::Width(width) => even(width.into(), 0),
        };
        let zone = (key == KeyType::TimestampTz).then_some(zone);
        Ok(Self {
            key,
            lattice,
            step,
            zone,
        })
    }

    /// The number of the interval that holds a key value.
    pub(super) fn index_of(&self, value: i64) -> Result<i128, BoundsError> {
        let Some(zone) = self.zone else {
            return self.floor(value);
        };
        let shown = single(zone.to_local(&[value]))?;
        let mut index = self.floor(shown)?;
        // Where the clock shows a time twice, the interval begins at the second: an instant
        // before that belongs to the last interval that has begun.
        while shown - self.start(index) <= LONGEST_JUMP {
            match self.keys(&[self.start(index)])?.first() {
                Some(begin) if *begin > value => index -= 1,
                _ => break,
            }
        }
        Ok(index)
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
            Step::Months {
                months,
                first,
                later,
            } => month_start(self.key, index * months + first)
                .and_then(|month| month.checked_add(later)),
            Step::Even { width, origin } => i64::try_from(index * width + origin).ok(),
        }
        .unwrap_or(end_of_range)
        .clamp(smallest, largest)
    }

    /// The partitions of the intervals from one number up to, but without, another; those that
    /// hold no key are left out. They must reach from `first` to `last`.
    pub(super) fn spans(
        &self,
        begin: i128,
        end: i128,
        first: i64,
        last: i64,
    ) -> Result<Vec<Span>, BoundsError> {
        let starts: Vec<i64> = (begin..=end).map(|index| self.start(index)).collect();
        let keys = self.keys(&starts)?;
        check_order(self.key, &keys, first, last)?;
        starts
            .iter()
            .zip(keys.windows(2))
            .filter_map(|(&start, ends)| match *ends {
                [lower, upper] if lower < upper => Some((start, lower, upper)),
                _ => None,
            })
            .map(|(start, lower, upper)| {
                Ok(Span {
                    lower: RangeBound::at(self.key, lower)?,
                    upper: RangeBound::at(self.key, upper)?,
                    label: label(self.key, self.lattice, start)?,
                })
            })
            .collect()
    }

    /// The key values of ascending starts.
    fn keys(&self, starts: &[i64]) -> Result<Vec<i64>, BoundsError> {
        let Some(zone) = self.zone else {
            return Ok(starts.to_vec());
        };
        // Within a day of the calendar's ends a zone's offset would lead out of it.
        let (smallest, largest) = (self.key.smallest(), self.key.largest());
        let below = starts.partition_point(|start| *start < smallest + DAY);
        let above = starts.partition_point(|start| *start <= largest - DAY);
        let inner = starts.get(below..above).unwrap_or_default();
        let instants = instants(zone, inner).map_err(BoundsError::Zone)?;
        Ok(std::iter::repeat_n(smallest, below)
            .chain(instants)
            .chain(std::iter::repeat_n(largest, starts.len() - above))
            .collect())
    }

    fn floor(&self, start: i64) -> Result<i128, BoundsError> {
        let start = start.clamp(self.key.smallest(), self.key.largest());
        Ok(match self.step {
            Step::Months {
                months,
                first,
                later,
            } => {
                let earlier = (start - later).max(self.key.smallest());
                let date = moment(self.key, earlier)?.date();
                let month = i128::from(date.year()) * 12 + i128::from(date.month0());
                let index = (month - first).div_euclid(months);
                // At the very beginning of the calendar there is no earlier month to be found.
                index - i128::from(self.start(index) > start)
            }
            Step::Even { width, origin } => (i128::from(start) - origin).div_euclid(width),
        })
    }
}

/// No clock was ever put forward, or back, by more, in microseconds.
const LONGEST_JUMP: i64 = 2 * DAY;

/// The instants of wall-clock times: each the first from which on the clock shows no earlier one.
fn instants(zone: &dyn Zone, local: &[i64]) -> Result<Vec<i64>, ZoneError> {
    let mut instants = whole(zone.to_utc(local)?, local.len())?;
    let shown = whole(zone.to_local(&instants)?, instants.len())?;
    for ((instant, local), shown) in instants.iter_mut().zip(local).zip(shown) {
        // PostgreSQL counts a time that the clock never shows from before the jump, so that it
        // shows one later by the jump's length.
        let jump = shown - local;
        if (1..=LONGEST_JUMP).contains(&jump) {
            *instant = jump_before(zone, *instant, *local, jump)?;
        }
    }
    Ok(instants)
}

/// The moment of the jump that took the clock beyond `local`; it lies at most the jump's length
/// before `after`.
fn jump_before(zone: &dyn Zone, after: i64, local: i64, jump: i64) -> Result<i64, ZoneError> {
    // Clocks jump at whole seconds.
    const SECOND: i64 = 1_000_000;
    let begin = after - jump;
    let (mut low, mut high) = (0, jump / SECOND);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let shown = whole(zone.to_local(&[begin + middle * SECOND])?, 1)?;
        match shown.first() {
            Some(shown) if *shown >= local => high = middle,
            _ => low = middle,
        }
    }
    Ok(begin + high * SECOND)
}

/// One answer for each question.
fn whole(answers: Vec<i64>, asked: usize) -> Result<Vec<i64>, ZoneError> {
    if answers.len() == asked {
        return Ok(answers);
    }
    Err(ZoneError(format!(
        "Of {asked} wall-clock times, {} were converted.",
        answers.len()
    )))
}

fn single(answer: Result<Vec<i64>, ZoneError>) -> Result<i64, BoundsError> {
    let answers = answer.and_then(|answers| whole(answers, 1));
    Ok(answers
        .map_err(BoundsError::Zone)?
        .first()
        .copied()
        .unwrap_or_default())
}

/// Arithmetic gives bounds in order; those that went through a zone are only as good as its rules.
fn check_order(key: KeyType, keys: &[i64], first: i64, last: i64) -> Result<(), BoundsError> {
    let reaches_first = keys.first().is_some_and(|lower| *lower <= first);
    let reaches_last = keys.last().is_some_and(|upper| last < *upper) || last == key.largest();
    if keys.is_sorted() && reaches_first && reaches_last {
        return Ok(());
    }
    Err(BoundsError::Zone(ZoneError(
        "The rules of the time zone put the bounds out of order.".into(),
    )))
}
