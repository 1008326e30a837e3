//! First guess for a step: the similarity of radial injection.
//!
//! With a constant rate at the axis of a radial grid, saturation and pressure build-up depend on
//! radius and time mostly through `r²/t`. So the state of the last step, moved outwards along each
//! row by `√(1 + dt/t)`, is close to the next one and holds about the right mass. It only starts
//! Newton's method and only when its residual is smaller than that of the unmoved state.

use super::case::Case;
use super::mesh::Mesh;
use crate::grid::Geometry;

/// Largest extrapolation, as a multiple of the last step.
const MAX_EXTRAPOLATION: f64 = 1.5;

/// States of the last two steps, as the similarity sees them.
pub(super) struct Predictor {
    /// Logarithms of the node radii; empty where the similarity does not apply.
    nodes: Vec<f64>,
    columns: usize,
    /// Time, build-up and saturation at the end of the last accepted step, and of the one before.
    last: Past,
    before: Past,
}

#[derive(Default)]
struct Past {
    time: f64,
    buildup: Vec<f64>,
    saturation: Vec<f64>,
}

/// For each column: the left one of the two nodes a shifted position lies between, and its distance
/// from it.
struct Shift {
    at: Vec<(usize, f64)>,
}

impl Predictor {
    pub(super) fn new(case: &Case) -> Self {
        let radial = matches!(case.grid.geometry(), Geometry::Radial { .. });
        let applies = radial && case.sources.is_empty() && case.well.as_ref().is_some_and(|w| w.column == 0);
        let nodes =
            if applies { case.grid.nodes().iter().map(|r| libm::log(*r)).collect() } else { Vec::new() };
        Self { nodes, columns: case.grid.columns(), last: Past::default(), before: Past::default() }
    }

    /// Notes the state at `time`; `start` is the pressure at time 0.
    pub(super) fn accept(&mut self, time: f64, start: &[f64], pressure: &[f64], saturation: &[f64]) {
        if self.nodes.is_empty() {
            return;
        }
        std::mem::swap(&mut self.last, &mut self.before);
        self.last.time = time;
        self.last.buildup.clear();
        self.last.buildup.extend(pressure.iter().zip(start).map(|(p, p0)| p - p0));
        self.last.saturation.clear();
        self.last.saturation.extend_from_slice(saturation);
    }

    /// Writes the guess for `time` into `pressure` and `saturation`; false where there is none.
    pub(super) fn guess(
        &self,
        mesh: &Mesh,
        time: f64,
        start: &[f64],
        pressure: &mut [f64],
        saturation: &mut [f64],
    ) -> bool {
        if self.nodes.is_empty() || self.last.time <= 0.0 {
            return false;
        }
        let near = self.shift(0.5 * libm::log(time / self.last.time));
        // The state drifts slowly against the similarity variable: extrapolate it in ln(t).
        let (weight, far) = if self.before.time > 0.0 {
            let weight = libm::log(time / self.last.time) / libm::log(self.last.time / self.before.time);
            (weight.min(MAX_EXTRAPOLATION), self.shift(0.5 * libm::log(time / self.before.time)))
        } else {
            (0.0, self.shift(0.0))
        };
        for row in 0..mesh.active_cell.len() / self.columns {
            let cells = &mesh.active_cell[row * self.columns..(row + 1) * self.columns];
            for (column, &c) in cells.iter().enumerate() {
                if c == u32::MAX {
                    continue;
                }
                let c = c as usize;
                let Some([p, s]) = self.last.sample(cells, near.at[column]) else {
                    continue;
                };
                let (mut p, mut s) = (p, s);
                if weight > 0.0
                    && let Some([p1, s1]) = self.before.sample(cells, far.at[column])
                {
                    p += weight * (p - p1);
                    s += weight * (s - s1);
                }
                pressure[c] = start[c] + p;
                saturation[c] = s.clamp(0.0, 1.0);
            }
        }
        true
    }

    fn shift(&self, shift: f64) -> Shift {
        let mut from = 0;
        let at = self.nodes.iter().map(|node| {
            let at = node - shift;
            while from + 2 < self.columns && self.nodes[from + 1] <= at {
                from += 1;
            }
            match self.nodes.get(from + 1) {
                Some(next) => (from, ((at - self.nodes[from]) / (next - self.nodes[from])).clamp(0.0, 1.0)),
                None => (from, 0.0),
            }
        });
        Shift { at: at.collect() }
    }
}

impl Past {
    /// Build-up and saturation between two cells of a row; `None` next to inactive cells.
    fn sample(&self, cells: &[u32], (from, u): (usize, f64)) -> Option<[f64; 2]> {
        let a = *cells.get(from)?;
        let b = *cells.get(from + 1).unwrap_or(&a);
        if a == u32::MAX || b == u32::MAX {
            return None;
        }
        let between = |v: &[f64]| v[a as usize] + u * (v[b as usize] - v[a as usize]);
        Some([between(&self.buildup), between(&self.saturation)])
    }
}
