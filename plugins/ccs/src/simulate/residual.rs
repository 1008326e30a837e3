//! Balances of water and CO₂ in every cell, and their derivatives.
//!
//! The residual of a component in a cell is `(M - M_old)/dt + outflow - sources`, in kg/day. Fluxes
//! are two-point with the upstream side chosen for each phase by its potential difference
//! `p_a - p_b - rho_mean g (D_a - D_b)`, D the depth, `rho_mean` the mean of the two densities.
//! Derivatives of the fluxes are kept face by face; the linear system picks them up from here.

use super::case::Case;
use super::mesh::{Face, Mesh};
use super::properties::{CellState, Rocks};
use super::well::WellState;

/// Derivatives of the flux (kg/day) of a phase from `a` to `b`, with pressure and saturation of
/// both sides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FluxDerivatives {
    pub(super) pa: f64,
    pub(super) sa: f64,
    pub(super) pb: f64,
    pub(super) sb: f64,
}

/// Unknowns, properties and residuals of all cells.
pub(super) struct System<'a> {
    pub(super) mesh: &'a Mesh,
    pub(super) rocks: Rocks<'a>,
    pub(super) pressure: Vec<f64>,
    pub(super) saturation: Vec<f64>,
    pub(super) states: Vec<CellState>,
    /// Masses at the start of the step.
    pub(super) old_water: Vec<f64>,
    pub(super) old_gas: Vec<f64>,
    pub(super) water_residual: Vec<f64>,
    pub(super) gas_residual: Vec<f64>,
    pub(super) water_flux: Vec<FluxDerivatives>,
    pub(super) gas_flux: Vec<FluxDerivatives>,
    /// Cells with gas or about to get it from a source, and those next to them.
    pub(super) near_gas: Vec<bool>,
    has_gas: Vec<bool>,
    /// Cells that receive gas from a well or a source.
    fed: Vec<bool>,
    pub(super) fixed: Vec<bool>,
    sources: Vec<(usize, f64, f64)>,
    pub(super) well: Option<WellState>,
}

impl<'a> System<'a> {
    pub(super) fn new(case: &'a Case, mesh: &'a Mesh) -> Self {
        let n = mesh.cells();
        let faces = mesh.faces.len();
        let active = |g: usize| mesh.active_cell[g] as usize;
        let well = case.well.as_ref().map(|w| WellState::new(w, case, mesh));
        let mut fixed = vec![false; n];
        for &g in &case.fixed {
            fixed[active(g)] = true;
        }
        let sources: Vec<_> = case.sources.iter().map(|s| (active(s.cell), s.gas, s.water)).collect();
        let mut fed = vec![false; n];
        for &(c, gas, _) in &sources {
            fed[c] |= gas != 0.0;
        }
        for c in well.iter().flat_map(|w| &w.connections) {
            fed[c.cell] = true;
        }
        Self {
            mesh,
            rocks: Rocks::new(case, mesh),
            pressure: vec![0.0; n],
            saturation: vec![0.0; n],
            states: vec![CellState::default(); n],
            old_water: vec![0.0; n],
            old_gas: vec![0.0; n],
            water_residual: vec![0.0; n],
            gas_residual: vec![0.0; n],
            water_flux: vec![FluxDerivatives::default(); faces],
            gas_flux: vec![FluxDerivatives::default(); faces],
            near_gas: vec![false; n],
            has_gas: vec![false; n],
            fed,
            fixed,
            sources,
            well,
        }
    }

    /// Properties of all cells at the current unknowns.
    pub(super) fn update_states(&mut self) {
        for (c, has) in self.has_gas.iter_mut().enumerate() {
            // A cell that has lost its gas in this step still owes a balance.
            *has = self.saturation[c] > 0.0 || self.old_gas[c] > 0.0 || self.fed[c];
        }
        self.near_gas.copy_from_slice(&self.has_gas);
        for face in &self.mesh.faces {
            let (a, b) = (face.a as usize, face.b as usize);
            self.near_gas[a] |= self.has_gas[b];
            self.near_gas[b] |= self.has_gas[a];
        }
        for c in 0..self.states.len() {
            let (p, s) = (self.pressure[c], self.saturation[c]);
            self.rocks.evaluate(c, p, s, self.near_gas[c], &mut self.states[c]);
        }
    }

    /// Makes the current masses those of the start of a step.
    pub(super) fn begin_step(&mut self) {
        for (c, state) in self.states.iter().enumerate() {
            self.old_water[c] = state.water_mass;
            self.old_gas[c] = state.gas_mass;
        }
    }

