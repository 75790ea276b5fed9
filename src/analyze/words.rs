//! Numbers as a person would say them.

/// A size in the unit that leaves one to four digits.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut number = bytes.max(0.0);
    let mut unit = 0;
    while number >= 1024.0 && unit < UNITS.len() - 1 {
        number /= 1024.0;
        unit += 1;
    }
    format!("{} {}", short(number), UNITS[unit])
}

/// A count, rounded.
pub fn count(count: f64) -> String {
    match count {
        n if n >= 1e9 => format!("{} billion", short(n / 1e9)),
        n if n >= 1e6 => format!("{} million", short(n / 1e6)),
        n => {
            let digits = format!("{:.0}", n.max(0.0));
            let mut text = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place) % 3 == 0 {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
    }
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 1.0 => "less than 1 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

/// A length of time.
pub fn seconds(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < 1.0 => return "less than a second".to_owned(),
        s if s < 120.0 => (s, "seconds"),
        s if s < 7_200.0 => (s / 60.0, "minutes"),
        s if s < 172_800.0 => (s / 3_600.0, "hours"),
        s if s < 730.0 * 86_400.0 => (s / 86_400.0, "days"),
        s => (s / (365.25 * 86_400.0), "years"),
    };
    format!("{number:.0} {unit}")
}

fn short(number: f64) -> String {
    match number < 9.95 && number.fract().abs() > 0.049 {
        true => format!("{number:.1}"),
        false => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(8192.0), "8 kB");
        assert_eq!(bytes(0.0), "0 bytes");
        assert_eq!(bytes(1.5 * 1024.0 * 1024.0 * 1024.0), "1.5 GB");
        assert_eq!(bytes(48.2e12), "44 TB");
        assert_eq!(count(336_776.0), "336,776");
        assert_eq!(count(12.0), "12");
        assert_eq!(count(1_500_000.0), "1.5 million");
        assert_eq!(count(2.0e9), "2 billion");
        assert_eq!(percent(0.004), "less than 1 %");
        assert_eq!(percent(0.25), "25 %");
        assert_eq!(seconds(90.0 * 86_400.0), "90 days");
        assert_eq!(seconds(0.2), "less than a second");
    }
}
