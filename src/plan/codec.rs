//! Ids that carry the time at which they were made, as keys of ranges.
//!
//! All else counts in times, as for timestamp with time zone: only where bounds are written and ids
//! are read a time becomes an id, and an id a time. Ids tell milliseconds.

use std::cmp::Ordering;

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    Number(i64),
    Uuid([u8; 16]),
    /// Compared byte by byte.
    Text(Vec<u8>),
}

/// How ids carry a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// UUID version 7, or a ULID in a uuid: 48 bits of milliseconds come first.
    Uuid,
    /// ULID as text: ten digits to the base 32 come first.
    Ulid,
    /// Milliseconds since an epoch, above so many bits of other things.
    Snowflake { epoch: i64, shift: u32 },
}

/// What a column's type is to a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Uuid,
    Text,
    BigInt,
}

/// Why a codec cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// There is none of that name.
    Unknown,
    /// Not for a column of this type.
    Unsuitable,
}

/// Milliseconds from 1970 to 2000, PostgreSQL's zero.
const EPOCH: i64 = 946_684_800_000;

/// So many bits of milliseconds fit into a UUID or ULID: up to the year 10889.
const LAST: i64 = (1 << 48) - 1;

/// Most bits of other things. With more, a time of today would not fit above them.
const MOST_SHIFT: u32 = 40;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_DIGITS: usize = 10;
const ULID_LENGTH: usize = 26;

impl Codec {
    /// Of that name, for a column: `uuidv7`, `ulid`, or `snowflake:epoch:shift` with the epoch in
    /// milliseconds since 1970.
    pub fn named(name: &str, carrier: Option<Carrier>) -> Result<Codec, CodecError> {
        let codec = match name {
            "uuidv7" => Codec::Uuid,
            "ulid" if carrier == Some(Carrier::Uuid) => Codec::Uuid,
            "ulid" => Codec::Ulid,
            _ => snowflake(name).ok_or(CodecError::Unknown)?,
        };
        let wanted = match codec {
            Codec::Uuid => Carrier::Uuid,
            Codec::Ulid => Carrier::Text,
            Codec::Snowflake { .. } => Carrier::BigInt,
        };
        match carrier == Some(wanted) {
            true => Ok(codec),
            false => Err(CodecError::Unsuitable),
        }
    }

    /// The smallest id of a time, in microseconds since 2000; `None` where there are no ids.
    pub fn encode(self, micros: i64) -> Option<Stored> {
        self.of_millis(micros.div_euclid(1000).checked_add(EPOCH)?)
    }

    /// The smallest id of a time, or of the one next to it that has ids.
    pub fn nearest(self, micros: i64) -> Option<Stored> {
        let (first, last) = match self {
            Codec::Uuid | Codec::Ulid => (0, LAST),
            Codec::Snowflake { epoch, shift } => {
                let ends = (i64::MIN >> shift, i64::MAX >> shift);
                (ends.0.saturating_add(epoch), ends.1.saturating_add(epoch))
            }
        };
        let millis = micros.div_euclid(1000).saturating_add(EPOCH);
        self.of_millis(millis.clamp(first, last))
    }

    fn of_millis(self, millis: i64) -> Option<Stored> {
        let carried = || (0..=LAST).contains(&millis).then(|| millis.unsigned_abs());
        Some(match self {
            Codec::Uuid => {
                let mut bytes = [0; 16];
                let time = (carried()? << 16).to_be_bytes();
                bytes.iter_mut().zip(time).for_each(|(byte, of)| *byte = of);
                Stored::Uuid(bytes)
            }
            Codec::Ulid => {
                let time = carried()?;
                let digit = |place: usize| match TIME_DIGITS.checked_sub(place + 1) {
                    Some(above) => DIGITS[(time >> (5 * above)) as usize & 31],
                    None => DIGITS[0],
                };
                Stored::Text((0..ULID_LENGTH).map(digit).collect())
            }
            Codec::Snowflake { epoch, shift } => {
                let since = millis.checked_sub(epoch)?;
                Stored::Number(since.checked_mul(1 << shift)?)
            }
        })
    }

    /// The last time whose ids all lie at or above this key, and the first whose ids do so too, in
    /// microseconds since 2000: one and the same where the key is the smallest id of a time. `None`
    /// where it is no id.
    pub fn decode(self, key: &Stored) -> Option<(i64, i64)> {
        let millis = match (self, key) {
            (Codec::Uuid, Stored::Uuid(bytes)) => bytes
                .iter()
                .take(6)
                .fold(0, |millis, byte| millis << 8 | i64::from(*byte)),
            (Codec::Ulid, Stored::Text(text)) => time_of_ulid(text)?,
            (Codec::Snowflake { epoch, shift }, Stored::Number(number)) => {
                (number >> shift).checked_add(epoch)?
            }
            _ => return None,
        };
        // Bounds that somebody else made may be cut short, or lie between two times.
        let (below, above) = match self.of_millis(millis) {
            Some(smallest) => match compare(&smallest, key)? {
                Ordering::Less => (millis, millis + 1),
                Ordering::Equal => (millis, millis),
                Ordering::Greater => (millis - 1, millis),
            },
            None => (millis, millis.checked_add(1)?),
        };
        let micros = |millis: i64| millis.checked_sub(EPOCH)?.checked_mul(1000);
        Some((micros(below)?, micros(above)?))
    }

