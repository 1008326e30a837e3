//! Phase properties of a cell at a pressure and saturation, with derivatives.
//!
//! Only this file knows how properties depend on the unknowns (gas pressure, gas saturation);
//! component balances are formed from phase quantities in the residual, so a dissolved fraction
//! would enter there as a further factor.

use super::case::{Case, Rock};
use super::mesh::Mesh;
use crate::curves::CurveTable;
use crate::fluid::Fluid;

/// Properties of one cell. Suffix `_p`: derivative with gas pressure (1/bar), `_s`: with gas
/// saturation. Mobilities are mass mobilities `rho k_r / mu` in kg/(m³·cP).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CellState {
    /// Water pressure, bar, and its saturation derivative (its pressure derivative is 1).
    pub(super) water_pressure: f64,
    pub(super) water_pressure_s: f64,
    pub(super) water_density: f64,
    pub(super) water_density_p: f64,
    pub(super) water_density_s: f64,
    pub(super) gas_density: f64,
    pub(super) gas_density_p: f64,
    pub(super) water_mobility: f64,
    pub(super) water_mobility_p: f64,
    pub(super) water_mobility_s: f64,
    pub(super) gas_mobility: f64,
    pub(super) gas_mobility_p: f64,
    pub(super) gas_mobility_s: f64,
    /// Mass of water in the cell, kg.
    pub(super) water_mass: f64,
    pub(super) water_mass_p: f64,
    pub(super) water_mass_s: f64,
    /// Mass of CO₂ in the cell, kg.
    pub(super) gas_mass: f64,
    pub(super) gas_mass_p: f64,
    pub(super) gas_mass_s: f64,
}

/// Constant data of the cells, in mesh order.
pub(super) struct Rocks<'a> {
    fluid: &'a Fluid,
    curves: &'a [CurveTable],
    rock: Rock,
    inverse_water_viscosity: f64,
    /// Pore volume at reference pressure, capillary scale and region of each cell.
    cells: Vec<(f64, f64, u32)>,
}

impl<'a> Rocks<'a> {
    pub(super) fn new(case: &'a Case, mesh: &Mesh) -> Self {
        let cells = mesh
            .grid_cell
            .iter()
            .map(|&g| {
                let g = g as usize;
                (case.pore_volume[g], case.capillary_scale[g], case.region[g])
            })
            .collect();
        Self {
            fluid: &case.fluid,
            curves: &case.curves,
            rock: case.rock,
            inverse_water_viscosity: 1.0 / case.fluid.brine.viscosity,
            cells,
        }
    }

    /// Pore volume of cell `c` at reference pressure, m³.
    pub(super) fn pore_volume(&self, c: usize) -> f64 {
        self.cells[c].0
    }

    /// Capillary pressure of cell `c` without gas, bar.
    pub(super) fn entry_pressure(&self, c: usize) -> f64 {
        let (_, scale, region) = self.cells[c];
        scale * self.curves[region as usize].evaluate(0.0).pc
    }

    /// State of cell `c`; the gas properties only where `with_gas`.
    #[inline]
    pub(super) fn evaluate(&self, c: usize, p: f64, s: f64, with_gas: bool, out: &mut CellState) {
        let (volume, scale, region) = self.cells[c];
        let curve = self.curves[region as usize].evaluate(s);
        let x = self.rock.compressibility * (p - self.rock.reference_pressure);
        let pore = volume * (1.0 + x + 0.5 * x * x);
        let pore_p = volume * self.rock.compressibility * (1.0 + x);
        let (pc, pc_s) = (scale * curve.pc, scale * curve.pc_s);
        let pw = p - pc;
        let (rho, rho_p) = self.fluid.brine.density_at(pw);
        let rho_s = -rho_p * pc_s;
        let sw = 1.0 - s;
        let kr = curve.krw * self.inverse_water_viscosity;
        *out = CellState {
            water_pressure: pw,
            water_pressure_s: -pc_s,
            water_density: rho,
            water_density_p: rho_p,
            water_density_s: rho_s,
            water_mobility: rho * kr,
            water_mobility_p: rho_p * kr,
            water_mobility_s: rho_s * kr + rho * curve.krw_s * self.inverse_water_viscosity,
            water_mass: pore * sw * rho,
            water_mass_p: sw * (pore_p * rho + pore * rho_p),
            water_mass_s: pore * (sw * rho_s - rho),
            ..CellState::default()
        };
        if with_gas {
            let gas = self.fluid.gas.evaluate(p);
            out.gas_density = gas.density;
            out.gas_density_p = gas.density_p;
            out.gas_mobility = gas.fluidity * curve.krg;
            out.gas_mobility_p = gas.fluidity_p * curve.krg;
            out.gas_mobility_s = gas.fluidity * curve.krg_s;
            out.gas_mass = pore * s * gas.density;
            out.gas_mass_p = s * (pore_p * gas.density + pore * gas.density_p);
            out.gas_mass_s = pore * gas.density;
        }
    }
}
