//! Units of measurement: a written-down subset of UCUM.
//!
//! A unit is a product of powers of named units, each with an optional SI prefix where the table says so:
//! `m`, `km`, `m2`, `kg/m3`, `mD`, `m.s-1`, `W/(m.K)`, `1`. `.` (or `*`, or a space) multiplies, `/` divides
//! what follows, an integer after a name is its exponent (`^` may stand before it). Brackets group.
//!
//! Every unit is a number of coherent SI units ([`Unit::factor`]) of one [`Unit::dimension`]; `degC` and
//! `degF` also have an offset, and are only understood alone.
//!
//! Factors are the exact values of the SI brochure (9th edition, 2019) and, for the darcy
//! (1 D = 1 cP·cm²/(s·atm) = 9.869233e-13 m²), the definition through the standard atmosphere.
//!
//! | group | units |
//! | --- | --- |
//! | base | `m` `g` `s` `A` `K` `mol` `cd` |
//! | derived | `Hz` `N` `Pa` `J` `W` `C` `V` `F` `Ohm` `S` `Wb` `T` `H` `L` `l` `t` `bar` `eV` `D` (darcy) |
//! | time | `s` `min` `h` `d` `wk` `mo` (a/12) `a` (365.25 d) |
//! | without prefix | `1` `%` `ppm` `rad` `deg` `ha` `atm` `psi` `mmHg` `degC` `degF` `Ao` (ångström) `ft` `in` `lb` `u` `Ha` (hartree) `bohr` `cal` `P` (poise) |
//!
//! `kcal` and `cP`, being common, are understood as prefixed `cal` and `P`.

use std::fmt;

/// A parsed unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// How many coherent SI units it is.
    pub factor: f64,
    /// What is added after the factor: 273.15 for `degC`.
    pub offset: f64,
    /// Exponents of metre, kilogram, second, ampere, kelvin, mole, candela.
    pub dimension: [i8; 7],
}

/// What is wrong with a unit or a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A word is not in the table.
    #[error("`{0}` is not a unit")]
    Unknown(String),
    /// The text does not follow the grammar.
    #[error("`{0}` cannot be read as a unit")]
    Syntax(String),
    /// The dimensions differ.
    #[error("`{0}` and `{1}` measure different things")]
    Dimension(String, String),
    /// A number was expected in front of the unit.
    #[error("`{0}` does not start with a number")]
    Number(String),
}

const NONE: [i8; 7] = [0; 7];