    /// A key as PostgreSQL writes it.
    pub fn read(self, text: &str) -> Option<Stored> {
        Some(match self {
            Codec::Uuid => {
                let digits: String = text.chars().filter(|digit| *digit != '-').collect();
                let number = u128::from_str_radix(&digits, 16).ok()?;
                Stored::Uuid(number.to_be_bytes())
            }
            Codec::Ulid => Stored::Text(text.into()),
            Codec::Snowflake { .. } => Stored::Number(text.parse().ok()?),
        })
    }
}

impl Stored {
    /// What goes between the quotes of a literal; `None` for a text that is not of ASCII.
    pub fn literal(&self) -> Option<String> {
        match self {
            Stored::Number(number) => Some(number.to_string()),
            Stored::Uuid(bytes) => {
                let number = u128::from_be_bytes(*bytes);
                Some(format!(
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    number >> 96,
                    number >> 80 & 0xffff,
                    number >> 64 & 0xffff,
                    number >> 48 & 0xffff,
                    number & 0xffff_ffff_ffff
                ))
            }
            Stored::Text(bytes) => bytes
                .is_ascii()
                .then(|| String::from_utf8_lossy(bytes).into_owned()),
        }
    }
}

fn snowflake(name: &str) -> Option<Codec> {
    let (epoch, shift) = name.strip_prefix("snowflake:")?.split_once(':')?;
    let (epoch, shift) = (epoch.parse().ok()?, shift.parse().ok()?);
    let is_sane = (-LAST..=LAST).contains(&epoch) && (1..=MOST_SHIFT).contains(&shift);
    is_sane.then_some(Codec::Snowflake { epoch, shift })
}

/// Digits that are left out count as the smallest.
fn time_of_ulid(text: &[u8]) -> Option<i64> {
    let value = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let digits: Option<Vec<usize>> = text.iter().take(TIME_DIGITS).map(value).collect();
    let mut digits = digits.filter(|digits| !digits.is_empty())?;
    digits.resize(TIME_DIGITS, 0);
    Some(
        digits
            .into_iter()
            .fold(0, |millis, digit| millis << 5 | digit as i64),
    )
}

