//! Units of the simulator: bar, day, metre, kilogram, cP, mD.

/// Transmissibility of 1 mD·m at unit viscosity, in cP·m³/(day·bar).
pub const DARCY: f64 = 0.008_527_02;

/// Gravitational acceleration as a pressure gradient, in bar per metre for a density of 1 kg/m³.
pub const GRAVITY: f64 = 9.806_65e-5;

/// Days in a (Julian) year, as in the reference decks.
pub const YEAR: f64 = 365.25;

/// Zero of the Celsius scale in kelvin.
pub const ZERO_CELSIUS: f64 = 273.15;

/// Pascals in a bar.
pub const BAR: f64 = 1.0e5;

/// A rate in megatonnes a year as kilograms a day.
#[must_use]
pub fn megatonnes_per_year(rate: f64) -> f64 {
    rate * 1.0e9 / YEAR
}
