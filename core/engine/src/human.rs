//! Quantities in words: what people read in the terminal and in the report.

/// A number of bytes: `512 B`, `4.2 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(value < 9.95 && unit > 0);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// The number of bytes that a text such as `4 GiB` or `500 MB` stands for; none if it is no such amount.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 9] = [
        ("B", 1.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
    ];
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = (trimmed[..split].trim(), &trimmed[split..]);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let amount = number.parse::<f64>().ok()? * scale;
    // At least a byte, and few enough that a double counts them exactly.
    (1.0..9e15).contains(&amount).then_some(amount as u64)
}

/// A time span: `34 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match seconds {
        s if !s.is_finite() => "?".into(),
        s if s <= 0.0 => "0 s".into(),
        s if s < 0.001 => "< 1 ms".into(),
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// A text of at most so many characters; what is cut off is an ellipsis.
#[must_use]
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// The name of a node in at most so many characters: without the names of its axes where it is too long with them, and
/// without its middle where it still is. What tells nodes of a stage apart mostly stands at the end.
#[must_use]
pub fn short_name(name: &str, most: usize) -> String {
    let long = |text: &str| text.chars().count() > most;
    if !long(name) {
        return name.to_owned();
    }
    let values = name.split_once('[').and_then(|(stage, axes)| {
        let axes = axes.strip_suffix(']')?.split(',');
        let values: Vec<&str> =
            axes.map(|axis| axis.split_once('=').map_or(axis, |(_, value)| value)).collect();
        Some(format!("{stage}[{}]", values.join(",")))
    });
    let text = values.unwrap_or_else(|| name.to_owned());
    if !long(&text) {
        return text;
    }
    let (count, tail) = (text.chars().count(), most.saturating_sub(1) / 2);
    let head = most.saturating_sub(1) - tail;
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

/// A moment, in seconds since 1970, as date and time in UTC.
#[must_use]
pub fn moment(unix: f64) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(unix);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A date and a time of day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Moment {
    /// The moment so many seconds after 1970 began.
    pub(crate) fn of(unix: f64) -> Self {
        let seconds = unix.max(0.0) as i64;
        let (year, month, day) = civil(seconds / 86_400);
        let second = seconds % 86_400;
        Self { year, month, day, hour: second / 3600, minute: second / 60 % 60, second: second % 60 }
    }
}

/// Year, month and day of a number of days since 1970 (H. Hinnant, "chrono-compatible low-level date
/// algorithms", civil_from_days).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_well() {
        let sizes: Vec<_> = [0, 512, 999, 4_200_000, 99_960_000, 1 << 40].into_iter().map(bytes).collect();
        assert_eq!(sizes, ["0 B", "512 B", "999 B", "4.2 MB", "100 MB", "1.1 TB"]);
        let spans = [0.0, 0.000_4, 0.034, 0.9996, 4.24, 12.34, 59.96, 185.0, 7800.0, f64::NAN];
        let shown: Vec<_> = spans.into_iter().map(duration).collect();
        assert_eq!(
            shown,
            [
                "0 s",
                "< 1 ms",
                "34 ms",
                "1.00 s",
                "4.24 s",
                "12.3 s",
                "1 min 00 s",
                "3 min 05 s",
                "2 h 10 min",
                "?"
            ]
        );
    }

    #[test]
    fn amounts_of_bytes_have_a_unit() {
        let parsed = ["20GB", "1.5 kB", "4 GiB", " 7 B "].map(parse_bytes);
        assert_eq!(parsed, [Some(20_000_000_000), Some(1500), Some(4 << 30), Some(7)]);
        assert_eq!(["20", "GB", "-1 GB", "0 B", "1 gb", "NaN B"].map(parse_bytes), [None; 6]);
    }

    #[test]
    fn what_tells_nodes_apart_stays_in_a_short_name() {
        let name = "train[model=fno,width=16,seed=3]";
        assert_eq!(short_name(name, 40), name);
        assert_eq!(short_name(name, 20), "train[fno,16,3]");
        assert_eq!(short_name("a_stage_of_a_long_name", 11), "a_sta…_name");
        let long = |seed: usize| short_name(&format!("train[rate=0.000123,case=\"a,b\",seed={seed}]"), 16);
        assert_eq!((long(1).as_str(), long(2).chars().count()), ("train[0.…a,b\",1]", 16));
        assert_ne!(long(1), long(2));
        assert_eq!(["é".repeat(9), String::new()].map(|name| short_name(&name, 4)), ["éé…é", ""]);
    }

    #[test]
    fn dates_are_right() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
        assert_eq!(moment(1_000_000_000.0), "2001-09-09 01:46:40 UTC");
    }
}
