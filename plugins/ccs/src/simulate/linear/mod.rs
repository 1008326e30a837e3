//! Direct solution of the linear systems of Newton's method, line by line.
//!
//! Ordered by lines the Jacobian is block tridiagonal: a dense block for each line (after
//! elimination), and couplings between neighbouring lines that join single cells. Three things make
//! the elimination cheap:
//!
//! * a cell without gas has one unknown, so blocks far from the plume have half the size;
//! * elimination runs from both ends towards the outermost line with gas, and the part outside it
//!   depends on the step length alone, to the accuracy Newton needs: it is done once a step;
//! * blocks are inverted by a blocked sweep in vector registers ([`super::dense`]).
//!
//! The rows of a cell are the volume balance `R_w/rho_w + R_g/rho_g` and, where saturation is an
//! unknown, `R_g/rho_g`: with these rows the pivots (pressure, then saturation) are positive and
//! the elimination needs no exchanges between cells. The injector's pressure is bordered: a second
//! right-hand side carries its column.

mod assembly;
mod substitution;

use super::dense::{Kernels, leading, padded_rows, work_len};
use super::mesh::Mesh;
use super::residual::System;
use std::ops::Range;

/// Coupling of two cells: rows of one, columns of the other, `[pp, ps, sp, ss]`.
type Block = [f64; 4];

/// Changes of a cell below which the factors of its line are used again within a step: gas
/// saturation, and pressure in bar. Newton's method then converges linearly at about this rate.
const KEEP_SATURATION: f64 = 1e-3;
const KEEP_PRESSURE: f64 = 0.1;

/// Work space and factors for one mesh.
pub(super) struct LineSolver {
    kernels: Kernels,
    /// Unknowns of each cell and their place within the line.
    count: Vec<u8>,
    offset: Vec<u32>,
    /// Unknowns of each line.
    size: Vec<usize>,
    /// Start of each line's matrix and of its vectors.
    matrix_start: Vec<usize>,
    vector_start: Vec<usize>,
    matrices: Vec<f64>,
    /// For each face between lines: rows of `b` by columns of `a`, and rows of `a` by columns of `b`.
    lower: Vec<Block>,
    upper: Vec<Block>,
    /// Row weights `1/rho_w`, `1/rho_g` of each cell.
    weight: Vec<[f64; 2]>,
    /// Pressure and saturation of each cell when its line was factored.
    factored_at: Vec<[f64; 2]>,
    /// Lines whose unknowns are not those of the iteration before.
    renumbered: Vec<bool>,
    rhs: [Vec<f64>; 2],
    x: [Vec<f64>; 2],
    scratch: Vec<f64>,
    work: Vec<f64>,
    map: ColumnMap,
    /// The line where the two eliminations meet.
    centre: usize,
    /// Lines beyond `centre` hold factors of this step length.
    outer_step: f64,
}

/// For each unknown of a line, the unknowns of the neighbouring line it couples to.
#[derive(Default)]
struct ColumnMap {
    first: Vec<u32>,
    second: Vec<u32>,
    first_value: Vec<f64>,
    second_value: Vec<f64>,
}

/// The update of all unknowns.
#[derive(Debug, Default)]
pub(super) struct Update {
    pub(super) pressure: Vec<f64>,
    pub(super) saturation: Vec<f64>,
    pub(super) bhp: f64,
}

impl Update {
    /// Largest change of a pressure, bar.
    pub(super) fn largest_pressure(&self) -> f64 {
        self.pressure.iter().fold(self.bhp.abs(), |m, dp| m.max(dp.abs()))
    }

    /// Whether nothing changes by more than rounding does (pressures are some hundred bar).
    pub(super) fn is_rounding(&self) -> bool {
        self.largest_pressure() <= 1e-10 && self.saturation.iter().all(|ds| ds.abs() <= 1e-11)
    }
}

