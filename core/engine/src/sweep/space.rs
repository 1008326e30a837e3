//! What is varied: dimensions, each a setting with a range of values or a list of them.

use std::fmt;

use flow_artifact::units::{self, Unit};

use super::tpe::Axis;

/// A setting and the values that it may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// What is set: a parameter, or `STAGE.with.NAME`.
    pub name: String,
    values: Values,
}

/// The values of a setting.
#[derive(Clone, Debug, PartialEq)]
enum Values {
    /// Real numbers of a range.
    Real { low: f64, high: f64, log: bool, unit: String },
    /// Whole numbers of a range, both ends among them.
    Whole { low: i64, high: i64, log: bool, unit: String },
    /// These, as they are written. Numbers in order are near each other.
    Listed { values: Vec<String>, ordered: bool },
}

/// Something that cannot be varied as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub hint: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.hint)
    }
}

impl std::error::Error for Unreadable {}

const FORMS: &str = "write `NAME=LOW..HIGH`, `NAME=LOW..HIGH:log`, `NAME=LOW..HIGH:COUNT` or `NAME=A,B,C`";

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Unreadable {
    Unreadable { message: message.into(), hint: hint.into() }
}

impl Dimension {
    /// Reads `NAME=LOW..HIGH[:log][:COUNT]`, with a unit behind the numbers if there is one, or `NAME=A,B,C`.
    ///
    /// # Errors
    /// When it follows neither form, or there is nothing to choose from.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let Some((name, written)) = text.split_once('=') else {
            return Err(wrong(format!("`{text}` does not say which values"), FORMS));
        };
        let (name, written) = (name.trim().to_owned(), written.trim());
        let items = items(written);
        let begins_a_number = written
            .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && !written.starts_with("..");
        let values = match (items.as_slice(), written.split_once("..")) {
            ([_], Some((low, rest))) if begins_a_number => range(&name, low, rest)?,
            ([_], _) => {
                let hint = format!("give several, or a range; `--set {name}={written}` sets one value");
                return Err(wrong(format!("`{name}` has one value only"), hint));
            }
            (items, _) => listed(&name, items)?,
        };
        Ok(Self { name, values })
    }

    /// How many values there are, if they can be counted.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        match &self.values {
            Values::Real { .. } => None,
            Values::Whole { low, high, .. } => usize::try_from(high - low).ok()?.checked_add(1),
            Values::Listed { values, .. } => Some(values.len()),
        }
    }

    /// The values of a grid.
    ///
    /// # Errors
    /// When the range does not say how many it should have.
    pub(super) fn grid(&self) -> Result<usize, Unreadable> {
        match (&self.values, self.count()) {
            (Values::Whole { log: false, .. } | Values::Listed { .. }, Some(count)) => Ok(count),
            _ => Err(wrong(
                format!("a grid needs to know how many values of `{}` to take", self.name),
                "write how many behind the range: `LOW..HIGH:5`, `LOW..HIGH:log:5`",
            )),
        }
    }

    pub(super) fn axis(&self) -> Axis {
        match &self.values {
            Values::Listed { values, ordered: false } => Axis::Choice(values.len()),
            _ => Axis::Numeric,
        }
    }

    /// The value at a place between 0 and 1, as it is set.
    pub(super) fn value(&self, place: f64) -> String {
        let with_unit = |number: String, unit: &str| match unit {
            "" => number,
            unit => format!("{number} {unit}"),
        };
        match &self.values {
            Values::Real { low, high, log, unit } => with_unit(number(real(*low, *high, *log, place)), unit),
            Values::Whole { low, high, log, unit } => {
                with_unit(whole(*low, *high, *log, place).to_string(), unit)
            }
            Values::Listed { values, .. } => values[cell(place, values.len())].clone(),
        }
    }

    /// The place that stands for all that have the same value, as far as values are cells.
    pub(super) fn snap(&self, place: f64) -> f64 {
        let middle = |cell: usize, count: usize| (cell as f64 + 0.5) / count as f64;
        match (&self.values, self.count()) {
            (Values::Whole { low, high, log: true, .. }, _) => {
                let value = whole(*low, *high, true, place) as f64;
                let (start, end) = (libm::log(*low as f64), libm::log(*high as f64 + 1.0));
                (libm::log(value + 0.5) - start) / (end - start)
            }
            (Values::Whole { .. } | Values::Listed { .. }, Some(count)) => middle(cell(place, count), count),
            _ => place,
        }
    }
}

