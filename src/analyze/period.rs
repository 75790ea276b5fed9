//! How wide a partition should be: a unit of the calendar, or a round number, that a person would
//! choose, such that partitions come out near the size that is aimed at.

use super::disguise::Disguise;
use super::facts::{ColumnFacts, Statistics, Thresholds};
use crate::plan::interval::{KeyType, PartitionInterval};

/// Partitions that `convert_to_partitioned` makes ahead unless it is told otherwise.
pub const PREMAKE: i64 = crate::request::PREMAKE as i64;
/// So many parts make partitioning felt: a small table is cut finer than the target would.
const FEWEST_PARTS: f64 = 12.0;
/// What is kept too long by whole partitions is at most this part of the retention.
const RETENTION_PARTS: f64 = 3.0;
const DAY: f64 = 86_400.0;
/// How much farther from the target a round unit may be than an odd one beside it.
const ODD: f64 = 1.4;

/// Units for times: as an argument, as an interval, seconds, and whether people count in it.
const UNITS: [(&str, PartitionInterval, f64, bool); 7] = [
    ("1 hour", PartitionInterval::Seconds(3_600), 3_600.0, true),
    (
        "6 hours",
        PartitionInterval::Seconds(21_600),
        21_600.0,
        false,
    ),
    ("1 day", PartitionInterval::Days(1), DAY, true),
    ("1 week", PartitionInterval::Days(7), 7.0 * DAY, false),
    ("1 month", PartitionInterval::Months(1), 30.4375 * DAY, true),
    (
        "3 months",
        PartitionInterval::Months(3),
        91.3125 * DAY,
        false,
    ),
    ("1 year", PartitionInterval::Months(12), 365.25 * DAY, true),
];

/// How the rows of a table lie along a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    pub first: i64,
    pub last: i64,
    /// Bytes of table and indexes for one step of the key, by the busier of the whole and the
    /// younger half.
    pub bytes_per_key: f64,
    /// Seconds that one step of the key stands for; `None` where it tells no time.
    pub seconds_per_key: Option<f64>,
}

impl Flow {
    /// `None` where the statistics say too little, or everything lies at one point.
    pub fn of(
        column: &ColumnFacts,
        key: KeyType,
        disguise: Option<Disguise>,
        total_bytes: f64,
    ) -> Option<Flow> {
        let statistics = column.statistics.as_ref()?;
        let (first, last) = column.range()?;
        // Without the outermost hundredths: a single row of the year 52217 must not count.
        let (low, middle, high) = (
            statistics.quantile(0.01)?,
            statistics.quantile(0.5)?,
            statistics.quantile(0.99)?,
        );
        if high <= low {
            return None;
        }
        let rate =
            |share: f64, from: i64| share * total_bytes / ((high as f64 - from as f64) + 1.0);
        Some(Flow {
            first,
            last: last.max(first),
            bytes_per_key: rate(0.98, low).max(rate(0.49, middle)),
            seconds_per_key: match key {
                KeyType::TimestampTz | KeyType::Timestamp => Some(1e-6),
                KeyType::Date => Some(DAY),
                _ => disguise.and_then(Disguise::seconds_per_step),
            },
        })
    }

    /// The same flow between the near ends of the sample. What an index says of the ends counts
    /// where it is no farther out than that.
    pub fn without_far_ends(&self, statistics: &Statistics) -> Flow {
        let (Some((first, last)), Some(low), Some(high)) = (
            statistics.near_ends(),
            statistics.quantile(0.01),
            statistics.quantile(0.99),
        ) else {
            return *self;
        };
        let span = high as f64 - low as f64;
        let end = |whole: i64, near: i64| match (whole as f64 - near as f64).abs() <= span {
            true => whole,
            false => near,
        };
        Flow {
            first: end(self.first, first),
            last: end(self.last, last),
            ..*self
        }
    }

    /// Bytes that come in a second; `None` where the key tells no time.
    pub fn bytes_per_second(&self) -> Option<f64> {
        self.seconds_per_key
            .map(|seconds| self.bytes_per_key / seconds)
    }

    /// Seconds since the last key, where that is more than a tenth of the time that the table
    /// spans: it does not grow any more.
    pub fn standstill(&self, now: Option<i64>) -> Option<f64> {
        let since = (now? as f64 - self.last as f64) * self.seconds_per_key?;
        let span = (self.last as f64 - self.first as f64) * self.seconds_per_key?;
        (since > span / 10.0).then_some(since)
    }
}

/// The width of a partition, and what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    /// As `convert_to_partitioned` takes it.
    pub argument: String,
    pub interval: PartitionInterval,
    /// What the argument means, where it does not say so itself.
    pub meaning: Option<&'static str>,
    /// Ranges from the first key to the last, or to now.
    pub ranges: i64,
    pub bytes: f64,
    /// Ranges between the last key and now, that nothing will be in.
    pub empty: i64,
    /// In keys.
    pub width: f64,
    /// The last key, or now.
    pub until: i64,
}

