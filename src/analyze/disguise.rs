//! Times in disguise: ids and numbers that begin with the moment at which they were made.

use chrono::{Datelike, NaiveDate};

/// Microseconds since 2000-01-01 of the year 2000, and of the year 2100: what a clock may say.
const PLAUSIBLE_MILLIS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;
/// Below it a sample says nothing.
const FEWEST: usize = 10;

/// A way to keep a time in a value of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disguise {
    UuidV7,
    Ulid,
    /// Milliseconds above 22 bits of machine and sequence, counted from this moment (Unix milliseconds).
    Snowflake(i64),
    EpochSeconds,
    EpochMillis,
    EpochMicros,
    /// 20240131.
    DateNumber,
    /// 2024-01-31, and whatever follows.
    IsoText,
}

impl Disguise {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Disguise::UuidV7 => "UUIDs of version 7",
            Disguise::Ulid => "ULIDs",
            Disguise::Snowflake(_) => "snowflake ids",
            Disguise::EpochSeconds => "seconds since 1970",
            Disguise::EpochMillis => "milliseconds since 1970",
            Disguise::EpochMicros => "microseconds since 1970",
            Disguise::DateNumber => "dates written as numbers",
            Disguise::IsoText => "times written as text",
        }
    }

    /// How many seconds there are from one integer to the next, on average; `None` where the value
    /// is no integer.
    pub fn seconds_per_step(self) -> Option<f64> {
        match self {
            Disguise::DateNumber => Some(365.25 * 86_400.0 / 10_000.0),
            other => other.per_second().map(|steps| 1.0 / steps as f64),
        }
    }

    /// How many integers make a second; `None` where the value is no integer, or they go with the
    /// calendar.
    pub fn per_second(self) -> Option<i64> {
        match self {
            Disguise::UuidV7 | Disguise::Ulid | Disguise::IsoText | Disguise::DateNumber => None,
            Disguise::Snowflake(_) => Some(1000 << 22),
            Disguise::EpochSeconds => Some(1),
            Disguise::EpochMillis => Some(1000),
            Disguise::EpochMicros => Some(1_000_000),
        }
    }
}

/// What texts, of columns of type uuid or text, are.
pub fn of_texts(samples: &[String]) -> Option<Disguise> {
    if samples.len() < FEWEST {
        return None;
    }
    [
        (Disguise::UuidV7, uuid_v7_millis as fn(&str) -> Option<i64>),
        (Disguise::Ulid, ulid_millis),
        (Disguise::IsoText, iso_millis),
    ]
    .into_iter()
    .find(|(_, millis)| {
        samples
            .iter()
            .all(|text| millis(text).is_some_and(|at| PLAUSIBLE_MILLIS.contains(&at)))
    })
    .map(|(disguise, _)| disguise)
}

/// What integers are. `distinct_share` is how many of them differ: ids do, all of them.
pub fn of_integers(samples: &[i64], now_millis: i64, distinct_share: f64) -> Option<Disguise> {
    if samples.len() < FEWEST {
        return None;
    }
    let (first, last) = (*samples.iter().min()?, *samples.iter().max()?);
    // Ten years back, and a day ahead: an ordinary counter is hardly ever there.
    const DECADE: i64 = 10 * 366 * 86_400_000;
    let recent =
        |first: i64, last: i64| first > now_millis - DECADE && last < now_millis + 86_400_000;
    for (disguise, unit) in [
        (Disguise::EpochSeconds, 1000.0),
        (Disguise::EpochMillis, 1.0),
        (Disguise::EpochMicros, 0.001),
    ] {
        if recent((first as f64 * unit) as i64, (last as f64 * unit) as i64) {
            return Some(disguise);
        }
    }
    if samples
        .iter()
        .all(|number| date_of(number / 10_000, number / 100 % 100, number % 100).is_some())
    {
        return Some(Disguise::DateNumber);
    }
    // Twitter's, Discord's, and the Unix epoch. Ids of one moment differ in the lower bits.
    let scattered = distinct_share > 0.9
        && samples
            .windows(2)
            .any(|pair| pair[0] >> 22 != pair[1] >> 22);
    [1_288_834_974_657, 1_420_070_400_000, 0]
        .into_iter()
        .find(|epoch| {
            scattered && first > 1 << 50 && recent((first >> 22) + epoch, (last >> 22) + epoch)
        })
        .map(Disguise::Snowflake)
}

/// The milliseconds in a UUID, if it is of version 7.
fn uuid_v7_millis(text: &str) -> Option<i64> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_v7 = digits.len() == 32
        && digits.is_ascii()
        && digits.as_bytes()[12] == b'7'
        && matches!(
            digits.as_bytes()[16],
            b'8' | b'9' | b'a' | b'b' | b'A' | b'B'
        );
    match is_v7 {
        true => i64::from_str_radix(&digits[..12], 16).ok(),
        false => None,
    }
}