impl fmt::Display for Dimension {
    /// The values in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = |unit: &str| if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let logarithmic = |log: bool| if log { ", logarithmic" } else { "" };
        match &self.values {
            Values::Real { low, high, log, unit } => {
                write!(f, "{} to {}{}{}", number(*low), number(*high), space(unit), logarithmic(*log))
            }
            Values::Whole { low, high, log, unit } => {
                write!(f, "whole numbers, {low} to {high}{}{}", space(unit), logarithmic(*log))
            }
            Values::Listed { values, .. } => f.write_str(&values.join(", ")),
        }
    }
}

/// Splits at commas that are not inside brackets or quotes.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                items.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(text[start..].trim());
    items
}

fn listed(name: &str, items: &[&str]) -> Result<Values, Unreadable> {
    if items.contains(&"") {
        return Err(wrong(format!("one of the values of `{name}` is empty"), FORMS));
    }
    if let Some((at, twice)) = items.iter().enumerate().find(|(at, item)| items[..*at].contains(item)) {
        return Err(wrong(
            format!("`{name}` has the value {twice} twice"),
            format!("leave value {} out", at + 1),
        ));
    }
    let numbers: Option<Vec<f64>> = items.iter().map(|item| item.parse().ok()).collect();
    let ordered = numbers.is_some_and(|numbers| numbers.is_sorted());
    Ok(Values::Listed { values: items.iter().map(|item| (*item).to_owned()).collect(), ordered })
}

fn range(name: &str, low: &str, rest: &str) -> Result<Values, Unreadable> {
    let mut parts = rest.split(':').map(str::trim);
    let high = parts.next().unwrap_or_default();
    let (mut log, mut count) = (false, None);
    for part in parts {
        match part.parse::<usize>() {
            _ if part == "log" && !log => log = true,
            Ok(points) if points >= 2 && count.is_none() => count = Some(points),
            Ok(_) if count.is_none() => {
                return Err(wrong(format!("`{name}` has fewer than 2 values"), "`--set` sets one value"));
            }
            _ => {
                return Err(wrong(
                    format!("`:{part}` behind the range of `{name}` is not understood"),
                    FORMS,
                ));
            }
        }
    }
    let (low, high) = (quantity(name, low)?, quantity(name, high)?);
    let unit = high.1.to_owned();
    let whole = low.2.zip(high.2).filter(|_| low.1.is_empty() || low.1 == high.1);
    let start = match (low.1, high.1) {
        ("", _) => low.0,
        (own, wanted) if own == wanted => low.0,
        (own, wanted) => units::convert(&format!("{} {own}", low.0), wanted).map_err(|error| {
            wrong(format!("the ends of `{name}` do not fit: {error}"), "write the unit once, at the end")
        })?,
    };
    let end = high.0;
    if start >= end {
        let hint = "write the smaller number first";
        return Err(wrong(format!("the range of `{name}` is empty"), hint));
    }
    if log && start <= 0.0 {
        let hint = "a logarithmic range starts above 0";
        return Err(wrong(format!("`{name}` cannot be varied logarithmically from {start}"), hint));
    }
    if let Some((low, high)) = whole {
        let values = Values::Whole { low, high, log, unit: unit.clone() };
        return Ok(match count {
            None => values,
            Some(points) => {
                // Fewer than asked for where numbers are as near as they can be.
                let mut numbers: Vec<i64> =
                    (0..points).map(|at| between(start, end, log, at, points).round() as i64).collect();
                numbers.dedup();
                spelt(numbers.into_iter().map(|number| number.to_string()), &unit)
            }
        });
    }
    Ok(match count {
        None => Values::Real { low: start, high: end, log, unit },
        Some(points) => {
            let numbers =
                (0..points).map(|at| rounded(start, end, log, between(start, end, log, at, points)));
            spelt(numbers.map(number), &unit)
        }
    })
}