impl Period {
    /// Where ranges end if as many are made ahead as without a given end; for times, on a day.
    pub fn end(&self, key: KeyType) -> i64 {
        const DAY_MICROS: i64 = 86_400_000_000;
        let end = self
            .until
            .saturating_add((PREMAKE as f64 * self.width) as i64);
        match key {
            KeyType::TimestampTz | KeyType::Timestamp => end.div_euclid(DAY_MICROS) * DAY_MICROS,
            _ => end,
        }
    }
}

/// The ranges that can be made of a key, narrowest first, with their width in keys and how
/// willingly people count in them.
fn choices(
    key: KeyType,
    disguise: Option<Disguise>,
) -> Vec<(String, PartitionInterval, f64, bool, Option<&'static str>)> {
    if key.is_time() {
        let per_key = match key {
            KeyType::Date => DAY,
            _ => 1e-6,
        };
        return UNITS
            .iter()
            .filter(|(_, interval, ..)| interval.check(key).is_ok())
            .map(|(text, interval, seconds, round)| {
                (
                    (*text).to_owned(),
                    *interval,
                    seconds / per_key,
                    *round,
                    None,
                )
            })
            .collect();
    }
    let per_second = disguise.and_then(Disguise::per_second);
    let widths: Vec<(i64, bool, Option<&'static str>)> = match per_second {
        // Where years meet, 88 of a hundred months would be empty: those ranges come out small.
        None if disguise == Some(Disguise::DateNumber) => {
            vec![(100, true, Some("1 month")), (10_000, true, Some("1 year"))]
        }
        // Months have no fixed number of seconds: thirty days stand for them.
        Some(per_second) => UNITS
            .iter()
            .filter_map(|(text, _, seconds, round)| {
                let (text, days) = match *text {
                    "1 month" => ("30 days", 30.0 * DAY),
                    "3 months" => ("90 days", 90.0 * DAY),
                    "1 year" => ("360 days", 360.0 * DAY),
                    text => (text, *seconds),
                };
                let width = (days as i64).checked_mul(per_second)?;
                Some((width, *round, Some(text)))
            })
            .collect(),
        None => (3..18)
            .flat_map(|power| [1, 2, 5].map(|digit| (digit * 10i64.pow(power), digit == 1, None)))
            .collect(),
    };
    widths
        .into_iter()
        .filter(|(width, ..)| PartitionInterval::Width(*width).check(key).is_ok())
        .map(|(width, round, meaning)| {
            (
                width.to_string(),
                PartitionInterval::Width(width),
                width as f64,
                round,
                meaning,
            )
        })
        .collect()
}

/// Chooses the width; `None` where every one would make too many partitions.
pub fn choose(
    key: KeyType,
    disguise: Option<Disguise>,
    flow: &Flow,
    total_bytes: f64,
    now: Option<i64>,
    retention_seconds: Option<f64>,
    thresholds: &Thresholds,
) -> Option<Period> {
    let target = (thresholds.target_partition_bytes as f64).min(total_bytes / FEWEST_PARTS);
    let widest = retention_seconds
        .zip(flow.seconds_per_key)
        // A month is a little more than a third of 90 days, and meant by it.
        .map(|(retention, per_key)| 1.05 * retention / RETENTION_PARTS / per_key);
    let until = now.map_or(flow.last, |now| now.max(flow.last));
    let fits: Vec<(f64, f64, Period)> = choices(key, disguise)
        .into_iter()
        .filter_map(|(argument, interval, width, round, meaning)| {
            let ranges = |from: i64, to: i64| ((to as f64 - from as f64) / width).floor();
            let count = ranges(flow.first, until) + 1.0;
            (count + PREMAKE as f64 <= thresholds.max_partitions as f64).then(|| {
                let bytes = flow.bytes_per_key * width;
                let odd = if round { 1.0 } else { ODD };
                let distance = (bytes / target).ln().abs() + f64::ln(odd);
                let period = Period {
                    argument,
                    interval,
                    meaning,
                    ranges: count as i64,
                    bytes: bytes.min(total_bytes),
                    empty: ranges(flow.last, until) as i64,
                    width,
                    until,
                };
                (width, distance, period)
            })
        })
        .collect();
    let allowed = |width: f64| widest.is_none_or(|widest| width <= widest);
    let narrowest = fits.first().map(|(width, ..)| *width)?;
    fits.into_iter()
        .filter(|(width, ..)| allowed(*width) || *width == narrowest)
        .min_by(|(_, a, _), (_, b, _)| a.total_cmp(b))
        .map(|(.., period)| period)
}

