//! The active cells of a case, numbered line by line, and the faces between them.
//!
//! A line is a column of the grid (or a row, when the grid is taller than wide): the solver
//! eliminates line after line, so lines run along the shorter side.

use super::case::Case;

/// A face between two cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    pub(super) a: u32,
    pub(super) b: u32,
    /// Transmissibility, cP·m³/(day·bar).
    pub(super) t: f64,
    /// Gravity times the depth of `a` below `b`, bar·m³/kg.
    pub(super) fall: f64,
}

/// Topology of the active cells.
#[derive(Debug, Clone)]
pub(super) struct Mesh {
    /// Grid cell of each active cell.
    pub(super) grid_cell: Vec<u32>,
    /// Active cell of each grid cell, `u32::MAX` where inactive.
    pub(super) active_cell: Vec<u32>,
    /// First cell of each line, and the number of cells at the end.
    pub(super) line: Vec<usize>,
    /// Faces: for each line those within it, then those to the next line.
    pub(super) faces: Vec<Face>,
    /// Start of the faces within each line.
    pub(super) inner: Vec<usize>,
    /// Start of the faces from each line to the next.
    pub(super) cross: Vec<usize>,
}

impl Mesh {
    pub(super) fn new(case: &Case) -> Self {
        let (rows, columns) = (case.grid.rows(), case.grid.columns());
        let along_z = rows <= columns;
        let (lines, length) = if along_z { (columns, rows) } else { (rows, columns) };
        let grid_index = |l: usize, q: usize| {
            if along_z { q * columns + l } else { l * columns + q }
        };
        let is_active = |g: usize| case.active[g] && case.pore_volume[g] > 0.0;
        let mut mesh = Self {
            grid_cell: Vec::new(),
            active_cell: vec![u32::MAX; rows * columns],
            line: vec![0],
            faces: Vec::new(),
            inner: Vec::new(),
            cross: Vec::new(),
        };
        for l in 0..lines {
            for q in 0..length {
                let g = grid_index(l, q);
                if is_active(g) {
                    mesh.active_cell[g] = mesh.grid_cell.len() as u32;
                    mesh.grid_cell.push(g as u32);
                }
            }
            mesh.line.push(mesh.grid_cell.len());
        }
        let t = &case.transmissibility;
        // Faces within a line join vertical neighbours when lines are columns.
        let (within, across) =
            if along_z { (&t.vertical, &t.horizontal) } else { (&t.horizontal, &t.vertical) };
        let depth = |g: usize| case.grid.depth(g / columns);
        for l in 0..lines {
            mesh.inner.push(mesh.faces.len());
            for q in 1..length {
                mesh.join(grid_index(l, q - 1), grid_index(l, q), within, &depth, case.gravity);
            }
            mesh.cross.push(mesh.faces.len());
            if l + 1 < lines {
                for q in 0..length {
                    mesh.join(grid_index(l, q), grid_index(l + 1, q), across, &depth, case.gravity);
                }
            }
        }
        mesh.inner.push(mesh.faces.len());
        mesh
    }

    fn join(&mut self, from: usize, to: usize, t: &[f64], depth: &dyn Fn(usize) -> f64, gravity: f64) {
        let (a, b) = (self.active_cell[from], self.active_cell[to]);
        if a != u32::MAX && b != u32::MAX && t[from] > 0.0 {
            self.faces.push(Face { a, b, t: t[from], fall: gravity * (depth(from) - depth(to)) });
        }
    }

    pub(super) fn cells(&self) -> usize {
        self.grid_cell.len()
    }

    pub(super) fn lines(&self) -> usize {
        self.line.len() - 1
    }

    /// Faces within line `l`.
    pub(super) fn inner_faces(&self, l: usize) -> std::ops::Range<usize> {
        self.inner[l]..self.cross[l]
    }

    /// Faces from line `l` to line `l + 1`.
    pub(super) fn cross_faces(&self, l: usize) -> std::ops::Range<usize> {
        self.cross[l]..self.inner[l + 1]
    }
}