fn spelt(numbers: impl Iterator<Item = String>, unit: &str) -> Values {
    let values = numbers.map(|number| if unit.is_empty() { number } else { format!("{number} {unit}") });
    Values::Listed { values: values.collect(), ordered: true }
}

/// A number, its unit, and the number as a whole one if it is written as such.
fn quantity<'t>(name: &str, text: &'t str) -> Result<(f64, &'t str, Option<i64>), Unreadable> {
    let text = text.trim();
    // The longest beginning that is a number: `3e` of `3eV` is none.
    let split = (1..=text.len())
        .rev()
        .filter(|end| text.is_char_boundary(*end) && !text[..*end].ends_with(char::is_alphabetic))
        .find(|end| text[..*end].trim_end().parse::<f64>().is_ok());
    let Some(split) = split else {
        return Err(wrong(format!("`{text}` in the range of `{name}` is not a number"), FORMS));
    };
    let (digits, unit) = (text[..split].trim(), text[split..].trim());
    if !unit.is_empty()
        && let Err(error) = Unit::parse(unit)
    {
        return Err(wrong(
            format!("in the range of `{name}` {error}"),
            "write a number, or a number and a unit",
        ));
    }
    let number: f64 = digits.parse().unwrap_or(f64::NAN);
    if !number.is_finite() {
        return Err(wrong(format!("`{text}` in the range of `{name}` is not finite"), FORMS));
    }
    // Whole numbers are kept where doubles are exact.
    const EXACT: i64 = 1 << 53;
    let whole = digits.parse::<i64>().ok().filter(|whole| (-EXACT..=EXACT).contains(whole));
    Ok((number, unit, whole))
}

fn cell(place: f64, count: usize) -> usize {
    ((place * count as f64) as usize).min(count.saturating_sub(1))
}

/// The number at a part of the way from one end to the other.
fn along(low: f64, high: f64, log: bool, part: f64) -> f64 {
    if log { low * libm::pow(high / low, part) } else { low + part * (high - low) }
}

fn between(low: f64, high: f64, log: bool, at: usize, points: usize) -> f64 {
    along(low, high, log, at as f64 / (points - 1) as f64)
}

fn real(low: f64, high: f64, log: bool, place: f64) -> f64 {
    rounded(low, high, log, along(low, high, log, place))
}

fn whole(low: i64, high: i64, log: bool, place: f64) -> i64 {
    let value = along(low as f64, high as f64 + 1.0, log, place);
    (value.floor() as i64).clamp(low, high)
}

/// To six digits (of the range, unless it is logarithmic): as exact as anybody tunes, and fit to be typed.
fn rounded(low: f64, high: f64, log: bool, value: f64) -> f64 {
    const DIGITS: i32 = 5;
    let text = if log {
        format!("{value:.5e}")
    } else {
        let digits = DIGITS - libm::log10(high - low).floor() as i32;
        match usize::try_from(digits) {
            Ok(digits) => format!("{value:.digits$}"),
            Err(_) => {
                let step = libm::pow(10.0, f64::from(-digits));
                format!("{}", (value / step).round() * step)
            }
        }
    };
    text.parse().unwrap_or(value).clamp(low, high)
}