/// Symbol, factor, dimension, whether it takes prefixes.
type Row = (&'static str, f64, [i8; 7], bool);

/// Molecular and atomic values: CODATA 2018.
const TABLE: &[Row] = &[
    ("m", 1.0, [1, 0, 0, 0, 0, 0, 0], true),
    ("g", 1e-3, [0, 1, 0, 0, 0, 0, 0], true),
    ("s", 1.0, [0, 0, 1, 0, 0, 0, 0], true),
    ("A", 1.0, [0, 0, 0, 1, 0, 0, 0], true),
    ("K", 1.0, [0, 0, 0, 0, 1, 0, 0], true),
    ("mol", 1.0, [0, 0, 0, 0, 0, 1, 0], true),
    ("cd", 1.0, [0, 0, 0, 0, 0, 0, 1], true),
    ("Hz", 1.0, [0, 0, -1, 0, 0, 0, 0], true),
    ("N", 1.0, [1, 1, -2, 0, 0, 0, 0], true),
    ("Pa", 1.0, [-1, 1, -2, 0, 0, 0, 0], true),
    ("J", 1.0, [2, 1, -2, 0, 0, 0, 0], true),
    ("W", 1.0, [2, 1, -3, 0, 0, 0, 0], true),
    ("C", 1.0, [0, 0, 1, 1, 0, 0, 0], true),
    ("V", 1.0, [2, 1, -3, -1, 0, 0, 0], true),
    ("F", 1.0, [-2, -1, 4, 2, 0, 0, 0], true),
    ("Ohm", 1.0, [2, 1, -3, -2, 0, 0, 0], true),
    ("S", 1.0, [-2, -1, 3, 2, 0, 0, 0], true),
    ("Wb", 1.0, [2, 1, -2, -1, 0, 0, 0], true),
    ("T", 1.0, [0, 1, -2, -1, 0, 0, 0], true),
    ("H", 1.0, [2, 1, -2, -2, 0, 0, 0], true),
    ("L", 1e-3, [3, 0, 0, 0, 0, 0, 0], true),
    ("l", 1e-3, [3, 0, 0, 0, 0, 0, 0], true),
    ("t", 1e3, [0, 1, 0, 0, 0, 0, 0], true),
    ("bar", 1e5, [-1, 1, -2, 0, 0, 0, 0], true),
    ("eV", 1.602_176_634e-19, [2, 1, -2, 0, 0, 0, 0], true),
    ("cal", 4.184, [2, 1, -2, 0, 0, 0, 0], true),
    ("P", 0.1, [-1, 1, -1, 0, 0, 0, 0], true),
    ("D", 9.869_232_667_160_13e-13, [2, 0, 0, 0, 0, 0, 0], true),
    ("a", 31_557_600.0, [0, 0, 1, 0, 0, 0, 0], true),
    ("min", 60.0, [0, 0, 1, 0, 0, 0, 0], false),
    ("h", 3600.0, [0, 0, 1, 0, 0, 0, 0], false),
    ("d", 86_400.0, [0, 0, 1, 0, 0, 0, 0], false),
    ("wk", 604_800.0, [0, 0, 1, 0, 0, 0, 0], false),
    ("mo", 2_629_800.0, [0, 0, 1, 0, 0, 0, 0], false),
    ("%", 1e-2, NONE, false),
    ("ppm", 1e-6, NONE, false),
    ("rad", 1.0, NONE, false),
    ("deg", std::f64::consts::PI / 180.0, NONE, false),
    ("ha", 1e4, [2, 0, 0, 0, 0, 0, 0], false),
    ("atm", 101_325.0, [-1, 1, -2, 0, 0, 0, 0], false),
    ("psi", 6_894.757_293_168, [-1, 1, -2, 0, 0, 0, 0], false),
    ("mmHg", 133.322_387_415, [-1, 1, -2, 0, 0, 0, 0], false),
    ("Ao", 1e-10, [1, 0, 0, 0, 0, 0, 0], false),
    ("ft", 0.3048, [1, 0, 0, 0, 0, 0, 0], false),
    ("in", 0.0254, [1, 0, 0, 0, 0, 0, 0], false),
    ("lb", 0.453_592_37, [0, 1, 0, 0, 0, 0, 0], false),
    ("u", 1.660_539_066_60e-27, [0, 1, 0, 0, 0, 0, 0], false),
    ("Ha", 4.359_744_722_207_1e-18, [2, 1, -2, 0, 0, 0, 0], false),
    ("bohr", 5.291_772_109_03e-11, [1, 0, 0, 0, 0, 0, 0], false),
];

const PREFIXES: &[(&str, f64)] = &[
    ("da", 1e1),
    ("Y", 1e24),
    ("Z", 1e21),
    ("E", 1e18),
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("h", 1e2),
    ("d", 1e-1),
    ("c", 1e-2),
    ("m", 1e-3),
    ("u", 1e-6),
    ("µ", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
    ("a", 1e-18),
];

/// Nesting deeper than this is refused.
const MAX_DEPTH: usize = 16;

impl Unit {
    /// Reads a unit. The empty text and `1` are the dimensionless unit.
    ///
    /// # Errors
    /// When a word is unknown or the text does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        match text.trim() {
            "degC" | "Cel" | "°C" => Ok(Self { offset: 273.15, ..Self::named("K", 1) }),
            "degF" | "°F" => {
                Ok(Self { factor: 5.0 / 9.0, offset: 459.67 * 5.0 / 9.0, ..Self::named("K", 1) })
            }
            "" => Ok(Self::ONE),
            trimmed => {
                let mut reader = Reader { text: trimmed, at: 0, depth: 0 };
                let unit = reader.product()?;
                if reader.at < trimmed.len() { Err(reader.syntax()) } else { Ok(unit) }
            }
        }
    }

    const ONE: Self = Self { factor: 1.0, offset: 0.0, dimension: NONE };

    fn named(symbol: &str, exponent: i8) -> Self {
        atom(symbol).map_or(Self::ONE, |unit| unit.power(exponent).unwrap_or(Self::ONE))
    }

    /// Whether values in these units can be converted into one another.
    #[must_use]
    pub fn same_dimension(&self, other: &Self) -> bool {
        self.dimension == other.dimension
    }

    /// Whether values in these units are the same numbers, up to the rounding of their factors.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        self.same_dimension(other)
            && (self.factor - other.factor).abs() <= 1e-12 * self.factor.abs()
            && (self.offset - other.offset).abs() <= 1e-9
    }

    /// A value of this unit in another unit.
    #[must_use]
    pub fn convert(&self, value: f64, to: &Self) -> f64 {
        if self == to {
            return value;
        }
        if self.offset == 0.0 && to.offset == 0.0 {
            // One rounding where the ratio of the factors is a whole number or its inverse, so that 1.5 km is
            // exactly 1500 m and 250 mD exactly 0.25 D.
            let ratio = self.factor / to.factor;
            let inverse = to.factor / self.factor;
            return if near_whole(ratio) {
                value * ratio.round()
            } else if near_whole(inverse) {
                value / inverse.round()
            } else {
                value * ratio
            };
        }
        (value * self.factor + self.offset - to.offset) / to.factor
    }

    fn times(self, other: Self, sign: i8) -> Option<Self> {
        let mut dimension = self.dimension;
        for (own, other) in dimension.iter_mut().zip(other.dimension) {
            *own = own.checked_add(other.checked_mul(sign)?)?;
        }
        let factor = if sign < 0 { self.factor / other.factor } else { self.factor * other.factor };
        Some(Self { factor, offset: 0.0, dimension })
    }

    fn power(self, exponent: i8) -> Option<Self> {
        let mut dimension = NONE;
        for (result, own) in dimension.iter_mut().zip(self.dimension) {
            *result = own.checked_mul(exponent)?;
        }
        let mut factor = 1.0;
        for _ in 0..exponent.unsigned_abs() {
            factor *= self.factor;
        }
        let factor = if exponent < 0 { 1.0 / factor } else { factor };
        Some(Self { factor, offset: 0.0, dimension })
    }
}

