//! Fluid properties: what the simulator needs of each phase as a function of pressure at the
//! (uniform) temperature of a run.
//!
//! The CO₂-rich phase is tabulated once per run ([`PressureTable`]); brine is a quadratic in
//! pressure with constant viscosity, as the Batzle–Wang formulas are.

mod correlations;
mod span_wagner;
mod table;

pub use correlations::{brine_density, brine_viscosity, co2_viscosity, kelvin};
pub use span_wagner::{CRITICAL_DENSITY, CRITICAL_PRESSURE, CRITICAL_TEMPERATURE, GAS_CONSTANT, Isotherm};
pub use table::PressureTable;

use crate::units::BAR;

/// Pa·s to cP.
const CENTIPOISE: f64 = 1e3;

/// Why fluid properties cannot be had.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FluidError {
    /// The equation of state does not reach this temperature.
    #[error("temperature {kelvin} K is outside the equation of state (216.592 to 1100 K)")]
    Temperature {
        /// Temperature in K.
        kelvin: f64,
    },
    /// The equation of state has no density for this pressure.
    #[error("no CO2 density at a pressure of {pascal} Pa")]
    Pressure {
        /// Pressure in Pa.
        pascal: f64,
    },
    /// A range or constant that makes no sense.
    #[error("{0}")]
    Range(String),
}

/// Brine: density `c0 + c1 p + c2 p²` (kg/m³, p in bar) and constant viscosity (cP).
#[derive(Debug, Clone, PartialEq)]
pub struct Brine {
    /// Coefficients of the density in increasing powers of the pressure in bar.
    pub density: [f64; 3],
    /// Viscosity in cP.
    pub viscosity: f64,
}

impl Brine {
    /// Density (kg/m³) and its derivative with pressure (kg/(m³·bar)) at `pressure` (bar).
    #[inline]
    #[must_use]
    pub fn density_at(&self, pressure: f64) -> (f64, f64) {
        let [c0, c1, c2] = self.density;
        (c0 + pressure * (c1 + pressure * c2), c1 + 2.0 * c2 * pressure)
    }
}

/// The two phases of a run.
#[derive(Debug, Clone)]
pub struct Fluid {
    /// The CO₂-rich phase.
    pub gas: PressureTable,
    /// The water-rich phase.
    pub brine: Brine,
}

impl Fluid {
    /// CO₂ (Span–Wagner, Fenghour) and brine (Batzle–Wang) at `temperature` (°C) and `salinity`
    /// (mass fraction of NaCl), for pressures `range` in bar.
    ///
    /// # Errors
    /// A temperature outside the equation of state, or an empty or non-positive range.
    pub fn co2_brine(temperature: f64, salinity: f64, range: (f64, f64)) -> Result<Self, FluidError> {
        // Spacing of the table in bar: density bends sharply near the critical point.
        let spacing = if temperature < 45.0 { 0.25 } else { 1.0 };
        let (low, high) = range;
        if !(low > 0.0 && high > low && high.is_finite()) {
            return Err(FluidError::Range(format!(
                "pressure range {low} to {high} bar is empty or not positive"
            )));
        }
        if !(0.0..=0.35).contains(&salinity) {
            return Err(FluidError::Range(format!(
                "salinity {salinity} is not a mass fraction of 0 to 0.35"
            )));
        }
        let t = kelvin(temperature);
        let isotherm = Isotherm::new(t)?;
        // The difference is positive and finite, so the count is small and positive.
        let intervals = (((high - low) / spacing).ceil() as usize).clamp(1, 20_000);
        let mut guess: Option<(f64, f64, f64)> = None;
        let gas = PressureTable::new(low, high, intervals, |p| {
            let pascal = p * BAR;
            // Extrapolate along the isotherm from the node before.
            let start = guess.map(|(p0, rho0, slope)| rho0 + slope * (pascal - p0));
            let (rho, slope) = isotherm.density(pascal, start)?;
            guess = Some((pascal, rho, slope));
            let (mu, mu_slope) = co2_viscosity(t, rho);
            let (rho_p, mu) = (slope * BAR, mu * CENTIPOISE);
            Ok([(rho, rho_p), (mu, mu_slope * CENTIPOISE * rho_p)])
        })?;
        let brine = Brine {
            density: brine_density(temperature, salinity),
            viscosity: brine_viscosity(temperature, salinity) * CENTIPOISE,
        };
        Ok(Self { gas, brine })
    }

    /// Both phases of constant viscosity (cP) and density `rho (1 + c (p - p0))` (kg/m³, c in 1/bar,
    /// p0 in bar): the fluids of analytic solutions.
    ///
    /// # Errors
    /// A density or viscosity that is not positive over 0 to 2000 bar.
    pub fn simple(gas: SimplePhase, brine: SimplePhase, reference: f64) -> Result<Self, FluidError> {
        let gas_table = PressureTable::new(0.0, 2000.0, 2, |p| {
            let rho = gas.density * (1.0 + gas.compressibility * (p - reference));
            Ok([(rho, gas.density * gas.compressibility), (gas.viscosity, 0.0)])
        })?;
        let slope = brine.density * brine.compressibility;
        let water =
            Brine { density: [brine.density - slope * reference, slope, 0.0], viscosity: brine.viscosity };
        for p in [0.0, 2000.0] {
            let (rho, mu) = (gas_table.evaluate(p).density, gas_table.evaluate(p).viscosity());
            if !(rho > 0.0 && mu > 0.0 && water.density_at(p).0 > 0.0 && water.viscosity > 0.0) {
                return Err(FluidError::Range("a density or viscosity is not positive".into()));
            }
        }
        Ok(Self { gas: gas_table, brine: water })
    }
}

/// A phase of constant viscosity and compressibility.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimplePhase {
    /// Density at the reference pressure, kg/m³.
    pub density: f64,
    /// Viscosity, cP.
    pub viscosity: f64,
    /// Compressibility, 1/bar.
    pub compressibility: f64,
}