/// As PostgreSQL compares them; `None` for keys of different kinds.
fn compare(one: &Stored, other: &Stored) -> Option<Ordering> {
    match (one, other) {
        (Stored::Number(one), Stored::Number(other)) => Some(one.cmp(other)),
        (Stored::Uuid(one), Stored::Uuid(other)) => Some(one.cmp(other)),
        (Stored::Text(one), Stored::Text(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWITTER: Codec = Codec::Snowflake {
        epoch: 1_288_834_974_657,
        shift: 22,
    };

    fn micros(millis: i64) -> i64 {
        (millis - EPOCH) * 1000
    }

    /// Ids as they are in the documents of those who invented them.
    #[test]
    fn ids_that_are_known_tell_their_time() {
        let time = |codec: Codec, id| {
            let (below, _) = codec.decode(&codec.read(id).unwrap()).unwrap();
            below / 1000 + EPOCH
        };
        // RFC 9562, A.6: 22 February 2022, 19:22:22 UTC.
        let uuid = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        assert_eq!(time(Codec::Uuid, uuid), 1_645_557_742_000);
        // The specification of ULID.
        assert_eq!(
            time(Codec::Ulid, "01ARYZ6S41TSV4RRFFQ69G5FAV"),
            1_469_918_176_385
        );
        // Wikipedia, of snowflakes: 28 June 2022, 16:07:40.105 UTC.
        assert_eq!(time(TWITTER, "1541815603606036480"), 1_656_432_460_105);
    }

    #[test]
    fn bounds_are_the_smallest_ids() {
        let at = micros(1_645_557_742_000);
        let literal = |codec: Codec| codec.encode(at).unwrap().literal().unwrap();
        assert_eq!(literal(Codec::Uuid), "017f22e2-79b0-0000-0000-000000000000");
        assert_eq!(literal(Codec::Ulid), "01FWHE4YDG0000000000000000");
        assert_eq!(
            literal(TWITTER),
            ((1_645_557_742_000_i64 - 1_288_834_974_657) << 22).to_string()
        );
        // Before 1970, and after 10889.
        assert_eq!(Codec::Uuid.encode(micros(-1)), None);
        assert_eq!(Codec::Ulid.encode(micros(LAST + 1)), None);
        assert_eq!(TWITTER.encode(i64::MAX), None);
    }

    #[test]
    fn bounds_between_two_times_are_told_from_both_sides() {
        let ulid = |text: &str| Codec::Ulid.decode(&Stored::Text(text.into()));
        let at = micros(1 << 40);
        assert_eq!(ulid("0100000000"), Some((at - 1000, at)));
        assert_eq!(ulid("01"), Some((at - 1000, at)));
        assert_eq!(ulid("01000000000000000000000000"), Some((at, at)));
        assert_eq!(ulid("01000000000000000000000001"), Some((at, at + 1000)));
        for text in ["", "01arz3ndek", "O1", "hello", "0Ü"] {
            assert_eq!(ulid(text), None, "{text}");
        }
        let number = |number| TWITTER.decode(&Stored::Number(number)).unwrap();
        let at = micros(1_288_834_974_657);
        assert_eq!(number(0), (at, at));
        assert_eq!(number(1), (at, at + 1000));
        assert_eq!(number(-1), (at - 1000, at));
        assert_eq!(TWITTER.decode(&Stored::Uuid([0; 16])), None);
    }

    #[test]
    fn names_say_for_which_columns() {
        use Carrier::*;
        let named = |name, carrier| Codec::named(name, Some(carrier));
        assert_eq!(named("uuidv7", Uuid), Ok(Codec::Uuid));
        assert_eq!(named("ulid", Uuid), Ok(Codec::Uuid));
        assert_eq!(named("ulid", Text), Ok(Codec::Ulid));
        assert_eq!(named("snowflake:1288834974657:22", BigInt), Ok(TWITTER));
        assert_eq!(named("uuidv7", Text), Err(CodecError::Unsuitable));
        assert_eq!(named("ulid", BigInt), Err(CodecError::Unsuitable));
        assert_eq!(named("snowflake:0:22", Uuid), Err(CodecError::Unsuitable));
        assert_eq!(Codec::named("ulid", None), Err(CodecError::Unsuitable));
        for name in [
            "",
            "UUIDv7",
            "snowflake",
            "snowflake:0",
            "snowflake:0:0",
            "snowflake:0:41",
            "snowflake:x:22",
            "snowflake:0:22:1",
        ] {
            assert_eq!(named(name, BigInt), Err(CodecError::Unknown), "{name}");
        }
    }

    fn any_codec() -> impl Strategy<Value = Codec> {
        prop_oneof![
            Just(Codec::Uuid),
            Just(Codec::Ulid),
            (0..2_000_000_000_000_i64, 1..20_u32)
                .prop_map(|(epoch, shift)| Codec::Snowflake { epoch, shift }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_time_comes_back(codec in any_codec(), millis in 0..=LAST >> 5) {
            let id = codec.encode(micros(millis)).unwrap();
            prop_assert_eq!(codec.decode(&id), Some((micros(millis), micros(millis))));
            let written = id.literal().unwrap();
            prop_assert_eq!(codec.read(&written), Some(id));
        }

        #[test]
        fn each_time_has_an_id_nearby(codec in any_codec(), micros in any::<i64>(), millis in 0..=LAST >> 5) {
            let (near, id) = (codec.nearest(micros).unwrap(), codec.encode(super::tests::micros(millis)).unwrap());
            prop_assert_ne!(compare(&near, &id), Some(micros.cmp(&super::tests::micros(millis)).reverse()).filter(|order| order.is_ne()));
        }

        #[test]
        fn ids_are_in_the_order_of_times(
            codec in any_codec(),
            one in 0..=LAST >> 5,
            other in 0..=LAST >> 5,
        ) {
            let id = |millis| codec.encode(micros(millis)).unwrap();
            prop_assert_eq!(compare(&id(one), &id(other)), Some(one.cmp(&other)));
        }

        /// Whatever an id carries besides, it lies between the bounds of its millisecond and the next.
        #[test]
        fn an_id_lies_within_its_time(codec in any_codec(), millis in 0..=LAST >> 5, rest in 1..u64::MAX) {
            let (bound, next) = (codec.encode(micros(millis)).unwrap(), codec.encode(micros(millis + 1)).unwrap());
            let id = match bound.clone() {
                Stored::Uuid(mut bytes) => {
                    bytes[8..].copy_from_slice(&rest.to_be_bytes());
                    Stored::Uuid(bytes)
                }
                Stored::Text(mut text) => {
                    let digit = |place: usize| DIGITS[(rest >> (4 * place)) as usize & 31];
                    (10..26).for_each(|place| text[place] = digit(place - 10));
                    Stored::Text(text)
                }
                Stored::Number(number) => {
                    let Codec::Snowflake { shift, .. } = codec else { unreachable!() };
                    Stored::Number(number + (rest & ((1 << shift) - 1)) as i64)
                }
            };
            prop_assert_ne!(compare(&bound, &id), Some(Ordering::Greater));
            prop_assert_eq!(compare(&id, &next), Some(Ordering::Less));
            let (below, above) = codec.decode(&id).unwrap();
            prop_assert_eq!(below, micros(millis));
            prop_assert!(above == below || above == below + 1000);
        }
    }
}
