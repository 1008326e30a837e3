//! Fluid properties at a reservoir's initial state.

use crate::data::Scalars;
use crate::fluid::{FluidError, Isotherm, brine_density, brine_viscosity, co2_viscosity, kelvin};
use crate::units::{BAR, GRAVITY, megatonnes_per_year};

/// Properties of both phases at the temperature of the reservoir and the initial pressure at the middle of its
/// perforation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fluids {
    /// Density of CO₂, kg/m³.
    pub gas_density: f64,
    /// Viscosity of CO₂, cP.
    pub gas_viscosity: f64,
    /// Density of brine, kg/m³.
    pub brine_density: f64,
    /// Viscosity of brine, cP.
    pub brine_viscosity: f64,
    /// Injection rate, m³/day of the reservoir.
    pub rate: f64,
}

impl Fluids {
    /// The properties for a reservoir's scalars and the salinity (mass fraction) of its brine.
    ///
    /// # Errors
    /// A temperature or pressure outside the equation of state.
    pub fn of(scalars: &Scalars, salinity: f64) -> Result<Self, FluidError> {
        let coefficients = brine_density(scalars.temperature, salinity);
        let brine = |p: f64| coefficients[0] + p * (coefficients[1] + p * coefficients[2]);
        let depth = 0.5 * (scalars.perforation_top + scalars.perforation_bottom);
        let pressure = scalars.pressure_top + depth * GRAVITY * brine(scalars.pressure_top);
        let temperature = kelvin(scalars.temperature);
        let (gas_density, _) = Isotherm::new(temperature)?.density(pressure * BAR, None)?;
        Ok(Self {
            gas_density,
            gas_viscosity: 1e3 * co2_viscosity(temperature, gas_density).0,
            brine_density: brine(pressure),
            brine_viscosity: 1e3 * brine_viscosity(scalars.temperature, salinity),
            rate: megatonnes_per_year(scalars.rate) / gas_density,
        })
    }
}
