//! Where and when: the coordinates that all data sets share.

use flow_plugin::artifact::{Dataset, DatasetWriter, Result, Variable};

use crate::geology::Layout;

/// The radial grid and the report times.
#[derive(Debug, Clone, PartialEq)]
pub struct Coordinates {
    /// Log-mean nodes of the rings, m.
    pub r: Vec<f64>,
    /// Radii of the ring faces, m.
    pub r_face: Vec<f64>,
    /// Depths of the row centres below the top, m.
    pub z: Vec<f64>,
    /// Depths of the row faces below the top, m.
    pub z_face: Vec<f64>,
    /// Report times, days.
    pub time: Vec<f64>,
}

impl Coordinates {
    /// Coordinates from the faces of a grid (m) and report times (days).
    #[must_use]
    pub fn new(r_face: Vec<f64>, z_face: Vec<f64>, time: Vec<f64>) -> Self {
        Self {
            r: r_face.windows(2).map(|f| (f[1] - f[0]) / libm::log(f[1] / f[0])).collect(),
            z: z_face.windows(2).map(|f| 0.5 * (f[0] + f[1])).collect(),
            r_face,
            z_face,
            time,
        }
    }

    /// The coordinates of a layout.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        Self::new(layout.r_faces(), layout.z_faces(), layout.report_times())
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.z.len()
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.r.len()
    }

    /// Number of cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.r.len() * self.z.len()
    }

    /// Height of row `k`, m.
    #[must_use]
    pub fn row_height(&self, k: usize) -> f64 {
        self.z_face[k + 1] - self.z_face[k]
    }

    /// Area of ring `i` seen from above, m².
    #[must_use]
    pub fn ring_area(&self, i: usize) -> f64 {
        let (inner, outer) = (self.r_face[i], self.r_face[i + 1]);
        std::f64::consts::PI * (outer * outer - inner * inner)
    }

    /// Reads the coordinates of a data set.
    ///
    /// # Errors
    /// A missing variable, or one of another type.
    pub fn read(dataset: &Dataset) -> Result<Self> {
        let read = |name| dataset.read::<f64>(name);
        Ok(Self {
            r: read("r")?,
            r_face: read("r_face")?,
            z: read("z")?,
            z_face: read("z_face")?,
            time: read("time")?,
        })
    }

    /// Writes the coordinates into a data set.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, writer: &mut DatasetWriter) -> Result<()> {
        for (name, values, units, long_name) in [
            ("r", &self.r, "m", "Radius (log-mean node of the ring)"),
            ("r_face", &self.r_face, "m", "Radius of the ring faces"),
            ("z", &self.z, "m", "Depth below the top of the formation"),
            ("z_face", &self.z_face, "m", "Depth of the row faces"),
            ("time", &self.time, "d", "Time since injection began"),
        ] {
            writer.write(&Variable::new::<f64>(name, &[name], &[values.len()], units, long_name), values)?;
        }
        Ok(())
    }
}
