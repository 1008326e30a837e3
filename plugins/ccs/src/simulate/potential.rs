//! Steady single-phase flow from the well to the outermost column.
//!
//! One linear solve on a case's own transmissibilities: a cheap picture of where the rock leads
//! injected fluid, independent of rate and fluids.

use super::case::{Case, SimulationError};
use super::dense::{Kernels, leading, padded_rows, work_len};
use super::mesh::Mesh;

/// Potential and fluxes of unit flow. Arrays have shape (z, r); inactive cells hold 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SteadyPotential {
    /// Potential of each cell for 1 m³/day of a fluid of 1 cP, bar, above the outermost column's.
    pub potential: Vec<f64>,
    /// Flow from cell (k, i) to (k, i + 1) as a share of the whole.
    pub horizontal_flux: Vec<f64>,
    /// Flow from cell (k, i) down to (k + 1, i) as a share of the whole.
    pub vertical_flux: Vec<f64>,
    /// Share of each perforation, in the order of the well's connections.
    pub connection_flux: Vec<f64>,
    /// Potential in the well, bar.
    pub well: f64,
}

/// Solves for unit flow from the perforations of `case` to its outermost column, which is held at
/// potential 0. Gravity, compressibility and saturation play no part.
///
/// # Errors
/// A case without a well, or whose perforations have no connection to the outermost column.
pub fn steady_potential(case: &Case) -> Result<SteadyPotential, SimulationError> {
    case.check()?;
    let Some(well) = &case.well else {
        return Err(SimulationError::Case("a steady potential needs a well".into()));
    };
    let mesh = Mesh::new(case);
    let columns = case.grid.columns();
    let sink: Vec<bool> = mesh.grid_cell.iter().map(|g| *g as usize % columns == columns - 1).collect();
    let perforated: Vec<(usize, f64)> = well
        .connections
        .iter()
        .map(|c| (mesh.active_cell[c.row * columns + well.column] as usize, c.factor))
        .collect();
    // Unit well potential; the flow it drives scales the result.
    let unit = solve(&mesh, &sink, &perforated)
        .ok_or_else(|| SimulationError::Case("the steady pressure equation is singular".into()))?;
    let inflow: Vec<f64> = perforated.iter().map(|&(c, factor)| factor * (1.0 - unit[c])).collect();
    let total: f64 = inflow.iter().sum();
    // Rounding leaves about 1e-16 of the largest factor where nothing flows.
    let strongest = perforated.iter().map(|p| p.1).fold(0.0, f64::max);
    if total.is_nan() || total <= 1e-12 * strongest {
        return Err(SimulationError::Case(
            "the perforations have no connection to the outermost column".into(),
        ));
    }
    let cells = case.grid.cells();
    let mut result = SteadyPotential {
        potential: vec![0.0; cells],
        horizontal_flux: vec![0.0; cells],
        vertical_flux: vec![0.0; cells],
        connection_flux: inflow.iter().map(|q| q / total).collect(),
        well: 1.0 / total,
    };
    for (c, &g) in mesh.grid_cell.iter().enumerate() {
        result.potential[g as usize] = unit[c] / total;
    }
    for face in &mesh.faces {
        let (a, b) = (mesh.grid_cell[face.a as usize] as usize, mesh.grid_cell[face.b as usize] as usize);
        let flux = face.t * (unit[face.a as usize] - unit[face.b as usize]) / total;
        let fluxes = if b == a + 1 { &mut result.horizontal_flux } else { &mut result.vertical_flux };
        fluxes[a] = flux;
    }
    Ok(result)
}

/// Block elimination line by line, as in the two-phase solver, with one unknown a cell.
fn solve(mesh: &Mesh, sink: &[bool], perforated: &[(usize, f64)]) -> Option<Vec<f64>> {
    let kernels = Kernels::detect();
    let lines = mesh.lines();
    let size = |l: usize| mesh.line[l + 1] - mesh.line[l];
    let longest = (0..lines).map(size).max().unwrap_or(0);
    let mut work = vec![0.0; work_len(longest)];
    let mut rhs = vec![0.0; mesh.cells()];
    let mut diagonal = vec![0.0; mesh.cells()];
    for &(c, factor) in perforated {
        diagonal[c] += factor;
        rhs[c] += factor;
    }
    for face in &mesh.faces {
        diagonal[face.a as usize] += face.t;
        diagonal[face.b as usize] += face.t;
    }
    for (c, d) in diagonal.iter_mut().enumerate() {
        // Sinks and cells without any connection keep their potential of 0.
        if sink[c] || *d == 0.0 {
            *d = 1.0;
            rhs[c] = 0.0;
        }
    }
    // The matrix is symmetric: couplings to a sink are dropped, since its potential is 0.
    let coupling = |f: usize| {
        let face = mesh.faces[f];
        if sink[face.a as usize] || sink[face.b as usize] { 0.0 } else { face.t }
    };
    let mut inverses: Vec<Vec<f64>> = Vec::with_capacity(lines);
    let mut x = vec![0.0; mesh.cells()];
    let mut y = vec![0.0; leading(longest)];
    let mut padded = vec![0.0; leading(longest)];
    for l in 0..lines {
        let (n, first) = (size(l), mesh.line[l]);
        let ld = leading(n);
        let mut matrix = vec![0.0; padded_rows(n) * ld];
        for q in 0..n {
            matrix[q * ld + q] = diagonal[first + q];
        }
        for f in mesh.inner_faces(l) {
            let (a, b) = (mesh.faces[f].a as usize - first, mesh.faces[f].b as usize - first);
            matrix[a * ld + b] -= coupling(f);
            matrix[b * ld + a] -= coupling(f);
        }
        if l > 0 {
            let before = mesh.line[l - 1];
            let ld_before = leading(size(l - 1));
            for f in mesh.cross_faces(l - 1) {
                let (a, b) = (mesh.faces[f].a as usize - before, mesh.faces[f].b as usize - first);
                for g in mesh.cross_faces(l - 1) {
                    let (c, d) = (mesh.faces[g].a as usize - before, mesh.faces[g].b as usize - first);
                    matrix[b * ld + d] -= coupling(f) * inverses[l - 1][a * ld_before + c] * coupling(g);
                }
                rhs[first + b] += coupling(f) * x[before + a];
            }
        }
        if n > 0 && !kernels.invert(&mut matrix, n, &mut work) {
            return None;
        }
        // Forward part of the solution, completed on the way back.
        padded[..n].copy_from_slice(&rhs[first..first + n]);
        padded[n..].fill(0.0);
        kernels.product(&matrix, n, &padded[..ld], &mut y[..ld]);
        x[first..first + n].copy_from_slice(&y[..n]);
        inverses.push(matrix);
    }
    for l in (0..lines.saturating_sub(1)).rev() {
        let (n, first) = (size(l), mesh.line[l]);
        for f in mesh.cross_faces(l) {
            rhs[mesh.faces[f].a as usize] += coupling(f) * x[mesh.faces[f].b as usize];
        }
        let ld = leading(n);
        padded[..n].copy_from_slice(&rhs[first..first + n]);
        padded[n..].fill(0.0);
        kernels.product(&inverses[l], n, &padded[..ld], &mut y[..ld]);
        x[first..first + n].copy_from_slice(&y[..n]);
    }
    x.iter().all(|v| v.is_finite()).then_some(x)
}