/// Within rounding of a whole number that a double holds exactly.
fn near_whole(x: f64) -> bool {
    (0.5..=1e15).contains(&x) && (x - x.round()).abs() <= 4.0 * f64::EPSILON * x
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SYMBOLS: [&str; 7] = ["m", "kg", "s", "A", "K", "mol", "cd"];
        write!(f, "{}", self.factor)?;
        for (symbol, exponent) in SYMBOLS.iter().zip(self.dimension) {
            match exponent {
                0 => {}
                1 => write!(f, " {symbol}")?,
                n => write!(f, " {symbol}{n}")?,
            }
        }
        Ok(())
    }
}

/// Reads a quantity such as `1.5 km` or `250 mD`: a number and a unit, with or without a space.
///
/// # Errors
/// When there is no number in front, or what follows is not a unit.
pub fn quantity(text: &str) -> Result<(f64, Unit), UnitError> {
    let trimmed = text.trim();
    let number = || UnitError::Number(text.to_owned());
    // The longest beginning that is a number: `1e3 m` is one, and so is the 5 of `5 eV`.
    let end = (1..=trimmed.len())
        .rev()
        .filter(|end| trimmed.is_char_boundary(*end))
        .find(|end| {
            let head = &trimmed[..*end];
            head.ends_with(|c: char| c.is_ascii_digit() || c == '.') && head.parse::<f64>().is_ok()
        })
        .ok_or_else(number)?;
    let value: f64 = trimmed[..end].parse().map_err(|_| number())?;
    if !value.is_finite() {
        return Err(number());
    }
    Ok((value, Unit::parse(&trimmed[end..])?))
}

/// The value of a quantity in another unit.
///
/// # Errors
/// When the text is not a quantity, `to` is not a unit, or they measure different things.
pub fn convert(text: &str, to: &str) -> Result<f64, UnitError> {
    let (value, unit) = quantity(text)?;
    let target = Unit::parse(to)?;
    if !unit.same_dimension(&target) {
        return Err(UnitError::Dimension(text.trim().to_owned(), to.to_owned()));
    }
    Ok(unit.convert(value, &target))
}