impl LineSolver {
    pub(super) fn new(mesh: &Mesh) -> Self {
        let lines = mesh.lines();
        let mut matrix_start = Vec::with_capacity(lines + 1);
        let mut vector_start = Vec::with_capacity(lines + 1);
        let (mut matrix, mut vector, mut longest) = (0, 0, 0);
        for l in 0..lines {
            let n = 2 * (mesh.line[l + 1] - mesh.line[l]);
            matrix_start.push(matrix);
            vector_start.push(vector);
            matrix += n.next_multiple_of(8) * leading(n);
            vector += leading(n);
            longest = longest.max(n);
        }
        let padded = leading(longest);
        Self {
            kernels: Kernels::detect(),
            count: vec![0; mesh.cells()],
            offset: vec![0; mesh.cells()],
            size: vec![0; lines],
            matrix_start,
            vector_start,
            matrices: vec![0.0; matrix],
            lower: vec![[0.0; 4]; mesh.faces.len()],
            upper: vec![[0.0; 4]; mesh.faces.len()],
            weight: vec![[0.0; 2]; mesh.cells()],
            factored_at: vec![[f64::NAN; 2]; mesh.cells()],
            renumbered: vec![true; lines],
            rhs: [vec![0.0; vector], vec![0.0; vector]],
            x: [vec![0.0; vector], vec![0.0; vector]],
            scratch: vec![0.0; 2 * padded],
            work: vec![0.0; work_len(longest)],
            map: ColumnMap {
                first: vec![0; padded],
                second: vec![0; padded],
                first_value: vec![0.0; padded],
                second_value: vec![0.0; padded],
            },
            centre: 0,
            outer_step: f64::NAN,
        }
    }

    /// Forgets the factors beyond the plume, so that the next solve makes them anew.
    pub(super) fn reset(&mut self) {
        self.outer_step = f64::NAN;
    }

    /// Solves for the Newton update of `system` in a step of `dt` days; false if the matrix is
    /// singular.
    pub(super) fn solve(&mut self, system: &System, dt: f64, update: &mut Update) -> bool {
        let mesh = system.mesh;
        let lines = mesh.lines();
        let fresh = self.outer_step != dt;
        self.number_unknowns(system, dt, fresh);
        let kept = if fresh { 0 } else { self.unchanged_lines(system) };
        for l in kept..lines {
            if fresh || l <= self.centre {
                self.assemble(system, l, dt);
            }
        }
        if fresh {
            for l in (self.centre + 1..lines).rev() {
                if !self.factor(l) {
                    return false;
                }
                if l > self.centre + 1 {
                    self.eliminate(mesh, l, l - 1);
                }
            }
            self.outer_step = dt;
        }
        if self.centre + 1 < lines {
            self.eliminate(mesh, self.centre + 1, self.centre);
        }
        if kept > 0 {
            self.eliminate(mesh, kept - 1, kept);
        }
        for l in kept..=self.centre {
            if !self.factor(l) {
                return false;
            }
            if l < self.centre {
                self.eliminate(mesh, l, l + 1);
            }
        }
        self.load(system);
        self.substitute(mesh, system.well.is_some());
        self.unload(system, update)
    }

    /// How many lines from the start still have the state, up to a small difference, of the
    /// iteration that factored them: their factors serve again.
    fn unchanged_lines(&self, system: &System) -> usize {
        let mesh = system.mesh;
        let close = |c: usize| {
            let [p, s] = self.factored_at[c];
            (system.pressure[c] - p).abs() <= KEEP_PRESSURE
                && (system.saturation[c] - s).abs() <= KEEP_SATURATION
        };
        let line = |l: usize| !self.renumbered[l] && (mesh.line[l]..mesh.line[l + 1]).all(close);
        // The line at the centre takes up both sweeps and is always made anew.
        (0..self.centre).take_while(|l| line(*l)).count()
    }

    /// Decides the unknowns of every cell that is not part of the kept outer factors.
    fn number_unknowns(&mut self, system: &System, dt: f64, fresh: bool) {
        /// Lines ahead of the plume that are eliminated anew in each iteration, so that the plume
        /// can advance within a step.
        const MARGIN: usize = 2;
        let mesh = system.mesh;
        let mut outermost = 0;
        for l in 0..mesh.lines() {
            let kept = !fresh && l > self.centre;
            let mut next = 0;
            let mut gas = false;
            let mut renumbered = false;
            for c in mesh.line[l]..mesh.line[l + 1] {
                let n = system.unknowns(c, dt);
                gas |= n == 2;
                if !kept {
                    renumbered |= self.count[c] != n;
                    self.count[c] = n;
                    self.offset[c] = next;
                    next += u32::from(n);
                }
            }
            if gas {
                outermost = l;
            }
            if !kept {
                self.size[l] = next as usize;
                self.renumbered[l] = renumbered;
            }
        }
        if fresh {
            self.centre = (outermost + MARGIN).min(mesh.lines() - 1);
        } else if outermost > self.centre {
            // The plume has grown into the outer part: those lines join the inner one.
            for l in self.centre + 1..=outermost {
                let mut next = 0;
                for c in mesh.line[l]..mesh.line[l + 1] {
                    self.count[c] = system.unknowns(c, dt);
                    self.offset[c] = next;
                    next += u32::from(self.count[c]);
                }
                self.size[l] = next as usize;
                self.renumbered[l] = true;
            }
            self.centre = outermost;
        }
    }

