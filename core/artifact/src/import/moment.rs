//! Moments as texts: ISO 8601.

/// What the numbers count, for people.
pub(super) const SINCE: &str = "Seconds since 1970-01-01 00:00 UTC";

/// Seconds since 1970-01-01 00:00 UTC of a date (`2020-02-29`), or of a date and a time (`2020-02-29T12:30:05.5Z`,
/// `2020-02-29 12:30+01:00`). A time without a zone is taken as UTC.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let mut next = |digits: usize| whole(parts.next()?, digits);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day) as f64 * 86_400.0;
    if rest.is_empty() {
        return Some(midnight);
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let (clock, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (whole(parts.next()?, 2)?, whole(parts.next()?, 2)?);
    let second: f64 = match parts.next() {
        Some(part) if part.starts_with(|c: char| c.is_ascii_digit()) => part.parse().ok()?,
        Some(_) => return None,
        None => 0.0,
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || !(0.0..61.0).contains(&second) {
        return None;
    }
    let east = match zone.split_at_checked(1) {
        None | Some(("Z", "")) => 0,
        Some((sign, offset)) => {
            let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
            let offset = whole(hours, 2)? * 60 + whole(minutes, 2)?;
            if sign == "-" { -offset } else { offset }
        }
    };
    Some(midnight + ((hour * 60 + minute - east) * 60) as f64 + second)
}

fn whole(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, years from 0 on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = |year: i64| year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let months: i64 = (1..month).map(|month| length(year, month)).sum();
    before(year) - before(1970) + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds() {
        // Numbers of POSIX `date -u -d … +%s`.
        for (text, expected) in [
            ("1970-01-01", 0.0),
            ("2000-02-29", 951_782_400.0),
            ("2020-12-31T23:59:59Z", 1_609_459_199.0),
            ("1969-12-31 23:59", -60.0),
            ("2024-03-01T01:30:00.25+02:00", 1_709_249_400.25),
            ("1900-03-01", -2_203_891_200.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["2021-02-29", "2020-13-01", "20-01-01", "2020-01-01T", "2020-01-01 24:00", "2020-01-01x"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
