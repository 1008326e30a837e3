//! The injector: one bottom-hole pressure for all perforations.
//!
//! `q_k = factor_k (k_rg/mu_g + k_rw/mu_w) (bhp + head_k - p_w) rho_g` of the perforated cell, never
//! negative (fluid does not return to the well). The head is a static CO₂ column below the first
//! perforation, its density taken from the step before.

use super::case::{Case, Well};
use super::mesh::Mesh;
use super::properties::CellState;
use crate::fluid::Fluid;

/// A perforation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Perforation {
    pub(super) cell: usize,
    factor: f64,
    depth: f64,
    /// Pressure of the CO₂ column from the first perforation down to this one, bar.
    head: f64,
    /// Inflow, kg/day, and its derivatives with the cell's unknowns and the bottom-hole pressure.
    pub(super) inflow: f64,
    pub(super) inflow_p: f64,
    pub(super) inflow_s: f64,
    pub(super) inflow_bhp: f64,
}

/// The injector's unknown and perforations.
#[derive(Debug, Clone)]
pub(super) struct WellState {
    pub(super) connections: Vec<Perforation>,
    pub(super) rate: f64,
    pub(super) bhp: f64,
    pub(super) limit: f64,
    gravity: f64,
}

impl WellState {
    pub(super) fn new(well: &Well, case: &Case, mesh: &Mesh) -> Self {
        let columns = case.grid.columns();
        let connections = well
            .connections
            .iter()
            .map(|c| Perforation {
                cell: mesh.active_cell[c.row * columns + well.column] as usize,
                factor: c.factor,
                depth: case.grid.depth(c.row),
                head: 0.0,
                inflow: 0.0,
                inflow_p: 0.0,
                inflow_s: 0.0,
                inflow_bhp: 0.0,
            })
            .collect();
        let limit = well.pressure_limit.unwrap_or(f64::INFINITY);
        Self { connections, rate: well.rate, bhp: 0.0, limit, gravity: case.gravity }
    }

    /// Recomputes the heads for the current bottom-hole pressure.
    pub(super) fn update_heads(&mut self, fluid: &Fluid) {
        let mut above = match self.connections.first() {
            Some(first) => first.depth,
            None => return,
        };
        let mut head = 0.0;
        for c in &mut self.connections {
            let density = fluid.gas.evaluate(self.bhp + head).density;
            head += density * self.gravity * (c.depth - above);
            above = c.depth;
            c.head = head;
        }
    }

    /// Bottom-hole pressure at which the current cell states take the rate: the start of a run.
    pub(super) fn solve_pressure(&mut self, states: &[CellState]) {
        let Some(start) =
            self.connections.iter().map(|c| states[c.cell].water_pressure - c.head).reduce(f64::max)
        else {
            return;
        };
        self.bhp = start;
        // The inflow is convex, piecewise linear and increasing: Newton from a side needs few steps.
        for _ in 0..50 {
            self.update(states);
            let slope: f64 = self.connections.iter().map(|c| c.inflow_bhp).sum();
            if slope <= 0.0 {
                self.bhp += 1.0;
                continue;
            }
            let change = (self.rate - self.connections.iter().map(|c| c.inflow).sum::<f64>()) / slope;
            self.bhp += change;
            if change.abs() < 1e-10 {
                break;
            }
        }
    }

    /// Inflows for the current states and bottom-hole pressure.
    pub(super) fn update(&mut self, states: &[CellState]) {
        for c in &mut self.connections {
            let s = &states[c.cell];
            // Mobility times gas density: both phases' mobilities, brought to the gas density.
            let ratio = s.gas_density / s.water_density;
            let mobility = s.gas_mobility + s.water_mobility * ratio;
            let ratio_p = (s.gas_density_p - ratio * s.water_density_p) / s.water_density;
            let ratio_s = -ratio * s.water_density_s / s.water_density;
            let mobility_p = s.gas_mobility_p + s.water_mobility_p * ratio + s.water_mobility * ratio_p;
            let mobility_s = s.gas_mobility_s + s.water_mobility_s * ratio + s.water_mobility * ratio_s;
            let drawdown = self.bhp + c.head - s.water_pressure;
            if drawdown > 0.0 {
                c.inflow = c.factor * mobility * drawdown;
                c.inflow_p = c.factor * (mobility_p * drawdown - mobility);
                c.inflow_s = c.factor * (mobility_s * drawdown - mobility * s.water_pressure_s);
                c.inflow_bhp = c.factor * mobility;
            } else {
                (c.inflow, c.inflow_p, c.inflow_s, c.inflow_bhp) = (0.0, 0.0, 0.0, 0.0);
            }
        }
    }

    /// Rate asked for less the inflow, kg/day.
    pub(super) fn residual(&self) -> f64 {
        self.rate - self.connections.iter().map(|c| c.inflow).sum::<f64>()
    }
}
