//! Grids and two-point transmissibilities.
//!
//! Arrays over cells are row-major over (z, r): cell `k * columns + i` is row `k` (0 at the top) of
//! column `i`.

use crate::units::DARCY;
use std::f64::consts::PI;

/// A grid or rock array that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("grid: {0}")]
pub struct GridError(pub String);

/// Shape of the columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// Full rings around the z axis; faces are radii in m, the first one positive.
    Radial {
        /// Radii of the column faces, m.
        faces: Vec<f64>,
    },
    /// Boxes along x, each column with its own extent across.
    Cartesian {
        /// Positions of the column faces, m.
        faces: Vec<f64>,
        /// Extent of each column across, m.
        widths: Vec<f64>,
    },
}

/// A structured grid of columns (r or x) and rows (z, downwards).
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    geometry: Geometry,
    z_faces: Vec<f64>,
    nodes: Vec<f64>,
}

/// Transmissibilities in cP·m³/(day·bar).
#[derive(Debug, Clone, PartialEq)]
pub struct Transmissibility {
    /// Between cell (k, i) and (k, i + 1), shape (z, r); the last column is not used.
    pub horizontal: Vec<f64>,
    /// Between cell (k, i) and (k + 1, i), shape (z, r); the last row is not used.
    pub vertical: Vec<f64>,
}

fn increasing(name: &str, faces: &[f64]) -> Result<(), GridError> {
    if faces.len() < 2 || faces.windows(2).any(|w| w[1] <= w[0]) || faces.iter().any(|f| !f.is_finite()) {
        return Err(GridError(format!("{name} must be at least two finite, increasing positions")));
    }
    Ok(())
}

impl Grid {
    /// A radial grid from face radii (m, the first one positive) and face depths (m).
    ///
    /// # Errors
    /// Faces that do not increase, or a first radius that is not positive.
    pub fn radial(r_faces: Vec<f64>, z_faces: Vec<f64>) -> Result<Self, GridError> {
        increasing("radial faces", &r_faces)?;
        increasing("z faces", &z_faces)?;
        if r_faces[0] <= 0.0 {
            return Err(GridError("the inner radius must be positive".into()));
        }
        // Log-mean node of a ring: pressure of steady radial flow equals the cell value there.
        let nodes = r_faces.windows(2).map(|w| (w[1] - w[0]) / libm::log(w[1] / w[0])).collect();
        Ok(Self { geometry: Geometry::Radial { faces: r_faces }, z_faces, nodes })
    }

    /// A Cartesian grid from face positions and face depths (m) and the extent of each column
    /// across (m).
    ///
    /// # Errors
    /// Faces that do not increase or a width that is not positive.
    pub fn cartesian(x_faces: Vec<f64>, widths: Vec<f64>, z_faces: Vec<f64>) -> Result<Self, GridError> {
        increasing("x faces", &x_faces)?;
        increasing("z faces", &z_faces)?;
        if widths.len() + 1 != x_faces.len() || widths.iter().any(|w| !(*w > 0.0 && w.is_finite())) {
            return Err(GridError("one positive width for each column is needed".into()));
        }
        let nodes = x_faces.windows(2).map(|w| 0.5 * (w[0] + w[1])).collect();
        Ok(Self { geometry: Geometry::Cartesian { faces: x_faces, widths }, z_faces, nodes })
    }

    /// The geometric radial grid of the CO₂ data sets: `columns` rings of width
    /// `first * growth^i` m outside a radius of 0.1 m, and `rows` layers of `dz` m.
    ///
    /// # Errors
    /// As [`Grid::radial`].
    pub fn geometric(
        first: f64,
        growth: f64,
        columns: usize,
        dz: f64,
        rows: usize,
    ) -> Result<Self, GridError> {
        let mut faces = vec![0.1];
        let mut width = first;
        for i in 0..columns {
            faces.push(faces[i] + width);
            width *= growth;
        }
        Self::radial(faces, (0..=rows).map(|k| dz * k as f64).collect())
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.nodes.len()
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.z_faces.len() - 1
    }

