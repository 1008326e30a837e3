//! Filling of the lines' matrices from the derivatives of the balances.

use super::super::dense::leading;
use super::super::residual::{FluxDerivatives, System};
use super::{Block, LineSolver};

impl LineSolver {
    /// Fills the matrix of line `l` and its couplings to both neighbours.
    pub(super) fn assemble(&mut self, system: &System, l: usize, dt: f64) {
        let mesh = system.mesh;
        let n = self.size[l];
        let ld = leading(n);
        let start = self.matrix_start[l];
        self.matrices[start..start + n * ld].fill(0.0);
        let per_day = 1.0 / dt;
        for c in mesh.line[l]..mesh.line[l + 1] {
            let s = &system.states[c];
            let wg = if self.count[c] == 2 { 1.0 / s.gas_density } else { 0.0 };
            self.weight[c] = [1.0 / s.water_density, wg];
            self.factored_at[c] = [system.pressure[c], system.saturation[c]];
            let mass = FluxPair {
                water: (s.water_mass_p * per_day, s.water_mass_s * per_day),
                gas: (s.gas_mass_p * per_day, s.gas_mass_s * per_day),
            };
            let block = self.weigh(c, &mass, 1.0);
            self.add(l, c, c, &block);
        }
        for f in mesh.inner_faces(l) {
            let face = mesh.faces[f];
            let (a, b) = (face.a as usize, face.b as usize);
            let (from_a, from_b) = pairs(&system.water_flux[f], &system.gas_flux[f]);
            for (row, sign) in [(a, 1.0), (b, -1.0)] {
                let block = self.weigh(row, &from_a, sign);
                self.add(l, row, a, &block);
                let block = self.weigh(row, &from_b, sign);
                self.add(l, row, b, &block);
            }
        }
        for f in mesh.cross_faces(l) {
            let a = mesh.faces[f].a as usize;
            let (from_a, from_b) = pairs(&system.water_flux[f], &system.gas_flux[f]);
            let block = self.weigh(a, &from_a, 1.0);
            self.add(l, a, a, &block);
            self.upper[f] = self.weigh(a, &from_b, 1.0);
        }
        if l > 0 {
            for f in mesh.cross_faces(l - 1) {
                let b = mesh.faces[f].b as usize;
                let (from_a, from_b) = pairs(&system.water_flux[f], &system.gas_flux[f]);
                let block = self.weigh(b, &from_b, -1.0);
                self.add(l, b, b, &block);
                self.lower[f] = self.weigh(b, &from_a, -1.0);
            }
        }
        for c in system.well.iter().flat_map(|w| &w.connections) {
            if (mesh.line[l]..mesh.line[l + 1]).contains(&c.cell) {
                let inflow = FluxPair { water: (0.0, 0.0), gas: (c.inflow_p, c.inflow_s) };
                let block = self.weigh(c.cell, &inflow, -1.0);
                self.add(l, c.cell, c.cell, &block);
            }
        }
    }

    /// Derivatives of a cell's two rows from those of its component balances.
    #[inline]
    fn weigh(&self, row: usize, pair: &FluxPair, sign: f64) -> Block {
        let [ww, wg] = self.weight[row];
        let (ww, wg) = (sign * ww, sign * wg);
        let (gp, gs) = (wg * pair.gas.0, wg * pair.gas.1);
        [ww * pair.water.0 + gp, ww * pair.water.1 + gs, gp, gs]
    }

    #[inline]
    fn add(&mut self, l: usize, row: usize, column: usize, block: &Block) {
        let (rows, columns) = (usize::from(self.count[row]), usize::from(self.count[column]));
        let ld = leading(self.size[l]);
        let at = self.matrix_start[l] + self.offset[row] as usize * ld + self.offset[column] as usize;
        for r in 0..rows {
            for c in 0..columns {
                self.matrices[at + r * ld + c] += block[2 * r + c];
            }
        }
    }
}

/// Derivatives of both components' flux with one side's pressure and saturation.
struct FluxPair {
    water: (f64, f64),
    gas: (f64, f64),
}

fn pairs(water: &FluxDerivatives, gas: &FluxDerivatives) -> (FluxPair, FluxPair) {
    (
        FluxPair { water: (water.pa, water.sa), gas: (gas.pa, gas.sa) },
        FluxPair { water: (water.pb, water.sb), gas: (gas.pb, gas.sb) },
    )
}