    /// Residuals of a step of `dt` days and the derivatives of all fluxes.
    pub(super) fn update_residual(&mut self, dt: f64) {
        let per_day = 1.0 / dt;
        for (c, state) in self.states.iter().enumerate() {
            self.water_residual[c] = (state.water_mass - self.old_water[c]) * per_day;
            self.gas_residual[c] = (state.gas_mass - self.old_gas[c]) * per_day;
        }
        for (f, face) in self.mesh.faces.iter().enumerate() {
            let (a, b) = (face.a as usize, face.b as usize);
            let (sa, sb) = (&self.states[a], &self.states[b]);
            let (flux, d) = water_flux(face, sa, sb);
            self.water_flux[f] = d;
            self.water_residual[a] += flux;
            self.water_residual[b] -= flux;
            if self.has_gas[a] || self.has_gas[b] {
                let (flux, d) = gas_flux(face, self.pressure[a] - self.pressure[b], sa, sb);
                self.gas_flux[f] = d;
                self.gas_residual[a] += flux;
                self.gas_residual[b] -= flux;
            } else {
                self.gas_flux[f] = FluxDerivatives::default();
            }
        }
        for &(c, gas, water) in &self.sources {
            self.gas_residual[c] -= gas;
            self.water_residual[c] -= water;
        }
        if let Some(well) = &mut self.well {
            well.update(&self.states);
            for c in &well.connections {
                self.gas_residual[c.cell] -= c.inflow;
            }
        }
        for (c, fixed) in self.fixed.iter().enumerate() {
            if *fixed {
                self.water_residual[c] = 0.0;
                self.gas_residual[c] = 0.0;
            }
        }
    }

    /// CO₂ in all cells but the fixed ones, kg.
    pub(super) fn gas_in_place(&self) -> f64 {
        self.states.iter().zip(&self.fixed).filter(|(_, fixed)| !**fixed).map(|(s, _)| s.gas_mass).sum()
    }

    /// CO₂ put in per day by well and sources, kg/day.
    pub(super) fn gas_rate(&self) -> f64 {
        self.sources.iter().map(|s| s.1).sum::<f64>() + self.well.as_ref().map_or(0.0, |w| w.rate)
    }

    /// Sums of what well and sources move, whatever the sign, kg/day: CO₂, and everything.
    pub(super) fn rates(&self) -> (f64, f64) {
        let well = self.well.as_ref().map_or(0.0, |w| w.rate);
        let gas = well + self.sources.iter().map(|s| s.1.abs()).sum::<f64>();
        (gas, gas + self.sources.iter().map(|s| s.2.abs()).sum::<f64>())
    }

    /// Number of unknowns of cell `c`: none where fixed, the pressure alone where there is no gas
    /// and none arrives, else pressure and saturation.
    #[inline]
    pub(super) fn unknowns(&self, c: usize, dt: f64) -> u8 {
        if self.fixed[c] {
            return 0;
        }
        if !self.near_gas[c] {
            return 1;
        }
        // Arriving amounts below 1e-13 of the pore volume wait until they are worth an unknown.
        let threshold = 1e-13 * self.rocks.pore_volume(c) * self.states[c].gas_density;
        if self.has_gas[c] || self.gas_residual[c].abs() * dt > threshold { 2 } else { 1 }
    }
}

#[inline]
fn water_flux(face: &Face, a: &CellState, b: &CellState) -> (f64, FluxDerivatives) {
    let g = 0.5 * face.fall;
    let drop = a.water_pressure - b.water_pressure - g * (a.water_density + b.water_density);
    let (drop_pa, drop_pb) = (1.0 - g * a.water_density_p, -1.0 - g * b.water_density_p);
    let drop_sa = a.water_pressure_s - g * a.water_density_s;
    let drop_sb = -b.water_pressure_s - g * b.water_density_s;
    let from_a = drop >= 0.0;
    let up = if from_a { a } else { b };
    let conductance = face.t * up.water_mobility;
    let mut d = FluxDerivatives {
        pa: conductance * drop_pa,
        sa: conductance * drop_sa,
        pb: conductance * drop_pb,
        sb: conductance * drop_sb,
    };
    let td = face.t * drop;
    if from_a {
        d.pa += td * up.water_mobility_p;
        d.sa += td * up.water_mobility_s;
    } else {
        d.pb += td * up.water_mobility_p;
        d.sb += td * up.water_mobility_s;
    }
    (conductance * drop, d)
}

#[inline]
fn gas_flux(face: &Face, pressure_drop: f64, a: &CellState, b: &CellState) -> (f64, FluxDerivatives) {
    let g = 0.5 * face.fall;
    let drop = pressure_drop - g * (a.gas_density + b.gas_density);
    let from_a = drop >= 0.0;
    let up = if from_a { a } else { b };
    let conductance = face.t * up.gas_mobility;
    let mut d = FluxDerivatives {
        pa: conductance * (1.0 - g * a.gas_density_p),
        sa: 0.0,
        pb: conductance * (-1.0 - g * b.gas_density_p),
        sb: 0.0,
    };
    let td = face.t * drop;
    if from_a {
        d.pa += td * up.gas_mobility_p;
        d.sa += td * up.gas_mobility_s;
    } else {
        d.pb += td * up.gas_mobility_p;
        d.sb += td * up.gas_mobility_s;
    }
    (conductance * drop, d)
}