    fn factor(&mut self, l: usize) -> bool {
        let n = self.size[l];
        if n == 0 {
            return true;
        }
        let start = self.matrix_start[l];
        let matrix = &mut self.matrices[start..start + padded_rows(n) * leading(n)];
        self.kernels.invert(matrix, n, &mut self.work)
    }

    /// Subtracts from line `to` what the elimination of its neighbour `from` (already inverted)
    /// adds: `D_to -= A inverse(D_from) C`.
    fn eliminate(&mut self, mesh: &Mesh, from: usize, to: usize) {
        let (n_from, n_to) = (self.size[from], self.size[to]);
        if n_from == 0 || n_to == 0 {
            return;
        }
        let (ld_from, ld_to) = (leading(n_from), leading(n_to));
        let outwards = from < to;
        let faces = mesh.cross_faces(from.min(to));
        let simple = self.map_columns(mesh, faces.clone(), outwards, n_to);
        let (from_start, to_start) = (self.matrix_start[from], self.matrix_start[to]);
        // The lines' matrices lie one after the other, so the two can be split apart.
        let (inverse, matrix) = if from < to {
            let (left, right) = self.matrices.split_at_mut(to_start);
            (&left[from_start..], right)
        } else {
            let (left, right) = self.matrices.split_at_mut(from_start);
            (&right[..], &mut left[to_start..])
        };
        let map = &self.map;
        let (row_space, _) = self.scratch.split_at_mut(ld_from);
        for f in faces {
            let face = mesh.faces[f];
            let (a, b) = (face.a as usize, face.b as usize);
            let (source, target) = if outwards { (a, b) } else { (b, a) };
            let into = if outwards { self.lower[f] } else { self.upper[f] };
            let (ns, nt) = (self.count[source], self.count[target]);
            if ns == 0 {
                continue;
            }
            let first = self.offset[source] as usize * ld_from;
            let row0 = &inverse[first..first + ld_from];
            for e in 0..usize::from(nt) {
                let (m0, m1) = (into[2 * e], into[2 * e + 1]);
                if ns == 2 {
                    let row1 = &inverse[first + ld_from..first + 2 * ld_from];
                    for ((v, p), s) in row_space.iter_mut().zip(row0).zip(row1) {
                        *v = m0 * p + m1 * s;
                    }
                } else {
                    for (v, p) in row_space.iter_mut().zip(row0) {
                        *v = m0 * p;
                    }
                }
                let at = (self.offset[target] as usize + e) * ld_to;
                let row = &mut matrix[at..at + n_to];
                if simple {
                    for ((d, v), c) in row.iter_mut().zip(row_space.iter()).zip(&map.first_value) {
                        *d -= v * c;
                    }
                } else {
                    let columns = map.first.iter().zip(&map.second);
                    let values = map.first_value.iter().zip(&map.second_value);
                    for ((d, (&i, &j)), (c0, c1)) in row.iter_mut().zip(columns).zip(values) {
                        *d -= row_space[i as usize] * c0 + row_space[j as usize] * c1;
                    }
                }
            }
        }
    }

    /// Lists for each unknown of the line being updated what it couples to; true when unknown `j`
    /// couples to unknown `j` alone.
    fn map_columns(&mut self, mesh: &Mesh, faces: Range<usize>, outwards: bool, n: usize) -> bool {
        let map = &mut self.map;
        map.first[..n].fill(0);
        map.second[..n].fill(0);
        map.first_value[..n].fill(0.0);
        map.second_value[..n].fill(0.0);
        let mut simple = true;
        for f in faces {
            let face = mesh.faces[f];
            let (a, b) = (face.a as usize, face.b as usize);
            let (source, target, back) = if outwards { (a, b, self.upper[f]) } else { (b, a, self.lower[f]) };
            let (ns, nt) = (self.count[source], self.count[target]);
            if ns == 0 {
                continue;
            }
            simple &= ns == 1 && nt <= 1 && self.offset[source] == self.offset[target];
            for w in 0..usize::from(nt) {
                let j = self.offset[target] as usize + w;
                map.first[j] = self.offset[source];
                map.first_value[j] = back[w];
                if ns == 2 {
                    map.second[j] = self.offset[source] + 1;
                    map.second_value[j] = back[2 + w];
                }
            }
        }
        simple
    }
}