    /// Number of cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.columns() * self.rows()
    }

    /// Positions of the column faces, m.
    #[must_use]
    pub fn faces(&self) -> &[f64] {
        match &self.geometry {
            Geometry::Radial { faces } | Geometry::Cartesian { faces, .. } => faces,
        }
    }

    /// Positions of the column nodes, m (log-mean radii, or centres).
    #[must_use]
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// Depths of the row faces, m.
    #[must_use]
    pub fn z_faces(&self) -> &[f64] {
        &self.z_faces
    }

    /// Shape of the columns.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Depth of the centre of row `k`, m.
    #[must_use]
    pub fn depth(&self, k: usize) -> f64 {
        0.5 * (self.z_faces[k] + self.z_faces[k + 1])
    }

    /// Thickness of row `k`, m.
    #[must_use]
    pub fn thickness(&self, k: usize) -> f64 {
        self.z_faces[k + 1] - self.z_faces[k]
    }

    /// Area of column `i` seen from above, m².
    #[must_use]
    pub fn area(&self, i: usize) -> f64 {
        match &self.geometry {
            Geometry::Radial { faces } => PI * (faces[i + 1] * faces[i + 1] - faces[i] * faces[i]),
            Geometry::Cartesian { faces, widths } => (faces[i + 1] - faces[i]) * widths[i],
        }
    }

    fn expect_shape(&self, name: &str, values: &[f64]) -> Result<(), GridError> {
        if values.len() == self.cells() {
            return Ok(());
        }
        Err(GridError(format!(
            "{name} has {} values for {} x {} cells",
            values.len(),
            self.rows(),
            self.columns()
        )))
    }

    /// Pore volumes (m³) for porosities of shape (z, r).
    ///
    /// # Errors
    /// A wrong number of values.
    pub fn pore_volume(&self, porosity: &[f64]) -> Result<Vec<f64>, GridError> {
        self.expect_shape("porosity", porosity)?;
        let columns = self.columns();
        Ok((0..self.cells())
            .map(|c| porosity[c] * self.area(c % columns) * self.thickness(c / columns))
            .collect())
    }

    /// Two-point transmissibilities for horizontal and vertical permeabilities (mD) of shape (z, r):
    /// harmonic means of the two half cells, logarithmic in radius. A cell without permeability
    /// passes nothing.
    ///
    /// # Errors
    /// A wrong number of values, a negative permeability or one that is not finite.
    pub fn transmissibility(
        &self,
        horizontal: &[f64],
        vertical: &[f64],
    ) -> Result<Transmissibility, GridError> {
        for (name, values) in [("horizontal permeability", horizontal), ("vertical permeability", vertical)] {
            self.expect_shape(name, values)?;
            if values.iter().any(|v| !(*v >= 0.0 && v.is_finite())) {
                return Err(GridError(format!("{name} must be finite and not negative")));
            }
        }
        let (rows, columns) = (self.rows(), self.columns());
        let mut t =
            Transmissibility { horizontal: vec![0.0; self.cells()], vertical: vec![0.0; self.cells()] };
        // Resistances times permeability of the half cells beside face i + 1 per metre of height.
        let halves: Vec<(f64, f64)> =
            (0..columns.saturating_sub(1)).map(|i| self.half_resistances(i)).collect();
        for k in 0..rows {
            let dz = self.thickness(k);
            for i in 0..columns {
                let c = k * columns + i;
                if let Some(&(left, right)) = halves.get(i) {
                    let (a, b) = (horizontal[c], horizontal[c + 1]);
                    if a > 0.0 && b > 0.0 {
                        t.horizontal[c] = DARCY * dz / (left / a + right / b);
                    }
                }
                if k + 1 < rows {
                    let (a, b) = (vertical[c], vertical[c + columns]);
                    if a > 0.0 && b > 0.0 {
                        let resistance = 0.5 * dz / a + 0.5 * self.thickness(k + 1) / b;
                        t.vertical[c] = DARCY * self.area(i) / resistance;
                    }
                }
            }
        }
        Ok(t)
    }

    fn half_resistances(&self, i: usize) -> (f64, f64) {
        match &self.geometry {
            Geometry::Radial { faces } => {
                let face = faces[i + 1];
                let ring = 2.0 * PI;
                (libm::log(face / self.nodes[i]) / ring, libm::log(self.nodes[i + 1] / face) / ring)
            }
            Geometry::Cartesian { faces, widths } => {
                let face = faces[i + 1];
                ((face - self.nodes[i]) / widths[i], (self.nodes[i + 1] - face) / widths[i + 1])
            }
        }
    }

    /// Connection factor of a well on the axis with row `k` of the innermost column, in
    /// cP·m³/(day·bar): `2 π dz k_r / ln(node / r_w)` with the inner face as the well radius.
    /// `permeability` is horizontal, in mD. `None` on a Cartesian grid.
    #[must_use]
    pub fn connection_factor(&self, k: usize, permeability: f64) -> Option<f64> {
        match &self.geometry {
            Geometry::Radial { faces } => Some(
                DARCY * permeability * 2.0 * PI * self.thickness(k) / libm::log(self.nodes[0] / faces[0]),
            ),
            Geometry::Cartesian { .. } => None,
        }
    }
}