/// The milliseconds in a ULID: ten digits to the base 32 of Crockford.
fn ulid_millis(text: &str) -> Option<i64> {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let text = text.trim_end();
    let digits: Option<Vec<i64>> = text
        .bytes()
        .map(|byte| {
            let place = DIGITS
                .iter()
                .position(|digit| *digit == byte.to_ascii_uppercase())?;
            i64::try_from(place).ok()
        })
        .collect();
    let digits = digits.filter(|digits| digits.len() == 26 && digits[0] < 8)?;
    Some(digits[..10].iter().fold(0, |sum, digit| sum * 32 + digit))
}

/// The milliseconds of a date that a text begins with.
fn iso_millis(text: &str) -> Option<i64> {
    let head = text.get(..10)?;
    let number = |from: usize, to: usize| {
        let digits = &head.as_bytes()[from..to];
        digits.iter().all(u8::is_ascii_digit).then(|| {
            digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let dashes = head.as_bytes()[4] == b'-' && head.as_bytes()[7] == b'-';
    let date = date_of(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let midnight = date.and_hms_opt(0, 0, 0)?.and_utc();
    dashes.then(|| midnight.timestamp_millis())
}

/// A date of a time in which there were, or will be, databases.
fn date_of(year: i64, month: i64, day: i64) -> Option<NaiveDate> {
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    );
    date.filter(|date| (1900..2100).contains(&date.year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000;

    fn uuids(version: char) -> Vec<String> {
        (0..20i64)
            .map(|n| {
                let hex = format!("{:012x}", NOW - n * 86_400_000);
                format!("{}-{}-{version}abc-8def-0123456789ab", &hex[..8], &hex[8..])
            })
            .collect()
    }

    #[test]
    fn uuids_of_version_7_hold_a_time() {
        assert_eq!(of_texts(&uuids('7')), Some(Disguise::UuidV7));
        assert_eq!(of_texts(&uuids('4')), None);
        assert_eq!(of_texts(&uuids('7')[..5]), None);
        let mut mixed = uuids('7');
        mixed.push("ffffffff-ffff-7fff-8fff-ffffffffffff".into());
        assert_eq!(of_texts(&mixed), None);
        assert_eq!(of_texts(&vec!["ä".repeat(16); 12]), None);
    }

    #[test]
    fn ulids_hold_a_time() {
        let ulids = vec!["01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(); 12];
        assert_eq!(ulid_millis(&ulids[0]), Some(1_469_922_850_259));
        assert_eq!(of_texts(&ulids), Some(Disguise::Ulid));
        assert_eq!(
            of_texts(&vec!["01ARZ3NDEKTSV4RRFFQ69G5FAU".to_owned(); 12]),
            None
        );
        assert_eq!(
            of_texts(&vec!["customer-0000000000000000a".to_owned(); 12]),
            None
        );
    }

    #[test]
    fn dates_are_known_as_numbers_and_as_text() {
        let days: Vec<i64> = (1..=12).map(|month| 20_240_015 + month * 100).collect();
        assert_eq!(of_integers(&days, NOW, 0.1), Some(Disguise::DateNumber));
        let counted: Vec<i64> = (0..20).map(|n| 20_240_101 + n * 7).collect();
        assert_eq!(of_integers(&counted, NOW, 1.0), None);
        let texts = |text: &str| vec![text.to_owned(); 12];
        assert_eq!(
            of_texts(&texts("2024-01-31T10:00:00Z")),
            Some(Disguise::IsoText)
        );
        assert_eq!(of_texts(&texts("2024-01-31")), Some(Disguise::IsoText));
        assert_eq!(of_texts(&texts("2024-13-31")), None);
        assert_eq!(of_texts(&texts("2024/01/31 ")), None);
        assert_eq!(of_texts(&texts("ääääääääää")), None);
    }

    #[test]
    fn integers_that_are_times_are_told_from_counters() {
        let every = |first: i64, step: i64| (0..20).map(|n| first + n * step).collect::<Vec<_>>();
        let day = 86_400;
        assert_eq!(
            of_integers(&every(NOW / 1000 - 30 * day, day), NOW, 1.0),
            Some(Disguise::EpochSeconds)
        );
        assert_eq!(
            of_integers(&every(NOW - 30 * day * 1000, day * 1000), NOW, 1.0),
            Some(Disguise::EpochMillis)
        );
        assert_eq!(
            of_integers(
                &every((NOW - 30 * day * 1000) * 1000, day * 1_000_000),
                NOW,
                1.0
            ),
            Some(Disguise::EpochMicros)
        );
        let twitter = every(
            (NOW - 30 * day * 1000 - 1_288_834_974_657) << 22,
            (day * 1000) << 22,
        );
        assert_eq!(
            of_integers(&twitter, NOW, 1.0),
            Some(Disguise::Snowflake(1_288_834_974_657))
        );
        assert_eq!(of_integers(&every(1, 1_000_000), NOW, 1.0), None);
        assert_eq!(
            of_integers(&every(1_000_000_000_000_000_000, 1), NOW, 1.0),
            None
        );
    }
}