/// A number as short as can be.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str, places: &[f64]) -> Vec<String> {
        let dimension = Dimension::parse(text).unwrap();
        places.iter().map(|place| dimension.value(*place)).collect()
    }

    #[test]
    fn ranges_and_lists_are_read() {
        let cases: [(&str, &str, [&str; 3]); 11] = [
            ("lr=1e-4..1e-2:log", "1e-4 to 0.01, logarithmic", ["1e-4", "0.001", "0.0099954"]),
            ("x=0.0..1", "0 to 1", ["0", "0.5", "0.9999"]),
            ("n=0..1", "whole numbers, 0 to 1", ["0", "1", "1"]),
            ("n=-3..3", "whole numbers, -3 to 3", ["-3", "0", "3"]),
            ("n=1..100:log", "whole numbers, 1 to 100, logarithmic", ["1", "10", "100"]),
            ("n=16..64:4", "16, 32, 48, 64", ["16", "48", "64"]),
            ("lr=1e-4..1e-2:log:3", "1e-4, 0.001, 0.01", ["1e-4", "0.001", "0.01"]),
            ("r=1.5..3.5 km", "1.5 to 3.5 km", ["1.5 km", "2.5 km", "3.4998 km"]),
            ("r=500 m..2.5 km:log", "0.5 to 2.5 km, logarithmic", ["0.5 km", "1.11803 km", "2.4996 km"]),
            ("t=1..3 h", "whole numbers, 1 to 3 h", ["1 h", "2 h", "3 h"]),
            ("m=[4, 4], {a: 1},'x, y'", "[4, 4], {a: 1}, 'x, y'", ["[4, 4]", "{a: 1}", "'x, y'"]),
        ];
        for (text, shown, at) in cases {
            assert_eq!(Dimension::parse(text).unwrap().to_string(), shown, "{text}");
            assert_eq!(values(text, &[0.0, 0.5, 0.9999]), at, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_varied_is_refused() {
        for (text, message) in [
            ("lr", "`lr` does not say which values"),
            ("lr=0.1", "`lr` has one value only"),
            ("lr=1..x", "`x` in the range of `lr` is not a number"),
            ("lr=1..1e999", "`1e999` in the range of `lr` is not finite"),
            ("lr=2..1", "the range of `lr` is empty"),
            ("lr=0..1:log", "`lr` cannot be varied logarithmically from 0"),
            ("lr=1..2:lin", "`:lin` behind the range of `lr` is not understood"),
            ("lr=1..2:1", "`lr` has fewer than 2 values"),
            ("r=1 s..2 km", "the ends of `r` do not fit: `1 s` and `km` measure different things"),
            ("r=1..2 furlong", "in the range of `r` `furlong` is not a unit"),
            ("k=a,b,a", "`k` has the value a twice"),
            ("k=a,,b", "one of the values of `k` is empty"),
        ] {
            assert_eq!(Dimension::parse(text).unwrap_err().message, message);
        }
        let grid = |text: &str| Dimension::parse(text).unwrap().grid().map_err(|error| error.message);
        assert_eq!((grid("n=1..5"), grid("x=0.0..1:4"), grid("k=a,b")), (Ok(5), Ok(4), Ok(2)));
        assert_eq!(grid("x=0.0..1").unwrap_err(), "a grid needs to know how many values of `x` to take");
        assert!(grid("n=1..9:log").is_err());
    }

    proptest! {
        #[test]
        fn values_lie_in_the_range_and_snapping_keeps_them(
            low in -1000i64..1000, span in 1i64..2000, place in 0.0..1.0f64, log in any::<bool>(), scale in -6i32..6
        ) {
            let high = low + span;
            let log = log && low > 0;
            let suffix = if log { ":log" } else { "" };
            let dimension = Dimension::parse(&format!("n={low}..{high}{suffix}")).unwrap();
            let value = dimension.value(place);
            prop_assert!((low..=high).contains(&value.parse::<i64>().unwrap()));
            prop_assert_eq!(dimension.value(dimension.snap(place)), value);
            let (a, b) = (low as f64 * 10f64.powi(scale), high as f64 * 10f64.powi(scale));
            let dimension = Dimension::parse(&format!("x={a:e}..{b:e}{suffix}")).unwrap();
            let value: f64 = dimension.value(place).parse().unwrap();
            prop_assert!((a..=b).contains(&value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z.=0-9:, e+\\-\\[\\]\"'µ]{0,24}") {
            if let Ok(dimension) = Dimension::parse(&text) {
                prop_assert!(!dimension.value(0.3).is_empty());
            }
        }
    }
}