fn atom(symbol: &str) -> Option<Unit> {
    let row = |symbol: &str| TABLE.iter().find(|(known, ..)| *known == symbol);
    if let Some((_, factor, dimension, _)) = row(symbol) {
        return Some(Unit { factor: *factor, offset: 0.0, dimension: *dimension });
    }
    PREFIXES.iter().find_map(|(prefix, scale)| {
        let (_, factor, dimension, prefixed) = row(symbol.strip_prefix(prefix)?)?;
        prefixed.then_some(Unit { factor: factor * scale, offset: 0.0, dimension: *dimension })
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn syntax(&self) -> UnitError {
        UnitError::Syntax(self.text.to_owned())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn product(&mut self) -> Result<Unit, UnitError> {
        let mut unit = Unit::ONE;
        let mut sign = 1;
        loop {
            let factor = self.factor()?;
            unit = unit.times(factor, sign).ok_or_else(|| self.syntax())?;
            let spaces = self.text[self.at..].len() - self.text[self.at..].trim_start().len();
            let after = self.text[self.at + spaces..].chars().next();
            match after {
                Some(operator @ ('.' | '*' | '·' | '/')) => {
                    self.at += spaces + operator.len_utf8();
                    sign = if operator == '/' { -1 } else { 1 };
                    let rest = &self.text[self.at..];
                    self.at += rest.len() - rest.trim_start().len();
                }
                Some(c) if spaces > 0 && c != ')' => {
                    self.at += spaces;
                    sign = 1;
                }
                _ => return Ok(unit),
            }
        }
    }

    fn factor(&mut self) -> Result<Unit, UnitError> {
        let base = match self.peek() {
            Some('(') => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(self.syntax());
                }
                self.at += 1;
                let inner = self.product()?;
                if self.peek() != Some(')') {
                    return Err(self.syntax());
                }
                self.at += 1;
                self.depth -= 1;
                inner
            }
            Some('1') => {
                self.at += 1;
                if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    return Err(self.syntax());
                }
                return Ok(Unit::ONE);
            }
            Some(c) if c.is_alphabetic() || matches!(c, '%' | 'µ') => {
                let rest = &self.text[self.at..];
                let length =
                    rest.find(|c: char| !(c.is_alphabetic() || matches!(c, '%' | 'µ'))).unwrap_or(rest.len());
                let symbol = &rest[..length];
                self.at += length;
                atom(symbol).ok_or_else(|| UnitError::Unknown(symbol.to_owned()))?
            }
            _ => return Err(self.syntax()),
        };
        let exponent = self.exponent()?;
        base.power(exponent).ok_or_else(|| self.syntax())
    }

    fn exponent(&mut self) -> Result<i8, UnitError> {
        let rest = &self.text[self.at..];
        let caret = usize::from(rest.starts_with('^'));
        let sign = usize::from(rest[caret..].starts_with(['-', '+']));
        let digits = rest[caret + sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return if caret + sign > 0 { Err(self.syntax()) } else { Ok(1) };
        }
        let end = caret + sign + digits;
        let exponent: i8 = rest[caret..end].parse().map_err(|_| self.syntax())?;
        if exponent.unsigned_abs() > 24 {
            return Err(self.syntax());
        }
        self.at += end;
        Ok(exponent)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantities_convert_exactly_where_decimal_arithmetic_does() {
        for (text, to, value) in [
            ("1.5 km", "m", 1500.0),
            ("250 mD", "D", 0.25),
            ("30 min", "s", 1800.0),
            ("2 h", "min", 120.0),
            ("30 a", "d", 10_957.5),
            ("100 bar", "MPa", 10.0),
            ("5", "1", 5.0),
            ("12 %", "1", 0.12),
            ("1e3 kg/m3", "g/cm3", 1.0),
            ("3 m.s-1", "km/h", 10.8),
            ("1 Mt/a", "t/a", 1e6),
            ("40 degC", "K", 313.15),
        ] {
            let got = convert(text, to).unwrap();
            assert!((got - value).abs() <= 1e-14 * value.abs(), "{text} -> {to}: {got}");
        }
        assert_eq!(convert("1.5 km", "m").unwrap(), 1500.0);
        assert_eq!(convert("250 mD", "D").unwrap(), 0.25);
    }

    #[test]
    fn grouping_powers_and_temperatures() {
        let unit = Unit::parse("W/(m.K)").unwrap();
        assert_eq!(unit.dimension, [1, 1, -3, 0, -1, 0, 0]);
        assert_eq!(Unit::parse("m^2").unwrap(), Unit::parse("m2").unwrap());
        assert!((convert("212 degF", "degC").unwrap() - 100.0).abs() < 1e-9);
        // A darcy is 0.987 square micrometres; a day is not a deci-something, a minute not a milli-inch.
        assert!((convert("1 D", "um2").unwrap() - 0.986_923_266_716).abs() < 1e-12);
        assert_eq!(convert("1 d", "h").unwrap(), 24.0);
        assert_eq!(convert("1 min", "s").unwrap(), 60.0);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(convert("3 furlong", "m"), Err(UnitError::Unknown("furlong".into())));
        assert_eq!(convert("3 s", "m"), Err(UnitError::Dimension("3 s".into(), "m".into())));
        assert_eq!(convert("many m", "m"), Err(UnitError::Number("many m".into())));
        for bad in ["m/", "m^", "(m", "m)", "2m", "m99", "((((((((((((((((((m", "m..s"] {
            assert!(Unit::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_unit_of_the_table_reads_back_alone_and_prefixed() {
        for (symbol, factor, dimension, prefixed) in TABLE {
            let unit = Unit::parse(symbol).unwrap();
            assert_eq!((unit.factor, unit.dimension), (*factor, *dimension), "{symbol}");
            if *prefixed {
                let kilo = Unit::parse(&format!("k{symbol}")).unwrap();
                assert!((kilo.factor / factor - 1e3).abs() < 1e-9, "k{symbol}");
            }
        }
    }
}