#[cfg(test)]
mod tests {
    use super::super::facts::GB;
    use super::*;
    use proptest::prelude::*;

    const DAY_MICROS: i64 = 86_400_000_000;

    /// Even rows over so many days that end now.
    fn over_days(days: i64, bytes: i64, retention_days: Option<f64>) -> Option<Period> {
        let flow = Flow {
            first: -days * DAY_MICROS,
            last: 0,
            bytes_per_key: bytes as f64 / (days * DAY_MICROS) as f64,
            seconds_per_key: Some(1e-6),
        };
        choose(
            KeyType::TimestampTz,
            None,
            &flow,
            bytes as f64,
            Some(0),
            retention_days.map(|days| days * DAY),
            &Thresholds::default(),
        )
    }

    fn unit(days: i64, bytes: i64) -> String {
        over_days(days, bytes, None).unwrap().argument
    }

    #[test]
    fn units_are_those_that_a_person_would_choose() {
        assert_eq!(unit(365, 1000 * GB), "1 day");
        assert_eq!(unit(365, 250 * GB), "1 week");
        assert_eq!(unit(365, 100 * GB), "1 month");
        assert_eq!(unit(365, 12 * GB), "1 month");
        assert_eq!(unit(3650, 40 * GB), "1 year");
        assert_eq!(unit(365, GB / 20), "1 month");
        assert_eq!(unit(10, 2000 * GB), "1 hour");
        assert_eq!(unit(7, 10 * GB), "1 day");
    }

    #[test]
    fn retention_asks_for_smaller_parts() {
        let argument = |days| over_days(700, 4 * GB, Some(days)).unwrap().argument;
        assert_eq!(argument(90.0), "1 month");
        assert_eq!(argument(30.0), "1 week");
        assert_eq!(argument(7.0), "1 day");
        assert_eq!(argument(3650.0), "1 month");
    }

    #[test]
    fn a_table_that_got_no_rows_for_long_stands_still() {
        let flow = Flow {
            first: -100 * DAY_MICROS,
            last: 0,
            bytes_per_key: 1.0,
            seconds_per_key: Some(1e-6),
        };
        assert_eq!(flow.standstill(Some(5 * DAY_MICROS)), None);
        assert_eq!(flow.standstill(Some(20 * DAY_MICROS)), Some(20.0 * DAY));
        assert_eq!(flow.standstill(None), None);
    }

    #[test]
    fn there_are_never_too_many() {
        assert_eq!(unit(3650, 40_000 * GB), "1 week");
        let far = over_days(365 * 50_000, 100 * GB, None);
        assert_eq!(far, None);
    }

    #[test]
    fn integers_get_round_widths() {
        let flow = Flow {
            first: 1,
            last: 1_000_000_000,
            bytes_per_key: 200.0,
            seconds_per_key: None,
        };
        let total = 200e9;
        let choose = |key| choose(key, None, &flow, total, None, None, &Thresholds::default());
        assert_eq!(choose(KeyType::BigInt).unwrap().argument, "20000000");
        assert_eq!(choose(KeyType::Integer).unwrap().ranges, 50);
        assert_eq!(choose(KeyType::SmallInt), None);
    }

    #[test]
    fn numbers_that_are_times_get_widths_of_days() {
        let flow = Flow {
            first: 1_728_000_000,
            last: 1_728_000_000 + 365 * 86_400,
            bytes_per_key: 100.0 * GB as f64 / (365.0 * DAY),
            seconds_per_key: Some(1.0),
        };
        let period = choose(
            KeyType::BigInt,
            Some(Disguise::EpochSeconds),
            &flow,
            100.0 * GB as f64,
            None,
            None,
            &Thresholds::default(),
        )
        .unwrap();
        assert_eq!(
            (period.argument.as_str(), period.meaning),
            ("2592000", Some("30 days"))
        );
    }

    proptest! {
        /// Whatever is chosen, the conversion takes it, and it is within the limit.
        #[test]
        fn the_choice_is_legal(days in 1i64..40_000, megabytes in 1i64..100_000_000, limit in 10i64..2000) {
            let flow = Flow {
                first: -days * DAY_MICROS,
                last: 0,
                bytes_per_key: (megabytes << 20) as f64 / (days * DAY_MICROS) as f64,
                seconds_per_key: Some(1e-6),
            };
            let thresholds = Thresholds { max_partitions: limit, ..Thresholds::default() };
            if let Some(period) = choose(
                KeyType::Timestamp, None, &flow, (megabytes << 20) as f64, Some(0), None, &thresholds,
            ) {
                prop_assert!(period.interval.check(KeyType::Timestamp).is_ok());
                prop_assert!(period.ranges + PREMAKE <= limit);
                prop_assert!(period.bytes <= (megabytes << 20) as f64 * 1.001);
            }
        }
    }
}
