//! Right-hand sides, their elimination and back substitution, and the injector's equation.

use super::super::dense::leading;
use super::super::mesh::Mesh;
use super::super::residual::System;
use super::{LineSolver, Update};

impl LineSolver {
    /// Right-hand sides: the residuals, and the column of the bottom-hole pressure.
    pub(super) fn load(&mut self, system: &System) {
        let mesh = system.mesh;
        for l in 0..mesh.lines() {
            let start = self.vector_start[l];
            let end = start + leading(self.size[l]);
            self.rhs[0][start..end].fill(0.0);
            self.rhs[1][start..end].fill(0.0);
            for c in mesh.line[l]..mesh.line[l + 1] {
                let at = start + self.offset[c] as usize;
                let [ww, wg] = self.weight[c];
                let gas = wg * system.gas_residual[c];
                if self.count[c] > 0 {
                    self.rhs[0][at] = -(ww * system.water_residual[c] + gas);
                }
                if self.count[c] > 1 {
                    self.rhs[0][at + 1] = -gas;
                }
            }
        }
        for c in system.well.iter().flat_map(|w| &w.connections) {
            // Perforated cells always have both unknowns unless they are fixed.
            if self.count[c.cell] == 2 {
                let l = mesh.line.partition_point(|s| *s <= c.cell) - 1;
                let at = self.vector_start[l] + self.offset[c.cell] as usize;
                let column = -self.weight[c.cell][1] * c.inflow_bhp;
                self.rhs[1][at] += column;
                self.rhs[1][at + 1] += column;
            }
        }
    }

    /// Forward elimination of the right-hand sides from both ends and back substitution; the second
    /// one (the injector's column) only if `two`.
    pub(super) fn substitute(&mut self, mesh: &Mesh, two: bool) {
        let lines = mesh.lines();
        // The well's column is zero beyond the plume, where the first sweep leaves it so.
        for l in (self.centre + 1..lines).rev() {
            self.apply_inverse(l, false);
            self.couple(mesh, l, l - 1, 0);
        }
        for l in 0..self.centre {
            self.apply_inverse(l, two);
            self.couple_all(mesh, l, l + 1, two);
        }
        self.apply_inverse(self.centre, two);
        for l in (0..self.centre).rev() {
            self.couple_all(mesh, l + 1, l, two);
            self.apply_inverse(l, two);
        }
        for l in self.centre + 1..lines {
            self.couple_all(mesh, l - 1, l, two);
            self.apply_inverse(l, two);
        }
    }

    fn apply_inverse(&mut self, l: usize, two: bool) {
        let n = self.size[l];
        let (start, ld) = (self.vector_start[l], leading(n));
        let m = self.matrix_start[l];
        let matrix = &self.matrices[m..m + n * ld];
        let ([b0, b1], [x0, x1]) = (&self.rhs, &mut self.x);
        let place = start..start + ld;
        if two {
            let rhs = [&b0[place.clone()], &b1[place.clone()]];
            self.kernels.product_two(matrix, n, rhs, [&mut x0[place.clone()], &mut x1[place]]);
        } else {
            self.kernels.product(matrix, n, &b0[place.clone()], &mut x0[place]);
        }
    }

    fn couple_all(&mut self, mesh: &Mesh, from: usize, to: usize, two: bool) {
        self.couple(mesh, from, to, 0);
        if two {
            self.couple(mesh, from, to, 1);
        }
    }

    /// Takes the solution of line `from` out of right-hand side `v` of its neighbour `to`.
    fn couple(&mut self, mesh: &Mesh, from: usize, to: usize, v: usize) {
        let outwards = from < to;
        let (from_start, to_start) = (self.vector_start[from], self.vector_start[to]);
        for f in mesh.cross_faces(from.min(to)) {
            let face = mesh.faces[f];
            let (a, b) = (face.a as usize, face.b as usize);
            let (source, target, block) =
                if outwards { (a, b, &self.lower[f]) } else { (b, a, &self.upper[f]) };
            let (ns, nt) = (usize::from(self.count[source]), usize::from(self.count[target]));
            let (i, j) = (from_start + self.offset[source] as usize, to_start + self.offset[target] as usize);
            for e in 0..nt {
                for u in 0..ns {
                    self.rhs[v][j + e] -= block[2 * e + u] * self.x[v][i + u];
                }
            }
        }
    }

    /// Combines both solutions with the injector's equation; false if the result is not finite.
    pub(super) fn unload(&mut self, system: &System, update: &mut Update) -> bool {
        let mesh = system.mesh;
        update.pressure.clear();
        update.saturation.clear();
        update.bhp = 0.0;
        let place = |c: usize, l: usize| self.vector_start[l] + self.offset[c] as usize;
        if let Some(well) = &system.well {
            let (mut slope, mut residual) = (0.0, well.residual());
            for c in &well.connections {
                if self.count[c.cell] == 2 {
                    let l = mesh.line.partition_point(|s| *s <= c.cell) - 1;
                    let at = place(c.cell, l);
                    let [x, y] = &self.x;
                    residual -= c.inflow_p * x[at] + c.inflow_s * x[at + 1];
                    slope -= c.inflow_bhp - (c.inflow_p * y[at] + c.inflow_s * y[at + 1]);
                } else {
                    slope -= c.inflow_bhp;
                }
            }
            if slope == 0.0 {
                return false;
            }
            update.bhp = -residual / slope;
        }
        let with_well = system.well.is_some();
        let mut finite = update.bhp.is_finite();
        for l in 0..mesh.lines() {
            for c in mesh.line[l]..mesh.line[l + 1] {
                let at = place(c, l);
                let value = |e: usize| {
                    let correction = if with_well { self.x[1][at + e] * update.bhp } else { 0.0 };
                    self.x[0][at + e] - correction
                };
                let dp = if self.count[c] > 0 { value(0) } else { 0.0 };
                let ds = if self.count[c] > 1 { value(1) } else { 0.0 };
                finite &= dp.is_finite() && ds.is_finite();
                update.pressure.push(dp);
                update.saturation.push(ds);
            }
        }
        finite
    }
}
